/* arc serve: settings from all their layers, the server, and the signals that stop it. */
#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/hash.h"
#include "cli/args.h"
#include "cli/service.h"
#include "cli/settings_options.h"
#include "cli/verbs.h"
#include "cli/wall.h"
#include "config/reference.h"
#include "os/failpoint.h"
#include "os/file.h"
#include "server/server.h"

/* "a|b|c" for a setting that is one of some words; NULL for all others. */
static const char *words_of(arka_setting which)
{
    static const struct {
        arka_setting which;
        const char *words[8];
    } LISTS[] = {
#define W(field, text, ...) {ARKA_SETTING_##field, {__VA_ARGS__}},
#include "config/words.def"
#undef W
    };
    enum { N_LISTS = sizeof LISTS / sizeof *LISTS, LONGEST = 80 };
    static char texts[N_LISTS][LONGEST]; /* the same each time */
    for (size_t i = 0; i < N_LISTS; i++) {
        if (LISTS[i].which != which)
            continue;
        int n = 0;
        for (int k = 0; k < 8 && LISTS[i].words[k] != NULL && n < LONGEST; k++)
            n += snprintf(texts[i] + n, (size_t)(LONGEST - n), "%s%s", k ? "|" : "",
                          LISTS[i].words[k]);
        return texts[i];
    }
    return NULL;
}

int arka_serve_option_list(int sub, arka_option out[ARKA_VERB_OPTIONS])
{
    arka_settings_options o;
    arka_settings_options_init(&o);
    for (int i = 0; i < o.n; i++) {
        out[i] = o.options[i];
        arka_setting which = arka_setting_of_option(out[i].name);
        const char *words = which < ARKA_N_SETTINGS ? words_of(which) : NULL;
        out[i].value = words ? words : which == ARKA_SETTING_data_dir ? "DIR" : out[i].value;
    }
    return o.n;
}

void arka_serve_help(FILE *out)
{
    arka_option options[ARKA_VERB_OPTIONS];
    int n = arka_serve_option_list(-1, options);
    fputs("arc serve: run the database server until SIGTERM or SIGINT.\n\n"
          "Usage: arc serve [options]\n\n",
          out);
    arka_args_help(options, n, out);
    fputs(
        "\n"
        "Settings come from the file, then the environment, then these options; the later wins.\n"
        "'arc help settings' lists all of them with their environment names.\n"
        "\n"
        "  arc serve\n"
        "  arc serve --port 9000 --data /var/lib/arc\n"
        "  STORAGE_DATABASE=metrics LOG_LEVEL=debug arc serve --config arc.conf\n"
        "\n"
        "It listens at once. While it replays the log, requests that need the data get 503, and\n"
        "GET /ready says how far it is; a log line 'ready' says that it takes work.\n"
        "\n"
        "On SIGHUP it reads its settings again. Under systemd it says when it is ready, how far a\n"
        "replay is and that it is alive. What it may touch is walled in; a log line 'sandbox' "
        "says\n"
        "by what.\n"
        "\n"
        "On the first signal the server takes no more connections, finishes what runs, writes\n"
        "everything to Parquet and exits with 0; a second signal ends it at once with 1.\n",
        out);
}

static int fail(int code, const arka_error *err)
{
    fprintf(stderr, "arc serve: %s\n", err->msg);
    return code;
}

/* All layers; the exit code on failure. `layers`, which borrow from `o`, are to read them again. */
static int load_settings(int argc, char **argv, arka_settings_options *o,
                         arka_setting_layers *layers, arka_settings *settings, arka_error *err)
{
    const char *none[1];
    int n_none;
    arka_setting_source failed;
    *settings = (arka_settings){.arena = ARKA_ARENA_INIT};
    arka_settings_options_init(o);
    if (arka_args_parse(o->options, o->n, argc, argv, none, 0, &n_none, err) != ARKA_OK)
        return ARKA_EXIT_USAGE;
    *layers = arka_settings_options_layers(o);
    if (arka_settings_load(layers, settings, &failed, err) != ARKA_OK)
        return failed == ARKA_FROM_OPTION ? ARKA_EXIT_USAGE : ARKA_EXIT_CONFIG;
    return arka_failpoint_read_environment(err) == ARKA_OK ? ARKA_EXIT_OK : ARKA_EXIT_CONFIG;
}

/* Which file it was, and what stands in the configuration and is of no use. */
static void tell_of_settings(const arka_settings *s, const arka_log *log)
{
    if (s->file != NULL)
        arka_log_write(log, ARKA_INFO, "settings", NULL, "from %s, the environment and options",
                       s->file);
    for (size_t i = 0; i < s->notes.n; i++)
        arka_log_write(log, ARKA_WARN, "settings", NULL, "%s", s->notes.items[i].text);
}

static arka_log make_log(const arka_settings *s)
{
    arka_log log = {.level = arka_log_level_parse(s->log_level), .fd = STDERR_FILENO};
    /* the settings know no other words */
    ARKA_IGNORE(!arka_log_format_find(arka_slice_of(s->log_format), log.fd, &log.format));
    ARKA_IGNORE(arka_log_keep(&log, ARKA_LOG_KEPT_BYTES, NULL) !=
                ARKA_OK); /* then it only writes */
    return log;
}

/* Each connection and each open Parquet file takes a descriptor. */
static void raise_descriptor_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

/* An address of ours that a client on this machine can use. */
static void put_url(const arka_settings *s, int port, char url[300])
{
    bool v6 = strchr(s->host, ':') != NULL;
    const char *scheme = s->tls_enabled ? "https" : "http";
    const char *host =
        *s->host == 0 || strcmp(s->host, "0.0.0.0") == 0 || strcmp(s->host, "::") == 0 ? "127.0.0.1"
                                                                                       : s->host;
    snprintf(url, 300, v6 && host == s->host ? "%s://[%s]:%d" : "%s://%s:%d", scheme, host, port);
}

static void greet(const arka_settings *s, const arka_log *log, const char *url)
{
    arka_log_write(log, ARKA_INFO, "ready", NULL, "%s", url);
    if (log->format != ARKA_LOG_TEXT)
        return;
    const char *token = s->auth_enabled ? " -H \"Authorization: Bearer $ARC_TOKEN\"" : "";
    fprintf(stderr,
            "\n  arc " ARC_VERSION " at %s, data in %s\n\n"
            "  write   curl '%s/write?db=default'%s --data-binary 'cpu,host=a usage=1.5'\n"
            "  query   curl %s/api/v1/query%s -d '{\"sql\": \"SELECT * FROM cpu\"}'\n"
            "  or      %s query --url %s \"SELECT * FROM cpu\"\n\n",
            url, s->data_dir, url, token, url, token, program_invocation_name, url);
}

static void end_at_once(int signal_number)
{
    static const char TEXT[] = "arc serve: second signal, ending at once\n";
    ARKA_IGNORE(write(STDERR_FILENO, TEXT, sizeof TEXT - 1) < 0);
    _exit(ARKA_EXIT_FAILED);
}

static int stop(arka_server *server, const arka_log *log)
{
    arka_error err = {0};
    bool stuck;
    int code = ARKA_EXIT_OK;
    if (arka_server_stop(server, &stuck, &err) == ARKA_OK) {
        arka_log_write(log, ARKA_INFO, "stopped", NULL, "everything is written");
    } else {
        arka_log_write(log, ARKA_ERROR, "stopped", NULL, "not everything was written: %s", err.msg);
        code = ARKA_EXIT_FAILED;
    }
    if (stuck)
        _exit(code);
    return code;
}

/* What runs, for the calls that come back while it serves. */
typedef struct serving {
    const arka_settings *settings;
    const arka_setting_layers *layers; /* where they came from */
    arka_log *log;
    arka_notify notify;
    arka_server *server;
    char url[300];
} serving;

static void on_ready(void *context)
{
    const serving *s = context;
    greet(s->settings, s->log, s->url);
}

static void on_reload(void *context)
{
    const serving *s = context;
    ARKA_IGNORE(arka_server_reload(s->server, s->layers, NULL)); /* the log has what is wrong */
    arka_log_set_level(s->log, arka_log_level_parse(arka_server_settings(s->server)->log_level));
}

/* Its end, in peace (`got` is the signal) or because the data could not be opened. */
static int end(serving *s, int got, const sigset_t *signals, const arka_error *why)
{
    bool stuck; /* never after a failed start: no query has run */
    if (got != 0) {
        arka_log_write(s->log, ARKA_INFO, "stopping", NULL, "%s: finishing requests, then flushing",
                       got == SIGTERM ? "SIGTERM" : "SIGINT");
        arka_notify_send(&s->notify, "STOPPING=1\nSTATUS=finishing requests, then flushing");
    } else {
        arka_log_write(s->log, ARKA_ERROR, "start_failed", NULL, "%s", why->msg);
        arka_notify_send(&s->notify, "STOPPING=1\nSTATUS=%s", why->msg);
    }
    signal(SIGTERM, end_at_once);
    signal(SIGINT, end_at_once);
    signal(SIGHUP, SIG_IGN);
    pthread_sigmask(SIG_UNBLOCK, signals, NULL);
    if (got != 0)
        return stop(s->server, s->log);
    ARKA_IGNORE(
        arka_server_stop(s->server, &stuck, NULL)); /* the failed start is the one to tell */
    return ARKA_EXIT_FAILED;
}

static int run_until_signal(serving *s, const sigset_t *signals)
{
    arka_error err = {0};
    put_url(s->settings, arka_server_port(s->server), s->url);
    arka_log_write(s->log, ARKA_INFO, "listening", NULL, "%s, data in %s", s->url,
                   s->settings->base_path);
    arka_service service = {.server = s->server,
                            .log = s->log,
                            .notify = &s->notify,
                            .url = s->url,
                            .signal_fd = signalfd(-1, signals, SFD_CLOEXEC),
                            .ready = on_ready,
                            .reload = on_reload,
                            .context = s};
    int got = arka_service_run(&service, &err);
    if (service.signal_fd >= 0)
        close(service.signal_fd);
    return end(s, got, signals, &err);
}

static int serve(const arka_settings *settings, const arka_setting_layers *layers, arka_log *log)
{
    arka_error err = {0};
    serving s = {.settings = settings, .layers = layers, .log = log};
    sigset_t signals;
    /* before any thread is started, so that all of them leave the signals to this one */
    arka_service_signals(&signals);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a file that may not grow is a failed write, not our end */
    if (arka_notify_open(&s.notify, getenv, &err) != ARKA_OK)
        arka_log_write(log, ARKA_WARN, "not_notified", NULL, "%s", err.msg);
    err = (arka_error){0};
    /* likewise before any thread, and after the last thing that it would forbid */
    arka_status status = arka_wall_build(settings, settings->file, log, &err);
    int code =
        status == ARKA_FORBIDDEN || status == ARKA_INPUT ? ARKA_EXIT_CONFIG : ARKA_EXIT_FAILED;
    if (status == ARKA_OK)
        status = arka_server_start(settings, log, &s.server, &err);
    if (status == ARKA_OK)
        code = run_until_signal(&s, &signals);
    else
        fail(code, &err);
    arka_notify_close(&s.notify);
    return code;
}

/*
 * glibc gives blocks above 128 KiB back to the system with every free, and trims its heaps as
 * eagerly: a request of many columns then spends more on page faults than on its lines
 * (lineproto_bench, the body where every line is its own series: 303 MB/s, and 531 with these). How
 * much it may keep instead follows from memory.limit; each arena keeps for itself, so where that is
 * little there are few.
 */
static void keep_memory(int64_t limit)
{
    enum { MIB = 1 << 20, FEW_ARENAS = 4 };
    int64_t block = limit / 512, rest = limit / 128;
    mallopt(M_MMAP_THRESHOLD, block < 32 * MIB ? (int)block : 32 * MIB);
    mallopt(M_TRIM_THRESHOLD, rest < 128 * MIB ? (int)rest : 128 * MIB);
    if (limit < 1024 * (int64_t)MIB)
        mallopt(M_ARENA_MAX, FEW_ARENAS);
}

int arka_serve_main(int argc, char **argv)
{
    arka_error err = {0};
    arka_settings settings;
    arka_settings_options options;
    arka_setting_layers layers;
    int code;
    uint64_t seed;
    arka_random_bytes(&seed, sizeof seed);
    arka_hash_set_seed(seed);
    code = load_settings(argc, argv, &options, &layers, &settings, &err);
    if (code == ARKA_EXIT_OK) {
        arka_log log = make_log(&settings);
        tell_of_settings(&settings, &log);
        keep_memory(settings.memory_limit);
        raise_descriptor_limit();
        code = serve(&settings, &layers, &log);
        arka_log_fini(&log);
    } else {
        fail(code, &err);
        if (code == ARKA_EXIT_USAGE)
            fputs("'arc help serve' explains the options\n", stderr);
    }
    arka_settings_fini(&settings);
    return code;
}

void arka_settings_help(FILE *out)
{
    arka_buf text = ARKA_BUF_INIT;
    arka_buf_literal(
        &text, "Each setting with its default, what it means, and its names outside of the file.\n"
               "Those marked 'reloaded' can be changed while the server runs (SIGHUP).\n\n");
    arka_settings_put_list(&text);
    arka_buf_literal(&text, "'arc config reference' has them as tables, with older names; 'arc "
                            "config show' what is in force.\n");
    if (!text.failed)
        fwrite(text.data, 1, text.len, out);
    arka_buf_fini(&text);
}
