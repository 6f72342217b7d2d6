/** The reader's place in a text, for the files that read it. */
#ifndef ARKA_CONFIG_TOML_PRIV_H
#define ARKA_CONFIG_TOML_PRIV_H

#include "base/buf.h"
#include "config/toml.h"

typedef struct arka_toml_place {
    const char *at, *end;
    const char *file;
    arka_arena *arena;
    int line;               /* of `at`, from 1 */
    const char *line_start; /* where that begins */
    /* a place on this line whose column is known, so that a long line is counted once */
    const char *column_at;
    int column;
} arka_toml_place;

/** The character at p->at + offset, or 0 at the text's end (there is no NUL in a text). */
static inline char arka_toml__peek(const arka_toml_place *p, size_t offset)
{
    return offset < (size_t)(p->end - p->at) ? p->at[offset] : 0;
}
/** Is a line's end (or the text's) at p->at? */
static inline bool arka_toml__at_line_end(const arka_toml_place *p)
{
    return p->at == p->end || *p->at == '\n' || (*p->at == '\r' && arka_toml__peek(p, 1) == '\n');
}
/** Past a line's end, which is at p->at; at the text's end nothing. */
void arka_toml__next_line(arka_toml_place *p);
/** The column of p->at. */
int arka_toml__column(arka_toml_place *p);

/** ARKA_INPUT with file, line and column of p->at before the sentence. */
arka_status arka_toml__refuse(arka_toml_place *p, arka_error *err, const char *format, ...)
    ARKA_PRINTF(3, 4);
/** … whose sentence is "found X, expected ‹expected›". */
arka_status arka_toml__unexpected(arka_toml_place *p, arka_error *err, const char *expected);

/** A string at p->at, which is a quote; `lines`: one of several lines ("""…""") is fine. */
ARKA_MUST_USE arka_status arka_toml__string(arka_toml_place *p, bool lines, arka_slice *out,
                                            arka_error *err);
/** A number, boolean, date or time at p->at, into *v. */
ARKA_MUST_USE arka_status arka_toml__scalar(arka_toml_place *p, arka_toml_value *v,
                                            arka_error *err);

#endif
