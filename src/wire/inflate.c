#include "wire/inflate.h"

#define ZLIB_CONST
#include <zlib.h>
#include <zstd.h>

enum {
    RATIO_FREE_BYTES = 1 << 20, /* results up to this size may be as dense as they like */
    FIRST_ROOM = 64 << 10,
    GUESSED_RATIO = 8,   /* telemetry text; only the first allocation depends on it */
    MAX_WINDOW_LOG = 27, /* what zstd's own decoder takes by default: every level without --long */
};

/* Where the result goes, and how much of it there may be. */
typedef struct sink {
    arka_buf *out;
    size_t start; /* of our result in `out` */
    size_t max;   /* bytes of result: the smaller of the two limits */
    size_t input_len;
    const arka_inflate_limits *limits;
} sink;

arka_coding arka_coding_detect(const void *body, size_t len)
{
    const unsigned char *b = body;
    if (len >= 2 && b[0] == 0x1f && b[1] == 0x8b)
        return ARKA_CODING_GZIP;
    if (len >= 4 && b[0] == 0x28 && b[1] == 0xb5 && b[2] == 0x2f && b[3] == 0xfd)
        return ARKA_CODING_ZSTD;
    return ARKA_CODING_NONE;
}

static sink sink_over(arka_buf *out, size_t input_len, const arka_inflate_limits *limits)
{
    sink s = {out, out->len, limits->max_bytes, input_len, limits};
    size_t by_ratio;
    if (limits->max_ratio != 0 &&
        !__builtin_mul_overflow(input_len, limits->max_ratio, &by_ratio)) {
        by_ratio = by_ratio < RATIO_FREE_BYTES ? RATIO_FREE_BYTES : by_ratio;
        s.max = by_ratio < s.max ? by_ratio : s.max;
    }
    return s;
}

static size_t sink_len(const sink *s)
{
    return s->out->len - s->start;
}

static arka_status sink_over_limit(const sink *s, arka_error *err)
{
    if (s->max < s->limits->max_bytes)
        return arka_fail(err, ARKA_LIMIT,
                         "compressed body of %zu bytes expands more than %zu times (a "
                         "decompression bomb)",
                         s->input_len, s->limits->max_ratio);
    return arka_fail(err, ARKA_LIMIT,
                     "compressed body of %zu bytes expands past the limit of %zu bytes",
                     s->input_len, s->limits->max_bytes);
}

/*
 * Some room behind the result, growing by half but never past the limit and one byte: a decoder
 * that fills that byte has more than it may.
 */
static arka_status sink_room(sink *s, char **to, size_t *n, arka_error *err)
{
    size_t have = s->out->cap - s->out->len;
    if (sink_len(s) > s->max)
        return sink_over_limit(s, err);
    if (have == 0) {
        size_t more = sink_len(s) == 0 ? s->input_len : sink_len(s) / 2;
        if (sink_len(s) == 0 && __builtin_mul_overflow(more, GUESSED_RATIO, &more))
            more = s->input_len;
        more = more < FIRST_ROOM ? FIRST_ROOM : more;
        size_t left = s->max - sink_len(s);
        more = more > left ? left + 1 : more;
        if (!arka_buf_grow_to(s->out, s->out->len + more))
            return arka_fail_nomem(err, "a decompressed body", s->out->len + more);
        have = s->out->cap - s->out->len;
    }
    *to = s->out->data + s->out->len;
    *n = have;
    return ARKA_OK;
}

static arka_status damaged(arka_error *err, const char *format, size_t at, const char *why)
{
    return arka_fail(err, ARKA_INPUT, "%s body is damaged near byte %zu: %s", format, at, why);
}

static arka_status gzip_members(z_stream *z, size_t len, sink *s, arka_error *err)
{
    const unsigned char *end = z->next_in + len;
    for (;;) {
        char *to;
        size_t n;
        ARKA_TRY(sink_room(s, &to, &n, err));
        size_t left = (size_t)(end - z->next_in);
        z->avail_in = left > UINT32_MAX ? UINT32_MAX : (uInt)left;
        z->next_out = (unsigned char *)to;
        z->avail_out = n > UINT32_MAX ? UINT32_MAX : (uInt)n;
        uInt room = z->avail_out;
        int rc = inflate(z, Z_NO_FLUSH);
        s->out->len += room - z->avail_out;
        if (sink_len(s) > s->max)
            return sink_over_limit(s, err);
        left = (size_t)(end - z->next_in);
        if (rc == Z_MEM_ERROR)
            return arka_fail(err, ARKA_NOMEM, "out of memory for the gzip decoder");
        if (rc == Z_STREAM_END) {
            if (left == 0)
                return ARKA_OK;
            if (arka_coding_detect(z->next_in, left) != ARKA_CODING_GZIP)
                return damaged(err, "gzip", len - left, "bytes follow that are no gzip member");
            ARKA_CHECK(inflateReset(z) == Z_OK);
        } else if (rc != Z_OK && rc != Z_BUF_ERROR) {
            return damaged(err, "gzip", len - left, z->msg ? z->msg : "not gzip");
        } else if (left == 0 && z->avail_out != 0) {
            return arka_fail(err, ARKA_INPUT, "gzip body is truncated after %zu bytes", len);
        }
    }
}

static arka_status inflate_gzip(const void *body, size_t len, sink *s, arka_error *err)
{
    z_stream z = {.next_in = body};
    if (inflateInit2(&z, 15 + 16) != Z_OK)
        return arka_fail(err, ARKA_NOMEM, "out of memory for the gzip decoder");
    arka_status status = gzip_members(&z, len, s, err);
    inflateEnd(&z);
    return status;
}

static arka_status zstd_frames(ZSTD_DCtx *ctx, const void *body, size_t len, sink *s,
                               arka_error *err)
{
    ZSTD_inBuffer in = {body, len, 0};
    for (;;) {
        char *to;
        size_t n;
        ARKA_TRY(sink_room(s, &to, &n, err));
        ZSTD_outBuffer out = {to, n, 0};
        size_t rc = ZSTD_decompressStream(ctx, &out, &in);
        s->out->len += out.pos;
        if (sink_len(s) > s->max)
            return sink_over_limit(s, err);
        if (ZSTD_isError(rc))
            return damaged(err, "zstd", in.pos, ZSTD_getErrorName(rc));
        if (in.pos == len && rc == 0)
            return ARKA_OK;
        if (in.pos == len && out.pos < n)
            return arka_fail(err, ARKA_INPUT, "zstd body is truncated after %zu bytes", len);
    }
}

static arka_status inflate_zstd(const void *body, size_t len, sink *s, arka_error *err)
{
    ZSTD_DCtx *ctx = ZSTD_createDCtx();
    if (ctx == NULL)
        return arka_fail(err, ARKA_NOMEM, "out of memory for the zstd decoder");
    ARKA_CHECK(!ZSTD_isError(ZSTD_DCtx_setParameter(ctx, ZSTD_d_windowLogMax, MAX_WINDOW_LOG)));
    arka_status status = zstd_frames(ctx, body, len, s, err);
    ZSTD_freeDCtx(ctx);
    return status;
}

static arka_status copy_plain(const void *body, size_t len, sink *s, arka_error *err)
{
    if (len > s->limits->max_bytes)
        return arka_fail(err, ARKA_LIMIT, "body of %zu bytes is over the limit of %zu bytes", len,
                         s->limits->max_bytes);
    arka_buf_append(s->out, body, len);
    return s->out->failed ? arka_fail_nomem(err, "a body", len) : ARKA_OK;
}

arka_status arka_inflate(const void *body, size_t len, arka_coding coding,
                         const arka_inflate_limits *limits, arka_buf *out, arka_error *err)
{
    size_t start = out->len;
    sink s = sink_over(out, len, limits);
    arka_status status = ARKA_OK;
    switch (coding) {
    case ARKA_CODING_GZIP:
        status = inflate_gzip(body, len, &s, err);
        break;
    case ARKA_CODING_ZSTD:
        status = inflate_zstd(body, len, &s, err);
        break;
    case ARKA_CODING_NONE:
        status = copy_plain(body, len, &s, err);
        break;
    }
    if (status != ARKA_OK)
        out->len = start;
    return status;
}
