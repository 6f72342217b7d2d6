#include "engine/request_text.h"

#include "base/number.h"
#include "base/utf8.h"

static const char DIGITS[] = "0123456789abcdef";

arka_slice arka_request_answer_cut(arka_slice answer)
{
    if (answer.len > ARKA_MAX_ANSWER)
        answer.len = arka_utf8_cut(answer.data, answer.len, ARKA_MAX_ANSWER);
    return answer;
}

/* ---- writing ---- */

static bool is_plain(unsigned char c)
{
    return c >= 0x20 && c != 0x7f && c != '\\';
}

static void write_escaped(arka_buf *out, unsigned char c)
{
    char text[4] = {'\\', 'x', DIGITS[c >> 4], DIGITS[c & 15]};
    arka_buf_append(out, text, sizeof text);
}

/* Runs of UTF-8, and between them single bytes that are none. */
static void write_field(arka_buf *out, arka_slice s)
{
    while (s.len > 0) {
        size_t good = arka_utf8_check(s.data, s.len);
        for (size_t i = 0; i < good; i++)
            if (is_plain((unsigned char)s.data[i]))
                arka_buf_byte(out, s.data[i]);
            else
                write_escaped(out, (unsigned char)s.data[i]);
        if (good < s.len)
            write_escaped(out, (unsigned char)s.data[good++]);
        s.data += good;
        s.len -= good;
    }
}

size_t arka_request_line_room(arka_slice database, arka_slice key, arka_slice answer)
{
    enum { ESCAPED = 4, SEPARATORS = 4 };
    size_t n = database.len + key.len + arka_request_answer_cut(answer).len;
    return ARKA_NUMBER_TEXT + SEPARATORS + n * ESCAPED;
}

void arka_request_line_write(arka_buf *out, arka_slice database, arka_slice key, uint64_t lsn,
                             arka_slice answer)
{
    char number[ARKA_NUMBER_TEXT];
    arka_buf_append(out, number, arka_format_u64(number, lsn));
    arka_buf_byte(out, '\t');
    write_field(out, database);
    arka_buf_byte(out, '\t');
    write_field(out, key);
    arka_buf_byte(out, '\t');
    write_field(out, arka_request_answer_cut(answer));
    arka_buf_byte(out, '\n');
}

/* ---- reading ---- */

/* What stands before `end`, which goes as well; false: there is no such byte. */
static bool take_until(arka_slice *text, char end, arka_slice *out)
{
    const char *at = text->len > 0 ? memchr(text->data, end, text->len) : NULL;
    if (at == NULL)
        return false;
    *out = (arka_slice){text->data, (size_t)(at - text->data)};
    text->data = at + 1;
    text->len -= out->len + 1;
    return true;
}

/* The byte that \xhh at `at` stands for; -1: it does not stand there. */
static int escaped_byte(arka_slice field, size_t at)
{
    if (field.len - at < 4 || field.data[at + 1] != 'x')
        return -1;
    const char *high = strchr(DIGITS, field.data[at + 2]),
               *low = strchr(DIGITS, field.data[at + 3]);
    if (high == NULL || low == NULL || *high == 0 || *low == 0)
        return -1;
    return (int)((high - DIGITS) << 4 | (low - DIGITS));
}

/* Into to[0..max); false: too long, or bytes that are not written so. */
static bool read_field(arka_slice field, char *to, size_t max, arka_slice *out)
{
    if (!arka_utf8_valid(field.data, field.len))
        return false;
    size_t n = 0;
    for (size_t i = 0; i < field.len; i++, n++) {
        if (n == max)
            return false;
        if (is_plain((unsigned char)field.data[i])) {
            to[n] = field.data[i];
            continue;
        }
        int c = field.data[i] == '\\' ? escaped_byte(field, i) : -1;
        if (c < 0)
            return false;
        to[n] = (char)c;
        i += 3;
    }
    *out = (arka_slice){to, n};
    return true;
}

static bool read_lsn(arka_slice field, uint64_t *out)
{
    return field.len > 0 && field.data[0] != '0' && arka_parse_u64(field.data, field.len, out) &&
           *out <= INT64_MAX;
}

static arka_status fail_field(const char *field, const char *expected, arka_slice found,
                              arka_error *err)
{
    size_t n = arka_utf8_cut(found.data, found.len, 80);
    return arka_fail(err, ARKA_CORRUPT, "the %s of a request in the log is '%.*s', not %s", field,
                     (int)n, found.data, expected);
}

arka_status arka_request_line_read(arka_slice *text, arka_request_line *out, arka_error *err)
{
    arka_slice line, fields[3];
    char *to = out->text;
    if (!take_until(text, '\n', &line))
        return fail_field("line", "ended by a line feed", *text, err);
    for (int i = 0; i < 3; i++)
        if (!take_until(&line, '\t', &fields[i]))
            return fail_field("line", "four fields with tabs between them", line, err);
    if (!read_lsn(fields[0], &out->lsn))
        return fail_field("LSN", "a number from 1 to 9223372036854775807", fields[0], err);
    if (!read_field(fields[1], to, ARKA_MAX_REQUEST_DATABASE, &out->database) ||
        out->database.len == 0)
        return fail_field("database", "1 to 255 bytes with others than printable ones as \\xhh",
                          fields[1], err);
    to += ARKA_MAX_REQUEST_DATABASE;
    if (!read_field(fields[2], to, ARKA_MAX_KEY, &out->key) ||
        arka_key_check(out->key, NULL) != ARKA_OK)
        return fail_field("key", "1 to 255 printable ASCII characters", fields[2], err);
    to += ARKA_MAX_KEY;
    if (!read_field(line, to, ARKA_MAX_ANSWER, &out->answer))
        return fail_field("answer", "up to 1024 bytes with others than printable ones as \\xhh",
                          line, err);
    return ARKA_OK;
}
