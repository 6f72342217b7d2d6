#include "columnar/flatbuf.h"

#include <assert.h>

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
              "integers are copied as they lie in memory");

/* --- writing ------------------------------------------------------------------------------------
 */

static size_t here(const arka_flatbuf_writer *w)
{
    return w->out->len - w->base;
}

/* Zeros until (place + lead) is a multiple of unit; returns the place. */
static size_t align(arka_flatbuf_writer *w, size_t lead, size_t unit)
{
    size_t n = (unit - ((here(w) + lead) & (unit - 1))) & (unit - 1);
    arka_buf_append(w->out, "\0\0\0\0\0\0\0", n);
    return here(w);
}

void arka_flatbuf__patch(arka_flatbuf_writer *w, size_t place, const void *bytes, size_t n)
{
    if (!w->out->failed)
        memcpy(w->out->data + w->base + place, bytes, n);
}

void arka_flatbuf__point(arka_flatbuf_writer *w, size_t ref, size_t target)
{
    uint32_t distance = (uint32_t)(target - ref);
    arka_flatbuf__patch(w, ref, &distance, sizeof distance);
}

arka_flatbuf_writer arka_flatbuf__begin(arka_buf *out)
{
    arka_flatbuf_writer w = {out, out->len};
    arka_buf_append(out, "\0\0\0\0", 4);
    return w;
}

size_t arka_flatbuf__table(arka_flatbuf_writer *w, arka_flatbuf_shape *shape)
{
    /* vtable, then the distance back to it, then the slots from wide to narrow: no holes */
    uint8_t image[4 + 2 * ARKA_FLATBUF_SLOTS + 4 + 8 * ARKA_FLATBUF_SLOTS] = {0};
    uint16_t vtable[2 + ARKA_FLATBUF_SLOTS] = {0};
    uint16_t vtable_bytes = (uint16_t)(4 + 2 * shape->n_slots);
    uint16_t table_bytes = 4;
    bool wide = false;
    uint8_t *table = image + vtable_bytes;

    for (unsigned bytes = 8; bytes > 0; bytes /= 2) {
        for (int i = 0; i < shape->n_slots; i++) {
            if (shape->bytes[i] != bytes)
                continue;
            wide |= bytes == 8;
            vtable[2 + i] = table_bytes;
            memcpy(table + table_bytes, &shape->value[i], bytes);
            table_bytes = (uint16_t)(table_bytes + bytes);
        }
    }
    vtable[0] = vtable_bytes;
    vtable[1] = table_bytes;
    memcpy(image, vtable, vtable_bytes);
    int32_t back = vtable_bytes;
    memcpy(table, &back, sizeof back);

    /* the first slot stands 4 bytes into the table */
    size_t at = align(w, vtable_bytes + 4u, wide ? 8 : 4) + vtable_bytes;
    arka_buf_append(w->out, image, (size_t)vtable_bytes + table_bytes);
    for (int i = 0; i < shape->n_slots; i++)
        shape->at[i] = at + vtable[2 + i];
    return at;
}

size_t arka_flatbuf__vector(arka_flatbuf_writer *w, size_t n, size_t bytes, size_t align_to)
{
    size_t at = align(w, 4, align_to < 4 ? 4 : align_to);
    char *to = arka_buf_reserve(w->out, 4 + n * bytes);
    if (to == NULL)
        return at;
    uint32_t count = (uint32_t)n;
    memcpy(to, &count, 4);
    memset(to + 4, 0, n * bytes);
    w->out->len += 4 + n * bytes;
    return at;
}

size_t arka_flatbuf__string(arka_flatbuf_writer *w, arka_slice text)
{
    size_t at = align(w, 0, 4);
    uint32_t len = (uint32_t)text.len;
    arka_buf_append(w->out, &len, 4);
    arka_buf_slice(w->out, text);
    arka_buf_byte(w->out, 0);
    return at;
}

/* --- reading ------------------------------------------------------------------------------------
 */

enum { TABLE_BUDGET = 1000000 };

static void spoil(arka_flatbuf *fb, size_t at, const char *why)
{
    if (fb->bad == NULL) {
        fb->bad = why;
        fb->bad_at = at;
    }
}

static bool inside(arka_flatbuf *fb, size_t at, size_t n)
{
    if (fb->bad != NULL)
        return false;
    if (at <= fb->n && n <= fb->n - at)
        return true;
    spoil(fb, at, "reaches past the end of the metadata");
    return false;
}

static uint32_t load32(const arka_flatbuf *fb, size_t at)
{
    uint32_t v;
    memcpy(&v, fb->data + at, sizeof v);
    return v;
}

static uint16_t load16(const arka_flatbuf *fb, size_t at)
{
    uint16_t v;
    memcpy(&v, fb->data + at, sizeof v);
    return v;
}

arka_flatbuf arka_flatbuf__open(const void *data, size_t n)
{
    return (arka_flatbuf){.data = data, .n = n, .budget = TABLE_BUDGET};
}

/* Where the reference at `at` leads; 0 when that is nowhere. */
static size_t follow(arka_flatbuf *fb, size_t at)
{
    if (!inside(fb, at, 4))
        return 0;
    uint32_t distance = load32(fb, at);
    if (distance == 0) {
        spoil(fb, at, "refers to itself");
        return 0;
    }
    return inside(fb, at + distance, 4) ? at + distance : 0;
}

arka_flatbuf_table arka_flatbuf__table_at(arka_flatbuf *fb, size_t at)
{
    const arka_flatbuf_table absent = {0};
    if (at == 0 || !inside(fb, at, 4))
        return absent;
    if (fb->budget == 0) {
        spoil(fb, at, "is one table too many");
        return absent;
    }
    fb->budget--;
    int64_t vtable = (int64_t)at - (int32_t)load32(fb, at);
    if (vtable < 0) {
        spoil(fb, at, "has its layout before the metadata");
        return absent;
    }
    if (!inside(fb, (size_t)vtable, 4))
        return absent;
    arka_flatbuf_table t = {at, (size_t)vtable, load16(fb, (size_t)vtable),
                            load16(fb, (size_t)vtable + 2)};
    if (t.vtable_bytes < 4 || t.vtable_bytes % 2 != 0 || t.bytes < 4) {
        spoil(fb, t.vtable, "is no table layout");
        return absent;
    }
    if (!inside(fb, t.vtable, t.vtable_bytes) || !inside(fb, at, t.bytes))
        return absent;
    return t;
}

arka_flatbuf_table arka_flatbuf__root(arka_flatbuf *fb)
{
    return arka_flatbuf__table_at(fb, follow(fb, 0));
}

/* Place of a slot of `bytes` bytes; 0: absent. */
static size_t slot_at(arka_flatbuf *fb, const arka_flatbuf_table *t, int slot, size_t bytes)
{
    size_t entry = 4 + 2 * (size_t)slot;
    if (fb->bad != NULL || t->at == 0 || entry + 2 > t->vtable_bytes)
        return 0;
    size_t offset = load16(fb, t->vtable + entry);
    if (offset == 0)
        return 0;
    if (offset < 4 || offset + bytes > t->bytes) {
        spoil(fb, t->at, "has a field outside of itself");
        return 0;
    }
    return t->at + offset;
}

int64_t arka_flatbuf__int(arka_flatbuf *fb, const arka_flatbuf_table *t, int slot, size_t bytes,
                          int64_t absent)
{
    size_t at = slot_at(fb, t, slot, bytes);
    if (at == 0)
        return absent;
    int64_t v = 0;
    memcpy(&v, fb->data + at, bytes);
    int unused = 64 - 8 * (int)bytes;
    return (int64_t)((uint64_t)v << unused) >> unused;
}

arka_flatbuf_table arka_flatbuf__child(arka_flatbuf *fb, const arka_flatbuf_table *t, int slot)
{
    size_t at = slot_at(fb, t, slot, 4);
    return at == 0 ? (arka_flatbuf_table){0} : arka_flatbuf__table_at(fb, follow(fb, at));
}

arka_flatbuf_vector arka_flatbuf__items(arka_flatbuf *fb, const arka_flatbuf_table *t, int slot,
                                        size_t bytes)
{
    size_t at = slot_at(fb, t, slot, 4);
    size_t to = at == 0 ? 0 : follow(fb, at);
    if (to == 0)
        return (arka_flatbuf_vector){0};
    arka_flatbuf_vector v = {to + 4, load32(fb, to)};
    if (!inside(fb, v.at, (size_t)v.n * bytes))
        return (arka_flatbuf_vector){0};
    return v;
}

arka_flatbuf_vector arka_flatbuf__tables(arka_flatbuf *fb, const arka_flatbuf_table *t, int slot)
{
    arka_flatbuf_vector v = arka_flatbuf__items(fb, t, slot, 4);
    if (v.n <= fb->budget)
        return v;
    spoil(fb, v.at, "lists more tables than are allowed");
    return (arka_flatbuf_vector){0};
}

arka_flatbuf_table arka_flatbuf__item(arka_flatbuf *fb, const arka_flatbuf_vector *v, uint32_t i)
{
    return arka_flatbuf__table_at(fb, follow(fb, v->at + 4 * (size_t)i));
}

arka_slice arka_flatbuf__text(arka_flatbuf *fb, const arka_flatbuf_table *t, int slot)
{
    arka_flatbuf_vector v = arka_flatbuf__items(fb, t, slot, 1);
    if (v.at == 0 || !inside(fb, v.at, (size_t)v.n + 1))
        return (arka_slice){NULL, 0};
    const char *text = (const char *)fb->data + v.at;
    if (text[v.n] != 0) {
        spoil(fb, v.at, "is a text without its closing NUL");
        return (arka_slice){NULL, 0};
    }
    return (arka_slice){text, v.n};
}

arka_slice arka_flatbuf__text_or_empty(arka_flatbuf *fb, const arka_flatbuf_table *t, int slot)
{
    arka_slice text = arka_flatbuf__text(fb, t, slot);
    return text.data != NULL ? text : ARKA_SLICE("");
}
