/** A fixed number of threads with a queue before them. Any thread may submit. */
#ifndef ARKA_SERVER_HTTP_WORKERS_H
#define ARKA_SERVER_HTTP_WORKERS_H

#include "base/status.h"

typedef struct arka_workers arka_workers;

/** `name`: a literal of at most 12 characters. `max_waiting`: jobs beyond those that run. */
ARKA_MUST_USE arka_status arka_workers_new(const char *name, int n_threads, int max_waiting,
                                           arka_workers **out, arka_error *err);
/** How many jobs run at this moment. */
int arka_workers_n_running(arka_workers *workers);
/** Runs what was submitted, then ends the threads; what is submitted from now on is ARKA_BUSY. */
void arka_workers_stop(arka_workers *workers);
/** Stopped or not; nobody may submit any more. NULL is fine. */
void arka_workers_free(arka_workers *workers);

/** Have run(context) called on one of the threads. ARKA_BUSY: the queue is full. Never waits. */
ARKA_MUST_USE arka_status arka_workers_submit(arka_workers *workers, void (*run)(void *context),
                                              void *context, arka_error *err);

#endif
