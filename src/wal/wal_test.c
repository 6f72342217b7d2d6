#include "kit/wal.h"

#include "os/thread.h"

static void append_rows(arka_wal *wal, uint64_t *lsn, const char *table, int64_t n)
{
    arka_error err = {0};
    arka_batch *batch = kit_sample_batch(n, 3);
    arka_wal_entry e = kit_wal_rows(*lsn, table, 1, batch);
    ASSERT_OK(arka_wal_append(wal, &e, 1, &err));
    *lsn = e.lsn_last + 1;
    arka_batch_unref(batch);
}

TEST(what_was_appended_comes_back)
{
    arka_error err = {0};
    const char *dir = kit_wal_dir("roundtrip");
    arka_wal *wal = kit_wal_begin(dir, 1);
    arka_batch *nulls = kit_sample_batch(7, 3), *big = kit_sample_batch(3000, 0);
    arka_wal_entry group[] = {
        kit_wal_rows(1, "cpu", 1, nulls),
        kit_wal_rows(8, "cpu", 1, nulls),
        kit_wal_rows(15, "mem", 4, big),
        kit_wal_control(3015, "table_dropped", "{\"table\":\"d.b.x\"}"),
    };
    group[1].requests = ARKA_SLICE("key 1");
    ASSERT_OK(arka_wal_append(wal, group, 4, &err));
    assert_int_equal(arka_wal_appended_lsn(wal), 3015);
    assert_int_equal(arka_wal_durable_lsn(wal), 0);
    ASSERT_OK(arka_wal_sync(wal, &err));
    assert_int_equal(arka_wal_durable_lsn(wal), 3015);
    ASSERT_OK(arka_wal_close(wal, &err));

    kit_wal_found found = {.cells = true};
    ASSERT_OK(kit_wal_read(dir, &found, &err));
    arka_buf expected = ARKA_BUF_INIT;
    arka_buf_text(&expected, "1-7 d.b/cpu#cpu:1 ");
    batch_text(nulls, &expected);
    arka_buf_text(&expected, "\n8-14 d.b/cpu#cpu:1 req=key 1 ");
    batch_text(nulls, &expected);
    arka_buf_text(&expected, "\n15-3014 d.b/mem#mem:4 ");
    batch_text(big, &expected);
    arka_buf_text(&expected, "\n3015-3015 table_dropped({\"table\":\"d.b.x\"})\n");
    assert_string_equal(arka_buf_cstr(&found.text), arka_buf_cstr(&expected));
    assert_int_equal(found.recovered.n_segments, 1);
    assert_int_equal(found.recovered.max_epoch, 1);
    arka_buf_fini(&expected);
    kit_wal_found_fini(&found);
    arka_batch_unref(nulls);
    arka_batch_unref(big);
}

TEST(a_log_goes_on_in_a_new_segment_after_a_stop)
{
    arka_error err = {0};
    const char *dir = kit_wal_dir("again");
    uint64_t lsn = 1;
    arka_wal *wal = kit_wal_begin(dir, 1);
    append_rows(wal, &lsn, "a", 2);
    ASSERT_OK(arka_wal_close(wal, &err));
    wal = kit_wal_begin(dir, lsn);
    append_rows(wal, &lsn, "a", 2);
    append_rows(wal, &lsn, "b", 3);
    ASSERT_OK(arka_wal_close(wal, &err));
    lsn = 1 << 20;
    wal = kit_wal_begin(dir, lsn);
    append_rows(wal, &lsn, "b", 1);
    ASSERT_OK(arka_wal_close(wal, &err));
    char *text = kit_wal_text(dir, false);
    assert_string_equal(text, "1-2 d.b/a#a:1\n3-4 d.b/a#a:1\n5-7 d.b/b#b:1\n"
                              "1048576-1048576 d.b/b#b:1\n");
    free(text);
}

static bool stop_in_the_middle(void *context, int64_t done_bytes, int64_t total_bytes)
{
    int64_t *told = context;
    assert_true(done_bytes > *told && done_bytes <= total_bytes);
    *told = done_bytes;
    return done_bytes < total_bytes * 3 / 4;
}

static arka_status take_nothing(void *context, const arka_wal_record *record, arka_error *err)
{
    return ARKA_OK;
}

TEST(recovery_tells_how_far_it_is_and_can_be_stopped)
{
    arka_error err = {0};
    const char *dir = kit_wal_dir("progress");
    uint64_t lsn = 1;
    int64_t told = 0;
    arka_wal_recovered recovered;
    arka_wal *wal = kit_wal_begin(dir, 1);
    for (int i = 0; i < 3; i++)
        append_rows(wal, &lsn, "a", 400000);
    ASSERT_OK(arka_wal_close(wal, &err));
    wal = kit_wal_open_os(dir, NULL);
    arka_wal_reader reader = {
        .context = &told, .record = take_nothing, .progress = stop_in_the_middle};
    ASSERT_FAILS(arka_wal_recover(wal, &reader, &recovered, &err), ARKA_CANCELLED, "stopped");
    assert_true(told > 0);
    reader.progress = NULL;
    ASSERT_OK(arka_wal_recover(wal, &reader, &recovered, &err));
    assert_int_equal(recovered.n_rows, 1200000);
    arka_wal_drop(wal);
}

/* ---- other threads look on while one appends ---- */

typedef struct onlooker {
    arka_wal *wal;
    atomic_bool stop;
    int64_t removed;
} onlooker;

static arka_status look_at(void *context, const arka_wal_segment_info *s, arka_error *err)
{
    assert_true(s->last_lsn + 1 >= s->base_lsn);
    return ARKA_OK;
}

static void look_on(void *context)
{
    onlooker *o = context;
    while (!atomic_load(&o->stop)) {
        arka_error err = {0};
        arka_wal_stats stats;
        int64_t removed;
        uint64_t durable = arka_wal_durable_lsn(o->wal);
        arka_wal_get_stats(o->wal, &stats);
        assert_true(stats.durable_lsn >= durable && stats.n_segments >= 0);
        ASSERT_OK(arka_wal_each_segment(o->wal, look_at, NULL, &err));
        ASSERT_OK(arka_wal_trim(o->wal, durable, &removed, &err));
        o->removed += removed;
        assert_false(arka_wal_is_broken(o->wal));
    }
}

TEST(threads_look_on_and_trim_while_one_appends)
{
    enum { GROUPS = 400 };
    arka_error err = {0};
    arka_wal_options options;
    arka_wal_recovered recovered;
    onlooker lookers[2];
    arka_thread threads[2];
    uint64_t lsn = 1;
    arka_wal_options_default(&options);
    options.dir = kit_wal_dir("threads");
    options.segment_bytes = 10000;
    arka_wal *wal;
    ASSERT_OK(arka_wal_open(&options, &wal, &err));
    arka_wal_reader reader = {.record = take_nothing};
    ASSERT_OK(arka_wal_recover(wal, &reader, &recovered, &err));
    ASSERT_OK(arka_wal_begin(wal, 1, 1, &err));
    for (int i = 0; i < 2; i++) {
        lookers[i] = (onlooker){.wal = wal};
        ASSERT_OK(arka_thread_start(&threads[i], "onlooker", look_on, &lookers[i], &err));
    }
    for (int i = 0; i < GROUPS; i++) {
        append_rows(wal, &lsn, i % 3 ? "a" : "b", 2);
        ASSERT_OK(arka_wal_sync(wal, &err));
        assert_int_equal(arka_wal_durable_lsn(wal), lsn - 1);
    }
    for (int i = 0; i < 2; i++) {
        atomic_store(&lookers[i].stop, true);
        arka_thread_join(&threads[i]);
    }
    arka_wal_stats stats;
    arka_wal_get_stats(wal, &stats);
    assert_int_equal(stats.removed, lookers[0].removed + lookers[1].removed);
    assert_int_equal(stats.rows, GROUPS * 2);
    assert_int_equal(stats.groups, GROUPS);
    ASSERT_OK(arka_wal_close(wal, &err));
    kit_wal_found found = {.cells = false};
    ASSERT_OK(kit_wal_read(options.dir, &found, &err));
    assert_int_equal(found.last_lsn, GROUPS * 2);
    kit_wal_found_fini(&found);
}
