/* arc query: SQL to a server, its answer to standard output. */
#include <errno.h>
#include <locale.h>
#include <unistd.h>

#include "base/json.h"
#include "cli/args.h"
#include "cli/remote.h"
#include "cli/table.h"
#include "cli/verbs.h"

enum { TIMEOUT_MS = 600000, MAX_SQL = 1 << 20 };

typedef struct query_options {
    const char *format, *url, *database, *token;
    arka_http_tls tls;
} query_options;

enum { N_OWN = 4, N_OPTIONS = N_OWN + ARKA_REMOTE_TLS_OPTIONS };

static void list_options(query_options *o, arka_option options[N_OPTIONS])
{
    const arka_option list[N_OWN] = {
        {"--format", "table|json|csv|arrow", "of the answer; standard is table", &o->format, NULL},
        arka_remote_url_option(&o->url),
        {"--database", "NAME", "for tables without a database before them", &o->database, NULL},
        arka_remote_token_option(&o->token),
    };
    *o = (query_options){.format = "table"};
    memcpy(options, list, sizeof list);
    arka_remote_tls_options(&o->tls, options + N_OWN);
}

int arka_query_option_list(int sub, arka_option out[ARKA_VERB_OPTIONS])
{
    query_options o;
    list_options(&o, out);
    return N_OPTIONS;
}

void arka_query_help(FILE *out)
{
    query_options o;
    arka_option options[N_OPTIONS];
    list_options(&o, options);
    fputs("arc query: run one SQL statement on a running server.\n\n"
          "Usage: arc query [options] SQL      (- reads the SQL from standard input)\n\n",
          out);
    arka_args_help(options, N_OPTIONS, out);
    fputs("\n"
          "  arc query \"SELECT * FROM cpu ORDER BY time DESC LIMIT 10\"\n"
          "  arc query --database telegraf \"SHOW TABLES\"\n"
          "  arc query --format csv \"SELECT * FROM cpu\" > cpu.csv\n"
          "  arc query --format arrow \"SELECT * FROM cpu\" > cpu.arrows\n",
          out);
}

static const struct {
    const char *name, *path;
    bool table;
} FORMATS[] = {
    {"table", "/api/v1/query", true},
    {"json", "/api/v1/query", false},
    {"csv", "/api/v1/query/stream", false},
    {"arrow", "/api/v1/query/arrow", false},
};
enum { N_FORMATS = sizeof FORMATS / sizeof *FORMATS };

/* Where an answer goes: errors and tables are kept, all else is passed on as it comes. */
typedef struct receiver {
    const arka_http_response *response;
    arka_buf kept;
    bool keep;
} receiver;

static arka_status write_out(const char *bytes, size_t n, arka_error *err)
{
    while (n > 0) {
        ssize_t wrote = write(STDOUT_FILENO, bytes, n);
        if (wrote < 0 && errno != EINTR)
            return arka_fail_sys(err, ARKA_IO, errno, "writing to standard output");
        if (wrote > 0) {
            bytes += wrote;
            n -= (size_t)wrote;
        }
    }
    return ARKA_OK;
}

static arka_status receive(void *context, const char *bytes, size_t n, arka_error *err)
{
    receiver *r = context;
    if (!r->keep && r->response->status == 200)
        return write_out(bytes, n, err);
    return arka_http_sink_buf(&r->kept, bytes, n, err);
}

static arka_status show_table(arka_slice json, arka_error *err)
{
    arka_json_rows rows = {0};
    arka_buf text = ARKA_BUF_INIT;
    arka_status status = arka_json_rows_read(json, &rows, err);
    if (status == ARKA_OK) {
        arka_table_print(&rows, &text);
        status = text.failed ? arka_fail_nomem(err, "a table", text.cap)
                             : write_out(text.data, text.len, err);
    }
    arka_buf_fini(&text);
    arka_json_rows_fini(&rows);
    return status;
}

static arka_status answer(const receiver *r, arka_error *err)
{
    arka_slice body = {r->kept.data, r->kept.len};
    if (r->response->status == 200)
        return r->keep ? show_table(body, err) : ARKA_OK;
    arka_buf text = ARKA_BUF_INIT;
    arka_remote_error_text(r->response->status, body, &text);
    arka_fail(err, ARKA_INPUT, "%.*s", text.len > 400 ? 400 : (int)text.len, text.data);
    arka_buf_fini(&text);
    return ARKA_INPUT;
}

static arka_status ask(const arka_remote *remote, int format, const char *sql, arka_error *err)
{
    arka_buf body = ARKA_BUF_INIT;
    arka_http_response response;
    receiver r = {&response, ARKA_BUF_INIT, FORMATS[format].table};
    arka_buf_literal(&body, "{\"sql\":");
    arka_json_string(&body, arka_slice_of(sql));
    arka_buf_literal(&body, "}");
    arka_http_request request = {
        .method = "POST",
        .path = FORMATS[format].path,
        .headers = remote->headers.data,
        .body = {body.data, body.len},
        .timeout_ms = TIMEOUT_MS,
    };
    arka_http_response_init(&response);
    response.sink = receive;
    response.sink_context = &r;
    arka_status status = body.failed ? arka_fail_nomem(err, "a query", body.cap)
                                     : arka_http_call(&remote->target, &request, &response, err);
    if (status == ARKA_OK)
        status = answer(&r, err);
    arka_http_response_fini(&response);
    arka_buf_fini(&r.kept);
    arka_buf_fini(&body);
    return status;
}

static arka_status read_sql(arka_buf *out, arka_error *err)
{
    for (;;) {
        char *to = arka_buf_reserve(out, 4096);
        ssize_t n = to ? read(STDIN_FILENO, to, 4096) : -1;
        if (n < 0 || out->len > MAX_SQL)
            return arka_fail(err, ARKA_INPUT, "cannot read the SQL from standard input");
        if (n == 0)
            return arka_buf_cstr(out) ? ARKA_OK : arka_fail_nomem(err, "SQL", out->len);
        out->len += (size_t)n;
    }
}

static arka_status run(const query_options *o, int format, const char *sql, arka_error *err)
{
    arka_remote remote;
    arka_buf text = ARKA_BUF_INIT;
    arka_status status = arka_remote_init(&remote, o->url, o->token, o->database, err);
    if (status == ARKA_OK)
        arka_remote_tls(&remote, &o->tls);
    if (status == ARKA_OK && strcmp(sql, "-") == 0) {
        status = read_sql(&text, err);
        sql = text.data;
    }
    if (status == ARKA_OK)
        status = ask(&remote, format, sql, err);
    arka_buf_fini(&text);
    arka_remote_fini(&remote);
    return status;
}

int arka_query_main(int argc, char **argv)
{
    query_options o;
    arka_option options[N_OPTIONS];
    arka_error err = {0};
    const char *sql = NULL;
    int n, format = 0;
    list_options(&o, options);
    setlocale(LC_CTYPE, "C.UTF-8");
    if (arka_args_parse(options, N_OPTIONS, argc, argv, &sql, 1, &n, &err) == ARKA_OK && n == 0)
        arka_fail(&err, ARKA_INPUT, "the SQL is missing: arc query \"SELECT …\"");
    while (format < N_FORMATS && strcmp(FORMATS[format].name, o.format) != 0)
        format++;
    if (err.code == ARKA_OK && format == N_FORMATS)
        arka_fail(&err, ARKA_INPUT, "--format '%s' is not table, json, csv or arrow", o.format);
    if (err.code != ARKA_OK) {
        fprintf(stderr, "arc query: %s\n'arc help query' explains the options\n", err.msg);
        return ARKA_EXIT_USAGE;
    }
    if (run(&o, format, sql, &err) == ARKA_OK)
        return ARKA_EXIT_OK;
    fprintf(stderr, "arc query: %s\n", err.msg);
    return ARKA_EXIT_FAILED;
}
