/** Base64 with padding (RFC 4648, section 4). */
#ifndef ARKA_BASE_BASE64_H
#define ARKA_BASE_BASE64_H

#include "base/buf.h"

/** Append the encoding of `bytes`. */
void arka_base64_encode(arka_buf *out, arka_slice bytes);

#endif
