#include "server/http/compress.h"

#include <strings.h>
#include <zlib.h>
#include <zstd.h>

#include "server/server_priv.h"

/* Fast ones: an answer is compressed once for each time that it is read. */
enum { GZIP_LEVEL = 1, ZSTD_LEVEL_OF_ANSWERS = 1, GZIP_WINDOW = 15 + 16, STEP = 32 << 10 };

/* ---- what is accepted ---- */

/* What stands before the first `mark`, which is taken away with it. */
static arka_slice take_until(arka_slice *rest, char mark)
{
    const char *at = rest->len ? memchr(rest->data, mark, rest->len) : NULL;
    arka_slice part = {rest->data, at ? (size_t)(at - rest->data) : rest->len};
    size_t used = part.len + (at != NULL);
    *rest = (arka_slice){rest->data + used, rest->len - used};
    return arka_slice_trim(part);
}

static bool is_word(arka_slice s, const char *word)
{
    return s.len == strlen(word) && strncasecmp(s.data, word, s.len) == 0;
}

/* "1", "0.5", "0.125" in thousandths; -1 for what is none (RFC 9110, 12.4.2). */
static int read_weight(arka_slice s)
{
    if (s.len == 0 || s.len > 5 || (s.data[0] != '0' && s.data[0] != '1') ||
        (s.len > 1 && s.data[1] != '.'))
        return -1;
    int weight = s.data[0] == '1' ? 1000 : 0, unit = 100;
    for (size_t i = 2; i < s.len; i++, unit /= 10) {
        if (s.data[i] < '0' || s.data[i] > '9')
            return -1;
        weight += (s.data[i] - '0') * unit;
    }
    return weight <= 1000 ? weight : -1;
}

/* The weight among the parameters; 1 when there is none. */
static int find_weight(arka_slice parameters)
{
    while (parameters.len > 0) {
        arka_slice one = take_until(&parameters, ';');
        arka_slice name = take_until(&one, '=');
        if (is_word(name, "q"))
            return read_weight(arka_slice_trim(one));
    }
    return 1000;
}

arka_coding arka_coding_accepted(arka_slice accept_encoding)
{
    enum { N = ARKA_CODING_ZSTD + 1 };
    int weights[N] = {-1, -1, -1}, others = -1; /* -1: not named */
    while (accept_encoding.len > 0) {
        arka_slice one = take_until(&accept_encoding, ',');
        arka_slice name = take_until(&one, ';');
        int weight = find_weight(one);
        if (is_word(name, "zstd"))
            weights[ARKA_CODING_ZSTD] = weight;
        else if (is_word(name, "gzip") || is_word(name, "x-gzip"))
            weights[ARKA_CODING_GZIP] = weight;
        else if (is_word(name, "identity"))
            weights[ARKA_CODING_NONE] = weight;
        else if (is_word(name, "*"))
            others = weight;
    }
    int best = ARKA_CODING_NONE;
    for (int i = 0; i < N; i++)
        if (weights[i] < 0)
            weights[i] = others;
    if (weights[ARKA_CODING_NONE] < 0)
        weights[ARKA_CODING_NONE] = 1; /* always fine, and liked least, unless something is said */
    for (int i = 1; i < N; i++)
        if (weights[i] > 0 && weights[i] >= weights[best])
            best = i;
    return (arka_coding)best;
}

/* ---- bodies ---- */

struct arka_compressor {
    arka_coding coding;
    bool zlib_begun;
    z_stream zlib;
    ZSTD_CCtx *zstd;
};

arka_compressor *arka_compressor_new(arka_coding coding)
{
    arka_compressor *c = arka_calloc(1, sizeof *c);
    if (c == NULL)
        return NULL;
    c->coding = coding;
    if (coding == ARKA_CODING_GZIP) {
        c->zlib_begun = deflateInit2(&c->zlib, GZIP_LEVEL, Z_DEFLATED, GZIP_WINDOW, 8,
                                     Z_DEFAULT_STRATEGY) == Z_OK;
    } else {
        c->zstd = ZSTD_createCCtx();
        if (c->zstd != NULL)
            ZSTD_CCtx_setParameter(c->zstd, ZSTD_c_compressionLevel, ZSTD_LEVEL_OF_ANSWERS);
    }
    if (c->zlib_begun || c->zstd != NULL)
        return c;
    arka_compressor_free(c);
    return NULL;
}

void arka_compressor_free(arka_compressor *compressor)
{
    if (compressor == NULL)
        return;
    if (compressor->zlib_begun)
        deflateEnd(&compressor->zlib);
    ZSTD_freeCCtx(compressor->zstd);
    arka_free(compressor);
}

static bool run_zstd(arka_compressor *c, arka_slice bytes, bool last, arka_buf *out)
{
    ZSTD_inBuffer in = {bytes.data, bytes.len, 0};
    size_t left;
    do {
        char *to = arka_buf_reserve(out, STEP);
        if (to == NULL)
            return false;
        ZSTD_outBuffer room = {to, out->cap - out->len, 0};
        left = ZSTD_compressStream2(c->zstd, &room, &in, last ? ZSTD_e_end : ZSTD_e_flush);
        out->len += room.pos;
    } while (!ZSTD_isError(left) && left > 0);
    return !ZSTD_isError(left);
}

/* zlib counts in unsigned int. */
static unsigned fit(size_t n)
{
    return n < UINT32_MAX / 2 ? (unsigned)n : UINT32_MAX / 2;
}

static bool run_zlib(arka_compressor *c, arka_slice bytes, bool last, arka_buf *out)
{
    unsigned room;
    do {
        char *to = arka_buf_reserve(out, STEP);
        unsigned n = fit(bytes.len);
        if (to == NULL)
            return false;
        room = fit(out->cap - out->len);
        /* zlib reads through a pointer that it does not promise not to write through */
        c->zlib.next_in = (z_const Bytef *)(uintptr_t)bytes.data;
        c->zlib.avail_in = n;
        c->zlib.next_out = (Bytef *)to;
        c->zlib.avail_out = room;
        int flush = n < bytes.len ? Z_NO_FLUSH : last ? Z_FINISH : Z_SYNC_FLUSH;
        if (deflate(&c->zlib, flush) == Z_STREAM_ERROR)
            return false;
        out->len += room - c->zlib.avail_out;
        bytes.data += n - c->zlib.avail_in;
        bytes.len -= n - c->zlib.avail_in;
    } while (bytes.len > 0 || c->zlib.avail_out == 0);
    return true;
}

bool arka_compressor_run(arka_compressor *compressor, arka_slice bytes, bool last, arka_buf *out)
{
    if (bytes.len == 0 && !last)
        return true;
    return compressor->coding == ARKA_CODING_ZSTD ? run_zstd(compressor, bytes, last, out)
                                                  : run_zlib(compressor, bytes, last, out);
}

/* ---- answers ---- */

/* Could an answer of this kind be compressed, if its client liked it? */
static bool is_eligible(const arka_request *r)
{
    const char *type = r->answer.content_type, *mode = r->server->settings->compression_of_answers;
    if (r->answer.status != 200 || type == NULL || r->route == NULL ||
        r->route->run != ARKA_RUN_QUERY || strcmp(mode, "off") == 0)
        return false;
    if (strncmp(type, "text/csv", 8) == 0 || strcmp(type, "application/msgpack") == 0)
        return true;
    return strcmp(type, "application/json") == 0 && strcmp(mode, "all") == 0;
}

static bool is_for_a_page(const arka_request *r)
{
    return arka_request_has_header(r, "Sec-Fetch-Mode") ||
           arka_request_has_header(r, "Sec-Fetch-Site") ||
           arka_request_has_header(r, "Sec-Fetch-Dest") ||
           arka_request_has_header(r, "Sec-Fetch-User");
}

/* Vary is said whatever is chosen: a cache in between must not give one client's to the other. */
static arka_coding choose(arka_request *r)
{
    if (!is_eligible(r))
        return ARKA_CODING_NONE;
    arka_answer_header(r, "Vary", "Accept-Encoding, Sec-Fetch-Mode");
    return is_for_a_page(r) ? ARKA_CODING_NONE
                            : arka_coding_accepted(arka_request_header(r, "Accept-Encoding"));
}

static void say(arka_request *r, arka_coding coding)
{
    arka_answer_header(r, "Content-Encoding", "%s", coding == ARKA_CODING_ZSTD ? "zstd" : "gzip");
}

void arka_compress_answer(arka_request *r)
{
    arka_buf *body = &r->answer.body, packed = ARKA_BUF_INIT;
    arka_coding coding = choose(r);
    if (coding == ARKA_CODING_NONE || body->failed || body->len == 0 ||
        (int64_t)body->len < r->server->settings->compression_min)
        return;
    arka_compressor *c = arka_compressor_new(coding);
    bool ok = c != NULL &&
              arka_compressor_run(c, (arka_slice){body->data, body->len}, true, &packed) &&
              packed.len < body->len;
    arka_compressor_free(c);
    if (!ok) { /* it is sent as it is */
        arka_buf_fini(&packed);
        return;
    }
    arka_buf_fini(body);
    *body = packed;
    say(r, coding);
}

arka_compressor *arka_compress_stream(arka_request *r)
{
    arka_coding coding = choose(r);
    arka_compressor *c = coding != ARKA_CODING_NONE ? arka_compressor_new(coding) : NULL;
    if (c != NULL)
        say(r, coding);
    return c;
}
