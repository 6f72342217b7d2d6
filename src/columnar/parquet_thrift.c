#include "columnar/parquet_thrift.h"

static void put_varint(arka_thrift *t, uint64_t v)
{
    uint8_t bytes[10];
    arka_buf_append(t->out, bytes, (size_t)(arka_varint(bytes, v) - bytes));
}

static void put_field(arka_thrift *t, int16_t id, thrift_type type)
{
    int16_t *last = &t->last[t->depth - 1];
    ARKA_DCHECK(id > *last);
    int gap = id - *last;
    if (gap <= 15) {
        arka_buf_byte(t->out, (char)(gap << 4 | (int)type));
    } else {
        arka_buf_byte(t->out, (char)type);
        put_varint(t, arka_zigzag(id));
    }
    *last = id;
}

void arka_thrift__begin(arka_thrift *t)
{
    ARKA_CHECK(t->depth < THRIFT_DEPTH);
    t->last[t->depth++] = 0;
}

void arka_thrift__end(arka_thrift *t)
{
    arka_buf_byte(t->out, 0);
    t->depth--;
}

void arka_thrift__bool(arka_thrift *t, int16_t id, bool v)
{
    put_field(t, id, v ? THRIFT_TRUE : THRIFT_FALSE);
}

void arka_thrift__byte(arka_thrift *t, int16_t id, int8_t v)
{
    put_field(t, id, THRIFT_BYTE);
    arka_buf_byte(t->out, v);
}

void arka_thrift__i16(arka_thrift *t, int16_t id, int16_t v)
{
    put_field(t, id, THRIFT_I16);
    put_varint(t, arka_zigzag(v));
}

void arka_thrift__i32(arka_thrift *t, int16_t id, int32_t v)
{
    put_field(t, id, THRIFT_I32);
    put_varint(t, arka_zigzag(v));
}

void arka_thrift__i64(arka_thrift *t, int16_t id, int64_t v)
{
    put_field(t, id, THRIFT_I64);
    put_varint(t, arka_zigzag(v));
}

void arka_thrift__binary(arka_thrift *t, int16_t id, const void *bytes, size_t n)
{
    put_field(t, id, THRIFT_BINARY);
    arka_thrift__item_binary(t, bytes, n);
}

void arka_thrift__struct(arka_thrift *t, int16_t id)
{
    put_field(t, id, THRIFT_STRUCT);
    arka_thrift__begin(t);
}

void arka_thrift__empty(arka_thrift *t, int16_t id)
{
    arka_thrift__struct(t, id);
    arka_thrift__end(t);
}

void arka_thrift__list(arka_thrift *t, int16_t id, thrift_type element, size_t n)
{
    put_field(t, id, THRIFT_LIST);
    if (n < 15) {
        arka_buf_byte(t->out, (char)(n << 4 | (size_t)element));
    } else {
        arka_buf_byte(t->out, (char)(0xf0 | (int)element));
        put_varint(t, n);
    }
}

void arka_thrift__item_i32(arka_thrift *t, int32_t v)
{
    put_varint(t, arka_zigzag(v));
}

void arka_thrift__item_binary(arka_thrift *t, const void *bytes, size_t n)
{
    put_varint(t, n);
    arka_buf_append(t->out, bytes, n);
}
