#include "meta/tokens.h"

#include <sqlite3.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "kit/kit.h"
#include "meta/manifest.h"

static const char *path_of(const char *name)
{
    static char path[256];
    snprintf(path, sizeof path, "%s/%s", kit_tmpdir(), name);
    return path;
}

static arka_tokens *open_tokens(const char *name)
{
    arka_error err = {0};
    arka_tokens *t;
    ASSERT_OK(arka_tokens_open(path_of(name), &t, &err));
    return t;
}

static arka_token_row row(const char *name, const char *prefix)
{
    static char hash[64];
    snprintf(hash, sizeof hash, "hash of %s", name);
    return (arka_token_row){.name = arka_slice_of(name),
                            .hash = arka_slice_of(hash),
                            .prefix = arka_slice_of(prefix),
                            .permissions = ARKA_SLICE("read"),
                            .max_priority = ARKA_SLICE("normal"),
                            .enabled = true,
                            .created_us = 5};
}

static int64_t add(arka_tokens *t, const char *name, const char *prefix)
{
    arka_error err = {0};
    arka_token_row r = row(name, prefix);
    int64_t id;
    ASSERT_OK(arka_tokens_add(t, &r, &id, &err));
    return id;
}

static arka_status tell(void *context, const arka_token_row *r, arka_error *err)
{
    arka_buf_printf(context, "%lld %.*s|%.*s|%.*s|%.*s|%.*s|%.*s|%.*s %d %lld %lld %lld;",
                    (long long)r->id, ARKA_FMT(r->name), ARKA_FMT(r->hash), ARKA_FMT(r->prefix),
                    ARKA_FMT(r->description), ARKA_FMT(r->permissions), ARKA_FMT(r->scope),
                    ARKA_FMT(r->max_priority), r->enabled, (long long)r->created_us,
                    (long long)r->last_used_us, (long long)r->expires_us);
    return ARKA_OK;
}

#define ASSERT_TELLS(call, expected)                                                               \
    do {                                                                                           \
        arka_buf told = ARKA_BUF_INIT;                                                             \
        ASSERT_OK(call);                                                                           \
        assert_string_equal(arka_buf_cstr(&told), expected);                                       \
        arka_buf_fini(&told);                                                                      \
    } while (0)

TEST(rows_are_kept_as_they_are_given)
{
    arka_error err = {0};
    arka_tokens *t = open_tokens("rows.db");
    arka_token_row r = row("a", "p1");
    int64_t id;
    r.description = ARKA_SLICE("what it's for");
    r.scope = ARKA_SLICE("db.*");
    r.expires_us = 99;
    ASSERT_OK(arka_tokens_add(t, &r, &id, &err));
    assert_int_equal(id, 1);
    assert_int_equal(add(t, "b", "p2"), 2);
    static const char A[] = "1 a|hash of a|p1|what it's for|read|db.*|normal 1 5 0 99;";
    static const char B[] = "2 b|hash of b|p2||read||normal 1 5 0 0;";
    ASSERT_TELLS(arka_tokens_by_id(t, 1, tell, &told, &err), A);
    ASSERT_TELLS(arka_tokens_by_id(t, 3, tell, &told, &err), "");
    ASSERT_TELLS(arka_tokens_by_name(t, ARKA_SLICE("b"), tell, &told, &err), B);
    ASSERT_TELLS(arka_tokens_by_name(t, ARKA_SLICE("B"), tell, &told, &err), "");
    ASSERT_TELLS(arka_tokens_by_prefix(t, ARKA_SLICE("p2"), ARKA_SLICE("p"), tell, &told, &err), B);
    arka_tokens_close(t);
    t = open_tokens("rows.db");
    ASSERT_OK(arka_tokens_note_use(t, 2, 7, &err));
    ASSERT_OK(arka_tokens_note_use(t, 2, 6, &err)); /* never back */
    r = row("c", "p3");
    r.id = 1;
    r.enabled = false;
    ASSERT_OK(arka_tokens_set(t, &r, &err));
    ASSERT_TELLS(arka_tokens_each(t, tell, &told, &err), "1 c|hash of c|p3||read||normal 0 5 0 0;"
                                                         "2 b|hash of b|p2||read||normal 1 5 7 0;");
    r.name = ARKA_SLICE("b");
    ASSERT_FAILS(arka_tokens_set(t, &r, &err), ARKA_EXISTS, "tokens in ");
    ASSERT_FAILS(arka_tokens_add(t, &r, &id, &err), ARKA_EXISTS, "adding one");
    ASSERT_OK(arka_tokens_remove(t, 2, &err));
    assert_int_equal(add(t, "b", "p"), 3); /* a number is not given again */
    arka_tokens_close(t);
}

TEST(changes_are_one)
{
    arka_error err = {0};
    arka_tokens *t = open_tokens("one.db");
    ASSERT_OK(arka_tokens_begin(t, &err));
    add(t, "a", "p");
    add(t, "b", "p");
    assert_int_equal(arka_tokens_finish(t, ARKA_CONFLICT, NULL), ARKA_CONFLICT);
    ASSERT_TELLS(arka_tokens_each(t, tell, &told, &err), "");
    ASSERT_OK(arka_tokens_begin(t, &err));
    add(t, "c", "p");
    ASSERT_OK(arka_tokens_finish(t, ARKA_OK, &err));
    ASSERT_TELLS(arka_tokens_each(t, tell, &told, &err), "1 c|hash of c|p||read||normal 1 5 0 0;");
    arka_tokens_close(t);
}

static void run_sql(const char *path, const char *sql)
{
    sqlite3 *db;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    sqlite3_busy_timeout(db, 5000);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static int64_t version_of(arka_tokens *t, int64_t before)
{
    arka_error err = {0};
    ASSERT_OK(arka_tokens_version(t, &before, &err));
    return before;
}

TEST(the_version_tells_of_every_change_but_a_use)
{
    static const char *const CHANGES[] = {
        "UPDATE api_tokens SET enabled = 0",
        "UPDATE api_tokens SET permissions = ''",
        "UPDATE api_tokens SET scope = 'a'",
        "UPDATE api_tokens SET token_hash = 'x' || id",
        "UPDATE api_tokens SET expires_at = 5",
        "UPDATE api_tokens SET name = 'n' || id",
        "UPDATE api_tokens SET max_priority = 'low'",
        "DELETE FROM api_tokens",
        "INSERT INTO api_tokens(name, token_hash, token_prefix, created_at) VALUES('a', 'b', 'c', "
        "1)",
    };
    arka_tokens *t = open_tokens("version.db");
    add(t, "a", "p");
    int64_t version = version_of(t, 0);
    for (size_t i = 0; i < sizeof CHANGES / sizeof *CHANGES; i++) {
        run_sql(path_of("version.db"), CHANGES[i]);
        int64_t now = version_of(t, version);
        assert_int_equal(now, version + 1);
        version = now;
    }
    run_sql(path_of("version.db"), "UPDATE api_tokens SET last_used_at = 5");
    assert_int_equal(version_of(t, version), version);
    run_sql(path_of("version.db"), "INSERT INTO databases(name, created_us) VALUES('d', 1)");
    assert_int_equal(version_of(t, version), version);
    assert_int_equal(version_of(t, -1), -1); /* nobody wrote since: it stays as it was */
    arka_tokens_close(t);
}

TEST(the_file_is_its_owners_and_the_manifests_too)
{
    arka_error err = {0};
    arka_manifest *m;
    struct stat st;
    umask(022);
    ASSERT_OK(arka_manifest_open(path_of("both.db"), &m, &err));
    assert_int_equal(stat(path_of("both.db"), &st), 0);
    arka_tokens *t = open_tokens("both.db");
    static const char *const NAMES[] = {"both.db", "both.db-wal", "both.db-shm"};
    for (int i = 0; i < 3; i++) {
        assert_int_equal(stat(path_of(NAMES[i]), &st), 0);
        assert_int_equal(st.st_mode & 0777, 0600);
    }
    int64_t id;
    ASSERT_OK(arka_manifest_add_database(m, ARKA_SLICE("d"), 1, &id, &err));
    assert_int_equal(add(t, "a", "p"), 1);
    arka_manifest_close(m);
    assert_int_equal(add(t, "b", "p"), 2);
    arka_tokens_close(t);
    FILE *f = fopen(path_of("c.db"), "w");
    for (int i = 0; i < 4096; i++)
        fputs("not a database ", f);
    fclose(f);
    ASSERT_FAILS(arka_tokens_open(path_of("c.db"), &t, &err), ARKA_CORRUPT, "not a database");
    ASSERT_FAILS(arka_tokens_open(path_of("no/such/e.db"), &t, &err), ARKA_IO, "making ");
}
