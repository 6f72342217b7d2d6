/**
 * What a WHERE clause says about the time of a table's rows, as far as it is plain: top-level
 * AND-ed comparisons of the column "time" with constants and with terms of now(). Used to leave out
 * files and hot batches; DuckDB still filters the rows, so a range may be wider than the truth and
 * never narrower. Private to sql/.
 */
#ifndef ARKA_SQL_RANGE_H
#define ARKA_SQL_RANGE_H

#include <duckdb.h>

#include "sql/tree.h"

/** Times, both ends inclusive, µs since 1970 UTC and, in the now_ pair, relative to now. */
typedef struct arka_window {
    int64_t min, max;         /* INT64_MIN, INT64_MAX: open */
    int64_t now_min, now_max; /* likewise */
} arka_window;

#define ARKA_WINDOW_OPEN ((arka_window){INT64_MIN, INT64_MAX, INT64_MIN, INT64_MAX})

typedef struct arka_range {
    arka_window wide; /* no row outside passes */
    arka_window sure; /* every row inside passes, if `whole` */
    bool whole;       /* the clause says nothing that is not in the windows */
    bool named_now;   /* an end comes from current_date and its like, which a column can shadow */
} arka_range;

#define ARKA_RANGE_ALL ((arka_range){ARKA_WINDOW_OPEN, ARKA_WINDOW_OPEN, true, false})

/** How a table reference can be called in the WHERE clause of its SELECT. */
typedef struct arka_range_table {
    arka_slice name;  /* alias, or the table's own name */
    bool unqualified; /* the only table: "time" without a name is its column */
} arka_range_table;

/** Is `expression` the column "time" of the table, under a name that it can have? */
bool arka_range_is_time(const arka_tree *expression, const arka_range_table *table);
/**
 * The range that `where` (DuckDB's parse tree; NULL is fine) puts on a table. Constants other than
 * plain literals are computed by `connection`. What is not understood adds nothing, and the range
 * is not `whole`.
 */
arka_range arka_range_of(duckdb_connection connection, const arka_tree *where,
                         const arka_range_table *table);

/** *min, *max: the window at `now_us`, both ends inclusive. */
void arka_window_at(const arka_window *window, int64_t now_us, int64_t *min, int64_t *max);

#endif
