#include "sql/time_functions.h"

#include <stdio.h>
#include <string.h>

#include "base/utf8.h"
#include "sql/handover.h"
#include "sql/time_functions_grid.h"

enum { MAX_ARGUMENTS = 3 };

/** One call: its columns, and where the result goes. */
typedef struct call {
    duckdb_function_info info;
    idx_t n;
    const void *args[MAX_ARGUMENTS];
    uint64_t *validity[MAX_ARGUMENTS]; /* NULL: no nulls */
    bool nullable;                     /* some argument has a validity mask */
    duckdb_vector out;
    int64_t *result;
    uint64_t *result_validity; /* NULL until the first null */
} call;

static call call_begin(duckdb_function_info info, duckdb_data_chunk in, duckdb_vector out)
{
    call c = {.info = info, .n = duckdb_data_chunk_get_size(in), .out = out};
    idx_t n_args = duckdb_data_chunk_get_column_count(in);
    for (idx_t i = 0; i < n_args && i < MAX_ARGUMENTS; i++) {
        duckdb_vector v = duckdb_data_chunk_get_vector(in, i);
        c.args[i] = duckdb_vector_get_data(v);
        c.validity[i] = duckdb_vector_get_validity(v);
        c.nullable |= c.validity[i] != NULL;
    }
    c.result = duckdb_vector_get_data(out);
    return c;
}

static bool is_null(const call *c, idx_t row)
{
    for (int i = 0; i < MAX_ARGUMENTS; i++)
        if (c->validity[i] != NULL && !duckdb_validity_row_is_valid(c->validity[i], row))
            return true;
    return false;
}

static void set_null(call *c, idx_t row)
{
    if (c->result_validity == NULL) {
        duckdb_vector_ensure_validity_writable(c->out);
        c->result_validity = duckdb_vector_get_validity(c->out);
    }
    duckdb_validity_set_row_invalid(c->result_validity, row);
    c->result[row] = 0;
}

static void fail(const call *c, const char *text)
{
    duckdb_scalar_function_set_error(c->info, text);
}

static bool is_same_interval(duckdb_interval a, duckdb_interval b)
{
    return a.micros == b.micros && a.days == b.days && a.months == b.months;
}

typedef enum third_argument { NOTHING, OFFSET, ORIGIN } third_argument;

/*
 * The widths, offsets and origins of a chunk are mostly one constant, and neighbouring times mostly
 * fall into one bucket: both are looked up again only when they change.
 */
static inline __attribute__((always_inline)) void bucket_rows(call *c, third_argument third)
{
    const duckdb_interval *widths = c->args[0];
    const int64_t *times = c->args[1];
    const duckdb_interval *offsets = c->args[2];
    const int64_t *origins = c->args[2];
    duckdb_interval width = {0}, offset = {0};
    bool known = false; /* is the grid that of `width`? */
    arka_time_grid grid = {0};
    arka_time_bucket bucket = {0};

    for (idx_t row = 0; row < c->n; row++) {
        if (c->nullable && is_null(c, row)) {
            set_null(c, row);
            continue;
        }
        if (third == ORIGIN && !arka_time_is_finite(origins[row])) {
            set_null(c, row);
            continue;
        }
        if (!known || !is_same_interval(widths[row], width)) {
            const char *problem = arka_time_grid_init(&grid, widths[row]);
            if (problem != NULL) {
                fail(c, problem);
                return;
            }
            width = widths[row];
            known = true;
            bucket = (arka_time_bucket){0};
        }
        if (third == ORIGIN && origins[row] != grid.origin) {
            arka_time_grid_move(&grid, origins[row]);
            bucket = (arka_time_bucket){0};
        }
        if (third == OFFSET && !is_same_interval(offsets[row], offset)) {
            offset = offsets[row];
            bucket = (arka_time_bucket){0};
        }
        if (!arka_time_bucket_holds(bucket, times[row])) {
            if (!arka_time_is_finite(times[row])) {
                c->result[row] = times[row];
                continue;
            }
            bool found = third == OFFSET
                             ? arka_time_grid_find_offset(&grid, times[row], offset, &bucket)
                             : arka_time_grid_find(&grid, times[row], &bucket);
            if (!found) {
                fail(c, "timestamp out of range");
                return;
            }
        }
        c->result[row] = bucket.start;
    }
}

static void bucket_function(duckdb_function_info info, duckdb_data_chunk in, duckdb_vector out)
{
    ARKA_HANDOVER_SCOPE();
    call c = call_begin(info, in, out);
    bucket_rows(&c, NOTHING);
}

static void bucket_offset_function(duckdb_function_info info, duckdb_data_chunk in,
                                   duckdb_vector out)
{
    ARKA_HANDOVER_SCOPE();
    call c = call_begin(info, in, out);
    bucket_rows(&c, OFFSET);
}

static void bucket_origin_function(duckdb_function_info info, duckdb_data_chunk in,
                                   duckdb_vector out)
{
    ARKA_HANDOVER_SCOPE();
    call c = call_begin(info, in, out);
    bucket_rows(&c, ORIGIN);
}

static void fail_unit(const call *c, arka_slice name, arka_time_unit unit)
{
    char text[128];
    size_t n = arka_utf8_cut(name.data, name.len, 64);
    if (unit == ARKA_TIME_UNIT_ZONE)
        snprintf(text, sizeof text, "Specifier type not implemented for DATE_TRUNC");
    else
        snprintf(text, sizeof text, "extract specifier \"%.*s\" not recognized", (int)n, name.data);
    fail(c, text);
}

static void trunc_function(duckdb_function_info info, duckdb_data_chunk in, duckdb_vector out)
{
    ARKA_HANDOVER_SCOPE();
    call c = call_begin(info, in, out);
    const duckdb_string_t *names = c.args[0];
    const int64_t *times = c.args[1];
    duckdb_string_t name = {0};
    arka_time_unit unit = ARKA_TIME_UNIT_UNKNOWN;
    arka_time_bucket bucket = {0};

    for (idx_t row = 0; row < c.n; row++) {
        if (c.nullable && is_null(&c, row)) {
            set_null(&c, row);
            continue;
        }
        /* equal bytes of the handle are an equal text: short ones lie in it, padded with zeros */
        if (unit == ARKA_TIME_UNIT_UNKNOWN || memcmp(&names[row], &name, sizeof name) != 0) {
            name = names[row];
            arka_slice text = {duckdb_string_t_data(&name), duckdb_string_t_length(name)};
            unit = arka_time_unit_of(text);
            if (unit == ARKA_TIME_UNIT_UNKNOWN || unit == ARKA_TIME_UNIT_ZONE) {
                fail_unit(&c, text, unit);
                return;
            }
            bucket = (arka_time_bucket){0};
        }
        if (!arka_time_bucket_holds(bucket, times[row])) {
            if (!arka_time_is_finite(times[row])) {
                c.result[row] = times[row];
                continue;
            }
            if (!arka_time_unit_find(unit, times[row], &bucket)) {
                fail(&c, "timestamp out of range");
                return;
            }
        }
        c.result[row] = bucket.start;
    }
}

static bool add_function(duckdb_connection connection, const char *name,
                         duckdb_scalar_function_t run, const duckdb_type *args, int n_args)
{
    duckdb_scalar_function f = duckdb_create_scalar_function();
    duckdb_scalar_function_set_name(f, name);
    for (int i = 0; i < n_args; i++) {
        duckdb_logical_type type = duckdb_create_logical_type(args[i]);
        duckdb_scalar_function_add_parameter(f, type);
        duckdb_destroy_logical_type(&type);
    }
    duckdb_logical_type result = duckdb_create_logical_type(DUCKDB_TYPE_TIMESTAMP_TZ);
    duckdb_scalar_function_set_return_type(f, result);
    duckdb_destroy_logical_type(&result);
    duckdb_scalar_function_set_function(f, run);
    bool ok = duckdb_register_scalar_function(connection, f) == DuckDBSuccess;
    duckdb_destroy_scalar_function(&f);
    return ok;
}

arka_status arka_time_functions_register(duckdb_connection connection, arka_error *err)
{
    static const struct {
        const char *name;
        duckdb_scalar_function_t run;
        int n_args;
        duckdb_type args[MAX_ARGUMENTS];
    } functions[] = {
        {"time_bucket", bucket_function, 2, {DUCKDB_TYPE_INTERVAL, DUCKDB_TYPE_TIMESTAMP_TZ}},
        {"time_bucket",
         bucket_offset_function,
         3,
         {DUCKDB_TYPE_INTERVAL, DUCKDB_TYPE_TIMESTAMP_TZ, DUCKDB_TYPE_INTERVAL}},
        {"time_bucket",
         bucket_origin_function,
         3,
         {DUCKDB_TYPE_INTERVAL, DUCKDB_TYPE_TIMESTAMP_TZ, DUCKDB_TYPE_TIMESTAMP_TZ}},
        {"date_trunc", trunc_function, 2, {DUCKDB_TYPE_VARCHAR, DUCKDB_TYPE_TIMESTAMP_TZ}},
        {"datetrunc", trunc_function, 2, {DUCKDB_TYPE_VARCHAR, DUCKDB_TYPE_TIMESTAMP_TZ}},
    };
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++)
        if (!add_function(connection, functions[i].name, functions[i].run, functions[i].args,
                          functions[i].n_args))
            return arka_fail(err, ARKA_INTERNAL, "DuckDB refused our function %s with %d arguments",
                             functions[i].name, functions[i].n_args);
    return ARKA_OK;
}
