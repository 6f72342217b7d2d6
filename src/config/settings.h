/**
 * Settings: the list of settings.def, filled from defaults, then a file, then the environment, then
 * options of the command line; the later wins. Not thread-safe while they are filled; after
 * arka_settings_finish nobody changes them, and any thread may read.
 *
 * A bad value is ARKA_INPUT with a sentence that names the setting, where the value came from, what
 * was found and what is expected. A layer goes on after a fault, and notes each.
 */
#ifndef ARKA_CONFIG_SETTINGS_H
#define ARKA_CONFIG_SETTINGS_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/vec.h"

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
    ARKA_KIND_MINUTES,
    ARKA_N_KINDS
} arka_setting_kind;

typedef const char *arka_setting_TEXT;
typedef const char *arka_setting_LIST; /* parted by commas, without blanks round them */
typedef int64_t arka_setting_INT;
typedef bool arka_setting_BOOL;
typedef int64_t arka_setting_SIZE;    /* bytes */
typedef int64_t arka_setting_MIB;     /* MiB; "1GB" in text is 1024 */
typedef int64_t arka_setting_SECONDS; /* "1h30m" in text is 5400 */
typedef int64_t arka_setting_MS;      /* milliseconds */
typedef int64_t arka_setting_MINUTES; /* minutes */

/* What a setting is, beside its kind. */
enum {
    ARKA_LIVE = 1,   /* a reload takes it over at once, see config/layers.h */
    ARKA_SECRET = 2, /* never shown, never in a sentence */
};

typedef enum arka_setting_source {
    ARKA_FROM_DEFAULT,
    ARKA_FROM_FILE,
    ARKA_FROM_ENVIRONMENT,
    ARKA_FROM_OPTION,
} arka_setting_source;

/** Something to tell whoever wrote the configuration. */
typedef struct arka_setting_note {
    bool fault;       /* it cannot be used; else a warning: a key that is of no use */
    const char *text; /* a sentence */
} arka_setting_note;

typedef struct arka_settings {
#define X(field, kind, key, standard, min, max, traits, env, option, help)                         \
    arka_setting_##kind field;
#include "config/settings.def"
#undef X
    arka_setting_source source[ARKA_N_SETTINGS];
    const char *where[ARKA_N_SETTINGS]; /* "default", "arc.conf:3:8", "option --port" … */
    const char *file;                   /* that was read; NULL: none */
    ARKA_VEC(arka_setting_note) notes;
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

/**
 * One setting from text; `where` as it shall stand in the sentence ("option --port"). A failure
 * leaves the setting as it was, and is not noted.
 */
ARKA_MUST_USE arka_status arka_settings_set(arka_settings *settings, arka_setting which,
                                            arka_slice text, arka_setting_source source,
                                            const char *where, arka_error *err);
/** The setting of an option such as "--port"; ARKA_N_SETTINGS when there is none. */
arka_setting arka_setting_of_option(const char *option);
/** The setting of a key such as "server.port"; ARKA_N_SETTINGS when there is none. */
arka_setting arka_setting_of_key(arka_slice key);

/**
 * A configuration file in TOML. Every fault names file, line and column and is noted; the first is
 * the error: a key that nobody knows, a value of another type or out of range, a setting that comes
 * twice under different names. ARKA_IO, ARKA_NOTFOUND: not readable.
 */
ARKA_MUST_USE arka_status arka_settings_read_file(arka_settings *settings, const char *path,
                                                  arka_error *err);
/** The same from a file's text; `path` for the sentences. */
ARKA_MUST_USE arka_status arka_settings_read_text(arka_settings *settings, arka_slice text,
                                                  const char *path, arka_error *err);
/**
 * `get` is getenv, or a test's. A variable that is set but empty counts as absent. Names, the first
 * that is set counts: ARC_ and the key in capitals with _ for dots; the names of settings.def;
 * those of the aliases.
 */
ARKA_MUST_USE arka_status arka_settings_read_environment(arka_settings *settings,
                                                         char *(*get)(const char *name),
                                                         arka_error *err);
/**
 * Note, as warnings, the variables of `environ` that look like settings of ours (their name begins
 * as one's does) and are none.
 */
void arka_settings_check_environment(arka_settings *settings, char *const *environ);
/**
 * What no single value shows: words from a list, a usable default database, parts of memory that
 * fit together. Fills the paths and sizes that were left open. Call once, after all layers. Every
 * fault is noted, the first is the error.
 */
ARKA_MUST_USE arka_status arka_settings_finish(arka_settings *settings, arka_error *err);

/** Append the value as text, in the key's unit; of a secret that is set "***". */
void arka_settings_show(const arka_settings *settings, arka_setting which, arka_buf *out);

enum { ARKA_SETTING_ENV = 96 };
/** "query.timeout" is "ARC_QUERY_TIMEOUT". */
void arka_setting_env_name(const char *key, char out[ARKA_SETTING_ENV]);
/** "whole number", "size in MiB", …: what a value of the kind is, without an article. */
const char *arka_setting_kind_name(arka_setting_kind kind);

/** Another name of a setting; a bare number is in the unit of `kind`. */
typedef struct arka_setting_alias {
    const char *key;
    arka_setting which;
    arka_setting_kind kind;
    bool over; /* it counts where both names are given */
} arka_setting_alias;
extern const arka_setting_alias arka_setting_aliases[];
extern const int arka_n_setting_aliases;

/** A key that is accepted for nothing; "a.*" is every key below a. */
typedef struct arka_setting_ignored {
    const char *key, *env, *why;
} arka_setting_ignored;
extern const arka_setting_ignored arka_settings_ignored[];
extern const int arka_n_settings_ignored;

#endif
