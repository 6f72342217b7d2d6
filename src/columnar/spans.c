#include "base/civil.h"
#include "columnar/sort_priv.h"

void arka_spans_fini(arka_spans *spans)
{
    arka_vec_fini(&spans->list);
    spans->n_rows = 0;
}

/* The partition that holds `time`: its first and last microsecond, cut off at the ends of int64_t.
 */
static void partition_of(int64_t time, int64_t unit_us, int64_t *first, int64_t *last)
{
    int64_t number = arka_floor_div(time, unit_us);
    if (__builtin_mul_overflow(number, unit_us, first))
        *first = INT64_MIN;
    if (__builtin_mul_overflow(number + 1, unit_us, last))
        *last = INT64_MAX;
    else
        *last -= 1;
}

arka_status arka_spans_partition(arka_batch *const *batches, const arka_spans *spans,
                                 int64_t unit_us,
                                 arka_status (*each)(void *context, int64_t start_us,
                                                     const arka_spans *part, arka_error *err),
                                 void *context, arka_error *err)
{
    ARKA_AUTO_VALUE(arka_spans) part = {0};
    int64_t first = 0, last = 0;
    for (size_t i = 0; i < spans->list.n; i++) {
        arka_span rest = spans->list.items[i];
        const arka_batch *batch = batches[rest.batch];
        const int64_t *times = arka_column_i64(&batch->columns[batch->time]);
        while (rest.n > 0) {
            if (part.n_rows > 0 && times[rest.row] > last) {
                ARKA_TRY(each(context, first, &part, err));
                part.list.n = 0;
                part.n_rows = 0;
            }
            if (part.n_rows == 0)
                partition_of(times[rest.row], unit_us, &first, &last);
            uint32_t end = rest.row + rest.n;
            uint32_t n = times[end - 1] <= last
                             ? rest.n
                             : arka_sort__upper(times, rest.row, end, last) - rest.row;
            if (!arka_vec_push(&part.list, (arka_span){rest.batch, rest.row, n}))
                return arka_fail_nomem(err, "the rows of a partition", sizeof(arka_span));
            part.n_rows += n;
            rest.row += n;
            rest.n -= n;
        }
    }
    return part.n_rows > 0 ? each(context, first, &part, err) : ARKA_OK;
}
