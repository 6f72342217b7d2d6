#include "observe/keeper.h"

#include <stdio.h>

#include "base/hash.h"
#include "base/mem.h"

enum { N_EVENTS = 64, EVENT_TEXT = 64, SECOND = 1000000000 };
static const size_t NONE = SIZE_MAX;

/* A kept line: this head, then its texts, each with a NUL, in the order of the lengths. */
typedef struct kept {
    size_t next, previous; /* places in the ring; of the newest and the oldest one: undefined */
    int64_t us;
    arka_log_level level;
    uint32_t event, message, request_id, query_id; /* lengths, with the NUL */
} kept;

/* How often an event came in the second that began at `since`. */
typedef struct rate {
    char event[EVENT_TEXT]; /* "": nobody has the place */
    arka_mono since;
    int64_t n, suppressed;
} rate;

struct arka_log_keeper {
    arka_mutex lock; /* all below */
    char *ring;
    size_t cap, head;      /* where the next line goes, if it fits there */
    size_t oldest, newest; /* NONE: there is no line */
    rate rates[N_EVENTS];
    arka_log_stats stats;
};

arka_status arka_log_keeper_new(size_t n_bytes, arka_log_keeper **out, arka_error *err)
{
    arka_log_keeper *k = arka_calloc(1, sizeof *k);
    char *ring = arka_calloc(1, n_bytes);
    if (k == NULL || ring == NULL) {
        arka_free(k);
        arka_free(ring);
        return arka_fail_nomem(err, "the last lines of the log", n_bytes);
    }
    arka_mutex_init(&k->lock, ARKA_LOCK_LEAF);
    k->ring = ring;
    k->cap = n_bytes;
    k->oldest = k->newest = NONE;
    *out = k;
    return ARKA_OK;
}

void arka_log_keeper_free(arka_log_keeper *keeper)
{
    if (keeper == NULL)
        return;
    arka_mutex_fini(&keeper->lock);
    arka_free(keeper->ring);
    arka_free(keeper);
}

/* ---- floods ---- */

/* The event's place; another one's is taken over when nothing of that is to be told any more. */
static rate *rate_of_locked(arka_log_keeper *k, const char *event, arka_mono now)
{
    arka_slice name = arka_slice_of(event);
    size_t at = arka_hash(name.data, name.len, 0) % N_EVENTS;
    rate *free_place = NULL;
    for (size_t i = 0; i < N_EVENTS; i++) {
        rate *r = &k->rates[(at + i) % N_EVENTS];
        if (strncmp(r->event, event, EVENT_TEXT - 1) == 0)
            return r;
        if (free_place == NULL &&
            (r->event[0] == 0 || (r->suppressed == 0 && now.ns - r->since.ns >= SECOND)))
            free_place = r;
    }
    if (free_place != NULL) {
        *free_place = (rate){.since = now};
        snprintf(free_place->event, EVENT_TEXT, "%s", event);
    }
    return free_place;
}

bool arka_log_keeper_admit(arka_log_keeper *keeper, const char *event, arka_log_level level,
                           arka_mono now, int64_t *suppressed)
{
    bool may = true;
    *suppressed = 0;
    arka_mutex_lock(&keeper->lock);
    rate *r = level == ARKA_DEBUG || event == NULL ? NULL : rate_of_locked(keeper, event, now);
    if (r != NULL) {
        if (now.ns - r->since.ns >= SECOND) {
            *suppressed = r->suppressed;
            r->since = now;
            r->n = r->suppressed = 0;
        }
        may = r->n < ARKA_LOG_BURST;
        r->n++;
        r->suppressed += !may;
    }
    if (may)
        keeper->stats.lines[level]++;
    else
        keeper->stats.suppressed++;
    arka_mutex_unlock(&keeper->lock);
    return may;
}

bool arka_log_keeper_settle(arka_log_keeper *keeper, arka_mono now, char event[64],
                            int64_t *suppressed)
{
    bool found = false;
    arka_mutex_lock(&keeper->lock);
    for (int i = 0; i < N_EVENTS && !found; i++) {
        rate *r = &keeper->rates[i];
        found = r->suppressed > 0 && now.ns - r->since.ns >= SECOND;
        if (found) {
            memcpy(event, r->event, EVENT_TEXT);
            *suppressed = r->suppressed;
            *r = (rate){.event = ""};
        }
    }
    arka_mutex_unlock(&keeper->lock);
    return found;
}

/* ---- the ring ---- */

static kept *line_at(arka_log_keeper *k, size_t at)
{
    return (kept *)(k->ring + at);
}

static void drop_oldest_locked(arka_log_keeper *k)
{
    if (k->oldest == k->newest)
        k->oldest = k->newest = NONE;
    else
        k->oldest = line_at(k, k->oldest)->next;
}

/* A place for n bytes behind the newest line, where the oldest ones give way. */
static size_t make_room_locked(arka_log_keeper *k, size_t n)
{
    if (k->cap - k->head < n) {
        while (k->oldest != NONE && k->oldest >= k->head) /* those between here and the end */
            drop_oldest_locked(k);
        k->head = 0;
    }
    while (k->oldest != NONE && k->oldest >= k->head && k->oldest < k->head + n)
        drop_oldest_locked(k);
    return k->head;
}

static void append(char **to, const char *text, uint32_t n)
{
    memcpy(*to, text, n);
    *to += n;
}

void arka_log_keeper_put(arka_log_keeper *keeper, const arka_log_line *line)
{
    kept one = {
        .us = line->us,
        .level = line->level,
        .event = (uint32_t)strlen(line->event) + 1,
        .message = (uint32_t)strlen(line->message) + 1,
        .request_id = (uint32_t)strlen(line->request_id) + 1,
        .query_id = (uint32_t)strlen(line->query_id) + 1,
    };
    size_t n = sizeof one + one.event + one.message + one.request_id + one.query_id;
    n = (n + 15) & ~(size_t)15;
    if (n > keeper->cap)
        return;
    arka_mutex_lock(&keeper->lock);
    size_t at = make_room_locked(keeper, n);
    one.previous = keeper->newest;
    if (keeper->newest != NONE)
        line_at(keeper, keeper->newest)->next = at;
    else
        keeper->oldest = at;
    keeper->newest = at;
    keeper->head = at + n;
    char *to = keeper->ring + at;
    memcpy(to, &one, sizeof one);
    to += sizeof one;
    append(&to, line->event, one.event);
    append(&to, line->message, one.message);
    append(&to, line->request_id, one.request_id);
    append(&to, line->query_id, one.query_id);
    arka_mutex_unlock(&keeper->lock);
}

void arka_log_keeper_each(arka_log_keeper *keeper, arka_log_level least, int64_t since_us,
                          size_t max, void (*each)(void *context, const arka_log_line *line),
                          void *context)
{
    arka_mutex_lock(&keeper->lock);
    size_t at = keeper->newest;
    for (size_t n = 0; at != NONE && n < max;) {
        const kept *one = line_at(keeper, at);
        const char *texts = (const char *)(one + 1);
        arka_log_line line = {
            .us = one->us,
            .level = one->level,
            .event = texts,
            .message = texts + one->event,
            .request_id = texts + one->event + one->message,
            .query_id = texts + one->event + one->message + one->request_id,
        };
        if (line.level >= least && line.us >= since_us) {
            each(context, &line);
            n++;
        }
        at = at == keeper->oldest ? NONE : one->previous;
    }
    arka_mutex_unlock(&keeper->lock);
}

void arka_log_keeper_note_lost(arka_log_keeper *keeper)
{
    arka_mutex_lock(&keeper->lock);
    keeper->stats.lost++;
    arka_mutex_unlock(&keeper->lock);
}

void arka_log_keeper_stats(arka_log_keeper *keeper, arka_log_stats *out)
{
    arka_mutex_lock(&keeper->lock);
    *out = keeper->stats;
    arka_mutex_unlock(&keeper->lock);
}
