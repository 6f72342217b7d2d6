#include "kit/wal.h"

#include "base/number.h"

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
