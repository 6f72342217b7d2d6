/** System tables, as sql/ itself uses them. */
#ifndef ARKA_SQL_SYSTEM_PRIV_H
#define ARKA_SQL_SYSTEM_PRIV_H

#include "sql/sql_priv.h"
#include "sql/system.h"

/**
 * What DuckDB's own information_schema is called here: our views of the same names stand in a
 * schema that no database can be called, and inspect.c puts the ':' into the user's text.
 */
#define ARKA_INFORMATION_SUFFIX ":"
#define ARKA_INFORMATION_SCHEMA "information_schema" ARKA_INFORMATION_SUFFIX

/** The system table of that name in _arc, whatever its case; NULL: none. */
const arka_system_table *arka_system_find(const arka_sql *sql, arka_slice database,
                                          arka_slice table);
/** … that is made when asked for. */
static inline bool arka_system_is_made(const arka_sql *sql, arka_slice database, arka_slice table)
{
    const arka_system_table *t = arka_system_find(sql, database, table);
    return t != NULL && t->put_rows != NULL;
}

/** arc_system(schema, name), and arc_sees(database, table). Once per database. */
ARKA_MUST_USE arka_status arka_system_register(arka_instance *instance, arka_error *err);
/** Views over arc_system: those of _arc, and information_schema. */
ARKA_MUST_USE arka_status arka_system_make_views(arka_instance *instance, arka_error *err);

/** For the tables of sql/ itself: whose rows these are. */
arka_sql *arka_system_rows_sql(const arka_system_rows *rows);

/** information.c: tables, columns, schemata. */
extern const arka_system_table arka_information_tables[];
extern const size_t arka_n_information_tables;

#endif
