#include "columnar/parquet_gather.h"

#include "columnar/bits.h"

/* Spans shorter than this on average are taken apart into rows. */
enum { SHORT_SPAN = 4 };

arka_status arka_gather__init(arka_gather *gather, arka_batch *const *batches, size_t n_batches,
                              const int16_t *columns, int n_fields, arka_error *err)
{
    *gather = (arka_gather){.batches = batches, .columns = columns, .n_fields = n_fields};
    gather->slot_of = arka_calloc(n_batches, sizeof *gather->slot_of);
    return gather->slot_of != NULL
               ? ARKA_OK
               : arka_fail_nomem(err, "a list of batches", n_batches * sizeof *gather->slot_of);
}

void arka_gather_fini(arka_gather *gather)
{
    arka_vec_fini(&gather->spans);
    arka_vec_fini(&gather->slots);
    arka_free(gather->slot_of);
    arka_vec_fini(&gather->sources);
    arka_vec_fini(&gather->values);
    arka_vec_fini(&gather->validity);
}

/* Number of the batch among those of this row group, or -1: out of memory. */
static inline int64_t slot_for(arka_gather *gather, uint32_t batch)
{
    uint32_t slot = gather->slot_of[batch];
    if (slot < gather->slots.n && gather->slots.items[slot] == batch)
        return slot;
    gather->slot_of[batch] = (uint32_t)gather->slots.n;
    return arka_vec_push(&gather->slots, batch) ? (int64_t)gather->slots.n - 1 : -1;
}

static bool take_span(arka_gather *gather, arka_span span)
{
    int64_t slot = slot_for(gather, span.batch);
    size_t n = gather->by_row ? span.n : 1;
    if (slot < 0 || !arka_vec_reserve(&gather->spans, n))
        return false;
    span.batch = (uint32_t)slot;
    gather->n_rows += span.n;
    if (!gather->by_row) {
        gather->spans.items[gather->spans.n++] = span;
        return true;
    }
    arka_span *to = gather->spans.items + gather->spans.n;
    for (size_t i = 0; i < n; i++)
        to[i] = (arka_span){span.batch, span.row + (uint32_t)i, 1};
    gather->spans.n += n;
    return true;
}

arka_status arka_gather__rows(arka_gather *gather, const arka_spans *spans,
                              arka_gather_cursor *cursor, int64_t limit, arka_error *err)
{
    gather->spans.n = gather->slots.n = 0;
    gather->n_rows = 0;
    gather->by_row = spans->n_rows < (int64_t)spans->list.n * SHORT_SPAN;
    while (gather->n_rows < limit && cursor->span < spans->list.n) {
        arka_span span = spans->list.items[cursor->span];
        span.row += cursor->row;
        span.n -= cursor->row;
        int64_t left = limit - gather->n_rows;
        if (span.n > left) {
            span.n = (uint32_t)left;
            cursor->row += span.n;
        } else {
            cursor->span++;
            cursor->row = 0;
        }
        if (!take_span(gather, span))
            return arka_fail_nomem(err, "the rows of a row group",
                                   (size_t)limit * sizeof(arka_span));
    }
    return ARKA_OK;
}

static bool find_sources(arka_gather *gather, int field, arka_type type)
{
    gather->sources.n = 0;
    gather->any_missing = gather->any_nulls = gather->any_widen = false;
    if (!arka_vec_reserve(&gather->sources, gather->slots.n))
        return false;
    for (size_t s = 0; s < gather->slots.n; s++) {
        size_t batch = gather->slots.items[s];
        int column = gather->columns[batch * (size_t)gather->n_fields + (size_t)field];
        gather_source source = {0};
        if (column >= 0) {
            const arka_column *c = &gather->batches[batch]->columns[column];
            source.widen = type == ARKA_DOUBLE && c->type == ARKA_BIGINT;
            ARKA_CHECK(c->type == type || source.widen, "column '%.*s' of a batch",
                       ARKA_FMT(c->name));
            source.values = c->values;
            source.validity = c->validity;
            source.bytes = c->bytes;
        }
        gather->any_missing |= column < 0;
        gather->any_nulls |= column < 0 || source.validity != NULL;
        gather->any_widen |= source.widen;
        gather->sources.items[gather->sources.n++] = source;
    }
    return true;
}

/* Bits one after the other, from the first bit of `to` on; whole words are stored. */
typedef struct bit_writer {
    uint8_t *to;
    uint64_t open;
    int n_open;
} bit_writer;

static inline void put_bits(bit_writer *w, uint64_t bits, int n)
{
    w->open |= bits << w->n_open;
    w->n_open += n;
    if (w->n_open >= 64) {
        memcpy(w->to, &w->open, 8);
        w->to += 8;
        w->n_open -= 64;
        w->open = w->n_open > 0 ? bits >> (n - w->n_open) : 0;
    }
}

static void put_bitmap(bit_writer *w, const uint8_t *bits, int64_t from, int64_t n)
{
    for (int64_t i = 0; i < n; i += 64) {
        int m = n - i < 64 ? (int)(n - i) : 64;
        put_bits(w, arka_bits_load(bits, from + i, m), m);
    }
}

static void put_same(bit_writer *w, bool bit, int64_t n)
{
    for (int64_t i = 0; i < n; i += 64) {
        int m = n - i < 64 ? (int)(n - i) : 64;
        put_bits(w, bit ? UINT64_MAX >> (64 - m) : 0, m);
    }
}

static void end_bits(bit_writer *w)
{
    memcpy(w->to, &w->open, 8);
}

static void gather_validity(const arka_gather *gather, uint8_t *to)
{
    bit_writer w = {.to = to};
    for (size_t s = 0; s < gather->spans.n; s++) {
        arka_span span = gather->spans.items[s];
        const gather_source *source = &gather->sources.items[span.batch];
        if (source->values == NULL || source->validity == NULL)
            put_same(&w, source->values != NULL, span.n);
        else
            put_bitmap(&w, source->validity, span.row, span.n);
    }
    end_bits(&w);
}

static void gather_bits(const arka_gather *gather, uint8_t *to)
{
    bit_writer w = {.to = to};
    for (size_t s = 0; s < gather->spans.n; s++) {
        arka_span span = gather->spans.items[s];
        const gather_source *source = &gather->sources.items[span.batch];
        if (source->values == NULL)
            put_same(&w, false, span.n);
        else
            put_bitmap(&w, source->values, span.row, span.n);
    }
    end_bits(&w);
}

/* Eight bytes a value, all batches have the column as it is wanted: what nearly always happens. */
static void gather_words(const arka_gather *gather, uint64_t *to)
{
    const arka_span *spans = gather->spans.items;
    const gather_source *sources = gather->sources.items;
    if (gather->by_row) {
        for (size_t i = 0; i < gather->spans.n; i++) {
            arka_span span = spans[i];
            to[i] = ((const uint64_t *)sources[span.batch].values)[span.row];
        }
        return;
    }
    for (size_t s = 0; s < gather->spans.n; s++) {
        const uint64_t *from = (const uint64_t *)sources[spans[s].batch].values + spans[s].row;
        memcpy(to, from, spans[s].n * sizeof *to);
        to += spans[s].n;
    }
}

static void gather_words_with_care(const arka_gather *gather, uint64_t *to)
{
    for (size_t s = 0; s < gather->spans.n; s++) {
        arka_span span = gather->spans.items[s];
        const gather_source *source = &gather->sources.items[span.batch];
        if (source->values == NULL) {
            memset(to, 0, span.n * sizeof *to);
        } else if (source->widen) {
            const int64_t *from = (const int64_t *)source->values + span.row;
            for (uint32_t i = 0; i < span.n; i++) {
                double wide = (double)from[i];
                memcpy(&to[i], &wide, sizeof wide);
            }
        } else {
            memcpy(to, (const uint64_t *)source->values + span.row, span.n * sizeof *to);
        }
        to += span.n;
    }
}

static void gather_text(const arka_gather *gather, arka_slice *to)
{
    for (size_t s = 0; s < gather->spans.n; s++) {
        arka_span span = gather->spans.items[s];
        const gather_source *source = &gather->sources.items[span.batch];
        if (source->values == NULL) {
            memset(to, 0, span.n * sizeof *to);
            to += span.n;
            continue;
        }
        const int32_t *offsets = (const int32_t *)source->values + span.row;
        for (uint32_t i = 0; i < span.n; i++)
            *to++ = (arka_slice){source->bytes + offsets[i], (size_t)(offsets[i + 1] - offsets[i])};
    }
}

/* Values of rows that are not null move together. The write never overtakes the read. */
static void drop_null_words(uint64_t *values, const uint8_t *validity, int64_t n)
{
    int64_t to = 0;
    for (int64_t i = 0; i < n; i++) {
        values[to] = values[i];
        to += arka_bit(validity, i);
    }
}

static void drop_null_text(arka_slice *values, const uint8_t *validity, int64_t n)
{
    int64_t to = 0;
    for (int64_t i = 0; i < n; i++) {
        values[to] = values[i];
        to += arka_bit(validity, i);
    }
}

static void drop_null_bits(uint8_t *bits, const uint8_t *validity, int64_t n)
{
    bit_writer w = {.to = bits};
    for (int64_t i = 0; i < n; i++)
        if (arka_bit(validity, i))
            put_bits(&w, arka_bit(bits, i), 1);
    end_bits(&w);
}

static void gather_values(const arka_gather *gather, arka_type type, arka_gathered *out)
{
    bool nulls = out->validity != NULL;
    if (type == ARKA_BOOLEAN) {
        gather_bits(gather, out->values);
        if (nulls)
            drop_null_bits(out->values, out->validity, out->n_rows);
    } else if (type == ARKA_VARCHAR) {
        gather_text(gather, out->values);
        if (nulls)
            drop_null_text(out->values, out->validity, out->n_rows);
    } else {
        if (gather->any_missing || gather->any_widen)
            gather_words_with_care(gather, out->values);
        else
            gather_words(gather, out->values);
        if (nulls)
            drop_null_words(out->values, out->validity, out->n_rows);
    }
}

arka_status arka_gather__column(arka_gather *gather, int field, arka_type type, arka_gathered *out,
                                arka_error *err)
{
    size_t n = (size_t)gather->n_rows;
    size_t width = type == ARKA_VARCHAR ? sizeof(arka_slice) : 8;
    size_t bytes = ARKA_GATHER_HEADROOM + (type == ARKA_BOOLEAN ? n / 8 + 16 : n * width);
    gather->values.n = gather->validity.n = 0;
    if (!find_sources(gather, field, type) || !arka_vec_reserve(&gather->values, bytes) ||
        !arka_vec_reserve(&gather->validity, n / 8 + 16))
        return arka_fail_nomem(err, "the values of a row group", bytes);
    arka_gathered g = {.n_rows = gather->n_rows,
                       .n = gather->n_rows,
                       .values = gather->values.items + ARKA_GATHER_HEADROOM};
    if (gather->any_nulls) {
        gather_validity(gather, gather->validity.items);
        g.n = arka_bits_count(gather->validity.items, 0, g.n_rows);
        g.validity = g.n < g.n_rows ? gather->validity.items : NULL;
    }
    gather_values(gather, type, &g);
    *out = g;
    return ARKA_OK;
}
