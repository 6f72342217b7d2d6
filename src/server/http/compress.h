/**
 * Answers of queries, compressed as far as client and settings allow. Private to server/. Done
 * where the answer is made, on the query's worker; HTTP threads only send.
 *
 * Only answers of 200 that are JSON, CSV or MessagePack; never when a browser asks on behalf of a
 * page (Sec-Fetch-* headers), because what stands between may pass Content-Encoding on with a body
 * that it has decoded. Arrow streams have a compression of their own.
 */
#ifndef ARKA_SERVER_HTTP_COMPRESS_H
#define ARKA_SERVER_HTTP_COMPRESS_H

#include "base/buf.h"
#include "wire/inflate.h"

typedef struct arka_request arka_request;

/**
 * What an Accept-Encoding header likes best of these; NONE too when it cannot be read. Of those it
 * likes equally zstd before gzip before none. Pure.
 */
arka_coding arka_coding_accepted(arka_slice accept_encoding);

/** One body on its way; one thread at a time. */
typedef struct arka_compressor arka_compressor;
/** NULL: out of memory. */
arka_compressor *arka_compressor_new(arka_coding coding);
/** NULL is fine. */
void arka_compressor_free(arka_compressor *compressor);
/**
 * Append to `out` what `bytes` become, so that the receiver can read all of them at once; `last`:
 * there are no more. False: out of memory, the body is lost.
 */
bool arka_compressor_run(arka_compressor *compressor, arka_slice bytes, bool last, arka_buf *out);

/** The answer stands, whole: compress it if that is called for, and say so in its headers. */
void arka_compress_answer(arka_request *r);
/** The same for one that comes in pieces: what they go through, with the headers set; or NULL. */
arka_compressor *arka_compress_stream(arka_request *r);

#endif
