#include "columnar/flatbuf.h"

#include "kit/kit.h"

/* A root table: slot 0 int64 -5, slot 2 uint8 200, slot 3 text, slot 4 two tables of slot 0 int32.
 */
static void write_sample(arka_buf *out)
{
    arka_flatbuf_shape root = {0};
    arka_flatbuf_writer w = arka_flatbuf__begin(out);
    arka_flatbuf__slot(&root, 0, 8, -5);
    arka_flatbuf__slot(&root, 2, 1, 200);
    arka_flatbuf__ref(&root, 3);
    arka_flatbuf__ref(&root, 4);
    arka_flatbuf__point(&w, 0, arka_flatbuf__table(&w, &root));
    arka_flatbuf__point(&w, root.at[3], arka_flatbuf__string(&w, ARKA_SLICE("text")));
    size_t items = arka_flatbuf__vector(&w, 2, 4, 4);
    arka_flatbuf__point(&w, root.at[4], items);
    for (size_t i = 0; i < 2; i++) {
        arka_flatbuf_shape item = {0};
        arka_flatbuf__slot(&item, 0, 4, (int64_t)i + 7);
        arka_flatbuf__point(&w, items + 4 + 4 * i, arka_flatbuf__table(&w, &item));
    }
}

/* Reads all of it; the sum of what was found. */
static uint64_t read_sample(arka_flatbuf *fb)
{
    arka_flatbuf_table root = arka_flatbuf__root(fb);
    uint64_t sum = (uint64_t)arka_flatbuf__int(fb, &root, 0, 8, 0);
    sum += (uint64_t)arka_flatbuf__int(fb, &root, 2, 1, 0);
    sum += (uint64_t)arka_flatbuf__int(fb, &root, 1, 2, 1000);
    sum += arka_flatbuf__text(fb, &root, 3).len;
    arka_flatbuf_vector items = arka_flatbuf__tables(fb, &root, 4);
    for (uint32_t i = 0; i < items.n; i++) {
        arka_flatbuf_table item = arka_flatbuf__item(fb, &items, i);
        sum += (uint64_t)arka_flatbuf__int(fb, &item, 0, 4, 0);
    }
    return sum;
}

TEST(what_is_written_is_read)
{
    ARKA_AUTO_VALUE(arka_buf) out = ARKA_BUF_INIT;
    write_sample(&out);
    arka_flatbuf fb = arka_flatbuf__open(out.data, out.len);
    assert_int_equal(read_sample(&fb), -5 + (200 - 256) + 1000 + 4 + 7 + 8);
    assert_null(fb.bad);
    arka_flatbuf_table root = arka_flatbuf__root(&fb);
    assert_int_equal((root.at + 4) % 8, 0);
    assert_null(arka_flatbuf__text(&fb, &root, 1).data);
    assert_int_equal(arka_flatbuf__child(&fb, &root, 7).at, 0);
}

TEST(every_shorter_buffer_is_bad)
{
    ARKA_AUTO_VALUE(arka_buf) out = ARKA_BUF_INIT;
    write_sample(&out);
    for (size_t n = 0; n < out.len; n++) {
        /* exactly n bytes, so that the sanitizer sees a read past them */
        uint8_t *copy = malloc(n + 1);
        memcpy(copy + 1, out.data, n);
        arka_flatbuf fb = arka_flatbuf__open(copy + 1, n);
        read_sample(&fb);
        assert_non_null(fb.bad);
        free(copy);
    }
}

TEST(every_changed_byte_stays_inside)
{
    ARKA_AUTO_VALUE(arka_buf) out = ARKA_BUF_INIT;
    write_sample(&out);
    for (size_t at = 0; at < out.len; at++) {
        for (int bit = 0; bit < 8; bit++) {
            uint8_t *copy = malloc(out.len);
            memcpy(copy, out.data, out.len);
            copy[at] ^= (uint8_t)(1 << bit);
            arka_flatbuf fb = arka_flatbuf__open(copy, out.len);
            read_sample(&fb);
            /* once bad, everything is absent */
            assert_true(fb.bad == NULL || arka_flatbuf__root(&fb).at == 0);
            free(copy);
        }
    }
}

TEST(one_table_listed_over_and_over_is_stopped)
{
    enum { N = 5000 };
    ARKA_AUTO_VALUE(arka_buf) out = ARKA_BUF_INIT;
    arka_flatbuf_writer w = arka_flatbuf__begin(&out);
    arka_flatbuf_shape root = {0}, item = {0};
    arka_flatbuf__ref(&root, 0);
    arka_flatbuf__point(&w, 0, arka_flatbuf__table(&w, &root));
    size_t items = arka_flatbuf__vector(&w, N, 4, 4);
    arka_flatbuf__point(&w, root.at[0], items);
    size_t target = arka_flatbuf__table(&w, &item);
    for (size_t i = 0; i < N; i++)
        arka_flatbuf__point(&w, items + 4 + 4 * i, target);

    arka_flatbuf fb = arka_flatbuf__open(out.data, out.len);
    arka_flatbuf_table t = arka_flatbuf__root(&fb);
    size_t opened = 0;
    for (int round = 0; round < 1000 && fb.bad == NULL; round++) {
        arka_flatbuf_vector v = arka_flatbuf__tables(&fb, &t, 0);
        for (uint32_t i = 0; i < v.n; i++)
            opened += arka_flatbuf__item(&fb, &v, i).at != 0;
    }
    assert_non_null(fb.bad);
    assert_in_range(opened, 990000, 1000000);
}
