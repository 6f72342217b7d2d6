/** The body of a query request: {"sql": "…", …}. Pure; any thread. */
#ifndef ARKA_WIRE_JSON_REQUEST_H
#define ARKA_WIRE_JSON_REQUEST_H

#include "base/arena.h"
#include "base/status.h"

enum { ARKA_SQL_MAX_CHARACTERS = 10000 };

typedef struct arka_query_request {
    arka_slice sql;      /* 1 to ARKA_SQL_MAX_CHARACTERS code points, UTF-8, no NUL */
    arka_slice database; /* empty: not given */
    arka_slice format;   /* empty: not given; any text, for the caller to know or not */
} arka_query_request;

/**
 * Decode `body`. The texts are copied into the arena, each with a NUL behind it. Other fields are
 * ignored (clients send as "limit" what they find in the SQL), null is absent, of a repeated field
 * the last counts. ARKA_INPUT: not JSON (line and column), not an object, "sql" missing, empty or
 * too long, a field of another type, a NUL in a text, nesting too deep. ARKA_NOMEM.
 */
ARKA_MUST_USE arka_status arka_query_request_decode(arka_slice body, arka_arena *arena,
                                                    arka_query_request *out, arka_error *err);

/** Is `sql` of an allowed length and free of NUL? For SQL that comes by other ways. Must be UTF-8.
 */
ARKA_MUST_USE arka_status arka_sql_check(arka_slice sql, arka_error *err);

#endif
