/**
 * A table's data files: counted entries in counted, immutable lists, so that a snapshot takes one
 * reference however many files there are, and a flush makes a new list.
 */
#ifndef ARKA_TABLE_FILES_H
#define ARKA_TABLE_FILES_H

#include <stdatomic.h>

#include "base/mem.h"

/** A Parquet file of a table. Immutable, but for what is known of its bytes. */
typedef struct arka_data_file {
    arka_ref ref;
    int64_t n_rows, n_bytes;
    int64_t time_min, time_max;   /* µs, both inclusive */
    int64_t created_us;           /* wall clock */
    uint64_t lsn_first, lsn_last; /* of the flush it came with; 0: not known */
    int32_t schema_version;       /* of the schema it was written with */
    const char *path;             /* as the engine opens it: base path and all */
    bool has_crc;
    uint32_t crc;        /* arka_crc32c of its bytes, if has_crc */
    atomic_bool checked; /* this process wrote it, or has compared it with its checksum */
} arka_data_file;

/** As `like`, whose path is copied; its count does not matter. */
ARKA_MUST_USE arka_status arka_data_file_new(const arka_data_file *like, arka_data_file **out,
                                             arka_error *err);
void arka_data_file_unref(arka_data_file *file);
/**
 * Are its bytes what was written? Read once in the life of the process; nothing in Parquet itself
 * says it to those who read with DuckDB. ARKA_CORRUPT names the file. One that cannot be opened is
 * left to its reader. Any thread.
 */
ARKA_MUST_USE arka_status arka_data_file_check(arka_data_file *file, arka_error *err);
ARKA_CLEANUP(arka_data_file, arka_data_file_unref)

typedef struct arka_file_list {
    arka_ref ref;
    int64_t n, n_rows, n_bytes;
    arka_data_file *items[]; /* in order of arrival */
} arka_file_list;

/** `before` (NULL: none) and behind it n more; takes references of its own to all of them. */
ARKA_MUST_USE arka_status arka_file_list_new(const arka_file_list *before,
                                             arka_data_file *const *more, size_t n,
                                             arka_file_list **out, arka_error *err);
static inline arka_file_list *arka_file_list_ref(arka_file_list *list)
{
    arka_ref_add(&list->ref);
    return list;
}
/** NULL is fine. */
void arka_file_list_unref(arka_file_list *list);
ARKA_CLEANUP(arka_file_list, arka_file_list_unref)

#endif
