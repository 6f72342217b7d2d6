#include "server/metrics/memory_keeper.h"

#include <malloc.h>

#include "os/machine.h"

enum {
    LOOK_EVERY_MS = 200,
    IN_VAIN_MS = 2000, /* after a look that gave back next to nothing */
    NEAR_PERCENT = 50, /* of the limit: from there on */
    KEPT_PART = 32,    /* of the limit: so little is not worth it */
};

/* Parts of the heaps that are free but not at their end; trimming by itself only takes the end. */
static int64_t give_back(int64_t limit)
{
    int64_t before = arka_process_anonymous();
    if (before < limit / 100 * NEAR_PERCENT || (int64_t)mallinfo2().fordblks < limit / KEPT_PART)
        return LOOK_EVERY_MS;
    malloc_trim((size_t)(limit / KEPT_PART));
    return before - arka_process_anonymous() < limit / KEPT_PART ? IN_VAIN_MS : LOOK_EVERY_MS;
}

static void keep(void *context)
{
    arka_memory_keeper *k = context;
    arka_mutex_lock(&k->lock);
    while (!k->stop) {
        arka_mutex_unlock(&k->lock);
        arka_mono next = arka_mono_after_ms(give_back(k->limit));
        arka_mutex_lock(&k->lock);
        while (!k->stop && arka_cond_wait(&k->wake, &k->lock, next))
            ;
    }
    arka_mutex_unlock(&k->lock);
}

arka_status arka_memory_keeper_start(arka_memory_keeper *keeper, int64_t limit, arka_error *err)
{
    arka_mutex_init(&keeper->lock, ARKA_LOCK_LEAF);
    arka_cond_init(&keeper->wake);
    keeper->limit = limit;
    keeper->stop = false;
    arka_status status = arka_thread_start(&keeper->thread, "memory", keep, keeper, err);
    keeper->runs = status == ARKA_OK;
    if (status != ARKA_OK) {
        arka_cond_fini(&keeper->wake);
        arka_mutex_fini(&keeper->lock);
    }
    return status;
}

void arka_memory_keeper_stop(arka_memory_keeper *keeper)
{
    if (!keeper->runs)
        return;
    arka_mutex_lock(&keeper->lock);
    keeper->stop = true;
    arka_cond_signal(&keeper->wake);
    arka_mutex_unlock(&keeper->lock);
    arka_thread_join(&keeper->thread);
    keeper->runs = false;
    arka_cond_fini(&keeper->wake);
    arka_mutex_fini(&keeper->lock);
}
