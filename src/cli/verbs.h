/**
 * The verbs of `arc`, as data: what runs them, what explains them, which options they have. The
 * help, the manual page and the completion of shells are made of it.
 *
 * Each verb takes what follows its name and returns the exit code: 0; 1 it failed; 2 it was called
 * wrongly; 3 what it looked at is damaged; 78 the configuration is bad. Its help goes to `out`.
 */
#ifndef ARKA_CLI_VERBS_H
#define ARKA_CLI_VERBS_H

#include <stdio.h>

#include "cli/args.h"

enum {
    ARKA_EXIT_OK = 0,
    ARKA_EXIT_FAILED = 1,
    ARKA_EXIT_USAGE = 2,
    ARKA_EXIT_DAMAGED = 3,
    ARKA_EXIT_CONFIG = 78
};

/** What may stand behind a verb's name. */
typedef struct arka_subverb {
    const char *name, *text;
} arka_subverb;

enum { ARKA_VERB_OPTIONS = 64 };

typedef struct arka_verb {
    const char *name, *text;
    int (*run)(int argc, char **argv);
    void (*help)(FILE *out);
    /* The options, to be shown: `text` and `flag` point nowhere. sub: which of the subverbs; -1:
     * all of them, once each. NULL: it has none. */
    int (*options)(int sub, arka_option out[ARKA_VERB_OPTIONS]);
    const arka_subverb *subverbs; /* a NULL name ends them; NULL: it has none */
} arka_verb;

extern const arka_verb arka_verbs[];
extern const int arka_n_verbs;

/** By its name; NULL: there is none. */
const arka_verb *arka_verb_find(const char *name);
/** Of sub -1: 0. */
int arka_verb_options(const arka_verb *verb, int sub, arka_option out[ARKA_VERB_OPTIONS]);

int arka_serve_main(int argc, char **argv);
void arka_serve_help(FILE *out);
int arka_serve_option_list(int sub, arka_option out[ARKA_VERB_OPTIONS]);
int arka_query_main(int argc, char **argv);
void arka_query_help(FILE *out);
int arka_query_option_list(int sub, arka_option out[ARKA_VERB_OPTIONS]);
int arka_write_main(int argc, char **argv);
void arka_write_help(FILE *out);
int arka_write_option_list(int sub, arka_option out[ARKA_VERB_OPTIONS]);
int arka_wal_main(int argc, char **argv);
void arka_wal_help(FILE *out);
int arka_wal_option_list(int sub, arka_option out[ARKA_VERB_OPTIONS]);
extern const arka_subverb arka_wal_subverbs[];
int arka_token_main(int argc, char **argv);
void arka_token_help(FILE *out);
int arka_token_option_list(int sub, arka_option out[ARKA_VERB_OPTIONS]);
extern const arka_subverb arka_token_subverbs[];
int arka_repair_main(int argc, char **argv);
void arka_repair_help(FILE *out);
int arka_repair_option_list(int sub, arka_option out[ARKA_VERB_OPTIONS]);
/* bench.h has the verb */
int arka_bench_option_list(int sub, arka_option out[ARKA_VERB_OPTIONS]);
extern const arka_subverb arka_bench_subverbs[];
int arka_completion_main(int argc, char **argv);
void arka_completion_help(FILE *out);
extern const arka_subverb arka_completion_subverbs[];
int arka_help_main(int argc, char **argv);
void arka_help_help(FILE *out);

/** `arc help settings`: every setting, to be read on a terminal. */
void arka_settings_help(FILE *out);
/** The manual page arc(1), in the language of man(7). */
void arka_man_page(FILE *out);
/** Append the words of a value that is written as "a|b|c"; false: it is not. */
bool arka_value_words(const char *value, char *out, size_t n);

#endif
