#include "wire/inflate.h"

#include <zlib.h>
#include <zstd.h>

#include "kit/kit.h"

static const arka_inflate_limits WIDE = {64 << 20, 0};

static arka_buf text_of_lines(int n_lines)
{
    arka_buf text = ARKA_BUF_INIT;
    for (int i = 0; i < n_lines; i++)
        arka_buf_printf(&text, "cpu,host=h%d usage=%d.%d %d\n", i % 7, i, i % 10, i * 1000);
    return text;
}

static arka_buf repeated(char c, size_t n)
{
    arka_buf text = ARKA_BUF_INIT;
    memset(arka_buf_reserve(&text, n), c, n);
    text.len = n;
    return text;
}

static void add_gzip(arka_buf *to, const void *text, size_t n)
{
    z_stream z = {0};
    assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    size_t bound = deflateBound(&z, n);
    z.next_in = (unsigned char *)text;
    z.avail_in = (uInt)n;
    z.next_out = (unsigned char *)arka_buf_reserve(to, bound);
    z.avail_out = (uInt)bound;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    to->len += bound - z.avail_out;
    deflateEnd(&z);
}

static void add_zstd(arka_buf *to, const void *text, size_t n)
{
    size_t bound = ZSTD_compressBound(n);
    size_t len = ZSTD_compress(arka_buf_reserve(to, bound), bound, text, n, 3);
    assert_false(ZSTD_isError(len));
    to->len += len;
}

/* As a client does that streams: no content size in the frame's header. */
static void add_zstd_stream(arka_buf *to, const void *text, size_t n)
{
    ZSTD_CCtx *ctx = ZSTD_createCCtx();
    ZSTD_inBuffer in = {text, n, 0};
    char chunk[1000];
    ZSTD_EndDirective step;
    size_t left;
    do {
        ZSTD_outBuffer out = {chunk, sizeof chunk, 0};
        step = in.pos < n ? ZSTD_e_continue : ZSTD_e_end;
        left = ZSTD_compressStream2(ctx, &out, &in, step);
        assert_false(ZSTD_isError(left));
        arka_buf_append(to, chunk, out.pos);
    } while (step != ZSTD_e_end || left > 0);
    ZSTD_freeCCtx(ctx);
}

typedef void add_fn(arka_buf *to, const void *text, size_t n);
static const struct {
    add_fn *add;
    arka_coding coding;
} WAYS[] = {{add_gzip, ARKA_CODING_GZIP},
            {add_zstd, ARKA_CODING_ZSTD},
            {add_zstd_stream, ARKA_CODING_ZSTD}};
enum { N_WAYS = sizeof WAYS / sizeof *WAYS };

TEST(coding_is_known_by_its_magic_bytes)
{
    assert_int_equal(arka_coding_detect("\x1f\x8b\x08", 3), ARKA_CODING_GZIP);
    assert_int_equal(arka_coding_detect("\x1f\x8b", 2), ARKA_CODING_GZIP);
    assert_int_equal(arka_coding_detect("\x28\xb5\x2f\xfd", 4), ARKA_CODING_ZSTD);
    assert_int_equal(arka_coding_detect("\x28\xb5\x2f", 3), ARKA_CODING_NONE);
    assert_int_equal(arka_coding_detect("\x1f", 1), ARKA_CODING_NONE);
    assert_int_equal(arka_coding_detect("cpu f=1", 7), ARKA_CODING_NONE);
    assert_int_equal(arka_coding_detect(NULL, 0), ARKA_CODING_NONE);
}

TEST(what_was_compressed_comes_back_behind_what_was_there)
{
    arka_error err = {0};
    static const int LINES[] = {0, 1, 100, 20000};
    for (size_t way = 0; way < N_WAYS; way++)
        for (size_t i = 0; i < sizeof LINES / sizeof *LINES; i++) {
            arka_buf text = text_of_lines(LINES[i]), body = ARKA_BUF_INIT, out = ARKA_BUF_INIT;
            WAYS[way].add(&body, text.data ? text.data : "", text.len);
            assert_int_equal(arka_coding_detect(body.data, body.len), WAYS[way].coding);
            arka_buf_literal(&out, "before");
            ASSERT_OK(arka_inflate(body.data, body.len, WAYS[way].coding, &WIDE, &out, &err));
            assert_int_equal(out.len, text.len + 6);
            assert_memory_equal(out.data, "before", 6);
            if (text.len > 0)
                assert_memory_equal(out.data + 6, text.data, text.len);
            arka_buf_fini(&text), arka_buf_fini(&body), arka_buf_fini(&out);
        }
}

TEST(members_in_a_row_are_one_body)
{
    arka_error err = {0};
    for (size_t way = 0; way < N_WAYS; way++) {
        arka_buf text = text_of_lines(500), body = ARKA_BUF_INIT, out = ARKA_BUF_INIT;
        WAYS[way].add(&body, text.data, 100);
        WAYS[way].add(&body, "", 0);
        WAYS[way].add(&body, text.data + 100, text.len - 100);
        ASSERT_OK(arka_inflate(body.data, body.len, WAYS[way].coding, &WIDE, &out, &err));
        assert_int_equal(out.len, text.len);
        assert_memory_equal(out.data, text.data, text.len);
        arka_buf_fini(&text), arka_buf_fini(&body), arka_buf_fini(&out);
    }
}

TEST(truncation_at_any_byte_is_refused_and_leaves_nothing)
{
    arka_error err = {0};
    for (size_t way = 0; way < N_WAYS; way++) {
        arka_buf text = text_of_lines(60), body = ARKA_BUF_INIT, out = ARKA_BUF_INIT;
        WAYS[way].add(&body, text.data, text.len);
        arka_buf_literal(&out, "kept");
        for (size_t n = 0; n < body.len; n++) {
            /* a copy of its own, so that the sanitizer sees a read behind it */
            char *cut = malloc(n ? n : 1);
            memcpy(cut, body.data, n);
            ASSERT_FAILS(arka_inflate(cut, n, WAYS[way].coding, &WIDE, &out, &err), ARKA_INPUT,
                         "truncated");
            assert_int_equal(out.len, 4);
            free(cut);
        }
        /* the second member cut as well */
        size_t first = body.len;
        WAYS[way].add(&body, text.data, text.len);
        for (size_t n = first + 1; n < body.len; n++)
            assert_int_equal(arka_inflate(body.data, n, WAYS[way].coding, &WIDE, &out, NULL),
                             ARKA_INPUT);
        assert_int_equal(out.len, 4);
        arka_buf_fini(&text), arka_buf_fini(&body), arka_buf_fini(&out);
    }
}

TEST(garbage_behind_the_last_member_is_refused)
{
    arka_error err = {0};
    for (size_t way = 0; way < N_WAYS; way++) {
        arka_buf body = ARKA_BUF_INIT, out = ARKA_BUF_INIT;
        WAYS[way].add(&body, "cpu f=1", 7);
        arka_buf_literal(&body, "\0\0\0\0trailing");
        ASSERT_FAILS(arka_inflate(body.data, body.len, WAYS[way].coding, &WIDE, &out, &err),
                     ARKA_INPUT, "damaged");
        arka_buf_fini(&body), arka_buf_fini(&out);
    }
}

TEST(any_flipped_bit_is_refused_or_harmless_to_the_text)
{
    for (size_t way = 0; way < 2; way++) {
        arka_buf text = text_of_lines(40), body = ARKA_BUF_INIT, out = ARKA_BUF_INIT;
        WAYS[way].add(&body, text.data, text.len);
        int n_refused = 0;
        for (size_t bit = 0; bit < body.len * 8; bit++) {
            body.data[bit / 8] ^= (char)(1 << bit % 8);
            arka_buf_clear(&out);
            if (arka_inflate(body.data, body.len, WAYS[way].coding, &WIDE, &out, NULL) != ARKA_OK)
                n_refused++;
            else if (WAYS[way].coding == ARKA_CODING_GZIP) {
                /* only the header's name, time and flags are outside the checksum */
                assert_int_equal(out.len, text.len);
                assert_memory_equal(out.data, text.data, text.len);
            }
            body.data[bit / 8] ^= (char)(1 << bit % 8);
        }
        assert_true(n_refused > (int)body.len / 2);
        arka_buf_fini(&text), arka_buf_fini(&body), arka_buf_fini(&out);
    }
}

TEST(absolute_limit_is_exact)
{
    arka_error err = {0};
    for (size_t way = 0; way < N_WAYS; way++)
        for (int existing = 0; existing < 2; existing++) {
            arka_buf text = text_of_lines(3000), body = ARKA_BUF_INIT, out = ARKA_BUF_INIT;
            WAYS[way].add(&body, text.data, text.len);
            if (existing) /* room that the caller made is no licence */
                arka_buf_reserve(&out, text.len * 4);
            arka_inflate_limits limits = {text.len, 0};
            ASSERT_OK(arka_inflate(body.data, body.len, WAYS[way].coding, &limits, &out, &err));
            assert_int_equal(out.len, text.len);
            arka_buf_clear(&out);
            limits.max_bytes--;
            ASSERT_FAILS(arka_inflate(body.data, body.len, WAYS[way].coding, &limits, &out, &err),
                         ARKA_LIMIT, "past the limit");
            assert_int_equal(out.len, 0);
            arka_buf_fini(&text), arka_buf_fini(&body), arka_buf_fini(&out);
        }
}

TEST(bombs_stop_at_the_limit_and_take_no_more_memory_than_it)
{
    arka_error err = {0};
    for (size_t way = 0; way < N_WAYS; way++) {
        arka_buf text = repeated('a', 200 << 20), body = ARKA_BUF_INIT, out = ARKA_BUF_INIT;
        WAYS[way].add(&body, text.data, text.len);
        arka_buf_fini(&text);
        assert_true(body.len < (200 << 20) / 1000); /* 1000:1 and more */
        arka_inflate_limits limits = {10 << 20, 0};
        ASSERT_FAILS(arka_inflate(body.data, body.len, WAYS[way].coding, &limits, &out, &err),
                     ARKA_LIMIT, "past the limit of 10485760 bytes");
        assert_int_equal(out.len, 0);
        assert_true(out.cap <= (10 << 20) + 1);
        arka_buf_fini(&body), arka_buf_fini(&out);
    }
}

TEST(ratio_counts_only_past_a_mebibyte)
{
    arka_error err = {0};
    arka_inflate_limits limits = {64 << 20, 100};
    for (size_t way = 0; way < N_WAYS; way++) {
        arka_buf small = repeated('a', 1 << 20), large = repeated('a', (1 << 20) + 1);
        arka_buf body = ARKA_BUF_INIT, out = ARKA_BUF_INIT;
        WAYS[way].add(&body, small.data, small.len);
        assert_true(body.len * 100 < 1 << 20);
        ASSERT_OK(arka_inflate(body.data, body.len, WAYS[way].coding, &limits, &out, &err));
        assert_int_equal(out.len, 1 << 20);
        arka_buf_clear(&body), arka_buf_clear(&out);
        WAYS[way].add(&body, large.data, large.len);
        ASSERT_FAILS(arka_inflate(body.data, body.len, WAYS[way].coding, &limits, &out, &err),
                     ARKA_LIMIT, "more than 100 times");
        arka_buf_fini(&small), arka_buf_fini(&large), arka_buf_fini(&body), arka_buf_fini(&out);
    }
}

TEST(a_bomb_of_small_members_is_a_bomb_too)
{
    arka_error err = {0};
    for (size_t way = 0; way < 2; way++) {
        arka_buf part = repeated(0, 1 << 20), body = ARKA_BUF_INIT, out = ARKA_BUF_INIT;
        for (int i = 0; i < 20; i++)
            WAYS[way].add(&body, part.data, part.len);
        arka_inflate_limits limits = {64 << 20, 500};
        ASSERT_FAILS(arka_inflate(body.data, body.len, WAYS[way].coding, &limits, &out, &err),
                     ARKA_LIMIT, "more than 500 times");
        arka_buf_fini(&part), arka_buf_fini(&body), arka_buf_fini(&out);
    }
}

TEST(an_honest_ratio_passes)
{
    arka_error err = {0};
    arka_inflate_limits limits = {64 << 20, 100};
    arka_buf text = text_of_lines(100000), body = ARKA_BUF_INIT, out = ARKA_BUF_INIT;
    assert_true(text.len > 2 << 20);
    add_gzip(&body, text.data, text.len);
    ASSERT_OK(arka_inflate(body.data, body.len, ARKA_CODING_GZIP, &limits, &out, &err));
    assert_int_equal(out.len, text.len);
    arka_buf_fini(&text), arka_buf_fini(&body), arka_buf_fini(&out);
}

TEST(uncompressed_bytes_are_copied_within_the_limit)
{
    arka_error err = {0};
    arka_buf out = ARKA_BUF_INIT;
    arka_inflate_limits limits = {7, 1};
    ASSERT_OK(arka_inflate("cpu f=1", 7, ARKA_CODING_NONE, &limits, &out, &err));
    assert_int_equal(out.len, 7);
    limits.max_bytes = 6;
    ASSERT_FAILS(arka_inflate("cpu f=1", 7, ARKA_CODING_NONE, &limits, &out, &err), ARKA_LIMIT,
                 "over the limit of 6 bytes");
    assert_int_equal(out.len, 7);
    arka_buf_fini(&out);
}

TEST(text_that_is_not_compressed_is_refused_as_gzip_and_zstd)
{
    arka_error err = {0};
    arka_buf out = ARKA_BUF_INIT;
    ASSERT_FAILS(arka_inflate("cpu f=1 1767607200", 18, ARKA_CODING_GZIP, &WIDE, &out, &err),
                 ARKA_INPUT, "gzip body is damaged");
    ASSERT_FAILS(arka_inflate("cpu f=1 1767607200", 18, ARKA_CODING_ZSTD, &WIDE, &out, &err),
                 ARKA_INPUT, "zstd body is damaged");
    arka_buf_fini(&out);
}

TEST(a_frame_that_asks_for_a_giant_window_is_refused)
{
    arka_error err = {0};
    arka_buf text = text_of_lines(1000), body = ARKA_BUF_INIT, out = ARKA_BUF_INIT;
    ZSTD_CCtx *ctx = ZSTD_createCCtx();
    ZSTD_CCtx_setParameter(ctx, ZSTD_c_windowLog, 30);
    ZSTD_inBuffer in = {text.data, text.len, 0};
    size_t bound = ZSTD_compressBound(text.len);
    ZSTD_outBuffer to = {arka_buf_reserve(&body, bound), bound, 0};
    /* begun without its end, so that the frame cannot know its size and shrink the window */
    assert_false(ZSTD_isError(ZSTD_compressStream2(ctx, &to, &in, ZSTD_e_flush)));
    assert_int_equal(ZSTD_compressStream2(ctx, &to, &in, ZSTD_e_end), 0);
    ZSTD_freeCCtx(ctx);
    ASSERT_FAILS(arka_inflate(body.data, to.pos, ARKA_CODING_ZSTD, &WIDE, &out, &err), ARKA_INPUT,
                 "memory");
    arka_buf_fini(&text), arka_buf_fini(&body), arka_buf_fini(&out);
}
