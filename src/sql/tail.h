/**
 * The latest rows: SELECT columns, and what is made of each row alone, FROM t [WHERE time …] ORDER
 * BY time DESC LIMIT n. The counts and
 * time ranges of files and hot batches tell how far back n rows reach, so that everything older is
 * left out. The same for the first rows, ORDER BY time LIMIT n. Private to sql/.
 */
#ifndef ARKA_SQL_TAIL_H
#define ARKA_SQL_TAIL_H

#include "sql/range.h"
#include "table/snapshot.h"

typedef struct arka_tail {
    bool newest_first; /* ORDER BY time DESC, whatever else there is: the better order of reading */
    bool last;         /* the latest rows; else the first */
    int64_t n_rows;    /* with those of OFFSET; 0: the SELECT is not of this form */
} arka_tail;

/**
 * What a SELECT_NODE wants of the table in its FROM clause. Where n_rows is not 0 its WHERE must
 * still be shown to be about time alone (arka_range.whole).
 */
arka_tail arka_tail_of(const arka_tree *select, const arka_range_table *table);

/**
 * Moves *min up (or *max down, for the first rows) to where n_rows rows are sure to be. Only rows
 * within [sure_min, sure_max] count: they pass the WHERE clause for certain. Without memory, or
 * without enough rows, nothing moves.
 */
void arka_tail_narrow(const arka_tail *tail, const arka_snapshot *snapshot, int64_t sure_min,
                      int64_t sure_max, int64_t *min, int64_t *max);

#endif
