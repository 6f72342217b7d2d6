/**
 * System tables: tables that are made when a query asks for them, row by row, by a function that
 * knows what the query may see. They stand in the database _arc. The program gives a list of them
 * to arka_sql_open (arka_sql_options.system_tables).
 */
#ifndef ARKA_SQL_SYSTEM_H
#define ARKA_SQL_SYSTEM_H

#include "columnar/types.h"
#include "sql/sql.h"

#define ARKA_SYSTEM_DATABASE "_arc"

typedef struct arka_system_column {
    const char *name;
    arka_type type;
} arka_system_column;

/** Where a provider puts its rows: cell by cell in the order of the columns. */
typedef struct arka_system_rows arka_system_rows;

typedef struct arka_system_table {
    const char *name; /* lower case */
    const arka_system_column *columns;
    int n_columns;
    /**
     * Puts every row that `visibility` allows to see. Runs when the query begins to, on its thread
     * or one of DuckDB's; may take short locks, must not run queries. The context is that of the
     * options.
     */
    arka_status (*put_rows)(void *context, const arka_visibility *visibility,
                            arka_system_rows *rows, arka_error *err);
    /**
     * Without put_rows: a real table of _arc, with rows about other tables, which these two columns
     * name. A query sees only those about tables that it sees; of the others neither a value nor a
     * row reaches anything that the query brings.
     */
    const char *about_database, *about_table;
} arka_system_table;

/*
 * Cells. One that is of no use to the query is dropped; a failure to get memory is found by
 * arka_system_end_row. Text is copied; NULL text is null.
 */
void arka_system_put_null(arka_system_rows *rows);
void arka_system_put_text(arka_system_rows *rows, const char *text);
void arka_system_put_slice(arka_system_rows *rows, arka_slice text);
void arka_system_put_i64(arka_system_rows *rows, int64_t value);
void arka_system_put_f64(arka_system_rows *rows, double value);
void arka_system_put_bool(arka_system_rows *rows, bool value);
/** A TIMESTAMPTZ, µs. */
void arka_system_put_time(arka_system_rows *rows, int64_t us);
/** Behind the last cell of a row. ARKA_NOMEM; ARKA_CANCELLED when the query must end. */
ARKA_MUST_USE arka_status arka_system_end_row(arka_system_rows *rows, arka_error *err);

#endif
