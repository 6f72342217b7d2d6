/** One body through decoder and oracle: shared by the MessagePack fuzz targets. */
#ifndef TESTS_FUZZ_MSGPACK_CHECK_H
#define TESTS_FUZZ_MSGPACK_CHECK_H

#include <stdio.h>
#include <stdlib.h>

#include "kit/batch_text.h"
#include "msgpack_oracle.h"
#include "wire/msgpack.h"

static inline void check_stop(const char *what, const arka_buf *got, const arka_buf *expected)
{
    fprintf(stderr, "%s\n-- decoder:\n%.*s\n-- oracle:\n%.*s\n", what, (int)got->len, got->data,
            (int)expected->len, expected->data);
    abort();
}

static inline void check_outcome(const arka_writes *w, arka_buf *out)
{
    for (size_t i = 0; i < w->writes.n; i++) {
        const arka_write *write = &w->writes.items[i];
        const char *fault = batch_fault(write->batch);
        if (fault != NULL)
            check_stop(fault, out, out);
        arka_buf_printf(out, "%s%.*s@%lld{", out->len ? "\n" : "", ARKA_FMT(write->measurement),
                        (long long)write->member);
        batch_text(write->batch, out);
        arka_buf_byte(out, '}');
    }
    for (size_t i = 0; i < w->rejects.n; i++)
        arka_buf_printf(out, "\n!%lld", (long long)w->rejects.items[i].place);
}

static inline void check_body(const uint8_t *body, size_t n)
{
    arka_msgpack_options options = {.now_us = ORACLE_NOW_US, .max_depth = ORACLE_DEPTH};
    arka_writes writes = {0};
    arka_error err = {0};
    arka_buf got = ARKA_BUF_INIT, expected = ARKA_BUF_INIT;
    arka_status status = arka_msgpack_decode(body, n, &options, &writes, &err);
    if (status == ARKA_OK)
        check_outcome(&writes, &got);
    else
        arka_buf_text(&got, arka_status_name(status));
    if ((status != ARKA_OK) != (err.msg[0] != 0) || (status != ARKA_OK && writes.n_members != 0))
        check_stop("status, sentence and result disagree", &got, &expected);
    if (status != ARKA_LIMIT && oracle_outcome(body, n, &expected) &&
        (got.len != expected.len || memcmp(got.data, expected.data, got.len) != 0))
        check_stop("decoder and oracle disagree", &got, &expected);
    arka_buf_fini(&got);
    arka_buf_fini(&expected);
    arka_writes_fini(&writes);
}

#endif
