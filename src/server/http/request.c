#include "server/http/request.h"

#include <microhttpd.h>
#include <strings.h>

#include "base/number.h"
#include "server/server_priv.h"
#include "observe/text.h"
#include "wire/names.h"

static arka_slice trim(arka_slice s)
{
    while (s.len > 0 && (s.data[0] == ' ' || s.data[0] == '\t'))
        s.data++, s.len--;
    while (s.len > 0 && (s.data[s.len - 1] == ' ' || s.data[s.len - 1] == '\t'))
        s.len--;
    return s;
}

arka_slice arka_request_header(const arka_request *r, const char *name)
{
    const char *value = NULL;
    size_t len = 0;
    if (MHD_lookup_connection_value_n(r->connection, MHD_HEADER_KIND, name, strlen(name), &value,
                                      &len) == MHD_NO ||
        value == NULL)
        return (arka_slice){"", 0};
    return trim((arka_slice){value, len});
}

bool arka_request_has_header(const arka_request *r, const char *name)
{
    const char *value = NULL;
    size_t len = 0;
    return MHD_lookup_connection_value_n(r->connection, MHD_HEADER_KIND, name, strlen(name), &value,
                                         &len) != MHD_NO;
}

bool arka_request_header_has(const arka_request *r, const char *name, const char *word)
{
    arka_slice rest = arka_request_header(r, name);
    size_t n = strlen(word);
    while (rest.len > 0) {
        const char *comma = memchr(rest.data, ',', rest.len);
        size_t len = comma ? (size_t)(comma - rest.data) : rest.len;
        arka_slice one = trim((arka_slice){rest.data, len});
        if (one.len == n && strncasecmp(one.data, word, n) == 0)
            return true;
        len += comma != NULL;
        rest = (arka_slice){rest.data + len, rest.len - len};
    }
    return false;
}

arka_status arka_request_param(arka_request *r, const char *name, arka_slice *out, arka_error *err)
{
    *out = (arka_slice){"", 0};
    if (r->query.len == 0)
        return ARKA_OK;
    if (!r->params_read) {
        ARKA_TRY(arka_form_parse(r->query, &r->arena, &r->params, err));
        r->params_read = true;
    }
    return arka_form_get(&r->params, name, out, err);
}

arka_status arka_request_param_int(arka_request *r, const char *name, int64_t min, int64_t max,
                                   int64_t *out, arka_error *err)
{
    arka_slice text;
    int64_t v;
    ARKA_TRY(arka_request_param(r, name, &text, err));
    if (text.len == 0)
        return ARKA_OK;
    if (!arka_parse_i64(text.data, text.len, &v) || v < min || v > max)
        return arka_fail(
            err, ARKA_INPUT, "parameter %s = '%.*s' is not a whole number from %lld to %lld", name,
            text.len > 40 ? 40 : (int)text.len, text.data, (long long)min, (long long)max);
    *out = v;
    return ARKA_OK;
}

arka_status arka_request_database(const arka_request *r, arka_slice fallback, arka_slice *out,
                                  bool *named, arka_error *err)
{
    arka_slice name = arka_request_header(r, "x-arc-database");
    *named = name.len > 0;
    if (name.len == 0)
        name = fallback;
    if (name.len == 0)
        name = arka_slice_of(r->server->settings->database);
    ARKA_TRY(arka_name_check_database(name, err));
    *out = name;
    return ARKA_OK;
}

void arka_request_set_id(arka_request *r, arka_slice given)
{
    bool usable = given.len > 0 && given.len < sizeof r->id;
    for (size_t i = 0; usable && i < given.len; i++)
        usable = given.data[i] > 0x20 && given.data[i] < 0x7f;
    if (usable) {
        memcpy(r->id, given.data, given.len);
        r->id[given.len] = 0;
    } else {
        arka_text_uuid(r->id);
    }
}
