#include "engine/parked.h"

#include <stddef.h>

void arka_parked_init(arka_parked *parked, int64_t max_bytes)
{
    *parked = (arka_parked){.max_bytes = max_bytes};
}

bool arka_parked_push(arka_parked *parked, arka_put_request *request)
{
    /* One alone may wait whatever its size: it is in memory in any case. */
    if (parked->n > 0 && request->n_bytes > parked->max_bytes - parked->n_bytes)
        return false;
    if (parked->last != NULL && request->deadline.ns < parked->last->deadline.ns)
        request->deadline = parked->last->deadline;
    request->next = NULL;
    if (parked->last != NULL)
        parked->last->next = request;
    else
        parked->first = request;
    parked->last = request;
    parked->n++;
    parked->n_bytes += request->n_bytes;
    return true;
}

arka_put_request *arka_parked_pop(arka_parked *parked)
{
    arka_put_request *first = parked->first;
    if (first == NULL)
        return NULL;
    parked->first = first->next;
    if (parked->first == NULL)
        parked->last = NULL;
    parked->n--;
    parked->n_bytes -= first->n_bytes;
    first->next = NULL;
    return first;
}

arka_put_request *arka_parked_pop_fitting(arka_parked *parked, arka_gate *gate)
{
    int64_t delay_ns;
    if (parked->first == NULL ||
        arka_gate_take(gate, parked->first->n_bytes, &delay_ns, NULL) != ARKA_OK)
        return NULL;
    arka_put_request *first = arka_parked_pop(parked);
    first->holds_memory = true;
    return first;
}

arka_put_request *arka_parked_pop_late(arka_parked *parked, arka_mono now)
{
    return parked->first != NULL && parked->first->deadline.ns <= now.ns ? arka_parked_pop(parked)
                                                                         : NULL;
}

arka_mono arka_parked_next_look(const arka_parked *parked, arka_mono now)
{
    if (parked->first == NULL)
        return (arka_mono){INT64_MAX};
    int64_t soon = now.ns + ARKA_PARKED_LOOK_MS * INT64_C(1000000);
    return (arka_mono){parked->first->deadline.ns < soon ? parked->first->deadline.ns : soon};
}
