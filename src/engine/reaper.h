/**
 * The reaper: data files that no table has any more, removed from the disk as soon as no query
 * reads them. The manifest remembers their paths until then (`doomed`), so that a start removes
 * what a crash left. Private to engine/.
 */
#ifndef ARKA_ENGINE_REAPER_H
#define ARKA_ENGINE_REAPER_H

#include "engine/engine_priv.h"

typedef struct arka_reaper arka_reaper;

ARKA_MUST_USE arka_status arka_reaper_new(arka_engine *engine, arka_reaper **out, arka_error *err);
/** Files that are still there stay doomed. NULL is fine. */
void arka_reaper_free(arka_reaper *reaper);

/** Room for so many more. Any thread, as is add; additions are serialised by the caller. */
ARKA_MUST_USE arka_status arka_reaper_reserve(arka_reaper *reaper, size_t n, arka_error *err);
/** One for which there is room; takes a reference of its own. The manifest has it as doomed. */
void arka_reaper_add(arka_reaper *reaper, arka_data_file *file);

/**
 * Remove files that nobody reads any more, with the directories that are empty after them, and let
 * rows go that came to dropped tables. On the flusher's thread. What cannot be removed is tried
 * again later, and told once.
 */
void arka_reaper_run(arka_reaper *reaper);
/** At the start, before tables are read: what an earlier process was to remove. */
void arka_reaper_catch_up(arka_engine *engine);

#endif
