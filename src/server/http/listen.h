/** The listening sockets, and the thread that accepts. Private to server/. */
#ifndef ARKA_SERVER_HTTP_LISTEN_H
#define ARKA_SERVER_HTTP_LISTEN_H

#include "server/http/http.h"

typedef struct arka_listener arka_listener;

/**
 * Bind every address that `host` means ("" is all of them). Whoever connects waits until
 * arka_listener_start.
 * port   0 takes a free one.
 * ARKA_INPUT: no such host; ARKA_IO: an address or the port cannot be had, named.
 */
ARKA_MUST_USE arka_status arka_listener_new(const char *host, int port, arka_listener **out,
                                            arka_error *err);
/** Accept from now on, for `http`. Call once. */
ARKA_MUST_USE arka_status arka_listener_start(arka_listener *listener, arka_http *http,
                                              arka_error *err);
int arka_listener_port(const arka_listener *listener);
/** Can only this machine reach it? */
bool arka_listener_is_loopback(const arka_listener *listener);
/** Close the sockets; no connection is accepted afterwards. NULL is fine. */
void arka_listener_free(arka_listener *listener);

#endif
