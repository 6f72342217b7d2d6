/* A log on a disk that fails: what was acknowledged stays, what was refused is not there. */
#include "kit/copy_tree.h"
#include "kit/faulty_os.h"
#include "kit/wal.h"

enum { MAX_GROUPS = 40, GROUPS = 9 };

typedef enum fate {
    OPEN,  /* nobody said anything about it */
    ACKED, /* must be there */
    LOST,  /* refused, and the log was mended since: must not be there */
} fate;

typedef struct group {
    uint64_t last;
    bool keep;
    fate fate;
    char text[400];
} group;

typedef struct scenario {
    const char *dir;
    arka_wal *wal;
    arka_batch *one, *many;
    uint64_t next;
    int n, failures;
    group groups[MAX_GROUPS];
} scenario;

static void begin(scenario *s, const char *name)
{
    *s = (scenario){.dir = kit_wal_dir(name), .next = 1};
    s->one = kit_sample_batch(1, 0);
    s->many = kit_sample_batch(40, 3); /* its body is not copied behind its head */
}

static void end(scenario *s)
{
    arka_batch_unref(s->one);
    arka_batch_unref(s->many);
}

/* Small segments: every few groups there is a new one. */
static void open_log(scenario *s)
{
    arka_error err = {0};
    arka_wal_options options;
    kit_wal_found found = {.cells = false};
    arka_wal_options_default(&options);
    options.dir = s->dir;
    options.os = &kit_os;
    options.segment_bytes = 9000;
    ASSERT_OK(arka_wal_open(&options, &s->wal, &err));
    ASSERT_OK(kit_wal_recover(s->wal, &found, &err));
    ASSERT_OK(arka_wal_begin(s->wal, s->next, 1, &err));
    kit_wal_found_fini(&found);
}

static void settle(scenario *s)
{
    uint64_t durable = arka_wal_durable_lsn(s->wal);
    for (int i = 0; i < s->n; i++)
        if (s->groups[i].fate == OPEN)
            s->groups[i].fate = s->groups[i].last <= durable ? ACKED : LOST;
}

static void close_log(scenario *s)
{
    arka_error err = {0};
    ASSERT_OK(arka_wal_close(s->wal, &err));
    for (int i = 0; i < s->n; i++)
        if (s->groups[i].fate == OPEN)
            s->groups[i].fate = ACKED;
}

/* A few tries, as the engine makes them. */
static void mend(scenario *s)
{
    for (int i = 0; i < 3 && arka_wal_is_broken(s->wal); i++) {
        arka_error err = {0};
        if (arka_wal_mend(s->wal, s->next, &err) == ARKA_OK) {
            /* of what was not synced, it wrote again what had to be kept, and forgot the rest */
            for (int k = 0; k < s->n; k++)
                if (s->groups[k].fate == OPEN)
                    s->groups[k].fate = s->groups[k].keep ? ACKED : LOST;
        } else {
            assert_int_equal(err.code, ARKA_IO);
        }
    }
}

/* Two or three records as one group; every third group is not synced by itself. */
static void write_group(scenario *s, int i)
{
    arka_error err = {0};
    arka_wal_entry e[3];
    size_t n = 0;
    group *g = &s->groups[s->n];
    *g = (group){.keep = i % 3 == 1};
    uint64_t lsn = s->next;
    e[n++] = kit_wal_rows(lsn, i % 2 ? "a" : "b", 1, i % 4 == 2 ? s->many : s->one);
    e[n] = kit_wal_rows(e[n - 1].lsn_last + 1, "c", 1, s->one);
    n++;
    if (i % 5 == 0) {
        e[n] = kit_wal_control(e[n - 1].lsn_last + 1, "k", "p");
        n++;
    }
    for (size_t k = 0; k < n; k++) {
        e[k].keep = g->keep;
        size_t at = strlen(g->text);
        if (e[k].kind == ARKA_WAL_CONTROL)
            snprintf(g->text + at, sizeof g->text - at, "%llu-%llu k(p)\n",
                     (unsigned long long)e[k].lsn_first, (unsigned long long)e[k].lsn_last);
        else
            snprintf(g->text + at, sizeof g->text - at, "%llu-%llu d.b/%s#%s:1\n",
                     (unsigned long long)e[k].lsn_first, (unsigned long long)e[k].lsn_last,
                     e[k].table.table.data, e[k].table.table.data);
    }
    g->last = s->next = e[n - 1].lsn_last;
    s->next++;
    arka_status status = arka_wal_append(s->wal, e, n, &err);
    if (status == ARKA_OK) {
        s->n++;
        if (g->keep)
            return;
        status = arka_wal_sync(s->wal, &err);
    } else {
        g->keep = false; /* it was never taken */
        s->n++;
    }
    if (status == ARKA_OK) {
        settle(s);
        return;
    }
    assert_int_equal(status, ARKA_IO);
    assert_true(arka_wal_is_broken(s->wal));
    s->failures++;
    mend(s);
}

/* What is in `dir` must be all groups of fate ACKED, none that are LOST, each once and whole. */
static void check(const scenario *s, const char *dir)
{
    char *text = kit_wal_text(dir, false), *at = text;
    for (int i = 0; i < s->n; i++) {
        size_t n = strlen(s->groups[i].text);
        bool there = strncmp(at, s->groups[i].text, n) == 0;
        if (s->groups[i].fate == ACKED && !there)
            fail_msg("acknowledged, and gone: %s of\n%s", s->groups[i].text, text);
        if (s->groups[i].fate == LOST && there)
            fail_msg("refused, and there: %s of\n%s", s->groups[i].text, text);
        at += there ? n : 0;
    }
    if (*at != 0)
        fail_msg("what is this: %s of\n%s", at, text);
    free(text);
}

/* Does the scenario with one fault; false: it did not come to the fault. */
static bool run(const char *name, kit_os_fault fault)
{
    scenario s;
    arka_error err = {0};
    char crashed[300];
    begin(&s, name);
    open_log(&s);
    kit_os_fail(fault);
    for (int i = 0; i < GROUPS; i++)
        write_group(&s, i);
    snprintf(crashed, sizeof crashed, "%s.crashed", s.dir);
    kit_copy_tree(s.dir, crashed);
    kit_os_fail((kit_os_fault){.n = 0});
    bool failed = kit_os_failed();
    check(&s, crashed);

    /* the disk is well again: so is the log */
    if (arka_wal_is_broken(s.wal))
        mend(&s);
    assert_false(arka_wal_is_broken(s.wal));
    kit_copy_tree(s.dir, crashed);
    check(&s, crashed);
    write_group(&s, 2);
    assert_int_equal(s.groups[s.n - 1].fate, ACKED);
    close_log(&s);
    check(&s, s.dir);

    /* and it goes on after a start */
    kit_wal_found found = {.cells = false};
    ASSERT_OK(kit_wal_read(s.dir, &found, &err));
    assert_true(found.recovered.max_lsn >= s.groups[s.n - 1].last);
    s.next = found.recovered.max_lsn + 1;
    kit_wal_found_fini(&found);
    open_log(&s);
    write_group(&s, 3);
    close_log(&s);
    check(&s, s.dir);
    end(&s);
    return failed;
}

static void sweep(const char *name, int calls, int error, bool for_good, bool done)
{
    long n = 1;
    while (run(
        name,
        (kit_os_fault){.n = n, .calls = calls, .error = error, .for_good = for_good, .done = done}))
        n++;
    assert_true(n > 1);
}

TEST(WAL_6_a_write_that_fails)
{
    sweep("enospc", KIT_PWRITEV, ENOSPC, false, false);
    sweep("eio", KIT_PWRITEV, EIO, false, true); /* half of it is in the file */
    sweep("short", KIT_PWRITEV, 0, false, false);
    sweep("eintr", KIT_PWRITEV, EINTR, false, false);
}

TEST(WAL_6_writes_that_fail_for_good)
{
    sweep("enospc-all", KIT_PWRITEV, ENOSPC, true, true);
    sweep("enospc-cut", KIT_PWRITEV | KIT_FTRUNCATE, ENOSPC, true, true);
    sweep("open-all", KIT_OPEN, EMFILE, true, false);
}

TEST(WAL_7_F7_a_sync_that_fails)
{
    sweep("sync", KIT_FDATASYNC, EIO, false, false);
    sweep("sync-all", KIT_FDATASYNC, EIO, true, false);
    sweep("sync-dir", KIT_FSYNC, EIO, false, false);
    sweep("sync-dir-all", KIT_FSYNC, EIO, true, false);
    /* and the suspect segment can neither be cut nor removed */
    sweep("sync-stuck", KIT_FDATASYNC | KIT_FTRUNCATE | KIT_UNLINK, EIO, true, false);
}

TEST(WAL_6_WAL_7_every_call_fails_once_and_for_good)
{
    sweep("any", 0, EIO, false, false);
    sweep("any-all", 0, EIO, true, false);
}

TEST(WAL_6_a_write_that_fails_leaves_the_file_as_it_was)
{
    arka_error err = {0};
    const char *dir = kit_wal_dir("cutback");
    arka_batch *many = kit_sample_batch(100, 0);
    arka_wal *wal = kit_wal_begin_os(dir, &kit_os, 1);
    arka_wal_entry a = kit_wal_rows(1, "a", 1, many), b = kit_wal_rows(101, "a", 1, many);
    size_t before, after;
    ASSERT_OK(arka_wal_append(wal, &a, 1, &err));
    free(kit_wal_load(kit_wal_segment(dir, 1), &before));
    kit_os_fail((kit_os_fault){.n = 1, .calls = KIT_PWRITEV, .error = ENOSPC, .done = true});
    ASSERT_FAILS(arka_wal_append(wal, &b, 1, &err), ARKA_IO, "No space left");
    kit_os_fail((kit_os_fault){.n = 0});
    free(kit_wal_load(kit_wal_segment(dir, 1), &after));
    assert_int_equal(after, before);
    assert_true(arka_wal_is_broken(wal));
    ASSERT_FAILS(arka_wal_append(wal, &b, 1, &err), ARKA_IO, "not mended yet");
    ASSERT_FAILS(arka_wal_sync(wal, &err), ARKA_IO, "not mended yet");
    ASSERT_OK(arka_wal_mend(wal, 201, &err));
    arka_wal_entry c = kit_wal_rows(201, "a", 1, many);
    ASSERT_FAILS(arka_wal_append(wal, &b, 1, &err), ARKA_INTERNAL, "expected one from 201");
    ASSERT_OK(arka_wal_append(wal, &c, 1, &err));
    ASSERT_OK(arka_wal_close(wal, &err));
    char *text = kit_wal_text(dir, false); /* 1 to 100 were not synced, and not to be kept */
    assert_string_equal(text, "201-300 d.b/a#a:1\n");
    free(text);
    arka_batch_unref(many);
}

TEST(WAL_7_the_suspect_segment_counts_up_to_its_last_sync)
{
    arka_error err = {0};
    const char *dir = kit_wal_dir("suspect");
    arka_batch *one = kit_sample_batch(1, 0);
    arka_wal *wal = kit_wal_begin_os(dir, &kit_os, 1);
    for (uint64_t lsn = 1; lsn <= 4; lsn++) {
        arka_wal_entry e = kit_wal_rows(lsn, "a", 1, one);
        ASSERT_OK(arka_wal_append(wal, &e, 1, &err));
        if (lsn == 2)
            ASSERT_OK(arka_wal_sync(wal, &err));
    }
    kit_os_fail((kit_os_fault){
        .n = 1, .calls = KIT_FDATASYNC | KIT_FTRUNCATE, .error = EIO, .for_good = false});
    ASSERT_OK(arka_wal_sync(wal, &err)); /* in a new segment */
    kit_os_fail((kit_os_fault){.n = 0});
    assert_int_equal(arka_wal_durable_lsn(wal), 4);
    arka_wal_stats stats;
    arka_wal_get_stats(wal, &stats);
    assert_int_equal(stats.sync_failures, 1);
    assert_int_equal(stats.n_segments, 2);
    assert_string_equal(stats.active, "segment_00000000000000000003.arrow");
    ASSERT_OK(arka_wal_close(wal, &err));
    char *text = kit_wal_text(dir, false);
    assert_string_equal(text, "1-1 d.b/a#a:1\n2-2 d.b/a#a:1\n3-3 d.b/a#a:1\n4-4 d.b/a#a:1\n");
    free(text);
    arka_batch_unref(one);
}

TEST(appending_when_every_allocation_fails_once)
{
    arka_error err = {0};
    arka_batch *one = kit_sample_batch(1, 0), *many = kit_sample_batch(100, 3);
    long n = 0;
    bool failed = true;
    while (failed) {
        const char *dir = kit_wal_dir("nomem");
        arka_wal *wal = kit_wal_begin(dir, 1);
        arka_wal_entry e[] = {kit_wal_rows(1, "a", 1, one), kit_wal_rows(2, "b", 1, many),
                              kit_wal_control(102, "k", "p")};
        kit_fail_allocation(++n, false);
        arka_status status = arka_wal_append(wal, e, 3, &err);
        failed = kit_allocation_failed();
        kit_fail_allocation(0, false);
        assert_true(failed == (status == ARKA_NOMEM));
        assert_false(arka_wal_is_broken(wal));
        memset(&err, 0, sizeof err);
        if (failed) { /* the same numbers again: nothing of them was written */
            assert_int_equal(arka_wal_appended_lsn(wal), 0);
            ASSERT_OK(arka_wal_append(wal, e, 3, &err));
        }
        ASSERT_OK(arka_wal_sync(wal, &err));
        ASSERT_OK(arka_wal_close(wal, &err));
        char *text = kit_wal_text(dir, false);
        assert_string_equal(text, "1-1 d.b/a#a:1\n2-101 d.b/b#b:1\n102-102 k(p)\n");
        free(text);
    }
    assert_true(n > 5);
    arka_batch_unref(one);
    arka_batch_unref(many);
}

TEST(REC_9_recovering_when_every_allocation_fails_once)
{
    arka_error err = {0};
    const char *dir = kit_wal_dir("nomem-recover");
    scenario s;
    begin(&s, "nomem-recover");
    s.dir = dir;
    open_log(&s);
    for (int i = 0; i < GROUPS; i++)
        write_group(&s, i);
    close_log(&s);
    size_t n_bytes;
    const char *last = kit_wal_segment(dir, 1);
    char *bytes = kit_wal_load(last, &n_bytes);
    for (long n = 1;; n++) {
        kit_wal_found found = {.cells = false};
        arka_wal_options options;
        arka_wal *wal = NULL;
        arka_wal_options_default(&options);
        options.dir = dir;
        kit_fail_allocation(n, false);
        arka_status status = arka_wal_open(&options, &wal, &err);
        arka_wal_recovered recovered;
        arka_wal_reader reader = {.context = &found, .record = kit_wal_take};
        if (status == ARKA_OK)
            status = arka_wal_recover(wal, &reader, &recovered, &err);
        bool failed = kit_allocation_failed();
        kit_fail_allocation(0, false);
        if (failed && status == ARKA_OK)
            failed = true; /* a text of the test's own */
        assert_true(status == ARKA_OK || (failed && status == ARKA_NOMEM));
        memset(&err, 0, sizeof err);
        arka_wal_drop(wal);
        kit_wal_found_fini(&found);
        if (!failed)
            break;
    }
    check(&s, dir);
    free(bytes);
    end(&s);
}

TEST(REC_9_recovery_whose_calls_fail_can_be_done_again)
{
    arka_error err = {0};
    scenario s;
    char copy[300];
    begin(&s, "recover-calls");
    open_log(&s);
    for (int i = 0; i < GROUPS; i++)
        write_group(&s, i);
    uint64_t last = s.groups[s.n - 1].last;
    /* a group that was never synced and is not whole */
    snprintf(copy, sizeof copy, "%s.copy", s.dir);
    kit_copy_tree(s.dir, copy);
    arka_wal_stats stats;
    arka_wal_get_stats(s.wal, &stats);
    char path[400];
    snprintf(path, sizeof path, "%s/%s", copy, stats.active);
    close_log(&s);
    FILE *file = fopen(path, "ab");
    fputs("\xff\xff\xff\xffgarbage", file);
    fclose(file);
    bool failed = true;
    for (long n = 1; failed; n++) {
        kit_wal_found found = {.cells = false};
        arka_wal *wal = kit_wal_open_os(copy, &kit_os);
        kit_os_fail((kit_os_fault){.n = n,
                                   .calls = KIT_OPEN | KIT_PWRITEV | KIT_FTRUNCATE | KIT_FSYNC |
                                            KIT_FDATASYNC | KIT_UNLINK | KIT_PREAD,
                                   .error = EIO});
        arka_status status = kit_wal_recover(wal, &found, &err);
        failed = kit_os_failed();
        kit_os_fail((kit_os_fault){.n = 0});
        if (status == ARKA_OK)
            assert_int_equal(found.recovered.last_lsn, last);
        else
            assert_int_equal(status, ARKA_IO);
        memset(&err, 0, sizeof err);
        ASSERT_OK(kit_wal_recover(wal, &found, &err)); /* the same log object */
        assert_int_equal(found.recovered.last_lsn, last);
        arka_wal_drop(wal);
        kit_wal_found_fini(&found);
    }
    check(&s, copy);
    end(&s);
}
