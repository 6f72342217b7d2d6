/**
 * A schema as one line of text, in the definition of its view: so a bound view knows which columns
 * it was made for, whatever has happened to the table since. Each column: a digit for the type
 * (arka_type), the length of the name in bytes, ':', the name. Private to sql/.
 */
#ifndef ARKA_SQL_SIGNATURE_H
#define ARKA_SQL_SIGNATURE_H

#include <duckdb.h>

#include "base/buf.h"
#include "table/schema.h"

void arka_signature_write(arka_buf *out, const arka_schema *schema);
/** The next column, and *rest moved behind it; false at the end and for what is no signature. */
bool arka_signature_next(arka_slice *rest, arka_type *out_type, arka_slice *out_name);

/** DuckDB's type of a column; destroy it. */
duckdb_logical_type arka_type_to_duckdb(arka_type type);
/** The SQL name by which read_parquet's `schema` takes it. */
const char *arka_type_sql(arka_type type);

#endif
