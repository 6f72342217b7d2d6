#include "table/files.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/crc32c.h"

arka_status arka_data_file_new(const arka_data_file *like, arka_data_file **out, arka_error *err)
{
    size_t n = strlen(like->path) + 1;
    arka_data_file *file = arka_malloc(sizeof *file + n);
    if (file == NULL)
        return arka_fail_nomem(err, "a file entry", sizeof *file + n);
    char *path = (char *)(file + 1);
    memcpy(path, like->path, n);
    *file = (arka_data_file){.n_rows = like->n_rows,
                             .n_bytes = like->n_bytes,
                             .time_min = like->time_min,
                             .time_max = like->time_max,
                             .created_us = like->created_us,
                             .lsn_first = like->lsn_first,
                             .lsn_last = like->lsn_last,
                             .schema_version = like->schema_version,
                             .path = path,
                             .has_crc = like->has_crc,
                             .crc = like->crc};
    atomic_init(&file->checked, atomic_load(&like->checked));
    arka_ref_init(&file->ref);
    *out = file;
    return ARKA_OK;
}

void arka_data_file_unref(arka_data_file *file)
{
    if (file != NULL && arka_ref_drop(&file->ref))
        arka_free(file);
}

/* ---- its bytes ---- */

enum { PIECE = 256 << 10 };

static const char *name_of(const arka_data_file *file)
{
    const char *slash = strrchr(file->path, '/');
    return slash ? slash + 1 : file->path;
}

/* Of all that is there, by way of `piece`. */
static arka_status sum(const arka_data_file *file, int fd, char *piece, uint32_t *crc,
                       int64_t *n_bytes, arka_error *err)
{
    for (*n_bytes = 0, *crc = 0;;) {
        ssize_t n = pread(fd, piece, PIECE, *n_bytes);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return arka_fail_sys(err, ARKA_IO, errno, "reading data file %s", name_of(file));
        if (n == 0)
            return ARKA_OK;
        *crc = arka_crc32c_more(*crc, piece, (size_t)n);
        *n_bytes += n;
    }
}

static arka_status compare(arka_data_file *file, int fd, char *piece, arka_error *err)
{
    uint32_t crc;
    int64_t n_bytes;
    ARKA_TRY(sum(file, fd, piece, &crc, &n_bytes, err));
    if (n_bytes != file->n_bytes || crc != file->crc)
        return arka_fail(err, ARKA_CORRUPT,
                         "data file %s is damaged: %lld bytes with CRC-32C %08x, expected %lld "
                         "bytes with %08x",
                         name_of(file), (long long)n_bytes, crc, (long long)file->n_bytes,
                         file->crc);
    atomic_store_explicit(&file->checked, true, memory_order_relaxed); /* it says nothing else */
    return ARKA_OK;
}

arka_status arka_data_file_check(arka_data_file *file, arka_error *err)
{
    if (!file->has_crc || atomic_load_explicit(&file->checked, memory_order_relaxed))
        return ARKA_OK;
    int fd = open(file->path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return ARKA_OK; /* who reads it will say so */
    char *piece = arka_malloc(PIECE);
    arka_status status =
        piece ? compare(file, fd, piece, err) : arka_fail_nomem(err, "a data file", PIECE);
    arka_free(piece);
    close(fd);
    return status;
}

/* ---- lists ---- */

static void add(arka_file_list *list, arka_data_file *file)
{
    arka_ref_add(&file->ref);
    list->items[list->n++] = file;
    list->n_rows += file->n_rows;
    list->n_bytes += file->n_bytes;
}

arka_status arka_file_list_new(const arka_file_list *before, arka_data_file *const *more, size_t n,
                               arka_file_list **out, arka_error *err)
{
    size_t n_before = before ? (size_t)before->n : 0;
    size_t n_bytes = sizeof(arka_file_list) + (n_before + n) * sizeof(arka_data_file *);
    arka_file_list *list = arka_malloc(n_bytes);
    if (list == NULL)
        return arka_fail_nomem(err, "a table's files", n_bytes);
    *list = (arka_file_list){.n = 0};
    arka_ref_init(&list->ref);
    for (size_t i = 0; i < n_before; i++)
        add(list, before->items[i]);
    for (size_t i = 0; i < n; i++)
        add(list, more[i]);
    *out = list;
    return ARKA_OK;
}

void arka_file_list_unref(arka_file_list *list)
{
    if (list == NULL || !arka_ref_drop(&list->ref))
        return;
    for (int64_t i = 0; i < list->n; i++)
        arka_data_file_unref(list->items[i]);
    arka_free(list);
}
