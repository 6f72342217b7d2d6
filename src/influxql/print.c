#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/number.h"
#include "influxql/parser.h"

/* ---- words ---- */

static bool is_bare(arka_slice name)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = name.data[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        if (!letter && (i == 0 || c < '0' || c > '9'))
            return false;
    }
    return name.len > 0 && token_lookup(name) == T_IDENT;
}

static void put_quoted(arka_buf *out, arka_slice text, char quote)
{
    arka_buf_byte(out, quote);
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        if (c == quote || c == '\\' || c == '\n')
            arka_buf_byte(out, '\\');
        arka_buf_byte(out, c == '\n' ? 'n' : c);
    }
    arka_buf_byte(out, quote);
}

void arka_influxql_print_name(arka_slice name, arka_buf *out)
{
    if (is_bare(name))
        arka_buf_slice(out, name);
    else
        put_quoted(out, name, '"');
}

static void put_names(arka_buf *out, const arka_slice *names, size_t n, bool strings)
{
    for (size_t i = 0; i < n; i++) {
        if (i > 0)
            arka_buf_literal(out, ", ");
        if (strings)
            put_quoted(out, names[i], '\'');
        else
            arka_influxql_print_name(names[i], out);
    }
}

/* In the largest unit that leaves no rest. */
static void put_duration(arka_buf *out, int64_t ns)
{
    static const struct {
        const char *text;
        int64_t ns;
    } UNITS[] = {
        {"w", INT64_C(604800000000000)},
        {"d", INT64_C(86400000000000)},
        {"h", INT64_C(3600000000000)},
        {"m", INT64_C(60000000000)},
        {"s", 1000000000},
        {"ms", 1000000},
        {"u", 1000},
        {"ns", 1},
    };
    if (ns == 0) {
        arka_buf_literal(out, "0s");
        return;
    }
    int i = 0;
    while (ns % UNITS[i].ns != 0)
        i++;
    arka_buf_printf(out, "%lld%s", (long long)(ns / UNITS[i].ns), UNITS[i].text);
}

/* With a point and without an exponent, which the language has not; as short as reads back. */
static void put_number(arka_buf *out, double v)
{
    static const int DIGITS[] = {1, 6, 17, 40, 400, 1080};
    char text[1500];
    for (size_t i = 0; i < sizeof DIGITS / sizeof *DIGITS; i++) {
        int n = snprintf(text, sizeof text, "%.*f", DIGITS[i], v);
        double back;
        if (n > 0 && (size_t)n < sizeof text && arka_parse_f64(text, (size_t)n, &back) && back == v)
            break;
    }
    arka_buf_text(out, text);
}

static void put_regex(arka_buf *out, arka_slice text)
{
    arka_buf_byte(out, '/');
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] == '/')
            arka_buf_byte(out, '\\');
        arka_buf_byte(out, text.data[i]);
    }
    arka_buf_byte(out, '/');
}

/* ---- expressions ---- */

static void put_call(arka_buf *out, const arka_influxql_expr *e)
{
    if (arka_slice_eq(e->text, ARKA_SLICE("distinct")))
        arka_buf_slice(out, e->text); /* a word that is a function as well */
    else
        arka_influxql_print_name(e->text, out);
    arka_buf_byte(out, '(');
    for (size_t i = 0; i < e->n_args; i++) {
        if (i > 0)
            arka_buf_literal(out, ", ");
        arka_influxql_print_expr(e->args[i], out);
    }
    arka_buf_byte(out, ')');
}

static void put_type(arka_buf *out, arka_influxql_type type)
{
    static const char *const TEXTS[] = {"",         "::float",   "::integer", "::unsigned",
                                        "::string", "::boolean", "::field",   "::tag"};
    arka_buf_text(out, TEXTS[type]);
}

static void put_binary(arka_buf *out, const arka_influxql_expr *e)
{
    static const char *const SIGNS[] = {" OR ", " AND ", " = ", " != ", " =~ ", " !~ ",
                                        " < ",  " <= ",  " > ", " >= ", " + ",  " - ",
                                        " | ",  " ^ ",   " * ", " / ",  " % ",  " & "};
    arka_influxql_print_expr(e->left, out);
    arka_buf_text(out, SIGNS[e->op]);
    arka_influxql_print_expr(e->right, out);
}

void arka_influxql_print_expr(const arka_influxql_expr *e, arka_buf *out)
{
    switch ((int)e->kind) {
    case ARKA_INFLUXQL_STRING:
        put_quoted(out, e->text, '\'');
        break;
    case ARKA_INFLUXQL_INTEGER:
        arka_buf_printf(out, "%lld", (long long)e->integer);
        break;
    case ARKA_INFLUXQL_UNSIGNED:
        arka_buf_printf(out, "%llu", (unsigned long long)e->integer);
        break;
    case ARKA_INFLUXQL_NUMBER:
        put_number(out, e->number);
        break;
    case ARKA_INFLUXQL_BOOLEAN:
        arka_buf_text(out, e->integer ? "true" : "false");
        break;
    case ARKA_INFLUXQL_DURATION:
        put_duration(out, e->integer);
        break;
    case ARKA_INFLUXQL_REGEX:
        put_regex(out, e->text);
        break;
    case ARKA_INFLUXQL_VARIABLE:
        arka_influxql_print_name(e->text, out);
        put_type(out, e->type);
        break;
    case ARKA_INFLUXQL_WILDCARD:
        arka_buf_byte(out, '*');
        put_type(out, e->type);
        break;
    case ARKA_INFLUXQL_DISTINCT:
        arka_buf_literal(out, "DISTINCT ");
        arka_influxql_print_name(e->text, out);
        break;
    case ARKA_INFLUXQL_CALL:
        put_call(out, e);
        break;
    case ARKA_INFLUXQL_NEGATED:
        arka_buf_byte(out, '-');
        arka_influxql_print_expr(e->left, out);
        break;
    case ARKA_INFLUXQL_PARENS:
        arka_buf_byte(out, '(');
        arka_influxql_print_expr(e->left, out);
        arka_buf_byte(out, ')');
        break;
    case ARKA_INFLUXQL_BINARY:
        put_binary(out, e);
        break;
    }
}

/* ---- SELECT ---- */

static void put_select(arka_buf *out, const arka_influxql_select *q);

/* `last` stands for the name when it is not NULL. */
static void put_qualified(arka_buf *out, const arka_influxql_source *s, const char *last)
{
    if (s->database.len > 0) {
        arka_influxql_print_name(s->database, out);
        arka_buf_byte(out, '.');
    }
    if (s->policy.len > 0 || (last != NULL && s->database.len == 0 && *last == ':'))
        arka_influxql_print_name(s->policy, out);
    if (s->database.len > 0 || s->policy.len > 0 || (last != NULL && *last == ':'))
        arka_buf_byte(out, '.');
    if (last != NULL)
        arka_buf_text(out, last);
    else
        arka_influxql_print_name(s->name, out);
}

static void put_source(arka_buf *out, const arka_influxql_source *s)
{
    if (s->query != NULL) {
        arka_buf_byte(out, '(');
        put_select(out, s->query);
        arka_buf_byte(out, ')');
    } else if (s->regex != NULL) {
        put_qualified(out, s, "");
        arka_influxql_print_expr(s->regex, out);
    } else {
        put_qualified(out, s, NULL);
    }
}

static void put_sources(arka_buf *out, const arka_influxql_select *q)
{
    for (size_t i = 0; i < q->n_sources; i++) {
        arka_buf_text(out, i == 0 ? " FROM " : ", ");
        put_source(out, &q->sources[i]);
    }
}

static void put_where(arka_buf *out, const arka_influxql_select *q)
{
    if (q->condition == NULL)
        return;
    arka_buf_literal(out, " WHERE ");
    arka_influxql_print_expr(q->condition, out);
}

static void put_group(arka_buf *out, const arka_influxql_select *q)
{
    for (size_t i = 0; i < q->n_dimensions; i++) {
        arka_buf_text(out, i == 0 ? " GROUP BY " : ", ");
        arka_influxql_print_expr(q->dimensions[i], out);
    }
}

static void put_fill(arka_buf *out, const arka_influxql_select *q)
{
    static const char *const WORDS[] = {"", "null", "none", "previous", "linear"};
    if (q->fill == ARKA_INFLUXQL_FILL_UNSAID)
        return;
    arka_buf_literal(out, " fill(");
    if (q->fill == ARKA_INFLUXQL_FILL_NUMBER)
        arka_influxql_print_expr(q->fill_value, out);
    else
        arka_buf_text(out, WORDS[q->fill]);
    arka_buf_byte(out, ')');
}

static void put_order(arka_buf *out, const arka_influxql_select *q)
{
    if (q->order != ARKA_INFLUXQL_ORDER_UNSAID)
        arka_buf_printf(out, " ORDER BY time %s",
                        q->order == ARKA_INFLUXQL_DESCENDING ? "DESC" : "ASC");
}

static void put_limit(arka_buf *out, const char *word, int64_t n)
{
    if (n > 0)
        arka_buf_printf(out, " %s %lld", word, (long long)n);
}

static void put_select(arka_buf *out, const arka_influxql_select *q)
{
    for (size_t i = 0; i < q->n_fields; i++) {
        arka_buf_text(out, i == 0 ? "SELECT " : ", ");
        arka_influxql_print_expr(q->fields[i].expr, out);
        if (q->fields[i].alias.len > 0) {
            arka_buf_literal(out, " AS ");
            arka_influxql_print_name(q->fields[i].alias, out);
        }
    }
    if (q->has_target) {
        arka_buf_literal(out, " INTO ");
        put_qualified(out, &q->target, q->target_backreference ? ":MEASUREMENT" : NULL);
    }
    put_sources(out, q);
    put_where(out, q);
    put_group(out, q);
    put_fill(out, q);
    put_order(out, q);
    put_limit(out, "LIMIT", q->limit);
    put_limit(out, "OFFSET", q->offset);
    put_limit(out, "SLIMIT", q->slimit);
    put_limit(out, "SOFFSET", q->soffset);
    if (q->time_zone.len > 0) {
        arka_buf_literal(out, " tz(");
        put_quoted(out, q->time_zone, '\'');
        arka_buf_byte(out, ')');
    }
}

/* ---- the other clauses ---- */

static void put_word_name(arka_buf *out, const char *word, arka_slice name)
{
    arka_buf_printf(out, " %s ", word);
    arka_influxql_print_name(name, out);
}

/* Each if it was said; 0 is INF. */
static void put_policy(arka_buf *out, const arka_influxql_policy *p)
{
    if (p->has_duration) {
        arka_buf_literal(out, " DURATION ");
        put_duration(out, p->duration);
    }
    if (p->has_replication)
        arka_buf_printf(out, " REPLICATION %lld", (long long)p->replication);
    if (p->has_shard_duration) {
        arka_buf_literal(out, " SHARD DURATION ");
        put_duration(out, p->shard_duration);
    }
    if (p->is_default)
        arka_buf_literal(out, " DEFAULT");
    if (p->name.len > 0)
        put_word_name(out, "NAME", p->name);
}

static void put_key(arka_buf *out, const arka_influxql_statement *s)
{
    static const char *const SIGNS[] = {"", " = ", " != ", " =~ ", " !~ ", " IN ("};
    if (s->key_op == ARKA_INFLUXQL_KEY_ALL)
        return;
    arka_buf_literal(out, " WITH KEY");
    arka_buf_text(out, SIGNS[s->key_op]);
    if (s->key_regex != NULL)
        arka_influxql_print_expr(s->key_regex, out);
    put_names(out, s->keys, s->n_keys, false);
    if (s->key_op == ARKA_INFLUXQL_KEY_IN)
        arka_buf_byte(out, ')');
}

static void put_with(arka_buf *out, const arka_influxql_statement *s)
{
    if (s->with == NULL)
        return;
    arka_buf_text(out, s->with_regex_op ? " WITH MEASUREMENT =~ " : " WITH MEASUREMENT = ");
    put_source(out, s->with);
}

static void put_privilege(arka_buf *out, const arka_influxql_statement *s)
{
    static const char *const WORDS[] = {"READ", "WRITE", "ALL PRIVILEGES"};
    arka_buf_printf(out, " %s", WORDS[s->privilege]);
    if (s->privilege != ARKA_INFLUXQL_MAY_ALL || s->database.len > 0)
        put_word_name(out, "ON", s->database);
    put_word_name(out, s->kind == ARKA_INFLUXQL_GRANT ? "TO" : "FROM", s->name);
}

static void put_resample(arka_buf *out, const arka_influxql_statement *s)
{
    if (s->resample_every > 0 || s->resample_for > 0)
        arka_buf_literal(out, " RESAMPLE");
    if (s->resample_every > 0) {
        arka_buf_literal(out, " EVERY ");
        put_duration(out, s->resample_every);
    }
    if (s->resample_for > 0) {
        arka_buf_literal(out, " FOR ");
        put_duration(out, s->resample_for);
    }
}

static void put_clause(arka_buf *out, clause which, const arka_influxql_statement *s)
{
    switch ((int)which) {
    case CLAUSE_SELECT:
        out->len -= sizeof "SELECT" - 1;
        put_select(out, &s->query);
        break;
    case CLAUSE_NAME:
    case CLAUSE_NAME_OR_DEFAULT:
        arka_buf_byte(out, ' ');
        arka_influxql_print_name(s->name, out);
        break;
    case CLAUSE_NUMBER:
        arka_buf_printf(out, " %llu", (unsigned long long)s->number);
        break;
    case CLAUSE_ON:
        if (s->database.len > 0)
            put_word_name(out, "ON", s->database);
        break;
    case CLAUSE_ON_DATABASE:
        put_word_name(out, "ON", s->database);
        break;
    case CLAUSE_ON_POLICY:
        put_word_name(out, "ON", s->database);
        arka_buf_byte(out, '.');
        arka_influxql_print_name(s->in_policy, out);
        break;
    case CLAUSE_ON_HOST:
        if (s->host.len > 0)
            put_word_name(out, "ON", s->host);
        break;
    case CLAUSE_FROM:
        put_sources(out, &s->query);
        break;
    case CLAUSE_WITH_MEASUREMENT:
        put_with(out, s);
        break;
    case CLAUSE_WITH_KEY:
    case CLAUSE_WITH_KEY_OPTIONAL:
        put_key(out, s);
        break;
    case CLAUSE_WHERE:
        put_where(out, &s->query);
        break;
    case CLAUSE_GROUP:
        put_group(out, &s->query);
        break;
    case CLAUSE_ORDER:
        put_order(out, &s->query);
        break;
    case CLAUSE_LIMIT:
        put_limit(out, "LIMIT", s->query.limit);
        break;
    case CLAUSE_OFFSET:
        put_limit(out, "OFFSET", s->query.offset);
        break;
    case CLAUSE_SLIMIT:
        put_limit(out, "SLIMIT", s->query.slimit);
        break;
    case CLAUSE_SOFFSET:
        put_limit(out, "SOFFSET", s->query.soffset);
        break;
    case CLAUSE_FOR_MODULE:
        if (s->module.len > 0) {
            arka_buf_literal(out, " FOR ");
            put_quoted(out, s->module, '\'');
        }
        break;
    case CLAUSE_WITH_POLICY:
        arka_buf_text(out, s->policy.given ? " WITH" : "");
        put_policy(out, &s->policy);
        break;
    case CLAUSE_POLICY:
    case CLAUSE_POLICY_CHANGES:
        put_policy(out, &s->policy);
        break;
    case CLAUSE_WITH_PASSWORD:
        arka_buf_literal(out, " WITH PASSWORD '[REDACTED]'");
        arka_buf_text(out, s->admin ? " WITH ALL PRIVILEGES" : "");
        break;
    case CLAUSE_EQUALS_PASSWORD:
        arka_buf_literal(out, " = '[REDACTED]'");
        break;
    case CLAUSE_DESTINATIONS:
        arka_buf_text(out, s->all_destinations ? " DESTINATIONS ALL " : " DESTINATIONS ANY ");
        put_names(out, s->destinations, s->n_destinations, true);
        break;
    case CLAUSE_PRIVILEGE:
        put_privilege(out, s);
        break;
    case CLAUSE_RESAMPLE:
        put_resample(out, s);
        break;
    case CLAUSE_BEGIN_END:
        arka_buf_literal(out, " BEGIN ");
        put_select(out, &s->query);
        arka_buf_literal(out, " END");
        break;
    case CLAUSE_EXPLAIN:
        arka_buf_text(out, s->analyze ? " ANALYZE " : " ");
        put_select(out, &s->query);
        break;
    case CLAUSE_FROM_OR_WHERE:
    case CLAUSE_NOTHING:
    case CLAUSE_END:
        break;
    }
}

void arka_influxql_print(const arka_influxql_statement *s, arka_buf *out)
{
    const statement_row *row = &statement_rows[s->kind];
    arka_buf_text(out, row->words);
    for (int i = 0; !out->failed && row->clauses[i] != CLAUSE_END; i++)
        put_clause(out, row->clauses[i], s);
}
