/*
 * What does a token cost? A check of one that is remembered, from one thread and from several that
 * share a token or have one each; a check that has to look the row up; system calls of remembered
 * ones are none (see with strace -c -f).
 *
 *     auth_bench [DIR]     the directory for the store
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "auth/auth.h"
#include "kit.h"
#include "os/clock.h"
#include "os/thread.h"

enum { ROUNDS = 15, ROUND_NS = 20000000, THREADS = 4, CHECKS = 2000000, NOW = 1000 };

typedef struct run {
    arka_auth *auth;
    const char *token;
    int64_t cpu_ns;
} run;

static void check(void *context)
{
    run *r = context;
    arka_error err = {0};
    arka_identity *who;
    bench_must(
        arka_auth_check(r->auth, (arka_slice){r->token, 43}, (arka_slice){"", 0}, NOW, &who, &err),
        &err);
    arka_identity_unref(who);
}

static void check_many(void *context)
{
    run *r = context;
    int64_t began = arka_cpu_thread_ns();
    for (int i = 0; i < CHECKS; i++)
        check(r);
    r->cpu_ns = arka_cpu_thread_ns() - began;
}

static void report(const char *what, bench_rounds r)
{
    printf("%-46s %8.0f ns of CPU a check (most %.0f)\n", what, r.least, r.most);
}

static void threads(arka_auth *auth, const char tokens[THREADS][ARKA_TOKEN_TEXT], bool shared)
{
    arka_error err = {0};
    run runs[THREADS];
    arka_thread ids[THREADS];
    int64_t began = bench_wall_ns(), cpu = 0;
    for (int i = 0; i < THREADS; i++) {
        runs[i] = (run){.auth = auth, .token = tokens[shared ? 0 : i]};
        bench_must(arka_thread_start(&ids[i], "checks", check_many, &runs[i], &err), &err);
    }
    for (int i = 0; i < THREADS; i++) {
        arka_thread_join(&ids[i]);
        cpu += runs[i].cpu_ns;
    }
    double wall = (double)(bench_wall_ns() - began);
    printf("%d threads, %-35s %8.0f ns of CPU a check, %.2f million checks/s\n", (int)THREADS,
           shared ? "one token" : "a token each", (double)cpu / THREADS / CHECKS,
           (double)THREADS * CHECKS / wall * 1e3);
}

static arka_auth *open_at(const char *path, int64_t ttl_ms)
{
    arka_error err = {0};
    arka_auth *auth;
    arka_auth_options o = {.db_path = path, .cache_ttl_ms = ttl_ms, .cache_size = 1000};
    bench_must(arka_auth_open(&o, &auth, &err), &err);
    return auth;
}

int main(int argc, char **argv)
{
    arka_error err = {0};
    char path[4096], tokens[THREADS][ARKA_TOKEN_TEXT];
    snprintf(path, sizeof path, "%s/auth_bench.%d.db", argc > 1 ? argv[1] : "/tmp", (int)getpid());
    arka_auth *auth = open_at(path, 3600000);
    for (int i = 0; i < THREADS; i++) {
        char name[16];
        int64_t id;
        snprintf(name, sizeof name, "bench%d", i);
        arka_token_info info = {
            .name = name, .rights = ARKA_MAY_READ, .scope = "db.cpu*", .enabled = true};
        bench_must(arka_token_create(auth, &info, NOW, tokens[i], &id, &err), &err);
    }
    run one = {.auth = auth, .token = tokens[0]};
    report("remembered", bench_measure(arka_cpu_thread_ns, ROUNDS, ROUND_NS, check, &one));
    threads(auth, tokens, true);
    threads(auth, tokens, false);
    arka_auth_close(auth);
    run looked_up = {.auth = open_at(path, 0), .token = tokens[0]};
    report("looked up (its TTL is over)",
           bench_measure(arka_cpu_thread_ns, ROUNDS, ROUND_NS, check, &looked_up));
    arka_auth_close(looked_up.auth);
    static const char *const ENDINGS[] = {"", "-wal", "-shm"};
    for (int i = 0; i < 3; i++) {
        char name[4200];
        snprintf(name, sizeof name, "%s%s", path, ENDINGS[i]);
        ARKA_IGNORE(unlink(name) != 0);
    }
    return 0;
}
