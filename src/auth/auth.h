/**
 * Tokens: who may do what. The store is a table of the manifest's SQLite file, with a connection of
 * its own, so that `arc token` works on it beside a running server; checks are answered from a
 * cache. Only hashes are stored; a clear token is never logged and appears once, where it is made.
 * Any thread.
 */
#ifndef ARKA_AUTH_AUTH_H
#define ARKA_AUTH_AUTH_H

#include <stdatomic.h>

#include "auth/rights.h"
#include "base/slice.h"

typedef struct arka_auth arka_auth;

typedef struct arka_auth_options {
    const char *db_path;  /* SQLite; made if missing, mode 0600 */
    int64_t cache_ttl_ms; /* after which a known token's row is looked at again */
    int cache_size;       /* tokens remembered; the least recently used goes */
} arka_auth_options;

/** ARKA_IO, ARKA_BUSY, ARKA_CORRUPT name the file. */
ARKA_MUST_USE arka_status arka_auth_open(const arka_auth_options *options, arka_auth **out,
                                         arka_error *err);
void arka_auth_close(arka_auth *auth); /* NULL is fine */

/** How far up a request of the token may ask to be moved in the queue of queries. */
typedef enum arka_priority {
    ARKA_PRIORITY_LOW,
    ARKA_PRIORITY_NORMAL,
    ARKA_PRIORITY_HIGH,
    ARKA_PRIORITY_CRITICAL,
    ARKA_N_PRIORITIES
} arka_priority;

/** A token that was proven, as it was when it was; counted, immutable. */
typedef struct arka_identity {
    arka_ref ref;
    int64_t token_id;
    char *name;
    arka_rights rights;
    arka_scope *scope; /* NULL: everything */
    arka_priority max_priority;
    int64_t expires_us; /* 0: never */
} arka_identity;

arka_identity *arka_identity_ref(arka_identity *identity);
void arka_identity_unref(arka_identity *identity); /* NULL is fine */

/**
 * Whose token is this? ARKA_OK: *out is one reference. ARKA_FORBIDDEN: unknown, disabled or expired
 * at `now_us` (wall clock); the sentence does not tell which. ARKA_IO, ARKA_BUSY: the store could
 * not be read. A token seen before costs no system call (auth_bench).
 */
ARKA_MUST_USE arka_status arka_auth_check(arka_auth *auth, arka_slice token, int64_t now_us,
                                          arka_identity **out, arka_error *err);

/* ---- the store ---- */

typedef struct arka_token_info {
    int64_t id;
    const char *name, *description; /* description: "" is none */
    arka_rights rights;
    const char *scope; /* "" is everything */
    arka_priority max_priority;
    bool enabled;
    int64_t created_us, last_used_us, expires_us; /* 0: never */
} arka_token_info;

enum {
    ARKA_TOKEN_TEXT = 44,  /* of a generated token: 43 characters of URL-safe base64 and a NUL */
    ARKA_TOKEN_NAME = 100, /* characters at most */
    ARKA_TOKEN_DESCRIPTION = 500,
};

/**
 * Make a token. `value`: its clear text (at least 32 characters), or empty for 32 random bytes;
 * `clear` receives what it is either way, unless `value` was given. *out_id: its number.
 * ARKA_EXISTS: the name is taken. ARKA_INPUT: name, description, expiry in the past, rights with a
 * scope that do not go together, a `value` that another token has.
 */
ARKA_MUST_USE arka_status arka_token_create(arka_auth *auth, const arka_token_info *info,
                                            arka_slice value, int64_t now_us,
                                            char clear[ARKA_TOKEN_TEXT], int64_t *out_id,
                                            arka_error *err);
/** What of a token shall change; NULL and false leave it. */
typedef struct arka_token_change {
    const char *name, *description, *scope;
    const arka_rights *rights;
    const arka_priority *max_priority;
    const bool *enabled;
    const int64_t *expires_us; /* to 0: never */
} arka_token_change;
/** ARKA_NOTFOUND; ARKA_EXISTS; ARKA_INPUT; ARKA_CONFLICT: it is the last enabled administrator. */
ARKA_MUST_USE arka_status arka_token_update(arka_auth *auth, int64_t id,
                                            const arka_token_change *change, int64_t now_us,
                                            arka_error *err);
/** ARKA_NOTFOUND; ARKA_CONFLICT as above. It stops working before this returns. */
ARKA_MUST_USE arka_status arka_token_delete(arka_auth *auth, int64_t id, int64_t now_us,
                                            arka_error *err);
/** A new value, which is the only one that works once this returns. ARKA_NOTFOUND. */
ARKA_MUST_USE arka_status arka_token_rotate(arka_auth *auth, int64_t id,
                                            char clear[ARKA_TOKEN_TEXT], arka_error *err);

typedef arka_status (*arka_each_token)(void *context, const arka_token_info *info, arka_error *err);
/** Every token by number, or the one with that number (ARKA_NOTFOUND) or name. */
ARKA_MUST_USE arka_status arka_token_each(arka_auth *auth, arka_each_token each, void *context,
                                          arka_error *err);
ARKA_MUST_USE arka_status arka_token_get(arka_auth *auth, int64_t id, arka_each_token each,
                                         void *context, arka_error *err);
ARKA_MUST_USE arka_status arka_token_find(arka_auth *auth, arka_slice name, int64_t *out_id,
                                          arka_error *err);

/* ---- the cache ---- */

typedef struct arka_auth_stats {
    int64_t checks, hits, misses, evictions, refusals;
    int64_t entries, max_entries, ttl_ms;
} arka_auth_stats;
void arka_auth_get_stats(arka_auth *auth, arka_auth_stats *out);
/** Forget every proven token; returns how many. */
int64_t arka_auth_forget(arka_auth *auth);

/* ---- the first start ---- */

typedef struct arka_bootstrap {
    arka_slice default_token;   /* auth.default_token, or empty */
    arka_slice bootstrap_token; /* auth.bootstrap_token, or empty */
    bool force;                 /* add "arc-recovery" even if there are tokens */
} arka_bootstrap;
/**
 * Make what the first start needs: the token "default" with all rights, or an "admin" when there is
 * none at all. `clear`: the new admin token's text, to be shown once; "" when none was generated.
 * ARKA_INPUT: a bootstrap token of under 32 characters.
 */
ARKA_MUST_USE arka_status arka_auth_bootstrap(arka_auth *auth, const arka_bootstrap *options,
                                              int64_t now_us, char clear[ARKA_TOKEN_TEXT],
                                              arka_error *err);

#endif
