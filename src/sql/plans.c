/*
 * Statements that a session keeps prepared. Binding is most of a small query's time, and DuckDB
 * binds a statement over files twice: when it is prepared and, since the files may have changed,
 * when it runs. A kept statement is bound once, and not at all when its tables have only hot rows:
 * arc_hot takes its rows from the session's pins when it starts. A statement is used again only for
 * the very views that it was bound through.
 */
#include "sql/sql_priv.h"

enum { MAX_COLUMNS = 128 };

/* The newest view that the session's query is bound through: it changes when any of them does. */
static uint64_t newest_view(const arka_session *s)
{
    uint64_t newest = 0;
    for (size_t i = 0; i < s->pins.n; i++)
        if (s->pins.items[i].view > newest)
            newest = s->pins.items[i].view;
    return newest;
}

bool arka_plan_take(arka_session *s, const arka_inspection *inspection, arka_plan *out)
{
    for (int i = 0; i < ARKA_SESSION_PLANS; i++) {
        arka_plan *p = &s->plans[i];
        if (p->inspection != inspection || strcmp(p->schema, s->schema) != 0)
            continue;
        *out = *p;
        memmove(p, p + 1, (size_t)(ARKA_SESSION_PLANS - 1 - i) * sizeof *p);
        s->plans[ARKA_SESSION_PLANS - 1] = (arka_plan){0};
        if (out->view == newest_view(s))
            return true;
        arka_plan_fini(out); /* views only get newer */
        return false;
    }
    return false;
}

/* A plan takes some 8 KB a column of its tables. */
static bool worth_keeping(const arka_session *s)
{
    int n = 0;
    for (size_t i = 0; i < s->pins.n; i++)
        n += s->pins.items[i].snapshot->schema->n_fields;
    return n <= MAX_COLUMNS;
}

void arka_plan_keep(arka_session *s, arka_plan *plan)
{
    if (!worth_keeping(s))
        return;
    arka_plan_fini(&s->plans[ARKA_SESSION_PLANS - 1]);
    memmove(s->plans + 1, s->plans, (ARKA_SESSION_PLANS - 1) * sizeof *s->plans);
    plan->view = newest_view(s);
    s->plans[0] = *plan;
    *plan = (arka_plan){0};
}

void arka_plan_fini(arka_plan *plan)
{
    duckdb_destroy_prepare(&plan->prepared);
    arka_inspection_unref(plan->inspection);
    *plan = (arka_plan){0};
}
