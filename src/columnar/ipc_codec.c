/* Compressed bodies: each buffer by itself, Arrow columnar format 1.3, "Compression". */
#include <inttypes.h>
#include <lz4frame.h>
#include <zstd.h>

#include "columnar/ipc_priv.h"

enum { LENGTH_BYTES = 8, ZSTD_LEVEL = 1 };
#define STORED INT64_C(-1) /* in place of the length: the bytes are not compressed */

static size_t bound_of(arka_ipc_codec codec, size_t n)
{
    return codec == ARKA_IPC_ZSTD ? ZSTD_compressBound(n) : LZ4F_compressFrameBound(n, NULL);
}

/* Bytes written to `to`, 0 when it could not be done. */
static size_t compress(arka_ipc_deflater *d, char *to, size_t room, const arka_ipc_buffer *buffer)
{
    size_t n = (size_t)buffer->length;
    if (d->codec == ARKA_IPC_LZ4_FRAME) {
        size_t got = LZ4F_compressFrame(to, room, buffer->data, n, NULL);
        return LZ4F_isError(got) ? 0 : got;
    }
    if (d->context == NULL)
        d->context = ZSTD_createCCtx();
    if (d->context == NULL)
        return 0;
    size_t got = ZSTD_compressCCtx(d->context, to, room, buffer->data, n, ZSTD_LEVEL);
    return ZSTD_isError(got) ? 0 : got;
}

void arka_ipc__deflate(arka_ipc_deflater *d, const arka_ipc_buffer *buffer, arka_buf *out)
{
    if (buffer->length == 0)
        return;
    size_t n = (size_t)buffer->length, room = bound_of(d->codec, n);
    char *to = arka_buf_reserve(out, LENGTH_BYTES + room);
    if (to == NULL)
        return;
    size_t got = compress(d, to + LENGTH_BYTES, room, buffer);
    if (got == 0) {
        out->failed = true;
        return;
    }
    int64_t length = buffer->length;
    if (got >= n) {
        length = STORED;
        got = n;
        memcpy(to + LENGTH_BYTES, buffer->data, n);
    }
    memcpy(to, &length, LENGTH_BYTES);
    out->len += LENGTH_BYTES + got;
}

void arka_ipc_deflater_fini(arka_ipc_deflater *d)
{
    ZSTD_freeCCtx(d->context);
    d->context = NULL;
}

static arka_status inflate_zstd(arka_ipc_inflater *in, arka_slice from, size_t n, arka_error *err)
{
    if (in->zstd == NULL)
        in->zstd = ZSTD_createDCtx();
    if (in->zstd == NULL)
        return arka_fail_nomem(err, "a zstd context", (size_t)1 << 17);
    size_t got = ZSTD_decompressDCtx(in->zstd, in->room, n, from.data, from.len);
    if (ZSTD_isError(got))
        return arka_fail(err, ARKA_INPUT, "zstd: %s", ZSTD_getErrorName(got));
    if (got != n)
        return arka_fail(err, ARKA_INPUT, "zstd: %zu bytes came out, expected %zu", got, n);
    return ARKA_OK;
}

static arka_status inflate_lz4(arka_ipc_inflater *in, arka_slice from, size_t n, arka_error *err)
{
    LZ4F_dctx *context = in->lz4;
    size_t read = 0, written = 0, hint = 1;
    if (context == NULL && LZ4F_isError(LZ4F_createDecompressionContext(&context, LZ4F_VERSION)))
        return arka_fail_nomem(err, "an lz4 context", (size_t)1 << 18);
    in->lz4 = context;
    LZ4F_resetDecompressionContext(context);
    while (hint != 0) {
        size_t n_in = from.len - read, n_out = n - written;
        hint = LZ4F_decompress(context, in->room + written, &n_out, from.data + read, &n_in, NULL);
        if (LZ4F_isError(hint))
            return arka_fail(err, ARKA_INPUT, "lz4: %s", LZ4F_getErrorName(hint));
        read += n_in;
        written += n_out;
        if (hint != 0 && n_in == 0 && n_out == 0)
            return arka_fail(err, ARKA_INPUT,
                             read == from.len ? "lz4: the frame ends too early, after %zu bytes"
                                              : "lz4: the frame holds more than %zu bytes",
                             written);
    }
    if (written != n || read != from.len)
        return arka_fail(err, ARKA_INPUT,
                         "lz4: %zu bytes came out of %zu, expected %zu bytes out of %zu", written,
                         read, n, from.len);
    return ARKA_OK;
}

arka_status arka_ipc__inflated_bytes(arka_slice buffer, int64_t *out, arka_error *err)
{
    int64_t length = 0;
    if (buffer.len > 0 && buffer.len < LENGTH_BYTES)
        return arka_fail(err, ARKA_INPUT, "a compressed buffer has %zu bytes, expected at least %d",
                         buffer.len, LENGTH_BYTES);
    if (buffer.len > 0)
        memcpy(&length, buffer.data, sizeof length);
    if (length < STORED)
        return arka_fail(err, ARKA_INPUT, "a compressed buffer says it holds %" PRId64 " bytes",
                         length);
    *out = length == STORED ? 0 : length;
    return ARKA_OK;
}

arka_status arka_ipc__inflate(arka_ipc_inflater *in, arka_ipc_codec codec, arka_slice buffer,
                              arka_slice *out, arka_error *err)
{
    int64_t length;
    if (buffer.len == 0) {
        *out = buffer;
        return ARKA_OK;
    }
    memcpy(&length, buffer.data, sizeof length);
    arka_slice from = {buffer.data + LENGTH_BYTES, buffer.len - LENGTH_BYTES};
    if (length == STORED) {
        *out = from;
        return ARKA_OK;
    }
    if (codec == ARKA_IPC_ZSTD)
        ARKA_TRY(inflate_zstd(in, from, (size_t)length, err));
    else
        ARKA_TRY(inflate_lz4(in, from, (size_t)length, err));
    *out = (arka_slice){in->room, (size_t)length};
    in->room += length;
    return ARKA_OK;
}

void arka_ipc_inflater_fini(arka_ipc_inflater *in)
{
    ZSTD_freeDCtx(in->zstd);
    LZ4F_freeDecompressionContext(in->lz4);
    *in = (arka_ipc_inflater){0};
}
