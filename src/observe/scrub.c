#include "observe/scrub.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

enum { N_STARS = 3 };

/* How a credential is announced, and what ends it. */
typedef struct mark {
    const char *text;
    const char *ends; /* characters */
    size_t least;     /* of the value, to be one */
} mark;

static const char VALUE_ENDS[] = " \t\r\n&;,\"'<>)]}|";
static const char LINE_ENDS[] = "\r\n\"'";

static const mark MARKS[] = {
    {"bearer ", VALUE_ENDS, 1},   {"basic ", VALUE_ENDS, 8},
    {"token ", VALUE_ENDS, 16},   {"p=", VALUE_ENDS, 1},
    {"token=", VALUE_ENDS, 1},    {"password=", VALUE_ENDS, 1},
    {"secret=", VALUE_ENDS, 1},   {"api_key=", VALUE_ENDS, 1},
    {"api-key=", VALUE_ENDS, 1},  {"authorization:", LINE_ENDS, 1},
    {"x-api-key:", LINE_ENDS, 1},
};

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == '.';
}

/* How long the generated token that begins at `at` is; 0: none does (auth/auth.h, ARKA_TOKEN_TEXT).
 */
static size_t token_at(const char *text, size_t at)
{
    enum { TOKEN = 43 };
    bool upper = false, lower = false, digit = false;
    size_t n = 0;
    if (at > 0 && is_word(text[at - 1]))
        return 0;
    for (; is_word(text[at + n]) && text[at + n] != '.'; n++) {
        upper |= text[at + n] >= 'A' && text[at + n] <= 'Z';
        lower |= text[at + n] >= 'a' && text[at + n] <= 'z';
        digit |= text[at + n] >= '0' && text[at + n] <= '9';
    }
    return n == TOKEN && upper && lower && digit ? n : 0;
}

/* The mark that begins at `at`, or NULL. */
static const mark *mark_at(const char *text, size_t at)
{
    if (at > 0 && is_word(text[at - 1]))
        return NULL;
    for (size_t i = 0; i < sizeof MARKS / sizeof *MARKS; i++)
        if (strncasecmp(text + at, MARKS[i].text, strlen(MARKS[i].text)) == 0)
            return &MARKS[i];
    return NULL;
}

/* Stars in place of n bytes at `from`; the text's new length. */
static size_t put_stars(char *text, size_t from, size_t n, size_t len, size_t cap)
{
    size_t rest = len - from - n, room = cap - 1 - from;
    size_t stars = room < N_STARS ? room : N_STARS;
    if (rest > room - stars)
        rest = room - stars;
    memmove(text + from + stars, text + from + n, rest);
    memcpy(text + from, "***", stars);
    text[from + stars + rest] = 0;
    return from + stars + rest;
}

size_t arka_scrub(char *text, size_t len, size_t cap)
{
    for (size_t at = 0; at < len; at++) {
        const mark *m = mark_at(text, at);
        size_t from = at, n = token_at(text, at);
        if (m != NULL) {
            from = at + strlen(m->text);
            from += strspn(text + from, " ");
            n = strcspn(text + from, m->ends);
            n = n < m->least ? 0 : n;
        }
        if (n == 0)
            continue;
        len = put_stars(text, from, n, len, cap);
        at = from + N_STARS - 1;
    }
    return len;
}
