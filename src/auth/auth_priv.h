/** Shared by auth/'s files only. */
#ifndef ARKA_AUTH_PRIV_H
#define ARKA_AUTH_PRIV_H

#include "auth/auth.h"
#include "auth/cache.h"
#include "auth/secret.h"
#include "meta/tokens.h"
#include "os/thread.h"

struct arka_auth {
    arka_mutex reader_lock, writer_lock; /* who checks does not wait for who commits */
    arka_tokens *reader;                 /* reader_lock */
    arka_tokens *writer;                 /* writer_lock */
    int64_t version;                     /* reader_lock; of the table, as it was last seen */
    arka_cache *cache;
    atomic_int_least64_t next_look_ns; /* at the table's version */
    atomic_int_least64_t refusals, slow_checks;
    arka_mutex proof_lock;
    int64_t slow_from_ns; /* proof_lock; no slow comparison before: wrong ones cost too much */
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

#endif
