/** Does a statement give the same answer from the same rows? Private to sql/. */
#ifndef ARKA_SQL_VOLATILE_H
#define ARKA_SQL_VOLATILE_H

#include "sql/tree.h"

/** Is it in volatile.def? Any case. */
bool arka_name_is_volatile(arka_slice name);
/**
 * Is anything of volatile.def called or named in the statement, or a sample taken? Rather too often
 * than once too seldom: a column that is called like a function counts as well.
 */
bool arka_tree_is_volatile(const arka_tree *node);

#endif
