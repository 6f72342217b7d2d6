/**
 * A group: the requests that are numbered, logged and made visible together. Belongs to the
 * committer's thread. Private to engine/.
 */
#ifndef ARKA_ENGINE_GROUP_H
#define ARKA_ENGINE_GROUP_H

#include "base/vec.h"
#include "engine/engine_priv.h"

/** A batch of a request that was prepared. */
typedef struct arka_pending_batch {
    arka_table *table; /* NULL: it does not fit, or it has become a group's */
    arka_admitted admitted;
    int64_t n_rows;
    uint32_t crc; /* of its body, when `has_crc` */
    bool has_crc;
    bool coalesce; /* its table has grown many small batches */
} arka_pending_batch;

/** One batch in the order of the group. */
typedef struct arka_piece {
    arka_put_request *request;
    arka_pending_batch *pending;
    size_t order; /* of arrival */
} arka_piece;

/** Rows that become one record and one hot batch: a batch, or small ones of several requests. */
typedef struct arka_unit {
    arka_table *table;
    arka_admitted admitted; /* until it is visible */
    arka_admitted held;     /* the same batch and layout, until the group ends */
    arka_durability durability;
    uint64_t lsn_first;
    int64_t n_rows;
    size_t text_at, text_len; /* what the log keeps of its requests, in group.texts */
    bool coalesce;            /* its table has grown many small batches */
} arka_unit;

/** An event for the log: one LSN, before the rows. */
typedef struct arka_control {
    const char *event; /* a literal */
    arka_buf payload;
} arka_control;

typedef struct arka_group {
    arka_engine *engine;
    arka_put_request *requests; /* in order of arrival, linked by `next` */
    ARKA_VEC(arka_control) controls;
    ARKA_VEC(arka_piece) pieces;
    ARKA_VEC(arka_unit) units;
    ARKA_VEC(arka_wal_entry) entries;
    ARKA_VEC(arka_admitted *) alike; /* those that are put together next */
    arka_buf texts;
    int64_t ts_us;
    uint64_t last_lsn;
    bool any_synced; /* a request waits for the sync */
} arka_group;

void arka_group_fini(arka_group *group);

/**
 * Order the batches of group->requests by durability (those that wait least first), then by table,
 * then by arrival; put small ones together; give all of them and the controls their numbers. What
 * is taken from the requests is the group's. ARKA_NOMEM: nothing was taken.
 */
ARKA_MUST_USE arka_status arka_group_build(arka_group *group, arka_error *err);
/** Make the units of that durability visible. */
void arka_group_publish(arka_group *group, arka_durability durability);
/** All were: whoever sees the group's rows sees its controls as well. */
void arka_group_all_visible(arka_group *group);
/** Everything is answered: lets go of all, put small batches together where it pays. */
void arka_group_end(arka_group *group);

#endif
