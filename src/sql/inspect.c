/* From a text to an inspection: leading keywords, the schema name "default", DuckDB's parser. The
 * walk over its tree is in walk.c. */
#include "sql/inspect.h"

#include <strings.h>

#include "base/buf.h"
#include "base/utf8.h"
#include "base/vec.h"
#include "sql/growth.h"
#include "sql/lexer.h"
#include "sql/system_priv.h"
#include "sql/volatile.h"
#include "sql/walk.h"

enum { MAX_TEXT = 1 << 20 };

static const char ONLY[] =
    "only one SELECT, SHOW, DESCRIBE, SUMMARIZE or EXPLAIN statement is allowed";

/* ---- the text that DuckDB gets ---- */

/* What is put into the user's text, byte by byte; ascending. */
typedef struct insertion {
    size_t at; /* in front of this byte of the text */
    char byte;
} insertion;
typedef ARKA_VEC(insertion) insertions;

static bool is_name(arka_token t, const char *name)
{
    size_t n = strlen(name);
    return arka_token_is_word(t, name) || (t.kind == ARKA_TOKEN_QUOTED && t.text.len == n + 2 &&
                                           strncasecmp(t.text.data + 1, name, n) == 0);
}

static bool is_information_table(arka_token t)
{
    static const char *const NAMES[] = {"tables", "columns", "schemata"};
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++)
        if (is_name(t, NAMES[i]))
            return true;
    return false;
}

/* The name `t` in quotes, if it has none, and with `more` at its end. */
static bool quote_name(insertions *list, arka_token t, const char *more)
{
    bool quoted = t.kind == ARKA_TOKEN_QUOTED;
    size_t end = t.at + t.text.len - quoted;
    bool ok = quoted || arka_vec_push(list, (insertion){t.at, '"'});
    for (; *more; more++)
        ok = ok && arka_vec_push(list, (insertion){end, *more});
    return ok && (quoted || arka_vec_push(list, (insertion){end, '"'}));
}

/*
 * DuckDB's grammar reserves the word "default", which is a database's name here: default.cpu. Where
 * the word stands before a dot, and not behind one, it gets its quotes. And
 * information_schema.tables is ours (system_priv.h), under a name that only we can say.
 */
static bool find_names(arka_slice text, insertions *list)
{
    arka_lexer lexer = {text, 0};
    arka_token before = {ARKA_TOKEN_END, 0, {"", 0}}, t = arka_lexer_next(&lexer);
    bool ok = true;
    while (t.kind != ARKA_TOKEN_END && ok) {
        arka_token after = arka_lexer_next(&lexer);
        if (arka_token_is_sign(after, '.') && !arka_token_is_sign(before, '.')) {
            arka_lexer ahead = lexer;
            if (arka_token_is_word(t, "default"))
                ok = quote_name(list, t, "");
            else if (is_name(t, "information_schema") &&
                     is_information_table(arka_lexer_next(&ahead)))
                ok = quote_name(list, t, ARKA_INFORMATION_SUFFIX);
        }
        before = t;
        t = after;
    }
    return ok;
}

static arka_status complete_names(arka_inspection *i, arka_error *err)
{
    insertions list = {0};
    bool room = find_names(i->text.user, &list);
    size_t n = i->text.user.len + list.n, from = 0;
    char *sql = arka_arena_alloc(&i->arena, n + 1), *to = sql;
    size_t *places = arka_arena_alloc(&i->arena, list.n * sizeof *places + 1);
    if (sql != NULL && places != NULL && room) {
        for (size_t k = 0; k < list.n; k++) {
            places[k] = list.items[k].at;
            memcpy(to, i->text.user.data + from, places[k] - from);
            to += places[k] - from;
            from = places[k];
            *to++ = list.items[k].byte;
        }
        memcpy(to, i->text.user.data + from, i->text.user.len - from);
        sql[n] = 0;
        i->text.sql = (arka_slice){sql, n};
        i->text.inserted = places;
        i->text.n_inserted = list.n;
    }
    arka_vec_fini(&list);
    return i->text.sql.data ? ARKA_OK : arka_fail_nomem(err, "a statement", n);
}

/* ---- DuckDB's parser ---- */

arka_status arka_parser_init(arka_parser *parser, duckdb_connection connection, arka_error *err)
{
    *parser = (arka_parser){.connection = connection};
    if (duckdb_prepare(connection,
                       "SELECT json_serialize_sql($1::VARCHAR, skip_null := true, "
                       "skip_empty := true)",
                       &parser->serialize) == DuckDBSuccess)
        return ARKA_OK;
    arka_status status = arka_fail(err, ARKA_INTERNAL, "DuckDB has no json_serialize_sql: %s",
                                   duckdb_prepare_error(parser->serialize));
    arka_parser_fini(parser);
    return status;
}

void arka_parser_fini(arka_parser *parser)
{
    duckdb_destroy_prepare(&parser->serialize);
}

/* json_serialize_sql(sql) into the arena. */
static arka_status serialize(const arka_parser *parser, arka_slice sql, arka_arena *arena,
                             arka_slice *out, arka_error *err)
{
    duckdb_result result = {0};
    arka_slice json = {NULL, 0};
    arka_status status = ARKA_OK;
    if (duckdb_bind_varchar_length(parser->serialize, 1, sql.data, sql.len) == DuckDBSuccess &&
        duckdb_execute_prepared(parser->serialize, &result) == DuckDBSuccess) {
        duckdb_data_chunk chunk = duckdb_fetch_chunk(result);
        if (chunk != NULL && duckdb_data_chunk_get_size(chunk) == 1) {
            duckdb_string_t *s = duckdb_vector_get_data(duckdb_data_chunk_get_vector(chunk, 0));
            json.len = duckdb_string_t_length(*s);
            json.data = arka_arena_strndup(arena, duckdb_string_t_data(s), json.len);
        }
        duckdb_destroy_data_chunk(&chunk);
        if (json.data == NULL)
            status = arka_fail_nomem(err, "a parse tree", json.len);
    } else {
        status = arka_complain_duckdb(err, NULL, 0, duckdb_result_error(&result));
    }
    duckdb_destroy_result(&result);
    *out = json;
    return status;
}

arka_status arka_parse_sql(const arka_parser *parser, const arka_text *text, size_t offset,
                           arka_arena *arena, const arka_tree **out_node, arka_error *err)
{
    arka_slice json;
    arka_tree *tree;
    arka_slice sql = {text->sql.data + offset, text->sql.len - offset};
    ARKA_TRY(arka_growth_check_text(text, err));
    ARKA_TRY(serialize(parser, sql, arena, &json, err));
    ARKA_TRY(arka_tree_parse(arena, json, &tree, err));
    if (arka_tree_true(tree, "error")) {
        int64_t position = arka_tree_i64(tree, "position", -1);
        if (arka_tree_is(tree, "error_type", "not implemented"))
            return arka_complain(err, ARKA_FORBIDDEN, text, ARKA_TEXT_NOWHERE, "%s", ONLY);
        return arka_complain(err, ARKA_INPUT, text,
                             position < 0 ? ARKA_TEXT_NOWHERE
                                          : arka_text_user_at(text, offset + (size_t)position),
                             "Parser Error: %s", arka_tree_text(tree, "error_message").data);
    }
    const arka_tree *statement = arka_tree_first(tree, "statements");
    if (statement == NULL)
        return arka_fail(err, ARKA_INPUT, "the statement is empty");
    if (statement->next != NULL)
        return arka_complain(err, ARKA_FORBIDDEN, text, ARKA_TEXT_NOWHERE, "%s", ONLY);
    if (arka_tree_get(statement, "named_param_map") != NULL)
        return arka_complain(err, ARKA_INPUT, text, ARKA_TEXT_NOWHERE,
                             "parameters ('?', '$1') have no values here");
    *out_node = arka_tree_get(statement, "node");
    if (*out_node == NULL)
        return arka_fail(err, ARKA_INTERNAL, "DuckDB's parser gave a statement without a node");
    return arka_growth_check(*out_node, err);
}

/* ---- SHOW and EXPLAIN, which json_serialize_sql has no tree for ---- */

static arka_status show_refused(arka_inspection *i, arka_token t, arka_error *err)
{
    return arka_complain(err, ARKA_FORBIDDEN, &i->text, t.at,
                         "SHOW can only be SHOW DATABASES, SHOW TABLES [FROM database] or SHOW "
                         "MEASUREMENTS [FROM database]");
}

/* The database's name in the arena, without its quotes. */
static arka_status show_from(arka_inspection *i, arka_token t, arka_error *err)
{
    bool quoted = t.kind == ARKA_TOKEN_QUOTED;
    if (!quoted && t.kind != ARKA_TOKEN_WORD && t.kind != ARKA_TOKEN_NUMBER)
        return arka_complain(err, ARKA_INPUT, &i->text, t.at,
                             "Parser Error: expected the name of a database");
    char *name = arka_arena_text(&i->arena, t.text);
    if (name == NULL)
        return arka_fail_nomem(err, "a name", t.text.len);
    size_t n = 0;
    for (size_t k = quoted; k < t.text.len - quoted; k++) {
        name[n++] = t.text.data[k];
        k += quoted && t.text.data[k] == '"'; /* doubled inside */
    }
    name[n] = 0;
    i->show_database = (arka_slice){name, n};
    i->show_at = t.at;
    return ARKA_OK;
}

static arka_status inspect_show(arka_inspection *i, arka_lexer *lexer, arka_error *err)
{
    arka_token what = arka_lexer_next(lexer), t = arka_lexer_next(lexer);
    if (arka_token_is_word(what, "databases"))
        i->statement = ARKA_STATEMENT_SHOW_DATABASES;
    else if (arka_token_is_word(what, "tables") || arka_token_is_word(what, "measurements"))
        i->statement = ARKA_STATEMENT_SHOW_TABLES;
    else
        return show_refused(i, what, err);
    if (i->statement == ARKA_STATEMENT_SHOW_TABLES &&
        (arka_token_is_word(t, "from") || arka_token_is_word(t, "in"))) {
        ARKA_TRY(show_from(i, arka_lexer_next(lexer), err));
        t = arka_lexer_next(lexer);
    }
    while (arka_token_is_sign(t, ';'))
        t = arka_lexer_next(lexer);
    return t.kind == ARKA_TOKEN_END ? ARKA_OK : show_refused(i, t, err);
}

/* Where the statement behind EXPLAIN [ANALYZE] begins in the text that DuckDB gets. */
static size_t explained_at(arka_inspection *i)
{
    arka_lexer lexer = {i->text.sql, 0};
    arka_token t = arka_lexer_next(&lexer);
    size_t end = t.at + t.text.len;
    t = arka_lexer_next(&lexer);
    return arka_token_is_word(t, "analyze") ? t.at + t.text.len : end;
}

static arka_status inspect(arka_inspection *i, const arka_parser *parser, arka_error *err)
{
    arka_lexer lexer = {i->text.user, 0};
    arka_token first = arka_lexer_next(&lexer);
    size_t offset = 0;
    const arka_tree *node;
    if (arka_token_is_word(first, "show"))
        return inspect_show(i, &lexer, err);
    ARKA_TRY(complete_names(i, err));
    if (arka_token_is_word(first, "explain")) {
        i->statement = ARKA_STATEMENT_EXPLAIN;
        offset = explained_at(i);
    } else if (arka_token_is_word(first, "describe") || arka_token_is_word(first, "desc") ||
               arka_token_is_word(first, "summarize")) {
        i->statement = ARKA_STATEMENT_DESCRIBE;
    }
    arka_arena arena = ARKA_ARENA_INIT; /* the tree's; what stays is copied */
    arka_status status = arka_parse_sql(parser, &i->text, offset, &arena, &node, err);
    if (status == ARKA_OK)
        status = arka_walk(i, parser->connection, offset, node, err);
    if (status == ARKA_OK)
        i->is_volatile = arka_tree_is_volatile(node);
    arka_arena_fini(&arena);
    return status;
}

arka_status arka_inspect(const arka_parser *parser, arka_slice text, arka_inspection **out,
                         arka_error *err)
{
    if (text.len > MAX_TEXT)
        return arka_fail(err, ARKA_INPUT, "the statement has %zu bytes, more than %d", text.len,
                         MAX_TEXT);
    size_t valid = arka_utf8_check(text.data, text.len);
    const char *nul = memchr(text.data, 0, text.len);
    if (valid < text.len || nul != NULL)
        return arka_fail(
            err, ARKA_INPUT, "the statement is not UTF-8 text: byte %zu",
            nul != NULL && (size_t)(nul - text.data) < valid ? (size_t)(nul - text.data) : valid);
    ARKA_AUTO(arka_inspection) i = arka_calloc(1, sizeof *i);
    if (i == NULL)
        return arka_fail_nomem(err, "a statement", sizeof *i);
    arka_ref_init(&i->ref);
    i->text.user = (arka_slice){arka_arena_text(&i->arena, text), text.len};
    if (i->text.user.data == NULL)
        return arka_fail_nomem(err, "a statement", text.len);
    ARKA_TRY(inspect(i, parser, err));
    *out = arka_take(i);
    return ARKA_OK;
}

void arka_inspection_unref(arka_inspection *i)
{
    if (i != NULL && arka_ref_drop(&i->ref)) {
        arka_free(i->uses);
        arka_arena_fini(&i->arena);
        arka_free(i);
    }
}
