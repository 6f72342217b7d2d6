/** The layers of sandbox.h; for its files only. */
#ifndef ARKA_OS_SANDBOX_PRIV_H
#define ARKA_OS_SANDBOX_PRIV_H

#include "os/sandbox.h"

/** Append to one of the report's texts, parted by `comma`; what does not fit is cut. */
void arka_sandbox__note(char text[384], const char *comma, const char *format, ...)
    ARKA_PRINTF(3, 4);

/** The rules, without restricting yet: *out_fd, or -1 when the kernel has no Landlock. */
ARKA_MUST_USE arka_status arka_landlock__rules(const arka_sandbox_options *options,
                                               arka_sandbox_report *out, int *out_fd,
                                               arka_error *err);
/** Closes `fd`. Needs no_new_privs. */
void arka_landlock__restrict(int fd, arka_sandbox_report *out);

/** Needs no_new_privs. */
void arka_seccomp__apply(arka_sandbox_report *out);

#endif
