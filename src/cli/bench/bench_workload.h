/** What the load generator writes: the columns of its workloads and random cells for them. Pure. */
#ifndef ARKA_CLI_BENCH_BENCH_WORKLOAD_H
#define ARKA_CLI_BENCH_BENCH_WORKLOAD_H

#include "base/status.h"

typedef enum arka_workload_kind {
    ARKA_WORKLOAD_IOT,     /* time, host (one of 50), three doubles */
    ARKA_WORKLOAD_FINANCE, /* time, symbol (one of 500), exchange, three doubles, three ints, side
                            */
    ARKA_N_WORKLOADS
} arka_workload_kind;

typedef enum arka_cell_kind {
    ARKA_CELL_TIME, /* always the first column */
    ARKA_CELL_TAG,  /* text; a tag in line protocol */
    ARKA_CELL_TEXT, /* text; a string field in line protocol */
    ARKA_CELL_DOUBLE,
    ARKA_CELL_INT,
} arka_cell_kind;

typedef struct arka_workload_column {
    const char *name;
    arka_cell_kind kind;
    double low, high;         /* of doubles and ints: low <= cell < high */
    int decimals;             /* of a realistic double */
    int n_names;              /* distinct texts */
    const char *const *names; /* the texts; NULL: `name` and a number of two or three digits */
} arka_workload_column;

enum { ARKA_WORKLOAD_MAX_COLUMNS = 10, ARKA_CELL_TEXT_MAX = 24 };

typedef struct arka_workload {
    const char *name; /* "iot", "finance" */
    int n_columns;
    arka_workload_column columns[ARKA_WORKLOAD_MAX_COLUMNS];
} arka_workload;

extern const arka_workload arka_workloads[ARKA_N_WORKLOADS];

/** Repeatable random numbers: SplitMix64 (Steele, Lea, Flood 2014). */
typedef struct arka_random {
    uint64_t state;
} arka_random;

static inline uint64_t arka_random_u64(arka_random *r)
{
    uint64_t z = r->state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}
/** 0 <= x < n; n > 0. */
static inline uint64_t arka_random_below(arka_random *r, uint64_t n)
{
    return (uint64_t)((unsigned __int128)arka_random_u64(r) * n >> 64);
}

/** A double of all 53 random bits, or with `realistic` one of few decimals. */
double arka_cell_double(const arka_workload_column *column, bool realistic, arka_random *r);
int64_t arka_cell_int(const arka_workload_column *column, arka_random *r);
/** Writes up to ARKA_CELL_TEXT_MAX bytes, letters, digits and '_' only; returns how many. */
size_t arka_cell_text(const arka_workload_column *column, arka_random *r, char *out);

#endif
