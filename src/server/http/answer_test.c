#include "server/http/answer.h"

#include "kit/kit.h"
#include "server/server_priv.h"

static const arka_log quiet = {.level = (arka_log_level)(ARKA_ERROR + 1), .fd = -1};
static arka_server server = {.log = &quiet};

static void begin(arka_request *r, arka_route *route, arka_shape shape)
{
    *route = (arka_route){.path = "/x", .shape = shape};
    *r = (arka_request){.server = &server,
                        .route = route,
                        .method_name = "POST",
                        .path = ARKA_SLICE("/x"),
                        .answer = {.body = ARKA_BUF_INIT},
                        .arena = ARKA_ARENA_INIT};
}

static void end(arka_request *r)
{
    arka_answer_reset(&r->answer);
    arka_arena_fini(&r->arena);
}

static const char *header(const arka_request *r, const char *name)
{
    for (int i = 0; i < r->answer.n_headers; i++)
        if (strcmp(r->answer.headers[i].name, name) == 0)
            return r->answer.headers[i].value;
    return NULL;
}

static void assert_answer(arka_status code, arka_shape shape, int status, const char *slug)
{
    arka_request r;
    arka_route route;
    arka_error err = {0};
    char expected[400];
    begin(&r, &route, shape);
    arka_fail(&err, code, "it \"broke\"\n");
    assert_int_equal(arka_answer_fail(&r, &err), ARKA_ANSWERED);
    assert_int_equal(r.answer.status, status);
    assert_string_equal(r.answer.content_type, "application/json");
    snprintf(
        expected, sizeof expected,
        "{\"success\":false,\"error\":\"it \\\"broke\\\"\\n\",\"message\":\"it \\\"broke\\\"\\n\","
        "\"detail\":\"it \\\"broke\\\"\\n\",\"code\":\"%s\"%s}",
        slug, shape == ARKA_SHAPE_QUERY ? ",\"columns\":[],\"data\":[],\"row_count\":0" : "");
    assert_string_equal(arka_buf_cstr(&r.answer.body), expected);
    if (shape >= ARKA_SHAPE_INFLUX)
        assert_string_equal(header(&r, "X-Influxdb-Error"), "it \"broke\" ");
    else
        assert_null(header(&r, "X-Influxdb-Error"));
    if (status == 503)
        assert_string_equal(header(&r, "Retry-After"), "1");
    else
        assert_null(header(&r, "Retry-After"));
    end(&r);
}

TEST(each_failure_has_its_status_and_slug)
{
    assert_answer(ARKA_INPUT, ARKA_SHAPE_PLAIN, 400, "invalid");
    assert_answer(ARKA_NOTFOUND, ARKA_SHAPE_PLAIN, 404, "not_found");
    assert_answer(ARKA_EXISTS, ARKA_SHAPE_PLAIN, 409, "conflict");
    assert_answer(ARKA_LIMIT, ARKA_SHAPE_PLAIN, 413, "too_large");
    assert_answer(ARKA_FORBIDDEN, ARKA_SHAPE_PLAIN, 403, "forbidden");
    assert_answer(ARKA_BUSY, ARKA_SHAPE_PLAIN, 503, "unavailable");
    assert_answer(ARKA_NOMEM, ARKA_SHAPE_PLAIN, 503, "unavailable");
    assert_answer(ARKA_IO, ARKA_SHAPE_PLAIN, 500, "internal");
    assert_answer(ARKA_CORRUPT, ARKA_SHAPE_PLAIN, 500, "internal");
    assert_answer(ARKA_CANCELLED, ARKA_SHAPE_PLAIN, 504, "timeout");
}

TEST(queries_have_slugs_of_their_own_and_empty_rows)
{
    assert_answer(ARKA_NOTFOUND, ARKA_SHAPE_QUERY, 404, "table_not_found");
    assert_answer(ARKA_FORBIDDEN, ARKA_SHAPE_QUERY, 400, "forbidden_sql");
    assert_answer(ARKA_INPUT, ARKA_SHAPE_QUERY, 400, "invalid");
}

TEST(influx_paths_have_its_words_and_a_header)
{
    assert_answer(ARKA_INPUT, ARKA_SHAPE_INFLUX, 400, "invalid");
    assert_answer(ARKA_LIMIT, ARKA_SHAPE_INFLUX, 413, "too_large");
    assert_answer(ARKA_LIMIT, ARKA_SHAPE_INFLUX2, 413, "request too large");
    assert_answer(ARKA_BUSY, ARKA_SHAPE_INFLUX2, 503, "unavailable");
    assert_answer(ARKA_IO, ARKA_SHAPE_INFLUX2, 500, "internal error");
}

TEST(no_status_is_without_a_meaning)
{
    for (int code = 1; code < ARKA_N_STATUS; code++) {
        int http = arka_answer_status((arka_status)code, ARKA_SHAPE_PLAIN);
        assert_true(http >= 400 && http < 600);
        /* the client's fault is never a 5xx, a passing one never a 4xx */
        if (code == ARKA_INPUT)
            assert_int_equal(http / 100, 4);
        if (code == ARKA_BUSY || code == ARKA_NOMEM || code == ARKA_IO)
            assert_int_equal(http / 100, 5);
    }
}

TEST(bytes_that_are_no_utf8_are_replaced)
{
    arka_request r;
    arka_route route;
    begin(&r, &route, ARKA_SHAPE_PLAIN);
    arka_answer_error(&r, 400, "invalid",
                      "a\xff\xfe"
                      "b\xc3");
    assert_non_null(strstr(arka_buf_cstr(&r.answer.body), "\"error\":\"a\xef\xbf\xbd\xef\xbf\xbd"
                                                          "b\xef\xbf\xbd\""));
    end(&r);
}

TEST(a_header_ends_where_its_text_has_a_line_end)
{
    arka_request r;
    arka_route route;
    begin(&r, &route, ARKA_SHAPE_PLAIN);
    arka_answer_header(&r, "X-A", "one\r\nX-Evil: %d", 2);
    assert_string_equal(header(&r, "X-A"), "one  X-Evil: 2");
    for (int i = 0; i < 2 * ARKA_ANSWER_HEADERS; i++)
        arka_answer_header(&r, "X-B", "%d", i);
    assert_int_equal(r.answer.n_headers, ARKA_ANSWER_HEADERS);
    end(&r);
}
