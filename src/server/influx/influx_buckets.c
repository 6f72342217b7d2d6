/* Buckets and organisations, as clients of InfluxDB 2 ask for them before they write: a bucket is a
 * database, and every organisation is this server. */
#include <stdio.h>

#include "base/json.h"
#include "observe/text.h"
#include "server/access/access.h"
#include "server/query/drop.h"
#include "server/http/handlers.h"
#include "server/server_priv.h"
#include "wire/json.h"
#include "wire/names.h"

enum { PAGE = 20, LARGEST_PAGE = 100 };

/* 16 hexadecimal digits, as InfluxDB's ids are; the same for a name for ever. */
typedef struct id {
    char text[17];
} id;

static id id_of(const char *kind, arka_slice name)
{
    id out;
    uint64_t h = UINT64_C(0xcbf29ce484222325); /* FNV-1a: clients keep ids, so it must not change */
    for (; *kind != 0; kind++)
        h = (h ^ (unsigned char)*kind) * UINT64_C(0x100000001b3);
    for (size_t i = 0; i < name.len; i++)
        h = (h ^ (unsigned char)name.data[i]) * UINT64_C(0x100000001b3);
    snprintf(out.text, sizeof out.text, "%016llx", (unsigned long long)(h ? h : 1));
    return out;
}

static id organisation_id(void)
{
    return id_of("organisation", ARKA_SLICE("arc"));
}

/* Of a bucket "db/rp" the part before the slash, as for a write. */
static arka_slice database_of(arka_slice bucket)
{
    const char *slash = bucket.len ? memchr(bucket.data, '/', bucket.len) : NULL;
    return slash ? (arka_slice){bucket.data, (size_t)(slash - bucket.data)} : bucket;
}

/* ---- one bucket ---- */

static void put_bucket(arka_buf *b, arka_slice name, int64_t created_us)
{
    id bucket = id_of("bucket", database_of(name)), organisation = organisation_id();
    arka_buf_printf(b, "{\"id\":\"%s\",\"orgID\":\"%s\",\"type\":\"user\",\"name\":", bucket.text,
                    organisation.text);
    arka_json_string_repaired(b, name);
    arka_buf_literal(b, ",\"retentionRules\":[],\"createdAt\":");
    arka_text_json_time(b, created_us);
    arka_buf_literal(b, ",\"updatedAt\":");
    arka_text_json_time(b, created_us);
    arka_buf_printf(b,
                    ",\"links\":{\"self\":\"/api/v2/buckets/%s\",\"org\":\"/api/v2/orgs/%s\","
                    "\"write\":\"/api/v2/write?org=%s&bucket=%s\"},\"labels\":[]}",
                    bucket.text, organisation.text, organisation.text, bucket.text);
}

/* ---- finding ---- */

typedef struct search {
    arka_request *request;
    arka_slice name, wanted_id; /* empty: any */
    int64_t skip, left;
    arka_buf *out; /* NULL: only found and created_us */
    arka_slice found;
    int64_t created_us;
    int n;
} search;

static arka_status look_at(void *context, const arka_database_info *info, arka_error *err)
{
    search *s = context;
    arka_slice name = arka_slice_of(info->name);
    id own = id_of("bucket", name);
    if (name.data[0] == '_' || !arka_access_database(s->request, name) ||
        (s->name.len > 0 && !arka_name_eq(database_of(s->name), name)) ||
        (s->wanted_id.len > 0 && !arka_slice_eq(s->wanted_id, arka_slice_of(own.text))))
        return ARKA_OK;
    if (s->skip > 0 || s->left == 0) {
        s->skip -= s->skip > 0;
        return ARKA_OK;
    }
    s->left--;
    s->created_us = info->created_us;
    if (s->out == NULL) {
        const char *kept = arka_arena_text(&s->request->arena, name);
        s->found = (arka_slice){kept, name.len};
        return kept ? ARKA_OK : arka_fail_nomem(err, "a name", name.len);
    }
    arka_buf_text(s->out, s->n++ > 0 ? "," : "");
    put_bucket(s->out, s->name.len > 0 ? s->name : name, info->created_us);
    return ARKA_OK;
}

static arka_status find_one(arka_request *r, arka_slice name, arka_slice wanted_id, search *out,
                            arka_error *err)
{
    *out = (search){.request = r, .name = name, .wanted_id = wanted_id, .left = 1};
    ARKA_TRY(arka_engine_each_database(r->server->engine, look_at, out, err));
    return out->found.len > 0 ? ARKA_OK : arka_fail(err, ARKA_NOTFOUND, "bucket not found");
}

arka_handled arka_handle_buckets(arka_request *r)
{
    arka_error err = {0};
    search s = {.request = r, .left = PAGE};
    if (arka_request_param(r, "name", &s.name, &err) != ARKA_OK ||
        arka_request_param(r, "id", &s.wanted_id, &err) != ARKA_OK ||
        arka_request_param_int(r, "limit", 1, LARGEST_PAGE, &s.left, &err) != ARKA_OK ||
        arka_request_param_int(r, "offset", 0, INT64_MAX, &s.skip, &err) != ARKA_OK)
        return arka_answer_fail(r, &err);
    s.out = arka_answer_json(r, 200);
    arka_buf_literal(s.out, "{\"links\":{\"self\":\"/api/v2/buckets\"},\"buckets\":[");
    if (arka_engine_each_database(r->server->engine, look_at, &s, &err) != ARKA_OK)
        return arka_answer_fail(r, &err);
    arka_buf_literal(s.out, "]}");
    return ARKA_ANSWERED;
}

arka_handled arka_handle_bucket_get(arka_request *r)
{
    arka_error err = {0};
    search s;
    if (find_one(r, (arka_slice){"", 0}, r->args[0], &s, &err) != ARKA_OK)
        return arka_answer_fail(r, &err);
    put_bucket(arka_answer_json(r, 200), s.found, s.created_us);
    return ARKA_ANSWERED;
}

/* ---- making and dropping ---- */

static arka_status create(arka_request *r, arka_json **root, search *made, arka_slice *name,
                          arka_error *err)
{
    ARKA_TRY(arka_json_parse(r->body, 0, root, err));
    ARKA_TRY(arka_json_need_string(*root, "name", name, err));
    arka_slice database = database_of(*name);
    ARKA_TRY(arka_name_check_database(database, err));
    if (!arka_access_all_of(r, database))
        return arka_fail(err, ARKA_FORBIDDEN,
                         "bucket '%.*s' as a whole is outside of the token's scope",
                         ARKA_FMT(*name));
    ARKA_TRY(arka_engine_create_database(r->server->engine, database, err));
    return find_one(r, database, (arka_slice){"", 0}, made, err);
}

arka_handled arka_handle_bucket_create(arka_request *r)
{
    arka_error err = {0};
    ARKA_AUTO(arka_json) root = NULL;
    arka_slice name = {"", 0};
    search made;
    arka_status status = create(r, &root, &made, &name, &err);
    if (status == ARKA_EXISTS) /* InfluxDB 2's status and words for it */
        return arka_answer_error(r, 422, "conflict", "bucket with name %.*s already exists",
                                 ARKA_FMT(name));
    if (status != ARKA_OK)
        return arka_answer_fail(r, &err);
    put_bucket(arka_answer_json(r, 201), name, made.created_us);
    return ARKA_ANSWERED;
}

arka_handled arka_handle_bucket_delete(arka_request *r)
{
    arka_error err = {0};
    search s;
    if (find_one(r, (arka_slice){"", 0}, r->args[0], &s, &err) != ARKA_OK ||
        arka_drop_database(r->server, s.found, r->id, &err) != ARKA_OK)
        return arka_answer_fail(r, &err);
    return arka_answer_empty(r);
}

/* ---- organisations ---- */

static void put_organisation(arka_buf *b, arka_slice name)
{
    id own = organisation_id();
    arka_buf_printf(b, "{\"id\":\"%s\",\"name\":", own.text);
    arka_json_string_repaired(b, name.len > 0 ? name : ARKA_SLICE("arc"));
    arka_buf_printf(b,
                    ",\"status\":\"active\",\"links\":{\"self\":\"/api/v2/orgs/%s\",\"buckets\":"
                    "\"/api/v2/buckets?orgID=%s\"}}",
                    own.text, own.text);
}

/* Whatever name is asked for is ours. */
arka_handled arka_handle_organisations(arka_request *r)
{
    arka_error err = {0};
    arka_slice name, wanted;
    id own = organisation_id();
    if (arka_request_param(r, "org", &name, &err) != ARKA_OK ||
        arka_request_param(r, "orgID", &wanted, &err) != ARKA_OK)
        return arka_answer_fail(r, &err);
    arka_buf *b = arka_answer_json(r, 200);
    arka_buf_literal(b, "{\"links\":{\"self\":\"/api/v2/orgs\"},\"orgs\":[");
    if (wanted.len == 0 || arka_slice_eq(wanted, arka_slice_of(own.text)))
        put_organisation(b, name);
    arka_buf_literal(b, "]}");
    return ARKA_ANSWERED;
}

arka_handled arka_handle_organisation_get(arka_request *r)
{
    id own = organisation_id();
    if (!arka_slice_eq(r->args[0], arka_slice_of(own.text)))
        return arka_answer_error(r, 404, "not_found", "organization not found");
    put_organisation(arka_answer_json(r, 200), (arka_slice){"", 0});
    return ARKA_ANSWERED;
}

arka_handled arka_handle_flux(arka_request *r)
{
    return arka_answer_error(r, 400, "invalid",
                             "Flux is not supported: data is read with SQL, by POST /api/v1/query");
}
