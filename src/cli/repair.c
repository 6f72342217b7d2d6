/* arc repair: damage to the log is set aside, so that a server can start over the rest. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/args.h"
#include "cli/verbs.h"
#include "cli/wal_dir.h"
#include "wal/inspect.h"

enum { N_OPTIONS = 3 };

typedef struct repair_options {
    const char *config, *data;
    bool yes;
} repair_options;

static void list_options(repair_options *o, arka_option options[N_OPTIONS])
{
    const arka_option list[N_OPTIONS] = {
        {"--config", "FILE", "settings of the server (or ARC_CONFIG_FILE)", &o->config, NULL},
        {"--data", "DIR", "its data directory, if DIR is not given (or ARC_DATA)", &o->data, NULL},
        {"--yes", NULL, "do it; without it only show what is damaged", NULL, &o->yes},
    };
    *o = (repair_options){0};
    memcpy(options, list, sizeof list);
}

int arka_repair_option_list(int sub, arka_option out[ARKA_VERB_OPTIONS])
{
    repair_options o;
    list_options(&o, out);
    return N_OPTIONS;
}

void arka_repair_help(FILE *out)
{
    repair_options o;
    arka_option options[N_OPTIONS];
    list_options(&o, options);
    fputs("arc repair: set damaged parts of the log aside. The server must be stopped.\n\n"
          "Usage: arc repair [options] [DIR]      DIR is the log's directory\n\n",
          out);
    arka_args_help(options, N_OPTIONS, out);
    fputs("\n"
          "A server does not start over a log whose synced bytes are damaged: rows would be "
          "missing.\n"
          "A repair keeps those bytes in {DIR}/quarantine, saves what is valid behind them, and "
          "lets\n"
          "the server start without the rest. Exit code 3: there is damage, and --yes was not "
          "given.\n",
          out);
}

static int fail(int code, const arka_error *err)
{
    fprintf(stderr, "arc repair: %s\n", err->msg);
    return code;
}

static arka_status show_damage(void *context, const arka_wal_inspected *s, arka_error *err)
{
    if (s->damaged && s->n_bytes > 0)
        printf("%s: byte %" PRId64 " of %" PRId64 ": %s; %" PRId64 " records before it are sound\n",
               s->name, s->damaged_at, s->n_bytes, s->damage, s->n_records);
    return ARKA_OK;
}

/* Records behind damage, whose heads are known. */
static arka_status count_saved(void *context, const arka_wal_record *r, bool counts,
                               arka_error *err)
{
    int64_t *rows = context;
    *rows += counts ? 0 : r->n_rows;
    return ARKA_OK;
}

static int run_show(const char *dir, arka_error *err)
{
    int64_t saved = 0;
    arka_wal_visitor visitor = {.context = &saved, .segment = show_damage, .record = count_saved};
    arka_wal_verdict v;
    if (arka_wal_inspect(dir, NULL, &visitor, &v, err) != ARKA_OK)
        return fail(ARKA_EXIT_FAILED, err);
    if (v.state != ARKA_WAL_CORRUPT) {
        printf("%s: nothing to repair%s\n", dir,
               v.state == ARKA_WAL_TORN ? "; its end was never synced, the next start cuts it"
                                        : "");
        return ARKA_EXIT_OK;
    }
    printf("%s\n%" PRId64 " rows behind the damage can be read.\n"
           "'arc repair --yes' saves them, and keeps the damaged bytes in %s/quarantine\n",
           v.text, saved, dir);
    return ARKA_EXIT_DAMAGED;
}

static void show_done(void *context, const char *text)
{
    int *n = context;
    ++*n;
    printf("%s\n", text);
}

static int run_repair(const char *dir, arka_error *err)
{
    int n = 0;
    if (arka_wal_repair(dir, show_done, &n, err) != ARKA_OK)
        return fail(ARKA_EXIT_FAILED, err);
    printf("%s: %s\n", dir, n == 0 ? "nothing to repair" : "repaired");
    return ARKA_EXIT_OK;
}

int arka_repair_main(int argc, char **argv)
{
    arka_error err = {0};
    repair_options o;
    arka_option options[N_OPTIONS];
    const char *named[1];
    int n_named;
    list_options(&o, options);
    if (arka_args_parse(options, N_OPTIONS, argc, argv, named, 1, &n_named, &err) != ARKA_OK)
        return fail(ARKA_EXIT_USAGE, &err);
    arka_wal_dir dir;
    int code = arka_wal_dir_find(n_named > 0 ? named[0] : NULL, o.config, o.data, &dir, &err);
    if (code != ARKA_EXIT_OK)
        code = fail(code, &err);
    else
        code = o.yes ? run_repair(dir.path, &err) : run_show(dir.path, &err);
    arka_wal_dir_fini(&dir);
    return code;
}
