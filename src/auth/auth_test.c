#include "auth/auth.h"

#include <sys/stat.h>

#include "kit/kit.h"
#include "meta/manifest.h"
#include "meta/tokens.h"
#include "os/clock.h"
#include "os/thread.h"

enum { NOW = 1000 };

static const char *path_of(const char *name)
{
    static char path[256];
    snprintf(path, sizeof path, "%s/%s", kit_tmpdir(), name);
    return path;
}

static arka_auth *open_auth(const char *name, int64_t ttl_ms, int size)
{
    arka_error err = {0};
    arka_auth *auth;
    arka_auth_options o = {.db_path = path_of(name), .cache_ttl_ms = ttl_ms, .cache_size = size};
    ASSERT_OK(arka_auth_open(&o, &auth, &err));
    return auth;
}

typedef struct made {
    int64_t id;
    char clear[ARKA_TOKEN_TEXT];
} made;

static made make(arka_auth *auth, const char *name, arka_rights rights, const char *scope)
{
    arka_error err = {0};
    made m;
    arka_token_info info = {.name = name,
                            .description = "of a test",
                            .rights = rights,
                            .scope = scope,
                            .max_priority = ARKA_PRIORITY_HIGH,
                            .enabled = true};
    ASSERT_OK(arka_token_create(auth, &info, NOW, m.clear, &m.id, &err));
    return m;
}

static arka_status check(arka_auth *auth, const char *token, int64_t now_us)
{
    arka_error err = {0};
    arka_identity *identity = NULL;
    arka_status status =
        arka_auth_check(auth, arka_slice_of(token), (arka_slice){"", 0}, now_us, &identity, &err);
    assert_int_equal(identity != NULL, status == ARKA_OK);
    if (status == ARKA_FORBIDDEN)
        assert_string_equal(err.msg, "the token is not valid");
    arka_identity_unref(identity);
    return status;
}

TEST(a_token_is_known_by_its_text)
{
    arka_error err = {0};
    arka_auth *auth = open_auth("known.db", 30000, 10);
    made m = make(auth, "agent", ARKA_MAY_READ | ARKA_MAY_WRITE, "prod.*");
    for (int i = 0; i < 3; i++) { /* the first is looked up, the others are remembered */
        arka_identity *who;
        ASSERT_OK(
            arka_auth_check(auth, arka_slice_of(m.clear), (arka_slice){"", 0}, NOW, &who, &err));
        assert_int_equal(who->token_id, m.id);
        assert_string_equal(who->name, "agent");
        assert_int_equal(who->rights, ARKA_MAY_READ | ARKA_MAY_WRITE);
        assert_string_equal(arka_scope_text(who->scope), "prod.*");
        assert_int_equal(who->max_priority, ARKA_PRIORITY_HIGH);
        assert_int_equal(who->expires_us, 0);
        arka_identity_unref(who);
    }
    arka_auth_stats stats;
    arka_auth_get_stats(auth, &stats);
    assert_int_equal(stats.checks, 3);
    assert_int_equal(stats.hits, 2);
    assert_int_equal(stats.misses, 1);
    assert_int_equal(stats.entries, 1);
    assert_int_equal(check(auth, "nobody's", NOW), ARKA_FORBIDDEN);
    assert_int_equal(check(auth, "", NOW), ARKA_FORBIDDEN);
    m.clear[5] ^= 1;
    assert_int_equal(check(auth, m.clear, NOW), ARKA_FORBIDDEN);
    arka_auth_get_stats(auth, &stats);
    assert_int_equal(stats.refusals, 3);
    assert_int_equal(stats.entries, 1); /* only what was right is remembered */
    arka_auth_close(auth);
}

TEST(only_a_hash_is_kept_and_only_for_its_owner)
{
    arka_auth *auth = open_auth("mode.db", 30000, 10);
    made m = make(auth, "secret", ARKA_MAY_READ, "");
    for (int i = 0; i < 3; i++) {
        static const char *const ENDINGS[] = {"mode.db", "mode.db-wal", "mode.db-shm"};
        struct stat st;
        assert_int_equal(stat(path_of(ENDINGS[i]), &st), 0);
        assert_int_equal(st.st_mode & 0777, 0600);
    }
    arka_auth_close(auth);
    FILE *f = fopen(path_of("mode.db"), "r");
    char bytes[200000];
    size_t n = fread(bytes, 1, sizeof bytes, f);
    fclose(f);
    assert_true(n > 4096 && n < sizeof bytes);
    assert_non_null(memmem(bytes, n, "$sha256$", 8));
    assert_null(memmem(bytes, n, m.clear, 43));
    /* made by a version that let others read it */
    assert_int_equal(chmod(path_of("mode.db"), 0644), 0);
    arka_auth_close(open_auth("mode.db", 30000, 10));
    struct stat st;
    assert_int_equal(stat(path_of("mode.db"), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
}

TEST(expiry_holds_for_what_is_remembered_too)
{
    arka_error err = {0};
    arka_auth *auth = open_auth("expiry.db", 30000, 10);
    made m;
    arka_token_info info = {.name = "short", .enabled = true, .expires_us = NOW + 100};
    ASSERT_OK(arka_token_create(auth, &info, NOW, m.clear, &m.id, &err));
    assert_int_equal(check(auth, m.clear, NOW), ARKA_OK);
    assert_int_equal(check(auth, m.clear, NOW + 99), ARKA_OK);
    assert_int_equal(check(auth, m.clear, NOW + 100), ARKA_FORBIDDEN);
    assert_int_equal(check(auth, m.clear, NOW + 99), ARKA_OK); /* a clock that goes back */
    arka_auth_close(auth);
}

TEST(every_change_holds_at_once)
{
    arka_error err = {0};
    arka_auth *auth = open_auth("change.db", 30000, 10);
    made m = make(auth, "a", ARKA_MAY_READ, "");
    made other = make(auth, "other", ARKA_MAY_READ, "");
    arka_identity *who;
    arka_slice none = {"", 0}, token = {m.clear, 43};
    assert_int_equal(check(auth, m.clear, NOW), ARKA_OK);
    assert_int_equal(check(auth, other.clear, NOW), ARKA_OK);

    arka_rights rights = ARKA_MAY_WRITE;
    arka_token_change to_write = {.rights = &rights, .scope = "db", .name = "b"};
    ASSERT_OK(arka_token_update(auth, m.id, &to_write, NOW, &err));
    ASSERT_OK(arka_auth_check(auth, token, none, NOW, &who, &err));
    assert_int_equal(who->rights, ARKA_MAY_WRITE);
    assert_string_equal(arka_scope_text(who->scope), "db");
    assert_string_equal(who->name, "b");
    arka_identity_unref(who);

    bool off = false, on = true;
    ASSERT_OK(arka_token_update(auth, m.id, &(arka_token_change){.enabled = &off}, NOW, &err));
    assert_int_equal(check(auth, m.clear, NOW), ARKA_FORBIDDEN);
    ASSERT_OK(arka_token_update(auth, m.id, &(arka_token_change){.enabled = &on}, NOW, &err));
    assert_int_equal(check(auth, m.clear, NOW), ARKA_OK);

    char fresh[ARKA_TOKEN_TEXT];
    ASSERT_OK(arka_token_rotate(auth, m.id, fresh, &err));
    assert_int_equal(check(auth, m.clear, NOW), ARKA_FORBIDDEN);
    assert_int_equal(check(auth, fresh, NOW), ARKA_OK);

    ASSERT_OK(arka_token_delete(auth, m.id, NOW, &err));
    assert_int_equal(check(auth, fresh, NOW), ARKA_FORBIDDEN);
    assert_int_equal(check(auth, other.clear, NOW), ARKA_OK);
    ASSERT_FAILS(arka_token_delete(auth, m.id, NOW, &err), ARKA_NOTFOUND, "there is no token 1");
    ASSERT_FAILS(arka_token_rotate(auth, m.id, fresh, &err), ARKA_NOTFOUND, "there is no token 1");
    arka_auth_close(auth);
}

/* What another program may write into a row. */
typedef struct scribble {
    arka_tokens *tokens;
    const char *permissions, *hash; /* NULL: as it is */
    bool enabled;
} scribble;

static arka_status scribble_over(void *context, const arka_token_row *row, arka_error *err)
{
    scribble *with = context;
    arka_token_row new = *row;
    new.enabled = with->enabled;
    if (with->permissions != NULL)
        new.permissions = arka_slice_of(with->permissions);
    if (with->hash != NULL)
        new.hash = arka_slice_of(with->hash);
    return arka_tokens_set(with->tokens, &new, err);
}

static void write_row(const char *name, int64_t id, scribble with)
{
    arka_error err = {0};
    ASSERT_OK(arka_tokens_open(path_of(name), &with.tokens, &err));
    ASSERT_OK(arka_tokens_by_id(with.tokens, id, scribble_over, &with, &err));
    arka_tokens_close(with.tokens);
}

/* Waits for what must come by itself; the limit is that of a test that hangs. */
static void wait_for(arka_auth *auth, const char *token, arka_status expected)
{
    arka_mono limit = arka_mono_after_ms(60000);
    while (check(auth, token, NOW) != expected)
        assert_true(arka_mono_now().ns < limit.ns);
}

TEST(a_change_by_another_process_is_noticed)
{
    arka_error err = {0};
    arka_auth *server = open_auth("other.db", 86400000, 10);
    arka_auth *tool = open_auth("other.db", 86400000, 10);
    made m = make(tool, "made elsewhere", ARKA_MAY_READ, "");
    assert_int_equal(check(server, m.clear, NOW), ARKA_OK);
    bool off = false;
    ASSERT_OK(arka_token_update(tool, m.id, &(arka_token_change){.enabled = &off}, NOW, &err));
    wait_for(server, m.clear, ARKA_FORBIDDEN);
    /* whatever program it is */
    write_row("other.db", m.id, (scribble){.enabled = true});
    wait_for(server, m.clear, ARKA_OK);
    ASSERT_OK(arka_token_delete(tool, m.id, NOW, &err));
    wait_for(server, m.clear, ARKA_FORBIDDEN);
    arka_auth_close(tool);
    arka_auth_close(server);
}

TEST(a_write_of_something_else_makes_nobody_look_tokens_up)
{
    arka_auth *auth = open_auth("else.db", 86400000, 10);
    made m = make(auth, "a", ARKA_MAY_READ, "");
    assert_int_equal(check(auth, m.clear, NOW), ARKA_OK);
    arka_error err = {0};
    arka_manifest *manifest;
    int64_t id;
    ASSERT_OK(arka_manifest_open(path_of("else.db"), &manifest, &err));
    ASSERT_OK(arka_manifest_add_database(manifest, ARKA_SLICE("d"), 1, &id, &err));
    arka_mono until = arka_mono_after_ms(250); /* more than one look */
    while (arka_mono_now().ns < until.ns)
        assert_int_equal(check(auth, m.clear, NOW), ARKA_OK);
    arka_auth_stats stats;
    arka_auth_get_stats(auth, &stats);
    assert_int_equal(stats.misses, 1);
    arka_manifest_close(manifest);
    arka_auth_close(auth);
}

TEST(of_two_readings_the_first_that_is_known_counts)
{
    arka_error err = {0};
    arka_auth *auth = open_auth("two.db", 30000, 10);
    made m = make(auth, "a", ARKA_MAY_READ, "");
    char with_user[80];
    arka_identity *who;
    snprintf(with_user, sizeof with_user, "user:%s", m.clear);
    for (int i = 0; i < 2; i++) {
        ASSERT_OK(arka_auth_check(auth, arka_slice_of(with_user), arka_slice_of(m.clear), NOW, &who,
                                  &err));
        assert_int_equal(who->token_id, m.id);
        arka_identity_unref(who);
    }
    ASSERT_FAILS(arka_auth_check(auth, ARKA_SLICE("x:y"), ARKA_SLICE("y"), NOW, &who, &err),
                 ARKA_FORBIDDEN, "not valid");
    assert_null(who);
    arka_auth_close(auth);
}

TEST(the_least_recently_used_is_forgotten)
{
    arka_auth *auth = open_auth("lru.db", 30000, 3);
    made m[5];
    char name[8];
    for (int i = 0; i < 5; i++) {
        snprintf(name, sizeof name, "t%d", i);
        m[i] = make(auth, name, ARKA_MAY_READ, "");
    }
    for (int i = 0; i < 5; i++)
        assert_int_equal(check(auth, m[i].clear, NOW), ARKA_OK);
    arka_auth_stats stats;
    arka_auth_get_stats(auth, &stats);
    assert_int_equal(stats.entries, 3);
    assert_int_equal(stats.max_entries, 3);
    assert_int_equal(stats.evictions, 2);
    assert_int_equal(arka_auth_forget(auth), 3);
    arka_auth_get_stats(auth, &stats);
    assert_int_equal(stats.entries, 0);
    int64_t misses = stats.misses;
    assert_int_equal(check(auth, m[4].clear, NOW), ARKA_OK);
    arka_auth_get_stats(auth, &stats);
    assert_int_equal(stats.misses, misses + 1);
    arka_auth_close(auth);
}

static arka_status take_info(void *context, const arka_token_info *info, arka_error *err)
{
    char scope[100];
    snprintf(scope, sizeof scope, "%s", info->scope);
    arka_buf_printf(context, "%lld %s (%s) %u [%s] %s %s created %lld used %lld expires %lld\n",
                    (long long)info->id, info->name, info->description, info->rights, scope,
                    arka_priority_name(info->max_priority), info->enabled ? "on" : "off",
                    (long long)info->created_us, (long long)info->last_used_us,
                    (long long)info->expires_us);
    return ARKA_OK;
}

static void assert_list(arka_auth *auth, const char *expected)
{
    arka_error err = {0};
    arka_buf text = ARKA_BUF_INIT;
    ASSERT_OK(arka_token_each(auth, take_info, &text, &err));
    assert_string_equal(arka_buf_cstr(&text), expected);
    arka_buf_fini(&text);
}

TEST(lists_know_the_last_use)
{
    arka_error err = {0};
    arka_auth *auth = open_auth("list.db", 30000, 10);
    made a = make(auth, "a", ARKA_MAY_READ, "x.y");
    made b = make(auth, "b", ARKA_MAY_ADMIN, "");
    assert_list(auth, "1 a (of a test) 1 [x.y] high on created 1000 used 0 expires 0\n"
                      "2 b (of a test) 8 [] high on created 1000 used 0 expires 0\n");
    assert_int_equal(check(auth, a.clear, NOW + 5), ARKA_OK);
    assert_int_equal(check(auth, a.clear, NOW + 7), ARKA_OK);
    assert_list(auth, "1 a (of a test) 1 [x.y] high on created 1000 used 1007 expires 0\n"
                      "2 b (of a test) 8 [] high on created 1000 used 0 expires 0\n");
    assert_int_equal(check(auth, a.clear, NOW + 6), ARKA_OK); /* never back */
    arka_buf text = ARKA_BUF_INIT;
    ASSERT_OK(arka_token_get(auth, a.id, take_info, &text, &err));
    assert_string_equal(arka_buf_cstr(&text),
                        "1 a (of a test) 1 [x.y] high on created 1000 used 1007 expires 0\n");
    arka_buf_fini(&text);
    int64_t id;
    ASSERT_OK(arka_token_find(auth, ARKA_SLICE("b"), &id, &err));
    assert_int_equal(id, b.id);
    ASSERT_FAILS(arka_token_find(auth, ARKA_SLICE("c"), &id, &err), ARKA_NOTFOUND,
                 "there is no token named 'c'");
    ASSERT_FAILS(arka_token_get(auth, 77, take_info, NULL, &err), ARKA_NOTFOUND,
                 "there is no token 77");
    /* a number is not given again */
    ASSERT_OK(arka_token_delete(auth, a.id, NOW, &err));
    assert_int_equal(make(auth, "c", ARKA_MAY_READ, "").id, 3);
    arka_auth_close(auth);
}

TEST(what_a_token_cannot_be)
{
    arka_error err = {0};
    arka_auth *auth = open_auth("bad.db", 30000, 10);
    char clear[ARKA_TOKEN_TEXT], longest[102];
    int64_t id;
    make(auth, "taken", ARKA_MAY_READ, "");
    memset(longest, 'x', 101);
    longest[101] = 0;
    const struct {
        arka_token_info info;
        const char *why;
    } CASES[] = {
        {{.name = ""}, "name is empty"},
        {{.name = longest}, "name has 101 characters: at most 100"},
        {{.name = "a\nb"}, "control character at byte 2"},
        {{.name = "\xff"}, "name is not UTF-8"},
        {{.name = "x", .expires_us = NOW}, "expiry is past"},
        {{.name = "x", .scope = "a b"}, "character that no database"},
        {{.name = "x", .scope = "a", .rights = ARKA_MAY_ADMIN}, "cannot have a scope"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++)
        ASSERT_FAILS(arka_token_create(auth, &CASES[i].info, NOW, clear, &id, &err), ARKA_INPUT,
                     CASES[i].why);
    ASSERT_FAILS(
        arka_token_create(auth, &(arka_token_info){.name = "taken"}, NOW, clear, &id, &err),
        ARKA_EXISTS, "there is a token named 'taken' already");
    made m = make(auth, "scoped", ARKA_MAY_READ, "db");
    arka_rights admin = ARKA_MAY_ADMIN;
    ASSERT_FAILS(arka_token_update(auth, m.id, &(arka_token_change){.rights = &admin}, NOW, &err),
                 ARKA_INPUT, "cannot have a scope");
    ASSERT_FAILS(arka_token_update(auth, m.id, &(arka_token_change){.name = "taken"}, NOW, &err),
                 ARKA_EXISTS, "named 'taken'");
    ASSERT_OK(arka_token_update(auth, m.id, &(arka_token_change){.rights = &admin, .scope = ""},
                                NOW, &err));
    longest[100] = 0;
    m = make(auth, longest, 0, "");
    assert_int_equal(check(auth, m.clear, NOW), ARKA_OK); /* known, and may nothing */
    arka_auth_close(auth);
}

TEST(the_last_administrator_stays)
{
    arka_error err = {0};
    arka_auth *auth = open_auth("last.db", 30000, 10);
    made a = make(auth, "a", ARKA_MAY_ADMIN, "");
    make(auth, "reader", ARKA_MAY_READ, "");
    bool off = false;
    arka_rights rights = ARKA_MAY_READ;
    const char *why = "token 1 is the last enabled one with the permission 'admin'";
    ASSERT_FAILS(arka_token_delete(auth, a.id, NOW, &err), ARKA_CONFLICT, why);
    ASSERT_FAILS(arka_token_update(auth, a.id, &(arka_token_change){.enabled = &off}, NOW, &err),
                 ARKA_CONFLICT, why);
    ASSERT_FAILS(arka_token_update(auth, a.id, &(arka_token_change){.rights = &rights}, NOW, &err),
                 ARKA_CONFLICT, why);
    assert_int_equal(check(auth, a.clear, NOW), ARKA_OK);
    /* one that is expired or disabled is none */
    made b;
    arka_token_info info = {
        .name = "b", .rights = ARKA_MAY_ADMIN, .enabled = true, .expires_us = NOW + 10};
    ASSERT_OK(arka_token_create(auth, &info, NOW, b.clear, &b.id, &err));
    ASSERT_FAILS(arka_token_delete(auth, a.id, NOW + 10, &err), ARKA_CONFLICT, why);
    ASSERT_OK(arka_token_delete(auth, a.id, NOW + 9, &err));
    ASSERT_OK(arka_token_rotate(auth, b.id, b.clear, &err)); /* changes nothing of that */
    arka_auth_close(auth);
}

static void bootstrap(arka_auth *auth, const char *value, const char *first, bool force,
                      char clear[ARKA_TOKEN_TEXT])
{
    arka_error err = {0};
    arka_bootstrap o = {arka_slice_of(value), arka_slice_of(first), force};
    ASSERT_OK(arka_auth_bootstrap(auth, &o, NOW, clear, &err));
}

TEST(the_first_start_makes_an_administrator_once)
{
    char clear[ARKA_TOKEN_TEXT], again[ARKA_TOKEN_TEXT];
    arka_auth *auth = open_auth("first.db", 30000, 10);
    bootstrap(auth, "", "", false, clear);
    assert_int_equal(strlen(clear), 43);
    assert_int_equal(check(auth, clear, NOW), ARKA_OK);
    assert_list(auth, "1 admin (made at the first start) 15 [] critical on created 1000 used 1000"
                      " expires 0\n");
    bootstrap(auth, "", "", false, again);
    assert_string_equal(again, "");
    /* all tokens are lost: another one, which has a new value each time */
    bootstrap(auth, "", "", true, again);
    assert_int_equal(check(auth, again, NOW), ARKA_OK);
    bootstrap(auth, "", "", true, clear);
    assert_int_equal(check(auth, clear, NOW), ARKA_OK);
    assert_int_equal(check(auth, again, NOW), ARKA_FORBIDDEN);
    arka_auth_close(auth);
}

TEST(values_that_a_person_chose)
{
    static const char CHOSEN[] = "a-value-that-somebody-thought-of-once";
    char clear[ARKA_TOKEN_TEXT];
    arka_auth_stats stats;
    arka_error err = {0};
    arka_auth *auth = open_auth("chosen.db", 0, 10); /* known tokens are looked up each time … */
    bootstrap(auth, "", CHOSEN, false, clear);
    assert_string_equal(clear, "");
    for (int i = 0; i < 3; i++)
        assert_int_equal(check(auth, CHOSEN, NOW), ARKA_OK);
    bootstrap(auth, "my-default", CHOSEN, false, clear);
    assert_string_equal(clear, "");
    assert_int_equal(check(auth, CHOSEN, NOW), ARKA_OK); /* … and a change is no reason either */
    arka_auth_get_stats(auth, &stats);
    assert_int_equal(stats.slow_checks, 1); /* … but its hash is compared once */
    assert_int_equal(check(auth, "my-default", NOW), ARKA_OK);
    assert_list(
        auth,
        "1 admin (made at the first start) 15 [] critical on created 1000 used 1000 expires 0\n"
        "2 default (auth.default_token) 15 [] critical on created 1000 used 1000 expires 0\n");
    /* the same settings again: nothing new; a recovery keeps its value, or gets the one it is given
     */
    bootstrap(auth, "my-default", CHOSEN, true, clear);
    bootstrap(auth, "my-default", CHOSEN, true, clear);
    assert_string_equal(clear, "");
    int64_t id;
    ASSERT_OK(arka_token_find(auth, ARKA_SLICE("arc-recovery"), &id, &err));
    assert_int_equal(id, 3);
    arka_auth_close(auth);
}

TEST(settings_that_are_no_token)
{
    arka_error err = {0};
    char clear[ARKA_TOKEN_TEXT];
    arka_auth *auth = open_auth("settings.db", 30000, 10);
    arka_bootstrap brief = {.bootstrap_token = ARKA_SLICE("too short")};
    ASSERT_FAILS(arka_auth_bootstrap(auth, &brief, NOW, clear, &err), ARKA_INPUT,
                 "auth.bootstrap_token has 9 characters: at least 32 are needed");
    arka_bootstrap blank = {.default_token = ARKA_SLICE("with blank")};
    ASSERT_FAILS(arka_auth_bootstrap(auth, &blank, NOW, clear, &err), ARKA_INPUT,
                 "auth.default_token has a character at 5 that is no printable ASCII");
    assert_list(auth, "");
    arka_auth_close(auth);
}

/* Wrong ones that fit the short prefix must not take the processor from the rest. */
TEST(wrong_tokens_are_held_up_not_the_server)
{
    static const char CHOSEN[] = "a-value-that-somebody-thought-of-once";
    char clear[ARKA_TOKEN_TEXT], guess[32];
    arka_auth *auth = open_auth("guess.db", 30000, 10);
    bootstrap(auth, "", CHOSEN, false, clear);
    arka_auth_stats stats;
    char costly[32] = "";
    int n[ARKA_N_STATUS] = {0};
    for (int i = 0; i < 600; i++) {
        snprintf(guess, sizeof guess, "guess-%d", i);
        n[check(auth, guess, NOW)]++;
        arka_auth_get_stats(auth, &stats);
        if (stats.slow_checks == 1 && costly[0] == 0)
            memcpy(costly, guess, sizeof costly);
    }
    assert_int_equal(n[ARKA_OK], 0);
    assert_int_equal(n[ARKA_FORBIDDEN] + n[ARKA_BUSY], 600);
    assert_true(n[ARKA_BUSY] > 0); /* some 37 fit, and there is time for eleven */
    int64_t slow = stats.slow_checks;
    for (int i = 0; i < 5; i++) /* the same one again costs nothing, and is no trouble */
        assert_int_equal(check(auth, costly, NOW), ARKA_FORBIDDEN);
    arka_auth_get_stats(auth, &stats);
    assert_int_equal(stats.slow_checks, slow);
    arka_auth_close(auth);
}

static arka_status check_from(arka_auth *auth, uint64_t from, bool may_wait, const char *token)
{
    arka_identity *who;
    arka_auth_asker asker = {from, may_wait};
    arka_status status = arka_auth_check_from(auth, &asker, arka_slice_of(token),
                                              (arka_slice){"", 0}, NOW, &who, NULL);
    assert_int_equal(who != NULL, status == ARKA_OK);
    arka_identity_unref(who);
    return status;
}

TEST(wrong_tokens_from_one_place_lock_out_nobody_elsewhere)
{
    static const char CHOSEN[] = "a-value-that-somebody-thought-of-once";
    char clear[ARKA_TOKEN_TEXT], guess[32];
    arka_error err = {0};
    arka_auth *auth = open_auth("places.db", 30000, 10);
    bootstrap(auth, "", CHOSEN, false, clear);
    int n[ARKA_N_STATUS] = {0};
    for (int i = 0; i < 600; i++) {
        snprintf(guess, sizeof guess, "guess-%d", i);
        n[check_from(auth, 7, true, guess)]++;
    }
    assert_true(n[ARKA_BUSY] > 0);
    assert_int_equal(check_from(auth, 8, true, CHOSEN), ARKA_OK);
    assert_int_equal(check_from(auth, 7, true, CHOSEN), ARKA_OK); /* it is known */
    assert_int_equal(arka_auth_forget(auth), 1);
    assert_int_equal(check_from(auth, 7, false, CHOSEN), ARKA_OK); /* … well enough */
    bool off = false;
    made other = make(auth, "other", ARKA_MAY_ADMIN, "");
    ASSERT_OK(arka_token_update(auth, 1, &(arka_token_change){.enabled = &off}, NOW, &err));
    assert_int_equal(check_from(auth, 8, true, CHOSEN), ARKA_FORBIDDEN);
    assert_int_equal(check_from(auth, 8, true, other.clear), ARKA_OK);
    arka_auth_close(auth);
}

TEST(who_may_not_wait_is_told_so)
{
    static const char CHOSEN[] = "a-value-that-somebody-thought-of-once";
    char clear[ARKA_TOKEN_TEXT];
    arka_auth_stats stats;
    arka_auth *auth = open_auth("wait.db", 30000, 10);
    bootstrap(auth, "", CHOSEN, false, clear);
    assert_int_equal(check_from(auth, 1, false, CHOSEN), ARKA_LIMIT);
    arka_auth_get_stats(auth, &stats);
    assert_int_equal(stats.slow_checks, 0);
    assert_int_equal(check_from(auth, 1, true, CHOSEN), ARKA_OK);
    assert_int_equal(check_from(auth, 1, false, CHOSEN), ARKA_OK);
    made m = make(auth, "m", ARKA_MAY_READ, "");
    assert_int_equal(check_from(auth, 1, false, m.clear), ARKA_OK);
    assert_int_equal(check_from(auth, 1, false, CHOSEN), ARKA_OK); /* looked up, not hashed */
    arka_auth_get_stats(auth, &stats);
    assert_int_equal(stats.slow_checks, 1);
    arka_auth_close(auth);
}

/* One in sixteen begins as the chosen one's digest does. */
TEST(generated_tokens_never_cost_a_slow_hash)
{
    char clear[ARKA_TOKEN_TEXT], name[16];
    arka_auth_stats stats;
    arka_auth *auth = open_auth("generated.db", 30000, 100);
    bootstrap(auth, "", "a-value-that-somebody-thought-of-once", false, clear);
    for (int i = 0; i < 100; i++) {
        snprintf(name, sizeof name, "t%d", i);
        made m = make(auth, name, ARKA_MAY_READ, "");
        assert_int_equal(check_from(auth, 1, false, m.clear), ARKA_OK);
    }
    arka_auth_get_stats(auth, &stats);
    assert_int_equal(stats.slow_checks, 0);
    arka_auth_close(auth);
}

TEST(rows_that_cannot_be_used)
{
    arka_error err = {0};
    arka_auth *auth = open_auth("rows.db", 30000, 10);
    made m = make(auth, "a", ARKA_MAY_READ, "");
    made good = make(auth, "b", ARKA_MAY_READ, "");
    write_row("rows.db", m.id, (scribble){.permissions = "owner", .enabled = true});
    wait_for(auth, m.clear, ARKA_CORRUPT);
    write_row("rows.db", m.id, (scribble){.permissions = "", .hash = "x", .enabled = true});
    wait_for(auth, m.clear, ARKA_CORRUPT);
    assert_int_equal(check(auth, good.clear, NOW), ARKA_OK);
    ASSERT_OK(arka_token_rotate(auth, m.id, m.clear, &err));
    assert_int_equal(check(auth, m.clear, NOW), ARKA_OK);
    arka_auth_close(auth);
}

typedef struct checking {
    arka_auth *auth;
    const made *tokens;
    atomic_bool *ends;
    int64_t n;
} checking;

static void keep_checking(void *context)
{
    checking *c = context;
    while (!atomic_load_explicit(c->ends, memory_order_relaxed)) {
        assert_int_equal(check(c->auth, c->tokens[c->n % 20].clear, NOW), ARKA_OK);
        c->n++;
    }
}

TEST(threads_check_while_tokens_change)
{
    enum { THREADS = 4, TOKENS = 20, CHANGES = 40 };
    arka_error err = {0};
    arka_auth *auth = open_auth("threads.db", 30000, 10);
    made tokens[TOKENS];
    char name[8];
    for (int i = 0; i < TOKENS; i++) {
        snprintf(name, sizeof name, "t%d", i);
        tokens[i] = make(auth, name, ARKA_MAY_READ, "db.*");
    }
    made other = make(auth, "other", ARKA_MAY_READ, "");
    atomic_bool ends = false;
    checking c[THREADS];
    arka_thread threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        c[i] = (checking){auth, tokens, &ends, i};
        ASSERT_OK(arka_thread_start(&threads[i], "checks", keep_checking, &c[i], &err));
    }
    for (int i = 0; i < CHANGES; i++) {
        char old[ARKA_TOKEN_TEXT];
        memcpy(old, other.clear, sizeof old);
        assert_int_equal(check(auth, other.clear, NOW), ARKA_OK);
        ASSERT_OK(arka_token_rotate(auth, other.id, other.clear, &err));
        assert_int_equal(check(auth, old, NOW), ARKA_FORBIDDEN);
    }
    atomic_store_explicit(&ends, true, memory_order_relaxed);
    for (int i = 0; i < THREADS; i++)
        arka_thread_join(&threads[i]);
    arka_auth_close(auth);
}

TEST(without_memory_nobody_is_let_in_by_mistake)
{
    arka_auth *auth = open_auth("memory.db", 0, 10);
    made m = make(auth, "a", ARKA_MAY_READ, "db.cpu");
    bool ended = false;
    for (long n = 1; !ended; n++) {
        kit_fail_allocation(n, false);
        arka_status status = check(auth, m.clear, NOW);
        ended = !kit_allocation_failed();
        kit_fail_allocation(0, false);
        assert_true(status == ARKA_OK || status == ARKA_NOMEM);
        assert_int_equal(check(auth, "wrong", NOW), ARKA_FORBIDDEN);
        assert_int_equal(check(auth, m.clear, NOW), ARKA_OK);
    }
    arka_auth_close(auth);
}

TEST(without_memory_a_token_has_its_scope_or_is_none_and_an_old_value_stays_wrong)
{
    arka_error err = {0};
    for (int for_good = 0; for_good < 2; for_good++) {
        arka_auth *auth = open_auth(for_good ? "scope2.db" : "scope1.db", 0, 10);
        made m = make(auth, "a", ARKA_MAY_READ, "db.cpu");
        char old[ARKA_TOKEN_TEXT];
        assert_int_equal(check(auth, m.clear, NOW), ARKA_OK); /* it can be recalled */
        memcpy(old, m.clear, sizeof old);
        ASSERT_OK(arka_token_rotate(auth, m.id, m.clear, &err));
        bool failed = true;
        for (long n = 1; failed; n++) {
            arka_identity *who = NULL;
            arka_error why = {0};
            kit_fail_allocation(n, for_good);
            arka_status of_old =
                arka_auth_check(auth, arka_slice_of(old), arka_slice_of(m.clear), NOW, &who, &why);
            failed = kit_allocation_failed();
            kit_fail_allocation(0, false);
            assert_int_equal(who != NULL, of_old == ARKA_OK);
            assert_true(of_old == ARKA_OK || (failed && of_old == ARKA_NOMEM));
            if (who != NULL) {
                assert_string_equal(arka_scope_text(who->scope), "db.cpu");
                assert_int_equal(who->rights, ARKA_MAY_READ);
                assert_string_equal(who->name, "a");
            }
            arka_identity_unref(who);
            assert_int_equal(check(auth, old, NOW), ARKA_FORBIDDEN);
        }
        arka_auth_close(auth);
    }
}

/* ---- every change, with every allocation failing ---- */

static made target; /* of the changes */

static arka_status memory_create(arka_auth *auth, char clear[ARKA_TOKEN_TEXT], arka_error *err)
{
    int64_t id;
    arka_token_info info = {
        .name = "new", .rights = ARKA_MAY_WRITE, .scope = "a.*,b", .enabled = true};
    return arka_token_create(auth, &info, NOW, clear, &id, err);
}

static arka_status memory_update(arka_auth *auth, char clear[ARKA_TOKEN_TEXT], arka_error *err)
{
    arka_rights rights = ARKA_MAY_READ | ARKA_MAY_DELETE;
    arka_token_change change = {
        .name = "other", .description = "changed", .scope = "c.d", .rights = &rights};
    clear[0] = 0;
    return arka_token_update(auth, target.id, &change, NOW, err);
}

static arka_status memory_rotate(arka_auth *auth, char clear[ARKA_TOKEN_TEXT], arka_error *err)
{
    return arka_token_rotate(auth, target.id, clear, err);
}

static arka_status memory_delete(arka_auth *auth, char clear[ARKA_TOKEN_TEXT], arka_error *err)
{
    clear[0] = 0;
    return arka_token_delete(auth, target.id, NOW, err);
}

static arka_status memory_recover(arka_auth *auth, char clear[ARKA_TOKEN_TEXT], arka_error *err)
{
    return arka_auth_bootstrap(auth, &(arka_bootstrap){.force = true}, NOW, clear, err);
}

static void list_all(arka_auth *auth, arka_buf *out)
{
    arka_error err = {0};
    out->len = 0;
    ASSERT_OK(arka_token_each(auth, take_info, out, &err));
    assert_non_null(arka_buf_cstr(out));
}

/* A change that fails has changed nothing, told no token, and does not stand in another's way. */
static void change_without_memory(const char *file,
                                  arka_status (*change)(arka_auth *auth,
                                                        char clear[ARKA_TOKEN_TEXT],
                                                        arka_error *err))
{
    arka_buf before = ARKA_BUF_INIT, after = ARKA_BUF_INIT;
    arka_auth *auth = open_auth(file, 0, 10);
    made root = make(auth, "root", ARKA_MAY_ADMIN, "");
    target = make(auth, "one", ARKA_MAY_READ, "db.cpu");
    arka_status status = ARKA_NOMEM;
    for (long n = 1; status != ARKA_OK; n++) {
        char clear[ARKA_TOKEN_TEXT];
        arka_error err = {0};
        list_all(auth, &before);
        kit_fail_allocation(n, false);
        status = change(auth, clear, &err);
        bool failed = kit_allocation_failed();
        kit_fail_allocation(0, false);
        list_all(auth, &after);
        assert_int_equal(check(auth, root.clear, NOW), ARKA_OK);
        if (status != ARKA_OK) {
            assert_true(failed);
            assert_int_equal(status, ARKA_NOMEM);
            assert_string_equal(clear, "");
            assert_string_equal(after.data, before.data);
            assert_int_equal(check(auth, target.clear, NOW), ARKA_OK);
        } else if (clear[0] != 0) {
            assert_int_equal(check(auth, clear, NOW), ARKA_OK);
        }
    }
    arka_buf_fini(&before);
    arka_buf_fini(&after);
    arka_auth_close(auth);
}

TEST(a_change_without_memory_changes_nothing)
{
    change_without_memory("m_create.db", memory_create);
    change_without_memory("m_update.db", memory_update);
    change_without_memory("m_rotate.db", memory_rotate);
    change_without_memory("m_delete.db", memory_delete);
    change_without_memory("m_recover.db", memory_recover);
}

TEST(a_store_opens_and_lists_without_memory_or_says_so)
{
    arka_auth *there = open_auth("m_open.db", 0, 10);
    make(there, "a", ARKA_MAY_READ, "db.cpu");
    bool failed = true;
    for (long n = 1; failed; n++) {
        arka_auth_options o = {
            .db_path = path_of("m_open.db"), .cache_ttl_ms = 0, .cache_size = 10, .serves = true};
        arka_buf text = ARKA_BUF_INIT;
        arka_auth *auth = NULL;
        arka_error err = {0};
        kit_fail_allocation(n, false);
        arka_status status = arka_auth_open(&o, &auth, &err);
        if (status == ARKA_OK)
            status = arka_token_each(auth, take_info, &text, &err);
        failed = kit_allocation_failed();
        kit_fail_allocation(0, false);
        assert_true(status == ARKA_OK || (failed && status == ARKA_NOMEM && err.msg[0] != 0));
        if (status == ARKA_OK && !text.failed)
            assert_string_equal(
                arka_buf_cstr(&text),
                "1 a (of a test) 1 [db.cpu] high on created 1000 used 0 expires 0\n");
        arka_auth_close(auth);
        arka_buf_fini(&text);
    }
    arka_auth_close(there);
}
