#include "query/result_cache.h"

#include "kit/kit.h"

static arka_result_cache *open_cache(int64_t entries, int64_t result_bytes, int64_t bytes)
{
    arka_result_cache *c;
    arka_result_cache_options o = {entries, result_bytes, bytes};
    assert_int_equal(arka_result_cache_new(&o, &c, NULL), ARKA_OK);
    return c;
}

static arka_result_key key_of(const char *text)
{
    return (arka_result_key){.text = arka_slice_of(text), .database = ARKA_SLICE("db")};
}

static const uint64_t ONE[2] = {1, 1}, TWO[2] = {1, 2};
enum { LONG = 1000000 };

static void put(arka_result_cache *c, arka_result_key key, const uint64_t digest[2],
                const char *text)
{
    arka_result_cache_put(c, &key, digest, arka_slice_of(text),
                          &(arka_cached_result){.n_rows = 4, .n_columns = 2, .end_at = 1});
}

/* Is it there, with that text? */
static bool has(arka_result_cache *c, arka_result_key key, const uint64_t digest[2], int64_t ttl_ms,
                const char *text)
{
    arka_cached_result *r = arka_result_cache_get(c, &key, digest, ttl_ms);
    bool same = r != NULL && r->n_bytes == strlen(text) && memcmp(r->bytes, text, r->n_bytes) == 0;
    assert_true(r == NULL || (same && r->n_rows == 4 && r->n_columns == 2 && r->end_at == 1));
    arka_cached_result_unref(r);
    return same;
}

TEST(an_answer_is_found_by_all_that_makes_it)
{
    arka_result_cache *c = open_cache(10, 100, 10000);
    arka_result_key key = key_of("SELECT 'A'"), other;
    put(c, key, ONE, "first");
    assert_true(has(c, key, ONE, LONG, "first"));
    assert_true(has(c, key_of(" SELECT 'A'\n"), ONE, LONG, "first"));
    assert_false(has(c, key_of("SELECT 'a'"), ONE, LONG, ""));
    assert_false(has(c, key_of("SELECT  'A'"), ONE, LONG, ""));
    other = key;
    other.database = ARKA_SLICE("b");
    assert_false(has(c, other, ONE, LONG, ""));
    other = key;
    other.scoped = true;
    assert_false(has(c, other, ONE, LONG, ""));
    other = key;
    other.format = 3;
    assert_false(has(c, other, ONE, LONG, ""));
    other = key;
    other.visibility = ARKA_SLICE("db.*");
    assert_false(has(c, other, ONE, LONG, ""));
    arka_result_cache_free(c);
}

TEST(parts_of_a_key_do_not_run_into_each_other)
{
    arka_result_cache *c = open_cache(10, 100, 10000);
    arka_result_key a = {.database = ARKA_SLICE("ab"), .visibility = ARKA_SLICE("c")};
    arka_result_key b = {.database = ARKA_SLICE("a"), .visibility = ARKA_SLICE("bc")};
    put(c, a, ONE, "a");
    assert_false(has(c, b, ONE, LONG, ""));
    arka_result_cache_free(c);
}

TEST(a_table_that_changed_makes_it_another_answer)
{
    arka_result_cache *c = open_cache(10, 100, 10000);
    arka_result_key key = key_of("q");
    arka_result_cache_stats s;
    put(c, key, ONE, "old");
    assert_false(has(c, key, TWO, LONG, ""));
    arka_result_cache_get_stats(c, &s);
    assert_int_equal(s.outdated, 1);
    assert_int_equal(s.n_entries, 0);
    put(c, key, TWO, "new");
    put(c, key, TWO, "newer");
    assert_true(has(c, key, TWO, LONG, "newer"));
    arka_result_cache_get_stats(c, &s);
    assert_int_equal(s.n_entries, 1);
    arka_result_cache_free(c);
}

TEST(none_is_older_than_it_may_be)
{
    arka_result_cache *c = open_cache(10, 100, 10000);
    arka_result_cache_stats s;
    put(c, key_of("q"), ONE, "x");
    assert_false(has(c, key_of("q"), ONE, 0, ""));
    arka_result_cache_get_stats(c, &s);
    assert_int_equal(s.expirations, 1);
    assert_int_equal(s.n_entries, 0);
    assert_int_equal(s.n_bytes, 0);
    assert_int_equal(s.misses, 1);
    arka_result_cache_free(c);
}

TEST(the_least_recently_used_one_goes)
{
    arka_result_cache *c = open_cache(2, 100, 10000);
    arka_result_cache_stats s;
    arka_result_cache_entry entries[5];
    put(c, key_of("a"), ONE, "1");
    put(c, key_of("b"), ONE, "2");
    assert_true(has(c, key_of("a"), ONE, LONG, "1"));
    put(c, key_of("c"), ONE, "3");
    assert_false(has(c, key_of("b"), ONE, LONG, ""));
    assert_true(has(c, key_of("a"), ONE, LONG, "1"));
    assert_int_equal(arka_result_cache_list(c, entries, 5), 2);
    assert_int_equal(entries[0].n_bytes, 1);
    assert_int_equal(arka_result_cache_list(c, entries, 1), 1);
    arka_result_cache_get_stats(c, &s);
    assert_int_equal(s.evictions, 1);
    assert_int_equal(arka_result_cache_clear(c), 2);
    assert_int_equal(arka_result_cache_clear(c), 0);
    arka_result_cache_free(c);
}

TEST(bytes_are_bounded)
{
    arka_result_cache *c = open_cache(1000, 2000, 8000);
    arka_result_cache_stats s;
    char text[2001], name[8];
    memset(text, 'x', sizeof text);
    text[2000] = 0;
    for (int i = 0; i < 100; i++) {
        snprintf(name, sizeof name, "q%d", i);
        put(c, key_of(name), ONE, text + i % 3);
        arka_result_cache_get_stats(c, &s);
        assert_true(s.n_bytes <= 8000 && s.n_entries >= 1);
    }
    assert_int_equal(s.n_entries, 3);
    arka_result_cache_free(c);
    c = open_cache(1000, 1999, 8000);
    put(c, key_of("q"), ONE, text);
    arka_result_cache_get_stats(c, &s);
    assert_int_equal(s.n_entries, 0);
    arka_result_cache_free(c);
    c = open_cache(1000, 9000, 8000); /* one may have half of it all */
    assert_int_equal(arka_result_cache_max_result_bytes(c), 4000);
    arka_result_cache_free(c);
}

TEST(answers_that_are_gathered_share_the_bytes_of_those_that_are_kept)
{
    arka_result_cache *c = open_cache(1000, 2000, 8000);
    arka_result_cache_stats s;
    char text[2001], name[8];
    memset(text, 'x', sizeof text);
    text[2000] = 0;
    for (int i = 0; i < 3; i++) {
        snprintf(name, sizeof name, "q%d", i);
        put(c, key_of(name), ONE, text);
    }
    assert_true(arka_result_cache_take_room(c, 3000)); /* the oldest goes for it */
    arka_result_cache_get_stats(c, &s);
    assert_int_equal(s.n_entries, 2);
    assert_false(has(c, key_of("q0"), ONE, LONG, text));
    assert_true(has(c, key_of("q2"), ONE, LONG, text));
    assert_true(arka_result_cache_take_room(c, 5000));
    assert_false(arka_result_cache_take_room(c, 1));
    arka_result_cache_get_stats(c, &s);
    assert_int_equal(s.n_entries, 0);
    arka_result_cache_give_room_back(c, 8000);
    assert_true(arka_result_cache_take_room(c, 1));
    arka_result_cache_free(c);
}

TEST(what_was_given_out_outlives_the_cache)
{
    arka_result_cache *c = open_cache(2, 100, 10000);
    arka_result_key key = key_of("a");
    put(c, key, ONE, "1");
    arka_cached_result *r = arka_result_cache_get(c, &key, ONE, LONG);
    arka_result_cache_free(c);
    assert_memory_equal(r->bytes, "1", 1);
    arka_cached_result_unref(r);
}

/* What cannot be kept is not there afterwards; the one before it does not come back either. */
TEST(without_memory_nothing_wrong_is_found)
{
    bool failed = true;
    for (int n = 1; failed; n++) {
        arka_result_cache *c = NULL;
        arka_result_cache_options o = {10, 100, 10000};
        arka_result_key key = key_of("SELECT 1");
        arka_error err = {0};
        kit_fail_allocation(n, false);
        arka_status status = arka_result_cache_new(&o, &c, &err);
        if (status == ARKA_OK) {
            put(c, key, ONE, "old");
            put(c, key, ONE, "new");
        }
        failed = kit_allocation_failed();
        kit_fail_allocation(0, false);
        assert_int_equal(status, c == NULL ? ARKA_NOMEM : ARKA_OK);
        if (c == NULL)
            continue;
        arka_result_cache_stats s;
        arka_result_cache_get_stats(c, &s);
        arka_cached_result *r = arka_result_cache_get(c, &key, ONE, LONG);
        assert_int_equal(s.n_entries, r != NULL);
        assert_int_equal(s.n_bytes == 0, r == NULL);
        if (r != NULL && memcmp(r->bytes, "old", 3) != 0)
            assert_memory_equal(r->bytes, "new", 3);
        arka_cached_result_unref(r);
        kit_fail_allocation(1, true);
        assert_null(arka_result_cache_get(c, &key, ONE, LONG));
        kit_fail_allocation(0, false);
        put(c, key, ONE, "later");
        assert_true(has(c, key, ONE, LONG, "later"));
        arka_result_cache_free(c);
    }
}
