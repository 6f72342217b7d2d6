/* Queries that may not see everything: what is hidden must look as what is not there. */
#include "kit/sql.h"
#include "sql/system.h"

/* ---- a service with things to hide ---- */

static const arka_system_column STOCK[] = {{"database", ARKA_VARCHAR},
                                           {"n", ARKA_BIGINT},
                                           {"part", ARKA_DOUBLE},
                                           {"done", ARKA_BOOLEAN},
                                           {"at", ARKA_TIMESTAMPTZ}};
static int n_made; /* calls of put_stock */

static arka_status put_stock(void *context, const arka_visibility *v, arka_system_rows *rows,
                             arka_error *err)
{
    static const char *const DATABASES[] = {"default", "vault", "shared"};
    n_made++;
    for (int64_t i = 0; i < 3; i++) {
        if (!arka_sees_database(v, arka_slice_of(DATABASES[i])))
            continue;
        arka_system_put_text(rows, DATABASES[i]);
        arka_system_put_i64(rows, *(const int64_t *)context + i);
        if (i == 1)
            arka_system_put_null(rows);
        else
            arka_system_put_f64(rows, 0.5);
        arka_system_put_bool(rows, i == 0);
        arka_system_put_time(rows, 1000000 * i);
        ARKA_TRY(arka_system_end_row(rows, err));
    }
    return ARKA_OK;
}

static const arka_system_table SYSTEM[] = {
    {.name = "stock", .columns = STOCK, .n_columns = 5, .put_rows = put_stock},
    {.name = "rejected_writes", .about_database = "database", .about_table = "measurement"},
};

/* Of "default" cpu alone, all of "shared". */
static bool sees_database(const void *context, arka_slice database)
{
    return arka_name_eq(database, ARKA_SLICE("default")) ||
           arka_name_eq(database, ARKA_SLICE("shared"));
}
static bool sees_table(const void *context, arka_slice database, arka_slice table)
{
    return arka_name_eq(database, ARKA_SLICE("shared")) ||
           (arka_name_eq(database, ARKA_SLICE("default")) &&
            arka_name_eq(table, ARKA_SLICE("cpu")));
}
static const arka_visibility LIMITED = {
    .database = sees_database, .table = sees_table, .key = "limited", .no_admin = true};

static void open_shop_with(const char *name, bool hidden)
{
    static int64_t first = 7;
    open_service_with(name, (arka_sql_options){.threads = 2,
                                               .max_sessions = 2,
                                               .system_tables = SYSTEM,
                                               .n_system_tables = 2,
                                               .system_context = &first});
    put("default", "cpu", "time:t host:s v:i", "1 a 1", "2 b 2");
    put("shared", "mem", "time:t v:f", "1 0.5");
    if (!hidden) {
        put("_arc", "rejected_writes", "time:t database:s measurement:s place:i reason:s sample:s",
            "1 default cpu 1 seen one", "4 shared new 4 seen two");
        visible = LIMITED;
        return;
    }
    put("default", "ledger", "time:t salary:i canary:s", "1 99 MAGIC");
    put("vault", "ledger", "time:t salary:i canary:s", "1 98 MAGIC");
    put("vault", "disk", "time:t salary:i canary:s", "1 97 MAGIC");
    put("_arc", "rejected_writes", "time:t database:s measurement:s place:i reason:s sample:s",
        "1 default cpu 1 seen one", "2 vault ledger 2 MAGIC MAGIC",
        "3 default ledger 3 MAGIC MAGIC", "4 shared new 4 seen two", "5 - - 5 MAGIC MAGIC",
        "6 default - 6 MAGIC MAGIC");
    flush("vault", "ledger");
    /* DuckDB knows them all: an administrator asked */
    visible = (arka_visibility){0};
    check_rows("SELECT salary FROM default.ledger UNION ALL SELECT salary FROM vault.ledger UNION "
               "ALL SELECT salary FROM vault.disk ORDER BY 1",
               "97|98|99");
    check_rows("SELECT count(*) FROM _arc.rejected_writes", "6");
    visible = LIMITED;
}

static void open_shop(const char *name)
{
    open_shop_with(name, true);
}

static void close_shop(void)
{
    visible = (arka_visibility){0};
    close_service();
}

/* `pattern` with the words in place of its '@' (a database) and '#' (a table). */
static void fill_in(char *text, size_t size, const char *pattern, const char *database,
                    const char *table)
{
    size_t n = 0;
    for (; *pattern && n + 20 < size; pattern++) {
        const char *word = *pattern == '@' ? database : *pattern == '#' ? table : NULL;
        n += (size_t)(word ? snprintf(text + n, size - n, "%s", word)
                           : snprintf(text + n, size - n, "%c", *pattern));
    }
}

/* What comes of it, as one text: status, then sentence or rows. */
static void outcome(const char *database, const char *text, arka_buf *out)
{
    arka_error err = {0};
    arka_buf got = ARKA_BUF_INIT;
    arka_status status = query_rows(database, false, text, &got, &err);
    arka_buf_clear(out);
    arka_buf_printf(out, "%d: %s", (int)status, status == ARKA_OK ? got.data : err.msg);
    arka_buf_cstr(out);
    arka_buf_fini(&got);
}

/* ---- the same answer where it is hidden and where it is not there ---- */

static const char *const PATTERNS[] = {
    "SELECT * FROM @.#",
    "FROM @.# LIMIT 0",
    "SELECT count(*) FROM @.#",
    "DESCRIBE @.#",
    "SUMMARIZE @.#",
    "EXPLAIN SELECT * FROM @.#",
    "EXPLAIN ANALYZE SELECT * FROM @.#",
    "SELECT * FROM cpu WHERE v IN (SELECT salary FROM @.#)",
    "SELECT (SELECT max(salary) FROM @.#)",
    "SELECT * FROM cpu ORDER BY (SELECT 1 FROM @.#)",
    "SELECT * FROM cpu, @.#, nowhere.none",
    "SELECT * FROM nowhere.none, @.#",
    "SELECT * FROM cpu JOIN @.# USING (time)",
    "WITH x AS (FROM @.#) SELECT 1",
    "WITH x AS (FROM @.#) FROM cpu",
    "WITH RECURSIVE # AS (FROM # UNION ALL FROM @.#) FROM #",
    "WITH # AS (SELECT 1 AS a) SELECT * FROM #, @.#",
    "SELECT * FROM (PIVOT @.# ON canary IN ('a') USING sum(salary))",
    "SELECT * FROM (UNPIVOT @.# ON salary)",
    "SELECT column_name FROM (DESCRIBE @.#)",
    "SELECT column_name FROM (SUMMARIZE @.#)",
    "FROM cpu ASOF JOIN @.# USING (time)",
    "FROM cpu POSITIONAL JOIN @.#",
    "FROM cpu, LATERAL (FROM @.#)",
    "SELECT 1 UNION ALL BY NAME FROM @.#",
    "SHOW TABLES FROM @",
    "SHOW MEASUREMENTS IN @",
    /* names that are no tables */
    "SELECT @.#.salary FROM cpu",
    "SELECT #.salary FROM cpu",
    "SELECT @ FROM cpu",
    "SELECT # FROM cpu",
    "SELECT cpu.# FROM cpu",
    "SELECT * FROM cpu AS @ WHERE @.# = 1",
    "SELECT @.upper('x')",
    "SELECT @.#('x')",
    "SELECT @.no_such_function('x')",
    "SELECT @.sum(v) FROM cpu",
    "SELECT @.row_number() OVER () FROM cpu",
    "SELECT @.#.upper('x')",
    "SELECT #('x')",
    "SELECT host.#() FROM cpu",
    "SELECT 1::@",
    "SELECT 1::#",
    "SELECT 1::@.#",
    "SELECT 1::@.int",
    "SELECT NULL::STRUCT(a @.#)",
    "SELECT TRY_CAST(1 AS @.#[])",
    "SELECT 'x' COLLATE @",
    "SELECT 'x' COLLATE @.#",
    "SELECT * FROM cpu ORDER BY host COLLATE @.nocase",
    "SELECT * FROM @('x')",
    "SELECT * FROM @.#('x')",
    "SELECT * FROM @.range(3)",
    "SELECT * FROM @.generate_series(1, 3)",
    "SELECT COLUMNS(@.*) FROM cpu",
    "SELECT @.* FROM cpu",
    "SELECT #.* FROM cpu",
    "SELECT @.#.* FROM cpu",
    "SELECT * EXCLUDE (@.#) FROM cpu",
    "SELECT * FROM cpu TABLESAMPLE @(10)",
    "SELECT * FROM \"@.#\"",
    "SELECT * FROM @.#@",
    "SELECT * FROM main.#",
    "SELECT * FROM temp.#",
    "SELECT * FROM pg_catalog.#",
    "SELECT * FROM information_schema.#",
    "SELECT * FROM information_schema.tables WHERE table_schema = '@' OR table_name = '#'",
    "SELECT * FROM information_schema.columns WHERE table_schema = '@' OR table_name = '#' OR "
    "column_name IN ('salary', 'canary')",
    "SELECT * FROM information_schema.schemata WHERE schema_name = '@'",
    "SELECT * FROM _arc.rejected_writes WHERE database = '@' OR measurement = '#'",
    "SELECT * FROM _arc.stock WHERE database = '@'",
    "SELECT * FROM _arc.#",
    "SHOW TABLES FROM _arc",
    "SHOW DATABASES",
    "SELECT current_schema() FROM @.#",
};

static const char *const NAMES[][2] = {{"vault", "ledger"}, {"vault", "disk"},
                                       {"vault", "nobody"}, {"default", "ledger"},
                                       {"VAULT", "Ledger"}, {"absent", "salary"}};
static const char *const OF_THE_REQUEST[] = {
    "SELECT * FROM ledger",     "SELECT 1",      "SHOW TABLES",
    "SELECT current_schema()",  "DESCRIBE disk", "SHOW DATABASES",
    "SELECT * FROM ledger, cpu"};
enum {
    N_PATTERNS = sizeof PATTERNS / sizeof *PATTERNS,
    N_NAMES = sizeof NAMES / sizeof *NAMES,
    N_OF_THE_REQUEST = sizeof OF_THE_REQUEST / sizeof *OF_THE_REQUEST,
    N_ASKED = N_PATTERNS * N_NAMES + N_OF_THE_REQUEST
};

static const char *question(int i, char *text, size_t size, const char **database)
{
    *database = i < N_PATTERNS * N_NAMES ? "default" : "vault";
    if (i >= N_PATTERNS * N_NAMES)
        return OF_THE_REQUEST[i - N_PATTERNS * N_NAMES];
    fill_in(text, size, PATTERNS[i / N_NAMES], NAMES[i % N_NAMES][0], NAMES[i % N_NAMES][1]);
    return text;
}

TEST(hidden_is_answered_as_absent)
{
    static arka_buf answers[N_ASKED];
    arka_buf absent = ARKA_BUF_INIT;
    char text[300];
    const char *database;
    open_shop("hidden");
    for (int i = 0; i < N_ASKED; i++) {
        const char *asked = question(i, text, sizeof text, &database);
        outcome(database, asked, &answers[i]);
    }
    close_shop();
    open_shop_with("absent", false);
    for (int i = 0; i < N_ASKED; i++) {
        const char *asked = question(i, text, sizeof text, &database);
        outcome(database, asked, &absent);
        if (strcmp(answers[i].data, absent.data) != 0)
            fail_msg("%s\n  hidden %s\n  absent %s", asked, answers[i].data, absent.data);
        arka_buf_fini(&answers[i]);
    }
    arka_buf_fini(&absent);
    close_shop();
}

/* ---- what is seen ---- */

TEST(lists_have_what_may_be_seen_and_no_more)
{
    open_shop("lists");
    for (int limited = 1; limited >= 0; limited--) {
        visible = limited ? LIMITED : (arka_visibility){0};
        check_rows("SELECT table_schema, table_name, table_type FROM information_schema.tables "
                   "ORDER BY ALL",
                   limited
                       ? "_arc rejected_writes BASE TABLE|_arc stock SYSTEM VIEW|default cpu BASE "
                         "TABLE|shared mem BASE TABLE"
                       : "_arc rejected_writes BASE TABLE|_arc stock SYSTEM VIEW|default cpu BASE "
                         "TABLE|default ledger BASE TABLE|shared mem BASE TABLE|vault disk BASE "
                         "TABLE|vault ledger BASE TABLE");
        check_rows(
            "SELECT DISTINCT table_name, column_name FROM \"Information_Schema\" . "
            "\"columns\" WHERE table_schema <> '_arc' ORDER BY ALL",
            limited
                ? "cpu host|cpu time|cpu v|mem time|mem v"
                : "cpu host|cpu time|cpu v|disk canary|disk salary|disk time|ledger canary|ledger "
                  "salary|ledger time|mem time|mem v");
        check_rows("SELECT schema_name FROM information_schema.schemata ORDER BY 1",
                   limited ? "_arc|default|shared" : "_arc|default|shared|vault");
        check_rows(
            "SELECT table_catalog = current_database() FROM information_schema.tables LIMIT 1",
            "t");
        check_rows(
            "SELECT DISTINCT information_schema.tables.table_name FROM information_schema.tables, "
            "information_schema.columns WHERE tables.table_name = columns.table_name AND "
            "column_name = 'host'",
            "cpu");
    }
    visible = LIMITED;
    check_rows("SELECT ordinal_position, column_name, data_type, is_nullable, numeric_precision, "
               "numeric_scale, datetime_precision FROM information_schema.columns WHERE "
               "table_name = 'cpu' ORDER BY 1",
               "1 time TIMESTAMP WITH TIME ZONE YES - - 6|2 host VARCHAR YES - - -|3 v BIGINT YES "
               "64 0 -");
    close_shop();
}

TEST(rows_about_hidden_tables_are_not_there_for_anything)
{
    open_shop("about");
    for (int flushed = 0; flushed < 2; flushed++) {
        visible = LIMITED;
        check_rows("SELECT place FROM _arc.rejected_writes ORDER BY 1", "1|4");
        check_rows("SELECT count(*) FROM _arc.rejected_writes", "2");
        check_rows("SELECT max(place), min(time) FROM _arc.rejected_writes",
                   "4 1970-01-01T00:00:00.000001Z");
        check_rows("SELECT reason, sample FROM _ARC.Rejected_Writes ORDER BY time DESC LIMIT 2",
                   "seen two|seen one");
        /* conditions that would fail on a hidden row, wherever DuckDB moves them */
        check_rows("SELECT place FROM _arc.rejected_writes WHERE CASE WHEN reason = 'MAGIC' THEN "
                   "error(sample) ELSE true END ORDER BY 1",
                   "1|4");
        check_rows(
            "SELECT count(*) FROM (SELECT CASE WHEN sample = 'MAGIC' THEN error('seen it') END "
            "FROM _arc.rejected_writes)",
            "2");
        check_rows(
            "SELECT count(*) FROM _arc.rejected_writes WHERE 1 // (place - 2) >= -1 AND 10 // "
            "(place - 3) > -100 AND 1 // (place - 5) > -100 AND 1 // (place - 6) > -100",
            "2");
        check_rows(
            "SELECT r.place FROM _arc.rejected_writes r JOIN cpu ON r.place = v * v ORDER BY "
            "1",
            "1|4");
        check_rows("SELECT DISTINCT database FROM _arc.rejected_writes ORDER BY 1",
                   "default|shared");
        check_rows("SELECT count(*) FROM _arc.rejected_writes WHERE reason LIKE 'MAG%' OR database "
                   "IS NULL",
                   "0");
        check_rows("SELECT max FROM (SUMMARIZE SELECT reason FROM _arc.rejected_writes)", "seen");
        check_fails("EXPLAIN SELECT 1 FROM _arc.rejected_writes", ARKA_FORBIDDEN, "EXPLAIN");
        visible = (arka_visibility){0};
        check_rows("SELECT place FROM _arc.rejected_writes ORDER BY 1", "1|2|3|4|5|6");
        check_rows("SELECT count(*) FROM _arc.rejected_writes WHERE database IS NULL", "1");
        flush("_arc", "rejected_writes");
    }
    close_shop();
}

TEST(a_kept_plan_shows_each_query_its_own)
{
    /* one session: the statement is bound once */
    static int64_t first = 7;
    open_service_with("plans", (arka_sql_options){.threads = 1,
                                                  .max_sessions = 1,
                                                  .system_tables = SYSTEM,
                                                  .n_system_tables = 2,
                                                  .system_context = &first});
    put("default", "cpu", "time:t v:i", "1 1");
    put("vault", "ledger", "time:t v:i", "1 98");
    put("_arc", "rejected_writes", "time:t database:s measurement:s place:i", "1 default cpu 1",
        "2 vault ledger 2");
    for (int i = 0; i < 6; i++) {
        visible = i % 2 ? LIMITED : (arka_visibility){0};
        check_rows("SELECT place FROM _arc.rejected_writes ORDER BY 1", i % 2 ? "1" : "1|2");
        check_rows("SELECT n FROM _arc.stock ORDER BY 1", i % 2 ? "7|9" : "7|8|9");
        check_rows("SELECT count(*) FROM information_schema.tables WHERE table_schema <> '_arc'",
                   i % 2 ? "1" : "2");
        if (i % 2)
            check_fails("SELECT v FROM vault.ledger", ARKA_NOTFOUND,
                        "unknown table: vault.ledger\n");
        else
            check_rows("SELECT v FROM vault.ledger", "98");
    }
    close_shop();
}

/* ---- system tables ---- */

TEST(system_tables_are_made_when_asked_for)
{
    open_shop("system");
    visible = (arka_visibility){0};
    n_made = 0;
    check_rows(
        "SELECT * FROM _arc.stock ORDER BY n",
        "default 7 0.5 t 1970-01-01T00:00:00Z|vault 8 - f 1970-01-01T00:00:01Z|shared 9 0.5 f "
        "1970-01-01T00:00:02Z");
    assert_int_equal(n_made, 1);
    check_rows("SELECT done, n FROM _ARC.STOCK WHERE n > 7 ORDER BY n DESC", "f 9|f 8");
    check_rows("SELECT count(*) FROM _arc.stock", "3");
    check_rows("SELECT a.n, b.n FROM _arc.stock a JOIN _arc.stock b ON b.n = a.n + 1 ORDER BY 1",
               "7 8|8 9");
    check_rows_in("_arc", "SELECT max(n) FROM stock", "9");
    check_rows("SELECT v, n FROM cpu, _arc.stock WHERE v = 1 AND n = 8", "1 8");
    n_made = 0;
    check_rows("SELECT column_name, column_type FROM (DESCRIBE _arc.stock) LIMIT 2",
               "database VARCHAR|n BIGINT");
    assert_int_equal(n_made, 0);
    check_fails("SELECT * FROM _arc.nothing", ARKA_NOTFOUND, "unknown table: _arc.nothing");
    check_fails("SELECT * FROM stock", ARKA_NOTFOUND, "unknown table: default.stock");
    check_fails("SELECT nope FROM _arc.stock", ARKA_INPUT, "\"nope\" not found");
    check_fails_in("default", true, "SELECT * FROM _arc.stock", ARKA_FORBIDDEN, "limited");
    check_rows_in("_arc", "SELECT current_schema()", "_arc");
    close_shop();
}

TEST(names_of_information_schema_are_ours_alone)
{
    open_shop("names");
    visible = (arka_visibility){0};
    check_fails("SELECT * FROM \"information_schema:\".nothing", ARKA_NOTFOUND, "unknown table");
    check_fails("SELECT * FROM information_schema.views", ARKA_NOTFOUND,
                "unknown table: information_schema.views");
    check_fails("SELECT nope FROM cpu, information_schema.tables", ARKA_INPUT,
                "LINE 1: SELECT nope FROM cpu, information_schema.tables\n               ^");
    check_fails("SELECT 1 FROM cpu, information_schema.tables WHERE nope = 1", ARKA_INPUT,
                "information_schema.tables WHERE nope = 1\n"
                "                                                           ^");
    check_rows("WITH tables AS (SELECT 5 AS x) SELECT x FROM tables", "5");
    check_rows("SELECT 'information_schema.tables' /* information_schema.tables */",
               "information_schema.tables");
    close_shop();
}
