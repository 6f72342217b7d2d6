#include "cli/http_link.h"

#include <arpa/inet.h>
#include <errno.h>
#include <gnutls/gnutls.h>
#include <poll.h>
#include <unistd.h>

#include "base/mem.h"

struct arka_http_link {
    const arka_http_target *target;
    int timeout_ms;
    int fd;
    gnutls_session_t session; /* NULL: no TLS */
    gnutls_certificate_credentials_t credentials;
};

static arka_status wait_for(const arka_http_link *l, short events, arka_error *err)
{
    struct pollfd p = {.fd = l->fd, .events = events};
    int n;
    do
        n = poll(&p, 1, l->timeout_ms);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return arka_fail_sys(err, ARKA_IO, errno, "waiting for %s", l->target->authority);
    if (n == 0)
        return arka_fail(err, ARKA_CANCELLED, "%s did nothing for %d ms", l->target->authority,
                         l->timeout_ms);
    return ARKA_OK;
}

/* ---- TLS ---- */

static bool is_pause(ssize_t code)
{
    return code == GNUTLS_E_AGAIN || code == GNUTLS_E_INTERRUPTED;
}

static arka_status wait_for_tls(const arka_http_link *l, arka_error *err)
{
    return wait_for(l, gnutls_record_get_direction(l->session) == 0 ? POLLIN : POLLOUT, err);
}

static arka_status read_files(arka_http_link *l, arka_error *err)
{
    const arka_http_tls *tls = &l->target->tls;
    int why = gnutls_certificate_allocate_credentials(&l->credentials);
    if (why < 0)
        return arka_fail_nomem(err, "TLS credentials", sizeof *l);
    if (tls->ca == NULL)
        ARKA_IGNORE(gnutls_certificate_set_x509_system_trust(l->credentials) <
                    0); /* then nobody is trusted, which the handshake says */
    else if ((why = gnutls_certificate_set_x509_trust_file(l->credentials, tls->ca,
                                                           GNUTLS_X509_FMT_PEM)) <= 0)
        return arka_fail(err, ARKA_INPUT, "authorities in '%s' cannot be used: %s", tls->ca,
                         why < 0 ? gnutls_strerror(why) : "it has no certificate");
    if (tls->cert == NULL)
        return ARKA_OK;
    const char *key = tls->key != NULL ? tls->key : tls->cert;
    why = gnutls_certificate_set_x509_key_file(l->credentials, tls->cert, key, GNUTLS_X509_FMT_PEM);
    if (why < 0)
        return arka_fail(err, ARKA_INPUT, "certificate '%s' with key '%s' cannot be used: %s",
                         tls->cert, key, gnutls_strerror(why));
    return ARKA_OK;
}

static bool is_address(const char *host)
{
    unsigned char bytes[sizeof(struct in6_addr)];
    return inet_pton(AF_INET, host, bytes) == 1 || inet_pton(AF_INET6, host, bytes) == 1;
}

static arka_status start_session(arka_http_link *l, arka_error *err)
{
    const char *host = l->target->host;
    if (gnutls_init(&l->session, GNUTLS_CLIENT | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL) < 0 ||
        gnutls_set_default_priority(l->session) < 0 ||
        gnutls_credentials_set(l->session, GNUTLS_CRD_CERTIFICATE, l->credentials) < 0 ||
        (!is_address(host) &&
         gnutls_server_name_set(l->session, GNUTLS_NAME_DNS, host, strlen(host)) < 0))
        return arka_fail_nomem(err, "a TLS session", sizeof *l);
    if (!l->target->tls.insecure)
        gnutls_session_set_verify_cert(l->session, host, 0);
    gnutls_transport_set_int(l->session, l->fd);
    return ARKA_OK;
}

/* Why the certificate is not believed, in GnuTLS's words. */
static arka_status fail_handshake(const arka_http_link *l, int why, arka_error *err)
{
    gnutls_datum_t text = {NULL, 0};
    unsigned wrong = gnutls_session_get_verify_cert_status(l->session);
    if (why == GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR &&
        gnutls_certificate_verification_status_print(wrong, GNUTLS_CRT_X509, &text, 0) >= 0) {
        arka_fail(err, ARKA_IO, "%s: %s (--ca FILE names who is trusted)", l->target->authority,
                  (const char *)text.data);
        gnutls_free(text.data);
        return ARKA_IO;
    }
    if (why == GNUTLS_E_FATAL_ALERT_RECEIVED)
        return arka_fail(err, ARKA_IO, "%s ends the TLS handshake: %s", l->target->authority,
                         gnutls_alert_get_name(gnutls_alert_get(l->session)));
    return arka_fail(err, ARKA_IO, "TLS with %s: %s%s", l->target->authority, gnutls_strerror(why),
                     why == GNUTLS_E_UNEXPECTED_PACKET_LENGTH || why == GNUTLS_E_UNEXPECTED_PACKET
                         ? " Does it speak http, not https?"
                         : "");
}

static arka_status shake_hands(arka_http_link *l, arka_error *err)
{
    ARKA_TRY(read_files(l, err));
    ARKA_TRY(start_session(l, err));
    for (;;) {
        int why = gnutls_handshake(l->session);
        if (why == GNUTLS_E_SUCCESS)
            return ARKA_OK;
        if (is_pause(why))
            ARKA_TRY(wait_for_tls(l, err));
        else if (gnutls_error_is_fatal(why))
            return fail_handshake(l, why, err);
    }
}

/* ---- life ---- */

arka_status arka_http_link_open(const arka_http_target *target, int timeout_ms,
                                arka_http_link **out, arka_error *err)
{
    arka_http_link *l = arka_calloc(1, sizeof *l);
    if (l == NULL)
        return arka_fail_nomem(err, "a connection", sizeof *l);
    l->target = target;
    l->timeout_ms = timeout_ms;
    l->fd = -1;
    arka_status status = arka_http_connect(target, &l->fd, err);
    if (status == ARKA_OK)
        status = wait_for(l, POLLOUT, err);
    if (status == ARKA_OK)
        status = arka_http_connected(target, l->fd, err);
    if (status == ARKA_OK && target->tls.on)
        status = shake_hands(l, err);
    if (status == ARKA_OK)
        *out = l;
    else
        arka_http_link_close(l);
    return status;
}

void arka_http_link_close(arka_http_link *link)
{
    if (link == NULL)
        return;
    if (link->session != NULL) {
        ARKA_IGNORE(gnutls_bye(link->session, GNUTLS_SHUT_WR) < 0);
        gnutls_deinit(link->session);
    }
    if (link->credentials != NULL)
        gnutls_certificate_free_credentials(link->credentials);
    if (link->fd >= 0)
        close(link->fd);
    arka_free(link);
}

/* ---- bytes ---- */

/* Sent, 0: closed by the other side, or -1 with a status. */
static ssize_t send_some(arka_http_link *l, arka_slice bytes, arka_status *status, arka_error *err)
{
    for (;;) {
        ssize_t n = l->session != NULL ? gnutls_record_send(l->session, bytes.data, bytes.len)
                                       : send(l->fd, bytes.data, bytes.len, MSG_NOSIGNAL);
        if (n > 0)
            return n;
        bool tls = l->session != NULL;
        if (tls ? is_pause(n) : errno == EAGAIN || errno == EINTR) {
            *status = tls ? wait_for_tls(l, err) : wait_for(l, POLLOUT, err);
            if (*status != ARKA_OK)
                return -1;
        } else if (tls ? n == GNUTLS_E_PUSH_ERROR : errno == EPIPE || errno == ECONNRESET) {
            return 0;
        } else {
            *status =
                tls ? arka_fail(err, ARKA_UNSURE, "sending to %s: %s", l->target->authority,
                                gnutls_strerror((int)n))
                    : arka_fail_sys(err, ARKA_UNSURE, errno, "sending to %s", l->target->authority);
            return -1;
        }
    }
}

arka_status arka_http_link_send(arka_http_link *link, arka_slice bytes, arka_error *err)
{
    arka_status status = ARKA_OK;
    while (bytes.len > 0) {
        ssize_t n = send_some(link, bytes, &status, err);
        if (n <= 0)
            return status;
        bytes.data += n;
        bytes.len -= (size_t)n;
    }
    return ARKA_OK;
}

arka_status arka_http_link_receive(arka_http_link *link, char *into, size_t max, size_t *n,
                                   arka_error *err)
{
    bool tls = link->session != NULL;
    for (;;) {
        ssize_t got =
            tls ? gnutls_record_recv(link->session, into, max) : recv(link->fd, into, max, 0);
        if (got >= 0) {
            *n = (size_t)got;
            return ARKA_OK;
        }
        if (tls ? is_pause(got) : errno == EAGAIN || errno == EINTR)
            ARKA_TRY(tls ? wait_for_tls(link, err) : wait_for(link, POLLIN, err));
        else if (tls && gnutls_error_is_fatal((int)got))
            return got == GNUTLS_E_FATAL_ALERT_RECEIVED
                       ? fail_handshake(link, (int)got, err)
                       : arka_fail(err, ARKA_UNSURE, "reading from %s: %s", link->target->authority,
                                   gnutls_strerror((int)got));
        else if (!tls)
            return arka_fail_sys(err, ARKA_UNSURE, errno, "reading from %s",
                                 link->target->authority);
    }
}
