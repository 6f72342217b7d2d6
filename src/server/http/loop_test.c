#include "server/http/loop.h"

#include <sched.h>
#include <stdatomic.h>

#include "kit/kit.h"
#include "os/thread.h"

enum { SILENT_MS = 30 };

static atomic_bool held, inside;

static void hold(void *context, arka_loop *loop)
{
    while (atomic_load(&held)) {
        atomic_store(&inside, true);
        sched_yield();
    }
    atomic_store(&inside, false);
}

static void never(void *context)
{
}

static enum MHD_Result no_request(void *context, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *data,
                                  size_t *size, void **state)
{
    return MHD_NO;
}

TEST(a_loop_that_is_held_up_gives_no_sign_of_life_and_one_that_runs_does)
{
    arka_error err = {0};
    arka_loop *loop;
    arka_loop_calls calls = {.handle = no_request, .lost = never, .look = hold, .ended = never};
    struct MHD_OptionItem none[] = {{MHD_OPTION_END, 0, NULL}};
    ASSERT_OK(arka_loop_new(&calls, none, false, &loop, &err));
    assert_int_equal(arka_loop_ask(loop), 0);
    atomic_store(&held, true);
    while (!atomic_load(&inside))
        sched_yield();
    /* the first question finds none open; from then on it is silent for as long as it is held */
    int64_t last = arka_loop_ask(loop), ms = last;
    while (ms < SILENT_MS) {
        assert_true(ms >= last);
        last = ms;
        ms = arka_loop_ask(loop);
    }
    atomic_store(&held, false);
    while (arka_loop_ask(loop) != 0)
        sched_yield();
    arka_loop_free(loop);
}
