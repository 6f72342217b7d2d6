/**
 * The disks that a power failure may leave, made from a tape of kit/recorder.h: everything that was
 * synced before the instant, and of the rest whatever the way of losing it says.
 *
 *     states_rng rng = {seed};
 *     states_way way = states_pick(&rng);
 *     states_make(tape, instant, way, &rng, "/…/fresh");
 */
#ifndef TESTS_KIT_STATES_H
#define TESTS_KIT_STATES_H

#include "kit/copy_tree.h"
#include "kit/recorder.h"

/** Repeatable: one number is the whole of it. */
typedef struct states_rng {
    uint64_t state;
} states_rng;

static inline uint64_t states_next(states_rng *rng)
{
    uint64_t x = rng->state += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

/** 0 to n - 1 */
static inline int64_t states_below(states_rng *rng, int64_t n)
{
    return n <= 1 ? 0 : (int64_t)(states_next(rng) % (uint64_t)n);
}

#define STATES_WAYS                                                                                \
    X(PREFIX, "everything up to the instant: the process died")                                    \
    X(DROPPED, "nothing that was not synced")                                                      \
    X(SUBSET, "any part of what was not synced")                                                   \
    X(REORDERED, "the later part of what was not synced, without the earlier")                     \
    X(TORN_512, "writes that were not synced came in sectors of 512, some of them")                \
    X(TORN_4096, "the same with 4096")                                                             \
    X(GARBLED, "sectors that did not come hold something else")                                    \
    X(NAMES_DROPPED, "names that were not synced are gone, bytes are there")                       \
    X(BYTES_DROPPED, "bytes that were not synced are gone, names are there")                       \
    X(ZEROED, "files have their lengths, bytes that were not synced are zeros")

typedef enum states_way {
#define X(name, text) STATES_##name,
    STATES_WAYS
#undef X
        STATES_N
} states_way;

static const char *const STATES_TEXTS[] = {
#define X(name, text) #name ": " text,
    STATES_WAYS
#undef X
};

static inline states_way states_pick(states_rng *rng)
{
    return (states_way)states_below(rng, STATES_N);
}

typedef struct states_file {
    uint8_t *bytes;
    int64_t n, cap;
} states_file;

typedef struct states_disk {
    states_file *files; /* by node */
    rec_name *names;
    int n_names, cap_names;
    states_way way;
    states_rng *rng;
    long pivot;
    int odds; /* of 8: how much of what is left to chance is there */
} states_disk;

static inline void states_resize(states_file *f, int64_t n)
{
    if (n > f->cap) {
        f->cap = n * 2;
        f->bytes = rec_need(realloc(f->bytes, (size_t)f->cap));
    }
    if (n > f->n)
        memset(f->bytes + f->n, 0, (size_t)(n - f->n));
    f->n = n;
}

static inline void states_write(states_file *f, const rec_op *op, int64_t from, int64_t to)
{
    if (op->at + to > f->n)
        states_resize(f, op->at + to);
    memcpy(f->bytes + op->at + from, op->bytes + from, (size_t)(to - from));
}

/* Sector by sector of the file, a part of them, or the first of them. */
static inline void states_tear(states_disk *d, states_file *f, const rec_op *op, int64_t sector)
{
    int64_t n = (int64_t)op->n, had = f->n;
    bool first_ones = states_below(d->rng, 2) == 0;
    int64_t cut = states_below(d->rng, n + 1);
    bool keep_length = states_below(d->rng, 2) == 0;
    if (keep_length && op->at + n > f->n)
        states_resize(f, op->at + n);
    for (int64_t from = 0; from < n;) {
        int64_t to = ((op->at + from) / sector + 1) * sector - op->at;
        to = to < n ? to : n;
        if (first_ones ? from < cut : states_below(d->rng, 2) == 0)
            states_write(f, op, from, to);
        else if (d->way == STATES_GARBLED && keep_length && op->at + from >= had)
            for (int64_t i = from; i < to; i++)
                f->bytes[op->at + i] = (uint8_t)states_next(d->rng);
        from = to;
    }
}

static inline rec_name *states_find(states_disk *d, const char *path)
{
    for (int i = 0; i < d->n_names; i++)
        if (strcmp(d->names[i].path, path) == 0)
            return &d->names[i];
    return NULL;
}

static inline bool states_has_parent(states_disk *d, const char *path)
{
    char parent[REC_PATH];
    snprintf(parent, sizeof parent, "%.*s", (int)rec_parent(path), path);
    rec_name *name = *parent ? states_find(d, parent) : NULL;
    return *parent == 0 || (name != NULL && name->node < 0);
}

static inline void states_link(states_disk *d, const char *path, int node)
{
    rec_name *name = states_find(d, path);
    if (!states_has_parent(d, path))
        return; /* the directory itself is not there */
    if (name == NULL) {
        if (d->n_names == d->cap_names) {
            d->cap_names = d->cap_names * 2 + 64;
            d->names = rec_need(realloc(d->names, (size_t)d->cap_names * sizeof *d->names));
        }
        name = &d->names[d->n_names++];
        name->path = rec_need(strdup(path));
    }
    name->node = node;
}

static inline void states_unlink(states_disk *d, const char *path)
{
    rec_name *name = states_find(d, path);
    if (name == NULL)
        return;
    free(name->path);
    *name = d->names[--d->n_names];
}

/* An operation that was not synced: is it there? Bytes may be there in part, see states_apply. */
static inline bool states_keeps(states_disk *d, const rec_op *op, long at)
{
    bool is_name = rec_is_name(op->kind);
    bool perhaps = states_below(d->rng, 8) < d->odds;
    switch (d->way) {
    case STATES_PREFIX:
        return true;
    case STATES_DROPPED:
        return false;
    case STATES_REORDERED:
        return at >= d->pivot;
    case STATES_NAMES_DROPPED:
        return !is_name;
    case STATES_BYTES_DROPPED:
    case STATES_ZEROED:
        return is_name;
    case STATES_SUBSET:
    case STATES_TORN_512:
    case STATES_TORN_4096:
    case STATES_GARBLED:
    case STATES_N:
    default:
        return perhaps;
    }
}

static inline void states_apply(states_disk *d, const rec_op *op, bool synced, bool kept)
{
    states_file *f = op->kind == REC_WRITE || op->kind == REC_TRUNCATE ? &d->files[op->node] : NULL;
    rec_name *name;
    switch (op->kind) {
    case REC_CREATE:
        if (kept)
            states_link(d, op->path, op->node);
        break;
    case REC_MKDIR:
        if (kept && states_find(d, op->path) == NULL)
            states_link(d, op->path, -1);
        break;
    case REC_RENAME:
        if (kept && (name = states_find(d, op->path)) != NULL) {
            int node = name->node;
            states_unlink(d, op->path);
            states_link(d, op->to, node);
        }
        break;
    case REC_UNLINK:
    case REC_RMDIR:
        if (kept)
            states_unlink(d, op->path);
        break;
    case REC_TRUNCATE:
        if (kept)
            states_resize(f, op->at);
        break;
    case REC_WRITE:
        if (!synced && d->way == STATES_ZEROED) {
            if (op->at + (int64_t)op->n > f->n)
                states_resize(f, op->at + (int64_t)op->n);
        } else if (synced || (kept && d->way != STATES_TORN_512 && d->way != STATES_TORN_4096 &&
                              d->way != STATES_GARBLED)) {
            states_write(f, op, 0, (int64_t)op->n);
        } else if (kept) {
            states_tear(d, f, op, d->way == STATES_TORN_4096 ? 4096 : 512);
        }
        break;
    case REC_SYNC:
    case REC_SYNC_DIR:
    case REC_SYNC_ALL:
    case REC_MARK:
    default:
        break;
    }
}

static inline void states_save(states_disk *d, const char *to)
{
    char path[REC_PATH * 2];
    nftw(to, kit_remove_one, 16, FTW_DEPTH | FTW_PHYS);
    assert_int_equal(mkdir(to, 0755), 0);
    for (size_t depth = 0, more = 1; more > 0; depth++) { /* directories before what is in them */
        more = 0;
        for (int i = 0; i < d->n_names; i++) {
            const rec_name *name = &d->names[i];
            size_t n = 0;
            for (const char *p = name->path; *p; p++)
                n += *p == '/';
            more += n > depth;
            if (n != depth || !states_has_parent(d, name->path))
                continue;
            snprintf(path, sizeof path, "%s/%s", to, name->path);
            if (name->node < 0) {
                assert_int_equal(mkdir(path, 0755), 0);
                continue;
            }
            const states_file *f = &d->files[name->node];
            int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
            if (fd < 0 && errno == ENOENT)
                continue; /* its directory's own directory is gone */
            if (fd < 0 || write(fd, f->bytes, (size_t)f->n) != f->n)
                fail_msg("writing %s: %s", path, strerror(errno));
            close(fd);
        }
    }
}

/** `to` is removed first, if it is there. instant: the operations of the tape below it happened. */
static inline void states_make(const rec_tape *t, long instant, states_way way, states_rng *rng,
                               const char *to)
{
    states_disk d = {.way = way, .rng = rng};
    d.files = rec_need(calloc((size_t)t->n_nodes + 1, sizeof *d.files));
    for (int i = 0; i < t->n_nodes; i++)
        if (t->nodes[i].n > 0) {
            states_resize(&d.files[i], t->nodes[i].n);
            memcpy(d.files[i].bytes, t->nodes[i].bytes, (size_t)t->nodes[i].n);
        }
    for (int i = 0; i < t->n_first; i++) { /* nftw gave directories before what is in them */
        states_link(&d, t->first[i].path, t->first[i].node);
    }
    d.odds = 1 + (int)states_below(rng, 7);
    long oldest = instant;
    for (long i = instant; i > 0; i--)
        if (t->ops[i - 1].kind <= REC_TRUNCATE && t->ops[i - 1].durable >= instant)
            oldest = i - 1;
    d.pivot = oldest + states_below(rng, instant - oldest + 1);
    for (long i = 0; i < instant; i++) {
        const rec_op *op = &t->ops[i];
        bool synced = op->durable < instant;
        states_apply(&d, op, synced, synced || states_keeps(&d, op, i));
    }
    states_save(&d, to);
    for (int i = 0; i < t->n_nodes; i++)
        free(d.files[i].bytes);
    for (int i = 0; i < d.n_names; i++)
        free(d.names[i].path);
    free(d.files);
    free(d.names);
}

#endif
