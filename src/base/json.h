/** JSON text out (RFC 8259). */
#ifndef ARKA_BASE_JSON_H
#define ARKA_BASE_JSON_H

#include "base/buf.h"

/**
 * `text` as a JSON string with its quotes: '"', '\' and control characters are escaped, all else
 * goes through as it is, so the result is as good UTF-8 as `text` was.
 */
void arka_json_string(arka_buf *out, arka_slice text);

/** A number; null for NaN and the infinities, which JSON has not. */
void arka_json_f64(arka_buf *out, double v);
void arka_json_i64(arka_buf *out, int64_t v);

#endif
