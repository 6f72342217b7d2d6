/**
 * The gate before the hot tier: how much memory unflushed rows, writes on their way and flushed
 * rows that readers still hold have, and what a write that wants more is told. Three zones by
 * percent of the limit: green below 60; yellow to 80, where each write waits (percent - 60) × 5 ms
 * and flushing begins; red above 80 until it is below 75, where writes are refused. Private to
 * engine/. Any thread.
 */
#ifndef ARKA_ENGINE_GATE_H
#define ARKA_ENGINE_GATE_H

#include <stdatomic.h>

#include "engine/engine.h"
#include "table/kept.h"

typedef struct arka_gate {
    int64_t limit;
    atomic_int_fast64_t used;
    const arka_kept *kept; /* what readers alone hold; NULL: nothing */
    atomic_bool red;       /* until it is below 75 % */
} arka_gate;

void arka_gate_init(arka_gate *gate, int64_t limit_bytes);

/**
 * Take n bytes for a write. *delay_ns: how long it should wait before it is carried out. ARKA_BUSY:
 * red, or there is no room for so much; nothing is taken. What is larger than the limit gets in
 * when nothing else is.
 */
ARKA_MUST_USE arka_status arka_gate_take(arka_gate *gate, int64_t n_bytes, int64_t *delay_ns,
                                         arka_error *err);
/** Take (n > 0) or give back (n < 0) without asking: what is there already has grown or is gone. */
void arka_gate_adjust(arka_gate *gate, int64_t n_bytes);
/** Without what readers hold; so the rest of them all. */
int64_t arka_gate_used(const arka_gate *gate);
arka_zone arka_gate_zone(const arka_gate *gate);
/** Is it red, so that any write would be refused? Then *err says so, as arka_gate_take does. */
bool arka_gate_refuses(const arka_gate *gate, arka_error *err);
/** How long a write would wait that came now; 0 in green and red. */
int64_t arka_gate_delay_ns(const arka_gate *gate);

#endif
