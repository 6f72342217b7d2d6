#include "engine/gate.h"

enum { YELLOW = 60, RED = 80, RED_EXIT = 75, DELAY_MS_A_PERCENT = 5 };

void arka_gate_init(arka_gate *gate, int64_t limit_bytes)
{
    gate->limit = limit_bytes;
    gate->kept = NULL;
    atomic_init(&gate->used, 0);
    atomic_init(&gate->red, false);
}

static int64_t kept_bytes(const arka_gate *gate)
{
    return gate->kept != NULL ? arka_kept_bytes(gate->kept) : 0;
}

/* Tenths of a percent, so that the delay does not move in steps of 5 ms. */
static int64_t tenths(const arka_gate *gate, int64_t used)
{
    double t = gate->limit > 0 ? (double)used * 1000 / (double)gate->limit : 0;
    return t < 1e9 ? (int64_t)t : 1000000000;
}

static bool is_red(arka_gate *gate, int64_t used)
{
    int64_t t = tenths(gate, used);
    bool red = atomic_load_explicit(&gate->red, memory_order_relaxed);
    bool now = red ? t >= RED_EXIT * 10 : t >= RED * 10;
    if (now != red)
        atomic_store_explicit(&gate->red, now, memory_order_relaxed);
    return now;
}

static int64_t delay_at(const arka_gate *gate, int64_t used)
{
    int64_t over = tenths(gate, used) - YELLOW * 10;
    int64_t most = (RED - YELLOW) * 10;
    if (over > most)
        over = most;
    return over > 0 ? over * DELAY_MS_A_PERCENT * 100000 : 0;
}

static arka_status fail_full(const arka_gate *gate, int64_t used, arka_error *err)
{
    return arka_fail(err, ARKA_BUSY,
                     "memory for unflushed rows is full: %lld of %lld MiB; try again",
                     (long long)used >> 20, (long long)gate->limit >> 20);
}

bool arka_gate_refuses(const arka_gate *gate, arka_error *err)
{
    return arka_gate_zone(gate) == ARKA_ZONE_RED &&
           fail_full(gate, arka_gate_used(gate) + kept_bytes(gate), err) != ARKA_OK;
}

arka_status arka_gate_take(arka_gate *gate, int64_t n_bytes, int64_t *delay_ns, arka_error *err)
{
    /* relaxed throughout: a count, nothing is read by its leave */
    int_fast64_t used = atomic_load_explicit(&gate->used, memory_order_relaxed), all;
    int64_t kept = kept_bytes(gate);
    do {
        all = used + kept;
        bool too_much = n_bytes > gate->limit || all > gate->limit - n_bytes;
        /* A write larger than all there is must still find a way in: when nothing else is. */
        if (all > 0 && (too_much || is_red(gate, all)))
            return fail_full(gate, all, err);
    } while (!atomic_compare_exchange_weak_explicit(&gate->used, &used, used + n_bytes,
                                                    memory_order_relaxed, memory_order_relaxed));
    *delay_ns = delay_at(gate, all);
    return ARKA_OK;
}

void arka_gate_adjust(arka_gate *gate, int64_t n_bytes)
{
    atomic_fetch_add_explicit(&gate->used, n_bytes, memory_order_relaxed);
}

int64_t arka_gate_used(const arka_gate *gate)
{
    return atomic_load_explicit(&gate->used, memory_order_relaxed);
}

arka_zone arka_gate_zone(const arka_gate *gate)
{
    int64_t t = tenths(gate, arka_gate_used(gate) + kept_bytes(gate));
    if (t >= RED * 10 ||
        (atomic_load_explicit(&gate->red, memory_order_relaxed) && t >= RED_EXIT * 10))
        return ARKA_ZONE_RED;
    return t >= YELLOW * 10 ? ARKA_ZONE_YELLOW : ARKA_ZONE_GREEN;
}

int64_t arka_gate_delay_ns(const arka_gate *gate)
{
    return arka_gate_zone(gate) == ARKA_ZONE_RED
               ? 0
               : delay_at(gate, arka_gate_used(gate) + kept_bytes(gate));
}
