/**
 * A small reader of Parquet for tests: written from the format's documents alone, it shares nothing
 * with the writer and is slow on purpose (bit by bit). Flat columns, version 1 pages, the encodings
 * PLAIN, RLE_DICTIONARY and DELTA_BINARY_PACKED, all codecs of ours. What is wrong fails the test.
 *
 *     pqr_file *f = pqr_open(bytes, n);
 *     pqr_column c = pqr_read(f, "host");     c.present[row], c.words[row], c.texts[row]
 *     pqr_close(f);                           frees all that came from it
 */
#ifndef TESTS_PARQUET_READER_H
#define TESTS_PARQUET_READER_H

#include <lz4.h>
#include <snappy-c.h>
#include <zlib.h>
#include <zstd.h>

#include "base/arena.h"
#include "kit/kit.h"

/* A Thrift value as a tree: structs and lists have children, numbers and booleans `i`. */
typedef struct pqr_node {
    int id, type;
    int64_t i;
    arka_slice bytes;
    struct pqr_node *child, *next;
    int64_t n;
} pqr_node;

typedef struct pqr_file {
    const uint8_t *bytes;
    size_t n;
    arka_arena arena;
    pqr_node *footer;
} pqr_file;

typedef struct pqr_column {
    int64_t n_rows;
    bool *present;
    uint64_t *words;   /* INT64, DOUBLE: the bits; BOOLEAN: 0 or 1 */
    arka_slice *texts; /* BYTE_ARRAY */
    int n_pages, n_dictionaries;
    size_t largest_page; /* bytes, not compressed */
} pqr_column;

typedef struct pqr_at {
    const uint8_t *p, *end;
} pqr_at;

static inline uint8_t pqr_byte(pqr_at *at)
{
    assert_true(at->p < at->end);
    return *at->p++;
}

static inline uint64_t pqr_varint(pqr_at *at)
{
    uint64_t v = 0;
    for (int shift = 0;; shift += 7) {
        assert_true(shift < 70);
        uint8_t b = pqr_byte(at);
        v |= (uint64_t)(b & 0x7f) << shift;
        if (b < 0x80)
            return v;
    }
}

static inline int64_t pqr_zigzag(pqr_at *at)
{
    uint64_t v = pqr_varint(at);
    return (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
}

static inline const uint8_t *pqr_take(pqr_at *at, size_t n)
{
    assert_true((size_t)(at->end - at->p) >= n);
    at->p += n;
    return at->p - n;
}

static inline pqr_node *pqr_parse(pqr_file *f, pqr_at *at, int type);

static inline void pqr_parse_struct(pqr_file *f, pqr_at *at, pqr_node *node)
{
    pqr_node **tail = &node->child;
    for (int id = 0;;) {
        uint8_t head = pqr_byte(at);
        if (head == 0)
            return;
        id = head >> 4 != 0 ? id + (head >> 4) : (int)pqr_zigzag(at);
        *tail = pqr_parse(f, at, head & 15);
        (*tail)->id = id;
        tail = &(*tail)->next;
    }
}

static inline void pqr_parse_list(pqr_file *f, pqr_at *at, pqr_node *node)
{
    uint8_t head = pqr_byte(at);
    node->n = head >> 4 != 15 ? head >> 4 : (int64_t)pqr_varint(at);
    pqr_node **tail = &node->child;
    for (int64_t i = 0; i < node->n; i++, tail = &(*tail)->next)
        *tail = pqr_parse(f, at, head & 15);
}

static inline pqr_node *pqr_parse(pqr_file *f, pqr_at *at, int type)
{
    pqr_node *node = arka_arena_zalloc(&f->arena, sizeof *node);
    node->type = type;
    switch (type) {
    case 1: /* true, false */
    case 2:
        node->i = type == 1;
        break;
    case 3:
        node->i = (int8_t)pqr_byte(at);
        break;
    case 4: /* i16, i32, i64 */
    case 5:
    case 6:
        node->i = pqr_zigzag(at);
        break;
    case 8:
        node->bytes.len = pqr_varint(at);
        node->bytes.data = (const char *)pqr_take(at, node->bytes.len);
        break;
    case 9:
        pqr_parse_list(f, at, node);
        break;
    case 12:
        pqr_parse_struct(f, at, node);
        break;
    default:
        fail_msg("Thrift type %d is not one of those that a footer has", type);
    }
    return node;
}

/** Field `id` of a struct, or NULL. */
static inline pqr_node *pqr_find(const pqr_node *node, int id)
{
    for (pqr_node *c = node != NULL ? node->child : NULL; c != NULL; c = c->next)
        if (c->id == id)
            return c;
    return NULL;
}

/** The field that must be there. */
static inline pqr_node *pqr_get(const pqr_node *node, int id)
{
    pqr_node *c = pqr_find(node, id);
    if (c == NULL)
        fail_msg("field %d is missing", id);
    return c;
}

static inline pqr_node *pqr_item(const pqr_node *list, int64_t i)
{
    pqr_node *c = list->child;
    for (; c != NULL && i > 0; i--)
        c = c->next;
    assert_non_null(c);
    return c;
}

static inline void pqr_close(pqr_file *f)
{
    arka_arena_fini(&f->arena);
    free(f);
}

static inline pqr_file *pqr_open(const void *bytes, size_t n)
{
    pqr_file *f = calloc(1, sizeof *f);
    f->bytes = bytes;
    f->n = n;
    assert_true(n >= 12);
    assert_memory_equal(bytes, "PAR1", 4);
    assert_memory_equal(f->bytes + n - 4, "PAR1", 4);
    uint32_t len;
    memcpy(&len, f->bytes + n - 8, 4);
    assert_true(len <= n - 12);
    pqr_at at = {f->bytes + n - 8 - len, f->bytes + n - 8};
    f->footer = pqr_parse(f, &at, 12);
    assert_ptr_equal(at.p, at.end);
    return f;
}

/** SchemaElement of leaf `c`. */
static inline pqr_node *pqr_field(const pqr_file *f, int c)
{
    return pqr_item(pqr_get(f->footer, 2), c + 1);
}

/** ColumnMetaData. */
static inline pqr_node *pqr_chunk(const pqr_file *f, int group, int c)
{
    return pqr_get(pqr_item(pqr_get(pqr_item(pqr_get(f->footer, 4), group), 1), c), 3);
}

static inline int pqr_column_of(const pqr_file *f, const char *name)
{
    for (int c = 0; c < pqr_get(f->footer, 2)->n - 1; c++)
        if (arka_slice_eq(pqr_get(pqr_field(f, c), 4)->bytes, arka_slice_of(name)))
            return c;
    fail_msg("no column %s", name);
    return -1;
}

static inline const uint8_t *pqr_inflate(pqr_file *f, int codec, const uint8_t *from, size_t n,
                                         size_t n_raw)
{
    char *to = arka_arena_alloc(&f->arena, n_raw + 1);
    const char *in = (const char *)from;
    size_t len = n_raw;
    z_stream z = {.next_in = (Bytef *)(uintptr_t)from,
                  .avail_in = (unsigned)n,
                  .next_out = (Bytef *)to,
                  .avail_out = (unsigned)n_raw};
    switch (codec) {
    case 0:
        assert_int_equal(n, n_raw);
        return from;
    case 1:
        assert_int_equal(snappy_uncompress(in, n, to, &len), SNAPPY_OK);
        break;
    case 2:
        assert_int_equal(inflateInit2(&z, 15 + 16), Z_OK); /* gzip, nothing else */
        assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
        len = z.total_out;
        assert_int_equal(z.avail_in, 0);
        inflateEnd(&z);
        break;
    case 6:
        len = ZSTD_decompress(to, n_raw, in, n);
        assert_false(ZSTD_isError(len));
        break;
    case 7:
        len = (size_t)LZ4_decompress_safe(in, to, (int)n, (int)n_raw);
        break;
    default:
        fail_msg("codec %d", codec);
    }
    assert_int_equal(len, n_raw);
    return (uint8_t *)to;
}

/* `width` bits from bit `bit` on. */
static inline uint64_t pqr_bits(const uint8_t *bytes, size_t bit, int width)
{
    uint64_t v = 0;
    for (int i = 0; i < width; i++, bit++)
        v |= (uint64_t)(bytes[bit / 8] >> bit % 8 & 1) << i;
    return v;
}

/** The RLE / bit-packed hybrid: exactly n values. */
static inline void pqr_hybrid(pqr_at *at, int width, uint64_t *out, int64_t n)
{
    for (int64_t i = 0; i < n;) {
        uint64_t head = pqr_varint(at);
        int64_t count = (int64_t)(head >> 1) * (head & 1 ? 8 : 1);
        assert_true(count > 0);
        if (head & 1) {
            const uint8_t *bytes = pqr_take(at, (size_t)(head >> 1) * (size_t)width);
            assert_true(count - (n - i) < 8);
            for (int64_t k = 0; k < count; k++) {
                uint64_t v = pqr_bits(bytes, (size_t)k * (size_t)width, width);
                if (i < n)
                    out[i++] = v;
                else
                    assert_int_equal(v, 0);
            }
        } else {
            const uint8_t *bytes = pqr_take(at, (size_t)(width + 7) / 8);
            uint64_t v = pqr_bits(bytes, 0, (width + 7) / 8 * 8);
            assert_true(count <= n - i && v >> width == 0);
            while (count-- > 0)
                out[i++] = v;
        }
    }
}

/** DELTA_BINARY_PACKED: exactly n values, to the end of the input. */
static inline void pqr_delta(pqr_at *at, uint64_t *out, int64_t n)
{
    int64_t block = (int64_t)pqr_varint(at), minis = (int64_t)pqr_varint(at);
    assert_true(block > 0 && block % 128 == 0 && minis > 0 && block / minis % 32 == 0);
    assert_int_equal(pqr_varint(at), n);
    uint64_t v = (uint64_t)pqr_zigzag(at);
    int64_t i = 0;
    if (n > 0)
        out[i++] = v;
    while (i < n) {
        uint64_t min = (uint64_t)pqr_zigzag(at);
        const uint8_t *widths = pqr_take(at, (size_t)minis);
        for (int64_t m = 0; m < minis; m++) {
            if (i == n)
                continue; /* a miniblock without values has no body, whatever its width says */
            assert_true(widths[m] <= 64);
            const uint8_t *bytes = pqr_take(at, (size_t)(block / minis) * widths[m] / 8);
            for (int64_t k = 0; k < block / minis && i < n; k++)
                out[i++] = v += min + pqr_bits(bytes, (size_t)k * widths[m], widths[m]);
        }
    }
    assert_ptr_equal(at->p, at->end);
}

/* n values, PLAIN; type as in SchemaElement. */
static inline void pqr_plain(pqr_at *at, int64_t type, uint64_t *words, arka_slice *texts,
                             int64_t n)
{
    const uint8_t *bits = type == 0 ? pqr_take(at, (size_t)(n + 7) / 8) : NULL;
    for (int64_t i = 0; i < n; i++) {
        if (type == 0) {
            words[i] = pqr_bits(bits, (size_t)i, 1);
        } else if (type == 6) {
            uint32_t len;
            memcpy(&len, pqr_take(at, 4), 4);
            texts[i] = (arka_slice){(const char *)pqr_take(at, len), len};
        } else {
            memcpy(&words[i], pqr_take(at, 8), 8);
        }
    }
    assert_ptr_equal(at->p, at->end);
}

typedef struct pqr_dictionary {
    int64_t n;
    uint64_t *words;
    arka_slice *texts;
} pqr_dictionary;

static inline void pqr_data_page(pqr_file *f, pqr_at at, const pqr_node *head, int64_t type,
                                 const pqr_dictionary *dict, pqr_column *out, int64_t row)
{
    int64_t rows = pqr_get(head, 1)->i, n = 0;
    int64_t encoding = pqr_get(head, 2)->i;
    assert_int_equal(pqr_get(head, 3)->i, 3);
    assert_true(rows > 0 && row + rows <= out->n_rows);
    uint32_t len;
    memcpy(&len, pqr_take(&at, 4), 4);
    pqr_at levels = {at.p, at.p + len};
    pqr_take(&at, len);
    uint64_t *words = arka_arena_alloc(&f->arena, (size_t)rows * 8);
    arka_slice *texts = arka_arena_alloc(&f->arena, (size_t)rows * sizeof *texts);
    pqr_hybrid(&levels, 1, words, rows);
    assert_ptr_equal(levels.p, levels.end);
    for (int64_t i = 0; i < rows; i++)
        n += out->present[row + i] = words[i] == 1;
    if (encoding == 0) {
        pqr_plain(&at, type, words, texts, n);
    } else if (encoding == 5) {
        assert_int_equal(type, 2);
        pqr_delta(&at, words, n);
    } else {
        assert_int_equal(encoding, 8);
        assert_non_null(dict->words);
        int width = pqr_byte(&at);
        pqr_hybrid(&at, width, words, n);
        assert_ptr_equal(at.p, at.end);
        for (int64_t i = 0; i < n; i++) {
            assert_true(words[i] < (uint64_t)dict->n);
            texts[i] = dict->texts[words[i]];
            words[i] = dict->words[words[i]];
        }
    }
    for (int64_t i = 0, k = 0; i < rows; i++) {
        if (!out->present[row + i])
            continue;
        out->words[row + i] = type == 6 ? 0 : words[k];
        out->texts[row + i] = type == 6 ? texts[k] : (arka_slice){0};
        k++;
    }
}

/* All pages of a chunk, whose rows begin at `row`; checks every count that the footer gives. */
static inline void pqr_read_chunk(pqr_file *f, const pqr_node *meta, int64_t type, pqr_column *out,
                                  int64_t row)
{
    pqr_node *dictionary = pqr_find(meta, 11);
    int64_t from = (dictionary != NULL ? dictionary : pqr_get(meta, 9))->i;
    int64_t size = pqr_get(meta, 7)->i, raw = 0, end = row + pqr_get(meta, 5)->i;
    int64_t codec = pqr_get(meta, 4)->i, n_data = 0;
    assert_true(from >= 4 && size > 0 && (size_t)(from + size) <= f->n);
    pqr_at at = {f->bytes + from, f->bytes + from + size};
    pqr_dictionary dict = {0};
    while (at.p < at.end) {
        const uint8_t *start = at.p;
        pqr_node *head = pqr_parse(f, &at, 12);
        size_t n_raw = (size_t)pqr_get(head, 2)->i, n = (size_t)pqr_get(head, 3)->i;
        raw += at.p - start + (int64_t)n_raw;
        const uint8_t *body = pqr_inflate(f, (int)codec, pqr_take(&at, n), n, n_raw);
        pqr_at in = {body, body + n_raw};
        out->largest_page = n_raw > out->largest_page ? n_raw : out->largest_page;
        if (pqr_get(head, 1)->i == 2) {
            assert_true(start == f->bytes + from && dictionary != NULL);
            dict.n = pqr_get(pqr_get(head, 7), 1)->i;
            dict.words = arka_arena_zalloc(&f->arena, (size_t)dict.n * 8);
            dict.texts = arka_arena_zalloc(&f->arena, (size_t)dict.n * sizeof *dict.texts);
            assert_int_equal(pqr_get(pqr_get(head, 7), 2)->i, 0);
            pqr_plain(&in, type, dict.words, dict.texts, dict.n);
            out->n_dictionaries++;
        } else {
            if (n_data++ == 0)
                assert_int_equal(start - f->bytes, pqr_get(meta, 9)->i);
            pqr_data_page(f, in, pqr_get(head, 5), type, &dict, out, row);
            row += pqr_get(pqr_get(head, 5), 1)->i;
            out->n_pages++;
        }
    }
    assert_int_equal(row, end);
    assert_int_equal(raw, pqr_get(meta, 6)->i);
    pqr_node *counts = pqr_get(meta, 13);
    assert_int_equal(pqr_get(pqr_item(counts, counts->n - 1), 3)->i, n_data);
}

/** All rows of a column, in the file's order. */
static inline pqr_column pqr_read(pqr_file *f, const char *name)
{
    int c = pqr_column_of(f, name);
    int64_t type = pqr_get(pqr_field(f, c), 1)->i, row = 0;
    pqr_column out = {.n_rows = pqr_get(f->footer, 3)->i};
    size_t n = (size_t)out.n_rows;
    out.present = arka_arena_zalloc(&f->arena, n + 1);
    out.words = arka_arena_zalloc(&f->arena, (n + 1) * 8);
    out.texts = arka_arena_zalloc(&f->arena, (n + 1) * sizeof *out.texts);
    pqr_node *groups = pqr_get(f->footer, 4);
    for (int g = 0; g < groups->n; g++) {
        int64_t rows = pqr_get(pqr_item(groups, g), 3)->i;
        assert_int_equal(pqr_get(pqr_chunk(f, g, c), 5)->i, rows);
        pqr_read_chunk(f, pqr_chunk(f, g, c), type, &out, row);
        row += rows;
    }
    assert_int_equal(row, out.n_rows);
    return out;
}

#endif
