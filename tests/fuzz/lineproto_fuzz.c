/*
 * Line protocol from nowhere. The first byte chooses precision and what the table knows. What comes
 * out must be well-formed, and the same when the body is followed by a comment: then the readers
 * that look ahead do the work that the careful ones do at a body's end.
 */
#include <stdlib.h>

#include "base/buf.h"
#include "base/civil.h"
#include "base/utf8.h"
#include "wire/lineproto.h"
#include "wire/names.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void require(bool ok)
{
    if (!ok)
        abort();
}

/* A table with a column of each type, and tags. */
static arka_type column_type(void *context, arka_slice measurement, arka_slice column, bool *tag)
{
    require(arka_name_check_measurement(measurement, NULL) == ARKA_OK);
    require(arka_column_name_check(column, NULL) == ARKA_OK && !*tag);
    switch (column.data[0]) {
    case 'a':
        *tag = true;
        return ARKA_VARCHAR;
    case 'b':
        return ARKA_BOOLEAN;
    case 'd':
        return ARKA_DOUBLE;
    case 'i':
        return ARKA_BIGINT;
    case 's':
        return ARKA_VARCHAR;
    case 't':
        return ARKA_TIMESTAMPTZ;
    default:
        return ARKA_TYPE_NONE;
    }
}

static void check_text(const arka_column *c, int64_t row)
{
    const int32_t *offsets = c->values;
    require(offsets[row] <= offsets[row + 1]);
    arka_slice text = arka_column_text(c, row);
    require(!arka_column_is_null(c, row) || text.len == 0);
    require(arka_utf8_valid(text.data, text.len));
}

static void check_batch(const arka_batch *b)
{
    int64_t previous = INT64_MIN;
    bool sorted = true;
    const arka_column *time = &b->columns[b->time];
    for (int64_t row = 0; row < b->n_rows; row++) {
        int64_t us = arka_column_i64(time)[row];
        require(us >= ARKA_TIME_MIN_US && us <= ARKA_TIME_MAX_US);
        sorted &= us >= previous;
        previous = us;
    }
    require(sorted == b->time_sorted && time->n_nulls == 0);
    for (int i = 0; i < b->n_columns; i++) {
        const arka_column *c = &b->columns[i];
        int64_t n_nulls = 0;
        require(arka_column_name_check(c->name, NULL) == ARKA_OK);
        require(!c->tag || c->type == ARKA_VARCHAR);
        require((c->type == ARKA_TIMESTAMPTZ) == (i == b->time));
        for (int64_t row = 0; row < b->n_rows; row++) {
            n_nulls += arka_column_is_null(c, row);
            if (c->type == ARKA_VARCHAR)
                check_text(c, row);
        }
        require(n_nulls == c->n_nulls && n_nulls < b->n_rows);
    }
}

static void check_writes(const arka_writes *w)
{
    int64_t n_rows = 0;
    for (size_t i = 0; i < w->writes.n; i++) {
        require(arka_name_check_measurement(w->writes.items[i].measurement, NULL) == ARKA_OK);
        check_batch(w->writes.items[i].batch);
        n_rows += w->writes.items[i].batch->n_rows;
    }
    require(n_rows == w->n_rows);
    require(w->n_rejected <= w->n_members && w->n_rows <= w->n_members - w->n_rejected);
    for (size_t i = 0; i < w->rejects.n; i++) {
        const char *reason = w->rejects.items[i].reason;
        require(reason[0] != 0 && arka_utf8_valid(reason, strlen(reason)));
        require(i == 0 || w->rejects.items[i].place > w->rejects.items[i - 1].place);
    }
}

static void check_same(const arka_batch *a, const arka_batch *b)
{
    require(a->n_rows == b->n_rows && a->layout == b->layout);
    require(a->body_bytes == b->body_bytes);
    for (int i = 0; i < a->n_columns; i++)
        for (int64_t row = 0; row < a->n_rows; row++) {
            const arka_column *x = &a->columns[i], *y = &b->columns[i];
            require(arka_column_is_null(x, row) == arka_column_is_null(y, row));
            if (x->type == ARKA_VARCHAR)
                require(arka_slice_eq(arka_column_text(x, row), arka_column_text(y, row)));
            else if (x->type == ARKA_BOOLEAN)
                require(arka_bit(x->values, row) == arka_bit(y->values, row));
            else
                require(arka_column_i64(x)[row] == arka_column_i64(y)[row]);
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static const char TAIL[] = "\n################################################################";
    if (n == 0)
        return 0;
    arka_lineproto_options options = {.now_us = INT64_C(1767607200123456),
                                      .precision = data[0] % 6,
                                      .column_type = data[0] & 0x40 ? column_type : NULL};
    arka_buf longer = ARKA_BUF_INIT;
    arka_buf_append(&longer, data + 1, n - 1);
    arka_buf_append(&longer, TAIL, sizeof TAIL - 1);
    arka_writes alone = {0}, followed = {0};
    require(arka_lineproto_parse(data + 1, n - 1, &options, &alone, NULL) == ARKA_OK);
    require(arka_lineproto_parse(longer.data, longer.len, &options, &followed, NULL) == ARKA_OK);
    check_writes(&alone);
    require(alone.n_members == followed.n_members && alone.n_rejected == followed.n_rejected);
    require(alone.writes.n == followed.writes.n);
    for (size_t i = 0; i < alone.writes.n; i++)
        check_same(alone.writes.items[i].batch, followed.writes.items[i].batch);
    arka_writes_fini(&alone);
    arka_writes_fini(&followed);
    arka_buf_fini(&longer);
    return 0;
}
