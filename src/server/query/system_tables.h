/** The system tables of database _arc (docs/sql.md). Private to server/. */
#ifndef ARKA_SERVER_QUERY_SYSTEM_TABLES_H
#define ARKA_SERVER_QUERY_SYSTEM_TABLES_H

#include "sql/system.h"

/** For arka_sql_options; their context is the server. */
extern const arka_system_table arka_system_tables[];
extern const size_t arka_n_system_tables;

#endif
