/* Damage to synced bytes is set aside: what is valid stays, once. */
#include "base/vec.h"
#include "kit/copy_tree.h"
#include "kit/faulty_os.h"
#include "kit/wal.h"
#include "wal/inspect.h"

enum { MAX_MESSAGES = 64 };

/* The messages of a segment, as they should be. */
typedef struct message {
    size_t at, bytes;
    int run;        /* message that is its run's head; -1: none */
    char line[400]; /* of a record, as recovery tells it */
    bool group_end;
} message;

typedef struct sample {
    const char *dir;
    char *bytes;
    size_t n, last_group;
    message messages[MAX_MESSAGES];
    int n_messages;
} sample;

static void list_messages(sample *s)
{
    arka_error err = {0};
    char *text = kit_wal_text(s->dir, false), *line = text;
    int run = -1;
    for (size_t at = 0; at < s->n;) {
        arka_ipc_message m;
        message *out = &s->messages[s->n_messages];
        ASSERT_OK(arka_ipc_message_read((arka_slice){s->bytes, s->n}, at, NULL, &m, &err));
        *out = (message){.at = at, .bytes = m.frame_bytes, .run = -1};
        if (m.kind == ARKA_IPC_SCHEMA)
            run = s->n_messages;
        if (m.kind == ARKA_IPC_BATCH) {
            char *end = strchr(line, '\n') + 1;
            out->run = run;
            snprintf(out->line, sizeof out->line, "%.*s", (int)(end - line), line);
            line = end;
            out->group_end = arka_ipc_message_find(&m, ARKA_SLICE("arka:group_end")).len > 0;
        }
        s->n_messages++;
        at += m.frame_bytes;
    }
    free(text);
}

static sample make_sample(const char *name)
{
    arka_error err = {0};
    sample s = {.dir = kit_wal_dir(name)};
    arka_batch *one = kit_sample_batch(1, 0), *many = kit_sample_batch(30, 2);
    arka_wal *wal = kit_wal_begin(s.dir, 1);
    uint64_t lsn = 1;
    for (int i = 0; i < 6; i++) {
        arka_wal_entry e[3];
        e[0] = kit_wal_rows(lsn, i % 3 == 0 ? "a" : "b", 1, i == 2 ? many : one);
        e[1] = kit_wal_rows(e[0].lsn_last + 1, "b", 2, one);
        e[1].requests = ARKA_SLICE("some key");
        e[2] = kit_wal_control(e[1].lsn_last + 1, "k", "p");
        size_t n = i % 2 ? 3 : 2;
        struct stat st;
        if (i == 5 && stat(kit_wal_segment(s.dir, 1), &st) == 0)
            s.last_group = (size_t)st.st_size;
        ASSERT_OK(arka_wal_append(wal, e, n, &err));
        ASSERT_OK(arka_wal_sync(wal, &err));
        lsn = e[n - 1].lsn_last + 1;
    }
    ASSERT_OK(arka_wal_close(wal, &err));
    s.bytes = kit_wal_load(kit_wal_segment(s.dir, 1), &s.n);
    list_messages(&s);
    arka_batch_unref(one);
    arka_batch_unref(many);
    return s;
}

static arka_status read_with(const char *dir, const arka_os *os, bool quarantine,
                             kit_wal_found *found, kit_wal_events *events, arka_error *err)
{
    arka_wal_options options;
    arka_wal *wal;
    arka_wal_options_default(&options);
    options.dir = dir;
    options.os = os;
    options.quarantine = quarantine;
    options.on_event = events == NULL ? NULL : kit_wal_event;
    options.context = events;
    arka_status status = arka_wal_open(&options, &wal, err);
    if (status != ARKA_OK)
        return status;
    status = kit_wal_recover(wal, found, err);
    arka_wal_drop(wal);
    return status;
}

/* All lines but those of messages `bad` and `worse`, and of the records whose heads they are. */
static char *lines_without(const sample *s, int bad, int worse)
{
    arka_buf text = ARKA_BUF_INIT;
    for (int i = 0; i < s->n_messages; i++)
        if (i != bad && s->messages[i].run != bad && i != worse && s->messages[i].run != worse)
            arka_buf_text(&text, s->messages[i].line);
    char *copy = strdup(arka_buf_cstr(&text));
    arka_buf_fini(&text);
    return copy;
}

static void must_read(const char *dir, bool quarantine, const char *text, int64_t n_quarantined)
{
    arka_error err = {0};
    kit_wal_found found = {.cells = false};
    kit_wal_events events = {.last = ""};
    ASSERT_OK(read_with(dir, NULL, quarantine, &found, &events, &err));
    assert_string_equal(found.text.len == 0 ? "" : arka_buf_cstr(&found.text), text);
    assert_int_equal(found.recovered.n_quarantined, n_quarantined);
    assert_int_equal(events.n[3], n_quarantined);
    assert_true(found.recovered.max_lsn >= 22); /* numbers that were lost are not given again */
    kit_wal_found_fini(&found);
}

TEST(WAL_11_each_damaged_message_is_set_aside_and_the_rest_stays)
{
    sample s = make_sample("setaside");
    for (int i = 0; i < s.n_messages; i++) {
        const message *m = &s.messages[i];
        if (m->at >= s.last_group)
            break; /* that is a torn tail */
        char *expected = lines_without(&s, i, i), kept[512];
        size_t n_kept;
        for (int round = 0; round < 3; round++) {
            const char *dir = kit_wal_dir("setaside.copy");
            char path[512];
            size_t b = m->at + (round == 0 ? 0 : kit_random() % m->bytes);
            assert_int_equal(mkdir(dir, 0755), 0);
            s.bytes[b] ^= 4;
            snprintf(path, sizeof path, "%s", kit_wal_segment(dir, 1));
            kit_wal_store(path, s.bytes, s.n);
            must_read(dir, true, expected, 1);
            must_read(dir, false, expected, 0);
            /* the damaged bytes are kept, with all behind them */
            size_t safe = m->at;
            for (int k = 0; k < i; k++) /* back to the end of a group */
                if (s.messages[k].run >= 0)
                    safe = s.messages[k].group_end ? m->at : safe;
            struct dirent *e;
            snprintf(path, sizeof path, "%s/quarantine", dir);
            DIR *d = opendir(path);
            assert_non_null(d);
            int n = 0;
            while ((e = readdir(d)) != NULL)
                if (e->d_name[0] != '.') {
                    n++;
                    snprintf(kept, sizeof kept, "%.200s/%.200s", path, e->d_name);
                }
            closedir(d);
            assert_int_equal(n, 1);
            char *bytes = kit_wal_load(kept, &n_kept);
            size_t at = (size_t)strtoull(strstr(kept, ".at_") + 4, NULL, 10);
            assert_true(at <= safe && n_kept == s.n - at);
            assert_memory_equal(bytes, s.bytes + at, n_kept);
            free(bytes);
            s.bytes[b] ^= 4;
        }
        free(expected);
    }
    free(s.bytes);
}

TEST(REC_9_setting_aside_can_be_interrupted_by_any_call_and_done_again)
{
    sample s = make_sample("interrupted");
    int bad = 0;
    while (s.messages[bad].run < 0 || s.messages[bad].at < s.n / 3)
        bad++;
    int worse = bad + 1;
    while (s.messages[worse].run < 0 || s.messages[worse].at < s.n / 2)
        worse++;
    assert_true(s.messages[worse].at < s.last_group);
    char *expected = lines_without(&s, bad, worse); /* two holes: two new segments */
    s.bytes[s.messages[bad].at + 30] ^= 1;
    s.bytes[s.messages[worse].at + 30] ^= 1;
    bool failed = true;
    for (int done = 0; done < 2; done++, failed = true)
        for (long n = 1; failed; n++) {
            const char *dir = kit_wal_dir("interrupted.copy");
            arka_error err = {0};
            kit_wal_found found = {.cells = false};
            assert_int_equal(mkdir(dir, 0755), 0);
            kit_wal_store(kit_wal_segment(dir, 1), s.bytes, s.n);
            kit_os_fail(
                (kit_os_fault){.n = n, .error = EIO, .done = done == 1, .for_good = done == 0});
            arka_status status = read_with(dir, &kit_os, true, &found, NULL, &err);
            kit_os_fail((kit_os_fault){.n = 0});
            failed = kit_os_failed();
            assert_true(status == ARKA_OK || failed);
            kit_wal_found again = {.cells = false};
            memset(&err, 0, sizeof err);
            ASSERT_OK(read_with(dir, NULL, true, &again, NULL, &err));
            assert_string_equal(arka_buf_cstr(&again.text), expected);
            must_read(dir, false, expected, 0);
            kit_wal_found_fini(&found);
            kit_wal_found_fini(&again);
        }
    free(expected);
    free(s.bytes);
}

static void append_one(const char *dir, uint64_t lsn, arka_batch *batch)
{
    arka_error err = {0};
    arka_wal *wal = kit_wal_begin(dir, lsn);
    arka_wal_entry e = kit_wal_rows(lsn, "a", 1, batch);
    ASSERT_OK(arka_wal_append(wal, &e, 1, &err));
    ASSERT_OK(arka_wal_close(wal, &err));
}

static const char *make_chain(const char *name)
{
    const char *dir = kit_wal_dir(name);
    arka_batch *ten = kit_sample_batch(10, 0);
    append_one(dir, 1, ten);
    append_one(dir, 11, ten);
    append_one(dir, 21, ten);
    arka_batch_unref(ten);
    return dir;
}

TEST(a_missing_segment_is_noted_and_the_log_goes_on)
{
    const char *dir = make_chain("gap"), *text = "1-10 d.b/a#a:1\n21-30 d.b/a#a:1\n";
    unlink(kit_wal_segment(dir, 11));
    must_read(dir, true, text, 1);
    must_read(dir, false, text, 0);
    arka_batch *ten = kit_sample_batch(10, 0);
    append_one(dir, 31, ten);
    must_read(dir, false, "1-10 d.b/a#a:1\n21-30 d.b/a#a:1\n31-40 d.b/a#a:1\n", 0);
    arka_batch_unref(ten);
}

TEST(a_segment_under_a_second_name_is_moved_away)
{
    const char *dir = make_chain("moved");
    const char *text = "1-10 d.b/a#a:1\n11-20 d.b/a#a:1\n21-30 d.b/a#a:1\n";
    size_t n;
    char *bytes = kit_wal_load(kit_wal_segment(dir, 11), &n);
    kit_wal_store(kit_wal_segment(dir, 31), bytes, n);
    kit_wal_store(kit_wal_segment(dir, 15), bytes, n);
    free(bytes);
    must_read(dir, true, text, 2);
    must_read(dir, false, text, 0);
}

TEST(damage_in_several_segments_is_set_aside_in_each)
{
    const char *dir = make_chain("several");
    for (uint64_t base = 1; base <= 11; base += 10) {
        size_t n;
        char *bytes = kit_wal_load(kit_wal_segment(dir, base), &n);
        bytes[n - 100] ^= 1; /* in the only record */
        kit_wal_store(kit_wal_segment(dir, base), bytes, n);
        free(bytes);
    }
    must_read(dir, true, "21-30 d.b/a#a:1\n", 2);
    must_read(dir, false, "21-30 d.b/a#a:1\n", 0);
}

TEST(a_segment_of_zeros_in_the_middle)
{
    const char *dir = make_chain("zeros");
    char zeros[3000] = {0};
    kit_wal_store(kit_wal_segment(dir, 11), zeros, sizeof zeros);
    must_read(dir, true, "1-10 d.b/a#a:1\n21-30 d.b/a#a:1\n", 1);
    must_read(dir, false, "1-10 d.b/a#a:1\n21-30 d.b/a#a:1\n", 0);
    dir = make_chain("zeros.first");
    kit_wal_store(kit_wal_segment(dir, 1), zeros, sizeof zeros);
    must_read(dir, true, "11-20 d.b/a#a:1\n21-30 d.b/a#a:1\n", 1);
    must_read(dir, false, "11-20 d.b/a#a:1\n21-30 d.b/a#a:1\n", 0);
}

/* ---- the look from outside ---- */

typedef struct seen {
    int64_t n_segments, n_counted, n_behind, rows_behind, damaged_at;
} seen;

static arka_status see_segment(void *context, const arka_wal_inspected *segment, arka_error *err)
{
    seen *s = context;
    s->n_segments++;
    s->damaged_at = segment->damaged ? segment->damaged_at : -1;
    return ARKA_OK;
}

static arka_status see_record(void *context, const arka_wal_record *record, bool counts,
                              arka_error *err)
{
    seen *s = context;
    arka_batch *batch;
    s->n_counted += counts;
    s->n_behind += !counts;
    s->rows_behind += counts ? 0 : record->n_rows;
    if (record->kind == ARKA_WAL_ROWS) {
        ARKA_TRY(arka_wal_record_batch(record, &batch, err));
        assert_int_equal(batch->n_rows, record->n_rows);
        arka_batch_unref(batch);
    }
    return ARKA_OK;
}

TEST(OPS_2_a_look_from_outside_shows_every_record_and_damage_and_changes_nothing)
{
    sample s = make_sample("look");
    int n_records = 0, before = 0, bad = 0;
    for (int i = 0; i < s.n_messages; i++)
        n_records += s.messages[i].run >= 0;
    while (s.messages[bad].run < 0 || s.messages[bad].at < s.n / 3)
        bad++;
    for (int i = 0, open = 0; i < bad; i++) /* whole groups */
        if (s.messages[i].run >= 0) {
            open++;
            before += s.messages[i].group_end ? open : 0;
            open = s.messages[i].group_end ? 0 : open;
        }
    for (int damaged = 0; damaged < 2; damaged++) {
        arka_error err = {0};
        seen found = {0};
        arka_wal_visitor visitor = {&found, see_segment, see_record};
        arka_wal_verdict v;
        s.bytes[s.messages[bad].at + 30] ^= (char)damaged;
        kit_wal_store(kit_wal_segment(s.dir, 1), s.bytes, s.n);
        arka_wal *in_use = kit_wal_open_os(s.dir, NULL);
        ASSERT_OK(arka_wal_inspect(s.dir, NULL, &visitor, &v, &err));
        arka_wal_drop(in_use);
        assert_int_equal(v.state, damaged ? ARKA_WAL_CORRUPT : ARKA_WAL_SOUND);
        assert_int_equal(found.n_segments, 1);
        assert_int_equal(found.damaged_at, damaged ? (int64_t)s.messages[bad].at : -1);
        assert_int_equal(found.n_counted, damaged ? before : n_records);
        assert_int_equal(found.n_behind, damaged ? n_records - before - 1 : 0);
        assert_int_equal(v.n_records, found.n_counted);
        size_t n;
        char *bytes = kit_wal_load(kit_wal_segment(s.dir, 1), &n);
        assert_int_equal(n, s.n);
        assert_memory_equal(bytes, s.bytes, n);
        free(bytes);
    }
    free(s.bytes);
}

TEST(a_log_in_use_is_not_repaired)
{
    arka_error err = {0};
    const char *dir = make_chain("busy");
    arka_wal *in_use = kit_wal_open_os(dir, NULL);
    ASSERT_FAILS(arka_wal_repair(dir, NULL, NULL, &err), ARKA_CONFLICT, "another process");
    arka_wal_drop(in_use);
    ASSERT_OK(arka_wal_repair(dir, NULL, NULL, &err)); /* nothing to do: nothing is told */
}
