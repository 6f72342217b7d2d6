#include "engine/backlog.h"

enum { LOOK_AGAIN_MS = ARKA_PARKED_LOOK_MS };

void arka_backlog_init(arka_backlog *b, int64_t max_parked_bytes)
{
    *b = (arka_backlog){.first = NULL};
    b->last = &b->first;
    arka_parked_init(&b->parked, max_parked_bytes);
}

void arka_backlog_fini(arka_backlog *b)
{
    arka_vec_fini(&b->delayed);
}

static void make_ready(arka_backlog *b, arka_put_request *request)
{
    request->next = NULL;
    *b->last = request;
    b->last = &request->next;
}

static void make_late(arka_backlog *b, arka_put_request *request)
{
    request->next = b->late;
    b->late = request;
}

static void delay(arka_engine *engine, arka_backlog *b, arka_put_request *request)
{
    if (request->not_before.ns == 0 || !arka_vec_push(&b->delayed, request))
        make_ready(b, request);
    else
        ARKA_COUNT(engine, requests_delayed, 1);
}

void arka_backlog_add(arka_engine *engine, arka_backlog *b, arka_put_request *request)
{
    if (request->deadline.ns == 0)
        delay(engine, b, request);
    else if (arka_parked_push(&b->parked, request))
        ARKA_COUNT(engine, requests_blocked, 1);
    else
        make_late(b, request);
}

/* ---- whose time has come ---- */

static void wake_parked(arka_engine *engine, arka_backlog *b, arka_mono now, bool all)
{
    arka_put_request *r;
    while ((r = arka_parked_pop_fitting(&b->parked, &engine->gate)) != NULL)
        make_ready(b, r);
    while ((r = all ? arka_parked_pop(&b->parked) : arka_parked_pop_late(&b->parked, now)) != NULL)
        make_late(b, r);
}

static arka_mono wake_delayed(arka_backlog *b, arka_mono now, bool all)
{
    arka_mono next = {INT64_MAX};
    size_t kept = 0;
    for (size_t i = 0; i < b->delayed.n; i++) {
        arka_put_request *r = b->delayed.items[i];
        if (all || r->not_before.ns <= now.ns) {
            make_ready(b, r);
            continue;
        }
        if (r->not_before.ns < next.ns)
            next = r->not_before;
        b->delayed.items[kept++] = r;
    }
    b->delayed.n = kept;
    return next;
}

arka_mono arka_backlog_wake(arka_engine *engine, arka_backlog *b, bool all)
{
    arka_mono now = arka_mono_now(), look = {now.ns + LOOK_AGAIN_MS * INT64_C(1000000)};
    wake_parked(engine, b, now, all);
    arka_mono delayed = wake_delayed(b, now, all), parked = arka_parked_next_look(&b->parked, now);
    if (delayed.ns < look.ns)
        look = delayed;
    return parked.ns < look.ns ? parked : look;
}

/* ---- taking ---- */

arka_put_request *arka_backlog_take(arka_backlog *b, int64_t max_bytes, int64_t max_requests)
{
    arka_put_request *taken = b->first, *r = b->first, **end = &taken;
    int64_t n_bytes = 0;
    for (int64_t n = 0; r != NULL && n_bytes < max_bytes && n < max_requests; n++) {
        n_bytes += r->n_bytes;
        end = &r->next;
        r = r->next;
    }
    *end = NULL;
    b->first = r;
    if (r == NULL)
        b->last = &b->first;
    return taken;
}

arka_put_request *arka_backlog_take_late(arka_backlog *b)
{
    return arka_take(b->late);
}

bool arka_backlog_waits(const arka_backlog *b)
{
    return b->delayed.n > 0 || b->parked.n > 0;
}
