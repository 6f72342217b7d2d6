#include "os/file.h"

#include "kit/faulty_os.h"
#include "kit/kit.h"

static const char *path_of(const char *name)
{
    static char paths[4][256];
    static int next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", kit_tmpdir(), name);
    return path;
}

static bool exists(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0;
}

static arka_status write_text(const char *path, const char *text, arka_error *err)
{
    ARKA_AUTO(arka_file) file = NULL;
    ARKA_TRY(arka_file_create(&kit_os, path, &file, err));
    ARKA_TRY(arka_file_append(file, text, strlen(text), err));
    ARKA_TRY(arka_file_sync(file, err));
    return arka_file_close(arka_take(file), err);
}

TEST(short_writes_go_on_and_interruptions_are_tried_again)
{
    static const int CALLS[] = {KIT_OPEN, KIT_PWRITEV, KIT_FDATASYNC, KIT_CLOSE};
    arka_error err = {0};
    for (size_t c = 0; c < sizeof CALLS / sizeof *CALLS; c++)
        for (int error = 0; error <= EINTR; error += EINTR) {
            char name[32];
            snprintf(name, sizeof name, "again-%zu-%d", c, error);
            kit_os_fail((kit_os_fault){.n = 1, .calls = CALLS[c], .error = error});
            ASSERT_OK(write_text(path_of(name), "0123456789", &err));
            assert_true(kit_os_failed());
            char *text;
            size_t n;
            ASSERT_OK(arka_file_read(path_of(name), 100, &text, &n, &err));
            assert_string_equal(text, "0123456789");
            arka_free(text);
        }
    kit_os_fail((kit_os_fault){0});
}

TEST(a_failure_has_its_code_and_its_words_and_leaves_no_file)
{
    arka_error err = {0};
    kit_os_fail((kit_os_fault){.n = 1, .calls = KIT_PWRITEV, .error = ENOSPC, .done = true});
    ASSERT_FAILS(write_text(path_of("full"), "0123456789", &err), ARKA_IO,
                 "full: No space left on device");
    assert_false(exists(path_of("full")));
    kit_os_fail((kit_os_fault){.n = 1, .calls = KIT_FDATASYNC, .error = EIO});
    ASSERT_FAILS(write_text(path_of("unsynced"), "0", &err), ARKA_IO, "syncing");
    assert_false(exists(path_of("unsynced")));
    kit_os_fail((kit_os_fault){0});
    ASSERT_OK(write_text(path_of("there"), "1", &err));
    ASSERT_FAILS(write_text(path_of("there"), "2", &err), ARKA_EXISTS, "creating");
    /* The same without anybody who wants the words, and behind an earlier failure. */
    assert_int_equal(write_text(path_of("there"), "2", NULL), ARKA_EXISTS);
    arka_error earlier = {.code = ARKA_BUSY};
    assert_int_equal(write_text(path_of("there"), "2", &earlier), ARKA_EXISTS);
}

TEST(a_directory_that_could_not_be_synced_is_not_there)
{
    arka_error err = {0};
    ASSERT_OK(arka_dir_make(&kit_os, path_of("a"), &err));
    ASSERT_OK(arka_dir_make(&kit_os, path_of("a"), &err));
    for (long n = 1; n <= 3; n++) { /* a/b, a/b/c, a/b/c/d */
        kit_os_fail((kit_os_fault){.n = n, .calls = KIT_FSYNC, .error = EIO});
        ASSERT_FAILS(arka_dir_make(&kit_os, path_of("a/b/c/d"), &err), ARKA_IO,
                     "syncing directory");
        assert_true(kit_os_failed());
        assert_false(exists(path_of("a/b/c/d")));
        /* What was synced stays; the next call syncs the rest. */
        assert_int_equal(exists(path_of("a/b/c")), n > 2);
        assert_int_equal(exists(path_of("a/b")), n > 1);
        kit_os_fail((kit_os_fault){0});
        if (n > 2)
            assert_int_equal(rmdir(path_of("a/b/c")), 0);
        if (n > 1)
            assert_int_equal(rmdir(path_of("a/b")), 0);
    }
    ASSERT_OK(arka_dir_make(&kit_os, path_of("a/b/c/d"), &err));
    ASSERT_OK(write_text(path_of("a/file"), "", &err));
    ASSERT_FAILS(arka_dir_make(&kit_os, path_of("a/file"), &err), ARKA_IO, "Not a directory");
    ASSERT_FAILS(arka_dir_make(&kit_os, path_of("a/file/x"), &err), ARKA_IO, "Not a directory");
}

TEST(a_files_directory_is_made_where_its_path_names_one)
{
    arka_error err = {0};
    ASSERT_OK(arka_dir_make_parent(&kit_os, path_of("p/q/file"), &err));
    assert_true(exists(path_of("p/q")));
    assert_false(exists(path_of("p/q/file")));
    ASSERT_OK(arka_dir_make_parent(&kit_os, path_of("p/q/file"), &err));
    ASSERT_OK(arka_dir_make_parent(&kit_os, "file", &err));
    ASSERT_OK(arka_dir_make_parent(&kit_os, "/file", &err));
    ASSERT_FAILS(arka_dir_make(&kit_os, "", &err), ARKA_NOTFOUND, "making directory");
}

static arka_status count(void *context, const char *relative, int64_t n_bytes, arka_error *err)
{
    assert_int_equal(n_bytes, 3);
    assert_true(strcmp(relative, "x") == 0 || strcmp(relative, "y/z") == 0);
    ++*(int *)context;
    return ARKA_OK;
}

TEST(a_walk_meets_every_file_once)
{
    arka_error err = {0};
    int n = 0;
    ASSERT_OK(arka_dir_make(&kit_os, path_of("walk/y/empty"), &err));
    ASSERT_OK(write_text(path_of("walk/x"), "abc", &err));
    ASSERT_OK(write_text(path_of("walk/y/z"), "abc", &err));
    assert_int_equal(symlink("/", path_of("walk/elsewhere")), 0);
    ASSERT_OK(arka_dir_walk(path_of("walk"), count, &n, &err));
    assert_int_equal(n, 2);
    ASSERT_OK(arka_dir_walk(path_of("nowhere"), count, &n, &err));
    assert_int_equal(n, 2);
}

TEST(a_file_that_is_too_large_is_not_read)
{
    arka_error err = {0};
    char *text;
    size_t n;
    ASSERT_OK(write_text(path_of("large"), "0123456789", &err));
    ASSERT_FAILS(arka_file_read(path_of("large"), 9, &text, &n, &err), ARKA_LIMIT,
                 "larger than 9 bytes");
    ASSERT_FAILS(arka_file_read(path_of("missing"), 9, &text, &n, &err), ARKA_NOTFOUND,
                 "missing: No such file");
}
