/**
 * Results of InfluxQL in InfluxDB's shapes: JSON, JSON with indentation, one JSON text a series
 * ("chunked"), or CSV. They go into the answer while they are small, else out as a stream. One
 * thread. Private to server/.
 *
 *     result(0); series("cpu", …); text("host"); text("a"); row_end; series_end; result_end; end
 */
#ifndef ARKA_SERVER_INFLUX_INFLUX_OUT_H
#define ARKA_SERVER_INFLUX_INFLUX_OUT_H

#include "base/buf.h"
#include "base/status.h"

enum { ARKA_INFLUX_COLUMNS = 5 };

typedef struct arka_influx_series {
    arka_slice name; /* empty: it has none */
    const char *columns[ARKA_INFLUX_COLUMNS];
    int n_columns;
    bool empty_too; /* there is a series even if it has no row */
    bool in_parts;  /* when chunked, it may stand in several texts */
} arka_influx_series;

typedef struct arka_influx_out {
    bool pretty, chunked, csv;
    int64_t chunk_size; /* rows of a series in one text, when chunked; 0: all */
    /** Where bytes go when there are many; false: nobody wants them any more. Leaves `piece` empty.
     */
    bool (*push)(void *context, arka_buf *piece);
    void *context;

    /* private to influx_out.c */
    arka_buf buf, shown;
    arka_influx_series series;
    size_t mark; /* where the result began in buf */
    int64_t n_rows, n_cells;
    int id, n_series, depth;
    int csv_id;  /* of the result whose header was written last; -1: none */
    bool pushed; /* bytes of this result are out */
    bool began, in_text, escaped, fresh;
} arka_influx_out;

void arka_influx_out_fini(arka_influx_out *out);
void arka_influx_begin(arka_influx_out *out);
void arka_influx_result(arka_influx_out *out, size_t id);
void arka_influx_series_begin(arka_influx_out *out, const arka_influx_series *series);
void arka_influx_text(arka_influx_out *out, arka_slice text);
void arka_influx_int(arka_influx_out *out, int64_t n);
void arka_influx_bool(arka_influx_out *out, bool yes);
/** ARKA_CANCELLED: nobody wants the answer; ARKA_NOMEM. */
ARKA_MUST_USE arka_status arka_influx_row_end(arka_influx_out *out, arka_error *err);
void arka_influx_series_end(arka_influx_out *out);
/**
 * The result's end. `error`, if not NULL, instead of all that it had; false: some of that is out
 * already, and the answer must be broken off. `warning`: beside it; NULL: none.
 */
bool arka_influx_result_end(arka_influx_out *out, const char *error, const char *warning);
/** The last bytes, to be sent; belongs to `out`. */
arka_buf *arka_influx_end(arka_influx_out *out);
const char *arka_influx_content_type(const arka_influx_out *out);

#endif
