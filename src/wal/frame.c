/* Messages as they are written: heads of runs, records, their checksums. */
#include <inttypes.h>
#include <stdio.h>

#include "base/crc32c.h"
#include "base/number.h"
#include "wal/wal_priv.h"

enum { PREFIX = 8, COPIED_BODY = 2048 }; /* smaller bodies are copied behind their heads */

/* Pairs whose values are short texts made here. */
typedef struct pairs {
    arka_arrow_pair items[12];
    size_t n;
    char text[12][ARKA_NUMBER_TEXT];
} pairs;

static void add(pairs *p, arka_slice key, arka_slice value)
{
    p->items[p->n++] = (arka_arrow_pair){key, value};
}

static void add_u64(pairs *p, arka_slice key, uint64_t value)
{
    char *text = p->text[p->n];
    add(p, key, (arka_slice){text, arka_format_u64(text, value)});
}

static void add_i64(pairs *p, arka_slice key, int64_t value)
{
    char *text = p->text[p->n];
    add(p, key, (arka_slice){text, arka_format_i64(text, value)});
}

/* The last pair, whose value is filled in when the message is complete. */
static arka_arrow_pairs with_crc(pairs *p)
{
    add(p, ARKA_SLICE("arka:crc"), ARKA_SLICE("0000000000000000"));
    return (arka_arrow_pairs){p->items, p->n};
}

static void put_hex(char out[8], uint32_t v)
{
    for (int i = 0; i < 8; i++, v <<= 4)
        out[i] = "0123456789abcdef"[v >> 28];
}

uint32_t arka_wal__head_crc(const char *frame, size_t n, size_t crc_text_at)
{
    size_t zeros = crc_text_at + 8;
    uint32_t crc = arka_crc32c(frame, zeros);
    crc = arka_crc32c_more(crc, "00000000", 8);
    return arka_crc32c_more(crc, frame + zeros + 8, n - zeros - 8);
}

/* The message at `start` of the heads gets its checksums; `value` is where they go. */
static void seal(arka_buf *heads, size_t start, size_t value, uint32_t body_crc)
{
    int32_t metadata;
    if (heads->failed)
        return;
    memcpy(&metadata, heads->data + start + 4, sizeof metadata);
    put_hex(heads->data + value, body_crc);
    uint32_t crc =
        arka_wal__head_crc(heads->data + start, PREFIX + (size_t)metadata, value - start);
    put_hex(heads->data + value + 8, crc);
}

void arka_wal__group_fini(arka_wal__group *group)
{
    arka_buf_fini(&group->heads);
    arka_vec_fini(&group->pieces);
}

bool arka_wal__same_run(const arka_wal__run *run, const arka_wal_entry *entry)
{
    if (!run->open || run->kind != entry->kind)
        return false;
    if (entry->kind == ARKA_WAL_CONTROL)
        return true;
    arka_slice id = {run->table_id, run->table_id_len};
    return run->layout == entry->batch->layout && run->schema_id == entry->table.schema_id &&
           arka_slice_eq(id, entry->table.table_id);
}

static arka_arrow_field *control_fields(arka_arrow_field out[2])
{
    out[0] = (arka_arrow_field){.name = ARKA_SLICE("kind"), .type = ARKA_ARROW_UTF8};
    out[1] = (arka_arrow_field){.name = ARKA_SLICE("payload"), .type = ARKA_ARROW_UTF8};
    return out;
}

/* The id of a batch's column among the table's fields; 0: it is none of them. */
static int field_id(const arka_wal_entry *entry, int column)
{
    for (int i = 0; i < entry->n_fields; i++)
        if (entry->column_of_field[i] == column)
            return i + 1;
    return 0;
}

/* The batch's columns as fields with their ids. */
static arka_arrow_field *row_fields(const arka_wal_entry *entry, arka_arena *arena)
{
    const arka_batch *batch = entry->batch;
    arka_arrow_field *fields = arka_arrow_fields_of(batch, arena);
    for (int i = 0; fields != NULL && i < batch->n_columns; i++) {
        arka_arrow_pairs *metadata = &fields[i].metadata;
        arka_arrow_pair *more = arka_arena_alloc(arena, (metadata->n + 1) * sizeof *more);
        char *text = arka_arena_alloc(arena, ARKA_NUMBER_TEXT);
        int id = field_id(entry, i);
        if (more == NULL || text == NULL)
            return NULL;
        if (id == 0)
            continue;
        if (metadata->n > 0)
            memcpy(more, metadata->items, metadata->n * sizeof *more);
        more[metadata->n] =
            (arka_arrow_pair){ARKA_SLICE("PARQUET:field_id"), {text, arka_format_i64(text, id)}};
        *metadata = (arka_arrow_pairs){more, metadata->n + 1};
    }
    return fields;
}

static arka_slice full_name(const arka_wal_entry *entry, arka_arena *arena)
{
    if (entry->kind == ARKA_WAL_CONTROL)
        return ARKA_SLICE("");
    arka_slice database = entry->table.database, table = entry->table.table;
    size_t n = database.len + 1 + table.len;
    char *text = arka_arena_alloc(arena, n);
    if (text == NULL)
        return (arka_slice){NULL, 0};
    memcpy(text, database.data, database.len);
    text[database.len] = '.';
    memcpy(text + database.len + 1, table.data, table.len);
    return (arka_slice){text, n};
}

static void put_schema(arka_wal__group *group, const arka_wal__heading *heading,
                       const arka_wal_entry *entry)
{
    ARKA_AUTO_VALUE(arka_arena) arena = ARKA_ARENA_INIT;
    bool control = entry->kind == ARKA_WAL_CONTROL;
    pairs of_schema = {.n = 0}, of_message = {.n = 0};
    add_u64(&of_schema, ARKA_SLICE("arka:wal"), ARKA_WAL__VERSION);
    add(&of_schema, ARKA_SLICE("arka:table"), full_name(entry, &arena));
    add(&of_schema, ARKA_SLICE("arka:database"), control ? ARKA_SLICE("") : entry->table.database);
    add(&of_schema, ARKA_SLICE("arka:table_id"), control ? ARKA_SLICE("") : entry->table.table_id);
    add_i64(&of_schema, ARKA_SLICE("arka:schema_id"), control ? 0 : entry->table.schema_id);
    add(&of_schema, ARKA_SLICE("arka:table_type"),
        control ? ARKA_SLICE("control") : ARKA_SLICE("append"));
    add_u64(&of_schema, ARKA_SLICE("arka:epoch"), heading->epoch);
    add_u64(&of_schema, ARKA_SLICE("arka:segment"), heading->base);
    add_u64(&of_schema, ARKA_SLICE("arka:prev_lsn"), heading->prev_lsn);
    if (heading->lost_to > 0)
        add_u64(&of_schema, ARKA_SLICE("arka:lost_to"), heading->lost_to);

    arka_arrow_field control_room[2];
    int n = control ? 2 : entry->batch->n_columns;
    arka_arrow_field *fields = control ? control_fields(control_room) : row_fields(entry, &arena);
    if (fields == NULL || arena.failed) {
        group->failed = true;
        return;
    }
    size_t start = group->heads.len;
    size_t value =
        arka_ipc_write_schema(fields, n, (arka_arrow_pairs){of_schema.items, of_schema.n},
                              with_crc(&of_message), &group->heads);
    seal(&group->heads, start, value, 0);
}

void arka_wal__put_run(arka_wal__group *group, arka_wal__run *run, const arka_wal__heading *heading,
                       const arka_wal_entry *entry, int64_t file_at)
{
    if (run->open)
        arka_ipc_write_eos(&group->heads);
    *run = (arka_wal__run){
        .kind = entry->kind,
        .at = file_at + (int64_t)(group->heads.len + group->outside),
    };
    put_schema(group, heading, entry);
    run->open = true;
    if (entry->kind == ARKA_WAL_CONTROL)
        return;
    run->layout = entry->batch->layout;
    run->schema_id = entry->table.schema_id;
    arka_slice id = entry->table.table_id;
    if (id.len <= sizeof run->table_id) {
        run->table_id_len = id.len;
        memcpy(run->table_id, id.data, id.len);
    }
}

/* The rows as they are in memory: a head, and the body from where it is. */
static void put_rows(arka_wal__group *group, const arka_wal_entry *entry, arka_arrow_pairs metadata)
{
    const arka_batch *batch = entry->batch;
    size_t start = group->heads.len;
    size_t value = arka_ipc_arka_batch_header(batch, metadata, &group->heads);
    seal(&group->heads, start, value, entry->body_crc);
    if (batch->body_bytes <= COPIED_BODY) {
        arka_buf_append(&group->heads, batch->body, batch->body_bytes);
        return;
    }
    if (!arka_vec_push(&group->pieces, (arka_wal__piece){.heads_end = group->heads.len,
                                                         .body = batch->body,
                                                         .body_bytes = batch->body_bytes}))
        group->failed = true;
    group->outside += batch->body_bytes;
}

/* A message that was written with its body: the body's checksum is reckoned here. */
static void seal_whole(arka_buf *heads, size_t start, size_t value)
{
    int32_t metadata;
    if (heads->failed)
        return;
    memcpy(&metadata, heads->data + start + 4, sizeof metadata);
    size_t body = start + PREFIX + (size_t)metadata;
    seal(heads, start, value, arka_crc32c(heads->data + body, heads->len - body));
}

static void put_control(arka_wal__group *group, const arka_wal_entry *entry,
                        const arka_ipc_options *options)
{
    int32_t event_ends[2] = {0, (int32_t)entry->event.len};
    int32_t payload_ends[2] = {0, (int32_t)entry->payload.len};
    arka_ipc_node nodes[2] = {{1, 0}, {1, 0}};
    arka_ipc_buffer buffers[6] = {
        {NULL, 0},
        {event_ends, sizeof event_ends},
        {entry->event.data, (int64_t)entry->event.len},
        {NULL, 0},
        {payload_ends, sizeof payload_ends},
        {entry->payload.data, (int64_t)entry->payload.len},
    };
    arka_ipc_columns columns = {1, nodes, 2, buffers, 6};
    size_t start = group->heads.len;
    size_t value = arka_ipc_write_batch(&columns, options, &group->heads);
    seal_whole(&group->heads, start, value);
}

void arka_wal__put_record(arka_wal__group *group, const arka_wal_entry *entry,
                          const arka_wal__record_facts *facts)
{
    ARKA_AUTO_VALUE(arka_arena) arena = ARKA_ARENA_INIT;
    pairs p = {.n = 0};
    arka_slice name = full_name(entry, &arena);
    if (arena.failed) {
        group->failed = true;
        return;
    }
    add_u64(&p, ARKA_SLICE("arka:lsn_first"), entry->lsn_first);
    add_u64(&p, ARKA_SLICE("arka:lsn_last"), entry->lsn_last);
    add(&p, ARKA_SLICE("arka:table"), name);
    add_i64(&p, ARKA_SLICE("arka:ts"), facts->ts_us);
    add_u64(&p, ARKA_SLICE("arka:durable"), facts->durable);
    add_i64(&p, ARKA_SLICE("arka:run"), facts->run_at);
    if (entry->requests.len > 0)
        add(&p, ARKA_SLICE("arka:req"), entry->requests);
    if (facts->group_end)
        add(&p, ARKA_SLICE("arka:group_end"), ARKA_SLICE("1"));
    arka_ipc_options options = {.codec = facts->codec, .metadata = with_crc(&p)};
    if (entry->kind == ARKA_WAL_CONTROL) {
        put_control(group, entry, &options);
    } else if (facts->codec == ARKA_IPC_PLAIN) {
        put_rows(group, entry, options.metadata);
    } else {
        size_t start = group->heads.len;
        size_t value = arka_ipc_write_arka_batch(entry->batch, &options, &group->heads);
        seal_whole(&group->heads, start, value);
    }
}
