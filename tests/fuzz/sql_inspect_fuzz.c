/*
 * A statement of somebody who may see one database of two. It is refused, or it runs; either way
 * nothing of what is hidden comes out (rows, names of tables and columns), no file that is not a
 * table's, nothing of the environment. And it says exactly what a service says where the hidden
 * things do not exist: so that no sentence, however harmless, tells of them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "columnar/rows.h"
#include "sql/system.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed);
const char *__lsan_default_suppressions(void);

/* A plan that is given up leaves some bytes in DuckDB. */
const char *__lsan_default_suppressions(void)
{
    return "leak:libduckdb.so\n";
}

/* What must not come out: of rows, of a file, of the environment. And names, unless they are asked
 * for by name. */
static const char *const CANARIES[] = {"ROWCANARY", "FILECANARY", "ENVCANARY"};
static const char *const NAMES[] = {"vaultzq", "ledgerzq", "salaryzq"};

typedef struct service {
    arka_engine *engine;
    arka_sql *sql;
    char base[96];
} service;

static service with_hidden, without;
static char directory[64];

/* ---- what there is ---- */

static bool sees_database(const void *context, arka_slice database)
{
    return !arka_name_eq(database, ARKA_SLICE("vaultzq"));
}
static bool sees_table(const void *context, arka_slice database, arka_slice table)
{
    return sees_database(context, database) && !arka_name_eq(table, ARKA_SLICE("ledgerzq"));
}
static const arka_visibility LIMITED = {
    .database = sees_database, .table = sees_table, .key = "limited", .no_admin = true};

static const arka_system_column STOCK[] = {{"database", ARKA_VARCHAR}, {"n", ARKA_BIGINT}};

static arka_status put_stock(void *context, const arka_visibility *v, arka_system_rows *rows,
                             arka_error *err)
{
    static const char *const DATABASES[] = {"default", "vaultzq"};
    for (int i = 0; i < 2; i++)
        if (arka_sees_database(v, arka_slice_of(DATABASES[i]))) {
            arka_system_put_text(rows, DATABASES[i]);
            arka_system_put_i64(rows, i);
            ARKA_TRY(arka_system_end_row(rows, err));
        }
    return ARKA_OK;
}

static const arka_system_table SYSTEM[] = {
    {.name = "stock", .columns = STOCK, .n_columns = 2, .put_rows = put_stock},
    {.name = "rejected_writes", .about_database = "database", .about_table = "measurement"},
};

static void must(arka_status status, const arka_error *err)
{
    ARKA_CHECK(status == ARKA_OK, "%s", err->msg);
}

/* One row: texts in the columns named, and v = time. */
static void put(service *s, const char *database, const char *table, int64_t time,
                const char *const *columns, const char *const *texts)
{
    arka_error err = {0};
    arka_rows *rows;
    arka_batch *batch;
    must(arka_rows_new(false, &rows, &err), &err);
    int v = arka_rows_column(rows, ARKA_SLICE("v"), false, ARKA_BIGINT, 0, &err);
    arka_rows_put_i64(rows, v, time);
    for (int i = 0; columns[i] != NULL; i++) {
        int c = arka_rows_column(rows, arka_slice_of(columns[i]), false, ARKA_VARCHAR, i + 1, &err);
        arka_rows_put_text(rows, c, arka_slice_of(texts[i]));
    }
    ARKA_CHECK(arka_rows_end(rows, time));
    must(arka_rows_seal(rows, &batch, &err), &err);
    arka_put_batch one = {.measurement = arka_slice_of(table), .batch = batch};
    must(arka_engine_write(s->engine, arka_slice_of(database), &one, 1, true, &err), &err);
    arka_batch_unref(batch);
}

static arka_status ask(service *s, arka_slice text, const arka_visibility *visibility,
                       arka_buf *out, arka_error *err)
{
    enum { MOST_MS = 2000, MOST_BYTES = 1 << 20 };
    ARKA_AUTO(arka_query) q = NULL;
    arka_query_options options = {.text = text,
                                  .format = ARKA_FORMAT_CSV,
                                  .visibility = *visibility,
                                  .deadline = arka_mono_after_ms(MOST_MS)};
    ARKA_TRY(arka_query_start(s->sql, &options, &q, err));
    for (bool done = false; !done && out->len < MOST_BYTES;)
        ARKA_TRY(arka_query_next(q, out, &done, err));
    return ARKA_OK;
}

static void fill(service *s, bool hidden)
{
    static const char *const HOST[] = {"host", NULL}, *const SALARY[] = {"salaryzq", NULL},
                             *const ABOUT[] = {"database", "measurement", "reason", NULL};
    static const arka_visibility ALL = {0};
    arka_error err = {0};
    int64_t n;
    put(s, "default", "cpu", 1, HOST, (const char *const[]){"a"});
    put(s, "default", "cpu", 3600000001, HOST, (const char *const[]){"b"});
    must(arka_engine_flush(s->engine, (arka_slice){"", 0}, (arka_slice){"", 0}, &n, &err), &err);
    put(s, "default", "cpu", 2, HOST, (const char *const[]){"c"});
    put(s, "default", "mem", 1, HOST, (const char *const[]){"a"});
    put(s, "_arc", "rejected_writes", 1, ABOUT, (const char *const[]){"default", "cpu", "seen"});
    if (!hidden)
        return;
    put(s, "default", "ledgerzq", 1, SALARY, (const char *const[]){"ROWCANARY"});
    put(s, "vaultzq", "cpu", 1, SALARY, (const char *const[]){"ROWCANARY"});
    put(s, "vaultzq", "ledgerzq", 1, SALARY, (const char *const[]){"ROWCANARY"});
    must(arka_engine_flush(s->engine, ARKA_SLICE("vaultzq"), (arka_slice){"", 0}, &n, &err), &err);
    put(s, "_arc", "rejected_writes", 2, ABOUT,
        (const char *const[]){"vaultzq", "ledgerzq", "ROWCANARY"});
    /* DuckDB has a view of each: somebody who may see them has asked */
    arka_buf out = ARKA_BUF_INIT;
    must(ask(s,
             ARKA_SLICE("SELECT salaryzq FROM default.ledgerzq UNION ALL SELECT salaryzq FROM "
                        "vaultzq.cpu UNION ALL SELECT salaryzq FROM vaultzq.ledgerzq UNION ALL "
                        "SELECT reason FROM _arc.rejected_writes"),
             &ALL, &out, &err),
         &err);
    ARKA_CHECK(strstr(arka_buf_cstr(&out), "ROWCANARY") != NULL);
    arka_buf_fini(&out);
}

static void open_service(service *s, const char *name, bool hidden)
{
    arka_error err = {0};
    char manifest[128];
    arka_engine_options o;
    arka_engine_options_default(&o);
    snprintf(s->base, sizeof s->base, "%s/%s", directory, name);
    snprintf(manifest, sizeof manifest, "%s/%s.manifest", directory, name);
    o.base_path = s->base;
    o.manifest_path = manifest;
    o.default_database = "default";
    o.flush_rows = o.flush_age_ms = o.flush_bytes = INT64_MAX / 2;
    o.disk_reserve_bytes = 0;
    must(arka_engine_open(&o, &s->engine, &err), &err);
    arka_sql_options options = {.engine = s->engine,
                                .data_dir = s->base,
                                .threads = 1,
                                .max_sessions = 1,
                                .memory_limit_bytes = (size_t)128 << 20,
                                .max_temp_bytes = 1 << 20,
                                .system_tables = SYSTEM,
                                .n_system_tables = 2};
    must(arka_sql_open(&options, &s->sql, &err), &err);
    fill(s, hidden);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    char path[128];
    snprintf(directory, sizeof directory, "%s/arka-fuzz-sql-%d",
             getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp", (int)getpid());
    ARKA_CHECK(mkdir(directory, 0700) == 0, "%s", directory);
    /* the file's directory is the working directory: a bare name reaches it */
    snprintf(path, sizeof path, "%s/canary.csv", directory);
    FILE *f = fopen(path, "w");
    ARKA_CHECK(f != NULL);
    fputs("a,b\nFILECANARY,1\n", f);
    fclose(f);
    ARKA_CHECK(setenv("ARKACANARY", "ENVCANARY", 1) == 0);
    open_service(&with_hidden, "one", true);
    open_service(&without, "one-without", false);
    return 0;
}

/* ---- one statement ---- */

static bool has(arka_slice text, const char *word)
{
    size_t n = strlen(word);
    for (size_t i = 0; i + n <= text.len; i++)
        if (strncasecmp(text.data + i, word, n) == 0)
            return true;
    return false;
}

static void check_words(arka_slice text, const arka_buf *out)
{
    arka_slice got = {out->data, out->len};
    for (size_t i = 0; i < sizeof CANARIES / sizeof *CANARIES; i++)
        ARKA_CHECK(!has(got, CANARIES[i]) || has(text, CANARIES[i]), "%s: %.300s", CANARIES[i],
                   out->data);
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++)
        ARKA_CHECK(!has(got, NAMES[i]) || has(text, NAMES[i]), "%s: %.300s", NAMES[i], out->data);
}

/* Its outcome: the status, and the rows or the sentence. */
static arka_status outcome(service *s, arka_slice text, arka_buf *out)
{
    arka_error err = {0};
    arka_status status = ask(s, text, &LIMITED, out, &err);
    ARKA_CHECK(status != ARKA_INTERNAL, "%s", err.msg);
    if (status != ARKA_OK)
        arka_buf_clear(out);
    arka_buf_printf(out, "%d %s", (int)status, err.msg);
    return status;
}

/* Times, and whatever else two runs of one statement do not have in common. */
static bool may_differ(arka_slice text, arka_status a, arka_status b)
{
    static const char *const WORDS[] = {"explain", "random",  "uuid",  "now",
                                        "current", "today",   "local", "sample",
                                        "hash",    "shuffle", "txid",  "version"};
    if (a == ARKA_CANCELLED || b == ARKA_CANCELLED || a == ARKA_LIMIT || b == ARKA_LIMIT)
        return true;
    for (size_t i = 0; i < sizeof WORDS / sizeof *WORDS; i++)
        if (has(text, WORDS[i]))
            return true;
    return false;
}

/* Does it say the same each time? What is sorted by a constant may come in any order. */
static bool is_settled(service *s, arka_slice text, const arka_buf *first)
{
    enum { TIMES = 64 };
    bool same = true;
    for (int i = 0; i < TIMES && same; i++) {
        arka_buf again = ARKA_BUF_INIT;
        ARKA_IGNORE(outcome(s, text, &again) != ARKA_OK);
        same = again.len == first->len && memcmp(again.data, first->data, again.len) == 0;
        arka_buf_fini(&again);
    }
    return same;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum { MOST = 4096 };
    arka_slice text = {(const char *)data, size};
    arka_buf a = ARKA_BUF_INIT, b = ARKA_BUF_INIT;
    if (size > MOST)
        return -1;
    arka_status of_hidden = outcome(&with_hidden, text, &a);
    check_words(text, &a);
    arka_status of_absent = outcome(&without, text, &b);
    bool same = a.len == b.len && memcmp(a.data, b.data, a.len) == 0;
    ARKA_CHECK(same || may_differ(text, of_hidden, of_absent) ||
                   !is_settled(&with_hidden, text, &a) || !is_settled(&without, text, &b),
               "hidden %.300s\nabsent %.300s", a.data, b.data);
    arka_buf_fini(&a);
    arka_buf_fini(&b);
    return 0;
}

/* ---- other statements, by words ---- */

static const char *const WORDS[] = {
    "SELECT ",
    " FROM ",
    " WHERE ",
    " JOIN ",
    " ON ",
    " USING ",
    " GROUP BY ",
    " HAVING ",
    " ORDER BY ",
    " LIMIT ",
    " UNION ALL ",
    " BY NAME ",
    " INTERSECT ",
    " EXCEPT ",
    " WITH ",
    " RECURSIVE ",
    " AS ",
    " MATERIALIZED ",
    " LATERAL ",
    " ASOF ",
    " POSITIONAL ",
    " QUALIFY ",
    " OVER (",
    " PARTITION BY ",
    " ROWS BETWEEN ",
    " FILTER (WHERE ",
    " DISTINCT ON (",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    ",",
    ".",
    ";",
    "::",
    "->",
    "*",
    "=",
    "'",
    "\"",
    "$$",
    "--",
    "/*",
    "*/",
    " CASE WHEN ",
    " THEN ",
    " END ",
    " EXISTS ",
    " IN ",
    " DESCRIBE ",
    " SUMMARIZE ",
    " SHOW ",
    " TABLES ",
    " DATABASES ",
    " EXPLAIN ",
    " ANALYZE ",
    " PIVOT ",
    " UNPIVOT ",
    "COLUMNS(",
    " EXCLUDE ",
    " REPLACE ",
    "cpu",
    "mem",
    "default",
    "vaultzq",
    "ledgerzq",
    "salaryzq",
    "vaultzq.ledgerzq",
    "default.ledgerzq",
    "_arc",
    "_arc.rejected_writes",
    "_arc.stock",
    "host",
    "time",
    "v",
    "reason",
    "database",
    "information_schema",
    "information_schema.tables",
    "information_schema.columns",
    "information_schema.schemata",
    "table_name",
    "main",
    "system",
    "temp",
    "pg_catalog",
    "memory",
    "\"arc:\"",
    "'canary.csv'",
    "\"canary.csv\"",
    "canary.csv",
    "read_text('canary.csv')",
    "read_csv('canary.csv')",
    "getenv('ARKACANARY')",
    "current_setting('temp_directory')",
    "duckdb_tables()",
    "duckdb_views()",
    "duckdb_columns()",
    "pragma_table_info('vaultzq.ledgerzq')",
    "query_table('ledgerzq')",
    "query('FROM ledgerzq')",
    "arc_files('vaultzq','ledgerzq')",
    "arc_hot('vaultzq','ledgerzq','')",
    "arc_tables('')",
    "arc_system('_arc','stock')",
    "glob('*')",
    "sniff_csv('canary.csv')",
    "sqlite_master",
    "pg_class",
    "range(3)",
    "generate_series(1,3)",
    "unnest([1,2])",
    "list_transform([1],x->",
    "list_aggregate([1],'sum')",
    "error(",
    "try(",
    "typeof(",
    "to_json(",
    "json_object('a',",
    "string_agg(",
    "count(*)",
    "sum(v)",
    "max(",
    "upper(",
    "NULL",
    "1",
    "0",
    "'x'",
    "TRUE",
    " IS NULL ",
    " COLLATE NOCASE ",
    " TABLESAMPLE 50% ",
    " AT (VERSION=>1) ",
    " ATTACH 'x' ",
    " COPY cpu TO 'x' ",
    " SET ",
    " CALL ",
    " PRAGMA ",
    " INSTALL x ",
    " LOAD x ",
    "current_schema()",
};

static uint64_t roll(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static bool is_word(uint8_t c)
{
    return (c | 32) - 'a' < 26u || c - '0' < 10u || c == '_' || c >= 0x80;
}

/* A word of the statement, from *at on: how long it is. */
static size_t word_at(const uint8_t *data, size_t size, size_t *at)
{
    size_t end = *at;
    while (*at > 0 && is_word(data[*at - 1]) && is_word(data[*at]))
        --*at;
    while (end < size && is_word(data[end]))
        end++;
    return end > *at ? end - *at : size > *at;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed)
{
    uint64_t state = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
    if (roll(&state) % 4 == 0 || size == 0)
        return LLVMFuzzerMutate(data, size, max);
    for (uint64_t n = 1 + roll(&state) % 3; n > 0; n--) {
        size_t at = size > 0 ? roll(&state) % size : 0;
        size_t old = size > 0 ? word_at(data, size, &at) : 0;
        const char *word = WORDS[roll(&state) % (sizeof WORDS / sizeof *WORDS)];
        size_t len = strlen(word);
        uint64_t how = roll(&state) % 5;
        if (how == 0)
            len = 0; /* the old word goes */
        if (how >= 3)
            old = 0; /* the new one comes in front of it */
        if (size - old + len > max)
            continue;
        memmove(data + at + len, data + at + old, size - at - old);
        memcpy(data + at, word, len);
        size = size - old + len;
    }
    return size;
}
