/** Shared by auth/'s files only. */
#ifndef ARKA_AUTH_PRIV_H
#define ARKA_AUTH_PRIV_H

#include "auth/auth.h"
#include "auth/cache.h"
#include "auth/secret.h"
#include "base/arena.h"
#include "meta/tokens.h"
#include "os/thread.h"

/* A token that a slow comparison with a stored hash has refused. */
typedef struct arka_refusal {
    unsigned char digest[ARKA_DIGEST];
    uint64_t hash; /* arka_hash of the stored one */
} arka_refusal;

/* Slow comparisons that wrong tokens may still cost; refilled with time. */
typedef struct arka_allowance {
    double left;
    arka_mono refilled; /* 0: never used */
} arka_allowance;

enum { ARKA_REFUSALS = 256, ARKA_PLACES = 256 };

struct arka_auth {
    arka_mutex reader_lock, writer_lock; /* who checks does not wait for who commits */
    arka_tokens *reader;                 /* reader_lock */
    arka_tokens *writer;                 /* writer_lock */
    int64_t version;                     /* reader_lock; of the table, as it was last seen */
    arka_cache *cache;
    atomic_int_least64_t next_look_ns; /* at the table's version */
    atomic_int_least64_t refusals, slow_checks;
    arka_mutex proof_lock;
    /* proof_lock, for the next five */
    arka_refusal
        wrong[ARKA_REFUSALS]; /* the last ones: a client that is set up wrongly comes again */
    unsigned n_wrong;
    int64_t slow_ns; /* what the last one took */
    arka_allowance all;
    arka_allowance places[ARKA_PLACES]; /* at from % ARKA_PLACES: those of two may be one */
    /* the thread that keeps house */
    arka_mutex keeper_lock;
    arka_cond keeper_wake;
    bool keeper_ends; /* keeper_lock */
    bool keeper_runs;
    int64_t keeper_every_ms;
    arka_thread keeper;
};

/** What the row says. ARKA_CORRUPT: its permissions or its scope cannot be read. */
ARKA_MUST_USE arka_status arka_identity__of_row(const arka_token_row *row, arka_identity **out,
                                                arka_error *err);
/** Note the last uses that the cache knows of. */
ARKA_MUST_USE arka_status arka_auth__note_uses(arka_auth *auth, arka_error *err);

/* ---- change.c: a change of the table, as one; the writer's lock is held from begin to finish ----
 */

typedef struct arka_change {
    arka_auth *auth; /* NULL: it was not begun */
    arka_arena arena;
    arka_token_row row; /* its texts are the arena's, or outlive the change */
    bool found;         /* row is one of the table's */
} arka_change;

ARKA_MUST_USE arka_status arka_change__begin(arka_change *c, arka_auth *auth,
                                             arka_error *err) ARKA_NO_ANALYSIS;
/** With the row of that id. ARKA_NOTFOUND: it has to be finished all the same. */
ARKA_MUST_USE arka_status arka_change__begin_with(arka_change *c, arka_auth *auth, int64_t id,
                                                  arka_error *err);
/** Commits, or with another status than ARKA_OK takes all back; no token is trusted unseen then. */
ARKA_MUST_USE arka_status arka_change__finish(arka_change *c, arka_status status,
                                              arka_error *err) ARKA_NO_ANALYSIS;
/** Keeps the row: an arka_each_token_row over an arka_change. */
ARKA_MUST_USE arka_status arka_change__take_row(void *context, const arka_token_row *row,
                                                arka_error *err);

/** What the row says of a token's text, of its rights. */
ARKA_MUST_USE arka_status arka_change__set_secret(arka_token_row *row, arka_slice token,
                                                  bool chosen, arka_arena *arena, arka_error *err);
ARKA_MUST_USE arka_status arka_change__generate(arka_token_row *row, arka_arena *arena,
                                                char clear[ARKA_TOKEN_TEXT], arka_error *err);
ARKA_MUST_USE arka_status arka_change__put_rights(arka_rights rights, arka_arena *arena,
                                                  arka_slice *out, arka_error *err);

#endif
