/** Times in MessagePack: numbers whose unit is told by their size, and the timestamp extension. */
#ifndef ARKA_WIRE_MSGPACK_TIME_H
#define ARKA_WIRE_MSGPACK_TIME_H

#include "wire/msgpack_read.h"

typedef enum arka_msgpack_unit {
    ARKA_MSGPACK_UNIT_OPEN, /* no number seen yet */
    ARKA_MSGPACK_S,         /* |v| < 1e10 */
    ARKA_MSGPACK_MS,        /* < 1e13 */
    ARKA_MSGPACK_US,        /* < 1e16 */
    ARKA_MSGPACK_NS,        /* the rest */
} arka_msgpack_unit;

/**
 * One time as microseconds, floored. `unit` is read, or set by the first number when it is OPEN.
 * ARKA_INPUT ("found nil, expected a number"): not a time, or outside of int64_t microseconds.
 */
ARKA_MUST_USE arka_status arka_msgpack_time(const arka_msgpack_token *t, arka_msgpack_unit *unit,
                                            int64_t *out_us, arka_error *err);

/**
 * `n` elements of an array as times; the first number sets the unit of all. ARKA_INPUT, naming
 * the row (the first is 0).
 */
ARKA_MUST_USE arka_status arka_msgpack_times(arka_msgpack_reader *r, int64_t n, int64_t *out_us,
                                             arka_error *err);

/** The extension of type -1, in its 4, 8 and 12 byte forms, floored. ARKA_INPUT: any other. */
ARKA_MUST_USE arka_status arka_msgpack_timestamp(const arka_msgpack_token *ext, int64_t *out_us,
                                                 arka_error *err);

#endif
