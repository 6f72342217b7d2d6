#include "cli/bench/bench_ledger.h"

arka_status arka_ledger_init(arka_ledger *l, bool fixed, int n_rows, int n_slots, int first_slot,
                             int n_own, arka_error *err)
{
    *l = (arka_ledger){.fixed = fixed,
                       .n_rows = n_rows,
                       .n_slots = n_slots,
                       .first_slot = first_slot,
                       .n_own = n_own};
    l->slots = arka_calloc((size_t)n_own, sizeof *l->slots);
    if (l->slots == NULL)
        return arka_fail_nomem(err, "a ledger", (size_t)n_own * sizeof *l->slots);
    return ARKA_OK;
}

void arka_ledger_fini(arka_ledger *l)
{
    arka_free(l->slots);
    arka_vec_fini(&l->gaps);
    *l = (arka_ledger){0};
}

static arka_row_range rows_of(const arka_ledger *l, int slot, int64_t k)
{
    int64_t global = l->first_slot + slot;
    if (l->fixed)
        return (arka_row_range){global * l->n_rows, 1, l->n_rows};
    return (arka_row_range){global + l->n_slots * k * l->n_rows, l->n_slots, l->n_rows};
}

arka_row_range arka_ledger_begin(arka_ledger *l, int slot)
{
    return rows_of(l, slot, l->slots[slot].n_begun++);
}

void arka_ledger_end(arka_ledger *l, int slot, arka_outcome outcome)
{
    arka_ledger_slot *s = &l->slots[slot];
    int64_t k = s->n_ended++;
    s->n_stored += outcome == ARKA_OUTCOME_STORED;
    s->n_unsure += outcome == ARKA_OUTCOME_UNSURE;
    if (outcome == ARKA_OUTCOME_STORED)
        return;
    if (!arka_vec_push(&l->gaps, ((arka_ledger_gap){slot, k, outcome == ARKA_OUTCOME_UNSURE})))
        l->failed = true;
}

void arka_ledger_close(arka_ledger *l)
{
    for (int i = 0; i < l->n_own; i++)
        while (l->slots[i].n_ended < l->slots[i].n_begun)
            arka_ledger_end(l, i, ARKA_OUTCOME_UNSURE);
}

void arka_row_sums_add(arka_row_sums *sums, arka_row_range range, int64_t times)
{
    if (times == 0)
        return;
    int64_t x = range.first;
    for (int64_t i = 0; i < range.n; i++, x += range.stride) {
        int64_t rest = x % ARKA_ROW_MODULUS;
        sums->sum += x * times;
        sums->squares += rest * rest * times;
    }
    sums->n += range.n * times;
    sums->n_distinct += range.n;
    if (x - range.stride > sums->max)
        sums->max = x - range.stride;
}

/* The first gap of the slot at or behind index `from`. */
static size_t next_gap(const arka_ledger *l, int slot, size_t from)
{
    while (from < l->gaps.n && l->gaps.items[from].slot != slot)
        from++;
    return from;
}

void arka_ledger_sum(const arka_ledger *l, arka_row_sums *sums)
{
    for (int slot = 0; slot < l->n_own; slot++) {
        const arka_ledger_slot *s = &l->slots[slot];
        if (l->fixed) {
            arka_row_sums_add(sums, rows_of(l, slot, 0), s->n_stored);
            continue;
        }
        /* gaps of different slots lie mixed, those of one in the order of k */
        size_t gap = next_gap(l, slot, 0);
        for (int64_t k = 0; k < s->n_ended; k++) {
            if (gap < l->gaps.n && l->gaps.items[gap].k == k)
                gap = next_gap(l, slot, gap + 1);
            else
                arka_row_sums_add(sums, rows_of(l, slot, k), 1);
        }
    }
}

bool arka_ledger_unsure(const arka_ledger *l, size_t index, arka_row_range *out, int64_t *stored,
                        int64_t *unsure)
{
    if (l->fixed) {
        for (int slot = 0; slot < l->n_own; slot++) {
            if (l->slots[slot].n_unsure == 0 || index-- > 0)
                continue;
            *out = rows_of(l, slot, 0);
            *stored = l->slots[slot].n_stored;
            *unsure = l->slots[slot].n_unsure;
            return true;
        }
        return false;
    }
    for (size_t i = 0; i < l->gaps.n; i++) {
        const arka_ledger_gap *gap = &l->gaps.items[i];
        if (!gap->unsure || index-- > 0)
            continue;
        *out = rows_of(l, gap->slot, gap->k);
        *stored = 0;
        *unsure = 1;
        return true;
    }
    return false;
}
