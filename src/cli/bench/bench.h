/** `arc bench`: load and queries against a running server, measured and verified. */
#ifndef ARKA_CLI_BENCH_BENCH_H
#define ARKA_CLI_BENCH_BENCH_H

#include <stdio.h>

/**
 * argv[0] is the verb's name, argv[1] "write" or "query", then options. Results on stdout, what
 * went wrong on stderr. The process's exit code: 0; 1 something failed or was not verified; 2
 * usage.
 */
int arka_bench_main(int argc, char **argv);

/** What `arc help bench` prints. */
void arka_bench_help(FILE *out);

#endif
