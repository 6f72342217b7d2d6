/**
 * What the last replays of the log found: kept in a small file beside the manifest, because the
 * log's directory holds nothing but its own. Private to server/. One thread writes, at the start.
 */
#ifndef ARKA_SERVER_METRICS_RECOVERIES_H
#define ARKA_SERVER_METRICS_RECOVERIES_H

#include "engine/engine.h"

enum { ARKA_KEPT_RECOVERIES = 10 };

typedef struct arka_recoveries {
    int64_t total; /* ever; the last ones of them are kept */
    int n;
    arka_replay_info items[ARKA_KEPT_RECOVERIES]; /* the newest last */
} arka_recoveries;

/**
 * None when there is no file. ARKA_CORRUPT, naming file and line: it is not as
 * arka_recoveries_add writes it.
 */
ARKA_MUST_USE arka_status arka_recoveries_read(const char *manifest_path, arka_recoveries *out,
                                               arka_error *err);
/** One more; the oldest goes when there are too many. */
ARKA_MUST_USE arka_status arka_recoveries_add(const char *manifest_path,
                                              const arka_replay_info *info, arka_error *err);

#endif
