#include "server/http/compress.h"

#include "kit/kit.h"
#include "wire/inflate.h"

TEST(the_coding_that_is_liked_best_is_taken)
{
    static const struct {
        const char *header;
        arka_coding wanted;
    } CASES[] = {
        {"", ARKA_CODING_NONE},
        {"gzip", ARKA_CODING_GZIP},
        {"GZip", ARKA_CODING_GZIP},
        {"x-gzip", ARKA_CODING_GZIP},
        {"zstd", ARKA_CODING_ZSTD},
        {"gzip, deflate", ARKA_CODING_GZIP},
        {"gzip, deflate, br, zstd", ARKA_CODING_ZSTD},
        {"gzip;q=1.0, zstd;q=0.5", ARKA_CODING_GZIP},
        {"gzip;q=0.5,zstd;q=0.501", ARKA_CODING_ZSTD},
        {" gzip ; q=0.8 , zstd ; q=0.8 ", ARKA_CODING_ZSTD},
        {"gzip;q=0", ARKA_CODING_NONE},
        {"gzip;q=0.000, zstd;Q=0", ARKA_CODING_NONE},
        {"*", ARKA_CODING_ZSTD},
        {"*;q=0.5, zstd;q=0", ARKA_CODING_GZIP},
        {"*;q=0", ARKA_CODING_NONE},
        {"identity", ARKA_CODING_NONE},
        {"identity;q=1, gzip;q=0.5", ARKA_CODING_NONE},
        {"identity;q=0.5, gzip;q=0.5", ARKA_CODING_GZIP},
        {"identity;q=0, gzip;q=0", ARKA_CODING_NONE},
        {"gzip;level=3;q=0.3", ARKA_CODING_GZIP},
        {"br, deflate", ARKA_CODING_NONE},
        {"gzip;q=2", ARKA_CODING_NONE},
        {"gzip;q=0.1234", ARKA_CODING_NONE},
        {"gzip;q=", ARKA_CODING_NONE},
        {"gzip;q=-1", ARKA_CODING_NONE},
        {"gzip;q=1.1", ARKA_CODING_NONE},
        {",,;,gzip", ARKA_CODING_GZIP},
        {"gzipx", ARKA_CODING_NONE},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++)
        if (arka_coding_accepted(arka_slice_of(CASES[i].header)) != CASES[i].wanted)
            fail_msg("'%s': %d, expected %d", CASES[i].header,
                     arka_coding_accepted(arka_slice_of(CASES[i].header)), CASES[i].wanted);
}

static void put_text(arka_buf *out, size_t n)
{
    for (size_t i = 0; out->len < n; i++)
        arka_buf_printf(out, "host%zu,%zu\n", i % 7, i * i);
    out->len = n;
}

static void assert_comes_back(const arka_buf *packed, arka_coding coding, const arka_buf *text)
{
    arka_error err = {0};
    const arka_inflate_limits limits = {.max_bytes = 64 << 20};
    arka_buf back = ARKA_BUF_INIT;
    assert_int_equal(arka_coding_detect(packed->data, packed->len), coding);
    ASSERT_OK(arka_inflate(packed->data, packed->len, coding, &limits, &back, &err));
    assert_int_equal(back.len, text->len);
    assert_memory_equal(back.data, text->data, text->len);
    arka_buf_fini(&back);
}

TEST(what_goes_in_comes_out_whole_or_in_pieces)
{
    static const size_t SIZES[] = {1, 100, 70000, 3 << 20};
    for (int coding = ARKA_CODING_GZIP; coding <= ARKA_CODING_ZSTD; coding++) {
        for (size_t i = 0; i < sizeof SIZES / sizeof *SIZES; i++) {
            for (int pieces = 1; pieces <= 3; pieces += 2) {
                arka_buf text = ARKA_BUF_INIT, packed = ARKA_BUF_INIT;
                put_text(&text, SIZES[i]);
                arka_compressor *c = arka_compressor_new((arka_coding)coding);
                assert_non_null(c);
                size_t step = text.len / (size_t)pieces;
                for (int p = 0; p < pieces; p++) {
                    size_t from = step * (size_t)p, n = p + 1 < pieces ? step : text.len - from;
                    assert_true(
                        arka_compressor_run(c, (arka_slice){text.data + from, n}, false, &packed));
                }
                assert_true(arka_compressor_run(c, (arka_slice){NULL, 0}, true, &packed));
                arka_compressor_free(c);
                assert_comes_back(&packed, (arka_coding)coding, &text);
                arka_buf_fini(&text);
                arka_buf_fini(&packed);
            }
        }
    }
}
