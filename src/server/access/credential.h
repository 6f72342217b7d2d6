/**
 * Where a request carries its token. In this order, and the first that is not empty counts:
 * Authorization (Bearer T; Token T or Token user:T; Basic of user:T, or of T alone as the user; T
 * itself), x-api-key, and on InfluxDB's paths the parameter p. Private to server/.
 */
#ifndef ARKA_SERVER_ACCESS_CREDENTIAL_H
#define ARKA_SERVER_ACCESS_CREDENTIAL_H

#include "server/http/request.h"

enum { ARKA_CREDENTIAL_BYTES = 1024 };

typedef struct arka_credential {
    arka_slice first;                    /* empty: there is none */
    arka_slice second;                   /* what it may be else, see arka_auth_check; or empty */
    char decoded[ARKA_CREDENTIAL_BYTES]; /* of Basic; where the slices may point */
} arka_credential;

/**
 * Both slices live as long as the request and *out. ARKA_FORBIDDEN: two Authorization headers, of
 * which a proxy in front may have looked at the other.
 */
ARKA_MUST_USE arka_status arka_credential_find(arka_request *r, arka_credential *out,
                                               arka_error *err);
/** The same of the text of an Authorization header. */
void arka_credential_parse(arka_slice header, arka_credential *out);
/** Nothing of a token stays in it. */
void arka_credential_wipe(arka_credential *credential);

#endif
