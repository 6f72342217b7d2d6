#include "cli/bench/bench_options.h"

#include "kit/kit.h"

static arka_status parse(arka_bench_mode mode, const char *line, arka_bench_options *o,
                         arka_error *err)
{
    static char copy[400]; /* options borrow from it */
    char *argv[40], *rest = copy, *word;
    int argc = 0;
    snprintf(copy, sizeof copy, "%s", line);
    while ((word = strsep(&rest, " ")) != NULL && argc < 40)
        if (*word != 0)
            argv[argc++] = word;
    return arka_bench_options_parse(o, mode, argc, argv, err);
}

TEST(defaults_differ_by_verb)
{
    arka_error err = {0};
    arka_bench_options w, q;
    unsetenv("ARC_TOKEN");
    unsetenv("ARC_URL");
    ASSERT_OK(parse(ARKA_BENCH_WRITE, "", &w, &err));
    assert_string_equal(w.url, "http://127.0.0.1:8000");
    assert_string_equal(w.database, "bench");
    assert_null(w.token);
    assert_int_equal(w.n_connections, 12);
    assert_int_equal(w.n_rows, 1000);
    assert_true(w.seconds == 30);
    ASSERT_OK(parse(ARKA_BENCH_QUERY, "", &q, &err));
    assert_int_equal(q.n_connections, 1);
    assert_int_equal(q.n_rows, 10000000);
    assert_true(q.load);
    ASSERT_OK(parse(ARKA_BENCH_QUERY, "--table cpu", &q, &err));
    assert_false(q.load);
    ASSERT_OK(parse(ARKA_BENCH_QUERY, "--table cpu --load", &q, &err));
    assert_true(q.load);
}

TEST(every_form_of_a_value_is_read)
{
    arka_error err = {0};
    arka_bench_options o;
    ASSERT_OK(parse(ARKA_BENCH_WRITE,
                    "--url=http://h:1 --token t=1 --workload finance --format=lp --compress zstd "
                    "--values realistic --connections 64 --threads=2 --rows 1 --seconds 0.5 "
                    "--requests 1e6 --warmup 2 --pool 7 --no-flush --no-verify --server-pid 42 "
                    "--json --database db1",
                    &o, &err));
    assert_string_equal(o.url, "http://h:1");
    assert_string_equal(o.token, "t=1");
    assert_string_equal(o.database, "db1");
    assert_int_equal(o.workload, 1);
    assert_int_equal(o.format, 1);
    assert_int_equal(o.coding, 2);
    assert_int_equal(o.values, 1);
    assert_int_equal(o.n_connections, 64);
    assert_int_equal(o.n_threads, 2);
    assert_int_equal(o.n_rows, 1);
    assert_true(o.seconds == 0.5 && o.warmup_s == 2);
    assert_int_equal(o.n_requests, 1000000);
    assert_int_equal(o.n_pool, 7);
    assert_int_equal(o.server_pid, 42);
    assert_true(o.no_flush && o.no_verify && o.json);
}

TEST(each_verb_has_its_own)
{
    arka_error err = {0};
    arka_bench_options o;
    ASSERT_OK(parse(ARKA_BENCH_DISK, "/some/where --files 2 --file-mb 3 --appends 4", &o, &err));
    assert_string_equal(o.dir, "/some/where");
    assert_int_equal(o.n_files * 100 + o.file_mb * 10 + o.n_appends, 234);
    ASSERT_OK(parse(ARKA_BENCH_DISK, "--json", &o, &err));
    assert_string_equal(o.dir, ".");
    ASSERT_OK(parse(ARKA_BENCH_OVERLOAD, "--serve d --sync-mode async --percent 150", &o, &err));
    assert_string_equal(o.serve, "d");
    assert_string_equal(arka_bench_sync_modes[o.sync_mode], "async");
    assert_int_equal(o.percent, 150);
    assert_int_equal(o.n_connections, 1000);
    assert_true(o.seconds == 60);
    ASSERT_OK(parse(ARKA_BENCH_VISIBLE, "--checks 7", &o, &err));
    assert_int_equal(o.n_checks, 7);
    assert_true(o.rate == 500);
    ASSERT_OK(parse(ARKA_BENCH_RECOVERY, "--log-mb 5 --cold", &o, &err));
    assert_string_equal(o.serve, ".");
    assert_true(o.cold && o.log_mb == 5);
    ASSERT_OK(parse(ARKA_BENCH_TABLES, "--tables 9", &o, &err));
    assert_int_equal(o.n_tables, 9);
    ASSERT_OK(parse(ARKA_BENCH_WRITE, "--serve d --compare --pairs 3 --durability memory --rate 50",
                    &o, &err));
    assert_true(o.compare && o.n_pairs == 3 && o.rate == 50);
    assert_string_equal(arka_bench_durabilities[o.durability], "memory");
}

TEST(url_and_token_come_from_the_environment)
{
    arka_error err = {0};
    arka_bench_options o;
    setenv("ARC_TOKEN", "secret", 1);
    setenv("ARC_URL", "http://far:1", 1);
    ASSERT_OK(parse(ARKA_BENCH_WRITE, "", &o, &err));
    assert_string_equal(o.token, "secret");
    assert_string_equal(o.url, "http://far:1");
    ASSERT_OK(parse(ARKA_BENCH_WRITE, "--token other", &o, &err));
    assert_string_equal(o.token, "other");
    unsetenv("ARC_TOKEN");
    unsetenv("ARC_URL");
}

TEST(wrong_options_are_named)
{
    static const struct {
        arka_bench_mode mode;
        const char *line, *says;
    } BAD[] = {
        {ARKA_BENCH_WRITE, "rows 5", "'rows' is no option"},
        {ARKA_BENCH_WRITE, "--row 5", "no option '--row'"},
        {ARKA_BENCH_WRITE, "--table x", "no option '--table'"},
        {ARKA_BENCH_QUERY, "--workload iot", "no option '--workload'"},
        {ARKA_BENCH_WRITE, "--rows", "--rows needs a value"},
        {ARKA_BENCH_WRITE, "--rows 0", "from 1 to 500000"},
        {ARKA_BENCH_WRITE, "--rows 500001", "from 1 to 500000"},
        {ARKA_BENCH_WRITE, "--rows 1.5", "a whole number"},
        {ARKA_BENCH_WRITE, "--rows 5x", "'5x'"},
        {ARKA_BENCH_WRITE, "--seconds -1", "'-1'"},
        {ARKA_BENCH_WRITE, "--format json", "expected msgpack|lp"},
        {ARKA_BENCH_WRITE, "--format msgpac", "expected msgpack|lp"},
        {ARKA_BENCH_WRITE, "--json=yes", "takes no value"},
        {ARKA_BENCH_WRITE, "--threads 3 --connections 2", "more than --connections"},
        {ARKA_BENCH_WRITE, "--no-wal", "give --serve DIR"},
        {ARKA_BENCH_WRITE, "--compare", "give --serve DIR"},
        {ARKA_BENCH_OVERLOAD, "--sync-mode fsync", "give --serve DIR"},
        {ARKA_BENCH_WRITE, "--serve d --compare --no-wal", "says nothing beside"},
        {ARKA_BENCH_WRITE, "--serve d --sync-mode lazy", "expected fdatasync|fsync|async"},
        {ARKA_BENCH_VISIBLE, "--durability written", "no option '--durability'"},
        {ARKA_BENCH_WRITE, "dir", "'dir' is no option"},
        {ARKA_BENCH_DISK, "dir other", "'other' is no option"},
        {ARKA_BENCH_DISK, "--url x", "no option '--url'"},
        {ARKA_BENCH_QUERY, "--table a;b", "letters, digits"},
        {ARKA_BENCH_QUERY, "--table 1a", "letters, digits"},
        {ARKA_BENCH_QUERY, "--table=", "letters, digits"},
    };
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        arka_error err = {0};
        arka_bench_options o;
        ASSERT_FAILS(parse(BAD[i].mode, BAD[i].line, &o, &err), ARKA_INPUT, BAD[i].says);
    }
}
