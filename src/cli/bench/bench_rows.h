/**
 * How many rows does an answer of the query endpoints hold? Read from the bytes themselves, so that
 * a bench does not praise a server for rows that it did not send. Pure.
 */
#ifndef ARKA_CLI_BENCH_BENCH_ROWS_H
#define ARKA_CLI_BENCH_BENCH_ROWS_H

#include "base/slice.h"
#include "base/status.h"

typedef enum arka_answer_format {
    ARKA_ANSWER_JSON,    /* envelope: length of "data", which "row_count" must equal */
    ARKA_ANSWER_ARROW,   /* IPC stream: lengths of its record batches, up to the end marker */
    ARKA_ANSWER_MSGPACK, /* envelope: length of the first column in "data", equal to "row_count" */
    ARKA_ANSWER_CSV,     /* records behind the header line, each ended by LF */
    ARKA_N_ANSWER_FORMATS
} arka_answer_format;

/** "json", "arrow", … */
extern const char *const arka_answer_format_names[ARKA_N_ANSWER_FORMATS];

/** ARKA_CORRUPT, with the place, when the body is cut off or is not what the format says. */
ARKA_MUST_USE arka_status arka_answer_count_rows(arka_answer_format format, arka_slice body,
                                                 int64_t *out, arka_error *err);

#endif
