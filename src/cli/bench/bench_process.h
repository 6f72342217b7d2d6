/**
 * What a server on this machine costs: its CPU time and memory, read from the kernel
 * (proc(5), clock_getcpuclockid(3)).
 */
#ifndef ARKA_CLI_BENCH_BENCH_PROCESS_H
#define ARKA_CLI_BENCH_BENCH_PROCESS_H

#include <time.h>

#include "cli/http_target.h"

typedef struct arka_bench_process {
    int pid; /* 0: not available, see `why_not` */
    clockid_t clock;
    int64_t sampled_peak_bytes; /* the most that arka_bench_process_sample saw */
    char why_not[200];
} arka_bench_process;

/**
 * The process with that id; with pid 0 the one that listens at `target`, when that is on loopback
 * and this user may look at it. Never fails: an absent one answers 0 to everything.
 */
void arka_bench_process_find(arka_bench_process *p, const arka_http_target *target, int pid);

/** User and system time since its start, all threads, ended ones too; 0 when unknown. */
int64_t arka_bench_process_cpu_ns(const arka_bench_process *p);
/** Resident bytes now; also kept when it is the most so far. */
int64_t arka_bench_process_sample(arka_bench_process *p);
/** The most resident bytes since the process started (VmHWM); 0 when unknown. */
int64_t arka_bench_process_peak_bytes(const arka_bench_process *p);

#endif
