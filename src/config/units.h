/** Numbers with units in text: sizes and durations. Pure. */
#ifndef ARKA_CONFIG_UNITS_H
#define ARKA_CONFIG_UNITS_H

#include "base/buf.h"

typedef enum arka_dimension {
    ARKA_BYTES,        /* counted in bytes */
    ARKA_MILLISECONDS, /* counted in milliseconds */
} arka_dimension;

typedef enum arka_unit_fault {
    ARKA_UNIT_OK,
    ARKA_UNIT_NOT_A_NUMBER,
    ARKA_UNIT_UNEVEN, /* it is no whole number of `unit` */
    ARKA_UNIT_TOO_LARGE,
} arka_unit_fault;

/**
 * `text` in units of `unit` (in bytes or ms). A bare number, which alone may be negative, is in
 * units of `bare`. Sizes are a number and K, M, G or T, with or without B or iB: all of them powers
 * of 1024. Durations are one or more numbers with ms, s, m, h or d, "1h30m".
 */
arka_unit_fault arka_units_parse(arka_slice text, arka_dimension dimension, int64_t bare,
                                 int64_t unit, int64_t *out);

#endif
