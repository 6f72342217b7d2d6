/* The record that a cursor stands on: what it says, and its rows. */
#include <inttypes.h>

#include "wal/wal_priv.h"

arka_status arka_wal__cursor_batch(const arka_wal__cursor *c, arka_batch **out, arka_error *err)
{
    arka_status status =
        arka_ipc_reader_decode(c->reader, &c->frame.message, c->frame.ts_us, out, err);
    if (status == ARKA_INPUT || status == ARKA_LIMIT) {
        /* its checksums are right, so this was written like that */
        arka_error_prefix(err, "%s, record at byte %" PRId64 ": ", c->in.name, c->frame.at);
        if (err != NULL)
            err->code = ARKA_CORRUPT;
        return ARKA_CORRUPT;
    }
    return status;
}

static arka_status control_texts(const arka_wal__cursor *c, const arka_batch *batch,
                                 arka_wal_record *out, arka_error *err)
{
    int event = arka_batch_find(batch, ARKA_SLICE("kind"));
    int payload = arka_batch_find(batch, ARKA_SLICE("payload"));
    if (batch->n_rows != 1 || event < 0 || payload < 0 ||
        batch->columns[event].type != ARKA_VARCHAR || batch->columns[payload].type != ARKA_VARCHAR)
        return arka_fail(err, ARKA_CORRUPT,
                         "%s, record at byte %" PRId64 ": no control record of kind and payload",
                         c->in.name, c->frame.at);
    out->event = arka_column_text(&batch->columns[event], 0);
    out->payload = arka_column_text(&batch->columns[payload], 0);
    return ARKA_OK;
}

arka_status arka_wal__cursor_record(arka_wal__cursor *c, arka_wal_record *out,
                                    arka_batch **out_control, arka_error *err)
{
    const arka_wal__frame *f = &c->frame;
    *out = (arka_wal_record){
        .kind = c->run.kind,
        .database = c->run.database,
        .table = c->run.table,
        .table_id = c->run.table_id,
        .schema_id = c->run.schema_id,
        .lsn_first = f->lsn_first,
        .lsn_last = f->lsn_last,
        .n_rows = f->n_rows,
        .ts_us = f->ts_us,
        .epoch = c->run.epoch,
        .requests = f->requests,
        .segment = c->in.name,
        .offset = f->at,
    };
    *out_control = NULL;
    if (c->run.kind != ARKA_WAL_CONTROL)
        return ARKA_OK;
    ARKA_TRY(arka_wal__cursor_batch(c, out_control, err));
    if (*out_control == NULL)
        return arka_fail(err, ARKA_CORRUPT, "%s, record at byte %" PRId64 ": it has no rows",
                         c->in.name, f->at);
    return control_texts(c, *out_control, out, err);
}

arka_status arka_wal_record_batch(const arka_wal_record *record, arka_batch **out, arka_error *err)
{
    return arka_wal__cursor_batch(record->source->cursor, out, err);
}
