/* Queries from nowhere: what is read, printed and read again is the same; so is what is left of its
 * conditions without their times. */
#include <stdlib.h>

#include "influxql/influxql.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void require(bool ok)
{
    if (!ok)
        abort();
}

static void print_all(const arka_influxql_statements *list, arka_buf *out)
{
    for (size_t i = 0; i < list->n; i++) {
        arka_buf_text(out, i > 0 ? "; " : "");
        arka_influxql_print(&list->items[i], out);
    }
}

static void split(const arka_influxql_statements *list, arka_arena *arena)
{
    for (size_t i = 0; i < list->n; i++) {
        arka_influxql_time_range range;
        const arka_influxql_expr *rest;
        if (arka_influxql_split_time(list->items[i].query.condition, 1700000000000000000, arena,
                                     &range, &rest, NULL) == ARKA_OK &&
            rest != NULL) {
            arka_buf text = ARKA_BUF_INIT;
            arka_influxql_print_expr(rest, &text);
            arka_buf_fini(&text);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    arka_slice text = {(const char *)data, n};
    arka_arena arena = ARKA_ARENA_INIT;
    arka_influxql_statements list, again;
    arka_error err = {0};
    if (arka_influxql_parse(text, NULL, &arena, &list, &err) == ARKA_OK) {
        arka_buf once = ARKA_BUF_INIT, twice = ARKA_BUF_INIT;
        print_all(&list, &once);
        require(arka_influxql_parse((arka_slice){once.data, once.len}, NULL, &arena, &again,
                                    &err) == ARKA_OK);
        require(again.n == list.n);
        for (size_t i = 0; i < list.n; i++)
            require(again.items[i].kind == list.items[i].kind);
        print_all(&again, &twice);
        require(once.len == twice.len &&
                (once.len == 0 || memcmp(once.data, twice.data, once.len) == 0));
        split(&list, &arena);
        arka_buf_fini(&once);
        arka_buf_fini(&twice);
    } else {
        require(err.code == ARKA_INPUT && err.msg[0] != 0);
    }
    arka_arena_fini(&arena);
    return 0;
}
