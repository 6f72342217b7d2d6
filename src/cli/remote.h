/** What `arc query` and `arc write` share: where the server is, and what it says when it refuses.
 */
#ifndef ARKA_CLI_REMOTE_H
#define ARKA_CLI_REMOTE_H

#include "cli/args.h"
#include "cli/http_call.h"

typedef struct arka_remote {
    arka_http_target target;
    arka_buf headers; /* lines for every request: credentials, database */
} arka_remote;

/**
 * `url`, `token`: NULL stands for ARC_URL and ARC_TOKEN of the environment, then for
 * http://127.0.0.1:8000 and none. `database` may be NULL. ARKA_INPUT: one of them cannot be sent.
 */
ARKA_MUST_USE arka_status arka_remote_init(arka_remote *remote, const char *url, const char *token,
                                           const char *database, arka_error *err);
/** What https needs; NULL stands for ARC_CA, ARC_CERT and ARC_KEY, then for none. */
void arka_remote_tls(arka_remote *remote, const arka_http_tls *tls);
void arka_remote_fini(arka_remote *remote);

/** "--url" and "--token", for the first two arguments of arka_remote_init. */
arka_option arka_remote_url_option(const char **url);
arka_option arka_remote_token_option(const char **token);

enum { ARKA_REMOTE_TLS_OPTIONS = 4 };
/** "--ca", "--cert", "--key" and "--insecure", for arka_remote_tls. */
void arka_remote_tls_options(arka_http_tls *tls, arka_option out[ARKA_REMOTE_TLS_OPTIONS]);

/** The "error" of an error body, or the body itself, or the bare status; into `out`. */
void arka_remote_error_text(int status, arka_slice body, arka_buf *out);

#endif
