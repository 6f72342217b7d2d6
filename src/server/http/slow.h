/**
 * How long a connection may take for what it does, so that clients that are slow by intent, or gone
 * without a word, do not hold what others need. Private to server/; one thread.
 *
 * idle   Between requests: the idle timeout. From the first byte of a request its head must be
 *        there within the header timeout, however the bytes are spread; the first byte is noticed
 *        by looking at what the kernel has counted, because the library does not tell of it.
 * body   Time runs; bytes that came give time back, by the least rate.
 * write  The same for what the client takes, while something waits to be taken.
 * drain  A refused body is read for a while, whatever comes.
 */
#ifndef ARKA_SERVER_HTTP_SLOW_H
#define ARKA_SERVER_HTTP_SLOW_H

#include <stdbool.h>

#include "os/clock.h"

typedef enum arka_slow_stage {
    ARKA_SLOW_IDLE,
    ARKA_SLOW_BODY,
    ARKA_SLOW_WORK, /* it waits for us */
    ARKA_SLOW_WRITE,
    ARKA_SLOW_DRAIN,
} arka_slow_stage;

typedef enum arka_slow_verdict {
    ARKA_SLOW_FINE,
    ARKA_SLOW_TOO_IDLE,
    ARKA_SLOW_HEAD, /* the head did not end */
    ARKA_SLOW_TOO_SLOW,
} arka_slow_verdict;

typedef struct arka_slow_limits {
    int64_t idle_ms, head_ms, body_ms, write_ms, drain_ms;
    int64_t min_rate; /* bytes a second */
} arka_slow_limits;

/** What the kernel says of a socket. */
typedef struct arka_slow_facts {
    int64_t received, acked; /* bytes since it was opened */
    int64_t waiting;         /* bytes that the client has not taken yet */
    int64_t quiet_ms;        /* since the last byte came */
} arka_slow_facts;

/** One connection's account; part of it. */
typedef struct arka_slow {
    struct arka_slow *next, *previous; /* in a list */
    arka_slow_stage stage;
    bool served;          /* it has had a request */
    bool head;            /* a head has begun, at head_since */
    arka_mono since;      /* when this stage was entered */
    arka_mono head_since; /* by the look that found it */
    arka_mono looked;     /* at the facts */
    int64_t bytes;        /* received or acked, at that look */
    int64_t spent_ms;     /* of the time it may take */
} arka_slow;

/** It enters a stage now. */
void arka_slow_enter(arka_slow *slow, arka_slow_stage stage, arka_mono now);
/** Is it time to look at it? Saves the system calls of arka_slow_read. */
bool arka_slow_is_due(const arka_slow *slow, arka_mono now);
/** `facts` may be empty in the stages WORK and DRAIN. */
arka_slow_verdict arka_slow_look(arka_slow *slow, const arka_slow_facts *facts,
                                 const arka_slow_limits *limits, arka_mono now);
/** False: the socket is not to be asked (it is gone). */
bool arka_slow_read(int fd, arka_slow_facts *out);

/** A list in the order of entering; its own end is a member that is no connection. */
typedef struct arka_slow_list {
    arka_slow end;
} arka_slow_list;

void arka_slow_list_init(arka_slow_list *list);
/** To its back; out of the one where it is. */
void arka_slow_move(arka_slow_list *to, arka_slow *slow);
void arka_slow_remove(arka_slow *slow);
/** The first, or NULL. */
arka_slow *arka_slow_first(arka_slow_list *list);
/** The one behind it, or NULL. */
arka_slow *arka_slow_next(arka_slow_list *list, arka_slow *slow);

#endif
