/**
 * A gather as text that Prometheus reads: its own text format 0.0.4, or OpenMetrics 1.0
 * (prometheus.io, "Exposition formats"; the OpenMetrics specification, "Text format"). Any thread.
 */
#ifndef ARKA_OBSERVE_EXPOSITION_H
#define ARKA_OBSERVE_EXPOSITION_H

#include "base/buf.h"
#include "observe/metrics.h"

typedef enum arka_exposition {
    ARKA_EXPOSITION_TEXT,
    ARKA_EXPOSITION_OPENMETRICS,
    ARKA_EXPOSITION_JSON, /* not written here: JSON is the asker's own shape */
} arka_exposition;

/** A literal. */
const char *arka_exposition_content_type(arka_exposition format);
/**
 * What the header Accept asks for: of the formats that it names the one with the highest q, the
 * first of equals; `standard` when it is empty, names none, or names only patterns ("*" and "/").
 */
arka_exposition arka_exposition_choose(arka_slice accept, arka_exposition standard);

/** Append all of it. ARKA_NOMEM. */
ARKA_MUST_USE arka_status arka_exposition_write(arka_gathering *g, arka_exposition format,
                                                arka_buf *out, arka_error *err);

#endif
