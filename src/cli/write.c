/* arc write: line protocol from a file or standard input to a server, a batch at a time. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "base/number.h"
#include "cli/args.h"
#include "cli/lines.h"
#include "cli/remote.h"
#include "cli/verbs.h"
#include "os/clock.h"

enum {
    READ_BYTES = 256 << 10,
    MAX_BATCH_BYTES = 8 << 20,
    FLUSH_EVERY_MS = 1000,
    BUSY_TRIES = 60, /* a second apart */
};

typedef struct write_options {
    const char *database, *precision, *batch, *url, *token;
    arka_http_tls tls;
} write_options;

enum { N_OWN = 5, N_OPTIONS = N_OWN + ARKA_REMOTE_TLS_OPTIONS };

static void list_options(write_options *o, arka_option options[N_OPTIONS])
{
    const arka_option list[N_OWN] = {
        {"--database", "NAME", "where to write; standard is the server's default database",
         &o->database, NULL},
        {"--precision", "ns|us|ms|s|m|h", "of timestamps; standard is ns", &o->precision, NULL},
        {"--batch", "N", "lines of one request; standard 10000", &o->batch, NULL},
        arka_remote_url_option(&o->url),
        arka_remote_token_option(&o->token),
    };
    *o = (write_options){.precision = "ns", .batch = "10000"};
    memcpy(options, list, sizeof list);
    arka_remote_tls_options(&o->tls, options + N_OWN);
}

int arka_write_option_list(int sub, arka_option out[ARKA_VERB_OPTIONS])
{
    write_options o;
    list_options(&o, out);
    return N_OPTIONS;
}

void arka_write_help(FILE *out)
{
    write_options o;
    arka_option options[N_OPTIONS];
    list_options(&o, options);
    fputs("arc write: send line protocol to a running server.\n\n"
          "Usage: arc write [options] FILE     (- reads standard input, sent at least once a "
          "second)\n\n",
          out);
    arka_args_help(options, N_OPTIONS, out);
    fputs("\n"
          "  arc write weather.lp --database demo --precision s\n"
          "  echo 'cpu,host=a usage=1.5' | arc write -\n"
          "\n"
          "Lines that the server refuses are counted and its message is printed; the exit code is\n"
          "then 1. While the server is too busy the batch is sent again, for up to a minute.\n",
          out);
}

typedef struct writer {
    arka_remote remote;
    arka_buf path;
    arka_buf pending; /* whole lines, and behind them the beginning of one */
    arka_line_scan scan;
    int64_t batch;
    arka_mono oldest; /* when the first pending byte came */
    int64_t n_sent, n_requests, n_refused;
} writer;

/* "… dropped=3": how many lines of a batch the server did not take; all when it does not say. */
static int64_t dropped_of(arka_slice message, int64_t all)
{
    static const char MARK[] = "dropped=";
    const char *found = memmem(message.data, message.len, MARK, sizeof MARK - 1);
    if (found == NULL)
        return all;
    found += sizeof MARK - 1;
    size_t n = 0, left = (size_t)(message.data + message.len - found);
    while (n < left && found[n] >= '0' && found[n] <= '9')
        n++;
    int64_t dropped;
    return arka_parse_i64(found, n, &dropped) && dropped < all ? dropped : all;
}

static arka_status call_once(writer *w, size_t len, int *http, arka_buf *body, arka_error *err)
{
    arka_http_response response;
    arka_http_request request = {
        .method = "POST",
        .path = w->path.data,
        .headers = w->remote.headers.data,
        .body = {w->pending.data, len},
    };
    arka_http_response_init(&response);
    response.sink = arka_http_sink_buf;
    response.sink_context = body;
    arka_buf_clear(body);
    arka_status status = arka_http_call(&w->remote.target, &request, &response, err);
    *http = response.status;
    arka_http_response_fini(&response);
    return status;
}

static arka_status call(writer *w, size_t len, int64_t n_lines, arka_buf *body, arka_error *err)
{
    int http = 0;
    for (int i = 0; i < BUSY_TRIES; i++) {
        ARKA_TRY(call_once(w, len, &http, body, err));
        if (http != 503)
            break;
        poll(NULL, 0, 1000);
    }
    w->n_requests++;
    w->n_sent += n_lines;
    if (http == 204 || http == 200)
        return ARKA_OK;
    arka_buf text = ARKA_BUF_INIT;
    arka_remote_error_text(http, (arka_slice){body->data, body->len}, &text);
    int shown = text.len > 400 ? 400 : (int)text.len;
    w->n_refused += dropped_of((arka_slice){text.data, text.len}, n_lines);
    arka_status status = ARKA_OK;
    if (http == 400)
        fprintf(stderr, "arc write: %.*s\n", shown, text.data);
    else
        status = arka_fail(err, ARKA_INPUT, "%.*s", shown, text.data);
    arka_buf_fini(&text);
    return status;
}

/* Send the first `len` pending bytes, n_lines whole lines. */
static arka_status send_lines(writer *w, size_t len, int64_t n_lines, arka_error *err)
{
    arka_buf body = ARKA_BUF_INIT;
    arka_status status = n_lines > 0 ? call(w, len, n_lines, &body, err) : ARKA_OK;
    arka_buf_fini(&body);
    memmove(w->pending.data, w->pending.data + len, w->pending.len - len);
    w->pending.len -= len;
    w->oldest = arka_mono_now();
    return status;
}

/* Send what makes whole batches; with `all`, every whole line. */
static arka_status send_batches(writer *w, bool all, arka_error *err)
{
    for (;;) {
        size_t len;
        int64_t n;
        bool full =
            arka_line_scan_run(&w->scan, w->pending.data, w->pending.len, w->batch, &len, &n);
        if (!full && !all && w->pending.len < MAX_BATCH_BYTES)
            return ARKA_OK;
        if (len == 0 && w->pending.len >= MAX_BATCH_BYTES)
            return arka_fail(err, ARKA_LIMIT, "a line of over %d bytes", MAX_BATCH_BYTES);
        ARKA_TRY(send_lines(w, len, n, err));
        arka_line_scan_cut(&w->scan, len);
        if (!full)
            return ARKA_OK;
    }
}

static arka_status wait_for_input(writer *w, int fd, bool *ready, arka_error *err)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    int64_t left = FLUSH_EVERY_MS - (int64_t)arka_mono_since_ms(w->oldest);
    int timeout = w->pending.len == 0 ? -1 : left > 0 ? (int)left : 0;
    int n = poll(&p, 1, timeout);
    if (n < 0 && errno != EINTR)
        return arka_fail_sys(err, ARKA_IO, errno, "waiting for input");
    *ready = n > 0;
    return ARKA_OK;
}

static arka_status pump(writer *w, int fd, arka_error *err)
{
    for (;;) {
        bool ready;
        ARKA_TRY(wait_for_input(w, fd, &ready, err));
        if (!ready) {
            ARKA_TRY(send_batches(w, true, err));
            w->oldest = arka_mono_now(); /* what is left is no whole line yet */
            continue;
        }
        char *to = arka_buf_reserve(&w->pending, READ_BYTES);
        if (to == NULL)
            return arka_fail_nomem(err, "input", w->pending.cap);
        ssize_t n = read(fd, to, READ_BYTES);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return arka_fail_sys(err, ARKA_IO, errno, "reading the input");
        if (w->pending.len == 0)
            w->oldest = arka_mono_now();
        if (n == 0) { /* the last line may lack its end */
            if (w->pending.len > 0 && w->pending.data[w->pending.len - 1] != '\n')
                arka_buf_byte(&w->pending, '\n');
            ARKA_TRY(send_batches(w, true, err));
            return w->pending.len > 0 ? send_lines(w, w->pending.len, 1, err) : ARKA_OK;
        }
        w->pending.len += (size_t)n;
        ARKA_TRY(send_batches(w, arka_mono_since_ms(w->oldest) >= FLUSH_EVERY_MS, err));
    }
}

static arka_status open_input(const char *file, int *fd, arka_error *err)
{
    *fd = STDIN_FILENO;
    if (strcmp(file, "-") == 0)
        return ARKA_OK;
    *fd = open(file, O_RDONLY | O_CLOEXEC);
    return *fd >= 0 ? ARKA_OK : arka_fail_sys(err, ARKA_IO, errno, "cannot open %s", file);
}

static arka_status run(const write_options *o, const char *file, writer *w, arka_error *err)
{
    int fd;
    ARKA_TRY(arka_remote_init(&w->remote, o->url, o->token, o->database, err));
    arka_remote_tls(&w->remote, &o->tls);
    arka_buf_printf(&w->path, "/api/v1/write/line-protocol?precision=%s", o->precision);
    if (arka_buf_cstr(&w->path) == NULL)
        return arka_fail_nomem(err, "a path", w->path.cap);
    ARKA_TRY(open_input(file, &fd, err));
    arka_status status = pump(w, fd, err);
    if (fd != STDIN_FILENO)
        close(fd);
    return status;
}

static void check_options(const write_options *o, int n, int64_t *batch, arka_error *err)
{
    static const char *const UNITS[] = {"ns", "us", "ms", "s", "m", "h"};
    size_t u = 0;
    while (u < sizeof UNITS / sizeof *UNITS && strcmp(UNITS[u], o->precision) != 0)
        u++;
    if (n == 0)
        arka_fail(err, ARKA_INPUT, "the file is missing: arc write FILE, or - for standard input");
    if (u == sizeof UNITS / sizeof *UNITS)
        arka_fail(err, ARKA_INPUT, "--precision '%s' is not ns, us, ms, s, m or h", o->precision);
    if (!arka_parse_i64(o->batch, strlen(o->batch), batch) || *batch < 1 || *batch > 1000000)
        arka_fail(err, ARKA_INPUT, "--batch '%s' is not a number from 1 to 1000000", o->batch);
}

int arka_write_main(int argc, char **argv)
{
    write_options o;
    arka_option options[N_OPTIONS];
    arka_error err = {0};
    const char *file = NULL;
    writer w = {.path = ARKA_BUF_INIT, .pending = ARKA_BUF_INIT};
    int n;
    list_options(&o, options);
    if (arka_args_parse(options, N_OPTIONS, argc, argv, &file, 1, &n, &err) == ARKA_OK)
        check_options(&o, n, &w.batch, &err);
    if (err.code != ARKA_OK) {
        fprintf(stderr, "arc write: %s\n'arc help write' explains the options\n", err.msg);
        return ARKA_EXIT_USAGE;
    }
    arka_mono began = arka_mono_now();
    arka_status status = run(&o, file, &w, &err);
    if (status != ARKA_OK)
        fprintf(stderr, "arc write: %s\n", err.msg);
    fprintf(stderr, "%lld lines written, %lld refused, %lld requests, %.1f s\n",
            (long long)(w.n_sent - w.n_refused), (long long)w.n_refused, (long long)w.n_requests,
            arka_mono_since_ms(began) / 1000);
    arka_buf_fini(&w.path);
    arka_buf_fini(&w.pending);
    arka_remote_fini(&w.remote);
    return status == ARKA_OK && w.n_refused == 0 ? ARKA_EXIT_OK : ARKA_EXIT_FAILED;
}
