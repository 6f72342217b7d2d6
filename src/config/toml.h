/**
 * TOML 1.0.0 (toml.io/en/v1.0.0): a text becomes a tree. Pure; depth is bounded, and time and
 * memory grow with the text alone.
 *
 * A tree lives in the caller's arena; its texts too, so the text that was read may go.
 */
#ifndef ARKA_CONFIG_TOML_H
#define ARKA_CONFIG_TOML_H

#include "base/arena.h"

typedef enum arka_toml_kind {
    ARKA_TOML_STRING,
    ARKA_TOML_INT,
    ARKA_TOML_FLOAT,
    ARKA_TOML_BOOL,
    ARKA_TOML_DATETIME,       /* with an offset */
    ARKA_TOML_LOCAL_DATETIME, /* date and time of no zone */
    ARKA_TOML_LOCAL_DATE,
    ARKA_TOML_LOCAL_TIME,
    ARKA_TOML_ARRAY,
    ARKA_TOML_TABLE,
} arka_toml_kind;

/** Of dates and times; what the kind has not is 0. */
typedef struct arka_toml_time {
    int year, month, day, hour, minute, second; /* second: 60 is a leap second */
    int nanosecond;                             /* digits beyond are cut off */
    int offset_minutes;                         /* east of UTC */
} arka_toml_time;

/** How a table came to be, and so whether it may get more. Private to the reader. */
typedef struct arka_toml_mark {
    uint32_t id;      /* tables: of their keys in the reader's map */
    uint32_t section; /* dotted: the header or inline table in which it was made */
    uint8_t depth;
    bool closed;    /* inline tables, arrays that are values: nothing is added */
    bool by_header; /* named by [a] or [[a]] itself */
    bool by_dots;   /* made by a key such as a.b = 1 */
} arka_toml_mark;

typedef struct arka_toml_value {
    arka_toml_kind kind;
    arka_slice key;  /* in a table; may have any characters, NUL and dots too */
    arka_slice text; /* STRING: decoded, UTF-8, may have a NUL */
    int64_t i64;
    double f64;
    bool boolean;
    arka_toml_time time;
    int line, column;                     /* of the key, in a table; from 1, in characters */
    struct arka_toml_value *first, *last; /* ARRAY, TABLE: what is in it, in the text's order */
    struct arka_toml_value *next;
    int64_t n; /* ARRAY, TABLE: how many are in it */
    arka_toml_mark mark;
} arka_toml_value;

enum { ARKA_TOML_DEPTH = 100 }; /* tables and arrays in one another */

/** "a string", "an integer", … */
const char *arka_toml_kind_name(arka_toml_kind kind);

/**
 * *out: the root, a table. `file` stands in the sentences. ARKA_INPUT, "file:line:column: ", what
 * was found and what was expected: not TOML, a key or table that comes twice, an integer beyond 64
 * bits, nested deeper than ARKA_TOML_DEPTH. ARKA_NOMEM. One of them leaves what it made in the
 * arena.
 */
ARKA_MUST_USE arka_status arka_toml_parse(arka_slice text, const char *file, arka_arena *arena,
                                          arka_toml_value **out, arka_error *err);

#endif
