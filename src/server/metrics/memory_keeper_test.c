/* What malloc keeps is given back near the limit. */
#include "server/metrics/memory_keeper.h"

#include <sched.h>

#include "base/mem.h"
#include "kit/kit.h"
#include "os/machine.h"

enum { BLOCK = 32 << 10, N = 4096 }; /* 128 MiB in blocks that malloc does not map one by one */

static arka_error err;

TEST(a_keeper_that_never_ran_can_be_stopped_and_one_that_runs_stops_at_once)
{
    arka_memory_keeper keeper = {.runs = false};
    arka_memory_keeper_stop(&keeper);
    for (int i = 0; i < 20; i++) {
        ASSERT_OK(arka_memory_keeper_start(&keeper, INT64_C(1) << 40, &err));
        arka_memory_keeper_stop(&keeper);
        arka_memory_keeper_stop(&keeper);
    }
}

TEST(memory_that_is_free_below_some_that_is_not_is_given_back)
{
#ifdef ARKA_SANITIZED
    skip(); /* a sanitizer's malloc gives nothing back */
#endif
    static char *blocks[N];
    arka_memory_keeper keeper;
    for (int i = 0; i < N; i++) {
        blocks[i] = arka_malloc(BLOCK);
        memset(blocks[i], 1, BLOCK);
    }
    for (int i = 0; i < N - 1; i++) /* the last one is in the way of what malloc does by itself */
        arka_free(blocks[i]);
    int64_t held = arka_process_anonymous();
    assert_true(held > (int64_t)BLOCK * N / 10 * 9);
    ASSERT_OK(arka_memory_keeper_start(&keeper, INT64_C(64) << 20, &err));
    while (arka_process_anonymous() > held - (int64_t)BLOCK * N / 10 * 8)
        sched_yield();
    arka_memory_keeper_stop(&keeper);
    arka_free(blocks[N - 1]);
}
