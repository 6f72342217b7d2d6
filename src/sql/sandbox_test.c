/*
 * What the sandbox is for: DuckDB by itself, without any of our guards, inside of it. Whoever found
 * a way round those would meet this wall.
 */
#include "os/sandbox.h"

#include <duckdb.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kit/kit.h"

static char own[300], secret[300];

static void put_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

/* Does `sql` fail with a sentence that has `words`? NULL: does it succeed? */
static bool ends(duckdb_connection c, const char *words, const char *before, const char *path,
                 const char *after)
{
    char sql[800];
    duckdb_result result;
    snprintf(sql, sizeof sql, "%s'%s'%s", before, path, after);
    bool ok = duckdb_query(c, sql, &result) == DuckDBSuccess;
    const char *why = ok ? "" : duckdb_result_error(&result);
    bool as_expected = words == NULL ? ok : !ok && strstr(why, words) != NULL;
    if (!as_expected)
        fprintf(stderr, "%s: %s\n", sql, ok ? "succeeded" : why);
    duckdb_destroy_result(&result);
    return as_expected;
}

static bool look(void)
{
    duckdb_database db;
    duckdb_connection c;
    char path[400];
    if (duckdb_open(NULL, &db) != DuckDBSuccess || duckdb_connect(db, &c) != DuckDBSuccess)
        return false;
    const char *denied = "ermission denied";
    bool ok = ends(c, denied, "SELECT content FROM read_text(", "/etc/passwd", ")");
    ok &= ends(c, denied, "SELECT * FROM read_csv(", secret, ")");
    ok &= ends(c, denied, "SELECT * FROM read_blob(", secret, ")");
    ok &= ends(c, denied, "COPY (SELECT 1) TO ", secret, "");
    snprintf(path, sizeof path, "%s/link.csv", own);
    ok &= ends(c, denied, "SELECT * FROM read_csv(", path, ")");
    snprintf(path, sizeof path, "%s/../other.db", own);
    ok &= ends(c, "annot open file", "ATTACH ", path, " AS other");
    /* and what is its own it can use */
    snprintf(path, sizeof path, "%s/t.parquet", own);
    ok &= ends(c, NULL, "COPY (SELECT 42 AS x FROM range(1000)) TO ", path, "");
    ok &= ends(c, NULL, "SELECT sum(x) FROM read_parquet(", path, ")");
    duckdb_disconnect(&c);
    duckdb_close(&db);
    return ok;
}

TEST(duckdb_itself_reads_and_writes_nothing_outside)
{
    char link[400];
    int status;
    snprintf(own, sizeof own, "%s/own", kit_tmpdir());
    snprintf(secret, sizeof secret, "%s/secret.csv", kit_tmpdir());
    snprintf(link, sizeof link, "%s/link.csv", own);
    mkdir(own, 0755);
    put_file(secret, "a,b\n1,2\n");
    assert_int_equal(symlink(secret, link), 0);
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        const char *dirs[] = {own};
        arka_sandbox_options o = {.own_dirs = dirs, .n_own_dirs = 1};
        arka_sandbox_report report;
        if (arka_sandbox_apply(&o, &report, NULL) != ARKA_OK)
            _exit(2);
        _exit(!report.landlock ? 3 : look() ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == 3)
        skip();
    assert_int_equal(WEXITSTATUS(status), 0);
}
