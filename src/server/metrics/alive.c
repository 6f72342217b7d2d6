/* Whether the server gets on with its work: for whoever restarts one that does not. */
#include <stdio.h>

#include "server/server_priv.h"

void arka_server_opening(arka_server *server, char *text, size_t n, double *progress)
{
    char sentence[ARKA_OPENING_TEXT];
    arka_opening_text(server, sentence, progress);
    snprintf(text, n, "%s", sentence);
}

/*
 * Busy is not stuck: a thread with much to do comes to its lists after each round, a committer on a
 * slow disk to the next group. Queries and flushes may take as long as they take.
 */
bool arka_server_is_alive(arka_server *server, int64_t patience_ms, char *text, size_t n)
{
    int64_t http_ms = arka_http_silent_ms(server->http);
    int64_t commit_ms = arka_server_is_open(server) ? arka_engine_busy_ms(server->engine) : 0;
    if (http_ms >= patience_ms)
        snprintf(text, n, "an HTTP thread has not looked at its connections for %lld ms",
                 (long long)http_ms);
    else if (commit_ms >= patience_ms)
        snprintf(text, n, "the committer has been at one group of writes for %lld ms",
                 (long long)commit_ms);
    return http_ms < patience_ms && commit_ms < patience_ms;
}
