/* GET /openapi.json, and the pages that show it: /docs, /redoc. */
#include "observe/text.h"
#include "server/handlers.h"
#include "server/openapi.h"
#include "server/server_priv.h"

/* docs_page.html, by the build. Its NONCEs become the answer's own. */
static const unsigned char PAGE[] = {
#include "generated/docs_page.inc"
};

arka_handled arka_handle_openapi(arka_request *r)
{
    arka_buf *b = arka_answer_json(r, 200);
    arka_openapi_put(arka_routes, arka_n_routes, r->server->auth != NULL, b);
    return ARKA_ANSWERED;
}

/* Nothing but what the page itself brings may run, and it may ask nobody but this server. */
arka_handled arka_handle_docs(arka_request *r)
{
    static const char MARK[] = "@NONCE@";
    char nonce[ARKA_UUID_SIZE];
    arka_buf *b = &r->answer.body;
    arka_slice rest = {(const char *)PAGE, sizeof PAGE};
    arka_text_uuid(nonce);
    r->answer.status = 200;
    r->answer.content_type = "text/html; charset=utf-8";
    for (const char *at; (at = memmem(rest.data, rest.len, MARK, sizeof MARK - 1)) != NULL;) {
        size_t n = (size_t)(at - rest.data), used = n + sizeof MARK - 1;
        arka_buf_append(b, rest.data, n);
        arka_buf_text(b, nonce);
        rest = (arka_slice){rest.data + used, rest.len - used};
    }
    arka_buf_slice(b, rest);
    arka_answer_header(r, "Content-Security-Policy",
                       "default-src 'none'; script-src 'nonce-%s'; style-src 'nonce-%s'; "
                       "connect-src 'self'; base-uri 'none'; form-action 'none'; "
                       "frame-ancestors 'none'",
                       nonce, nonce);
    return ARKA_ANSWERED;
}
