/* Every allocation fails once: right error, nothing lost or doubled, the next call works. */
#include "kit/witness.h"

TEST(opening_survives_every_failed_allocation)
{
    arka_error err = {0};
    witness_begin("memory-open");
    for (int i = 0; i < 3; i++) {
        witness_write_some(4);
        ASSERT_OK(witness_flush_all(&err));
    }
    ASSERT_OK(arka_engine_close(witness.engine, &err));
    for (int for_good = 0; for_good < 2; for_good++)
        for (long n = 1;; n++) {
            err = (arka_error){0};
            kit_fail_allocation(n, for_good);
            arka_status status = arka_engine_open(&witness.options, &witness.engine, &err);
            kit_fail_allocation(0, false);
            if (status != ARKA_OK) {
                assert_int_equal(status, ARKA_NOMEM);
                assert_int_equal(err.code, ARKA_NOMEM);
                continue;
            }
            witness_check(witness.engine, WITNESS_EXACT);
            ASSERT_OK(arka_engine_close(witness.engine, &err));
            if (!kit_allocation_failed())
                break;
        }
    ASSERT_OK(arka_engine_open(&witness.options, &witness.engine, &err));
    witness_end();
}

TEST(writing_survives_every_failed_allocation)
{
    witness_begin("memory-write");
    for (int for_good = 0; for_good < 2; for_good++)
        for (long n = 1;; n++) {
            arka_error err = {0};
            int64_t k = witness.next++, rows = 1 + k % LEDGER_ROWS;
            arka_put_batch put = {.measurement = ARKA_SLICE("m"),
                                  .batch = ledger_batch(k * LEDGER_ROWS, rows)};
            kit_fail_allocation(n, for_good);
            arka_status status =
                arka_engine_write(witness.engine, ARKA_SLICE("default"), &put, 1, n % 2, &err);
            kit_fail_allocation(0, false);
            bool failed = kit_allocation_failed();
            arka_batch_unref(put.batch);
            assert_int_equal(put.status, status);
            assert_int_equal(err.code, status);
            assert_true(status == ARKA_OK || status == ARKA_NOMEM);
            witness.stored[k] = status == ARKA_OK ? (uint8_t)rows : 0;
            witness_write_some(1); /* nothing stands in the way of the next one */
            if (n > 40 && !failed)
                break;
        }
    witness_end();
}

TEST(making_databases_and_tables_survives_every_failed_allocation)
{
    witness_begin("memory-ddl");
    for (int for_good = 0; for_good < 2; for_good++)
        for (long n = 1;; n++) {
            char database[32];
            snprintf(database, sizeof database, "db%d_%ld", for_good, n);
            arka_error err = {0};
            arka_batch *batch = kit_rows(LEDGER_T0, 1, 3);
            arka_put_batch put = {.measurement = ARKA_SLICE("t"), .batch = batch};
            kit_fail_allocation(n, for_good);
            arka_status status =
                arka_engine_write(witness.engine, arka_slice_of(database), &put, 1, false, &err);
            kit_fail_allocation(0, false);
            bool failed = kit_allocation_failed();
            arka_batch_unref(batch);
            assert_true(status == ARKA_OK || status == ARKA_NOMEM);
            /* The same once more: whatever was made of it before stands in nobody's way. */
            err = (arka_error){0};
            ASSERT_OK(kit_write(witness.engine, database, "t", kit_rows(LEDGER_T0, 1, 3), &err));
            arka_snapshot *s = kit_snapshot(witness.engine, database, "t");
            assert_int_equal(kit_snapshot_rows(s), status == ARKA_OK ? 6 : 3);
            arka_snapshot_unref(s);
            if (!failed)
                break;
        }
    witness_end();
}

TEST(atomic_writes_survive_every_failed_allocation)
{
    witness_begin("memory-atomic");
    int64_t rows[2] = {0, 0};
    for (long n = 1;; n++) {
        arka_error err = {0};
        arka_put_batch puts[] = {
            {.measurement = ARKA_SLICE("one"), .batch = kit_rows(LEDGER_T0, 1, 3)},
            {.measurement = ARKA_SLICE("two"), .batch = kit_rows(LEDGER_T0, 1, 3)}};
        kit_fail_allocation(n, true);
        arka_status status =
            arka_engine_write(witness.engine, ARKA_SLICE("default"), puts, 2, true, &err);
        kit_fail_allocation(0, false);
        for (int i = 0; i < 2; i++) {
            assert_int_equal(puts[i].status, status); /* both or none */
            rows[i] += status == ARKA_OK ? 3 : 0;
            arka_batch_unref(puts[i].batch);
            arka_snapshot *s;
            if (arka_engine_snapshot(witness.engine, ARKA_SLICE("default"), puts[i].measurement, &s,
                                     NULL) == ARKA_OK) {
                assert_int_equal(s->n_hot_rows, rows[i]);
                arka_snapshot_unref(s);
            } else {
                assert_int_equal(rows[i], 0);
            }
        }
        if (n > 40 && !kit_allocation_failed())
            break;
    }
    witness_end();
}

TEST(looking_survives_every_failed_allocation)
{
    arka_error err = {0};
    witness_begin("memory-look");
    witness_write_some(3);
    ASSERT_OK(witness_flush_all(&err));
    witness_write_some(20);
    for (int for_good = 0; for_good < 2; for_good++)
        for (long n = 1;; n++) {
            arka_snapshot *s = NULL;
            err = (arka_error){0};
            kit_fail_allocation(n, for_good);
            arka_status status = arka_engine_snapshot(witness.engine, ARKA_SLICE("default"),
                                                      ARKA_SLICE("m"), &s, &err);
            kit_fail_allocation(0, false);
            arka_snapshot_unref(s);
            assert_int_equal(err.code, status);
            assert_true(status == ARKA_OK || status == ARKA_NOMEM);
            if (!kit_allocation_failed())
                break;
        }
    witness_end();
}

/* The witness again, with a log. */
static void begin_logged(const char *name)
{
    static char wal[300];
    arka_error err = {0};
    witness_begin(name);
    snprintf(wal, sizeof wal, "%s/%s/wal", kit_tmpdir(), name);
    witness.options.wal_dir = wal;
    witness.options.wal_segment_bytes = 8192;
    ASSERT_OK(arka_engine_close(witness.engine, &err));
    ASSERT_OK(arka_engine_open(&witness.options, &witness.engine, &err));
}

static void sweep_flush_memory(const char *name, int n_batches, bool for_good, int stride)
{
    if (strstr(name, "logged") != NULL)
        begin_logged(name);
    else
        witness_begin(name);
    for (long n = 1;; n += n < 50 ? 1 : stride) {
        arka_error err = {0};
        witness_write_some(n_batches);
        kit_fail_allocation(n, for_good);
        arka_status status = witness_flush_all(&err);
        kit_fail_allocation(0, false);
        bool failed = kit_allocation_failed();
        assert_true(status == ARKA_OK || status == ARKA_NOMEM);
        assert_int_equal(err.code, status);
        if (n % 32 == 1 || !failed)
            witness_check_disk();
        if (!failed)
            break;
        err = (arka_error){0};
        ASSERT_OK(witness_flush_all(&err)); /* nothing stands in the way of the next one */
    }
    witness_end();
}

TEST(flushing_one_file_survives_every_failed_allocation)
{
    sweep_flush_memory("memory-flush-1", 1, false, 1);
    sweep_flush_memory("memory-flush-2", 1, true, 5);
}

TEST(flushing_many_files_survives_failed_allocations)
{
    sweep_flush_memory("memory-flush-3", 6, false, 23);
    sweep_flush_memory("memory-flush-4", 6, true, 31);
}

TEST(flushing_with_a_log_survives_failed_allocations)
{
    sweep_flush_memory("memory-logged-1", 3, false, 11);
    sweep_flush_memory("memory-logged-2", 3, true, 17);
}

TEST(trimming_survives_every_failed_allocation)
{
    begin_logged("memory-trim");
    for (int for_good = 0; for_good < 2; for_good++)
        for (long n = 1;; n++) {
            arka_error err = {0};
            int64_t removed;
            witness_write_some(60);
            ASSERT_OK(witness_flush_all(&err));
            kit_fail_allocation(n, for_good);
            arka_status status = arka_engine_trim(witness.engine, &removed, &err);
            kit_fail_allocation(0, false);
            assert_true(status == ARKA_OK || status == ARKA_NOMEM);
            if (!kit_allocation_failed())
                break;
        }
    witness_end();
}

TEST(closing_survives_every_failed_allocation)
{
    arka_error err = {0};
    witness_begin("memory-close");
    for (long n = 1;; n += 3) {
        witness_note_flushed();
        witness_write_some(4);
        err = (arka_error){0};
        kit_fail_allocation(n, true);
        arka_status status = arka_engine_close(witness.engine, &err);
        kit_fail_allocation(0, false);
        bool failed = kit_allocation_failed();
        assert_true(status == ARKA_OK || status == ARKA_NOMEM);
        assert_int_equal(err.code, status);
        err = (arka_error){0};
        ASSERT_OK(arka_engine_open(&witness.options, &witness.engine, &err));
        witness_check(witness.engine,
                      status == ARKA_OK ? WITNESS_EXACT : WITNESS_LOSSY); /* there is no log yet */
        witness_check_disk();
        if (status !=
            ARKA_OK) /* what a close could not flush is lost, as long as there is no log */
            for (int64_t k = 0; k < witness.next; k++)
                witness.stored[k] = witness.flushed[k] ? witness.stored[k] : 0;
        if (!failed)
            break;
    }
    witness_end();
}
