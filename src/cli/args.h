/** Options of the verbs: one table for parsing and for the help. */
#ifndef ARKA_CLI_ARGS_H
#define ARKA_CLI_ARGS_H

#include <stdio.h>

#include "base/status.h"

typedef struct arka_option {
    const char *name;  /* "--url" */
    const char *value; /* what it takes, "URL"; NULL: nothing, it is a flag */
    const char *help;
    const char **text; /* where the value goes, borrowed from argv */
    bool *flag;
} arka_option;

/**
 * argv: what follows the verb. "--name value" and "--name=value"; "--" ends the options; the rest
 * are positional, at most max_positional. ARKA_INPUT names what is wrong, and what may be meant.
 */
ARKA_MUST_USE arka_status arka_args_parse(const arka_option *options, int n_options, int argc,
                                          char **argv, const char **positional, int max_positional,
                                          int *n_positional, arka_error *err);
/** One line an option. */
void arka_args_help(const arka_option *options, int n_options, FILE *out);

/** The word of `words` (n of them) that `word` is a slip of, or NULL. */
const char *arka_args_nearest(const char *word, const char *const *words, int n);

#endif
