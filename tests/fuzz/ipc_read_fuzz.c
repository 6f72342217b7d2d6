/*
 * Arrow IPC streams from nowhere. What is read is written again and must come back the same:
 * the writer agrees with the reader on whatever the fuzzer finds.
 */
#include <stdlib.h>

#include "base/utf8.h"
#include "columnar/ipc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void require(bool ok)
{
    if (!ok)
        abort();
}

static bool same_cell(const arka_column *a, const arka_column *b, int64_t row)
{
    if (arka_column_is_null(a, row) || arka_column_is_null(b, row))
        return arka_column_is_null(a, row) == arka_column_is_null(b, row);
    if (a->type == ARKA_VARCHAR)
        return arka_slice_eq(arka_column_text(a, row), arka_column_text(b, row));
    if (a->type == ARKA_BOOLEAN)
        return arka_bit(a->values, row) == arka_bit(b->values, row);
    return arka_column_i64(a)[row] == arka_column_i64(b)[row];
}

static void check_same(const arka_batch *a, const arka_batch *b)
{
    require(a->n_rows == b->n_rows && a->layout == b->layout);
    for (int c = 0; c < a->n_columns; c++)
        for (int64_t row = 0; row < a->n_rows; row++)
            require(same_cell(&a->columns[c], &b->columns[c], row));
}

static void check_batch(const arka_batch *batch)
{
    for (int c = 0; c < batch->n_columns; c++) {
        const arka_column *column = &batch->columns[c];
        for (int64_t row = 0; column->type == ARKA_VARCHAR && row < batch->n_rows; row++) {
            arka_slice text = arka_column_text(column, row);
            require(arka_utf8_valid(text.data, text.len));
            require(text.len == 0 || !arka_column_is_null(column, row));
        }
    }
    for (int codec = 0; codec < 3; codec++) {
        const arka_ipc_options options = {.codec = (arka_ipc_codec)codec};
        const arka_arrow_pairs none = {NULL, 0};
        arka_error err = {0};
        ARKA_AUTO_VALUE(arka_buf) out = ARKA_BUF_INIT;
        ARKA_AUTO(arka_ipc_reader) reader = NULL;
        ARKA_AUTO(arka_batch) back = NULL;
        arka_ipc_write_arka_schema(batch, none, none, &out);
        arka_ipc_write_arka_batch(batch, &options, &out);
        require(arka_ipc_reader_new((arka_slice){out.data, out.len}, 0, NULL, &reader, &err) ==
                ARKA_OK);
        require(arka_ipc_reader_next(reader, 0, &back, &err) == ARKA_OK && back != NULL);
        check_same(batch, back);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    const arka_ipc_limits limits = {.decoded_bytes = 1 << 20};
    arka_error err = {0};
    ARKA_AUTO(arka_ipc_reader) reader = NULL;
    if (arka_ipc_reader_new((arka_slice){(const char *)data, n}, 0, &limits, &reader, &err) !=
        ARKA_OK) {
        require(err.msg[0] != 0);
        return 0;
    }
    for (;;) {
        ARKA_AUTO(arka_batch) batch = NULL;
        if (arka_ipc_reader_next(reader, 0, &batch, &err) != ARKA_OK || batch == NULL)
            break;
        const arka_ipc_message *message = arka_ipc_reader_message(reader);
        for (uint32_t i = 0; i < message->n_pairs; i++)
            require(arka_ipc_message_pair(message, i).value.data != NULL);
        check_batch(batch);
    }
    return 0;
}
