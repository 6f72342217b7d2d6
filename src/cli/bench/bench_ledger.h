/**
 * What became of every row that a run sent, kept small enough to keep for all of them.
 *
 * The rows of a run are numbered: row x has time base + x * step, and no two rows of stamped
 * requests have the same x. A slot is what has one request under way at a time: a connection, whose
 * k-th request has the rows x = slot + n_slots * (k * n_rows + i), i < n_rows, so that connections
 * interleave and each ascends; or, of a pool of requests that cannot be stamped, one of them,
 * always with x = slot * n_rows + i. One ledger per thread. Pure.
 */
#ifndef ARKA_CLI_BENCH_BENCH_LEDGER_H
#define ARKA_CLI_BENCH_BENCH_LEDGER_H

#include "base/vec.h"

/** x = first, first + stride, … (n of them) */
typedef struct arka_row_range {
    int64_t first, stride, n;
} arka_row_range;

typedef enum arka_outcome {
    ARKA_OUTCOME_STORED,  /* acknowledged: its rows must be there */
    ARKA_OUTCOME_REFUSED, /* its rows must not be there */
    ARKA_OUTCOME_UNSURE,  /* no answer, or one that leaves it open */
} arka_outcome;

typedef struct arka_ledger_slot {
    int64_t n_begun, n_ended;
    int64_t n_stored, n_unsure;
} arka_ledger_slot;

typedef struct arka_ledger_gap { /* a request that was not acknowledged */
    int slot;
    int64_t k;
    bool unsure;
} arka_ledger_gap;

typedef struct arka_ledger {
    bool fixed;      /* slots are requests of a pool */
    int64_t n_rows;  /* of a request */
    int64_t n_slots; /* of the run; this ledger has n_own of them from first_slot on */
    int first_slot, n_own;
    arka_ledger_slot *slots;
    ARKA_VEC(arka_ledger_gap) gaps;
    bool failed; /* out of memory: a gap was not kept */
} arka_ledger;

/** Sums over acknowledged rows that SQL can compute too: sum(x), sum((x % 46337)^2), max(x). */
typedef struct arka_row_sums {
    int64_t n;
    int64_t n_distinct; /* differs from n when requests of a pool were sent again */
    int64_t sum, squares;
    int64_t max; /* -1: none */
} arka_row_sums;
enum { ARKA_ROW_MODULUS = 46337 }; /* prime, its square fits 31 bits */
#define ARKA_ROW_SUMS_NONE                                                                         \
    {                                                                                              \
        .max = -1                                                                                  \
    }

ARKA_MUST_USE arka_status arka_ledger_init(arka_ledger *l, bool fixed, int n_rows, int n_slots,
                                           int first_slot, int n_own, arka_error *err);
void arka_ledger_fini(arka_ledger *l);

/** The rows of the next request of slot 0 .. n_own - 1. */
arka_row_range arka_ledger_begin(arka_ledger *l, int slot);
/** What became of the request that the slot has under way. */
void arka_ledger_end(arka_ledger *l, int slot, arka_outcome outcome);
/** Requests begun and never ended become unsure. */
void arka_ledger_close(arka_ledger *l);

void arka_row_sums_add(arka_row_sums *sums, arka_row_range range, int64_t times);
/** Add all that was acknowledged. */
void arka_ledger_sum(const arka_ledger *l, arka_row_sums *sums);
/**
 * Unsure requests, by index from 0: their rows, how often these must be there already (for
 * acknowledged sendings of the same request) and how often more they may be. false: no more.
 */
bool arka_ledger_unsure(const arka_ledger *l, size_t index, arka_row_range *out, int64_t *stored,
                        int64_t *unsure);

#endif
