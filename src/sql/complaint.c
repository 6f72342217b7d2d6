#include "sql/complaint.h"

#include <stdarg.h>
#include <stdio.h>

#include "sql/tree.h"

enum { SHOWN = 72, SNIPPET = 256, SENTENCE = 1024 };

size_t arka_text_user_at(const arka_text *text, size_t sql_at)
{
    if (sql_at < text->prefix)
        return ARKA_TEXT_NOWHERE;
    size_t at = sql_at - text->prefix;
    for (size_t i = text->n_inserted; i-- > 0;)
        if (at > text->inserted[i] + i) {
            at -= i + 1;
            break;
        }
    return at <= text->user.len ? at : ARKA_TEXT_NOWHERE;
}

static bool inside_character(arka_slice text, size_t at)
{
    return at < text.len && ((unsigned char)text.data[at] & 0xc0) == 0x80;
}

/* "\n\nLINE 3: …the line…\n            ^" into out[SNIPPET]; its length. */
static size_t write_snippet(char *out, arka_slice text, size_t at)
{
    int line = 1;
    size_t start = 0, end = at;
    for (size_t i = 0; i < at; i++)
        if (text.data[i] == '\n') {
            line++;
            start = i + 1;
        }
    while (end < text.len && text.data[end] != '\n' && text.data[end] != '\r')
        end++;

    size_t from = start, to = end;
    if (end - start > SHOWN) {
        from = at - start > SHOWN / 2 ? at - SHOWN / 2 : start;
        to = end - from > SHOWN ? from + SHOWN : end;
        while (inside_character(text, from))
            from++;
        while (to < end && inside_character(text, to))
            to--;
    }
    size_t n = (size_t)snprintf(out, SNIPPET, "\n\nLINE %d: %s", line, from > start ? "..." : "");
    size_t caret = n - 2;
    for (size_t i = from; i < to; i++) {
        out[n++] = (unsigned char)text.data[i] < ' ' ? ' ' : text.data[i];
        caret += i < at && !inside_character(text, i);
    }
    n += (size_t)snprintf(out + n, SNIPPET - n, "%s\n", to < end ? "..." : "");
    memset(out + n, ' ', caret);
    n += caret;
    out[n++] = '^';
    return n;
}

/* Cuts at `room` bytes, between characters, and says so. */
static void shorten(char *sentence, size_t room)
{
    static const char more[] = " …";
    arka_slice s = arka_slice_of(sentence);
    if (s.len <= room)
        return;
    size_t to = room - (sizeof more - 1);
    while (to > 0 && inside_character(s, to))
        to--;
    memcpy(sentence + to, more, sizeof more);
}

arka_status arka_complain(arka_error *err, arka_status code, const arka_text *text, size_t at,
                          const char *format, ...)
{
    char sentence[SENTENCE], snippet[SNIPPET];
    va_list args;
    va_start(args, format);
    vsnprintf(sentence, sizeof sentence, format, args);
    va_end(args);
    size_t n = 0;
    if (text != NULL && at <= text->user.len)
        n = write_snippet(snippet, text->user, at);
    shorten(sentence, sizeof err->msg - 1 - n);
    return arka_fail(err, code, "%s%.*s", sentence, (int)n, snippet);
}

static arka_status status_of(arka_slice kind)
{
    static const struct {
        const char *kind;
        arka_status status;
    } KINDS[] = {
        {"INTERRUPT", ARKA_CANCELLED},
        {"Permission", ARKA_FORBIDDEN},
        {"Out of Memory", ARKA_LIMIT},
        {"IO", ARKA_IO},
        {"FATAL", ARKA_INTERNAL},
        {"INTERNAL", ARKA_INTERNAL},
        {"TransactionContext", ARKA_INTERNAL},
    };
    for (size_t i = 0; i < sizeof KINDS / sizeof *KINDS; i++)
        if (arka_slice_eq(kind, arka_slice_of(KINDS[i].kind)))
            return KINDS[i].status;
    return ARKA_INPUT;
}

arka_status arka_complain_duckdb(arka_error *err, const arka_text *text, size_t offset,
                                 const char *message)
{
    const char *json = message ? strchr(message, '{') : NULL; /* may follow "Parser Error: " */
    arka_arena arena = ARKA_ARENA_INIT;
    arka_tree *tree = NULL;
    arka_status status = ARKA_INPUT; /* of no JSON at all */
    if (json != NULL)
        status = arka_tree_parse(&arena, arka_slice_of(json), &tree, NULL);
    if (status == ARKA_NOMEM) {
        ARKA_IGNORE(arka_fail_nomem(err, "what DuckDB says", strlen(json)));
    } else if (status == ARKA_OK && arka_tree_text(tree, "exception_message").len > 0) {
        arka_slice kind = arka_tree_text(tree, "exception_type");
        int64_t position = arka_tree_i64(tree, "position", -1);
        size_t at = position < 0 || text == NULL
                        ? ARKA_TEXT_NOWHERE
                        : arka_text_user_at(text, offset + (size_t)position);
        status = arka_complain(err, status_of(kind), text, at, "%s Error: %s", kind.data,
                               arka_tree_text(tree, "exception_message").data);
    } else {
        const char *colon = message ? strstr(message, " Error:") : NULL;
        arka_slice kind = {message, colon ? (size_t)(colon - message) : 0};
        status = arka_complain(err, colon ? status_of(kind) : ARKA_INTERNAL, text,
                               ARKA_TEXT_NOWHERE, "%s", message ? message : "DuckDB failed");
    }
    arka_arena_fini(&arena);
    return status;
}
