/*
 * Every allocation fails, once or from then on, in everything that an engine with a log does:
 * nothing acknowledged is lost, nothing refused is stored, and it goes on as soon as there is
 * memory.
 *
 *     ARKA_FAULT_ALLOCATIONS=200 fault_memory_test    of each case; 0: every one
 *     ARKA_FAULT_CASES=8 …                            only so many of the cases, others each time
 */
#include "fault/clock.h"
#include "fault/runs.h"
#include "kit/crash.h"

static crash_run run;
static char where[400];

/* ---- what is done while memory lacks ---- */

static void must_be_failure_of_ours(arka_status status, const arka_error *err)
{
    if (status != ARKA_OK && status != ARKA_NOMEM && status != ARKA_BUSY && status != ARKA_IO)
        fail_msg("status %s: %s", arka_status_name(status), err->msg);
    if (status != ARKA_OK && err->msg[0] == 0)
        fail_msg("status %s says nothing", arka_status_name(status));
}

static crash_request *make(arka_durability durability, int n_parts, int table)
{
    crash_request *q = crash_make(&run, &run.rng);
    q->durability = durability;
    q->key[0] = 0;
    for (int i = 0; i < n_parts; i++)
        q->parts[i] = (crash_part){.table = (table + i) % CRASH_TABLES,
                                   .first_id = ((q - run.requests) * CRASH_PARTS + i) * LEDGER_ROWS,
                                   .n = LEDGER_ROWS - i};
    q->n_parts = n_parts;
    return q;
}

/* The batches themselves are the test's own: memory lacks from when they are made. */
static long fail_at;
static bool fail_for_good;

static void memory_lacks(void)
{
    kit_fail_allocation(fail_at, fail_for_good);
}

static bool memory_is_back(void)
{
    bool failed = kit_allocation_failed();
    kit_fail_allocation(0, false);
    return failed;
}

static void send_prepared(crash_request *q)
{
    crash_batches_made = memory_lacks;
    crash_send(&run, q);
    crash_batches_made = NULL;
}

static void act_write(void)
{
    send_prepared(make(ARKA_DURABILITY_SYNCED, 1, 0));
}

static void act_write_three(void)
{
    send_prepared(make(ARKA_DURABILITY_SYNCED, 3, 0));
}

static void act_write_written(void)
{
    send_prepared(make(ARKA_DURABILITY_WRITTEN, 2, 1));
}

static void act_write_memory(void)
{
    send_prepared(make(ARKA_DURABILITY_MEMORY, 2, 2));
}

static void act_write_keyed(void)
{
    crash_request *q = make(ARKA_DURABILITY_SYNCED, 1, 0);
    snprintf(q->key, sizeof q->key, "memory-%d", (int)(q - run.requests));
    send_prepared(q);
}

static void act_create_database(void)
{
    static int n;
    arka_error err = {0};
    char name[32];
    snprintf(name, sizeof name, "db%d", n++);
    memory_lacks();
    must_be_failure_of_ours(arka_engine_create_database(run.engine, arka_slice_of(name), &err),
                            &err);
}

static void act_new_table(void)
{
    static int n;
    arka_error err = {0};
    char name[32];
    snprintf(name, sizeof name, "new%d", n++);
    arka_batch *batch = kit_rows(LEDGER_T0, 1, 3);
    memory_lacks();
    must_be_failure_of_ours(kit_write(run.engine, "other", name, batch, &err), &err);
}

static void act_flush(void)
{
    arka_error err = {0};
    memory_lacks();
    must_be_failure_of_ours(crash_flush(&run, &err), &err);
}

static void act_flush_one(void)
{
    arka_error err = {0};
    int64_t n;
    memory_lacks();
    must_be_failure_of_ours(
        arka_engine_flush(run.engine, ARKA_SLICE("default"), ARKA_SLICE("m1"), &n, &err), &err);
}

static void act_snapshot(void)
{
    arka_error err = {0};
    arka_snapshot *s;
    memory_lacks();
    arka_status status =
        arka_engine_snapshot(run.engine, ARKA_SLICE("default"), ARKA_SLICE("m0"), &s, &err);
    must_be_failure_of_ours(status, &err);
    if (status == ARKA_OK)
        arka_snapshot_unref(s);
}

static void act_snapshots(void)
{
    arka_error err = {0};
    arka_snapshot *s[CRASH_TABLES];
    arka_table_ref refs[CRASH_TABLES];
    uint64_t lsn;
    for (int i = 0; i < CRASH_TABLES; i++)
        refs[i] = (arka_table_ref){ARKA_SLICE("default"), arka_slice_of(CRASH_NAMES[i])};
    memory_lacks();
    arka_status status = arka_engine_snapshots(run.engine, refs, CRASH_TABLES, s, &lsn, &err);
    must_be_failure_of_ours(status, &err);
    for (int i = 0; status == ARKA_OK && i < CRASH_TABLES; i++)
        arka_snapshot_unref(s[i]);
}

static arka_status count_table(void *context, const arka_table_info *info, arka_error *err)
{
    (void)info, (void)err;
    ++*(int *)context;
    return ARKA_OK;
}

static void act_list(void)
{
    arka_error err = {0};
    int n = 0;
    memory_lacks();
    arka_status status = arka_engine_each_table(run.engine, (arka_slice){0}, count_table, &n, &err);
    must_be_failure_of_ours(status, &err);
    assert_true(status != ARKA_OK || n >= CRASH_TABLES);
}

static arka_status count_segment(void *context, const arka_wal_segment_info *info, arka_error *err)
{
    (void)info, (void)err;
    ++*(int *)context;
    return ARKA_OK;
}

static void act_list_segments(void)
{
    arka_error err = {0};
    int n = 0;
    memory_lacks();
    must_be_failure_of_ours(
        arka_wal_each_segment(arka_engine_wal(run.engine), count_segment, &n, &err), &err);
}

static void act_reopen(void)
{
    arka_error err = {0};
    memory_lacks();
    must_be_failure_of_ours(crash_close(&run, &err), &err);
    err = (arka_error){0};
    arka_status status = arka_engine_open(&run.options, &run.engine, &err);
    must_be_failure_of_ours(status, &err);
    if (status != ARKA_OK)
        run.engine = NULL;
}

static void act_open(void)
{
    arka_error err = {0};
    ASSERT_OK(crash_close(&run, &err));
    memory_lacks();
    arka_status status = arka_engine_open(&run.options, &run.engine, &err);
    must_be_failure_of_ours(status, &err);
    if (status != ARKA_OK)
        run.engine = NULL;
}

static void work(void)
{
    for (int i = 0; i < 4; i++)
        crash_send(&run, make(ARKA_DURABILITY_SYNCED, 1 + i % 3, i));
}

static void act_recover(void)
{
    arka_error err = {0};
    char image[REC_PATH + 16];
    snprintf(image, sizeof image, "%s-image", run.paths.root);
    kit_copy_tree(run.paths.root, image);
    ASSERT_OK(arka_engine_close(run.engine, &err));
    kit_copy_tree(image, run.paths.root);
    memory_lacks();
    arka_status status = arka_engine_open(&run.options, &run.engine, &err);
    must_be_failure_of_ours(status, &err);
    if (status != ARKA_OK)
        run.engine = NULL;
}

static void break_log(void)
{
    kit_os_fail((kit_os_fault){
        .n = 1, .error = EIO, .calls = KIT_PWRITEV | KIT_OPEN | KIT_FDATASYNC, .for_good = true});
    crash_send(&run, make(ARKA_DURABILITY_SYNCED, 1, 0));
    kit_os_fail((kit_os_fault){0});
}

static void act_mend(void)
{
    memory_lacks();
    clock_step_mono_ms(1100);
    usleep(20000); /* the committer mends by itself */
}

/* A sync that fails while memory lacks: the records since the last one are written again. */
static void act_sync_fails(void)
{
    kit_os_fail((kit_os_fault){.n = 1, .error = EIO, .calls = KIT_FDATASYNC});
    act_write_three();
    kit_os_fail((kit_os_fault){0});
}

static void act_write_and_flush(void)
{
    act_write_three();
    ARKA_IGNORE(crash_flush(&run, NULL)); /* as memory is */
}

/* A key that is known: answered from memory, or there is none. */
static void act_repeat(void)
{
    arka_error err = {0};
    for (int i = atomic_load(&run.n_requests); i-- > 0;) {
        crash_request again = run.requests[i];
        bool repeated;
        uint64_t lsn;
        if (!again.key[0] || again.status != ARKA_OK)
            continue;
        crash_batches_made = memory_lacks;
        arka_status status = crash_put(run.engine, &again, &repeated, &lsn, &err);
        crash_batches_made = NULL;
        must_be_failure_of_ours(status, &err);
        assert_true(status != ARKA_OK || repeated);
        return;
    }
}

static void work_with_key(void)
{
    crash_request *q = make(ARKA_DURABILITY_SYNCED, 1, 0);
    snprintf(q->key, sizeof q->key, "repeat-%d", (int)(q - run.requests));
    crash_send(&run, q);
}

typedef struct scenario {
    const char *name;
    void (*before)(void), (*act)(void);
} scenario;

static const scenario SCENARIOS[] = {
    {"write", NULL, act_write},
    {"write to three tables", NULL, act_write_three},
    {"write, written", NULL, act_write_written},
    {"write, memory", NULL, act_write_memory},
    {"write with a key", NULL, act_write_keyed},
    {"repeat a key", work_with_key, act_repeat},
    {"new database", NULL, act_create_database},
    {"new table", NULL, act_new_table},
    {"flush", work, act_flush},
    {"flush of one table", work, act_flush_one},
    {"write and flush", NULL, act_write_and_flush},
    {"snapshot", work, act_snapshot},
    {"snapshots", work, act_snapshots},
    {"list", NULL, act_list},
    {"list of segments", NULL, act_list_segments},
    {"close and open", work, act_reopen},
    {"open", work, act_open},
    {"recover", work, act_recover},
    {"mend", break_log, act_mend},
    {"a sync fails", NULL, act_sync_fails},
};
enum { N_SCENARIOS = sizeof SCENARIOS / sizeof *SCENARIOS };

/* ---- the sweep ---- */

static void must_go_on(void)
{
    arka_error err = {0};
    if (run.engine == NULL)
        ASSERT_OK(arka_engine_open(&run.options, &run.engine, &err));
    crash_check_live(&run);
    arka_status status = ARKA_BUSY;
    for (int i = 0; status != ARKA_OK && i < 200; i++) {
        if (i > 0) {
            clock_step_mono_ms(1100);
            usleep(10000); /* the committer mends by itself, and looks at the clock now and then */
        }
        status = crash_send(&run, make(ARKA_DURABILITY_SYNCED, 1, 3));
    }
    if (status != ARKA_OK)
        fail_msg("all is well, and it does not write: %s", run.error.msg);
}

static void must_reopen(void)
{
    arka_error err = {0};
    ASSERT_OK(crash_close(&run, &err));
    ASSERT_OK(arka_engine_open(&run.options, &run.engine, &err));
    crash_check_live(&run);
}

static void begin(uint64_t seed)
{
    char root[200];
    static int n;
    snprintf(root, sizeof root, "%s/run-%d", kit_tmpdir(), n++);
    assert_int_equal(mkdir(root, 0755), 0);
    crash_open(&run, root, seed, &kit_os);
    run.may_fail = true;
    run.options.wal_segment_bytes = 16384;
    run.options.flush_rows = INT64_MAX;
    run.options.wal_async = false;
    must_reopen();
    work();
}

static void end(void)
{
    arka_error err = {0};
    must_reopen();
    ASSERT_OK(arka_engine_close(run.engine, &err));
    nftw(run.paths.root, kit_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static bool point(const scenario *s, long n, bool for_good)
{
    snprintf(where, sizeof where, "%s, allocation %ld%s", s->name, n, for_good ? " for good" : "");
    runs_note(where);
    if (s->before != NULL)
        s->before();
    fail_at = n;
    fail_for_good = for_good;
    s->act();
    bool failed = memory_is_back();
    must_go_on();
    runs_note("");
    return failed;
}

static void sweep(const scenario *s, states_rng *rng, long budget)
{
    long done = 0;
    begin(states_next(rng));
    for (int for_good = 0; for_good < 2; for_good++)
        for (long n = 1; budget == 0 || done < budget * (1 + for_good) / 2; n++, done++) {
            if (!point(s, n, for_good))
                break;
            if (n % 10 == 0) { /* checks take longer the more there is */
                end();
                begin(states_next(rng));
            }
        }
    end();
    print_message("%s: %ld allocations\n", s->name, done);
}

/* seed: the case in its upper half, chance in its lower. */
TEST(one_case)
{
    uint64_t seed;
    if (!runs_seed(&seed))
        return;
    states_rng rng = {seed};
    sweep(&SCENARIOS[(seed >> 32) % N_SCENARIOS], &rng, runs_count("ARKA_FAULT_ALLOCATIONS", 200));
}

TEST(every_allocation_may_fail)
{
    runs_tally t = {"memory", "one_case", 0, 0};
    if (!runs_begin(&t))
        return;
    uint64_t cases = (uint64_t)runs_count("ARKA_FAULT_CASES", N_SCENARIOS), first = kit_random();
    for (uint64_t i = 0; i < cases && i < N_SCENARIOS; i++)
        runs_try(&t, (first + i) % N_SCENARIOS << 32 | (kit_random() & 0xffffffff));
    runs_end(&t);
}
