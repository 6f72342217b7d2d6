/**
 * Settings: the list of settings.def, filled from defaults, then a file, then the environment, then
 * options of the command line; the later wins. Not thread-safe; a server only reads them.
 *
 * A bad value is ARKA_INPUT with a sentence that names the setting, where the value came from, what
 * was found and what is expected.
 */
#ifndef ARKA_CONFIG_SETTINGS_H
#define ARKA_CONFIG_SETTINGS_H

#include "base/arena.h"
#include "base/buf.h"

typedef enum arka_setting {
#define X(field, kind, key, standard, min, max, traits, env, option, help) ARKA_SETTING_##field,
#include "config/settings.def"
#undef X
    ARKA_N_SETTINGS
} arka_setting;

typedef enum arka_setting_kind {
    ARKA_KIND_TEXT,
    ARKA_KIND_LIST,
    ARKA_KIND_INT,
    ARKA_KIND_BOOL,
    ARKA_KIND_SIZE,
    ARKA_KIND_MIB,
    ARKA_KIND_SECONDS,
    ARKA_KIND_MS,
} arka_setting_kind;

typedef const char *arka_setting_TEXT;
typedef const char *arka_setting_LIST; /* parted by commas, without blanks round them */
typedef int64_t arka_setting_INT;
typedef bool arka_setting_BOOL;
typedef int64_t arka_setting_SIZE;    /* bytes */
typedef int64_t arka_setting_MIB;     /* MiB; "1GB" in text is 1024 */
typedef int64_t arka_setting_SECONDS; /* "1h30m" in text is 5400 */
typedef int64_t arka_setting_MS;      /* milliseconds */

/* What a setting is, beside its kind. */
enum {
    ARKA_LIVE = 1,   /* a reload takes it over at once, see config/reload.h */
    ARKA_SECRET = 2, /* never shown, never in a sentence */
};

typedef enum arka_setting_source {
    ARKA_FROM_DEFAULT,
    ARKA_FROM_FILE,
    ARKA_FROM_ENVIRONMENT,
    ARKA_FROM_OPTION,
} arka_setting_source;

typedef struct arka_settings {
#define X(field, kind, key, standard, min, max, traits, env, option, help) arka_setting_##kind field;
#include "config/settings.def"
#undef X
    arka_setting_source source[ARKA_N_SETTINGS];
    arka_arena arena; /* texts */
} arka_settings;

typedef struct arka_setting_info {
    const char *key, *standard, *env, *option, *help;
    arka_setting_kind kind;
    int64_t min, max; /* numbers, in the key's unit; both 0: no limit */
    int traits;
} arka_setting_info;
/** ARKA_N_SETTINGS entries. */
extern const arka_setting_info arka_setting_infos[];

/** Every setting at its default. */
ARKA_MUST_USE arka_status arka_settings_init(arka_settings *settings, arka_error *err);
void arka_settings_fini(arka_settings *settings);

/** One setting from text; `where` as it shall stand in the sentence ("option --port"). */
ARKA_MUST_USE arka_status arka_settings_set(arka_settings *settings, arka_setting which,
                                            arka_slice text, arka_setting_source source,
                                            const char *where, arka_error *err);
/** The setting of an option such as "--port"; ARKA_N_SETTINGS when there is none. */
arka_setting arka_setting_of_option(const char *option);
/**
 * A configuration file (the part of TOML of toml.h). Every fault names file and line: a key that
 * nobody knows, a value of another type or out of range. ARKA_IO, ARKA_NOTFOUND: not readable.
 */
ARKA_MUST_USE arka_status arka_settings_read_file(arka_settings *settings, const char *path,
                                                  arka_error *err);
/** `get` is getenv, or a test's. A variable that is set but empty counts as absent. */
ARKA_MUST_USE arka_status arka_settings_read_environment(arka_settings *settings,
                                                         char *(*get)(const char *name),
                                                         arka_error *err);
/**
 * What no single value shows: words from a list, a usable default database, tokens asked for, parts
 * of memory that fit together. Fills the paths and sizes that were left open. Call once, after all
 * layers.
 */
ARKA_MUST_USE arka_status arka_settings_finish(arka_settings *settings, arka_error *err);

/** Append the value as text. */
void arka_settings_show(const arka_settings *settings, arka_setting which, arka_buf *out);

#endif
