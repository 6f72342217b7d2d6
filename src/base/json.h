/** JSON text out, and the text of strings in (RFC 8259). */
#ifndef ARKA_BASE_JSON_H
#define ARKA_BASE_JSON_H

#include "base/buf.h"

/**
 * `text` as a JSON string with its quotes: '"', '\' and control characters are escaped, all else
 * goes through as it is, so the result is as good UTF-8 as `text` was.
 */
void arka_json_string(arka_buf *out, arka_slice text);
/** The same of any bytes: each run of them that is not UTF-8 becomes U+FFFD. */
void arka_json_string_repaired(arka_buf *out, arka_slice bytes);

/** A number; null for NaN and the infinities, which JSON has not. */
void arka_json_f64(arka_buf *out, double v);
void arka_json_i64(arka_buf *out, int64_t v);

/** Behind a string's opening quote: its closing one, or `end` when it has none. */
const char *arka_json_string_end(const char *at, const char *end);

/**
 * The text of a string: `inside` is what stands between its quotes, `to` has room for inside.len
 * bytes, which the text never passes. A pair of \u escapes for one character is that character,
 * half of a pair U+FFFD. Returns inside.len and the text's length in *n, or the offset in `inside`
 * of the backslash of an escape that JSON has not.
 */
size_t arka_json_unescape(arka_slice inside, char *to, size_t *n);

#endif
