#include "observe/metrics.h"

#include "kit/kit.h"
#include "observe/exposition.h"

static const arka_family GAUGE = {"x_gauge_bytes", ARKA_METRIC_GAUGE, "", "Some \"bytes\"\nand \\"};
static const arka_family COUNTER = {"x_events", ARKA_METRIC_COUNTER, "kind,why", "Events"};
static const arka_family TIMES = {"x_time_seconds", ARKA_METRIC_HISTOGRAM, "of", "Times"};

static void put_some(arka_gathering *g)
{
    arka_latency h;
    arka_latency_view view;
    arka_error err = {0};
    ASSERT_OK(arka_latency_init(&h, 2, &err));
    arka_latency_observe(&h, 16000); /* on a bound: it belongs to it */
    arka_latency_observe(&h, 16001);
    arka_latency_observe(&h, 500000000);
    arka_latency_read(&h, &view);
    arka_latency_fini(&h);
    arka_gathering_init(g);
    arka_gathering_put(g, &COUNTER, 3, "a\"b", "c\\d\n");
    arka_gathering_put(g, &GAUGE, 1.5);
    arka_gathering_put(g, &COUNTER, 9007199254740991, "b", ""); /* with the first of its family */
    arka_gathering_histogram(g, &TIMES, &view, "all");
}

static char *written(arka_exposition format)
{
    arka_error err = {0};
    arka_buf out = ARKA_BUF_INIT;
    arka_gathering g;
    put_some(&g);
    ASSERT_OK(arka_exposition_write(&g, format, &out, &err));
    arka_gathering_fini(&g);
    assert_non_null(arka_buf_cstr(&out));
    return out.data;
}

TEST(the_text_format_is_exact)
{
    char *text = written(ARKA_EXPOSITION_TEXT);
    static const char BEGIN[] = "# HELP x_events_total Events.\n"
                                "# TYPE x_events_total counter\n"
                                "x_events_total{kind=\"a\\\"b\",why=\"c\\\\d\\n\"} 3\n"
                                "x_events_total{kind=\"b\",why=\"\"} 9007199254740991\n"
                                "# HELP x_gauge_bytes Some \"bytes\"\\nand \\\\.\n"
                                "# TYPE x_gauge_bytes gauge\n"
                                "x_gauge_bytes 1.5\n"
                                "# HELP x_time_seconds Times.\n"
                                "# TYPE x_time_seconds histogram\n"
                                "x_time_seconds_bucket{of=\"all\",le=\"1.6e-05\"} 1\n"
                                "x_time_seconds_bucket{of=\"all\",le=\"3.2e-05\"} 2\n";
    static const char END[] = "x_time_seconds_bucket{of=\"all\",le=\"0.262144\"} 2\n"
                              "x_time_seconds_bucket{of=\"all\",le=\"0.524288\"} 3\n"
                              "x_time_seconds_bucket{of=\"all\",le=\"1.048576\"} 3\n";
    static const char LAST[] = "x_time_seconds_bucket{of=\"all\",le=\"+Inf\"} 3\n"
                               "x_time_seconds_sum{of=\"all\"} 0.500032001\n"
                               "x_time_seconds_count{of=\"all\"} 3\n";
    assert_int_equal(strncmp(text, BEGIN, sizeof BEGIN - 1), 0);
    assert_non_null(strstr(text, END));
    assert_string_equal(text + strlen(text) - (sizeof LAST - 1), LAST);
    arka_free(text);
}

TEST(openmetrics_names_families_units_and_its_end)
{
    char *text = written(ARKA_EXPOSITION_OPENMETRICS);
    static const char BEGIN[] = "# HELP x_events Events.\n"
                                "# TYPE x_events counter\n"
                                "x_events_total{";
    assert_int_equal(strncmp(text, BEGIN, sizeof BEGIN - 1), 0);
    assert_non_null(strstr(text, "# HELP x_gauge_bytes Some \\\"bytes\\\"\\nand \\\\.\n"
                                 "# TYPE x_gauge_bytes gauge\n"
                                 "# UNIT x_gauge_bytes bytes\n"));
    assert_non_null(strstr(text, "# UNIT x_time_seconds seconds\n"));
    assert_string_equal(text + strlen(text) - strlen("# EOF\n"), "# EOF\n");
    arka_free(text);
}

TEST(accept_chooses_by_quality_and_patterns_choose_nothing)
{
    static const struct {
        const char *accept;
        arka_exposition standard, chosen;
    } CASES[] = {
        {"", ARKA_EXPOSITION_TEXT, ARKA_EXPOSITION_TEXT},
        {"*/*", ARKA_EXPOSITION_TEXT, ARKA_EXPOSITION_TEXT},
        {"*/*", ARKA_EXPOSITION_JSON, ARKA_EXPOSITION_JSON},
        {"application/json", ARKA_EXPOSITION_TEXT, ARKA_EXPOSITION_JSON},
        {"application/json, text/plain, */*", ARKA_EXPOSITION_JSON, ARKA_EXPOSITION_JSON},
        {"text/plain", ARKA_EXPOSITION_JSON, ARKA_EXPOSITION_TEXT},
        {"Text/Plain; charset=utf-8", ARKA_EXPOSITION_JSON, ARKA_EXPOSITION_TEXT},
        /* Prometheus 2.42, 2.5 and 3 */
        {"application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;"
         "q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
         ARKA_EXPOSITION_TEXT, ARKA_EXPOSITION_OPENMETRICS},
        {"application/openmetrics-text; version=0.0.1,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
         ARKA_EXPOSITION_TEXT, ARKA_EXPOSITION_TEXT},
        {"application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,"
         "text/plain;version=0.0.4;q=0.2",
         ARKA_EXPOSITION_JSON, ARKA_EXPOSITION_OPENMETRICS},
        {"text/plain;q=0", ARKA_EXPOSITION_JSON, ARKA_EXPOSITION_JSON},
        {"text/plain;q=x", ARKA_EXPOSITION_JSON, ARKA_EXPOSITION_JSON},
        {"text/html,application/xhtml+xml,*/*;q=0.8", ARKA_EXPOSITION_JSON, ARKA_EXPOSITION_JSON},
        {",,;;=,", ARKA_EXPOSITION_TEXT, ARKA_EXPOSITION_TEXT},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++)
        if (arka_exposition_choose(arka_slice_of(CASES[i].accept), CASES[i].standard) !=
            CASES[i].chosen)
            fail_msg("\"%s\" chooses another format", CASES[i].accept);
}

static arka_status take_json(void *context, const arka_sample *s, arka_error *err)
{
    arka_buf *out = context;
    if (s->family != &COUNTER)
        return ARKA_OK;
    arka_buf_printf(out, "%s ", s->name);
    arka_sample_labels_json(s, out);
    return ARKA_OK;
}

TEST(samples_tell_their_labels_as_json)
{
    arka_error err = {0};
    arka_buf out = ARKA_BUF_INIT;
    arka_gathering g;
    put_some(&g);
    ASSERT_OK(arka_gathering_each(&g, take_json, &out, &err));
    assert_string_equal(arka_buf_cstr(&out),
                        "x_events_total {\"kind\":\"a\\\"b\",\"why\":\"c\\\\d\\n\"}"
                        "x_events_total {\"kind\":\"b\",\"why\":\"\"}");
    arka_buf_fini(&out);
    arka_gathering_fini(&g);
}

/* Names and labels are what the formats allow, no name is there twice, every one is explained. */
TEST(families_are_well_made)
{
    static const char WORD[] = "abcdefghijklmnopqrstuvwxyz0123456789_";
    for (size_t i = 0; i < ARKA_N_FAMILIES; i++) {
        const arka_family *f = &arka_families[i];
        assert_int_equal(strspn(f->name, WORD), strlen(f->name));
        assert_int_equal(strspn(f->labels, "abcdefghijklmnopqrstuvwxyz_,"), strlen(f->labels));
        assert_true(strlen(f->help) > 5);
        assert_true(f->help[strlen(f->help) - 1] != '.');
        assert_null(strstr(f->name, "_total"));
        if (f->kind == ARKA_METRIC_HISTOGRAM)
            assert_string_equal(arka_family_unit(f), "seconds");
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(f->name, arka_families[j].name);
    }
}

TEST(a_gather_without_memory_says_so)
{
    for (int n = 1;; n++) {
        arka_error err = {0};
        arka_buf out = ARKA_BUF_INIT;
        arka_gathering g;
        kit_fail_allocation(n, true);
        arka_gathering_init(&g);
        arka_gathering_put(&g, &COUNTER, 3, "a", "b");
        arka_gathering_put(&g, &GAUGE, 1);
        arka_status status = arka_exposition_write(&g, ARKA_EXPOSITION_TEXT, &out, &err);
        kit_fail_allocation(0, false);
        arka_gathering_fini(&g);
        arka_buf_fini(&out);
        if (status == ARKA_OK)
            break;
        assert_int_equal(status, ARKA_NOMEM);
    }
}
