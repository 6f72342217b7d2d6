/**
 * Which tables the flusher flushes, in which order, and how many together. Pure. Private to
 * engine/.
 */
#ifndef ARKA_ENGINE_DUE_H
#define ARKA_ENGINE_DUE_H

#include "engine/engine.h"
#include "engine/gate.h"
#include "table/table.h"

/** What is flushed together: enough that two syncs and a commit weigh little, and no more than
 * takes a second or so. */
enum { ARKA_TOGETHER_TABLES = 256, ARKA_TOGETHER_BYTES = 64 << 20 /* hot */ };

/** How things stand for all tables. */
typedef struct arka_due_state {
    arka_mono now;
    arka_zone zone;     /* of memory */
    uint64_t lag_lsn;   /* see arka_lag_lsn */
    uint64_t force_lsn; /* rows up to it keep the log from letting go of what it must; 0: none do */
} arka_due_state;

/** From the most urgent on. */
typedef enum arka_due_class {
    ARKA_DUE_LARGE,  /* a file's worth */
    ARKA_DUE_FORCED, /* the log needs it */
    ARKA_DUE_OTHER,
} arka_due_class;

typedef struct arka_due {
    arka_table *table;
    arka_table_gauges gauges;
    arka_due_class class; /* out */
} arka_due;

/** Bytes of Parquet that n hot bytes of the table are likely to make, and the other way round. */
int64_t arka_due_file_bytes(const arka_table_gauges *gauges, int64_t hot_bytes);
int64_t arka_due_hot_bytes(const arka_table_gauges *gauges, int64_t file_bytes);

/**
 * Of n tables keep those to flush now; how many. By class; within one, when memory is short, the
 * largest first, else the oldest, so that none waits for ever. In red all are kept, in yellow those
 * that are not small or were not flushed within the interval. A table whose flush has just failed
 * waits.
 */
size_t arka_due_pick(arka_due *items, size_t n, const arka_engine_options *options,
                     const arka_due_state *state);
/**
 * How many of the first of n > 0 picked ones are flushed together: of one class, and not so much
 * that it takes long.
 */
size_t arka_due_together(const arka_due *items, size_t n, const arka_engine_options *options);

/**
 * Where the flusher goes on when it has done those before `at` < n: there, or, when it is late
 * already, at the others, so that large tables that are always due do not keep all of its time; n
 * when the others have had a turn and it is time to look again.
 */
size_t arka_due_next(const arka_due *items, size_t n, size_t at, bool late);

/* ---- how far the log has gone on ---- */

enum { ARKA_LAG_MARKS = 64 };

/** Some instants at which the log had so many records and ended at that LSN, the oldest first. */
typedef struct arka_lag {
    struct {
        int64_t records;
        uint64_t lsn;
    } marks[ARKA_LAG_MARKS];
    int n;
} arka_lag;

/** Now it has as many, and ends there; both only grow. `span`: see arka_lag_lsn. */
void arka_lag_note(arka_lag *lag, int64_t records, uint64_t lsn, int64_t span);
/** An LSN that lies at least `span` records back, and not much more; 0: there is none. */
uint64_t arka_lag_lsn(const arka_lag *lag, int64_t records, int64_t span);

#endif
