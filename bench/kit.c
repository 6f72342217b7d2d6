#include "kit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "os/clock.h"

void bench_must(arka_status status, const arka_error *err)
{
    if (status == ARKA_OK)
        return;
    fprintf(stderr, "%s: %s\n", program_invocation_short_name, err->msg);
    exit(1);
}

/* xorshift64*: S. Vigna, "An experimental exploration of Marsaglia's xorshift generators". */
uint64_t bench_random(void)
{
    static uint64_t state = 88172645463325252u;
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return state * 0x2545f4914f6cdd1d;
}

double bench_random_unit(void)
{
    return (double)(bench_random() >> 11) * 0x1p-53;
}

void bench_note(bench_rounds *rounds, double ns)
{
    if (rounds->n == 0 || ns < rounds->least)
        rounds->least = ns;
    if (rounds->n == 0 || ns > rounds->most)
        rounds->most = ns;
    rounds->n++;
}

int64_t bench_wall_ns(void)
{
    return arka_mono_now().ns;
}

static double ns_of(bench_clock clock, int64_t n_runs, void (*run)(void *context), void *context)
{
    int64_t start = clock();
    for (int64_t i = 0; i < n_runs; i++)
        run(context);
    return (double)(clock() - start);
}

bench_rounds bench_measure(bench_clock clock, int n, double round_ns, void (*run)(void *context),
                           void *context)
{
    int64_t n_runs = 1;
    while (ns_of(clock, n_runs, run, context) < round_ns / 2)
        n_runs *= 2;
    bench_rounds rounds = {0};
    for (int i = 0; i < n; i++)
        bench_note(&rounds, ns_of(clock, n_runs, run, context) / (double)n_runs);
    return rounds;
}
