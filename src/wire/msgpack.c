#include "wire/msgpack.h"

#include <inttypes.h>
#include <stdio.h>

#include "wire/msgpack_priv.h"

/*
 * A body is a sequence of objects, an object holds members, a member is decoded as it is read.
 * A member that is refused is read again from its start, only to get past it: if even that fails
 * the body is unreadable, and nothing of it counts. So the decoding functions need not tell a bad
 * value from a broken body.
 */

static const arka_slice KEY_BATCH = {"batch", 5};

arka_status arka_msgpack__check_rows(const arka_msgpack_decoder *dec, int64_t n, arka_error *err)
{
    if (n > dec->options.max_rows - dec->n_rows)
        return arka_fail(err, ARKA_LIMIT, "body holds more than %" PRId64 " rows",
                         dec->options.max_rows);
    return ARKA_OK;
}

/* Each batch has a cost of its own; a body of nothing but tiny ones must not add up to a lot. */
static arka_status check_memory(const arka_msgpack_decoder *dec, arka_error *err)
{
    const size_t FREE = (size_t)64 << 20, PER_BYTE = 32;
    size_t body = (size_t)(dec->in.end - dec->in.begin);
    if (dec->memory_bytes > FREE + PER_BYTE * body)
        return arka_fail(err, ARKA_LIMIT,
                         "body of %zu bytes makes more than %zu bytes of batches: put more rows "
                         "into one record",
                         body, FREE + PER_BYTE * body);
    return ARKA_OK;
}

arka_status arka_msgpack__add_write(arka_msgpack_decoder *dec, arka_slice measurement,
                                    arka_batch *take_batch, int64_t member, arka_error *err)
{
    /* Its entry here, and what storing it takes: an outcome with room for a sentence. */
    const size_t PER_WRITE = sizeof(arka_write) + sizeof(arka_error) + 64;
    ARKA_AUTO(arka_batch) batch = take_batch;
    dec->memory_bytes += batch->memory_bytes + PER_WRITE;
    ARKA_TRY(check_memory(dec, err));
    int64_t n_rows = batch->n_rows;
    if (!arka_vec_push(&dec->out->writes, (arka_write){measurement, batch, member}))
        return arka_fail_nomem(err, "a write", sizeof(arka_write));
    arka_take(batch);
    dec->out->n_rows += n_rows;
    return ARKA_OK;
}

static bool is_key(const arka_msgpack_token *key, arka_slice name)
{
    return key->kind == ARKA_MSGPACK_TEXT && arka_slice_eq(key->bytes, name);
}

/* Where a record's value of that key is noted; NULL for keys that are none of ours. */
static const uint8_t **place_of(arka_msgpack_record *record, arka_slice key)
{
    if (key.len == 1)
        return key.data[0] == 't'   ? &record->t
               : key.data[0] == 'h' ? &record->h
               : key.data[0] == 'f' ? &record->f
                                    : NULL;
    if (arka_slice_eq(key, ARKA_SLICE("tags")))
        return &record->tags;
    return arka_slice_eq(key, ARKA_SLICE("fields")) ? &record->fields : NULL;
}

static arka_status fail_twice(const arka_msgpack_token *key, arka_error *err)
{
    return arka_fail(err, ARKA_INPUT, "key '%.*s' is there twice", ARKA_FMT(key->bytes));
}

static arka_status read_measurement(arka_msgpack_decoder *dec, arka_msgpack_record *record,
                                    arka_error *err)
{
    arka_msgpack_token t;
    ARKA_TRY(arka_msgpack_take(&dec->in, &t, err));
    if (t.kind == ARKA_MSGPACK_TEXT) {
        record->measurement = t.bytes;
        return ARKA_OK;
    }
    int n;
    if (t.kind == ARKA_MSGPACK_INT)
        n = snprintf(record->made, sizeof record->made, "measurement_%" PRId64, t.i64);
    else if (t.kind == ARKA_MSGPACK_UINT)
        n = snprintf(record->made, sizeof record->made, "measurement_%" PRIu64, t.u64);
    else
        return arka_fail(err, ARKA_INPUT, "'m' is %s, expected a string or an integer",
                         arka_msgpack_kind_name(t.kind));
    record->measurement = (arka_slice){record->made, (size_t)n};
    return ARKA_OK;
}

/* One key and its value: columns are decoded at once, what makes a row is noted for later. */
static arka_status read_pair(arka_msgpack_decoder *dec, arka_msgpack_record *record,
                             arka_batch **batch, arka_error *err)
{
    arka_msgpack_reader before = dec->in;
    arka_msgpack_token key;
    ARKA_TRY(arka_msgpack_take(&dec->in, &key, err));
    if (key.kind != ARKA_MSGPACK_TEXT) {
        dec->in = before;
        ARKA_TRY(arka_msgpack_skip(&dec->in, err));
        return arka_msgpack_skip(&dec->in, err);
    }
    if (is_key(&key, ARKA_SLICE("m")))
        return record->measurement.data != NULL ? fail_twice(&key, err)
                                                : read_measurement(dec, record, err);
    if (is_key(&key, ARKA_SLICE("columns")))
        return *batch != NULL ? fail_twice(&key, err) : arka_msgpack__columns(dec, batch, err);
    const uint8_t **place = place_of(record, key.bytes);
    if (place != NULL) {
        if (*place != NULL)
            return fail_twice(&key, err);
        *place = dec->in.at;
    }
    return arka_msgpack_skip(&dec->in, err);
}

static arka_status read_record(arka_msgpack_decoder *dec, int64_t member, arka_error *err)
{
    ARKA_AUTO(arka_batch) batch = NULL;
    arka_msgpack_record record = {0};
    arka_msgpack_token map;
    ARKA_TRY(arka_msgpack_take(&dec->in, &map, err));
    if (map.kind != ARKA_MSGPACK_MAP)
        return arka_fail(err, ARKA_INPUT, "record is %s, expected a map",
                         arka_msgpack_kind_name(map.kind));
    for (uint32_t i = 0; i < map.count; i++)
        ARKA_TRY(read_pair(dec, &record, &batch, err));
    if (record.measurement.data == NULL)
        return arka_fail(err, ARKA_INPUT, "record has no 'm', the name of its measurement");
    if (batch == NULL)
        return arka_msgpack__row(dec, &record, member, err);
    ARKA_TRY(arka_name_check_measurement(record.measurement, err));
    char *name = arka_arena_text(&dec->out->arena, record.measurement);
    if (name == NULL)
        return arka_fail_nomem(err, "a measurement", record.measurement.len);
    int64_t n_rows = batch->n_rows;
    ARKA_TRY(arka_msgpack__add_write(dec, (arka_slice){name, record.measurement.len},
                                     arka_take(batch), member, err));
    dec->n_rows += n_rows;
    return ARKA_OK;
}

/* The name in a readable record that was refused, for whoever looks at the refusals. */
static arka_slice measurement_of(arka_msgpack_reader r)
{
    arka_msgpack_token map, key, value;
    if (!arka_msgpack_next(&r, &map) || map.kind != ARKA_MSGPACK_MAP)
        return (arka_slice){0};
    for (uint32_t i = 0; i < map.count; i++) {
        arka_msgpack_reader before = r;
        if (!arka_msgpack_next(&r, &key))
            break;
        if (is_key(&key, ARKA_SLICE("m")))
            return arka_msgpack_next(&r, &value) && value.kind == ARKA_MSGPACK_TEXT
                       ? arka_msgpack__shown(value.bytes)
                       : (arka_slice){0};
        r = before;
        if (arka_msgpack_skip(&r, NULL) != ARKA_OK || arka_msgpack_skip(&r, NULL) != ARKA_OK)
            break;
    }
    return (arka_slice){0};
}

static void reject(arka_msgpack_decoder *dec, int64_t member, arka_msgpack_reader start)
{
    arka_slice measurement = {0};
    if (dec->out->rejects.n < ARKA_WRITES_MAX_REJECTS)
        measurement = measurement_of(start);
    arka_writes_reject(dec->out, member, measurement, dec->why.msg, start.at,
                       (size_t)(dec->in.at - start.at));
    if (dec->out->n_rejected == 1) {
        dec->first_why = dec->why;
        dec->first_bad = member;
    }
}

static arka_status read_member(arka_msgpack_decoder *dec, arka_error *err)
{
    arka_msgpack_reader start = dec->in;
    int64_t member = dec->out->n_members++;
    dec->why.code = ARKA_OK;
    arka_status status = read_record(dec, member, &dec->why);
    if (status == ARKA_OK)
        return ARKA_OK;
    if (status != ARKA_INPUT)
        return arka_fail(err, status, "%s", dec->why.msg);
    dec->in = start;
    ARKA_TRY(arka_msgpack_skip(&dec->in, err));
    reject(dec, member, start);
    return ARKA_OK;
}

static arka_status read_members(arka_msgpack_decoder *dec, uint32_t n, arka_error *err)
{
    for (uint32_t i = 0; i < n; i++)
        ARKA_TRY(read_member(dec, err));
    return ARKA_OK;
}

/* The first key that means anything decides whether a map is a batch or a record. */
static bool is_batch(arka_msgpack_reader r)
{
    arka_msgpack_record none = {0};
    arka_msgpack_token map, key;
    if (!arka_msgpack_next(&r, &map) || map.kind != ARKA_MSGPACK_MAP)
        return false;
    for (uint32_t i = 0; i < map.count; i++) {
        arka_msgpack_reader before = r;
        if (!arka_msgpack_next(&r, &key) || is_key(&key, KEY_BATCH))
            return is_key(&key, KEY_BATCH);
        if (is_key(&key, ARKA_SLICE("m")) || is_key(&key, ARKA_SLICE("columns")) ||
            (key.kind == ARKA_MSGPACK_TEXT && place_of(&none, key.bytes) != NULL))
            return false;
        r = before;
        if (arka_msgpack_skip(&r, NULL) != ARKA_OK || arka_msgpack_skip(&r, NULL) != ARKA_OK)
            return false;
    }
    return false;
}

static arka_status read_batch(arka_msgpack_decoder *dec, arka_error *err)
{
    arka_msgpack_token map, key, array;
    bool seen = false;
    ARKA_TRY(arka_msgpack_take(&dec->in, &map, err));
    for (uint32_t i = 0; i < map.count; i++) {
        arka_msgpack_reader before = dec->in;
        ARKA_TRY(arka_msgpack_take(&dec->in, &key, err));
        if (is_key(&key, KEY_BATCH)) {
            ARKA_TRY(arka_msgpack_take(&dec->in, &array, err));
            if (seen || array.kind != ARKA_MSGPACK_ARRAY)
                return seen ? fail_twice(&key, err)
                            : arka_fail(err, ARKA_INPUT, "'batch' is %s, expected an array of maps",
                                        arka_msgpack_kind_name(array.kind));
            seen = true;
            ARKA_TRY(read_members(dec, array.count, err));
            continue;
        }
        dec->in = before;
        ARKA_TRY(arka_msgpack_skip(&dec->in, err));
        ARKA_TRY(arka_msgpack_skip(&dec->in, err));
    }
    return ARKA_OK;
}

/* One object of the body: a record, a batch, or an array of records. */
static arka_status read_object(arka_msgpack_decoder *dec, bool *record, arka_error *err)
{
    arka_msgpack_reader start = dec->in;
    arka_msgpack_token t;
    *record = false;
    if (is_batch(start))
        return read_batch(dec, err);
    ARKA_TRY(arka_msgpack_take(&dec->in, &t, err));
    if (t.kind == ARKA_MSGPACK_ARRAY)
        return read_members(dec, t.count, err);
    if (t.kind != ARKA_MSGPACK_MAP)
        return arka_fail(err, ARKA_INPUT,
                         "byte %zu of the body begins %s, expected a map or an array of maps",
                         (size_t)(start.at - start.begin), arka_msgpack_kind_name(t.kind));
    dec->in = start;
    *record = true;
    return read_member(dec, err);
}

static arka_status read_body(arka_msgpack_decoder *dec, arka_error *err)
{
    bool record = false;
    arka_writes *out = dec->out;
    if (dec->in.at == dec->in.end)
        return arka_fail(err, ARKA_INPUT, "body is empty");
    ARKA_TRY(read_object(dec, &record, err));
    out->single = record && dec->in.at == dec->in.end;
    while (dec->in.at < dec->in.end)
        ARKA_TRY(read_object(dec, &record, err));
    if (out->n_members == 0)
        return arka_fail(err, ARKA_INPUT, "body holds no record");
    if (out->n_rejected == 0)
        return arka_msgpack__seal_groups(dec, err);
    if (out->single)
        return arka_fail(err, ARKA_INPUT, "%s", dec->first_why.msg);
    if (out->n_rejected == out->n_members)
        return arka_fail(err, ARKA_INPUT, "none of %" PRId64 " records is good; record 0: %s",
                         out->n_members, dec->first_why.msg);
    if (dec->options.atomic)
        return arka_fail(err, ARKA_INPUT, "record %" PRId64 " of %" PRId64 ": %s", dec->first_bad,
                         out->n_members, dec->first_why.msg);
    return arka_msgpack__seal_groups(dec, err);
}

static arka_msgpack_options filled_in(const arka_msgpack_options *given)
{
    arka_msgpack_options o = *given;
    if (o.max_depth <= 0)
        o.max_depth = 32;
    if (o.max_depth > ARKA_MSGPACK_MAX_DEPTH)
        o.max_depth = ARKA_MSGPACK_MAX_DEPTH;
    if (o.max_rows <= 0)
        o.max_rows = 100000000;
    return o;
}

arka_status arka_msgpack_decode(const void *body, size_t len, const arka_msgpack_options *options,
                                arka_writes *out, arka_error *err)
{
    const uint8_t *bytes = body;
    arka_msgpack_decoder dec = {
        .in = {bytes, bytes + len, bytes}, .options = filled_in(options), .out = out};
    arka_status status = read_body(&dec, err);
    arka_msgpack__free_groups(&dec);
    arka_buf_fini(&dec.text);
    if (status != ARKA_OK)
        arka_writes_fini(out);
    return status;
}
