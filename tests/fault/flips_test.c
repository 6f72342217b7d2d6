/*
 * Bytes of a disk change by themselves: bits flip, pages become zeros, in segments of the log, in
 * the manifest, in Parquet files. Whatever is then asked is answered as before or with an error;
 * never with other rows, never by a crash. The end of the log is an exception, because nothing can
 * tell whether it was synced: what was there is cut, and told. (WAL-10, WAL-11, F2, F19, F20,
 * DSK-6.)
 *
 *     ARKA_FAULT_FLIPS=20000 fault_flips_test          as many, 500 otherwise
 *     ARKA_FAULT_SEED=0x17 fault_flips_test one_run    those again
 *     … ARKA_FAULT_ONLY=arc.db ARKA_FAULT_VERBOSE=1    in such files, and each is told
 */
#include "fault/runs.h"
#include "kit/crash.h"
#include "sql/sql.h"

enum { FLIPS_A_RUN = 50, STEPS = 18, MAX_FILES = 400, N_QUERIES = 4 };

typedef struct damaged {
    char path[REC_PATH]; /* below the root */
    int64_t size, at, n;
    const char *how;
} damaged;

typedef enum outcome { UNHARMED, NO_START, NO_ANSWER, CUT, WRONG, N_OUTCOMES } outcome;
static const char *const OUTCOMES[] = {"unharmed", "no start", "no answer", "end of the log cut",
                                       "WRONG"};

static crash_run run;
static char good[CRASH_TABLES][N_QUERIES][1 << 17];
static char
    last_segment[REC_PATH]; /* where the end of the log is, and where its last group begins */
static int64_t last_group_at;
static damaged files[MAX_FILES];
static int n_files;
static long tally[3][N_OUTCOMES];

/* ---- answers ---- */

static const char *const QUERIES[N_QUERIES][2] = {
    {"SELECT * FROM ", " ORDER BY id"},
    {"SELECT count(*), min(time), max(time), sum(id), count(w) FROM ", ""},
    {"SELECT count(*), sum(id) FROM ", " WHERE time >= TIMESTAMPTZ '2026-01-05 12:00:00Z'"
                                       " AND time < TIMESTAMPTZ '2026-01-05 14:00:00Z'"},
    {"SELECT id, w FROM ", " WHERE id BETWEEN 40 AND 400 ORDER BY id"},
};

static const char *query_text(int i, int table)
{
    static char text[400];
    snprintf(text, sizeof text, "%s%s%s", QUERIES[i][0], CRASH_NAMES[table], QUERIES[i][1]);
    return text;
}

static arka_status ask(arka_sql *sql, const char *text, char *out, size_t cap, arka_error *err)
{
    arka_query *query = NULL;
    arka_query_options o = {.text = arka_slice_of(text), .format = ARKA_FORMAT_CSV};
    arka_buf all = ARKA_BUF_INIT;
    bool done = false;
    arka_status status = arka_query_start(sql, &o, &query, err);
    while (status == ARKA_OK && !done)
        status = arka_query_next(query, &all, &done, err);
    arka_query_free(query);
    snprintf(out, cap, "%.*s", (int)all.len, all.data ? all.data : "");
    assert_true(all.len < cap);
    arka_buf_fini(&all);
    return status;
}

typedef struct opened {
    arka_engine *engine;
    arka_sql *sql;
    crash_paths paths;
} opened;

static arka_status open_all(opened *o, const char *root, arka_error *err)
{
    *o = (opened){0};
    crash_set_paths(&o->paths, root);
    arka_engine_options options = crash_options(&o->paths);
    ARKA_TRY(arka_engine_open(&options, &o->engine, err));
    arka_sql_options s = {.engine = o->engine, .data_dir = o->paths.base, .threads = 1};
    return arka_sql_open(&s, &o->sql, err);
}

static void close_all(opened *o)
{
    arka_sql_close(o->sql);
    ARKA_IGNORE(arka_engine_close(o->engine, NULL)); /* a flush may meet the damage again */
}

/* ---- the disk as it should be ---- */

static int add_file(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    (void)ftw;
    const char *dot = strrchr(path, '.');
    size_t n = strlen(run.paths.root) + 1;
    const char *only = getenv("ARKA_FAULT_ONLY");
    if (only != NULL && strstr(path, only) == NULL)
        return 0;
    if (kind != FTW_F || st->st_size == 0 || dot == NULL || strstr(path, "-shm") != NULL ||
        strcmp(dot, ".lock") == 0 || n_files == MAX_FILES)
        return 0;
    snprintf(files[n_files].path, REC_PATH, "%s", path + n);
    files[n_files++].size = st->st_size;
    return 0;
}

static int64_t active_segment(char *out, size_t cap)
{
    arka_wal_stats s;
    arka_wal_get_stats(arka_engine_wal(run.engine), &s);
    snprintf(out, cap, "wal/%s", s.active);
    return s.active_bytes;
}

/* The last group of the log, and where it begins. */
static void send_last(crash_request *q)
{
    char before[sizeof last_segment];
    last_group_at = active_segment(before, sizeof before);
    crash_send(&run, q);
    active_segment(last_segment, sizeof last_segment);
    if (strcmp(before, last_segment) != 0)
        last_group_at = 0;
}

/* Rows in files and rows in the log alone; at the end the process dies, or stops. */
static void make_disk(uint64_t seed, const char *disk)
{
    arka_error err = {0};
    char root[200];
    opened o;
    snprintf(root, sizeof root, "%s/run", kit_tmpdir());
    assert_int_equal(mkdir(root, 0755), 0);
    crash_open(&run, root, seed, &kit_os);
    run.options.wal_async = false;
    run.options.flush_rows = INT64_MAX;
    run.options.wal_segment_bytes = 16384;
    crash_reopen(&run);
    for (int i = 0; i < STEPS; i++) {
        crash_request *q = crash_make(&run, &run.rng);
        q->durability = ARKA_DURABILITY_SYNCED;
        if (i == STEPS - 1)
            send_last(q);
        else
            crash_send(&run, q);
        if (i == STEPS / 3 || i == STEPS / 2)
            ASSERT_OK(crash_flush(&run, &err));
    }
    if (seed % 4 == 0)
        crash_reopen(&run); /* all in files, a manifest without a log of its own */
    kit_copy_tree(root, disk);
    ASSERT_OK(arka_engine_close(run.engine, &err));
    n_files = 0;
    crash_set_paths(&run.paths, disk);
    nftw(disk, add_file, 16, FTW_PHYS);

    char copy[220];
    snprintf(copy, sizeof copy, "%s/copy", kit_tmpdir());
    kit_copy_tree(disk, copy);
    ASSERT_OK(open_all(&o, copy, &err));
    for (int t = 0; t < CRASH_TABLES; t++)
        for (int i = 0; i < N_QUERIES; i++) {
            arka_status status = ask(o.sql, query_text(i, t), good[t][i], sizeof good[t][i], &err);
            if (status == ARKA_NOTFOUND)
                good[t][i][0] = 0;
            else
                ASSERT_OK(status);
            err = (arka_error){0};
        }
    close_all(&o);
}

/* ---- damage ---- */

static void damage(const char *root, damaged *d, states_rng *rng)
{
    char path[REC_PATH * 2];
    uint8_t bytes[4096] = {0};
    snprintf(path, sizeof path, "%s/%s", root, d->path);
    int fd = open(path, O_RDWR);
    assert_true(fd >= 0);
    int64_t kind = states_below(rng, 10);
    d->at = states_below(rng, d->size);
    d->n = 1;
    d->how = "a bit flipped";
    if (kind >= 7) {
        d->n = kind == 7 ? 512 : 4096;
        d->at = d->at / d->n * d->n;
        d->how = "zeros";
    } else if (kind == 6) {
        d->n = 1 + states_below(rng, 16);
        d->how = "bytes changed";
    }
    d->n = d->at + d->n > d->size ? d->size - d->at : d->n;
    assert_int_equal(pread(fd, bytes, (size_t)d->n, d->at), d->n);
    if (kind >= 7)
        memset(bytes, 0, (size_t)d->n);
    for (int64_t i = 0; kind == 6 && i < d->n; i++)
        bytes[i] = (uint8_t)states_next(rng);
    if (kind < 6)
        bytes[0] ^= (uint8_t)(1 << states_below(rng, 8));
    assert_int_equal(pwrite(fd, bytes, (size_t)d->n, d->at), d->n);
    close(fd);
}

/* 0: the log, 1: the manifest and what else there is, 2: Parquet */
static int kind_of(const damaged *d)
{
    return strncmp(d->path, "wal/", 4) == 0 ? 0 : strstr(d->path, ".parquet") != NULL ? 2 : 1;
}

static const damaged *choose(states_rng *rng)
{
    int64_t kind = states_below(rng, 3), n = 0;
    for (int i = 0; i < n_files; i++)
        n += kind_of(&files[i]) == kind;
    int64_t k = states_below(rng, n > 0 ? n : n_files);
    for (int i = 0; i < n_files; i++)
        if (n == 0 || kind_of(&files[i]) == kind)
            if (k-- == 0)
                return &files[i];
    return &files[0];
}

/* Only the requests at the end are gone, the last one at least, and it was told. */
static bool is_cut(const damaged *d, const opened *o)
{
    arka_replay_info replay;
    arka_engine_get_replay(o->engine, &replay);
    if (strcmp(d->path, last_segment) != 0 || d->at + d->n <= last_group_at ||
        replay.torn_bytes == 0)
        return false;
    ledger l;
    ledger_begin(&l, CRASH_IDS);
    for (int t = 0; t < CRASH_TABLES; t++)
        ledger_read(&l, o->engine, CRASH_NAMES[t]);
    bool gone = false, suffix = true;
    for (int i = 0; i < atomic_load(&run.n_requests); i++) {
        bool there = crash_fate_of(&l, &run.requests[i]) == CRASH_WHOLE;
        suffix &= !gone || !there;
        gone |= !there;
    }
    ledger_end(&l);
    return gone && suffix;
}

static outcome look(const damaged *d, const char *root, const char *where)
{
    static char got[1 << 17];
    arka_error err = {0};
    opened o;
    outcome result = UNHARMED;
    arka_status status = open_all(&o, root, &err);
    if (status != ARKA_OK) {
        if (err.msg[0] == 0)
            fail_msg("%s: the start fails and says nothing", where);
        close_all(&o);
        return NO_START;
    }
    for (int t = 0; t < CRASH_TABLES && result < CUT; t++)
        for (int i = 0; i < N_QUERIES && result < CUT; i++) {
            if (i > 0 && (d->at + t) % CRASH_TABLES != 0 && strstr(d->path, CRASH_NAMES[t]) == NULL)
                continue; /* one table is asked everything, and the one whose file it is */
            const char *text = query_text(i, t);
            err = (arka_error){0};
            status = ask(o.sql, text, got, sizeof got, &err);
            if (status != ARKA_OK && good[t][i][0] == 0)
                continue; /* nobody ever wrote to it */
            if (status != ARKA_OK)
                result = NO_ANSWER;
            else if (strcmp(got, good[t][i]) != 0 && is_cut(d, &o))
                result = CUT;
            else if (strcmp(got, good[t][i]) != 0) {
                print_message("%s: %s is answered otherwise:\n%.600s\ninstead of\n%.600s\n", where,
                              text, got, good[t][i]);
                result = WRONG;
            }
        }
    close_all(&o);
    return result;
}

static void do_run(uint64_t seed)
{
    char disk[220], copy[220], where[REC_PATH + 200];
    snprintf(disk, sizeof disk, "%s/disk", kit_tmpdir());
    snprintf(copy, sizeof copy, "%s/copy", kit_tmpdir());
    make_disk(seed, disk);
    for (int i = 0; i < FLIPS_A_RUN; i++) {
        states_rng rng = {seed * 1000 + (uint64_t)i};
        damaged d = *choose(&rng);
        kit_copy_tree(disk, copy);
        damage(copy, &d, &rng);
        snprintf(where, sizeof where, "flip %d, %s of %lld bytes: %s at %lld, %lld bytes", i,
                 d.path, (long long)d.size, d.how, (long long)d.at, (long long)d.n);
        runs_note(where);
        runs_keep(copy);
        outcome o = look(&d, copy, where);
        tally[kind_of(&d)][o]++;
        if (runs_count("ARKA_FAULT_VERBOSE", 0))
            print_message("%s: %s\n", where, OUTCOMES[o]);
    }
    runs_note("");
    static const char *const KINDS[] = {"log", "manifest", "Parquet"};
    for (int k = 0; k < 3; k++)
        for (int i = 0; i < N_OUTCOMES; i++)
            if (tally[k][i] > 0)
                print_message("%s: %ld %s\n", KINDS[k], tally[k][i], OUTCOMES[i]);
    if (tally[0][WRONG] + tally[1][WRONG] + tally[2][WRONG] > 0)
        fail_msg("wrong answers");
}

TEST(one_run)
{
    uint64_t seed;
    if (runs_seed(&seed))
        do_run(seed);
}

TEST(changed_bytes_never_give_a_wrong_answer)
{
    runs_all("flips", "one_run",
             (runs_count("ARKA_FAULT_FLIPS", 500) + FLIPS_A_RUN - 1) / FLIPS_A_RUN);
}
