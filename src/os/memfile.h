/** A file that lives in memory and that this process can open by a path, as any other. */
#ifndef ARKA_OS_MEMFILE_H
#define ARKA_OS_MEMFILE_H

#include "base/status.h"

enum { ARKA_MEMFILE_PATH = 32 };

/** Empty at first; gone when *out_fd is closed. `name` is for people who look at /proc. */
ARKA_MUST_USE arka_status arka_memfile_new(const char *name, int *out_fd,
                                           char path[ARKA_MEMFILE_PATH], arka_error *err);
/** fd -1 is fine. */
void arka_memfile_close(int fd);

#endif
