/* arc: the program. What it does is in its verbs. */
#include <stdio.h>
#include <string.h>

#include "cli/args.h"
#include "cli/bench.h"
#include "cli/verbs.h"

static int version_main(int argc, char **argv)
{
    puts("arc " ARC_VERSION);
    return ARKA_EXIT_OK;
}

static void version_help(FILE *out)
{
    fputs("arc version: print the version.\n", out);
}

/* The bench's own main sees the verb's name as argv[0]. */
static int bench_main(int argc, char **argv)
{
    return arka_bench_main(argc + 1, argv - 1);
}

static void bench_help(FILE *out)
{
    fflush(out);
    arka_bench_help();
}

static int help_main(int argc, char **argv);
static void help_help(FILE *out);

static const struct {
    const char *name, *text;
    int (*run)(int argc, char **argv);
    void (*help)(FILE *out);
} VERBS[] = {
    {"serve", "run the database server", arka_serve_main, arka_serve_help},
    {"query", "run SQL on a server and print the result", arka_query_main, arka_query_help},
    {"write", "send line protocol from a file or standard input", arka_write_main, arka_write_help},
    {"wal", "look into the log", arka_wal_main, arka_wal_help},
    {"repair", "set damaged parts of the log aside", arka_repair_main, arka_repair_help},
    {"bench", "measure a server under load", bench_main, bench_help},
    {"version", "print the version", version_main, version_help},
    {"help", "explain a verb, or 'settings'", help_main, help_help},
};
enum { N_VERBS = sizeof VERBS / sizeof *VERBS };

static void help_help(FILE *out)
{
    fputs("arc: a time-series database that keeps its tables as open Parquet.\n\n"
          "Usage: arc VERB [options]\n\n",
          out);
    for (int i = 0; i < N_VERBS; i++)
        fprintf(out, "  %-10s %s\n", VERBS[i].name, VERBS[i].text);
    fputs("\n'arc help VERB' explains one, 'arc help settings' lists what a server can be told.\n"
          "\n"
          "Exit codes: 0 done, 1 failed, 2 called wrongly, 3 damaged, 78 bad configuration.\n",
          out);
}

static int find_verb(const char *name)
{
    int i = 0;
    while (i < N_VERBS && strcmp(VERBS[i].name, name) != 0)
        i++;
    return i;
}

static int unknown_verb(const char *name)
{
    const char *names[N_VERBS];
    for (int i = 0; i < N_VERBS; i++)
        names[i] = VERBS[i].name;
    const char *near = arka_args_nearest(name, names, N_VERBS);
    fprintf(stderr, "arc: unknown verb '%s'%s%s%s; 'arc help' lists them\n", name,
            near ? " (did you mean " : "", near ? near : "", near ? "?)" : "");
    return ARKA_EXIT_USAGE;
}

static int help_main(int argc, char **argv)
{
    if (argc == 0) {
        help_help(stdout);
        return ARKA_EXIT_OK;
    }
    if (strcmp(argv[0], "settings") == 0) {
        arka_settings_help(stdout);
        return ARKA_EXIT_OK;
    }
    int verb = find_verb(argv[0]);
    if (verb == N_VERBS)
        return unknown_verb(argv[0]);
    VERBS[verb].help(stdout);
    return ARKA_EXIT_OK;
}

static bool asks_help(int argc, char **argv)
{
    for (int i = 0; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return true;
    return false;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        help_help(stderr);
        return ARKA_EXIT_USAGE;
    }
    if (strcmp(argv[1], "--version") == 0)
        return version_main(0, NULL);
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
        return help_main(0, NULL);
    int verb = find_verb(argv[1]);
    if (verb == N_VERBS)
        return unknown_verb(argv[1]);
    if (asks_help(argc - 2, argv + 2)) {
        VERBS[verb].help(stdout);
        return ARKA_EXIT_OK;
    }
    return VERBS[verb].run(argc - 2, argv + 2);
}
