#include "observe/exposition.h"

#include <math.h>
#include <strings.h>

#include "base/json.h"
#include "base/number.h"

const char *arka_exposition_content_type(arka_exposition format)
{
    static const char *const TYPES[] = {
        "text/plain; version=0.0.4; charset=utf-8",
        "application/openmetrics-text; version=1.0.0; charset=utf-8",
        "application/json",
    };
    return TYPES[format];
}

/* ---- choosing ---- */

/* What stands before `mark`; `rest` is what follows it, empty when there is none. */
static arka_slice cut(arka_slice *rest, char mark)
{
    const char *at = rest->len ? memchr(rest->data, mark, rest->len) : NULL;
    arka_slice head = *rest;
    if (at == NULL) {
        *rest = (arka_slice){rest->data + rest->len, 0};
        return arka_slice_trim(head);
    }
    head.len = (size_t)(at - rest->data);
    *rest = (arka_slice){at + 1, rest->len - head.len - 1};
    return arka_slice_trim(head);
}

static bool is(arka_slice word, const char *name)
{
    return word.len == strlen(name) && strncasecmp(word.data, name, word.len) == 0;
}

/* The q of parameters such as "version=1.0.0;q=0.5": 1 when none is given, 0 when it is no number.
 */
static double quality(arka_slice parameters, arka_slice *version)
{
    double q = 1;
    while (parameters.len > 0) {
        arka_slice value = cut(&parameters, ';'), name = cut(&value, '=');
        value = arka_slice_trim(value);
        if (is(name, "version"))
            *version = value;
        if (is(name, "q") && !arka_parse_f64(value.data, value.len, &q))
            q = 0;
    }
    return q;
}

arka_exposition arka_exposition_choose(arka_slice accept, arka_exposition standard)
{
    static const char *const NAMES[] = {"text/plain", "application/openmetrics-text",
                                        "application/json"};
    arka_exposition best = standard;
    double most = 0;
    while (accept.len > 0) {
        arka_slice one = cut(&accept, ','), version = {NULL, 0}, type = cut(&one, ';');
        double q = quality(one, &version);
        for (int i = 0; i < 3; i++) {
            bool known = is(type, NAMES[i]);
            /* 0.0.1 is OpenMetrics as it was before it was finished */
            if (i == ARKA_EXPOSITION_OPENMETRICS && version.len > 0)
                known &= is(version, "1.0.0");
            if (known && q > most) {
                most = q;
                best = (arka_exposition)i;
            }
        }
    }
    return best;
}

/* ---- writing ---- */

typedef struct writer {
    arka_buf *out;
    bool open_metrics;
} writer;

/* A label's value has quotes round it, in which a quote is escaped; a help text has none. */
static void put_escaped(arka_buf *out, const char *text, bool quoted)
{
    for (; *text != 0; text++) {
        if (*text == '\n')
            arka_buf_literal(out, "\\n");
        else if (*text == '\\' || (*text == '"' && quoted))
            arka_buf_printf(out, "\\%c", *text);
        else
            arka_buf_byte(out, *text);
    }
}

static void put_head(const writer *w, const arka_family *family)
{
    /* OpenMetrics names the family, the older format the sample */
    const char *suffix = family->kind == ARKA_METRIC_COUNTER && !w->open_metrics ? "_total" : "";
    const char *unit = arka_family_unit(family);
    arka_buf_printf(w->out, "# HELP %s%s ", family->name, suffix);
    put_escaped(w->out, family->help, w->open_metrics);
    arka_buf_printf(w->out, ".\n# TYPE %s%s %s\n", family->name, suffix,
                    arka_metric_kind_name(family->kind));
    if (w->open_metrics && *unit != 0)
        arka_buf_printf(w->out, "# UNIT %s %s\n", family->name, unit);
}

static void put_value(arka_buf *out, double value)
{
    if (isfinite(value))
        arka_json_f64(out, value);
    else
        arka_buf_text(out, isnan(value) ? "NaN" : value > 0 ? "+Inf" : "-Inf");
}

static arka_status put_sample(void *context, const arka_sample *s, arka_error *err)
{
    const writer *w = context;
    if (s->first)
        put_head(w, s->family);
    arka_buf_text(w->out, s->name);
    for (int i = 0; i < s->n_labels; i++) {
        arka_buf_byte(w->out, i == 0 ? '{' : ',');
        arka_buf_printf(w->out, "%s=\"", s->labels[i].name);
        put_escaped(w->out, s->labels[i].value, true);
        arka_buf_byte(w->out, '"');
    }
    if (s->n_labels > 0)
        arka_buf_byte(w->out, '}');
    arka_buf_byte(w->out, ' ');
    put_value(w->out, s->value);
    arka_buf_byte(w->out, '\n');
    return ARKA_OK;
}

arka_status arka_exposition_write(arka_gathering *g, arka_exposition format, arka_buf *out,
                                  arka_error *err)
{
    writer w = {out, format == ARKA_EXPOSITION_OPENMETRICS};
    ARKA_TRY(arka_gathering_each(g, put_sample, &w, err));
    if (w.open_metrics)
        arka_buf_literal(out, "# EOF\n");
    return out->failed ? arka_fail_nomem(err, "the text of the metrics", out->cap) : ARKA_OK;
}
