/**
 * InfluxDB line protocol into column buffers. Grammar: docs/formats/line-protocol.md. Pure; any
 * thread.
 */
#ifndef ARKA_WIRE_LINEPROTO_H
#define ARKA_WIRE_LINEPROTO_H

#include "wire/writes.h"

typedef enum arka_precision {
    ARKA_PRECISION_NS,
    ARKA_PRECISION_US,
    ARKA_PRECISION_MS,
    ARKA_PRECISION_S,
    ARKA_PRECISION_M,
    ARKA_PRECISION_H,
} arka_precision;

/** "ns" "n" "us" "u" "µ" "µs" "ms" "s" "m" "h"; "" is ns. false: unknown. */
bool arka_precision_parse(arka_slice text, arka_precision *out);

typedef struct arka_lineproto_options {
    int64_t now_us; /* time of lines that carry none */
    arka_precision precision;
    /**
     * The type that a column has already, or ARKA_TYPE_NONE; sets *tag (false at first) if it is a
     * tag. Asked once a request for each column of each measurement, so that a line that does not
     * fit can be refused by itself, and a field never lands among a tag's values. May be NULL.
     */
    arka_type (*column_type)(void *context, arka_slice measurement, arka_slice column, bool *tag);
    void *context;
    /**
     * About how many bytes rows and columns may take; 0: 256 MiB and 32 times the text, which only
     * very sparse rows reach (each column has a cell in each row of its measurement).
     */
    size_t max_memory;
} arka_lineproto_options;

/**
 * Parse `text` (already inflated). Good lines come out as one write a measurement, bad ones leave
 * nothing but their reject; a body without any line is ARKA_OK with nothing in it. Points of one
 * measurement, tag set and time (in µs) are one row in which later fields win.
 * ARKA_NOMEM; ARKA_LIMIT: over max_memory. `out` must be empty; after a failure it is only fit for
 * fini.
 *
 * Rejects: place is the line's number, from 1; reason reads as InfluxDB words it, "unable to parse
 * 'cpu value=abc': invalid number" (the line shortened) or "field type conflict: …".
 */
ARKA_MUST_USE arka_status arka_lineproto_parse(const void *text, size_t len,
                                               const arka_lineproto_options *options,
                                               arka_writes *out, arka_error *err);

#endif
