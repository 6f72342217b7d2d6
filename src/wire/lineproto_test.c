#include "wire/lineproto.h"

#include "base/buf.h"
#include "kit/kit.h"

enum { NOW_US = 1767607200123456 };

static const char *type_mark(arka_type type)
{
    return type == ARKA_BOOLEAN   ? "bool"
           : type == ARKA_BIGINT  ? "int"
           : type == ARKA_DOUBLE  ? "double"
           : type == ARKA_VARCHAR ? "text"
                                  : "?";
}

static void dump_cell(arka_buf *to, const arka_column *c, int64_t row)
{
    if (arka_column_is_null(c, row))
        arka_buf_literal(to, "-");
    else if (c->type == ARKA_BOOLEAN)
        arka_buf_text(to, arka_bit(c->values, row) ? "true" : "false");
    else if (c->type == ARKA_BIGINT)
        arka_buf_printf(to, "%lld", (long long)arka_column_i64(c)[row]);
    else if (c->type == ARKA_DOUBLE)
        arka_buf_printf(to, "%.17g", arka_column_f64(c)[row]);
    else
        arka_buf_printf(to, "'%.*s'", ARKA_FMT(arka_column_text(c, row)));
}

static void dump_batch(arka_buf *to, const arka_write *w)
{
    const arka_batch *b = w->batch;
    arka_buf_printf(to, "%.*s", ARKA_FMT(w->measurement));
    for (int i = 0; i < b->n_columns; i++)
        if (i != b->time)
            arka_buf_printf(to, " %.*s:%s%s", ARKA_FMT(b->columns[i].name),
                            type_mark(b->columns[i].type), b->columns[i].tag ? "#" : "");
    arka_buf_literal(to, "\n");
    for (int64_t row = 0; row < b->n_rows; row++) {
        arka_buf_printf(to, "%lld", (long long)arka_column_i64(&b->columns[b->time])[row]);
        for (int i = 0; i < b->n_columns; i++)
            if (i != b->time) {
                arka_buf_literal(to, " ");
                dump_cell(to, &b->columns[i], row);
            }
        arka_buf_literal(to, "\n");
    }
}

/* All that came of a body as text: "measurement column:type…" and a line a row; "! line reason". */
static char *parsed_with(arka_slice body, const arka_lineproto_options *options)
{
    static arka_buf dump;
    arka_error err = {0};
    arka_writes writes = {0};
    /* a copy of its own, so that the sanitizer sees a read behind it */
    char *text = malloc(body.len ? body.len : 1);
    memcpy(text, body.data, body.len);
    ASSERT_OK(arka_lineproto_parse(text, body.len, options, &writes, &err));
    memset(text, '#', body.len); /* nothing may point into it any more */
    free(text);
    arka_buf_clear(&dump);
    int64_t n_rows = 0;
    for (size_t i = 0; i < writes.writes.n; i++) {
        dump_batch(&dump, &writes.writes.items[i]);
        n_rows += writes.writes.items[i].batch->n_rows;
    }
    assert_int_equal(n_rows, writes.n_rows);
    for (size_t i = 0; i < writes.rejects.n; i++)
        arka_buf_printf(&dump, "! %lld %s\n", (long long)writes.rejects.items[i].place,
                        writes.rejects.items[i].reason);
    assert_true(writes.n_rejected >= (int64_t)writes.rejects.n);
    assert_true(writes.n_members >= writes.n_rejected);
    arka_writes_fini(&writes);
    char *result = strdup(arka_buf_cstr(&dump));
    arka_buf_fini(&dump);
    return result;
}

typedef struct body_case {
    const char *body, *result;
} body_case;

static void check_with(const body_case *cases, size_t n, const arka_lineproto_options *options)
{
    for (size_t i = 0; i < n; i++) {
        char *got = parsed_with(arka_slice_of(cases[i].body), options);
        if (strcmp(got, cases[i].result) != 0)
            fail_msg("body:\n%s\ngave:\n%s\nexpected:\n%s", cases[i].body, got, cases[i].result);
        free(got);
    }
}

static const arka_lineproto_options DEFAULTS = {.now_us = NOW_US};
#define CHECK(cases) check_with(cases, sizeof cases / sizeof *cases, &DEFAULTS)

TEST(a_line_becomes_a_row)
{
    static const body_case CASES[] = {
        {"cpu,host=server01,region=eu usage_idle=98.2,usage_user=1.1,usage_system=0.7 "
         "1767607200000000000\n",
         "cpu host:text# region:text# usage_idle:double usage_user:double usage_system:double\n"
         "1767607200000000 'server01' 'eu' 98.200000000000003 1.1000000000000001 "
         "0.69999999999999996\n"},
        {"cpu v=1", "cpu v:double\n1767607200123456 1\n"},
        {"cpu v=1i 2000", "cpu v:int\n2 1\n"},
        {"", ""},
        {"\n", ""},
        {" ", ""},
    };
    CHECK(CASES);
}

TEST(kinds_of_values)
{
    static const body_case CASES[] = {
        {"m a=1,b=1.,c=.5,d=-.5,e=+1.5,f=1e3,g=1E-2,h=-0 0",
         "m a:double b:double c:double d:double e:double f:double g:double h:double\n"
         "0 1 1 0.5 -0.5 1.5 1000 0.01 -0\n"},
        {"m a=1i,b=-1i,c=+1i,d=0i,e=9223372036854775807i,f=-9223372036854775808i,g=007i 0",
         "m a:int b:int c:int d:int e:int f:int g:int\n"
         "0 1 -1 1 0 9223372036854775807 -9223372036854775808 7\n"},
        {"m a=1u,b=0u,c=9223372036854775807u,d=+5u,e=000000000000000000000009u 0",
         "m a:int b:int c:int d:int e:int\n0 1 0 9223372036854775807 5 9\n"},
        {"m a=t,b=T,c=true,d=True,e=TRUE 0",
         "m a:bool b:bool c:bool d:bool e:bool\n0 true true true true true\n"},
        {"m a=f,b=F,c=false,d=False,e=FALSE 0",
         "m a:bool b:bool c:bool d:bool e:bool\n0 false false false false false\n"},
        {"m s=\"\",t=\"x y,z=1\",u=\"\xc3\xa9\" 0",
         "m s:text t:text u:text\n0 '' 'x y,z=1' '\xc3\xa9'\n"},
        {"m v=1e-400 0", "m v:double\n0 0\n"},
        {"m v=0.1000000000000000055511151231257827 0", "m v:double\n0 0.10000000000000001\n"},
        {"m v=12345678901234567890123 0", "m v:double\n0 1.2345678901234568e+22\n"},
    };
    CHECK(CASES);
}

TEST(escapes)
{
    static const body_case CASES[] = {
        {"m,tag\\ key=tag\\,value\\ x\\=y,k2=a\\b f\\,i\\=e\\ ld=1i 0",
         "m tag key:text# k2:text# f,i=e ld:int\n0 'tag,value x=y' 'a\\b' 1\n"},
        {"m,k=a\\\\\\,b v=1i 0", "m k:text# v:int\n0 'a\\\\,b' 1\n"},
        {"m,k=C:\\dir v=1i 0", "m k:text# v:int\n0 'C:\\dir' 1\n"},
        {"m s=\"say \\\"hi\\\"\",b=\"C:\\\\dir\\n\",e=\"\\\\\\\"\" 0",
         "m s:text b:text e:text\n0 'say \"hi\"' 'C:\\dir\\n' '\\\"'\n"},
        {"m s=\"a\\\\\" 0", "m s:text\n0 'a\\'\n"},
        {"m \"quoted\"=\"v\",k\"=1i 0", "m \"quoted\":text k\":int\n0 'v' 1\n"},
        {"m,k=\"x\" v=1i 0", "m k:text# v:int\n0 '\"x\"' 1\n"},
    };
    CHECK(CASES);
}

TEST(lines_and_blanks)
{
    static const body_case CASES[] = {
        {" m v=1i 1000", "m v:int\n1 1\n"},
        {"\t m v=1i 1000\n\n  \n\t\n m v=2i 2000 \n", "m v:int\n1 1\n2 2\n"},
        {"m v=1i 1000\r\nm v=2i\r\n\r\nm v=\"x\"\r\nm v=4i 4000\r",
         "m v:int\n1 1\n1767607200123456 2\n4 4\n"
         "! 4 field type conflict: input field \"v\" on measurement \"m\" is type VARCHAR, already "
         "exists as type BIGINT\n"},
        {"# comment\n  # another v=1\nm v=1i 1000 \n#", "m v:int\n1 1\n"},
        {"m   v=1i   1000   \nm\tv=1i 0\n", "m v:int\n1 1\n! 2 unable to parse 'm\\x09v=1i 0': "
                                            "measurement name 'm\tv=1i' may hold only "
                                            "letters, digits, '_', '.' and '-'\n"},
        {"m v=1i\t1000", "! 1 unable to parse 'm v=1i\\x091000': invalid number\n"},
        {"m s=\"two\nlines\",v=1i 1000\nm s=\"\n\n\",v=2i 2000\nm v=x\n",
         "m s:text v:int\n1 'two\nlines' 1\n2 '\n\n' 2\n! 6 unable to parse 'm v=x': invalid "
         "number\n"},
        {"m s=\"cr\r\nlf\" 1000\r\n", "m s:text\n1 'cr\r\nlf'\n"},
        {"m,k=# v=1i,#=2i 1000", "m k:text# v:int #:int\n1 '#' 1 2\n"},
    };
    CHECK(CASES);
}

TEST(timestamps_by_precision)
{
    static const struct {
        arka_precision precision;
        const char *time;
        int64_t us;
    } CASES[] = {
        {ARKA_PRECISION_NS, "1767607200123456789", 1767607200123456},
        {ARKA_PRECISION_NS, "999", 0},
        {ARKA_PRECISION_NS, "-1", -1},
        {ARKA_PRECISION_NS, "-1000", -1},
        {ARKA_PRECISION_NS, "-1001", -2},
        {ARKA_PRECISION_NS, "0", 0},
        {ARKA_PRECISION_NS, "-0", 0},
        {ARKA_PRECISION_NS, "9223372036854775807", 9223372036854775},
        {ARKA_PRECISION_NS, "-9223372036854775808", -9223372036854776},
        {ARKA_PRECISION_NS, "0000000000000000000000000001000", 1},
        {ARKA_PRECISION_US, "1767607200123456", 1767607200123456},
        {ARKA_PRECISION_US, "253402300799999999", 253402300799999999},
        {ARKA_PRECISION_US, "-62135596800000000", -62135596800000000},
        {ARKA_PRECISION_MS, "1767607200123", 1767607200123000},
        {ARKA_PRECISION_MS, "-5", -5000},
        {ARKA_PRECISION_S, "1767607200", 1767607200000000},
        {ARKA_PRECISION_M, "29460120", 1767607200000000},
        {ARKA_PRECISION_H, "491002", 1767607200000000},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++)
        for (int tail = 0; tail < 2; tail++) { /* at the body's end, and far from it */
            arka_lineproto_options options = {.now_us = 1, .precision = CASES[i].precision};
            arka_buf body = ARKA_BUF_INIT;
            arka_buf_printf(&body, "m v=1i %s%s", CASES[i].time,
                            tail ? "\n#                                                " : "");
            char *got = parsed_with((arka_slice){body.data, body.len}, &options), expected[64];
            snprintf(expected, sizeof expected, "m v:int\n%lld 1\n", (long long)CASES[i].us);
            assert_string_equal(got, expected);
            free(got);
            arka_buf_fini(&body);
        }
}

TEST(times_out_of_range_are_refused)
{
    static const struct {
        arka_precision precision;
        const char *time;
    } CASES[] = {
        {ARKA_PRECISION_NS, "9223372036854775808"},
        {ARKA_PRECISION_NS, "-9223372036854775809"},
        {ARKA_PRECISION_NS, "99999999999999999999999999"},
        {ARKA_PRECISION_US, "253402300800000000"},
        {ARKA_PRECISION_US, "-62135596800000001"},
        {ARKA_PRECISION_MS, "9223372036854775807"},
        {ARKA_PRECISION_S, "253402300800"},
        {ARKA_PRECISION_H, "5000000000000000000"},
        {ARKA_PRECISION_M, "-9223372036854775808"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        arka_lineproto_options options = {.now_us = 1, .precision = CASES[i].precision};
        char body[64], expected[128];
        snprintf(body, sizeof body, "m v=1i %s", CASES[i].time);
        snprintf(expected, sizeof expected, "! 1 unable to parse '%s': time outside range\n", body);
        char *got = parsed_with(arka_slice_of(body), &options);
        assert_string_equal(got, expected);
        free(got);
    }
}

TEST(precision_names)
{
    arka_precision p;
    static const struct {
        const char *name;
        arka_precision precision;
    } CASES[] = {
        {"", ARKA_PRECISION_NS},          {"ns", ARKA_PRECISION_NS},
        {"n", ARKA_PRECISION_NS},         {"us", ARKA_PRECISION_US},
        {"u", ARKA_PRECISION_US},         {"\xc2\xb5", ARKA_PRECISION_US},
        {"\xc2\xb5s", ARKA_PRECISION_US}, {"\xce\xbcs", ARKA_PRECISION_US},
        {"ms", ARKA_PRECISION_MS},        {"s", ARKA_PRECISION_S},
        {"m", ARKA_PRECISION_M},          {"h", ARKA_PRECISION_H},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        assert_true(arka_precision_parse(arka_slice_of(CASES[i].name), &p));
        assert_int_equal(p, CASES[i].precision);
    }
    assert_false(arka_precision_parse(ARKA_SLICE("d"), &p));
    assert_false(arka_precision_parse(ARKA_SLICE("NS"), &p));
    assert_false(arka_precision_parse(ARKA_SLICE("nss"), &p));
}

/* Each bad line stands alone, then among good ones, which must not notice it. */
TEST(bad_lines_are_refused_by_themselves)
{
    static const struct {
        const char *line, *why;
    } CASES[] = {
        {"m", "missing fields"},
        {"m ", "missing fields"},
        {"m,k=v", "missing fields"},
        {"m,k=v  ", "missing fields"},
        {",k=v f=1", "missing measurement"},
        {"m, f=1", "missing tag key"},
        {"m,=v f=1", "missing tag key"},
        {"m,k f=1", "missing tag value"},
        {"m,k=v,l f=1", "missing tag value"},
        {"m,k=a=b f=1", "invalid tag format"},
        {"m,k=a,k=b f=1", "duplicate tag key \"k\""},
        {"m,k=a,l=b,K=c f=1", "duplicate tag key \"k\""},
        {"m,k=,k=b f=1", "duplicate tag key \"k\""},
        {"m f", "invalid field format"},
        {"m f,g=1", "invalid field format"},
        {"m f g=1", "invalid field format"},
        {"m =1", "missing field key"},
        {"m f=1,", "missing field key"},
        {"m f=1, 5", "missing field key"},
        {"m f=1,,g=1", "missing field key"},
        {"m f=", "missing field value"},
        {"m f= 5", "missing field value"},
        {"m f=,g=1", "missing field value"},
        {"m f=abc", "invalid number"},
        {"m f=NaN", "invalid number"},
        {"m f=nan", "invalid number"},
        {"m f=Inf", "invalid number"},
        {"m f=-inf", "invalid number"},
        {"m f=+Infinity", "invalid number"},
        {"m f=infinity", "invalid number"},
        {"m f=1e999", "invalid number"},
        {"m f=0x10", "invalid number"},
        {"m f=1_000", "invalid number"},
        {"m f=1..2", "invalid number"},
        {"m f=.", "invalid number"},
        {"m f=-", "invalid number"},
        {"m f=--1", "invalid number"},
        {"m f=1e", "invalid number"},
        {"m f=1e5i", "invalid number"},
        {"m f=1.5i", "invalid number"},
        {"m f=i", "invalid number"},
        {"m f=-u", "invalid number"},
        {"m f=-1u", "invalid number"},
        {"m f=1i2", "invalid number"},
        {"m f='x'", "invalid number"},
        {"m f=tru", "invalid boolean"},
        {"m f=tRUE", "invalid boolean"},
        {"m f=falsey", "invalid boolean"},
        {"m f=9223372036854775808i",
         "integer out of range: a BIGINT holds -9223372036854775808 to 9223372036854775807"},
        {"m f=-9223372036854775809i",
         "integer out of range: a BIGINT holds -9223372036854775808 to 9223372036854775807"},
        {"m f=99999999999999999999999i",
         "integer out of range: a BIGINT holds -9223372036854775808 to 9223372036854775807"},
        {"m f=9223372036854775808u",
         "unsigned integer out of range: a BIGINT holds at most 9223372036854775807"},
        {"m f=18446744073709551616u",
         "unsigned integer out of range: a BIGINT holds at most 9223372036854775807"},
        {"m f=\"a\"b", "invalid field format"},
        {"m f=\"a\"\"b\"", "invalid field format"},
        {"m f=1 12x", "bad timestamp"},
        {"m f=1 x", "bad timestamp"},
        {"m f=1 1.5", "bad timestamp"},
        {"m f=1 +5", "bad timestamp"},
        {"m f=1 -", "bad timestamp"},
        {"m f=1 1e3", "bad timestamp"},
        {"m f=1 2026-01-05T10:00:00Z", "bad timestamp"},
        {"m f=1 5 6", "point is invalid: text follows the timestamp"},
        {"m f=1 5 #", "point is invalid: text follows the timestamp"},
        {"m,time=x f=1",
         "\"time\" is no name for a tag or a field: it is the column of the timestamp"},
        {"m Time=1", "\"Time\" is no name for a tag or a field: it is the column of the timestamp"},
        {"a\\ b f=1", "measurement name 'a b' may hold only letters, digits, '_', '.' and '-'"},
        {"../x f=1", "measurement name '../x' must begin with a letter, a digit or '_'"},
        {"1.5 f=1", "measurement name '1.5' may not be only digits and dots"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        arka_buf body = ARKA_BUF_INIT, expected = ARKA_BUF_INIT;
        arka_buf_printf(&expected, "! 1 unable to parse '%s': %s\n", CASES[i].line, CASES[i].why);
        char *got = parsed_with(arka_slice_of(CASES[i].line), &DEFAULTS);
        assert_string_equal(got, arka_buf_cstr(&expected));
        free(got);
        arka_buf_clear(&expected);
        arka_buf_printf(&body, "m,k=v z=1 1000\n%s\r\nm,k=v z=2 2000\n", CASES[i].line);
        arka_buf_printf(&expected,
                        "m k:text# z:double\n1 'v' 1\n2 'v' 2\n! 2 unable to parse '%s': %s\n",
                        CASES[i].line, CASES[i].why);
        got = parsed_with((arka_slice){body.data, body.len}, &DEFAULTS);
        assert_string_equal(got, arka_buf_cstr(&expected));
        free(got);
        arka_buf_fini(&body), arka_buf_fini(&expected);
    }
}

TEST(refused_lines_leave_no_trace)
{
    static const body_case CASES[] = {
        /* neither columns, nor types, nor tags */
        {"m,t=x new=1i,f=abc 1000\nm t=5i,new=\"text\" 2000\n",
         "m t:int new:text\n2 5 'text'\n! 1 unable to parse 'm,t=x new=1i,f=abc 1000': invalid "
         "number\n"},
        {"m f=1i 1000\nm f=1.5,g=x 2000\nm f=2i 3000\n",
         "m f:int\n1 1\n3 2\n! 2 unable to parse 'm f=1.5,g=x 2000': invalid number\n"},
        {"m f=1 x\nother f=1 1000",
         "other f:double\n1 1\n! 1 unable to parse 'm f=1 x': bad timestamp\n"},
        {"M v=x\nm v=1i 1000\nM v=2i 2000\n",
         "m v:int\n1 1\n2 2\n! 1 unable to parse 'M v=x': invalid number\n"},
        /* a point that would have been merged into */
        {"m,k=v f=1,g=x 1000\nm,k=v h=2 1000\n",
         "m k:text# h:double\n1 'v' 2\n! 1 unable to parse 'm,k=v f=1,g=x 1000': invalid number\n"},
        {"m,k=v f=1 1000\nm,k=v f=2,g=x 1000\n",
         "m k:text# f:double\n1 'v' 1\n! 2 unable to parse 'm,k=v f=2,g=x 1000': invalid number\n"},
        /* the end of a bad line is found behind its strings */
        {"m a=x,s=\"no\nline of its own v=1\",b=1\nm v=2i 2000\n",
         "m v:int\n2 2\n! 1 unable to parse 'm a=x,s=\"no\\x0aline of its own v=1\",b=1': invalid "
         "number\n"},
        {"m a=x,k\\=\"b\nm v=2i 2000\n",
         "m v:int\n2 2\n! 1 unable to parse 'm a=x,k\\=\"b': invalid number\n"},
        {"m,k=\"a f=x\nm v=2i 2000\n",
         "m v:int\n2 2\n! 1 unable to parse 'm,k=\"a f=x': invalid number\n"},
        {"m v=1i 1000\nm s=\"open\nm v=3i 3000\n",
         "m v:int\n1 1\n! 2 unable to parse 'm s=\"open\\x0am v=3i 3000\\x0a': unbalanced "
         "quotes\n"},
    };
    CHECK(CASES);
}

TEST(types_meet_in_one_column)
{
    static const body_case CASES[] = {
        {"m v=1i 1000\nm v=2.5 2000\nm v=3i 3000", "m v:double\n1 1\n2 2.5\n3 3\n"},
        {"m v=2.5 1000\nm v=2i 2000", "m v:double\n1 2.5\n2 2\n"},
        {"m v=\"a\" 1000\nm v=2i 2000\nm v=2.5 3000\nm v=t 4000",
         "m v:text\n1 'a'\n2 '2'\n3 '2.5'\n4 'true'\n"},
        {"m v=1i 1000\nm v=\"a\" 2000\nm v=t 3000\nm v=4i 4000",
         "m v:int\n1 1\n4 4\n"
         "! 2 field type conflict: input field \"v\" on measurement \"m\" is type VARCHAR, already "
         "exists as type BIGINT\n"
         "! 3 field type conflict: input field \"v\" on measurement \"m\" is type BOOLEAN, already "
         "exists as type BIGINT\n"},
        {"m v=t 1000\nm v=1 2000", "m v:bool\n1 true\n! 2 field type conflict: input field \"v\" "
                                   "on measurement \"m\" is type "
                                   "DOUBLE, already exists as type BOOLEAN\n"},
        {"m V=1i 1000\nm v=2i 2000", "m V:int\n1 1\n2 2\n"},
    };
    CHECK(CASES);
}

TEST(repeated_keys_and_empty_tags)
{
    static const body_case CASES[] = {
        {"m a=1i,b=2i,a=3i 1000", "m a:int b:int\n1 3 2\n"},
        {"m a=1i,a=\"x\" 1000", "m a:text\n1 'x'\n"},
        {"m a=\"xyz\",b=\"q\",A=\"w\" 1000\nm a=\"v\" 2000",
         "m a:text b:text\n1 'w' 'q'\n2 'v' -\n"},
        {"m,k=,l=x v=1i 1000", "m l:text# v:int\n1 'x' 1\n"},
        {"m,k= v=1i 1000\nm v=2i 2000", "m v:int\n1 1\n2 2\n"},
        {"m,k= k=1i 1000", "m k:int\n1 1\n"},
    };
    CHECK(CASES);
}

TEST(fields_step_aside_for_tags)
{
    static const body_case CASES[] = {
        {"m,a=x a=1i 1000", "m a:text# a_value:int\n1 'x' 1\n"},
        {"m,a=x A=1i 1000", "m a:text# a_value:int\n1 'x' 1\n"},
        {"m,a=x v=1i 1000\nm a=2i 2000", "m a:text# v:int a_value:int\n1 'x' 1 -\n2 - - 2\n"},
        {"m,a=x a=1i,a_value=2i 1000", "m a:text# a_value:int\n1 'x' 2\n"},
        {"m,a=x,a_value=y a=1i 1000", "m a:text# a_value:text# a_value_value:int\n1 'x' 'y' 1\n"},
        /* a text field that becomes a tag stays where it is */
        {"m a=\"field\" 1000\nm,a=tag v=1i 2000\nm a=\"again\" 3000",
         "m a:text# v:int a_value:text\n1 'field' - -\n2 'tag' 1 -\n3 - - 'again'\n"},
        {"m a=1i 1000\nm,a=x v=1i 2000",
         "m a:int\n1 1\n! 2 field type conflict: tag \"a\" on measurement \"m\" is type VARCHAR, "
         "already exists as type BIGINT\n"},
    };
    CHECK(CASES);
}

TEST(points_of_a_series_and_time_are_one_row)
{
    static const body_case CASES[] = {
        {"m,k=v a=1i 1000\nm,k=v b=2i 1000\n", "m k:text# a:int b:int\n1 'v' 1 2\n"},
        {"m,k=v a=1i,b=1i 1000\nm,k=v a=2i 1000\n", "m k:text# a:int b:int\n1 'v' 2 1\n"},
        {"m a=1i 1000\nm a=2i 1000\n", "m a:int\n1 2\n"},
        {"m a=1i\nm b=2i\n", "m a:int b:int\n1767607200123456 1 2\n"},
        /* one microsecond */
        {"m a=1i 1000\nm a=2i 1999\n", "m a:int\n1 2\n"},
        /* tags in another order, empty, escaped in another way, in another case */
        {"m,k=v,l=w a=1i 1000\nm,l=w,k=v b=2i 1000\nm,x=,k=v,l=w c=3i 1000\nm,K=v,L=w d=4i 1000",
         "m k:text# l:text# a:int b:int c:int d:int\n1 'v' 'w' 1 2 3 4\n"},
        {"m,l=w,k=v a=1i 1000\nm,k=v,l=w b=2i 1000\n",
         "m l:text# k:text# a:int b:int\n1 'w' 'v' 1 2\n"},
        {"m,k=a\\ b a=1i 1000\nm,z=,k=a\\ b b=2i 1000\n", "m k:text# a:int b:int\n1 'a b' 1 2\n"},
        {"m,k=a\\\\b a=1i 1000\nm,k=a\\b b=2i 1000\n",
         "m k:text# a:int b:int\n1 'a\\\\b' 1 -\n1 'a\\b' - 2\n"},
        /* other tags, other series */
        {"m,k=v a=1i 1000\nm,k=w b=2i 1000\nm b=3i 1000\nm,k=v,l=x a=4i 1000",
         "m k:text# a:int b:int l:text#\n1 'v' 1 - -\n1 'w' - 2 -\n1 - - 3 -\n1 'v' 4 - 'x'\n"},
        {"m a=1i 1000\nM b=2i 1000\nM,k=v a=1i 1000\nm,k=v b=1.5 1000\n",
         "m a:int b:double k:text#\n1 1 2 -\n1 1 1.5 'v'\n"},
        {"m,k=v a=1i 1000\nn,k=v b=2i 1000\n",
         "m k:text# a:int\n1 'v' 1\nn k:text# b:int\n1 'v' 2\n"},
        /* going back in time */
        {"m,k=v a=1i 3000\nm,k=v a=2i 2000\nm,k=v a=3i 1000\nm,k=v b=4i 2000\nm,k=v b=5i "
         "3000\nm,k=v b=6i 4000\nm,k=v b=7i 1000\nm,k=w b=8i 2000\nm,k=v c=9i 4000",
         "m k:text# a:int b:int c:int\n3 'v' 1 5 -\n2 'v' 2 4 -\n1 'v' 3 7 -\n4 'v' - 6 9\n2 'w' - "
         "8 "
         "-\n"},
        /* a merge may widen and fill nulls of earlier rows */
        {"m a=1i 1000\nm a=2i,t=\"x\" 2000\nm a=3i 3000\nm a=0.5,t=\"y\" 3000",
         "m a:double t:text\n1 1 -\n2 2 'x'\n3 0.5 'y'\n"},
        {"m a=1i 1000\nm b=2i 2000\nm a=3i,b=4i 1500\nm a=5i 2000",
         "m a:int b:int\n1 3 4\n2 5 2\n"},
    };
    CHECK(CASES);
}

TEST(measurements_come_in_their_order)
{
    static const body_case CASES[] = {
        {"b v=1i 1000\na v=2i 1000\nb v=3i 2000\n_x.y-z v=4i 1000\n\xc3\xa9 v=5i 1000",
         "b v:int\n1 1\n2 3\na v:int\n1 2\n_x.y-z v:int\n1 4\n\xc3\xa9 v:int\n1 5\n"},
    };
    CHECK(CASES);
}

typedef struct known_column {
    const char *name;
    arka_type type;
    bool tag;
    int asked;
} known_column;

static arka_type known_type(void *context, arka_slice measurement, arka_slice column, bool *tag)
{
    assert_true(arka_slice_eq(measurement, ARKA_SLICE("m")));
    for (known_column *c = context; c->name != NULL; c++)
        if (arka_slice_eq(column, arka_slice_of(c->name))) {
            c->asked++;
            *tag = c->tag;
            return c->type;
        }
    return ARKA_TYPE_NONE;
}

TEST(the_table_gives_types_and_tags)
{
    known_column columns[] = {{"i", ARKA_BIGINT, false, 0},    {"d", ARKA_DOUBLE, false, 0},
                              {"s", ARKA_VARCHAR, false, 0},   {"b", ARKA_BOOLEAN, false, 0},
                              {"t", ARKA_VARCHAR, true, 0},    {"ts", ARKA_TIMESTAMPTZ, false, 0},
                              {NULL, ARKA_TYPE_NONE, false, 0}};
    arka_lineproto_options options = {
        .now_us = NOW_US, .column_type = known_type, .context = columns};
    static const body_case CASES[] = {
        {"m d=1i,s=5i,i=7i 1000\nm d=2.5,s=t 2000",
         "m d:double s:text i:int\n1 1 '5' 7\n2 2.5 'true' -\n"},
        {"m i=1.5 1000", "m i:double\n1 1.5\n"},
        {"m i=\"x\" 1000",
         "! 1 field type conflict: input field \"i\" on measurement \"m\" is type VARCHAR, already "
         "exists as type BIGINT\n"},
        {"m b=1i 1000\nm b=t 2000", "m b:bool\n2 true\n! 1 field type conflict: input field \"b\" "
                                    "on measurement \"m\" is type "
                                    "BIGINT, already exists as type BOOLEAN\n"},
        {"m ts=1i 1000", "! 1 field type conflict: input field \"ts\" on measurement \"m\" is type "
                         "BIGINT, already exists as type TIMESTAMP WITH TIME ZONE\n"},
        {"m t=1i 1000", "m t_value:int\n1 1\n"},
        {"m,t=x v=1i 1000", "m t:text# v:int\n1 'x' 1\n"},
        {"m,s=x v=1i 1000", "m s:text# v:int\n1 'x' 1\n"},
        {"m,i=x v=1i 1000",
         "! 1 field type conflict: tag \"i\" on measurement \"m\" is type VARCHAR, "
         "already exists as type BIGINT\n"},
    };
    check_with(CASES, sizeof CASES / sizeof *CASES, &options);
    columns[0].asked = 0;
    free(parsed_with(ARKA_SLICE("m i=1i 1\nm i=2i,x=1 2000\nm i=3i 3000\nm,k=v i=3i 3000\n"),
                     &options));
    assert_int_equal(columns[0].asked, 1);
}

TEST(invalid_utf8_is_refused_wherever_it_stands)
{
    static const char *const LINES[] = {
        "m\xff v=1i",   "m,k\xff=v v=1i",    "m,k=\xff v=1i",        "m \xff=1i",
        "m s=\"\xff\"", "m s=\"\xc3\" 1000", "m s=\"\xed\xa0\x80\"", "m,k=\xc3 v=1i",
        "m v=1i 5\xff", "m v=\xff",
    };
    for (size_t i = 0; i < sizeof LINES / sizeof *LINES; i++) {
        arka_buf body = ARKA_BUF_INIT;
        arka_buf_printf(&body, "m s=\"\xc3\xa9\" 1000\n%s\nm s=\"\xe2\x82\xac\" 2000\n", LINES[i]);
        char *got = parsed_with((arka_slice){body.data, body.len}, &DEFAULTS);
        static const char ROWS[] =
            "m s:text\n1 '\xc3\xa9'\n2 '\xe2\x82\xac'\n! 2 unable to parse 'm";
        if (strncmp(got, ROWS, sizeof ROWS - 1) != 0)
            fail_msg("%s gave\n%s", LINES[i], got);
        for (const char *c = got; *c != 0; c++)
            assert_true((unsigned char)*c != 0xff); /* the reason is text that anybody can read */
        free(got);
        arka_buf_fini(&body);
    }
}

TEST(invalid_utf8_far_into_a_body_is_found)
{
    arka_buf body = ARKA_BUF_INIT;
    int64_t n_bad = 0, n = 20000;
    for (int64_t i = 0; i < n; i++) {
        bool bad = i % 3001 == 5;
        n_bad += bad;
        arka_buf_printf(&body, "m,k=%s v=%lldi %lld\n", bad ? "\xc3\x28" : "\xc3\xa9", (long long)i,
                        (long long)i * 1000);
    }
    arka_error err = {0};
    arka_writes writes = {0};
    ASSERT_OK(arka_lineproto_parse(body.data, body.len, &DEFAULTS, &writes, &err));
    assert_int_equal(writes.n_rejected, n_bad);
    assert_int_equal(writes.n_rows, n - n_bad);
    assert_int_equal(writes.rejects.items[1].place, 3001 + 5 + 1);
    assert_non_null(strstr(writes.rejects.items[1].reason, "invalid UTF-8"));
    arka_writes_fini(&writes);
    arka_buf_fini(&body);
}

TEST(rejects_name_measurement_line_and_first_bytes)
{
    arka_error err = {0};
    arka_writes writes = {0};
    static const char BODY[] = "# one\n\n  cpu,host=a v=abc\n,x=1 y=2\ndisk\n";
    ASSERT_OK(arka_lineproto_parse(BODY, sizeof BODY - 1, &DEFAULTS, &writes, &err));
    assert_int_equal(writes.n_members, 3);
    assert_int_equal(writes.n_rejected, 3);
    assert_int_equal(writes.rejects.n, 3);
    const arka_reject *r = writes.rejects.items;
    assert_int_equal(r[0].place, 3);
    assert_true(arka_slice_eq(r[0].measurement, ARKA_SLICE("cpu")));
    assert_string_equal(r[0].reason, "unable to parse 'cpu,host=a v=abc': invalid number");
    assert_string_equal(r[0].sample, "cpu,host=a v=abc");
    assert_int_equal(r[1].place, 4);
    assert_int_equal(r[1].measurement.len, 0);
    assert_int_equal(r[2].place, 5);
    assert_string_equal(r[2].reason, "unable to parse 'disk': missing fields");
    arka_writes_fini(&writes);
}

TEST(long_lines_are_shown_shortened)
{
    arka_buf body = ARKA_BUF_INIT;
    arka_buf_literal(&body, "m,k=");
    for (int i = 0; i < 200; i++)
        arka_buf_literal(&body, "\xc3\xa9");
    arka_buf_literal(&body, " v=abc");
    char *got = parsed_with((arka_slice){body.data, body.len}, &DEFAULTS);
    arka_buf expected = ARKA_BUF_INIT;
    arka_buf_literal(&expected, "! 1 unable to parse 'm,k=");
    for (int i = 0; i < 48; i++)
        arka_buf_literal(&expected, "\xc3\xa9");
    arka_buf_literal(&expected, "…': invalid number\n");
    assert_string_equal(got, arka_buf_cstr(&expected));
    free(got);
    arka_buf_fini(&body), arka_buf_fini(&expected);
}

TEST(heads_are_limited_to_64_kib)
{
    for (size_t over = 0; over < 2; over++) {
        arka_buf body = ARKA_BUF_INIT;
        arka_buf_literal(&body, "m,k=");
        for (size_t i = 4; i < 65535 + over; i++)
            arka_buf_byte(&body, 'x');
        arka_buf_literal(&body, " v=1i 1000\nm v=2i 1000");
        char *got = parsed_with((arka_slice){body.data, body.len}, &DEFAULTS);
        assert_int_equal(strstr(got, "max key length exceeded: 65536 > 65535") != NULL, over);
        assert_int_equal(strstr(got, "xxx' 1\n") != NULL, !over);
        free(got);
        arka_buf_fini(&body);
    }
}

TEST(refused_lines_are_all_counted_and_the_first_kept)
{
    arka_error err = {0};
    arka_writes writes = {0};
    arka_buf body = ARKA_BUF_INIT;
    for (int i = 0; i < 1000; i++)
        arka_buf_printf(&body, "m v=%s %d\n", i % 2 ? "1i" : "x", i * 1000);
    ASSERT_OK(arka_lineproto_parse(body.data, body.len, &DEFAULTS, &writes, &err));
    assert_int_equal(writes.n_rejected, 500);
    assert_int_equal(writes.rejects.n, ARKA_WRITES_MAX_REJECTS);
    assert_int_equal(arka_vec_last(&writes.rejects).place, 199);
    assert_int_equal(writes.n_rows, 500);
    arka_writes_fini(&writes);
    arka_buf_fini(&body);
}

TEST(too_many_columns_are_refused)
{
    arka_error err = {0};
    arka_writes writes = {0};
    arka_buf body = ARKA_BUF_INIT;
    for (int i = 0; i < 5000; i++)
        arka_buf_printf(&body, "m f%d=1i %d\n", i, i * 1000);
    ASSERT_OK(arka_lineproto_parse(body.data, body.len, &DEFAULTS, &writes, &err));
    assert_int_equal(writes.n_rows, 4096);
    assert_int_equal(writes.n_rejected, 5000 - 4096);
    assert_non_null(strstr(writes.rejects.items[0].reason,
                           "measurement \"m\" has more than 4096 columns in this request"));
    arka_writes_fini(&writes);
    arka_lineproto_options options = {.now_us = 1, .max_memory = 1 << 20};
    writes = (arka_writes){0};
    ASSERT_FAILS(arka_lineproto_parse(body.data, body.len, &options, &writes, &err), ARKA_LIMIT,
                 "takes too much memory");
    arka_writes_fini(&writes);
    arka_buf_fini(&body);
}

TEST(a_body_cut_anywhere_is_parsed_or_refused)
{
    static const char BODY[] =
        "cpu,host=a\\ b,region=eu idle=98.25,n=12345678901i,ok=true,s=\"q\\\"\\\\ "
        "\xc3\xa9\n\" -1767607200000000000\n# c\nmem,host=b free=1e3 5\r\n";
    for (size_t n = 0; n < sizeof BODY; n++)
        free(parsed_with((arka_slice){BODY, n}, &DEFAULTS));
}

/* A body that comes by every allocation of the parser. */
static arka_buf body_with_everything(void)
{
    arka_buf body = ARKA_BUF_INIT;
    for (int i = 0; i < 200; i++) {
        arka_buf_printf(&body, "m%d,host=h\\ %d,%s=x f%d=%d.5,g=%di,s=\"a\\\"%d\",b=t %d\n", i % 3,
                        i, i % 2 ? "a" : "z", i % 20, i, i, i, i * 1000);
        arka_buf_printf(&body, "m%d,host=same f=%di %d\n", i % 3, i, (200 - i) * 1000);
    }
    arka_buf_literal(&body, "m0,host=same f=1.5 5000\nm0,host=same host=1,g=2 5000\nm0 v=abc\n");
    return body;
}

TEST(memory_may_run_out_anywhere)
{
    arka_buf body = body_with_everything();
    for (int for_good = 0; for_good < 2; for_good++) {
        int n_failed = 0;
        bool whole = false;
        for (long n = 1; !whole; n++) {
            arka_error err = {0};
            arka_writes writes = {0};
            kit_fail_allocation(n, for_good);
            arka_status status =
                arka_lineproto_parse(body.data, body.len, &DEFAULTS, &writes, &err);
            kit_fail_allocation(0, false);
            if (status == ARKA_OK) {
                assert_int_equal(writes.n_rejected, 1);
                assert_int_equal(writes.n_rows, 400);
                whole = writes.rejects.n == 1; /* else only its record was lost */
            } else {
                assert_int_equal(status, ARKA_NOMEM);
                assert_non_null(strstr(err.msg, "out of memory"));
            }
            n_failed += !whole;
            arka_writes_fini(&writes);
        }
        assert_true(n_failed > 50);
    }
    arka_buf_fini(&body);
}
