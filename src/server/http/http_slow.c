#include "server/http/http_priv.h"

#include "server/http/reply.h"
#include "server/server_priv.h"

enum { DRAIN_MS = 30000 /* that a refused body is read, in all */ };

/* Rows that came too slowly are to be sent again, which clients do after 503 but not after 4xx. */
static void answer_too_slow(arka_request *r, const arka_settings *s)
{
    bool rows = r->route != NULL && r->route->run == ARKA_RUN_WRITES;
    arka_answer_error(r, rows ? 503 : 408, rows ? "unavailable" : "timeout",
                      "the request body came too slowly: after %lld s, %lld bytes a second are "
                      "expected",
                      (long long)s->body_timeout, (long long)s->min_rate);
}

/* Their answer if they have none, and then whatever comes is dropped. */
static void give_up_body(arka_connection *c)
{
    arka_connection_drop_body(c);
    if (!c->discard)
        answer_too_slow(&c->request, c->http->server->settings);
    c->discard = true;
    ARKA_IGNORE(arka_connection_drain(c) == MHD_NO);
}

static void give_up_head(arka_connection *c)
{
    if (c->session == NULL) /* else it may not have come as far as to be spoken to */
        arka_reply_send_late(c->fd, c->http->server->settings->header_timeout);
    arka_connection_end_idle(c);
}

static void look_at_one(arka_connection *c, const arka_slow_limits *limits, arka_mono now)
{
    arka_slow_facts facts = {0};
    arka_slow_stage stage = c->slow.stage;
    if (stage == ARKA_SLOW_WORK || !arka_slow_is_due(&c->slow, now))
        return;
    if (stage != ARKA_SLOW_DRAIN && !arka_slow_read(c->fd, &facts))
        return;
    arka_slow_verdict verdict = arka_slow_look(&c->slow, &facts, limits, now);
    if (verdict == ARKA_SLOW_FINE)
        return;
    if (verdict != ARKA_SLOW_TOO_IDLE)
        arka_count(&c->http->server->counters.connections_slow, 1);
    if (verdict == ARKA_SLOW_TOO_IDLE)
        arka_connection_end_idle(c);
    else if (verdict == ARKA_SLOW_HEAD)
        give_up_head(c);
    else if (stage == ARKA_SLOW_BODY)
        give_up_body(c);
    else
        arka_connection_break_off(c);
}

static void look_at_all(arka_slow_list *list, const arka_slow_limits *limits, arka_mono now)
{
    for (arka_slow *at = arka_slow_first(list), *next; at != NULL; at = next) {
        next = arka_slow_next(list, at); /* it may leave the list */
        look_at_one(arka_connection_of_slow(at), limits, now);
    }
}

void arka_connection_on_look(void *context, arka_loop *loop)
{
    arka_crowd *of = context;
    const arka_settings *s = of->http->server->settings;
    const arka_slow_limits limits = {
        .idle_ms = s->idle_timeout * 1000,
        .head_ms = s->header_timeout * 1000,
        .body_ms = s->body_timeout * 1000,
        .write_ms = s->write_timeout * 1000,
        .drain_ms = DRAIN_MS,
        .min_rate = s->min_rate,
    };
    look_at_all(&of->busy, &limits, arka_loop_now(loop));
    look_at_all(&of->idle, &limits, arka_loop_now(loop));
}
