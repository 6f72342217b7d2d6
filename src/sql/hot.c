/*
 * arc_hot(database, table, signature, incarnation): the hot batches of the pinned snapshot, which
 * must be of that incarnation, as a table, its first column (ARKA_NO_COLUMN) without any value:
 * where a query wants rows and no columns, as count(*), DuckDB asks for the first, and gets it for
 * nothing.
 *
 * The rows are dealt out in units of UNIT_ROWS, taken from a counter by as many threads as DuckDB
 * sends; each call fills one chunk from as many batches as it takes. Text is handed over by pointer
 * into the batches, which the snapshot keeps alive; the scan holds a reference.
 */
#include "base/mem.h"
#include "columnar/bits.h"
#include "sql/handover.h"
#include "sql/signature.h"
#include "sql/sql_priv.h"

enum { UNIT_ROWS = 122880 };

/* ---- bind: which table, which columns ---- */

typedef struct hot_table {
    arka_session *session;
    char *database, *name; /* DuckDB's strings */
    int n_fields;
    arka_type types[]; /* as the view was made for */
} hot_table;

static void free_table(void *memory)
{
    ARKA_HANDOVER_SCOPE();
    hot_table *t = memory;
    duckdb_free(t->database);
    duckdb_free(t->name);
    arka_free(t);
}

static arka_pin *pin_of(const hot_table *t)
{
    return arka_session_pin(t->session, arka_slice_of(t->database), arka_slice_of(t->name));
}

static hot_table *make_table(arka_session *session, arka_slice signature)
{
    arka_slice rest = signature, name;
    arka_type type;
    int n = 0;
    while (arka_signature_next(&rest, &type, &name))
        n++;
    hot_table *t = arka_calloc(1, sizeof *t + (size_t)n * sizeof *t->types);
    if (t == NULL)
        return NULL;
    t->session = session;
    t->n_fields = n;
    for (int i = 0; arka_signature_next(&signature, &type, &name); i++)
        t->types[i] = type;
    return t;
}

static void add_columns(duckdb_bind_info info, arka_slice signature)
{
    arka_slice name;
    arka_type type;
    duckdb_logical_type nothing = duckdb_create_logical_type(DUCKDB_TYPE_BOOLEAN);
    duckdb_bind_add_result_column(info, ARKA_NO_COLUMN, nothing);
    duckdb_destroy_logical_type(&nothing);
    while (arka_signature_next(&signature, &type, &name)) {
        char text[256]; /* column names have at most 255 bytes */
        size_t n = name.len < sizeof text ? name.len : sizeof text - 1;
        memcpy(text, name.data, n);
        text[n] = 0;
        duckdb_logical_type t = arka_type_to_duckdb(type);
        duckdb_bind_add_result_column(info, text, t);
        duckdb_destroy_logical_type(&t);
    }
}

static char *text_parameter(duckdb_bind_info info, idx_t i)
{
    duckdb_value v = duckdb_bind_get_parameter(info, i);
    char *text = duckdb_get_varchar(v);
    duckdb_destroy_value(&v);
    return text;
}

/*
 * What is bound may be kept and run again (plans.c): it holds no rows, only the way to the
 * session's pin.
 */
static void bind_hot(duckdb_bind_info info)
{
    ARKA_HANDOVER_SCOPE();
    duckdb_client_context context;
    duckdb_table_function_get_client_context(info, &context);
    arka_session *s = arka_session_find(duckdb_bind_get_extra_info(info), context);
    duckdb_destroy_client_context(&context);
    char *signature = text_parameter(info, 2);
    duckdb_value incarnation = duckdb_bind_get_parameter(info, 3);
    hot_table *t = s ? make_table(s, arka_slice_of(signature)) : NULL;
    if (t == NULL) {
        duckdb_bind_set_error(info, s ? ARKA_SQL_NOMEM : "arc_hot: no session");
    } else {
        t->database = text_parameter(info, 0);
        t->name = text_parameter(info, 1);
        duckdb_bind_set_bind_data(info, t, free_table);
        add_columns(info, arka_slice_of(signature));
        arka_pin *pin = pin_of(t);
        duckdb_bind_set_cardinality(info, pin ? (idx_t)pin->snapshot->n_hot_rows : 0, false);
        if (pin != NULL && (int64_t)pin->snapshot->incarnation != duckdb_get_int64(incarnation))
            duckdb_bind_set_error(info,
                                  "the table was dropped and made again meanwhile: try again");
    }
    duckdb_destroy_value(&incarnation);
    duckdb_free(signature);
}

/* ---- init: which rows, dealt out ---- */

typedef struct place {
    int64_t batch, row;
} place;

typedef struct hot_scan {
    const hot_table *table;
    arka_snapshot *snapshot;
    int64_t time_min, time_max;
    bool newest_first;
    atomic_int_fast64_t next_unit;
    int64_t n_units;
    place *starts; /* n_units + 1; the last is behind the end */
    idx_t n_columns;
    int *fields; /* per column of the chunk; -1: the one without values */
} hot_scan;

typedef struct hot_reader {
    place at, end; /* equal: needs a new unit */
} hot_reader;

static void free_scan(void *memory)
{
    ARKA_HANDOVER_SCOPE();
    hot_scan *s = memory;
    arka_snapshot_unref(s->snapshot);
    arka_free(s->starts);
    arka_free(s->fields);
    arka_free(s);
}

/* Batch i in the order of reading: as they came, or the other way. */
static const arka_hot_batch *hot_at(const hot_scan *s, int64_t i)
{
    return &s->snapshot->hot[s->newest_first ? s->snapshot->n_hot_batches - 1 - i : i];
}

static bool wanted(const hot_scan *s, const arka_batch *b)
{
    return b->time_max >= s->time_min && b->time_min <= s->time_max;
}

/* Fills starts; without memory for them counts only. */
static int64_t cut_units(const hot_scan *s, place *starts)
{
    int64_t n = 0, in_unit = UNIT_ROWS;
    for (int64_t b = 0; b < s->snapshot->n_hot_batches; b++) {
        const arka_batch *batch = hot_at(s, b)->batch;
        if (!wanted(s, batch))
            continue;
        for (int64_t row = 0; row < batch->n_rows;) {
            if (in_unit == UNIT_ROWS) {
                if (starts != NULL)
                    starts[n] = (place){b, row};
                n++;
                in_unit = 0;
            }
            int64_t left = batch->n_rows - row, room = UNIT_ROWS - in_unit;
            int64_t m = left < room ? left : room;
            row += m;
            in_unit += m;
        }
    }
    if (starts != NULL)
        starts[n] = (place){s->snapshot->n_hot_batches, 0};
    return n;
}

/* The field was BIGINT when the batch came, or is of the view's type; see arka_snapshot. */
static bool fits(arka_type field, arka_type column)
{
    return field == column || (field == ARKA_DOUBLE && column == ARKA_BIGINT);
}

static bool batches_fit(const hot_scan *s)
{
    for (int64_t b = 0; b < s->snapshot->n_hot_batches; b++) {
        const arka_hot_batch *hot = &s->snapshot->hot[b];
        for (int i = 0; i < s->table->n_fields && i < hot->n_fields; i++) {
            int c = hot->column_of_field[i];
            if (c >= 0 && !fits(s->table->types[i], hot->batch->columns[c].type))
                return false;
        }
    }
    return true;
}

static hot_scan *make_scan(duckdb_init_info info, const hot_table *t, const arka_pin *pin)
{
    hot_scan *s = arka_calloc(1, sizeof *s);
    if (s == NULL)
        return NULL;
    s->table = t;
    s->snapshot = arka_snapshot_ref(pin->snapshot);
    s->time_min = pin->time_min;
    s->time_max = pin->time_max;
    s->newest_first = pin->newest_first;
    s->n_units = cut_units(s, NULL);
    s->n_columns = duckdb_init_get_column_count(info);
    s->starts = arka_calloc((size_t)s->n_units + 1, sizeof *s->starts);
    s->fields = arka_calloc(s->n_columns + 1, sizeof *s->fields);
    if (s->starts == NULL || s->fields == NULL) {
        free_scan(s);
        return NULL;
    }
    cut_units(s, s->starts);
    for (idx_t i = 0; i < s->n_columns; i++) {
        idx_t column = duckdb_init_get_column_index(info, i);
        s->fields[i] = column <= (idx_t)t->n_fields ? (int)column - 1 : -1;
    }
    return s;
}

static void init_hot(duckdb_init_info info)
{
    ARKA_HANDOVER_SCOPE();
    const hot_table *t = duckdb_init_get_bind_data(info);
    const arka_pin *pin = pin_of(t);
    hot_scan *s = pin ? make_scan(info, t, pin) : NULL;
    if (s == NULL) {
        duckdb_init_set_error(info, pin ? ARKA_SQL_NOMEM : "arc_hot: the table is not pinned");
        return;
    }
    duckdb_init_set_init_data(info, s, free_scan);
    duckdb_init_set_max_threads(info, s->n_units > 0 ? (idx_t)s->n_units : 1);
    if (!batches_fit(s))
        duckdb_init_set_error(info, "arc_hot: the view is older than the table");
}

static void init_reader(duckdb_init_info info)
{
    ARKA_HANDOVER_SCOPE();
    hot_reader *r = arka_calloc(1, sizeof *r);
    if (r == NULL)
        duckdb_init_set_error(info, ARKA_SQL_NOMEM);
    else
        duckdb_init_set_init_data(info, r, arka_free);
}

/* ---- scan ---- */

/* Clears the bits at .. at + n of a validity mask that are 0 in `bits` from `from` on; NULL: all.
 */
static void clear_valid(uint64_t *mask, idx_t at, const uint8_t *bits, int64_t from, int64_t n)
{
    for (int64_t i = 0; i < n;) {
        idx_t to = at + (idx_t)i;
        int shift = (int)(to % 64), m = (int)(n - i < 64 - shift ? n - i : 64 - shift);
        uint64_t all = m == 64 ? ~UINT64_C(0) : (UINT64_C(1) << m) - 1;
        uint64_t null = bits ? ~arka_bits_load(bits, from + i, m) & all : all;
        mask[to / 64] &= ~(null << shift);
        i += m;
    }
}

static void put_nulls(duckdb_vector out, idx_t at, const uint8_t *bits, int64_t from, int64_t n)
{
    duckdb_vector_ensure_validity_writable(out);
    clear_valid(duckdb_vector_get_validity(out), at, bits, from, n);
}

static void put_text(duckdb_string_t *to, const arka_column *c, int64_t from, int64_t n)
{
    const int32_t *offsets = (const int32_t *)c->values + from;
    for (int64_t i = 0; i < n; i++) {
        const char *text = c->bytes + offsets[i];
        uint32_t len = (uint32_t)(offsets[i + 1] - offsets[i]);
        duckdb_string_t s = {0};
        if (len <= sizeof s.value.inlined.inlined) {
            s.value.inlined.length = len;
            memcpy(s.value.inlined.inlined, text, len);
        } else {
            s.value.pointer.length = len;
            memcpy(s.value.pointer.prefix, text, sizeof s.value.pointer.prefix);
            s.value.pointer.ptr = (char *)(uintptr_t)text; /* DuckDB does not write through it */
        }
        to[i] = s;
    }
}

static void put_values(void *data, idx_t at, arka_type type, const arka_column *c, int64_t from,
                       int64_t n)
{
    switch (type) {
    case ARKA_BOOLEAN:
        for (int64_t i = 0; i < n; i++)
            ((bool *)data)[at + (idx_t)i] = arka_bit(c->values, from + i);
        break;
    case ARKA_VARCHAR:
        put_text((duckdb_string_t *)data + at, c, from, n);
        break;
    case ARKA_DOUBLE:
        if (c->type == ARKA_BIGINT) {
            for (int64_t i = 0; i < n; i++)
                ((double *)data)[at + (idx_t)i] = (double)arka_column_i64(c)[from + i];
            break;
        }
        memcpy((double *)data + at, arka_column_f64(c) + from, (size_t)n * sizeof(double));
        break;
    case ARKA_BIGINT:
    case ARKA_TIMESTAMPTZ:
        memcpy((int64_t *)data + at, arka_column_i64(c) + from, (size_t)n * sizeof(int64_t));
        break;
    case ARKA_TYPE_NONE:
        break;
    }
}

static void put_missing(duckdb_vector out, idx_t at, arka_type type, int64_t n)
{
    size_t width = type == ARKA_VARCHAR   ? sizeof(duckdb_string_t)
                   : type == ARKA_BOOLEAN ? sizeof(bool)
                                          : arka_type_width(type);
    memset((char *)duckdb_vector_get_data(out) + at * width, 0, (size_t)n * width);
    put_nulls(out, at, NULL, 0, n);
}

static void put_rows(const hot_scan *s, duckdb_data_chunk chunk, idx_t at, place from, int64_t n)
{
    const arka_hot_batch *hot = hot_at(s, from.batch);
    for (idx_t i = 0; i < s->n_columns; i++) {
        int field = s->fields[i];
        if (field < 0)
            continue;
        duckdb_vector out = duckdb_data_chunk_get_vector(chunk, i);
        arka_type type = s->table->types[field];
        int column = field < hot->n_fields ? hot->column_of_field[field] : -1;
        if (column < 0) {
            put_missing(out, at, type, n);
            continue;
        }
        const arka_column *c = &hot->batch->columns[column];
        put_values(duckdb_vector_get_data(out), at, type, c, from.row, n);
        if (c->validity != NULL)
            put_nulls(out, at, c->validity, from.row, n);
    }
}

/* Moves to the next rows that are wanted, at most `room`; how many, 0 at the end. */
static int64_t next_rows(hot_scan *s, hot_reader *r, int64_t room, place *from)
{
    for (;;) {
        if (r->at.batch == r->end.batch && r->at.row == r->end.row) {
            int64_t unit = atomic_fetch_add_explicit(&s->next_unit, 1, memory_order_relaxed);
            if (unit >= s->n_units)
                return 0;
            r->at = s->starts[unit];
            r->end = s->starts[unit + 1];
        }
        const arka_batch *b = hot_at(s, r->at.batch)->batch;
        int64_t to = r->at.batch == r->end.batch ? r->end.row : b->n_rows;
        int64_t n = wanted(s, b) ? to - r->at.row : 0;
        n = n < room ? n : room;
        *from = r->at;
        r->at.row += n;
        if (n == 0 || r->at.row == b->n_rows)
            r->at = (place){r->at.batch + 1, 0};
        if (n > 0)
            return n;
    }
}

static void scan_hot(duckdb_function_info info, duckdb_data_chunk chunk)
{
    ARKA_HANDOVER_SCOPE();
    hot_scan *s = duckdb_function_get_init_data(info);
    hot_reader *r = duckdb_function_get_local_init_data(info);
    int64_t size = (int64_t)duckdb_vector_size(), n = 0, m;
    place from;
    while (n < size && (m = next_rows(s, r, size - n, &from)) > 0) {
        put_rows(s, chunk, (idx_t)n, from, m);
        n += m;
    }
    duckdb_data_chunk_set_size(chunk, (idx_t)n);
}

arka_status arka_hot_register(arka_instance *instance, arka_error *err)
{
    duckdb_connection connection = instance->sessions[instance->n_sessions - 1].connection;
    duckdb_table_function f = duckdb_create_table_function();
    duckdb_logical_type text = duckdb_create_logical_type(DUCKDB_TYPE_VARCHAR);
    duckdb_table_function_set_name(f, "arc_hot");
    duckdb_logical_type number = duckdb_create_logical_type(DUCKDB_TYPE_BIGINT);
    for (int i = 0; i < 3; i++)
        duckdb_table_function_add_parameter(f, text);
    duckdb_table_function_add_parameter(f, number);
    duckdb_destroy_logical_type(&number);
    duckdb_table_function_set_extra_info(f, instance, NULL);
    duckdb_table_function_set_bind(f, bind_hot);
    duckdb_table_function_set_init(f, init_hot);
    duckdb_table_function_set_local_init(f, init_reader);
    duckdb_table_function_set_function(f, scan_hot);
    duckdb_table_function_supports_projection_pushdown(f, true);
    bool ok = duckdb_register_table_function(connection, f) == DuckDBSuccess;
    duckdb_destroy_logical_type(&text);
    duckdb_destroy_table_function(&f);
    return ok ? ARKA_OK : arka_fail(err, ARKA_INTERNAL, "DuckDB does not take function arc_hot");
}
