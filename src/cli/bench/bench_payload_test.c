/* Bodies are read back by a reader written here from the formats' specifications. */
#include "cli/bench/bench_payload.h"

#include <inttypes.h>

#include <zlib.h>
#include <zstd.h>

#include "base/number.h"
#include "kit/kit.h"

static const char HEAD[] = "/api/v1/write/msgpack HTTP/1.1\r\nHost: h\r\n";
static const arka_payload_times T0 = {1767607200000000, 1};

/* One cell as text: "123", "1.5" (17 digits), "name" */
typedef char cell[48];
typedef struct decoded {
    int n_rows, n_columns;
    char table[64];
    char names[ARKA_WORKLOAD_MAX_COLUMNS][32];
    cell *cells; /* n_rows * n_columns, row by row */
} decoded;

typedef struct cursor {
    const unsigned char *at, *end;
} cursor;

static uint64_t take_be(cursor *c, int n)
{
    assert_true(c->end - c->at >= n);
    uint64_t v = 0;
    while (n-- > 0)
        v = v << 8 | *c->at++;
    return v;
}

static void take_text(cursor *c, size_t n, char *out, size_t cap)
{
    assert_true((size_t)(c->end - c->at) >= n && n < cap);
    memcpy(out, c->at, n);
    out[n] = 0;
    c->at += n;
}

static void take_str(cursor *c, char *out, size_t cap)
{
    unsigned type = (unsigned)take_be(c, 1);
    size_t n = type == 0xd9 ? (size_t)take_be(c, 1) : type & 0x1f;
    assert_true(type == 0xd9 || type >> 5 == 5);
    take_text(c, n, out, cap);
}

static void take_cell(cursor *c, cell out)
{
    unsigned type = *c->at;
    if (type >> 5 == 5 || type == 0xd9) {
        take_str(c, out, sizeof(cell));
        return;
    }
    c->at++;
    if (type == 0xcb) {
        union {
            uint64_t bits;
            double d;
        } v = {take_be(c, 8)};
        snprintf(out, sizeof(cell), "%.17g", v.d);
    } else if (type < 0x80) {
        snprintf(out, sizeof(cell), "%u", type);
    } else {
        assert_in_range(type, 0xcc, 0xcf);
        snprintf(out, sizeof(cell), "%" PRIu64, take_be(c, 1 << (type - 0xcc)));
    }
}

static int take_array(cursor *c)
{
    unsigned type = (unsigned)take_be(c, 1);
    if (type >> 4 == 9)
        return (int)(type & 15);
    assert_true(type == 0xdc || type == 0xdd);
    return (int)take_be(c, type == 0xdc ? 2 : 4);
}

static decoded decode_msgpack(const char *body, size_t n)
{
    cursor c = {(const unsigned char *)body, (const unsigned char *)body + n};
    decoded d = {0};
    char key[32];
    assert_int_equal(take_be(&c, 1), 0x82);
    take_str(&c, key, sizeof key);
    assert_string_equal(key, "m");
    take_str(&c, d.table, sizeof d.table);
    take_str(&c, key, sizeof key);
    assert_string_equal(key, "columns");
    d.n_columns = (int)take_be(&c, 1) - 0x80;
    assert_in_range(d.n_columns, 1, ARKA_WORKLOAD_MAX_COLUMNS);
    for (int k = 0; k < d.n_columns; k++) {
        take_str(&c, d.names[k], sizeof d.names[k]);
        int n_rows = take_array(&c);
        if (k == 0) {
            d.n_rows = n_rows;
            d.cells = calloc((size_t)n_rows * (size_t)d.n_columns, sizeof(cell));
        }
        assert_int_equal(n_rows, d.n_rows);
        for (int i = 0; i < n_rows; i++)
            take_cell(&c, d.cells[i * d.n_columns + k]);
    }
    assert_ptr_equal(c.at, c.end);
    return d;
}

/* up to one of the bytes in `stops`, which is eaten and returned */
static char take_until(cursor *c, const char *stops, char *out, size_t cap)
{
    size_t n = 0;
    while (c->at + n < c->end && strchr(stops, c->at[n]) == NULL)
        n++;
    take_text(c, n, out, cap);
    assert_true(c->at < c->end);
    return (char)*c->at++;
}

static void decode_line(cursor *c, decoded *d, int row, int n_columns)
{
    char stop = take_until(c, ", ", d->table, sizeof d->table);
    for (int k = 1; stop != '\n'; k++) {
        assert_true(k < n_columns);
        cell text;
        assert_int_equal(take_until(c, "=", d->names[k], sizeof d->names[k]), '=');
        stop = take_until(c, ", ", text, sizeof text);
        snprintf(d->cells[row * n_columns + k], sizeof(cell), "%s", text);
        if (stop == ' ' && c->at < c->end && *c->at >= '0' && *c->at <= '9')
            stop = take_until(c, "\n", d->cells[row * n_columns], sizeof(cell));
    }
}

static decoded decode_lines(const char *body, size_t n, int n_rows, int n_columns)
{
    cursor c = {(const unsigned char *)body, (const unsigned char *)body + n};
    decoded d = {.n_rows = n_rows, .n_columns = n_columns};
    d.cells = calloc((size_t)n_rows * (size_t)n_columns, sizeof(cell));
    snprintf(d.names[0], sizeof d.names[0], "time");
    for (int i = 0; i < n_rows; i++)
        decode_line(&c, &d, i, n_columns);
    assert_ptr_equal(c.at, c.end);
    return d;
}

static decoded decode(const arka_payload *p, const arka_payload_options *o)
{
    const char *body = p->bytes + p->n_head_bytes;
    size_t n = p->n_bytes - p->n_head_bytes;
    return o->format == ARKA_PAYLOAD_MSGPACK
               ? decode_msgpack(body, n)
               : decode_lines(body, n, o->n_rows, arka_workloads[o->workload].n_columns);
}

static double number(const char *text)
{
    double v;
    assert_true(arka_parse_f64(text, strlen(text), &v));
    return v;
}

static void check_text(const arka_workload_column *column, const char *text, bool quoted)
{
    size_t n = strlen(text);
    if (quoted) {
        assert_true(n > 2 && text[0] == '"' && text[n - 1] == '"');
        text++;
        n -= 2;
    }
    if (column->names == NULL) {
        size_t len = strlen(column->name);
        assert_memory_equal(text, column->name, len);
        assert_int_equal(text[len], '_');
        assert_in_range(strtol(text + len + 1, NULL, 10), 0, column->n_names - 1);
        return;
    }
    bool known = false;
    for (int i = 0; i < column->n_names; i++)
        known |= strlen(column->names[i]) == n && memcmp(column->names[i], text, n) == 0;
    assert_true(known);
}

static void check_cell(const arka_payload_options *o, const arka_workload_column *column,
                       const char *text, int64_t time_us)
{
    bool lp = o->format == ARKA_PAYLOAD_LP;
    cell expected;
    char *end;
    switch (column->kind) {
    case ARKA_CELL_TIME:
        snprintf(expected, sizeof expected, "%" PRId64 "%s", time_us, lp ? "000" : "");
        assert_string_equal(text, expected);
        break;
    case ARKA_CELL_TAG:
    case ARKA_CELL_TEXT:
        check_text(column, text, lp && column->kind == ARKA_CELL_TEXT);
        break;
    case ARKA_CELL_DOUBLE:
        assert_true(number(text) >= column->low && number(text) <= column->high);
        break;
    case ARKA_CELL_INT:
        assert_in_range(strtoll(text, &end, 10), column->low, column->high - 1);
        assert_string_equal(end, lp ? "i" : "");
        break;
    }
}

static void check_all(const arka_payload *p, const arka_payload_options *o,
                      arka_payload_times times)
{
    const arka_workload *w = &arka_workloads[o->workload];
    decoded d = decode(p, o);
    assert_int_equal(d.n_rows, o->n_rows);
    assert_int_equal(d.n_columns, w->n_columns);
    assert_string_equal(d.table, o->table);
    /* tags come first in line protocol, and our columns stand in that order */
    for (int k = 0; k < d.n_columns; k++)
        assert_string_equal(d.names[k], w->columns[k].name);
    for (int i = 0; i < d.n_rows; i++)
        for (int k = 0; k < d.n_columns; k++)
            check_cell(o, &w->columns[k], d.cells[i * d.n_columns + k],
                       times.first_us + i * times.stride_us);
    free(d.cells);
}

static void check_head(const arka_payload *p)
{
    char end[64];
    int n = snprintf(end, sizeof end, "Content-Length: %zu\r\n\r\n", p->n_bytes - p->n_head_bytes);
    assert_memory_equal(p->bytes, "POST ", 5);
    assert_memory_equal(p->bytes + 5, HEAD, sizeof HEAD - 1);
    assert_memory_equal(p->bytes + p->n_head_bytes - n, end, n);
}

static const int SIZES[] = {1, 2, 15, 16, 300, 65535, 65536};

TEST(every_row_is_as_stamped)
{
    for (int kind = 0; kind < 2 * ARKA_N_WORKLOADS * 2; kind++) {
        arka_payload_options o = {.workload = (arka_workload_kind)(kind & 1),
                                  .format = (arka_payload_format)(kind >> 1 & 1),
                                  .realistic = kind >> 2,
                                  .table = "iot_0123abcd"};
        for (size_t s = 0; s < sizeof SIZES / sizeof *SIZES; s++) {
            o.n_rows = SIZES[s];
            if (o.n_rows > 1000 && kind != 0)
                continue; /* widths of array headers: once is enough */
            arka_error err = {0};
            arka_random r = {kit_random()};
            arka_payload p;
            ASSERT_OK(arka_payload_init(&p, &o, HEAD, T0, &r, &err));
            check_head(&p);
            check_all(&p, &o, T0);
            arka_payload_times again = {T0.first_us + (int64_t)(kit_random() % 100000000000000),
                                        1 + (int64_t)(kit_random() % 100000000)};
            arka_payload_stamp(&p, again, (uint32_t)kit_random());
            check_all(&p, &o, again);
            check_head(&p);
            arka_payload_fini(&p);
        }
    }
}

TEST(stamping_touches_times_and_random_doubles_only)
{
    enum { ROWS = 50 };
    for (int format = 0; format < 2; format++) {
        for (int realistic = 0; realistic < 2; realistic++) {
            arka_payload_options o = {.workload = ARKA_WORKLOAD_FINANCE,
                                      .format = (arka_payload_format)format,
                                      .realistic = realistic,
                                      .n_rows = ROWS,
                                      .table = "finance_1"};
            const arka_workload *w = &arka_workloads[o.workload];
            arka_error err = {0};
            arka_random r = {kit_random()};
            arka_payload p;
            ASSERT_OK(arka_payload_init(&p, &o, HEAD, T0, &r, &err));
            arka_payload_stamp(&p, T0, 12345678);
            decoded before = decode(&p, &o);
            size_t n_bytes = p.n_bytes;
            arka_payload_stamp(&p, (arka_payload_times){T0.first_us + 1, 3}, 87654321);
            decoded after = decode(&p, &o);
            assert_int_equal(p.n_bytes, n_bytes);
            for (int i = 0; i < ROWS * w->n_columns; i++) {
                arka_cell_kind kind = w->columns[i % w->n_columns].kind;
                bool same = strcmp(before.cells[i], after.cells[i]) == 0;
                bool stamped = kind == ARKA_CELL_TIME || (kind == ARKA_CELL_DOUBLE && !realistic);
                if (same == stamped)
                    fail_msg("%s: '%s' became '%s'", w->columns[i % w->n_columns].name,
                             before.cells[i], after.cells[i]);
            }
            free(before.cells);
            free(after.cells);
            arka_payload_fini(&p);
        }
    }
}

TEST(no_value_repeats_over_sendings)
{
    enum { ROWS = 100, SENDINGS = 20, N = ROWS * SENDINGS };
    for (int format = 0; format < 2; format++) {
        arka_payload_options o = {
            .format = (arka_payload_format)format, .n_rows = ROWS, .table = "t"};
        arka_error err = {0};
        arka_random r = {kit_random()};
        arka_payload p;
        double *seen = malloc(N * sizeof *seen);
        ASSERT_OK(arka_payload_init(&p, &o, HEAD, T0, &r, &err));
        for (int s = 0; s < SENDINGS; s++) {
            arka_payload_stamp(&p, T0, (uint32_t)(10000019 * (s + 1)));
            decoded d = decode(&p, &o);
            for (int i = 0; i < ROWS; i++)
                seen[s * ROWS + i] = number(d.cells[i * d.n_columns + 2]);
            free(d.cells);
        }
        for (int i = 0; i < N; i++)
            for (int j = i + 1; j < N; j++)
                assert_true(seen[i] != seen[j]);
        free(seen);
        arka_payload_fini(&p);
    }
}

TEST(digits_of_line_protocol_times_are_exact)
{
    arka_payload_options o = {.format = ARKA_PAYLOAD_LP, .n_rows = 1, .table = "t"};
    static const int64_t EDGES[] = {1000000000000000, 9999999999999999, 1767607200000000,
                                    1099999999999999, 1100000000000000, 1234567890123456};
    arka_error err = {0};
    arka_random r = {kit_random()};
    arka_payload p;
    ASSERT_OK(arka_payload_init(&p, &o, HEAD, T0, &r, &err));
    for (int i = 0; i < 20000; i++) {
        int64_t us =
            i < 6 ? EDGES[i] : 1000000000000000 + (int64_t)(kit_random() % 9000000000000000);
        arka_payload_stamp(&p, (arka_payload_times){us, 1}, 0);
        cell expected;
        int n = snprintf(expected, sizeof expected, " %" PRId64 "000\n", us);
        assert_memory_equal(p.bytes + p.n_bytes - n, expected, n);
    }
    arka_payload_fini(&p);
}

TEST(compressed_bodies_hold_the_plain_one)
{
    for (int format = 0; format < 2; format++) {
        arka_payload_options o = {.workload = ARKA_WORKLOAD_FINANCE,
                                  .format = (arka_payload_format)format,
                                  .n_rows = 777,
                                  .table = "t"};
        arka_error err = {0};
        uint64_t seed = kit_random();
        arka_payload plain, packed;
        arka_random r = {seed};
        ASSERT_OK(arka_payload_init(&plain, &o, HEAD, T0, &r, &err));
        size_t n = plain.n_bytes - plain.n_head_bytes;
        char *out = malloc(n + 1);

        o.coding = ARKA_PAYLOAD_ZSTD;
        r.state = seed;
        ASSERT_OK(arka_payload_init(&packed, &o, HEAD, T0, &r, &err));
        assert_int_equal(packed.n_raw_bytes, n);
        assert_int_equal(ZSTD_decompress(out, n + 1, packed.bytes + packed.n_head_bytes,
                                         packed.n_bytes - packed.n_head_bytes),
                         n);
        assert_memory_equal(out, plain.bytes + plain.n_head_bytes, n);
        assert_non_null(memmem(packed.bytes, packed.n_head_bytes, "Encoding: zstd\r\n", 16));
        arka_payload_fini(&packed);

        o.coding = ARKA_PAYLOAD_GZIP;
        r.state = seed;
        ASSERT_OK(arka_payload_init(&packed, &o, HEAD, T0, &r, &err));
        z_stream z = {.next_in = (Bytef *)packed.bytes + packed.n_head_bytes,
                      .avail_in = (uInt)(packed.n_bytes - packed.n_head_bytes),
                      .next_out = (Bytef *)out,
                      .avail_out = (uInt)n + 1};
        memset(out, 0, n);
        assert_int_equal(inflateInit2(&z, 15 + 16), Z_OK);
        assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
        assert_int_equal(z.total_out, n);
        inflateEnd(&z);
        assert_memory_equal(out, plain.bytes + plain.n_head_bytes, n);
        assert_non_null(memmem(packed.bytes, packed.n_head_bytes, "Encoding: gzip\r\n", 16));
        check_head(&packed);
        arka_payload_fini(&packed);
        arka_payload_fini(&plain);
        free(out);
    }
}

TEST(want_of_memory_is_told_and_leaves_nothing)
{
    for (int kind = 0; kind < 6; kind++) {
        arka_payload_options o = {.format = (arka_payload_format)(kind & 1),
                                  .coding = (arka_payload_coding)(kind >> 1),
                                  .n_rows = 40,
                                  .table = "t"};
        arka_status status = ARKA_NOMEM;
        for (int n = 1; status != ARKA_OK; n++) {
            arka_error err = {0};
            arka_random r = {1};
            arka_payload p;
            kit_fail_allocation(n, n % 2);
            status = arka_payload_init(&p, &o, HEAD, T0, &r, &err);
            kit_fail_allocation(0, false);
            if (status == ARKA_OK)
                arka_payload_fini(&p);
            else
                assert_int_equal(status, ARKA_NOMEM);
            assert_null(p.bytes);
            assert_true(n < 1000);
        }
    }
}
