/** The options that are settings, for the verbs that read a server's configuration. */
#ifndef ARKA_CLI_SETTINGS_OPTIONS_H
#define ARKA_CLI_SETTINGS_OPTIONS_H

#include "cli/args.h"
#include "config/layers.h"

enum { ARKA_MAX_SETTINGS_OPTIONS = 32 };

/** Points into itself: stays where it was initialised. */
typedef struct arka_settings_options {
    arka_option options[ARKA_MAX_SETTINGS_OPTIONS]; /* --config first, then those of settings.def */
    const char *texts[ARKA_MAX_SETTINGS_OPTIONS];   /* what was given; NULL: it was not */
    arka_setting which[ARKA_MAX_SETTINGS_OPTIONS];
    arka_setting_option given[ARKA_MAX_SETTINGS_OPTIONS];
    int n;
} arka_settings_options;

/** A verb may add options of its own behind them, counting `n` on. */
void arka_settings_options_init(arka_settings_options *options);
/** After they were parsed: all layers. Borrows from `options`, which borrow from argv. */
arka_setting_layers arka_settings_options_layers(arka_settings_options *options);

#endif
