/* OPS-3: fail points are armed by name and number, and nothing else is taken for one. */
#include "os/failpoint.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kit/kit.h"

static void count(void *context)
{
    ++*(int *)context;
}

TEST(the_nth_passing_strikes_once)
{
    int struck = 0;
    arka_failpoint_reset();
    arka_failpoint_set("flush_renamed", 3, count, &struck);
    for (int i = 0; i < 2; i++)
        ARKA_FAILPOINT("flush_renamed");
    ARKA_FAILPOINT("flush_committed");
    assert_int_equal(struck, 0);
    ARKA_FAILPOINT("flush_renamed");
    assert_int_equal(struck, 1);
    ARKA_FAILPOINT("flush_renamed");
    assert_int_equal(struck, 1);
    assert_int_equal(arka_failpoint_passed("flush_renamed"), 4);
    assert_int_equal(arka_failpoint_passed("flush_committed"), 1);
    arka_failpoint_reset();
    assert_int_equal(arka_failpoint_passed("flush_renamed"), 0);
}

TEST(what_the_environment_names_must_be_there)
{
    arka_error err = {0};
    arka_failpoint_reset();
    unsetenv("ARC_FAILPOINT");
    ASSERT_OK(arka_failpoint_read_environment(&err));
    setenv("ARC_FAILPOINT", "wal_sync_before:2,trim_after", 1);
    ASSERT_OK(arka_failpoint_read_environment(&err));
    setenv("ARC_FAILPOINT", "wal_sync_before,wal_sync", 1);
    ASSERT_FAILS(arka_failpoint_read_environment(&err), ARKA_INPUT, "no fail point 'wal_sync'");
    static const char *const BAD[] = {"trim_after:0", "trim_after:", "trim_after:-1",
                                      "trim_after:2x", "trim_after:1:2"};
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        setenv("ARC_FAILPOINT", BAD[i], 1);
        ASSERT_FAILS(arka_failpoint_read_environment(&err), ARKA_INPUT, "expected name:n");
    }
    unsetenv("ARC_FAILPOINT");
    arka_failpoint_reset();
}

TEST(without_a_callback_the_process_is_killed)
{
    arka_error err = {0};
    arka_failpoint_reset();
    pid_t child = fork();
    if (child == 0) {
        setenv("ARC_FAILPOINT", "trim_before:2,commit_answered", 1);
        if (arka_failpoint_read_environment(&err) != ARKA_OK)
            _exit(1);
        ARKA_FAILPOINT("trim_before");
        ARKA_FAILPOINT("trim_before");
        _exit(2);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGKILL);
}
