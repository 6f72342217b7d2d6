#include "columnar/parquet_dict.h"
#include "columnar/parquet_encode.h"
#include "columnar/parquet_thrift.h"
#include "kit/parquet_reader.h"

static uint64_t random_below_width(int width)
{
    uint64_t v = kit_random();
    return width == 0 ? 0 : v >> (64 - width);
}

static pqr_at whole(const arka_buf *buf)
{
    assert_false(buf->failed);
    const uint8_t *p = (const uint8_t *)buf->data;
    return (pqr_at){p, p + buf->len};
}

static void check_delta(const int64_t *values, int64_t n)
{
    ARKA_AUTO_VALUE(arka_buf) buf = ARKA_BUF_INIT;
    uint64_t *got = malloc((size_t)n * 8 + 8);
    arka_encode__delta(&buf, values, n);
    pqr_at at = whole(&buf);
    pqr_delta(&at, got, n);
    if (n > 0)
        assert_memory_equal(got, values, (size_t)n * 8);
    free(got);
}

TEST(delta_reads_back_at_every_width_and_length)
{
    int64_t values[1000];
    for (int width = 0; width <= 64; width++) {
        uint64_t v = kit_random();
        for (int i = 0; i < 1000; i++)
            values[i] = (int64_t)(v += random_below_width(width));
        check_delta(values, 1000);
        for (int64_t n = 0; n < 140; n++)
            check_delta(values, n);
    }
}

TEST(delta_wraps_round_at_the_ends_of_int64)
{
    int64_t values[300];
    for (int i = 0; i < 300; i++)
        values[i] = i % 3 == 0 ? INT64_MIN : i % 3 == 1 ? INT64_MAX : -1;
    check_delta(values, 300);
}

/* A first value, one of 128 equal steps: a block head, and miniblocks of no bytes. */
TEST(delta_of_equal_steps_is_as_short_as_can_be)
{
    ARKA_AUTO_VALUE(arka_buf) buf = ARKA_BUF_INIT;
    int64_t values[129];
    for (int i = 0; i < 129; i++)
        values[i] = 1000 + i * 3;
    arka_encode__delta(&buf, values, 129);
    const uint8_t expected[] = {0x80, 1, 4, 0x81, 1, 0xd0, 15, 6, 0, 0, 0, 0};
    assert_int_equal(buf.len, sizeof expected);
    assert_memory_equal(buf.data, expected, sizeof expected);
}

TEST(delta_bits_tell_what_delta_will_take)
{
    int64_t *values = malloc(100000 * 8);
    for (int width = 0; width <= 60; width += 5) {
        uint64_t v = 0;
        for (int i = 0; i < 100000; i++)
            values[i] = (int64_t)(v += random_below_width(width));
        ARKA_AUTO_VALUE(arka_buf) buf = ARKA_BUF_INIT;
        arka_encode__delta(&buf, values, 100000);
        double bits = (double)buf.len * 8 / 100000;
        assert_true(fabs(arka_encode__delta_bits(values, 100000) - bits) < 2);
    }
    free(values);
}

static void check_indexes(const uint32_t *indexes, int64_t n, int width, size_t at_most)
{
    ARKA_AUTO_VALUE(arka_buf) buf = ARKA_BUF_INIT;
    uint64_t *got = malloc((size_t)n * 8 + 8);
    arka_encode__indexes(&buf, indexes, n, width);
    pqr_at at = whole(&buf);
    assert_int_equal(pqr_byte(&at), width);
    pqr_hybrid(&at, width, got, n);
    assert_ptr_equal(at.p, at.end);
    for (int64_t i = 0; i < n; i++)
        assert_int_equal(got[i], indexes[i]);
    assert_true(buf.len <= at_most);
    free(got);
}

TEST(indexes_read_back_at_every_width)
{
    uint32_t indexes[3000];
    for (int width = 1; width <= 32; width++) {
        for (int i = 0; i < 3000; i++)
            indexes[i] = (uint32_t)random_below_width(width);
        check_indexes(indexes, 3000, width, (size_t)(3000 * width / 8 + 8 + width));
        for (int64_t n = 0; n < 40; n++)
            check_indexes(indexes, n, width, 400);
        /* runs of all lengths, beginning anywhere */
        for (int i = 0; i < 3000;) {
            uint32_t v = (uint32_t)random_below_width(width);
            for (uint64_t run = 1 + kit_random() % (kit_random() % 4 == 0 ? 300 : 12);
                 run > 0 && i < 3000; run--)
                indexes[i++] = v;
        }
        check_indexes(indexes, 3000, width, (size_t)(3000 * width / 8 + 8 + width));
    }
}

TEST(a_constant_column_takes_a_few_bytes)
{
    uint32_t indexes[20480] = {0};
    check_indexes(indexes, 20480, 1, 5);
}

static void check_levels(const uint8_t *validity, int64_t from, int64_t n, size_t at_most)
{
    ARKA_AUTO_VALUE(arka_buf) buf = ARKA_BUF_INIT;
    uint64_t *got = malloc((size_t)n * 8 + 8);
    arka_encode__levels(&buf, validity, from, n);
    assert_true(buf.len <= arka_encode__levels_bound(n) && buf.len <= at_most);
    pqr_at at = whole(&buf);
    uint32_t len;
    memcpy(&len, pqr_take(&at, 4), 4);
    assert_int_equal(len, at.end - at.p);
    pqr_hybrid(&at, 1, got, n);
    assert_ptr_equal(at.p, at.end);
    for (int64_t i = 0; i < n; i++) {
        int64_t k = from + i;
        assert_int_equal(got[i], validity == NULL || (validity[k / 8] >> k % 8 & 1));
    }
    free(got);
}

TEST(levels_read_back_from_any_bit_on)
{
    uint8_t validity[500];
    for (int round = 0; round < 300; round++) {
        /* bytes all null, all there or mixed, in stretches */
        for (size_t i = 0; i < sizeof validity;) {
            uint64_t kind = kit_random() % 3, run = 1 + kit_random() % 60;
            for (; run > 0 && i < sizeof validity; run--)
                validity[i++] = kind == 0 ? 0 : kind == 1 ? 255 : (uint8_t)kit_random();
        }
        int64_t from = (int64_t)(kit_random() % 2000);
        int64_t n = 1 + (int64_t)(kit_random() % (uint64_t)(4000 - from));
        check_levels(validity, from, n, SIZE_MAX);
    }
    check_levels(NULL, 0, 122880, 8);
    memset(validity, 0, sizeof validity);
    check_levels(validity, 3, 3990, 8);
}

static void check_texts(const arka_slice *values, int64_t n)
{
    ARKA_AUTO_VALUE(arka_dict) dict = {0};
    assert_int_equal(arka_dict__texts(&dict, values, n), DICT_FITS);
    assert_int_equal(dict.indexes.n, n);
    for (int64_t i = 0; i < n; i++)
        assert_true(arka_slice_eq(dict.texts.items[dict.indexes.items[i]], values[i]));
    for (uint32_t i = 0; i < dict.n; i++)
        for (uint32_t k = 0; k < i && dict.n < 1000; k++)
            assert_false(arka_slice_eq(dict.texts.items[i], dict.texts.items[k]));
}

/* Texts of all lengths that differ in one byte, and equal ones at other places in memory. */
TEST(texts_are_told_apart_by_every_byte)
{
    enum { LENGTHS = 40, N = LENGTHS * (LENGTHS + 1) };
    char *bytes = malloc(N * LENGTHS);
    arka_slice values[N];
    int64_t n = 0;
    for (int len = 0; len < LENGTHS; len++)
        for (int differ = -1; differ < len; differ++) {
            char *at = bytes + n * LENGTHS;
            memset(at, 'a', LENGTHS);
            if (differ >= 0)
                at[differ] = 'b';
            values[n++] = (arka_slice){at, (size_t)len};
        }
    int64_t half = n;
    for (int64_t i = 0; i < half; i++, n++)
        values[n] =
            (arka_slice){memcpy(bytes + n * LENGTHS, values[i].data, LENGTHS), values[i].len};
    check_texts(values, n);
    free(bytes);
}

/* Repetitions of one byte look alike but for their length. */
TEST(texts_are_told_apart_by_their_length)
{
    char bytes[40];
    arka_slice values[40];
    for (int letter = 0; letter < 256; letter++) {
        memset(bytes, letter, sizeof bytes);
        for (size_t len = 0; len < 40; len++)
            values[len] = (arka_slice){bytes, len};
        check_texts(values, 40);
    }
}

TEST(many_texts_grow_the_dictionary)
{
    static char bytes[20000][8];
    arka_slice *values = malloc(60000 * sizeof *values);
    for (int i = 0; i < 60000; i++) {
        int k = i % 20000;
        values[i] = (arka_slice){bytes[k], (size_t)snprintf(bytes[k], 8, "%d", k)};
    }
    ARKA_AUTO_VALUE(arka_dict) dict = {0};
    assert_int_equal(arka_dict__texts(&dict, values, 60000), DICT_TOO_LARGE); /* by the sample */
    for (int i = 0; i < 60000; i++)
        values[i] = (arka_slice){bytes[i % 5000], strlen(bytes[i % 5000])};
    check_texts(values, 60000);
    assert_int_equal(arka_dict__texts(&dict, values, 60000), DICT_FITS);
    assert_int_equal(dict.n, 5000);
    free(values);
}

/* Hosts that report in turn, as many as you like: the sample must not be fooled by the period. */
TEST(periodic_values_get_a_dictionary)
{
    ARKA_AUTO_VALUE(arka_dict) dict = {0};
    uint64_t *values = malloc(122880 * 8);
    for (uint64_t period = 1; period < 10000; period += 1 + period / 3) {
        for (uint64_t i = 0; i < 122880; i++)
            values[i] = i % period * 1000003;
        assert_int_equal(arka_dict__words(&dict, values, 122880), DICT_FITS);
        assert_int_equal(dict.n, period);
    }
    free(values);
}

TEST(doubles_are_told_apart_by_their_bits)
{
    ARKA_AUTO_VALUE(arka_dict) dict = {0};
    uint64_t values[] = {0, UINT64_C(1) << 63, 0x7ff8000000000000, 0x7ff8000000000001,
                         0, 0x7ff8000000000000};
    assert_int_equal(arka_dict__words(&dict, values, 6), DICT_FITS);
    assert_int_equal(dict.n, 4);
    for (int i = 0; i < 6; i++)
        assert_int_equal(dict.words.items[dict.indexes.items[i]], values[i]);
}

TEST(a_dictionary_of_too_many_words_is_given_up)
{
    ARKA_AUTO_VALUE(arka_dict) dict = {0};
    uint64_t *values = malloc(100000 * 8);
    for (int i = 0; i < 100000; i++)
        values[i] = kit_random();
    assert_int_equal(arka_dict__words(&dict, values, 100000), DICT_TOO_LARGE);
    /* one value half of the time fools the sample, not the limit */
    for (int i = 0; i < 100000; i += 2)
        values[i] = 7;
    assert_int_equal(arka_dict__words(&dict, values, 100000), DICT_TOO_LARGE);
    for (int i = 0; i < 100000; i++)
        values[i] %= 1000;
    assert_int_equal(arka_dict__words(&dict, values, 100000), DICT_FITS);
    for (int i = 0; i < 100000; i++)
        assert_int_equal(dict.words.items[dict.indexes.items[i]], values[i]);
    free(values);
}

TEST(thrift_reads_back)
{
    ARKA_AUTO_VALUE(arka_buf) buf = ARKA_BUF_INIT;
    arka_thrift t = {.out = &buf};
    arka_thrift__begin(&t);
    arka_thrift__bool(&t, 1, true);
    arka_thrift__byte(&t, 2, -3);
    arka_thrift__i16(&t, 18, INT16_MIN); /* a gap too wide for the short form */
    arka_thrift__i32(&t, 19, INT32_MIN);
    arka_thrift__i64(&t, 20, INT64_MAX);
    arka_thrift__struct(&t, 21);
    arka_thrift__binary(&t, 1, "abc", 3);
    arka_thrift__end(&t);
    arka_thrift__list(&t, 22, THRIFT_I32, 20); /* more than the short form of a list has */
    for (int i = 0; i < 20; i++)
        arka_thrift__item_i32(&t, i - 10);
    arka_thrift__bool(&t, 23, false);
    arka_thrift__end(&t);
    pqr_file f = {0};
    pqr_at at = whole(&buf);
    pqr_node *node = pqr_parse(&f, &at, 12);
    assert_ptr_equal(at.p, at.end);
    assert_int_equal(pqr_get(node, 1)->i, 1);
    assert_int_equal(pqr_get(node, 2)->i, -3);
    assert_int_equal(pqr_get(node, 18)->i, INT16_MIN);
    assert_int_equal(pqr_get(node, 19)->i, INT32_MIN);
    assert_int_equal(pqr_get(node, 20)->i, INT64_MAX);
    assert_true(arka_slice_eq(pqr_get(pqr_get(node, 21), 1)->bytes, ARKA_SLICE("abc")));
    for (int i = 0; i < 20; i++)
        assert_int_equal(pqr_item(pqr_get(node, 22), i)->i, i - 10);
    assert_int_equal(pqr_get(node, 23)->i, 0);
    arka_arena_fini(&f.arena);
}
