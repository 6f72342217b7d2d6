#include "cli/lines.h"

enum { EMPTY, COMMENT, SERIES, FIELDS };

static void begin_line(arka_line_scan *s)
{
    s->line = s->at;
    s->section = EMPTY;
    s->quoted = false;
}

/* One character inside a line; a backslash takes the next one with it. */
static void look_at(arka_line_scan *s, char c)
{
    switch (s->section) {
    case EMPTY:
        if (c != ' ' && c != '\t' && c != '\r')
            s->section = c == '#' ? COMMENT : SERIES;
        break;
    case SERIES:
        if (c == ' ')
            s->section = FIELDS;
        break;
    case FIELDS:
        s->quoted ^= c == '"';
        break;
    default:
        break;
    }
}

bool arka_line_scan_run(arka_line_scan *scan, const char *text, size_t len, int64_t max,
                        size_t *end, int64_t *n_lines)
{
    while (scan->n_lines < max && scan->at < len) {
        char c = text[scan->at];
        if (c == '\n' && !scan->quoted) {
            scan->n_lines += scan->section >= SERIES;
            scan->at++;
            begin_line(scan);
        } else if (c == '\\' && scan->section >= SERIES) {
            if (scan->at + 1 == len)
                break;                                      /* what it escapes is not there yet */
            scan->at += text[scan->at + 1] == '\n' ? 1 : 2; /* a line's end cannot be escaped */
        } else {
            look_at(scan, c);
            scan->at++;
        }
    }
    *end = scan->line;
    *n_lines = scan->n_lines;
    return scan->n_lines >= max;
}

void arka_line_scan_cut(arka_line_scan *scan, size_t n)
{
    scan->at -= n;
    scan->line -= n;
    scan->n_lines = 0;
}
