#include "os/failpoint.h"

#include <stdlib.h>

#ifdef ARC_FAILPOINTS

#include <signal.h>
#include <stdatomic.h>
#include <string.h>

#include "base/slice.h"

const char *const arka_failpoint_names[] = {
#define X(name, text) #name,
#include "os/failpoints.def"
#undef X
    NULL,
};
enum { N_POINTS = sizeof arka_failpoint_names / sizeof *arka_failpoint_names - 1 };

typedef struct point {
    atomic_long left; /* passings until it strikes; 0: it does not */
    atomic_long passed;
    void (*at)(void *context); /* written before `left`, with release */
    void *context;
} point;

static point points[N_POINTS];

static int find(const char *name, size_t n)
{
    for (int i = 0; i < N_POINTS; i++)
        if (strlen(arka_failpoint_names[i]) == n && memcmp(arka_failpoint_names[i], name, n) == 0)
            return i;
    return -1;
}

static point *find_known(const char *name)
{
    int i = find(name, strlen(name));
    ARKA_CHECK(i >= 0, "'%s' is not in failpoints.def", name);
    return &points[i];
}

static void arm(point *p, long n, void (*at)(void *context), void *context)
{
    atomic_store(&p->left, 0);
    p->at = at;
    p->context = context;
    atomic_store_explicit(&p->left, n, memory_order_release); /* pairs with the acquire in _pass */
}

void arka_failpoint_set(const char *name, long n, void (*at)(void *context), void *context)
{
    arm(find_known(name), n, at, context);
}

long arka_failpoint_passed(const char *name)
{
    return atomic_load(&find_known(name)->passed);
}

void arka_failpoint_reset(void)
{
    for (int i = 0; i < N_POINTS; i++) {
        arm(&points[i], 0, NULL, NULL);
        atomic_store(&points[i].passed, 0);
    }
}

void arka_failpoint_pass(const char *name)
{
    point *p = find_known(name);
    atomic_fetch_add_explicit(&p->passed, 1, memory_order_relaxed);
    long left = atomic_load_explicit(&p->left, memory_order_acquire);
    do
        if (left == 0)
            return;
    while (!atomic_compare_exchange_weak_explicit(&p->left, &left, left - 1, memory_order_acquire,
                                                  memory_order_acquire));
    if (left != 1)
        return;
    if (p->at != NULL)
        p->at(p->context);
    else
        raise(SIGKILL);
}

/* "name" or "name:n" */
static arka_status arm_one(arka_slice item, arka_error *err)
{
    const char *colon = memchr(item.data, ':', item.len);
    size_t n_name = colon == NULL ? item.len : (size_t)(colon - item.data);
    int i = find(item.data, n_name);
    if (i < 0)
        return arka_fail(err, ARKA_INPUT, "ARC_FAILPOINT: there is no fail point '%.*s'",
                         (int)n_name, item.data);
    long n = 1;
    if (colon != NULL) {
        char *end;
        n = strtol(colon + 1, &end, 10); /* stops at ',' or the end of the variable */
        if (n < 1 || end != item.data + item.len)
            return arka_fail(err, ARKA_INPUT,
                             "ARC_FAILPOINT: found '%.*s', expected name:n with n from 1 on",
                             ARKA_FMT(item));
    }
    arm(&points[i], n, NULL, NULL);
    return ARKA_OK;
}

arka_status arka_failpoint_read_environment(arka_error *err)
{
    const char *at = getenv("ARC_FAILPOINT");
    while (at != NULL && *at != 0) {
        size_t n = strcspn(at, ",");
        ARKA_TRY(arm_one((arka_slice){at, n}, err));
        at += n + (at[n] == ',');
    }
    return ARKA_OK;
}

#else

arka_status arka_failpoint_read_environment(arka_error *err)
{
    if (getenv("ARC_FAILPOINT") != NULL)
        return arka_fail(err, ARKA_INPUT,
                         "ARC_FAILPOINT is set, but this build has no fail points (ARC_TESTS)");
    return ARKA_OK;
}

#endif
