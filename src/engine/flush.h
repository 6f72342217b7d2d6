/** One flush of one table, shared by the files that carry it out. Private to engine/. */
#ifndef ARKA_ENGINE_FLUSH_H
#define ARKA_ENGINE_FLUSH_H

#include "base/arena.h"
#include "columnar/sort.h"
#include "engine/engine_priv.h"

/** A file's name, and the one it has until it is whole. In the arena of the flush. */
typedef struct arka_flush_path {
    const char *path, *tmp;
} arka_flush_path;

struct arka_flush {
    arka_flush *next; /* of those whose commit failed */
    arka_engine *engine;
    arka_table *table;
    arka_status status; /* the first failure; `why` has its sentence */
    arka_error why;
    arka_snapshot *snapshot; /* what is flushed */
    uint64_t lsn_first;      /* of it */
    arka_spans spans;        /* its rows in order of time */
    arka_batch **batches;
    int16_t *columns; /* n_batches × n_fields: see arka_parquet_write */
    arka_parquet_field *fields;
    int64_t n_parts; /* files that there will be */
    bool one_by_one; /* how they are synced */
    int64_t now_us;
    ARKA_VEC(arka_flush_path) paths;      /* every file that may have been made */
    ARKA_VEC(arka_data_file *) files;     /* the whole ones */
    ARKA_VEC(arka_manifest_file) entries; /* the same for the manifest */
    arka_file_list *list;                 /* the table's files with these; ours until the end */
    bool tried;                           /* to commit, at least once */
    arka_arena arena;
};

/** A flush of the table whose commit failed, out of the engine's list; NULL: there is none. The
 * table is claimed. */
arka_flush *arka_engine__take_unsure(arka_engine *engine, const arka_table *table);
/** Back into it. */
void arka_engine__keep_unsure(arka_flush *f);
/** NULL is fine. */
void arka_engine__free_flush(arka_flush *f);

/** It failed; only the first failure counts. */
void arka_flush__fail(arka_flush *f, arka_status status, const arka_error *why);

/**
 * The rows of each flush's snapshot as files, by UTC hour, durable under their final names, and its
 * `list`. One that fails, or has failed before, has no file under any name, as far as the disk lets
 * it be.
 */
void arka_flush__write_files(arka_engine *engine, arka_flush *const *flushes, size_t n);

#endif
