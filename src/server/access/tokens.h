/** The server's tokens: their store, and what the first start makes. Private to server/. */
#ifndef ARKA_SERVER_ACCESS_TOKENS_H
#define ARKA_SERVER_ACCESS_TOKENS_H

#include "server/http/request.h"

/**
 * Open server->auth, and when tokens are asked for make those that the settings want; an
 * administrator's that was made up is shown on stderr, this once. ARKA_INPUT: a setting cannot be
 * used; others as arka_auth_open.
 */
ARKA_MUST_USE arka_status arka_server_open_tokens(arka_server *server, arka_error *err);

#endif
