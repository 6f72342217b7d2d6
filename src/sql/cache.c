/* Inspections by text, most recent first: dashboards ask the same again. */
#include "base/map.h"
#include "sql/sql_priv.h"

enum { MAX_ENTRIES = 1024, MAX_BYTES = 8 << 20 };

typedef struct entry {
    struct entry *newer, *older;
    arka_inspection *inspection;
    size_t bytes;
} entry;

struct arka_inspections {
    arka_mutex lock; /* LEAF */
    arka_map by_text;
    entry *newest, *oldest;
    size_t bytes;
};

arka_status arka_inspections_new(arka_inspections **out, arka_error *err)
{
    arka_inspections *c = arka_calloc(1, sizeof *c);
    if (c == NULL)
        return arka_fail_nomem(err, "the cache of statements", sizeof *c);
    arka_mutex_init(&c->lock, ARKA_LOCK_LEAF);
    *out = c;
    return ARKA_OK;
}

int64_t arka_inspections_bytes(arka_inspections *c, int64_t *max_bytes)
{
    arka_mutex_lock(&c->lock);
    int64_t bytes = (int64_t)c->bytes;
    arka_mutex_unlock(&c->lock);
    *max_bytes = MAX_BYTES;
    return bytes;
}

static void unlink_entry(arka_inspections *c, entry *e)
{
    *(e->newer ? &e->newer->older : &c->newest) = e->older;
    *(e->older ? &e->older->newer : &c->oldest) = e->newer;
}

static void link_newest(arka_inspections *c, entry *e)
{
    e->newer = NULL;
    e->older = c->newest;
    *(c->newest ? &c->newest->newer : &c->oldest) = e;
    c->newest = e;
}

static void drop_entry(arka_inspections *c, entry *e)
{
    unlink_entry(c, e);
    arka_map_remove(&c->by_text, e->inspection->text.user);
    c->bytes -= e->bytes;
    arka_inspection_unref(e->inspection);
    arka_free(e);
}

void arka_inspections_free(arka_inspections *c)
{
    if (c == NULL)
        return;
    while (c->oldest != NULL)
        drop_entry(c, c->oldest);
    arka_map_fini(&c->by_text);
    arka_mutex_fini(&c->lock);
    arka_free(c);
}

arka_inspection *arka_inspections_find(arka_inspections *c, arka_slice text)
{
    arka_mutex_lock(&c->lock);
    entry *e = arka_map_get(&c->by_text, text);
    if (e != NULL) {
        unlink_entry(c, e);
        link_newest(c, e);
    }
    arka_inspection *found = e ? arka_inspection_ref(e->inspection) : NULL;
    arka_mutex_unlock(&c->lock);
    return found;
}

/* Not being able to keep it is no failure. */
static void keep(arka_inspections *c, arka_inspection *i)
{
    entry *e = arka_malloc(sizeof *e);
    if (e == NULL)
        return;
    *e = (entry){.inspection = arka_inspection_ref(i),
                 .bytes = sizeof *e + sizeof *i + i->arena.total_bytes +
                          i->cap_uses * sizeof *i->uses + i->text.user.len};
    arka_mutex_lock(&c->lock);
    bool kept = arka_map_get(&c->by_text, i->text.user) == NULL &&
                arka_map_put(&c->by_text, i->text.user, e);
    if (kept) {
        link_newest(c, e);
        c->bytes += e->bytes;
        while (c->oldest != e && (c->by_text.n > MAX_ENTRIES || c->bytes > MAX_BYTES))
            drop_entry(c, c->oldest);
    }
    arka_mutex_unlock(&c->lock);
    if (!kept) {
        arka_inspection_unref(e->inspection);
        arka_free(e);
    }
}

arka_status arka_inspections_inspect(arka_inspections *c, const arka_parser *parser,
                                     arka_slice text, arka_inspection **out, arka_error *err)
{
    arka_inspection *i = arka_inspections_find(c, text);
    if (i == NULL) {
        ARKA_TRY(arka_inspect(parser, text, &i, err));
        keep(c, i);
    }
    *out = i;
    return ARKA_OK;
}
