/*
 * The log alone on the disks that a power failure may leave: what was synced is there, a group is
 * whole or not there, nothing that was refused comes back after the log was mended, and a second
 * start sees the same. The seed of a failure: ARKA_SEED.
 */
#include "kit/recorder.h"
#include "kit/states.h"
#include "kit/wal.h"

enum { STEPS = 30, MOST_GROUPS = 64, STATES_A_RUN = 25 };

typedef struct group {
    uint64_t last;
    char text[400];
    long acked, refused, trimmed; /* operations of the tape: from then on; LONG_MAX: never */
    bool keep;
} group;

typedef struct run {
    char root[200], dir[220];
    arka_wal *wal;
    arka_batch *one, *many;
    uint64_t next;
    int n;
    group groups[MOST_GROUPS];
} run;

static arka_wal *open_log(const char *dir, const arka_os *os, kit_wal_found *found)
{
    arka_error err = {0};
    arka_wal_options options;
    arka_wal *wal;
    arka_wal_options_default(&options);
    options.dir = dir;
    options.os = os;
    options.segment_bytes = 7000;
    ASSERT_OK(arka_wal_open(&options, &wal, &err));
    ASSERT_OK(kit_wal_recover(wal, found, &err));
    return wal;
}

static void note_acked(run *r)
{
    uint64_t durable = arka_wal_durable_lsn(r->wal);
    long now = rec_mark(0);
    for (int i = 0; i < r->n; i++)
        if (r->groups[i].acked == LONG_MAX && r->groups[i].refused == LONG_MAX &&
            r->groups[i].last <= durable)
            r->groups[i].acked = now;
}

static void mend(run *r)
{
    arka_error err = {0};
    kit_os_fail((kit_os_fault){.n = 0});
    ASSERT_OK(arka_wal_mend(r->wal, r->next, &err));
    long now = rec_mark(0);
    for (int i = 0; i < r->n; i++)
        if (r->groups[i].acked == LONG_MAX && r->groups[i].refused == LONG_MAX) {
            if (r->groups[i].keep)
                r->groups[i].acked = now;
            else
                r->groups[i].refused = now;
        }
}

static void append_group(run *r, states_rng *rng)
{
    arka_error err = {0};
    arka_wal_entry e[4];
    group *g = &r->groups[r->n++];
    size_t n = 1 + (size_t)states_below(rng, 4);
    *g = (group){.acked = LONG_MAX, .refused = LONG_MAX, .trimmed = LONG_MAX};
    g->keep = states_below(rng, 3) == 0;
    for (size_t i = 0; i < n; i++) {
        const char *table = states_below(rng, 2) ? "a" : "b";
        e[i] = kit_wal_rows(r->next, table, 1, states_below(rng, 4) == 0 ? r->many : r->one);
        e[i].keep = g->keep;
        r->next = e[i].lsn_last + 1;
        size_t at = strlen(g->text);
        snprintf(g->text + at, sizeof g->text - at, "%llu-%llu d.b/%s#%s:1\n",
                 (unsigned long long)e[i].lsn_first, (unsigned long long)e[i].lsn_last, table,
                 table);
    }
    g->last = e[n - 1].lsn_last;
    if (arka_wal_append(r->wal, e, n, &err) != ARKA_OK) {
        g->keep = false;
        mend(r);
    } else if (!g->keep || states_below(rng, 3) == 0) {
        if (arka_wal_sync(r->wal, &err) == ARKA_OK)
            note_acked(r);
        else
            mend(r);
    }
}

static void trim(run *r, states_rng *rng)
{
    arka_error err = {0};
    int64_t removed;
    int upto = (int)states_below(rng, r->n + 1);
    long now = rec_mark(0);
    if (upto == 0 || r->groups[upto - 1].acked == LONG_MAX)
        return;
    for (int i = 0; i < upto; i++)
        if (r->groups[i].trimmed == LONG_MAX)
            r->groups[i].trimmed = now;
    ASSERT_OK(arka_wal_trim(r->wal, r->groups[upto - 1].last + 1, &removed, &err));
}

static void work(run *r, states_rng *rng)
{
    for (int i = 0; i < STEPS; i++) {
        if (states_below(rng, 5) == 0)
            kit_os_fail((kit_os_fault){.n = 1 + states_below(rng, 4),
                                       .calls = states_below(rng, 2)
                                                    ? KIT_FDATASYNC
                                                    : KIT_PWRITEV | KIT_FTRUNCATE | KIT_FSYNC,
                                       .error = states_below(rng, 2) ? EIO : ENOSPC,
                                       .done = states_below(rng, 2) == 0,
                                       .for_good = states_below(rng, 2) == 0});
        append_group(r, rng);
        kit_os_fail((kit_os_fault){.n = 0});
        if (states_below(rng, 8) == 0)
            trim(r, rng);
    }
}

/* The groups that must be in the text, and those that may. */
static void check_text(const run *r, const char *text, long instant, const char *where)
{
    const char *at = text;
    for (int i = 0; i < r->n; i++) {
        const group *g = &r->groups[i];
        size_t n = strlen(g->text);
        bool there = strncmp(at, g->text, n) == 0;
        if (!there && g->acked < instant && g->trimmed >= instant)
            fail_msg("%s: acknowledged, and gone: %s of\n%s", where, g->text, text);
        if (there && g->refused < instant)
            fail_msg("%s: refused, and there: %s of\n%s", where, g->text, text);
        at += there ? n : 0;
    }
    if (*at != 0)
        fail_msg("%s: what is this: %s of\n%s", where, at, text);
}

static void check_disk(const run *r, const char *root, long instant, const char *where)
{
    char dir[300];
    kit_wal_found first = {.cells = true}, second = {.cells = true}, lines = {.cells = false};
    arka_error err = {0};
    snprintf(dir, sizeof dir, "%s/wal", root);
    arka_wal *wal = open_log(dir, NULL, &first);
    uint64_t next = first.recovered.max_lsn + 1;
    ASSERT_OK(kit_wal_recover(wal, &lines, &err));
    check_text(r, lines.text.len == 0 ? "" : arka_buf_cstr(&lines.text), instant, where);
    ASSERT_OK(arka_wal_begin(wal, next, 2, &err));
    arka_wal_entry e = kit_wal_rows(next, "a", 1, r->one);
    ASSERT_OK(arka_wal_append(wal, &e, 1, &err));
    ASSERT_OK(arka_wal_close(wal, &err));

    wal = open_log(dir, NULL, &second);
    arka_wal_drop(wal);
    assert_int_equal(second.n_records, first.n_records + 1);
    assert_true(second.text.len > first.text.len);
    if (first.text.len > 0)
        assert_memory_equal(second.text.data, first.text.data, first.text.len);
    kit_wal_found_fini(&first);
    kit_wal_found_fini(&second);
    kit_wal_found_fini(&lines);
}

static void do_run(uint64_t seed)
{
    arka_error err = {0};
    run r = {.next = 1};
    states_rng rng = {seed};
    kit_wal_found found = {.cells = false};
    char disk[220], where[300];
    snprintf(r.root, sizeof r.root, "%s", kit_wal_dir("power"));
    snprintf(r.dir, sizeof r.dir, "%s/wal", r.root);
    snprintf(disk, sizeof disk, "%s/disk", kit_tmpdir());
    assert_int_equal(mkdir(r.root, 0755), 0);
    r.one = kit_sample_batch(1, 0);
    r.many = kit_sample_batch(60, 2);
    rec_tape *tape = rec_begin(r.root);
    r.wal = open_log(r.dir, &rec_os, &found);
    ASSERT_OK(arka_wal_begin(r.wal, 1, 1, &err));
    work(&r, &rng);
    long n_ops = rec_mark(0);
    rec_end();
    arka_wal_drop(r.wal);
    for (int i = 0; i < STATES_A_RUN; i++) {
        states_rng state_rng = {seed * 1000 + (uint64_t)i};
        states_way way = states_pick(&state_rng);
        long instant = 1 + states_below(&state_rng, n_ops);
        snprintf(where, sizeof where, "seed 0x%llx, state %d, instant %ld of %ld, %s",
                 (unsigned long long)seed, i, instant, n_ops, STATES_TEXTS[way]);
        states_make(tape, instant, way, &state_rng, disk);
        check_disk(&r, disk, instant, where);
    }
    rec_free(tape);
    kit_wal_found_fini(&found);
    arka_batch_unref(r.one);
    arka_batch_unref(r.many);
}

/* W4, W5, WAL-6, WAL-7, WAL-12, REC-9 */
TEST(no_power_failure_takes_from_the_log_what_was_synced)
{
    const char *text = getenv("ARKA_FAULT_STATES");
    long n = text != NULL && *text ? strtol(text, NULL, 0) : 500;
    uint64_t seed = kit_random();
    for (long i = 0; i < n; i += STATES_A_RUN)
        do_run(seed + (uint64_t)i);
}
