/* The cache of results, as http clients see it. */
#include "base/json.h"
#include "observe/text.h"
#include "server/http/handlers.h"
#include "server/http/request.h"
#include "server/server_priv.h"

enum { LISTED = 20 };

static double percent(int64_t part, int64_t whole)
{
    return whole > 0 ? 100.0 * (double)part / (double)whole : 0;
}

static void put_counts(arka_buf *b, const arka_result_cache_stats *s)
{
    arka_buf_printf(b,
                    "\"metrics\":{\"total_requests\":%lld,\"hits\":%lld,\"misses\":%lld,"
                    "\"hit_rate_percent\":%.1f,\"evictions\":%lld,\"expirations\":%lld,"
                    "\"outdated\":%lld}",
                    (long long)s->requests, (long long)s->hits, (long long)s->misses,
                    percent(s->hits, s->requests), (long long)s->evictions,
                    (long long)s->expirations, (long long)s->outdated);
}

static void put_entries(arka_server *server, arka_buf *b)
{
    arka_result_cache_entry entries[LISTED];
    size_t n = arka_result_cache_list(server->result_cache, entries, LISTED);
    arka_buf_literal(b, "\"entries\":[");
    for (size_t i = 0; i < n; i++) {
        const arka_result_cache_entry *e = &entries[i];
        arka_buf_printf(b,
                        "%s{\"key_hash\":\"%016llx\",\"age_seconds\":%.1f,\"row_count\":%lld,"
                        "\"columns\":%d,\"bytes\":%lld,\"cached_at\":",
                        i > 0 ? "," : "", (unsigned long long)e->key_hash, (double)e->age_ms / 1000,
                        (long long)e->n_rows, e->n_columns, (long long)e->n_bytes);
        arka_text_json_time(b, e->made_us);
        arka_buf_byte(b, '}');
    }
    arka_buf_byte(b, ']');
}

arka_handled arka_handle_cache_stats(arka_request *r)
{
    arka_server *server = r->server;
    arka_buf *b = arka_answer_json(r, 200);
    arka_result_cache_stats s;
    if (server->result_cache == NULL) {
        arka_buf_literal(b, "{\"enabled\":false,\"message\":\"query_cache.enabled is false\"}");
        return ARKA_ANSWERED;
    }
    arka_result_cache_get_stats(server->result_cache, &s);
    arka_buf_printf(b,
                    "{\"enabled\":true,\"ttl_seconds\":%lld,\"max_size\":%lld,"
                    "\"max_result_size_mb\":%.4g,\"max_total_size_mb\":%.4g,\"current_size\":%lld,"
                    "\"current_bytes\":%lld,\"utilization_percent\":%.1f,",
                    (long long)arka_server_settings(server)->cache_ttl, (long long)s.max_entries,
                    (double)arka_result_cache_max_result_bytes(server->result_cache) / (1 << 20),
                    (double)s.max_bytes / (1 << 20), (long long)s.n_entries, (long long)s.n_bytes,
                    percent(s.n_entries, s.max_entries));
    put_counts(b, &s);
    arka_buf_byte(b, ',');
    put_entries(server, b);
    arka_buf_byte(b, '}');
    return ARKA_ANSWERED;
}

/* What there is to say about it; *healthy false when it does not pay. */
static void put_warnings(arka_buf *b, const arka_result_cache_stats *s, bool *healthy)
{
    enum { ENOUGH = 100, MANY = 1000, LOW_HITS = 20, LOW_USE = 10 };
    double hits = percent(s->hits, s->requests), use = percent(s->n_entries, s->max_entries);
    bool few_hits = s->requests > ENOUGH && hits < LOW_HITS;
    bool crowded = s->hits > 0 && s->evictions > s->hits / 2;
    bool empty = s->requests > MANY && use < LOW_USE;
    const char *comma = "";
    *healthy = !few_hits && !crowded;
    if (few_hits) {
        arka_buf_printf(b, "\"only %.1f %% of the queries were answered from the cache\"", hits);
        comma = ",";
    }
    if (crowded) {
        arka_buf_printf(b,
                        "%s\"%lld answers had to make room for others: more than half of the "
                        "hits\"",
                        comma, (long long)s->evictions);
        comma = ",";
    }
    if (empty)
        arka_buf_printf(b, "%s\"only %.1f %% of the entries are used\"", comma, use);
}

arka_handled arka_handle_cache_health(arka_request *r)
{
    arka_buf *b = arka_answer_json(r, 200), warnings = ARKA_BUF_INIT;
    arka_result_cache_stats s;
    bool healthy = true;
    if (r->server->result_cache == NULL) {
        arka_buf_literal(b, "{\"enabled\":false,\"healthy\":true,\"message\":"
                            "\"query_cache.enabled is false\"}");
        return ARKA_ANSWERED;
    }
    arka_result_cache_get_stats(r->server->result_cache, &s);
    put_warnings(&warnings, &s, &healthy);
    arka_buf_printf(b,
                    "{\"enabled\":true,\"healthy\":%s,\"hit_rate_percent\":%.1f,"
                    "\"current_size\":%lld,\"total_requests\":%lld,\"warnings\":[",
                    healthy ? "true" : "false", percent(s.hits, s.requests), (long long)s.n_entries,
                    (long long)s.requests);
    arka_buf_append(b, warnings.data, warnings.len);
    arka_buf_literal(b, "]}");
    arka_buf_fini(&warnings);
    return ARKA_ANSWERED;
}

arka_handled arka_handle_cache_clear(arka_request *r)
{
    arka_result_cache *cache = r->server->result_cache;
    int64_t n = cache != NULL ? arka_result_cache_clear(cache) : 0;
    arka_buf *b = arka_answer_json(r, 200);
    arka_buf_printf(b, "{\"message\":\"%lld answers forgotten\",\"cleared\":%lld}", (long long)n,
                    (long long)n);
    return ARKA_ANSWERED;
}
