/*
 * Every call of the disk fails, once or from then on, in everything that an engine with a log does:
 * what was acknowledged is there, what was refused is not, the disk heals and the engine goes on,
 * the next start has the same. (WAL-6, WAL-7, F6, F7; DSK, REC-9, I1, I5.)
 *
 *     ARKA_FAULT_POINTS=500 fault_calls_test     as many failing calls, spread over all cases; 0:
 * every one
 */
#include "fault/clock.h"
#include "fault/runs.h"
#include "kit/crash.h"

typedef struct kind {
    const char *name;
    kit_os_fault os; /* n is set by the sweep */
    int vfs;         /* or these calls of SQLite */
    bool vfs_for_good;
} kind;

enum {
    SYNCS = KIT_FDATASYNC | KIT_FSYNC | KIT_SYNCFS,
    NEW = KIT_PWRITEV | KIT_MKDIR | KIT_OPEN,
    VFS = KIT_VFS_WRITE | KIT_VFS_SYNC,
};

static const kind KINDS[] = {
    {"any call, EIO", {.error = EIO}, 0, false},
    {"any call, EIO for good", {.error = EIO, .for_good = true}, 0, false},
    {"any call, done and EIO", {.error = EIO, .done = true}, 0, false},
    {"any call, EINTR", {.error = EINTR}, 0, false},
    {"ENOSPC", {.error = ENOSPC, .done = true, .calls = NEW}, 0, false},
    {"ENOSPC for good", {.error = ENOSPC, .calls = NEW, .for_good = true}, 0, false},
    {"short writes", {.calls = KIT_PWRITEV}, 0, false},
    {"sync", {.error = EIO, .calls = SYNCS}, 0, false},
    {"sync for good", {.error = EIO, .calls = SYNCS, .for_good = true}, 0, false},
    {"rename", {.error = EIO, .calls = KIT_RENAME | KIT_UNLINK}, 0, false},
    {"truncation for good",
     {.error = EIO, .calls = NEW | KIT_FTRUNCATE, .for_good = true},
     0,
     false},
    {"reads", {.error = EIO, .calls = KIT_PREAD}, 0, false},
    {"short reads", {.calls = KIT_PREAD}, 0, false},
    {"manifest", {0}, VFS, false},
    {"manifest for good", {0}, VFS, true},
    {"manifest's syncs for good", {0}, KIT_VFS_SYNC, true},
};
enum { N_KINDS = sizeof KINDS / sizeof *KINDS, MANY = 1000000 };

static crash_run run;
static char where[400];

/* ---- faults ---- */

static void strike(const kind *k, long n)
{
    kit_os_fault fault = k->os;
    fault.n = k->vfs ? 0 : n;
    kit_os_fail(fault);
    kit_vfs_fail(k->vfs ? n : 0, k->vfs, k->vfs_for_good);
}

static void heal(void)
{
    kit_os_fail((kit_os_fault){0});
    kit_vfs_fail(0, 0, false);
}

/* How many calls of that kind `left` says were made since strike(k, MANY). */
static long calls_made(const kind *k)
{
    return MANY - (k->vfs ? atomic_load(&kit_vfs_left) : atomic_load(&kit_os_left));
}

static void must_be_failure_of_ours(arka_status status, const arka_error *err)
{
    if (status != ARKA_OK && status != ARKA_IO && status != ARKA_BUSY && status != ARKA_EXISTS &&
        status != ARKA_NOTFOUND)
        fail_msg("status %s: %s", arka_status_name(status), err->msg);
    if (status != ARKA_OK && err->msg[0] == 0)
        fail_msg("status %s says nothing", arka_status_name(status));
}

/* The disk is well: writes and flushes come to work again, by themselves. */
static void must_recover(void)
{
    arka_error err = {0};
    arka_status status = ARKA_BUSY;
    for (int i = 0; status != ARKA_OK && i < 200; i++) {
        if (i > 0) {
            clock_step_mono_ms(1100);
            usleep(10000); /* the committer mends by itself, and looks at the clock now and then */
        }
        crash_request *q = crash_make(&run, &run.rng);
        q->durability = ARKA_DURABILITY_SYNCED;
        status = crash_send(&run, q);
    }
    if (status != ARKA_OK)
        fail_msg("all is well, and it does not write: %s", run.error.msg);
    for (int i = 0; (status = crash_flush(&run, &err)) != ARKA_OK && i < 3; i++)
        err = (arka_error){0};
    ASSERT_OK(status);
    char why[200];
    if (arka_engine_is_refusing(run.engine, why, sizeof why))
        fail_msg("all is well, and it refuses writes: %s", why);
}

static void must_reopen(void)
{
    arka_error err = {0};
    ASSERT_OK(crash_close(&run, &err));
    ASSERT_OK(arka_engine_open(&run.options, &run.engine, &err));
    crash_check_live(&run);
}

/* ---- what is done while calls fail ---- */

static void send(arka_durability durability, int n_parts, int table)
{
    crash_request *q = crash_make(&run, &run.rng);
    q->durability = durability;
    for (int i = 0; i < n_parts; i++) {
        q->parts[i] = (crash_part){.table = (table + i) % CRASH_TABLES,
                                   .first_id = ((q - run.requests) * CRASH_PARTS + i) * LEDGER_ROWS,
                                   .n = LEDGER_ROWS - i};
    }
    q->n_parts = n_parts;
    crash_send(&run, q);
}

static void act_write(void)
{
    send(ARKA_DURABILITY_SYNCED, 1, 0);
    send(ARKA_DURABILITY_SYNCED, 3, 1);
}

static void act_write_less_safe(void)
{
    send(ARKA_DURABILITY_WRITTEN, 1, 0);
    send(ARKA_DURABILITY_MEMORY, 2, 0);
    send(ARKA_DURABILITY_SYNCED, 1, 0);
}

static void act_flush(void)
{
    arka_error err = {0};
    must_be_failure_of_ours(crash_flush(&run, &err), &err);
}

static void act_write_and_flush(void)
{
    act_write();
    act_flush();
    act_write_less_safe();
    act_flush();
}

/* Segments of 4 KiB: each of these begins one or two. */
static void act_rotate(void)
{
    for (int i = 0; i < 4; i++)
        send(i % 2 ? ARKA_DURABILITY_SYNCED : ARKA_DURABILITY_WRITTEN, 2, i);
}

static void act_reopen(void)
{
    arka_error err = {0};
    arka_status status = crash_close(&run, &err);
    must_be_failure_of_ours(status, &err);
    err = (arka_error){0};
    status = arka_engine_open(&run.options, &run.engine, &err);
    must_be_failure_of_ours(status, &err);
    if (status != ARKA_OK)
        run.engine = NULL;
}

/* The process died: another opens what it left. */
static void act_recover(void)
{
    arka_error err = {0};
    arka_status status = arka_engine_open(&run.options, &run.engine, &err);
    must_be_failure_of_ours(status, &err);
    if (status != ARKA_OK)
        run.engine = NULL;
}

static void work_before(void)
{
    for (int i = 0; i < 3; i++)
        send(ARKA_DURABILITY_SYNCED, 1 + i % 3, i);
}

/* As a kill would leave it: the engine goes, its directory is as it was before it went. */
static void die(void)
{
    arka_error err = {0};
    char image[REC_PATH + 16];
    work_before();
    snprintf(image, sizeof image, "%s-image", run.paths.root);
    kit_copy_tree(run.paths.root, image);
    ASSERT_OK(arka_engine_close(run.engine, &err));
    kit_copy_tree(image, run.paths.root);
    run.engine = NULL;
}

/* The log is broken; it is mended while calls fail. */
static void break_log(void)
{
    kit_os_fail((kit_os_fault){.n = 1, .error = EIO, .calls = NEW | SYNCS, .for_good = true});
    send(ARKA_DURABILITY_SYNCED, 1, 0);
    kit_os_fail((kit_os_fault){0});
}

static void act_mend(void)
{
    clock_step_mono_ms(1100);
    send(ARKA_DURABILITY_SYNCED, 1, 0);
    clock_step_mono_ms(1100);
    send(ARKA_DURABILITY_SYNCED, 2, 1);
}

typedef struct scenario {
    const char *name;
    void (*before)(void), (*act)(void);
} scenario;

static const scenario SCENARIOS[] = {
    {"write", NULL, act_write},        {"write with less safety", NULL, act_write_less_safe},
    {"flush", work_before, act_flush}, {"write and flush", NULL, act_write_and_flush},
    {"rotate", NULL, act_rotate},      {"close and open", work_before, act_reopen},
    {"recover", die, act_recover},     {"mend", break_log, act_mend},
};
enum { N_SCENARIOS = sizeof SCENARIOS / sizeof *SCENARIOS };

/* ---- the sweep ---- */

static void begin(const scenario *s, const kind *k, uint64_t seed)
{
    char root[200];
    snprintf(root, sizeof root, "%s/run-%d-%d", kit_tmpdir(), (int)(s - SCENARIOS),
             (int)(k - KINDS));
    assert_int_equal(mkdir(root, 0755), 0);
    crash_open(&run, root, seed, &kit_os);
    run.may_fail = true;
    run.options.wal_segment_bytes = 4096;
    run.options.flush_rows = INT64_MAX; /* calls are counted: nothing of its own accord */
    run.options.wal_async = false;
    must_reopen();
    work_before();
}

static void end(void)
{
    arka_error err = {0};
    must_reopen();
    ASSERT_OK(arka_engine_close(run.engine, &err));
    nftw(run.paths.root, kit_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* The n-th call fails. */
static void point(const scenario *s, const kind *k, long n, bool reopen)
{
    arka_error err = {0};
    snprintf(where, sizeof where, "%s, %s, call %ld", s->name, k->name, n);
    runs_note(where);
    snprintf(runs_disk, sizeof runs_disk, "%s", run.paths.root); /* for ARKA_FAULT_KEEP */
    if (s->before != NULL)
        s->before();
    strike(k, n);
    s->act();
    if (run.engine != NULL)
        crash_check_live(&run); /* while it goes on failing */
    heal();
    if (run.engine == NULL)
        ASSERT_OK(arka_engine_open(&run.options, &run.engine, &err));
    crash_check_live(&run);
    must_recover();
    if (reopen)
        must_reopen();
    runs_note("");
}

static long count_calls(const scenario *s, const kind *k)
{
    if (s->before != NULL)
        s->before();
    strike(k, MANY);
    s->act();
    long n = calls_made(k);
    heal();
    must_recover();
    return n;
}

/* seed: the case in its upper half, chance in its lower. */
static void do_case(uint64_t seed)
{
    long budget = runs_count("ARKA_FAULT_POINTS", 500);
    long of_each = budget / (N_SCENARIOS * N_KINDS) + 1;
    size_t i = (size_t)(seed >> 32) % (N_SCENARIOS * N_KINDS);
    const scenario *s = &SCENARIOS[i / N_KINDS];
    const kind *k = &KINDS[i % N_KINDS];
    states_rng rng = {seed};
    begin(s, k, states_next(&rng));
    long calls = count_calls(s, k);
    for (long at = 1; budget == 0 ? at <= calls + 2 : at <= of_each && calls > 0; at++) {
        long n = budget == 0 ? at : 1 + states_below(&rng, calls);
        if (at % 10 == 0) { /* checks take longer the more there is */
            end();
            begin(s, k, states_next(&rng));
        }
        point(s, k, n, at % 4 == 0 || at == of_each);
    }
    end();
}

TEST(one_case)
{
    uint64_t seed;
    if (runs_seed(&seed))
        do_case(seed);
}

TEST(every_call_may_fail)
{
    runs_tally t = {"calls", "one_case", 0, 0};
    if (!runs_begin(&t))
        return;
    for (uint64_t i = 0; i < N_SCENARIOS * N_KINDS; i++)
        runs_try(&t, i << 32 | (kit_random() & 0xffffffff));
    runs_end(&t);
}
