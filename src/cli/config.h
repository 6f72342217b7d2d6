/** arc config: what a server would be told. The verb, as cli/verbs.h wants it. */
#ifndef ARKA_CLI_CONFIG_H
#define ARKA_CLI_CONFIG_H

#include "cli/verbs.h"

int arka_config_main(int argc, char **argv);
void arka_config_help(FILE *out);
int arka_config_options(int sub, arka_option out[ARKA_VERB_OPTIONS]);
extern const arka_subverb arka_config_subverbs[];

#endif
