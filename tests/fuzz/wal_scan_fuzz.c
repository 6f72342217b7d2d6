/*
 * A log of two segments from nowhere: 4 bytes say how long the first one is, 4 with which LSN the
 * second one begins. Checksums are put right first, so that what they protect is reached. What the
 * scan says counts must come out as records in order, each once.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/crc32c.h"
#include "wal/wal_priv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static int files[2] = {-1, -1};
static uint64_t bases[2];

static void require(bool ok)
{
    if (!ok)
        abort();
}

static int open_segment(const char *path, int flags, mode_t mode)
{
    char name[ARKA_WAL__NAME];
    for (int i = 0; i < 2; i++) {
        arka_wal__name(bases[i], name);
        if (strstr(path, name) != NULL)
            return dup(files[i]);
    }
    abort();
}

static const arka_os os = {.open = open_segment, .close = close, .pread = pread};

static void put_hex(char *to, uint32_t crc)
{
    char text[9];
    snprintf(text, sizeof text, "%08x", crc);
    memcpy(to, text, 8);
}

/* Every message that can be read gets the checksums that it should have. */
static void mend(char *bytes, size_t n)
{
    for (size_t at = 0; at < n;) {
        arka_ipc_message m;
        if (arka_ipc_message_read((arka_slice){bytes, n}, at, NULL, &m, NULL) != ARKA_OK ||
            m.frame_bytes == 0)
            return;
        arka_slice text = {NULL, 0};
        for (uint32_t i = 0; i < m.n_pairs; i++)
            if (arka_slice_eq(arka_ipc_message_pair(&m, i).key, ARKA_SLICE("arka:crc")))
                text = arka_ipc_message_pair(&m, i).value;
        if (text.len == ARKA_WAL__CRC_TEXT) {
            size_t place = (size_t)(text.data - bytes), head = m.frame_bytes - m.body.len;
            put_hex(bytes + place, arka_crc32c(m.body.data, m.body.len));
            put_hex(bytes + place + 8, arka_wal__head_crc(bytes + at, head, place - at));
        }
        at += m.frame_bytes;
    }
}

static void fill(int i, const uint8_t *data, size_t n)
{
    char *bytes = malloc(n + 1);
    memcpy(bytes, data, n);
    mend(bytes, n);
    if (files[i] < 0)
        files[i] = memfd_create("segment", MFD_CLOEXEC);
    require(ftruncate(files[i], 0) == 0 && pwrite(files[i], bytes, n, 0) == (ssize_t)n);
    free(bytes);
}

static void read_record(arka_wal__cursor *c, uint64_t *last)
{
    arka_error err = {0};
    arka_wal_record record;
    ARKA_AUTO(arka_batch) control = NULL;
    ARKA_AUTO(arka_batch) batch = NULL;
    require(c->frame.lsn_first > *last && c->frame.lsn_last >= c->frame.lsn_first);
    *last = c->frame.lsn_last;
    if (arka_wal__cursor_record(c, &record, &control, &err) != ARKA_OK) {
        require(err.code == ARKA_CORRUPT);
        return;
    }
    require(record.n_rows == (int64_t)(record.lsn_last - record.lsn_first + 1));
    arka_status status = arka_wal__cursor_batch(c, &batch, &err);
    require(status == ARKA_OK || status == ARKA_CORRUPT);
    require(batch == NULL || batch->n_rows == record.n_rows);
}

static void read_segment(const arka_wal__found *f, uint64_t *last)
{
    arka_wal__cursor c;
    arka_wal__step step;
    int64_t n_records = 0;
    require(arka_wal__cursor_open(&os, "", f->base, &c, NULL) == ARKA_OK);
    while (c.at < f->safe_at) {
        require(arka_wal__cursor_next(&c, &step, NULL) == ARKA_OK);
        require(step != ARKA_WAL__BAD && step != ARKA_WAL__END);
        if (step == ARKA_WAL__BATCH) {
            n_records++;
            read_record(&c, last);
        }
    }
    require(n_records == f->n_records);
    arka_wal__cursor_close(&c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    uint32_t words[2];
    arka_error err = {0};
    arka_wal__scanned s;
    uint64_t last = 0;
    if (n < sizeof words)
        return 0;
    memcpy(words, data, sizeof words);
    data += sizeof words;
    n -= sizeof words;
    size_t first = words[0] < n ? words[0] : n;
    bases[0] = 1;
    bases[1] = 2 + (uint64_t)words[1];
    fill(0, data, first);
    fill(1, data + first, n - first);
    arka_status status = arka_wal__scan(&os, "", bases, first == n ? 1 : 2, NULL, &s, &err);
    require(status == ARKA_OK || status == ARKA_INPUT);
    require(status == ARKA_OK || err.msg[0] != 0);
    for (size_t i = 0; status == ARKA_OK && s.corrupt < 0 && i < s.segments.n; i++)
        if (s.segments.items[i].n_records > 0)
            read_segment(&s.segments.items[i], &last);
    require(status != ARKA_OK || s.corrupt < 0 || s.text[0] != 0);
    arka_wal__scanned_fini(&s);
    return 0;
}
