/** Which tables the flusher flushes, and in which order. Pure. Private to engine/. */
#ifndef ARKA_ENGINE_DUE_H
#define ARKA_ENGINE_DUE_H

#include "engine/engine.h"
#include "table/table.h"

typedef struct arka_due {
    arka_table *table;
    arka_table_gauges gauges;
} arka_due;

/** Is so much hot that the largest tables are flushed early? */
bool arka_due_is_memory_short(const arka_engine_options *options, int64_t hot_bytes);

/**
 * Of n tables keep those to flush at `now`, the most urgent first; how many. First those with too
 * many bytes; then, when memory is short, the others by size; else those with enough rows or old
 * ones, the oldest first, so that none waits for ever. A table whose flush has just failed waits.
 */
size_t arka_due_pick(arka_due *items, size_t n, const arka_engine_options *options,
                     bool memory_is_short, arka_mono now);

#endif
