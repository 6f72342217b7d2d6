#include "server/http/slow.h"

#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

enum {
    LOOK_MS = 900, /* between two looks at the same connection; the caller comes each second */
    LOOK_IDLE_MS = 1900, /* there may be many of those */
    LONGEST_MS = 5000,   /* between two looks, as it counts: we may have been the slow ones */
    SLACK_MS = 50,       /* the kernel's clock of the last byte is coarse */
};

static int64_t ms_between(arka_mono from, arka_mono to)
{
    return (to.ns - from.ns) / 1000000;
}

static arka_mono before_ms(arka_mono at, int64_t ms)
{
    return (arka_mono){at.ns - ms * 1000000};
}

void arka_slow_enter(arka_slow *slow, arka_slow_stage stage, arka_mono now)
{
    slow->served |= stage != ARKA_SLOW_IDLE;
    slow->stage = stage;
    slow->head = false;
    slow->since = now;
    slow->looked = (arka_mono){0};
    slow->spent_ms = 0;
}

bool arka_slow_is_due(const arka_slow *slow, arka_mono now)
{
    arka_mono last = slow->looked.ns != 0 ? slow->looked : slow->since;
    return ms_between(last, now) >= (slow->stage == ARKA_SLOW_IDLE ? LOOK_IDLE_MS : LOOK_MS);
}

static arka_slow_verdict look_idle(arka_slow *slow, const arka_slow_facts *facts,
                                   const arka_slow_limits *limits, arka_mono now)
{
    arka_mono last = before_ms(now, facts->quiet_ms);
    if (!slow->head && !slow->served && facts->received > 0) {
        slow->head = true;
        slow->head_since = slow->since;
    } else if (!slow->head && slow->served && ms_between(slow->since, last) > SLACK_MS) {
        slow->head = true;
        slow->head_since = last;
    }
    slow->looked = now;
    if (slow->head)
        return ms_between(slow->head_since, now) >= limits->head_ms ? ARKA_SLOW_HEAD
                                                                    : ARKA_SLOW_FINE;
    return ms_between(slow->since, now) >= limits->idle_ms ? ARKA_SLOW_TOO_IDLE : ARKA_SLOW_FINE;
}

static arka_slow_verdict look_at_rate(arka_slow *slow, int64_t bytes, int64_t limit_ms,
                                      int64_t min_rate, arka_mono now)
{
    bool first = slow->looked.ns == 0;
    int64_t spent = ms_between(first ? slow->since : slow->looked, now);
    slow->spent_ms += spent < LONGEST_MS ? spent : LONGEST_MS;
    if (!first)
        slow->spent_ms -= (bytes - slow->bytes) * 1000 / min_rate;
    if (slow->spent_ms < 0)
        slow->spent_ms = 0;
    slow->bytes = bytes;
    slow->looked = now;
    return slow->spent_ms >= limit_ms ? ARKA_SLOW_TOO_SLOW : ARKA_SLOW_FINE;
}

arka_slow_verdict arka_slow_look(arka_slow *slow, const arka_slow_facts *facts,
                                 const arka_slow_limits *limits, arka_mono now)
{
    switch (slow->stage) {
    case ARKA_SLOW_IDLE:
        return look_idle(slow, facts, limits, now);
    case ARKA_SLOW_BODY:
        return look_at_rate(slow, facts->received, limits->body_ms, limits->min_rate, now);
    case ARKA_SLOW_WRITE:
        if (facts->waiting == 0) { /* all that there was is taken */
            slow->spent_ms = 0;
            slow->bytes = facts->acked;
            slow->looked = now;
            return ARKA_SLOW_FINE;
        }
        return look_at_rate(slow, facts->acked, limits->write_ms, limits->min_rate, now);
    case ARKA_SLOW_DRAIN:
        return ms_between(slow->since, now) >= limits->drain_ms ? ARKA_SLOW_TOO_SLOW
                                                                : ARKA_SLOW_FINE;
    case ARKA_SLOW_WORK:
    default:
        return ARKA_SLOW_FINE;
    }
}

bool arka_slow_read(int fd, arka_slow_facts *out)
{
    struct tcp_info info = {0};
    socklen_t len = sizeof info;
    int waiting = 0;
    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) != 0 ||
        len < offsetof(struct tcp_info, tcpi_segs_out) || ioctl(fd, SIOCOUTQ, &waiting) != 0)
        return false;
    *out = (arka_slow_facts){
        .received = (int64_t)info.tcpi_bytes_received,
        .acked = (int64_t)info.tcpi_bytes_acked,
        .waiting = waiting,
        .quiet_ms = info.tcpi_last_data_recv,
    };
    return true;
}

/* ---- lists ---- */

void arka_slow_list_init(arka_slow_list *list)
{
    list->end.next = list->end.previous = &list->end;
}

void arka_slow_remove(arka_slow *slow)
{
    if (slow->next == NULL)
        return;
    slow->next->previous = slow->previous;
    slow->previous->next = slow->next;
    slow->next = slow->previous = NULL;
}

void arka_slow_move(arka_slow_list *to, arka_slow *slow)
{
    arka_slow_remove(slow);
    slow->next = &to->end;
    slow->previous = to->end.previous;
    slow->previous->next = slow;
    to->end.previous = slow;
}

arka_slow *arka_slow_next(arka_slow_list *list, arka_slow *slow)
{
    return slow->next == &list->end ? NULL : slow->next;
}

arka_slow *arka_slow_first(arka_slow_list *list)
{
    return arka_slow_next(list, &list->end);
}
