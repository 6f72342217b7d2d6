#include "query/registry.h"

#include <string.h>

#include "observe/text.h"
#include "os/thread.h"

_Static_assert((int)ARKA_QUERY_ID == (int)ARKA_UUID_SIZE, "an id is a UUID");

struct arka_query_entry {
    arka_query_entry *newer, *older; /* among the active ones */
    char id[ARKA_QUERY_ID];
    char *text;
    size_t text_len;
    bool text_cut;
    char database[ARKA_QUERY_DATABASE], token_name[ARKA_QUERY_TOKEN];
    int64_t token_id;
    arka_priority priority;
    arka_query_state state;
    arka_query_end end;
    char *error; /* NULL: none */
    int64_t began_us, started_us, ended_us;
    arka_mono began, started;
    double wait_ms, run_ms; /* once they are over */
    int64_t n_rows, n_bytes;
    uint64_t snapshot_lsn;
    int64_t peak_bytes;
    void (*cancel)(void *context); /* NULL: cannot, or was asked already */
    void *cancel_context;
};

struct arka_query_registry {
    arka_mutex lock; /* QUERIES */
    arka_query_entry *newest, *oldest;
    size_t n_active;
    arka_query_entry **ring; /* the history */
    size_t cap, next, n_ended;
    int64_t bytes;
    arka_query_totals totals;
};

const char *arka_query_state_text(arka_query_state state)
{
    static const char *const TEXT[] = {"queued", "running", "streaming", "ended"};
    return TEXT[state];
}

const char *arka_query_outcome_text(arka_query_outcome outcome)
{
    static const char *const TEXT[] = {"open",      "completed", "failed",
                                       "cancelled", "timeout",   "refused"};
    return TEXT[outcome];
}

arka_status arka_query_registry_new(int n_history, arka_query_registry **out, arka_error *err)
{
    arka_query_registry *r = arka_calloc(1, sizeof *r);
    if (r == NULL)
        return arka_fail_nomem(err, "the account of queries", sizeof *r);
    r->cap = n_history > 0 ? (size_t)n_history : 1;
    r->ring = arka_calloc(r->cap, sizeof *r->ring);
    if (r->ring == NULL) {
        size_t n_bytes = r->cap * sizeof *r->ring;
        arka_free(r);
        return arka_fail_nomem(err, "the history of queries", n_bytes);
    }
    arka_mutex_init(&r->lock, ARKA_LOCK_QUERIES);
    *out = r;
    return ARKA_OK;
}

static void free_entry(arka_query_entry *e)
{
    if (e == NULL)
        return;
    arka_free(e->text);
    arka_free(e->error);
    arka_free(e);
}

void arka_query_registry_free(arka_query_registry *registry)
{
    if (registry == NULL)
        return;
    ARKA_CHECK(registry->n_active == 0, "queries are alive");
    for (size_t i = 0; i < registry->cap; i++)
        free_entry(registry->ring[i]);
    arka_free(registry->ring);
    arka_mutex_fini(&registry->lock);
    arka_free(registry);
}

/* ---- the life of one ---- */

static int64_t entry_bytes(const arka_query_entry *e)
{
    return (int64_t)(sizeof *e + e->text_len + (e->error ? strlen(e->error) : 0));
}

/* At most `max` bytes of it, not in the middle of a character. */
static size_t cut(arka_slice text, size_t max)
{
    if (text.len <= max)
        return text.len;
    size_t n = max;
    while (n > 0 && ((unsigned char)text.data[n] & 0xc0) == 0x80)
        n--;
    return n;
}

static void copy_name(char *out, size_t cap, arka_slice name)
{
    size_t n = cut(name, cap - 1);
    memcpy(out, n > 0 ? name.data : "", n);
    out[n] = 0;
}

static bool give_text(arka_query_entry *e, arka_slice text)
{
    text = arka_slice_trim(text);
    size_t n = cut(text, ARKA_QUERY_TEXT);
    char *copy = arka_strndup(n > 0 ? text.data : "", n);
    if (copy == NULL)
        return false;
    arka_free(e->text);
    e->text = copy;
    e->text_len = n;
    e->text_cut = n < text.len;
    return true;
}

arka_status arka_query_registry_begin(arka_query_registry *r, const arka_query_begin *begin,
                                      arka_query_entry **out, arka_error *err)
{
    arka_query_entry *e = arka_calloc(1, sizeof *e);
    if (e == NULL || !give_text(e, begin->text)) {
        free_entry(e);
        return arka_fail_nomem(err, "a query's account", sizeof *e + begin->text.len);
    }
    arka_text_uuid(e->id);
    copy_name(e->database, sizeof e->database, begin->database);
    copy_name(e->token_name, sizeof e->token_name, begin->token_name);
    e->token_id = begin->token_id;
    e->priority = begin->priority;
    e->cancel = begin->cancel;
    e->cancel_context = begin->cancel_context;
    e->began_us = arka_wall_us();
    e->began = arka_mono_now();
    e->peak_bytes = -1;
    arka_mutex_lock(&r->lock);
    e->older = r->newest;
    *(r->newest ? &r->newest->newer : &r->oldest) = e;
    r->newest = e;
    r->n_active++;
    r->totals.n_queued++;
    r->bytes += entry_bytes(e);
    arka_mutex_unlock(&r->lock);
    *out = e;
    return ARKA_OK;
}

const char *arka_query_entry_id(const arka_query_entry *entry)
{
    return entry->id;
}

void arka_query_entry_set_text(arka_query_registry *r, arka_query_entry *e, arka_slice text)
{
    arka_mutex_lock(&r->lock);
    r->bytes -= entry_bytes(e);
    ARKA_IGNORE(give_text(e, text)); /* the one before stays */
    r->bytes += entry_bytes(e);
    arka_mutex_unlock(&r->lock);
}

void arka_query_entry_start(arka_query_registry *r, arka_query_entry *e)
{
    arka_mutex_lock(&r->lock);
    if (e->state == ARKA_QUERY_QUEUED) {
        e->state = ARKA_QUERY_RUNNING;
        e->started = arka_mono_now();
        e->started_us = arka_wall_us();
        e->wait_ms = (double)(e->started.ns - e->began.ns) / 1e6;
        r->totals.n_queued--;
        r->totals.n_running++;
    }
    arka_mutex_unlock(&r->lock);
}

void arka_query_entry_stream(arka_query_registry *r, arka_query_entry *e)
{
    arka_mutex_lock(&r->lock);
    if (e->state == ARKA_QUERY_RUNNING)
        e->state = ARKA_QUERY_STREAMING;
    arka_mutex_unlock(&r->lock);
}

void arka_query_entry_progress(arka_query_registry *r, arka_query_entry *e, int64_t n_rows,
                               int64_t n_bytes, uint64_t snapshot_lsn)
{
    arka_mutex_lock(&r->lock);
    e->n_rows = n_rows;
    e->n_bytes = n_bytes;
    e->snapshot_lsn = snapshot_lsn;
    arka_mutex_unlock(&r->lock);
}

void arka_query_entry_note_memory(arka_query_registry *r, arka_query_entry *e, int64_t n_bytes)
{
    arka_mutex_lock(&r->lock);
    if (n_bytes > e->peak_bytes)
        e->peak_bytes = n_bytes;
    arka_mutex_unlock(&r->lock);
}

static void add_up_locked(arka_query_registry *r, const arka_query_entry *e) ARKA_REQUIRES(r->lock);
static void add_up_locked(arka_query_registry *r, const arka_query_entry *e)
{
    arka_query_totals *t = &r->totals;
    int64_t *const count[] = {
        [ARKA_QUERY_COMPLETED] = &t->completed, [ARKA_QUERY_FAILED] = &t->failed,
        [ARKA_QUERY_CANCELLED] = &t->cancelled, [ARKA_QUERY_TIMED_OUT] = &t->timed_out,
        [ARKA_QUERY_REFUSED] = &t->refused,
    };
    ++*count[e->end.outcome];
    t->cached += e->end.cached;
    t->rows += e->n_rows;
    t->bytes += e->n_bytes;
    if (e->started.ns != 0) {
        t->n_ran++;
        t->wait_ms += e->wait_ms;
        t->run_ms += e->run_ms;
    }
}

void arka_query_registry_end(arka_query_registry *r, arka_query_entry *take_entry,
                             const arka_query_end *end)
{
    arka_query_entry *e = take_entry;
    arka_mono now = arka_mono_now();
    bool named = end->error != NULL && end->error[0] != 0;
    arka_slice error = named ? arka_slice_of(end->error) : (arka_slice){0};
    char *copy = named ? arka_strndup(error.data, cut(error, ARKA_QUERY_ERROR)) : NULL;
    ARKA_CHECK(end->outcome != ARKA_QUERY_OPEN, "a query ends without an outcome");
    arka_mutex_lock(&r->lock);
    *(e->newer ? &e->newer->older : &r->newest) = e->older;
    *(e->older ? &e->older->newer : &r->oldest) = e->newer;
    e->newer = e->older = NULL;
    r->n_active--;
    --*(e->state == ARKA_QUERY_QUEUED ? &r->totals.n_queued : &r->totals.n_running);
    if (e->started.ns != 0)
        e->run_ms = (double)(now.ns - e->started.ns) / 1e6;
    else
        e->wait_ms = (double)(now.ns - e->began.ns) / 1e6;
    e->cancel = NULL;
    e->state = ARKA_QUERY_ENDED;
    e->end = *end;
    e->end.error = NULL;
    e->n_rows = end->n_rows;
    e->n_bytes = end->n_bytes;
    e->snapshot_lsn = end->snapshot_lsn;
    e->ended_us = arka_wall_us();
    r->bytes -= entry_bytes(e);
    e->error = copy;
    r->bytes += entry_bytes(e);
    add_up_locked(r, e);
    arka_query_entry *gone = r->ring[r->next];
    r->ring[r->next] = e;
    r->next = (r->next + 1) % r->cap;
    if (gone != NULL)
        r->bytes -= entry_bytes(gone);
    else
        r->n_ended++;
    arka_mutex_unlock(&r->lock);
    free_entry(gone);
}

/* ---- looking ---- */

static bool may_see(const arka_query_reader *reader, const arka_query_entry *e)
{
    return reader->all || e->token_id == reader->token_id;
}

static bool describe(const arka_query_entry *e, arka_arena *arena, arka_query_info *out)
{
    arka_mono now = arka_mono_now();
    bool started = e->started.ns != 0, ended = e->state == ARKA_QUERY_ENDED;
    *out = (arka_query_info){
        .text = arka_arena_strndup(arena, e->text, e->text_len),
        .text_cut = e->text_cut,
        .database = arka_arena_text(arena, arka_slice_of(e->database)),
        .token_id = e->token_id,
        .token_name = arka_arena_text(arena, arka_slice_of(e->token_name)),
        .priority = e->priority,
        .state = e->state,
        .outcome = e->end.outcome,
        .cached = e->end.cached,
        .began_us = e->began_us,
        .started_us = e->started_us,
        .ended_us = e->ended_us,
        .wait_ms = started || ended ? e->wait_ms : (double)(now.ns - e->began.ns) / 1e6,
        .run_ms = started && !ended ? (double)(now.ns - e->started.ns) / 1e6 : e->run_ms,
        .n_rows = e->n_rows,
        .n_bytes = e->n_bytes,
        .snapshot_lsn = e->snapshot_lsn,
        .peak_bytes = e->peak_bytes,
        .error = arka_arena_text(arena, arka_slice_of(e->error ? e->error : "")),
    };
    memcpy(out->id, e->id, sizeof out->id);
    return out->text != NULL && out->database != NULL && out->token_name != NULL &&
           out->error != NULL;
}

/* The k-th newest of those that ended. */
static arka_query_entry *ended_locked(const arka_query_registry *r, size_t k)
    ARKA_REQUIRES(r->lock);
static arka_query_entry *ended_locked(const arka_query_registry *r, size_t k)
{
    return r->ring[(r->next + r->cap - 1 - k) % r->cap];
}

static bool list_locked(arka_query_registry *r, arka_query_which which,
                        const arka_query_reader *reader, size_t max, arka_arena *arena,
                        arka_query_info *out, size_t *n) ARKA_REQUIRES(r->lock);
static bool list_locked(arka_query_registry *r, arka_query_which which,
                        const arka_query_reader *reader, size_t max, arka_arena *arena,
                        arka_query_info *out, size_t *n)
{
    if (which == ARKA_QUERIES_ACTIVE) {
        for (arka_query_entry *e = r->newest; e != NULL && *n < max; e = e->older)
            if (may_see(reader, e) && !describe(e, arena, &out[(*n)++]))
                return false;
        return true;
    }
    for (size_t k = 0; k < r->n_ended && *n < max; k++)
        if (may_see(reader, ended_locked(r, k)) &&
            !describe(ended_locked(r, k), arena, &out[(*n)++]))
            return false;
    return true;
}

arka_status arka_query_registry_list(arka_query_registry *r, arka_query_which which,
                                     const arka_query_reader *reader, size_t max, arka_arena *arena,
                                     arka_query_info **out, size_t *out_n, arka_error *err)
{
    bool ok = true;
    *out_n = 0;
    arka_mutex_lock(&r->lock);
    size_t there = which == ARKA_QUERIES_ACTIVE ? r->n_active : r->n_ended;
    max = there < max ? there : max;
    *out = arka_arena_alloc(arena, (max + 1) * sizeof **out);
    ok = *out != NULL && list_locked(r, which, reader, max, arena, *out, out_n);
    arka_mutex_unlock(&r->lock);
    return ok ? ARKA_OK : arka_fail_nomem(err, "a list of queries", (max + 1) * sizeof **out);
}

static arka_query_entry *find_locked(arka_query_registry *r, arka_slice id,
                                     const arka_query_reader *reader) ARKA_REQUIRES(r->lock);
static arka_query_entry *find_locked(arka_query_registry *r, arka_slice id,
                                     const arka_query_reader *reader)
{
    arka_query_entry *found = NULL;
    for (arka_query_entry *e = r->newest; e != NULL && found == NULL; e = e->older)
        if (arka_slice_eq(arka_slice_of(e->id), id))
            found = e;
    for (size_t k = 0; k < r->n_ended && found == NULL; k++)
        if (arka_slice_eq(arka_slice_of(ended_locked(r, k)->id), id))
            found = ended_locked(r, k);
    return found != NULL && may_see(reader, found) ? found : NULL;
}

static arka_status not_found(arka_slice id, arka_error *err)
{
    return arka_fail(err, ARKA_NOTFOUND, "unknown query: %.*s", id.len > 100 ? 100 : (int)id.len,
                     id.data);
}

arka_status arka_query_registry_get(arka_query_registry *r, arka_slice id,
                                    const arka_query_reader *reader, arka_arena *arena,
                                    arka_query_info *out, arka_error *err)
{
    arka_mutex_lock(&r->lock);
    const arka_query_entry *e = find_locked(r, id, reader);
    bool ok = e != NULL && describe(e, arena, out);
    arka_mutex_unlock(&r->lock);
    if (e == NULL)
        return not_found(id, err);
    return ok ? ARKA_OK : arka_fail_nomem(err, "a query's account", sizeof *out);
}

arka_status arka_query_registry_cancel(arka_query_registry *r, arka_slice id,
                                       const arka_query_reader *reader, arka_error *err)
{
    bool asked = false;
    arka_mutex_lock(&r->lock);
    arka_query_entry *e = find_locked(r, id, reader);
    bool there = e != NULL;
    if (there && e->cancel != NULL) {
        e->cancel(e->cancel_context);
        asked = true;
    }
    arka_mutex_unlock(&r->lock);
    if (!there)
        return not_found(id, err);
    return asked ? ARKA_OK : arka_fail(err, ARKA_CONFLICT, "query %.*s has ended", ARKA_FMT(id));
}

void arka_query_registry_get_totals(arka_query_registry *r, arka_query_totals *out)
{
    arka_mutex_lock(&r->lock);
    *out = r->totals;
    arka_mutex_unlock(&r->lock);
}

int64_t arka_query_registry_bytes(arka_query_registry *r)
{
    arka_mutex_lock(&r->lock);
    int64_t n_bytes = r->bytes;
    arka_mutex_unlock(&r->lock);
    return n_bytes + (int64_t)(r->cap * sizeof *r->ring);
}
