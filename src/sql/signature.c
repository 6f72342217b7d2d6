#include "sql/signature.h"

#include "base/number.h"

static const struct {
    duckdb_type duckdb;
    const char *sql;
} TYPES[] = {
    [ARKA_TYPE_NONE] = {DUCKDB_TYPE_INVALID, "NULL"},
    [ARKA_BOOLEAN] = {DUCKDB_TYPE_BOOLEAN, "BOOLEAN"},
    [ARKA_BIGINT] = {DUCKDB_TYPE_BIGINT, "BIGINT"},
    [ARKA_DOUBLE] = {DUCKDB_TYPE_DOUBLE, "DOUBLE"},
    [ARKA_VARCHAR] = {DUCKDB_TYPE_VARCHAR, "VARCHAR"},
    [ARKA_TIMESTAMPTZ] = {DUCKDB_TYPE_TIMESTAMP_TZ, "TIMESTAMPTZ"},
};

duckdb_logical_type arka_type_to_duckdb(arka_type type)
{
    return duckdb_create_logical_type(TYPES[type].duckdb);
}

const char *arka_type_sql(arka_type type)
{
    return TYPES[type].sql;
}

void arka_signature_write(arka_buf *out, const arka_schema *schema)
{
    for (int i = 0; i < schema->n_fields; i++) {
        const arka_field *f = &schema->fields[i];
        arka_buf_printf(out, "%d%zu:", (int)f->type, f->name.len);
        arka_buf_slice(out, f->name);
    }
}

bool arka_signature_next(arka_slice *rest, arka_type *out_type, arka_slice *out_name)
{
    const char *colon = rest->len > 0 ? memchr(rest->data, ':', rest->len) : NULL;
    uint64_t n;
    if (colon == NULL || !arka_parse_u64(rest->data + 1, (size_t)(colon - rest->data) - 1, &n) ||
        n > rest->len - (size_t)(colon - rest->data) - 1 || rest->data[0] <= '0' ||
        rest->data[0] > '0' + ARKA_TIMESTAMPTZ)
        return false;
    *out_type = (arka_type)(rest->data[0] - '0');
    *out_name = (arka_slice){colon + 1, n};
    rest->len -= (size_t)(colon + 1 + n - rest->data);
    rest->data = colon + 1 + n;
    return true;
}
