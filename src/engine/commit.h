/**
 * The committer: one thread that takes the requests that wait, as a group, numbers their rows, logs
 * them, makes them visible and answers. Private to engine/.
 */
#ifndef ARKA_ENGINE_COMMIT_H
#define ARKA_ENGINE_COMMIT_H

#include "engine/engine_priv.h"

/** Hand a prepared request over. Any thread. */
void arka_engine__queue(arka_engine *engine, arka_put_request *request);
/** Requests that wait for memory: one that comes now waits behind them. Any thread. */
bool arka_engine__has_blocked(const arka_engine *engine);
/** How many requests wait: told to by the yellow zone, for memory. Any thread. */
void arka_engine__count_waiting(arka_engine *engine, int64_t *delayed, int64_t *blocked);
/** Does the log take nothing at this moment? Then *err says why, as ARKA_BUSY. Any thread. */
bool arka_engine__log_refuses(arka_engine *engine, arka_error *err);
/** The same of everything that writes need: the log, the disk. Asked before a write is prepared. */
bool arka_engine__refuses(arka_engine *engine, arka_error *err);

/* publish.c */
/** Make the rows of a request visible at once, where there is no log. */
void arka_engine__publish_now(arka_engine *engine, arka_put_request *request);
/** `publish` is held. */
void arka_engine__set_visible(arka_engine *engine, uint64_t lsn) ARKA_REQUIRES(engine->publish);

/* write.c */
/** What `request` became: gives back what it holds, says it to whoever waits. */
void arka_engine__answer(arka_engine *engine, arka_put_request *request, const arka_error *why);

#endif
