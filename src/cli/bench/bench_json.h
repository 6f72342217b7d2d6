/** Members of the JSON object that a bench prints for scripts, and numbers for people. */
#ifndef ARKA_CLI_BENCH_BENCH_JSON_H
#define ARKA_CLI_BENCH_BENCH_JSON_H

#include <stdio.h>

#include "base/buf.h"
#include "cli/bench/bench_histogram.h"

/* Each appends `"name":value`, with a comma before it where one belongs. */
void arka_bench_json_key(arka_buf *b, const char *name);
void arka_bench_json_text(arka_buf *b, const char *name, const char *value);
void arka_bench_json_integer(arka_buf *b, const char *name, int64_t value);
void arka_bench_json_real(arka_buf *b, const char *name, double value);
void arka_bench_json_flag(arka_buf *b, const char *name, bool value);
/** An object of mean, min, quantiles and max in milliseconds; h: nanoseconds. */
void arka_bench_json_latency(arka_buf *b, const char *name, const arka_histogram *h);
/** "answers": an object of counts by status; n_status[0]: without an answer. */
void arka_bench_json_answers(arka_buf *b, const int64_t *n_status, int n);
/** Print the object as a line; frees `line`. */
void arka_bench_json_print(FILE *out, arka_buf *line);

enum { ARKA_BENCH_NUMBER = 32 };
/** "1,234,567" in `out` of ARKA_BENCH_NUMBER bytes; returns it. */
const char *arka_bench_grouped(double v, char *out);
/** 0 when b is not above 0. */
double arka_bench_ratio(double a, double b);
double arka_bench_quantile_ms(const arka_histogram *h, double q);
/** " 204: 1,234  503: 5  none: 1" */
void arka_bench_say_answers(FILE *out, const int64_t *n_status, int n);

#endif
