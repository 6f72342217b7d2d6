/**
 * The program's numbers: families (metrics.def, and lists of their owners), gathered at the moment
 * when somebody asks. Who counts keeps its own atomics and histograms; a gather collects them from
 * all and is then walked (each) or written as text (exposition.h).
 *
 *     arka_gathering g;
 *     arka_gathering_init(&g);
 *     arka_gathering_put(&g, ARKA_FAMILY(arc_wal_groups), 17);
 *     arka_gathering_put(&g, ARKA_FAMILY(arc_queries_running), 3, "high");      a value for each
 * label arka_gathering_histogram(&g, ARKA_FAMILY(arc_wal_sync_seconds), &view); status =
 * arka_gathering_each(&g, take_sample, context, err); arka_gathering_fini(&g);
 *
 * A gather belongs to one thread.
 */
#ifndef ARKA_OBSERVE_METRICS_H
#define ARKA_OBSERVE_METRICS_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/latency.h"

typedef enum arka_metric_kind {
    ARKA_METRIC_COUNTER, /* never goes down while the process lives */
    ARKA_METRIC_GAUGE,
    ARKA_METRIC_HISTOGRAM, /* of seconds */
} arka_metric_kind;
/** "counter", "gauge", "histogram" */
const char *arka_metric_kind_name(arka_metric_kind kind);

enum { ARKA_METRIC_LABELS = 3 };

typedef struct arka_family {
    const char *name; /* whole, without what a kind appends (_total, _bucket, _sum, _count) */
    arka_metric_kind kind;
    const char *labels; /* names, parted by commas; "" is none */
    const char *help;   /* one sentence without its end */
} arka_family;

enum {
#define X(name, kind, labels, help) ARKA_FAMILY_##name,
#include "observe/metrics.def"
#undef X
    ARKA_N_FAMILIES
};
extern const arka_family arka_families[ARKA_N_FAMILIES];
#define ARKA_FAMILY(name) (&arka_families[ARKA_FAMILY_##name])

/** The base unit that the name ends in ("seconds", "bytes", "ratio"), or "". */
const char *arka_family_unit(const arka_family *family);

/** One number. Strings live for the call it is given to. */
typedef struct arka_sample {
    const arka_family *family;
    const char *name; /* with what the kind appends: "arc_wal_sync_seconds_bucket" */
    int n_labels;
    struct {
        const char *name, *value;
    } labels[ARKA_METRIC_LABELS + 1]; /* that of a bucket is last: "le" */
    double value;
    bool first; /* of its family */
} arka_sample;

typedef struct arka_gathering {
    struct arka_gathered *first, *last;
    arka_arena arena;
    bool failed; /* out of memory: something is missing */
} arka_gathering;

void arka_gathering_init(arka_gathering *g);
void arka_gathering_fini(arka_gathering *g);

/** `...`: a const char * for each label of the family; copied. `family` outlives the gather. */
#define arka_gathering_put(g, family, value, ...)                                                  \
    arka_gathering_put_labelled(g, family, (double)(value), (const char *const[4]){__VA_ARGS__})
void arka_gathering_put_labelled(arka_gathering *g, const arka_family *family, double value,
                                 const char *const labels[4]);
#define arka_gathering_histogram(g, family, view, ...)                                             \
    arka_gathering_histogram_labelled(g, family, view, (const char *const[4]){__VA_ARGS__})
void arka_gathering_histogram_labelled(arka_gathering *g, const arka_family *family,
                                       const arka_latency_view *view, const char *const labels[4]);

/**
 * Every sample: those of a family one after the other, families as their first one came. Stops at a
 * failure of `each`. ARKA_NOMEM: the gather is not whole.
 */
typedef arka_status (*arka_each_sample)(void *context, const arka_sample *sample, arka_error *err);
ARKA_MUST_USE arka_status arka_gathering_each(arka_gathering *g, arka_each_sample each,
                                              void *context, arka_error *err);

/** The labels of a sample as {"name":"value",…}. */
void arka_sample_labels_json(const arka_sample *sample, arka_buf *out);

#endif
