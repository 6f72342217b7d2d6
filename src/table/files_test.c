/* F20: a data file whose bytes are not those that were written is told from one that is whole. */
#include "table/files.h"

#include <unistd.h>

#include "base/crc32c.h"
#include "kit/kit.h"

static arka_data_file *make(const char *path, const char *bytes, size_t n, bool has_crc)
{
    arka_error err = {0};
    arka_data_file *file;
    FILE *f = fopen(path, "w");
    assert_int_equal(fwrite(bytes, 1, n, f), n);
    fclose(f);
    arka_data_file like = {.n_rows = 1,
                           .n_bytes = (int64_t)n,
                           .path = path,
                           .has_crc = has_crc,
                           .crc = arka_crc32c(bytes, n)};
    ASSERT_OK(arka_data_file_new(&like, &file, &err));
    return file;
}

static void change(const char *path, long at, int byte)
{
    FILE *f = fopen(path, "r+");
    fseek(f, at, SEEK_SET);
    fputc(byte, f);
    fclose(f);
}

TEST(a_changed_byte_is_found_once_and_named)
{
    enum { N = 600000 }; /* several pieces */
    arka_error err = {0};
    char path[300];
    char *bytes = calloc(N, 1);
    static const long PLACES[] = {0, 1, 262143, 262144, N - 1};
    snprintf(path, sizeof path, "%s/cpu_1.parquet", kit_tmpdir());
    for (size_t i = 0; i < sizeof PLACES / sizeof *PLACES; i++) {
        arka_data_file *file = make(path, bytes, N, true);
        change(path, PLACES[i], 1);
        ASSERT_FAILS(arka_data_file_check(file, &err), ARKA_CORRUPT,
                     "data file cpu_1.parquet is damaged: 600000 bytes with CRC-32C");
        change(path, PLACES[i], 0);
        ASSERT_OK(arka_data_file_check(file, &err));
        change(path, PLACES[i], 1);
        ASSERT_OK(arka_data_file_check(file, &err)); /* looked at once in a process's life */
        arka_data_file_unref(file);
    }
    free(bytes);
}

TEST(a_length_that_differs_is_damage)
{
    arka_error err = {0};
    char path[300];
    snprintf(path, sizeof path, "%s/cpu_2.parquet", kit_tmpdir());
    arka_data_file *file = make(path, "PAR1", 4, true);
    assert_int_equal(truncate(path, 3), 0);
    ASSERT_FAILS(arka_data_file_check(file, &err), ARKA_CORRUPT, "3 bytes");
    arka_data_file_unref(file);
}

TEST(a_file_without_a_checksum_or_that_is_gone_is_left_to_its_reader)
{
    arka_error err = {0};
    char path[300];
    snprintf(path, sizeof path, "%s/cpu_3.parquet", kit_tmpdir());
    arka_data_file *old = make(path, "PAR1", 4, false), *gone = make(path, "PAR1", 4, true);
    change(path, 0, 'X');
    ASSERT_OK(arka_data_file_check(old, &err));
    unlink(path);
    ASSERT_OK(arka_data_file_check(gone, &err));
    arka_data_file_unref(old);
    arka_data_file_unref(gone);
}
