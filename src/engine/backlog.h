/**
 * The requests that wait for the committer: those that are ready, those that a yellow gate has told
 * to wait a while, and those that wait for memory while it is red. No thread and no lock of its
 * own: it is used under the committer's. Private to engine/.
 */
#ifndef ARKA_ENGINE_BACKLOG_H
#define ARKA_ENGINE_BACKLOG_H

#include "base/vec.h"
#include "engine/engine_priv.h"
#include "engine/parked.h"

typedef struct arka_backlog {
    arka_put_request *first, **last;      /* ready, in order of arrival */
    ARKA_VEC(arka_put_request *) delayed; /* until their `not_before` */
    arka_parked parked;
    arka_put_request *late; /* waited for memory in vain: to be refused */
} arka_backlog;

void arka_backlog_init(arka_backlog *backlog, int64_t max_parked_bytes);
void arka_backlog_fini(arka_backlog *backlog);

/** Where it belongs. Never fails: without memory for the place, or when too much waits for memory
 * already, it is ready or late at once. */
void arka_backlog_add(arka_engine *engine, arka_backlog *backlog, arka_put_request *request);
/**
 * Those whose time has come become ready, or late. `all`: everything does, the engine closes. When
 * to look again if nothing happens before: at most 100 ms from now.
 */
arka_mono arka_backlog_wake(arka_engine *engine, arka_backlog *backlog, bool all);
/** Some of the ready ones, up to so many bytes and requests, linked by `next`. NULL: none. */
arka_put_request *arka_backlog_take(arka_backlog *backlog, int64_t max_bytes, int64_t max_requests);
/** Those that waited for memory in vain. */
arka_put_request *arka_backlog_take_late(arka_backlog *backlog);
/** Does anything wait for time or memory? */
bool arka_backlog_waits(const arka_backlog *backlog);

#endif
