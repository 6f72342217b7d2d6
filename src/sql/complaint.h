/**
 * Complaints about a statement: DuckDB's, or ours in its manner, always on the text that the user
 * wrote: "Binder Error: …\n\nLINE 1: select x from cpu\n               ^".
 * Private to sql/.
 */
#ifndef ARKA_SQL_COMPLAINT_H
#define ARKA_SQL_COMPLAINT_H

#include "base/arena.h"

/** A statement as DuckDB gets it: what we put into the user's text, and where. */
typedef struct arka_text {
    arka_slice user;
    arka_slice sql;         /* NUL-terminated */
    size_t prefix;          /* bytes in front of the user's first */
    const size_t *inserted; /* where in `user` a byte was put in front of, ascending */
    size_t n_inserted;
} arka_text;

#define ARKA_TEXT_NOWHERE SIZE_MAX

/** The place in `user` of a place in `sql`; ARKA_TEXT_NOWHERE when it lies in what we added. */
size_t arka_text_user_at(const arka_text *text, size_t sql_at);

/**
 * The sentence, and below it the line of text->user with a caret under byte `at` (none for
 * ARKA_TEXT_NOWHERE). Returns `code`.
 */
arka_status arka_complain(arka_error *err, arka_status code, const arka_text *text, size_t at,
                          const char *format, ...) ARKA_PRINTF(5, 6);

/**
 * An error of DuckDB's, in the JSON of its setting errors_as_json or as plain text. The status
 * follows its kind: INPUT, FORBIDDEN, CANCELLED, LIMIT (memory), IO or INTERNAL. `offset`: bytes of
 * text->sql in front of what DuckDB was given.
 */
arka_status arka_complain_duckdb(arka_error *err, const arka_text *text, size_t offset,
                                 const char *message);

#endif
