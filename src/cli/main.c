/* arc: the program. What it does is in its verbs. */
#include <stdio.h>
#include <string.h>

#include "cli/verbs.h"

static int unknown_verb(const char *name)
{
    const char *names[64];
    for (int i = 0; i < arka_n_verbs; i++)
        names[i] = arka_verbs[i].name;
    const char *near = arka_args_nearest(name, names, arka_n_verbs);
    fprintf(stderr, "arc: unknown verb '%s'%s%s%s; 'arc help' lists them\n", name,
            near ? " (did you mean " : "", near ? near : "", near ? "?)" : "");
    return ARKA_EXIT_USAGE;
}

static int help_main(int argc, char **argv)
{
    int code = arka_help_main(argc, argv);
    return code < 0 ? unknown_verb(argv[0]) : code;
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
        arka_help_help(stderr);
        return ARKA_EXIT_USAGE;
    }
    if (strcmp(argv[1], "--version") == 0)
        return arka_verb_find("version")->run(0, NULL);
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
        return help_main(0, NULL);
    const arka_verb *verb = arka_verb_find(argv[1]);
    if (verb == NULL)
        return unknown_verb(argv[1]);
    if (asks_help(argc - 2, argv + 2)) {
        verb->help(stdout);
        return ARKA_EXIT_OK;
    }
    return strcmp(verb->name, "help") == 0 ? help_main(argc - 2, argv + 2)
                                           : verb->run(argc - 2, argv + 2);
}
