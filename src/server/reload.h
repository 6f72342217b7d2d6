/** Versions of the settings of a running server. Private to server/. */
#ifndef ARKA_SERVER_RELOAD_H
#define ARKA_SERVER_RELOAD_H

#include "config/settings.h"

/**
 * Settings that a reload has made. Readers have taken a pointer to a version from the server and
 * may use it for as long as they like, so all of them stay until the server is gone; a reload that
 * changes nothing makes none.
 */
typedef struct arka_settings_version {
    arka_settings settings;
    struct arka_settings_version *older;
} arka_settings_version;

/** Nobody may read settings any more. NULL is fine. */
void arka_settings_versions_free(arka_settings_version *newest);

#endif
