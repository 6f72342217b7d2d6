#include "influxql/parser.h"

/* What stands behind the words of a statement; the names are those of clauses.def. */

#include "base/number.h"

typedef ARKA_VEC(arka_slice) slice_list;

static arka_status read_duration(parser *p, int64_t *out, arka_error *err)
{
    *out = 0;
    if (parser_take(p, T_INF))
        return ARKA_OK;
    if (p->token.kind != T_DURATION_VALUE)
        return parser_expected(p, "duration", err);
    if (!parser_duration(p->token.text, out))
        return parser_wrong(p->token.at, err, "invalid duration");
    parser_next(p);
    return ARKA_OK;
}

static arka_status read_replication(parser *p, int64_t *out, arka_error *err)
{
    if (p->token.kind != T_INTEGER)
        return parser_expected(p, "integer", err);
    if (!arka_parse_i64(p->token.text.data, p->token.text.len, out))
        *out = INT64_MAX;
    if (*out < 1 || *out > INT32_MAX)
        return parser_wrong(p->token.at, err, "invalid value %.*s: must be 1 <= n <= 2147483647",
                            p->token.text.len > 40 ? 40 : (int)p->token.text.len,
                            p->token.text.data);
    parser_next(p);
    return ARKA_OK;
}

static arka_status read_shard_duration(parser *p, arka_influxql_policy *policy, bool may_be_inf,
                                       arka_error *err)
{
    ARKA_TRY(parser_need(p, T_DURATION, err));
    if (!may_be_inf && p->token.kind == T_INF)
        return parser_wrong(p->token.at, err, "invalid duration INF for shard duration");
    policy->has_shard_duration = true;
    return read_duration(p, &policy->shard_duration, err);
}

static arka_status read_policy(parser *p, arka_influxql_policy *policy, arka_error *err)
{
    ARKA_TRY(parser_need(p, T_DURATION, err));
    ARKA_TRY(read_duration(p, &policy->duration, err));
    ARKA_TRY(parser_need(p, T_REPLICATION, err));
    ARKA_TRY(read_replication(p, &policy->replication, err));
    policy->given = policy->has_duration = policy->has_replication = true;
    if (parser_take(p, T_SHARD))
        ARKA_TRY(read_shard_duration(p, policy, false, err));
    policy->is_default = parser_take(p, T_DEFAULT);
    return ARKA_OK;
}

static arka_status read_with_policy(parser *p, arka_influxql_policy *policy, arka_error *err)
{
    if (!parser_take(p, T_WITH))
        return ARKA_OK;
    policy->given = true;
    if (p->token.kind != T_DURATION && p->token.kind != T_NAME && p->token.kind != T_REPLICATION &&
        p->token.kind != T_SHARD)
        return parser_expected(p, "DURATION, NAME, REPLICATION, SHARD", err);
    policy->has_duration = parser_take(p, T_DURATION);
    if (policy->has_duration)
        ARKA_TRY(read_duration(p, &policy->duration, err));
    policy->has_replication = parser_take(p, T_REPLICATION);
    if (policy->has_replication)
        ARKA_TRY(read_replication(p, &policy->replication, err));
    if (parser_take(p, T_SHARD))
        ARKA_TRY(read_shard_duration(p, policy, true, err));
    return parser_take(p, T_NAME) ? parser_name(p, &policy->name, err) : ARKA_OK;
}

static arka_status read_policy_change(parser *p, arka_influxql_policy *policy, arka_error *err)
{
    token_kind kind = p->token.kind;
    bool again = (kind == T_DURATION && policy->has_duration) ||
                 (kind == T_REPLICATION && policy->has_replication) ||
                 (kind == T_SHARD && policy->has_shard_duration) ||
                 (kind == T_DEFAULT && policy->is_default);
    if (again)
        return parser_wrong(p->token.at, err, "found duplicate %s option", token_kind_text(kind));
    parser_next(p);
    if (kind == T_SHARD)
        return read_shard_duration(p, policy, false, err);
    policy->has_duration |= kind == T_DURATION;
    policy->has_replication |= kind == T_REPLICATION;
    policy->is_default |= kind == T_DEFAULT;
    if (kind == T_DURATION)
        return read_duration(p, &policy->duration, err);
    return kind == T_REPLICATION ? read_replication(p, &policy->replication, err) : ARKA_OK;
}

static arka_status read_policy_changes(parser *p, arka_influxql_policy *policy, arka_error *err)
{
    while (p->token.kind == T_DURATION || p->token.kind == T_REPLICATION ||
           p->token.kind == T_SHARD || p->token.kind == T_DEFAULT) {
        ARKA_TRY(read_policy_change(p, policy, err));
        policy->given = true;
    }
    return policy->given ? ARKA_OK
                         : parser_expected(p, "DURATION, REPLICATION, SHARD, DEFAULT", err);
}

static arka_status read_names(parser *p, slice_list *names, bool strings, arka_error *err)
{
    do {
        arka_slice name;
        ARKA_TRY(strings ? parser_string(p, &name, err) : parser_name(p, &name, err));
        if (!arka_vec_push(names, name))
            return arka_fail_nomem(err, "a query", sizeof name);
    } while (parser_take(p, T_COMMA));
    return ARKA_OK;
}

static arka_status keep_names(parser *p, bool strings, const arka_slice **out, size_t *n,
                              arka_error *err)
{
    slice_list names = {0};
    arka_status status = read_names(p, &names, strings, err);
    if (status != ARKA_OK) {
        arka_vec_fini(&names);
        return status;
    }
    *n = names.n;
    return parser_keep(p, names.items, names.n, sizeof *names.items, out, err);
}

static arka_status read_key_regex(parser *p, arka_influxql_statement *s, arka_error *err)
{
    ARKA_TRY(parser_regex(p, &s->key_regex, err));
    return s->key_regex != NULL ? ARKA_OK : parser_expected(p, "regex", err);
}

static arka_status read_one_key(parser *p, arka_influxql_statement *s, arka_error *err)
{
    arka_slice name;
    ARKA_TRY(parser_name(p, &name, err));
    s->n_keys = 1;
    arka_slice *kept = arka_malloc(sizeof name);
    if (kept == NULL)
        return arka_fail_nomem(err, "a query", sizeof name);
    *kept = name;
    return parser_keep(p, kept, 1, sizeof name, &s->keys, err);
}

static arka_status read_with_key(parser *p, arka_influxql_statement *s, arka_error *err)
{
    ARKA_TRY(parser_need(p, T_WITH, err));
    ARKA_TRY(parser_need(p, T_KEY, err));
    token_kind op = p->token.kind;
    if (op != T_IN && op != T_EQ && op != T_NE && op != T_MATCH && op != T_NOT_MATCH)
        return parser_expected(p, "IN, =, =~", err);
    parser_next(p);
    if (op == T_MATCH || op == T_NOT_MATCH) {
        s->key_op = op == T_MATCH ? ARKA_INFLUXQL_KEY_MATCH : ARKA_INFLUXQL_KEY_NOT_MATCH;
        return read_key_regex(p, s, err);
    }
    if (op == T_EQ || op == T_NE) {
        s->key_op = op == T_EQ ? ARKA_INFLUXQL_KEY_EQ : ARKA_INFLUXQL_KEY_NE;
        return read_one_key(p, s, err);
    }
    s->key_op = ARKA_INFLUXQL_KEY_IN;
    ARKA_TRY(parser_need(p, T_OPEN, err));
    ARKA_TRY(keep_names(p, false, &s->keys, &s->n_keys, err));
    return parser_need(p, T_CLOSE, err);
}

static arka_status read_with_measurement(parser *p, arka_influxql_statement *s, arka_error *err)
{
    if (!parser_take(p, T_WITH))
        return ARKA_OK;
    ARKA_TRY(parser_need(p, T_MEASUREMENT, err));
    if (p->token.kind != T_EQ && p->token.kind != T_MATCH)
        return parser_expected(p, "=, =~", err);
    s->with_regex_op = p->token.kind == T_MATCH;
    parser_next(p);
    s->with = arka_arena_zalloc(p->arena, sizeof *s->with);
    if (s->with == NULL)
        return arka_fail_nomem(err, "a query", sizeof *s->with);
    return parser_source(p, false, s->with, err);
}

static arka_status read_number(parser *p, uint64_t *out, arka_error *err)
{
    if (p->token.kind != T_INTEGER)
        return parser_expected(p, "integer", err);
    if (!arka_parse_u64(p->token.text.data, p->token.text.len, out))
        return parser_wrong(p->token.at, err, "value out of range");
    parser_next(p);
    return ARKA_OK;
}

static arka_status read_on_policy(parser *p, arka_influxql_statement *s, arka_error *err)
{
    ARKA_TRY(parser_need(p, T_ON, err));
    ARKA_TRY(parser_name(p, &s->database, err));
    ARKA_TRY(parser_need(p, T_DOT, err));
    return parser_name(p, &s->in_policy, err);
}

/* READ, WRITE or ALL [PRIVILEGES]; ON database, but for ALL; TO or FROM user. */
static arka_status read_privilege(parser *p, arka_influxql_statement *s, arka_error *err)
{
    token_kind link = s->kind == ARKA_INFLUXQL_GRANT ? T_TO : T_FROM;
    token_kind what = p->token.kind;
    if (what != T_READ && what != T_WRITE && what != T_ALL)
        return parser_expected(p, "READ, WRITE, ALL [PRIVILEGES]", err);
    parser_next(p);
    s->privilege = what == T_READ    ? ARKA_INFLUXQL_MAY_READ
                   : what == T_WRITE ? ARKA_INFLUXQL_MAY_WRITE
                                     : ARKA_INFLUXQL_MAY_ALL;
    if (what == T_ALL) {
        parser_take(p, T_PRIVILEGES);
        if (p->token.kind != T_ON && p->token.kind != link)
            return parser_expected(p, link == T_TO ? "ON, TO" : "ON, FROM", err);
    }
    if (what != T_ALL || p->token.kind == T_ON) {
        ARKA_TRY(parser_need(p, T_ON, err));
        ARKA_TRY(parser_name(p, &s->database, err));
    }
    ARKA_TRY(parser_need(p, link, err));
    return parser_name(p, &s->name, err);
}

static arka_status read_password(parser *p, arka_influxql_statement *s, arka_error *err)
{
    ARKA_TRY(parser_need(p, T_WITH, err));
    ARKA_TRY(parser_need(p, T_PASSWORD, err));
    ARKA_TRY(parser_string(p, &s->password, err));
    s->admin = parser_take(p, T_WITH);
    if (!s->admin)
        return ARKA_OK;
    ARKA_TRY(parser_need(p, T_ALL, err));
    return parser_need(p, T_PRIVILEGES, err);
}

static arka_status read_destinations(parser *p, arka_influxql_statement *s, arka_error *err)
{
    ARKA_TRY(parser_need(p, T_DESTINATIONS, err));
    if (p->token.kind != T_ALL && p->token.kind != T_ANY)
        return parser_expected(p, "ALL, ANY", err);
    s->all_destinations = p->token.kind == T_ALL;
    parser_next(p);
    return keep_names(p, true, &s->destinations, &s->n_destinations, err);
}

static arka_status read_resample(parser *p, arka_influxql_statement *s, arka_error *err)
{
    if (!parser_take(p, T_RESAMPLE))
        return ARKA_OK;
    if (p->token.kind != T_EVERY && p->token.kind != T_FOR)
        return parser_expected(p, "EVERY, FOR", err);
    if (parser_take(p, T_EVERY))
        ARKA_TRY(read_duration(p, &s->resample_every, err));
    return parser_take(p, T_FOR) ? read_duration(p, &s->resample_for, err) : ARKA_OK;
}

static arka_status read_begin_end(parser *p, arka_influxql_statement *s, arka_error *err)
{
    ARKA_TRY(parser_need(p, T_BEGIN, err));
    ARKA_TRY(parser_need(p, T_SELECT, err));
    ARKA_TRY(parser_select(p, true, &s->query, err));
    return parser_need(p, T_END, err);
}

static arka_status read_name_or_default(parser *p, arka_slice *name, arka_error *err)
{
    if (!parser_take(p, T_DEFAULT))
        return parser_name(p, name, err);
    *name = ARKA_SLICE("default");
    return ARKA_OK;
}

/* DELETE and DROP SERIES work on one database, and on something. */
static arka_status check_sources(parser *p, const arka_influxql_statement *s, arka_error *err)
{
    for (size_t i = 0; i < s->query.n_sources; i++) {
        if (s->query.sources[i].database.len > 0)
            return parser_refused(err, "database not supported at line 1, char 1");
        if (s->query.sources[i].policy.len > 0 && s->kind == ARKA_INFLUXQL_DROP_SERIES)
            return parser_refused(err, "retention policy not supported at line 1, char 1");
    }
    if (s->query.n_sources == 0 && s->query.condition == NULL)
        return parser_expected(p, "FROM, WHERE", err);
    return ARKA_OK;
}

arka_status parser_clause(parser *p, clause which, arka_influxql_statement *s, arka_error *err)
{
    switch ((int)which) {
    case CLAUSE_SELECT:
        return parser_select(p, false, &s->query, err);
    case CLAUSE_NAME:
        return parser_name(p, &s->name, err);
    case CLAUSE_NAME_OR_DEFAULT:
        return read_name_or_default(p, &s->name, err);
    case CLAUSE_NUMBER:
        return read_number(p, &s->number, err);
    case CLAUSE_ON:
        return parser_take(p, T_ON) ? parser_name(p, &s->database, err) : ARKA_OK;
    case CLAUSE_ON_HOST:
        return parser_take(p, T_ON) ? parser_name(p, &s->host, err) : ARKA_OK;
    case CLAUSE_ON_DATABASE:
        ARKA_TRY(parser_need(p, T_ON, err));
        return parser_name(p, &s->database, err);
    case CLAUSE_ON_POLICY:
        return read_on_policy(p, s, err);
    case CLAUSE_FROM:
        return parser_take(p, T_FROM) ? parser_sources(p, false, &s->query, err) : ARKA_OK;
    case CLAUSE_FROM_OR_WHERE:
        return check_sources(p, s, err);
    case CLAUSE_WITH_MEASUREMENT:
        return read_with_measurement(p, s, err);
    case CLAUSE_WITH_KEY:
        return read_with_key(p, s, err);
    case CLAUSE_WITH_KEY_OPTIONAL:
        return p->token.kind == T_WITH ? read_with_key(p, s, err) : ARKA_OK;
    case CLAUSE_WHERE:
        return parser_where(p, &s->query, err);
    case CLAUSE_GROUP:
        return parser_group(p, &s->query, err);
    case CLAUSE_ORDER:
        return parser_order(p, &s->query, err);
    case CLAUSE_LIMIT:
        return parser_limit(p, T_LIMIT, &s->query.limit, err);
    case CLAUSE_OFFSET:
        return parser_limit(p, T_OFFSET, &s->query.offset, err);
    case CLAUSE_SLIMIT:
        return parser_limit(p, T_SLIMIT, &s->query.slimit, err);
    case CLAUSE_SOFFSET:
        return parser_limit(p, T_SOFFSET, &s->query.soffset, err);
    case CLAUSE_FOR_MODULE:
        return parser_take(p, T_FOR) ? parser_string(p, &s->module, err) : ARKA_OK;
    case CLAUSE_WITH_POLICY:
        return read_with_policy(p, &s->policy, err);
    case CLAUSE_POLICY:
        return read_policy(p, &s->policy, err);
    case CLAUSE_POLICY_CHANGES:
        return read_policy_changes(p, &s->policy, err);
    case CLAUSE_WITH_PASSWORD:
        return read_password(p, s, err);
    case CLAUSE_EQUALS_PASSWORD:
        ARKA_TRY(parser_need(p, T_EQ, err));
        return parser_string(p, &s->password, err);
    case CLAUSE_DESTINATIONS:
        return read_destinations(p, s, err);
    case CLAUSE_PRIVILEGE:
        return read_privilege(p, s, err);
    case CLAUSE_RESAMPLE:
        return read_resample(p, s, err);
    case CLAUSE_BEGIN_END:
        return read_begin_end(p, s, err);
    case CLAUSE_EXPLAIN:
        s->analyze = parser_take(p, T_ANALYZE);
        ARKA_TRY(parser_need(p, T_SELECT, err));
        return parser_select(p, false, &s->query, err);
    case CLAUSE_NOTHING:
    case CLAUSE_END:
    default:
        return ARKA_OK;
    }
}
