#include "wire/msgpack_read.h"

#include <inttypes.h>

const char *arka_msgpack_kind_name(arka_msgpack_kind kind)
{
    switch (kind) {
    case ARKA_MSGPACK_NIL:
        return "nil";
    case ARKA_MSGPACK_BOOL:
        return "a boolean";
    case ARKA_MSGPACK_INT:
    case ARKA_MSGPACK_UINT:
        return "an integer";
    case ARKA_MSGPACK_FLOAT:
        return "a float";
    case ARKA_MSGPACK_TEXT:
        return "a string";
    case ARKA_MSGPACK_ARRAY:
        return "an array";
    case ARKA_MSGPACK_MAP:
        return "a map";
    case ARKA_MSGPACK_EXT:
        break;
    }
    return "an extension";
}

/* The length that a str, bin, ext or container header declares; the header is there whole. */
static uint64_t declared(const uint8_t *p)
{
    uint8_t op = *p;
    if (op >= 0x80 && op < 0xa0)
        return op & 15;
    if (op >= 0xa0 && op < 0xc0)
        return op & 31;
    if (op >= 0xd4 && op <= 0xd8)
        return UINT64_C(1) << (op - 0xd4);
    switch (arka_msgpack_head_bytes(op)) {
    case 2:
        return p[1];
    case 3:
        return arka_be16(p + 1);
    default:
        return arka_be32(p + 1);
    }
}

void arka_msgpack_broken(const arka_msgpack_reader *r, arka_error *err)
{
    size_t at = (size_t)(r->at - r->begin), left = (size_t)(r->end - r->at);
    uint8_t op = left > 0 ? *r->at : 0;
    size_t head = arka_msgpack_head_bytes(op);
    bool ext = (op >= 0xc7 && op <= 0xc9) || (op >= 0xd4 && op <= 0xd8);
    bool map = (op & 0xf0) == 0x80 || op >= 0xde;
    bool array = (op & 0xf0) == 0x90 || op == 0xdc || op == 0xdd;
    if (left == 0)
        arka_fail(err, ARKA_INPUT,
                  "MessagePack body is truncated: it ends at byte %zu, where a value is expected",
                  at);
    else if (head == 0)
        arka_fail(err, ARKA_INPUT,
                  "MessagePack body is unreadable: byte %zu is 0x%02x, which begins no value", at,
                  op);
    else if (left < head)
        arka_fail(err, ARKA_INPUT,
                  "MessagePack body is truncated: the value at byte %zu begins with 0x%02x and "
                  "needs %zu bytes, %zu are left",
                  at, op, head, left);
    else
        arka_fail(err, ARKA_INPUT,
                  "MessagePack body is truncated: the %s at byte %zu declares %" PRIu64
                  " %s, %zu bytes follow",
                  map     ? "map"
                  : array ? "array"
                          : "value",
                  at, declared(r->at),
                  map     ? "pairs"
                  : array ? "elements"
                          : "bytes",
                  left - head - (ext && left > head)); /* an extension's type is no content */
}

arka_status arka_msgpack_skip(arka_msgpack_reader *r, arka_error *err)
{
    arka_msgpack_token t;
    /* Grows by less than the body's size with each container, so 64 bits are enough. */
    for (uint64_t to_come = 1; to_come > 0; to_come--) {
        ARKA_TRY(arka_msgpack_take(r, &t, err));
        if (t.kind == ARKA_MSGPACK_ARRAY)
            to_come += t.count;
        else if (t.kind == ARKA_MSGPACK_MAP)
            to_come += 2 * (uint64_t)t.count;
    }
    return ARKA_OK;
}
