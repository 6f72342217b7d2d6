/** The sandbox of `arc serve`: which of its settings name what the server may touch. */
#ifndef ARKA_CLI_WALL_H
#define ARKA_CLI_WALL_H

#include "config/settings.h"
#include "observe/log.h"

/**
 * Make the directories of the settings, then build the sandbox round this process as
 * server.sandbox asks, and log which of its layers are on. Before any thread is started.
 * config_file   the settings' file, which a reload reads again; NULL: none.
 * ARKA_FORBIDDEN: it is required, and this machine has none; ARKA_INPUT: a directory cannot be
 * left to the server; ARKA_IO: one cannot be made.
 */
ARKA_MUST_USE arka_status arka_wall_build(const arka_settings *settings, const char *config_file,
                                          const arka_log *log, arka_error *err);

#endif
