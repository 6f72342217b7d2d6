/**
 * The unit tests' kit: cmocka, with tests that register themselves.
 *
 *     TEST(replay_stops_at_torn_tail) { assert_int_equal(f(), 3); }
 *
 * One executable per file; names given as arguments run only the tests whose name contains one.
 */
#ifndef TESTS_KIT_H
#define TESTS_KIT_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/status.h"

void kit_register(const char *name, void (*run)(void **state));

#define TEST(name)                                                                                 \
    static void name(void **kit_state);                                                            \
    __attribute__((constructor)) static void kit_register_##name(void)                             \
    {                                                                                              \
        kit_register(#name, name);                                                                 \
    }                                                                                              \
    static void name(void **kit_state __attribute__((unused)))

/** The call must succeed; prints the error's sentence if it does not. Needs `arka_error err` in
 * scope. */
#define ASSERT_OK(call)                                                                            \
    do {                                                                                           \
        if ((call) != ARKA_OK)                                                                     \
            fail_msg("%s: %s", #call, err.msg);                                                    \
    } while (0)

/** The call must fail with `code`, and its sentence must contain `text`. */
#define ASSERT_FAILS(call, status, text)                                                           \
    do {                                                                                           \
        memset(&err, 0, sizeof err);                                                               \
        arka_status kit_got = (call);                                                              \
        if (kit_got != (status))                                                                   \
            fail_msg("%s: status %d, expected %d (%s)", #call, kit_got, status, err.msg);          \
        if (strstr(err.msg, text) == NULL)                                                         \
            fail_msg("%s: says \"%s\", expected to contain \"%s\"", #call, err.msg, text);         \
        memset(&err, 0, sizeof err);                                                               \
    } while (0)

/** Repeatable randomness; the seed is printed once (ARKA_SEED sets it). */
uint64_t kit_random(void);

/**
 * Make the n-th allocation from now on fail (1: the next one), and all after it when `for_good`.
 * A sweep over n = 1, 2, 3 … ends with the first n at which the operation succeeds. 0: none fails.
 */
void kit_fail_allocation(long n, bool for_good);
/** Has an allocation failed since the last kit_fail_allocation with an n? */
bool kit_allocation_failed(void);

/** A directory of this test process, emptied and removed at exit. */
const char *kit_tmpdir(void);

#endif
