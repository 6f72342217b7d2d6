#include "config/toml.h"

#include "base/buf.h"
#include "base/map.h"
#include "base/number.h"
#include "base/utf8.h"

typedef struct reader {
    const char *at, *end;
    const char *file;
    int line;
    arka_arena *arena;
    arka_slice table; /* dotted name of the open [table], empty at the top */
    arka_map names;   /* full name -> one of the marks below */
    arka_toml_each each;
    void *context;
} reader;

/* What a name stands for so far; the map's values point here. */
static char is_value, is_table, is_parent;

const char *arka_toml_kind_name(arka_toml_kind kind)
{
    static const char *const NAMES[] = {"a string", "an integer", "a float", "a boolean"};
    return NAMES[kind];
}

#define refuse(r, err, ...) (arka_fail((err), ARKA_INPUT, __VA_ARGS__), refused((r), (err)))

static arka_status refused(const reader *r, arka_error *err)
{
    arka_error_prefix(err, "%s line %d: ", r->file, r->line);
    return ARKA_INPUT;
}

static void skip_blanks(reader *r)
{
    while (r->at < r->end && (*r->at == ' ' || *r->at == '\t'))
        r->at++;
}

static bool at_line_end(const reader *r)
{
    return r->at == r->end || *r->at == '\n' ||
           (*r->at == '\r' && r->at + 1 < r->end && r->at[1] == '\n');
}

/* Blanks, a comment, and the line's end. */
static arka_status end_line(reader *r, arka_error *err)
{
    skip_blanks(r);
    if (r->at < r->end && *r->at == '#')
        while (!at_line_end(r))
            r->at++;
    if (!at_line_end(r))
        return refuse(r, err, "found '%.1s' where the line should end", r->at);
    if (r->at < r->end) {
        r->at += *r->at == '\r' ? 2 : 1;
        r->line++;
    }
    return ARKA_OK;
}

static bool is_key_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
}

/* A bare or dotted key; `prefix` and a dot before it when prefix is not empty. */
static arka_status read_key(reader *r, arka_slice prefix, arka_slice *out, arka_error *err)
{
    arka_buf name = ARKA_BUF_INIT;
    arka_buf_slice(&name, prefix);
    for (;;) {
        skip_blanks(r);
        const char *from = r->at;
        while (r->at < r->end && is_key_char(*r->at))
            r->at++;
        if (r->at == from) {
            arka_buf_fini(&name);
            if (r->at < r->end && (*r->at == '"' || *r->at == '\''))
                return refuse(r, err, "quoted keys are not supported here");
            return refuse(r, err, "a key is missing; keys are letters, digits, '_' and '-'");
        }
        if (name.len > 0)
            arka_buf_byte(&name, '.');
        arka_buf_append(&name, from, (size_t)(r->at - from));
        skip_blanks(r);
        if (r->at == r->end || *r->at != '.')
            break;
        r->at++;
    }
    char *kept = name.failed ? NULL : arka_arena_strndup(r->arena, name.data, name.len);
    *out = (arka_slice){kept, name.len};
    arka_buf_fini(&name);
    return kept ? ARKA_OK : arka_fail_nomem(err, "a configuration key", out->len);
}

/* Note that `name` is now `mark`; its parents are tables by that. */
static arka_status declare(reader *r, arka_slice name, char *mark, arka_error *err)
{
    for (size_t i = 0; i < name.len; i++) {
        if (name.data[i] != '.')
            continue;
        arka_slice parent = {name.data, i};
        char *was = arka_map_get(&r->names, parent);
        if (was == &is_value)
            return refuse(r, err, "'%.*s' is a value already and cannot hold '%.*s'",
                          ARKA_FMT(parent), ARKA_FMT(name));
        if (was == NULL && !arka_map_put(&r->names, parent, &is_parent))
            return arka_fail_nomem(err, "configuration keys", name.len);
    }
    char *was = arka_map_get(&r->names, name);
    if (was != NULL && (was != &is_parent || mark != &is_table))
        return refuse(r, err, "'%.*s' comes twice", ARKA_FMT(name));
    if (!arka_map_put(&r->names, name, mark))
        return arka_fail_nomem(err, "configuration keys", name.len);
    return ARKA_OK;
}

static arka_status read_unicode_escape(reader *r, int n_digits, arka_buf *out, arka_error *err)
{
    uint32_t c = 0;
    for (int i = 0; i < n_digits; i++, r->at++) {
        int v = arka_hex_digit(r->at < r->end ? *r->at : 0);
        if (v < 0)
            return refuse(r, err, "an escape \\%c needs %d hexadecimal digits",
                          n_digits == 4 ? 'u' : 'U', n_digits);
        c = c << 4 | (uint32_t)v;
    }
    if (c > 0x10ffff || (c >= 0xd800 && c < 0xe000) || c == 0)
        return refuse(r, err, "\\u%04x is not a character that can stand here", c);
    char utf8[4];
    arka_buf_append(out, utf8, arka_utf8_put(utf8, c));
    return ARKA_OK;
}

static arka_status read_escape(reader *r, arka_buf *out, arka_error *err)
{
    static const char FROM[] = "btnfr\"\\", TO[] = "\b\t\n\f\r\"\\";
    char c = r->at < r->end ? *r->at++ : 0;
    if (c == 'u' || c == 'U')
        return read_unicode_escape(r, c == 'u' ? 4 : 8, out, err);
    const char *found = c ? strchr(FROM, c) : NULL;
    if (found == NULL)
        return refuse(r, err, "unknown escape '\\%c' in a string", c ? c : ' ');
    arka_buf_byte(out, TO[found - FROM]);
    return ARKA_OK;
}

static arka_status read_string_into(reader *r, char quote, arka_buf *out, arka_error *err)
{
    for (;;) {
        if (at_line_end(r))
            return refuse(r, err, "a string is not closed on its line");
        char c = *r->at++;
        if (c == quote)
            return ARKA_OK;
        if (c == '\\' && quote == '"')
            ARKA_TRY(read_escape(r, out, err));
        else if ((unsigned char)c < 0x20 && c != '\t')
            return refuse(r, err, "a control character in a string");
        else
            arka_buf_byte(out, c);
    }
}

static arka_status read_string(reader *r, arka_toml_value *v, arka_error *err)
{
    char quote = *r->at;
    if (r->end - r->at >= 3 && r->at[1] == quote && r->at[2] == quote)
        return refuse(r, err, "multi-line strings are not supported here");
    r->at++;
    v->kind = ARKA_TOML_STRING;
    arka_buf text = ARKA_BUF_INIT;
    arka_status status = read_string_into(r, quote, &text, err);
    if (status == ARKA_OK) {
        char *kept = text.failed ? NULL : arka_arena_strndup(r->arena, text.data, text.len);
        v->text = (arka_slice){kept, text.len};
        status = kept ? ARKA_OK : arka_fail_nomem(err, "a configuration value", text.len);
    }
    arka_buf_fini(&text);
    return status;
}

/* Digits with single underscores between them, as TOML allows, into plain digits; 0: not that. */
static size_t plain_number(arka_slice word, char out[65])
{
    size_t n = 0;
    for (size_t i = 0; i < word.len; i++) {
        char c = word.data[i];
        if (c == '_') {
            bool between = i > 0 && i + 1 < word.len && word.data[i - 1] >= '0' &&
                           word.data[i - 1] <= '9' && word.data[i + 1] >= '0' &&
                           word.data[i + 1] <= '9';
            if (!between)
                return 0;
        } else if (n == 64) {
            return 0;
        } else {
            out[n++] = c;
        }
    }
    out[n] = 0;
    return n;
}

static bool has_leading_zero(const char *digits, size_t n)
{
    size_t from = n > 0 && (digits[0] == '+' || digits[0] == '-');
    return n > from + 1 && digits[from] == '0' && digits[from + 1] >= '0' &&
           digits[from + 1] <= '9';
}

static arka_status read_word(reader *r, arka_toml_value *v, arka_error *err)
{
    const char *from = r->at;
    while (r->at < r->end && !strchr(" \t\r\n#,]}", *r->at))
        r->at++;
    arka_slice word = {from, (size_t)(r->at - from)};
    bool yes = arka_slice_eq(word, ARKA_SLICE("true"));
    if (yes || arka_slice_eq(word, ARKA_SLICE("false"))) {
        v->kind = ARKA_TOML_BOOL;
        v->boolean = yes;
        return ARKA_OK;
    }
    char digits[65];
    size_t n = plain_number(word, digits), sign = n > 0 && digits[0] == '+';
    if (n > 0 && !has_leading_zero(digits, n)) {
        v->kind = ARKA_TOML_INT;
        if (arka_parse_i64(digits + sign, n - sign, &v->i64))
            return ARKA_OK;
        size_t first = sign || digits[0] == '-';
        if (strspn(digits + first, "0123456789") == n - first)
            return refuse(r, err, "the integer %.*s does not fit 64 bits", ARKA_FMT(word));
        v->kind = ARKA_TOML_FLOAT;
        /* TOML wants digits on both sides of the point */
        if (digits[n - 1] != '.' && digits[sign] != '.' && arka_parse_f64(digits, n, &v->f64))
            return ARKA_OK;
    }
    if (word.len == 0)
        return refuse(r, err, "a value is missing");
    return refuse(r, err, "'%.*s' is not a string in quotes, a decimal number, true or false",
                  word.len > 60 ? 60 : (int)word.len, word.data);
}

static arka_status read_value(reader *r, arka_toml_value *v, arka_error *err)
{
    skip_blanks(r);
    char c = r->at < r->end ? *r->at : 0;
    *v = (arka_toml_value){.line = r->line};
    if (c == '"' || c == '\'')
        return read_string(r, v, err);
    if (c == '[')
        return refuse(r, err, "arrays are not supported here");
    if (c == '{')
        return refuse(r, err, "inline tables are not supported here");
    return read_word(r, v, err);
}

static arka_status read_table(reader *r, arka_error *err)
{
    r->at++;
    if (r->at < r->end && *r->at == '[')
        return refuse(r, err, "arrays of tables are not supported here");
    ARKA_TRY(read_key(r, (arka_slice){NULL, 0}, &r->table, err));
    if (r->at == r->end || *r->at != ']')
        return refuse(r, err, "the table's name is not closed with ']'");
    r->at++;
    return declare(r, r->table, &is_table, err);
}

static arka_status read_pair(reader *r, arka_error *err)
{
    arka_slice key;
    arka_toml_value value;
    ARKA_TRY(read_key(r, r->table, &key, err));
    if (r->at == r->end || *r->at != '=')
        return refuse(r, err, "'=' is missing after the key '%.*s'", ARKA_FMT(key));
    r->at++;
    ARKA_TRY(read_value(r, &value, err));
    ARKA_TRY(declare(r, key, &is_value, err));
    return r->each(r->context, key, &value, err);
}

static arka_status read_lines(reader *r, arka_error *err)
{
    while (r->at < r->end) {
        skip_blanks(r);
        if (r->at < r->end && *r->at == '[')
            ARKA_TRY(read_table(r, err));
        else if (!at_line_end(r) && *r->at != '#')
            ARKA_TRY(read_pair(r, err));
        ARKA_TRY(end_line(r, err));
    }
    return ARKA_OK;
}

arka_status arka_toml_read(arka_slice text, const char *file, arka_arena *arena,
                           arka_toml_each each, void *context, arka_error *err)
{
    reader r = {.at = text.data,
                .end = text.data + text.len,
                .file = file,
                .line = 1,
                .arena = arena,
                .each = each,
                .context = context};
    size_t good = arka_utf8_check(text.data, text.len);
    if (good < text.len || (text.len > 0 && memchr(text.data, 0, text.len) != NULL)) {
        for (size_t i = 0; i < good; i++)
            r.line += text.data[i] == '\n';
        return refuse(&r, err, "not UTF-8 text, or a NUL in it");
    }
    arka_status status = read_lines(&r, err);
    arka_map_fini(&r.names);
    return status;
}
