#include "table/registry.h"

#include <stdlib.h>
#include <strings.h>

#include "base/map.h"
#include "os/thread.h"

enum { MAX_KEY = 256 };

struct arka_database {
    int64_t id, created_us;
    char *name;
    int64_t n_tables;
    arka_map tables; /* folded name → arka_table */
};

struct arka_registry {
    arka_mutex lock;    /* REGISTRY */
    arka_map databases; /* folded name → arka_database */
    arka_table_list all;
    arka_table_list removed; /* tables and databases that nobody finds any more, but may hold */
    arka_database_list removed_databases;
    arka_kept *kept;
};

arka_status arka_registry_new(arka_registry **out, arka_error *err)
{
    arka_registry *registry = arka_calloc(1, sizeof *registry);
    if (registry == NULL)
        return arka_fail_nomem(err, "the registry", sizeof *registry);
    arka_mutex_init(&registry->lock, ARKA_LOCK_REGISTRY);
    arka_status status = arka_kept_new(&registry->kept, err);
    if (status == ARKA_OK)
        *out = registry;
    else
        arka_registry_free(registry);
    return status;
}

void arka_database_free(arka_database *database)
{
    if (database == NULL)
        return;
    size_t at = 0;
    for (const arka_map_entry *e; (e = arka_map_next(&database->tables, &at)) != NULL;)
        arka_table_free(e->value);
    arka_map_fini(&database->tables);
    arka_free(database->name);
    arka_free(database);
}

void arka_registry_free(arka_registry *registry)
{
    if (registry == NULL)
        return;
    size_t at = 0;
    for (const arka_map_entry *e; (e = arka_map_next(&registry->databases, &at)) != NULL;)
        arka_database_free(e->value);
    for (size_t i = 0; i < registry->removed.n; i++)
        arka_table_free(registry->removed.items[i]);
    for (size_t i = 0; i < registry->removed_databases.n; i++)
        arka_database_free(registry->removed_databases.items[i]);
    arka_map_fini(&registry->databases);
    arka_vec_fini(&registry->all);
    arka_vec_fini(&registry->removed);
    arka_vec_fini(&registry->removed_databases);
    arka_kept_unref(registry->kept);
    arka_mutex_fini(&registry->lock);
    arka_free(registry);
}

const arka_kept *arka_registry_kept(const arka_registry *registry)
{
    return registry->kept;
}

int64_t arka_database_id(const arka_database *database)
{
    return database->id;
}

const char *arka_database_name(const arka_database *database)
{
    return database->name;
}

int64_t arka_database_created_us(const arka_database *database)
{
    return database->created_us;
}

/* Empty when the name is longer than any that exists. */
static arka_slice fold(arka_slice name, char key[MAX_KEY])
{
    if (name.len > MAX_KEY)
        return (arka_slice){key, 0};
    arka_name_fold(name, key);
    return (arka_slice){key, name.len};
}

arka_database *arka_registry_database(arka_registry *registry, arka_slice name)
{
    char key[MAX_KEY];
    arka_slice folded = fold(name, key);
    arka_mutex_lock(&registry->lock);
    arka_database *database = arka_map_get(&registry->databases, folded);
    arka_mutex_unlock(&registry->lock);
    return database;
}

arka_table *arka_registry_table(arka_registry *registry, const arka_database *database,
                                arka_slice name)
{
    char key[MAX_KEY];
    arka_slice folded = fold(name, key);
    arka_mutex_lock(&registry->lock);
    arka_table *table = arka_map_get(&database->tables, folded);
    arka_mutex_unlock(&registry->lock);
    return table;
}

arka_status arka_registry_make_database(arka_registry *registry, arka_slice name,
                                        arka_database **out, arka_error *err)
{
    ARKA_AUTO(arka_database) database = arka_calloc(1, sizeof *database);
    if (database == NULL || (database->name = arka_strndup(name.data, name.len)) == NULL)
        return arka_fail_nomem(err, "a database", sizeof *database);
    char key[MAX_KEY];
    arka_slice folded = fold(name, key);
    arka_mutex_lock(&registry->lock);
    bool ok = arka_map_reserve(&registry->databases, folded);
    arka_mutex_unlock(&registry->lock);
    if (!ok)
        return arka_fail_nomem(err, "a database", name.len);
    *out = arka_take(database);
    return ARKA_OK;
}

void arka_registry_add_database(arka_registry *registry, arka_database *take_database, int64_t id,
                                int64_t created_us)
{
    take_database->id = id;
    take_database->created_us = created_us;
    char key[MAX_KEY];
    arka_slice folded = fold(arka_slice_of(take_database->name), key);
    arka_mutex_lock(&registry->lock);
    bool ok = arka_map_put(&registry->databases, folded, take_database);
    arka_mutex_unlock(&registry->lock);
    ARKA_CHECK(ok, "the name was reserved");
}

arka_status arka_registry_reserve_table(arka_registry *registry, arka_database *database,
                                        arka_slice name, arka_error *err)
{
    char key[MAX_KEY];
    arka_slice folded = fold(name, key);
    arka_mutex_lock(&registry->lock);
    bool ok = arka_map_reserve(&database->tables, folded) && arka_vec_reserve(&registry->all, 1);
    arka_mutex_unlock(&registry->lock);
    return ok ? ARKA_OK : arka_fail_nomem(err, "a table", name.len);
}

void arka_registry_add_table(arka_registry *registry, arka_database *database,
                             arka_table *take_table)
{
    char key[MAX_KEY];
    arka_slice folded = fold(arka_slice_of(arka_table_name(take_table)), key);
    arka_table_count_kept(take_table, registry->kept);
    arka_mutex_lock(&registry->lock);
    bool ok = arka_map_put(&database->tables, folded, take_table) &&
              arka_vec_push(&registry->all, take_table);
    database->n_tables++;
    arka_mutex_unlock(&registry->lock);
    ARKA_CHECK(ok, "the name was reserved");
}

arka_status arka_registry_reserve_removal(arka_registry *registry, size_t n_tables, arka_error *err)
{
    arka_mutex_lock(&registry->lock);
    bool ok = arka_vec_reserve(&registry->removed, n_tables) &&
              arka_vec_reserve(&registry->removed_databases, 1);
    arka_mutex_unlock(&registry->lock);
    return ok ? ARKA_OK
              : arka_fail_nomem(err, "dropping tables", (n_tables + 1) * sizeof(arka_table *));
}

void arka_registry_remove_table(arka_registry *registry, arka_database *database, arka_table *table)
{
    char key[MAX_KEY];
    arka_slice folded = fold(arka_slice_of(arka_table_name(table)), key);
    size_t at = 0;
    arka_mutex_lock(&registry->lock);
    ARKA_CHECK(arka_map_remove(&database->tables, folded) == table, "%s is no table of %s",
               arka_table_name(table), database->name);
    database->n_tables--;
    while (registry->all.items[at] != table)
        at++;
    registry->all.n--;
    memmove(registry->all.items + at, registry->all.items + at + 1,
            (registry->all.n - at) * sizeof *registry->all.items);
    registry->removed.items[registry->removed.n++] = table;
    arka_mutex_unlock(&registry->lock);
}

void arka_registry_remove_database(arka_registry *registry, arka_database *database)
{
    char key[MAX_KEY];
    arka_slice folded = fold(arka_slice_of(database->name), key);
    arka_mutex_lock(&registry->lock);
    ARKA_CHECK(database->n_tables == 0 && arka_map_remove(&registry->databases, folded) == database,
               "database %s has tables, or was removed", database->name);
    registry->removed_databases.items[registry->removed_databases.n++] = database;
    arka_mutex_unlock(&registry->lock);
}

static int by_database_name(const void *a, const void *b)
{
    const arka_database *const *x = a, *const *y = b;
    return strcasecmp((*x)->name, (*y)->name);
}

static int by_table_name(const void *a, const void *b)
{
    arka_table *const *x = a, *const *y = b;
    int order = strcasecmp(arka_table_database(*x), arka_table_database(*y));
    return order != 0 ? order : strcasecmp(arka_table_name(*x), arka_table_name(*y));
}

arka_status arka_registry_databases(arka_registry *registry, arka_database_list *out,
                                    arka_error *err)
{
    size_t at = 0;
    bool ok = true;
    arka_mutex_lock(&registry->lock);
    for (const arka_map_entry *e; ok && (e = arka_map_next(&registry->databases, &at)) != NULL;)
        ok = arka_vec_push(out, e->value);
    arka_mutex_unlock(&registry->lock);
    if (!ok)
        return arka_fail_nomem(err, "a list of databases", out->n * sizeof(void *));
    if (out->n > 1)
        qsort(out->items, out->n, sizeof *out->items, by_database_name);
    return ARKA_OK;
}

static bool push_tables(const arka_database *database, arka_table_list *out)
{
    size_t at = 0;
    bool ok = true;
    for (const arka_map_entry *e; ok && (e = arka_map_next(&database->tables, &at)) != NULL;)
        ok = arka_vec_push(out, e->value);
    return ok;
}

arka_status arka_registry_tables(arka_registry *registry, const arka_database *database,
                                 arka_table_list *out, arka_error *err)
{
    size_t at = 0;
    bool ok = true;
    arka_mutex_lock(&registry->lock);
    if (database != NULL)
        ok = push_tables(database, out);
    else
        for (const arka_map_entry *e; ok && (e = arka_map_next(&registry->databases, &at)) != NULL;)
            ok = push_tables(e->value, out);
    arka_mutex_unlock(&registry->lock);
    if (!ok)
        return arka_fail_nomem(err, "a list of tables", out->n * sizeof(void *));
    if (out->n > 1)
        qsort(out->items, out->n, sizeof *out->items, by_table_name);
    return ARKA_OK;
}

static arka_status copy_list(arka_registry *registry, const arka_table_list *from,
                             arka_table_list *out, arka_error *err)
{
    out->n = 0;
    arka_mutex_lock(&registry->lock);
    bool ok = arka_vec_reserve(out, from->n);
    if (ok && from->n > 0)
        memcpy(out->items, from->items, from->n * sizeof *out->items);
    out->n = ok ? from->n : 0;
    size_t n = from->n;
    arka_mutex_unlock(&registry->lock);
    return ok ? ARKA_OK : arka_fail_nomem(err, "a list of tables", n * sizeof(void *));
}

arka_status arka_registry_all_tables(arka_registry *registry, arka_table_list *out, arka_error *err)
{
    return copy_list(registry, &registry->all, out, err);
}

arka_status arka_registry_removed_tables(arka_registry *registry, arka_table_list *out,
                                         arka_error *err)
{
    return copy_list(registry, &registry->removed, out, err);
}

int64_t arka_registry_n_tables(arka_registry *registry, const arka_database *database)
{
    arka_mutex_lock(&registry->lock);
    int64_t n = database->n_tables;
    arka_mutex_unlock(&registry->lock);
    return n;
}
