/**
 * The verbs of `arc`. Each takes what follows its name and returns the exit code: 0; 1 it failed; 2
 * it was called wrongly; 3 what it looked at is damaged; 78 the
 * configuration is bad. Its help goes to `out`.
 */
#ifndef ARKA_CLI_VERBS_H
#define ARKA_CLI_VERBS_H

#include <stdio.h>

enum {
    ARKA_EXIT_OK = 0,
    ARKA_EXIT_FAILED = 1,
    ARKA_EXIT_USAGE = 2,
    ARKA_EXIT_DAMAGED = 3,
    ARKA_EXIT_CONFIG = 78
};

int arka_serve_main(int argc, char **argv);
void arka_serve_help(FILE *out);
int arka_query_main(int argc, char **argv);
void arka_query_help(FILE *out);
int arka_write_main(int argc, char **argv);
void arka_write_help(FILE *out);
int arka_wal_main(int argc, char **argv);
void arka_wal_help(FILE *out);
int arka_repair_main(int argc, char **argv);
void arka_repair_help(FILE *out);

/** `arc help settings`: every setting, as a table in Markdown. */
void arka_settings_help(FILE *out);

#endif
