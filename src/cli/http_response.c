#include "cli/http_response.h"

#include <strings.h>

#include "base/number.h"

enum {
    MAX_HEAD = 64 << 10,
    MAX_CHUNK_LINE = 4 << 10, /* chunk size with its extensions, or one trailer */
};

enum state {
    IN_HEAD,
    IN_LENGTH,     /* body of a known length */
    IN_EVERYTHING, /* body until the connection ends */
    IN_CHUNK_SIZE, /* digits */
    IN_CHUNK_LINE, /* the rest of the size line */
    IN_CHUNK,
    IN_CHUNK_CR,
    IN_CHUNK_LF,
    IN_TRAILER,
};

void arka_http_response_init(arka_http_response *r)
{
    *r = (arka_http_response){.head = ARKA_BUF_INIT};
    arka_http_response_reset(r);
}

void arka_http_response_fini(arka_http_response *r)
{
    arka_buf_fini(&r->head);
}

void arka_http_response_reset(arka_http_response *r)
{
    arka_buf_clear(&r->head);
    r->status = 0;
    r->complete = false;
    r->keep_alive = false;
    r->n_body_bytes = 0;
    r->content_length = -1;
    r->state = IN_HEAD;
    r->left = 0;
    r->n_line = 0;
    r->n_framing = 0;
    r->saw_digit = false;
}

static arka_slice trim(const char *from, const char *end)
{
    while (from < end && (*from == ' ' || *from == '\t'))
        from++;
    while (from < end && (end[-1] == ' ' || end[-1] == '\t' || end[-1] == '\r'))
        end--;
    return (arka_slice){from, (size_t)(end - from)};
}

arka_slice arka_http_response_header(const arka_http_response *r, const char *name)
{
    size_t n = strlen(name);
    const char *end = r->head.data + r->head.len;
    const char *line = r->head.len ? memchr(r->head.data, '\n', r->head.len) : NULL;
    while (line != NULL && ++line < end) {
        const char *next = memchr(line, '\n', (size_t)(end - line));
        const char *stop = next ? next : end;
        if ((size_t)(stop - line) > n && line[n] == ':' && strncasecmp(line, name, n) == 0)
            return trim(line + n + 1, stop);
        line = next;
    }
    return (arka_slice){NULL, 0};
}

/* Does the comma list `value` have the word? */
static bool list_has(arka_slice value, const char *word)
{
    size_t n = strlen(word);
    const char *at = value.data, *end = value.data + value.len;
    while (at != NULL && at < end) {
        const char *comma = memchr(at, ',', (size_t)(end - at));
        arka_slice item = trim(at, comma ? comma : end);
        if (item.len == n && strncasecmp(item.data, word, n) == 0)
            return true;
        at = comma ? comma + 1 : NULL;
    }
    return false;
}

static arka_status read_status_line(arka_http_response *r, bool *http_1_0, arka_error *err)
{
    const char *head = r->head.data;
    if (r->head.len < 13 || memcmp(head, "HTTP/1.", 7) != 0 || head[8] != ' ')
        return arka_fail(err, ARKA_CORRUPT, "answer begins with '%.*s', expected HTTP/1.1",
                         (int)(r->head.len < 20 ? r->head.len : 20), head);
    uint64_t status;
    if (!arka_parse_u64(head + 9, 3, &status) || status < 100)
        return arka_fail(err, ARKA_CORRUPT, "answer has status '%.3s', expected three digits",
                         head + 9);
    *http_1_0 = head[7] == '0';
    r->status = (int)status;
    return ARKA_OK;
}

/* RFC 9112 section 6.3: what follows the head */
static arka_status begin_body(arka_http_response *r, arka_error *err)
{
    bool http_1_0;
    ARKA_TRY(read_status_line(r, &http_1_0, err));
    if (r->status < 200 && r->status != 101) {
        arka_http_response_reset(r);
        return ARKA_OK;
    }
    arka_slice connection = arka_http_response_header(r, "connection");
    r->keep_alive = http_1_0 ? list_has(connection, "keep-alive") : !list_has(connection, "close");
    if (r->status == 204 || r->status == 304 || r->status == 101) {
        r->complete = true;
        return ARKA_OK;
    }
    arka_slice coding = arka_http_response_header(r, "transfer-encoding");
    if (coding.data != NULL) {
        if (!list_has(coding, "chunked"))
            return arka_fail(err, ARKA_CORRUPT,
                             "answer has Transfer-Encoding '%.*s', expected "
                             "chunked",
                             ARKA_FMT(coding));
        r->state = IN_CHUNK_SIZE;
        return ARKA_OK;
    }
    arka_slice length = arka_http_response_header(r, "content-length");
    if (length.data == NULL) {
        r->state = IN_EVERYTHING;
        r->keep_alive = false;
        return ARKA_OK;
    }
    uint64_t n;
    if (!arka_parse_u64(length.data, length.len, &n) || n > INT64_MAX)
        return arka_fail(err, ARKA_CORRUPT, "answer has Content-Length '%.*s', expected a number",
                         ARKA_FMT(length));
    r->content_length = r->left = (int64_t)n;
    r->state = IN_LENGTH;
    r->complete = n == 0;
    return ARKA_OK;
}

/* Takes bytes up to the empty line that ends the head. */
static arka_status feed_head(arka_http_response *r, const char *bytes, size_t n, size_t *used,
                             arka_error *err)
{
    size_t before = r->head.len;
    size_t take = before + n > MAX_HEAD ? MAX_HEAD - before : n;
    arka_buf_append(&r->head, bytes, take);
    if (r->head.failed)
        return arka_fail_nomem(err, "the head of an answer", before + take);
    size_t from = before < 3 ? 0 : before - 3;
    const char *end = memmem(r->head.data + from, r->head.len - from, "\r\n\r\n", 4);
    if (end == NULL) {
        if (r->head.len == MAX_HEAD)
            return arka_fail(err, ARKA_LIMIT, "head of an answer over %d bytes", MAX_HEAD);
        *used = n;
        return ARKA_OK;
    }
    size_t len = (size_t)(end - r->head.data) + 2; /* keeps the last line's CRLF */
    *used = len + 2 - before;
    r->head.len = len;
    return begin_body(r, err);
}

static arka_status take_body(arka_http_response *r, const char *bytes, size_t n, arka_error *err)
{
    r->n_body_bytes += (int64_t)n;
    return r->sink != NULL ? r->sink(r->sink_context, bytes, n, err) : ARKA_OK;
}

static arka_status bad_chunk(arka_error *err, const char *where, char found)
{
    return arka_fail(err, ARKA_CORRUPT, "chunked answer: byte 0x%02x %s", (unsigned char)found,
                     where);
}

/* The line ended; a size of 0 was the last chunk. */
static void begin_chunk(arka_http_response *r)
{
    r->n_line = 0;
    r->saw_digit = false;
    r->state = r->left == 0 ? IN_TRAILER : IN_CHUNK;
}

/* One byte of chunk framing: everything but the chunks' content. */
static arka_status feed_framing(arka_http_response *r, char c, arka_error *err)
{
    switch ((enum state)r->state) {
    case IN_CHUNK_SIZE: {
        int digit = arka_hex_digit(c);
        if (digit >= 0) {
            if (r->left >> 58 != 0)
                return arka_fail(err, ARKA_CORRUPT, "chunked answer: a chunk of over 2^62 bytes");
            r->left = r->left * 16 + digit;
            r->saw_digit = true;
            return ARKA_OK;
        }
        if (!r->saw_digit)
            return bad_chunk(err, "where a chunk's size should begin", c);
        r->state = IN_CHUNK_LINE;
    } /* fallthrough */
    case IN_CHUNK_LINE:
        if (c == '\n')
            begin_chunk(r);
        else if (++r->n_line > MAX_CHUNK_LINE)
            return arka_fail(err, ARKA_LIMIT, "chunked answer: a size line over %d bytes",
                             MAX_CHUNK_LINE);
        return ARKA_OK;
    case IN_CHUNK_CR:
        if (c != '\r')
            return bad_chunk(err, "behind a chunk, expected CR", c);
        r->state = IN_CHUNK_LF;
        return ARKA_OK;
    case IN_CHUNK_LF:
        if (c != '\n')
            return bad_chunk(err, "behind a chunk, expected LF", c);
        r->state = IN_CHUNK_SIZE;
        return ARKA_OK;
    case IN_TRAILER:
        if (++r->n_framing > MAX_HEAD)
            return arka_fail(err, ARKA_LIMIT, "chunked answer: trailers over %d bytes", MAX_HEAD);
        if (c == '\n') {
            r->complete = r->n_line == 0;
            r->n_line = 0;
        } else if (c != '\r') {
            r->n_line++;
        }
        return ARKA_OK;
    case IN_HEAD:
    case IN_LENGTH:
    case IN_EVERYTHING:
    case IN_CHUNK:
        break;
    }
    ARKA_CHECK(false, "state %d has no framing", r->state);
    return ARKA_OK;
}

arka_status arka_http_response_feed(arka_http_response *r, const char *bytes, size_t n,
                                    size_t *used, arka_error *err)
{
    const char *at = bytes, *end = bytes + n;
    while (at < end && !r->complete) {
        size_t rest = (size_t)(end - at), took = 1;
        switch ((enum state)r->state) {
        case IN_HEAD:
            ARKA_TRY(feed_head(r, at, rest, &took, err));
            break;
        case IN_LENGTH:
        case IN_CHUNK:
            took = rest > (size_t)r->left ? (size_t)r->left : rest;
            ARKA_TRY(take_body(r, at, took, err));
            r->left -= (int64_t)took;
            if (r->left == 0 && r->state == IN_LENGTH)
                r->complete = true;
            else if (r->left == 0)
                r->state = IN_CHUNK_CR;
            break;
        case IN_EVERYTHING:
            took = rest;
            ARKA_TRY(take_body(r, at, took, err));
            break;
        case IN_CHUNK_SIZE:
        case IN_CHUNK_LINE:
        case IN_CHUNK_CR:
        case IN_CHUNK_LF:
        case IN_TRAILER:
            ARKA_TRY(feed_framing(r, *at, err));
            break;
        }
        at += took;
    }
    *used = (size_t)(at - bytes);
    return ARKA_OK;
}

arka_status arka_http_response_end(arka_http_response *r, arka_error *err)
{
    if (r->complete)
        return ARKA_OK;
    if (r->state == IN_EVERYTHING) {
        r->complete = true;
        return ARKA_OK;
    }
    if (r->status == 0)
        return arka_fail(err, ARKA_CORRUPT, "connection ended after %zu bytes of an answer's head",
                         r->head.len);
    if (r->content_length >= 0)
        return arka_fail(err, ARKA_CORRUPT,
                         "connection ended after %lld of the answer's %lld bytes",
                         (long long)r->n_body_bytes, (long long)r->content_length);
    return arka_fail(err, ARKA_CORRUPT, "connection ended before the last chunk, after %lld bytes",
                     (long long)r->n_body_bytes);
}
