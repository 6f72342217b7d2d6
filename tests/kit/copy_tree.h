/** A copy of a directory as it is at this instant: what a crash would leave. */
#ifndef TESTS_KIT_COPY_TREE_H
#define TESTS_KIT_COPY_TREE_H

#include <fcntl.h>
#include <ftw.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kit/kit.h"

static size_t kit_copy_skip;
static const char *kit_copy_to;

static int kit_copy_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    (void)ftw;
    char to[1024];
    snprintf(to, sizeof to, "%s%s", kit_copy_to, path + kit_copy_skip);
    if (kind == FTW_D)
        return mkdir(to, 0755);
    int in = open(path, O_RDONLY), out = open(to, O_WRONLY | O_CREAT | O_EXCL, 0644);
    ssize_t n = 0;
    for (off_t left = st->st_size; left > 0 && n >= 0; left -= n)
        if ((n = sendfile(out, in, NULL, (size_t)left)) == 0)
            break;
    close(in);
    close(out);
    return n < 0;
}

static int kit_remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    (void)st, (void)kind, (void)ftw;
    return remove(path);
}

/** `to` is removed first, if it is there. */
static inline void kit_copy_tree(const char *from, const char *to)
{
    nftw(to, kit_remove_one, 16, FTW_DEPTH | FTW_PHYS);
    kit_copy_skip = strlen(from);
    kit_copy_to = to;
    assert_int_equal(nftw(from, kit_copy_one, 16, FTW_PHYS), 0);
}

#endif
