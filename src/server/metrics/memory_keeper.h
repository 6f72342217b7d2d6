/**
 * Gives memory that malloc keeps free back to the system when the process comes near its limit. It
 * has a thread, which looks a few times a second. Private to server/.
 */
#ifndef ARKA_SERVER_METRICS_MEMORY_KEEPER_H
#define ARKA_SERVER_METRICS_MEMORY_KEEPER_H

#include "os/thread.h"

typedef struct arka_memory_keeper {
    arka_mutex lock; /* LEAF */
    arka_cond wake;
    bool stop, runs;
    int64_t limit;
    arka_thread thread;
} arka_memory_keeper;

ARKA_MUST_USE arka_status arka_memory_keeper_start(arka_memory_keeper *keeper, int64_t limit,
                                                   arka_error *err);
/** Zero-initialised is fine. */
void arka_memory_keeper_stop(arka_memory_keeper *keeper);

#endif
