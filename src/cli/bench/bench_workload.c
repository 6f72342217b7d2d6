#include "cli/bench/bench_workload.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const char *const EXCHANGES[] = {"NYSE", "NASDAQ", "LSE", "XETRA", "TSE", "HKEX"};
static const char *const SIDES[] = {"buy", "sell"};

#define TIME               .name = "time", .kind = ARKA_CELL_TIME
#define DOUBLE(n, places)  .name = n, .kind = ARKA_CELL_DOUBLE, .decimals = places
#define INT(n)             .name = n, .kind = ARKA_CELL_INT
#define FROM(lo, hi)       .low = lo, .high = hi
#define NUMBERED(n, count) .name = n, .kind = ARKA_CELL_TAG, .n_names = count
#define ONE_OF(list)       .n_names = sizeof(list) / sizeof *(list), .names = list

/* clang-format off */
const arka_workload arka_workloads[ARKA_N_WORKLOADS] = {
    {"iot", 5, {
        {TIME},
        {NUMBERED("host", 50)},
        {DOUBLE("value", 2), FROM(0, 100)},
        {DOUBLE("cpu_idle", 1), FROM(0, 100)},
        {DOUBLE("cpu_user", 1), FROM(0, 100)},
    }},
    {"finance", 10, {
        {TIME},
        {NUMBERED("symbol", 500)},
        {.name = "exchange", .kind = ARKA_CELL_TAG, ONE_OF(EXCHANGES)},
        {DOUBLE("price", 2), FROM(10, 500)},
        {DOUBLE("bid", 2), FROM(10, 500)},
        {DOUBLE("ask", 2), FROM(10, 500)},
        {INT("volume"), FROM(1, 1000000)},
        {INT("bid_size"), FROM(1, 10000)},
        {INT("ask_size"), FROM(1, 10000)},
        {.name = "side", .kind = ARKA_CELL_TEXT, ONE_OF(SIDES)},
    }},
};
/* clang-format on */

double arka_cell_double(const arka_workload_column *column, bool realistic, arka_random *r)
{
    double unit = (double)(arka_random_u64(r) >> 11) * 0x1p-53;
    double v = column->low + unit * (column->high - column->low);
    if (!realistic)
        return v;
    double scale = column->decimals == 1 ? 10 : 100;
    return floor(v * scale) / scale; /* floor: stays below high */
}

int64_t arka_cell_int(const arka_workload_column *column, arka_random *r)
{
    uint64_t n = (uint64_t)(column->high - column->low);
    return (int64_t)column->low + (int64_t)arka_random_below(r, n);
}

size_t arka_cell_text(const arka_workload_column *column, arka_random *r, char *out)
{
    uint64_t which = arka_random_below(r, (uint64_t)column->n_names);
    if (column->names == NULL) {
        int digits = column->n_names > 100 ? 3 : 2;
        return (size_t)snprintf(out, ARKA_CELL_TEXT_MAX, "%s_%0*u", column->name, digits,
                                (unsigned)which);
    }
    size_t n = strlen(column->names[which]);
    memcpy(out, column->names[which], n);
    return n;
}
