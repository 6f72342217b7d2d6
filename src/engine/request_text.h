/**
 * The text in which the log keeps requests that had an idempotency key, a line each:
 *
 *     <lsn> TAB <database> TAB <key> TAB <answer> LF
 *
 * The LSN is decimal, from 1, without leading zeros. Bytes below 0x20, 0x7f, the backslash and what
 * is no UTF-8 are \xhh (lower case), so that the text may stand where Arrow wants a string. Private
 * to engine/; docs/formats/wal.md.
 */
#ifndef ARKA_ENGINE_REQUEST_TEXT_H
#define ARKA_ENGINE_REQUEST_TEXT_H

#include "base/buf.h"
#include "engine/engine.h"

enum {
    ARKA_MAX_REQUEST_DATABASE = 255, /* no file system has longer names of directories */
    ARKA_MAX_ANSWER = 1024,          /* bytes that are remembered of an answer */
};

typedef struct arka_request_line {
    uint64_t lsn;
    arka_slice database, key, answer; /* of the memory below */
    char text[ARKA_MAX_REQUEST_DATABASE + ARKA_MAX_KEY + ARKA_MAX_ANSWER];
} arka_request_line;

/** As much of the answer as is remembered: up to ARKA_MAX_ANSWER bytes, no character cut in two. */
arka_slice arka_request_answer_cut(arka_slice answer);

/** Bytes that the line has at most: every byte of the texts escaped. */
size_t arka_request_line_room(arka_slice database, arka_slice key, arka_slice answer);
/** Append the line; the answer is cut. */
void arka_request_line_write(arka_buf *out, arka_slice database, arka_slice key, uint64_t lsn,
                             arka_slice answer);
/**
 * The line that `*text` begins with, which then begins behind it. ARKA_CORRUPT: it is not what
 * arka_request_line_write writes.
 */
ARKA_MUST_USE arka_status arka_request_line_read(arka_slice *text, arka_request_line *out,
                                                 arka_error *err);

#endif
