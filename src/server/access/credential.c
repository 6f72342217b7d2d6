#include "server/access/credential.h"

#include <microhttpd.h>
#include <string.h>
#include <strings.h>

#include "base/base64.h"

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static arka_slice trim(arka_slice s)
{
    while (s.len > 0 && is_blank(s.data[0]))
        s.data++, s.len--;
    while (s.len > 0 && is_blank(s.data[s.len - 1]))
        s.len--;
    return s;
}

/* What stands behind the scheme's word; false: it is not that scheme. */
static bool has_scheme(arka_slice header, const char *word, arka_slice *rest)
{
    size_t n = strlen(word);
    if (header.len < n || strncasecmp(header.data, word, n) != 0 ||
        (header.len > n && !is_blank(header.data[n])))
        return false;
    *rest = trim((arka_slice){header.data + n, header.len - n});
    return true;
}

static arka_slice behind_colon(arka_slice text, arka_slice *before)
{
    const char *colon = text.len ? memchr(text.data, ':', text.len) : NULL;
    size_t n = colon ? (size_t)(colon - text.data) : text.len;
    *before = (arka_slice){text.data, n};
    return colon ? (arka_slice){colon + 1, text.len - n - 1} : (arka_slice){"", 0};
}

/* The password is the token, or the user when there is none. What is no base64 is no token of
 * anybody, but it was sent: it must not count as absent. */
static void parse_basic(arka_slice encoded, arka_credential *out)
{
    arka_buf bytes = ARKA_BUF_INIT;
    arka_slice user;
    out->first = encoded;
    if (encoded.len < ARKA_CREDENTIAL_BYTES && arka_base64_decode(&bytes, encoded)) {
        memcpy(out->decoded, bytes.data, bytes.len);
        out->first = behind_colon((arka_slice){out->decoded, bytes.len}, &user);
        if (out->first.len == 0)
            out->first = user;
    }
    if (bytes.data != NULL)
        explicit_bzero(bytes.data, bytes.cap);
    arka_buf_fini(&bytes);
}

void arka_credential_parse(arka_slice header, arka_credential *out)
{
    arka_slice rest, user;
    out->first = out->second = (arka_slice){"", 0};
    header = trim(header);
    if (has_scheme(header, "Bearer", &rest)) {
        out->first = rest;
    } else if (has_scheme(header, "Token", &rest)) {
        out->first = rest;
        out->second = behind_colon(rest, &user);
    } else if (has_scheme(header, "Basic", &rest)) {
        if (rest.len > 0)
            parse_basic(rest, out);
    } else {
        out->first = header;
    }
}

static bool takes_parameter(const arka_request *r)
{
    static const char *const PATHS[] = {"/write", "/api/v1/write", "/query", "/ping"};
    bool takes = false;
    for (size_t i = 0; r->route != NULL && i < sizeof PATHS / sizeof *PATHS; i++)
        takes |= strcmp(r->route->path, PATHS[i]) == 0;
    return takes;
}

static enum MHD_Result count_header(void *context, enum MHD_ValueKind kind, const char *name,
                                    size_t name_len, const char *value, size_t value_len)
{
    static const char NAME[] = "Authorization";
    *(int *)context += name_len == sizeof NAME - 1 && strncasecmp(name, NAME, name_len) == 0;
    return MHD_YES;
}

arka_status arka_credential_find(arka_request *r, arka_credential *out, arka_error *err)
{
    int n = 0;
    out->first = out->second = (arka_slice){"", 0};
    MHD_get_connection_values_n(r->connection, MHD_HEADER_KIND, count_header, &n);
    if (n > 1)
        return arka_fail(err, ARKA_FORBIDDEN, "the request has %d Authorization headers", n);
    arka_credential_parse(arka_request_header(r, "Authorization"), out);
    if (out->first.len == 0)
        out->first = arka_request_header(r, "x-api-key");
    /* a query string that cannot be read is answered when its route reads it */
    if (out->first.len == 0 && takes_parameter(r) &&
        arka_request_param(r, "p", &out->first, NULL) != ARKA_OK)
        out->first = (arka_slice){"", 0};
    return ARKA_OK;
}

void arka_credential_wipe(arka_credential *credential)
{
    explicit_bzero(credential, sizeof *credential);
}
