/**
 * How many tokens were made from which address in the last minute: who has stolen an
 * administrator's token should not make thousands. Private to server/. Any thread.
 */
#ifndef ARKA_SERVER_ACCESS_CREATIONS_H
#define ARKA_SERVER_ACCESS_CREATIONS_H

#include <sys/socket.h>

#include "os/thread.h"

enum { ARKA_CREATIONS_A_MINUTE = 10, ARKA_CREATION_ADDRESSES = 256 };

typedef struct arka_creator {
    unsigned char address[16];
    int64_t at_ns[ARKA_CREATIONS_A_MINUTE]; /* the newest ones, 0: none */
} arka_creator;

typedef struct arka_creations {
    arka_mutex lock;
    arka_creator creators[ARKA_CREATION_ADDRESSES]; /* lock; who has been idle longest goes */
} arka_creations;

void arka_creations_init(arka_creations *creations);
void arka_creations_fini(arka_creations *creations);
/** One more from that address (NULL: of no address)? 0: yes; else in how many seconds. */
int arka_creations_take(arka_creations *creations, const struct sockaddr *from, arka_mono now);
/** It was not made after all; `now` as it was given to take. */
void arka_creations_undo(arka_creations *creations, const struct sockaddr *from, arka_mono now);

#endif
