/* Answers fed whole, cut at every byte, and byte by byte must read the same. */
#include "cli/http_response.h"

#include "kit/kit.h"

typedef struct expected {
    const char *name;
    const char *bytes;
    int status;
    bool keep_alive;
    bool until_end; /* complete only when the connection ends */
    const char *body;
    const char *rest; /* belongs to the next answer */
} expected;

static const expected ANSWERS[] = {
    {"204", "HTTP/1.1 204 No Content\r\nX-Request-ID: a\r\n\r\n", 204, true, false, "", ""},
    {"length", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-Row-Count:  17 \r\n\r\nhello", 200, true,
     false, "hello", ""},
    {"empty", "HTTP/1.1 503 Busy\r\ncontent-length: 0\r\nRetry-After: 1\r\n\r\n", 503, true, false,
     "", ""},
    {"close", "HTTP/1.1 400 Bad\r\nConnection: Close\r\nContent-Length: 2\r\n\r\nno", 400, false,
     false, "no", ""},
    {"chunked",
     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
     "5\r\nhello\r\n1;x=\"y\"\r\n,\r\n0A\r\n0123456789\r\n0\r\n\r\n",
     200, true, false, "hello,0123456789", ""},
    {"trailers",
     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
     "3\r\nabc\r\n000\r\nArc-Execution-Time-Ms: 1.5\r\nB: c\r\n\r\n",
     200, true, false, "abc", ""},
    {"two", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\naHTTP/1.1 204 N\r\n\r\n", 200, true, false,
     "a", "HTTP/1.1 204 N\r\n\r\n"},
    {"two chunked",
     "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n1\r\na\r\n0\r\n\r\nHTTP/1.1", 200,
     true, false, "a", "HTTP/1.1"},
    {"interim",
     "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 P\r\nA: b\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n",
     204, true, false, "", ""},
    {"until the end", "HTTP/1.0 200 OK\r\nServer: old\r\n\r\nall of this", 200, false, true,
     "all of this", ""},
    {"1.0 keep-alive", "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\nx",
     200, true, false, "x", ""},
};
enum { N_ANSWERS = sizeof ANSWERS / sizeof *ANSWERS };

/* Feeds a run of bytes as a socket would: from a block of exactly that size, for ASan to see. */
static size_t feed(arka_http_response *r, const char *bytes, size_t n)
{
    arka_error err = {0};
    char *copy = malloc(n ? n : 1);
    memcpy(copy, bytes, n);
    size_t used = 0;
    ASSERT_OK(arka_http_response_feed(r, copy, n, &used, &err));
    free(copy);
    assert_true(used <= n);
    assert_true(used == n || r->complete);
    return used;
}

static arka_status keep(void *context, const char *bytes, size_t n, arka_error *err)
{
    arka_buf_append(context, bytes, n);
    return ARKA_OK;
}

static void check(const expected *e, const arka_http_response *r, const arka_buf *body, size_t used)
{
    size_t len = strlen(e->bytes);
    if (!r->complete || r->status != e->status || used != len - strlen(e->rest))
        fail_msg("%s: complete %d, status %d, used %zu of %zu", e->name, r->complete, r->status,
                 used, len);
    assert_int_equal(r->keep_alive, e->keep_alive);
    assert_int_equal(r->n_body_bytes, strlen(e->body));
    assert_int_equal(body->len, strlen(e->body));
    assert_memory_equal(body->data ? body->data : "", e->body, body->len);
}

/* Pieces of `step` bytes, the first of `first`. */
static void read_in_pieces(arka_http_response *r, const expected *e, size_t first, size_t step)
{
    arka_error err = {0};
    arka_buf body = ARKA_BUF_INIT;
    r->sink = keep;
    r->sink_context = &body;
    size_t len = strlen(e->bytes), at = 0, n = first;
    while (at < len && !r->complete) {
        n = n > len - at ? len - at : n;
        at += feed(r, e->bytes + at, n);
        n = step;
    }
    if (e->until_end) {
        assert_false(r->complete);
        ASSERT_OK(arka_http_response_end(r, &err));
    }
    check(e, r, &body, at);
    arka_buf_fini(&body);
}

TEST(answers_read_the_same_however_they_are_cut)
{
    for (size_t i = 0; i < N_ANSWERS; i++) {
        const expected *e = &ANSWERS[i];
        size_t len = strlen(e->bytes);
        arka_http_response r;
        arka_http_response_init(&r);
        for (size_t first = 1; first <= len; first++) {
            read_in_pieces(&r, e, first, len);
            arka_http_response_reset(&r);
        }
        for (size_t step = 1; step <= 7; step++) {
            read_in_pieces(&r, e, step, step);
            arka_http_response_reset(&r);
        }
        arka_http_response_fini(&r);
    }
}

TEST(random_cuts_read_the_same)
{
    for (int round = 0; round < 2000; round++) {
        const expected *e = &ANSWERS[kit_random() % N_ANSWERS];
        arka_buf body = ARKA_BUF_INIT;
        arka_error err = {0};
        arka_http_response r;
        arka_http_response_init(&r);
        r.sink = keep;
        r.sink_context = &body;
        size_t len = strlen(e->bytes), at = 0;
        while (at < len && !r.complete) {
            size_t n = kit_random() % 9;
            at += feed(&r, e->bytes + at, n > len - at ? len - at : n);
        }
        if (e->until_end)
            ASSERT_OK(arka_http_response_end(&r, &err));
        check(e, &r, &body, at);
        arka_buf_fini(&body);
        arka_http_response_fini(&r);
    }
}

TEST(a_cut_off_answer_is_an_error_at_every_byte)
{
    for (size_t i = 0; i < N_ANSWERS; i++) {
        const expected *e = &ANSWERS[i];
        size_t len = strlen(e->bytes) - strlen(e->rest);
        if (e->until_end)
            continue;
        for (size_t n = 0; n < len; n++) {
            arka_error err = {0};
            arka_http_response r;
            arka_http_response_init(&r);
            size_t used = feed(&r, e->bytes, n);
            assert_int_equal(used, n);
            assert_false(r.complete);
            ASSERT_FAILS(arka_http_response_end(&r, &err), ARKA_CORRUPT, "connection ended");
            arka_http_response_fini(&r);
        }
    }
}

TEST(headers_are_found_in_any_case_and_trimmed)
{
    arka_http_response r;
    arka_http_response_init(&r);
    feed(&r, ANSWERS[1].bytes, strlen(ANSWERS[1].bytes));
    assert_true(arka_slice_eq(arka_http_response_header(&r, "x-row-count"), ARKA_SLICE("17")));
    assert_true(arka_slice_eq(arka_http_response_header(&r, "CONTENT-LENGTH"), ARKA_SLICE("5")));
    assert_null(arka_http_response_header(&r, "x-row").data);
    assert_null(arka_http_response_header(&r, "HTTP/1.1 200 OK").data);
    assert_null(arka_http_response_header(&r, "hello").data);
    arka_http_response_fini(&r);
}

TEST(what_is_no_http_is_refused)
{
    static const struct {
        const char *bytes;
        arka_status status;
        const char *says;
    } BAD[] = {
        {"SSH-2.0-OpenSSH_9.2\r\n\r\n", ARKA_CORRUPT, "expected HTTP/1.1"},
        {"HTTP/1.1 2x0 OK\r\n\r\n", ARKA_CORRUPT, "three digits"},
        {"HTTP/2 200\r\n\r\n", ARKA_CORRUPT, "expected HTTP/1.1"},
        {"\r\n\r\n", ARKA_CORRUPT, "expected HTTP/1.1"},
        {"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", ARKA_CORRUPT, "Content-Length '-1'"},
        {"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n", ARKA_CORRUPT,
         "Content-Length"},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", ARKA_CORRUPT, "expected chunked"},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz", ARKA_CORRUPT,
         "where a chunk's size should begin"},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab", ARKA_CORRUPT,
         "expected CR"},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\rb", ARKA_CORRUPT,
         "expected LF"},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n",
         ARKA_CORRUPT, "2^62"},
    };
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        arka_error err = {0};
        arka_http_response r;
        arka_http_response_init(&r);
        size_t used;
        ASSERT_FAILS(arka_http_response_feed(&r, BAD[i].bytes, strlen(BAD[i].bytes), &used, &err),
                     BAD[i].status, BAD[i].says);
        arka_http_response_fini(&r);
    }
}

TEST(an_endless_head_and_endless_framing_have_limits)
{
    arka_error err = {0};
    arka_http_response r;
    arka_http_response_init(&r);
    size_t used;
    feed(&r, "HTTP/1.1 200 OK\r\nA: ", 20);
    char block[4096];
    memset(block, 'x', sizeof block);
    arka_status status = ARKA_OK;
    for (int i = 0; i < 17 && status == ARKA_OK; i++)
        status = arka_http_response_feed(&r, block, sizeof block, &used, &err);
    assert_int_equal(status, ARKA_LIMIT);

    static const char head[] = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;";
    memset(&err, 0, sizeof err);
    arka_http_response_reset(&r);
    feed(&r, head, sizeof head - 1);
    for (status = ARKA_OK, used = 0; status == ARKA_OK;)
        status = arka_http_response_feed(&r, block, sizeof block, &used, &err);
    assert_int_equal(status, ARKA_LIMIT);
    arka_http_response_fini(&r);
}

static arka_status refuse(void *context, const char *bytes, size_t n, arka_error *err)
{
    return arka_fail(err, ARKA_LIMIT, "sink is full");
}

TEST(a_failing_sink_ends_the_reading)
{
    arka_error err = {0};
    arka_http_response r;
    arka_http_response_init(&r);
    r.sink = refuse;
    size_t used;
    ASSERT_FAILS(
        arka_http_response_feed(&r, ANSWERS[1].bytes, strlen(ANSWERS[1].bytes), &used, &err),
        ARKA_LIMIT, "sink is full");
    arka_http_response_fini(&r);
}
