/* JSON bodies from nowhere: the query request, and every getter on every value of the tree. */
#include <stdlib.h>

#include "base/utf8.h"
#include "wire/json.h"
#include "wire/json_request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void require(bool ok)
{
    if (!ok)
        abort();
}

static void check_text(arka_slice text)
{
    require(text.data[text.len] == 0 && strlen(text.data) == text.len);
    require(arka_utf8_valid(text.data, text.len));
}

static void walk(const arka_json *value, int depth)
{
    arka_slice text = {NULL, 0};
    const arka_json *inner = NULL;
    int64_t i64 = 0;
    bool b = false;
    require(depth <= ARKA_JSON_DEPTH);
    require(arka_json_kind_name(arka_json_kind_of(value))[0] != 0);
    ARKA_IGNORE(arka_json_get_string(value, "sql", &text, NULL)); /* any answer will do */
    ARKA_IGNORE(arka_json_get_int(value, "limit", &i64, NULL));
    ARKA_IGNORE(arka_json_get_bool(value, "on", &b, NULL));
    ARKA_IGNORE(arka_json_get_array(value, "list", &inner, NULL));
    ARKA_IGNORE(arka_json_get_object(value, "sub", &inner, NULL));
    if (text.data != NULL)
        check_text(text);
    if (arka_json_kind_of(value) == ARKA_JSON_ARRAY)
        for (size_t i = 0; i < arka_json_len(value); i++)
            walk(arka_json_at(value, i), depth + 1);
    size_t n = 0;
    for (void *cursor = NULL; arka_json_next(value, &cursor, &text, &inner); n++)
        walk(inner, depth + 1);
    require(arka_json_kind_of(value) != ARKA_JSON_OBJECT || n == arka_json_len(value));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    arka_slice body = {(const char *)data, n};
    arka_error err = {0};
    arka_arena arena = ARKA_ARENA_INIT;
    arka_query_request request;
    arka_status status = arka_query_request_decode(body, &arena, &request, &err);
    require(status == ARKA_OK || (status == ARKA_INPUT && err.msg[0] != 0));
    require(arka_utf8_valid(err.msg, strlen(err.msg)));
    if (status == ARKA_OK) {
        require(request.sql.len > 0 && request.sql.len <= 4 * ARKA_SQL_MAX_CHARACTERS);
        check_text(request.sql);
        check_text(request.database);
        check_text(request.format);
    }
    arka_arena_fini(&arena);
    ARKA_AUTO(arka_json) root = NULL;
    if (arka_json_parse(body, 0, &root, NULL) == ARKA_OK)
        walk(root, 0);
    return 0;
}
