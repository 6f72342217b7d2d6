/**
 * How large a statement becomes while DuckDB binds and plans it. A short text can stand for a plan
 * without an end: macros repeat their arguments, stars and structs double what is below them, CTEs
 * are put in where they are named, lambdas are bound once for each around them. DuckDB has no limit
 * for any of it, does not count the memory, and looks for no interrupt meanwhile, so that one such
 * statement holds a thread for ever. Private to sql/.
 */
#ifndef ARKA_SQL_GROWTH_H
#define ARKA_SQL_GROWTH_H

#include "sql/complaint.h"
#include "sql/tree.h"

/**
 * What DuckDB's parser itself multiplies, before there is a tree: CASE x WHEN …, whose x it copies
 * into each WHEN. ARKA_INPUT when such an x contains another one.
 */
ARKA_MUST_USE arka_status arka_growth_check_text(const arka_text *text, arka_error *err);

/** ARKA_INPUT when DuckDB would make too much of the statement. */
ARKA_MUST_USE arka_status arka_growth_check(const arka_tree *node, arka_error *err);

#endif
