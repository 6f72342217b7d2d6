/** The walk over DuckDB's parse tree: refuses, and collects tables. Private to inspect.c. */
#ifndef ARKA_SQL_WALK_H
#define ARKA_SQL_WALK_H

#include "sql/inspect.h"
#include "sql/tree.h"

/**
 * Walk all of `node` and fill inspection->uses. `offset`: bytes of the text in front of what was
 * parsed. ARKA_FORBIDDEN for whatever is not on a list of the allowed.
 */
ARKA_MUST_USE arka_status arka_walk(arka_inspection *inspection, duckdb_connection connection,
                                    size_t offset, const arka_tree *node, arka_error *err);

#endif
