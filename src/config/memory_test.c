/* The budget: what is set stays, the rest is shared, and nothing adds up to more than the limit. */
#include "config/memory.h"

#include "kit/kit.h"

#define MIB (INT64_C(1) << 20)
#define GIB (INT64_C(1) << 30)

static arka_error err;

static arka_memory_limit machine_of(int64_t bytes)
{
    return (arka_memory_limit){.bytes = bytes, .physical = bytes, .where = "machine"};
}

/* pairs of setting and text, ARKA_N_SETTINGS ends */
typedef struct given {
    arka_setting which;
    const char *text;
} given;

static void begin(arka_settings *s, const given *values)
{
    err = (arka_error){0};
    ASSERT_OK(arka_settings_init(s, &err));
    for (; values->text != NULL; values++)
        ASSERT_OK(arka_settings_set(s, values->which, arka_slice_of(values->text), ARKA_FROM_FILE,
                                    "test", &err));
}

static arka_memory_plan divide(int64_t machine_bytes, const given *values)
{
    arka_settings s;
    arka_memory_plan plan;
    arka_memory_limit machine = machine_of(machine_bytes);
    begin(&s, values);
    ASSERT_OK(arka_memory_divide(&s, &machine, &plan, &err));
    arka_settings_fini(&s);
    assert_int_equal(plan.hot + plan.queries + plan.bodies + plan.work + plan.reserve, plan.total);
    assert_true(plan.reserve >= plan.total / 100 * 10 && plan.reserve >= 64 * MIB);
    return plan;
}

static void refuses(int64_t machine_bytes, const given *values, const char *text)
{
    arka_settings s;
    arka_memory_limit machine = machine_of(machine_bytes);
    begin(&s, values);
    ASSERT_FAILS(arka_memory_settle(&s, &machine, &err), ARKA_INPUT, text);
    arka_settings_fini(&s);
}

static const given NONE[] = {{ARKA_N_SETTINGS, NULL}};

TEST(nothing_set_takes_three_quarters_and_shares_them)
{
    arka_memory_plan p = divide(256 * MIB, NONE);
    assert_int_equal(p.total / MIB, 191);
    assert_int_equal(p.hot, 51 * MIB);
    assert_int_equal(p.queries, 51 * MIB);
    assert_int_equal(p.bodies, 12 * MIB);

    p = divide(23 * GIB, NONE); /* a small server of today */
    assert_int_equal(p.hot, 4 * GIB);
    assert_int_equal(p.bodies, 1 * GIB);
    assert_true(p.queries > 6 * GIB && p.queries < 7 * GIB);
    assert_true(p.total < 18 * GIB);

    p = divide(8 * GIB, NONE);
    assert_true(p.hot > 2 * GIB && p.queries > 2 * GIB);
}

TEST(what_is_set_stays_and_the_rest_is_shared)
{
    const given VALUES[] = {{ARKA_SETTING_memory_limit, "1GB"},
                            {ARKA_SETTING_hot_limit_mb, "600"},
                            {ARKA_N_SETTINGS, NULL}};
    arka_memory_plan p = divide(8 * GIB, VALUES);
    assert_int_equal(p.total, GIB);
    assert_int_equal(p.hot, 600 * MIB);
    assert_true(p.queries > 200 * MIB && p.queries < 300 * MIB);
    const given ALL[] = {{ARKA_SETTING_hot_limit_mb, "2048"},
                         {ARKA_SETTING_duckdb_memory, "2GB"},
                         {ARKA_SETTING_max_body_memory_mb, "1024"},
                         {ARKA_N_SETTINGS, NULL}};
    p = divide(8 * GIB, ALL);
    assert_int_equal(p.hot, 2 * GIB);
    assert_int_equal(p.queries, 2 * GIB);
    assert_int_equal(p.bodies, GIB);
    const given ZERO[] = {{ARKA_SETTING_hot_limit_mb, "0"}, {ARKA_N_SETTINGS, NULL}};
    assert_int_equal(divide(256 * MIB, ZERO).hot, 51 * MIB);
}

TEST(parts_never_add_up_to_more_than_the_limit)
{
    for (int64_t mib = 171; mib < 100000; mib += 1 + mib / 7)
        for (int hot = 0; hot < 120; hot += 40) {
            char text[16];
            snprintf(text, sizeof text, "%d", hot);
            const given VALUES[] = {{ARKA_SETTING_hot_limit_mb, text}, {ARKA_N_SETTINGS, NULL}};
            arka_settings s;
            arka_memory_plan plan;
            arka_memory_limit machine = machine_of(mib * MIB);
            begin(&s, VALUES);
            if (arka_memory_divide(&s, &machine, &plan, NULL) == ARKA_OK)
                divide(mib * MIB, VALUES);
            else
                assert_true(hot > 0 && mib < 256);
            arka_settings_fini(&s);
        }
}

TEST(what_does_not_fit_is_refused_with_the_sum)
{
    const given PARTS[] = {{ARKA_SETTING_hot_limit_mb, "2048"},
                           {ARKA_SETTING_duckdb_memory, "8GB"},
                           {ARKA_N_SETTINGS, NULL}};
    refuses(8 * GIB, PARTS,
            "ingestion.hot_limit_mb (2048 MiB) + duckdb.memory_limit (8192 MiB) + ");
    refuses(8 * GIB, PARTS, "more than memory.limit (6143 MiB)");
    const given OVER[] = {{ARKA_SETTING_memory_limit, "9GB"}, {ARKA_N_SETTINGS, NULL}};
    refuses(8 * GIB, OVER, "memory.limit = 9216 MiB is more than the 8192 MiB that there are");
    const given LITTLE[] = {{ARKA_SETTING_memory_limit, "100MB"}, {ARKA_N_SETTINGS, NULL}};
    refuses(8 * GIB, LITTLE, "at least 128 MiB");
    refuses(100 * MIB, NONE, "there are 100 MiB of memory (machine)");
    const given HOT[] = {{ARKA_SETTING_hot_limit_mb, "15"}, {ARKA_N_SETTINGS, NULL}};
    refuses(8 * GIB, HOT, "ingestion.hot_limit_mb = 15 is too little");
}

TEST(settling_fills_what_was_left_open_and_may_be_done_again)
{
    arka_settings s;
    arka_memory_limit machine = machine_of(256 * MIB);
    const given VALUES[] = {{ARKA_SETTING_max_inflated_mb, "400"}, {ARKA_N_SETTINGS, NULL}};
    begin(&s, VALUES);
    for (int i = 0; i < 2; i++) {
        ASSERT_OK(arka_memory_settle(&s, &machine, &err));
        assert_int_equal(s.memory_limit / MIB, 191);
        assert_int_equal(s.hot_limit_mb, 51);
        assert_int_equal(s.duckdb_memory, 51 * MIB);
        assert_int_equal(s.max_body_memory_mb, 12);
        assert_int_equal(s.max_request_mb, 12);
        assert_int_equal(s.max_inflated_mb, 400); /* was set */
        assert_int_equal(s.duckdb_threads, 1);
        assert_int_equal(s.query_slots, 3);
    }
    arka_settings_fini(&s);
}
