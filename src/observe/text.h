/** Small texts that answers and log lines share. Any thread. */
#ifndef ARKA_OBSERVE_TEXT_H
#define ARKA_OBSERVE_TEXT_H

#include "base/buf.h"

/** The wall clock's time as a JSON string, "2026-01-05T10:00:00Z" or with six fraction digits. */
void arka_text_json_time(arka_buf *out, int64_t us);
/** "1h2m3s" */
void arka_text_duration(arka_buf *out, int64_t seconds);

enum { ARKA_UUID_SIZE = 37 };
/** A random (version 4) UUID, NUL-terminated. Fit for telling requests apart, not for secrets. */
void arka_text_uuid(char out[ARKA_UUID_SIZE]);

#endif
