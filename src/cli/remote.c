#include "cli/remote.h"

#include <stdlib.h>

#include "wire/json.h"

#define STANDARD_URL "http://127.0.0.1:8000"

static const char *or_else(const char *given, const char *variable, const char *standard)
{
    if (given != NULL)
        return given;
    const char *value = getenv(variable);
    return value != NULL && *value != 0 ? value : standard;
}

static arka_status put_header(arka_buf *out, const char *name, const char *value, arka_error *err)
{
    for (const char *at = value; *at != 0; at++)
        if ((unsigned char)*at < 0x20 || *at == 0x7f)
            return arka_fail(err, ARKA_INPUT, "the value for %s holds a control character", name);
    arka_buf_printf(out, "%s%s\r\n", name, value);
    return ARKA_OK;
}

arka_status arka_remote_init(arka_remote *remote, const char *url, const char *token,
                             const char *database, arka_error *err)
{
    remote->headers = (arka_buf)ARKA_BUF_INIT;
    url = or_else(url, "ARC_URL", STANDARD_URL);
    token = or_else(token, "ARC_TOKEN", NULL);
    ARKA_TRY(arka_http_target_resolve(url, &remote->target, err));
    if (token != NULL)
        ARKA_TRY(put_header(&remote->headers, "Authorization: Bearer ", token, err));
    if (database != NULL)
        ARKA_TRY(put_header(&remote->headers, "x-arc-database: ", database, err));
    arka_buf_cstr(&remote->headers);
    return remote->headers.failed ? arka_fail_nomem(err, "request headers", remote->headers.cap)
                                  : ARKA_OK;
}

void arka_remote_tls(arka_remote *remote, const arka_http_tls *tls)
{
    remote->target.tls = (arka_http_tls){
        .on = remote->target.tls.on,
        .insecure = tls->insecure,
        .ca = or_else(tls->ca, "ARC_CA", NULL),
        .cert = or_else(tls->cert, "ARC_CERT", NULL),
        .key = or_else(tls->key, "ARC_KEY", NULL),
    };
}

void arka_remote_fini(arka_remote *remote)
{
    arka_buf_fini(&remote->headers);
}

arka_option arka_remote_url_option(const char **url)
{
    return (arka_option){"--url", "URL", "the server; else ARC_URL, else " STANDARD_URL, url, NULL};
}

arka_option arka_remote_token_option(const char **token)
{
    return (arka_option){"--token", "TOKEN", "credential; else ARC_TOKEN", token, NULL};
}

void arka_remote_tls_options(arka_http_tls *tls, arka_option out[ARKA_REMOTE_TLS_OPTIONS])
{
    const arka_option list[ARKA_REMOTE_TLS_OPTIONS] = {
        {"--ca", "FILE", "whom to trust with https, PEM; else ARC_CA, else the system's", &tls->ca,
         NULL},
        {"--cert", "FILE", "certificate to show when asked for, PEM; else ARC_CERT", &tls->cert,
         NULL},
        {"--key", "FILE", "its key; else ARC_KEY, else in the file of --cert", &tls->key, NULL},
        {"--insecure", NULL, "with https, believe whoever answers", NULL, &tls->insecure},
    };
    memcpy(out, list, sizeof list);
}

void arka_remote_error_text(int status, arka_slice body, arka_buf *out)
{
    ARKA_AUTO(arka_json) root = NULL;
    arka_slice text = {NULL, 0};
    if (body.len > 0 && arka_json_parse(body, 0, &root, NULL) == ARKA_OK)
        ARKA_IGNORE(arka_json_get_string(root, "error", &text, NULL)); /* no text: see below */
    if (text.len == 0)
        text = body.len > 300 ? (arka_slice){body.data, 300} : body;
    if (text.len > 0)
        arka_buf_slice(out, text);
    else
        arka_buf_printf(out, "the server answered %d", status);
    if (status == 401)
        arka_buf_literal(out, " (here: --token, or ARC_TOKEN in the environment)");
}
