/* arc token: the store of tokens, directly; a running server sees within 100 ms what was done. */
#include <errno.h>
#include <inttypes.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "auth/auth.h"
#include "auth/expiry.h"
#include "auth/token_json.h"
#include "base/civil.h"
#include "base/number.h"
#include "cli/args.h"
#include "cli/table.h"
#include "cli/verbs.h"
#include "config/layers.h"
#include "os/clock.h"
#include "os/file.h"

enum { N_OPTIONS = 8 };

typedef struct token_options {
    const char *config, *data, *permissions, *scope, *expires_in, *description, *max_priority;
    bool json;
} token_options;

const arka_subverb arka_token_subverbs[] = {
    {"create", "make one; its text goes to standard output"},
    {"list", "all of them"},
    {"show", "one of them"},
    {"rotate", "give one a new text, which goes to standard output"},
    {"revoke", "switch one off; it stays in the list"},
    {"delete", "remove one"},
    {NULL, NULL},
};

/* What was called, and with what. */
typedef struct call {
    const char *verb, *token; /* its name or number */
    token_options options;
    arka_auth *auth;
    int64_t now_us;
} call;

/* The first two are every subverb's, the last too; what stands between belongs to create. */
static int list_options(token_options *o, arka_option out[ARKA_VERB_OPTIONS])
{
    const arka_option list[N_OPTIONS] = {
        {"--config", "FILE", "settings of the server (or ARC_CONFIG_FILE)", &o->config, NULL},
        {"--data", "DIR", "its data directory (or ARC_DATA)", &o->data, NULL},
        {"--permissions", "LIST", "read, write, delete, admin; read,write if absent",
         &o->permissions, NULL},
        {"--scope", "LIST", "databases or database.measurement that it reaches, * for any text",
         &o->scope, NULL},
        {"--expires-in", "TIME", "from now on: 24h, 7d, 1h30m", &o->expires_in, NULL},
        {"--description", "TEXT", "what it is for", &o->description, NULL},
        {"--max-priority", "WORD", "of its queries: low, normal, high, critical", &o->max_priority,
         NULL},
        {"--json", NULL, "print as JSON", NULL, &o->json},
    };
    *o = (token_options){0};
    memcpy(out, list, sizeof list);
    return N_OPTIONS;
}

int arka_token_option_list(int sub, arka_option out[ARKA_VERB_OPTIONS])
{
    token_options o;
    int n = list_options(&o, out);
    if (sub <= 0)
        return n;
    out[2] = out[N_OPTIONS - 1];
    return 3;
}

void arka_token_help(FILE *out)
{
    token_options o;
    arka_option options[ARKA_VERB_OPTIONS];
    int n = list_options(&o, options);
    fputs("arc token: make and manage tokens, beside a running server or without one.\n\n"
          "Usage: arc token create NAME [options]\n"
          "       arc token list [options]\n"
          "       arc token show|rotate|revoke|delete NAME|NUMBER [options]\n\n",
          out);
    arka_args_help(options, n, out);
    fputs(
        "\n"
        "  export ARC_TOKEN=$(arc token create me)\n"
        "  arc token create agent --permissions write --scope 'metrics.*' --expires-in 90d\n"
        "  arc token list\n"
        "  arc token revoke agent\n"
        "\n"
        "create and rotate print the token alone on standard output, and nothing has it "
        "afterwards:\n"
        "only a hash is kept. A running server does at once what was done here. The store is the\n"
        "server's manifest (storage.db_path), found by the same settings as it finds it.\n",
        out);
}

static int fail(const call *c, int code, const arka_error *err)
{
    fprintf(stderr, "arc token %s: %s\n", c->verb, err->msg);
    return code;
}

/* ---- the store ---- */

static arka_status open_at(const char *path, bool make, arka_auth **out, arka_error *err)
{
    struct stat st;
    arka_auth_options options = {.db_path = path, .cache_size = 1};
    if (!make && stat(path, &st) != 0)
        return arka_fail_sys(err, ARKA_IO, errno, "there are no tokens in %s", path);
    ARKA_TRY(arka_dir_make_parent(&arka_os_real, path, err));
    return arka_auth_open(&options, out, err);
}

static int open_store(call *c, arka_error *err)
{
    arka_setting_option given = {ARKA_SETTING_data_dir, "--data", c->options.data};
    arka_setting_layers layers = {
        .file = arka_setting_file(c->options.config, getenv),
        .get = getenv,
        .options = &given,
        .n_options = c->options.data != NULL,
    };
    arka_settings settings;
    bool make = strcmp(c->verb, "create") == 0;
    int code = ARKA_EXIT_OK;
    if (arka_settings_load(&layers, &settings, NULL, err) != ARKA_OK)
        code = ARKA_EXIT_CONFIG;
    else if (open_at(settings.db_path, make, &c->auth, err) != ARKA_OK)
        code = ARKA_EXIT_FAILED;
    arka_settings_fini(&settings);
    return code;
}

/* By name; a number when no token has it as its name. */
static arka_status find(const call *c, int64_t *out_id, arka_error *err)
{
    arka_error why = {0};
    arka_slice name = arka_slice_of(c->token);
    arka_status status = arka_token_find(c->auth, name, out_id, &why);
    if (status == ARKA_NOTFOUND && arka_parse_i64(name.data, name.len, out_id) && *out_id > 0)
        return ARKA_OK;
    if (status != ARKA_OK && err != NULL)
        *err = why;
    return status;
}

/* ---- output ---- */

static arka_status print(arka_buf *text, arka_error *err)
{
    arka_status status = text->failed ? arka_fail_nomem(err, "the output", text->cap) : ARKA_OK;
    if (status == ARKA_OK &&
        (fwrite(text->data, 1, text->len, stdout) != text->len || fflush(stdout) != 0))
        status = arka_fail_sys(err, ARKA_IO, errno, "writing to standard output");
    arka_buf_fini(text);
    return status;
}

static arka_status put_object(void *context, const arka_token_info *info, arka_error *err)
{
    arka_buf *out = context;
    if (out->len > 0 && out->data[out->len - 1] == '}')
        arka_buf_literal(out, ",\n ");
    arka_buf_byte(out, '{');
    arka_token_json_members(out, info);
    arka_buf_byte(out, '}');
    return ARKA_OK;
}

/* The token as JSON; with its text when there is one to tell. */
static arka_status print_object(const call *c, int64_t id, const char *clear, arka_error *err)
{
    arka_buf out = ARKA_BUF_INIT;
    arka_status status = arka_token_get(c->auth, id, put_object, &out, err);
    if (status == ARKA_OK && clear != NULL && !out.failed) {
        out.len--;
        arka_buf_printf(&out, ",\"token\":\"%s\"}", clear);
    }
    arka_buf_byte(&out, '\n');
    if (status == ARKA_OK)
        return print(&out, err);
    arka_buf_fini(&out);
    return status;
}

static arka_status print_secret(const call *c, int64_t id, const char *clear, arka_error *err)
{
    if (c->options.json)
        return print_object(c, id, clear, err);
    arka_buf out = ARKA_BUF_INIT;
    arka_buf_printf(&out, "%s\n", clear);
    ARKA_TRY(print(&out, err));
    fprintf(stderr, "token %" PRId64 " '%s': shown only this once\n", id, c->token);
    return ARKA_OK;
}

/* ---- tables ---- */

static bool put(arka_json_rows *rows, arka_cell_kind kind, arka_slice text)
{
    char *copy = arka_arena_text(&rows->arena, text);
    return copy != NULL && arka_vec_push(&rows->cells, (arka_cell){kind, {copy, text.len}});
}

static bool put_time(arka_json_rows *rows, int64_t us)
{
    char text[ARKA_TIME_TEXT];
    if (us == 0)
        return put(rows, ARKA_CELL_TEXT, ARKA_SLICE("never"));
    return put(rows, ARKA_CELL_TEXT,
               (arka_slice){text, arka_format_time(text, us / 1000000 * 1000000)});
}

static arka_status put_row(void *context, const arka_token_info *info, arka_error *err)
{
    arka_json_rows *rows = context;
    arka_buf rights = ARKA_BUF_INIT;
    char id[ARKA_NUMBER_TEXT];
    arka_rights_text(info->rights, &rights);
    bool ok = !rights.failed &&
              put(rows, ARKA_CELL_NUMBER, (arka_slice){id, arka_format_i64(id, info->id)}) &&
              put(rows, ARKA_CELL_TEXT, arka_slice_of(info->name)) &&
              put(rows, ARKA_CELL_TEXT, (arka_slice){rights.data ? rights.data : "", rights.len}) &&
              put(rows, ARKA_CELL_TEXT, arka_slice_of(*info->scope ? info->scope : "everything")) &&
              put(rows, ARKA_CELL_TEXT, info->enabled ? ARKA_SLICE("yes") : ARKA_SLICE("no")) &&
              put_time(rows, info->created_us) && put_time(rows, info->last_used_us) &&
              put_time(rows, info->expires_us) &&
              put(rows, ARKA_CELL_TEXT, arka_slice_of(info->description));
    arka_buf_fini(&rights);
    rows->n_rows++;
    return ok ? ARKA_OK : arka_fail_nomem(err, "a table", 0);
}

/* One token, or with id 0 all. */
static arka_status fill_table(const call *c, int64_t id, arka_json_rows *rows, arka_error *err)
{
    static const char *const COLUMNS[] = {"id",        "name",    "permissions",
                                          "scope",     "enabled", "created",
                                          "last used", "expires", "description"};
    for (size_t i = 0; i < sizeof COLUMNS / sizeof *COLUMNS; i++)
        if (!arka_vec_push(&rows->columns, arka_slice_of(COLUMNS[i])))
            return arka_fail_nomem(err, "a table", 0);
    return id == 0 ? arka_token_each(c->auth, put_row, rows, err)
                   : arka_token_get(c->auth, id, put_row, rows, err);
}

static arka_status print_table(const call *c, int64_t id, arka_error *err)
{
    arka_json_rows rows = {.execution_ms = -1};
    arka_buf out = ARKA_BUF_INIT;
    arka_status status = fill_table(c, id, &rows, err);
    if (status == ARKA_OK)
        arka_table_print(&rows, &out);
    arka_json_rows_fini(&rows);
    if (status == ARKA_OK)
        return print(&out, err);
    arka_buf_fini(&out);
    return status;
}

/* ---- the subverbs ---- */

static arka_status run_create(call *c, arka_error *err)
{
    const token_options *o = &c->options;
    char clear[ARKA_TOKEN_TEXT];
    int64_t id;
    arka_token_info info = {
        .name = c->token,
        .description = o->description,
        .rights = ARKA_MAY_READ | ARKA_MAY_WRITE,
        .scope = o->scope,
        .max_priority = ARKA_PRIORITY_NORMAL,
        .enabled = true,
    };
    if (o->permissions != NULL)
        ARKA_TRY(arka_rights_parse(arka_slice_of(o->permissions), &info.rights, err));
    if (o->max_priority != NULL)
        ARKA_TRY(arka_priority_parse(arka_slice_of(o->max_priority), &info.max_priority, err));
    ARKA_TRY(arka_expiry_parse((arka_slice){"", 0},
                               arka_slice_of(o->expires_in ? o->expires_in : ""), c->now_us,
                               &info.expires_us, err));
    ARKA_TRY(arka_token_create(c->auth, &info, c->now_us, clear, &id, err));
    arka_status status = print_secret(c, id, clear, err);
    arka_token_wipe(clear);
    return status;
}

static arka_status run_list(call *c, arka_error *err)
{
    if (!c->options.json)
        return print_table(c, 0, err);
    arka_buf out = ARKA_BUF_INIT;
    arka_buf_byte(&out, '[');
    arka_status status = arka_token_each(c->auth, put_object, &out, err);
    arka_buf_literal(&out, "]\n");
    if (status == ARKA_OK)
        return print(&out, err);
    arka_buf_fini(&out);
    return status;
}

static arka_status run_show(call *c, arka_error *err)
{
    int64_t id;
    ARKA_TRY(find(c, &id, err));
    return c->options.json ? print_object(c, id, NULL, err) : print_table(c, id, err);
}

static arka_status run_rotate(call *c, arka_error *err)
{
    char clear[ARKA_TOKEN_TEXT];
    int64_t id;
    ARKA_TRY(find(c, &id, err));
    ARKA_TRY(arka_token_rotate(c->auth, id, clear, err));
    arka_status status = print_secret(c, id, clear, err);
    arka_token_wipe(clear);
    return status;
}

static arka_status run_revoke(call *c, arka_error *err)
{
    static const bool OFF = false;
    arka_token_change change = {.enabled = &OFF};
    int64_t id;
    ARKA_TRY(find(c, &id, err));
    ARKA_TRY(arka_token_update(c->auth, id, &change, c->now_us, err));
    if (c->options.json)
        return print_object(c, id, NULL, err);
    fprintf(stderr, "token %" PRId64 " is revoked\n", id);
    return ARKA_OK;
}

static arka_status run_delete(call *c, arka_error *err)
{
    int64_t id;
    ARKA_TRY(find(c, &id, err));
    ARKA_TRY(arka_token_delete(c->auth, id, c->now_us, err));
    fprintf(stderr, "token %" PRId64 " is deleted\n", id);
    return ARKA_OK;
}

static arka_status (*const RUNS[])(call *c, arka_error *err) = {
    run_create, run_list, run_show, run_rotate, run_revoke, run_delete,
};

/* ---- the verb ---- */

static int usage(const char *text, const char *found)
{
    fprintf(stderr, "arc token: %s%s%s; 'arc help token' explains it\n", text,
            found ? ", found " : "", found ? found : "");
    return ARKA_EXIT_USAGE;
}

static int run(call *c, int verb)
{
    arka_error err = {0};
    int code = open_store(c, &err);
    if (code != ARKA_EXIT_OK)
        return fail(c, code, &err);
    arka_status status = RUNS[verb](c, &err);
    arka_auth_close(c->auth);
    return status == ARKA_OK ? ARKA_EXIT_OK : fail(c, ARKA_EXIT_FAILED, &err);
}

int arka_token_main(int argc, char **argv)
{
    enum { CREATE, LIST };
    arka_error err = {0};
    call c = {.verb = "", .now_us = arka_wall_us()};
    arka_option options[ARKA_VERB_OPTIONS];
    const char *words[2];
    int n_words, verb = 0, n = list_options(&c.options, options);
    setlocale(LC_CTYPE, "");
    if (arka_args_parse(options, n, argc, argv, words, 2, &n_words, &err) != ARKA_OK)
        return fail(&c, ARKA_EXIT_USAGE, &err);
    while (n_words > 0 && arka_token_subverbs[verb].name != NULL &&
           strcmp(arka_token_subverbs[verb].name, words[0]) != 0)
        verb++;
    if (n_words == 0 || arka_token_subverbs[verb].name == NULL)
        return usage("expected create, list, show, rotate, revoke or delete",
                     n_words > 0 ? words[0] : NULL);
    if (verb == LIST && n_words > 1)
        return usage("list takes no name", words[1]);
    if (verb != LIST && n_words < 2)
        return usage("expected the token's name", NULL);
    const token_options *o = &c.options;
    if (verb != CREATE && (o->permissions != NULL || o->scope != NULL || o->expires_in != NULL ||
                           o->description != NULL || o->max_priority != NULL))
        return usage("only create takes options about what the token is", NULL);
    c.verb = arka_token_subverbs[verb].name;
    c.token = n_words > 1 ? words[1] : NULL;
    return run(&c, verb);
}
