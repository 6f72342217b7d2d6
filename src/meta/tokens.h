/**
 * The table of tokens, api_tokens, in the manifest's file, over a connection of its own: so another
 * process (`arc token`) can work on it while a server runs. Rows only; what a hash, a permission or
 * a scope means is known in auth/. Columns: docs/formats/manifest.md.
 *
 * A connection belongs to one thread at a time. Errors: ARKA_IO, ARKA_BUSY (another program has the
 * file locked, for seconds), ARKA_CORRUPT, ARKA_NOMEM; each names the file.
 */
#ifndef ARKA_META_TOKENS_H
#define ARKA_META_TOKENS_H

#include "base/slice.h"
#include "base/status.h"

typedef struct arka_tokens arka_tokens;

/**
 * Makes the file if it is missing, brings it up to date as arka_manifest_open does, and lets nobody
 * but its owner read it (mode 0600, the log and index of SQLite included).
 */
ARKA_MUST_USE arka_status arka_tokens_open(const char *path, arka_tokens **out, arka_error *err);
/** NULL is fine. */
void arka_tokens_close(arka_tokens *tokens);
ARKA_CLEANUP(arka_tokens, arka_tokens_close)

/** Texts live for the call. Times are microseconds since 1970, 0 is never. */
typedef struct arka_token_row {
    int64_t id;
    arka_slice name, hash, prefix, description, permissions, scope, max_priority;
    bool enabled;
    int64_t created_us, last_used_us, expires_us;
} arka_token_row;

typedef arka_status (*arka_each_token_row)(void *context, const arka_token_row *row,
                                           arka_error *err);

/** Every row by id. Stops when `each` fails. `each` does not use the connection. */
ARKA_MUST_USE arka_status arka_tokens_each(arka_tokens *tokens, arka_each_token_row each,
                                           void *context, arka_error *err);
/** The row of that id or name; none: `each` is not called. */
ARKA_MUST_USE arka_status arka_tokens_by_id(arka_tokens *tokens, int64_t id,
                                            arka_each_token_row each, void *context,
                                            arka_error *err);
ARKA_MUST_USE arka_status arka_tokens_by_name(arka_tokens *tokens, arka_slice name,
                                              arka_each_token_row each, void *context,
                                              arka_error *err);
/** Those with one of the two prefixes. */
ARKA_MUST_USE arka_status arka_tokens_by_prefix(arka_tokens *tokens, arka_slice a, arka_slice b,
                                                arka_each_token_row each, void *context,
                                                arka_error *err);

/** Changes between these two are one: all of them or none. */
ARKA_MUST_USE arka_status arka_tokens_begin(arka_tokens *tokens, arka_error *err);
/** Commit when `status` is ARKA_OK, else roll back; the first failure is what is returned. */
ARKA_MUST_USE arka_status arka_tokens_finish(arka_tokens *tokens, arka_status status,
                                             arka_error *err);
/** A new row; row->id is not looked at. ARKA_EXISTS: the name is taken. */
ARKA_MUST_USE arka_status arka_tokens_add(arka_tokens *tokens, const arka_token_row *row,
                                          int64_t *out_id, arka_error *err);
/** The row of that id gets all that `row` has but created_us and last_used_us. ARKA_EXISTS. */
ARKA_MUST_USE arka_status arka_tokens_set(arka_tokens *tokens, const arka_token_row *row,
                                          arka_error *err);
ARKA_MUST_USE arka_status arka_tokens_remove(arka_tokens *tokens, int64_t id, arka_error *err);
/** It was used at that time, unless the row knows of a later one. */
ARKA_MUST_USE arka_status arka_tokens_note_use(arka_tokens *tokens, int64_t id, int64_t used_us,
                                               arka_error *err);

/**
 * A number that grows whenever a row comes, goes or changes in more than its last use, whoever does
 * it (the file has triggers). ARKA_OK, and *out as it was, when nobody else wrote to the file since
 * this was asked last: that answer is cheap.
 */
ARKA_MUST_USE arka_status arka_tokens_version(arka_tokens *tokens, int64_t *out, arka_error *err);

#endif
