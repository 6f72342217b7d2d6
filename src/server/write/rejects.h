/**
 * The rejected-writes record: the table _arc.rejected_writes with what was refused and why.
 * Columns: time, database, measurement, place, reason, sample, request_id. Any thread.
 *
 * At most RATE rows a second are recorded on average, so that a flood of bad data cannot fill the
 * disk; the counters go on counting.
 */
#ifndef ARKA_SERVER_WRITE_REJECTS_H
#define ARKA_SERVER_WRITE_REJECTS_H

#include "os/thread.h"
#include "server/http/request.h"
#include "wire/writes.h"

typedef struct arka_rejects {
    arka_mutex lock;
    double tokens;      /* lock; rows that may be recorded now */
    arka_mono refilled; /* lock */
} arka_rejects;

void arka_rejects_init(arka_rejects *rejects);
void arka_rejects_fini(arka_rejects *rejects);

/** Record `n` refusals of a write into `database`. A failure to record is logged, never returned.
 */
void arka_rejects_record(arka_request *r, arka_slice database, const arka_reject *rejects,
                         size_t n);

#endif
