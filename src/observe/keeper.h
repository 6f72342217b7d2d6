/**
 * What a log keeps: its last lines in a ring of bytes, how often each event came lately, counters.
 * Private to observe/. Any thread.
 */
#ifndef ARKA_OBSERVE_KEEPER_H
#define ARKA_OBSERVE_KEEPER_H

#include "observe/log.h"
#include "os/thread.h"

typedef struct arka_log_keeper arka_log_keeper;

ARKA_MUST_USE arka_status arka_log_keeper_new(size_t n_bytes, arka_log_keeper **out,
                                              arka_error *err);
void arka_log_keeper_free(arka_log_keeper *keeper); /* NULL is fine */

/**
 * May a line of that event (NULL: one that always may) be written now? *suppressed: how many of it
 * were not, in the second that has ended; they are to be told of first.
 */
bool arka_log_keeper_admit(arka_log_keeper *keeper, const char *event, arka_log_level level,
                           arka_mono now, int64_t *suppressed);
/** An event with lines left out in a second that has ended; false: none. It is forgotten by that.
 */
bool arka_log_keeper_settle(arka_log_keeper *keeper, arka_mono now, char event[64],
                            int64_t *suppressed);
/** Keep a line, in place of the oldest ones. One that is larger than the ring is not kept. */
void arka_log_keeper_put(arka_log_keeper *keeper, const arka_log_line *line);
void arka_log_keeper_note_lost(arka_log_keeper *keeper);
/** As arka_log_each. */
void arka_log_keeper_each(arka_log_keeper *keeper, arka_log_level least, int64_t since_us,
                          size_t max, void (*each)(void *context, const arka_log_line *line),
                          void *context);
void arka_log_keeper_stats(arka_log_keeper *keeper, arka_log_stats *out);

#endif
