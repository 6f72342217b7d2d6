#include "wire/form.h"

#include "base/number.h"
#include "base/utf8.h"

static bool has_escapes(arka_slice text, bool plus)
{
    return text.len > 0 && (memchr(text.data, '%', text.len) != NULL ||
                            (plus && memchr(text.data, '+', text.len) != NULL));
}

/* `plus`: '+' is a blank. False: out of memory. */
static bool decode(arka_slice text, bool plus, arka_arena *arena, arka_slice *out)
{
    *out = text;
    if (!has_escapes(text, plus))
        return true;
    char *to = arka_arena_alloc(arena, text.len);
    if (to == NULL)
        return false;
    size_t n = 0;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        if (c == '%' && text.len - i > 2) {
            int high = arka_hex_digit(text.data[i + 1]), low = arka_hex_digit(text.data[i + 2]);
            if (high >= 0 && low >= 0) {
                c = (char)(high << 4 | low);
                i += 2;
            }
        } else if (c == '+' && plus) {
            c = ' ';
        }
        to[n++] = c;
    }
    *out = (arka_slice){to, n};
    return true;
}

static bool has_nul(arka_slice s)
{
    return s.len > 0 && memchr(s.data, 0, s.len) != NULL;
}

/* Cut *rest at the first `at`; what stands before it, and *rest behind it. */
static arka_slice cut(arka_slice *rest, char at)
{
    const char *found = rest->len > 0 ? memchr(rest->data, at, rest->len) : NULL;
    arka_slice head = *rest;
    if (found == NULL) {
        *rest = (arka_slice){NULL, 0};
        return head;
    }
    head.len = (size_t)(found - rest->data);
    *rest = (arka_slice){found + 1, rest->len - head.len - 1};
    return head;
}

static size_t count_fields(arka_slice text)
{
    size_t n = 0;
    while (text.len > 0)
        n += cut(&text, '&').len > 0;
    return n;
}

arka_status arka_form_parse(arka_slice text, arka_arena *arena, arka_form *out, arka_error *err)
{
    size_t n = count_fields(text);
    if (n > ARKA_FORM_MAX_FIELDS)
        return arka_fail(err, ARKA_INPUT, "%zu parameters are more than the limit of %d", n,
                         ARKA_FORM_MAX_FIELDS);
    arka_form_field *fields = arka_arena_alloc(arena, n * sizeof *fields);
    if (fields == NULL)
        return arka_fail_nomem(err, "parameters", n * sizeof *fields);
    for (size_t i = 0; i < n;) {
        arka_slice value = cut(&text, '&');
        if (value.len == 0)
            continue;
        arka_slice name = cut(&value, '=');
        arka_form_field *f = &fields[i++];
        if (!decode(name, true, arena, &f->name) || !decode(value, true, arena, &f->value))
            return arka_fail_nomem(err, "a parameter", name.len + value.len);
        if (has_nul(f->name))
            return arka_fail(err, ARKA_INPUT, "the name of parameter %zu holds a NUL byte", i);
        if (has_nul(f->value))
            return arka_fail(err, ARKA_INPUT, "the value of parameter %zu holds a NUL byte", i);
    }
    *out = (arka_form){fields, n};
    return ARKA_OK;
}

arka_status arka_form_get(const arka_form *form, const char *name, arka_slice *out, arka_error *err)
{
    arka_slice wanted = arka_slice_of(name), found = {"", 0};
    for (size_t i = 0; i < form->n; i++)
        if (arka_slice_eq(form->fields[i].name, wanted)) {
            found = form->fields[i].value;
            break;
        }
    if (!arka_utf8_valid(found.data, found.len))
        return arka_fail(err, ARKA_INPUT, "the value of parameter '%s' is not UTF-8", name);
    *out = found.len > 0 ? found : (arka_slice){"", 0};
    return ARKA_OK;
}

arka_status arka_percent_decode(arka_slice text, arka_arena *arena, arka_slice *out,
                                arka_error *err)
{
    arka_slice decoded;
    if (!decode(text, false, arena, &decoded))
        return arka_fail_nomem(err, "a path", text.len);
    if (has_nul(decoded))
        return arka_fail(err, ARKA_INPUT, "the path holds a NUL byte");
    if (!arka_utf8_valid(decoded.data, decoded.len))
        return arka_fail(err, ARKA_INPUT, "the path is not UTF-8");
    *out = decoded;
    return ARKA_OK;
}
