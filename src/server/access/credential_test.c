#include "server/access/credential.h"

#include "kit/kit.h"
#include "server/access/access.h"

static void assert_parsed(const char *header, const char *first, const char *second)
{
    arka_credential c;
    arka_credential_parse(arka_slice_of(header), &c);
    assert_int_equal(c.first.len, strlen(first));
    assert_memory_equal(c.first.data, first, c.first.len);
    assert_int_equal(c.second.len, strlen(second));
    assert_memory_equal(c.second.data, second, c.second.len);
    arka_credential_wipe(&c);
}

TEST(every_form_of_a_header)
{
    assert_parsed("", "", "");
    assert_parsed("  ", "", "");
    assert_parsed("Bearer abc", "abc", "");
    assert_parsed("bearer \t abc  ", "abc", "");
    assert_parsed("Bearer", "", "");
    assert_parsed("Bearer a:b", "a:b", "");
    assert_parsed("Token abc", "abc", "");
    assert_parsed("TOKEN user:a:b", "user:a:b", "a:b");
    assert_parsed("Token user:", "user:", "");
    assert_parsed("Basic dXNlcjphYmM=", "abc", ""); /* user:abc */
    assert_parsed("Basic dXNlcjphOmI=", "a:b", ""); /* user:a:b */
    assert_parsed("Basic OmFiYw", "abc", "");       /* :abc */
    assert_parsed("Basic YWJjOg==", "abc", "");     /* abc: */
    assert_parsed("basic YWJj", "abc", "");         /* abc */
    assert_parsed("Basic Og==", "", "");            /* : */
    assert_parsed("Basic", "", "");
    assert_parsed("Basic !!", "!!", ""); /* sent, and nobody's */
    assert_parsed("abc", "abc", "");
    assert_parsed("Bearerabc", "Bearerabc", "");
    assert_parsed("Digest abc", "Digest abc", "");
}

TEST(what_is_too_long_to_be_one_is_nobodys)
{
    char header[3000] = "Basic ";
    memset(header + 6, 'Q', 2000);
    arka_credential c;
    arka_credential_parse((arka_slice){header, 2006}, &c);
    assert_int_equal(c.first.len, 2000);
    memset(c.decoded, 'x', sizeof c.decoded);
    arka_credential_wipe(&c);
    for (size_t i = 0; i < sizeof c.decoded; i++)
        assert_int_equal(c.decoded[i], 0);
}

static bool listed(const char *list, const char *path)
{
    return arka_access_listed(list, arka_slice_of(path));
}

TEST(paths_of_a_list)
{
    assert_false(listed("", "/health"));
    assert_true(listed("/a,/b", "/b"));
    assert_true(listed(" /a , /b ", "/a"));
    assert_true(listed("/a", "/a/"));
    assert_false(listed("/a", "/a/b"));
    assert_false(listed("/a", "/A"));
    assert_true(listed("/a/*", "/a/b/c"));
    assert_false(listed("/a/*", "/a"));
    assert_true(listed("/a*", "/ab"));
    assert_true(listed("*", "/"));
    assert_false(listed(",,", "/"));
}
