#include "cli/bench/bench_http.h"

#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/number.h"

enum {
    PIECE = 256 << 10, /* of a recv */
    EVENTS = 64,
    TEXT = 1024,
    TICK_MS = 100,
    RETRY_MS = 100,
    MAX_RETRIES = 50,
    SEND_BUFFER = 1 << 20, /* a body of 1,000 rows in one send; the kernel caps it as it likes */
    DEFAULT_REPLY_TIMEOUT_MS = 60000,
};

enum state {
    FINISHED,
    RESTING, /* until a request is due */
    PAUSED,  /* until wake_ns; with a request at hand when `has_request` */
    CONNECTING,
    SENDING,
    READING,
};

typedef struct connection {
    int fd; /* -1: none */
    enum state state;
    uint32_t watched; /* epoll's events */
    bool has_request;
    int n_retries; /* failed connects in a row */
    size_t n_sent;
    int64_t started_ns, wake_ns;
    arka_bench_request request;
    arka_http_response response;
    char text[TEXT];
    size_t n_text;
} connection;

typedef struct loop {
    const arka_bench_loop_options *options;
    const arka_bench_source *source;
    connection *connections;
    char *piece;
    int *rested; /* a ring of connections at rest, the longest first */
    int first_rested, n_rested;
    int epoll;
    int n_live;   /* not finished */
    int n_paused; /* of them */
    bool stopping;
    bool was_connected; /* the server was there at least once */
    int64_t tick_ns;    /* when the next is due */
} loop;

static arka_status start_request(loop *l, connection *c, arka_error *err);

/* Error bodies are kept for the report, good ones handed on. */
static arka_status take_body(void *context, const char *bytes, size_t n, arka_error *err)
{
    connection *c = context;
    if (c->response.status >= 300) {
        size_t take = n < TEXT - c->n_text ? n : TEXT - c->n_text;
        memcpy(c->text + c->n_text, bytes, take);
        c->n_text += take;
        return ARKA_OK;
    }
    return c->request.sink ? c->request.sink(c->request.sink_context, bytes, n, err) : ARKA_OK;
}

static void set_state(loop *l, connection *c, enum state state)
{
    l->n_live += (state != FINISHED) - (c->state != FINISHED);
    l->n_paused += (state == PAUSED) - (c->state == PAUSED);
    c->state = state;
}

static arka_status watch(loop *l, connection *c, uint32_t events, arka_error *err)
{
    if (c->watched == events)
        return ARKA_OK;
    struct epoll_event e = {.events = events, .data.ptr = c};
    if (epoll_ctl(l->epoll, c->watched ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, c->fd, &e) != 0)
        return arka_fail_sys(err, ARKA_IO, errno, "watching a connection");
    c->watched = events;
    return ARKA_OK;
}

static void drop_connection(connection *c)
{
    if (c->fd >= 0)
        close(c->fd); /* leaves the epoll set by itself */
    c->fd = -1;
    c->watched = 0;
}

static void pause_connection(loop *l, connection *c, int ms)
{
    c->wake_ns = arka_mono_now().ns + ms * (int64_t)1000000;
    set_state(l, c, PAUSED);
}

static int retry_after(const connection *c)
{
    arka_slice text = arka_http_response_header(&c->response, "retry-after");
    uint64_t seconds;
    if (text.data == NULL || !arka_parse_u64(text.data, text.len, &seconds))
        return -1;
    return seconds > 3600 ? 3600 : (int)seconds;
}

/* Hand the outcome to the source and go on as it says. */
static arka_status finish_request(loop *l, connection *c, int status, arka_error *err)
{
    arka_mono now = arka_mono_now();
    arka_bench_reply reply = {.status = status,
                              .at = now,
                              .latency_ns = now.ns - c->started_ns,
                              .n_body_bytes = c->response.n_body_bytes,
                              .retry_after_s = status >= 300 ? retry_after(c) : -1,
                              .text = {c->text, c->n_text}};
    bool reusable = status != 0 && c->response.keep_alive && c->n_sent == c->request.n_bytes;
    if (!reusable)
        drop_connection(c);
    c->has_request = false;
    int pause_ms =
        l->source->done(l->source->context, (int)(c - l->connections), &c->request, &reply);
    if (pause_ms < 0 && l->options->stop != NULL)
        atomic_store_explicit(l->options->stop, true, memory_order_relaxed);
    l->stopping |= pause_ms < 0;
    if (pause_ms > 0 && !l->stopping) {
        pause_connection(l, c, pause_ms);
        return ARKA_OK;
    }
    return start_request(l, c, err);
}

static arka_status no_answer(loop *l, connection *c, const char *why, arka_error *err)
{
    size_t n = strlen(why);
    c->n_text = n < TEXT ? n : TEXT;
    memcpy(c->text, why, c->n_text);
    return finish_request(l, c, 0, err);
}

static arka_status send_more(loop *l, connection *c, arka_error *err)
{
    const arka_bench_request *r = &c->request;
    while (c->n_sent < r->n_bytes) {
        ssize_t n = send(c->fd, r->bytes + c->n_sent, r->n_bytes - c->n_sent, MSG_NOSIGNAL);
        if (n >= 0) {
            c->n_sent += (size_t)n;
        } else if (errno == EAGAIN) {
            return watch(l, c, EPOLLIN | EPOLLOUT, err);
        } else if (errno == EPIPE || errno == ECONNRESET) {
            set_state(l, c, READING); /* an answer may lie there that says why */
            return watch(l, c, EPOLLIN, err);
        } else if (errno != EINTR) {
            return no_answer(l, c, strerror(errno), err);
        }
    }
    set_state(l, c, READING);
    return watch(l, c, EPOLLIN, err);
}

static arka_status send_request(loop *l, connection *c, arka_error *err)
{
    c->n_sent = 0;
    c->n_text = 0;
    arka_http_response_reset(&c->response);
    c->started_ns = arka_mono_now().ns;
    set_state(l, c, SENDING);
    return send_more(l, c, err);
}

/* The connect failed: fatal at the start, else tried again for a while. */
static arka_status connect_failed(loop *l, connection *c, const arka_error *why, arka_error *err)
{
    drop_connection(c);
    if (!l->was_connected || ++c->n_retries > MAX_RETRIES)
        return arka_fail(err, ARKA_IO, "%s", why->msg);
    pause_connection(l, c, RETRY_MS);
    return ARKA_OK;
}

static arka_status begin_connect(loop *l, connection *c, arka_error *err)
{
    arka_error why = {0};
    if (arka_http_connect(l->options->target, &c->fd, &why) != ARKA_OK)
        return connect_failed(l, c, &why, err);
    int size = SEND_BUFFER;
    setsockopt(c->fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    set_state(l, c, CONNECTING);
    return watch(l, c, EPOLLOUT, err);
}

static arka_status end_connect(loop *l, connection *c, arka_error *err)
{
    arka_error why = {0};
    if (arka_http_connected(l->options->target, c->fd, &why) != ARKA_OK)
        return connect_failed(l, c, &why, err);
    c->n_retries = 0;
    l->was_connected = true;
    return send_request(l, c, err);
}

static bool is_stopping(loop *l)
{
    if (l->options->stop != NULL && atomic_load_explicit(l->options->stop, memory_order_relaxed))
        l->stopping = true;
    return l->stopping;
}

static void finish(loop *l, connection *c)
{
    drop_connection(c);
    set_state(l, c, FINISHED);
}

static arka_status begin_request(loop *l, connection *c, arka_error *err)
{
    if (!c->has_request &&
        !l->source->next(l->source->context, (int)(c - l->connections), &c->request)) {
        finish(l, c);
        return ARKA_OK;
    }
    c->has_request = true;
    return c->fd >= 0 ? send_request(l, c, err) : begin_connect(l, c, err);
}

static arka_status rest(loop *l, connection *c, arka_error *err)
{
    int n = l->options->n_connections;
    l->rested[(l->first_rested + l->n_rested++) % n] = (int)(c - l->connections);
    set_state(l, c, RESTING);
    /* so that the end of an idle connection is noticed */
    return c->fd >= 0 ? watch(l, c, EPOLLIN, err) : ARKA_OK;
}

static connection *wake(loop *l)
{
    connection *c = &l->connections[l->rested[l->first_rested]];
    l->first_rested = (l->first_rested + 1) % l->options->n_connections;
    l->n_rested--;
    return c;
}

/* The next request of a connection, or the one that waited for it to be made. */
static arka_status start_request(loop *l, connection *c, arka_error *err)
{
    if (is_stopping(l)) {
        finish(l, c);
        return ARKA_OK;
    }
    if (l->source->due != NULL && !c->has_request)
        return rest(l, c, err);
    return begin_request(l, c, err);
}

/* All that is due begins. *wait_ms: until the next one is. */
static arka_status start_due(loop *l, int *wait_ms, arka_error *err)
{
    enum { LEAST_MS = 1 };
    int64_t now_ns = arka_mono_now().ns, due_ns = l->source->due(l->source->context);
    while (due_ns <= now_ns && !is_stopping(l)) {
        if (l->n_rested > 0)
            ARKA_TRY(begin_request(l, wake(l), err));
        else
            l->source->missed(l->source->context);
        due_ns = l->source->due(l->source->context);
    }
    while (l->n_rested > 0 && (l->stopping || due_ns == INT64_MAX))
        finish(l, wake(l));
    int64_t ms = due_ns == INT64_MAX ? TICK_MS : (due_ns - now_ns) / 1000000;
    *wait_ms = ms < LEAST_MS ? LEAST_MS : ms > TICK_MS ? TICK_MS : (int)ms;
    return ARKA_OK;
}

static arka_status read_more(loop *l, connection *c, arka_error *err)
{
    arka_error why = {0};
    size_t used = 0;
    ssize_t n = recv(c->fd, l->piece, PIECE, 0);
    if (n < 0) {
        if (errno == EAGAIN || errno == EINTR)
            return ARKA_OK;
        return no_answer(l, c, strerror(errno), err);
    }
    arka_status status =
        n > 0 ? arka_http_response_feed(&c->response, l->piece, (size_t)n, &used, &why)
              : arka_http_response_end(&c->response, &why);
    if (status != ARKA_OK)
        return no_answer(l, c, why.msg, err);
    if (!c->response.complete)
        return ARKA_OK;
    if (used < (size_t)n)
        c->response.keep_alive = false; /* bytes nobody asked for: do not read them as an answer */
    return finish_request(l, c, c->response.status, err);
}

static arka_status on_event(loop *l, connection *c, uint32_t events, arka_error *err)
{
    switch (c->state) {
    case CONNECTING:
        return end_connect(l, c, err);
    case SENDING:
        if (events & ~(uint32_t)EPOLLOUT)
            return read_more(l, c, err);
        return send_more(l, c, err);
    case READING:
        return read_more(l, c, err);
    case RESTING: /* the server closed it meanwhile */
    case PAUSED:
        drop_connection(c);
        return ARKA_OK;
    case FINISHED:
        break;
    }
    return ARKA_OK;
}

/* Wake who has paused long enough; give up on answers that take too long. */
static arka_status check_times(loop *l, int64_t now_ns, arka_error *err)
{
    int timeout_ms =
        l->options->reply_timeout_ms > 0 ? l->options->reply_timeout_ms : DEFAULT_REPLY_TIMEOUT_MS;
    for (int i = 0; i < l->options->n_connections; i++) {
        connection *c = &l->connections[i];
        if (c->state == PAUSED && (c->wake_ns <= now_ns || is_stopping(l)))
            ARKA_TRY(start_request(l, c, err));
        else if ((c->state == SENDING || c->state == READING) &&
                 now_ns - c->started_ns > timeout_ms * (int64_t)1000000)
            ARKA_TRY(no_answer(l, c, "no answer in time", err));
    }
    return ARKA_OK;
}

static arka_status run(loop *l, arka_error *err)
{
    struct epoll_event events[EVENTS];
    for (int i = 0; i < l->options->n_connections; i++)
        ARKA_TRY(start_request(l, &l->connections[i], err));
    l->tick_ns = arka_mono_now().ns;
    while (l->n_live > 0) {
        int wait_ms = TICK_MS;
        if (l->source->due != NULL)
            ARKA_TRY(start_due(l, &wait_ms, err));
        int n = epoll_wait(l->epoll, events, EVENTS, l->n_paused > 0 ? 1 : wait_ms);
        if (n < 0 && errno != EINTR)
            return arka_fail_sys(err, ARKA_IO, errno, "waiting for the server");
        for (int i = 0; i < n; i++)
            ARKA_TRY(on_event(l, events[i].data.ptr, events[i].events, err));
        int64_t now_ns = arka_mono_now().ns;
        if (l->n_paused > 0 || now_ns >= l->tick_ns)
            ARKA_TRY(check_times(l, now_ns, err));
        if (now_ns >= l->tick_ns) {
            l->tick_ns = now_ns + TICK_MS * (int64_t)1000000;
            if (l->source->tick != NULL)
                l->source->tick(l->source->context);
        }
    }
    return ARKA_OK;
}

static arka_status open_loop(loop *l, arka_error *err)
{
    size_t n = (size_t)l->options->n_connections;
    l->piece = arka_malloc(PIECE);
    l->connections = arka_calloc(n, sizeof *l->connections);
    l->rested = arka_calloc(n, sizeof *l->rested);
    if (l->piece == NULL || l->connections == NULL || l->rested == NULL)
        return arka_fail_nomem(err, "connections", n * sizeof *l->connections + PIECE);
    for (size_t i = 0; i < n; i++) {
        connection *c = &l->connections[i];
        c->fd = -1;
        arka_http_response_init(&c->response);
        c->response.sink = take_body;
        c->response.sink_context = c;
    }
    l->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (l->epoll < 0)
        return arka_fail_sys(err, ARKA_IO, errno, "opening an epoll set");
    return ARKA_OK;
}

static void close_loop(loop *l)
{
    for (int i = 0; l->connections != NULL && i < l->options->n_connections; i++) {
        drop_connection(&l->connections[i]);
        arka_http_response_fini(&l->connections[i].response);
    }
    if (l->epoll >= 0)
        close(l->epoll);
    arka_free(l->connections);
    arka_free(l->rested);
    arka_free(l->piece);
}

arka_status arka_bench_loop_run(const arka_bench_loop_options *options,
                                const arka_bench_source *source, arka_error *err)
{
    loop l = {.options = options, .source = source, .epoll = -1};
    arka_status status = open_loop(&l, err);
    if (status == ARKA_OK)
        status = run(&l, err);
    close_loop(&l);
    return status;
}
