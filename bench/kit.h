/**
 * What the benches share: rounds and what they took, a generator, the end on an error. The clocks
 * are those of os/clock.h. Not thread-safe.
 */
#ifndef ARKA_BENCH_KIT_H
#define ARKA_BENCH_KIT_H

#include "base/status.h"

/** Says on standard error what went wrong, and ends the program, unless `status` is ARKA_OK. */
void bench_must(arka_status status, const arka_error *err);

/** The same numbers in every run of a program. */
uint64_t bench_random(void);
/** In [0, 1). */
double bench_random_unit(void);

/**
 * What the rounds of one measurement took. The least is the figure to show, since everything that
 * disturbs a round only makes it longer; the most tells how much it was disturbed. Starts as {0}.
 */
typedef struct bench_rounds {
    double least, most; /* nanoseconds */
    int n;
} bench_rounds;

void bench_note(bench_rounds *rounds, double ns);

/** Nanoseconds: arka_cpu_thread_ns, bench_wall_ns. */
typedef int64_t (*bench_clock)(void);
int64_t bench_wall_ns(void);

/**
 * Nanoseconds of one run, in n rounds. A round is of so many runs that it takes about `round_ns`,
 * or of one when that takes longer; before the first one everything ran at least once.
 */
bench_rounds bench_measure(bench_clock clock, int n, double round_ns, void (*run)(void *context),
                           void *context);

#endif
