#include "server/influx/influx_out.h"

#include "kit/kit.h"

static arka_error err;
static arka_buf sent;
static int n_pieces;
static bool wanted = true;

static bool take(void *context, arka_buf *piece)
{
    arka_buf_append(&sent, piece->data, piece->len);
    arka_buf_clear(piece);
    n_pieces++;
    return wanted;
}

static void put(arka_influx_out *out, const char *text)
{
    arka_influx_text(out, arka_slice_of(text));
    ASSERT_OK(arka_influx_row_end(out, &err));
}

/* Two results: a series of two rows and one of none, and an error. */
static const char *shown(arka_influx_out out)
{
    static char text[2000];
    arka_influx_series tags = {ARKA_SLICE("a,b"), {"k", "n"}, 2, .in_parts = true};
    arka_influx_series none = {.name = ARKA_SLICE("none"), .columns = {"k"}, .n_columns = 1};
    arka_influx_series empty = {.columns = {"user"}, .n_columns = 1, .empty_too = true};
    arka_influx_begin(&out);
    arka_influx_result(&out, 0);
    arka_influx_series_begin(&out, &tags);
    for (int i = 0; i < 2; i++) {
        arka_influx_text(&out, ARKA_SLICE("x\"y"));
        arka_influx_int(&out, -i);
        ASSERT_OK(arka_influx_row_end(&out, &err));
    }
    arka_influx_series_end(&out);
    arka_influx_series_begin(&out, &none);
    arka_influx_series_end(&out);
    arka_influx_series_begin(&out, &empty);
    arka_influx_series_end(&out);
    assert_true(arka_influx_result_end(&out, NULL, NULL));
    arka_influx_result(&out, 1);
    arka_influx_series_begin(&out, &tags);
    arka_influx_text(&out, ARKA_SLICE("lost"));
    arka_influx_bool(&out, true);
    ASSERT_OK(arka_influx_row_end(&out, &err));
    assert_true(arka_influx_result_end(&out, "it failed", NULL));
    arka_influx_result(&out, 2);
    assert_true(arka_influx_result_end(&out, NULL, "take care"));
    snprintf(text, sizeof text, "%s", arka_buf_cstr(arka_influx_end(&out)));
    arka_influx_out_fini(&out);
    return text;
}

TEST(results_stand_in_one_text)
{
    assert_string_equal(
        shown((arka_influx_out){0}),
        "{\"results\":[{\"statement_id\":0,\"series\":[{\"name\":\"a,b\",\"columns\":[\"k\",\"n\"],"
        "\"values\":[[\"x\\\"y\",0],[\"x\\\"y\",-1]]},{\"columns\":[\"user\"]}]},"
        "{\"statement_id\":1,\"error\":\"it failed\"},{\"statement_id\":2,\"messages\":[{\"level\":"
        "\"warning\",\"text\":\"take care\"}]}]}\n");
}

TEST(chunks_are_texts_of_their_own)
{
    assert_string_equal(
        shown((arka_influx_out){.chunked = true, .chunk_size = 1}),
        "{\"results\":[{\"statement_id\":0,\"series\":[{\"name\":\"a,b\",\"columns\":[\"k\",\"n\"],"
        "\"values\":[[\"x\\\"y\",0]],\"partial\":true}],\"partial\":true}]}\n"
        "{\"results\":[{\"statement_id\":0,\"series\":[{\"name\":\"a,b\",\"columns\":[\"k\",\"n\"],"
        "\"values\":[[\"x\\\"y\",-1]]}]}]}\n"
        "{\"results\":[{\"statement_id\":0,\"series\":[{\"columns\":[\"user\"]}]}]}\n"
        "{\"results\":[{\"statement_id\":1,\"error\":\"it failed\"}]}\n"
        "{\"results\":[{\"statement_id\":2,\"messages\":[{\"level\":\"warning\",\"text\":\"take "
        "care\"}]}]}\n");
}

TEST(csv_has_a_head_for_each_result)
{
    assert_string_equal(shown((arka_influx_out){.csv = true}),
                        "name,tags,k,n\n\"a,b\",,\"x\"\"y\",0\n\"a,b\",,\"x\"\"y\",-1\n"
                        "\nerror\nit failed\n");
}

TEST(indentation_is_that_of_influxdb)
{
    arka_influx_out out = {.pretty = true};
    arka_influx_series s = {.columns = {"k"}, .n_columns = 1};
    arka_influx_begin(&out);
    arka_influx_result(&out, 0);
    arka_influx_series_begin(&out, &s);
    put(&out, "a{[\\\",:b");
    arka_influx_series_end(&out);
    assert_true(arka_influx_result_end(&out, NULL, NULL));
    assert_string_equal(arka_buf_cstr(arka_influx_end(&out)),
                        "{\n    \"results\": [\n        {\n            \"statement_id\": 0,\n"
                        "            \"series\": [\n                {\n"
                        "                    \"columns\": [\n                        \"k\"\n"
                        "                    ],\n                    \"values\": [\n"
                        "                        [\n                            "
                        "\"a{[\\\\\\\",:b\"\n                        ]\n"
                        "                    ]\n                }\n            ]\n        }\n"
                        "    ]\n}\n");
    arka_influx_out_fini(&out);
}

TEST(many_bytes_leave_early_and_an_error_comes_too_late)
{
    static char long_text[100001];
    arka_influx_out out = {.push = take};
    arka_influx_series s = {.columns = {"k"}, .n_columns = 1};
    memset(long_text, 'x', sizeof long_text - 1);
    arka_influx_begin(&out);
    arka_influx_result(&out, 0);
    arka_influx_series_begin(&out, &s);
    put(&out, long_text);
    put(&out, long_text);
    assert_int_equal(n_pieces, 0);
    put(&out, long_text);
    assert_int_equal(n_pieces, 1);
    assert_int_equal(out.buf.len, 0);
    assert_false(arka_influx_result_end(&out, "too late", NULL));
    wanted = false;
    put(&out, long_text);
    put(&out, long_text);
    arka_influx_text(&out, arka_slice_of(long_text));
    ASSERT_FAILS(arka_influx_row_end(&out, &err), ARKA_CANCELLED, "the client left");
    arka_influx_out_fini(&out);
    arka_buf_fini(&sent);
}
