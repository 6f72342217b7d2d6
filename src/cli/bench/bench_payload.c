#include "cli/bench/bench_payload.h"

#include <endian.h>
#include <math.h>
#include <stdio.h>

#include <zlib.h>
#include <zstd.h>

#include "base/buf.h"
#include "base/number.h"

enum {
    CELL = 9,    /* bytes of a MessagePack time or double */
    SALT_AT = 4, /* decimals before the salt's */
    SALT_DIGITS = 8,
    MAX_BODY = 1 << 30,
};

/* What building needs beside the payload itself. */
typedef struct builder {
    const arka_payload_options *options;
    const arka_workload *workload;
    arka_payload *payload;
    arka_buf body;
    arka_random *random;
} builder;

/* MessagePack */

static void put_be(arka_buf *body, uint8_t type, uint64_t v)
{
    uint64_t be = htobe64(v);
    arka_buf_byte(body, (char)type);
    arka_buf_append(body, &be, sizeof be);
}

static void put_str(arka_buf *body, const char *text, size_t n)
{
    if (n < 32) {
        arka_buf_byte(body, (char)(0xa0 | n));
    } else {
        arka_buf_byte(body, (char)0xd9); /* str 8: names here are under 256 bytes */
        arka_buf_byte(body, (char)n);
    }
    arka_buf_append(body, text, n);
}

static void put_array(arka_buf *body, uint32_t n)
{
    if (n < 16) {
        arka_buf_byte(body, (char)(0x90 | n));
    } else if (n < 65536) {
        uint16_t be = htobe16((uint16_t)n);
        arka_buf_byte(body, (char)0xdc);
        arka_buf_append(body, &be, sizeof be);
    } else {
        uint32_t be = htobe32(n);
        arka_buf_byte(body, (char)0xdd);
        arka_buf_append(body, &be, sizeof be);
    }
}

/* the shortest form, as clients' libraries write it; v >= 0 */
static void put_int(arka_buf *body, int64_t v)
{
    if (v < 128) {
        arka_buf_byte(body, (char)v);
    } else if (v < 256) {
        arka_buf_byte(body, (char)0xcc);
        arka_buf_byte(body, (char)v);
    } else if (v < 65536) {
        uint16_t be = htobe16((uint16_t)v);
        arka_buf_byte(body, (char)0xcd);
        arka_buf_append(body, &be, sizeof be);
    } else {
        uint32_t be = htobe32((uint32_t)v);
        arka_buf_byte(body, (char)0xce);
        arka_buf_append(body, &be, sizeof be);
    }
}

static void put_cell(builder *b, const arka_workload_column *column, int64_t time_us)
{
    char text[ARKA_CELL_TEXT_MAX];
    union {
        double d;
        uint64_t bits;
    } v;
    switch (column->kind) {
    case ARKA_CELL_TIME:
        put_be(&b->body, 0xcf, (uint64_t)time_us);
        break;
    case ARKA_CELL_TAG:
    case ARKA_CELL_TEXT:
        put_str(&b->body, text, arka_cell_text(column, b->random, text));
        break;
    case ARKA_CELL_DOUBLE:
        v.d = arka_cell_double(column, b->options->realistic, b->random);
        put_be(&b->body, 0xcb, v.bits);
        break;
    case ARKA_CELL_INT:
        put_int(&b->body, arka_cell_int(column, b->random));
        break;
    }
}

static void build_msgpack(builder *b, arka_payload_times times)
{
    const arka_workload *w = b->workload;
    arka_payload *p = b->payload;
    arka_buf_byte(&b->body, (char)0x82);
    put_str(&b->body, "m", 1);
    put_str(&b->body, b->options->table, strlen(b->options->table));
    put_str(&b->body, "columns", 7);
    arka_buf_byte(&b->body, (char)(0x80 | w->n_columns));
    for (int c = 0; c < w->n_columns; c++) {
        const arka_workload_column *column = &w->columns[c];
        put_str(&b->body, column->name, strlen(column->name));
        put_array(&b->body, (uint32_t)p->n_rows);
        if (column->kind == ARKA_CELL_TIME)
            p->time_column = b->body.len;
        else if (column->kind == ARKA_CELL_DOUBLE && !b->options->realistic)
            p->double_columns[p->n_doubles++] = b->body.len;
        for (int i = 0; i < p->n_rows; i++)
            put_cell(b, column, times.first_us + i * times.stride_us);
    }
}

static void stamp_msgpack(arka_payload *p, arka_payload_times times, uint32_t salt)
{
    char *at = p->bytes + p->time_column + 1;
    int64_t t = times.first_us;
    for (int i = 0; i < p->n_rows; i++, at += CELL, t += times.stride_us) {
        uint64_t be = htobe64((uint64_t)t);
        memcpy(at, &be, sizeof be);
    }
    /* big-endian: the low half of a double is its last four bytes */
    for (int c = 0; c < p->n_doubles; c++) {
        at = p->bytes + p->double_columns[c] + 5;
        for (int i = 0; i < p->n_rows; i++, at += CELL) {
            uint32_t low;
            memcpy(&low, at, sizeof low);
            low ^= salt;
            memcpy(at, &low, sizeof low);
        }
    }
}

/* Line protocol */

/* 8 digits of v < 10^8, first digit in the first byte */
static void put_8_digits(char *out, uint32_t v)
{
    uint64_t halves = v / 10000 | (uint64_t)(v % 10000) << 32;
    uint64_t hundreds = halves * 10486 >> 20 & 0x7f0000007fu; /* / 100, exact below 10^4 */
    uint64_t pairs = hundreds | (halves - hundreds * 100) << 16;
    uint64_t tens = pairs * 103 >> 10 & 0x000f000f000f000fu; /* / 10, exact below 100 */
    uint64_t digits = (tens | (pairs - tens * 10) << 8) + 0x3030303030303030u;
    digits = htole64(digits);
    memcpy(out, &digits, sizeof digits);
}

/* the 16 digits of a time in µs; the three behind it, "000", make it ns */
static void put_16_digits(char *out, int64_t us)
{
    put_8_digits(out, (uint32_t)(us / 100000000));
    put_8_digits(out + 8, (uint32_t)(us % 100000000));
}

/* 17 significant digits, as a printed double needs at most: dd.sss[salt8]sss */
static void put_random_double(builder *b, double v, uint32_t **place)
{
    int whole = (int)v;
    int decimals = whole < 10 ? 16 : whole < 100 ? 15 : 14;
    char text[32];
    int n = snprintf(text, sizeof text, "%d.%04u%08u%0*u", whole,
                     (unsigned)arka_random_below(b->random, 10000), 0u,
                     decimals - SALT_AT - SALT_DIGITS,
                     (unsigned)arka_random_below(b->random, decimals == 16   ? 10000
                                                            : decimals == 15 ? 1000
                                                                             : 100));
    *(*place)++ = (uint32_t)(b->body.len + (size_t)(n - decimals + SALT_AT));
    arka_buf_append(&b->body, text, (size_t)n);
}

static void put_field(builder *b, const arka_workload_column *column, uint32_t **salt_place)
{
    char text[ARKA_CELL_TEXT_MAX];
    if (column->kind == ARKA_CELL_DOUBLE) {
        double v = arka_cell_double(column, b->options->realistic, b->random);
        if (b->options->realistic)
            arka_buf_printf(&b->body, "%.*f", column->decimals, v);
        else
            put_random_double(b, v, salt_place);
    } else if (column->kind == ARKA_CELL_INT) {
        arka_buf_printf(&b->body, "%lldi", (long long)arka_cell_int(column, b->random));
    } else {
        size_t n = arka_cell_text(column, b->random, text);
        arka_buf_printf(&b->body, "\"%.*s\"", (int)n, text);
    }
}

static void build_line(builder *b, int64_t time_us, uint32_t *time_place, uint32_t **salt_place)
{
    const arka_workload *w = b->workload;
    char text[ARKA_CELL_TEXT_MAX];
    arka_buf_text(&b->body, b->options->table);
    for (int c = 1; c < w->n_columns; c++) {
        if (w->columns[c].kind == ARKA_CELL_TAG) {
            size_t n = arka_cell_text(&w->columns[c], b->random, text);
            arka_buf_printf(&b->body, ",%s=%.*s", w->columns[c].name, (int)n, text);
        }
    }
    char before = ' ';
    for (int c = 1; c < w->n_columns; c++) {
        if (w->columns[c].kind != ARKA_CELL_TAG) {
            arka_buf_byte(&b->body, before);
            arka_buf_printf(&b->body, "%s=", w->columns[c].name);
            put_field(b, &w->columns[c], salt_place);
            before = ',';
        }
    }
    *time_place = (uint32_t)(b->body.len + 1);
    arka_buf_printf(&b->body, " %lld000\n", (long long)time_us);
}

static arka_status build_lines(builder *b, arka_payload_times times, arka_error *err)
{
    arka_payload *p = b->payload;
    for (int c = 0; c < b->workload->n_columns; c++)
        p->n_doubles += b->workload->columns[c].kind == ARKA_CELL_DOUBLE && !b->options->realistic;
    size_t n_places = (size_t)p->n_rows * (size_t)(p->n_doubles + 1);
    p->time_places = arka_malloc(n_places * sizeof *p->time_places);
    if (p->time_places == NULL)
        return arka_fail_nomem(err, "a line-protocol body", n_places * sizeof *p->time_places);
    p->salt_places = p->time_places + p->n_rows;
    uint32_t *salt_place = p->salt_places;
    for (int i = 0; i < p->n_rows; i++)
        build_line(b, times.first_us + i * times.stride_us, &p->time_places[i], &salt_place);
    return ARKA_OK;
}

static void stamp_lines(arka_payload *p, arka_payload_times times, uint32_t salt)
{
    char *body = p->bytes + p->n_head_bytes;
    int64_t t = times.first_us;
    for (int i = 0; i < p->n_rows; i++, t += times.stride_us)
        put_16_digits(body + p->time_places[i], t);
    char digits[SALT_DIGITS];
    put_8_digits(digits, salt % 100000000);
    size_t n = (size_t)p->n_rows * (size_t)p->n_doubles;
    for (size_t i = 0; i < n; i++)
        memcpy(body + p->salt_places[i], digits, SALT_DIGITS);
}

/* Both */

static arka_status gzip(arka_buf *body, arka_error *err)
{
    z_stream z = {0};
    int how = deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
    if (how != Z_OK)
        return arka_fail(err, ARKA_NOMEM, "gzip: cannot start (%d)", how);
    arka_buf out = ARKA_BUF_INIT;
    size_t cap = deflateBound(&z, body->len);
    arka_status status = ARKA_OK;
    if (arka_buf_reserve(&out, cap) == NULL) {
        status = arka_fail_nomem(err, "a gzip body", cap);
    } else {
        z.next_in = (Bytef *)body->data;
        z.avail_in = (uInt)body->len;
        z.next_out = (Bytef *)out.data;
        z.avail_out = (uInt)cap;
        how = deflate(&z, Z_FINISH);
        if (how != Z_STREAM_END)
            status = arka_fail(err, ARKA_INTERNAL, "gzip: ended with %d", how);
        out.len = z.total_out;
    }
    deflateEnd(&z);
    arka_buf_fini(body);
    *body = out;
    return status;
}

static arka_status zstd(arka_buf *body, arka_error *err)
{
    arka_buf out = ARKA_BUF_INIT;
    size_t cap = ZSTD_compressBound(body->len);
    if (arka_buf_reserve(&out, cap) == NULL)
        return arka_fail_nomem(err, "a zstd body", cap);
    size_t n = ZSTD_compress(out.data, cap, body->data, body->len, 3);
    if (ZSTD_isError(n)) {
        arka_buf_fini(&out);
        return arka_fail(err, ARKA_INTERNAL, "zstd: %s", ZSTD_getErrorName(n));
    }
    out.len = n;
    arka_buf_fini(body);
    *body = out;
    return ARKA_OK;
}

static arka_status build_body(builder *b, arka_payload_times times, arka_error *err)
{
    if (b->options->format == ARKA_PAYLOAD_MSGPACK)
        build_msgpack(b, times);
    else
        ARKA_TRY(build_lines(b, times, err));
    if (b->body.failed)
        return arka_fail_nomem(err, "a request body", b->body.cap);
    if (b->body.len > MAX_BODY)
        return arka_fail(err, ARKA_LIMIT,
                         "a body of %d rows has %zu bytes, at most %d are "
                         "supported",
                         b->payload->n_rows, b->body.len, MAX_BODY);
    b->payload->n_raw_bytes = b->body.len;
    switch (b->options->coding) {
    case ARKA_PAYLOAD_GZIP:
        return gzip(&b->body, err);
    case ARKA_PAYLOAD_ZSTD:
        return zstd(&b->body, err);
    case ARKA_PAYLOAD_PLAIN:
        break;
    }
    return ARKA_OK;
}

/* Head and body in one block, so that a request is one send. */
static arka_status join(builder *b, const char *path_and_headers, arka_error *err)
{
    static const char *const CODINGS[] = {"", "Content-Encoding: gzip\r\n",
                                          "Content-Encoding: zstd\r\n"};
    arka_payload *p = b->payload;
    arka_buf whole = ARKA_BUF_INIT;
    arka_buf_printf(
        &whole, "POST %sContent-Type: %s\r\n%sContent-Length: %zu\r\n\r\n", path_and_headers,
        p->format == ARKA_PAYLOAD_MSGPACK ? "application/msgpack" : "text/plain; charset=utf-8",
        CODINGS[b->options->coding], b->body.len);
    p->n_head_bytes = whole.len;
    arka_buf_append(&whole, b->body.data, b->body.len);
    p->bytes = whole.data;
    p->n_bytes = whole.len;
    if (whole.failed)
        return arka_fail_nomem(err, "a request", whole.len + b->body.len);
    p->time_column += p->n_head_bytes;
    for (int c = 0; c < p->n_doubles; c++)
        p->double_columns[c] += p->n_head_bytes;
    return ARKA_OK;
}

arka_status arka_payload_init(arka_payload *p, const arka_payload_options *options,
                              const char *path_and_headers, arka_payload_times times,
                              arka_random *r, arka_error *err)
{
    ARKA_CHECK(options->n_rows > 0 && options->n_rows <= ARKA_PAYLOAD_MAX_ROWS);
    *p = (arka_payload){.n_rows = options->n_rows,
                        .format = options->format,
                        .fixed = options->coding != ARKA_PAYLOAD_PLAIN};
    builder b = {options, &arka_workloads[options->workload], p, ARKA_BUF_INIT, r};
    arka_status status = build_body(&b, times, err);
    if (status == ARKA_OK)
        status = join(&b, path_and_headers, err);
    arka_buf_fini(&b.body);
    if (status != ARKA_OK)
        arka_payload_fini(p);
    return status;
}

void arka_payload_fini(arka_payload *p)
{
    arka_free(p->bytes);
    arka_free(p->time_places);
    *p = (arka_payload){0};
}

void arka_payload_stamp(arka_payload *p, arka_payload_times times, uint32_t salt)
{
    ARKA_CHECK(!p->fixed, "a compressed payload cannot be stamped");
    if (p->format == ARKA_PAYLOAD_MSGPACK)
        stamp_msgpack(p, times, salt);
    else
        stamp_lines(p, times, salt);
}
