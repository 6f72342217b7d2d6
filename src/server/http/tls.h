/**
 * TLS under HTTP: the certificate, who may connect, and what a connection needs of both. Private to
 * server/. Any thread, unless said otherwise.
 *
 * A connection keeps what it began with: after a reload only new handshakes see the new files.
 */
#ifndef ARKA_SERVER_HTTP_TLS_H
#define ARKA_SERVER_HTTP_TLS_H

#include <gnutls/gnutls.h>

#include "config/settings.h"
#include "observe/log.h"

typedef struct arka_tls arka_tls;
/** What one connection keeps: certificate, key, authorities. */
typedef struct arka_tls_credentials arka_tls_credentials;

/**
 * Read the files that the settings name. `log` outlives it. ARKA_INPUT: a file cannot be used, or
 * the priority string; named.
 */
ARKA_MUST_USE arka_status arka_tls_new(const arka_settings *settings, const arka_log *log,
                                       arka_tls **out, arka_error *err);
/** No connection may be open. NULL is fine. */
void arka_tls_free(arka_tls *tls);
/**
 * Read the files again, for handshakes from now on. On failure, which is also logged, everything
 * stays as it was.
 */
ARKA_MUST_USE arka_status arka_tls_reload(arka_tls *tls, const arka_settings *settings,
                                          arka_error *err);
/** For libmicrohttpd, whose own handling of files is not used. As long as `tls`. */
char *arka_tls_priorities(const arka_tls *tls);
/** A gnutls_certificate_retrieve_function3 that has none: every session gets its credentials. */
void *arka_tls_no_certificate(void);

/** A new session: gives it the credentials of now, which are returned, to be left at its end. */
arka_tls_credentials *arka_tls_enter(arka_tls *tls, gnutls_session_t session);
/** NULL is fine. */
void arka_tls_leave(arka_tls_credentials *credentials);

/* These on the connection's HTTP thread. */

/** The client's name by its certificate into `out`; false when it showed none. */
bool arka_tls_peer(gnutls_session_t session, char out[256]);
/** Send what fits without waiting; the session must end after it. */
void arka_tls_send_last(gnutls_session_t session, arka_slice bytes);

#endif
