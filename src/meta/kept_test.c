/* Numbers and requests that the manifest keeps. */
#include "meta/manifest.h"

#include "base/buf.h"
#include "kit/faulty_vfs.h"
#include "kit/kit.h"

static const char *path_of(const char *name)
{
    static char path[256];
    snprintf(path, sizeof path, "%s/%s", kit_tmpdir(), name);
    return path;
}

TEST(numbers_have_names_and_are_any_64_bits)
{
    arka_error err = {0};
    arka_manifest *m;
    ASSERT_OK(arka_manifest_open(path_of("n.db"), &m, &err));
    uint64_t v = 77;
    ASSERT_OK(arka_manifest_get_number(m, "epoch", &v, &err));
    assert_int_equal(v, 77); /* no value: as it was */
    ASSERT_OK(arka_manifest_set_number(m, "epoch", 1, &err));
    ASSERT_OK(arka_manifest_set_number(m, "epoch", UINT64_MAX, &err));
    ASSERT_OK(arka_manifest_set_number(m, "lsn", (uint64_t)INT64_MAX + 1, &err));
    ASSERT_OK(arka_manifest_set_number(m, "none", 0, &err));
    arka_manifest_close(m);
    ASSERT_OK(arka_manifest_open(path_of("n.db"), &m, &err));
    static const struct {
        const char *name;
        uint64_t value;
    } EXPECTED[] = {{"epoch", UINT64_MAX}, {"lsn", (uint64_t)INT64_MAX + 1}, {"none", 0}};
    for (int i = 0; i < 3; i++) {
        v = 77;
        ASSERT_OK(arka_manifest_get_number(m, EXPECTED[i].name, &v, &err));
        assert_true(v == EXPECTED[i].value);
    }
    arka_manifest_close(m);
}

static arka_status tell_request(void *context, const arka_manifest_request *r, arka_error *err)
{
    arka_buf_printf(context, "%.*s/%.*s %llu %lld %.*s;", ARKA_FMT(r->database), ARKA_FMT(r->key),
                    (unsigned long long)r->lsn, (long long)r->stored_us, ARKA_FMT(r->answer));
    return ARKA_OK;
}

static void assert_kept(arka_manifest *m, const char *expected)
{
    arka_error err = {0};
    arka_buf text = ARKA_BUF_INIT;
    ASSERT_OK(arka_manifest_each_request(m, tell_request, &text, &err));
    assert_string_equal(arka_buf_cstr(&text), expected);
    arka_buf_fini(&text);
}

static arka_manifest_request request(const char *database, const char *key, uint64_t lsn,
                                     int64_t stored_us, const char *answer)
{
    return (arka_manifest_request){arka_slice_of(database), arka_slice_of(key), lsn, stored_us,
                                   arka_slice_of(answer)};
}

TEST(requests_are_kept_once_by_database_and_key)
{
    arka_error err = {0};
    arka_manifest *m;
    ASSERT_OK(arka_manifest_open(path_of("r.db"), &m, &err));
    assert_kept(m, "");
    arka_manifest_request some[] = {request("a", "k2", 20, 200, "two"),
                                    request("a", "k1", 10, 100, "one"),
                                    request("b", "k1", 30, 300, "")};
    ASSERT_OK(arka_manifest_add_requests(m, some, 3, &err));
    assert_kept(m, "a/k1 10 100 one;a/k2 20 200 two;b/k1 30 300 ;");
    arka_manifest_request more[] = {request("A", "k1", 10, 150, "other"), /* it is there */
                                    request("a", "K1", 40, 400, "case"),  /* another key */
                                    request("a", "k2", 50, 500, "anew")}; /* after its window */
    ASSERT_OK(arka_manifest_add_requests(m, more, 3, &err));
    ASSERT_OK(arka_manifest_add_requests(m, NULL, 0, &err));
    arka_manifest_close(m);
    ASSERT_OK(arka_manifest_open(path_of("r.db"), &m, &err));
    assert_kept(m, "a/k1 10 100 one;b/k1 30 300 ;a/K1 40 400 case;a/k2 50 500 anew;");
    ASSERT_OK(arka_manifest_drop_requests(m, 400, &err));
    assert_kept(m, "a/K1 40 400 case;a/k2 50 500 anew;");
    ASSERT_OK(arka_manifest_drop_requests(m, INT64_MAX, &err));
    assert_kept(m, "");
    arka_manifest_close(m);
}

static arka_status stop_at_once(void *context, const arka_manifest_request *r, arka_error *err)
{
    return arka_fail(err, ARKA_NOMEM, "%d", ++*(int *)context);
}

TEST(reading_requests_stops_at_a_failure)
{
    arka_error err = {0};
    arka_manifest *m;
    ASSERT_OK(arka_manifest_open(path_of("s.db"), &m, &err));
    arka_manifest_request some[] = {request("a", "1", 1, 1, ""), request("a", "2", 2, 2, "")};
    ASSERT_OK(arka_manifest_add_requests(m, some, 2, &err));
    int n = 0;
    ASSERT_FAILS(arka_manifest_each_request(m, stop_at_once, &n, &err), ARKA_NOMEM, "1");
    assert_kept(m, "a/1 1 1 ;a/2 2 2 ;");
    arka_manifest_close(m);
}

TEST(a_failing_disk_keeps_all_requests_or_none)
{
    arka_error err = {0};
    arka_manifest *m;
    kit_vfs_install();
    ASSERT_OK(arka_manifest_open(path_of("f.db"), &m, &err));
    static const int CALLS[] = {KIT_VFS_WRITE, KIT_VFS_SYNC};
    int n_failed = 0;
    for (int c = 0; c < 2; c++)
        for (long n = 1;; n++) {
            arka_manifest_request some[] = {request("a", "1", 1, 1, "x"),
                                            request("a", "2", 2, 2, "y")};
            kit_vfs_fail(n, CALLS[c], true);
            arka_status status = arka_manifest_add_requests(m, some, 2, &err);
            if (status == ARKA_OK) { /* and the way back */
                status = arka_manifest_drop_requests(m, 3, &err);
                kit_vfs_fail(0, 0, false);
                assert_kept(m, status == ARKA_OK ? "" : "a/1 1 1 x;a/2 2 2 y;");
            } else {
                kit_vfs_fail(0, 0, false);
                assert_kept(m, "");
            }
            assert_true(status == ARKA_OK || status == ARKA_IO);
            err = (arka_error){0};
            ASSERT_OK(arka_manifest_drop_requests(m, 3, &err));
            if (status == ARKA_OK)
                break;
            n_failed++;
        }
    assert_true(n_failed >= 4);
    kit_vfs_fail(1, KIT_VFS_WRITE, true);
    ASSERT_FAILS(arka_manifest_set_number(m, "epoch", 9, &err), ARKA_IO, "");
    kit_vfs_fail(0, 0, false);
    uint64_t v = 0;
    ASSERT_OK(arka_manifest_get_number(m, "epoch", &v, &err));
    assert_int_equal(v, 0);
    arka_manifest_close(m);
}
