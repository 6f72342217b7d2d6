#include "columnar/block.h"

#include "base/hash.h"
#include "base/utf8.h"
#include "base/vec.h"

enum { MAX_NAME = 255, NO_BITMAP = -1 };

typedef struct block_column {
    size_t name_at; /* in block->names */
    size_t name_len;
    arka_type type;
    bool tag;
    int64_t n_nulls;
    int64_t validity_at; /* offsets in the body; NO_BITMAP until the first null */
    size_t values_at;
    size_t text_at, text_len; /* VARCHAR */
} block_column;

/*
 * The body grows in one allocation. Sealing appends the arka_batch, its columns and their names
 * behind the body in that same allocation, so a batch is one malloc and one free.
 */
struct arka_block {
    int64_t n_rows;
    uint8_t *bytes;
    size_t len, cap; /* len is a multiple of 8 except while text of the last column grows */
    ARKA_VEC(block_column) columns;
    ARKA_VEC(uint32_t) name_hashes; /* of the folded names: wide tables are searched often */
    ARKA_VEC(char) names;
};

static size_t round8(size_t n)
{
    return (n + 7) & ~(size_t)7;
}

arka_status arka_block_new(int64_t n_rows, size_t hint_bytes, arka_block **out, arka_error *err)
{
    ARKA_CHECK(n_rows > 0);
    arka_block *block = arka_calloc(1, sizeof *block);
    if (block == NULL)
        return arka_fail_nomem(err, "a batch", sizeof *block);
    block->n_rows = n_rows;
    block->cap = round8(hint_bytes) + 1024;
    block->bytes = arka_malloc(block->cap);
    if (block->bytes == NULL) {
        arka_free(block);
        return arka_fail_nomem(err, "a batch", hint_bytes);
    }
    *out = block;
    return ARKA_OK;
}

void arka_block_free(arka_block *block)
{
    if (block == NULL)
        return;
    arka_free(block->bytes);
    arka_vec_fini(&block->columns);
    arka_vec_fini(&block->name_hashes);
    arka_vec_fini(&block->names);
    arka_free(block);
}

static bool grow(arka_block *block, size_t more)
{
    if (block->cap - block->len >= more)
        return true;
    if (more > SIZE_MAX / 4)
        return false;
    size_t cap = block->cap + block->cap / 2;
    if (cap < block->len + more)
        cap = block->len + more;
    uint8_t *bytes = arka_realloc(block->bytes, cap);
    if (bytes == NULL)
        return false;
    block->bytes = bytes;
    block->cap = cap;
    return true;
}

static bool pad(arka_block *block)
{
    size_t n = round8(block->len) - block->len;
    if (!grow(block, n))
        return false;
    memset(block->bytes + block->len, 0, n);
    block->len += n;
    return true;
}

static arka_slice name_of(const arka_block *block, const block_column *c)
{
    return (arka_slice){block->names.items + c->name_at, c->name_len};
}

static uint32_t name_hash(arka_slice name)
{
    char folded[MAX_NAME];
    arka_name_fold(name, folded);
    return (uint32_t)arka_hash(folded, name.len, 0);
}

int arka_block_find(const arka_block *block, arka_slice name)
{
    if (name.len > MAX_NAME)
        return -1;
    uint32_t hash = name_hash(name);
    for (size_t i = 0; i < block->columns.n; i++)
        if (block->name_hashes.items[i] == hash &&
            arka_name_eq(name_of(block, &block->columns.items[i]), name))
            return (int)i;
    return -1;
}

arka_status arka_column_name_check(arka_slice name, arka_error *err)
{
    if (name.len == 0)
        return arka_fail(err, ARKA_INPUT, "a column has an empty name");
    if (name.len > MAX_NAME)
        return arka_fail(err, ARKA_INPUT, "a column name has %zu bytes, at most %d are allowed",
                         name.len, MAX_NAME);
    if (!arka_utf8_valid(name.data, name.len))
        return arka_fail(err, ARKA_INPUT, "a column name is not UTF-8");
    for (size_t i = 0; i < name.len; i++)
        if (name.data[i] == 0 || name.data[i] == '\n' || name.data[i] == '\r')
            return arka_fail(err, ARKA_INPUT, "column name '%.*s' holds a NUL or a newline", (int)i,
                             name.data);
    return ARKA_OK;
}

static size_t fixed_bytes(arka_type type, int64_t n_rows)
{
    size_t n = (size_t)n_rows;
    return type == ARKA_BOOLEAN ? (n + 7) / 8 : type == ARKA_VARCHAR ? (n + 1) * 4 : n * 8;
}

arka_status arka_block_add(arka_block *block, arka_slice name, arka_type type, bool tag,
                           int *out_column, arka_error *err)
{
    ARKA_TRY(arka_column_name_check(name, err));
    if (arka_name_eq(name, ARKA_SLICE(ARKA_TIME_COLUMN)))
        name = ARKA_SLICE(ARKA_TIME_COLUMN);
    if (arka_block_find(block, name) >= 0)
        return arka_fail(err, ARKA_INPUT, "column '%.*s' is there twice", ARKA_FMT(name));
    size_t n = fixed_bytes(type, block->n_rows);
    if (!pad(block) || !grow(block, n + 8) || !arka_vec_reserve(&block->columns, 1) ||
        !arka_vec_reserve(&block->name_hashes, 1) || !arka_vec_reserve(&block->names, name.len + 1))
        return arka_fail_nomem(err, "a column", n);
    block_column c = {.name_at = block->names.n,
                      .name_len = name.len,
                      .type = type,
                      .tag = tag,
                      .validity_at = NO_BITMAP,
                      .values_at = block->len};
    memcpy(block->names.items + block->names.n, name.data, name.len);
    block->names.items[block->names.n + name.len] = 0;
    block->names.n += name.len + 1;
    if (type == ARKA_BOOLEAN)
        memset(block->bytes + block->len, 0, n);
    else if (type == ARKA_VARCHAR)
        memset(block->bytes + block->len, 0, 4);
    block->len += n;
    if (type == ARKA_VARCHAR) {
        /* Text begins on a multiple of 8, as every buffer of an IPC body must. */
        ARKA_CHECK(pad(block), "the 8 bytes were reserved");
        c.text_at = block->len;
    }
    block->name_hashes.items[block->name_hashes.n++] = name_hash(name);
    block->columns.items[block->columns.n] = c;
    *out_column = (int)block->columns.n++;
    return ARKA_OK;
}

void arka_block_drop_last(arka_block *block)
{
    block_column *c = &arka_vec_last(&block->columns);
    block->len = c->values_at;
    block->names.n = c->name_at;
    block->columns.n--;
    block->name_hashes.n--;
}

int64_t arka_block_n_rows(const arka_block *block)
{
    return block->n_rows;
}

int arka_block_n_columns(const arka_block *block)
{
    return (int)block->columns.n;
}

arka_type arka_block_type(const arka_block *block, int column)
{
    return block->columns.items[column].type;
}

void *arka_block_values(arka_block *block, int column)
{
    return block->bytes + block->columns.items[column].values_at;
}

char *arka_block_text_reserve(arka_block *block, int column, size_t n)
{
    block_column *c = &block->columns.items[column];
    if (n > INT32_MAX - c->text_len || !grow(block, n))
        return NULL;
    return (char *)block->bytes + c->text_at + c->text_len;
}

void arka_block_text_advance(arka_block *block, int column, size_t n)
{
    block_column *c = &block->columns.items[column];
    ARKA_DCHECK(c->text_at + c->text_len == block->len);
    c->text_len += n;
    block->len += n;
}

size_t arka_block_text_len(const arka_block *block, int column)
{
    return block->columns.items[column].text_len;
}

static arka_status add_bitmap(arka_block *block, block_column *c, arka_error *err)
{
    size_t n = round8((size_t)(block->n_rows + 7) / 8);
    if (!grow(block, n + 8))
        return arka_fail_nomem(err, "a null bitmap", n);
    size_t at;
    if (c->type == ARKA_VARCHAR && c->text_at + c->text_len == block->len) {
        /* Text is still growing at the end of the body: the bitmap goes before it. */
        at = c->text_at;
        memmove(block->bytes + at + n, block->bytes + at, c->text_len);
        c->text_at += n;
    } else {
        ARKA_CHECK(pad(block), "the 8 bytes were reserved");
        at = block->len;
    }
    memset(block->bytes + at, 0xff, n);
    block->len += n;
    c->validity_at = (int64_t)at;
    return ARKA_OK;
}

arka_status arka_block_set_null(arka_block *block, int column, int64_t row, arka_error *err)
{
    block_column *c = &block->columns.items[column];
    if (c->validity_at == NO_BITMAP)
        ARKA_TRY(add_bitmap(block, c, err));
    uint8_t *byte = &block->bytes[(size_t)c->validity_at + (size_t)row / 8];
    uint8_t bit = (uint8_t)(1 << (row & 7));
    c->n_nulls += (*byte & bit) != 0;
    *byte &= (uint8_t)~bit;
    return ARKA_OK;
}

void arka_block_widen(arka_block *block, int column, int64_t n_done)
{
    block_column *c = &block->columns.items[column];
    ARKA_CHECK(c->type == ARKA_BIGINT);
    uint8_t *at = block->bytes + c->values_at;
    for (int64_t i = 0; i < n_done; i++) {
        int64_t v;
        memcpy(&v, at + i * 8, 8);
        double d = (double)v;
        memcpy(at + i * 8, &d, 8);
    }
    c->type = ARKA_DOUBLE;
}

void arka_block_retype(arka_block *block, int column, arka_type type)
{
    block_column *c = &block->columns.items[column];
    ARKA_CHECK(arka_type_width(c->type) == 8 && arka_type_width(type) == 8);
    c->type = type;
}

static arka_status check_time(arka_block *block, int64_t now_us, int *out, arka_error *err)
{
    int time = arka_block_find(block, ARKA_SLICE(ARKA_TIME_COLUMN));
    if (time < 0) {
        ARKA_TRY(arka_block_add(block, ARKA_SLICE(ARKA_TIME_COLUMN), ARKA_TIMESTAMPTZ, false, &time,
                                err));
        int64_t *values = arka_block_values(block, time);
        for (int64_t i = 0; i < block->n_rows; i++)
            values[i] = now_us;
    }
    const block_column *c = &block->columns.items[time];
    if (c->type != ARKA_TIMESTAMPTZ)
        return arka_fail(err, ARKA_INPUT, "column 'time' holds %s, not times",
                         arka_type_name(c->type));
    for (int64_t row = 0; c->n_nulls > 0 && row < block->n_rows; row++)
        if (!arka_bit(block->bytes + c->validity_at, row))
            return arka_fail(err, ARKA_INPUT, "column 'time' is null in row %lld", (long long)row);
    *out = time;
    return ARKA_OK;
}

static void time_range(arka_batch *batch)
{
    const int64_t *t = arka_column_i64(&batch->columns[batch->time]);
    int64_t n = batch->n_rows, i = 1;
    while (i < n && t[i] >= t[i - 1])
        i++;
    int64_t min = t[0], max = t[i - 1];
    batch->time_sorted = i == n;
    for (; i < n; i++) {
        min = t[i] < min ? t[i] : min;
        max = t[i] > max ? t[i] : max;
    }
    batch->time_min = min;
    batch->time_max = max;
}

/* Writes batch, columns and names behind the body; the memory was reserved. */
static arka_batch *place_batch(arka_block *block, size_t tail_at)
{
    size_t n_columns = block->columns.n;
    arka_batch *batch = (arka_batch *)(void *)(block->bytes + tail_at);
    arka_column *columns = (arka_column *)(void *)(batch + 1);
    char *names = (char *)(columns + n_columns);
    memcpy(names, block->names.items, block->names.n);
    uint64_t layout = n_columns;
    for (size_t i = 0; i < n_columns; i++) {
        const block_column *c = &block->columns.items[i];
        arka_column *to = &columns[i];
        *to = (arka_column){.name = {names + c->name_at, c->name_len},
                            .type = c->type,
                            .tag = c->tag,
                            .n_nulls = c->n_nulls,
                            .values = block->bytes + c->values_at};
        if (c->validity_at != NO_BITMAP)
            to->validity = block->bytes + c->validity_at;
        if (c->type == ARKA_VARCHAR)
            to->bytes = (char *)block->bytes + c->text_at;
        layout =
            arka_hash(to->name.data, to->name.len, layout * 31 + (uint64_t)c->type * 2 + c->tag);
    }
    *batch = (arka_batch){.n_columns = (int)n_columns,
                          .n_rows = block->n_rows,
                          .columns = columns,
                          .layout = layout,
                          .body = block->bytes,
                          .memory_bytes = block->cap};
    arka_ref_init(&batch->ref);
    return batch;
}

arka_status arka_block_seal(arka_block *take_block, int64_t now_us, arka_batch **out,
                            arka_error *err)
{
    ARKA_AUTO(arka_block) block = take_block;
    int time;
    ARKA_TRY(check_time(block, now_us, &time, err));
    if (!pad(block))
        return arka_fail_nomem(err, "a batch", 8);
    size_t body = block->len;
    size_t tail_at = (body + 15) & ~(size_t)15;
    size_t whole =
        tail_at + sizeof(arka_batch) + block->columns.n * sizeof(arka_column) + block->names.n;
    if (!grow(block, whole - body))
        return arka_fail_nomem(err, "a batch", whole);
    /* Give back what the guess was too large by. */
    if (block->cap - whole > whole / 8) {
        uint8_t *less = arka_realloc(block->bytes, whole);
        if (less != NULL) {
            block->bytes = less;
            block->cap = whole;
        }
    }
    arka_batch *batch = place_batch(block, tail_at);
    batch->body_bytes = body;
    batch->time = time;
    time_range(batch);
    block->bytes = NULL; /* the batch owns it now */
    *out = batch;
    return ARKA_OK;
}
