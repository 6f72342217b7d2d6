/*
 * A tree of TOML, written as TOML again, is the same tree: every table once, every key in it once,
 * every value of its kind. And settings take any text, or refuse it and note why.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/map.h"
#include "config/settings.h"
#include "config/toml.h"

static void put_string(arka_buf *out, arka_slice text)
{
    arka_buf_byte(out, '"');
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (c == '"' || c == '\\')
            arka_buf_printf(out, "\\%c", c);
        else if (c < 0x20 || c == 0x7f)
            arka_buf_printf(out, "\\u%04x", c);
        else
            arka_buf_byte(out, (char)c);
    }
    arka_buf_byte(out, '"');
}

static void put_time(arka_buf *out, const arka_toml_value *v)
{
    const arka_toml_time *t = &v->time;
    if (v->kind != ARKA_TOML_LOCAL_TIME)
        arka_buf_printf(out, "%04d-%02d-%02d", t->year, t->month, t->day);
    if (v->kind == ARKA_TOML_LOCAL_DATE)
        return;
    arka_buf_printf(out, "%s%02d:%02d:%02d.%09d", v->kind == ARKA_TOML_LOCAL_TIME ? "" : "T",
                    t->hour, t->minute, t->second, t->nanosecond);
    int minutes = abs(t->offset_minutes);
    if (v->kind == ARKA_TOML_DATETIME)
        arka_buf_printf(out, "%c%02d:%02d", t->offset_minutes < 0 ? '-' : '+', minutes / 60,
                        minutes % 60);
}

static void put_float(arka_buf *out, double v)
{
    char text[64];
    if (isnan(v) || isinf(v)) {
        arka_buf_text(out, isnan(v) ? "nan" : v < 0 ? "-inf" : "inf");
        return;
    }
    snprintf(text, sizeof text, "%.17e", v);
    arka_buf_text(out, text);
}

static void put_value(arka_buf *out, const arka_toml_value *v);

static void put_parts(arka_buf *out, const arka_toml_value *v, const char *between)
{
    for (const arka_toml_value *e = v->first; e != NULL; e = e->next) {
        if (v->kind == ARKA_TOML_TABLE) {
            put_string(out, e->key);
            arka_buf_text(out, " = ");
        }
        put_value(out, e);
        if (e->next != NULL)
            arka_buf_text(out, between);
    }
}

static void put_value(arka_buf *out, const arka_toml_value *v)
{
    switch (v->kind) {
    case ARKA_TOML_STRING:
        put_string(out, v->text);
        break;
    case ARKA_TOML_INT:
        arka_buf_printf(out, "%lld", (long long)v->i64);
        break;
    case ARKA_TOML_FLOAT:
        put_float(out, v->f64);
        break;
    case ARKA_TOML_BOOL:
        arka_buf_text(out, v->boolean ? "true" : "false");
        break;
    case ARKA_TOML_DATETIME:
    case ARKA_TOML_LOCAL_DATETIME:
    case ARKA_TOML_LOCAL_DATE:
    case ARKA_TOML_LOCAL_TIME:
        put_time(out, v);
        break;
    case ARKA_TOML_ARRAY:
        arka_buf_byte(out, '[');
        put_parts(out, v, ", ");
        arka_buf_byte(out, ']');
        break;
    case ARKA_TOML_TABLE:
    default:
        arka_buf_byte(out, '{');
        put_parts(out, v, ", ");
        arka_buf_byte(out, '}');
    }
}

static void check_tree(const arka_toml_value *v, int depth)
{
    int64_t n = 0;
    arka_map keys = {0};
    ARKA_CHECK(depth <= ARKA_TOML_DEPTH && v->line >= 1 && v->column >= 1);
    for (const arka_toml_value *e = v->first; e != NULL; e = e->next, n++) {
        if (v->kind == ARKA_TOML_TABLE) {
            ARKA_CHECK(arka_map_get(&keys, e->key) == NULL, "a key twice");
            ARKA_CHECK(arka_map_put(&keys, e->key, &keys));
        }
        check_tree(e, depth + 1);
    }
    ARKA_CHECK(n == v->n && (n == 0 || v->kind >= ARKA_TOML_ARRAY));
    arka_map_fini(&keys);
}

static void read_again(const arka_toml_value *root)
{
    arka_buf first = ARKA_BUF_INIT, second = ARKA_BUF_INIT;
    arka_arena arena = ARKA_ARENA_INIT;
    arka_error err = {0};
    arka_toml_value *again;
    put_parts(&first, root, "\n");
    arka_status status =
        arka_toml_parse((arka_slice){first.data, first.len}, "again", &arena, &again, &err);
    ARKA_CHECK(status == ARKA_OK, "%s of\n%s", err.msg, arka_buf_cstr(&first));
    put_parts(&second, again, "\n");
    ARKA_CHECK(first.len == second.len &&
               (first.len == 0 || memcmp(first.data, second.data, first.len) == 0));
    arka_arena_fini(&arena);
    arka_buf_fini(&first);
    arka_buf_fini(&second);
}

static void read_settings(arka_slice text)
{
    arka_settings settings;
    arka_error err = {0};
    ARKA_CHECK(arka_settings_init(&settings, &err) == ARKA_OK);
    arka_status status = arka_settings_read_text(&settings, text, "f", &err);
    ARKA_CHECK((status == ARKA_OK) == (err.code == ARKA_OK));
    size_t n_faults = 0;
    for (size_t i = 0; i < settings.notes.n; i++)
        n_faults += settings.notes.items[i].fault;
    ARKA_CHECK((status == ARKA_OK) == (n_faults == 0));
    if (status == ARKA_OK)
        ARKA_IGNORE(arka_settings_finish(&settings, &err));
    arka_settings_fini(&settings);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    arka_slice text = {(const char *)data, size};
    arka_arena arena = ARKA_ARENA_INIT;
    arka_error err = {0};
    arka_toml_value *root;
    arka_status status = arka_toml_parse(text, "f", &arena, &root, &err);
    ARKA_CHECK(status == ARKA_OK || status == ARKA_INPUT);
    if (status == ARKA_OK) {
        check_tree(root, 0);
        read_again(root);
    } else {
        ARKA_CHECK(strncmp(err.msg, "f:", 2) == 0 && strstr(err.msg, "found ") != NULL);
    }
    arka_arena_fini(&arena);
    read_settings(text);
    return 0;
}
