#include "server/http/http_priv.h"

#include <strings.h>

#include "base/number.h"
#include "server/access/access.h"
#include "server/server_priv.h"
#include "server/http/target.h"
#include "server/write/write.h"

enum { MAX_HEAD = 64 << 10 }; /* more than the library takes */

/* What Content-Length and Transfer-Encoding say, of which a request may have any number. */
typedef struct framing {
    arka_slice length;
    bool lengths_differ, chunked;
    int n_lengths, n_codings;
    arka_slice odd; /* a name that is no token, or one whose value must not be as it is */
} framing;

static bool same_word(arka_slice a, const char *word)
{
    return a.len == strlen(word) && strncasecmp(a.data, word, a.len) == 0;
}

/*
 * The library takes "Content-Length : 5" for another header than Content-Length, a proxy in front
 * may not (RFC 9110, 5.1).
 */
static bool is_token(arka_slice name)
{
    for (size_t i = 0; i < name.len; i++) {
        unsigned char b = (unsigned char)name.data[i];
        bool letter = (b | 0x20) >= 'a' && (b | 0x20) <= 'z', digit = b >= '0' && b <= '9';
        if (!letter && !digit && (b == 0 || strchr("!#$%&'*+-.^_`|~", b) == NULL))
            return false;
    }
    return name.len > 0;
}

/*
 * A value that goes on in a second line: 0.9.75 puts that line behind the name instead, which then
 * stands elsewhere, and another header than the client sent is there. Else the value follows its
 * name and blanks.
 */
static bool is_folded(arka_slice name, arka_slice value)
{
    uintptr_t gap = (uintptr_t)value.data - (uintptr_t)(name.data + name.len);
    if (gap == 0 || gap > MAX_HEAD)
        return true;
    for (size_t i = 1; i < gap; i++)
        if (name.data[name.len + i] != ' ' && name.data[name.len + i] != '\t')
            return true;
    return false;
}

static enum MHD_Result read_framing(void *context, enum MHD_ValueKind kind, const char *name,
                                    size_t name_len, const char *value, size_t value_len)
{
    framing *f = context;
    arka_slice header = {name, name_len}, text = {value, value_len};
    while (text.len > 0 && (text.data[text.len - 1] == ' ' || text.data[text.len - 1] == '\t'))
        text.len--;
    if (!is_token(header) || is_folded(header, text) ||
        (text.len > 0 && memchr(text.data, '\r', text.len) != NULL))
        f->odd = header;
    if (same_word(header, "Content-Length")) {
        f->lengths_differ |= f->n_lengths++ > 0 && !arka_slice_eq(f->length, text);
        f->length = text;
    } else if (same_word(header, "Transfer-Encoding")) {
        f->n_codings++;
        f->chunked = same_word(text, "chunked");
    }
    return MHD_YES;
}

/*
 * Where the body ends must be beyond doubt: a proxy in front that took the other header for it
 * would see another request (RFC 9112, 6.1 and 6.3). What is no number the library has refused.
 */
static arka_status declared_length(const arka_request *r, int64_t *out, arka_error *err)
{
    framing f = {.odd = {NULL, 0}};
    MHD_get_connection_values_n(r->connection, MHD_HEADER_KIND, read_framing, &f);
    *out = f.n_codings > 0 ? -1 : 0;
    int shown = !is_token(f.odd) ? 0 : f.odd.len > 40 ? 40 : (int)f.odd.len;
    if (f.odd.data != NULL)
        return arka_fail(err, ARKA_INPUT,
                         "header '%.*s' has characters that it must not have, or a second line",
                         shown, shown > 0 ? f.odd.data : "");
    if (f.lengths_differ)
        return arka_fail(err, ARKA_INPUT, "the request has two different Content-Length headers");
    if (f.n_codings > 0 && f.n_lengths > 0)
        return arka_fail(err, ARKA_INPUT,
                         "the request has both Content-Length and Transfer-Encoding");
    if (f.n_codings > 1 || (f.n_codings == 1 && !f.chunked))
        return arka_fail(err, ARKA_INPUT, "the request's Transfer-Encoding is not just 'chunked'");
    if (f.n_codings > 0 && r->is_old)
        return arka_fail(err, ARKA_INPUT, "HTTP/1.0 has no Transfer-Encoding");
    if (f.n_lengths > 0 && !arka_parse_i64(f.length.data, f.length.len, out))
        return arka_fail(err, ARKA_INPUT, "the request's Content-Length is no number of bytes");
    return ARKA_OK;
}

/* Who shows a certificate is told once, by name. */
static void tell_peer(arka_connection *c)
{
    const arka_log *log = c->http->server->log;
    char name[256];
    if (c->session == NULL || c->slow.served || !arka_log_wants(log, ARKA_DEBUG) ||
        !arka_tls_peer(c->session, name))
        return;
    arka_log_write(log, ARKA_DEBUG, "client_certificate", NULL, "%s", name);
}

static void start_request(arka_connection *c, struct MHD_Connection *mhd, const char *method,
                          const char *version)
{
    arka_request *r = &c->request;
    arka_server *server = c->http->server;
    *r = (arka_request){
        .server = server,
        .connection = mhd,
        .tls = c->session,
        .fd = c->fd,
        .arrived = arka_mono_now(),
        .arrived_us = arka_wall_us(),
        .method = arka_method_parse(method),
        .method_name = method,
        .is_old = strcmp(version, "HTTP/1.0") == 0,
        .answer = {.body = ARKA_BUF_INIT},
        .arena = ARKA_ARENA_INIT,
    };
    tell_peer(c);
    arka_connection_enter(c, ARKA_PHASE_BODY);
    c->received = 0;
    c->discard = c->handled = false;
    c->body_len = 0;
    atomic_fetch_add_explicit(&c->http->in_flight, 1, memory_order_relaxed);
    arka_count(&server->counters.requests, 1);
    arka_request_set_id(r, arka_request_header(r, "X-Request-ID"));
    if (c->target.failed)
        arka_answer_error(r, 503, "unavailable", "out of memory for the request");
    else
        arka_target_route(r, (arka_slice){c->target.data, c->target.len});
    c->discard = r->answer.status != 0; /* answered by the target alone */
}

/* A write that cannot be taken is refused before its body comes. */
static void look_before_body(arka_connection *c)
{
    if (!c->discard && c->body_len != 0 && c->request.route->run == ARKA_RUN_WRITES)
        c->discard = arka_write_refused(&c->request);
}

static void prove_on_thread(void *context)
{
    arka_request *r = context;
    arka_access_check_slowly(r);
    arka_http_wake(r);
}

/* Nothing of its body is read, and no memory is used for it, until it is known who asks. */
static void prove(arka_connection *c)
{
    arka_request *r = &c->request;
    arka_connection_enter(c, ARKA_PHASE_PROOF);
    MHD_suspend_connection(r->connection); /* before the thread has it, see hand_over */
    if (arka_workers_submit(r->server->provers, prove_on_thread, r, NULL) == ARKA_OK)
        return;
    arka_answer_error(r, 503, "unavailable", "too many tokens are being checked: try again soon");
    arka_http_wake(r);
}

enum MHD_Result arka_connection_begin(arka_connection *c, struct MHD_Connection *mhd,
                                      const char *method, const char *version)
{
    arka_error err = {0};
    if (c->over) /* it came too late; its client knows that it was not taken */
        return MHD_NO;
    start_request(c, mhd, method, version);
    arka_status status = declared_length(&c->request, &c->body_len, &err);
    if (status != ARKA_OK) {
        arka_answer_fail(&c->request, &err);
        return arka_connection_refuse(c);
    }
    if (c->body_len > c->http->max_body)
        return arka_connection_refuse_size(c);
    if (c->request.unproven)
        prove(c);
    else
        look_before_body(c);
    return MHD_YES;
}

enum MHD_Result arka_connection_go_on(arka_connection *c)
{
    arka_request *r = &c->request;
    arka_connection_enter(c, ARKA_PHASE_BODY);
    arka_target_admit(r);
    c->discard = r->answer.status != 0;
    look_before_body(c);
    return MHD_YES;
}
