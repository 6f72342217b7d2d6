/** All layers of settings at once, as a program finds them; and again, when it is told to. */
#ifndef ARKA_CONFIG_LAYERS_H
#define ARKA_CONFIG_LAYERS_H

#include "config/settings.h"

/** An option that was given on the command line. */
typedef struct arka_setting_option {
    arka_setting which;
    const char *name, *text; /* "--port", "8000" */
} arka_setting_option;

typedef struct arka_setting_layers {
    const char *file;               /* NULL: as arka_setting_file finds it */
    char *(*get)(const char *name); /* getenv, or a test's */
    char *const *environ;           /* NULL: nobody looks for slips in it */
    const arka_setting_option *options;
    size_t n_options;
} arka_setting_layers;

/**
 * The configuration file: `named` (an option's text); else what ARC_CONFIG_FILE names; else
 * "arc.conf" if the working directory has one. NULL: there is none.
 */
const char *arka_setting_file(const char *named, char *(*get)(const char *name));

/**
 * Initialise *out and fill it from all layers, and finish it. After a failure *failed (may be NULL)
 * says which layer had the first fault, *out->notes has all that could be found, and *out is fit
 * for arka_settings_fini only.
 */
ARKA_MUST_USE arka_status arka_settings_load(const arka_setting_layers *layers, arka_settings *out,
                                             arka_setting_source *failed, arka_error *err);

/** What loading again would change. */
typedef struct arka_setting_changes {
    bool now[ARKA_N_SETTINGS];   /* live ones: the new value is in force */
    bool later[ARKA_N_SETTINGS]; /* others: the old value is, until a restart */
    int n_now, n_later;
} arka_setting_changes;

/**
 * Load into *out, and put the values of `old` back where they are not live. Values that were found
 * for want of any (defaults, on both sides) count as equal. After a failure *out is as
 * arka_settings_load leaves it; otherwise it depends on nothing of `old`.
 */
ARKA_MUST_USE arka_status arka_settings_reload(const arka_setting_layers *layers,
                                               const arka_settings *old, arka_settings *out,
                                               arka_setting_changes *changes, arka_error *err);

#endif
