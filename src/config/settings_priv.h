/** Shared by the files that fill settings. */
#ifndef ARKA_CONFIG_SETTINGS_PRIV_H
#define ARKA_CONFIG_SETTINGS_PRIV_H

#include "config/settings.h"

/** Where the value of `which` lives. */
void *arka_settings__value(arka_settings *settings, arka_setting which);
/** arka_settings_set, but a bare number is in the unit of `bare`. */
ARKA_MUST_USE arka_status arka_settings__set(arka_settings *settings, arka_setting which,
                                             arka_setting_kind bare, arka_slice text,
                                             arka_setting_source source, const char *where,
                                             arka_error *err);
/** Note a fault, whose sentence is in `fault`, and make it `err` if that is empty. */
void arka_settings__fault(arka_settings *settings, const arka_error *fault, arka_error *err);
/** Note a warning. */
void arka_settings__warn(arka_settings *settings, const char *format, ...) ARKA_PRINTF(2, 3);

#endif
