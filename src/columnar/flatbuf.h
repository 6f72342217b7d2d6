/**
 * As much of FlatBuffers as Arrow's metadata needs, both ways, by hand.
 *
 * The format (flatbuffers.dev, "FlatBuffer Internals"), little-endian throughout:
 *
 *     buffer   uint32 offset of the root table
 *     table    int32 distance back to its vtable, then the fields that are not default
 *     vtable   uint16 its own bytes, uint16 the table's bytes, uint16 per slot: offset of that
 * field in the table, 0 when absent ref      uint32, forward, relative to its own place string
 * uint32 length, bytes, NUL vector   uint32 count, elements; the elements are aligned, the count
 * stands before them
 *
 * Scalars are aligned to their size, counted from the start of the buffer.
 */
#ifndef ARKA_COLUMNAR_FLATBUF_H
#define ARKA_COLUMNAR_FLATBUF_H

#include "base/buf.h"

/* --- writing ------------------------------------------------------------------------------------
 */

/**
 * Writes forward into `out`: a table (its vtable goes right before it), then what it refers to.
 * Places are offsets from the buffer's start. Out of memory: out->failed, and nothing crashes.
 */
typedef struct arka_flatbuf_writer {
    arka_buf *out;
    size_t base; /* where in `out` the buffer starts */
} arka_flatbuf_writer;

enum { ARKA_FLATBUF_SLOTS = 8 };

/** A table being described: which slots it has, how wide, with which value. */
typedef struct arka_flatbuf_shape {
    int n_slots;
    uint8_t bytes[ARKA_FLATBUF_SLOTS]; /* 0 absent, else 1, 2, 4 or 8 */
    int64_t value[ARKA_FLATBUF_SLOTS];
    size_t at[ARKA_FLATBUF_SLOTS]; /* set by place */
} arka_flatbuf_shape;

static inline void arka_flatbuf__slot(arka_flatbuf_shape *shape, int slot, uint8_t bytes,
                                      int64_t value)
{
    shape->bytes[slot] = bytes;
    shape->value[slot] = value;
    if (slot >= shape->n_slots)
        shape->n_slots = slot + 1;
}
/** A slot that will refer to something: shape->at[slot] is to be given to point later. */
static inline void arka_flatbuf__ref(arka_flatbuf_shape *shape, int slot)
{
    arka_flatbuf__slot(shape, slot, 4, 0);
}

/** Start a buffer at the end of `out`; its root reference is pointed by the caller (place 0). */
arka_flatbuf_writer arka_flatbuf__begin(arka_buf *out);
/** Write the table; its place. */
size_t arka_flatbuf__table(arka_flatbuf_writer *w, arka_flatbuf_shape *shape);
/** A vector of n elements, all zero; the place of its count. Element i is at place + 4 + i * bytes.
 */
size_t arka_flatbuf__vector(arka_flatbuf_writer *w, size_t n, size_t bytes, size_t align);
size_t arka_flatbuf__string(arka_flatbuf_writer *w, arka_slice text);
/** Make the reference at `ref` lead to `target`. */
void arka_flatbuf__point(arka_flatbuf_writer *w, size_t ref, size_t target);
/** Overwrite n bytes at `place`. */
void arka_flatbuf__patch(arka_flatbuf_writer *w, size_t place, const void *bytes, size_t n);

/* --- reading ------------------------------------------------------------------------------------
 */

/**
 * Reads bytes that nobody vouches for. Every access is checked; the first bad one sets `bad` (a
 * sentence) and from then on everything reads as absent. Tables may be shared between references,
 * so `budget` bounds how many are opened.
 */
typedef struct arka_flatbuf {
    const uint8_t *data;
    size_t n;
    size_t budget;
    const char *bad;
    size_t bad_at;
} arka_flatbuf;

typedef struct arka_flatbuf_table {
    size_t at; /* 0: absent */
    size_t vtable;
    uint16_t vtable_bytes, bytes;
} arka_flatbuf_table;

typedef struct arka_flatbuf_vector {
    size_t at; /* of the first element; 0: absent */
    uint32_t n;
} arka_flatbuf_vector;

arka_flatbuf arka_flatbuf__open(const void *data, size_t n);
arka_flatbuf_table arka_flatbuf__root(arka_flatbuf *fb);
/** A table whose place is known from an earlier look at the same bytes. */
arka_flatbuf_table arka_flatbuf__table_at(arka_flatbuf *fb, size_t at);
/** An integer of 1, 2, 4 or 8 bytes, sign extended; `absent` when the table does not have it. */
int64_t arka_flatbuf__int(arka_flatbuf *fb, const arka_flatbuf_table *t, int slot, size_t bytes,
                          int64_t absent);
arka_flatbuf_table arka_flatbuf__child(arka_flatbuf *fb, const arka_flatbuf_table *t, int slot);
/** Absent and empty both have n == 0. */
arka_flatbuf_vector arka_flatbuf__items(arka_flatbuf *fb, const arka_flatbuf_table *t, int slot,
                                        size_t bytes);
/** A vector of tables, no longer than the budget: what is allocated for it stays in proportion. */
arka_flatbuf_vector arka_flatbuf__tables(arka_flatbuf *fb, const arka_flatbuf_table *t, int slot);
/** Element i, i < v->n, of such a vector. */
arka_flatbuf_table arka_flatbuf__item(arka_flatbuf *fb, const arka_flatbuf_vector *v, uint32_t i);
/** {NULL, 0} when absent, {not NULL, 0} when empty. */
arka_slice arka_flatbuf__text(arka_flatbuf *fb, const arka_flatbuf_table *t, int slot);
/** The same with {"", 0} for absent. */
arka_slice arka_flatbuf__text_or_empty(arka_flatbuf *fb, const arka_flatbuf_table *t, int slot);

#endif
