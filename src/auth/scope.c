/* Where a token's rights hold: patterns of databases and tables. */
#include <ctype.h>
#include <strings.h>

#include "auth/rights.h"

typedef struct pattern {
    arka_slice database, table; /* of the text; no table: any */
} pattern;

struct arka_scope {
    arka_ref ref;
    char *text;
    int n;
    pattern patterns[ARKA_SCOPE_PATTERNS];
};

enum { DATABASE_NAME = 64, TABLE_NAME = 128 };

static bool matches(arka_slice glob, arka_slice name)
{
    /* where to go on when a character does not fit: behind the last '*', one character further */
    size_t g = 0, n = 0, star = SIZE_MAX, from = 0;
    while (n < name.len) {
        if (g < glob.len && glob.data[g] == '*') {
            star = g++;
            from = n;
        } else if (g < glob.len && strncasecmp(glob.data + g, name.data + n, 1) == 0) {
            g++, n++;
        } else if (star != SIZE_MAX) {
            g = star + 1;
            n = ++from;
        } else {
            return false;
        }
    }
    while (g < glob.len && glob.data[g] == '*')
        g++;
    return g == glob.len;
}

static bool matches_database(const pattern *p, arka_slice database)
{
    bool ours = database.len > 0 && database.data[0] == '_';
    return !(ours && p->database.data[0] == '*') && matches(p->database, database);
}

static bool is_any(arka_slice glob)
{
    for (size_t i = 0; i < glob.len; i++)
        if (glob.data[i] != '*')
            return false;
    return true;
}

bool arka_scope_has_table(const arka_scope *scope, arka_slice database, arka_slice table)
{
    bool has = scope == NULL;
    for (int i = 0; !has && i < scope->n; i++)
        has = matches_database(&scope->patterns[i], database) &&
              (scope->patterns[i].table.len == 0 || matches(scope->patterns[i].table, table));
    return has;
}

bool arka_scope_has_database(const arka_scope *scope, arka_slice database)
{
    bool has = scope == NULL;
    for (int i = 0; !has && i < scope->n; i++)
        has = matches_database(&scope->patterns[i], database);
    return has;
}

bool arka_scope_has_all_of(const arka_scope *scope, arka_slice database)
{
    bool has = scope == NULL;
    for (int i = 0; !has && i < scope->n; i++)
        has = matches_database(&scope->patterns[i], database) && is_any(scope->patterns[i].table);
    return has;
}

/* ---- parsing ---- */

static bool is_letter_of_database(char c)
{
    return isalnum((unsigned char)c) || c == '_' || c == '-' || c == '*';
}

static bool is_letter_of_table(char c)
{
    return is_letter_of_database(c) || c == '.' || (unsigned char)c >= 0x80;
}

static arka_status check_part(arka_slice word, arka_slice part, const char *what, size_t longest,
                              bool (*is_letter)(char c), arka_error *err)
{
    int shown = word.len > 100 ? 100 : (int)word.len;
    if (part.len == 0)
        return arka_fail(err, ARKA_INPUT, "scope '%.*s' has an empty %s pattern", shown, word.data,
                         what);
    if (part.len > longest)
        return arka_fail(err, ARKA_INPUT,
                         "scope '%.*s': its %s pattern has %zu bytes, names have at most %zu",
                         shown, word.data, what, part.len, longest);
    for (size_t i = 0; i < part.len; i++)
        if (!is_letter(part.data[i]))
            return arka_fail(err, ARKA_INPUT,
                             "scope '%.*s' has a character that no %s's name has, at byte %zu",
                             shown, word.data, what, (size_t)(part.data - word.data) + i + 1);
    return ARKA_OK;
}

static arka_status parse_pattern(arka_slice word, pattern *out, arka_error *err)
{
    const char *dot = word.len ? memchr(word.data, '.', word.len) : NULL;
    *out = (pattern){.database = word};
    if (dot != NULL) {
        out->database.len = (size_t)(dot - word.data);
        out->table = (arka_slice){dot + 1, word.len - out->database.len - 1};
        ARKA_TRY(check_part(word, out->table, "measurement", TABLE_NAME, is_letter_of_table, err));
    }
    return check_part(word, out->database, "database", DATABASE_NAME, is_letter_of_database, err);
}

/* The words, one behind the other, parted by commas. */
static char *tidy(arka_slice text)
{
    char *out = arka_malloc(text.len + 2), *to = out;
    arka_slice word;
    if (out == NULL)
        return NULL;
    while (arka_word_next(&text, &word)) {
        memcpy(to, word.data, word.len);
        to += word.len;
        *to++ = ',';
    }
    to[-1] = 0;
    return out;
}

static arka_status parse_all(arka_scope *scope, arka_error *err)
{
    arka_slice rest = arka_slice_of(scope->text), word;
    while (arka_word_next(&rest, &word)) {
        if (scope->n == ARKA_SCOPE_PATTERNS)
            return arka_fail(err, ARKA_INPUT, "a scope has at most %d patterns",
                             (int)ARKA_SCOPE_PATTERNS);
        ARKA_TRY(parse_pattern(word, &scope->patterns[scope->n++], err));
    }
    return ARKA_OK;
}

arka_status arka_scope_parse(arka_slice text, arka_scope **out, arka_error *err)
{
    arka_slice rest = text, word;
    *out = NULL;
    if (!arka_word_next(&rest, &word) || (word.len == 0 && rest.data == NULL))
        return ARKA_OK;
    ARKA_AUTO(arka_scope) scope = arka_calloc(1, sizeof *scope);
    if (scope == NULL || (scope->text = tidy(text)) == NULL)
        return arka_fail_nomem(err, "a scope", sizeof *scope);
    arka_ref_init(&scope->ref);
    ARKA_TRY(parse_all(scope, err));
    *out = arka_take(scope);
    return ARKA_OK;
}

arka_scope *arka_scope_ref(arka_scope *scope)
{
    if (scope != NULL)
        arka_ref_add(&scope->ref);
    return scope;
}

void arka_scope_unref(arka_scope *scope)
{
    /* one that could not be made has no count yet */
    if (scope == NULL || (scope->text != NULL && !arka_ref_drop(&scope->ref)))
        return;
    arka_free(scope->text);
    arka_free(scope);
}

const char *arka_scope_text(const arka_scope *scope)
{
    return scope != NULL ? scope->text : "";
}
