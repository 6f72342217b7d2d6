/**
 * Rows: a batch under construction for row-wise input (line protocol, MessagePack row maps): any
 * cell in any order, columns appear when first met, missing cells are null.
 *
 *     int c = arka_rows_column(rows, name, false, ARKA_TYPE_NONE, hint, err)
 *     arka_rows_put_f64(rows, c, 1.5)        into the open row; the last put of a cell wins
 *     arka_rows_end(rows, time_us)           closes it; arka_rows_cancel drops it
 *
 * A column takes the type of its first value unless it is given one (the table's). Then: BIGINT
 * meets a double → the column becomes DOUBLE; numbers into DOUBLE are cast; anything into
 * VARCHAR becomes text; everything else is a conflict, or, with `text_on_conflict`, makes the
 * whole column VARCHAR. Not thread-safe.
 */
#ifndef ARKA_COLUMNAR_ROWS_H
#define ARKA_COLUMNAR_ROWS_H

#include "columnar/batch.h"

typedef struct arka_rows arka_rows;

typedef enum arka_put {
    ARKA_PUT_OK,
    ARKA_PUT_CONFLICT, /* the value does not fit the column's type; nothing was put */
    ARKA_PUT_NOMEM,    /* or a column's text passed 2^31 - 1 bytes */
} arka_put;

/** text_on_conflict: number meets text in a column that was given no type → VARCHAR. */
ARKA_MUST_USE arka_status arka_rows_new(bool text_on_conflict, arka_rows **out, arka_error *err);
/** NULL is fine. */
void arka_rows_free(arka_rows *rows);
ARKA_CLEANUP(arka_rows, arka_rows_free)

/**
 * The column of that name, made if need be; its index, or -1 with `err` set (bad name as in
 * block.h, out of memory). `guess` is tried first: pass the index that followed last time.
 * `given`: the type the table has for it, or ARKA_TYPE_NONE; only the first call's counts.
 */
int arka_rows_column(arka_rows *rows, arka_slice name, bool tag, arka_type given, int guess,
                     arka_error *err);
/** Index by name or -1; `guess` as above. */
int arka_rows_find(const arka_rows *rows, arka_slice name, int guess);
arka_type arka_rows_type(const arka_rows *rows, int column);
bool arka_rows_is_tag(const arka_rows *rows, int column);
arka_slice arka_rows_name(const arka_rows *rows, int column);
int arka_rows_n_columns(const arka_rows *rows);

arka_put arka_rows_put_bool(arka_rows *rows, int column, bool v);
arka_put arka_rows_put_i64(arka_rows *rows, int column, int64_t v);
arka_put arka_rows_put_f64(arka_rows *rows, int column, double v);
/** The bytes are copied. */
arka_put arka_rows_put_text(arka_rows *rows, int column, arka_slice v);
/**
 * Texts that many rows have together: the tags of a series. Given to a row by one pointer instead
 * of a copy a column.
 */
typedef struct arka_row_key {
    size_t n;
    struct {
        int column;
        arka_slice text;
    } cells[]; /* ascending by column */
} arka_row_key;

/**
 * Make a key known, before the first row that has it: its columns become tags of type VARCHAR. It
 * is borrowed until the rows are sealed or freed, and must not change. ARKA_PUT_CONFLICT: one of
 * its columns has another type; nothing was done. Dropping that row does not undo this.
 */
arka_put arka_rows_add_key(arka_rows *rows, const arka_row_key *key);
/** The open row has that key. Where a column has both, the key's text counts. */
arka_put arka_rows_put_key(arka_rows *rows, const arka_row_key *key);
/** Of a closed row, or NULL. */
const arka_row_key *arka_rows_key(const arka_rows *rows, int64_t row);

/** Does the open row have a value there (keys apart)? */
bool arka_rows_has(const arka_rows *rows, int column);

/** Close the open row. false: out of memory (the row is dropped). */
bool arka_rows_end(arka_rows *rows, int64_t time_us);
/** Forget the open row; columns that only it had stay out of the batch. */
void arka_rows_cancel(arka_rows *rows);
/** Closed rows. */
int64_t arka_rows_n(const arka_rows *rows);
/** The time of a closed row. */
int64_t arka_rows_time(const arka_rows *rows, int64_t row);

/**
 * Merge two points of one series and time: open the closed `row` again, in place of a new row,
 * until arka_rows_close_again. Puts overwrite; what they change cannot be cancelled.
 */
void arka_rows_reopen(arka_rows *rows, int64_t row);
void arka_rows_close_again(arka_rows *rows);

/** Takes `rows` whatever happens; at least one closed row. Columns without any value are left out.
 */
ARKA_MUST_USE arka_status arka_rows_seal(arka_rows *take_rows, arka_batch **out, arka_error *err);

#endif
