/** One kept connection on which a thread sends requests and waits for each answer. */
#ifndef ARKA_CLI_BENCH_BENCH_CLIENT_H
#define ARKA_CLI_BENCH_BENCH_CLIENT_H

#include "cli/bench/bench_server.h"

typedef struct arka_bench_client {
    const arka_bench_server *server;
    int fd;        /* -1: none */
    int status;    /* of the last answer */
    arka_buf body; /* of the last answer */

    /* private */
    arka_http_response response;
    arka_buf request;
    char piece[4096];
} arka_bench_client;

void arka_bench_client_init(arka_bench_client *c, const arka_bench_server *server);
void arka_bench_client_fini(arka_bench_client *c);

/**
 * POST and wait for the answer (60 s at most); any status is ARKA_OK. Connects when there is no
 * connection. ARKA_IO: no connection; ARKA_UNSURE, ARKA_CORRUPT, ARKA_CANCELLED: it broke after the
 * request left.
 */
ARKA_MUST_USE arka_status arka_bench_client_post(arka_bench_client *c, const char *path,
                                                 arka_slice body, arka_error *err);
/** POST /api/v1/query, answered in CSV. */
ARKA_MUST_USE arka_status arka_bench_client_query(arka_bench_client *c, const char *sql,
                                                  arka_error *err);

#endif
