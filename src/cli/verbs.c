#include "cli/verbs.h"

#include <string.h>

#include "cli/bench/bench.h"
#include "cli/config.h"

static int version_main(int argc, char **argv)
{
    puts("arc " ARC_VERSION);
    return ARKA_EXIT_OK;
}

static void version_help(FILE *out)
{
    fputs("arc version: print the version.\n\nUsage: arc version\n", out);
}

/* The bench's own main sees the verb's name as argv[0]. */
static int bench_main(int argc, char **argv)
{
    return arka_bench_main(argc + 1, argv - 1);
}

const arka_verb arka_verbs[] = {
    {"serve", "run the database server", arka_serve_main, arka_serve_help, arka_serve_option_list,
     NULL},
    {"query", "run SQL on a server and print the result", arka_query_main, arka_query_help,
     arka_query_option_list, NULL},
    {"write", "send line protocol from a file or standard input", arka_write_main, arka_write_help,
     arka_write_option_list, NULL},
    {"token", "make and manage tokens, beside a running server or without one", arka_token_main,
     arka_token_help, arka_token_option_list, arka_token_subverbs},
    {"wal", "look into the log", arka_wal_main, arka_wal_help, arka_wal_option_list,
     arka_wal_subverbs},
    {"repair", "set damaged parts of the log aside", arka_repair_main, arka_repair_help,
     arka_repair_option_list, NULL},
    {"config", "look at the settings of a server", arka_config_main, arka_config_help,
     arka_config_options, arka_config_subverbs},
    {"bench", "measure a server under load", bench_main, arka_bench_help, arka_bench_option_list,
     arka_bench_subverbs},
    {"completion", "print a script that completes 'arc' in a shell", arka_completion_main,
     arka_completion_help, NULL, arka_completion_subverbs},
    {"version", "print the version", version_main, version_help, NULL, NULL},
    {"help", "explain a verb, or 'settings'", arka_help_main, arka_help_help, NULL, NULL},
};
const int arka_n_verbs = sizeof arka_verbs / sizeof *arka_verbs;

const arka_verb *arka_verb_find(const char *name)
{
    for (int i = 0; i < arka_n_verbs; i++)
        if (strcmp(arka_verbs[i].name, name) == 0)
            return &arka_verbs[i];
    return NULL;
}

int arka_verb_options(const arka_verb *verb, int sub, arka_option out[ARKA_VERB_OPTIONS])
{
    return verb->options == NULL ? 0 : verb->options(sub, out);
}

/* ---- arc help ---- */

void arka_help_help(FILE *out)
{
    fputs("arc: a time-series database that keeps its tables as open Parquet.\n\n"
          "Usage: arc VERB [options]\n\n",
          out);
    for (int i = 0; i < arka_n_verbs; i++)
        fprintf(out, "  %-10s %s\n", arka_verbs[i].name, arka_verbs[i].text);
    fputs("\n'arc help VERB' explains one, 'arc help settings' lists what a server can be told,\n"
          "'arc help --man' prints the manual page.\n"
          "\n"
          "Exit codes: 0 done, 1 failed, 2 called wrongly, 3 damaged, 78 bad configuration.\n",
          out);
}

int arka_help_main(int argc, char **argv)
{
    if (argc == 0) {
        arka_help_help(stdout);
        return ARKA_EXIT_OK;
    }
    if (strcmp(argv[0], "settings") == 0) {
        arka_settings_help(stdout);
        return ARKA_EXIT_OK;
    }
    if (strcmp(argv[0], "--man") == 0) {
        arka_man_page(stdout);
        return ARKA_EXIT_OK;
    }
    const arka_verb *verb = arka_verb_find(argv[0]);
    if (verb == NULL)
        return -1; /* main.c says which one may be meant */
    verb->help(stdout);
    return ARKA_EXIT_OK;
}
