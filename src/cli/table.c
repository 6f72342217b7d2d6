#include "cli/table.h"

#include <wchar.h>

/* What is shown of `text`: control characters as escapes. Appends to `out` unless it is NULL;
 * returns the columns it takes on a terminal. */
static int put_text(arka_buf *out, arka_slice text)
{
    static const char SHORT[] = {['\t'] = 't', ['\n'] = 'n', ['\r'] = 'r'};
    int width = 0;
    mbstate_t state = {0};
    for (size_t i = 0; i < text.len;) {
        wchar_t c;
        size_t n = mbrtowc(&c, text.data + i, text.len - i, &state);
        int w = n == 0 || n > text.len - i ? -1 : wcwidth(c);
        if (w >= 0) {
            if (out != NULL)
                arka_buf_append(out, text.data + i, n);
            width += w;
            i += n;
            continue;
        }
        unsigned char b = (unsigned char)text.data[i++];
        state = (mbstate_t){0};
        char escape = b < sizeof SHORT ? SHORT[b] : 0;
        if (out != NULL && escape != 0)
            arka_buf_printf(out, "\\%c", escape);
        else if (out != NULL)
            arka_buf_printf(out, "\\x%02x", b);
        width += escape != 0 ? 2 : 4;
    }
    return width;
}

static arka_slice shown(const arka_cell *cell)
{
    return cell->kind == ARKA_CELL_NULL ? ARKA_SLICE("NULL") : cell->text;
}

static void put_blanks(arka_buf *out, int n, char blank)
{
    for (int i = 0; i < n; i++)
        arka_buf_byte(out, blank);
}

typedef struct layout {
    int width;
    bool right;
} layout;

static layout measure(const arka_json_rows *rows, size_t column)
{
    size_t n = rows->columns.n;
    layout l = {put_text(NULL, rows->columns.items[column]), true};
    bool any = false;
    for (size_t i = column; i < rows->cells.n; i += n) {
        const arka_cell *cell = &rows->cells.items[i];
        int w = put_text(NULL, shown(cell));
        l.width = w > l.width ? w : l.width;
        l.right &= cell->kind == ARKA_CELL_NUMBER || cell->kind == ARKA_CELL_NULL;
        any |= cell->kind == ARKA_CELL_NUMBER;
    }
    l.right &= any;
    return l;
}

/* One cell with what fills its column; the last column of a line is not filled up. */
static void put_cell(arka_buf *out, arka_slice text, const layout *l, bool last)
{
    int fill = l->width - put_text(NULL, text);
    if (l->right)
        put_blanks(out, fill, ' ');
    put_text(out, text);
    if (!last)
        put_blanks(out, l->right ? 2 : fill + 2, ' ');
}

static void put_rows(const arka_json_rows *rows, const layout *layouts, arka_buf *out)
{
    size_t n = rows->columns.n;
    for (size_t c = 0; c < n; c++)
        put_cell(out, rows->columns.items[c], &layouts[c], c + 1 == n);
    arka_buf_byte(out, '\n');
    for (size_t c = 0; c < n; c++) {
        put_blanks(out, layouts[c].width, '-');
        arka_buf_text(out, c + 1 == n ? "\n" : "  ");
    }
    for (size_t i = 0; i < rows->cells.n; i++) {
        size_t c = i % n;
        put_cell(out, shown(&rows->cells.items[i]), &layouts[c], c + 1 == n);
        if (c + 1 == n)
            arka_buf_byte(out, '\n');
    }
}

void arka_table_print(const arka_json_rows *rows, arka_buf *out)
{
    size_t n = rows->columns.n;
    layout *layouts = arka_calloc(n ? n : 1, sizeof *layouts);
    if (layouts == NULL) {
        out->failed = true;
        return;
    }
    for (size_t c = 0; c < n; c++)
        layouts[c] = measure(rows, c);
    if (n > 0)
        put_rows(rows, layouts, out);
    arka_free(layouts);
    arka_buf_printf(out, "(%lld row%s", (long long)rows->n_rows, rows->n_rows == 1 ? "" : "s");
    if (rows->execution_ms >= 0)
        arka_buf_printf(out, ", %.3g ms", rows->execution_ms);
    arka_buf_literal(out, ")\n");
}
