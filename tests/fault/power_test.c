/*
 * The power fails: an engine works, everything that it does to its disk is recorded, and at many
 * instants disks are made that a power failure then may leave, each in its own way. An engine that
 * is opened on one has every row whose safety was acknowledged, exactly once; of the others whole
 * requests or nothing; it never gives a number out again, knows the keys of what it stored, and
 * goes on working. (Crash matrix W1 to W7, H1 to H5, recovery; I1, I2, I4, I5, I8; LSN-5, ACK-1,
 * ACK-4, ACK-5, WAL-8, WAL-10, REC-3, REC-9, OPS-3, F1, F5.)
 *
 *     ARKA_FAULT_STATES=5000 fault_power_test          as many states, 200 otherwise
 *     ARKA_FAULT_SEED=0x17 fault_power_test one_run    that run again
 *     … ARKA_FAULT_PRINT=wal ARKA_FAULT_STATE=3        what was done to the log before that state
 *     … ARKA_FAULT_KEEP=DIR                            its failing disk stays in DIR
 */
#include "fault/clock.h"
#include "fault/runs.h"
#include "kit/crash.h"

enum { STATES_A_RUN = 20, STEPS = 40 };

static crash_run run;
static char where[400];

/* An engine on that disk: is everything there, does it go on? */
static void check_disk(const char *root, long instant, bool power, states_rng *rng, int depth)
{
    arka_error err = {0};
    crash_paths paths;
    arka_engine *e;
    int lost;
    crash_set_paths(&paths, root);
    arka_engine_options o = crash_options(&paths);
    o.wal_segment_bytes = run.options.wal_segment_bytes;
    bool again = depth < 2 && states_below(rng, 4) == 0;
    o.os = again ? &rec_os : &kit_os;
    rec_tape *tape = again ? rec_begin(root) : NULL;
    ASSERT_OK(arka_engine_open(&o, &e, &err));
    long recovered = rec_mark(0);
    rec_end();
    int64_t n_rows = crash_check(&run, e, instant, power, false, &lost);
    if (again) {
        ASSERT_OK(arka_engine_close(e, &err));
        char second[REC_PATH + 16];
        snprintf(second, sizeof second, "%s-again", root);
        for (int i = 0; i < 3; i++) {
            states_way way = states_pick(rng);
            states_make(tape, states_below(rng, recovered + 1), way, rng, second);
            check_disk(second, instant, power || way != STATES_PREFIX, rng, depth + 1);
        }
        rec_free(tape);
        return;
    }

    /* I4, LSN-5: a number that was told is never given to anything else */
    crash_request *q = crash_make(&run, rng);
    bool repeated;
    q->durability = ARKA_DURABILITY_SYNCED;
    q->key[0] = 0;
    ASSERT_OK(crash_put(e, q, &repeated, &q->lsn, &err));
    uint64_t told = crash_highest_lsn(&run, instant);
    if (q->lsn - (uint64_t)crash_rows(q) < told)
        fail_msg("LSN %llu was told before the crash; after it %llu is given out",
                 (unsigned long long)told, (unsigned long long)q->lsn);

    /* F5, ACK-4: what is there is not stored again, what is not is stored once */
    int64_t n_again = 0;
    for (int i = 0; i < atomic_load(&run.n_requests); i++) {
        crash_request *k = &run.requests[i];
        /* rows that only a broken log was to keep go to files first, their keys after them */
        bool between =
            run.may_fail && k->durability != ARKA_DURABILITY_SYNCED && run.fates[i] == CRASH_WHOLE;
        if (k->key[0] && k->began < instant && !between &&
            crash_repeat(e, k, run.fates[i] == CRASH_WHOLE))
            n_again += crash_rows(k);
    }

    /* it goes on: what is written now is there after a flush and the next start */
    q->began = q->ended = 0;
    q->safe = q->written = 0;
    int64_t n_now = crash_check(&run, e, instant, power, false, &lost);
    assert_int_equal(n_now, n_rows + n_again + crash_rows(q));
    int64_t n;
    if (states_below(rng, 2) == 0)
        ASSERT_OK(arka_engine_flush(e, (arka_slice){0}, (arka_slice){0}, &n, &err));
    ASSERT_OK(arka_engine_close(e, &err));
    o.os = &kit_os;
    ASSERT_OK(arka_engine_open(&o, &e, &err));
    assert_int_equal(crash_check(&run, e, instant, power, false, &lost), n_now);
    ASSERT_OK(arka_engine_close(e, &err));
    atomic_fetch_sub(&run.n_requests, 1); /* no other disk has it */
}

static void do_run(uint64_t seed)
{
    arka_error err = {0};
    char root[200], disk[220];
    snprintf(root, sizeof root, "%s/run", kit_tmpdir());
    snprintf(disk, sizeof disk, "%s/disk", kit_tmpdir());
    assert_int_equal(mkdir(root, 0755), 0);
    rec_lies = runs_count("ARKA_FAULT_LIES", 0) != 0;
    rec_tape *tape = rec_begin(root);
    crash_open(&run, root, seed, &rec_os);
    bool faults = seed % 3 == 0; /* the disk fails as well, now and then (WAL-6, WAL-7, F7) */
    for (int i = 0; i < STEPS && faults; i++) {
        crash_faulty_step(&run);
        clock_step_mono_ms(1100); /* a log that broke is mended */
    }
    if (!faults)
        crash_work(&run, STEPS);
    crash_check_live(&run);
    long n_ops = rec_mark(0);
    rec_end();
    ASSERT_OK(arka_engine_close(run.engine, &err));
    for (int i = 0; i < STATES_A_RUN; i++) {
        states_rng rng = {seed * 1000 + (uint64_t)i};
        states_way way = states_pick(&rng);
        long instant = 1 + states_below(&rng, n_ops);
        snprintf(where, sizeof where, "seed 0x%llx, state %d, instant %ld of %ld, %s",
                 (unsigned long long)seed, i, instant, n_ops, STATES_TEXTS[way]);
        runs_note(where);
        const char *print = getenv("ARKA_FAULT_PRINT");
        if (print != NULL && runs_count("ARKA_FAULT_STATE", i) == i)
            rec_print(tape, print, instant);
        states_make(tape, instant, way, &rng, disk);
        runs_keep(disk);
        check_disk(disk, instant, way != STATES_PREFIX, &rng, 0);
    }
    rec_free(tape);
    runs_note("");
}

TEST(one_run)
{
    uint64_t seed;
    if (runs_seed(&seed))
        do_run(seed);
}

/* What stands above can fail: on a disk whose syncs do nothing, it does. */
TEST(a_disk_that_lies_about_syncs_is_noticed)
{
    char log[256];
    int n_noticed = 0;
    if (getenv("ARKA_FAULT_SEED") != NULL)
        return;
    snprintf(log, sizeof log, "%s/lies.log", kit_tmpdir());
    setenv("ARKA_FAULT_LIES", "1", 1);
    for (uint64_t seed = 1; seed <= 2; seed++) {
        int status = runs_one("one_run", seed, log);
        n_noticed += WIFEXITED(status) && WEXITSTATUS(status) != 0;
    }
    unsetenv("ARKA_FAULT_LIES");
    assert_int_equal(n_noticed, 2);
}

TEST(no_power_failure_loses_or_doubles_what_was_acknowledged)
{
    runs_all("power", "one_run",
             (runs_count("ARKA_FAULT_STATES", 200) + STATES_A_RUN - 1) / STATES_A_RUN);
}
