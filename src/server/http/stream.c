#include "server/http/stream.h"

#include <microhttpd.h>
#include <stdio.h>
#include <sys/socket.h>

#include "base/vec.h"
#include "os/thread.h"
#include "server/http/compress.h"
#include "server/http/http.h"
#include "server/http/loop.h"
#include "server/server_priv.h"

enum {
    MAX_WAITING = 4 << 20, /* bytes made but not yet sent */
    READ_BLOCK =
        64 << 10, /* of HTTP/1.0 answers; chunked ones are read into the connection's own memory */
    N_SPARE = 2,
    LOOK_EVERY_MS = 250, /* at whether the query was cancelled, while a client does not read */
};

struct arka_stream {
    arka_ref ref;
    arka_server *server;
    arka_ticket ticket;
    struct MHD_Connection *connection; /* these two set at begin */
    arka_loop *loop;
    arka_resuming resuming;
    int fd;
    bool is_old;                   /* of the request */
    struct MHD_Response *response; /* the reader's */
    double execution_ms;           /* < 0: not set */
    arka_compressor *compressor;   /* the worker's, as is packed; NULL: pieces go as they are */
    arka_buf packed;
    bool lost; /* a piece could not be compressed */

    arka_mutex lock;
    arka_cond room;
    ARKA_VEC(arka_buf) pieces; /* lock; from `first` on: to be sent */
    size_t first;              /* lock */
    size_t waiting;            /* lock; bytes in pieces */
    arka_buf spare[N_SPARE];   /* lock; emptied pieces, to be filled again */
    int n_spare;               /* lock */
    bool ended, complete;      /* lock; by the worker */
    bool abandoned;            /* lock; by the connection */
    bool suspended;            /* lock; the connection sleeps until there is something */

    arka_buf current; /* the reader's own: being sent */
    size_t sent;      /* of current */
};

arka_status arka_stream_new(arka_server *server, arka_stream **out, arka_error *err)
{
    arka_stream *s = arka_calloc(1, sizeof *s);
    if (s == NULL)
        return arka_fail_nomem(err, "an answer", sizeof *s);
    arka_ref_init(&s->ref);
    s->server = server;
    s->execution_ms = -1;
    arka_mutex_init(&s->lock, ARKA_LOCK_STREAM);
    arka_cond_init(&s->room);
    *out = s;
    return ARKA_OK;
}

void arka_stream_unref(arka_stream *stream)
{
    if (stream == NULL || !arka_ref_drop(&stream->ref))
        return;
    for (size_t i = stream->first; i < stream->pieces.n; i++)
        arka_buf_fini(&stream->pieces.items[i]);
    for (int i = 0; i < stream->n_spare; i++)
        arka_buf_fini(&stream->spare[i]);
    arka_buf_fini(&stream->current);
    arka_buf_fini(&stream->packed);
    arka_compressor_free(stream->compressor);
    arka_vec_fini(&stream->pieces);
    arka_cond_fini(&stream->room);
    arka_mutex_fini(&stream->lock);
    arka_free(stream);
}

arka_ticket *arka_stream_ticket(arka_stream *stream)
{
    return &stream->ticket;
}

void arka_stream_set_ms(arka_stream *stream, double execution_ms)
{
    arka_mutex_lock(&stream->lock);
    stream->execution_ms = execution_ms;
    arka_mutex_unlock(&stream->lock);
}

/* ---- worker ---- */

/* `piece`, which is left empty, into `packed`, behind what is there. */
static void pack(arka_stream *s, arka_buf *piece, bool last)
{
    if (!s->lost)
        s->lost = !arka_compressor_run(s->compressor, (arka_slice){piece->data, piece->len}, last,
                                       &s->packed);
    arka_buf_clear(piece);
}

void arka_stream_begin(arka_stream *stream, arka_request *r, arka_buf *first)
{
    stream->compressor = arka_compress_stream(r);
    if (stream->compressor != NULL) {
        pack(stream, first, false);
        arka_buf_fini(first);
        *first = stream->packed;
        stream->packed = (arka_buf)ARKA_BUF_INIT;
    }
    stream->connection = r->connection;
    stream->loop = arka_http_loop(r);
    stream->fd = r->fd;
    stream->is_old = r->is_old;
    stream->current = *first;
    *first = (arka_buf)ARKA_BUF_INIT;
    arka_ref_add(&stream->ref); /* the answer's */
    r->answer.stream = stream;
    arka_running_watch(stream->server->running, &stream->ticket, -1);
    arka_http_give_back(r);
}

/* Wake the connection if it sleeps. After the lock is let go: `was` says whether it slept. */
static void wake_reader(arka_stream *s, bool was)
{
    if (!was)
        return;
    arka_running_watch(s->server->running, &s->ticket, -1);
    arka_loop_resume(s->loop, &s->resuming, s->connection);
}

static bool take_suspended_locked(arka_stream *s)
{
    bool was = s->suspended;
    s->suspended = false;
    return was;
}

/* False when nobody will make room. Only the worker adds bytes, so room stays once it is there. */
static bool wait_for_room(arka_stream *s)
{
    for (;;) {
        arka_mutex_lock(&s->lock);
        if (s->waiting >= MAX_WAITING && !s->abandoned)
            arka_cond_wait(&s->room, &s->lock, arka_mono_after_ms(LOOK_EVERY_MS));
        bool room = s->waiting < MAX_WAITING, abandoned = s->abandoned;
        arka_mutex_unlock(&s->lock);
        if (room || abandoned)
            return !abandoned;
        if (arka_running_is_cancelled(s->server->running, &s->ticket))
            return false;
    }
}

static bool push(arka_stream *stream, arka_buf *piece)
{
    if (piece->len == 0)
        return true;
    if (!wait_for_room(stream))
        return false;
    arka_mutex_lock(&stream->lock);
    bool taken = !stream->abandoned && arka_vec_push(&stream->pieces, *piece);
    bool was = false;
    if (taken) {
        stream->waiting += piece->len;
        *piece = stream->n_spare > 0 ? stream->spare[--stream->n_spare] : (arka_buf)ARKA_BUF_INIT;
        was = take_suspended_locked(stream);
    }
    arka_mutex_unlock(&stream->lock);
    wake_reader(stream, was);
    return taken;
}

bool arka_stream_push(arka_stream *stream, arka_buf *piece)
{
    if (stream->compressor == NULL)
        return push(stream, piece);
    pack(stream, piece, false);
    return !stream->lost && push(stream, &stream->packed);
}

void arka_stream_end(arka_stream *stream, bool complete)
{
    arka_buf nothing = ARKA_BUF_INIT;
    if (complete && stream->compressor != NULL) {
        pack(stream, &nothing, true);
        complete = !stream->lost && push(stream, &stream->packed);
    }
    arka_mutex_lock(&stream->lock);
    stream->ended = true;
    stream->complete = complete;
    bool was = take_suspended_locked(stream);
    arka_mutex_unlock(&stream->lock);
    wake_reader(stream, was);
}

/* ---- HTTP thread ---- */

/* The next piece into `current`; false when there is none yet. */
static bool next_piece_locked(arka_stream *s)
{
    if (s->current.data != NULL && s->n_spare < N_SPARE) {
        arka_buf_clear(&s->current);
        s->spare[s->n_spare++] = s->current;
    } else {
        arka_buf_fini(&s->current);
    }
    s->current = (arka_buf)ARKA_BUF_INIT;
    s->sent = 0;
    if (s->first == s->pieces.n) {
        s->first = s->pieces.n = 0;
        return false;
    }
    s->current = s->pieces.items[s->first++];
    s->waiting -= s->current.len;
    arka_cond_signal(&s->room);
    return true;
}

static void add_trailer(arka_stream *s)
{
    char text[32];
    if (s->execution_ms < 0)
        return;
    snprintf(text, sizeof text, "%.3f", s->execution_ms);
    ARKA_IGNORE(MHD_add_response_footer(s->response, "Arc-Execution-Time-Ms", text) == MHD_NO);
}

/*
 * Where the end of the connection is the end of the answer, a half one must not end like a whole
 * one: the connection is reset, and nothing that ends it well can be sent any more.
 */
static void reset_connection(int fd)
{
    const struct sockaddr nobody = {.sa_family = AF_UNSPEC};
    ARKA_IGNORE(connect(fd, &nobody, sizeof nobody) != 0);
}

enum { LOOK_AGAIN = 1 };

/* Nothing to send: the end, or sleep until there is; LOOK_AGAIN when something came meanwhile. */
static ssize_t read_nothing(arka_stream *s)
{
    /* before the lock, because the list of running queries ranks below the stream */
    arka_running_watch(s->server->running, &s->ticket, s->fd);
    arka_mutex_lock(&s->lock);
    ssize_t n = 0;
    if (s->first < s->pieces.n) {
        n = LOOK_AGAIN;
    } else if (s->ended) {
        n = s->complete ? MHD_CONTENT_READER_END_OF_STREAM : MHD_CONTENT_READER_END_WITH_ERROR;
    } else {
        s->suspended = true;
        MHD_suspend_connection(s->connection);
    }
    arka_mutex_unlock(&s->lock);
    if (n != 0)
        arka_running_watch(s->server->running, &s->ticket, -1);
    if (n == MHD_CONTENT_READER_END_OF_STREAM)
        add_trailer(s);
    else if (n == MHD_CONTENT_READER_END_WITH_ERROR && s->is_old)
        reset_connection(s->fd);
    return n;
}

static ssize_t read_stream(void *context, uint64_t at, char *into, size_t max)
{
    arka_stream *s = context;
    while (s->sent == s->current.len) {
        arka_mutex_lock(&s->lock);
        bool got = next_piece_locked(s);
        arka_mutex_unlock(&s->lock);
        ssize_t n = got ? LOOK_AGAIN : read_nothing(s);
        if (n != LOOK_AGAIN)
            return n;
    }
    size_t n = s->current.len - s->sent;
    if (n > max)
        n = max;
    memcpy(into, s->current.data + s->sent, n);
    s->sent += n;
    return (ssize_t)n;
}

void arka_stream_abandon(void *stream)
{
    arka_stream *s = stream;
    arka_mutex_lock(&s->lock);
    s->abandoned = true;
    bool running = !s->ended;
    arka_cond_signal(&s->room);
    arka_mutex_unlock(&s->lock);
    if (running)
        arka_running_cancel(s->server->running, &s->ticket);
    arka_stream_unref(s);
}

struct MHD_Response *arka_stream_response(arka_stream *stream)
{
    stream->response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, READ_BLOCK, read_stream,
                                                         stream, arka_stream_abandon);
    return stream->response;
}
