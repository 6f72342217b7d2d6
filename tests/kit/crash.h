/**
 * An engine with a log under a load that a seed decides, and an account of every request: when it
 * began, when it was answered and how, and from which instant on it must be there whatever happens.
 * Rows are the ledger's (kit/ledger.h), spread over a few tables. Instants are indices of the
 * recorder's tape when it runs (kit/recorder.h), else a count.
 *
 *     crash_open(&run, seed, &kit_os);
 *     crash_work(&run, 50);
 *     crash_check_live(&run);
 *     crash_close(&run);
 */
#ifndef TESTS_KIT_CRASH_H
#define TESTS_KIT_CRASH_H

#include <semaphore.h>

#include "kit/ledger.h"
#include "kit/states.h"

enum { CRASH_REQUESTS = 2000, CRASH_PARTS = 3, CRASH_TABLES = 4, CRASH_WRITERS = 3 };
enum { CRASH_IDS = CRASH_REQUESTS * CRASH_PARTS * LEDGER_ROWS };

typedef struct crash_part {
    int table;
    int64_t first_id;
    int n;
    arka_status status;
} crash_part;

typedef struct crash_request {
    crash_part parts[CRASH_PARTS];
    int n_parts;
    arka_durability durability;
    char key[24]; /* idempotency; empty: none */
    long began;
    atomic_long ended;  /* LONG_MAX both: not yet. What else is known of its end is set before */
    arka_status status; /* when it has ended */
    uint64_t lsn;       /* of its last row */
    long written, safe; /* from when on it survives the end of the process; power loss */
} crash_request;

typedef struct crash_paths {
    char root[REC_PATH], base[REC_PATH + 16], manifest[REC_PATH + 16], wal[REC_PATH + 16];
} crash_paths;

typedef struct crash_run {
    crash_paths paths;
    arka_engine_options options;
    arka_engine *engine;
    crash_request requests[CRASH_REQUESTS];
    atomic_int n_requests;
    atomic_long clock; /* instants without a tape */
    states_rng rng;
    arka_error error;              /* of the last write that failed; one writer */
    uint8_t fates[CRASH_REQUESTS]; /* crash_fate, by the last check */
    bool may_fail;                 /* calls fail on purpose: requests may be refused */
} crash_run;

static const char *const CRASH_NAMES[CRASH_TABLES] = {"m0", "m1", "m2", "m3"};

/* ---- opening ---- */

static inline void crash_set_paths(crash_paths *p, const char *root)
{
    snprintf(p->root, sizeof p->root, "%s", root);
    snprintf(p->base, sizeof p->base, "%s/data", root);
    snprintf(p->manifest, sizeof p->manifest, "%s/arc.db", root);
    snprintf(p->wal, sizeof p->wal, "%s/wal", root);
}

static inline arka_engine_options crash_options(const crash_paths *p)
{
    arka_engine_options o;
    arka_engine_options_default(&o);
    o.base_path = p->base;
    o.manifest_path = p->manifest;
    o.wal_dir = p->wal;
    o.flush_age_ms = INT64_MAX / 1000000;
    o.flush_rows = INT64_MAX;
    return o;
}

static inline void crash_open(crash_run *r, const char *root, uint64_t seed, const arka_os *os)
{
    arka_error err = {0};
    memset(r, 0, sizeof *r);
    r->rng.state = seed;
    crash_set_paths(&r->paths, root);
    r->options = crash_options(&r->paths);
    r->options.os = os;
    r->options.wal_segment_bytes = 4096 << states_below(&r->rng, 6); /* rotates often, or never */
    if (states_below(&r->rng, 3) == 0) {
        r->options.flush_rows = 30; /* the flusher has work */
        r->options.flush_interval_ms = 1;
    }
    r->options.wal_async = states_below(&r->rng, 5) == 0;
    if (states_below(&r->rng, 4) == 0)
        r->options.wal_sync_mode = ARKA_WAL_FSYNC;
    if (states_below(&r->rng, 4) == 0)
        r->options.wal_codec = ARKA_IPC_LZ4_FRAME;
    kit_vfs_install();
    ASSERT_OK(arka_engine_open(&r->options, &r->engine, &err));
}

static inline long crash_now(crash_run *r)
{
    return rec_on != NULL ? rec_mark(0) : atomic_fetch_add(&r->clock, 1);
}

/* ---- requests ---- */

static void crash_done(void *context)
{
    sem_post(context);
}

/* A new one: what it will write, by `rng`. */
static inline crash_request *crash_make(crash_run *r, states_rng *rng)
{
    int at = atomic_fetch_add(&r->n_requests, 1);
    assert_true(at < CRASH_REQUESTS);
    crash_request *q = &r->requests[at];
    *q = (crash_request){
        .began = LONG_MAX, .ended = LONG_MAX, .written = LONG_MAX, .safe = LONG_MAX};
    q->n_parts = states_below(rng, 4) == 0 ? 1 + (int)states_below(rng, CRASH_PARTS) : 1;
    int64_t kind = states_below(rng, 10);
    q->durability = kind < 7   ? ARKA_DURABILITY_SYNCED
                    : kind < 9 ? ARKA_DURABILITY_WRITTEN
                               : ARKA_DURABILITY_MEMORY;
    if (states_below(rng, 4) == 0)
        snprintf(q->key, sizeof q->key, "key-%d", at);
    for (int i = 0; i < q->n_parts; i++)
        q->parts[i] = (crash_part){.table = (int)states_below(rng, CRASH_TABLES),
                                   .first_id = ((int64_t)at * CRASH_PARTS + i) * LEDGER_ROWS,
                                   .n = 1 + (int)states_below(rng, LEDGER_ROWS)};
    return q;
}

static void (*crash_batches_made)(void); /* called when a request's batches are made */

/* Send it, as it stands, to an engine; *repeated: its key was known. */
static inline arka_status crash_put(arka_engine *engine, crash_request *q, bool *repeated,
                                    uint64_t *lsn, arka_error *err)
{
    arka_put_batch batches[CRASH_PARTS];
    sem_t done;
    sem_init(&done, 0, 0);
    for (int i = 0; i < q->n_parts; i++)
        batches[i] = (arka_put_batch){
            .measurement = arka_slice_of(CRASH_NAMES[q->parts[i].table]),
            .batch = ledger_batch(q->parts[i].first_id, q->parts[i].n),
        };
    if (crash_batches_made != NULL)
        crash_batches_made();
    arka_put_request put = {.database = ARKA_SLICE("default"),
                            .batches = batches,
                            .n_batches = (size_t)q->n_parts,
                            .atomic = true,
                            .durability = q->durability,
                            .key = arka_slice_of(q->key),
                            .answer = ARKA_SLICE("stored"),
                            .done = crash_done,
                            .context = &done};
    arka_status status = arka_request_prepare(engine, &put, err);
    *repeated = status == ARKA_OK && put.repeated;
    if (*repeated) {
        assert_string_equal(put.first_answer, "stored");
    } else if (status == ARKA_OK) {
        arka_request_commit(engine, &put);
        while (sem_wait(&done) != 0)
            ;
        status = put.status;
        if (status != ARKA_OK && err != NULL)
            *err = put.error;
    }
    *lsn = put.lsn;
    arka_request_fini(&put);
    for (int i = 0; i < q->n_parts; i++) {
        q->parts[i].status = status;
        arka_batch_unref(batches[i].batch);
    }
    sem_destroy(&done);
    return status;
}

static inline arka_status crash_send(crash_run *r, crash_request *q)
{
    arka_error err = {0};
    bool repeated;
    q->began = crash_now(r);
    arka_status status = crash_put(r->engine, q, &repeated, &q->lsn, &err);
    q->status = status;
    if (status != ARKA_OK && !r->may_fail)
        fail_msg("a write failed: %s", err.msg);
    if (status != ARKA_OK)
        r->error = err;
    assert_false(repeated);
    long now = crash_now(r);
    if (status == ARKA_OK && q->durability != ARKA_DURABILITY_MEMORY)
        q->written = now;
    if (status == ARKA_OK && q->durability == ARKA_DURABILITY_SYNCED && !r->options.wal_async)
        q->safe = now;
    q->ended = now;
    return status;
}

/* What was answered before `began` is in files now. */
static inline void crash_note_flushed(crash_run *r, long began)
{
    long now = crash_now(r);
    for (int i = 0; i < atomic_load(&r->n_requests); i++) {
        crash_request *q = &r->requests[i];
        if (q->ended < began && q->status == ARKA_OK) {
            q->safe = q->safe < now ? q->safe : now;
            q->written = q->written < now ? q->written : now;
        }
    }
}

static inline arka_status crash_flush(crash_run *r, arka_error *err)
{
    int64_t n;
    long began = crash_now(r);
    arka_status status = arka_engine_flush(r->engine, (arka_slice){0}, (arka_slice){0}, &n, err);
    if (status == ARKA_OK)
        crash_note_flushed(r, began);
    return status;
}

static inline arka_status crash_close(crash_run *r, arka_error *err)
{
    long began = crash_now(r);
    arka_status status = arka_engine_close(r->engine, err);
    r->engine = NULL;
    if (status == ARKA_OK)
        crash_note_flushed(r, began);
    return status;
}

/*
 * F5: a client sends it again. One that is stored is answered as the first time and not stored
 * again; another one is stored. True: it was stored now.
 */
static inline bool crash_repeat(arka_engine *engine, const crash_request *q, bool stored)
{
    arka_error err = {0};
    crash_request again = *q;
    bool repeated;
    uint64_t lsn;
    ASSERT_OK(crash_put(engine, &again, &repeated, &lsn, &err));
    if (repeated != stored)
        fail_msg("%s %s stored (LSN %llu); sent again, it was %s", q->key, stored ? "is" : "is not",
                 (unsigned long long)q->lsn, repeated ? "taken for stored" : "stored again");
    if (stored && q->status == ARKA_OK)
        assert_int_equal(lsn, q->lsn);
    return !repeated;
}

/* ---- checking ---- */

typedef enum crash_fate { CRASH_ABSENT, CRASH_WHOLE } crash_fate;

static inline crash_fate crash_part_fate(const ledger *l, const crash_request *q, int at)
{
    const crash_part *p = &q->parts[at];
    int n_there = 0;
    for (int i = 0; i < p->n; i++) {
        if (l->seen[p->first_id + i] > 1)
            fail_msg("row %lld (LSN up to %llu) is there %d times", (long long)p->first_id + i,
                     (unsigned long long)q->lsn, l->seen[p->first_id + i]);
        n_there += l->seen[p->first_id + i];
    }
    if (n_there != 0 && n_there != p->n)
        fail_msg("%d of %d rows from %lld on are there", n_there, p->n, (long long)p->first_id);
    return n_there == 0 ? CRASH_ABSENT : CRASH_WHOLE;
}

static inline crash_fate crash_fate_of(const ledger *l, const crash_request *q)
{
    crash_fate first = crash_part_fate(l, q, 0);
    for (int i = 1; i < q->n_parts; i++)
        if (crash_part_fate(l, q, i) != first)
            fail_msg("a request of %d tables (LSN up to %llu) is there in part", q->n_parts,
                     (unsigned long long)q->lsn);
    return first;
}

static inline int64_t crash_rows(const crash_request *q)
{
    int64_t n = 0;
    for (int i = 0; i < q->n_parts; i++)
        n += q->parts[i].n;
    return n;
}

/**
 * Is what the engine shows what may be there after the power failed at `instant` (power: true), or
 * the process ended? live: nothing of the kind, what it says must be exact. Returns how many rows
 * there are; *out_lost: requests that were answered, and need not be there, and are not.
 */
static inline int64_t crash_check(crash_run *r, arka_engine *engine, long instant, bool power,
                                  bool live, int *out_lost)
{
    ledger l;
    int64_t n_rows = 0;
    ledger_begin(&l, CRASH_IDS);
    for (int t = 0; t < CRASH_TABLES; t++)
        ledger_read(&l, engine, CRASH_NAMES[t]);
    *out_lost = 0;
    for (int i = 0; i < atomic_load(&r->n_requests); i++) {
        const crash_request *q = &r->requests[i];
        crash_fate fate = crash_fate_of(&l, q);
        r->fates[i] = (uint8_t)fate;
        bool answered = q->ended < instant && q->status == ARKA_OK;
        bool must = live ? answered : (power ? q->safe : q->written) < instant;
        bool may = live ? q->ended >= instant && q->began < instant : q->began < instant;
        if (fate == CRASH_ABSENT && must)
            fail_msg("request %d (%d, LSN up to %llu) was acknowledged at %ld, safe from %ld on, "
                     "and is not there at %ld",
                     i, (int)q->durability, (unsigned long long)q->lsn, q->ended, q->safe, instant);
        if (fate == CRASH_WHOLE && !must && !may)
            fail_msg("request %d (status %d) is there, and should not be", i, q->status);
        if (fate == CRASH_WHOLE)
            n_rows += crash_rows(q);
        *out_lost += fate == CRASH_ABSENT && answered;
    }
    for (int64_t id = 0; id < CRASH_IDS; id++)
        l.n_rows -= l.seen[id];
    assert_int_equal(l.n_rows, 0);
    ledger_end(&l);
    return n_rows;
}

/* The engine that ran all along: everything that it acknowledged, and nothing else. */
static inline void crash_check_live(crash_run *r)
{
    int lost;
    crash_check(r, r->engine, LONG_MAX - 1, false, true, &lost);
    assert_int_equal(lost, 0);
}

/* The highest number that anybody was told before the instant (I4). */
static inline uint64_t crash_highest_lsn(crash_run *r, long instant)
{
    uint64_t highest = 0;
    for (int i = 0; i < atomic_load(&r->n_requests); i++) {
        const crash_request *q = &r->requests[i];
        if (q->ended < instant && q->status == ARKA_OK && q->lsn > highest)
            highest = q->lsn;
    }
    return highest;
}

/* ---- work ---- */

typedef struct crash_writer {
    crash_run *run;
    states_rng rng;
    int n;
    pthread_t thread;
} crash_writer;

static void *crash_write_many(void *context)
{
    crash_writer *w = context;
    for (int i = 0; i < w->n; i++)
        crash_send(w->run, crash_make(w->run, &w->rng));
    return NULL;
}

static inline void crash_work_together(crash_run *r)
{
    arka_error err = {0};
    crash_writer writers[CRASH_WRITERS];
    for (int i = 0; i < CRASH_WRITERS; i++) {
        writers[i] = (crash_writer){.run = r, .rng = {states_next(&r->rng)}, .n = 6};
        assert_int_equal(pthread_create(&writers[i].thread, NULL, crash_write_many, &writers[i]),
                         0);
    }
    arka_status status = crash_flush(r, &err);
    if (!r->may_fail)
        ASSERT_OK(status);
    for (int i = 0; i < CRASH_WRITERS; i++)
        pthread_join(writers[i].thread, NULL);
}

static inline void crash_work_repeat(crash_run *r)
{
    for (int i = r->may_fail ? 0 : atomic_load(&r->n_requests); i-- > 0;)
        if (r->requests[i].key[0] && r->requests[i].status == ARKA_OK) {
            crash_repeat(r->engine, &r->requests[i], true);
            return;
        }
}

static inline void crash_reopen(crash_run *r)
{
    arka_error err = {0};
    arka_status status = crash_close(r, &err);
    if (!r->may_fail)
        ASSERT_OK(status);
    if (r->may_fail && arka_engine_open(&r->options, &r->engine, NULL) == ARKA_OK)
        return;
    kit_os_fail((kit_os_fault){0});
    kit_vfs_fail(0, 0, false);
    err = (arka_error){0};
    ASSERT_OK(arka_engine_open(&r->options, &r->engine, &err));
}

static inline void crash_flush_one(crash_run *r, const char *table)
{
    arka_error err = {0};
    int64_t n;
    arka_status status =
        arka_engine_flush(r->engine, ARKA_SLICE("default"), arka_slice_of(table), &n, &err);
    if (status != ARKA_OK && status != ARKA_NOTFOUND && !r->may_fail) /* nobody wrote to it yet */
        fail_msg("flush of %s: %s", table, err.msg);
}

/** One step; nothing may fail. */
static inline void crash_step(crash_run *r)
{
    arka_error err = {0};
    int64_t kind = states_below(&r->rng, 100);
    if (kind < 78)
        crash_send(r, crash_make(r, &r->rng));
    else if (kind < 84 && r->may_fail)
        ARKA_IGNORE(crash_flush(r, &err)); /* as the disk is */
    else if (kind < 84)
        ASSERT_OK(crash_flush(r, &err));
    else if (kind < 89)
        crash_flush_one(r, CRASH_NAMES[states_below(&r->rng, CRASH_TABLES)]);
    else if (kind < 93)
        crash_work_repeat(r);
    else if (kind < 96)
        crash_reopen(r);
    else
        crash_work_together(r);
}

/**
 * One step, in which some call of the disk may fail, once or to its end. Requests may be refused
 * then; afterwards the disk is well again.
 */
static inline void crash_faulty_step(crash_run *r)
{
    enum {
        SYNCS = KIT_FDATASYNC | KIT_FSYNC | KIT_SYNCFS,
        NEW = KIT_PWRITEV | KIT_OPEN | KIT_MKDIR
    };
    static const kit_os_fault FAULTS[] = {
        {.error = EIO, .calls = SYNCS},
        {.error = EIO, .calls = SYNCS, .for_good = true},
        {.error = EIO},
        {.error = EIO, .for_good = true},
        {.error = EIO, .done = true},
        {.error = ENOSPC, .calls = NEW, .for_good = true},
        {.error = EIO, .calls = NEW | KIT_FTRUNCATE | KIT_UNLINK, .for_good = true},
        {.calls = KIT_PWRITEV},
    };
    enum { N_FAULTS = sizeof FAULTS / sizeof *FAULTS };
    int64_t kind = states_below(&r->rng, N_FAULTS * 4);
    kit_os_fault fault = kind < N_FAULTS ? FAULTS[kind] : (kit_os_fault){0};
    fault.n = kind < N_FAULTS ? 1 + states_below(&r->rng, 10) : 0;
    r->may_fail = true;
    kit_os_fail(fault);
    if (kind == N_FAULTS)
        kit_vfs_fail(1 + states_below(&r->rng, 6), KIT_VFS_WRITE | KIT_VFS_SYNC,
                     states_below(&r->rng, 2) == 0);
    crash_step(r);
    kit_os_fail((kit_os_fault){0});
    kit_vfs_fail(0, 0, false);
}

static inline void crash_work(crash_run *r, int n_steps)
{
    for (int i = 0; i < n_steps; i++)
        crash_step(r);
}

#endif
