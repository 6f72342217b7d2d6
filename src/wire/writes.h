/**
 * What a write request was decoded into: batches, one or more a measurement, and what was refused.
 * Zero-initialised is empty; owned by the caller (fini). Not thread-safe.
 */
#ifndef ARKA_WIRE_WRITES_H
#define ARKA_WIRE_WRITES_H

#include "base/arena.h"
#include "base/vec.h"
#include "columnar/batch.h"

enum { ARKA_REJECT_SAMPLE = 120 };

typedef struct arka_write {
    arka_slice measurement; /* a valid name, in the arena */
    arka_batch *batch;      /* owned */
    int64_t member;         /* MessagePack: index of the (first) member it came from; else 0 */
} arka_write;

typedef struct arka_reject {
    int64_t place; /* MessagePack: index of the member, from 0. Line protocol: line, from 1 */
    arka_slice measurement;          /* as far as it was understood; empty if not */
    const char *reason;              /* a sentence; both in the arena */
    char sample[ARKA_REJECT_SAMPLE]; /* first bytes of what was refused, made printable,
                                        NUL-terminated */
} arka_reject;

typedef struct arka_writes {
    ARKA_VEC(arka_write) writes;
    ARKA_VEC(arka_reject) rejects; /* the first ARKA_WRITES_MAX_REJECTS; n_rejected counts all */
    int64_t n_rejected;            /* members or lines */
    int64_t n_members;             /* members or lines seen, refused ones included */
    int64_t n_rows;                /* in `writes` */
    bool single;                   /* MessagePack: the body was one single map */
    arka_arena arena;
} arka_writes;

enum { ARKA_WRITES_MAX_REJECTS = 100 };

void arka_writes_fini(arka_writes *writes);
/** Record a refusal; `reason` and `measurement` are copied. Out of memory only loses the record,
 * never the count. */
void arka_writes_reject(arka_writes *writes, int64_t place, arka_slice measurement,
                        const char *reason, const void *sample, size_t sample_len);

#endif
