/**
 * The registry: the databases and their tables, by name (ASCII letters compare without case).
 * A pointer from here stays good until the registry is freed: what is removed is found no more, and
 * kept. Any thread.
 */
#ifndef ARKA_TABLE_REGISTRY_H
#define ARKA_TABLE_REGISTRY_H

#include "base/vec.h"
#include "table/kept.h"
#include "table/table.h"

typedef struct arka_registry arka_registry;
typedef struct arka_database arka_database;

ARKA_MUST_USE arka_status arka_registry_new(arka_registry **out, arka_error *err);
/** Frees its tables too. NULL is fine. */
void arka_registry_free(arka_registry *registry);
ARKA_CLEANUP(arka_registry, arka_registry_free)

/** What readers alone still hold of all its tables. As long as the registry. */
const arka_kept *arka_registry_kept(const arka_registry *registry);

int64_t arka_database_id(const arka_database *database);
const char *arka_database_name(const arka_database *database);
int64_t arka_database_created_us(const arka_database *database);

/** NULL when there is none. */
arka_database *arka_registry_database(arka_registry *registry, arka_slice name);
arka_table *arka_registry_table(arka_registry *registry, const arka_database *database,
                                arka_slice name);

/*
 * Adding has two steps, so that between them the manifest can be changed and nothing fails after:
 * the first allocates, the second makes it seen. The caller serialises additions; the name is free.
 */

ARKA_MUST_USE arka_status arka_registry_make_database(arka_registry *registry, arka_slice name,
                                                      arka_database **out, arka_error *err);
void arka_registry_add_database(arka_registry *registry, arka_database *take_database, int64_t id,
                                int64_t created_us);
/** One that was made and is not added. NULL is fine. */
void arka_database_free(arka_database *database);
ARKA_CLEANUP(arka_database, arka_database_free)

ARKA_MUST_USE arka_status arka_registry_reserve_table(arka_registry *registry,
                                                      arka_database *database, arka_slice name,
                                                      arka_error *err);
/** Its name was reserved. */
void arka_registry_add_table(arka_registry *registry, arka_database *database,
                             arka_table *take_table);

/*
 * Removing likewise: the caller serialises it with additions, and reserves first.
 */

/** Room to remove so many more tables, and a database. ARKA_NOMEM. */
ARKA_MUST_USE arka_status arka_registry_reserve_removal(arka_registry *registry, size_t n_tables,
                                                        arka_error *err);
void arka_registry_remove_table(arka_registry *registry, arka_database *database,
                                arka_table *table);
/** It has no tables any more. */
void arka_registry_remove_database(arka_registry *registry, arka_database *database);

typedef ARKA_VEC(arka_database *) arka_database_list;
typedef ARKA_VEC(arka_table *) arka_table_list;
/** Appended, sorted by name; of every database when `database` is NULL (then by database first). */
ARKA_MUST_USE arka_status arka_registry_databases(arka_registry *registry, arka_database_list *out,
                                                  arka_error *err);
ARKA_MUST_USE arka_status arka_registry_tables(arka_registry *registry,
                                               const arka_database *database, arka_table_list *out,
                                               arka_error *err);
/** All tables in the order they were added, in place of what `out` has: for who looks often. */
ARKA_MUST_USE arka_status arka_registry_all_tables(arka_registry *registry, arka_table_list *out,
                                                   arka_error *err);
/** Those that were removed, in place of what `out` has. */
ARKA_MUST_USE arka_status arka_registry_removed_tables(arka_registry *registry,
                                                       arka_table_list *out, arka_error *err);
int64_t arka_registry_n_tables(arka_registry *registry, const arka_database *database);

#endif
