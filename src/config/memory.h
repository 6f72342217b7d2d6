/**
 * One memory budget for the whole process, from `memory.limit`, and how it is divided. The picture
 * and the reasons are in docs/memory.md.
 */
#ifndef ARKA_CONFIG_MEMORY_H
#define ARKA_CONFIG_MEMORY_H

#include "os/machine.h"
#include "config/settings.h"

/** Bytes. The parts and the reserve add up to no more than `total`. */
typedef struct arka_memory_plan {
    int64_t total;
    int64_t hot;     /* rows in memory and writes on their way: the engine's gate */
    int64_t queries; /* DuckDB's memory_limit */
    int64_t bodies;  /* request bodies */
    int64_t work;    /* what flushes and caches need; nobody refuses them */
    int64_t reserve; /* code, threads, what allocators keep, what DuckDB does not count */
} arka_memory_plan;

/**
 * Divide: parts that were set keep their value, the others share what is left. ARKA_INPUT, with
 * the sum in the sentence: they do not fit, or the limit is more than `machine` has, or too little.
 */
ARKA_MUST_USE arka_status arka_memory_divide(const arka_settings *settings,
                                             const arka_memory_limit *machine,
                                             arka_memory_plan *out, arka_error *err);
/**
 * The same, and put the parts into the settings that were left open: memory.limit,
 * ingestion.hot_limit_mb, duckdb.memory_limit, server.max_body_memory_mb; the largest sizes of one
 * request where a single one would not fit; threads and queries at once as memory allows.
 */
ARKA_MUST_USE arka_status arka_memory_settle(arka_settings *settings,
                                             const arka_memory_limit *machine, arka_error *err);

#endif
