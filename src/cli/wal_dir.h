/** Which log a verb is about: a directory or a file that was named, or the server's of the
 * settings.
 */
#ifndef ARKA_CLI_WAL_DIR_H
#define ARKA_CLI_WAL_DIR_H

#include "base/status.h"

typedef struct arka_wal_dir {
    char *path;
    char *segment; /* name of the one that was asked for; NULL: all */
} arka_wal_dir;

/** Each argument may be NULL. The exit code; *out must be given back in any case. */
int arka_wal_dir_find(const char *named, const char *config, const char *data, arka_wal_dir *out,
                      arka_error *err);
void arka_wal_dir_fini(arka_wal_dir *dir);

#endif
