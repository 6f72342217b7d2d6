#include "sql/functions.h"

#include "columnar/batch.h"

enum { MAX_NAME = 64 };

static const char *const ALLOWED[] = {
#define ALLOW(name) name,
#include "sql/functions.def"
#undef ALLOW
};
static const char *const DENIED[] = {
#define DENY(name) name,
#include "sql/functions.def"
#undef DENY
};

/* `lower` of size MAX_NAME; false when the name is longer than any of ours. */
static bool to_lower(arka_slice name, char *lower)
{
    if (name.len >= MAX_NAME)
        return false;
    arka_name_fold(name, lower);
    lower[name.len] = 0;
    return true;
}

static bool listed(arka_slice name, const char *const *names, size_t n)
{
    char lower[MAX_NAME];
    if (!to_lower(name, lower) || strlen(lower) != name.len)
        return false;
    size_t low = 0, high = n;
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = strcmp(lower, names[middle]);
        if (order == 0)
            return true;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return false;
}

bool arka_function_allowed(arka_slice name)
{
    return listed(name, ALLOWED, sizeof ALLOWED / sizeof *ALLOWED);
}

bool arka_function_denied(arka_slice name)
{
    return listed(name, DENIED, sizeof DENIED / sizeof *DENIED);
}

bool arka_table_function_allowed(arka_slice name)
{
    static const char *const NAMES[] = {"generate_series", "range", "unnest"};
    return listed(name, NAMES, sizeof NAMES / sizeof *NAMES);
}
