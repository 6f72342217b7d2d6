#include "cli/bench/bench_options.h"

#include <stdlib.h>
#include <string.h>

#include "base/number.h"

typedef enum kind { TEXT, NAME, COUNT, REAL, WORD, FLAG } kind;

enum {
    WRITE = ARKA_BENCH_WRITE,
    QUERY = ARKA_BENCH_QUERY,
    DISK = ARKA_BENCH_DISK,
    OVERLOAD = ARKA_BENCH_OVERLOAD,
    VISIBLE = ARKA_BENCH_VISIBLE,
    RECOVERY = ARKA_BENCH_RECOVERY,
    TABLES = ARKA_BENCH_TABLES,
    ALL = ARKA_BENCH_ALL,
    ANY_SERVER = ALL & ~(DISK | RECOVERY), /* of ours or another's */
    LOADS = WRITE | OVERLOAD | RECOVERY,   /* with a body of their choice */
};

const char *const arka_bench_sync_modes[] = {"fdatasync", "fsync", "async"};
const char *const arka_bench_durabilities[] = {"synced", "written", "memory"};

typedef struct option {
    const char *name;
    const char *value; /* how the help writes it; of WORD the choices, by '|' in enum order */
    int modes;
    kind kind;
    size_t at;        /* in arka_bench_options */
    double low, high; /* of COUNT and REAL */
    const char *text;
} option;

#define AT(field) offsetof(arka_bench_options, field)

/* clang-format off */
static const option OPTIONS[] = {
    {"url", "URL", ANY_SERVER, TEXT, AT(url), 0, 0, "the server [environment: ARC_URL, else http://127.0.0.1:8000]"},
    {"serve", "DIR", ALL & ~(DISK | QUERY), TEXT, AT(serve), 0, 0, "instead: a server of its own, its data in a new directory below DIR, removed afterwards [recovery .]"},
    {"no-wal", NULL, ANY_SERVER & ~QUERY, FLAG, AT(no_wal), 0, 0, "with --serve: without the log"},
    {"sync-mode", "fdatasync|fsync|async", ALL & ~(DISK | QUERY), WORD, AT(sync_mode), 0, 0, "with --serve: how the log is synced [fdatasync]"},
    {"token", "T", ANY_SERVER, TEXT, AT(token), 0, 0, "its token [environment: ARC_TOKEN]"},
    {"database", "NAME", ALL & ~DISK, TEXT, AT(database), 0, 0, "written and read [bench]"},
    {"workload", "iot|finance", LOADS, WORD, AT(workload), 0, 0, "5 columns or 10 [iot]"},
    {"format", "msgpack|lp", LOADS, WORD, AT(format), 0, 0, "MessagePack columns or line protocol [msgpack]"},
    {"compress", "none|gzip|zstd", WRITE, WORD, AT(coding), 0, 0, "bodies are compressed before the clock starts, so their times repeat [none]"},
    {"values", "random|realistic", LOADS | QUERY, WORD, AT(values), 0, 0, "doubles of full precision, new in each request, or of one or two decimals [random]"},
    {"durability", "synced|written|memory", LOADS, WORD, AT(durability), 0, 0, "what each request asks for [synced]"},
    {"connections", "N", ALL & ~DISK, COUNT, AT(n_connections), 1, 10000, "kept alive, one request at a time on each [write 12, query 1, overload 1000, visible and tables 4, recovery 64]"},
    {"threads", "N", WRITE | VISIBLE, COUNT, AT(n_threads), 1, 64, "write: that share the connections [1]; visible: that check [2]"},
    {"rows", "N", LOADS | VISIBLE | TABLES, COUNT, AT(n_rows), 1, 500000, "in a request [1000]"},
    {"seconds", "S", WRITE | OVERLOAD | TABLES, REAL, AT(seconds), 0.01, 86400, "to measure [30, overload and tables 60]"},
    {"requests", "N", WRITE, COUNT, AT(n_requests), 1, 1e12, "instead of seconds"},
    {"rate", "R", WRITE | VISIBLE, REAL, AT(rate), 0, 1e7, "requests a second, whether answers come or not (visible: of the load beside) [as answers come, visible 500]"},
    {"warmup", "S", WRITE, REAL, AT(warmup_s), 0, 3600, "before measuring [0]"},
    {"pool", "N", WRITE, COUNT, AT(n_pool), 1, 100000, "different bodies a thread [64, compressed 1024]"},
    {"no-flush", NULL, WRITE, FLAG, AT(no_flush), 0, 0, "leave out the flush to Parquet at the end"},
    {"no-verify", NULL, WRITE, FLAG, AT(no_verify), 0, 0, "do not count the rows afterwards"},
    {"compare", NULL, WRITE, FLAG, AT(compare), 0, 0, "with --serve: the same load without and with the log, in turn, each on a new server"},
    {"pairs", "N", WRITE, COUNT, AT(n_pairs), 1, 100, "of --compare [2]"},
    {"rows", "N", QUERY, COUNT, AT(n_rows), 1000, 1e10, "in the table that is loaded [10000000]"},
    {"table", "NAME", QUERY, NAME, AT(table), 0, 0, "an existing iot table; with --load, what to call the new one"},
    {"load", NULL, QUERY, FLAG, AT(load), 0, 0, "write the table first (so without --table, too), and run hot and flushed"},
    {"seconds", "S", QUERY, REAL, AT(seconds), 0, 3600, "for each query, at least 3 runs [2]"},
    {"hours", "N", QUERY, COUNT, AT(hours), 1, 100000, "over which the rows of that table lie: flushed, one file each [24]"},
    {"only", "TEXT", QUERY, TEXT, AT(only), 0, 0, "queries whose name contains it"},
    {"same-text", NULL, QUERY, FLAG, AT(same_text), 0, 0, "send the same text again; otherwise each has a comment that no cache knows"},
    {"file-mb", "N", DISK, COUNT, AT(file_mb), 1, 65536, "MiB of a file that is written at once [128]"},
    {"files", "N", DISK, COUNT, AT(n_files), 1, 1000000, "that many files [8]"},
    {"seconds", "S", DISK, REAL, AT(seconds), 0, 86400, "and no file is begun after so long: many disks are fast at first only [no limit]"},
    {"appends", "N", DISK, COUNT, AT(n_appends), 1, 1000000, "appends that are synced one by one [1000]"},
    {"peak-connections", "N", OVERLOAD, COUNT, AT(n_peak_connections), 1, 10000, "with which the peak is looked for [12]"},
    {"percent", "P", OVERLOAD, COUNT, AT(percent), 1, 10000, "of the peak that is offered [120]"},
    {"ceiling-mb", "N", OVERLOAD, COUNT, AT(ceiling_mb), 1, 1e9, "MiB that the server may have in memory [as it says, else not judged]"},
    {"checks", "N", VISIBLE, COUNT, AT(n_checks), 1, 1e9, "rows written, acknowledged and looked for [10000]"},
    {"log-mb", "N", RECOVERY, COUNT, AT(log_mb), 1, 1e6, "MiB of log before the kill [1024]"},
    {"cold", NULL, RECOVERY, FLAG, AT(cold), 0, 0, "the log is not in the page cache when the server starts again"},
    {"tables", "N", TABLES, COUNT, AT(n_tables), 1, 1000000, "measurements, each with a row a second [10000]"},
    {"server-pid", "PID", ANY_SERVER, COUNT, AT(server_pid), 1, 1 << 22, "whose CPU and memory to show [found by its port on loopback]"},
    {"json", NULL, ALL, FLAG, AT(json), 0, 0, "one JSON object a result"},
};
/* clang-format on */
enum { N_OPTIONS = sizeof OPTIONS / sizeof *OPTIONS };

static const option *find_option(const char *name, size_t n, arka_bench_mode mode)
{
    for (size_t i = 0; i < N_OPTIONS; i++)
        if ((OPTIONS[i].modes & (int)mode) && strlen(OPTIONS[i].name) == n &&
            memcmp(OPTIONS[i].name, name, n) == 0)
            return &OPTIONS[i];
    return NULL;
}

static arka_status set_number(const option *o, void *field, const char *value, arka_error *err)
{
    double v;
    if (!arka_parse_f64(value, strlen(value), &v) || !(v >= o->low && v <= o->high) ||
        (o->kind == COUNT && v != (double)(int64_t)v))
        return arka_fail(err, ARKA_INPUT, "--%s is '%.50s', expected %s from %.10g to %.10g",
                         o->name, value, o->kind == COUNT ? "a whole number" : "a number", o->low,
                         o->high);
    if (o->kind == COUNT)
        *(int64_t *)field = (int64_t)v;
    else
        *(double *)field = v;
    return ARKA_OK;
}

static arka_status set_word(const option *o, int64_t *field, const char *value, arka_error *err)
{
    int64_t index = 0;
    for (const char *at = o->value; at != NULL; index++) {
        size_t n = strcspn(at, "|");
        if (strlen(value) == n && memcmp(at, value, n) == 0) {
            *field = index;
            return ARKA_OK;
        }
        at = at[n] != 0 ? at + n + 1 : NULL;
    }
    return arka_fail(err, ARKA_INPUT, "--%s is '%.50s', expected %s", o->name, value, o->value);
}

/* Names go into SQL as they are. */
static arka_status set_name(const option *o, const char **field, const char *value, arka_error *err)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_";
    static const char rest[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789";
    size_t n = strlen(value);
    if (n == 0 || n > 100 || strchr(letters, value[0]) == NULL || strspn(value, rest) != n)
        return arka_fail(err, ARKA_INPUT, "--%s is '%.100s', expected letters, digits and '_'",
                         o->name, value);
    *field = value;
    return ARKA_OK;
}

static arka_status set_option(arka_bench_options *out, const option *o, const char *value,
                              arka_error *err)
{
    void *field = (char *)out + o->at;
    switch (o->kind) {
    case TEXT:
        *(const char **)field = value;
        return ARKA_OK;
    case NAME:
        return set_name(o, field, value, err);
    case COUNT:
    case REAL:
        return set_number(o, field, value, err);
    case WORD:
        return set_word(o, field, value, err);
    case FLAG:
        *(bool *)field = true;
        return ARKA_OK;
    }
    return ARKA_OK;
}

/* "--name value" or "--name=value"; *i moves on to the last argument used. */
static arka_status parse_one(arka_bench_options *out, arka_bench_mode mode, int argc, char **argv,
                             int *i, arka_error *err)
{
    const char *arg = argv[*i];
    if (strncmp(arg, "--", 2) != 0)
        return arka_fail(err, ARKA_INPUT, "'%.100s' is no option", arg);
    size_t n = strcspn(arg + 2, "=");
    const char *value = arg[2 + n] == '=' ? arg + 2 + n + 1 : NULL;
    const option *o = find_option(arg + 2, n, mode);
    if (o == NULL)
        return arka_fail(err, ARKA_INPUT, "there is no option '%.*s' here", (int)n + 2, arg);
    if (o->kind == FLAG && value != NULL)
        return arka_fail(err, ARKA_INPUT, "--%s takes no value", o->name);
    if (o->kind != FLAG && value == NULL) {
        if (*i + 1 >= argc)
            return arka_fail(err, ARKA_INPUT, "--%s needs a value: %s", o->name, o->value);
        value = argv[++*i];
    }
    return set_option(out, o, value, err);
}

static const char *from_environment(const char *name, const char *otherwise)
{
    const char *value = getenv(name);
    return value != NULL && value[0] != 0 ? value : otherwise;
}

/* What differs from verb to verb. */
static void set_defaults(arka_bench_options *o, arka_bench_mode mode)
{
    *o = (arka_bench_options){.url = from_environment("ARC_URL", "http://127.0.0.1:8000"),
                              .token = from_environment("ARC_TOKEN", NULL),
                              .database = "bench",
                              .dir = ".",
                              .n_threads = mode == ARKA_BENCH_VISIBLE ? 2 : 1,
                              .n_rows = mode == ARKA_BENCH_QUERY ? 10000000 : 1000,
                              .hours = 24,
                              .rate = mode == ARKA_BENCH_VISIBLE ? 500 : 0,
                              .serve = mode == ARKA_BENCH_RECOVERY ? "." : NULL,
                              .n_pairs = 2,
                              .file_mb = 128,
                              .n_files = 8,
                              .n_appends = 1000,
                              .n_peak_connections = 12,
                              .percent = 120,
                              .n_checks = 10000,
                              .log_mb = 1024,
                              .n_tables = 10000};
    switch (mode) {
    case ARKA_BENCH_WRITE:
        o->n_connections = 12;
        o->seconds = 30;
        break;
    case ARKA_BENCH_QUERY:
        o->n_connections = 1;
        o->seconds = 2;
        break;
    case ARKA_BENCH_OVERLOAD:
        o->n_connections = 1000;
        o->seconds = 60;
        break;
    case ARKA_BENCH_VISIBLE:
    case ARKA_BENCH_TABLES:
        o->n_connections = 4;
        o->seconds = 60;
        break;
    case ARKA_BENCH_RECOVERY:
        o->n_connections = 64;
        break;
    case ARKA_BENCH_DISK:
    case ARKA_BENCH_ALL:
        break;
    }
}

/* What no option shows by itself. */
static arka_status check_together(const arka_bench_options *o, arka_bench_mode mode,
                                  arka_error *err)
{
    if (mode == ARKA_BENCH_WRITE && o->n_threads > o->n_connections)
        return arka_fail(err, ARKA_INPUT, "--threads is %lld, more than --connections %lld",
                         (long long)o->n_threads, (long long)o->n_connections);
    const char *alone = o->no_wal      ? "no-wal"
                        : o->compare   ? "compare"
                        : o->sync_mode ? "sync-mode"
                                       : NULL;
    if (o->serve == NULL && alone != NULL)
        return arka_fail(err, ARKA_INPUT, "--%s is for a server of our own: give --serve DIR too",
                         alone);
    if (o->compare && o->no_wal)
        return arka_fail(err, ARKA_INPUT,
                         "--compare runs without and with the log: --no-wal says "
                         "nothing beside it");
    return ARKA_OK;
}

arka_status arka_bench_options_parse(arka_bench_options *o, arka_bench_mode mode, int argc,
                                     char **argv, arka_error *err)
{
    set_defaults(o, mode);
    bool has_dir = mode == ARKA_BENCH_DISK && argc > 0 && argv[0][0] != '-';
    if (has_dir)
        o->dir = argv[0];
    for (int i = has_dir; i < argc; i++)
        ARKA_TRY(parse_one(o, mode, argc, argv, &i, err));
    ARKA_TRY(check_together(o, mode, err));
    if (mode == ARKA_BENCH_QUERY && o->table == NULL)
        o->load = true;
    return ARKA_OK;
}

int arka_bench_options_list(arka_bench_mode mode, arka_option *out, int max)
{
    static char names[N_OPTIONS][32]; /* with the dashes; the same each time */
    int n = 0;
    for (size_t i = 0; i < N_OPTIONS && n < max; i++) {
        const option *o = &OPTIONS[i];
        bool known = !(o->modes & (int)mode);
        for (int k = 0; k < n && !known; k++)
            known = strcmp(out[k].name + 2, o->name) == 0;
        if (known)
            continue;
        snprintf(names[i], sizeof names[i], "--%s", o->name);
        out[n++] = (arka_option){.name = names[i], .value = o->value, .help = o->text};
    }
    return n;
}

void arka_bench_options_help(arka_bench_mode mode, FILE *out)
{
    for (size_t i = 0; i < N_OPTIONS; i++) {
        const option *o = &OPTIONS[i];
        if (!(o->modes & (int)mode))
            continue;
        char left[64];
        snprintf(left, sizeof left, "--%s %s", o->name, o->value ? o->value : "");
        fprintf(out, "  %-26s %s\n", left, o->text);
    }
}
