/* What the rows answer: tags, their values, series, and how many there are. */
#include "base/number.h"
#include "server/influx/influx_run.h"

/* One table of a statement, and what is asked of it. */
typedef struct look {
    arka_influx *q;
    const arka_influxql_statement *s;
    arka_influx_where where;
    arka_slice database, table;
    const arka_schema *schema;
    arka_influx_columns tags; /* those that WITH KEY means */
    arka_buf sql;
    int64_t skip, left; /* of rows; left < 0: no bound */
    arka_slice key;     /* whose values come */
    bool *present;      /* of each tag */
    int64_t count;
} look;

static void cut_by(look *l)
{
    l->skip = l->s->query.offset;
    l->left = l->s->query.limit > 0 ? l->s->query.limit : -1;
}

/* Only as many rows as can still be shown. */
static void put_limit(look *l)
{
    int64_t n;
    if (l->left >= 0 && !__builtin_add_overflow(l->skip, l->left, &n))
        arka_buf_printf(&l->sql, " LIMIT %lld", (long long)n);
}

static bool passes(look *l)
{
    if (l->skip > 0) {
        l->skip--;
        return false;
    }
    if (l->left == 0)
        return false;
    l->left -= l->left > 0;
    return true;
}

static arka_status put_from_where(look *l, arka_error *err)
{
    bool swapped_too = l->s->kind == ARKA_INFLUXQL_SHOW_SERIES ||
                       l->s->kind == ARKA_INFLUXQL_SHOW_SERIES_CARDINALITY ||
                       l->s->kind == ARKA_INFLUXQL_SHOW_SERIES_EXACT_CARDINALITY;
    arka_influx_put_from(&l->sql, l->database, l->table);
    return arka_influx_put_where(&l->where, l->table, l->schema, swapped_too, &l->sql, err);
}

/* ---- which tags ---- */

static bool is_named(const arka_influxql_statement *s, arka_slice name)
{
    for (size_t i = 0; i < s->n_keys; i++)
        if (arka_name_eq(s->keys[i], name))
            return true;
    return false;
}

static arka_status filter_by_regex(look *l, bool wanted, arka_error *err)
{
    arka_arena *arena = &l->q->arena;
    size_t n = l->tags.n, kept = 0;
    arka_slice *names = arka_arena_alloc(arena, n * sizeof *names + 1);
    bool *matches = arka_arena_alloc(arena, n + 1);
    if (names == NULL || matches == NULL)
        return arka_fail_nomem(err, "a list of tags", n);
    for (size_t i = 0; i < n; i++)
        names[i] = l->tags.items[i]->name;
    ARKA_TRY(arka_influx_match(l->q, names, n, l->s->key_regex->text, matches, err));
    for (size_t i = 0; i < n; i++)
        if (matches[i] == wanted)
            l->tags.items[kept++] = l->tags.items[i];
    l->tags.n = kept;
    return ARKA_OK;
}

static arka_status find_tags(look *l, arka_error *err)
{
    size_t kept = 0;
    ARKA_TRY(arka_influx_columns_of(l->q, l->schema, true, &l->tags, err));
    if (l->s->key_regex != NULL)
        return filter_by_regex(l, l->s->key_op == ARKA_INFLUXQL_KEY_MATCH, err);
    if (l->s->key_op == ARKA_INFLUXQL_KEY_ALL)
        return ARKA_OK;
    for (size_t i = 0; i < l->tags.n; i++)
        if (is_named(l->s, l->tags.items[i]->name) != (l->s->key_op == ARKA_INFLUXQL_KEY_NE))
            l->tags.items[kept++] = l->tags.items[i];
    l->tags.n = kept;
    return ARKA_OK;
}

/* ---- tables, one after the other ---- */

typedef arka_status (*look_at)(look *l, arka_error *err);

static arka_status look_at_one(look *l, look_at each, arka_error *err)
{
    ARKA_AUTO(arka_schema) schema = NULL;
    ARKA_TRY(arka_influx_schema(l->q, l->database, l->table, &schema, err));
    if (schema == NULL)
        return ARKA_OK;
    l->schema = schema;
    ARKA_TRY(find_tags(l, err));
    return each(l, err);
}

static arka_status look_at_all(look *l, look_at each, arka_error *err)
{
    arka_influx_tables tables;
    ARKA_TRY(arka_influx_find_tables(l->q, l->s, true, &tables, err));
    ARKA_TRY(arka_influx_where_of(l->q, l->s, &l->where, err));
    l->database = tables.database;
    for (size_t i = 0; i < tables.n; i++) {
        l->table = tables.names[i];
        ARKA_TRY(look_at_one(l, each, err));
    }
    return ARKA_OK;
}

static arka_status run(arka_influx *q, const arka_influxql_statement *s, look_at each,
                       arka_error *err)
{
    look l = {.q = q, .s = s, .sql = ARKA_BUF_INIT};
    cut_by(&l);
    arka_status status = look_at_all(&l, each, err);
    arka_buf_fini(&l.sql);
    return status;
}

static arka_status put_count(look *l, int64_t n, arka_error *err)
{
    arka_influx_series series = {l->table, {"count"}, 1, .empty_too = false};
    if (n == 0 || l->s->query.offset > 0)
        return ARKA_OK;
    arka_influx_series_begin(&l->q->out, &series);
    arka_influx_int(&l->q->out, n);
    ARKA_TRY(arka_influx_row_end(&l->q->out, err));
    arka_influx_series_end(&l->q->out);
    return ARKA_OK;
}

/* ---- tag keys ---- */

static arka_status note_present(void *context, const arka_slice *cells, size_t n, arka_error *err)
{
    look *l = context;
    for (size_t i = 0; i < n && i < l->tags.n; i++)
        l->present[i] = arka_slice_eq(cells[i], ARKA_SLICE("true"));
    return ARKA_OK;
}

/* Those that the rows in question have; without a condition those of the table. */
static arka_status keep_present(look *l, arka_error *err)
{
    size_t kept = 0;
    if (!l->where.any || l->tags.n == 0)
        return ARKA_OK;
    l->present = arka_arena_zalloc(&l->q->arena, l->tags.n);
    if (l->present == NULL)
        return arka_fail_nomem(err, "a list of tags", l->tags.n);
    for (size_t i = 0; i < l->tags.n; i++) {
        arka_buf_text(&l->sql, i == 0 ? "SELECT bool_or(" : ", bool_or(");
        arka_sql_quote(&l->sql, '"', l->tags.items[i]->name);
        arka_buf_printf(&l->sql, " <> '') AS c%zu", i);
    }
    ARKA_TRY(put_from_where(l, err));
    ARKA_TRY(arka_influx_sql(l->q, &l->sql, note_present, l, err));
    for (size_t i = 0; i < l->tags.n; i++)
        if (l->present[i])
            l->tags.items[kept++] = l->tags.items[i];
    l->tags.n = kept;
    return ARKA_OK;
}

static arka_status put_tag_keys(look *l, arka_error *err)
{
    arka_influx_series series = {l->table, {"tagKey"}, 1, .empty_too = false};
    ARKA_TRY(keep_present(l, err));
    arka_influx_series_begin(&l->q->out, &series);
    cut_by(l);
    for (size_t i = 0; i < l->tags.n; i++) {
        if (!passes(l))
            continue;
        arka_influx_text(&l->q->out, l->tags.items[i]->name);
        ARKA_TRY(arka_influx_row_end(&l->q->out, err));
    }
    arka_influx_series_end(&l->q->out);
    return ARKA_OK;
}

arka_status arka_influx_show_tag_keys(arka_influx *q, const arka_influxql_statement *s,
                                      arka_error *err)
{
    return run(q, s, put_tag_keys, err);
}

static arka_status put_tag_count(look *l, arka_error *err)
{
    ARKA_TRY(keep_present(l, err));
    return put_count(l, (int64_t)l->tags.n, err);
}

arka_status arka_influx_count_tag_keys(arka_influx *q, const arka_influxql_statement *s,
                                       arka_error *err)
{
    return run(q, s, put_tag_count, err);
}

/* ---- tag values ---- */

/* "v" are the values of `n` tags, those that are there: FROM (…) t WHERE v <> '' */
static arka_status put_values_from(look *l, const arka_field **tags, size_t n, arka_error *err)
{
    for (size_t i = 0; i < n; i++) {
        arka_buf_text(&l->sql, i == 0 ? " FROM (SELECT " : " UNION ALL SELECT ");
        arka_sql_quote(&l->sql, '"', tags[i]->name);
        arka_buf_literal(&l->sql, " AS v");
        ARKA_TRY(put_from_where(l, err));
    }
    arka_buf_literal(&l->sql, ") t WHERE v <> ''");
    return ARKA_OK;
}

static arka_status put_value(void *context, const arka_slice *cells, size_t n, arka_error *err)
{
    look *l = context;
    if (n != 1 || !passes(l))
        return ARKA_OK;
    arka_influx_text(&l->q->out, l->key);
    arka_influx_text(&l->q->out, cells[0]);
    return arka_influx_row_end(&l->q->out, err);
}

static arka_status put_tag_values(look *l, arka_error *err)
{
    arka_influx_series series = {l->table, {"key", "value"}, 2, .empty_too = false};
    arka_influx_series_begin(&l->q->out, &series);
    cut_by(l);
    for (size_t i = 0; i < l->tags.n && l->left != 0; i++) {
        l->key = l->tags.items[i]->name;
        arka_buf_literal(&l->sql, "SELECT DISTINCT v");
        ARKA_TRY(put_values_from(l, &l->tags.items[i], 1, err));
        arka_buf_literal(&l->sql, " ORDER BY v");
        put_limit(l);
        ARKA_TRY(arka_influx_sql(l->q, &l->sql, put_value, l, err));
    }
    arka_influx_series_end(&l->q->out);
    return ARKA_OK;
}

arka_status arka_influx_show_tag_values(arka_influx *q, const arka_influxql_statement *s,
                                        arka_error *err)
{
    return run(q, s, put_tag_values, err);
}

static arka_status note_count(void *context, const arka_slice *cells, size_t n, arka_error *err)
{
    look *l = context;
    int64_t count;
    if (n == 1 && arka_parse_i64(cells[0].data, cells[0].len, &count))
        l->count += count;
    return ARKA_OK;
}

/* A value of two tags counts once. */
static arka_status put_value_count(look *l, arka_error *err)
{
    l->count = 0;
    if (l->tags.n == 0)
        return ARKA_OK;
    arka_buf_literal(&l->sql, "SELECT count(DISTINCT v)");
    ARKA_TRY(put_values_from(l, l->tags.items, l->tags.n, err));
    ARKA_TRY(arka_influx_sql(l->q, &l->sql, note_count, l, err));
    return put_count(l, l->count, err);
}

arka_status arka_influx_count_tag_values(arka_influx *q, const arka_influxql_statement *s,
                                         arka_error *err)
{
    return run(q, s, put_value_count, err);
}

/* ---- series ---- */

/* Commas and blanks, of a tag equals signs too, behind a backslash. */
static void put_escaped(arka_buf *out, arka_slice text, bool equals_too)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        if (c == ',' || c == ' ' || (c == '=' && equals_too))
            arka_buf_byte(out, '\\');
        arka_buf_byte(out, c);
    }
}

/* FROM (…): each series once, its tags being t0, t1 … */
static arka_status put_distinct_from(look *l, arka_error *err)
{
    arka_buf_literal(&l->sql, " FROM (SELECT DISTINCT ");
    for (size_t i = 0; i < l->tags.n; i++) {
        arka_buf_text(&l->sql, i == 0 ? "coalesce(" : ", coalesce(");
        arka_sql_quote(&l->sql, '"', l->tags.items[i]->name);
        arka_buf_printf(&l->sql, ", '') AS t%zu", i);
    }
    if (l->tags.n == 0)
        arka_buf_literal(&l->sql, "1");
    ARKA_TRY(put_from_where(l, err));
    arka_buf_byte(&l->sql, ')');
    return ARKA_OK;
}

/* "cpu,host=a,region=eu" of a series. */
static void put_series_key(look *l)
{
    arka_buf part = ARKA_BUF_INIT;
    put_escaped(&part, l->table, false);
    arka_buf_literal(&l->sql, "concat(");
    arka_sql_quote(&l->sql, '\'', (arka_slice){part.data, part.len});
    for (size_t i = 0; i < l->tags.n; i++) {
        arka_buf_clear(&part);
        arka_buf_byte(&part, ',');
        put_escaped(&part, l->tags.items[i]->name, true);
        arka_buf_byte(&part, '=');
        arka_buf_printf(&l->sql, ", CASE WHEN t%zu <> '' THEN ", i);
        arka_sql_quote(&l->sql, '\'', (arka_slice){part.data, part.len});
        arka_buf_printf(&l->sql,
                        " || replace(replace(replace(t%zu, ',', '\\,'), '=', '\\='), ' ', '\\ ') "
                        "ELSE '' END",
                        i);
    }
    arka_buf_literal(&l->sql, ") AS k");
    l->sql.failed |= part.failed;
    arka_buf_fini(&part);
}

/* Series are in the order of their tags, name before value, without escapes. */
static void put_series_order(look *l)
{
    arka_buf_literal(&l->sql, "concat(''");
    for (size_t i = 0; i < l->tags.n; i++) {
        arka_buf_printf(&l->sql, ", CASE WHEN t%zu <> '' THEN concat(chr(2), ", i);
        arka_sql_quote(&l->sql, '\'', l->tags.items[i]->name);
        arka_buf_printf(&l->sql, ", chr(1), t%zu) ELSE '' END", i);
    }
    arka_buf_byte(&l->sql, ')');
}

static arka_status put_key(void *context, const arka_slice *cells, size_t n, arka_error *err)
{
    look *l = context;
    if (n != 1 || !passes(l))
        return ARKA_OK;
    arka_influx_text(&l->q->out, cells[0]);
    return arka_influx_row_end(&l->q->out, err);
}

/* LIMIT and OFFSET are of all tables together. */
static arka_status put_series(look *l, arka_error *err)
{
    if (l->left == 0)
        return ARKA_OK;
    arka_buf_literal(&l->sql, "SELECT ");
    put_series_key(l);
    ARKA_TRY(put_distinct_from(l, err));
    arka_buf_literal(&l->sql, " ORDER BY ");
    put_series_order(l);
    put_limit(l);
    return arka_influx_sql(l->q, &l->sql, put_key, l, err);
}

arka_status arka_influx_show_series(arka_influx *q, const arka_influxql_statement *s,
                                    arka_error *err)
{
    arka_influx_series series = {{"", 0}, {"key"}, 1, .in_parts = true};
    arka_influx_series_begin(&q->out, &series);
    ARKA_TRY(run(q, s, put_series, err));
    arka_influx_series_end(&q->out);
    return ARKA_OK;
}

static arka_status count_series_of(look *l, arka_error *err)
{
    arka_buf_literal(&l->sql, "SELECT count(*)");
    ARKA_TRY(put_distinct_from(l, err));
    return arka_influx_sql(l->q, &l->sql, note_count, l, err);
}

static arka_status put_series_count(look *l, arka_error *err)
{
    l->count = 0;
    ARKA_TRY(count_series_of(l, err));
    return put_count(l, l->count, err);
}

/* Of the whole database, as one number; an unknown one has none. */
static arka_status put_series_total(arka_influx *q, const arka_influxql_statement *s,
                                    arka_error *err)
{
    arka_influx_series series = {{"", 0}, {"cardinality estimation"}, 1, .empty_too = false};
    look l = {.q = q, .s = s, .sql = ARKA_BUF_INIT};
    arka_error own = {0};
    arka_status status = look_at_all(&l, count_series_of, &own);
    arka_buf_fini(&l.sql);
    if (status != ARKA_OK && status != ARKA_NOTFOUND)
        return arka_fail(err, own.code, "%s", own.msg);
    arka_influx_series_begin(&q->out, &series);
    arka_influx_int(&q->out, l.count);
    ARKA_TRY(arka_influx_row_end(&q->out, err));
    arka_influx_series_end(&q->out);
    return ARKA_OK;
}

arka_status arka_influx_count_series(arka_influx *q, const arka_influxql_statement *s,
                                     arka_error *err)
{
    bool plain = s->kind == ARKA_INFLUXQL_SHOW_SERIES_CARDINALITY && s->query.n_sources == 0 &&
                 s->query.condition == NULL;
    return plain ? put_series_total(q, s, err) : run(q, s, put_series_count, err);
}
