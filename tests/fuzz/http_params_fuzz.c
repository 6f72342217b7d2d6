/* What a request line and its headers can hold, from nowhere: paths stay below the root, what a
 * route's names stand for lies in the path, and a header gives one of the answers there are. */
#include <stdlib.h>

#include "server/http/compress.h"
#include "server/http/request.h"
#include "wire/form.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void require(bool ok)
{
    if (!ok)
        abort();
}

static arka_route_table *table(void)
{
    static arka_route_table *made;
    if (made == NULL)
        require(arka_route_table_new(arka_routes, arka_n_routes, &made, NULL) == ARKA_OK);
    return made;
}

static bool has_dot_segment(arka_slice path)
{
    for (size_t i = 0; i < path.len; i++) {
        size_t n = 0;
        if (path.data[i] != '/')
            continue;
        while (i + 1 + n < path.len && path.data[i + 1 + n] != '/')
            n++;
        const char *at = path.data + i + 1;
        if ((n == 1 && at[0] == '.') || (n == 2 && at[0] == '.' && at[1] == '.'))
            return true;
    }
    return false;
}

static void find_routes(arka_slice path)
{
    for (int method = ARKA_GET; method <= ARKA_OPTIONS; method <<= 1) {
        arka_route_match m = arka_route_find(table(), (arka_method)method, path);
        require(m.route == NULL || (m.methods & m.route->methods) != 0);
        for (int i = 0; m.route != NULL && i < ARKA_ROUTE_ARGS; i++) {
            arka_slice arg = m.args[i];
            require(arg.len == 0 ||
                    (arg.data > path.data && arg.data + arg.len <= path.data + path.len &&
                     memchr(arg.data, '/', arg.len) == NULL));
        }
    }
}

static void read_path(arka_slice target, arka_arena *arena)
{
    arka_slice decoded;
    if (target.len == 0 || target.data[0] != '/' ||
        arka_percent_decode(target, arena, &decoded, NULL) != ARKA_OK)
        return;
    char *path = arka_arena_strndup(arena, decoded.data, decoded.len);
    require(path != NULL);
    size_t len = arka_path_normalise(path, decoded.len);
    require(len <= decoded.len && (len == 0 || path[0] == '/'));
    require(!has_dot_segment((arka_slice){path, len}));
    char *again = arka_arena_strndup(arena, path, len);
    require(again != NULL && arka_path_normalise(again, len) == len &&
            memcmp(again, path, len) == 0);
    find_routes((arka_slice){path, len});
}

static void read_header(arka_slice text)
{
    static arka_request r;
    arka_coding coding = arka_coding_accepted(text);
    require(coding == ARKA_CODING_NONE || coding == ARKA_CODING_GZIP || coding == ARKA_CODING_ZSTD);
    require(coding == ARKA_CODING_NONE || text.len > 0);
    arka_request_set_id(&r, text);
    size_t n = strnlen(r.id, sizeof r.id);
    require(n > 0 && n < sizeof r.id);
    for (size_t i = 0; i < n; i++)
        require(r.id[i] > 0x20 && r.id[i] < 0x7f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    arka_slice text = {(const char *)data, n};
    arka_arena arena = ARKA_ARENA_INIT;
    const char *mark = n > 0 ? memchr(data, '?', n) : NULL;
    size_t path_len = mark != NULL ? (size_t)(mark - text.data) : n;
    arka_form form;
    read_path((arka_slice){text.data, path_len}, &arena);
    if (mark != NULL)
        ARKA_IGNORE(arka_form_parse((arka_slice){mark + 1, n - path_len - 1}, &arena, &form,
                                    NULL) != ARKA_OK);
    read_header(text);
    arka_arena_fini(&arena);
    return 0;
}
