/* Row maps: what becomes of t, h, tags, fields and f, and how they are gathered. */
#include "kit/msgpack_outcome.h"

TEST(a_row_map_has_time_tags_and_fields)
{
    ASSERT_OUTCOME("{m:cpu,t:1767607200000,h:srv1,tags:{region:eu},fields:{usage:1.5,idle:98}}",
                   "cpu@0{time TIMESTAMPTZ 1767607200000000; region* VARCHAR \"eu\"; "
                   "host* VARCHAR \"srv1\"; usage DOUBLE 1.5; idle BIGINT 98}");
}

TEST(keys_come_in_any_order_and_strange_ones_are_passed_over)
{
    ASSERT_OUTCOME("{fields:{v:1},extra:[1,{a:[]}],5:6,[1,2]:3,tags:{},t:1,m:x}",
                   "x@0{time TIMESTAMPTZ 1000000; v BIGINT 1}");
    ASSERT_OUTCOME("{<bin 6d>:<bin 78>,<bin 6669656c6473>:{<bin 76>:<bin 61>}}",
                   "x@0{time TIMESTAMPTZ 7000000; v VARCHAR \"a\"}");
}

TEST(absent_time_is_now_and_absent_host_is_no_column)
{
    ASSERT_OUTCOME("{m:x,fields:{v:true}}", "x@0{time TIMESTAMPTZ 7000000; v BOOLEAN true}");
    ASSERT_OUTCOME("{m:x,h:nil,tags:nil,f:nil,fields:{v:1}}",
                   "x@0{time TIMESTAMPTZ 7000000; v BIGINT 1}");
}

TEST(integers_as_names_get_a_word_before_them)
{
    ASSERT_OUTCOME(
        "{m:7,h:12,fields:{v:1}}",
        "measurement_7@0{time TIMESTAMPTZ 7000000; host* VARCHAR \"host_12\"; v BIGINT 1}");
    ASSERT_OUTCOME("{m:7,columns:{v:[1]}}",
                   "measurement_7@0{v BIGINT 1; time TIMESTAMPTZ 7000000}");
    ASSERT_OUTCOME("{m:<cf 18446744073709551615>,h:<cf 18446744073709551615>,fields:{v:1}}",
                   "measurement_18446744073709551615@0{time TIMESTAMPTZ 7000000; "
                   "host* VARCHAR \"host_18446744073709551615\"; v BIGINT 1}");
}

TEST(the_host_of_the_tags_wins)
{
    ASSERT_OUTCOME("{m:x,h:outer,tags:{host:inner},fields:{v:1}}",
                   "x@0{time TIMESTAMPTZ 7000000; host* VARCHAR \"inner\"; v BIGINT 1}");
    ASSERT_OUTCOME("{m:x,h:outer,tags:{host:nil},fields:{v:1}}",
                   "x@0{time TIMESTAMPTZ 7000000; host* VARCHAR \"outer\"; v BIGINT 1}");
}

TEST(tags_are_text_whatever_they_were)
{
    ASSERT_OUTCOME(
        "{m:x,tags:{a:1,b:1.5,c:true,d:[1,'x'],e:nil,f:nan,g:''},fields:{v:1}}",
        "x@0{time TIMESTAMPTZ 7000000; a* VARCHAR \"1\"; b* VARCHAR \"1.5\"; "
        "c* VARCHAR \"true\"; d* VARCHAR \"[1,\\\"x\\\"]\"; g* VARCHAR \"\"; v BIGINT 1}");
}

TEST(a_field_called_like_a_tag_gets_another_name)
{
    ASSERT_OUTCOME("{m:x,h:a,tags:{zone:1},fields:{zone:2,Zone:3,host:4}}",
                   "INPUT: column 'Zone_value' is there twice");
    ASSERT_OUTCOME("{m:x,h:a,tags:{zone:z},fields:{zone:2,host:4}}",
                   "x@0{time TIMESTAMPTZ 7000000; zone* VARCHAR \"z\"; host* VARCHAR \"a\"; "
                   "zone_value BIGINT 2; host_value BIGINT 4}");
    /* A tag of any record of the measurement counts. */
    ASSERT_OUTCOME("[{m:x,tags:{zone:z},fields:{v:1}},{m:x,fields:{zone:2}}]",
                   "x@0{time TIMESTAMPTZ 7000000 7000000; zone* VARCHAR \"z\" null; "
                   "v BIGINT 1 null; zone_value BIGINT null 2}");
}

TEST(compact_fields_are_numbered)
{
    ASSERT_OUTCOME("{m:x,f:[1,nil,2.5]}",
                   "x@0{time TIMESTAMPTZ 7000000; field_0 BIGINT 1; field_2 DOUBLE 2.5}");
    ASSERT_OUTCOME("{m:x,fields:{a:1},f:[2]}",
                   "x@0{time TIMESTAMPTZ 7000000; a BIGINT 1; field_0 BIGINT 2}");
    ASSERT_OUTCOME("{m:x,fields:{field_0:1},f:[2]}", "INPUT: column 'field_0' is there twice");
}

TEST(values_of_fields_have_the_types_of_columns)
{
    ASSERT_OUTCOME(
        "{m:x,fields:{a:<ca 0.5>,b:<bin 62>,c:[1,{k:nil}],d:<ext -1 00000001>,e:nil,g:nan}}",
        "x@0{time TIMESTAMPTZ 7000000; a DOUBLE 0.5; b VARCHAR \"b\"; "
        "c VARCHAR \"[1,{\\\"k\\\":null}]\"; d VARCHAR \"1970-01-01T00:00:01Z\"; "
        "g DOUBLE nan}");
}

TEST(rows_of_one_measurement_become_one_batch)
{
    ASSERT_OUTCOME(
        "[{m:a,t:1,fields:{u:1}},{m:b,t:2,fields:{v:true}},{m:a,t:3,tags:{k:z},fields:{w:'x'}},"
        "{m:a,t:4,fields:{u:4,w:'y'}}]",
        "a@0{time TIMESTAMPTZ 1000000 3000000 4000000; u BIGINT 1 null 4; "
        "k* VARCHAR null \"z\" null; w VARCHAR null \"x\" \"y\"}\n"
        "b@1{time TIMESTAMPTZ 2000000; v BOOLEAN true}");
    /* over several objects of one body too */
    ASSERT_OUTCOME("{m:a,t:1,fields:{u:1}} {m:a,t:2,fields:{u:2}}",
                   "a@0{time TIMESTAMPTZ 1000000 2000000; u BIGINT 1 2}");
}

TEST(mixed_types_over_rows_are_united)
{
    ASSERT_OUTCOME("[{m:a,fields:{u:1}},{m:a,fields:{u:2.5}},{m:a,fields:{u:3}}]",
                   "a@0{time TIMESTAMPTZ 7000000 7000000 7000000; u DOUBLE 1 2.5 3}");
    ASSERT_OUTCOME(
        "[{m:a,fields:{u:1}},{m:a,fields:{u:nan}},{m:a,fields:{u:'x'}},{m:a,fields:{u:true}},"
        "{m:a,fields:{u:nan}}]",
        "a@0{time TIMESTAMPTZ 7000000 7000000 7000000 7000000 7000000; "
        "u VARCHAR \"1\" null \"x\" \"true\" null}");
    ASSERT_OUTCOME("[{m:a,fields:{u:true}},{m:a,fields:{u:0.5}}]",
                   "a@0{time TIMESTAMPTZ 7000000 7000000; u VARCHAR \"true\" \"0.5\"}");
}

TEST(rows_without_values_are_rows_all_the_same)
{
    ASSERT_OUTCOME("{m:x,t:1,fields:{v:nil}}", "x@0{time TIMESTAMPTZ 1000000}");
    ASSERT_OUTCOME("[{m:x,t:1,fields:{v:nil}},{m:x,t:2,fields:{v:2}}]",
                   "x@0{time TIMESTAMPTZ 1000000 2000000; v BIGINT null 2}");
}

TEST(bad_rows_are_refused)
{
    static const struct {
        const char *body, *why;
    } CASES[] = {
        {"{m:x}", "record has no fields"},
        {"{m:x,t:1,h:a,tags:{b:c}}", "record has no fields"},
        {"{m:x,fields:{}}", "record has no fields"},
        {"{m:x,f:[]}", "record has no fields"},
        {"{m:x,fields:[1]}", "'fields' is an array, expected a map"},
        {"{m:x,f:{a:1}}", "'f' is a map, expected an array"},
        {"{m:x,tags:5,fields:{v:1}}", "'tags' is an integer, expected a map"},
        {"{m:x,tags:{5:a},fields:{v:1}}", "a name in 'tags' is an integer, expected a string"},
        {"{m:x,fields:{nil:1}}", "a name in 'fields' is nil, expected a string"},
        {"{m:x,h:1.5,fields:{v:1}}", "'h' is a float, expected a string or an integer"},
        {"{m:x,h:'\xff',fields:{v:1}}", "'h': string is not UTF-8"},
        {"{m:x,fields:{v:1,V:2}}", "column 'V' is there twice"},
        {"{m:x,tags:{v:1,v:2},fields:{a:1}}", "column 'v' is there twice"},
        {"{m:x,fields:{v:'\xc3'}}", "field 'v': string is not UTF-8"},
        {"{m:x,tags:{v:<bin ff>},fields:{a:1}}", "tag 'v': string is not UTF-8"},
        {"{m:x,fields:{v:<cf 9223372036854775808>}}",
         "field 'v': integer 9223372036854775808 does not fit BIGINT (at most "
         "9223372036854775807)"},
        {"{m:x,fields:{v:<ext 3 00>}}",
         "field 'v': found extension type 3, only timestamps (-1) are understood"},
        {"{m:x,fields:{time:1}}", "'time' may not be the name of a tag or a field"},
        {"{m:x,fields:{'':1}}", "a column has an empty name"},
        {"{m:x,fields:{'a\xff':1}}", "a column name is not UTF-8"},
        {"{m:x,fields:{<str 256>:1}}", "a column name has 256 bytes, at most 255 are allowed"},
        {"{m:x,tags:{<str 250>:1},fields:{<str 250>:1}}",
         "a column name has 256 bytes, at most 255 are allowed"},
        {"{m:'a/b',fields:{v:1}}",
         "measurement name 'a/b' may hold only letters, digits, '_', '.' and '-'"},
        {"{m:'',fields:{v:1}}", "measurement name is empty"},
        {"{m:nil,fields:{v:1}}", "'m' is nil, expected a string or an integer"},
        {"{fields:{v:1}}", "record has no 'm', the name of its measurement"},
        {"{}", "record has no 'm', the name of its measurement"},
        {"{m:x,m:y,fields:{v:1}}", "key 'm' is there twice"},
        {"{m:x,t:1,t:2,fields:{v:1}}", "key 't' is there twice"},
        {"{m:x,columns:{a:[1]},columns:{a:[1]}}", "key 'columns' is there twice"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        char expected[400];
        snprintf(expected, sizeof expected, "INPUT: %s", CASES[i].why);
        ASSERT_OUTCOME(CASES[i].body, expected);
    }
}

TEST(a_refused_row_leaves_no_trace_in_its_batch)
{
    ASSERT_OUTCOME("[{m:a,t:1,fields:{u:1}},{m:a,t:2,tags:{n:1},fields:{u:'text',w:1,w:2}},"
                   "{m:a,t:3,fields:{u:3}}]",
                   "a@0{time TIMESTAMPTZ 1000000 3000000; u BIGINT 1 3}\n"
                   "!1 a: column 'w' is there twice");
}

TEST(a_refused_row_makes_no_columns_and_no_tags)
{
    ASSERT_OUTCOME("[{m:a,t:1,tags:{v:x},fields:{n:1,n:2}},{m:a,t:2,fields:{v:1}}]",
                   "a@0{time TIMESTAMPTZ 2000000; v BIGINT 1}\n"
                   "!0 a: column 'n' is there twice");
}

TEST(sparse_rows_may_not_make_much_out_of_little)
{
    /* 4,000 columns, one a row: 4,000 rows would have 16 million cells. */
    arka_buf body = ARKA_BUF_INIT;
    arka_msgpack_options options = {0};
    pack_array(&body, 4000);
    for (int i = 0; i < 4000; i++) {
        char name[16];
        snprintf(name, sizeof name, "c%d", i);
        pack_notation(&body, "<raw 82>,m,x,fields,<raw 81>");
        pack_str(&body, name);
        pack_int(&body, i);
    }
    assert_string_equal(outcome_of(body.data, body.len, &options),
                        "LIMIT: row maps of this body make more than 4194304 cells (rows x "
                        "columns, most of them empty): send it in parts");
    arka_buf_fini(&body);
}

TEST(row_maps_of_a_measurement_have_at_most_4096_columns)
{
    arka_buf body = ARKA_BUF_INIT;
    arka_msgpack_options options = {0};
    pack_notation(&body, "<raw 82>,m,x,fields");
    pack_map(&body, 4097);
    for (int i = 0; i < 4097; i++) {
        char name[16];
        snprintf(name, sizeof name, "c%d", i);
        pack_str(&body, name);
        pack_int(&body, 1);
    }
    assert_string_equal(
        outcome_of(body.data, body.len, &options),
        "LIMIT: row maps of measurement 'x' have more than 4096 columns in one body");
    arka_buf_fini(&body);
}
