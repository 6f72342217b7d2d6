#include "server/access/creations.h"

#include <netinet/in.h>
#include <string.h>

#include "base/mem.h"

static const int64_t MINUTE_NS = INT64_C(60000000000);

void arka_creations_init(arka_creations *c)
{
    memset(c->creators, 0, sizeof c->creators);
    arka_mutex_init(&c->lock, ARKA_LOCK_LEAF);
}

void arka_creations_fini(arka_creations *c)
{
    arka_mutex_fini(&c->lock);
}

/* IPv4 as IPv6 has it, so that a host is the same on both kinds of socket. */
static void read_address(const struct sockaddr *from, unsigned char out[16])
{
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    memset(out, 0, 16);
    if (from != NULL && from->sa_family == AF_INET) {
        memcpy(&v4, from, sizeof v4);
        memcpy(out, "\0\0\0\0\0\0\0\0\0\0\xff\xff", 12);
        memcpy(out + 12, &v4.sin_addr, 4);
    } else if (from != NULL && from->sa_family == AF_INET6) {
        memcpy(&v6, from, sizeof v6);
        memcpy(out, &v6.sin6_addr, 16);
    }
}

static int64_t newest_of(const arka_creator *creator)
{
    int64_t newest = 0;
    for (int i = 0; i < ARKA_CREATIONS_A_MINUTE; i++)
        newest = creator->at_ns[i] > newest ? creator->at_ns[i] : newest;
    return newest;
}

/* Whose address it is, or the one idle longest, emptied for it. */
static arka_creator *find(arka_creations *c, const unsigned char address[16])
{
    arka_creator *oldest = &c->creators[0];
    for (int i = 0; i < ARKA_CREATION_ADDRESSES; i++) {
        arka_creator *at = &c->creators[i];
        if (newest_of(at) > 0 && memcmp(at->address, address, 16) == 0)
            return at;
        if (newest_of(at) < newest_of(oldest))
            oldest = at;
    }
    memset(oldest, 0, sizeof *oldest);
    memcpy(oldest->address, address, 16);
    return oldest;
}

int arka_creations_take(arka_creations *c, const struct sockaddr *from, arka_mono now)
{
    unsigned char address[16];
    int oldest = 0;
    read_address(from, address);
    arka_mutex_lock(&c->lock);
    arka_creator *creator = find(c, address);
    for (int i = 0; i < ARKA_CREATIONS_A_MINUTE; i++)
        if (creator->at_ns[i] < creator->at_ns[oldest])
            oldest = i;
    int64_t wait_ns = creator->at_ns[oldest] == 0 ? 0 : creator->at_ns[oldest] + MINUTE_NS - now.ns;
    if (wait_ns <= 0)
        creator->at_ns[oldest] = now.ns;
    arka_mutex_unlock(&c->lock);
    return wait_ns <= 0 ? 0 : (int)((wait_ns + 999999999) / 1000000000);
}

void arka_creations_undo(arka_creations *c, const struct sockaddr *from, arka_mono now)
{
    unsigned char address[16];
    bool found = false;
    read_address(from, address);
    arka_mutex_lock(&c->lock);
    arka_creator *creator = find(c, address);
    for (int i = 0; i < ARKA_CREATIONS_A_MINUTE && !found; i++) {
        found = creator->at_ns[i] == now.ns;
        creator->at_ns[i] = found ? 0 : creator->at_ns[i];
    }
    arka_mutex_unlock(&c->lock);
}
