#include "wire/json_request.h"

#include "base/utf8.h"
#include "wire/json.h"

arka_status arka_sql_check(arka_slice sql, arka_error *err)
{
    if (sql.len == 0)
        return arka_fail(err, ARKA_INPUT, "the SQL text is empty");
    if (memchr(sql.data, 0, sql.len) != NULL)
        return arka_fail(err, ARKA_INPUT, "the SQL text holds a NUL character");
    if (!arka_utf8_valid(sql.data, sql.len))
        return arka_fail(err, ARKA_INPUT, "the SQL text is not UTF-8");
    size_t n = 0;
    for (size_t i = 0; i < sql.len; i++)
        n += (sql.data[i] & 0xc0) != 0x80;
    if (n > ARKA_SQL_MAX_CHARACTERS)
        return arka_fail(err, ARKA_INPUT, "the SQL text has %zu characters, over the limit of %d",
                         n, ARKA_SQL_MAX_CHARACTERS);
    return ARKA_OK;
}

static bool keep(arka_arena *arena, arka_slice *text)
{
    text->data = arka_arena_text(arena, *text);
    return text->data != NULL;
}

arka_status arka_query_request_decode(arka_slice body, arka_arena *arena, arka_query_request *out,
                                      arka_error *err)
{
    ARKA_AUTO(arka_json) root = NULL;
    ARKA_TRY(arka_json_parse(body, 0, &root, err));
    arka_query_request r = {.database = {"", 0}, .format = {"", 0}};
    ARKA_TRY(arka_json_need_string(root, "sql", &r.sql, err));
    ARKA_TRY(arka_sql_check(r.sql, err));
    ARKA_TRY(arka_json_get_string(root, "database", &r.database, err));
    ARKA_TRY(arka_json_get_string(root, "format", &r.format, err));
    if (!keep(arena, &r.sql) || !keep(arena, &r.database) || !keep(arena, &r.format))
        return arka_fail_nomem(err, "a query request", r.sql.len);
    *out = r;
    return ARKA_OK;
}
