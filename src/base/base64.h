/** Base64 (RFC 4648). */
#ifndef ARKA_BASE_BASE64_H
#define ARKA_BASE_BASE64_H

#include "base/buf.h"

/** Append the encoding of `bytes`, with padding (section 4). */
void arka_base64_encode(arka_buf *out, arka_slice bytes);
/** The same in the alphabet of URLs, without padding (section 5). */
void arka_base64_encode_url(arka_buf *out, arka_slice bytes);
/**
 * Append what `text` stands for, padded or not. False, with nothing appended, when it is no base64:
 * a strange character, a length that none has, bits that would be lost.
 */
bool arka_base64_decode(arka_buf *out, arka_slice text);

#endif
