/**
 * An engine on a disk that can fail, and what it has been told: batches of the ledger into table
 * "m", and which of them it acknowledged. One at a time; the test's own process is the only user.
 */
#ifndef TESTS_KIT_WITNESS_H
#define TESTS_KIT_WITNESS_H

#include <ftw.h>

#include "kit/faulty_os.h"
#include "kit/faulty_vfs.h"
#include "kit/ledger.h"

enum { WITNESS_BATCHES = 8000, WITNESS_IDS = WITNESS_BATCHES * LEDGER_ROWS };

typedef struct witness_state {
    arka_engine_options options;
    arka_engine *engine;
    int64_t next;                    /* batch to write */
    uint8_t stored[WITNESS_BATCHES]; /* rows of each that were acknowledged */
    bool flushed[WITNESS_BATCHES];   /* before the step that goes wrong */
} witness_state;

static witness_state witness;

static inline void witness_begin(const char *name)
{
    arka_error err = {0};
    witness = (witness_state){.options = kit_engine_options(name)};
    witness.options.os = &kit_os;
    kit_vfs_install();
    ASSERT_OK(arka_engine_open(&witness.options, &witness.engine, &err));
}

static inline arka_status witness_write(arka_error *err)
{
    int64_t k = witness.next++, n = 1 + k % LEDGER_ROWS;
    assert_true(k < WITNESS_BATCHES);
    arka_put_batch put = {.measurement = ARKA_SLICE("m"),
                          .batch = ledger_batch(k * LEDGER_ROWS, n)};
    arka_status status =
        arka_engine_write(witness.engine, ARKA_SLICE("default"), &put, 1, k % 2, err);
    arka_batch_unref(put.batch);
    assert_int_equal(put.status, status); /* one batch: its fate is the request's */
    witness.stored[k] = status == ARKA_OK ? (uint8_t)n : 0;
    return status;
}

static inline void witness_write_some(int n)
{
    arka_error err = {0};
    for (int i = 0; i < n; i++)
        ASSERT_OK(witness_write(&err));
}

static inline arka_status witness_flush_all(arka_error *err)
{
    int64_t n;
    return arka_engine_flush(witness.engine, (arka_slice){0}, (arka_slice){0}, &n, err);
}

static inline void witness_note_flushed(void)
{
    for (int64_t k = 0; k < witness.next; k++)
        witness.flushed[k] = witness.stored[k] > 0;
}

typedef enum witness_loss {
    WITNESS_EXACT, /* what was acknowledged is there once, and nothing else is */
    WITNESS_LOSSY, /* batches that were not flushed may be gone; those that are, are forgotten */
    WITNESS_IMAGE, /* the same of another engine, where all of them are there or none is */
} witness_loss;

static inline void witness_check(arka_engine *engine, witness_loss loss)
{
    ledger l;
    int64_t n_there = 0, n_gone = 0;
    ledger_begin(&l, WITNESS_IDS);
    ledger_read(&l, engine, "m");
    for (int64_t k = 0; k < witness.next; k++) {
        const uint8_t *seen = &l.seen[k * LEDGER_ROWS];
        int want = witness.stored[k];
        if (loss != WITNESS_EXACT && !witness.flushed[k] && want > 0) {
            n_there += seen[0] > 0;
            n_gone += seen[0] == 0;
            want = seen[0] > 0 ? want : 0;
        }
        for (int i = 0; i < LEDGER_ROWS; i++)
            if (seen[i] != (i < want))
                fail_msg("row %d of batch %lld is there %d times, %d were stored", i, (long long)k,
                         seen[i], witness.stored[k]);
        if (loss == WITNESS_LOSSY)
            witness.stored[k] = (uint8_t)want;
    }
    if (loss == WITNESS_IMAGE && n_there > 0)
        assert_int_equal(n_gone, 0);
    ledger_end(&l);
}

static int witness_files, witness_temporary;

static inline int witness_count_one(const char *path, const struct stat *st, int kind,
                                    struct FTW *ftw)
{
    (void)st, (void)ftw;
    size_t n = strlen(path);
    if (kind != FTW_F || strstr(path, "/.orphans/") != NULL)
        return 0;
    witness_files += n > 8 && strcmp(path + n - 8, ".parquet") == 0;
    witness_temporary += n > 4 && strcmp(path + n - 4, ".tmp") == 0;
    return 0;
}

/* The files on the disk are those of the manifest and no others. */
static inline void witness_check_files(arka_engine *engine, const char *base_path)
{
    witness_files = witness_temporary = 0;
    nftw(base_path, witness_count_one, 16, FTW_PHYS);
    arka_engine_stats stats;
    arka_engine_get_stats(engine, &stats);
    assert_int_equal(witness_temporary, 0);
    assert_int_equal(witness_files, stats.files);
}

static inline void witness_check_disk(void)
{
    witness_check_files(witness.engine, witness.options.base_path);
}

static inline void witness_reopen(witness_loss loss)
{
    arka_error err = {0};
    ASSERT_OK(arka_engine_close(witness.engine, &err));
    ASSERT_OK(arka_engine_open(&witness.options, &witness.engine, &err));
    witness_check(witness.engine, loss);
    witness_check_disk();
}

static inline void witness_end(void)
{
    arka_error err = {0};
    witness_check(witness.engine, WITNESS_EXACT);
    witness_reopen(WITNESS_EXACT);
    ASSERT_OK(arka_engine_close(witness.engine, &err));
}

#endif
