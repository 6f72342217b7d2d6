#include "columnar/parquet_dict.h"

#include "base/hash.h"

/*
 * A dictionary is given up when it passes MOST values or MOST_TEXT bytes: then its page no longer
 * stays in the second-level cache of a reader. Before the work begins, SAMPLE values are tried: if
 * fewer than 1 in RARE_REPEATS repeats another one, there are more than about
 * SAMPLE * RARE_REPEATS / 2 = 16,384 distinct ones.
 */
enum { MOST = 32768, MOST_TEXT = 1 << 20, SAMPLE = 1024, RARE_REPEATS = 32, FIRST_TABLE = 1024 };

void arka_dict_fini(arka_dict *dict)
{
    arka_vec_fini(&dict->table);
    arka_vec_fini(&dict->words);
    arka_vec_fini(&dict->texts);
    arka_vec_fini(&dict->indexes);
}

static bool clear(arka_dict *dict, int64_t n)
{
    dict->n = 0;
    dict->words.n = dict->texts.n = dict->indexes.n = 0;
    dict->text_bytes = dict->input_bytes = 0;
    if (!arka_vec_reserve(&dict->indexes, n))
        return false;
    dict->table.n = 0;
    if (!arka_vec_reserve(&dict->table, FIRST_TABLE))
        return false;
    dict->table.n = FIRST_TABLE;
    memset(dict->table.items, 0, FIRST_TABLE * sizeof *dict->table.items);
    return true;
}

static inline uint64_t mix(uint64_t a, uint64_t b, uint32_t len)
{
    /* Two odd constants of the golden ratio's and pi's digits; the product's halves are folded. */
    unsigned __int128 m = (unsigned __int128)(a ^ UINT64_C(0x9e3779b97f4a7c15)) *
                          (b ^ len ^ UINT64_C(0x243f6a8885a308d3));
    return (uint64_t)m ^ (uint64_t)(m >> 64);
}

static void put_entry(dict_entry *table, size_t size, const dict_entry *e)
{
    size_t at = mix(e->a, e->b, e->len) & (size - 1);
    while (table[at].index_and_1 != 0)
        at = (at + 1) & (size - 1);
    table[at] = *e;
}

/* Twice the table; it is never more than a quarter full, for random walks through it cost more. */
static bool grow(arka_dict *dict)
{
    size_t size = dict->table.n * 2;
    dict_entry *table = arka_calloc(size, sizeof *table);
    if (table == NULL)
        return false;
    for (size_t i = 0; i < dict->table.n; i++)
        if (dict->table.items[i].index_and_1 != 0)
            put_entry(table, size, &dict->table.items[i]);
    arka_free(dict->table.items);
    dict->table.items = table;
    dict->table.n = dict->table.cap = size;
    return true;
}

/* A value met for the first time. `at`: the empty entry where the search ended. */
static dict_answer add_entry(arka_dict *dict, size_t at, uint64_t a, uint64_t b, uint32_t len)
{
    if (dict->n == MOST || dict->text_bytes > MOST_TEXT)
        return DICT_TOO_LARGE;
    dict->table.items[at] = (dict_entry){a, b, len, ++dict->n};
    return dict->n * 4 <= dict->table.n || grow(dict) ? DICT_FITS : DICT_NOMEM;
}

/*
 * The loops keep what they need of the dictionary in locals: stores of indexes could otherwise
 * change it, as far as the compiler knows.
 */
static dict_answer add_words(arka_dict *dict, const uint64_t *values, int64_t n)
{
    const dict_entry *table = dict->table.items;
    size_t mask = dict->table.n - 1;
    uint32_t *to = dict->indexes.items;
    for (int64_t i = 0; i < n; i++) {
        size_t at = mix(values[i], 0, 0) & mask;
        while (table[at].a != values[i] && table[at].index_and_1 != 0)
            at = (at + 1) & mask;
        uint32_t index = table[at].index_and_1;
        if (ARKA_UNLIKELY(index == 0)) {
            if (!arka_vec_push(&dict->words, values[i]))
                return DICT_NOMEM;
            dict_answer added = add_entry(dict, at, values[i], 0, 0);
            if (added != DICT_FITS)
                return added;
            index = dict->n;
            table = dict->table.items;
            mask = dict->table.n - 1;
        }
        *to++ = index - 1;
    }
    dict->indexes.n = (size_t)(to - dict->indexes.items);
    return DICT_FITS;
}

static inline uint64_t load64(const char *p)
{
    uint64_t v;
    memcpy(&v, p, 8);
    return v;
}

static inline uint32_t load32(const char *p)
{
    uint32_t v;
    memcpy(&v, p, 4);
    return v;
}

/* Up to 16 bytes, a, b and the length hold the whole text: equal there, equal altogether. */
enum { WHOLE = 16 };

static inline void text_key(arka_slice s, uint64_t *a, uint64_t *b)
{
    const unsigned char *p = (const unsigned char *)s.data;
    if (s.len > WHOLE) {
        *a = arka_hash(s.data, s.len, 0);
        *b = 0;
    } else if (s.len >= 8) {
        *a = load64(s.data);
        *b = load64(s.data + s.len - 8);
    } else if (s.len >= 4) {
        *a = load32(s.data);
        *b = load32(s.data + s.len - 4);
    } else {
        *a = s.len == 0 ? 0 : p[0] | (uint64_t)p[s.len / 2] << 8 | (uint64_t)p[s.len - 1] << 16;
        *b = 0;
    }
}

static bool same_text(const arka_dict *dict, const dict_entry *e, arka_slice s, uint64_t a,
                      uint64_t b)
{
    return e->a == a && e->b == b && e->len == s.len &&
           (s.len <= WHOLE ||
            memcmp(dict->texts.items[e->index_and_1 - 1].data, s.data, s.len) == 0);
}

static dict_answer add_texts(arka_dict *dict, const arka_slice *values, int64_t n)
{
    const dict_entry *table = dict->table.items;
    size_t mask = dict->table.n - 1, input_bytes = 0;
    uint32_t *to = dict->indexes.items;
    for (int64_t i = 0; i < n; i++) {
        arka_slice s = values[i];
        uint64_t a, b;
        text_key(s, &a, &b);
        input_bytes += s.len;
        size_t at = mix(a, b, (uint32_t)s.len) & mask;
        while (table[at].index_and_1 != 0 && !same_text(dict, &table[at], s, a, b))
            at = (at + 1) & mask;
        uint32_t index = table[at].index_and_1;
        if (ARKA_UNLIKELY(index == 0)) {
            dict->text_bytes += s.len;
            if (!arka_vec_push(&dict->texts, s))
                return DICT_NOMEM;
            dict_answer added = add_entry(dict, at, a, b, (uint32_t)s.len);
            if (added != DICT_FITS)
                return added;
            index = dict->n;
            table = dict->table.items;
            mask = dict->table.n - 1;
        }
        *to++ = index - 1;
    }
    dict->indexes.n = (size_t)(to - dict->indexes.items);
    dict->input_bytes = input_bytes;
    return DICT_FITS;
}

/*
 * The place of sample `i`: anywhere in its part of the n values. Places at equal distances would
 * not do: series that report in turn make the values periodic, and the sample may never see one of
 * them twice.
 */
static int64_t sample_place(int64_t i, int64_t n)
{
    int64_t part = n / SAMPLE;
    return i * part + (int64_t)(mix((uint64_t)i, 0, 0) % (uint64_t)part);
}

static dict_answer judge_sample(const arka_dict *sample, dict_answer answer)
{
    size_t repeats = sample->indexes.n - sample->n;
    return answer == DICT_FITS && repeats * RARE_REPEATS < SAMPLE ? DICT_TOO_LARGE : answer;
}

dict_answer arka_dict__words(arka_dict *dict, const uint64_t *values, int64_t n)
{
    if (!clear(dict, n))
        return DICT_NOMEM;
    if (n > 4 * SAMPLE) {
        uint64_t sample[SAMPLE];
        for (int64_t i = 0; i < SAMPLE; i++)
            sample[i] = values[sample_place(i, n)];
        dict_answer answer = judge_sample(dict, add_words(dict, sample, SAMPLE));
        if (answer != DICT_FITS || !clear(dict, n))
            return answer != DICT_FITS ? answer : DICT_NOMEM;
    }
    return add_words(dict, values, n);
}

dict_answer arka_dict__texts(arka_dict *dict, const arka_slice *values, int64_t n)
{
    if (!clear(dict, n))
        return DICT_NOMEM;
    if (n > 4 * SAMPLE) {
        arka_slice sample[SAMPLE];
        for (int64_t i = 0; i < SAMPLE; i++)
            sample[i] = values[sample_place(i, n)];
        dict_answer answer = judge_sample(dict, add_texts(dict, sample, SAMPLE));
        if (answer != DICT_FITS || !clear(dict, n))
            return answer != DICT_FITS ? answer : DICT_NOMEM;
    }
    return add_texts(dict, values, n);
}
