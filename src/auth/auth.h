/**
 * Tokens: who may do what. The store is a table of the manifest's SQLite file, with connections of
 * its own, so that `arc token` works on it beside a running server; checks are answered from a
 * cache. Only hashes are stored; a clear token is never logged and appears once, where it is made.
 * Any thread.
 */
#ifndef ARKA_AUTH_AUTH_H
#define ARKA_AUTH_AUTH_H

#include "auth/rights.h"
#include "base/slice.h"

typedef struct arka_auth arka_auth;

typedef struct arka_auth_options {
    const char *db_path;  /* SQLite; made if missing, mode 0600 */
    int64_t cache_ttl_ms; /* after which a known token's row is looked at again */
    int cache_size;       /* tokens remembered; the least recently used goes */
    bool serves;          /* keep house on a thread of its own: last uses, what is stale */
} arka_auth_options;

/** ARKA_IO, ARKA_BUSY, ARKA_CORRUPT name the file. */
ARKA_MUST_USE arka_status arka_auth_open(const arka_auth_options *options, arka_auth **out,
                                         arka_error *err);
void arka_auth_close(arka_auth *auth); /* NULL is fine */
ARKA_CLEANUP(arka_auth, arka_auth_close)

/** How far up a request of the token may ask to be moved in the queue of queries. */
typedef enum arka_priority {
    ARKA_PRIORITY_LOW,
    ARKA_PRIORITY_NORMAL,
    ARKA_PRIORITY_HIGH,
    ARKA_PRIORITY_CRITICAL,
    ARKA_N_PRIORITIES
} arka_priority;
/** "low", "normal", "high", "critical", in any case. ARKA_INPUT shows the word. */
ARKA_MUST_USE arka_status arka_priority_parse(arka_slice text, arka_priority *out, arka_error *err);
const char *arka_priority_name(arka_priority priority);

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
ARKA_CLEANUP(arka_identity, arka_identity_unref)

/**
 * Whose token is this? With two it is the first that is known: a client may send "user:TOKEN", and
 * all of it may be a token as well as what follows the colon; `second` is empty for none. ARKA_OK:
 * *out is one reference. ARKA_FORBIDDEN: unknown, disabled or expired at `now_us` (wall clock); the
 * sentence does not tell which. ARKA_IO, ARKA_BUSY: the store could not be read, or too many wrong
 * tokens are being tried.
 *
 * One seen before costs no system call (bench/auth_bench.c); a change of any token is noticed
 * before the next check when it was made here, and within 100 ms when another process made it. One
 * that a person chose costs a slow hash the first time.
 */
ARKA_MUST_USE arka_status arka_auth_check(arka_auth *auth, arka_slice first, arka_slice second,
                                          int64_t now_us, arka_identity **out, arka_error *err);

/** Who has a token checked. */
typedef struct arka_auth_asker {
    uint64_t from; /* a number of the place: who tries wrong tokens elsewhere holds it up little */
    bool may_wait; /* for a slow hash: 0.1 to 0.3 s of a processor, and for those before it */
} arka_auth_asker;
/**
 * arka_auth_check is from place 0 and may wait. ARKA_LIMIT: only a slow hash can tell whether it is
 * a token, and it may not wait for one.
 */
ARKA_MUST_USE arka_status arka_auth_check_from(arka_auth *auth, const arka_auth_asker *asker,
                                               arka_slice first, arka_slice second, int64_t now_us,
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
 * Make a token of 32 random bytes; `clear` receives its text, which nobody can have again: wipe it
 * (arka_token_wipe) when it is told. info->id, created_us and last_used_us are not looked at;
 * *out_id is its number. ARKA_EXISTS: the name is taken. ARKA_INPUT: name, description, an expiry
 * that is past, a scope that is none, "admin" with a scope.
 */
ARKA_MUST_USE arka_status arka_token_create(arka_auth *auth, const arka_token_info *info,
                                            int64_t now_us, char clear[ARKA_TOKEN_TEXT],
                                            int64_t *out_id, arka_error *err);
void arka_token_wipe(char clear[ARKA_TOKEN_TEXT]);
/** What of a token shall change; NULL leaves it. */
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
/** Every token by number, or the one with that number (ARKA_NOTFOUND); texts live for the call. */
ARKA_MUST_USE arka_status arka_token_each(arka_auth *auth, arka_each_token each, void *context,
                                          arka_error *err);
ARKA_MUST_USE arka_status arka_token_get(arka_auth *auth, int64_t id, arka_each_token each,
                                         void *context, arka_error *err);
/** The number of the token of that name. ARKA_NOTFOUND. */
ARKA_MUST_USE arka_status arka_token_find(arka_auth *auth, arka_slice name, int64_t *out_id,
                                          arka_error *err);

/* ---- the cache ---- */

typedef struct arka_auth_stats {
    int64_t checks, hits, misses, evictions, refusals;
    int64_t slow_checks; /* comparisons with values that a person chose */
    int64_t entries, max_entries, ttl_ms;
    bool keeper_runs;
} arka_auth_stats;
void arka_auth_get_stats(arka_auth *auth, arka_auth_stats *out);
/** After how long a token that is proven from now on is looked at again. */
void arka_auth_set_cache_ttl(arka_auth *auth, int64_t ttl_ms);
/** Forget every proven token; returns how many. */
int64_t arka_auth_forget(arka_auth *auth);

/* ---- the first start ---- */

typedef struct arka_bootstrap {
    arka_slice default_token;   /* auth.default_token, or empty */
    arka_slice bootstrap_token; /* auth.bootstrap_token, or empty */
    bool force;                 /* for who has lost all: another administrator */
} arka_bootstrap;
/**
 * Make what the first start needs: with a default token the token "default" of that value, unless
 * there is one of that name; else, when there is no token at all, "admin". Both may do everything.
 * With `force` and tokens there, "arc-recovery" is made, or gets a new value. The latter two have
 * the bootstrap token as their value, or a random one, which `clear` receives, to be shown once; it
 * is "" when none was made. ARKA_INPUT: a bootstrap token of under 32 characters; characters that
 * no request can carry.
 */
ARKA_MUST_USE arka_status arka_auth_bootstrap(arka_auth *auth, const arka_bootstrap *options,
                                              int64_t now_us, char clear[ARKA_TOKEN_TEXT],
                                              arka_error *err);

#endif
