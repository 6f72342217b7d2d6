/** Which functions a query may call. Private to sql/. */
#ifndef ARKA_SQL_FUNCTIONS_H
#define ARKA_SQL_FUNCTIONS_H

#include "base/slice.h"

/** Scalar functions, aggregates, window functions and macros: by the list in functions.def. */
bool arka_function_allowed(arka_slice name);
/** In functions.def's other list: known, and refused. */
bool arka_function_denied(arka_slice name);
/** Functions in table position: generate_series, range and unnest. */
bool arka_table_function_allowed(arka_slice name);

#endif
