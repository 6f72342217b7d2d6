/**
 * What the MessagePack decoder makes of a body, as one text to compare:
 *
 *     cpu@0{time TIMESTAMPTZ 1000000; v BIGINT 5}     a write, with the member it came from
 *     !1 cpu: record has no fields                    a refused member
 *     INPUT: body is empty                            the call failed
 */
#ifndef TESTS_KIT_MSGPACK_OUTCOME_H
#define TESTS_KIT_MSGPACK_OUTCOME_H

#include "kit/batch_text.h"
#include "kit/kit.h"
#include "kit/pack_text.h"
#include "wire/msgpack.h"

static const int64_t OUTCOME_NOW_US = 7000000;

static inline void outcome_writes(const arka_writes *w, arka_buf *out)
{
    int64_t n_rows = 0;
    for (size_t i = 0; i < w->writes.n; i++) {
        const arka_write *write = &w->writes.items[i];
        const char *fault = batch_fault(write->batch);
        if (fault != NULL)
            fail_msg("write %zu: %s", i, fault);
        arka_buf_printf(out, "%s%.*s@%lld{", out->len ? "\n" : "", ARKA_FMT(write->measurement),
                        (long long)write->member);
        batch_text(write->batch, out);
        arka_buf_literal(out, "}");
        n_rows += write->batch->n_rows;
    }
    for (size_t i = 0; i < w->rejects.n; i++) {
        const arka_reject *r = &w->rejects.items[i];
        arka_buf_printf(out, "%s!%lld %.*s: %s", out->len ? "\n" : "", (long long)r->place,
                        ARKA_FMT(r->measurement), r->reason);
    }
    assert_int_equal(n_rows, w->n_rows);
    assert_int_equal(w->single, w->n_members == 1 && w->writes.n == 1 && w->single);
}

/** Of `len` bytes; a failure must leave nothing. The result is valid until the next call. */
static inline const char *outcome_of(const void *body, size_t len,
                                     const arka_msgpack_options *options)
{
    static arka_buf out;
    arka_writes writes = {0};
    arka_error err = {0};
    arka_buf_clear(&out);
    /* Memory of exactly that size, so that the sanitizer sees a step too far. */
    char *copy = malloc(len ? len : 1);
    memcpy(copy, body, len);
    arka_status status = arka_msgpack_decode(copy, len, options, &writes, &err);
    free(copy);
    if (status == ARKA_OK) {
        outcome_writes(&writes, &out);
    } else {
        arka_buf_printf(&out, "%s: %s", arka_status_name(status), err.msg);
        assert_int_equal(writes.writes.n, 0);
        assert_int_equal(writes.rejects.n, 0);
        assert_int_equal(writes.n_members, 0);
        assert_null(writes.arena.block);
    }
    arka_writes_fini(&writes);
    return arka_buf_cstr(&out);
}

static inline const char *outcome(const char *notation)
{
    arka_buf body = ARKA_BUF_INIT;
    arka_msgpack_options options = {.now_us = OUTCOME_NOW_US};
    pack_notation(&body, notation);
    const char *text = outcome_of(body.data ? body.data : "", body.len, &options);
    arka_buf_fini(&body);
    return text;
}

#define ASSERT_OUTCOME(notation, text) assert_string_equal(outcome(notation), (text))

#endif
