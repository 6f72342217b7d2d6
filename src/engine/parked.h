/**
 * Writes that came while memory was red and wait for some, the longest-waiting first. They hold
 * none meanwhile. It has no thread and no lock of its own: the committer drives it, under its lock.
 *
 * Whoever may have made room (a flush that gave memory back) wakes the committer, which pops all
 * that fit; it also wakes for itself at the next deadline, and at least every
 * ARKA_PARKED_LOOK_MS while anything waits, so that no wake-up can be lost for good. Only the first
 * is tried: a large write is not passed by small ones for ever. Private to engine/.
 */
#ifndef ARKA_ENGINE_PARKED_H
#define ARKA_ENGINE_PARKED_H

#include "engine/engine.h"
#include "engine/gate.h"

enum { ARKA_PARKED_LOOK_MS = 100 };

typedef struct arka_parked {
    arka_put_request *first, *last; /* by their `next` */
    int64_t n, n_bytes, max_bytes;
} arka_parked;

/** max_bytes: of all that wait together; they are in memory, though the gate does not count them.
 */
void arka_parked_init(arka_parked *parked, int64_t max_bytes);

/**
 * Behind all others, for its n_bytes until its deadline; false: too much waits already, refuse it.
 * A deadline before that of the last one is moved there: all wait equally long.
 */
ARKA_MUST_USE bool arka_parked_push(arka_parked *parked, arka_put_request *request);
/**
 * The first, if the gate now has memory for it: it holds it then, and is not delayed any more.
 * NULL: it has not, or nothing waits. Call it until then.
 */
arka_put_request *arka_parked_pop_fitting(arka_parked *parked, arka_gate *gate);
/** The first, if its deadline has come: to be refused. NULL: it has not. Call it until then. */
arka_put_request *arka_parked_pop_late(arka_parked *parked, arka_mono now);
/** The first, whatever it is: when the engine closes. NULL: none. */
arka_put_request *arka_parked_pop(arka_parked *parked);
/** When to look again, if nobody says so before; ns = INT64_MAX: nothing waits. */
arka_mono arka_parked_next_look(const arka_parked *parked, arka_mono now);

#endif
