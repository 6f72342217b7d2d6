#include "cli/http_target.h"

#include <netinet/in.h>

#include "kit/kit.h"

TEST(urls_are_taken_apart)
{
    static const struct {
        const char *url, *authority;
        int port;
        bool loopback;
    } GOOD[] = {
        {"http://127.0.0.1:8000", "127.0.0.1:8000", 8000, true},
        {"http://127.0.0.1:8000/", "127.0.0.1:8000", 8000, true},
        {"http://127.8.9.10", "127.8.9.10", 80, true},
        {"http://[::1]:99", "[::1]:99", 99, true},
        {"http://[::1]", "[::1]", 80, true},
        {"http://192.0.2.7:65535", "192.0.2.7:65535", 65535, false},
        {"http://[2001:db8::1]:1", "[2001:db8::1]:1", 1, false},
    };
    for (size_t i = 0; i < sizeof GOOD / sizeof *GOOD; i++) {
        arka_error err = {0};
        arka_http_target t;
        ASSERT_OK(arka_http_target_resolve(GOOD[i].url, &t, &err));
        assert_string_equal(t.authority, GOOD[i].authority);
        assert_int_equal(t.port, GOOD[i].port);
        assert_int_equal(arka_http_target_is_loopback(&t), GOOD[i].loopback);
    }
}

TEST(bad_urls_are_refused_with_the_reason)
{
    static const struct {
        const char *url, *says;
    } BAD[] = {
        {"ftp://127.0.0.1", "expected it to begin with http:// or https://"},
        {"127.0.0.1:8000", "expected it to begin with http://"},
        {"", "expected it to begin with http://"},
        {"http://", "no host"},
        {"http://:8000", "no host"},
        {"http://[::1", "does not close it"},
        {"http://[::1]8000", "expected ':'"},
        {"http://127.0.0.1:0", "port '0'"},
        {"http://127.0.0.1:65536", "port '65536'"},
        {"http://127.0.0.1:http", "port 'http'"},
        {"http://127.0.0.1:", "port ''"},
        {"http://127.0.0.1/api", "found '/api'"},
        {"http://127.0.0.1?db=x", "found '?db=x'"},
        {"http://user:secret@127.0.0.1", "user names are not supported"},
    };
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        arka_error err = {0};
        arka_http_target t;
        ASSERT_FAILS(arka_http_target_resolve(BAD[i].url, &t, &err), ARKA_INPUT, BAD[i].says);
        assert_null(strstr(err.msg, "secret"));
    }
    char url[400] = "http://";
    arka_error err = {0};
    arka_http_target t;
    memset(url + 7, 'a', 300);
    ASSERT_FAILS(arka_http_target_resolve(url, &t, &err), ARKA_INPUT, "300 bytes");
}
