#include <inttypes.h>

#include "columnar/ipc_priv.h"

enum { PREFIX = 8 };
#define METADATA_BYTES (INT64_C(64) << 20)

static arka_status broken(const arka_flatbuf *fb, size_t at, arka_error *err)
{
    return arka_fail(
        err, ARKA_INPUT,
        "Arrow message at byte %zu is damaged: what stands at byte %zu of its metadata %s", at,
        fb->bad_at, fb->bad);
}

/* The 8 bytes in front; *n: bytes of metadata, 0 for the end. */
static arka_status read_prefix(arka_slice stream, size_t at, int64_t limit, size_t *n,
                               arka_error *err)
{
    uint32_t words[2] = {0};
    if (stream.len - at < PREFIX)
        return arka_fail(err, ARKA_INPUT,
                         "Arrow message at byte %zu is cut off: %zu bytes of its %d byte prefix",
                         at, stream.len - at, PREFIX);
    memcpy(words, stream.data + at, PREFIX);
    if (words[0] != UINT32_MAX)
        return arka_fail(err, ARKA_INPUT,
                         "no Arrow message at byte %zu: found %08" PRIx32 ", expected ffffffff", at,
                         words[0]);
    if (words[1] % 8 != 0)
        return arka_fail(err, ARKA_INPUT,
                         "Arrow message at byte %zu: %" PRIu32 " bytes of metadata, expected a "
                         "multiple of 8",
                         at, words[1]);
    if ((int64_t)words[1] > limit)
        return arka_fail(err, ARKA_LIMIT,
                         "Arrow message at byte %zu: %" PRIu32
                         " bytes of metadata, at most %" PRId64 " are allowed",
                         at, words[1], limit);
    if (stream.len - at - PREFIX < words[1])
        return arka_fail(err, ARKA_INPUT,
                         "Arrow message at byte %zu is cut off: %zu of %" PRIu32
                         " bytes of metadata",
                         at, stream.len - at - PREFIX, words[1]);
    *n = words[1];
    return ARKA_OK;
}

static arka_status read_kind(arka_flatbuf *fb, const arka_flatbuf_table *t, size_t at,
                             arka_ipc_kind *kind, arka_error *err)
{
    int64_t version = arka_flatbuf__int(fb, t, MESSAGE_VERSION, 2, 0);
    int64_t header = arka_flatbuf__int(fb, t, MESSAGE_KIND, 1, 0);
    if (fb->bad != NULL)
        return broken(fb, at, err);
    if (version != ARKA_FBS_V5)
        return arka_fail(err, ARKA_INPUT,
                         "Arrow message at byte %zu has metadata version V%" PRId64 ", expected V5",
                         at, version + 1);
    switch (header) {
    case ARKA_FBS_SCHEMA:
        *kind = ARKA_IPC_SCHEMA;
        return ARKA_OK;
    case ARKA_FBS_DICTIONARY_BATCH:
        *kind = ARKA_IPC_DICTIONARY;
        return ARKA_OK;
    case ARKA_FBS_RECORD_BATCH:
        *kind = ARKA_IPC_BATCH;
        return ARKA_OK;
    default:
        return arka_fail(err, ARKA_INPUT,
                         "Arrow message at byte %zu is of kind %" PRId64
                         ", expected a schema (1), dictionary (2) or record batch (3)",
                         at, header);
    }
}

/* Where the custom metadata stands; each pair is looked at once, so that it can be read later. */
static void find_pairs(arka_flatbuf *fb, const arka_flatbuf_table *t, arka_ipc_message *m)
{
    arka_flatbuf_vector v = arka_flatbuf__tables(fb, t, MESSAGE_PAIRS);
    for (uint32_t i = 0; i < v.n && fb->bad == NULL; i++) {
        arka_flatbuf_table pair = arka_flatbuf__item(fb, &v, i);
        arka_flatbuf__text_or_empty(fb, &pair, PAIR_KEY);
        arka_flatbuf__text_or_empty(fb, &pair, PAIR_VALUE);
    }
    m->pairs = v.at;
    m->n_pairs = v.n;
}

/* All but the body. */
static arka_status read_head(arka_slice stream, size_t at, const arka_ipc_limits *limits,
                             arka_ipc_message *out, int64_t *body_bytes, arka_error *err)
{
    arka_ipc_message m = {.kind = ARKA_IPC_EOS, .at = at};
    size_t n = 0;
    *body_bytes = 0;
    int64_t limit = limits == NULL ? 0 : limits->metadata_bytes;
    ARKA_TRY(read_prefix(stream, at, limit > 0 ? limit : METADATA_BYTES, &n, err));
    m.frame_bytes = PREFIX + n;
    m.metadata = (arka_slice){stream.data + at + PREFIX, n};
    if (n == 0) {
        *out = m;
        return ARKA_OK;
    }

    arka_flatbuf fb = arka_flatbuf__open(m.metadata.data, n);
    arka_flatbuf_table t = arka_flatbuf__root(&fb);
    ARKA_TRY(read_kind(&fb, &t, at, &m.kind, err));
    arka_flatbuf_table header = arka_flatbuf__child(&fb, &t, MESSAGE_HEADER);
    int64_t body = arka_flatbuf__int(&fb, &t, MESSAGE_BODY_BYTES, 8, 0);
    find_pairs(&fb, &t, &m);
    if (fb.bad != NULL)
        return broken(&fb, at, err);
    if (header.at == 0)
        return arka_fail(err, ARKA_INPUT, "Arrow message at byte %zu has no header", at);
    if (body < 0 || body % 8 != 0)
        return arka_fail(err, ARKA_INPUT,
                         "Arrow message at byte %zu: a body of %" PRId64
                         " bytes, expected a multiple of 8",
                         at, body);
    m.header = header.at;
    *body_bytes = body;
    *out = m;
    return ARKA_OK;
}

arka_status arka_ipc_message_read_head(arka_slice bytes, const arka_ipc_limits *limits,
                                       arka_ipc_message *out, int64_t *body_bytes, arka_error *err)
{
    return read_head(bytes, 0, limits, out, body_bytes, err);
}

arka_status arka_ipc_message_read(arka_slice stream, size_t at, const arka_ipc_limits *limits,
                                  arka_ipc_message *out, arka_error *err)
{
    arka_ipc_message m = {.kind = ARKA_IPC_EOS, .at = at};
    int64_t body;
    if (at > stream.len)
        return arka_fail(err, ARKA_INPUT, "no Arrow message at byte %zu of a stream of %zu", at,
                         stream.len);
    if (at == stream.len) {
        *out = m;
        return ARKA_OK;
    }
    ARKA_TRY(read_head(stream, at, limits, &m, &body, err));
    size_t left = stream.len - at - m.frame_bytes;
    if ((uint64_t)body > left)
        return arka_fail(err, ARKA_INPUT,
                         "Arrow message at byte %zu is cut off: %zu of %" PRId64
                         " bytes of its body",
                         at, left, body);
    if (m.kind != ARKA_IPC_EOS)
        m.body = (arka_slice){stream.data + at + m.frame_bytes, (size_t)body};
    m.frame_bytes += (size_t)body;
    *out = m;
    return ARKA_OK;
}

int64_t arka_ipc_message_rows(const arka_ipc_message *message)
{
    arka_flatbuf fb = arka_flatbuf__open(message->metadata.data, message->metadata.len);
    arka_flatbuf_table t = arka_flatbuf__table_at(&fb, message->header);
    return arka_flatbuf__int(&fb, &t, BATCH_ROWS, 8, 0);
}

arka_arrow_pair arka_ipc_message_pair(const arka_ipc_message *message, uint32_t i)
{
    arka_flatbuf fb = arka_flatbuf__open(message->metadata.data, message->metadata.len);
    arka_flatbuf_vector v = {message->pairs, message->n_pairs};
    arka_flatbuf_table t = arka_flatbuf__item(&fb, &v, i);
    arka_slice key = arka_flatbuf__text_or_empty(&fb, &t, PAIR_KEY);
    arka_slice value = arka_flatbuf__text_or_empty(&fb, &t, PAIR_VALUE);
    return (arka_arrow_pair){key, value};
}

arka_slice arka_ipc_message_find(const arka_ipc_message *message, arka_slice key)
{
    for (uint32_t i = 0; i < message->n_pairs; i++) {
        arka_arrow_pair pair = arka_ipc_message_pair(message, i);
        if (arka_slice_eq(pair.key, key))
            return pair.value;
    }
    return (arka_slice){NULL, 0};
}
