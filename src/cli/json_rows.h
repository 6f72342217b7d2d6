/**
 * The JSON answer of a query as cells whose numbers keep every digit: {"columns":[…],"data":[[…]],
 * "row_count":n,"execution_time_ms":x}. Members that are not asked for are skipped.
 */
#ifndef ARKA_CLI_JSON_ROWS_H
#define ARKA_CLI_JSON_ROWS_H

#include "base/arena.h"
#include "base/vec.h"

typedef enum arka_cell_kind {
    ARKA_CELL_NULL,
    ARKA_CELL_NUMBER, /* as written */
    ARKA_CELL_TEXT,   /* decoded */
    ARKA_CELL_OTHER,  /* true, false, an array or an object, as written */
} arka_cell_kind;

typedef struct arka_cell {
    arka_cell_kind kind;
    arka_slice text; /* in the JSON text or the arena */
} arka_cell;

typedef struct arka_json_rows {
    ARKA_VEC(arka_slice) columns;
    ARKA_VEC(arka_cell) cells; /* row by row */
    int64_t n_rows;
    double execution_ms; /* < 0: not said */
    arka_arena arena;
} arka_json_rows;

/** `out` zero-initialised. ARKA_CORRUPT: it is not such an answer; ARKA_NOMEM. */
ARKA_MUST_USE arka_status arka_json_rows_read(arka_slice json, arka_json_rows *out,
                                              arka_error *err);
void arka_json_rows_fini(arka_json_rows *rows);

#endif
