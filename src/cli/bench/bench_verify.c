#include "cli/bench/bench_verify.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

enum { MAX_DISTINCT = 20000000, MAX_UNSURE = 500, SQL_MAX = 700 };

/* "(SELECT x, rest FROM table)": the number of each row, and what its time has over it */
static void numbered(const arka_bench_write_options *o, char *out)
{
    snprintf(out, SQL_MAX,
             "(SELECT (epoch_us(time) - %" PRId64 ") // %" PRId64 " AS x, "
             "(epoch_us(time) - %" PRId64 ") %% %" PRId64 " AS rest FROM %.100s)",
             o->base_us, o->step_us, o->base_us, o->step_us, o->payload.table);
}

static void say(arka_bench_verdict *v, bool ok, const char *format, ...) ARKA_PRINTF(3, 4);
static void say(arka_bench_verdict *v, bool ok, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(v->text, sizeof v->text, format, args);
    va_end(args);
    v->ok = ok;
}

/* How many more times than `stored` is the request there? -1: not a whole number of times. */
static arka_status count_unsure(const arka_bench_write_options *o, arka_row_range range,
                                int64_t stored, int64_t *times, arka_error *err)
{
    char from[SQL_MAX], sql[2 * SQL_MAX];
    numbered(o, from);
    snprintf(sql, sizeof sql,
             "SELECT count(*) FROM %s WHERE x >= %" PRId64 " AND x <= %" PRId64 " AND (x - %" PRId64
             ") %% %" PRId64 " = 0",
             from, range.first, range.first + (range.n - 1) * range.stride, range.first,
             range.stride);
    int64_t found;
    ARKA_TRY(arka_bench_server_integers(o->server, sql, &found, 1, err));
    int64_t more = found - stored * range.n;
    *times = more < 0 || more % range.n != 0 ? -1 : more / range.n;
    return ARKA_OK;
}

/* Unsure requests that turn out to be stored join the rows that must be there. */
static arka_status resolve_unsure(const arka_bench_write_options *o, const arka_ledger *ledger,
                                  arka_row_sums *sums, arka_bench_verdict *v, arka_error *err)
{
    arka_row_range range;
    int64_t stored, unsure, times;
    for (size_t i = 0; arka_ledger_unsure(ledger, i, &range, &stored, &unsure); i++) {
        v->n_unsure += unsure;
        if (v->n_unsure > MAX_UNSURE) {
            say(v, false, "over %d requests have no clear answer: too many to look for",
                MAX_UNSURE);
            return ARKA_OK;
        }
        ARKA_TRY(count_unsure(o, range, stored, &times, err));
        if (times < 0 || times > unsure) {
            say(v, false,
                "%s: a request of %" PRId64 " rows from time %" PRId64
                " µs is there in part, or too often",
                o->payload.table, range.n, o->base_us + range.first * o->step_us);
            return ARKA_OK;
        }
        v->n_unsure_found += times;
        int64_t distinct = sums->n_distinct;
        arka_row_sums_add(sums, range, times);
        if (stored > 0)
            sums->n_distinct = distinct;
    }
    return ARKA_OK;
}

static void say_all_there(arka_bench_verdict *v, const arka_row_sums *expected)
{
    char unanswered[80] = "";
    if (expected->n != v->n_acknowledged)
        snprintf(unanswered, sizeof unanswered, " and %" PRId64 " more without a clear answer",
                 expected->n - v->n_acknowledged);
    say(v, true, "%" PRId64 " rows acknowledged%s, %" PRId64 " found, each %s", v->n_acknowledged,
        unanswered, v->n_found,
        expected->n == expected->n_distinct ? "once" : "as often as it was acknowledged");
}

static arka_status compare(const arka_bench_write_options *o, const arka_row_sums *expected,
                           arka_bench_verdict *v, arka_error *err)
{
    char from[SQL_MAX], sql[2 * SQL_MAX];
    int64_t found[5], distinct = expected->n_distinct;
    numbered(o, from);
    snprintf(sql, sizeof sql,
             "SELECT count(*), coalesce(CAST(sum(x) AS BIGINT), 0), "
             "coalesce(CAST(sum((x %% %d) * (x %% %d)) AS BIGINT), 0), coalesce(max(x), -1), "
             "count(*) FILTER (WHERE rest <> 0) FROM %s",
             ARKA_ROW_MODULUS, ARKA_ROW_MODULUS, from);
    ARKA_TRY(arka_bench_server_integers(o->server, sql, found, 5, err));
    v->n_found = found[0];
    if (found[0] <= MAX_DISTINCT) {
        snprintf(sql, sizeof sql, "SELECT count(DISTINCT time) FROM %.100s", o->payload.table);
        ARKA_TRY(arka_bench_server_integers(o->server, sql, &distinct, 1, err));
        v->distinct = true;
    }
    if (found[0] != expected->n)
        say(v, false, "%" PRId64 " rows acknowledged, %" PRId64 " found: %" PRId64 " %s",
            expected->n, found[0],
            found[0] < expected->n ? expected->n - found[0] : found[0] - expected->n,
            found[0] < expected->n ? "missing" : "too many");
    else if (distinct != expected->n_distinct)
        say(v, false,
            "%" PRId64 " rows acknowledged and found, but with %" PRId64
            " distinct times, expected %" PRId64,
            expected->n, distinct, expected->n_distinct);
    else if (found[1] != expected->sum || found[2] != expected->squares ||
             found[3] != expected->max || found[4] != 0)
        say(v, false, "%" PRId64 " rows acknowledged and found, but their times are not those sent",
            found[0]);
    else
        say_all_there(v, expected);
    return ARKA_OK;
}

arka_status arka_bench_verify(const arka_bench_write_options *options,
                              const arka_bench_write_result *result, arka_bench_verdict *out,
                              arka_error *err)
{
    *out = (arka_bench_verdict){0};
    arka_row_sums sums = ARKA_ROW_SUMS_NONE;
    for (int i = 0; i < result->n_ledgers; i++) {
        if (result->ledgers[i].failed)
            return arka_fail_nomem(err, "the ledger of requests", sizeof(arka_ledger_gap));
        arka_ledger_sum(&result->ledgers[i], &sums);
    }
    out->n_acknowledged = sums.n;
    if (sums.n == 0) {
        say(out, false, "no row was acknowledged");
        return ARKA_OK;
    }
    for (int i = 0; i < result->n_ledgers && out->text[0] == 0; i++)
        ARKA_TRY(resolve_unsure(options, &result->ledgers[i], &sums, out, err));
    return out->text[0] == 0 ? compare(options, &sums, out, err) : ARKA_OK;
}
