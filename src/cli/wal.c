/* arc wal: a look into the log. It may be in use meanwhile; nothing is changed. */
#include <errno.h>
#include <inttypes.h>
#include <locale.h>
#include <stdlib.h>

#include "base/civil.h"
#include "base/number.h"
#include "cli/args.h"
#include "cli/table.h"
#include "cli/verbs.h"
#include "cli/wal_dir.h"
#include "wal/inspect.h"

enum { N_OPTIONS = 5, CAT_LIMIT = 100, SHOWN_PAYLOAD = 48 };

typedef struct wal_options {
    const char *config, *data, *table, *from, *limit;
} wal_options;

static void list_options(wal_options *o, arka_option options[N_OPTIONS])
{
    const arka_option list[N_OPTIONS] = {
        {"--config", "FILE", "settings of the server that has the log (or ARC_CONFIG_FILE)",
         &o->config, NULL},
        {"--data", "DIR", "its data directory, if DIR is not given (or ARC_DATA)", &o->data, NULL},
        {"--table", "DB.TABLE", "cat: only records of this table", &o->table, NULL},
        {"--from", "LSN", "cat: from the record that has this number on", &o->from, NULL},
        {"--limit", "N", "cat: so many records (100); 0 is all", &o->limit, NULL},
    };
    *o = (wal_options){0};
    memcpy(options, list, sizeof list);
}

const arka_subverb arka_wal_subverbs[] = {
    {"ls", "its segments"},
    {"cat", "its records"},
    {"verify", "every checksum"},
    {NULL, NULL},
};
enum { N_SUBVERBS = 3, CAT = 1, N_COMMON = 2 };

int arka_wal_option_list(int sub, arka_option out[ARKA_VERB_OPTIONS])
{
    wal_options o;
    list_options(&o, out);
    return sub < 0 || sub == CAT ? N_OPTIONS : N_COMMON;
}

void arka_wal_help(FILE *out)
{
    wal_options o;
    arka_option options[N_OPTIONS];
    list_options(&o, options);
    fputs("arc wal: look into the log of a server. It may be running; nothing is changed.\n\n"
          "Usage: arc wal ls [DIR]              its segments\n"
          "       arc wal cat [DIR|SEGMENT]     its records\n"
          "       arc wal verify [DIR]          every checksum; exit code 3 when it is damaged\n\n"
          "DIR is the log's directory, SEGMENT one of its files; without it, that of the "
          "settings.\n\n",
          out);
    arka_args_help(options, N_OPTIONS, out);
    fputs("\n"
          "  arc wal ls\n"
          "  arc wal cat --table metrics.cpu --limit 20\n"
          "  arc wal verify /var/lib/arc/wal\n"
          "\n"
          "Any Arrow library reads the segments as well; their format is in docs/formats/wal.md.\n",
          out);
}

static int fail(const char *verb, int code, const arka_error *err)
{
    fprintf(stderr, "arc wal %s: %s\n", verb, err->msg);
    return code;
}

/* ---- tables ---- */

static bool put(arka_json_rows *rows, arka_cell_kind kind, const char *text)
{
    char *copy = arka_arena_text(&rows->arena, arka_slice_of(text));
    return copy != NULL && arka_vec_push(&rows->cells, (arka_cell){kind, arka_slice_of(copy)});
}

static bool put_number(arka_json_rows *rows, int64_t v)
{
    char text[ARKA_NUMBER_TEXT + 1];
    text[arka_format_i64(text, v)] = 0;
    return put(rows, ARKA_CELL_NUMBER, text);
}

static bool put_slice(arka_json_rows *rows, arka_slice s)
{
    char *copy = arka_arena_text(&rows->arena, s);
    return copy != NULL && arka_vec_push(&rows->cells, (arka_cell){ARKA_CELL_TEXT, {copy, s.len}});
}

static bool begin_table(arka_json_rows *rows, const char *const *columns, size_t n)
{
    *rows = (arka_json_rows){.execution_ms = -1};
    for (size_t i = 0; i < n; i++)
        if (!arka_vec_push(&rows->columns, arka_slice_of(columns[i])))
            return false;
    return true;
}

static arka_status print_table(arka_json_rows *rows, arka_error *err)
{
    arka_buf text = ARKA_BUF_INIT;
    arka_table_print(rows, &text);
    arka_status status = text.failed ? arka_fail_nomem(err, "a table", text.cap) : ARKA_OK;
    if (status == ARKA_OK && fwrite(text.data, 1, text.len, stdout) != text.len)
        status = arka_fail_sys(err, ARKA_IO, errno, "writing to standard output");
    arka_buf_fini(&text);
    return status;
}

/* ---- ls ---- */

static const char *state_of(const arka_wal_inspected *s)
{
    return s->damaged          ? "damaged"
           : s->superseded     ? "partly written again"
           : s->n_records == 0 ? "no records"
                               : "";
}

static arka_status list_segment(void *context, const arka_wal_inspected *s, arka_error *err)
{
    arka_json_rows *rows = context;
    bool ok = put(rows, ARKA_CELL_TEXT, s->name) && put_number(rows, (int64_t)s->base_lsn);
    ok = ok && (s->last_lsn < s->base_lsn ? put(rows, ARKA_CELL_NULL, "")
                                          : put_number(rows, (int64_t)s->last_lsn));
    ok = ok && put_number(rows, s->n_records) && put_number(rows, s->n_rows) &&
         put_number(rows, s->n_bytes) && put(rows, ARKA_CELL_TEXT, state_of(s));
    rows->n_rows++;
    return ok ? ARKA_OK : arka_fail_nomem(err, "a table", 0);
}

static arka_status run_ls(const arka_wal_dir *dir, arka_error *err)
{
    static const char *const COLUMNS[] = {"segment", "first_lsn", "last_lsn", "records",
                                          "rows",    "bytes",     "state"};
    arka_json_rows rows;
    arka_wal_visitor visitor = {.context = &rows, .segment = list_segment};
    arka_wal_verdict verdict;
    arka_status status = begin_table(&rows, COLUMNS, sizeof COLUMNS / sizeof *COLUMNS)
                             ? ARKA_OK
                             : arka_fail_nomem(err, "a table", 0);
    if (status == ARKA_OK)
        status = arka_wal_inspect(dir->path, dir->segment, &visitor, &verdict, err);
    if (status == ARKA_OK)
        status = print_table(&rows, err);
    arka_json_rows_fini(&rows);
    return status;
}

/* ---- cat ---- */

typedef struct cat {
    arka_json_rows rows;
    const char *table; /* NULL: all */
    uint64_t from;
    int64_t limit; /* 0: all */
    bool full;
} cat;

static bool wanted(const cat *c, const arka_wal_record *r)
{
    if (r->lsn_last < c->from)
        return false;
    if (c->table == NULL)
        return true;
    size_t n = strlen(c->table);
    return r->kind == ARKA_WAL_ROWS && n == r->database.len + 1 + r->table.len &&
           memcmp(c->table, r->database.data, r->database.len) == 0 &&
           c->table[r->database.len] == '.' &&
           memcmp(c->table + r->database.len + 1, r->table.data, r->table.len) == 0;
}

static bool put_time(arka_json_rows *rows, int64_t us)
{
    char text[ARKA_TIME_TEXT];
    return put_slice(rows, (arka_slice){text, arka_format_time(text, us)});
}

static arka_status cat_record(void *context, const arka_wal_record *r, bool counts, arka_error *err)
{
    cat *c = context;
    arka_json_rows *rows = &c->rows;
    if (!wanted(c, r))
        return ARKA_OK;
    if (c->limit > 0 && rows->n_rows == c->limit) {
        c->full = true;
        return arka_fail(err, ARKA_CANCELLED, "enough");
    }
    arka_buf what = ARKA_BUF_INIT;
    if (r->kind == ARKA_WAL_CONTROL) {
        bool cut = r->payload.len > SHOWN_PAYLOAD;
        arka_buf_printf(&what, "%.*s %.*s%s", ARKA_FMT(r->event),
                        cut ? SHOWN_PAYLOAD : (int)r->payload.len, r->payload.data,
                        cut ? "..." : "");
    } else {
        arka_buf_slice(&what, r->database);
        arka_buf_byte(&what, '.');
        arka_buf_slice(&what, r->table);
    }
    bool ok = !what.failed && put_number(rows, (int64_t)r->lsn_first) &&
              put_number(rows, (int64_t)r->lsn_last) && put_number(rows, r->n_rows) &&
              put_slice(rows, (arka_slice){what.data, what.len}) &&
              put_number(rows, r->schema_id) && put_time(rows, r->ts_us) &&
              put_slice(rows, r->requests) && put_number(rows, r->offset) &&
              put(rows, ARKA_CELL_TEXT, counts ? "" : "does not count");
    arka_buf_fini(&what);
    rows->n_rows++;
    return ok ? ARKA_OK : arka_fail_nomem(err, "a table", 0);
}

static arka_status parse_cat(const wal_options *o, cat *c, arka_error *err)
{
    c->table = o->table;
    c->limit = CAT_LIMIT;
    if (o->from != NULL && !arka_parse_u64(o->from, strlen(o->from), &c->from))
        return arka_fail(err, ARKA_INPUT, "option --from is '%s', expected a number", o->from);
    if (o->limit != NULL &&
        (!arka_parse_i64(o->limit, strlen(o->limit), &c->limit) || c->limit < 0))
        return arka_fail(err, ARKA_INPUT, "option --limit is '%s', expected a number", o->limit);
    return ARKA_OK;
}

static arka_status run_cat(const arka_wal_dir *dir, cat *c, arka_error *err)
{
    static const char *const COLUMNS[] = {"first_lsn", "last_lsn", "rows", "what", "schema",
                                          "time",      "requests", "byte", "state"};
    arka_error why = {0};
    arka_wal_visitor visitor = {.context = c, .record = cat_record};
    arka_wal_verdict verdict;
    if (!begin_table(&c->rows, COLUMNS, sizeof COLUMNS / sizeof *COLUMNS))
        return arka_fail_nomem(err, "a table", 0);
    arka_status status = arka_wal_inspect(dir->path, dir->segment, &visitor, &verdict, &why);
    if (status != ARKA_OK && !c->full)
        return arka_fail(err, status, "%s", why.msg);
    ARKA_TRY(print_table(&c->rows, err));
    if (c->full)
        printf("there are more; --limit and --from show them\n");
    return ARKA_OK;
}

/* ---- verify ---- */

static arka_status verify_segment(void *context, const arka_wal_inspected *s, arka_error *err)
{
    bool *told = context;
    *told |= s->damaged;
    if (s->damaged)
        printf("%s: byte %" PRId64 ": %s\n", s->name, s->damaged_at, s->damage);
    return ARKA_OK;
}

static int run_verify(const arka_wal_dir *dir, arka_error *err)
{
    static const char *const STATES[] = {
        [ARKA_WAL_SOUND] = "sound",
        [ARKA_WAL_TORN] = "sound but for its end, which was never synced: the next start cuts it",
        [ARKA_WAL_CORRUPT] = "DAMAGED",
    };
    bool told = false;
    arka_wal_visitor visitor = {.context = &told, .segment = verify_segment};
    arka_wal_verdict v;
    if (arka_wal_inspect(dir->path, dir->segment, &visitor, &v, err) != ARKA_OK)
        return fail("verify", ARKA_EXIT_FAILED, err);
    if (v.state == ARKA_WAL_CORRUPT && !told) /* it is none of a single segment */
        printf("%s\n", v.text);
    printf("%s: %s; %" PRId64 " segments, %" PRId64 " records, %" PRId64 " rows, %" PRId64
           " bytes, last LSN %" PRIu64 "\n",
           dir->path, STATES[v.state], v.n_segments, v.n_records, v.n_rows, v.n_bytes, v.last_lsn);
    return v.state == ARKA_WAL_CORRUPT ? ARKA_EXIT_DAMAGED : ARKA_EXIT_OK;
}

/* ---- the verb ---- */

static int run_verb(const char *verb, const arka_wal_dir *dir, const wal_options *o)
{
    arka_error err = {0};
    cat c = {.table = NULL};
    if (strcmp(verb, "verify") == 0)
        return run_verify(dir, &err);
    if (strcmp(verb, "ls") == 0)
        return run_ls(dir, &err) == ARKA_OK ? ARKA_EXIT_OK : fail(verb, ARKA_EXIT_FAILED, &err);
    if (parse_cat(o, &c, &err) != ARKA_OK)
        return fail(verb, ARKA_EXIT_USAGE, &err);
    arka_status status = run_cat(dir, &c, &err);
    arka_json_rows_fini(&c.rows);
    return status == ARKA_OK ? ARKA_EXIT_OK : fail(verb, ARKA_EXIT_FAILED, &err);
}

int arka_wal_main(int argc, char **argv)
{
    arka_error err = {0};
    wal_options o;
    arka_option options[N_OPTIONS];
    const char *words[2];
    int n_words, verb = 0;
    setlocale(LC_CTYPE, "");
    list_options(&o, options);
    if (arka_args_parse(options, N_OPTIONS, argc, argv, words, 2, &n_words, &err) != ARKA_OK)
        return fail("", ARKA_EXIT_USAGE, &err);
    while (n_words > 0 && verb < N_SUBVERBS && strcmp(arka_wal_subverbs[verb].name, words[0]) != 0)
        verb++;
    if (n_words == 0 || verb == N_SUBVERBS) {
        fprintf(stderr, "arc wal: expected ls, cat or verify%s%s\n", n_words ? ", found " : "",
                n_words ? words[0] : "");
        return ARKA_EXIT_USAGE;
    }
    arka_wal_dir dir;
    int code = arka_wal_dir_find(n_words > 1 ? words[1] : NULL, o.config, o.data, &dir, &err);
    const char *name = arka_wal_subverbs[verb].name;
    code = code == ARKA_EXIT_OK ? run_verb(name, &dir, &o) : fail(name, code, &err);
    arka_wal_dir_fini(&dir);
    return code;
}
