/* How long the committer has been at a group: what a watchdog asks. */
#include <sched.h>
#include <stdatomic.h>

#include "kit/engine.h"
#include "os/failpoint.h"
#include "os/thread.h"

enum { LONG_MS = 30 };

static atomic_bool held, inside;

static void hold(void *context)
{
    atomic_store(&inside, true);
    while (atomic_load(&held))
        sched_yield();
}

static void write_one(void *context)
{
    arka_error err = {0};
    ASSERT_OK(kit_write(context, "d", "m", kit_rows(INT64_C(1767607200000000), 1, 1), &err));
}

TEST(a_committer_is_busy_while_it_is_at_a_group_and_never_while_it_waits)
{
    arka_error err = {0};
    arka_engine *engine;
    arka_thread writer;
    char wal[300];
    arka_engine_options o = kit_engine_options("busy");
    snprintf(wal, sizeof wal, "%s/busy/wal", kit_tmpdir());
    o.wal_dir = wal;
    ASSERT_OK(arka_engine_open(&o, &engine, &err));
    ASSERT_OK(arka_engine_create_database(engine, ARKA_SLICE("d"), &err));
    write_one(engine);

    atomic_store(&held, true);
    arka_failpoint_set("commit_assigned", 1, hold, NULL);
    ASSERT_OK(arka_thread_start(&writer, "writer", write_one, engine, &err));
    while (!atomic_load(&inside))
        sched_yield();
    int64_t last = 0, ms = 0;
    while (ms < LONG_MS) {
        ms = arka_engine_busy_ms(engine);
        assert_true(ms >= last);
        last = ms;
    }
    atomic_store(&held, false);
    arka_thread_join(&writer);
    while (arka_engine_busy_ms(engine) != 0)
        sched_yield();
    arka_failpoint_reset();
    ASSERT_OK(arka_engine_close(engine, &err));
}
