/* Segments as others see them: runs, metadata, names. */
#include <unistd.h>

#include "kit/wal.h"
#include "wal/wal_priv.h"

/* A segment, message by message. */
typedef struct walk {
    char *bytes;
    size_t n, at;
    arka_ipc_message m;
} walk;

static walk walk_open(const char *dir, uint64_t base)
{
    walk w = {.at = 0};
    w.bytes = kit_wal_load(kit_wal_segment(dir, base), &w.n);
    return w;
}

static bool walk_next(walk *w)
{
    arka_error err = {0};
    ASSERT_OK(arka_ipc_message_read((arka_slice){w->bytes, w->n}, w->at, NULL, &w->m, &err));
    w->at += w->m.frame_bytes;
    return w->m.frame_bytes > 0;
}

/* "S" a head, "r" a record, "R" the last of a group, "." an end mark. */
static char *shape_of(const char *dir, uint64_t base)
{
    arka_buf shape = ARKA_BUF_INIT;
    walk w = walk_open(dir, base);
    while (walk_next(&w)) {
        bool last = arka_ipc_message_find(&w.m, ARKA_SLICE("arka:group_end")).len > 0;
        arka_buf_text(&shape, w.m.kind == ARKA_IPC_EOS      ? "."
                              : w.m.kind == ARKA_IPC_SCHEMA ? "S"
                              : last                        ? "R"
                                                            : "r");
    }
    free(w.bytes);
    char *text = strdup(shape.len == 0 ? "" : arka_buf_cstr(&shape));
    arka_buf_fini(&shape);
    return text;
}

static void must_have_shape(const char *dir, uint64_t base, const char *expected)
{
    char *shape = shape_of(dir, base);
    assert_string_equal(shape, expected);
    free(shape);
}

static void append(arka_wal *wal, const arka_wal_entry *entries, size_t n)
{
    arka_error err = {0};
    ASSERT_OK(arka_wal_append(wal, entries, n, &err));
    ASSERT_OK(arka_wal_sync(wal, &err));
}

TEST(WAL_2_WAL_4_runs_and_groups)
{
    arka_error err = {0};
    const char *dir = kit_wal_dir("runs");
    arka_wal *wal = kit_wal_begin(dir, 1);
    arka_batch *one = kit_sample_batch(1, 0);
    arka_wal_entry a[] = {kit_wal_rows(1, "a", 1, one), kit_wal_rows(2, "a", 1, one),
                          kit_wal_rows(3, "b", 1, one)};
    arka_wal_entry b[] = {kit_wal_rows(4, "b", 1, one), kit_wal_rows(5, "b", 2, one)};
    arka_wal_entry c[] = {kit_wal_control(6, "k", "p"), kit_wal_control(7, "k", "p")};
    append(wal, a, 3);
    must_have_shape(dir, 1, "Srr.SR");
    append(wal, b, 2);
    append(wal, c, 2);
    must_have_shape(dir, 1, "Srr.SRr.SR.SrR");
    ASSERT_OK(arka_wal_close(wal, &err));
    must_have_shape(dir, 1, "Srr.SRr.SR.SrR.");
    arka_batch_unref(one);
}

TEST(WAL_2_a_run_ends_at_64_MiB)
{
    arka_error err = {0};
    const char *dir = kit_wal_dir("long-run");
    arka_wal *wal = kit_wal_begin(dir, 1);
    arka_batch *big = kit_sample_batch(600000, 0);
    assert_true(big->body_bytes > 24 << 20 && big->body_bytes < 40 << 20);
    for (uint64_t i = 0; i < 4; i++) {
        arka_wal_entry e = kit_wal_rows(1 + i * 600000, "a", 1, big);
        append(wal, &e, 1);
    }
    ASSERT_OK(arka_wal_close(wal, &err));
    char *shape = shape_of(dir, 1);
    assert_true(strcmp(shape, "SRRR.SR.") == 0 || strcmp(shape, "SRR.SRR.") == 0);
    free(shape);
    kit_wal_found found = {.cells = false};
    ASSERT_OK(kit_wal_read(dir, &found, &err));
    assert_int_equal(found.n_rows, 2400000);
    kit_wal_found_fini(&found);
    arka_batch_unref(big);
}

static void must_find(const arka_ipc_message *m, const char *key, const char *value)
{
    arka_slice got = arka_ipc_message_find(m, arka_slice_of(key));
    if (value == NULL)
        assert_true(got.len == 16);
    else if (!arka_slice_eq(got, arka_slice_of(value)))
        fail_msg("%s is '%.*s', expected '%s'", key, ARKA_FMT(got), value);
}

static void must_say(arka_arrow_pairs pairs, const char *key, const char *value)
{
    arka_slice got = arka_arrow_pairs_find(pairs, arka_slice_of(key));
    if (!arka_slice_eq(got, arka_slice_of(value)))
        fail_msg("%s is '%.*s', expected '%s'", key, ARKA_FMT(got), value);
}

TEST(WAL_3_every_message_says_what_it_is)
{
    arka_error err = {0};
    const char *dir = kit_wal_dir("keys");
    arka_batch *three = kit_sample_batch(3, 2);
    arka_wal *wal = kit_wal_begin(dir, 100);
    arka_wal_entry e = kit_wal_rows(100, "a", 7, three), f = kit_wal_rows(103, "a", 7, three);
    static const int16_t columns[] = {4, -1, 0, 3};
    e.column_of_field = f.column_of_field = columns;
    e.n_fields = f.n_fields = 4;
    e.table.table_id = f.table.table_id = ARKA_SLICE("0c4ee1c2-0f2c-4bd9-8d7d-5c6f5d3b8a11");
    f.requests = ARKA_SLICE("k1 k2");
    append(wal, &e, 1);
    append(wal, &f, 1);
    ASSERT_OK(arka_wal_close(wal, &err));

    walk w = walk_open(dir, 100);
    assert_true(walk_next(&w));
    must_find(&w.m, "arka:crc", NULL);
    arka_ipc_reader *reader;
    ASSERT_OK(arka_ipc_reader_new((arka_slice){w.bytes, w.n}, 0, NULL, &reader, &err));
    arka_arrow_pairs pairs = arka_ipc_reader_metadata(reader);
    must_say(pairs, "arka:wal", "1");
    must_say(pairs, "arka:table", "d.b.a");
    must_say(pairs, "arka:database", "d.b");
    must_say(pairs, "arka:table_id", "0c4ee1c2-0f2c-4bd9-8d7d-5c6f5d3b8a11");
    must_say(pairs, "arka:schema_id", "7");
    must_say(pairs, "arka:table_type", "append");
    must_say(pairs, "arka:epoch", "1");
    must_say(pairs, "arka:segment", "100");
    must_say(pairs, "arka:prev_lsn", "0");
    int n;
    const arka_arrow_field *fields = arka_ipc_reader_fields(reader, &n);
    assert_int_equal(n, 6);
    must_say(fields[0].metadata, "PARQUET:field_id", "3");
    must_say(fields[3].metadata, "PARQUET:field_id", "4");
    must_say(fields[4].metadata, "PARQUET:field_id", "1");
    must_say(fields[4].metadata, "arka:tag", "1");
    must_say(fields[1].metadata, "PARQUET:field_id", "");
    arka_ipc_reader_free(reader);

    assert_true(walk_next(&w));
    must_find(&w.m, "arka:lsn_first", "100");
    must_find(&w.m, "arka:lsn_last", "102");
    must_find(&w.m, "arka:table", "d.b.a");
    must_find(&w.m, "arka:ts", "1700000000000100");
    must_find(&w.m, "arka:durable", "0");
    must_find(&w.m, "arka:run", "0");
    must_find(&w.m, "arka:req", "");
    must_find(&w.m, "arka:group_end", "1");
    must_find(&w.m, "arka:crc", NULL);
    assert_true(walk_next(&w));
    must_find(&w.m, "arka:lsn_first", "103");
    must_find(&w.m, "arka:durable", "102");
    must_find(&w.m, "arka:req", "k1 k2");
    free(w.bytes);
    arka_batch_unref(three);
}

TEST(CLK_2_times_of_records_never_fall)
{
    arka_error err = {0};
    const char *dir = kit_wal_dir("clock");
    arka_batch *one = kit_sample_batch(1, 0);
    static const struct {
        int64_t given;
        const char *written;
    } times[] = {{1000, "1000"}, {5, "1000"}, {2000, "2000"}, {1999, "2000"}, {2001, "2001"}};
    arka_wal *wal = kit_wal_begin(dir, 1);
    for (uint64_t i = 0; i < 5; i++) {
        if (i == 3) { /* also over a stop */
            ASSERT_OK(arka_wal_close(wal, &err));
            wal = kit_wal_begin(dir, 4);
        }
        arka_wal_entry e = kit_wal_rows(i + 1, "a", 1, one);
        e.ts_us = times[i].given;
        append(wal, &e, 1);
    }
    ASSERT_OK(arka_wal_close(wal, &err));
    int i = 0;
    for (uint64_t base = 1; base <= 4; base += 3) {
        walk w = walk_open(dir, base);
        while (walk_next(&w))
            if (w.m.kind == ARKA_IPC_BATCH)
                must_find(&w.m, "arka:ts", times[i++].written);
        free(w.bytes);
    }
    assert_int_equal(i, 5);
    arka_batch_unref(one);
}

static arka_wal *begin_with(const char *dir, arka_wal_options options, uint64_t lsn)
{
    arka_error err = {0};
    arka_wal *wal;
    kit_wal_found found = {.cells = false};
    options.dir = dir;
    ASSERT_OK(arka_wal_open(&options, &wal, &err));
    ASSERT_OK(kit_wal_recover(wal, &found, &err));
    ASSERT_OK(arka_wal_begin(wal, lsn, 1, &err));
    kit_wal_found_fini(&found);
    return wal;
}

TEST(WAL_8_segments_end_by_size_and_by_age)
{
    arka_error err = {0};
    arka_wal_options options;
    arka_batch *one = kit_sample_batch(1, 0);
    for (int by_age = 0; by_age < 2; by_age++) {
        const char *dir = kit_wal_dir("roll");
        arka_wal_options_default(&options);
        if (by_age)
            options.segment_age_ms = 0;
        else
            options.segment_bytes = 1;
        arka_wal *wal = begin_with(dir, options, 1);
        assert_int_equal(access(kit_wal_segment(dir, 1), F_OK), -1); /* none before it is needed */
        for (uint64_t lsn = 1; lsn <= 3; lsn++) {
            arka_wal_entry e = kit_wal_rows(lsn, "a", 1, one);
            append(wal, &e, 1);
            must_have_shape(dir, lsn, "SR"); /* its size is that of its messages */
        }
        arka_wal_stats stats;
        arka_wal_get_stats(wal, &stats);
        assert_int_equal(stats.n_segments, 3);
        assert_int_equal(stats.rotations, 2);
        assert_int_equal(stats.oldest_lsn, 1);
        assert_int_equal(stats.oldest_last_lsn, 1);
        assert_string_equal(stats.active, "segment_00000000000000000003.arrow");
        must_have_shape(dir, 1, "SR.");
        must_have_shape(dir, 2, "SR.");
        ASSERT_OK(arka_wal_close(wal, &err));
        must_have_shape(dir, 3, "SR.");
    }
    arka_batch_unref(one);
}

TEST(LSN_5_a_jump_of_numbers_begins_a_segment)
{
    arka_error err = {0};
    const char *dir = kit_wal_dir("jump");
    arka_batch *one = kit_sample_batch(1, 0);
    arka_wal *wal = kit_wal_begin(dir, 5);
    arka_wal_entry a = kit_wal_rows(5, "a", 1, one), b = kit_wal_rows(6, "a", 1, one),
                   c = kit_wal_rows(1 << 20, "a", 1, one);
    append(wal, &a, 1);
    append(wal, &b, 1);
    append(wal, &c, 1);
    arka_wal_entry again = kit_wal_rows(7, "a", 1, one);
    ASSERT_FAILS(arka_wal_append(wal, &again, 1, &err), ARKA_INTERNAL, "LSN 7");
    ASSERT_OK(arka_wal_close(wal, &err));
    must_have_shape(dir, 5, "SRR.");
    must_have_shape(dir, 1 << 20, "SR.");
    walk w = walk_open(dir, 1 << 20);
    arka_ipc_reader *reader;
    ASSERT_OK(arka_ipc_reader_new((arka_slice){w.bytes, w.n}, 0, NULL, &reader, &err));
    must_say(arka_ipc_reader_metadata(reader), "arka:prev_lsn", "6");
    arka_ipc_reader_free(reader);
    free(w.bytes);
    arka_wal_recovered found;
    arka_wal *other = kit_wal_open_os(dir, NULL);
    kit_wal_found records = {.cells = false};
    ASSERT_OK(kit_wal_recover(other, &records, &err));
    found = records.recovered;
    assert_int_equal(found.last_lsn, 1 << 20);
    ASSERT_FAILS(arka_wal_begin(other, 1 << 20, 2, &err), ARKA_INTERNAL, "expected one above");
    arka_wal_drop(other);
    kit_wal_found_fini(&records);
    arka_batch_unref(one);
}

TEST(WAL_14_compressed_bodies_come_back)
{
    arka_error err = {0};
    arka_batch *many = kit_sample_batch(5000, 3);
    arka_buf cells = ARKA_BUF_INIT;
    batch_text(many, &cells);
    size_t plain = 0;
    for (int codec = ARKA_IPC_PLAIN; codec <= ARKA_IPC_ZSTD; codec++) {
        const char *dir = kit_wal_dir("codec");
        arka_wal_options options;
        arka_wal_options_default(&options);
        options.codec = (arka_ipc_codec)codec;
        arka_wal *wal = begin_with(dir, options, 1);
        arka_wal_entry e[] = {kit_wal_rows(1, "a", 1, many), kit_wal_control(5001, "k", "p")};
        append(wal, e, 2);
        ASSERT_OK(arka_wal_close(wal, &err));
        char *text = kit_wal_text(dir, true);
        assert_int_equal(strncmp(text, "1-5000 d.b/a#a:1 ", 17), 0);
        assert_int_equal(strncmp(text + 17, arka_buf_cstr(&cells), cells.len), 0);
        assert_string_equal(text + 17 + cells.len, "\n5001-5001 k(p)\n");
        free(text);
        walk w = walk_open(dir, 1);
        assert_true(codec == ARKA_IPC_PLAIN || w.n < plain * 3 / 4);
        plain = w.n;
        /* the checksum is of the stored bytes */
        assert_true(walk_next(&w) && walk_next(&w));
        char b[9];
        snprintf(b, sizeof b, "%08x", arka_crc32c(w.m.body.data, w.m.body.len));
        assert_memory_equal(arka_ipc_message_find(&w.m, ARKA_SLICE("arka:crc")).data, b, 8);
        free(w.bytes);
    }
    arka_buf_fini(&cells);
    arka_batch_unref(many);
}

/* F10: also what every column type is, in all its changes. */
TEST(SCH_3_F10_a_hundred_schemas_in_one_segment)
{
    arka_error err = {0};
    const char *dir = kit_wal_dir("schemas");
    arka_wal *wal = kit_wal_begin(dir, 1);
    arka_buf expected = ARKA_BUF_INIT;
    for (int i = 0; i < 100; i++) {
        arka_block *block;
        arka_batch *batch;
        ASSERT_OK(arka_block_new(2, 0, &block, &err));
        for (int k = 0; k <= i % 10; k++) {
            char name[16];
            int c;
            snprintf(name, sizeof name, "c%d_%d", i / 10, k);
            ASSERT_OK(arka_block_add(block, arka_slice_of(name),
                                     (i + k) % 2 ? ARKA_BIGINT : ARKA_DOUBLE, false, &c, &err));
            memset(arka_block_values(block, c), 0, 16);
            ((int64_t *)arka_block_values(block, c))[1] = k;
        }
        ASSERT_OK(arka_block_seal(block, 1700000000000000, &batch, &err));
        arka_wal_entry e = kit_wal_rows((uint64_t)i * 2 + 1, "a", i + 1, batch);
        int16_t columns[11];
        for (int16_t k = 0; k < batch->n_columns; k++)
            columns[k] = k;
        e.column_of_field = columns;
        e.n_fields = batch->n_columns;
        append(wal, &e, 1);
        arka_buf_printf(&expected, "%d-%d d.b/a#a:%d ", i * 2 + 1, i * 2 + 2, i + 1);
        batch_text(batch, &expected);
        arka_buf_text(&expected, "\n");
        arka_batch_unref(batch);
    }
    ASSERT_OK(arka_wal_close(wal, &err));
    char *text = kit_wal_text(dir, true);
    assert_string_equal(text, arka_buf_cstr(&expected));
    free(text);
    arka_buf_fini(&expected);
}

TEST(F4_reading_again_gives_the_same)
{
    arka_error err = {0};
    const char *dir = kit_wal_dir("twice");
    arka_batch *three = kit_sample_batch(3, 2);
    arka_wal *wal = kit_wal_begin(dir, 1);
    for (uint64_t lsn = 1; lsn < 60; lsn += 3) {
        arka_wal_entry e = kit_wal_rows(lsn, lsn % 2 ? "a" : "b", 1, three);
        append(wal, &e, 1);
    }
    ASSERT_OK(arka_wal_close(wal, &err));
    char *text = kit_wal_text(dir, true);
    wal = kit_wal_open_os(dir, NULL);
    for (long stop = 1; stop <= 20; stop++) { /* stopped at every record, and begun again */
        kit_wal_found found = {.cells = true, .stop_after = stop};
        arka_status status = kit_wal_recover(wal, &found, &err);
        assert_int_equal(status, stop < 20 ? ARKA_NOMEM : ARKA_OK);
        assert_int_equal(strncmp(text, arka_buf_cstr(&found.text), found.text.len), 0);
        memset(&err, 0, sizeof err);
        kit_wal_found_fini(&found);
    }
    arka_wal_drop(wal);
    free(text);
    arka_batch_unref(three);
}

TEST(F21_a_first_start_an_empty_log_and_a_segment_without_records)
{
    arka_error err = {0};
    const char *dir = kit_wal_dir("nothing/below");
    kit_wal_found found = {.cells = false};
    for (int i = 0; i < 2; i++) {
        ASSERT_OK(kit_wal_read(dir, &found, &err));
        assert_int_equal(found.recovered.last_lsn, 0);
        assert_int_equal(found.recovered.max_lsn, 0);
        assert_int_equal(found.recovered.n_segments, 0);
        arka_wal *wal = kit_wal_begin(dir, 1);
        ASSERT_OK(arka_wal_append(wal, NULL, 0, &err));
        ASSERT_OK(arka_wal_sync(wal, &err));
        ASSERT_OK(arka_wal_close(wal, &err));
        assert_int_equal(access(kit_wal_segment(dir, 1), F_OK), -1);
    }
    kit_wal_store(kit_wal_segment(dir, 5), "", 0);
    ASSERT_OK(kit_wal_read(dir, &found, &err));
    assert_int_equal(found.recovered.last_lsn, 0);
    assert_int_equal(found.recovered.max_lsn, 5); /* nobody gives that number again */
    assert_int_equal(access(kit_wal_segment(dir, 5), F_OK), -1);
    ASSERT_OK(arka_wal_close(NULL, &err));
    kit_wal_found_fini(&found);
}

TEST(WAL_15_F14_a_second_process_is_refused)
{
    arka_error err = {0};
    arka_wal_options options;
    arka_wal *first, *second;
    arka_wal_options_default(&options);
    options.dir = kit_wal_dir("lock");
    ASSERT_OK(arka_wal_open(&options, &first, &err));
    ASSERT_FAILS(arka_wal_open(&options, &second, &err), ARKA_CONFLICT, "another process");
    ASSERT_OK(arka_wal_close(first, &err));
    ASSERT_OK(arka_wal_open(&options, &second, &err));
    ASSERT_OK(arka_wal_close(second, &err));
    options.dir = "/proc/no/such";
    assert_int_not_equal(arka_wal_open(&options, &second, &err), ARKA_OK);
    assert_non_null(strstr(err.msg, "/proc/no"));
}

static arka_status count_segments(void *context, const arka_wal_segment_info *s, arka_error *err)
{
    uint64_t *sum = context;
    assert_true(s->n_bytes > 0 && s->modified_us > 0);
    assert_int_equal(s->base_lsn, s->last_lsn);
    *sum = *sum * 10 + s->base_lsn + (s->active ? 5 : 0);
    return ARKA_OK;
}

TEST(WAL_12_I6_segments_go_oldest_first_once_they_are_below_the_pin)
{
    arka_error err = {0};
    arka_wal_options options;
    int64_t removed;
    uint64_t sum = 0;
    const char *dir = kit_wal_dir("trim");
    arka_batch *one = kit_sample_batch(1, 0);
    arka_wal_options_default(&options);
    options.segment_bytes = 1;
    arka_wal *wal = begin_with(dir, options, 1);
    for (uint64_t lsn = 1; lsn <= 4; lsn++) {
        arka_wal_entry e = kit_wal_rows(lsn, "a", 1, one);
        append(wal, &e, 1);
    }
    ASSERT_OK(arka_wal_trim(wal, 1, &removed, &err));
    assert_int_equal(removed, 0);
    ASSERT_OK(arka_wal_trim(wal, 3, &removed, &err));
    assert_int_equal(removed, 2);
    assert_int_equal(access(kit_wal_segment(dir, 2), F_OK), -1);
    assert_int_equal(access(kit_wal_segment(dir, 3), F_OK), 0);
    ASSERT_OK(arka_wal_each_segment(wal, count_segments, &sum, &err));
    assert_int_equal(sum, 39); /* 3, and 4, which is appended to */
    ASSERT_OK(arka_wal_trim(wal, UINT64_MAX, &removed, &err));
    assert_int_equal(removed, 1); /* never the one that is appended to */
    ASSERT_OK(arka_wal_close(wal, &err));
    char *text = kit_wal_text(dir, false);
    assert_string_equal(text, "4-4 d.b/a#a:1\n");
    free(text);
    arka_batch_unref(one);
}

/* Written by other code, by the rules for checksums. */
TEST(golden_stream_of_816_bytes_passes_its_checksums)
{
    arka_error err = {0};
    size_t n;
    char *bytes = kit_wal_load(ARKA_TESTS_DIR "/golden/ipc/log.arrows", &n);
    arka_slice stream = {bytes, n};
    assert_int_equal(n, 816);
    size_t at = 0;
    static const char *const sums[] = {"0000000009159cc5", "d5b7522811f9f618"};
    for (int i = 0; i < 2; i++) {
        arka_ipc_message m;
        ASSERT_OK(arka_ipc_message_read(stream, at, NULL, &m, &err));
        arka_slice text = arka_ipc_message_find(&m, ARKA_SLICE("arka:crc"));
        assert_true(arka_slice_eq(text, arka_slice_of(sums[i])));
        char got[17];
        uint32_t head = arka_wal__head_crc(bytes + at, m.frame_bytes - m.body.len,
                                           (size_t)(text.data - bytes) - at);
        snprintf(got, sizeof got, "%08x%08x", arka_crc32c(m.body.data, m.body.len), head);
        assert_string_equal(got, sums[i]);
        at += m.frame_bytes;
    }
    arka_ipc_reader *reader;
    arka_batch *batch;
    ASSERT_OK(arka_ipc_reader_new(stream, 0, NULL, &reader, &err));
    ASSERT_OK(arka_ipc_reader_next(reader, 0, &batch, &err));
    assert_int_equal(arka_column_i64(&batch->columns[0])[0], 7);
    assert_int_equal(arka_column_i64(&batch->columns[0])[1], 8);
    arka_batch_unref(batch);
    arka_ipc_reader_free(reader);
    free(bytes);
}
