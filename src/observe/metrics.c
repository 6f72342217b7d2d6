#include "observe/metrics.h"

#include <stdio.h>

#include "base/json.h"

const arka_family arka_families[ARKA_N_FAMILIES] = {
#define X(name, kind, labels, help) {#name, ARKA_METRIC_##kind, labels, help},
#include "observe/metrics.def"
#undef X
};

/* What a bucket of a histogram is called by; 16 µs to 67 s. */
enum { FIRST_POWER = 4, LAST_POWER = 26 };

typedef struct arka_gathered {
    struct arka_gathered *next;   /* family after family, each begun where its first value came */
    struct arka_gathered *same;   /* the next of the same family, from the first one */
    struct arka_gathered *newest; /* of the same family; of the first one only */
    const arka_family *family;
    const char *labels[ARKA_METRIC_LABELS];
    int n_labels;
    double value;
    const arka_latency_view *view; /* instead of value */
} arka_gathered;

const char *arka_metric_kind_name(arka_metric_kind kind)
{
    static const char *const NAMES[] = {"counter", "gauge", "histogram"};
    return NAMES[kind];
}

const char *arka_family_unit(const arka_family *family)
{
    static const char *const UNITS[] = {"seconds", "bytes", "ratio"};
    size_t len = strlen(family->name);
    for (size_t i = 0; i < sizeof UNITS / sizeof *UNITS; i++) {
        size_t n = strlen(UNITS[i]);
        if (len > n && family->name[len - n - 1] == '_' &&
            strcmp(family->name + len - n, UNITS[i]) == 0)
            return UNITS[i];
    }
    return "";
}

void arka_gathering_init(arka_gathering *g)
{
    *g = (arka_gathering){.arena = ARKA_ARENA_INIT};
}

void arka_gathering_fini(arka_gathering *g)
{
    arka_arena_fini(&g->arena);
    *g = (arka_gathering){.arena = ARKA_ARENA_INIT};
}

static int count_labels(const char *names)
{
    int n = *names != 0;
    for (; *names != 0; names++)
        n += *names == ',';
    return n;
}

/* A new value behind those of its family; NULL: out of memory. */
static arka_gathered *add(arka_gathering *g, const arka_family *family, const char *const labels[4])
{
    arka_gathered *one = arka_arena_zalloc(&g->arena, sizeof *one);
    if (one == NULL) {
        g->failed = true;
        return NULL;
    }
    one->family = family;
    one->n_labels = count_labels(family->labels);
    for (int i = 0; i < one->n_labels; i++) {
        const char *value = labels[i] ? labels[i] : "";
        one->labels[i] = arka_arena_strndup(&g->arena, value, strlen(value));
        g->failed |= one->labels[i] == NULL;
    }
    /* most values come family by family: the last one begun is the likely one */
    arka_gathered *head = g->last;
    if (head != NULL && head->family != family)
        for (head = g->first; head != NULL && head->family != family; head = head->next)
            ;
    if (head != NULL) {
        head->newest->same = one;
        head->newest = one;
        return one;
    }
    one->newest = one;
    if (g->last != NULL)
        g->last->next = one;
    else
        g->first = one;
    g->last = one;
    return one;
}

void arka_gathering_put_labelled(arka_gathering *g, const arka_family *family, double value,
                                 const char *const labels[4])
{
    arka_gathered *one = add(g, family, labels);
    if (one != NULL)
        one->value = value;
}

void arka_gathering_histogram_labelled(arka_gathering *g, const arka_family *family,
                                       const arka_latency_view *view, const char *const labels[4])
{
    arka_gathered *one = add(g, family, labels);
    arka_latency_view *copy = arka_arena_alloc(&g->arena, sizeof *copy);
    g->failed |= copy == NULL;
    if (copy != NULL)
        *copy = *view;
    if (one != NULL)
        one->view = copy;
}

/* ---- walking ---- */

typedef struct walk {
    arka_gathering *gather;
    arka_each_sample each;
    void *context;
    arka_sample sample;
} walk;

static arka_status give(walk *w, const char *suffix, double value, arka_error *err)
{
    const arka_family *family = w->sample.family;
    w->sample.name = family->name;
    if (*suffix != 0)
        w->sample.name = arka_arena_printf(&w->gather->arena, "%s%s", family->name, suffix);
    if (w->sample.name == NULL)
        return arka_fail_nomem(err, "the name of a metric", strlen(family->name) + 8);
    w->sample.value = value;
    arka_status status = w->each(w->context, &w->sample, err);
    w->sample.first = false;
    return status;
}

/* The label's name, out of the list "a,b,c". */
static const char *label_name(arka_gathering *g, const char *names, int which)
{
    for (; which > 0; which--)
        names = strchr(names, ',') + 1;
    return arka_arena_strndup(&g->arena, names, strcspn(names, ","));
}

static arka_status give_histogram(walk *w, const arka_latency_view *view, arka_error *err)
{
    int at = w->sample.n_labels++;
    char bound[32];
    w->sample.labels[at].name = "le";
    w->sample.labels[at].value = bound;
    for (int power = FIRST_POWER; power <= LAST_POWER; power++) {
        snprintf(bound, sizeof bound, "%.10g", (double)(INT64_C(1) << power) / 1e6);
        ARKA_TRY(give(w, "_bucket", (double)arka_latency_at_most(view, power), err));
    }
    snprintf(bound, sizeof bound, "+Inf");
    ARKA_TRY(give(w, "_bucket", (double)view->count, err));
    w->sample.n_labels = at;
    ARKA_TRY(give(w, "_sum", (double)view->sum_ns / 1e9, err));
    return give(w, "_count", (double)view->count, err);
}

static arka_status give_one(walk *w, const arka_gathered *one, arka_error *err)
{
    w->sample.n_labels = one->n_labels;
    for (int i = 0; i < one->n_labels; i++) {
        w->sample.labels[i].name = label_name(w->gather, one->family->labels, i);
        w->sample.labels[i].value = one->labels[i];
        if (w->sample.labels[i].name == NULL)
            return arka_fail_nomem(err, "the labels of a metric", strlen(one->family->labels));
    }
    if (one->view != NULL)
        return give_histogram(w, one->view, err);
    return give(w, one->family->kind == ARKA_METRIC_COUNTER ? "_total" : "", one->value, err);
}

arka_status arka_gathering_each(arka_gathering *g, arka_each_sample each, void *context,
                                arka_error *err)
{
    walk w = {.gather = g, .each = each, .context = context};
    if (g->failed || g->arena.failed)
        return arka_fail_nomem(err, "the metrics", g->arena.total_bytes);
    for (const arka_gathered *head = g->first; head != NULL; head = head->next) {
        w.sample.family = head->family;
        w.sample.first = true;
        for (const arka_gathered *one = head; one != NULL; one = one->same)
            ARKA_TRY(give_one(&w, one, err));
    }
    return ARKA_OK;
}

void arka_sample_labels_json(const arka_sample *sample, arka_buf *out)
{
    arka_buf_byte(out, '{');
    for (int i = 0; i < sample->n_labels; i++) {
        if (i > 0)
            arka_buf_byte(out, ',');
        arka_json_string(out, arka_slice_of(sample->labels[i].name));
        arka_buf_byte(out, ':');
        arka_json_string_repaired(out, arka_slice_of(sample->labels[i].value));
    }
    arka_buf_byte(out, '}');
}
