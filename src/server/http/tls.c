#include "server/http/tls.h"

#include <gnutls/abstract.h>
#include <gnutls/x509.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>

#include "base/mem.h"
#include "os/thread.h"

/* Behind what the setting says, so that it cannot bring the old versions back. */
#define NEVER ":-VERS-SSL3.0:-VERS-TLS1.0:-VERS-TLS1.1:-VERS-DTLS-ALL"

struct arka_tls_credentials {
    arka_ref ref;
    gnutls_certificate_credentials_t x509;
    gnutls_certificate_request_t request; /* of the client's */
};

struct arka_tls {
    const arka_log *log;
    char *priorities;
    arka_mutex lock;           /* LEAF: below */
    arka_tls_credentials *now; /* one reference */
};

void arka_tls_leave(arka_tls_credentials *credentials)
{
    if (credentials == NULL || !arka_ref_drop(&credentials->ref))
        return;
    if (credentials->x509 != NULL)
        gnutls_certificate_free_credentials(credentials->x509);
    arka_free(credentials);
}

/* ---- the client's certificate ---- */

/* In the handshake: one that is shown must be good; that one is shown is GnuTLS's affair. */
static int check_peer(gnutls_session_t session)
{
    unsigned char client[] = GNUTLS_KP_TLS_WWW_CLIENT;
    gnutls_typed_vdata_st purpose = {.type = GNUTLS_DT_KEY_PURPOSE_OID, .data = client};
    unsigned n = 0, wrong = 0;
    if (gnutls_certificate_get_peers(session, &n) == NULL || n == 0)
        return 0;
    if (gnutls_certificate_verify_peers(session, &purpose, 1, &wrong) < 0 || wrong != 0)
        return GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR;
    return 0;
}

static bool describe(const gnutls_datum_t *raw, char *name, size_t n_name, time_t *until)
{
    gnutls_x509_crt_t certificate;
    if (gnutls_x509_crt_init(&certificate) < 0)
        return false;
    bool ok = gnutls_x509_crt_import(certificate, raw, GNUTLS_X509_FMT_DER) >= 0 &&
              gnutls_x509_crt_get_dn(certificate, name, &n_name) >= 0;
    if (ok && until != NULL)
        *until = gnutls_x509_crt_get_expiration_time(certificate);
    gnutls_x509_crt_deinit(certificate);
    return ok;
}

bool arka_tls_peer(gnutls_session_t session, char out[256])
{
    unsigned n = 0;
    const gnutls_datum_t *raw = gnutls_certificate_get_peers(session, &n);
    return raw != NULL && n > 0 && describe(raw, out, 256, NULL);
}

/* ---- files ---- */

static arka_status fail_file(arka_error *err, const char *key, const char *path, int why)
{
    return arka_fail(err, ARKA_INPUT, "%s '%s' cannot be used: %s", key, path,
                     gnutls_strerror(why));
}

static arka_status check_readable(const char *key, const char *path, arka_error *err)
{
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return arka_fail(err, ARKA_INPUT, "%s '%s' cannot be read: %m", key, path);
    fclose(file);
    return ARKA_OK;
}

static arka_status read_files(arka_tls_credentials *c, const arka_settings *s, arka_error *err)
{
    ARKA_TRY(check_readable("server.tls_cert_file", s->tls_cert_file, err));
    ARKA_TRY(check_readable("server.tls_key_file", s->tls_key_file, err));
    int why = gnutls_certificate_allocate_credentials(&c->x509);
    if (why < 0)
        return arka_fail_nomem(err, "TLS credentials", sizeof *c);
    gnutls_certificate_set_known_dh_params(c->x509, GNUTLS_SEC_PARAM_MEDIUM);
    why = gnutls_certificate_set_x509_key_file(c->x509, s->tls_cert_file, s->tls_key_file,
                                               GNUTLS_X509_FMT_PEM);
    if (why == GNUTLS_E_CERTIFICATE_KEY_MISMATCH)
        return arka_fail(err, ARKA_INPUT, "server.tls_key_file '%s' is not the key of '%s'",
                         s->tls_key_file, s->tls_cert_file);
    if (why < 0)
        return arka_fail(err, ARKA_INPUT,
                         "server.tls_cert_file '%s' with server.tls_key_file '%s' cannot be "
                         "used: %s",
                         s->tls_cert_file, s->tls_key_file, gnutls_strerror(why));
    if (strcmp(s->tls_client_auth, "none") == 0)
        return ARKA_OK;
    c->request =
        strcmp(s->tls_client_auth, "required") == 0 ? GNUTLS_CERT_REQUIRE : GNUTLS_CERT_REQUEST;
    ARKA_TRY(check_readable("server.tls_client_ca_file", s->tls_client_ca_file, err));
    why =
        gnutls_certificate_set_x509_trust_file(c->x509, s->tls_client_ca_file, GNUTLS_X509_FMT_PEM);
    if (why < 0)
        return fail_file(err, "server.tls_client_ca_file", s->tls_client_ca_file, why);
    if (why == 0)
        return arka_fail(err, ARKA_INPUT, "server.tls_client_ca_file '%s' has no certificate",
                         s->tls_client_ca_file);
    gnutls_certificate_set_verify_function(c->x509, check_peer);
    return ARKA_OK;
}

/* What an operator wants to know of a certificate when it is taken into use. */
static void tell(const arka_tls *tls, const arka_tls_credentials *c, const arka_settings *s)
{
    enum { SOON_S = 14 * 86400 };
    gnutls_datum_t raw;
    char name[256], day[32] = "";
    time_t until = 0, now = time(NULL);
    struct tm parts;
    struct stat key;
    if (gnutls_certificate_get_crt_raw(c->x509, 0, 0, &raw) < 0 ||
        !describe(&raw, name, sizeof name, &until))
        return;
    if (gmtime_r(&until, &parts) != NULL)
        strftime(day, sizeof day, "%Y-%m-%dT%H:%M:%SZ", &parts);
    bool late = until < now, soon = until < now + SOON_S;
    arka_log_write(tls->log, soon ? ARKA_WARN : ARKA_INFO, "tls", NULL,
                   "certificate %s %s %s, client certificates: %s", name,
                   late ? "has expired at" : "is good until", day, s->tls_client_auth);
    if (stat(s->tls_key_file, &key) == 0 && (key.st_mode & (S_IROTH | S_IWOTH)) != 0)
        arka_log_write(tls->log, ARKA_WARN, "tls", NULL,
                       "%s is open to every user of this machine (mode %03o)", s->tls_key_file,
                       (unsigned)key.st_mode & 0777);
}

static arka_status make_credentials(const arka_settings *s, arka_tls_credentials **out,
                                    arka_error *err)
{
    arka_tls_credentials *c = arka_calloc(1, sizeof *c);
    if (c == NULL)
        return arka_fail_nomem(err, "TLS credentials", sizeof *c);
    arka_ref_init(&c->ref);
    c->request = GNUTLS_CERT_IGNORE;
    arka_status status = read_files(c, s, err);
    if (status == ARKA_OK)
        *out = c;
    else
        arka_tls_leave(c);
    return status;
}

arka_status arka_tls_reload(arka_tls *tls, const arka_settings *settings, arka_error *err)
{
    arka_error why = {0};
    arka_tls_credentials *fresh = NULL;
    if (make_credentials(settings, &fresh, &why) != ARKA_OK) {
        arka_log_write(tls->log, ARKA_ERROR, "tls", NULL,
                       "%s; new connections go on with what was read before", why.msg);
        if (err != NULL)
            *err = why;
        return why.code;
    }
    tell(tls, fresh, settings);
    arka_mutex_lock(&tls->lock);
    arka_tls_credentials *old = tls->now;
    tls->now = fresh;
    arka_mutex_unlock(&tls->lock);
    arka_tls_leave(old);
    return ARKA_OK;
}

/* ---- life ---- */

static arka_status check_priorities(const arka_tls *tls, const arka_settings *s, arka_error *err)
{
    gnutls_priority_t made = NULL;
    const char *at = NULL;
    int why = gnutls_priority_init(&made, tls->priorities, &at);
    if (why < 0 && why != GNUTLS_E_NO_PRIORITIES_WERE_SET)
        return arka_fail(err, ARKA_INPUT, "server.tls_priorities = '%s': %s near '%.40s'",
                         s->tls_priorities, gnutls_strerror(why), at != NULL ? at : "");
    const unsigned *versions;
    int n = why < 0 ? 0 : gnutls_priority_protocol_list(made, &versions);
    if (why >= 0)
        gnutls_priority_deinit(made);
    if (n <= 0)
        return arka_fail(err, ARKA_INPUT,
                         "server.tls_priorities = '%s' leaves no version of TLS: 1.2 and 1.3 are "
                         "there",
                         s->tls_priorities);
    return ARKA_OK;
}

static arka_status start(arka_tls *tls, const arka_settings *s, arka_error *err)
{
    size_t n = strlen(s->tls_priorities) + sizeof NEVER;
    tls->priorities = arka_malloc(n);
    if (tls->priorities == NULL)
        return arka_fail_nomem(err, "a priority string", n);
    snprintf(tls->priorities, n, "%s" NEVER, s->tls_priorities);
    ARKA_TRY(check_priorities(tls, s, err));
    ARKA_TRY(make_credentials(s, &tls->now, err));
    tell(tls, tls->now, s);
    return ARKA_OK;
}

arka_status arka_tls_new(const arka_settings *settings, const arka_log *log, arka_tls **out,
                         arka_error *err)
{
    arka_tls *tls = arka_calloc(1, sizeof *tls);
    if (tls == NULL)
        return arka_fail_nomem(err, "TLS", sizeof *tls);
    tls->log = log;
    arka_mutex_init(&tls->lock, ARKA_LOCK_LEAF);
    arka_status status = start(tls, settings, err);
    if (status == ARKA_OK)
        *out = tls;
    else
        arka_tls_free(tls);
    return status;
}

void arka_tls_free(arka_tls *tls)
{
    if (tls == NULL)
        return;
    arka_tls_leave(tls->now);
    arka_mutex_fini(&tls->lock);
    arka_free(tls->priorities);
    arka_free(tls);
}

char *arka_tls_priorities(const arka_tls *tls)
{
    return tls->priorities;
}

/* Never called: libmicrohttpd asks for it, its credentials are replaced in every session. */
static int no_certificate(gnutls_session_t session, const struct gnutls_cert_retr_st *info,
                          gnutls_pcert_st **certificates, unsigned *n, gnutls_ocsp_data_st **ocsp,
                          unsigned *n_ocsp, gnutls_privkey_t *key, unsigned *flags)
{
    return -1;
}

void *arka_tls_no_certificate(void)
{
    return (void *)no_certificate;
}

/* ---- connections ---- */

arka_tls_credentials *arka_tls_enter(arka_tls *tls, gnutls_session_t session)
{
    arka_mutex_lock(&tls->lock);
    arka_tls_credentials *c = tls->now;
    arka_ref_add(&c->ref);
    arka_mutex_unlock(&tls->lock);
    /* if that fails the handshake does, for want of a certificate */
    ARKA_IGNORE(gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, c->x509) < 0);
    gnutls_certificate_server_set_request(session, c->request);
    return c;
}

void arka_tls_send_last(gnutls_session_t session, arka_slice bytes)
{
    ARKA_IGNORE(gnutls_record_send(session, bytes.data, bytes.len) < 0);
    ARKA_IGNORE(gnutls_bye(session, GNUTLS_SHUT_WR) < 0);
}
