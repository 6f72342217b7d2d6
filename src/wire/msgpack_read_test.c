/* Tokens: each form, and what says that a body cannot be read. */
#include "kit/kit.h"
#include "kit/pack_text.h"
#include "wire/msgpack_read.h"

static arka_msgpack_reader reader_of(const arka_buf *b)
{
    const uint8_t *bytes = (const uint8_t *)b->data;
    return (arka_msgpack_reader){bytes, bytes + b->len, bytes};
}

static arka_msgpack_token token_of(const char *notation)
{
    arka_buf b = ARKA_BUF_INIT;
    arka_msgpack_token t;
    pack_notation(&b, notation);
    arka_msgpack_reader r = reader_of(&b);
    assert_true(arka_msgpack_next(&r, &t));
    arka_buf_fini(&b);
    return t;
}

TEST(scalars_have_their_values)
{
    static const struct {
        const char *notation;
        int64_t v;
    } INTS[] = {{"0", 0},
                {"127", 127},
                {"-1", -1},
                {"-32", -32},
                {"<cc 200>", 200},
                {"<cd 40000>", 40000},
                {"<ce 3000000000>", 3000000000},
                {"<cf 9223372036854775807>", INT64_MAX},
                {"<d0 -128>", -128},
                {"<d1 -32768>", -32768},
                {"<d2 -2147483648>", INT32_MIN},
                {"<d3 -9223372036854775808>", INT64_MIN}};
    for (size_t i = 0; i < sizeof INTS / sizeof *INTS; i++) {
        arka_msgpack_token t = token_of(INTS[i].notation);
        assert_int_equal(t.kind, ARKA_MSGPACK_INT);
        assert_true(t.i64 == INTS[i].v);
    }
    arka_msgpack_token t = token_of("<cf 9223372036854775808>");
    assert_int_equal(t.kind, ARKA_MSGPACK_UINT);
    assert_true(t.u64 == UINT64_C(1) << 63);
    assert_int_equal(token_of("nil").kind, ARKA_MSGPACK_NIL);
    assert_true(token_of("true").boolean);
    assert_false(token_of("false").boolean);
    assert_true(token_of("-1.25").f64 == -1.25);
    assert_true(token_of("<ca 0.1>").f64 == (double)0.1f);
}

TEST(lengths_of_all_widths_are_read)
{
    static const size_t LENGTHS[] = {0, 1, 31, 32, 255, 256, 65535, 65536, 70000};
    for (size_t i = 0; i < sizeof LENGTHS / sizeof *LENGTHS; i++) {
        size_t n = LENGTHS[i];
        char *bytes = calloc(n + 1, 1);
        arka_buf b = ARKA_BUF_INIT;
        arka_msgpack_token t;
        memset(bytes, 'z', n);
        pack_text(&b, bytes, n);
        pack_bin(&b, bytes, n);
        pack_ext(&b, -7, bytes, n);
        arka_msgpack_reader r = reader_of(&b);
        for (int form = 0; form < 3; form++) {
            assert_true(arka_msgpack_next(&r, &t));
            assert_int_equal(t.kind, form < 2 ? ARKA_MSGPACK_TEXT : ARKA_MSGPACK_EXT);
            assert_int_equal(t.bytes.len, n);
            assert_memory_equal(t.bytes.data, bytes, n);
        }
        assert_int_equal(t.ext_type, -7);
        assert_ptr_equal(r.at, r.end);
        arka_buf_fini(&b);
        free(bytes);
    }
}

TEST(counts_of_all_widths_are_read)
{
    static const uint32_t COUNTS[] = {0, 1, 15, 16, 65535, 65536};
    for (size_t i = 0; i < sizeof COUNTS / sizeof *COUNTS; i++) {
        arka_buf b = ARKA_BUF_INIT;
        arka_msgpack_token t;
        arka_error err = {0};
        pack_array(&b, COUNTS[i]);
        for (uint32_t n = 0; n < COUNTS[i]; n++)
            pack_map(&b, 0);
        pack_map(&b, COUNTS[i]);
        for (uint32_t n = 0; n < COUNTS[i]; n++)
            pack_nil(&b), pack_bool(&b, true);
        arka_msgpack_reader r = reader_of(&b), again = r;
        assert_true(arka_msgpack_next(&r, &t));
        assert_int_equal(t.kind, ARKA_MSGPACK_ARRAY);
        assert_int_equal(t.count, COUNTS[i]);
        ASSERT_OK(arka_msgpack_skip(&again, &err));
        assert_true(arka_msgpack_next(&again, &t));
        assert_int_equal(t.kind, ARKA_MSGPACK_MAP);
        assert_int_equal(t.count, COUNTS[i]);
        arka_buf_fini(&b);
    }
}

TEST(every_way_to_be_unreadable_has_its_sentence)
{
    static const struct {
        const char *notation, *sentence;
    } CASES[] = {
        {"<raw c1>", "byte 0 is 0xc1, which begins no value"},
        {"[1,<raw c1>]", "byte 2 is 0xc1, which begins no value"},
        {"<raw 92 01>", "the array at byte 0 declares 2 elements, 1 bytes follow"},
        {"<raw 92 91 01>", "it ends at byte 3, where a value is expected"},
        {"<raw 82 c0c0c0>", "the map at byte 0 declares 2 pairs, 3 bytes follow"},
        {"<raw cb 0000>", "the value at byte 0 begins with 0xcb and needs 9 bytes, 3 are left"},
        {"<raw dc 00>", "the value at byte 0 begins with 0xdc and needs 3 bytes, 2 are left"},
        {"<raw dd ffffffff c0>",
         "the array at byte 0 declares 4294967295 elements, 1 bytes follow"},
        {"<raw de 0100 c0>", "the map at byte 0 declares 256 pairs, 1 bytes follow"},
        {"<raw a3 6162>", "the value at byte 0 declares 3 bytes, 2 bytes follow"},
        {"<raw d9 05 61>", "the value at byte 0 declares 5 bytes, 1 bytes follow"},
        {"<raw da 0500 61>", "the value at byte 0 declares 1280 bytes, 1 bytes follow"},
        {"<raw d6 ff 00>", "the value at byte 0 declares 4 bytes, 1 bytes follow"},
        {"<raw c7 03 01 0000>", "the value at byte 0 declares 3 bytes, 2 bytes follow"},
        {"<raw c7 03>", "the value at byte 0 declares 3 bytes, 0 bytes follow"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        arka_buf b = ARKA_BUF_INIT;
        arka_error err = {0};
        pack_notation(&b, CASES[i].notation);
        arka_msgpack_reader r = reader_of(&b);
        ASSERT_FAILS(arka_msgpack_skip(&r, &err), ARKA_INPUT, CASES[i].sentence);
        arka_buf_fini(&b);
    }
}
