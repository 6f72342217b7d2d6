/*
 * Opening the log: what is in no file yet becomes hot again, by the same steps as a live write, and
 * numbers go on above all that were ever given out.
 */
#include "base/map.h"
#include "columnar/tail.h"
#include "engine/commit.h"
#include "os/failpoint.h"

/*
 * After an end that was not clean, rows that nobody was promised may have had numbers that no trace
 * is left of: those of a second without a sync, or all that were hot where there is no log. At ten
 * million rows a second that is far less than this.
 */
static const uint64_t JUMP = UINT64_C(1) << 32;

/* Facts of the manifest: see docs/formats/manifest.md. */
#define CLEAN_NEXT_LSN "clean_next_lsn"

enum { GIVE_UP_MS = 60000 };

/* Whose rows the log may still have. */
typedef struct dropped_table {
    char uuid[ARKA_UUID_TEXT + 1];
    bool seen; /* it has */
} dropped_table;

typedef struct replay {
    arka_engine *engine;
    ARKA_VEC(dropped_table *) dropped_tables;
    arka_map dropped; /* the same by UUID */
    int64_t rows, strangers, done_bytes, total_bytes;
    arka_mono started;
} replay;

/* ---- one record ---- */

static bool replay_progress(void *context, int64_t done_bytes, int64_t total_bytes)
{
    replay *p = context;
    const arka_engine_options *o = &p->engine->options;
    p->done_bytes = done_bytes;
    p->total_bytes = total_bytes;
    /* the log is read twice, to be verified and to be replayed; what is told is its size */
    return o->on_replay == NULL || o->on_replay(o->context, done_bytes / 2, total_bytes / 2);
}

static bool was_dropped(replay *p, arka_slice table_id)
{
    dropped_table *found = arka_map_get(&p->dropped, table_id);
    if (found != NULL)
        found->seen = true;
    return found != NULL;
}

/* The table of the record's name, NULL: there is none; `dropped`: it is not the one that the rows
 * belonged to, but another that was made since. */
static arka_status find_home(replay *p, const arka_wal_record *record, arka_database **db,
                             arka_table **out, bool *dropped, arka_error *err)
{
    arka_engine *e = p->engine;
    *out = NULL;
    *dropped = false;
    ARKA_TRY(arka_engine__database(e, record->database, db, err));
    *out = arka_registry_table(e->registry, *db, record->table);
    *dropped =
        *out != NULL && !arka_slice_eq(arka_slice_of(arka_table_uuid(*out)), record->table_id);
    return ARKA_OK;
}

/* Flushing goes on meanwhile: wait until it has made room, so that a log of any length fits. */
static arka_status wait_for_room(replay *p, arka_error *err)
{
    arka_engine *e = p->engine;
    int64_t least = INT64_MAX;
    arka_mono since = arka_mono_now();
    while (arka_gate_zone(&e->gate) == ARKA_ZONE_RED) {
        int64_t used = arka_gate_used(&e->gate);
        if (used < least) {
            least = used;
            since = arka_mono_now();
        }
        if (arka_mono_since_ms(since) > GIVE_UP_MS)
            return arka_fail(err, ARKA_BUSY,
                             "the rows of the log fill the memory that rows may have, and in %d s "
                             "nothing of it could be written to files",
                             GIVE_UP_MS / 1000);
        if (!replay_progress(p, p->done_bytes, p->total_bytes))
            return arka_fail(err, ARKA_CANCELLED, "the replay of the log was broken off");
        arka_engine__want_flush(e);
        arka_mutex_lock(&e->flush_lock);
        arka_cond_wait(&e->flush_done, &e->flush_lock, arka_mono_after_ms(20));
        arka_mutex_unlock(&e->flush_lock);
    }
    return ARKA_OK;
}

static arka_status replay_rows(replay *p, const arka_wal_record *record, arka_database *db,
                               uint64_t flushed_lsn, arka_error *err)
{
    arka_engine *e = p->engine;
    ARKA_AUTO(arka_batch) batch = NULL;
    arka_table *table;
    arka_admitted admitted;
    uint64_t first = record->lsn_first;
    ARKA_TRY(wait_for_room(p, err));
    ARKA_TRY(arka_wal_record_batch(record, &batch, err));
    if (first <= flushed_lsn) {
        arka_batch *rest;
        ARKA_TRY(arka_batch_tail(batch, (int64_t)(flushed_lsn + 1 - first), &rest, err));
        arka_batch_unref(batch);
        batch = rest;
        first = flushed_lsn + 1;
    }
    ARKA_TRY(
        arka_engine__admit(e, db, record->table, batch, record->table_id, &table, &admitted, err));
    int64_t n_rows = admitted.batch->n_rows;
    arka_gate_adjust(&e->gate, (int64_t)admitted.batch->memory_bytes);
    ARKA_COUNT(e, hot_rows, n_rows);
    p->rows += n_rows;
    if (arka_table_append(table, &admitted, first))
        arka_gate_adjust(&e->gate, -arka_table_coalesce(table));
    return ARKA_OK;
}

static arka_status replay_record(void *context, const arka_wal_record *record, arka_error *err)
{
    replay *p = context;
    arka_database *db;
    arka_table *table;
    bool dropped;
    if (record->requests.len > 0 && arka_requests_replay(p->engine->requests, record->requests,
                                                         record->ts_us, err) != ARKA_OK) {
        arka_error_prefix(err, "%s, record at byte %lld: ", record->segment,
                          (long long)record->offset);
        return err != NULL ? err->code : ARKA_CORRUPT;
    }
    if (record->kind == ARKA_WAL_CONTROL || was_dropped(p, record->table_id))
        return ARKA_OK;
    ARKA_TRY(find_home(p, record, &db, &table, &dropped, err));
    if (dropped) {
        p->strangers++;
        return ARKA_OK;
    }
    arka_table_gauges g = {0};
    if (table != NULL)
        arka_table_get_gauges(table, &g);
    if (record->lsn_last <= g.flushed_lsn)
        return ARKA_OK;
    return replay_rows(p, record, db, g.flushed_lsn, err);
}

/* ---- all of it ---- */

static void pass_on_event(void *context, int level, const char *name, const char *text)
{
    arka_engine__event(context, level, name, "%s", text);
}

arka_status arka_engine__open_log(arka_engine *e, const char *wal_dir, arka_error *err)
{
    arka_wal_options o;
    if (wal_dir == NULL)
        return ARKA_OK;
    arka_wal_options_default(&o);
    o.dir = wal_dir;
    o.os = e->options.os;
    o.sync_mode = e->options.wal_sync_mode;
    o.codec = e->options.wal_codec;
    o.segment_bytes = e->options.wal_segment_bytes;
    /* Only closed segments can go: the one that is written to must not be all that is allowed. */
    if (e->options.wal_max_bytes > 0 && o.segment_bytes > e->options.wal_max_bytes / 4)
        o.segment_bytes = e->options.wal_max_bytes / 4;
    o.segment_age_ms = e->options.wal_segment_age_ms;
    o.quarantine = e->options.wal_quarantine;
    o.on_event = pass_on_event;
    o.context = e;
    return arka_wal_open(&o, &e->wal, err);
}

/* ---- tables that were dropped ---- */

static arka_status add_dropped(void *context, arka_slice uuid, arka_error *err)
{
    replay *p = context;
    dropped_table *table = arka_calloc(1, sizeof *table);
    if (table == NULL || uuid.len != ARKA_UUID_TEXT || !arka_vec_push(&p->dropped_tables, table)) {
        arka_free(table);
        return uuid.len != ARKA_UUID_TEXT
                   ? arka_fail(err, ARKA_CORRUPT, "a dropped table's UUID has %zu characters",
                               uuid.len)
                   : arka_fail_nomem(err, "dropped tables", sizeof *table);
    }
    memcpy(table->uuid, uuid.data, ARKA_UUID_TEXT);
    return arka_map_put(&p->dropped, arka_slice_of(table->uuid), table)
               ? ARKA_OK
               : arka_fail_nomem(err, "dropped tables", sizeof *table);
}

/* The log was read to its end: of those that it did not name no row can come any more. */
static arka_status forget_unseen(replay *p, arka_error *err)
{
    size_t n = 0;
    arka_slice *uuids = arka_calloc(p->dropped_tables.n + 1, sizeof *uuids);
    if (uuids == NULL)
        return arka_fail_nomem(err, "dropped tables", p->dropped_tables.n * sizeof *uuids);
    for (size_t i = 0; i < p->dropped_tables.n; i++)
        if (!p->dropped_tables.items[i]->seen)
            uuids[n++] = arka_slice_of(p->dropped_tables.items[i]->uuid);
    arka_status status =
        n == 0 ? ARKA_OK : arka_manifest_forget_dropped(p->engine->manifest, uuids, n, err);
    arka_free(uuids);
    return status;
}

static void replay_fini(replay *p)
{
    for (size_t i = 0; i < p->dropped_tables.n; i++)
        arka_free(p->dropped_tables.items[i]);
    arka_vec_fini(&p->dropped_tables);
    arka_map_fini(&p->dropped);
}

static arka_status replay_log(arka_engine *e, arka_wal_recovered *found, arka_error *err)
{
    ARKA_AUTO_VALUE(replay) p = {.engine = e, .started = arka_mono_now()};
    arka_wal_reader reader = {&p, replay_record, replay_progress};
    ARKA_TRY(arka_manifest_each_dropped(e->manifest, add_dropped, &p, err));
    ARKA_TRY(arka_wal_recover(e->wal, &reader, found, err));
    ARKA_TRY(forget_unseen(&p, err));
    e->replay = (arka_replay_info){
        .n_segments = found->n_segments,
        .n_bytes = found->n_bytes,
        .n_records = found->n_records,
        .n_rows = found->n_rows,
        .replayed_rows = p.rows,
        .torn_bytes = found->torn_bytes,
        .n_quarantined = found->n_quarantined,
        .ms = (int64_t)arka_mono_since_ms(p.started),
        .finished_us = arka_wall_us(),
        .last_lsn = found->last_lsn,
    };
    if (p.strangers > 0)
        arka_engine__event(e, ARKA_EVENT_WARN, "replay",
                           "%lld records of the log belong to tables that are gone",
                           (long long)p.strangers);
    if (found->n_records > 0)
        arka_engine__event(e, ARKA_EVENT_INFO, "replay",
                           "%lld rows in %lld segments of the log, %lld of them in no file yet: in "
                           "memory again after %lld ms",
                           (long long)found->n_rows, (long long)found->n_segments,
                           (long long)p.rows, (long long)e->replay.ms);
    return ARKA_OK;
}

static arka_status highest_flushed(arka_engine *e, uint64_t *out, arka_error *err)
{
    arka_table_list tables = {0};
    ARKA_TRY(arka_registry_all_tables(e->registry, &tables, err));
    for (size_t i = 0; i < tables.n; i++) {
        arka_table_gauges g;
        arka_table_get_gauges(tables.items[i], &g);
        if (g.flushed_lsn > *out)
            *out = g.flushed_lsn;
    }
    arka_vec_fini(&tables);
    return ARKA_OK;
}

static uint64_t max(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* Where numbers go on, and whose turn it is. `last`: the highest of which there is a trace. */
static arka_status choose_numbers(arka_engine *e, const arka_wal_recovered *found, uint64_t *next,
                                  arka_error *err)
{
    uint64_t last = found->max_lsn, epoch = 0, clean_next = 0, dropped = 0;
    ARKA_TRY(highest_flushed(e, &last, err));
    ARKA_TRY(arka_manifest_get_number(e->manifest, ARKA_DROPPED_LSN, &dropped, err));
    last = max(last, dropped);
    ARKA_TRY(arka_manifest_get_number(e->manifest, "epoch", &epoch, err));
    ARKA_TRY(arka_manifest_get_number(e->manifest, CLEAN_NEXT_LSN, &clean_next, err));
    bool first = epoch == 0 && found->max_epoch == 0 && last == 0;
    if (first)
        *next = 1;
    else
        *next = clean_next > last ? clean_next : (last / JUMP + 1) * JUMP;
    e->epoch = max(epoch, found->max_epoch) + 1;
    if (e->wal != NULL)
        arka_engine__compare_checkpoint(e, max(last, clean_next > 0 ? clean_next - 1 : 0));
    /* before anything is numbered: from now on only a clean stop says where it ended */
    ARKA_TRY(arka_manifest_set_number(e->manifest, CLEAN_NEXT_LSN, 0, err));
    return arka_manifest_set_number(e->manifest, "epoch", e->epoch, err);
}

arka_status arka_engine__recover(arka_engine *engine, arka_error *err)
{
    arka_wal_recovered found = {0};
    uint64_t next;
    ARKA_TRY(arka_requests_new(engine->options.request_window_ms, &engine->requests, err));
    ARKA_TRY(arka_requests_load(engine->requests, engine->manifest, arka_wall_us(), err));
    if (engine->wal != NULL)
        ARKA_TRY(replay_log(engine, &found, err));
    ARKA_FAILPOINT("recover_replayed");
    ARKA_TRY(choose_numbers(engine, &found, &next, err));
    arka_mutex_lock(&engine->publish);
    engine->assigned = next - 1;
    arka_engine__set_visible(engine, next - 1);
    arka_mutex_unlock(&engine->publish);
    atomic_store(&engine->answered, next - 1);
    ARKA_FAILPOINT("recover_numbered");
    return engine->wal ? arka_wal_begin(engine->wal, next, engine->epoch, err) : ARKA_OK;
}

arka_status arka_engine__end_log(arka_engine *engine, arka_error *err)
{
    arka_status status = arka_wal_close(arka_take(engine->wal), err);
    if (!engine->opened)
        return status;
    if (status == ARKA_OK)
        arka_engine__write_checkpoint(engine, true);
    arka_status noted =
        arka_manifest_set_number(engine->manifest, CLEAN_NEXT_LSN, engine->assigned + 1, err);
    return status != ARKA_OK ? status : noted;
}
