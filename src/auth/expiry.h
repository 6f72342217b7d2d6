/** When a token ends, as people write it. Any thread. */
#ifndef ARKA_AUTH_EXPIRY_H
#define ARKA_AUTH_EXPIRY_H

#include "base/slice.h"
#include "base/status.h"

/**
 * `at`: an ISO 8601 time, UTC without a zone, or "never". `in`: from now on, numbers with units
 * (ms, s, m, h, d, w), as "24h", "7d", "1h30m" or "1.5d". Empty ones are absent; both absent: *out
 * stays as it is. *out is microseconds since 1970, 0 is never. ARKA_INPUT: both are given, one is
 * not readable, not later than now, or beyond the year 9999.
 */
ARKA_MUST_USE arka_status arka_expiry_parse(arka_slice at, arka_slice in, int64_t now_us,
                                            int64_t *out, arka_error *err);

#endif
