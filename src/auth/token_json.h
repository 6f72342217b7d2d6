/** Tokens as JSON, the same from the server and from `arc token`. Any thread. */
#ifndef ARKA_AUTH_TOKEN_JSON_H
#define ARKA_AUTH_TOKEN_JSON_H

#include "auth/auth.h"
#include "base/buf.h"

/** The members of a token's object, without the braces; its secret is none of them. */
void arka_token_json_members(arka_buf *out, const arka_token_info *info);
/** ["read","write"] */
void arka_rights_json(arka_buf *out, arka_rights rights);

#endif
