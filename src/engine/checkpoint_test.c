#include "engine/checkpoint.h"

#include <inttypes.h>
#include <unistd.h>

#include "base/crc32c.h"
#include "kit/faulty_os.h"
#include "kit/kit.h"

static const char *path_of(const char *name)
{
    static char path[300];
    snprintf(path, sizeof path, "%s/%s", kit_tmpdir(), name);
    return path;
}

static arka_checkpoint example(void)
{
    static arka_checkpoint_table tables[] = {
        {{"0f3c", 4}, 17}, {{"beef", 4}, UINT64_MAX}, {{"", 0}, (UINT64_C(1) << 53) + 1}};
    arka_checkpoint c = {.wal_lsn = 4711,
                         .pinned_lsn = 42,
                         .epoch = 3,
                         .written_us = INT64_C(1767607200000000),
                         .clean = true};
    c.tables.items = tables;
    c.tables.n = 3;
    return c;
}

static void expect_same(const arka_checkpoint *got, const arka_checkpoint *want)
{
    assert_int_equal(got->wal_lsn, want->wal_lsn);
    assert_int_equal(got->pinned_lsn, want->pinned_lsn);
    assert_int_equal(got->epoch, want->epoch);
    assert_int_equal(got->written_us, want->written_us);
    assert_int_equal(got->clean, want->clean);
    assert_int_equal(got->tables.n, want->tables.n);
    for (size_t i = 0; i < want->tables.n; i++) {
        assert_true(arka_slice_eq(got->tables.items[i].uuid, want->tables.items[i].uuid));
        assert_int_equal(got->tables.items[i].flushed_lsn, want->tables.items[i].flushed_lsn);
    }
}

/* REC-10 */
TEST(what_is_written_is_read)
{
    arka_error err = {0};
    arka_checkpoint c = example(), got;
    const char *path = path_of("same.json");
    for (int turn = 0; turn < 4; turn++) {
        c.tables.n = (size_t)turn;
        c.clean = turn % 2;
        c.wal_lsn = turn == 3 ? UINT64_MAX : c.wal_lsn + 1;
        c.written_us = turn == 3 ? -1 : c.written_us;
        ASSERT_OK(arka_checkpoint_write(&arka_os_real, path, &c, &err));
        ASSERT_OK(arka_checkpoint_read(path, &got, &err));
        expect_same(&got, &c);
        arka_checkpoint_fini(&got);
    }
}

TEST(numbers_that_a_double_cannot_hold_are_strings)
{
    arka_error err = {0};
    arka_checkpoint c = example();
    c.wal_lsn = (UINT64_C(1) << 53) + 1;
    c.pinned_lsn = UINT64_C(1) << 53;
    const char *path = path_of("numbers.json");
    ASSERT_OK(arka_checkpoint_write(&arka_os_real, path, &c, &err));
    char *text;
    size_t n;
    ASSERT_OK(arka_file_read(path, 1 << 20, &text, &n, &err));
    assert_non_null(strstr(text, "\"wal_lsn\":\"9007199254740993\","));
    assert_non_null(strstr(text, "\"pinned_lsn\":9007199254740992,"));
    arka_free(text);
}

/* ---- F19: missing, corrupt, from the future ---- */

static void put_bytes(const char *path, const char *bytes, size_t n)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, n, f), n);
    fclose(f);
}

/* `body` with a checksum that is right. */
static void put_summed(const char *path, const char *body)
{
    char text[2000];
    int n = snprintf(text, sizeof text, "%s,\"crc\":\"%08" PRIx32 "\"}}\n", body,
                     arka_crc32c(body, strlen(body)));
    put_bytes(path, text, (size_t)n);
}

static void expect_refused(const char *path, arka_status status, const char *says)
{
    arka_error err = {0};
    arka_checkpoint got;
    ASSERT_FAILS(arka_checkpoint_read(path, &got, &err), status, says);
    arka_checkpoint_fini(&got);
    if (status != ARKA_NOTFOUND) {
        assert_int_equal(arka_checkpoint_read(path, &got, &err), status);
        assert_non_null(strstr(err.msg, path));
        arka_checkpoint_fini(&got);
    }
}

TEST(a_missing_one_is_told_from_a_damaged_one_and_from_one_of_a_newer_program)
{
    expect_refused(path_of("none.json"), ARKA_NOTFOUND, "none.json");
    const char *path = path_of("newer.json");
    put_summed(path, "{\"checkpoint\":{\"version\":2,\"whatever\":[{}]");
    expect_refused(path, ARKA_INPUT, "version 2");
}

TEST(every_flipped_bit_and_every_cut_is_noticed)
{
    arka_error err = {0};
    arka_checkpoint c = example(), got;
    const char *path = path_of("flip.json");
    ASSERT_OK(arka_checkpoint_write(&arka_os_real, path, &c, &err));
    char *text;
    size_t n;
    ASSERT_OK(arka_file_read(path, 1 << 20, &text, &n, &err));
    for (size_t bit = 0; bit < n * 8; bit++) {
        text[bit / 8] ^= (char)(1 << bit % 8);
        put_bytes(path, text, n);
        assert_int_equal(arka_checkpoint_read(path, &got, NULL), ARKA_CORRUPT);
        arka_checkpoint_fini(&got);
        text[bit / 8] ^= (char)(1 << bit % 8);
    }
    for (size_t len = 0; len < n; len++) {
        put_bytes(path, text, len);
        assert_int_equal(arka_checkpoint_read(path, &got, NULL), ARKA_CORRUPT);
        arka_checkpoint_fini(&got);
    }
    arka_free(text);
}

TEST(a_right_checksum_does_not_make_any_text_a_checkpoint)
{
#define HEAD "{\"checkpoint\":{\"version\":1,\"wal_lsn\":1,\"pinned_lsn\":1,\"epoch\":1"
    static const struct {
        const char *body, *says;
    } CASES[] = {
        {"", "expected {\"checkpoint\""},
        {"{}", "expected {\"checkpoint\""},
        {"{\"checkpoint\":{\"version\":x", "expected a number"},
        {"{\"checkpoint\":{\"version\":1,\"wal_lsn\":-1", "expected a number"},
        {"{\"checkpoint\":{\"version\":1,\"wal_lsn\":18446744073709551616", "below 2^64"},
        {"{\"checkpoint\":{\"version\":1,\"wal_lsn\":\"12", "expected \""},
        {HEAD, "expected ,\"timestamp\""},
        {HEAD ",\"timestamp\":9223372036854775808", "expected a time"},
        {HEAD ",\"timestamp\":1,\"clean\":maybe", "expected false"},
        {HEAD ",\"timestamp\":1,\"clean\":true,\"tables\":{\n\"ab", "expected \":"},
        {HEAD ",\"timestamp\":1,\"clean\":true,\"tables\":{\n\"ab\":1,", "expected \n\""},
        {HEAD ",\"timestamp\":1,\"clean\":true,\"tables\":{\n\"ab\":1", "expected }"},
        {HEAD ",\"timestamp\":1,\"clean\":true,\"tables\":{},\"more\":1", "expected its checksum"},
    };
    const char *path = path_of("form.json");
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        put_summed(path, CASES[i].body);
        expect_refused(path, ARKA_CORRUPT, CASES[i].says);
    }
}

/* REC-2 */
TEST(one_that_claims_more_than_its_sources_is_told)
{
    char why[300];
    arka_checkpoint c = example();
    assert_false(arka_checkpoint_is_ahead(&c, 4711, 3, why, sizeof why));
    assert_false(arka_checkpoint_is_ahead(&c, 5000, 9, why, sizeof why));
    assert_true(arka_checkpoint_is_ahead(&c, 4710, 3, why, sizeof why));
    assert_non_null(strstr(why, "row 4711"));
    assert_non_null(strstr(why, "row 4710"));
    assert_true(arka_checkpoint_is_ahead(&c, 5000, 2, why, sizeof why));
    assert_non_null(strstr(why, "start 3"));
}

/* ---- the disk ---- */

static const char *crash_path;

/* The process dies here: what stands under the name is the old one or the new one. */
static void look_at_it(void)
{
    arka_error err = {0};
    arka_checkpoint got;
    ASSERT_OK(arka_checkpoint_read(crash_path, &got, &err));
    assert_in_range(got.epoch, 3, 4);
    arka_checkpoint_fini(&got);
}

TEST(whatever_call_fails_or_is_the_last_the_old_one_or_the_new_one_is_there)
{
    const char *path = crash_path = path_of("fail.json");
    for (int kind = 0; kind < 3; kind++)
        for (long n = 1;; n++) {
            arka_error err = {0};
            arka_checkpoint c = example(), got;
            ASSERT_OK(arka_checkpoint_write(&kit_os, path, &c, &err));
            c.epoch = 4;
            kit_os_fail((kit_os_fault){.n = n,
                                       .error = kind == 0 ? ENOSPC : EIO,
                                       .for_good = kind == 1,
                                       .at = kind == 2 ? look_at_it : NULL});
            arka_status status = arka_checkpoint_write(&kit_os, path, &c, &err);
            kit_os_fail((kit_os_fault){0});
            assert_true(status == ARKA_OK || (status == ARKA_IO && kind < 2));
            ASSERT_OK(arka_checkpoint_read(path, &got, &err));
            assert_in_range(got.epoch, status == ARKA_OK ? 4 : 3, 4);
            arka_checkpoint_fini(&got);
            if (!kit_os_failed())
                break;
        }
}

TEST(every_failed_allocation_is_an_error_and_no_more)
{
    const char *path = path_of("memory.json");
    for (long n = 1;; n++) {
        arka_error err = {0};
        arka_checkpoint c = example(), got = {0};
        kit_fail_allocation(n, true);
        arka_status status = arka_checkpoint_write(&arka_os_real, path, &c, &err);
        if (status == ARKA_OK)
            status = arka_checkpoint_read(path, &got, &err);
        kit_fail_allocation(0, false);
        assert_true(status == ARKA_OK || status == ARKA_NOMEM);
        arka_checkpoint_fini(&got);
        if (!kit_allocation_failed())
            break;
    }
    for (long n = 1;; n++) { /* of reading alone */
        arka_checkpoint got = {0};
        kit_fail_allocation(n, false);
        arka_status status = arka_checkpoint_read(path, &got, NULL);
        kit_fail_allocation(0, false);
        assert_true(status == ARKA_OK || status == ARKA_NOMEM);
        arka_checkpoint_fini(&got);
        if (!kit_allocation_failed())
            break;
    }
}
