#include "query/registry.h"

#include "kit/kit.h"

static arka_query_registry *registry;
static arka_arena arena;
static const arka_query_reader EVERYBODY = {.all = true};

static void open_registry(int n_history)
{
    assert_int_equal(arka_query_registry_new(n_history, &registry, NULL), ARKA_OK);
    arena = (arka_arena)ARKA_ARENA_INIT;
}

static void close_registry(void)
{
    arka_query_registry_free(registry);
    arka_arena_fini(&arena);
}

static arka_query_entry *begin_as(const char *text, int64_t token_id)
{
    arka_query_entry *e;
    arka_query_begin begin = {.text = arka_slice_of(text),
                              .database = ARKA_SLICE("db"),
                              .token_name = arka_slice_of(token_id ? "dash" : ""),
                              .token_id = token_id,
                              .priority = ARKA_PRIORITY_HIGH};
    assert_int_equal(arka_query_registry_begin(registry, &begin, &e, NULL), ARKA_OK);
    return e;
}

static void end_as(arka_query_entry *e, arka_query_outcome outcome, const char *error)
{
    arka_query_end end = {
        .outcome = outcome, .n_rows = 3, .n_bytes = 40, .snapshot_lsn = 7, .error = error};
    arka_query_registry_end(registry, e, &end);
}

static arka_query_info get(const char *id)
{
    arka_query_info info;
    assert_int_equal(
        arka_query_registry_get(registry, arka_slice_of(id), &EVERYBODY, &arena, &info, NULL),
        ARKA_OK);
    return info;
}

TEST(a_query_goes_from_queued_to_ended)
{
    open_registry(4);
    arka_query_entry *e = begin_as("\n SELECT 1 ", 5);
    char id[ARKA_QUERY_ID];
    snprintf(id, sizeof id, "%s", arka_query_entry_id(e));
    arka_query_info i = get(id);
    assert_string_equal(i.text, "SELECT 1");
    assert_string_equal(i.database, "db");
    assert_string_equal(i.token_name, "dash");
    assert_int_equal(i.state, ARKA_QUERY_QUEUED);
    assert_int_equal(i.outcome, ARKA_QUERY_OPEN);
    assert_int_equal(i.started_us, 0);
    assert_int_equal(i.peak_bytes, -1);
    arka_query_entry_start(registry, e);
    double wait_ms = get(id).wait_ms;
    arka_query_entry_start(registry, e); /* runs again: waited no longer */
    arka_query_entry_progress(registry, e, 2, 30, 6);
    arka_query_entry_note_memory(registry, e, 1000);
    arka_query_entry_note_memory(registry, e, 500);
    arka_query_entry_stream(registry, e);
    i = get(id);
    assert_int_equal(i.state, ARKA_QUERY_STREAMING);
    assert_true(i.wait_ms == wait_ms);
    assert_int_equal(i.n_rows, 2);
    assert_int_equal(i.n_bytes, 30);
    assert_int_equal(i.snapshot_lsn, 6);
    assert_int_equal(i.peak_bytes, 1000);
    arka_query_totals t;
    arka_query_registry_get_totals(registry, &t);
    assert_int_equal(t.n_queued, 0);
    assert_int_equal(t.n_running, 1);
    end_as(e, ARKA_QUERY_FAILED, "it broke");
    i = get(id);
    assert_int_equal(i.state, ARKA_QUERY_ENDED);
    assert_int_equal(i.outcome, ARKA_QUERY_FAILED);
    assert_string_equal(i.error, "it broke");
    assert_int_equal(i.n_rows, 3);
    assert_int_equal(i.snapshot_lsn, 7);
    arka_query_registry_get_totals(registry, &t);
    assert_int_equal(t.n_running, 0);
    assert_int_equal(t.failed, 1);
    assert_int_equal(t.n_ran, 1);
    assert_int_equal(t.rows, 3);
    close_registry();
}

TEST(the_history_is_a_ring_and_its_bytes_are_bounded)
{
    open_registry(3);
    int64_t empty = arka_query_registry_bytes(registry), full = 0;
    char text[4] = "q0";
    for (int i = 0; i < 10; i++) {
        text[1] = (char)('0' + i);
        end_as(begin_as(text, 0), ARKA_QUERY_COMPLETED, "");
        if (i == 2)
            full = arka_query_registry_bytes(registry);
    }
    assert_true(full > empty);
    assert_int_equal(arka_query_registry_bytes(registry), full);
    arka_query_info *infos;
    size_t n;
    assert_int_equal(arka_query_registry_list(registry, ARKA_QUERIES_HISTORY, &EVERYBODY, 100,
                                              &arena, &infos, &n, NULL),
                     ARKA_OK);
    assert_int_equal(n, 3);
    assert_string_equal(infos[0].text, "q9");
    assert_string_equal(infos[2].text, "q7");
    assert_int_equal(arka_query_registry_list(registry, ARKA_QUERIES_HISTORY, &EVERYBODY, 2, &arena,
                                              &infos, &n, NULL),
                     ARKA_OK);
    assert_int_equal(n, 2);
    close_registry();
}

TEST(who_is_no_administrator_sees_only_its_own)
{
    open_registry(4);
    arka_query_entry *mine = begin_as("mine", 5), *other = begin_as("other", 6);
    arka_query_reader five = {.token_id = 5};
    arka_query_info *infos, info;
    size_t n;
    assert_int_equal(arka_query_registry_list(registry, ARKA_QUERIES_ACTIVE, &five, 100, &arena,
                                              &infos, &n, NULL),
                     ARKA_OK);
    assert_int_equal(n, 1);
    assert_string_equal(infos[0].text, "mine");
    arka_slice id = arka_slice_of(arka_query_entry_id(other));
    assert_int_equal(arka_query_registry_get(registry, id, &five, &arena, &info, NULL),
                     ARKA_NOTFOUND);
    assert_int_equal(arka_query_registry_cancel(registry, id, &five, NULL), ARKA_NOTFOUND);
    end_as(mine, ARKA_QUERY_COMPLETED, "");
    end_as(other, ARKA_QUERY_COMPLETED, "");
    assert_int_equal(arka_query_registry_list(registry, ARKA_QUERIES_HISTORY, &five, 100, &arena,
                                              &infos, &n, NULL),
                     ARKA_OK);
    assert_int_equal(n, 1);
    close_registry();
}

static void count_call(void *context)
{
    ++*(int *)context;
}

TEST(cancel_reaches_what_has_not_ended)
{
    open_registry(4);
    int calls = 0;
    arka_query_entry *e;
    arka_query_begin begin = {
        .text = ARKA_SLICE("x"), .cancel = count_call, .cancel_context = &calls};
    assert_int_equal(arka_query_registry_begin(registry, &begin, &e, NULL), ARKA_OK);
    char id[ARKA_QUERY_ID];
    snprintf(id, sizeof id, "%s", arka_query_entry_id(e));
    assert_int_equal(arka_query_registry_cancel(registry, arka_slice_of(id), &EVERYBODY, NULL),
                     ARKA_OK);
    assert_int_equal(calls, 1);
    end_as(e, ARKA_QUERY_CANCELLED, "the query was cancelled");
    assert_int_equal(arka_query_registry_cancel(registry, arka_slice_of(id), &EVERYBODY, NULL),
                     ARKA_CONFLICT);
    assert_int_equal(calls, 1);
    close_registry();
}

TEST(texts_are_cut_at_a_character)
{
    open_registry(2);
    char text[ARKA_QUERY_TEXT + 10];
    memset(text, 'a', sizeof text);
    memcpy(text + ARKA_QUERY_TEXT - 1, "\xc3\xa4", 2);
    text[sizeof text - 1] = 0;
    arka_query_entry *e = begin_as(text, 0);
    arka_query_info i = get(arka_query_entry_id(e));
    assert_int_equal(strlen(i.text), ARKA_QUERY_TEXT - 1);
    assert_true(i.text_cut);
    end_as(e, ARKA_QUERY_COMPLETED, "");
    close_registry();
}

/* All of a query's life, from no registry to its history: what fails is said, what began ends. */
TEST(without_memory_no_query_is_lost)
{
    bool failed = true;
    for (int n = 1; failed; n++) {
        arka_error err = {0};
        arka_query_entry *e = NULL;
        arka_query_info *infos, info;
        size_t n_infos = 0;
        registry = NULL;
        arena = (arka_arena)ARKA_ARENA_INIT;
        kit_fail_allocation(n, false);
        arka_status status = arka_query_registry_new(2, &registry, &err);
        if (status == ARKA_OK) {
            arka_query_begin begin = {.text = ARKA_SLICE("SELECT 1")};
            status = arka_query_registry_begin(registry, &begin, &e, &err);
        }
        if (status == ARKA_OK) {
            char id[ARKA_QUERY_ID];
            snprintf(id, sizeof id, "%s", arka_query_entry_id(e));
            arka_query_entry_set_text(registry, e, ARKA_SLICE("SELECT 2"));
            end_as(e, ARKA_QUERY_FAILED, "it broke");
            status = arka_query_registry_list(registry, ARKA_QUERIES_HISTORY, &EVERYBODY, 10,
                                              &arena, &infos, &n_infos, &err);
            arka_arena_fini(&arena); /* each call may be the one that finds none */
            arka_status got = arka_query_registry_get(registry, arka_slice_of(id), &EVERYBODY,
                                                      &arena, &info, &err);
            status = status == ARKA_OK ? got : status;
        }
        failed = kit_allocation_failed();
        kit_fail_allocation(0, false);
        if (status != ARKA_OK) {
            assert_int_equal(status, ARKA_NOMEM);
            assert_non_null(strstr(err.msg, "out of memory"));
        } else if (!failed) {
            assert_int_equal(n_infos, 1);
            assert_string_equal(info.text, "SELECT 2");
            assert_string_equal(info.error, "it broke");
        }
        if (e != NULL) {
            arka_query_totals t;
            arka_query_registry_get_totals(registry, &t);
            assert_int_equal(t.failed, 1);
            assert_int_equal(t.n_queued + t.n_running, 0);
        }
        close_registry();
    }
}
