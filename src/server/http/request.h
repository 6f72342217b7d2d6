/**
 * One request: what its handler may ask, and its answer. It belongs to one thread at a time: the
 * HTTP thread until it is given to a worker, the worker until it gives it back.
 */
#ifndef ARKA_SERVER_HTTP_REQUEST_H
#define ARKA_SERVER_HTTP_REQUEST_H

#include "os/clock.h"
#include "server/http/answer.h"
#include "wire/form.h"

typedef struct arka_server arka_server;
struct MHD_Connection;

enum { ARKA_REQUEST_ID = 128 };

struct arka_request {
    arka_server *server;
    struct MHD_Connection *connection;
    struct gnutls_session_int *tls; /* of the connection; NULL: none */
    int fd;                         /* of the connection */
    arka_mono arrived;
    int64_t arrived_us; /* wall clock */
    arka_method method;
    const char *method_name; /* as sent */
    bool is_old;             /* HTTP/1.0: an answer of unknown length ends with its connection */
    arka_slice path;         /* decoded and normalised */
    arka_slice query;        /* behind '?', as sent */
    const arka_route *route; /* NULL: unknown, answered already */
    struct arka_identity *identity; /* who asks; NULL: nobody was asked, see access.h */
    bool unproven;                  /* not known yet: arka_access_check_slowly has to tell */
    arka_slice args[ARKA_ROUTE_ARGS];
    arka_slice body; /* as sent, whole */
    arka_answer answer;
    void (*resume)(arka_request *r); /* see arka_http_detach; NULL: the answer stands */
    void *resume_context;
    arka_arena arena;         /* until the answer is sent */
    char id[ARKA_REQUEST_ID]; /* X-Request-ID */

    /* private to request.c */
    bool params_read;
    arka_form params;
};

/** A header's value without blanks around it; empty when absent. As long as the request. */
arka_slice arka_request_header(const arka_request *r, const char *name);
/** Was it sent at all, be it empty? */
bool arka_request_has_header(const arka_request *r, const char *name);
/** Is `word` one of the comma-parted words of that header? Any case. */
bool arka_request_header_has(const arka_request *r, const char *name, const char *word);

/** A parameter of the query string; empty when absent. ARKA_INPUT: the query string is not usable.
 */
ARKA_MUST_USE arka_status arka_request_param(arka_request *r, const char *name, arka_slice *out,
                                             arka_error *err);
/** The same as a whole number in [min, max]; `*out` stays as it is when the parameter is absent. */
ARKA_MUST_USE arka_status arka_request_param_int(arka_request *r, const char *name, int64_t min,
                                                 int64_t max, int64_t *out, arka_error *err);

/**
 * The database that the header x-arc-database names; if it does not, `fallback`; if that is empty
 * too, the configured one. *named: the header did. ARKA_INPUT: not a valid name.
 */
ARKA_MUST_USE arka_status arka_request_database(const arka_request *r, arka_slice fallback,
                                                arka_slice *out, bool *named, arka_error *err);

/** Set the id: the client's own when it is short printable text, else a new UUID. */
void arka_request_set_id(arka_request *r, arka_slice given);

#endif
