/** Settings as text for people and programs: what there is, and what is in force. */
#ifndef ARKA_CONFIG_REFERENCE_H
#define ARKA_CONFIG_REFERENCE_H

#include "config/settings.h"

/** All of them for a terminal, a few lines each. */
void arka_settings_put_list(arka_buf *out);
/** All of them, the other names and the keys of no use: tables in Markdown. */
void arka_settings_put_reference(arka_buf *out);
/** The same as one JSON object: {"settings":[…],"aliases":[…],"ignored":[…]}. */
void arka_settings_put_reference_json(arka_buf *out);

/** The values, as TOML with where each came from behind it. Secrets are masked, and commented out.
 */
void arka_settings_put_values(const arka_settings *settings, arka_buf *out);
/** {"file":…,"settings":[{"key","value","source","where"},…],"warnings":[…]} */
void arka_settings_put_values_json(const arka_settings *settings, arka_buf *out);

#endif
