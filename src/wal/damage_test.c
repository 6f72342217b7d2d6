/* Damage to segments: what is cut, what is refused, and what survives. */
#include "base/vec.h"
#include "kit/copy_tree.h"
#include "kit/wal.h"

enum { MAX_GROUPS = 16 };

/* A log of one segment, each group synced before the next one was built. */
typedef struct sample {
    const char *dir;
    char *path;
    int n_groups;
    size_t end[MAX_GROUPS + 1];    /* bytes of the file after that many groups */
    uint64_t last[MAX_GROUPS + 1]; /* and the last LSN */
    char *text[MAX_GROUPS + 1];    /* and what recovery gives */
    char *bytes;                   /* the file after a clean close */
    size_t n;
} sample;

static size_t file_bytes(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 ? (size_t)st.st_size : 0;
}

static void add_group(sample *s, arka_wal *wal, arka_wal_entry *entries, size_t n)
{
    arka_error err = {0};
    int i = ++s->n_groups;
    kit_wal_found found = {.cells = true};
    char copy[300];
    ASSERT_OK(arka_wal_append(wal, entries, n, &err));
    ASSERT_OK(arka_wal_sync(wal, &err));
    s->end[i] = file_bytes(s->path);
    s->last[i] = entries[n - 1].lsn_last;
    snprintf(copy, sizeof copy, "%s.copy", s->dir);
    kit_copy_tree(s->dir, copy);
    ASSERT_OK(kit_wal_read(copy, &found, &err));
    s->text[i] = strdup(arka_buf_cstr(&found.text));
    kit_wal_found_fini(&found);
}

static sample make_sample(const char *name)
{
    arka_error err = {0};
    sample s = {.dir = kit_wal_dir(name)};
    arka_batch *one = kit_sample_batch(1, 0), *three = kit_sample_batch(3, 2);
    arka_wal *wal = kit_wal_begin(s.dir, 1);
    s.path = strdup(kit_wal_segment(s.dir, 1));
    s.text[0] = strdup("");
    arka_wal_entry a[] = {kit_wal_rows(1, "a", 1, one), kit_wal_rows(2, "a", 1, three)};
    arka_wal_entry b[] = {kit_wal_rows(5, "a", 1, one), kit_wal_rows(6, "b", 2, one),
                          kit_wal_control(7, "k", "p")};
    arka_wal_entry c[] = {kit_wal_rows(8, "b", 2, three)};
    arka_wal_entry d[] = {kit_wal_rows(11, "b", 2, one), kit_wal_rows(12, "a", 1, one)};
    add_group(&s, wal, a, 2);
    add_group(&s, wal, b, 3);
    add_group(&s, wal, c, 1);
    add_group(&s, wal, d, 2);
    ASSERT_OK(arka_wal_close(wal, &err));
    s.bytes = kit_wal_load(s.path, &s.n);
    arka_batch_unref(one);
    arka_batch_unref(three);
    return s;
}

static void free_sample(sample *s)
{
    for (int i = 0; i <= s->n_groups; i++)
        free(s->text[i]);
    free(s->bytes);
    free(s->path);
}

/* Other readers know then that nothing is missing. */
static void must_end_with_a_mark(const char *path)
{
    size_t n;
    if (file_bytes(path) == 0)
        return;
    char *bytes = kit_wal_load(path, &n);
    assert_memory_equal(bytes + n - 8, "\xff\xff\xff\xff\0\0\0\0", 8);
    free(bytes);
}

/* Recovery of these bytes in place of the segment must give exactly the first `groups` groups, once
 * more when it is asked again. */
static void must_give(sample *s, const char *bytes, size_t n, int groups)
{
    for (int again = 0; again < 2; again++) {
        arka_error err = {0};
        kit_wal_found found = {.cells = true};
        if (again == 0)
            kit_wal_store(s->path, bytes, n);
        ASSERT_OK(kit_wal_read(s->dir, &found, &err));
        assert_string_equal(found.text.len == 0 ? "" : arka_buf_cstr(&found.text), s->text[groups]);
        assert_true(again == 0 || found.recovered.torn_bytes == 0);
        if (found.recovered.torn_bytes > 0)
            must_end_with_a_mark(s->path);
        kit_wal_found_fini(&found);
    }
}

static void must_refuse(sample *s, const char *bytes, size_t n, size_t offset)
{
    arka_error err = {0};
    kit_wal_found found = {.cells = true};
    char at[64];
    size_t after;
    kit_wal_store(s->path, bytes, n);
    snprintf(at, sizeof at, "segment_00000000000000000001.arrow is damaged at byte %zu:", offset);
    ASSERT_FAILS(kit_wal_read(s->dir, &found, &err), ARKA_CORRUPT, at);
    assert_int_equal(found.n_records, 0);
    char *left = kit_wal_load(s->path, &after);
    assert_int_equal(after, n);
    assert_memory_equal(left, bytes, n);
    free(left);
    kit_wal_found_fini(&found);
}

/* The group that byte b belongs to, from 1; n_groups + 1: the last end mark. */
static int group_of(const sample *s, size_t b)
{
    int k = 1;
    while (k <= s->n_groups && b >= s->end[k])
        k++;
    return k;
}

TEST(WAL_10_F2_cut_at_each_byte_leaves_whole_groups)
{
    sample s = make_sample("cut");
    for (size_t n = 0; n <= s.n; n++)
        must_give(&s, s.bytes, n, group_of(&s, n) - 1);
    free_sample(&s);
}

/* The message that holds byte b begins there. */
static size_t message_of(const sample *s, size_t b)
{
    size_t at = 0;
    for (;;) {
        arka_error err = {0};
        arka_ipc_message m;
        ASSERT_OK(arka_ipc_message_read((arka_slice){s->bytes, s->n}, at, NULL, &m, &err));
        if (b < at + m.frame_bytes)
            return at;
        at += m.frame_bytes;
    }
}

TEST(WAL_10_WAL_11_F2_F3_flip_each_byte)
{
    sample s = make_sample("flip");
    for (size_t b = 0; b < s.n; b++) {
        int group = group_of(&s, b);
        char was = s.bytes[b];
        size_t message = message_of(&s, b);
        s.bytes[b] = (char)(was ^ 1 << (kit_random() & 7));
        if (group < s.n_groups) /* the groups behind it say that it was on the disk */
            must_refuse(&s, s.bytes, s.n, message);
        else
            must_give(&s, s.bytes, s.n, group - 1);
        s.bytes[b] = was;
    }
    free_sample(&s);
}

TEST(F2_tails_of_zeros_and_garbage_are_cut)
{
    sample s = make_sample("tails");
    enum { MORE = 4096 };
    char *bytes = malloc(s.n + MORE);
    for (int k = 0; k <= s.n_groups; k++) {
        memcpy(bytes, s.bytes, s.n);
        memset(bytes + s.end[k], 0, MORE);
        must_give(&s, bytes, s.end[k] + MORE, k);
        must_give(&s, bytes, s.end[k] + 3, k);
        for (size_t i = 0; i < MORE; i++)
            bytes[s.end[k] + i] = (char)kit_random();
        if (k > 0)
            must_give(&s, bytes, s.end[k] + MORE, k);
        /* words that look like the beginning of a message */
        for (size_t i = 0; i < MORE; i += 8) {
            uint32_t words[2] = {UINT32_MAX, (uint32_t)(kit_random() % 8192) & ~7U};
            memcpy(bytes + s.end[k] + i, words, sizeof words);
        }
        must_give(&s, bytes, s.end[k] + MORE, k);
    }
    free(bytes);
    free_sample(&s);
}

TEST(F2_zeroed_pages)
{
    sample s = make_sample("pages");
    char *bytes = malloc(s.n);
    for (size_t page = 64; page <= 4096; page *= 8)
        for (size_t at = 0; at < s.n; at += page) {
            size_t n = at + page > s.n ? s.n - at : page;
            memcpy(bytes, s.bytes, s.n);
            memset(bytes + at, 0, n);
            size_t first = at; /* bytes that were zero before are no damage */
            while (first < at + n && s.bytes[first] == 0)
                first++;
            if (first == at + n)
                continue;
            int from = group_of(&s, first), to = group_of(&s, at + n - 1);
            if (to < s.n_groups)
                must_refuse(&s, bytes, s.n, message_of(&s, first));
            else if (from >= s.n_groups)
                must_give(&s, bytes, s.n, from - 1);
        }
    free(bytes);
    free_sample(&s);
}

/* Frames of the first segment, as a recycled block would have them, behind the second's. */
TEST(F2_stale_frames_of_another_segment_in_the_tail_are_cut)
{
    arka_error err = {0};
    sample s = make_sample("stale");
    arka_batch *one = kit_sample_batch(1, 0);
    arka_wal *wal = kit_wal_begin(s.dir, 13);
    arka_wal_entry e = kit_wal_rows(13, "a", 1, one);
    ASSERT_OK(arka_wal_append(wal, &e, 1, &err));
    ASSERT_OK(arka_wal_close(wal, &err));
    const char *second = kit_wal_segment(s.dir, 13);
    char *text = kit_wal_text(s.dir, true);
    size_t n;
    char *head = kit_wal_load(second, &n);
    for (size_t skip = 0; skip < s.n; skip += 8) {
        char *bytes = malloc(n + s.n);
        memcpy(bytes, head, n);
        memcpy(bytes + n, s.bytes + skip, s.n - skip);
        kit_wal_store(second, bytes, n + s.n - skip);
        char *got = kit_wal_text(s.dir, true);
        assert_string_equal(got, text);
        free(got);
        free(bytes);
    }
    free(text);
    free(head);
    arka_batch_unref(one);
    free_sample(&s);
}

TEST(F4b_a_message_twice_in_a_segment_is_refused)
{
    sample s = make_sample("twice");
    size_t n = s.end[2] - s.end[1];
    char *bytes = malloc(s.n + n);
    for (int k = 2; k <= s.n_groups; k++) { /* group 2 once more, behind each later one */
        memcpy(bytes, s.bytes, s.end[k]);
        memcpy(bytes + s.end[k], s.bytes + s.end[1], n);
        memcpy(bytes + s.end[k] + n, s.bytes + s.end[k], s.n - s.end[k]);
        arka_error err = {0};
        kit_wal_found found = {.cells = true};
        kit_wal_store(s.path, bytes, s.n + n);
        arka_status status = kit_wal_read(s.dir, &found, &err);
        /* behind the last run it begins with a batch without a head: that could be a stale block */
        assert_true(status == ARKA_CORRUPT || (k > 2 && status == ARKA_OK));
        if (status == ARKA_OK)
            assert_string_equal(arka_buf_cstr(&found.text), s.text[k]);
        kit_wal_found_fini(&found);
    }
    free(bytes);
    free_sample(&s);
}

TEST(F4b_a_segment_under_a_second_name_is_refused)
{
    arka_error err = {0};
    sample s = make_sample("second-name");
    kit_wal_found found = {.cells = true};
    kit_wal_store(kit_wal_segment(s.dir, 13), s.bytes, s.n);
    ASSERT_FAILS(kit_wal_read(s.dir, &found, &err), ARKA_CORRUPT,
                 "segment_00000000000000000013.arrow is damaged at byte 0: it belongs to the "
                 "segment that begins with LSN 1");
    unlink(kit_wal_segment(s.dir, 13));
    kit_wal_store(kit_wal_segment(s.dir, 5), s.bytes, s.n);
    ASSERT_FAILS(kit_wal_read(s.dir, &found, &err), ARKA_CORRUPT, "belongs to the segment");
    kit_wal_found_fini(&found);
    free_sample(&s);
}

static void append_one(const char *dir, uint64_t lsn, arka_batch *batch)
{
    arka_error err = {0};
    arka_wal *wal = kit_wal_begin(dir, lsn);
    arka_wal_entry e = kit_wal_rows(lsn, "a", 1, batch);
    ASSERT_OK(arka_wal_append(wal, &e, 1, &err));
    ASSERT_OK(arka_wal_close(wal, &err));
}

/* Nothing of the first segment was synced, and those before it are trimmed: its later frames name a
 * durable LSN, but one below its own. */
TEST(WAL_11_the_only_segment_may_be_torn_at_its_start)
{
    arka_error err = {0};
    kit_wal_found found = {.cells = true};
    const char *dir = kit_wal_dir("torn.start");
    char copy[300];
    arka_batch *three = kit_sample_batch(3, 0);
    arka_wal *wal = kit_wal_begin(dir, 1);
    arka_wal_entry e = kit_wal_rows(1, "a", 1, three);
    ASSERT_OK(arka_wal_append(wal, &e, 1, &err));
    ASSERT_OK(arka_wal_close(wal, &err));
    wal = kit_wal_begin(dir, 4);
    for (uint64_t lsn = 4; lsn < 13; lsn += 3) {
        e = kit_wal_rows(lsn, "a", 1, three);
        ASSERT_OK(arka_wal_append(wal, &e, 1, &err));
    }
    snprintf(copy, sizeof copy, "%s.copy", dir);
    kit_copy_tree(dir, copy);
    ASSERT_OK(arka_wal_close(wal, &err));
    unlink(kit_wal_segment(copy, 1));
    size_t n;
    char *bytes = kit_wal_load(kit_wal_segment(copy, 4), &n);
    memset(bytes, 0, 512);
    kit_wal_store(kit_wal_segment(copy, 4), bytes, n);
    ASSERT_OK(kit_wal_read(copy, &found, &err));
    assert_int_equal(found.n_rows, 0);
    free(bytes);
    kit_wal_found_fini(&found);
    arka_batch_unref(three);
}

TEST(F4b_two_segments_of_the_same_numbers_are_refused)
{
    arka_error err = {0};
    kit_wal_found found = {.cells = true};
    arka_batch *three = kit_sample_batch(3, 0);
    const char *dir = kit_wal_dir("overlap"), *other = kit_wal_dir("overlap.other");
    append_one(dir, 1, three);
    append_one(other, 1, three);
    append_one(dir, 4, three);
    append_one(other, 7, three); /* says that 3 came before it */
    size_t n;
    char *bytes = kit_wal_load(kit_wal_segment(other, 7), &n);
    kit_wal_store(kit_wal_segment(dir, 7), bytes, n);
    char *text = kit_wal_text(dir, false); /* as after a failed sync: 4 to 6 do not count */
    assert_string_equal(text, "1-3 d.b/a#a:1\n7-9 d.b/a#a:1\n");
    free(text);
    free(bytes);

    /* it goes on from within a group of the one before */
    dir = kit_wal_dir("overlap.within");
    append_one(dir, 1, three);
    other = kit_wal_dir("overlap.within.other");
    arka_batch *two = kit_sample_batch(2, 0);
    append_one(other, 1, two);
    append_one(other, 3, two);
    bytes = kit_wal_load(kit_wal_segment(other, 3), &n);
    kit_wal_store(kit_wal_segment(dir, 3), bytes, n);
    ASSERT_FAILS(kit_wal_read(dir, &found, &err), ARKA_CORRUPT,
                 "segment_00000000000000000003.arrow goes on from LSN 2, which is the end of no "
                 "group");
    free(bytes);
    kit_wal_found_fini(&found);
    arka_batch_unref(two);
    arka_batch_unref(three);
}

TEST(WAL_11_a_missing_segment_is_refused)
{
    arka_error err = {0};
    kit_wal_found found = {.cells = true};
    arka_batch *three = kit_sample_batch(3, 0);
    const char *dir = kit_wal_dir("missing");
    append_one(dir, 1, three);
    append_one(dir, 4, three);
    append_one(dir, 7, three);
    unlink(kit_wal_segment(dir, 4));
    ASSERT_FAILS(kit_wal_read(dir, &found, &err), ARKA_CORRUPT,
                 "segment_00000000000000000007.arrow goes on from LSN 6, but the segment before it "
                 "ends with LSN 3: a segment is missing");
    unlink(kit_wal_segment(dir, 1)); /* the oldest ones may go: they were trimmed */
    ASSERT_OK(kit_wal_read(dir, &found, &err));
    assert_int_equal(found.n_rows, 3);
    kit_wal_found_fini(&found);
    arka_batch_unref(three);
}

TEST(WAL_11_damage_in_an_older_segment_is_refused)
{
    arka_error err = {0};
    kit_wal_found found = {.cells = true};
    sample s = make_sample("older");
    arka_batch *one = kit_sample_batch(1, 0);
    append_one(s.dir, 13, one);
    for (size_t b = s.end[3] + 20; b < s.n - 8; b += 97) {
        char was = s.bytes[b];
        size_t message = message_of(&s, b);
        s.bytes[b] = (char)~was;
        must_refuse(&s, s.bytes, s.n, message);
        s.bytes[b] = was;
    }
    /* cut between two groups, where nothing inside of it tells */
    kit_wal_store(s.path, s.bytes, s.end[3]);
    ASSERT_FAILS(kit_wal_read(s.dir, &found, &err), ARKA_CORRUPT,
                 "segment_00000000000000000013.arrow goes on from LSN 12, but the segment before "
                 "it ends with LSN 10");
    kit_wal_found_fini(&found);
    arka_batch_unref(one);
    free_sample(&s);
}

TEST(foreign_files_are_refused_and_left_alone)
{
    static const struct {
        const char *name, *bytes;
        size_t n;
    } files[] = {
        {"notes.txt", "hello", 5},
        {"segment_1.arrow", "", 0},
        {"segment_00000000000000000000.arrow", "", 0},
        {"segment_99999999999999999999.arrow", "", 0},
        {"segment_00000000000000000099.arrow", "PAR1 and more of it", 19},
    };
    arka_error err = {0};
    kit_wal_found found = {.cells = true};
    sample s = make_sample("foreign");
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char path[400];
        snprintf(path, sizeof path, "%s/%s", s.dir, files[i].name);
        kit_wal_store(path, files[i].bytes, files[i].n);
        ASSERT_FAILS(kit_wal_read(s.dir, &found, &err), ARKA_INPUT, files[i].name);
        assert_int_equal(file_bytes(path), files[i].n);
        assert_int_equal(file_bytes(s.path), s.n);
        assert_int_equal(unlink(path), 0);
    }
    kit_wal_found_fini(&found);
    free_sample(&s);
}

/* Any other Arrow stream under a segment's name, and one of a later version of the format. */
TEST(other_streams_and_newer_versions_are_refused_and_left_alone)
{
    arka_error err = {0};
    kit_wal_found found = {.cells = true};
    sample s = make_sample("streams");
    arka_batch *one = kit_sample_batch(1, 0);
    arka_buf out = ARKA_BUF_INIT;
    arka_ipc_write_arka_schema(one, (arka_arrow_pairs){NULL, 0}, (arka_arrow_pairs){NULL, 0}, &out);
    const char *path = kit_wal_segment(s.dir, 13);
    kit_wal_store(path, out.data, out.len);
    ASSERT_FAILS(kit_wal_read(s.dir, &found, &err), ARKA_INPUT,
                 "segment_00000000000000000013.arrow is no segment of a log");
    assert_int_equal(file_bytes(path), out.len);

    arka_buf_clear(&out);
    const arka_arrow_pair facts[] = {{ARKA_SLICE("arka:wal"), ARKA_SLICE("2")}};
    const arka_arrow_pair crc[] = {{ARKA_SLICE("arka:crc"), ARKA_SLICE("0000000000000000")}};
    size_t value = arka_ipc_write_arka_schema(one, (arka_arrow_pairs){facts, 1},
                                              (arka_arrow_pairs){crc, 1}, &out);
    char text[9];
    snprintf(text, sizeof text, "%08x", arka_crc32c(out.data, out.len));
    memcpy(out.data + value + 8, text, 8);
    kit_wal_store(path, out.data, out.len);
    ASSERT_FAILS(kit_wal_read(s.dir, &found, &err), ARKA_INPUT,
                 "segment_00000000000000000013.arrow is of version 2 of the log's format, this "
                 "program reads 1");
    assert_int_equal(file_bytes(path), out.len);
    arka_buf_fini(&out);
    kit_wal_found_fini(&found);
    arka_batch_unref(one);
    free_sample(&s);
}

TEST(bit_flips_at_random_never_give_other_rows)
{
    sample s = make_sample("random");
    char *bytes = malloc(s.n);
    for (int round = 0; round < 1500; round++) {
        arka_error err = {0};
        kit_wal_found found = {.cells = true};
        memcpy(bytes, s.bytes, s.n);
        for (uint64_t k = kit_random() % 6 + 1; k > 0; k--)
            bytes[kit_random() % s.n] ^= (char)(1 << (kit_random() & 7));
        size_t n = kit_random() % 4 == 0 ? kit_random() % s.n : s.n;
        kit_wal_store(s.path, bytes, n);
        arka_status status = kit_wal_read(s.dir, &found, &err);
        assert_true(status == ARKA_OK || status == ARKA_CORRUPT || status == ARKA_INPUT);
        if (status == ARKA_OK) {
            bool prefix = false;
            const char *text = found.text.len == 0 ? "" : arka_buf_cstr(&found.text);
            for (int k = 0; k <= s.n_groups; k++)
                prefix |= strcmp(text, s.text[k]) == 0;
            assert_true(prefix);
        }
        kit_wal_found_fini(&found);
    }
    free(bytes);
    free_sample(&s);
}
