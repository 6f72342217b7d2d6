#include "os/memfile.h"

#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

arka_status arka_memfile_new(const char *name, int *out_fd, char path[ARKA_MEMFILE_PATH],
                             arka_error *err)
{
    int fd = memfd_create(name, MFD_CLOEXEC);
    if (fd < 0)
        return arka_fail_sys(err, ARKA_IO, errno, "making a file in memory for %s", name);
    snprintf(path, ARKA_MEMFILE_PATH, "/proc/self/fd/%d", fd);
    *out_fd = fd;
    return ARKA_OK;
}

void arka_memfile_close(int fd)
{
    if (fd >= 0)
        close(fd);
}
