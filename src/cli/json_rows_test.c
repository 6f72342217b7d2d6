#include "kit/kit.h"

#include "cli/json_rows.h"

static arka_status read_text(const char *json, arka_json_rows *rows, arka_error *err)
{
    *rows = (arka_json_rows){0};
    /* of exactly its size, so that a sanitizer sees a look behind it */
    size_t len = strlen(json);
    char *copy = arka_malloc(len > 0 ? len : 1);
    memcpy(copy, json, len);
    arka_status status = arka_json_rows_read((arka_slice){copy, len}, rows, err);
    arka_free(copy);
    return status;
}

static void assert_cell(const arka_json_rows *rows, size_t i, arka_cell_kind kind, const char *text)
{
    assert_int_equal(rows->cells.items[i].kind, kind);
    assert_int_equal(rows->cells.items[i].text.len, strlen(text));
    assert_memory_equal(rows->cells.items[i].text.data, text, strlen(text));
}

TEST(cells_keep_their_digits_and_texts_are_decoded)
{
    static const char JSON[] =
        "{ \"success\" : true, \"timestamp\":\"a\\\"b\", \"columns\":[\"t\\u0069me\",\"v\"],\n"
        "\"data\":[[\"\\u20ac \\ud83d\\ude00\\n\",0.10],[null,{\"a\":[1,\"]\"]}],[\"\",-1e3]],"
        "\"execution_time_ms\":1.5}";
    arka_json_rows rows = {0};
    arka_error err = {0};
    ASSERT_OK(arka_json_rows_read(ARKA_SLICE(JSON), &rows, &err));
    assert_int_equal(rows.columns.n, 2);
    assert_memory_equal(rows.columns.items[0].data, "time", 4);
    assert_int_equal(rows.n_rows, 3);
    assert_cell(&rows, 0, ARKA_CELL_TEXT, "\xe2\x82\xac \xf0\x9f\x98\x80\n");
    assert_cell(&rows, 1, ARKA_CELL_NUMBER, "0.10");
    assert_int_equal(rows.cells.items[2].kind, ARKA_CELL_NULL);
    assert_cell(&rows, 3, ARKA_CELL_OTHER, "{\"a\":[1,\"]\"]}");
    assert_cell(&rows, 4, ARKA_CELL_TEXT, "");
    assert_cell(&rows, 5, ARKA_CELL_NUMBER, "-1e3");
    assert_true(rows.execution_ms == 1.5);
    arka_json_rows_fini(&rows);
}

TEST(damage_is_named_with_its_place)
{
    static const struct {
        const char *json, *place;
    } BAD[] = {
        {"", "byte 0"},
        {"[]", "byte 0"},
        {"{\"a\"", "byte 4"},
        {"{\"columns\":[\"a", "byte 14"},
        {"{\"columns\":[\"a\\q\"]}", "byte 14"},
        {"{\"columns\":[\"a\"],\"data\":[[1,2]]}", "byte 30"},
        {"{\"a\":\"b\\", "byte 8"}, /* the last byte escapes what does not come */
        {"{\"a\":[[}", "byte 8"},
        {"{\"execution_time_ms\":\"x\"}", "byte"},
        {"{\"a\":1} x", "byte 8"},
    };
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        arka_json_rows rows;
        arka_error err = {0};
        ASSERT_FAILS(read_text(BAD[i].json, &rows, &err), ARKA_CORRUPT, BAD[i].place);
        arka_json_rows_fini(&rows);
    }
}
