/* This very process stands for the server. */
#include "cli/bench/bench_process.h"

#include <netinet/in.h>
#include <unistd.h>

#include "kit/kit.h"

static int listen_somewhere(int family, char *url, size_t cap)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_addr = in6addr_any};
    struct sockaddr *address = family == AF_INET ? (struct sockaddr *)&v4 : (struct sockaddr *)&v6;
    socklen_t len = family == AF_INET ? sizeof v4 : sizeof v6;
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, address, len) != 0 || listen(fd, 8) != 0)
        skip(); /* a machine without IPv6 */
    assert_int_equal(getsockname(fd, address, &len), 0);
    snprintf(url, cap, "http://127.0.0.1:%d",
             ntohs(family == AF_INET ? v4.sin_port : v6.sin6_port));
    return fd;
}

static void find_self(int family)
{
    arka_error err = {0};
    arka_http_target target;
    arka_bench_process p;
    char url[64];
    int fd = listen_somewhere(family, url, sizeof url);
    ASSERT_OK(arka_http_target_resolve(url, &target, &err));
    arka_bench_process_find(&p, &target, 0);
    assert_int_equal(p.pid, getpid());
    close(fd);
    arka_bench_process_find(&p, &target, 0);
    assert_int_equal(p.pid, 0);
    assert_non_null(strstr(p.why_not, "--server-pid"));
}

TEST(the_listener_on_loopback_is_found)
{
    find_self(AF_INET);
}

TEST(the_listener_on_every_address_is_found)
{
    find_self(AF_INET6);
}

TEST(cpu_and_memory_move_with_work)
{
    arka_bench_process p;
    arka_bench_process_find(&p, NULL, getpid());
    assert_int_equal(p.pid, getpid());
    int64_t cpu_ns = arka_bench_process_cpu_ns(&p), rss = arka_bench_process_sample(&p);
    assert_true(cpu_ns > 0 && rss > 0);
    enum { MORE = 64 << 20 };
    volatile char *block = malloc(MORE);
    for (size_t i = 0; i < MORE; i += 512)
        block[i] = (char)i;
    assert_true(arka_bench_process_cpu_ns(&p) > cpu_ns);
    assert_true(arka_bench_process_sample(&p) >= rss + MORE / 2);
    assert_true(p.sampled_peak_bytes >= rss + MORE / 2);
    assert_true(arka_bench_process_peak_bytes(&p) >= p.sampled_peak_bytes - (8 << 20));
    free((char *)block);
}

TEST(what_cannot_be_seen_says_why)
{
    arka_error err = {0};
    arka_http_target target;
    arka_bench_process p;
    ASSERT_OK(arka_http_target_resolve("http://192.0.2.1:8000", &target, &err));
    arka_bench_process_find(&p, &target, 0);
    assert_int_equal(p.pid, 0);
    assert_non_null(strstr(p.why_not, "192.0.2.1:8000 is not on this machine"));
    arka_bench_process_find(&p, &target, 1 << 22);
    assert_int_equal(p.pid, 0);
    assert_non_null(strstr(p.why_not, "no process"));
    assert_int_equal(arka_bench_process_cpu_ns(&p), 0);
    assert_int_equal(arka_bench_process_sample(&p), 0);
}
