/* The body as a whole: shapes, members good and bad, limits, and damage at every byte. */
#include "kit/msgpack_outcome.h"

static const char *with(const char *notation, arka_msgpack_options options)
{
    arka_buf body = ARKA_BUF_INIT;
    pack_notation(&body, notation);
    const char *text = outcome_of(body.data, body.len, &options);
    arka_buf_fini(&body);
    return text;
}

TEST(all_shapes_mean_the_same)
{
    static const char A[] = "a@0{time TIMESTAMPTZ 1000000; v BIGINT 1}\n"
                            "b@1{time TIMESTAMPTZ 2000000; v BIGINT 2}";
    ASSERT_OUTCOME("[{m:a,columns:{time:[1],v:[1]}},{m:b,columns:{time:[2],v:[2]}}]", A);
    ASSERT_OUTCOME("{batch:[{m:a,columns:{time:[1],v:[1]}},{m:b,columns:{time:[2],v:[2]}}]}", A);
    ASSERT_OUTCOME(
        "{version:2,batch:[{m:a,columns:{time:[1],v:[1]}},{m:b,columns:{time:[2],v:[2]}}],x:{}}",
        A);
    ASSERT_OUTCOME("{m:a,columns:{time:[1],v:[1]}} {m:b,columns:{time:[2],v:[2]}}", A);
    ASSERT_OUTCOME("[{m:a,columns:{time:[1],v:[1]}}] {batch:[{m:b,columns:{time:[2],v:[2]}}]} []",
                   A);
    ASSERT_OUTCOME("[{m:a,t:1,fields:{v:1}},{m:b,columns:{time:[2],v:[2]}}]",
                   "b@1{time TIMESTAMPTZ 2000000; v BIGINT 2}\n"
                   "a@0{time TIMESTAMPTZ 1000000; v BIGINT 1}");
}

TEST(keys_of_a_columnar_map_come_in_any_order)
{
    ASSERT_OUTCOME("{x:nil,columns:{v:[1],time:[5]},t:{},fields:7,m:a,y:[[]]}",
                   "a@0{v BIGINT 1; time TIMESTAMPTZ 5000000}");
    ASSERT_OUTCOME("{<bin 636f6c756d6e73>:{<bin 76>:[1]},<bin 6d>:<bin 61>}",
                   "a@0{v BIGINT 1; time TIMESTAMPTZ 7000000}");
}

TEST(a_batch_within_a_record_is_no_batch)
{
    ASSERT_OUTCOME("{m:a,batch:[{m:b,columns:{v:[1]}}]}", "INPUT: record has no fields");
    ASSERT_OUTCOME("[{batch:[{m:b,columns:{v:[1]}}]},{m:a,columns:{v:[1]}}]",
                   "a@1{v BIGINT 1; time TIMESTAMPTZ 7000000}\n"
                   "!0 : record has no 'm', the name of its measurement");
}

TEST(bodies_that_hold_nothing_fail)
{
    ASSERT_OUTCOME("", "INPUT: body is empty");
    ASSERT_OUTCOME("[]", "INPUT: body holds no record");
    ASSERT_OUTCOME("{batch:[]}", "INPUT: body holds no record");
    ASSERT_OUTCOME("[] {batch:[]}", "INPUT: body holds no record");
}

TEST(wrong_top_level_types_fail)
{
    ASSERT_OUTCOME(
        "5", "INPUT: byte 0 of the body begins an integer, expected a map or an array of maps");
    ASSERT_OUTCOME("'text'",
                   "INPUT: byte 0 of the body begins a string, expected a map or an array of maps");
    ASSERT_OUTCOME("nil",
                   "INPUT: byte 0 of the body begins nil, expected a map or an array of maps");
    ASSERT_OUTCOME(
        "{m:a,columns:{v:[1]}} 0",
        "INPUT: byte 18 of the body begins an integer, expected a map or an array of maps");
    ASSERT_OUTCOME("{batch:{m:a,columns:{v:[1]}}}",
                   "INPUT: 'batch' is a map, expected an array of maps");
    ASSERT_OUTCOME("{batch:[],batch:[]}", "INPUT: key 'batch' is there twice");
}

TEST(trailing_garbage_fails_the_whole)
{
    ASSERT_OUTCOME("{m:a,columns:{v:[1]}} <raw c1>",
                   "INPUT: MessagePack body is unreadable: byte 18 is 0xc1, which begins no value");
    ASSERT_OUTCOME("[{m:a,columns:{v:[1]}}] <raw 81>",
                   "INPUT: MessagePack body is truncated: the map at byte 19 declares 1 pairs, 0 "
                   "bytes follow");
}

TEST(a_bad_member_does_not_hold_up_the_others)
{
    ASSERT_OUTCOME(
        "[{m:a,columns:{v:[1]}},{m:b,columns:{v:[1],w:[1,2]}},7,{m:'../c',columns:{v:[1]}},"
        "{m:d,columns:{v:[4]}}]",
        "a@0{v BIGINT 1; time TIMESTAMPTZ 7000000}\n"
        "d@4{v BIGINT 4; time TIMESTAMPTZ 7000000}\n"
        "!1 b: column 'v' has 1 values, column 'w' has 2: all columns must be equally long\n"
        "!2 : record is an integer, expected a map\n"
        "!3 ../c: measurement name '../c' must begin with a letter, a digit or '_'");
    /* The name is found even when it comes after what was wrong. */
    ASSERT_OUTCOME("[{columns:{},m:a},{m:b,columns:{v:[1]}}]",
                   "b@1{v BIGINT 1; time TIMESTAMPTZ 7000000}\n!0 a: 'columns' is empty");
}

TEST(a_refusal_keeps_the_first_bytes)
{
    arka_buf body = ARKA_BUF_INIT;
    arka_writes writes = {0};
    arka_error err = {0};
    arka_msgpack_options options = {0};
    pack_notation(&body, "[{m:a,columns:{}},{m:b,columns:{v:[1]}}]");
    ASSERT_OK(arka_msgpack_decode(body.data, body.len, &options, &writes, &err));
    assert_int_equal(writes.n_members, 2);
    assert_int_equal(writes.n_rejected, 1);
    assert_false(writes.single);
    assert_string_equal(writes.rejects.items[0].sample, "\\x82\\xa1m\\xa1a\\xa7columns\\x80");
    arka_writes_fini(&writes);
    arka_buf_fini(&body);
}

TEST(all_refusals_are_counted_and_the_first_hundred_kept)
{
    arka_buf body = ARKA_BUF_INIT;
    arka_writes writes = {0};
    arka_error err = {0};
    arka_msgpack_options options = {0};
    pack_array(&body, 300);
    pack_notation(&body, "{m:b,columns:{v:[1]}}");
    for (int i = 1; i < 300; i++)
        pack_notation(&body, "{m:b}");
    ASSERT_OK(arka_msgpack_decode(body.data, body.len, &options, &writes, &err));
    assert_int_equal(writes.n_members, 300);
    assert_int_equal(writes.n_rejected, 299);
    assert_int_equal(writes.rejects.n, 100);
    assert_int_equal(writes.n_rows, 1);
    arka_writes_fini(&writes);
    arka_buf_fini(&body);
}

TEST(when_all_are_bad_the_body_fails)
{
    ASSERT_OUTCOME("[{m:a},{m:b,columns:{}}]",
                   "INPUT: none of 2 records is good; record 0: record has no fields");
    ASSERT_OUTCOME("{m:a}", "INPUT: record has no fields");
    ASSERT_OUTCOME("[{m:a}]", "INPUT: none of 1 records is good; record 0: record has no fields");
}

TEST(atomic_means_all_or_nothing)
{
    static const char BODY[] = "[{m:a,columns:{v:[1]}},{m:b,fields:{v:1}},{m:c}]";
    assert_string_equal(with(BODY, (arka_msgpack_options){.atomic = true}),
                        "INPUT: record 2 of 3: record has no fields");
    assert_string_equal(with("[{m:a,columns:{v:[1]}}]", (arka_msgpack_options){.atomic = true}),
                        "a@0{v BIGINT 1; time TIMESTAMPTZ 0}");
}

TEST(a_single_map_says_so)
{
    static const struct {
        const char *body;
        bool single;
    } CASES[] = {{"{m:a,columns:{v:[1]}}", true},
                 {"{m:a,fields:{v:1}}", true},
                 {"[{m:a,fields:{v:1}}]", false},
                 {"{batch:[{m:a,fields:{v:1}}]}", false},
                 {"{m:a,fields:{v:1}} {m:a,fields:{v:1}}", false}};
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        arka_buf body = ARKA_BUF_INIT;
        arka_writes writes = {0};
        arka_error err = {0};
        arka_msgpack_options options = {0};
        pack_notation(&body, CASES[i].body);
        ASSERT_OK(arka_msgpack_decode(body.data, body.len, &options, &writes, &err));
        assert_int_equal(writes.single, CASES[i].single);
        arka_writes_fini(&writes);
        arka_buf_fini(&body);
    }
}

TEST(rows_are_limited_over_the_whole_body)
{
    arka_msgpack_options three = {.max_rows = 3};
    assert_string_equal(with("{m:a,columns:{v:[1,2,3]}}", three),
                        "a@0{v BIGINT 1 2 3; time TIMESTAMPTZ 0 0 0}");
    assert_string_equal(with("{m:a,columns:{v:[1,2,3,4]}}", three),
                        "LIMIT: body holds more than 3 rows");
    assert_string_equal(
        with("[{m:a,columns:{v:[1,2]}},{m:b,fields:{v:1}},{m:b,fields:{v:1}}]", three),
        "LIMIT: body holds more than 3 rows");
    /* Refused members do not count. */
    assert_string_equal(
        with("[{m:a,columns:{v:[1,2],w:[1]}},{m:b,columns:{v:[1,2,3]}}]", three),
        "b@1{v BIGINT 1 2 3; time TIMESTAMPTZ 0 0 0}\n"
        "!0 a: column 'v' has 2 values, column 'w' has 1: all columns must be equally long");
}

TEST(nesting_is_limited_in_cells_and_free_in_what_is_skipped)
{
    arka_msgpack_options three = {.max_depth = 3};
    assert_string_equal(with("{m:a,columns:{v:[[[[]]]]}}", three),
                        "a@0{v VARCHAR \"[[[]]]\"; time TIMESTAMPTZ 0}");
    assert_string_equal(with("{m:a,columns:{v:[[[[[]]]]]}}", three),
                        "INPUT: column 'v', row 0: value is nested deeper than 3 levels");
    assert_string_equal(with("[{m:a,fields:{v:{a:{b:{c:{}}}}}},{m:b,fields:{v:1}}]", three),
                        "b@1{time TIMESTAMPTZ 0; v BIGINT 1}\n"
                        "!0 a: field 'v': value is nested deeper than 3 levels");
    assert_string_equal(with("{m:a,x:[[[[[[[[]]]]]]]],columns:{v:[1]}}", three),
                        "a@0{v BIGINT 1; time TIMESTAMPTZ 0}");
}

TEST(nesting_bombs_need_no_stack)
{
    enum { DEEP = 5000000 };
    arka_buf body = ARKA_BUF_INIT;
    arka_msgpack_options options = {0};
    pack_notation(&body, "<raw 82>,m,a,x");
    for (int i = 0; i < DEEP; i++)
        arka_buf_byte(&body, (char)0x91);
    pack_nil(&body);
    assert_string_equal(outcome_of(body.data, body.len, &options), "INPUT: record has no fields");
    assert_string_equal(
        outcome_of(body.data, body.len - 1, &options),
        "INPUT: MessagePack body is truncated: the array at byte 5000006 declares 1 "
        "elements, 0 bytes follow");
    /* The same as a cell. */
    arka_buf_clear(&body);
    pack_notation(&body, "<raw 82>,m,a,columns,<raw 81>,v,<raw 91>");
    for (int i = 0; i < DEEP; i++)
        arka_buf_byte(&body, (char)0x91);
    pack_nil(&body);
    assert_string_equal(outcome_of(body.data, body.len, &options),
                        "INPUT: column 'v', row 0: value is nested deeper than 32 levels");
    arka_buf_fini(&body);
}

TEST(huge_declared_lengths_fail_at_once)
{
    static const char *const BODIES[] = {
        "<raw dd ffffffff>",
        "<raw df ffffffff>",
        "<raw dd ffffffff> {m:a,columns:{v:[1]}}",
        "{m:a,columns:<raw df ffffffff>}",
        "{m:a,columns:{v:<raw dd ffffffff>}}",
        "{m:a,columns:{v:<raw dc ffff>}}",
        "{m:a,columns:{v:[<raw db ffffffff>]}}",
        "{m:a,columns:{v:[<raw c6 ffffffff>]}}",
        "{m:a,columns:{v:[<raw c9 ffffffff>]}}",
        "{m:a,columns:{v:[[<raw dd ffffffff>]]}}",
        "{m:a,fields:<raw df 7fffffff>}",
        "{<raw db ffffffff>:1}",
        "{batch:<raw dd ffffffff>}",
    };
    for (size_t i = 0; i < sizeof BODIES / sizeof *BODIES; i++) {
        const char *got = outcome(BODIES[i]);
        if (strstr(got, "INPUT: MessagePack body is truncated: the ") != got ||
            strstr(got, " declares ") == NULL)
            fail_msg("%s: %s", BODIES[i], got);
    }
}

TEST(tiny_records_may_not_make_much_out_of_little)
{
    arka_buf body = ARKA_BUF_INIT, one = ARKA_BUF_INIT;
    arka_msgpack_options options = {0};
    pack_notation(&one, "{m:a,columns:{v:[1]}}");
    uint32_t n = 400000;
    pack_array(&body, n);
    for (uint32_t i = 0; i < n; i++)
        arka_buf_append(&body, one.data, one.len);
    const char *got = outcome_of(body.data, body.len, &options);
    size_t expect = 32 * body.len + ((size_t)64 << 20);
    char sentence[200];
    snprintf(
        sentence, sizeof sentence,
        "LIMIT: body of %zu bytes makes more than %zu bytes of batches: put more rows into one "
        "record",
        body.len, expect);
    assert_string_equal(got, sentence);
    arka_buf_fini(&body);
    arka_buf_fini(&one);
}

static const char *const SAMPLES[] = {
    "{m:cpu,columns:{time:[1767607200000,<ce 5>],host:[a,'a string of more than thirty-one bytes'],"
    "v:[1.5,nil],w:[<ca 2.5>,3],b:[true,false],j:[[1,{a:2}],<ext -1 695b8d60>],s:[<bin 61>,'b']}}",
    "[{m:cpu,t:1767607200000,h:7,tags:{region:eu,n:1},fields:{v:1.5,w:'text',x:[1]},f:[1,2]},"
    "{m:mem,extra:{a:[1,2,3]},columns:{v:[<cf 1>,<d3 2>,<d2 3>,<d1 4>,<d0 5>,<cd 6>,<cc 7>,8]}}]",
    "{batch:[{m:a,columns:{v:[1]}},{m:b},{m:c,fields:{v:1}}],x:<ext -1 000000000000000000000000>}",
    "[{m:a,columns:{v:[1],w:[1,2]}},{m:b,columns:{v:[1]}}]",
};

TEST(truncation_at_every_byte_fails_and_stores_nothing)
{
    for (size_t s = 0; s < sizeof SAMPLES / sizeof *SAMPLES; s++) {
        arka_buf body = ARKA_BUF_INIT;
        arka_msgpack_options options = {0};
        pack_notation(&body, SAMPLES[s]);
        for (size_t n = 1; n < body.len; n++) {
            const char *got = outcome_of(body.data, n, &options);
            if (strncmp(got, "INPUT: MessagePack body is truncated: ", 38) != 0)
                fail_msg("sample %zu cut at %zu: %s", s, n, got);
        }
        assert_true(strncmp(outcome_of(body.data, body.len, &options), "INPUT", 5) != 0);
        arka_buf_fini(&body);
    }
}

TEST(damage_at_every_byte_is_survived)
{
    for (size_t s = 0; s < sizeof SAMPLES / sizeof *SAMPLES; s++) {
        arka_buf body = ARKA_BUF_INIT;
        arka_msgpack_options options = {0};
        pack_notation(&body, SAMPLES[s]);
        for (size_t at = 0; at < body.len; at++) {
            char before = body.data[at];
            for (int byte = 0; byte < 256; byte++) {
                body.data[at] = (char)byte;
                outcome_of(body.data, body.len, &options); /* checks whatever comes out */
            }
            body.data[at] = before;
        }
        arka_buf_fini(&body);
    }
}

/* Rows that came out when the n-th allocation failed; -1: the call said NOMEM and left nothing. */
static int64_t rows_with_failure(const arka_buf *body, long n, bool for_good)
{
    arka_msgpack_options options = {0};
    arka_writes writes = {0};
    arka_error err = {0};
    kit_fail_allocation(n, for_good);
    arka_status status = arka_msgpack_decode(body->data, body->len, &options, &writes, &err);
    kit_fail_allocation(0, false);
    int64_t n_rows = writes.n_rows;
    if (status != ARKA_OK) {
        assert_int_equal(status, ARKA_NOMEM);
        assert_int_equal(writes.writes.n + writes.rejects.n, 0);
        n_rows = -1;
    }
    arka_writes_fini(&writes);
    return n_rows;
}

TEST(any_allocation_may_fail)
{
    for (size_t s = 0; s < sizeof SAMPLES / sizeof *SAMPLES; s++) {
        arka_buf body = ARKA_BUF_INIT;
        int64_t failed = 0;
        pack_notation(&body, SAMPLES[s]);
        int64_t n_rows = rows_with_failure(&body, 0, false);
        for (int for_good = 0; for_good < 2; for_good++)
            for (long n = 1; n <= 100; n++) {
                int64_t got = rows_with_failure(&body, n, for_good);
                /* Losing the record of a refusal is no failure, and neither is not giving back. */
                assert_true(got == -1 || got == n_rows);
                failed += got == -1;
            }
        assert_in_range(failed, 5, 150);
        arka_buf_fini(&body);
    }
}
