#include "server/metrics/recoveries.h"

#include "kit/kit.h"

static arka_error err;
static char manifest[200];

static void begin(const char *name, const char *text)
{
    char path[240];
    err = (arka_error){0};
    snprintf(manifest, sizeof manifest, "%s/%s", kit_tmpdir(), name);
    snprintf(path, sizeof path, "%s.recoveries", manifest);
    if (text == NULL)
        return;
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    assert_int_equal(fclose(f), 0);
}

TEST(without_a_file_there_were_none)
{
    arka_recoveries list;
    begin("none.db", NULL);
    ASSERT_OK(arka_recoveries_read(manifest, &list, &err));
    assert_int_equal(list.n, 0);
    assert_int_equal(list.total, 0);
}

TEST(every_number_comes_back)
{
    arka_recoveries list;
    begin("one.db", NULL);
    arka_replay_info info = {.n_segments = 1,
                             .n_bytes = 2,
                             .n_records = 3,
                             .n_rows = 4,
                             .replayed_rows = 5,
                             .torn_bytes = 6,
                             .n_quarantined = 7,
                             .ms = 8,
                             .finished_us = 1767607200000000,
                             .last_lsn = UINT64_C(9007199254740993)};
    ASSERT_OK(arka_recoveries_add(manifest, &info, &err));
    ASSERT_OK(arka_recoveries_read(manifest, &list, &err));
    assert_int_equal(list.n, 1);
    assert_int_equal(list.total, 1);
    assert_memory_equal(&list.items[0], &info, sizeof info);
}

TEST(the_last_ten_are_kept_and_all_are_counted)
{
    arka_recoveries list;
    begin("many.db", NULL);
    for (int i = 1; i <= 25; i++) {
        arka_replay_info info = {.n_rows = i};
        ASSERT_OK(arka_recoveries_add(manifest, &info, &err));
    }
    ASSERT_OK(arka_recoveries_read(manifest, &list, &err));
    assert_int_equal(list.total, 25);
    assert_int_equal(list.n, 10);
    for (int i = 0; i < 10; i++)
        assert_int_equal(list.items[i].n_rows, 16 + i);
}

TEST(a_file_that_is_none_is_named_with_its_line_and_stays)
{
    arka_recoveries list;
    arka_replay_info info = {0};
    begin("bad.db", "{\"number\":1}\nnonsense\n");
    ASSERT_FAILS(arka_recoveries_read(manifest, &list, &err), ARKA_CORRUPT,
                 "bad.db.recoveries line 2 is no recovery");
    ASSERT_FAILS(arka_recoveries_add(manifest, &info, &err), ARKA_CORRUPT, "line 2");
    begin("type.db", "{\"number\":1,\"n_rows\":\"x\"}\n");
    ASSERT_FAILS(arka_recoveries_read(manifest, &list, &err), ARKA_CORRUPT, "n_rows");
}

TEST(what_a_crash_left_of_an_earlier_attempt_is_in_nobodys_way)
{
    arka_recoveries list;
    arka_replay_info info = {.n_rows = 1};
    char path[240];
    begin("left.db", NULL);
    snprintf(path, sizeof path, "%s.recoveries.new", manifest);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs("{\"number\":", f);
    assert_int_equal(fclose(f), 0);
    ASSERT_OK(arka_recoveries_add(manifest, &info, &err));
    ASSERT_OK(arka_recoveries_read(manifest, &list, &err));
    assert_int_equal(list.n, 1);
}
