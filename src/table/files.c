#include "table/files.h"

#include <string.h>

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
                             .schema_version = like->schema_version,
                             .path = path};
    arka_ref_init(&file->ref);
    *out = file;
    return ARKA_OK;
}

void arka_data_file_unref(arka_data_file *file)
{
    if (file != NULL && arka_ref_drop(&file->ref))
        arka_free(file);
}

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
