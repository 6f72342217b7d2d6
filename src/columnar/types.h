/** Column types: the five that a table can have. */
#ifndef ARKA_COLUMNAR_TYPES_H
#define ARKA_COLUMNAR_TYPES_H

#include "base/slice.h"
#include "base/status.h"

/* The numbers are stored in the manifest: never reuse one. */
typedef enum arka_type {
    ARKA_TYPE_NONE = 0, /* unknown; no column has it */
    ARKA_BOOLEAN = 1,
    ARKA_BIGINT = 2,
    ARKA_DOUBLE = 3,
    ARKA_VARCHAR = 4,     /* UTF-8 */
    ARKA_TIMESTAMPTZ = 5, /* int64_t microseconds since 1970 UTC */
} arka_type;

/** SQL name: "BIGINT", "TIMESTAMP WITH TIME ZONE", … */
const char *arka_type_name(arka_type type);
/** Bytes of one value; 0 for BOOLEAN (a bit) and VARCHAR (offsets and bytes). */
static inline size_t arka_type_width(arka_type type)
{
    return type == ARKA_BIGINT || type == ARKA_DOUBLE || type == ARKA_TIMESTAMPTZ ? 8 : 0;
}

/** The name of the time column of every table. */
#define ARKA_TIME_COLUMN "time"

#endif
