/* Idempotency keys: claims, windows, the log's and the manifest's part (ACK-4). */
#include "engine/requests.h"

#include <sched.h>
#include <stdatomic.h>

#include "kit/faulty_vfs.h"
#include "kit/kit.h"
#include "os/thread.h"

enum { S = 1000000 /* microseconds */, WINDOW_MS = 600 * 1000 };

#define T0 (INT64_C(1700000000) * S)

static arka_requests *with_window(int64_t window_ms)
{
    arka_error err = {0};
    arka_requests *r;
    ASSERT_OK(arka_requests_new(window_ms, &r, &err));
    return r;
}

static arka_claim claim(arka_requests *r, const char *database, const char *key, int64_t now_us)
{
    arka_error err = {0};
    arka_claim out;
    uint64_t lsn;
    char *answer = NULL;
    ASSERT_OK(arka_requests_claim(r, arka_slice_of(database), arka_slice_of(key), now_us, &out,
                                  &lsn, &answer, &err));
    assert_int_equal(answer != NULL, out == ARKA_CLAIM_STORED);
    free(answer);
    return out;
}

static void store(arka_requests *r, const char *database, const char *key, uint64_t lsn,
                  const char *answer, int64_t now_us)
{
    arka_requests_store(r, arka_slice_of(database), arka_slice_of(key), lsn, arka_slice_of(answer),
                        now_us);
}

static void claim_and_store(arka_requests *r, const char *key, uint64_t lsn, int64_t now_us)
{
    assert_int_equal(claim(r, "d", key, now_us), ARKA_CLAIM_NEW);
    store(r, "d", key, lsn, key, now_us);
}

/* It is known, with that LSN and answer. */
static void assert_stored(arka_requests *r, const char *database, const char *key, int64_t now_us,
                          uint64_t expected_lsn, const char *expected_answer)
{
    arka_error err = {0};
    arka_claim out;
    uint64_t lsn = 0;
    char *answer = NULL;
    ASSERT_OK(arka_requests_claim(r, arka_slice_of(database), arka_slice_of(key), now_us, &out,
                                  &lsn, &answer, &err));
    assert_int_equal(out, ARKA_CLAIM_STORED);
    assert_true(lsn == expected_lsn);
    assert_string_equal(answer, expected_answer);
    free(answer);
}

static void assert_unknown(arka_requests *r, const char *database, const char *key, int64_t now_us)
{
    assert_int_equal(claim(r, database, key, now_us), ARKA_CLAIM_NEW);
    arka_requests_release(r, arka_slice_of(database), arka_slice_of(key));
}

static arka_manifest *open_manifest(const char *name)
{
    arka_error err = {0};
    arka_manifest *m;
    char path[256];
    snprintf(path, sizeof path, "%s/%s", kit_tmpdir(), name);
    ASSERT_OK(arka_manifest_open(path, &m, &err));
    return m;
}

static arka_status count_one(void *context, const arka_manifest_request *request, arka_error *err)
{
    ++*(int *)context;
    return ARKA_OK;
}

static int n_kept(arka_manifest *m)
{
    arka_error err = {0};
    int n = 0;
    ASSERT_OK(arka_manifest_each_request(m, count_one, &n, &err));
    return n;
}

/* ---- claims ---- */

TEST(a_key_is_new_then_pending_then_stored)
{
    arka_requests *r = with_window(WINDOW_MS);
    assert_int_equal(claim(r, "d", "k", T0), ARKA_CLAIM_NEW);
    assert_int_equal(claim(r, "d", "k", T0), ARKA_CLAIM_PENDING);
    assert_int_equal(arka_requests_count(r), 1);
    arka_requests_release(r, ARKA_SLICE("d"), ARKA_SLICE("k"));
    assert_int_equal(arka_requests_count(r), 0);
    assert_int_equal(claim(r, "d", "k", T0), ARKA_CLAIM_NEW);
    store(r, "d", "k", 42, "{\"a\":1}", T0 + 1);
    for (int i = 0; i < 100; i++) /* F5 */
        assert_stored(r, "d", "k", T0 + i, 42, "{\"a\":1}");
    assert_int_equal(arka_requests_count(r), 1);
    arka_requests_free(r);
    arka_requests_free(NULL);
}

TEST(keys_belong_to_a_database_whose_name_has_no_case)
{
    arka_requests *r = with_window(WINDOW_MS);
    claim_and_store(r, "k", 1, T0);
    assert_stored(r, "D", "k", T0, 1, "k");
    assert_unknown(r, "d2", "k", T0);
    assert_unknown(r, "d", "K", T0);
    assert_unknown(r, "dk", "k", T0);
    assert_unknown(r, "d", "kk", T0);
    assert_int_equal(claim(r, "Other", "k", T0), ARKA_CLAIM_NEW);
    store(r, "oTHER", "k", 2, "", T0);
    assert_stored(r, "OTHER", "k", T0, 2, "");
    arka_requests_free(r);
}

TEST(names_that_cannot_be_are_refused)
{
    arka_error err = {0};
    arka_requests *r = with_window(WINDOW_MS);
    char many[300];
    memset(many, 'x', sizeof many);
    arka_slice bad[] = {{"", 0}, {NULL, 0}, {many, 256}};
    arka_claim out;
    uint64_t lsn;
    char *answer;
    for (int i = 0; i < 3; i++) {
        ASSERT_FAILS(arka_requests_claim(r, bad[i], ARKA_SLICE("k"), T0, &out, &lsn, &answer, &err),
                     ARKA_INPUT, "each must have 1 to 255");
        ASSERT_FAILS(arka_requests_claim(r, ARKA_SLICE("d"), bad[i], T0, &out, &lsn, &answer, &err),
                     ARKA_INPUT, "each must have 1 to 255");
    }
    assert_int_equal(arka_requests_count(r), 0);
    arka_slice most = {many, 255};
    ASSERT_OK(arka_requests_claim(r, most, most, T0, &out, &lsn, &answer, &err));
    arka_requests_store(r, most, most, 9, ARKA_SLICE(""), T0);
    arka_requests_free(r);
}

TEST(a_long_answer_is_cut)
{
    arka_requests *r = with_window(WINDOW_MS);
    char answer[3000], expected[1025];
    memset(answer, 'a', sizeof answer);
    memset(expected, 'a', 1024);
    expected[1024] = 0;
    assert_int_equal(claim(r, "d", "k", T0), ARKA_CLAIM_NEW);
    arka_requests_store(r, ARKA_SLICE("d"), ARKA_SLICE("k"), 1, (arka_slice){answer, 3000}, T0);
    assert_stored(r, "d", "k", T0, 1, expected);
    arka_requests_free(r);
}

/* ---- time ---- */

TEST(a_key_is_forgotten_when_its_window_is_over)
{
    arka_requests *r = with_window(1000);
    claim_and_store(r, "k", 1, T0);
    assert_stored(r, "d", "k", T0 + S - 1, 1, "k");
    assert_unknown(r, "d", "k", T0 + S);
    assert_int_equal(arka_requests_count(r), 0);
    claim_and_store(r, "k", 7, T0 + S); /* and is another request's then */
    assert_stored(r, "d", "k", T0 + S, 7, "k");
    for (int i = 0; i < 1000; i++) { /* the others go as well, without being asked for */
        char key[32];
        snprintf(key, sizeof key, "old%d", i);
        claim_and_store(r, key, 10 + (uint64_t)i, T0 + 2 * S);
    }
    for (int i = 0; i < 40; i++)
        assert_unknown(r, "d", "x", T0 + 4 * S);
    assert_int_equal(arka_requests_count(r), 0);
    arka_requests_free(r);
}

/* F9, CLK-1: the wall clock may be set back while keys are remembered. */
TEST(a_clock_that_goes_back_forgets_nothing_early_and_nothing_never)
{
    const int64_t DAY = INT64_C(86400) * S;
    arka_requests *r = with_window(1000);
    claim_and_store(r, "before", 1, T0);
    claim_and_store(r, "after", 2, T0 - DAY);
    assert_stored(r, "d", "before", T0 - DAY, 1, "before");
    assert_stored(r, "d", "after", T0 - DAY + 5 * S, 2, "after"); /* still in the past */
    assert_stored(r, "d", "after", T0 + S - 1, 2, "after");
    assert_unknown(r, "d", "before", T0 + S);
    assert_unknown(r, "d", "after", T0 + S);
    assert_int_equal(arka_requests_count(r), 0);
    arka_requests_free(r);
}

/* CLK-3 */
TEST(windows_and_clocks_may_be_as_large_as_they_like)
{
    arka_requests *r = with_window(INT64_MAX);
    claim_and_store(r, "a", 1, INT64_MIN);
    claim_and_store(r, "b", 2, INT64_MAX - 1);
    assert_stored(r, "d", "b", INT64_MAX - 1, 2, "b");
    assert_stored(r, "d", "a", 0, 1, "a");
    arka_requests_free(r);
    r = with_window(0);
    claim_and_store(r, "a", 1, T0);
    assert_unknown(r, "d", "a", T0); /* only those on their way are told apart */
    arka_requests_free(r);
}

/* ---- bounds ---- */

TEST(above_the_most_the_oldest_are_forgotten)
{
    arka_requests *r = with_window(WINDOW_MS);
    enum { MORE = 10 };
    arka_buf text = ARKA_BUF_INIT;
    for (int i = 0; i < ARKA_MAX_REQUESTS + MORE; i++) {
        char key[32];
        snprintf(key, sizeof key, "k%d", i);
        arka_requests_encode(&text, ARKA_SLICE("d"), arka_slice_of(key), (uint64_t)i + 1,
                             ARKA_SLICE(""));
        if (text.len > 1 << 20 || i == ARKA_MAX_REQUESTS + MORE - 1) {
            arka_error err = {0};
            ASSERT_OK(arka_requests_replay(r, (arka_slice){text.data, text.len}, T0 + i, &err));
            arka_buf_clear(&text);
        }
    }
    assert_int_equal(arka_requests_count(r), ARKA_MAX_REQUESTS);
    assert_unknown(r, "d", "k9", T0 + S);
    assert_stored(r, "d", "k10", T0 + S, 11, "");
    claim_and_store(r, "one more", INT64_MAX, T0 + S);
    assert_int_equal(arka_requests_count(r), ARKA_MAX_REQUESTS);
    assert_unknown(r, "d", "k10", T0 + S);
    arka_buf_fini(&text);
    arka_requests_free(r);
}

/* Long keys and answers are as many as memory for them allows. */
TEST(the_memory_of_all_is_bounded)
{
    arka_error err = {0};
    arka_requests *r = with_window(WINDOW_MS);
    char answer[1024], key[256];
    memset(answer, 'a', sizeof answer);
    memset(key, 'k', sizeof key);
    enum { N = 240000 }; /* more than 1.5 KiB each */
    arka_buf text = ARKA_BUF_INIT;
    for (int i = 0; i < N; i++) {
        snprintf(key, sizeof key, "%0255d", i);
        arka_buf_clear(&text);
        arka_requests_encode(&text, ARKA_SLICE("d"), (arka_slice){key, 255}, (uint64_t)i + 1,
                             (arka_slice){answer, 1024});
        ASSERT_OK(arka_requests_replay(r, (arka_slice){text.data, text.len}, T0, &err));
    }
    int64_t n = arka_requests_count(r);
    assert_true(n > ARKA_MAX_REQUESTS_BYTES / 2048 && n < ARKA_MAX_REQUESTS_BYTES / 1536);
    assert_int_equal(claim(r, "d", key, T0), ARKA_CLAIM_STORED); /* the last */
    memset(key, '0', 255);
    assert_unknown(r, "d", key, T0); /* the first */
    arka_buf_fini(&text);
    arka_requests_free(r);
}

/* ---- the log ---- */

static void replay(arka_requests *r, const char *text, int64_t ts_us)
{
    arka_error err = {0};
    ASSERT_OK(arka_requests_replay(r, arka_slice_of(text), ts_us, &err));
}

TEST(what_the_log_kept_is_known_again)
{
    arka_error err = {0};
    arka_buf text = ARKA_BUF_INIT;
    arka_requests_encode(&text, ARKA_SLICE("D"), ARKA_SLICE("k"), 5, ARKA_SLICE("a\tb\n"));
    arka_requests_encode(&text, ARKA_SLICE("d2"), ARKA_SLICE("k"), 3, ARKA_SLICE(""));
    arka_requests *r = with_window(WINDOW_MS);
    for (int again = 0; again < 3; again++) /* F4 */
        ASSERT_OK(arka_requests_replay(r, (arka_slice){text.data, text.len}, T0, &err));
    replay(r, "", T0);
    assert_int_equal(arka_requests_count(r), 2);
    assert_stored(r, "d", "k", T0, 5, "a\tb\n");
    assert_stored(r, "D2", "k", T0, 3, "");
    replay(r, "4\td\tk\tlower\n2\td2\tk\tlower\n", T0);
    assert_stored(r, "d", "k", T0, 5, "a\tb\n");
    replay(r, "9\td\tk\thigher\n", T0 + S);
    assert_stored(r, "d", "k", T0 + S, 9, "higher");
    assert_int_equal(arka_requests_count(r), 2);
    ASSERT_FAILS(arka_requests_replay(r, ARKA_SLICE("10\td\tk\n"), T0, &err), ARKA_CORRUPT,
                 "of a request in the log");
    arka_buf_fini(&text);
    arka_requests_free(r);
}

TEST(what_is_over_is_not_taken_from_the_log_or_the_manifest)
{
    arka_error err = {0};
    arka_manifest *m = open_manifest("over.db");
    arka_manifest_request kept[] = {
        {ARKA_SLICE("d"), ARKA_SLICE("m1"), 1, T0 - 2 * S, ARKA_SLICE("")},
        {ARKA_SLICE("d"), ARKA_SLICE("m2"), 2, T0, ARKA_SLICE("two")},
        {ARKA_SLICE("d"), ARKA_SLICE("m3"), 3, T0 + 100 * S, ARKA_SLICE("three")},
        {ARKA_SLICE("d"), ARKA_SLICE("m0"), 4, -5, ARKA_SLICE("")}};
    ASSERT_OK(arka_manifest_add_requests(m, kept, 4, &err));
    for (int log_first = 0; log_first < 2; log_first++) {
        arka_requests *r = with_window(1000);
        if (!log_first)
            ASSERT_OK(arka_requests_load(r, m, T0 + S / 2, &err));
        replay(r, "5\td\tl1\t\n", T0 - 2 * S);
        replay(r, "6\td\tl2\t\n", T0 + 100 * S);
        if (log_first)
            ASSERT_OK(arka_requests_load(r, m, T0 + S / 2, &err));
        assert_unknown(r, "d", "m0", T0 + S / 2);
        assert_unknown(r, "d", "m1", T0 + S / 2);
        assert_unknown(r, "d", "l1", T0 + S / 2);
        assert_stored(r, "d", "m2", T0 + S / 2, 2, "two");
        /* stored before the clock was set back: their window begins anew, and ends */
        assert_stored(r, "d", "m3", T0 + S / 2, 3, "three");
        assert_stored(r, "d", "l2", T0 + S / 2, 6, "");
        assert_unknown(r, "d", "m3", T0 + 2 * S);
        assert_unknown(r, "d", "l2", T0 + 2 * S);
        assert_int_equal(arka_requests_count(r), 0);
        arka_requests_free(r);
    }
    kept[0].lsn = UINT64_MAX;
    ASSERT_OK(arka_manifest_drop_requests(m, INT64_MAX, &err));
    ASSERT_OK(arka_manifest_add_requests(m, kept, 1, &err));
    arka_requests *r = with_window(1000);
    ASSERT_FAILS(arka_requests_load(r, m, T0, &err), ARKA_CORRUPT,
                 "a kept request has LSN 18446744073709551615");
    arka_requests_free(r);
    arka_manifest_close(m);
}

/* ---- the manifest ---- */

TEST(those_below_the_lsn_are_kept_once_and_known_after_a_restart)
{
    arka_error err = {0};
    arka_manifest *m = open_manifest("keep.db");
    arka_requests *r = with_window(WINDOW_MS);
    static const uint64_t LSNS[] = {3, 1, 2, 5, 4, 9, 7}; /* a group has an order of its own */
    for (size_t i = 0; i < 7; i++) {
        char key[8];
        snprintf(key, sizeof key, "k%d", (int)LSNS[i]);
        claim_and_store(r, key, LSNS[i], T0);
    }
    assert_int_equal(claim(r, "d", "pending", T0), ARKA_CLAIM_NEW);
    static const struct {
        uint64_t lsn;
        int kept;
    } STEPS[] = {{0, 0}, {1, 0}, {2, 1}, {2, 1}, {5, 4}, {3, 4}, {8, 6}};
    for (size_t i = 0; i < 7; i++) {
        ASSERT_OK(arka_requests_keep(r, m, STEPS[i].lsn, T0, &err));
        assert_int_equal(n_kept(m), STEPS[i].kept);
    }
    arka_requests_free(r);
    r = with_window(WINDOW_MS);
    ASSERT_OK(arka_requests_load(r, m, T0 + S, &err));
    assert_int_equal(arka_requests_count(r), 6);
    assert_stored(r, "D", "k7", T0 + S, 7, "k7");
    assert_unknown(r, "d", "k9", T0 + S);
    replay(r, "7\td\tk7\tother\n9\td\tk9\tnine\n", T0); /* the log has both */
    assert_stored(r, "d", "k7", T0 + S, 7, "k7");
    assert_stored(r, "d", "k9", T0 + S, 9, "nine");
    ASSERT_OK(arka_requests_keep(r, m, INT64_MAX, T0 + S, &err));
    assert_int_equal(n_kept(m), 7);
    arka_requests_free(r);
    arka_manifest_close(m);
}

/* The manifest still has the first one when the key comes a second time. */
TEST(a_key_that_came_again_after_its_window_is_kept_as_the_later_one)
{
    arka_error err = {0};
    arka_manifest *m = open_manifest("again.db");
    arka_requests *r = with_window(1000);
    claim_and_store(r, "k", 1, T0);
    ASSERT_OK(arka_requests_keep(r, m, 2, T0, &err));
    claim_and_store(r, "k", 8, T0 + 5 * S);
    ASSERT_OK(arka_requests_keep(r, m, 9, T0 + 5 * S, &err));
    arka_requests_free(r);
    for (int log_too = 0; log_too < 2; log_too++) {
        r = with_window(1000);
        ASSERT_OK(arka_requests_load(r, m, T0 + 5 * S, &err));
        if (log_too)
            replay(r, "1\td\tk\tk\n", T0 + 5 * S);
        assert_stored(r, "d", "k", T0 + 5 * S, 8, "k");
        arka_requests_free(r);
    }
    arka_manifest_close(m);
}

TEST(old_ones_are_dropped_at_most_once_a_minute)
{
    arka_error err = {0};
    arka_manifest *m = open_manifest("drop.db");
    arka_requests *r = with_window(10 * 1000);
    claim_and_store(r, "a", 1, T0);
    ASSERT_OK(arka_requests_keep(r, m, 2, T0, &err)); /* drops as well: nothing is old */
    assert_int_equal(n_kept(m), 1);
    ASSERT_OK(arka_requests_keep(r, m, 2, T0 + 59 * S, &err));
    assert_int_equal(arka_requests_count(r), 0);
    assert_int_equal(n_kept(m), 1);
    claim_and_store(r, "b", 2, T0 + 59 * S);
    ASSERT_OK(arka_requests_keep(r, m, 3, T0 + 60 * S, &err));
    assert_int_equal(n_kept(m), 1);
    assert_stored(r, "d", "b", T0 + 60 * S, 2, "b");
    arka_requests_free(r);
    r = with_window(10 * 1000);
    ASSERT_OK(arka_requests_load(r, m, T0 + 60 * S, &err));
    assert_stored(r, "d", "b", T0 + 60 * S, 2, "b");
    arka_requests_free(r);
    arka_manifest_close(m);
}

TEST(more_than_one_transaction_of_them_is_kept)
{
    arka_error err = {0};
    enum { N = 3 * 4096 };
    arka_manifest *m = open_manifest("many.db");
    arka_requests *r = with_window(WINDOW_MS);
    for (int i = 0; i < N; i++) {
        char key[32];
        snprintf(key, sizeof key, "k%d", i);
        claim_and_store(r, key, (uint64_t)i + 1, T0);
    }
    ASSERT_OK(arka_requests_keep(r, m, N, T0, &err));
    assert_int_equal(n_kept(m), N - 1);
    ASSERT_OK(arka_requests_keep(r, m, N + 1, T0, &err));
    assert_int_equal(n_kept(m), N);
    arka_requests_free(r);
    arka_manifest_close(m);
}

/* ---- failures ---- */

TEST(a_disk_that_fails_keeps_them_at_the_next_try)
{
    arka_error err = {0};
    kit_vfs_install();
    arka_manifest *m = open_manifest("fail.db");
    arka_requests *r = with_window(WINDOW_MS);
    int n_failed = 0;
    for (long n = 1;; n++) {
        char key[32];
        snprintf(key, sizeof key, "k%ld", n);
        claim_and_store(r, key, (uint64_t)n, T0 + n * 60 * S / 10);
        kit_vfs_fail(n, KIT_VFS_WRITE | KIT_VFS_SYNC, true);
        arka_status status = arka_requests_keep(r, m, INT64_MAX, T0 + n * 60 * S / 10, &err);
        bool struck = kit_vfs_failed();
        kit_vfs_fail(0, 0, false);
        assert_true(status == ARKA_OK || status == ARKA_IO);
        assert_int_equal(status, err.code);
        n_failed += status != ARKA_OK;
        err = (arka_error){0};
        ASSERT_OK(arka_requests_keep(r, m, INT64_MAX, T0 + n * 60 * S / 10, &err));
        assert_int_equal(n_kept(m), n);
        if (!struck)
            break;
    }
    assert_true(n_failed > 2);
    arka_requests_free(r);
    arka_manifest_close(m);
}

TEST(every_allocation_may_fail_and_leaves_things_as_they_were)
{
    arka_error err = {0};
    arka_manifest *m = open_manifest("nomem.db");
    for (int for_good = 0; for_good < 2; for_good++) {
        arka_requests *r = NULL;
        kit_fail_allocation(1, for_good);
        ASSERT_FAILS(arka_requests_new(1, &r, &err), ARKA_NOMEM, "idempotency keys");
        kit_fail_allocation(0, false);
        r = with_window(WINDOW_MS);
        int n_failed = 0;
        uint64_t lsn = 1;
        for (int k = 0; k < 40; k++) /* the map grows meanwhile */
            for (long n = 1;; n++) {
                char key[32];
                snprintf(key, sizeof key, "k%d", k);
                arka_claim out;
                uint64_t got = 0;
                char *answer = NULL;
                int64_t before = arka_requests_count(r);
                kit_fail_allocation(n, for_good);
                arka_status status = arka_requests_claim(r, ARKA_SLICE("d"), arka_slice_of(key), T0,
                                                         &out, &got, &answer, &err);
                if (status == ARKA_OK) { /* needs none, though none may be had */
                    assert_int_equal(out, ARKA_CLAIM_NEW);
                    kit_fail_allocation(1, true);
                    store(r, "d", key, lsn++, key, T0);
                    status = arka_requests_claim(r, ARKA_SLICE("d"), arka_slice_of(key), T0, &out,
                                                 &got, &answer, &err);
                    kit_fail_allocation(0, false);
                    assert_int_equal(status, ARKA_NOMEM);
                    assert_stored(r, "d", key, T0, lsn - 1, key);
                    err = (arka_error){0};
                    break;
                }
                kit_fail_allocation(0, false);
                assert_int_equal(status, ARKA_NOMEM);
                assert_int_equal(arka_requests_count(r), before);
                err = (arka_error){0};
                n_failed++;
            }
        assert_true(n_failed >= 3 * 40);
        for (long n = 1;; n++) {
            kit_fail_allocation(n, for_good);
            arka_status status = arka_requests_keep(r, m, INT64_MAX, T0, &err);
            kit_fail_allocation(0, false);
            err = (arka_error){0};
            if (status == ARKA_OK)
                break;
            assert_int_equal(status, ARKA_NOMEM);
        }
        assert_int_equal(n_kept(m), 40);
        arka_requests_free(r);
        for (int from_log = 0; from_log < 2; from_log++)
            for (long n = 1;; n++) {
                r = with_window(WINDOW_MS);
                kit_fail_allocation(n, for_good);
                arka_status status =
                    from_log
                        ? arka_requests_replay(r, ARKA_SLICE("1\td\ta\t\n2\td\tb\tx\n"), T0, &err)
                        : arka_requests_load(r, m, T0, &err);
                kit_fail_allocation(0, false);
                assert_int_equal(status, err.code);
                err = (arka_error){0};
                if (status == ARKA_OK)
                    assert_int_equal(arka_requests_count(r), from_log ? 2 : 40);
                arka_requests_free(r);
                if (status == ARKA_OK)
                    break;
                assert_int_equal(status, ARKA_NOMEM);
            }
    }
    arka_manifest_close(m);
}

/* ---- together ---- */

enum { N_THREADS = 4, N_KEYS = 500, N_CLAIMS = 4000 };

static struct {
    arka_requests *requests;
    arka_manifest *manifest;
    atomic_uint_fast64_t lsn;
    atomic_int stored[N_KEYS];
    atomic_bool stop;
} together;

static void claim_many(void *context)
{
    uint64_t random = (uint64_t)(intptr_t)context * UINT64_C(0x9e3779b97f4a7c15) + 1;
    for (int i = 0; i < N_CLAIMS; i++) {
        random = random * UINT64_C(6364136223846793005) + 1442695040888963407u;
        int k = (int)((random >> 33) % N_KEYS);
        char key[32];
        snprintf(key, sizeof key, "k%d", k);
        arka_claim out;
        uint64_t lsn = 0;
        char *answer = NULL;
        arka_error err = {0};
        ASSERT_OK(arka_requests_claim(together.requests, ARKA_SLICE("d"), arka_slice_of(key),
                                      T0 + i, &out, &lsn, &answer, &err));
        if (out == ARKA_CLAIM_NEW && random >> 40 & 1) {
            arka_requests_release(together.requests, ARKA_SLICE("d"), arka_slice_of(key));
        } else if (out == ARKA_CLAIM_NEW) {
            assert_int_equal(atomic_fetch_add(&together.stored[k], 1), 0); /* F5 */
            store(together.requests, "d", key, atomic_fetch_add(&together.lsn, 1) + 1, key, T0 + i);
        } else if (out == ARKA_CLAIM_STORED) {
            assert_string_equal(answer, key);
            assert_int_equal(atomic_load(&together.stored[k]), 1);
            free(answer);
        }
        if (i % 64 == 0)
            sched_yield();
    }
}

static void keep_until_told(void *context)
{
    (void)context;
    while (!atomic_load(&together.stop)) {
        arka_error err = {0};
        ASSERT_OK(arka_requests_keep(together.requests, together.manifest,
                                     atomic_load(&together.lsn), T0, &err));
        arka_requests_count(together.requests);
    }
}

TEST(each_key_is_stored_once_whoever_asks)
{
    arka_error err = {0};
    arka_thread threads[N_THREADS], keeper;
    together.requests = with_window(WINDOW_MS);
    together.manifest = open_manifest("together.db");
    ASSERT_OK(arka_thread_start(&keeper, "keeper", keep_until_told, NULL, &err));
    for (intptr_t i = 0; i < N_THREADS; i++)
        ASSERT_OK(arka_thread_start(&threads[i], "claimer", claim_many, (void *)i, &err));
    for (int i = 0; i < N_THREADS; i++)
        arka_thread_join(&threads[i]);
    atomic_store(&together.stop, true);
    arka_thread_join(&keeper);
    ASSERT_OK(arka_requests_keep(together.requests, together.manifest, INT64_MAX, T0, &err));
    int n_stored = 0;
    for (int k = 0; k < N_KEYS; k++)
        n_stored += atomic_load(&together.stored[k]);
    assert_int_equal(arka_requests_count(together.requests), n_stored);
    assert_int_equal(n_kept(together.manifest), n_stored);
    assert_true(n_stored > N_KEYS / 2);
    arka_requests_free(together.requests);
    arka_manifest_close(together.manifest);
}
