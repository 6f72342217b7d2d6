/**
 * Fail points: named places (failpoints.def) at which a test makes the process die, or looks
 * around. They exist in builds with ARC_FAILPOINTS, which those with tests are; elsewhere they are
 * nothing.
 *
 *     ARKA_FAILPOINT("wal_sync_before");
 *
 *     ARC_FAILPOINT=wal_sync_before:3,flush_renamed arc serve …
 *
 * The third time that the log is about to be synced, or the first time that files of a flush have
 * been renamed, the process gets SIGKILL: nothing is flushed, no handler runs. Any thread.
 */
#ifndef ARKA_OS_FAILPOINT_H
#define ARKA_OS_FAILPOINT_H

#include "base/status.h"

/**
 * Arm what ARC_FAILPOINT in the environment asks for; once, before other threads run. ARKA_INPUT:
 * an unknown name or a number that is none, or, in a build without fail points, that it is set.
 */
ARKA_MUST_USE arka_status arka_failpoint_read_environment(arka_error *err);

#ifdef ARC_FAILPOINTS
#define ARKA_FAILPOINT(name) arka_failpoint_pass(name)

/**
 * The n-th passing from now on (1: the next) calls `at`, once; NULL: kills the process. n 0:
 * nothing happens there any more. The name is one of failpoints.def.
 */
void arka_failpoint_set(const char *name, long n, void (*at)(void *context), void *context);
/** How often it was passed since the start of the process, or since arka_failpoint_reset. */
long arka_failpoint_passed(const char *name);
/** All of them as at the start. */
void arka_failpoint_reset(void);
/** The names, and NULL behind the last. */
extern const char *const arka_failpoint_names[];

/* private: what ARKA_FAILPOINT calls */
void arka_failpoint_pass(const char *name);
#else
#define ARKA_FAILPOINT(name) ((void)0)
#endif

#endif
