/**
 * The manifest: which databases, tables, columns and data files there are. SQLite, in WAL mode with
 * full synchronisation: what a call committed survives power loss. One connection, calls from any
 * thread. Tables and columns: docs/formats/manifest.md. Errors: ARKA_IO, ARKA_BUSY (another program
 * has it locked, for seconds), ARKA_CORRUPT, ARKA_NOMEM, ARKA_EXISTS (the name is taken). A call
 * that failed changed nothing, as this process sees it; see arka_manifest_commit_flushes.
 */
#ifndef ARKA_META_MANIFEST_H
#define ARKA_META_MANIFEST_H

#include "base/slice.h"
#include "base/status.h"

typedef struct arka_manifest arka_manifest;

/** Opens or makes the file, and brings an older version of it up to date. A newer one: ARKA_INPUT.
 */
ARKA_MUST_USE arka_status arka_manifest_open(const char *path, arka_manifest **out,
                                             arka_error *err);
/** NULL is fine. */
void arka_manifest_close(arka_manifest *manifest);
ARKA_CLEANUP(arka_manifest, arka_manifest_close)

typedef struct arka_manifest_field {
    int32_t id; /* from 1 */
    int32_t since_version;
    int type; /* arka_type */
    bool tag;
    arka_slice name;
} arka_manifest_field;

typedef struct arka_manifest_file {
    arka_slice path; /* relative to the engine's base path */
    int64_t n_rows, n_bytes, time_min, time_max, created_us;
    int32_t schema_version;
    /* out: of the flush that it came with, whose other files have rows of this range too; 0: not
     * known */
    uint64_t lsn_first, lsn_last;
    bool has_crc; /* false: of a version that had none */
    uint32_t crc; /* arka_crc32c of its bytes */
} arka_manifest_file;

enum { ARKA_UUID_TEXT = 36 };

typedef struct arka_manifest_table {
    int64_t id, database_id;
    arka_slice name;
    arka_slice uuid; /* of this incarnation: the same name, dropped and made again, has another */
    uint64_t flushed_lsn; /* every row up to it is in the table's files; 0: none is */
} arka_manifest_table;

/**
 * For the start, while no other thread uses the manifest: the callbacks are free to take locks.
 * Everything, in an order in which each thing's owner comes first: databases, tables, the current
 * form of each table's fields by id, files by time. Slices live for the call. Stops at a failure.
 */
typedef struct arka_manifest_reader {
    void *context;
    arka_status (*database)(void *context, int64_t id, arka_slice name, int64_t created_us,
                            arka_error *err);
    arka_status (*table)(void *context, const arka_manifest_table *table, arka_error *err);
    arka_status (*field)(void *context, int64_t table_id, const arka_manifest_field *field,
                         arka_error *err);
    arka_status (*file)(void *context, int64_t table_id, const arka_manifest_file *file,
                        arka_error *err);
} arka_manifest_reader;
ARKA_MUST_USE arka_status arka_manifest_read(arka_manifest *manifest,
                                             const arka_manifest_reader *reader, arka_error *err);

ARKA_MUST_USE arka_status arka_manifest_add_database(arka_manifest *manifest, arka_slice name,
                                                     int64_t now_us, int64_t *out_id,
                                                     arka_error *err);
/** A table with its first schema (each field's since_version is 1). out_uuid: NUL-terminated. */
ARKA_MUST_USE arka_status arka_manifest_add_table(arka_manifest *manifest, int64_t database_id,
                                                  arka_slice name, int64_t now_us,
                                                  const arka_manifest_field *fields, int n_fields,
                                                  int64_t *out_id,
                                                  char out_uuid[ARKA_UUID_TEXT + 1],
                                                  arka_error *err);
/** New fields, and new forms of old ones, of one schema version. */
ARKA_MUST_USE arka_status arka_manifest_add_fields(arka_manifest *manifest, int64_t table_id,
                                                   const arka_manifest_field *fields, int n_fields,
                                                   arka_error *err);
/** What one flush brings for one table. */
typedef struct arka_manifest_flush {
    int64_t table_id;
    uint64_t lsn_first;   /* of its rows */
    uint64_t flushed_lsn; /* the table's, from now on; one below what it has changes nothing. Above
                           * INT64_MAX: ARKA_LIMIT */
    const arka_manifest_file *files;
    size_t n_files;
} arka_manifest_flush;
/** The same with the UUID that the table has elsewhere; an empty one: a new one. */
ARKA_MUST_USE arka_status arka_manifest_add_known_table(
    arka_manifest *manifest, int64_t database_id, arka_slice name, int64_t now_us,
    const arka_manifest_field *fields, int n_fields, arka_slice uuid, int64_t *out_id,
    char out_uuid[ARKA_UUID_TEXT + 1], arka_error *err);
/**
 * All of them in one transaction. Where writing the commit failed, power loss before the next
 * commit that succeeds may yet bring it about: until then the files must stay.
 */
ARKA_MUST_USE arka_status arka_manifest_commit_flushes(arka_manifest *manifest,
                                                       const arka_manifest_flush *flushes, size_t n,
                                                       arka_error *err);
/**
 * The table's flushes with rows from that LSN on never were: their files go, and its flushed_lsn is
 * below it. For the start, when files are missing that the log can make again.
 */
ARKA_MUST_USE arka_status arka_manifest_undo_flushes(arka_manifest *manifest, int64_t table_id,
                                                     uint64_t lsn_first, arka_error *err);
/** Is the file in? For the one who does not know whether a commit that failed took place. */
ARKA_MUST_USE arka_status arka_manifest_has_file(arka_manifest *manifest, arka_slice path,
                                                 bool *out, arka_error *err);

/* ---- dropping: manifest_drop.c ---- */

/** What goes in one transaction. */
typedef struct arka_manifest_drop {
    const int64_t *table_ids;
    size_t n_tables;
    int64_t database_id;     /* without tables afterwards; 0: it stays */
    const arka_slice *paths; /* of files that it does not have and that must go as well */
    size_t n_paths;
    int64_t now_us;
} arka_manifest_drop;
/**
 * The tables are gone: their UUIDs are remembered as dropped, so that a replay of the log passes
 * their rows over, and the paths of their files as doomed, until those are removed.
 */
ARKA_MUST_USE arka_status arka_manifest_drop_tables(arka_manifest *manifest,
                                                    const arka_manifest_drop *drop,
                                                    arka_error *err);

typedef arka_status (*arka_manifest_each_text)(void *context, arka_slice text, arka_error *err);
/** The UUIDs of dropped tables; the paths of doomed files. The slice lives for the call, in which
 * the manifest must not be used. Stops at a failure. */
ARKA_MUST_USE arka_status arka_manifest_each_dropped(arka_manifest *manifest,
                                                     arka_manifest_each_text each, void *context,
                                                     arka_error *err);
ARKA_MUST_USE arka_status arka_manifest_each_doomed(arka_manifest *manifest,
                                                    arka_manifest_each_text each, void *context,
                                                    arka_error *err);
/** The log has no row of these tables any more; these files are removed. One transaction. */
ARKA_MUST_USE arka_status arka_manifest_forget_dropped(arka_manifest *manifest,
                                                       const arka_slice *uuids, size_t n,
                                                       arka_error *err);
ARKA_MUST_USE arka_status arka_manifest_forget_doomed(arka_manifest *manifest,
                                                      const arka_slice *paths, size_t n,
                                                      arka_error *err);

/* ---- small facts by name ---- */

/** *out stays as it is when the name has no value. */
ARKA_MUST_USE arka_status arka_manifest_get_number(arka_manifest *manifest, const char *name,
                                                   uint64_t *out, arka_error *err);
ARKA_MUST_USE arka_status arka_manifest_set_number(arka_manifest *manifest, const char *name,
                                                   uint64_t value, arka_error *err);

/* ---- requests that were stored and may be repeated, once the log has let go of them ---- */

typedef struct arka_manifest_request {
    arka_slice database, key;
    uint64_t lsn;      /* the last of its rows */
    int64_t stored_us; /* wall clock */
    arka_slice answer; /* as it was given */
} arka_manifest_request;
/** In one transaction. One that is there already stays, unless the new one has a higher LSN: then
 * the old one's window had passed. */
ARKA_MUST_USE arka_status arka_manifest_add_requests(arka_manifest *manifest,
                                                     const arka_manifest_request *requests,
                                                     size_t n, arka_error *err);
/** Every one, the oldest first; slices live for the call. Stops at a failure. At the start only. */
ARKA_MUST_USE arka_status arka_manifest_each_request(
    arka_manifest *manifest,
    arka_status (*each)(void *context, const arka_manifest_request *request, arka_error *err),
    void *context, arka_error *err);
/** Those stored before that instant go. */
ARKA_MUST_USE arka_status arka_manifest_drop_requests(arka_manifest *manifest, int64_t before_us,
                                                      arka_error *err);

#endif
