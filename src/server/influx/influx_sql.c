/* SQL of our own, run as the request's: its rows come as CSV, which is cheap to take apart. */
#include "server/influx/influx_run.h"

/* ---- rows out of CSV ---- */

typedef ARKA_VEC(size_t) size_list;

typedef struct rows {
    arka_influx_row each;
    void *context;
    arka_buf text;  /* of the cells of one row, one after the other */
    size_list ends; /* of each cell in it */
    enum { CELL_BEGIN, BARE, QUOTED, QUOTE_IN_QUOTED } state;
    bool head; /* the names of the columns are past */
} rows;

static arka_status end_row(rows *r, arka_error *err)
{
    arka_slice few[64], *cells = few;
    size_t n = r->ends.n, from = 0;
    arka_status status = ARKA_OK;
    if (n > 64)
        cells = arka_malloc(n * sizeof *cells);
    if (cells == NULL || r->text.failed)
        return arka_fail_nomem(err, "a row", n * sizeof *cells);
    for (size_t i = 0; i < n; i++) {
        cells[i] = (arka_slice){r->text.data + from, r->ends.items[i] - from};
        from = r->ends.items[i];
    }
    if (r->head)
        status = r->each(r->context, cells, n, err);
    r->head = true;
    if (cells != few)
        arka_free(cells);
    arka_buf_clear(&r->text);
    r->ends.n = 0;
    return status;
}

static arka_status take_byte(rows *r, char c, arka_error *err)
{
    if (r->state == QUOTED) {
        if (c == '"')
            r->state = QUOTE_IN_QUOTED;
        else
            arka_buf_byte(&r->text, c);
        return ARKA_OK;
    }
    if (c == '"') {
        if (r->state == QUOTE_IN_QUOTED)
            arka_buf_byte(&r->text, c);
        r->state = QUOTED;
        return ARKA_OK;
    }
    if (c == ',' || c == '\n') {
        r->state = CELL_BEGIN;
        if (!arka_vec_push(&r->ends, r->text.len))
            return arka_fail_nomem(err, "a row", r->ends.n);
        return c == '\n' ? end_row(r, err) : ARKA_OK;
    }
    if (c != '\r') { /* of the line's end: one within a text is quoted */
        r->state = BARE;
        arka_buf_byte(&r->text, c);
    }
    return ARKA_OK;
}

static arka_status take_piece(rows *r, const arka_buf *piece, arka_error *err)
{
    if (piece->failed)
        return arka_fail_nomem(err, "a piece of an answer", piece->cap);
    for (size_t i = 0; i < piece->len; i++)
        ARKA_TRY(take_byte(r, piece->data[i], err));
    return ARKA_OK;
}

/* ---- running ---- */

static void note_start(void *context, arka_query *query)
{
    arka_influx *q = context;
    arka_running_set_query(q->server->running, arka_stream_ticket(q->stream), query);
    arka_admission_aim(q->server->admission, q->job, query);
}

static arka_status run(arka_influx *q, arka_buf *sql, rows *r, arka_query **query, arka_error *err)
{
    arka_query_options options = {
        .text = {sql->data, sql->len},
        .format = ARKA_FORMAT_CSV,
        .visibility = q->visibility,
        .deadline = q->deadline,
        .on_start = note_start,
        .on_start_context = q,
    };
    arka_buf piece = ARKA_BUF_INIT;
    if (sql->failed)
        return arka_fail_nomem(err, "a query", sql->cap);
    if (arka_running_is_cancelled(q->server->running, arka_stream_ticket(q->stream)))
        return arka_fail(err, ARKA_CANCELLED, "the query was cancelled");
    ARKA_TRY(arka_query_start(q->server->sql, &options, query, err));
    arka_status status = ARKA_OK;
    for (bool done = false; !done && status == ARKA_OK;) {
        arka_buf_clear(&piece);
        status = arka_query_next(*query, &piece, &done, err);
        if (status == ARKA_OK)
            status = take_piece(r, &piece, err);
    }
    arka_buf_fini(&piece);
    return status;
}

arka_status arka_influx_sql(arka_influx *q, arka_buf *sql, arka_influx_row each, void *context,
                            arka_error *err)
{
    rows r = {.each = each, .context = context};
    arka_query *query = NULL;
    arka_error own = {0};
    arka_status status = run(q, sql, &r, &query, &own);
    note_start(q, NULL);
    arka_query_free(query);
    arka_buf_fini(&r.text);
    arka_vec_fini(&r.ends);
    arka_buf_clear(sql);
    if (status == ARKA_NOTFOUND)
        return ARKA_OK;
    if (status != ARKA_OK) {
        arka_fail(err, own.code, "%s", own.msg);
        if (err != NULL)
            err->sys = own.sys;
    }
    return status;
}

/* ---- regular expressions ---- */

typedef struct marks {
    bool *out;
    size_t n;
} marks;

static arka_status mark(void *context, const arka_slice *cells, size_t n, arka_error *err)
{
    marks *m = context;
    size_t at = 0;
    for (size_t i = 0; n == 1 && i < cells[0].len; i++)
        at = at * 10 + (size_t)(cells[0].data[i] - '0');
    if (at < m->n)
        m->out[at] = true;
    return ARKA_OK;
}

arka_status arka_influx_match(arka_influx *q, const arka_slice *names, size_t n, arka_slice regex,
                              bool *out, arka_error *err)
{
    marks m = {out, n};
    arka_buf sql = ARKA_BUF_INIT;
    memset(out, 0, n * sizeof *out);
    if (n == 0)
        return ARKA_OK;
    arka_buf_literal(&sql, "SELECT i FROM (VALUES ");
    for (size_t i = 0; i < n; i++) {
        arka_buf_printf(&sql, "%s(%zu, ", i > 0 ? ", " : "", i);
        arka_sql_quote(&sql, '\'', names[i]);
        arka_buf_byte(&sql, ')');
    }
    arka_buf_literal(&sql, ") t(i, x) WHERE regexp_matches(x, ");
    arka_sql_quote(&sql, '\'', regex);
    arka_buf_byte(&sql, ')');
    arka_status status = arka_influx_sql(q, &sql, mark, &m, err);
    arka_buf_fini(&sql);
    return status;
}

/* DuckDB's library and Go's are of one author and say the same in different words. */
static const char *as_influxdb_says(const char *message)
{
    static const struct {
        const char *theirs, *influxdb;
    } WORDS[] = {
        {"missing ]", "missing closing ]"},
        {"missing )", "missing closing )"},
        {"unexpected )", "unexpected )"},
        {"invalid escape sequence", "invalid escape sequence"},
        {"invalid character class range", "invalid character class range"},
        {"invalid character class", "invalid character class"},
        {"no argument for repetition operator", "missing argument to repetition operator"},
        {"invalid repetition size", "invalid repeat count"},
        {"bad repetition operator", "invalid nested repetition operator"},
        {"invalid perl operator", "invalid or unsupported Perl syntax"},
        {"invalid named capture group", "invalid named capture"},
        {"trailing \\", "trailing backslash at end of expression"},
    };
    for (size_t i = 0; i < sizeof WORDS / sizeof *WORDS; i++)
        if (strstr(message, WORDS[i].theirs) != NULL)
            return WORDS[i].influxdb;
    return message;
}

static arka_status ignore_row(void *context, const arka_slice *cells, size_t n, arka_error *err)
{
    return ARKA_OK;
}

arka_status arka_influx_check_regex(arka_influx *q, const arka_influxql_expr *regex,
                                    arka_error *err)
{
    arka_buf sql = ARKA_BUF_INIT;
    arka_error own = {0};
    arka_buf_literal(&sql, "SELECT regexp_matches('', ");
    arka_sql_quote(&sql, '\'', regex->text);
    arka_buf_byte(&sql, ')');
    arka_status status = arka_influx_sql(q, &sql, ignore_row, NULL, &own);
    arka_buf_fini(&sql);
    if (status == ARKA_INPUT) {
        const char *tail = strrchr(own.msg, ':');
        return arka_fail(
            err, ARKA_INPUT,
            "error parsing query: error parsing regexp: %s: `%.*s` at line %d, char %d",
            as_influxdb_says(own.msg),
            tail != NULL && strlen(tail) > 2 ? (int)strcspn(tail + 2, "\n") : 0,
            tail != NULL && strlen(tail) > 2 ? tail + 2 : "", regex->at.line, regex->at.column);
    }
    return status == ARKA_OK ? ARKA_OK : arka_fail(err, own.code, "%s", own.msg);
}
