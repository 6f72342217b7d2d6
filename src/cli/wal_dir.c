#include "cli/wal_dir.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/verbs.h"
#include "config/layers.h"

void arka_wal_dir_fini(arka_wal_dir *dir)
{
    arka_free(dir->path);
    arka_free(dir->segment);
}

static int find_by_settings(const char *config, const char *data, arka_wal_dir *out,
                            arka_error *err)
{
    arka_setting_option option = {ARKA_SETTING_data_dir, "--data", data};
    arka_setting_layers layers = {
        .file = config, .get = getenv, .options = &option, .n_options = data != NULL};
    arka_settings settings;
    arka_setting_source failed;
    int code = ARKA_EXIT_OK;
    if (arka_settings_load(&layers, &settings, &failed, err) != ARKA_OK)
        code = failed == ARKA_FROM_OPTION ? ARKA_EXIT_USAGE : ARKA_EXIT_CONFIG;
    else
        out->path = arka_strdup(settings.wal_dir);
    arka_settings_fini(&settings);
    return code;
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
    *out = (arka_wal_dir){NULL, NULL};
    int code =
        named != NULL ? find_named(named, out, err) : find_by_settings(config, data, out, err);
    return code == ARKA_EXIT_OK ? check(out, named != NULL, err) : code;
}
