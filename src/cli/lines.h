/**
 * Where the lines of line protocol end: a line feed inside a quoted field value belongs to the
 * value. Remembers how far it has looked, so that a growing text is read once. Pure.
 */
#ifndef ARKA_CLI_LINES_H
#define ARKA_CLI_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct arka_line_scan {
    size_t at;       /* looked at so far */
    size_t line;     /* where the line at hand begins */
    int64_t n_lines; /* that hold something, before `line` */
    int section;     /* of the line at hand; private to lines.c */
    bool quoted;
} arka_line_scan;

/**
 * Look on in text[0..len), which begins as it did last time. *end: behind the last whole line;
 * *n_lines: how many lines with something in them stand before it. True, and the look ends there,
 * as soon as there are `max` of them.
 */
bool arka_line_scan_run(arka_line_scan *scan, const char *text, size_t len, int64_t max,
                        size_t *end, int64_t *n_lines);
/** The first n bytes, whole lines all of them, were taken away. */
void arka_line_scan_cut(arka_line_scan *scan, size_t n);

#endif
