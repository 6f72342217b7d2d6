/* arc serve: settings from all their layers, the server, and the signals that stop it. */
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/hash.h"
#include "cli/args.h"
#include "cli/verbs.h"
#include "os/failpoint.h"
#include "os/file.h"
#include "server/server.h"

enum { MAX_OPTIONS = 16 };

/* The options of settings.def, and --config; texts[i] is what was given for options[i]. */
typedef struct serve_options {
    arka_option options[MAX_OPTIONS];
    const char *texts[MAX_OPTIONS];
    arka_setting settings[MAX_OPTIONS];
    int n;
} serve_options;

static void list_options(serve_options *o)
{
    static const char *const VALUES[] = {
        [ARKA_KIND_TEXT] = "TEXT",         [ARKA_KIND_LIST] = "A,B,…",   [ARKA_KIND_INT] = "N",
        [ARKA_KIND_BOOL] = "true|false",   [ARKA_KIND_SIZE] = "SIZE",    [ARKA_KIND_MIB] = "SIZE",
        [ARKA_KIND_SECONDS] = "DURATION",  [ARKA_KIND_MS] = "DURATION",
    };
    *o = (serve_options){0};
    for (int i = -1; i < ARKA_N_SETTINGS; i++) {
        const arka_setting_info *info = &arka_setting_infos[i < 0 ? 0 : i];
        if (i >= 0 && *info->option == 0)
            continue;
        o->settings[o->n] = (arka_setting)i;
        o->options[o->n] = (arka_option){
            .name = i < 0 ? "--config" : info->option,
            .value = i < 0 ? "FILE" : VALUES[info->kind],
            .help = i < 0 ? "read settings from a TOML file (or ARC_CONFIG_FILE)" : info->help,
            .text = &o->texts[o->n],
        };
        o->n++;
    }
}

void arka_serve_help(FILE *out)
{
    serve_options o;
    list_options(&o);
    fputs("arc serve: run the database server until SIGTERM or SIGINT.\n\n"
          "Usage: arc serve [options]\n\n",
          out);
    arka_args_help(o.options, o.n, out);
    fputs("\n"
          "Settings come from the file, then the environment, then these options; the later wins.\n"
          "'arc help settings' lists all of them with their environment names.\n"
          "\n"
          "  arc serve\n"
          "  arc serve --port 9000 --data /var/lib/arc\n"
          "  STORAGE_DATABASE=metrics LOG_LEVEL=debug arc serve --config arc.toml\n"
          "\n"
          "It listens at once. While it replays the log, requests that need the data get 503, and\n"
          "GET /ready says how far it is; a log line 'ready' says that it takes work.\n"
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

/* All layers; the exit code on failure. */
static int load_settings(int argc, char **argv, arka_settings *settings, arka_error *err)
{
    serve_options o;
    const char *none[1];
    int n_none;
    list_options(&o);
    if (arka_args_parse(o.options, o.n, argc, argv, none, 0, &n_none, err) != ARKA_OK)
        return ARKA_EXIT_USAGE;
    const char *file = o.texts[0] ? o.texts[0] : getenv("ARC_CONFIG_FILE");
    if (file != NULL && *file != 0 && arka_settings_read_file(settings, file, err) != ARKA_OK)
        return ARKA_EXIT_CONFIG;
    if (arka_settings_read_environment(settings, getenv, err) != ARKA_OK ||
        arka_failpoint_read_environment(err) != ARKA_OK)
        return ARKA_EXIT_CONFIG;
    for (int i = 1; i < o.n; i++) {
        char where[64];
        snprintf(where, sizeof where, "option %s", o.options[i].name);
        if (o.texts[i] != NULL &&
            arka_settings_set(settings, o.settings[i], arka_slice_of(o.texts[i]), ARKA_FROM_OPTION,
                              where, err) != ARKA_OK)
            return ARKA_EXIT_USAGE;
    }
    return arka_settings_finish(settings, err) == ARKA_OK ? ARKA_EXIT_OK : ARKA_EXIT_CONFIG;
}

static arka_log make_log(const arka_settings *s)
{
    arka_log log = {.level = arka_log_level_parse(s->log_level), .fd = STDERR_FILENO};
    /* the settings know no other words */
    ARKA_IGNORE(!arka_log_format_find(arka_slice_of(s->log_format), log.fd, &log.format));
    ARKA_IGNORE(arka_log_keep(&log, ARKA_LOG_KEPT_BYTES, NULL) != ARKA_OK); /* then it only writes */
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
    const char *host =
        *s->host == 0 || strcmp(s->host, "0.0.0.0") == 0 || strcmp(s->host, "::") == 0 ? "127.0.0.1"
                                                                                       : s->host;
    snprintf(url, 300, v6 && host == s->host ? "http://[%s]:%d" : "http://%s:%d", host, port);
}

static void greet(const arka_settings *s, const arka_log *log, const char *url)
{
    arka_log_write(log, ARKA_INFO, "ready", NULL, "%s", url);
    if (log->format != ARKA_LOG_TEXT)
        return;
    fprintf(stderr,
            "\n  arc " ARC_VERSION " at %s, data in %s\n\n"
            "  write   curl '%s/write?db=default' --data-binary 'cpu,host=a usage=1.5'\n"
            "  query   curl %s/api/v1/query -d '{\"sql\": \"SELECT * FROM cpu\"}'\n"
            "  or      arc query --url %s \"SELECT * FROM cpu\"\n\n",
            url, s->data_dir, url, url, url);
}

static void end_at_once(int signal_number)
{
    static const char TEXT[] = "arc serve: second signal, ending at once\n";
    ARKA_IGNORE(write(STDERR_FILENO, TEXT, sizeof TEXT - 1) < 0);
    _exit(ARKA_EXIT_FAILED);
}

static void stop_signals(sigset_t *out)
{
    sigemptyset(out);
    sigaddset(out, SIGTERM);
    sigaddset(out, SIGINT);
}

/*
 * Wait until the data is open, or a signal came first: then `*got` is it. `signals` are blocked.
 * A log that is being replayed can be left at any time, so both are waited for at once.
 */
static arka_status wait_open(arka_server *server, const sigset_t *signals, int *got,
                             arka_error *err)
{
    struct signalfd_siginfo info;
    struct pollfd fds[2] = {
        {.fd = arka_server_opened_fd(server), .events = POLLIN},
        {.fd = signalfd(-1, signals, SFD_CLOEXEC), .events = POLLIN},
    };
    while (poll(fds, 2, -1) < 0 || (fds[0].revents | fds[1].revents) == 0)
        ;
    if (fds[1].revents & POLLIN && read(fds[1].fd, &info, sizeof info) == (ssize_t)sizeof info)
        *got = (int)info.ssi_signo;
    if (fds[1].fd >= 0)
        close(fds[1].fd);
    return *got != 0 ? ARKA_OK : arka_server_opened(server, err);
}

/* Until a signal; the signal, or 0 when the data could not be opened. */
static int serve_until_signal(arka_server *server, const arka_settings *settings,
                              const arka_log *log, const sigset_t *signals)
{
    arka_error err = {0};
    char url[300];
    int got = 0;
    put_url(settings, arka_server_port(server), url);
    arka_log_write(log, ARKA_INFO, "listening", NULL, "%s, data in %s", url, settings->base_path);
    if (wait_open(server, signals, &got, &err) != ARKA_OK) {
        arka_log_write(log, ARKA_ERROR, "start_failed", NULL, "%s", err.msg);
        return 0;
    }
    if (got == 0)
        greet(settings, log, url);
    while (got == 0 && sigwait(signals, &got) != 0)
        ;
    return got;
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

static int serve(const arka_settings *settings, const arka_log *log)
{
    arka_error err = {0};
    arka_server *server = NULL;
    sigset_t signals;
    /* before any thread is started, so that all of them leave the signals to this one */
    stop_signals(&signals);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a file that may not grow is a failed write, not our end */
    if (arka_server_start(settings, log, &server, &err) != ARKA_OK)
        return fail(ARKA_EXIT_FAILED, &err);
    int got = serve_until_signal(server, settings, log, &signals);
    if (got != 0)
        arka_log_write(log, ARKA_INFO, "stopping", NULL, "%s: finishing requests, then flushing",
                       got == SIGTERM ? "SIGTERM" : "SIGINT");
    signal(SIGTERM, end_at_once);
    signal(SIGINT, end_at_once);
    pthread_sigmask(SIG_UNBLOCK, &signals, NULL);
    if (got != 0)
        return stop(server, log);
    bool stuck;                                          /* never: no query has run */
    ARKA_IGNORE(arka_server_stop(server, &stuck, NULL)); /* the failed start is the one to tell */
    return ARKA_EXIT_FAILED;
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
    int code = ARKA_EXIT_OK;
    uint64_t seed;
    arka_random_bytes(&seed, sizeof seed);
    arka_hash_set_seed(seed);
    if (arka_settings_init(&settings, &err) != ARKA_OK)
        code = ARKA_EXIT_FAILED;
    else
        code = load_settings(argc, argv, &settings, &err);
    if (code == ARKA_EXIT_OK) {
        arka_log log = make_log(&settings);
        keep_memory(settings.memory_limit);
        raise_descriptor_limit();
        code = serve(&settings, &log);
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
    fputs("| setting | default | environment | option | meaning |\n|---|---|---|---|---|\n", out);
    for (int i = 0; i < ARKA_N_SETTINGS; i++) {
        const arka_setting_info *info = &arka_setting_infos[i];
        fprintf(out, "| `%s` | %s%s%s | %s | %s | %s |\n", info->key, *info->standard ? "`" : "",
                info->standard, *info->standard ? "`" : "", info->env, info->option, info->help);
    }
}
