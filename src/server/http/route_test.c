#include "server/http/route.h"

#include "kit/kit.h"

static arka_error err;

static arka_route_table *new_table(void)
{
    arka_route_table *t = NULL;
    err = (arka_error){0};
    ASSERT_OK(arka_route_table_new(arka_routes, arka_n_routes, &t, &err));
    return t;
}

static const arka_route *find(const arka_route_table *t, arka_method method, const char *path)
{
    return arka_route_find(t, method, arka_slice_of(path)).route;
}

#define ASSERT_PATH(route, expected)                                                               \
    do {                                                                                           \
        const arka_route *found_ = (route);                                                        \
        assert_non_null(found_);                                                                   \
        assert_string_equal(found_->path, expected);                                               \
    } while (0)

TEST(every_route_is_found_by_its_own_path)
{
    arka_route_table *t = new_table();
    for (size_t i = 0; i < arka_n_routes; i++) {
        const arka_route *r = &arka_routes[i];
        for (int bit = 1; bit <= ARKA_OPTIONS; bit <<= 1)
            if (r->methods & bit)
                assert_ptr_equal(find(t, (arka_method)bit, r->path), r);
    }
    arka_route_table_free(t);
}

TEST(a_trailing_slash_does_not_matter_but_two_do)
{
    arka_route_table *t = new_table();
    ASSERT_PATH(find(t, ARKA_GET, "/health/"), "/health");
    ASSERT_PATH(find(t, ARKA_GET, "/"), "/");
    assert_null(find(t, ARKA_GET, "/health//"));
    assert_null(find(t, ARKA_GET, "//health"));
    assert_null(find(t, ARKA_GET, ""));
    assert_null(find(t, ARKA_GET, "health"));
    arka_route_table_free(t);
}

TEST(head_means_get_and_only_get)
{
    arka_route_table *t = new_table();
    ASSERT_PATH(find(t, ARKA_HEAD, "/ping"), "/ping");
    assert_null(find(t, ARKA_HEAD, "/write"));
    arka_route_table_free(t);
}

TEST(a_literal_path_wins_for_its_method_and_a_name_takes_the_others)
{
    arka_route_table *t = new_table();
    ASSERT_PATH(find(t, ARKA_POST, "/api/v1/query/estimate"), "/api/v1/query/estimate");
    arka_route_match m = arka_route_find(t, ARKA_GET, ARKA_SLICE("/api/v1/query/estimate"));
    ASSERT_PATH(m.route, "/api/v1/query/{measurement}");
    assert_int_equal(m.args[0].len, 8);
    assert_memory_equal(m.args[0].data, "estimate", 8);
    arka_route_table_free(t);
}

TEST(names_are_taken_out_of_the_path)
{
    arka_route_table *t = new_table();
    arka_route_match m = arka_route_find(t, ARKA_GET, ARKA_SLICE("/api/v1/query/cpu.load/csv/"));
    ASSERT_PATH(m.route, "/api/v1/query/{measurement}/csv");
    assert_int_equal(m.args[0].len, 8);
    assert_memory_equal(m.args[0].data, "cpu.load", 8);
    assert_null(find(t, ARKA_GET, "/api/v1/query//csv"));
    assert_null(find(t, ARKA_GET, "/api/v1/query/cpu/xml"));
    arka_route_table_free(t);
}

TEST(a_wrong_method_tells_the_right_ones_and_an_unknown_path_none)
{
    arka_route_table *t = new_table();
    char text[64];
    arka_route_match m = arka_route_find(t, ARKA_PUT, ARKA_SLICE("/api/v1/databases"));
    assert_null(m.route);
    arka_methods_text(m.methods, text);
    assert_string_equal(text, "GET, HEAD, POST, OPTIONS");
    m = arka_route_find(t, ARKA_DELETE, ARKA_SLICE("/write"));
    arka_methods_text(m.methods, text);
    assert_string_equal(text, "POST, OPTIONS");
    m = arka_route_find(t, ARKA_METHOD_OTHER, ARKA_SLICE("/write"));
    assert_null(m.route);
    assert_int_equal(m.methods, ARKA_POST);
    m = arka_route_find(t, ARKA_GET, ARKA_SLICE("/nothing/here"));
    assert_null(m.route);
    assert_int_equal(m.methods, 0);
    arka_route_table_free(t);
}

TEST(method_names_are_case_sensitive)
{
    assert_int_equal(arka_method_parse("GET"), ARKA_GET);
    assert_int_equal(arka_method_parse("get"), ARKA_METHOD_OTHER);
    assert_int_equal(arka_method_parse("BREW"), ARKA_METHOD_OTHER);
}

TEST(dot_segments_are_resolved_and_never_leave_the_root)
{
    static const char *const CASES[][2] = {
        {"/a/b", "/a/b"},
        {"/a/./b", "/a/b"},
        {"/a/../b", "/b"},
        {"/../../x", "/x"},
        {"/a/..", "/"},
        {"/a/.", "/a/"},
        {"/a/b/../../c/", "/c/"},
        {"/.hidden", "/.hidden"},
        {"/a/...", "/a/..."},
        {"/", "/"},
        {"/..", "/"},
        {"//a/..//b", "///b"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        char path[64];
        size_t n = strlen(CASES[i][0]);
        memcpy(path, CASES[i][0], n);
        n = arka_path_normalise(path, n);
        path[n] = 0;
        assert_string_equal(path, CASES[i][1]);
    }
}
