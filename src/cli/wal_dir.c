#include "cli/wal_dir.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/verbs.h"
#include "config/settings.h"

void arka_wal_dir_fini(arka_wal_dir *dir)
{
    arka_free(dir->path);
    arka_free(dir->segment);
}

static int find_by_settings(arka_settings *settings, const char *config, const char *data,
                            arka_wal_dir *out, arka_error *err)
{
    if (config == NULL)
        config = getenv("ARC_CONFIG_FILE");
    if (config != NULL && *config != 0 && arka_settings_read_file(settings, config, err) != ARKA_OK)
        return ARKA_EXIT_CONFIG;
    if (arka_settings_read_environment(settings, getenv, err) != ARKA_OK)
        return ARKA_EXIT_CONFIG;
    if (data != NULL && arka_settings_set(settings, ARKA_SETTING_data_dir, arka_slice_of(data),
                                          ARKA_FROM_OPTION, "option --data", err) != ARKA_OK)
        return ARKA_EXIT_USAGE;
    if (arka_settings_finish(settings, err) != ARKA_OK)
        return ARKA_EXIT_CONFIG;
    out->path = arka_strdup(settings->wal_dir);
    return ARKA_EXIT_OK;
}

static int find_named(const char *named, arka_wal_dir *out, arka_error *err)
{
    struct stat st;
    if (stat(named, &st) != 0) {
        arka_fail_sys(err, ARKA_IO, errno, "opening %s", named);
        return ARKA_EXIT_FAILED;
    }
    if (S_ISDIR(st.st_mode)) {
        out->path = arka_strdup(named);
        return ARKA_EXIT_OK;
    }
    const char *slash = strrchr(named, '/');
    out->segment = arka_strdup(slash == NULL ? named : slash + 1);
    out->path = slash == NULL ? arka_strdup(".") : arka_strndup(named, (size_t)(slash - named));
    return ARKA_EXIT_OK;
}

static int check(const arka_wal_dir *dir, bool named, arka_error *err)
{
    struct stat st;
    if (dir->path == NULL) {
        arka_fail_nomem(err, "a path", 0);
        return ARKA_EXIT_FAILED;
    }
    if (!named && stat(dir->path, &st) != 0) {
        arka_fail_sys(err, ARKA_IO, errno, "there is no log in %s", dir->path);
        return ARKA_EXIT_FAILED;
    }
    return ARKA_EXIT_OK;
}

int arka_wal_dir_find(const char *named, const char *config, const char *data, arka_wal_dir *out,
                      arka_error *err)
{
    arka_settings settings;
    int code = ARKA_EXIT_FAILED;
    *out = (arka_wal_dir){NULL, NULL};
    if (named != NULL) {
        code = find_named(named, out, err);
    } else if (arka_settings_init(&settings, err) == ARKA_OK) {
        code = find_by_settings(&settings, config, data, out, err);
        arka_settings_fini(&settings);
    }
    return code == ARKA_EXIT_OK ? check(out, named != NULL, err) : code;
}
