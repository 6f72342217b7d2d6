/** What the body of a request wants a token to be. Private to server/. */
#ifndef ARKA_SERVER_ACCESS_TOKEN_WISH_H
#define ARKA_SERVER_ACCESS_TOKEN_WISH_H

#include "auth/auth.h"
#include "base/arena.h"

/** `change` points into the rest. */
typedef struct arka_token_wish {
    arka_arena arena;
    arka_token_change change;
    arka_rights rights;
    arka_priority priority;
    bool enabled;
    int64_t expires_us;
} arka_token_wish;

/**
 * From a JSON object; what it does not name stays NULL in `change`. ARKA_INPUT names what cannot be
 * used. To be freed with _fini in any case.
 * now_us   what "expires_in" counts from
 */
ARKA_MUST_USE arka_status arka_token_wish_read(arka_slice text, int64_t now_us,
                                               arka_token_wish *wish, arka_error *err);
void arka_token_wish_fini(arka_token_wish *wish);

#endif
