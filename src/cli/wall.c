#include "cli/wall.h"

#include <limits.h>
#include <stdio.h>
#include <strings.h>
#include <unistd.h>

#include "os/file.h"
#include "os/machine.h"
#include "os/sandbox.h"

enum { MAX_PATHS = 16 };

/* Paths, with the texts of those that are made here. */
typedef struct paths {
    const char *items[MAX_PATHS];
    char made[MAX_PATHS][PATH_MAX];
    int n, n_made;
} paths;

typedef struct places {
    paths own, read;
} places;

static void add(paths *p, const char *path)
{
    ARKA_CHECK(p->n < MAX_PATHS, "more paths than room");
    if (path != NULL && *path != 0)
        p->items[p->n++] = path;
}

static void add_parent(paths *p, const char *path)
{
    char *text = p->made[p->n_made++];
    const char *slash = strrchr(path, '/');
    if (slash == NULL)
        snprintf(text, PATH_MAX, ".");
    else
        snprintf(text, PATH_MAX, "%.*s", slash == path ? 1 : (int)(slash - path), path);
    add(p, text);
}

/* A file that somebody may put another in the place of: with its directory where that is possible.
 */
static void add_replaceable(paths *p, const char *file)
{
    if (file == NULL || *file == 0)
        return;
    add(p, file);
    if (arka_sandbox_dir_of(file, p->made[p->n_made], PATH_MAX))
        add(p, p->made[p->n_made++]);
}

static arka_status own_dir(paths *p, const char *dir, arka_error *err)
{
    ARKA_TRY(arka_dir_make(&arka_os_real, dir, err));
    add(p, dir);
    return ARKA_OK;
}

static arka_status find_own(const arka_settings *s, paths *p, arka_error *err)
{
    ARKA_TRY(own_dir(p, s->data_dir, err));
    ARKA_TRY(own_dir(p, s->base_path, err));
    ARKA_TRY(own_dir(p, s->temp_dir, err));
    ARKA_TRY(arka_dir_make_parent(&arka_os_real, s->db_path, err));
    add_parent(p, s->db_path);
    /* one that is switched off may have segments of an earlier run */
    if (s->wal_enabled)
        ARKA_TRY(own_dir(p, s->wal_dir, err));
    else if (access(s->wal_dir, F_OK) == 0)
        add(p, s->wal_dir);
    return ARKA_OK;
}

static void find_read(const arka_settings *s, const char *config_file, paths *p)
{
    arka_memory_limit limit;
    add_replaceable(p, config_file);
    add_replaceable(p, s->tls_cert_file);
    add_replaceable(p, s->tls_key_file);
    add_replaceable(p, s->tls_client_ca_file);
    arka_memory_limit_get(&limit);
    if (limit.in_cgroup)
        add_parent(p, limit.where);
}

static void tell(const arka_sandbox_report *r, const arka_log *log)
{
    arka_log_write(log, ARKA_INFO, "sandbox", NULL, "on: %s%s%s", *r->on ? r->on : "nothing",
                   *r->off ? "; not on: " : "", r->off);
    if (!r->landlock)
        arka_log_write(log, ARKA_WARN, "sandbox_weak", NULL,
                       "without Landlock the server can open every file that its user can");
    if (r->was_root)
        arka_log_write(log, ARKA_WARN, "runs_as_root", NULL,
                       "a user of its own is safer; without root's capabilities the server opens "
                       "only what belongs to root");
}

static arka_status build(const arka_settings *s, const char *config_file, places *p,
                         const arka_log *log, arka_error *err)
{
    arka_sandbox_report report;
    ARKA_TRY(find_own(s, &p->own, err));
    if (strcasecmp(s->sandbox, "off") == 0) {
        arka_log_write(log, ARKA_WARN, "sandbox", NULL, "off, as server.sandbox asks");
        return ARKA_OK;
    }
    find_read(s, config_file, &p->read);
    arka_sandbox_options o = {.own_dirs = p->own.items,
                              .n_own_dirs = p->own.n,
                              .read_paths = p->read.items,
                              .n_read_paths = p->read.n,
                              .tcp_port = (int)s->port,
                              .required = strcasecmp(s->sandbox, "required") == 0};
    ARKA_TRY(arka_sandbox_apply(&o, &report, err));
    tell(&report, log);
    return ARKA_OK;
}

arka_status arka_wall_build(const arka_settings *settings, const char *config_file,
                            const arka_log *log, arka_error *err)
{
    places *p = arka_calloc(1, sizeof *p);
    if (p == NULL)
        return arka_fail_nomem(err, "the sandbox's paths", sizeof *p);
    arka_status status = build(settings, config_file, p, log, err);
    arka_free(p);
    return status;
}
