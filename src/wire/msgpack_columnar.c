#include <inttypes.h>

#include "wire/msgpack_priv.h"

/*
 * A guess of the batch's size. Header counts are claims: a body cannot hold more values than
 * bytes, and memory that is not written to costs nothing, so 9 bytes for each bound it well.
 */
static size_t guess_bytes(const arka_msgpack_reader *r, uint64_t n_rows, uint64_t n_columns)
{
    uint64_t claimed = n_rows * n_columns, possible = (uint64_t)(r->end - r->at);
    return (size_t)(claimed < possible ? claimed : possible) * 9 + 2048;
}

static arka_status read_name(arka_msgpack_reader *r, arka_slice *name, arka_error *err)
{
    arka_msgpack_token t;
    ARKA_TRY(arka_msgpack_take(r, &t, err));
    if (t.kind != ARKA_MSGPACK_TEXT)
        return arka_fail(err, ARKA_INPUT, "a column's name is %s, expected a string",
                         arka_msgpack_kind_name(t.kind));
    *name = t.bytes;
    return arka_column_name_check(*name, err);
}

static arka_status read_length(arka_msgpack_reader *r, arka_slice name, int64_t *n, arka_error *err)
{
    arka_msgpack_token t;
    arka_slice shown = arka_msgpack__shown(name);
    ARKA_TRY(arka_msgpack_take(r, &t, err));
    if (t.kind != ARKA_MSGPACK_ARRAY)
        return arka_fail(err, ARKA_INPUT, "column '%.*s' is %s, expected an array", ARKA_FMT(shown),
                         arka_msgpack_kind_name(t.kind));
    if (t.count == 0)
        return arka_fail(err, ARKA_INPUT, "column '%.*s' is empty", ARKA_FMT(shown));
    *n = t.count;
    return ARKA_OK;
}

static arka_status check_length(arka_slice first, int64_t n_rows, arka_slice name, int64_t n,
                                arka_error *err)
{
    if (n == n_rows)
        return ARKA_OK;
    arka_slice a = arka_msgpack__shown(first), b = arka_msgpack__shown(name);
    return arka_fail(err, ARKA_INPUT,
                     "column '%.*s' has %" PRId64 " values, column '%.*s' has %" PRId64
                     ": all columns must be equally long",
                     ARKA_FMT(a), n_rows, ARKA_FMT(b), n);
}

arka_status arka_msgpack__columns(arka_msgpack_decoder *dec, arka_batch **out, arka_error *err)
{
    ARKA_AUTO(arka_block) block = NULL;
    arka_msgpack_token map;
    ARKA_TRY(arka_msgpack_take(&dec->in, &map, err));
    if (map.kind != ARKA_MSGPACK_MAP)
        return arka_fail(err, ARKA_INPUT, "'columns' is %s, expected a map of arrays",
                         arka_msgpack_kind_name(map.kind));
    if (map.count == 0)
        return arka_fail(err, ARKA_INPUT, "'columns' is empty");
    if (map.count > ARKA_MSGPACK_MAX_COLUMNS)
        return arka_fail(err, ARKA_INPUT, "'columns' holds %u columns, at most %d are allowed",
                         map.count, ARKA_MSGPACK_MAX_COLUMNS);
    arka_slice first = {0};
    int64_t n_rows = 0;
    for (uint32_t i = 0; i < map.count; i++) {
        arka_slice name;
        int64_t n;
        ARKA_TRY(read_name(&dec->in, &name, err));
        ARKA_TRY(read_length(&dec->in, name, &n, err));
        if (i == 0) {
            first = name;
            n_rows = n;
            ARKA_TRY(arka_msgpack__check_rows(dec, n, err));
            ARKA_TRY(arka_block_new(n, guess_bytes(&dec->in, (uint64_t)n, map.count), &block, err));
        }
        ARKA_TRY(check_length(first, n_rows, name, n, err));
        ARKA_TRY(arka_msgpack__column(dec, block, name, n, err));
    }
    return arka_block_seal(arka_take(block), dec->options.now_us, out, err);
}
