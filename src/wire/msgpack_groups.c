#include <inttypes.h>

#include "wire/msgpack_priv.h"

static arka_status add_group(arka_msgpack_decoder *dec, arka_slice measurement, int64_t member,
                             arka_error *err)
{
    ARKA_TRY(arka_name_check_measurement(measurement, err));
    char *name = arka_arena_text(&dec->out->arena, measurement);
    if (name == NULL || !arka_vec_reserve(&dec->groups, 1) ||
        !arka_map_put(&dec->group_by_name, measurement, (void *)(intptr_t)(dec->groups.n + 1)))
        return arka_fail_nomem(err, "a measurement", measurement.len);
    arka_msgpack_group g = {.measurement = {name, measurement.len}, .member = member};
    ARKA_TRY(arka_rows_new(true, &g.rows, err));
    dec->groups.items[dec->groups.n++] = g;
    return ARKA_OK;
}

arka_status arka_msgpack__find_group(arka_msgpack_decoder *dec, arka_slice measurement,
                                     int64_t member, arka_msgpack_group **out, arka_error *err)
{
    /* Mostly the same as for the row map before. */
    if (dec->groups.n == 0 ||
        !arka_slice_eq(dec->groups.items[dec->last_group].measurement, measurement)) {
        intptr_t found = (intptr_t)arka_map_get(&dec->group_by_name, measurement);
        if (found == 0) {
            ARKA_TRY(add_group(dec, measurement, member, err));
            found = (intptr_t)dec->groups.n;
        }
        dec->last_group = (size_t)found - 1;
    }
    *out = &dec->groups.items[dec->last_group];
    return ARKA_OK;
}

/*
 * Absent cells are stored too, so many columns of few values each could make much out of a small
 * body. A dense body never has more cells than bytes; sparse ones get room up to a point.
 */
static int64_t most_cells(const arka_msgpack_decoder *dec)
{
    const int64_t FREE = 4 << 20, SPARSE_MOST = 64 << 20;
    int64_t body = dec->in.end - dec->in.begin;
    int64_t limit = 4 * body < SPARSE_MOST ? 4 * body : SPARSE_MOST;
    limit = limit > body ? limit : body;
    return limit > FREE ? limit : FREE;
}

arka_status arka_msgpack__check_group(arka_msgpack_decoder *dec, arka_msgpack_group *g, int n_new,
                                      arka_error *err)
{
    int64_t n_columns = arka_rows_n_columns(g->rows) + n_new;
    int64_t n_cells = (arka_rows_n(g->rows) + 1) * n_columns;
    dec->n_cells += n_cells - g->n_cells;
    g->n_cells = n_cells;
    dec->n_group_columns += n_new;
    if (n_columns > ARKA_MSGPACK_MAX_COLUMNS)
        return arka_fail(err, ARKA_LIMIT,
                         "row maps of measurement '%.*s' have more than %d columns in one body",
                         ARKA_FMT(g->measurement), ARKA_MSGPACK_MAX_COLUMNS);
    if (dec->n_group_columns > ARKA_MSGPACK_MAX_GROUP_COLUMNS)
        return arka_fail(err, ARKA_LIMIT,
                         "row maps of one body have more than %d columns over all measurements",
                         ARKA_MSGPACK_MAX_GROUP_COLUMNS);
    if (dec->n_cells > most_cells(dec))
        return arka_fail(err, ARKA_LIMIT,
                         "row maps of this body make more than %" PRId64
                         " cells (rows x columns, most of them empty): send it in parts",
                         most_cells(dec));
    return ARKA_OK;
}

arka_status arka_msgpack__seal_groups(arka_msgpack_decoder *dec, arka_error *err)
{
    for (size_t i = 0; i < dec->groups.n; i++) {
        arka_msgpack_group *g = &dec->groups.items[i];
        if (arka_rows_n(g->rows) == 0)
            continue;
        arka_batch *batch;
        ARKA_TRY(arka_rows_seal(arka_take(g->rows), &batch, err));
        ARKA_TRY(arka_msgpack__add_write(dec, g->measurement, batch, g->member, err));
    }
    return ARKA_OK;
}

void arka_msgpack__free_groups(arka_msgpack_decoder *dec)
{
    for (size_t i = 0; i < dec->groups.n; i++) {
        arka_rows_free(dec->groups.items[i].rows);
        arka_vec_fini(&dec->groups.items[i].seen);
    }
    arka_vec_fini(&dec->groups);
    arka_vec_fini(&dec->cells);
    arka_map_fini(&dec->group_by_name);
    arka_map_fini(&dec->new_names);
}
