#include "server/access.h"

void arka_access_check(arka_request *r)
{
    r->identity = NULL;
}

void arka_access_drop(arka_request *r)
{
    r->identity = NULL;
}

bool arka_access_may(const arka_request *r, arka_rights rights)
{
    return true;
}

bool arka_access_table(const arka_request *r, arka_slice database, arka_slice table)
{
    return true;
}

bool arka_access_database(const arka_request *r, arka_slice database)
{
    return true;
}

bool arka_access_all_of(const arka_request *r, arka_slice database)
{
    return true;
}

const char *arka_access_scope_text(const arka_request *r)
{
    return "";
}

arka_visibility arka_access_visibility(const arka_request *r)
{
    return (arka_visibility){0};
}

void arka_access_visibility_release(arka_visibility *visibility)
{
    *visibility = (arka_visibility){0};
}

arka_status arka_access_priority(const arka_request *r, arka_priority *out, arka_error *err)
{
    *out = ARKA_PRIORITY_NORMAL;
    return ARKA_OK;
}
