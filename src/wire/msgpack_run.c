#include "wire/msgpack_run.h"

#include <inttypes.h>

#include "base/utf8.h"

enum { WIDEST = 9 }; /* bytes that may be read at a token */

/* Of at most `max` tokens of `stride` bytes: bytes of those at which WIDEST bytes can be read. */
static inline int64_t bytes_readable(const arka_msgpack_reader *r, int64_t max, int64_t stride)
{
    int64_t left = r->end - r->at;
    int64_t n = left < WIDEST ? 0 : (left - WIDEST) / stride + 1;
    return (n < max ? n : max) * stride;
}

/*
 * Integers of one form: 8 bytes are loaded behind the type byte, big-endian, and shifted down. Made
 * for each form with its numbers as constants, so that within a run only "still the same form?" is
 * asked.
 */
static inline __attribute__((always_inline)) int64_t
run_of_form(arka_msgpack_reader *r, int64_t *out, int64_t max, uint8_t op, int bits, bool is_signed)
{
    const uint8_t *at = r->at, *end = at + bytes_readable(r, max, 1 + bits / 8);
    int64_t n = 0;
    for (; at < end && *at == op; at += 1 + bits / 8, n++) {
        uint64_t wide = arka_be64(at + 1);
        int64_t v = is_signed ? (int64_t)wide >> (64 - bits) : (int64_t)(wide >> (64 - bits));
        if (!is_signed && bits == 64 && ARKA_UNLIKELY(v < 0))
            break;
        out[n] = v;
    }
    r->at = at;
    return n;
}

static int64_t run_of_fixints(arka_msgpack_reader *r, int64_t *out, int64_t max)
{
    const uint8_t *at = r->at;
    int64_t n = 0;
    for (; n < max && at < r->end && (int8_t)*at >= -32; at++)
        out[n++] = (int8_t)*at;
    r->at = at;
    return n;
}

static int64_t run_like_first(arka_msgpack_reader *r, int64_t *out, int64_t max)
{
    switch (*r->at) {
    case 0xcc:
        return run_of_form(r, out, max, 0xcc, 8, false);
    case 0xcd:
        return run_of_form(r, out, max, 0xcd, 16, false);
    case 0xce:
        return run_of_form(r, out, max, 0xce, 32, false);
    case 0xcf:
        return run_of_form(r, out, max, 0xcf, 64, false);
    case 0xd0:
        return run_of_form(r, out, max, 0xd0, 8, true);
    case 0xd1:
        return run_of_form(r, out, max, 0xd1, 16, true);
    case 0xd2:
        return run_of_form(r, out, max, 0xd2, 32, true);
    case 0xd3:
        return run_of_form(r, out, max, 0xd3, 64, true);
    default:
        return run_of_fixints(r, out, max);
    }
}

int64_t arka_msgpack_run_i64(arka_msgpack_reader *r, int64_t *out, int64_t max)
{
    int64_t n = 0;
    while (n < max && r->at < r->end) {
        int64_t run = run_like_first(r, out + n, max - n);
        if (run == 0)
            break;
        n += run;
    }
    return n;
}

static int64_t run_of_f64(arka_msgpack_reader *r, double *out, int64_t max)
{
    const uint8_t *at = r->at, *end = at + bytes_readable(r, max, 9);
    int64_t n = 0;
    for (; at < end && *at == 0xcb; at += 9)
        out[n++] = arka_be_f64(at + 1);
    r->at = at;
    return n;
}

static int64_t run_of_f32(arka_msgpack_reader *r, double *out, int64_t max)
{
    const uint8_t *at = r->at, *end = at + bytes_readable(r, max, 5);
    int64_t n = 0;
    for (; at < end && *at == 0xca; at += 5)
        out[n++] = (double)arka_be_f32(at + 1);
    r->at = at;
    return n;
}

int64_t arka_msgpack_run_f64(arka_msgpack_reader *r, double *out, int64_t max)
{
    int64_t n = 0, before = -1;
    while (n != before) {
        before = n;
        n += run_of_f64(r, out + n, max - n);
        n += run_of_f32(r, out + n, max - n);
    }
    return n;
}

arka_status arka_msgpack_no_text(const arka_block *block, int column, size_t n, arka_error *err)
{
    if (n > INT32_MAX - arka_block_text_len(block, column))
        return arka_fail(err, ARKA_LIMIT, "text of one column is larger than 2 GiB");
    return arka_fail_nomem(err, "a text column", n);
}

static int64_t first_bad_text(const char *text, const int32_t *offsets, int64_t n)
{
    int64_t i = 0;
    while (i < n &&
           arka_utf8_valid(text + (offsets[i] - offsets[0]), (size_t)(offsets[i + 1] - offsets[i])))
        i++;
    return i;
}

static bool is_ascii(const char *text, size_t n)
{
    uint64_t any = 0, word;
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        memcpy(&word, text + i, 8);
        any |= word;
    }
    for (; i < n; i++)
        any |= (unsigned char)text[i];
    return (any & UINT64_C(0x8080808080808080)) == 0;
}

enum { CHUNK = 64, FIXSTR_COPY = 32 }; /* a fixstr has at most 31 bytes: two 16-byte moves */

/* Up to CHUNK strings; returns how many. `to` has room for CHUNK * FIXSTR_COPY bytes. */
static int64_t copy_fixstr(arka_msgpack_reader *r, char *to, int32_t *offsets, int64_t max)
{
    const uint8_t *at = r->at, *last = r->end - 1 - FIXSTR_COPY;
    int32_t base = offsets[0];
    char *next = to;
    int64_t n = 0;
    while (n < max && at <= last) {
        /* The length is what each step waits for: the shortest way from this header to the next. */
        size_t op = *at;
        if (op - 0xa0 > 31)
            break;
        memcpy(next, at + 1, FIXSTR_COPY);
        at += op - 0x9f;
        next += op - 0xa0;
        offsets[++n] = base + (int32_t)(next - to);
    }
    r->at = at;
    return n;
}

arka_status arka_msgpack_run_text(arka_msgpack_reader *r, arka_block *block, int column,
                                  int64_t row, int64_t n, int64_t *out_row, arka_error *err)
{
    while (row < n && r->end - r->at > FIXSTR_COPY && (*r->at & 0xe0) == 0xa0) {
        char *to = arka_block_text_reserve(block, column, CHUNK * FIXSTR_COPY);
        if (to == NULL)
            return arka_msgpack_no_text(block, column, CHUNK * FIXSTR_COPY, err);
        int32_t *offsets = (int32_t *)arka_block_values(block, column) + row;
        int64_t run = copy_fixstr(r, to, offsets, n - row < CHUNK ? n - row : CHUNK);
        size_t len = (size_t)(offsets[run] - offsets[0]);
        if (!is_ascii(to, len)) {
            int64_t bad = first_bad_text(to, offsets, run);
            if (bad < run)
                return arka_fail(err, ARKA_INPUT, "row %" PRId64 ": string is not UTF-8",
                                 row + bad);
        }
        arka_block_text_advance(block, column, len);
        row += run;
    }
    *out_row = row;
    return ARKA_OK;
}
