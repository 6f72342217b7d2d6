#include "columnar/parquet_chunk.h"

#include <assert.h>

#include "columnar/bits.h"
#include "columnar/parquet_encode.h"

/*
 * A page is a row group's column, as far as it stays at about a megabyte: DuckDB reads few large
 * pages a fifth faster than many small ones (docs/formats/parquet.md).
 */
enum { PAGE_ROWS = 122880, PAGE_BYTES = 1 << 20 };
/* What saves less than a quarter is left: readers would pay for it in time. */
static const double WORTH = 0.75;
static_assert(ARKA_GATHER_HEADROOM >= ARKA_PAGE_HEADROOM + PAGE_ROWS / 8 + PAGE_ROWS / 32 + 32,
              "header and levels of a page fit in front of its values");
static_assert(PAGE_ROWS * 8 <= PAGE_BYTES, "a page of numbers is not too large either");

void arka_chunker_fini(arka_chunker *chunker)
{
    arka_dict_fini(&chunker->dict);
    arka_buf_fini(&chunker->body);
    arka_buf_fini(&chunker->dict_body);
}

/* The rows of one page and the values among them. */
typedef struct page_cut {
    int64_t row, n_rows;
    int64_t value, n;
} page_cut;

typedef struct chunk_job {
    arka_chunker *shared;
    arka_chunk_column *column;
    const arka_gathered *g;
    arka_chunk *chunk;
} chunk_job;

/* The page that follows `cut`; false when there is none. */
static bool next_page(const chunk_job *job, page_cut *cut)
{
    const arka_gathered *g = job->g;
    cut->row += cut->n_rows;
    cut->value += cut->n;
    if (cut->row >= g->n_rows)
        return false;
    int64_t left = g->n_rows - cut->row;
    cut->n_rows = left < PAGE_ROWS ? left : PAGE_ROWS;
    if (job->column->type == ARKA_VARCHAR && job->chunk->encoding == PQ_PLAIN) {
        const arka_slice *texts = (const arka_slice *)g->values + cut->value;
        size_t bytes = 0;
        int64_t rows = 0, n = 0;
        for (; rows < cut->n_rows; rows++) {
            if (g->validity != NULL && !arka_bit(g->validity, cut->row + rows))
                continue;
            bytes += 4 + texts[n].len;
            if (bytes > PAGE_BYTES && rows > 0)
                break;
            n++;
        }
        cut->n_rows = rows;
    }
    cut->n =
        g->validity == NULL ? cut->n_rows : arka_bits_count(g->validity, cut->row, cut->n_rows);
    return true;
}

static bool begin_body(arka_buf *body)
{
    arka_buf_clear(body);
    bool ok = arka_buf_reserve(body, ARKA_PAGE_HEADROOM) != NULL;
    body->len = ok ? ARKA_PAGE_HEADROOM : 0;
    return ok;
}

static uint8_t *body_of(const arka_buf *body)
{
    return (uint8_t *)body->data + ARKA_PAGE_HEADROOM;
}

static size_t body_len(const arka_buf *body)
{
    return body->len - ARKA_PAGE_HEADROOM;
}

static void put_levels(const chunk_job *job, const page_cut *cut)
{
    arka_encode__levels(&job->shared->body, job->g->validity, cut->row, cut->n_rows);
}

/* Booleans: bits from any bit on. */
static void put_bits(arka_buf *body, const uint8_t *bits, const page_cut *cut)
{
    size_t n = (size_t)(cut->n + 7) / 8;
    uint8_t *to = (uint8_t *)arka_buf_reserve(body, n);
    if (to != NULL) {
        arka_bits_copy(to, bits, cut->value, cut->n);
        body->len += n;
    }
}

static void put_values(const chunk_job *job, const page_cut *cut)
{
    arka_buf *body = &job->shared->body;
    const arka_dict *dict = &job->shared->dict;
    const arka_gathered *g = job->g;
    if (job->chunk->encoding == PQ_RLE_DICTIONARY) {
        int width = arka_bits_for(dict->n - 1);
        arka_encode__indexes(body, dict->indexes.items + cut->value, cut->n, width > 0 ? width : 1);
    } else if (job->chunk->encoding == PQ_DELTA_BINARY_PACKED) {
        arka_encode__delta(body, (const int64_t *)g->values + cut->value, cut->n);
    } else if (job->column->type == ARKA_BOOLEAN) {
        put_bits(body, g->values, cut);
    } else {
        arka_encode__text(body, (const arka_slice *)g->values + cut->value, cut->n);
    }
}

static arka_status fill_body(const chunk_job *job, const page_cut *cut, arka_error *err)
{
    arka_buf *body = &job->shared->body;
    if (begin_body(body)) {
        put_levels(job, cut);
        put_values(job, cut);
    }
    return body->failed ? arka_fail_nomem(err, "a Parquet page", body->cap) : ARKA_OK;
}

static arka_status write_body(const chunk_job *job, const page_cut *cut, arka_error *err)
{
    arka_buf *body = &job->shared->body;
    return arka_page__write(job->shared->pager, job->chunk, PQ_DATA_PAGE, cut->n_rows,
                            body_of(body), body_len(body), err);
}

static arka_status write_pages(const chunk_job *job, page_cut cut, arka_error *err)
{
    while (next_page(job, &cut)) {
        ARKA_TRY(fill_body(job, &cut, err));
        ARKA_TRY(write_body(job, &cut, err));
    }
    return ARKA_OK;
}

/*
 * PLAIN of 8-byte values is what lies in memory. Levels and header are put in front of a page's
 * values, over values of the page before, which went out already.
 */
static arka_status write_plain_words(const chunk_job *job, arka_error *err)
{
    arka_buf *levels = &job->shared->body;
    page_cut cut = {0};
    while (next_page(job, &cut)) {
        arka_buf_clear(levels);
        put_levels(job, &cut);
        if (levels->failed)
            return arka_fail_nomem(err, "levels of a Parquet page", levels->cap);
        uint8_t *values = (uint8_t *)job->g->values + cut.value * 8;
        uint8_t *body = values - levels->len;
        if (levels->len > 0)
            memcpy(body, levels->data, levels->len);
        ARKA_TRY(arka_page__write(job->shared->pager, job->chunk, PQ_DATA_PAGE, cut.n_rows, body,
                                  levels->len + (size_t)cut.n * 8, err));
    }
    return ARKA_OK;
}

static arka_status write_dictionary_page(const chunk_job *job, arka_error *err)
{
    arka_buf *body = &job->shared->dict_body;
    const arka_dict *dict = &job->shared->dict;
    if (begin_body(body)) {
        if (job->column->type == ARKA_VARCHAR)
            arka_encode__text(body, dict->texts.items, dict->n);
        else
            arka_buf_append(body, dict->words.items, dict->n * sizeof(uint64_t));
    }
    if (body->failed)
        return arka_fail_nomem(err, "a dictionary page", body->cap);
    return arka_page__write(job->shared->pager, job->chunk, PQ_DICTIONARY_PAGE, dict->n,
                            body_of(body), body_len(body), err);
}

/* The dictionary stands first, but the codec is settled by what there is most of. */
static arka_status write_dictionary(const chunk_job *job, arka_error *err)
{
    page_cut cut = {0};
    ARKA_CHECK(next_page(job, &cut));
    ARKA_TRY(fill_body(job, &cut, err));
    arka_buf *body = &job->shared->body;
    ARKA_TRY(arka_page__settle(job->shared->pager, job->chunk, body_of(body), body_len(body), err));
    ARKA_TRY(write_dictionary_page(job, err));
    ARKA_TRY(write_body(job, &cut, err));
    return write_pages(job, cut, err);
}

/* Builds the dictionary, unless the column has shown that it is of no use; *out: it is there. */
static arka_status build_dictionary(const chunk_job *job, bool *out, arka_error *err)
{
    const arka_gathered *g = job->g;
    *out = false;
    if (job->column->is_time || job->column->give_up || g->n == 0)
        return ARKA_OK;
    dict_answer answer = job->column->type == ARKA_VARCHAR
                             ? arka_dict__texts(&job->shared->dict, g->values, g->n)
                             : arka_dict__words(&job->shared->dict, g->values, g->n);
    if (answer == DICT_NOMEM)
        return arka_fail_nomem(err, "a dictionary", (size_t)g->n * sizeof(uint32_t));
    job->column->give_up = answer == DICT_TOO_LARGE;
    *out = answer == DICT_FITS;
    return ARKA_OK;
}

/* Bits of a value with the dictionary just built, its page included. */
static double dictionary_bits(const arka_dict *dict, size_t page_bytes, int64_t n)
{
    return (double)arka_bits_for(dict->n - 1) + 8.0 * (double)(page_bytes + 40) / (double)n;
}

static pq_encoding choose_for_words(const chunk_job *job, bool dictionary)
{
    const arka_gathered *g = job->g;
    const arka_dict *dict = &job->shared->dict;
    bool integers = job->column->type != ARKA_DOUBLE;
    double plain = 64, delta = integers && g->n > 0 ? arka_encode__delta_bits(g->values, g->n) : 64;
    if (job->column->is_time)
        return PQ_DELTA_BINARY_PACKED;
    if (dictionary) {
        double bits = dictionary_bits(dict, dict->n * sizeof(uint64_t), g->n);
        if (bits < plain * WORTH && bits <= delta)
            return PQ_RLE_DICTIONARY;
    }
    return delta < plain * WORTH ? PQ_DELTA_BINARY_PACKED : PQ_PLAIN;
}

static pq_encoding choose_for_text(const chunk_job *job, bool dictionary)
{
    const arka_dict *dict = &job->shared->dict;
    if (!dictionary)
        return PQ_PLAIN;
    double n = (double)job->g->n, plain = 32 + 8.0 * (double)dict->input_bytes / n;
    size_t page_bytes = dict->text_bytes + 4 * (size_t)dict->n;
    return dictionary_bits(dict, page_bytes, job->g->n) < plain * WORTH ? PQ_RLE_DICTIONARY
                                                                        : PQ_PLAIN;
}

/* Chooses the encoding and finds the bounds, in one go where the dictionary serves both. */
static arka_status look_at_values(const chunk_job *job, arka_bounds *bounds, arka_error *err)
{
    const arka_gathered *g = job->g;
    const arka_dict *dict = &job->shared->dict;
    bool dictionary;
    switch (job->column->type) {
    case ARKA_BOOLEAN:
        job->chunk->encoding = PQ_PLAIN;
        *bounds = arka_bounds__bits(g->values, g->n);
        break;
    case ARKA_VARCHAR:
        ARKA_TRY(build_dictionary(job, &dictionary, err));
        job->chunk->encoding = choose_for_text(job, dictionary);
        *bounds = dictionary ? arka_bounds__text(dict->texts.items, dict->n)
                             : arka_bounds__text(g->values, g->n);
        break;
    case ARKA_DOUBLE:
    case ARKA_BIGINT:
    case ARKA_TIMESTAMPTZ:
    case ARKA_TYPE_NONE:
        ARKA_TRY(build_dictionary(job, &dictionary, err));
        job->chunk->encoding = choose_for_words(job, dictionary);
        *bounds = job->column->type == ARKA_DOUBLE ? arka_bounds__f64(g->values, g->n)
                                                   : arka_bounds__i64(g->values, g->n);
        break;
    }
    return ARKA_OK;
}

arka_status arka_chunk__write(arka_chunker *chunker, arka_chunk_column *column,
                              const arka_gathered *values, arka_chunk *out, arka_bounds *out_bounds,
                              arka_error *err)
{
    *out = (arka_chunk){.n_rows = values->n_rows,
                        .n_nulls = values->n_rows - values->n,
                        .data_at = -1,
                        .dictionary_at = -1};
    chunk_job job = {chunker, column, values, out};
    ARKA_TRY(look_at_values(&job, out_bounds, err));
    if (out->encoding == PQ_RLE_DICTIONARY)
        return write_dictionary(&job, err);
    if (out->encoding == PQ_PLAIN && arka_type_width(column->type) == sizeof(uint64_t))
        return write_plain_words(&job, err);
    return write_pages(&job, (page_cut){0}, err);
}
