#include "server/influx/influx_out.h"

#include "base/json.h"

enum { HELD_BACK = 256 << 10 };

void arka_influx_out_fini(arka_influx_out *out)
{
    arka_buf_fini(&out->buf);
    arka_buf_fini(&out->shown);
}

const char *arka_influx_content_type(const arka_influx_out *out)
{
    return out->csv ? "text/csv" : "application/json";
}

static void put_csv(arka_buf *b, arka_slice text)
{
    bool quoted = text.len > 0 && (text.data[0] == ' ' || text.data[0] == '\t');
    for (size_t i = 0; i < text.len && !quoted; i++)
        quoted = strchr(",\"\r\n", text.data[i]) != NULL && text.data[i] != 0;
    if (!quoted) {
        arka_buf_slice(b, text);
        return;
    }
    arka_buf_byte(b, '"');
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] == '"')
            arka_buf_byte(b, '"');
        arka_buf_byte(b, text.data[i]);
    }
    arka_buf_byte(b, '"');
}

/* ---- indentation ---- */

static void new_line(arka_influx_out *out, int depth)
{
    arka_buf_byte(&out->shown, '\n');
    for (int i = 0; i < depth; i++)
        arka_buf_literal(&out->shown, "    ");
}

/* One byte of compact JSON. */
static void indent(arka_influx_out *out, char c)
{
    bool opens = c == '{' || c == '[', closes = c == '}' || c == ']';
    if (out->in_text) {
        arka_buf_byte(&out->shown, c);
        out->in_text = out->escaped || c != '"';
        out->escaped = !out->escaped && c == '\\';
        return;
    }
    if (out->fresh && !closes && c != '\n')
        new_line(out, out->depth);
    out->depth += opens;
    out->depth -= closes;
    if (closes && !out->fresh)
        new_line(out, out->depth);
    out->fresh = opens;
    out->in_text = c == '"';
    arka_buf_byte(&out->shown, c);
    if (c == ',')
        new_line(out, out->depth);
    if (c == ':')
        arka_buf_byte(&out->shown, ' ');
}

/* What stands in buf, ready to be sent. */
static arka_buf *ready(arka_influx_out *out)
{
    if (!out->pretty || out->csv)
        return &out->buf;
    for (size_t i = 0; i < out->buf.len; i++)
        indent(out, out->buf.data[i]);
    out->shown.failed |= out->buf.failed;
    arka_buf_clear(&out->buf);
    return &out->shown;
}

/* ---- results and series ---- */

void arka_influx_begin(arka_influx_out *out)
{
    out->csv_id = -1;
    if (!out->csv && !out->chunked)
        arka_buf_literal(&out->buf, "{\"results\":[");
}

void arka_influx_result(arka_influx_out *out, size_t id)
{
    out->id = (int)id;
    out->n_series = 0;
    out->pushed = false;
    out->mark = out->buf.len;
    if (!out->csv && !out->chunked)
        arka_buf_printf(&out->buf, "%s{\"statement_id\":%d", id > 0 ? "," : "", out->id);
}

static void put_csv_head(arka_influx_out *out)
{
    if (out->csv_id == out->id)
        return;
    if (out->csv_id >= 0)
        arka_buf_byte(&out->buf, '\n');
    out->csv_id = out->id;
    arka_buf_literal(&out->buf, "name,tags");
    for (int i = 0; i < out->series.n_columns; i++)
        arka_buf_printf(&out->buf, ",%s", out->series.columns[i]);
    arka_buf_byte(&out->buf, '\n');
}

/* A series is written when its first row comes. */
static void open_series(arka_influx_out *out)
{
    const arka_influx_series *s = &out->series;
    out->began = true;
    if (out->csv) {
        put_csv_head(out);
        return;
    }
    if (out->chunked)
        arka_buf_printf(&out->buf, "{\"results\":[{\"statement_id\":%d,\"series\":[{", out->id);
    else
        arka_buf_text(&out->buf, out->n_series > 0 ? ",{" : ",\"series\":[{");
    out->n_series++;
    if (s->name.len > 0) {
        arka_buf_literal(&out->buf, "\"name\":");
        arka_json_string_repaired(&out->buf, s->name);
        arka_buf_byte(&out->buf, ',');
    }
    for (int i = 0; i < s->n_columns; i++)
        arka_buf_printf(&out->buf, "%s\"%s\"", i == 0 ? "\"columns\":[" : ",", s->columns[i]);
    arka_buf_byte(&out->buf, ']');
}

static void close_series(arka_influx_out *out, bool partial)
{
    out->began = false;
    if (out->csv)
        return;
    if (out->n_rows > 0)
        arka_buf_byte(&out->buf, ']');
    if (partial)
        arka_buf_literal(&out->buf, ",\"partial\":true");
    arka_buf_byte(&out->buf, '}');
    if (out->chunked)
        arka_buf_text(&out->buf, partial ? "],\"partial\":true}]}\n" : "]}]}\n");
}

void arka_influx_series_begin(arka_influx_out *out, const arka_influx_series *series)
{
    out->series = *series;
    out->n_rows = out->n_cells = 0;
    out->began = false;
    if (series->empty_too)
        open_series(out);
}

void arka_influx_series_end(arka_influx_out *out)
{
    if (out->began)
        close_series(out, false);
}

/* ---- cells ---- */

static void begin_cell(arka_influx_out *out)
{
    bool first = out->n_cells++ == 0;
    if (first && out->chunked && out->series.in_parts && out->chunk_size > 0 &&
        out->n_rows == out->chunk_size) {
        close_series(out, true);
        out->n_rows = 0;
    }
    if (!out->began)
        open_series(out);
    if (out->csv) {
        if (first) {
            put_csv(&out->buf, out->series.name);
            arka_buf_byte(&out->buf, ',');
        }
        arka_buf_byte(&out->buf, ',');
        return;
    }
    if (first)
        arka_buf_text(&out->buf, out->n_rows > 0 ? ",[" : ",\"values\":[[");
    else
        arka_buf_byte(&out->buf, ',');
}

void arka_influx_text(arka_influx_out *out, arka_slice text)
{
    begin_cell(out);
    if (out->csv)
        put_csv(&out->buf, text);
    else
        arka_json_string_repaired(&out->buf, text);
}

void arka_influx_int(arka_influx_out *out, int64_t n)
{
    begin_cell(out);
    arka_buf_printf(&out->buf, "%lld", (long long)n);
}

void arka_influx_bool(arka_influx_out *out, bool yes)
{
    begin_cell(out);
    arka_buf_text(&out->buf, yes ? "true" : "false");
}

arka_status arka_influx_row_end(arka_influx_out *out, arka_error *err)
{
    arka_buf_byte(&out->buf, out->csv ? '\n' : ']');
    out->n_rows++;
    out->n_cells = 0;
    if (out->buf.failed)
        return arka_fail_nomem(err, "an answer", out->buf.cap);
    if (out->buf.len < HELD_BACK)
        return ARKA_OK;
    arka_buf *piece = ready(out);
    if (piece->failed)
        return arka_fail_nomem(err, "an answer", piece->cap);
    out->pushed = true;
    bool wanted = out->push(out->context, piece);
    arka_buf_clear(piece);
    return wanted ? ARKA_OK : arka_fail(err, ARKA_CANCELLED, "the client left");
}

/* ---- ends ---- */

static void put_notes(arka_influx_out *out, const char *error, const char *warning)
{
    if (error != NULL) {
        arka_buf_literal(&out->buf, ",\"error\":");
        arka_json_string_repaired(&out->buf, arka_slice_of(error));
    }
    if (warning != NULL) {
        arka_buf_literal(&out->buf, ",\"messages\":[{\"level\":\"warning\",\"text\":");
        arka_json_string_repaired(&out->buf, arka_slice_of(warning));
        arka_buf_literal(&out->buf, "}]");
    }
}

bool arka_influx_result_end(arka_influx_out *out, const char *error, const char *warning)
{
    if (error != NULL && out->pushed)
        return false;
    if (error != NULL) {
        out->buf.len = out->mark;
        arka_influx_result(out, (size_t)out->id);
    }
    if (out->csv) {
        if (error != NULL) {
            arka_buf_text(&out->buf, out->csv_id >= 0 ? "\nerror\n" : "error\n");
            put_csv(&out->buf, arka_slice_of(error));
            arka_buf_byte(&out->buf, '\n');
            out->csv_id = out->id;
        }
        return true;
    }
    if (out->chunked) {
        if (out->n_series > 0)
            return true;
        arka_buf_printf(&out->buf, "{\"results\":[{\"statement_id\":%d", out->id);
        put_notes(out, error, warning);
        arka_buf_literal(&out->buf, "}]}\n");
        return true;
    }
    if (out->n_series > 0)
        arka_buf_byte(&out->buf, ']');
    put_notes(out, error, warning);
    arka_buf_byte(&out->buf, '}');
    return true;
}

arka_buf *arka_influx_end(arka_influx_out *out)
{
    if (!out->csv && !out->chunked)
        arka_buf_literal(&out->buf, "]}\n");
    return ready(out);
}
