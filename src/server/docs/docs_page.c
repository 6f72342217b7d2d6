/* GET /openapi.json, and the pages that show it: /docs, /redoc. */
#include "observe/text.h"
#include "server/http/handlers.h"
#include "server/docs/openapi.h"
#include "server/server_priv.h"

/* docs_page.html, by the build. Its NONCEs become the answer's own. */
static const unsigned char PAGE[] = {
#include "generated/docs_page.inc"
};

/*
 * Made once, with tokens and without: anybody may ask for it, and as often as they like. NULL: out
 * of memory.
 */
static const arka_buf *document(bool secure)
{
    static _Atomic(arka_buf *) made[2];
    /* acquire and release: who sees the pointer sees the text */
    arka_buf *old = atomic_load_explicit(&made[secure], memory_order_acquire);
    if (old != NULL)
        return old;
    arka_buf *fresh = arka_calloc(1, sizeof *fresh);
    if (fresh == NULL)
        return NULL;
    arka_openapi_put(arka_routes, arka_n_routes, secure, fresh);
    if (!fresh->failed &&
        atomic_compare_exchange_strong_explicit(&made[secure], &old, fresh, memory_order_acq_rel,
                                                memory_order_acquire))
        return fresh;
    arka_buf_fini(fresh);
    arka_free(fresh);
    return old;
}

arka_handled arka_handle_openapi(arka_request *r)
{
    const arka_buf *text = document(r->server->auth != NULL);
    if (text == NULL)
        return arka_answer_error(r, 503, "unavailable", "out of memory for the document");
    arka_buf_append(arka_answer_json(r, 200), text->data, text->len);
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
