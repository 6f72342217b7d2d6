/**
 * A wall round this process, built of what the kernel has:
 *
 *   landlock         which files can be opened, which TCP ports bound and connected, whom signals
 * and abstract sockets reach; by inodes, so that no path or link leads round it seccomp calls that
 * a server never makes are answered with EPERM no new programs  no exec, no new process, no
 * privileges by set-uid, no memory that becomes code capabilities     none is kept but the one that
 * a low port needs
 *
 * All of it holds for the calling thread and the threads that it starts afterwards: call it before
 * any other thread is there. Nothing takes it back.
 *
 * Sources: landlock(7), the kernel's userspace-api/landlock.rst (ABI 1 to 7), seccomp(2),
 * capabilities(7), prctl(2).
 */
#ifndef ARKA_OS_SANDBOX_H
#define ARKA_OS_SANDBOX_H

#include "base/status.h"

typedef struct arka_sandbox_options {
    /* Directories that exist and are the program's own: everything below them, but no exec, no
     * links by name, no devices. */
    const char *const *own_dirs;
    int n_own_dirs;
    /* Files and directories to read; those that are missing stay closed. What every process needs
     * (libraries, time zones, names of hosts, /proc/self) is added. */
    const char *const *read_paths;
    int n_read_paths;
    int tcp_port;  /* the only one that can be bound; 0: any. None can be connected. */
    bool required; /* without Landlock for files: ARKA_FORBIDDEN */
} arka_sandbox_options;

typedef struct arka_sandbox_report {
    bool landlock, seccomp, no_new_privileges, capabilities;
    int landlock_abi; /* 0: the kernel has none */
    bool was_root;
    char on[384];  /* "landlock ABI 7 (files, TCP, devices, signals), seccomp (82 calls), …" */
    char off[384]; /* "signals: Landlock ABI 4, from 6 on; …"; empty: nothing is missing */
} arka_sandbox_report;

/**
 * Build as much of it as there is; `out` says what. What is missing is no failure but for
 * `required`. ARKA_IO: an own directory cannot be opened; ARKA_INPUT: it is the root of the file
 * system; nothing is restricted then. After ARKA_FORBIDDEN the process has to end.
 */
ARKA_MUST_USE arka_status arka_sandbox_apply(const arka_sandbox_options *options,
                                             arka_sandbox_report *out, arka_error *err);

/**
 * The directory of `path`, resolved, if it may be opened to the program as a whole: not when it
 * lies at the root, is the user's home or can be written by everyone, for then it holds more than
 * what belongs to `path`. False: `path` alone should be given.
 */
bool arka_sandbox_dir_of(const char *path, char *out, size_t n);

#endif
