#include "wire/msgpack_time.h"

#include <inttypes.h>
#include <math.h>

#include "base/civil.h"
#include "wire/msgpack_run.h"

enum { TIMESTAMP_TYPE = -1, NS_PER_SECOND = 1000000000 };

static const int64_t US_PER_UNIT[] = {
    [ARKA_MSGPACK_S] = 1000000, [ARKA_MSGPACK_MS] = 1000, [ARKA_MSGPACK_US] = 1};

static arka_msgpack_unit unit_of_int(uint64_t magnitude)
{
    return magnitude < UINT64_C(10000000000)         ? ARKA_MSGPACK_S
           : magnitude < UINT64_C(10000000000000)    ? ARKA_MSGPACK_MS
           : magnitude < UINT64_C(10000000000000000) ? ARKA_MSGPACK_US
                                                     : ARKA_MSGPACK_NS;
}

static arka_msgpack_unit unit_of_float(double v)
{
    double magnitude = fabs(v);
    return magnitude < 1e10   ? ARKA_MSGPACK_S
           : magnitude < 1e13 ? ARKA_MSGPACK_MS
           : magnitude < 1e16 ? ARKA_MSGPACK_US
                              : ARKA_MSGPACK_NS;
}

static uint64_t magnitude_of(int64_t v)
{
    return v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
}

static bool scale_int(int64_t v, arka_msgpack_unit unit, int64_t *us)
{
    if (unit == ARKA_MSGPACK_NS) {
        *us = arka_floor_div(v, 1000);
        return true;
    }
    return !__builtin_mul_overflow(v, US_PER_UNIT[unit], us);
}

static bool scale_float(double v, arka_msgpack_unit unit, int64_t *us)
{
    double scaled = floor(unit == ARKA_MSGPACK_NS ? v / 1000 : v * (double)US_PER_UNIT[unit]);
    if (!(scaled >= -0x1p63 && scaled < 0x1p63))
        return false;
    *us = (int64_t)scaled;
    return true;
}

arka_status arka_msgpack_timestamp(const arka_msgpack_token *ext, int64_t *out_us, arka_error *err)
{
    if (ext->ext_type != TIMESTAMP_TYPE)
        return arka_fail(err, ARKA_INPUT,
                         "found extension type %d, only timestamps (-1) are understood",
                         ext->ext_type);
    const uint8_t *p = (const uint8_t *)ext->bytes.data;
    int64_t seconds;
    uint32_t ns = 0;
    if (ext->bytes.len == 4) {
        seconds = arka_be32(p);
    } else if (ext->bytes.len == 8) {
        uint64_t both = arka_be64(p);
        ns = (uint32_t)(both >> 34);
        seconds = (int64_t)(both & ((UINT64_C(1) << 34) - 1));
    } else if (ext->bytes.len == 12) {
        ns = arka_be32(p);
        seconds = (int64_t)arka_be64(p + 4);
    } else {
        return arka_fail(err, ARKA_INPUT, "found a timestamp of %zu bytes, expected 4, 8 or 12",
                         ext->bytes.len);
    }
    if (ns >= NS_PER_SECOND)
        return arka_fail(err, ARKA_INPUT,
                         "found a timestamp with %" PRIu32 " nanoseconds, expected less than 1e9",
                         ns);
    int64_t us;
    if (__builtin_mul_overflow(seconds, ARKA_US_PER_SECOND, &us) ||
        __builtin_add_overflow(us, (int64_t)ns / 1000, &us))
        return arka_fail(err, ARKA_INPUT,
                         "timestamp of %" PRId64 " seconds does not fit 64 bits of microseconds",
                         seconds);
    *out_us = us;
    return ARKA_OK;
}

static arka_status time_of_float(double v, arka_msgpack_unit *unit, int64_t *out_us,
                                 arka_error *err)
{
    if (!isfinite(v))
        return arka_fail(err, ARKA_INPUT, "found %s, expected a number",
                         isnan(v) ? "NaN" : "infinity");
    if (*unit == ARKA_MSGPACK_UNIT_OPEN)
        *unit = unit_of_float(v);
    if (!scale_float(v, *unit, out_us))
        return arka_fail(err, ARKA_INPUT, "time %g does not fit 64 bits of microseconds", v);
    return ARKA_OK;
}

static arka_status time_of_uint(uint64_t v, arka_msgpack_unit *unit, int64_t *out_us,
                                arka_error *err)
{
    if (*unit == ARKA_MSGPACK_UNIT_OPEN)
        *unit = ARKA_MSGPACK_NS;
    if (*unit != ARKA_MSGPACK_NS)
        return arka_fail(err, ARKA_INPUT, "time %" PRIu64 " does not fit 64 bits of microseconds",
                         v);
    *out_us = (int64_t)(v / 1000);
    return ARKA_OK;
}

arka_status arka_msgpack_time(const arka_msgpack_token *t, arka_msgpack_unit *unit, int64_t *out_us,
                              arka_error *err)
{
    switch (t->kind) {
    case ARKA_MSGPACK_INT:
        if (*unit == ARKA_MSGPACK_UNIT_OPEN)
            *unit = unit_of_int(magnitude_of(t->i64));
        if (!scale_int(t->i64, *unit, out_us))
            return arka_fail(err, ARKA_INPUT,
                             "time %" PRId64 " does not fit 64 bits of microseconds", t->i64);
        return ARKA_OK;
    case ARKA_MSGPACK_UINT:
        return time_of_uint(t->u64, unit, out_us, err);
    case ARKA_MSGPACK_FLOAT:
        return time_of_float(t->f64, unit, out_us, err);
    case ARKA_MSGPACK_EXT:
        return arka_msgpack_timestamp(t, out_us, err);
    case ARKA_MSGPACK_NIL:
    case ARKA_MSGPACK_BOOL:
    case ARKA_MSGPACK_TEXT:
    case ARKA_MSGPACK_ARRAY:
    case ARKA_MSGPACK_MAP:
        break;
    }
    return arka_fail(err, ARKA_INPUT, "found %s, expected a number",
                     arka_msgpack_kind_name(t->kind));
}

/* The index of the first that does not fit, or n. */
static int64_t scale_run(int64_t *us, int64_t n, arka_msgpack_unit unit)
{
    if (unit == ARKA_MSGPACK_US)
        return n;
    for (int64_t i = 0; i < n; i++)
        if (!scale_int(us[i], unit, &us[i]))
            return i;
    return n;
}

arka_status arka_msgpack_times(arka_msgpack_reader *r, int64_t n, int64_t *out_us, arka_error *err)
{
    arka_msgpack_unit unit = ARKA_MSGPACK_UNIT_OPEN;
    for (int64_t row = 0; row < n;) {
        int64_t run = arka_msgpack_run_i64(r, out_us + row, n - row);
        if (run > 0 && unit == ARKA_MSGPACK_UNIT_OPEN)
            unit = unit_of_int(magnitude_of(out_us[row]));
        int64_t fit = scale_run(out_us + row, run, unit);
        row += fit;
        if (fit < run)
            return arka_fail(err, ARKA_INPUT,
                             "row %" PRId64 ": time does not fit 64 bits of microseconds", row);
        if (row == n)
            break;
        arka_msgpack_token t;
        ARKA_TRY(arka_msgpack_take(r, &t, err));
        arka_status status = arka_msgpack_time(&t, &unit, &out_us[row], err);
        if (status != ARKA_OK) {
            arka_error_prefix(err, "row %" PRId64 ": ", row);
            return status;
        }
        row++;
    }
    return ARKA_OK;
}
