#include "wire/writes.h"

#include <stdio.h>

void arka_writes_fini(arka_writes *writes)
{
    for (size_t i = 0; i < writes->writes.n; i++)
        arka_batch_unref(writes->writes.items[i].batch);
    arka_vec_fini(&writes->writes);
    arka_vec_fini(&writes->rejects);
    arka_arena_fini(&writes->arena);
    *writes = (arka_writes){0};
}

static void make_sample(char out[ARKA_REJECT_SAMPLE], const unsigned char *bytes, size_t n)
{
    size_t at = 0;
    for (size_t i = 0; i < n && at + 5 < ARKA_REJECT_SAMPLE; i++) {
        unsigned char c = bytes[i];
        if (c >= 0x20 && c < 0x7f && c != '\\')
            out[at++] = (char)c;
        else
            at += (size_t)snprintf(out + at, ARKA_REJECT_SAMPLE - at, "\\x%02x", c);
    }
    out[at] = 0;
}

void arka_writes_reject(arka_writes *writes, int64_t place, arka_slice measurement,
                        const char *reason, const void *sample, size_t sample_len)
{
    writes->n_rejected++;
    if (writes->rejects.n == ARKA_WRITES_MAX_REJECTS)
        return;
    arka_reject reject = {.place = place};
    char *name = arka_arena_text(&writes->arena, measurement);
    reject.reason = arka_arena_strndup(&writes->arena, reason, strlen(reason));
    if (name == NULL || reject.reason == NULL)
        return;
    reject.measurement = (arka_slice){name, measurement.len};
    make_sample(reject.sample, sample, sample_len);
    ARKA_IGNORE(arka_vec_push(&writes->rejects, reject)); /* the count stands */
}
