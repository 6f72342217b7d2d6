#include "observe/machine_usage.h"

#include "base/mem.h"
#include "base/number.h"
#include "os/file.h"

enum { MAX_FILE = 1 << 20 };

/* ---- words of a text ---- */

static arka_slice next_line(arka_slice *rest)
{
    const char *end = rest->len ? memchr(rest->data, '\n', rest->len) : NULL;
    size_t n = end ? (size_t)(end - rest->data) : rest->len;
    arka_slice line = {rest->data, n};
    n += end != NULL;
    *rest = (arka_slice){rest->data + n, rest->len - n};
    return line;
}

static bool is_mark(char c)
{
    return c == ' ' || c == '\t' || c == ':' || c == '/';
}

/* Words are parted by blanks, colons and slashes; empty: there is none any more. */
static arka_slice next_word(arka_slice *line)
{
    while (line->len > 0 && is_mark(*line->data))
        *line = (arka_slice){line->data + 1, line->len - 1};
    arka_slice word = {line->data, 0};
    while (word.len < line->len && !is_mark(line->data[word.len]))
        word.len++;
    *line = (arka_slice){line->data + word.len, line->len - word.len};
    return word;
}

static int64_t next_number(arka_slice *line)
{
    arka_slice word = next_word(line);
    int64_t n = -1;
    return word.len > 0 && arka_parse_i64(word.data, word.len, &n) ? n : -1;
}

/* ---- the files ---- */

void arka_machine_parse_stat(arka_slice text, arka_machine_usage *out)
{
    /* user nice system idle iowait irq softirq steal; guests are in user already */
    enum { FIELDS = 8, IDLE = 3, IOWAIT = 4 };
    arka_slice line = next_line(&text);
    int64_t all = 0, idle = 0;
    if (!arka_slice_eq(next_word(&line), ARKA_SLICE("cpu")))
        return;
    for (int i = 0; i < FIELDS; i++) {
        int64_t n = next_number(&line);
        if (n < 0)
            break; /* an older kernel has fewer */
        all += n;
        idle += i == IDLE || i == IOWAIT ? n : 0;
    }
    out->all_ticks = all;
    out->busy_ticks = all - idle;
}

/* The number behind a name that begins a line; -1: there is none. */
static int64_t number_of(arka_slice text, const char *name)
{
    while (text.len > 0) {
        arka_slice line = next_line(&text);
        if (arka_slice_eq(next_word(&line), arka_slice_of(name)))
            return next_number(&line);
    }
    return -1;
}

static int64_t kib(int64_t n)
{
    return n < 0 ? -1 : n << 10;
}

void arka_machine_parse_meminfo(arka_slice text, arka_machine_usage *out)
{
    out->memory_bytes = kib(number_of(text, "MemTotal"));
    out->available_bytes = kib(number_of(text, "MemAvailable"));
}

void arka_machine_parse_loadavg(arka_slice text, arka_machine_usage *out)
{
    for (int i = 0; i < 3; i++) {
        arka_slice word = next_word(&text);
        if (word.len == 0 || !arka_parse_f64(word.data, word.len, &out->load[i]))
            return;
    }
    next_word(&text); /* those that run at this moment */
    out->n_processes = next_number(&text);
}

void arka_machine_parse_net(arka_slice text, arka_machine_usage *out)
{
    enum { BETWEEN = 7 }; /* numbers between the bytes received and those sent */
    int64_t received = 0, sent = 0;
    next_line(&text);
    next_line(&text); /* two lines of headings */
    while (text.len > 0) {
        arka_slice line = next_line(&text), name = next_word(&line);
        int64_t in = next_number(&line);
        for (int i = 0; i < BETWEEN; i++)
            next_word(&line);
        int64_t of = next_number(&line);
        if (name.len == 0 || in < 0 || of < 0 || arka_slice_eq(name, ARKA_SLICE("lo")))
            continue;
        received += in;
        sent += of;
    }
    out->received_bytes = received;
    out->sent_bytes = sent;
}

void arka_machine_parse_io(arka_slice text, arka_machine_usage *out)
{
    out->reads = number_of(text, "syscr");
    out->read_bytes = number_of(text, "rchar");
    out->writes = number_of(text, "syscw");
    out->write_bytes = number_of(text, "wchar");
}

static void read_file(const char *path, void (*parse)(arka_slice text, arka_machine_usage *out),
                      arka_machine_usage *out)
{
    char *text;
    size_t n;
    if (arka_file_read(path, MAX_FILE, &text, &n, NULL) != ARKA_OK)
        return;
    parse((arka_slice){text, n}, out);
    arka_free(text);
}

void arka_machine_usage_get(arka_machine_usage *out)
{
    *out = (arka_machine_usage){-1, -1, -1, -1, {-1, -1, -1}, -1, -1, -1, -1, -1, -1, -1};
    read_file("/proc/stat", arka_machine_parse_stat, out);
    read_file("/proc/meminfo", arka_machine_parse_meminfo, out);
    read_file("/proc/loadavg", arka_machine_parse_loadavg, out);
    read_file("/proc/self/net/dev", arka_machine_parse_net, out);
    read_file("/proc/self/io", arka_machine_parse_io, out);
}
