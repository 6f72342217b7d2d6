/*
 * MessagePack write bodies that are mostly right: the fuzzer's bytes are the choices of a
 * generator, so that it explores mixes of types, names and shapes rather than lengths that do not
 * fit.
 */
#include "kit/pack.h"
#include "msgpack_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

typedef struct dice {
    const uint8_t *at, *end;
} dice;

static unsigned roll(dice *d, unsigned sides)
{
    return d->at < d->end ? *d->at++ % sides : 0;
}

static uint64_t bits(dice *d, int n_bytes)
{
    uint64_t v = 0;
    for (int i = 0; i < n_bytes; i++)
        v = v << 8 | roll(d, 256);
    return v;
}

static void pick_text(dice *d, arka_buf *b)
{
    static const char *const TEXTS[] = {"",
                                        "a",
                                        "host01",
                                        "caf\xc3\xa9",
                                        "\xff",
                                        "\xe2\x82",
                                        "+Inf",
                                        "quote\"\\\n",
                                        "time",
                                        "\xf0\x9f\x98\x80",
                                        "a text of more than thirty-one bytes"};
    const char *text = TEXTS[roll(d, sizeof TEXTS / sizeof *TEXTS)];
    if (roll(d, 8) == 0)
        pack_bin(b, text, strlen(text));
    else
        pack_str(b, text);
}

static void pick_name(dice *d, arka_buf *b)
{
    static const char *const NAMES[] = {"a",    "b",       "v",    "V",       "host", "region",
                                        "time", "v_value", "Time", "field_0", "",     "x\n"};
    /* The last two are no names: seldom. */
    unsigned n = sizeof NAMES / sizeof *NAMES - (roll(d, 16) == 0 ? 0 : 2);
    pack_str(b, NAMES[roll(d, n)]);
}

static void pick_int(dice *d, arka_buf *b)
{
    int op = 0xcc + (int)roll(d, 9);
    int bytes = 1 << ((op - 0xcc) & 3);
    if (op == 0xd4)
        pack_int(b, (int8_t)bits(d, 1));
    else
        pack_head(b, op, bits(d, bytes), bytes);
}

static void pick_float(dice *d, arka_buf *b)
{
    static const double VALUES[] = {
        0,    -0.0,      1.5, 0.1, 1e300, (double)NAN, (double)INFINITY, -(double)INFINITY,
        1e15, 123456.789};
    unsigned i = roll(d, sizeof VALUES / sizeof *VALUES + 2);
    uint64_t any = bits(d, i < sizeof VALUES / sizeof *VALUES ? 0 : 8);
    if (i < sizeof VALUES / sizeof *VALUES)
        pack_f64(b, VALUES[i]);
    else if (i % 2 == 0)
        pack_head(b, 0xcb, any, 8);
    else
        pack_head(b, 0xca, any & UINT32_MAX, 4);
}

static void pick_time(dice *d, arka_buf *b)
{
    static const int64_t BASES[] = {
        0,           1767607200,     1767607200000,     1767607200000000, 1767607200000000000,
        10000000000, 10000000000000, 10000000000000000, INT64_MAX - 255,  -1767607200000};
    int64_t base = BASES[roll(d, sizeof BASES / sizeof *BASES)];
    int64_t v = base + (int64_t)(roll(d, 2) ? roll(d, 256) : 0);
    char ext[12];
    switch (roll(d, 12)) {
    case 0:
        pack_f64(b, (double)v + 0.25);
        break;
    case 1:
        pack_nil(b);
        break;
    case 2:
        for (int i = 0; i < 12; i++)
            ext[i] = (char)(i < 4 && roll(d, 2) ? 0 : roll(d, 256));
        pack_ext(b, -1, ext, 4u << roll(d, 2));
        break;
    case 3:
        pack_ext(b, -1, memset(ext, (int)roll(d, 256), 12), 12);
        break;
    case 4:
        pack_u64(b, bits(d, 8));
        break;
    default:
        pack_int(b, v);
    }
}

static void pick_value(dice *d, arka_buf *b, int depth);

static void pick_nested(dice *d, arka_buf *b, int depth)
{
    unsigned n = depth > 36 ? 0 : roll(d, 4);
    bool map = roll(d, 2);
    if (depth == 0 && roll(d, 8) == 0) {
        /* About as deep as a cell may be. */
        for (depth = ORACLE_DEPTH - 2 + (int)roll(d, 4); depth > 0; depth--)
            pack_array(b, 1);
        n = 0;
    }
    map ? pack_map(b, n) : pack_array(b, n);
    for (unsigned i = 0; i < n; i++) {
        if (map && roll(d, 12) != 0)
            pick_text(d, b);
        else if (map)
            pick_value(d, b, depth + 1);
        pick_value(d, b, depth + 1);
    }
}

static void pick_value(dice *d, arka_buf *b, int depth)
{
    switch (roll(d, 8)) {
    case 0:
        pack_nil(b);
        break;
    case 1:
        pack_bool(b, roll(d, 2));
        break;
    case 2:
        pick_int(d, b);
        break;
    case 3:
        pick_float(d, b);
        break;
    case 4:
        pick_text(d, b);
        break;
    case 5:
        pick_nested(d, b, depth);
        break;
    case 6:
        pick_time(d, b);
        break;
    default:
        pack_ext(b, (int8_t)roll(d, 256), "01234567", roll(d, 9));
    }
}

/* Mostly of one kind, so that runs are met; now and then something else. */
static void pick_element(dice *d, arka_buf *b, unsigned kind)
{
    if (roll(d, 16) == 0)
        pick_value(d, b, 0);
    else if (kind == 0)
        pick_int(d, b);
    else if (kind == 1)
        pick_float(d, b);
    else if (kind == 2)
        pick_text(d, b);
    else if (kind == 3)
        pack_bool(b, roll(d, 2));
    else
        pack_nil(b);
}

static void pick_columns(dice *d, arka_buf *b)
{
    unsigned n = roll(d, 5), n_rows = roll(d, 2) ? roll(d, 5) : roll(d, 90);
    pack_map(b, n);
    for (unsigned c = 0; c < n; c++) {
        bool time = roll(d, 4) == 0;
        time ? pack_str(b, "time") : pick_name(d, b);
        unsigned rows = roll(d, 30) == 0 ? roll(d, 5) : n_rows, kind = roll(d, 5);
        pack_array(b, rows);
        for (unsigned i = 0; i < rows; i++)
            time ? pick_time(d, b) : pick_element(d, b, kind);
    }
}

static void pick_entries(dice *d, arka_buf *b)
{
    unsigned n = roll(d, 4);
    pack_map(b, n);
    for (unsigned i = 0; i < n; i++) {
        pick_name(d, b);
        pick_value(d, b, 0);
    }
}

static void pick_record(dice *d, arka_buf *b)
{
    static const char *const MEASUREMENTS[] = {"cpu", "cpu", "mem", "d.e-f", "../x", "1.2"};
    static const char *const KEYS[] = {"m", "t", "h", "tags", "fields", "f", "columns", "extra"};
    unsigned chosen = roll(d, 256), seldom = roll(d, 10) == 0 ? roll(d, 256) : 1;
    /* Either columns or what makes a row; rarely anything at all. */
    chosen = seldom != 1 ? chosen : chosen & 128 ? 1 | 64 : (1 | 16) | (chosen & 46);
    pack_map(b, (unsigned)__builtin_popcount(chosen & 255));
    unsigned first = roll(d, 8);
    for (unsigned i = 0; i < 8; i++) {
        unsigned key = (i + first) % 8;
        if (!(chosen >> key & 1))
            continue;
        pack_str(b, KEYS[key]);
        if (key == 0 && roll(d, 8) != 0)
            pack_str(b, MEASUREMENTS[roll(d, sizeof MEASUREMENTS / sizeof *MEASUREMENTS)]);
        else if (key == 1)
            pick_time(d, b);
        else if (key == 2 && roll(d, 2))
            pick_text(d, b);
        else if (key == 3 || key == 4)
            pick_entries(d, b);
        else if (key == 6)
            pick_columns(d, b);
        else
            pick_value(d, b, 0);
    }
}

static void pick_object(dice *d, arka_buf *b)
{
    unsigned shape = roll(d, 4), n = 1 + roll(d, 5);
    if (shape == 1) {
        pack_map(b, 1);
        pack_str(b, "batch");
    }
    if (shape == 0)
        n = 1;
    else
        pack_array(b, n);
    for (unsigned i = 0; i < n; i++)
        pick_record(d, b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    dice d = {data, data + n};
    arka_buf body = ARKA_BUF_INIT;
    do
        pick_object(&d, &body);
    while (roll(&d, 4) == 1);
    check_body((const uint8_t *)body.data, body.len);
    arka_buf_fini(&body);
    return 0;
}
