#include "cli/settings_options.h"

#include <stdlib.h>
#include <unistd.h>

void arka_settings_options_init(arka_settings_options *o)
{
    static const char *const VALUES[ARKA_N_KINDS] = {
        [ARKA_KIND_TEXT] = "TEXT",
        [ARKA_KIND_LIST] = "A,B",
        [ARKA_KIND_INT] = "N",
        [ARKA_KIND_BOOL] = "true|false",
        [ARKA_KIND_SIZE] = "SIZE",
        [ARKA_KIND_MIB] = "SIZE",
        [ARKA_KIND_SECONDS] = "DURATION",
        [ARKA_KIND_MS] = "DURATION",
        [ARKA_KIND_MINUTES] = "DURATION",
    };
    *o = (arka_settings_options){0};
    o->options[o->n++] = (arka_option){
        .name = "--config",
        .value = "FILE",
        .help = "read settings from a TOML file (or ARC_CONFIG_FILE, or arc.conf here)",
        .text = &o->texts[0],
    };
    for (int i = 0; i < ARKA_N_SETTINGS; i++) {
        const arka_setting_info *info = &arka_setting_infos[i];
        if (*info->option == 0)
            continue;
        ARKA_CHECK(o->n < ARKA_MAX_SETTINGS_OPTIONS / 2, "more options than there is room for");
        o->which[o->n] = (arka_setting)i;
        o->options[o->n] = (arka_option){
            .name = info->option,
            .value = VALUES[info->kind],
            .help = info->help,
            .text = &o->texts[o->n],
        };
        o->n++;
    }
}

arka_setting_layers arka_settings_options_layers(arka_settings_options *o)
{
    arka_setting_layers layers = {
        .file = o->texts[0], .get = getenv, .environ = environ, .options = o->given};
    for (int i = 1; i < o->n; i++)
        if (o->options[i].text == &o->texts[i] && o->texts[i] != NULL)
            o->given[layers.n_options++] =
                (arka_setting_option){o->which[i], o->options[i].name, o->texts[i]};
    return layers;
}
