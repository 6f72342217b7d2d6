/*
 * The file: {manifest}.recoveries, one JSON object a line, the newest last. "number" counts the
 * recoveries since the file was begun.
 */
#include "server/metrics/recoveries.h"

#include "base/buf.h"
#include "wire/json.h"

enum { MAX_FILE = 64 << 10 };

static const struct {
    const char *name;
    size_t offset; /* of an int64_t in arka_replay_info */
} FIELDS[] = {
#define FIELD(name)                                                                                \
    {                                                                                              \
#name, offsetof(arka_replay_info, name)                                                    \
    }
    FIELD(finished_us),  FIELD(ms),     FIELD(n_segments),    FIELD(n_bytes),
    FIELD(n_records),    FIELD(n_rows), FIELD(replayed_rows), FIELD(torn_bytes),
    FIELD(n_quarantined)
#undef FIELD
};
enum { N_FIELDS = sizeof FIELDS / sizeof *FIELDS };

static char *path_of(const char *manifest_path, const char *end)
{
    arka_buf path = ARKA_BUF_INIT;
    arka_buf_printf(&path, "%s.recoveries%s", manifest_path, end);
    if (arka_buf_cstr(&path) == NULL)
        arka_buf_fini(&path);
    return path.data;
}

static arka_status read_line(arka_slice line, arka_replay_info *out, int64_t *number,
                             arka_error *err)
{
    ARKA_AUTO(arka_json) root = NULL;
    int64_t lsn = 0;
    *out = (arka_replay_info){0};
    ARKA_TRY(arka_json_parse(line, 0, &root, err));
    ARKA_TRY(arka_json_get_int(root, "number", number, err));
    for (int i = 0; i < N_FIELDS; i++) {
        int64_t *field = (int64_t *)(void *)((char *)out + FIELDS[i].offset);
        ARKA_TRY(arka_json_get_int(root, FIELDS[i].name, field, err));
    }
    ARKA_TRY(arka_json_get_int(root, "last_lsn", &lsn, err));
    out->last_lsn = (uint64_t)lsn;
    return ARKA_OK;
}

static arka_replay_info *make_room(arka_recoveries *list)
{
    if (list->n == ARKA_KEPT_RECOVERIES)
        memmove(list->items, list->items + 1, (size_t)--list->n * sizeof *list->items);
    return &list->items[list->n++];
}

static arka_status read_text(arka_slice text, const char *path, arka_recoveries *out,
                             arka_error *err)
{
    arka_error why = {0};
    for (int line = 1; text.len > 0; line++) {
        const char *end = memchr(text.data, '\n', text.len);
        size_t n = end != NULL ? (size_t)(end - text.data) : text.len;
        if (read_line((arka_slice){text.data, n}, make_room(out), &out->total, &why) != ARKA_OK)
            return arka_fail(err, why.code == ARKA_NOMEM ? ARKA_NOMEM : ARKA_CORRUPT,
                             "%s line %d is no recovery (remove the file to begin anew): %s", path,
                             line, why.msg);
        n += end != NULL;
        text = (arka_slice){text.data + n, text.len - n};
    }
    return ARKA_OK;
}

static arka_status read_path(const char *path, arka_recoveries *out, arka_error *err)
{
    char *text;
    size_t len;
    arka_error why = {0};
    arka_status status = arka_file_read(path, MAX_FILE, &text, &len, &why);
    if (status == ARKA_NOTFOUND)
        return ARKA_OK;
    if (status == ARKA_OK) {
        status = read_text((arka_slice){text, len}, path, out, &why);
        arka_free(text);
    }
    if (status != ARKA_OK && err != NULL)
        *err = why;
    return status;
}

arka_status arka_recoveries_read(const char *manifest_path, arka_recoveries *out, arka_error *err)
{
    *out = (arka_recoveries){0};
    char *path = path_of(manifest_path, "");
    if (path == NULL)
        return arka_fail_nomem(err, "a path", strlen(manifest_path));
    arka_status status = read_path(path, out, err);
    arka_free(path);
    return status;
}

/* ---- adding ---- */

static void put_line(arka_buf *out, const arka_replay_info *info, int64_t number)
{
    arka_buf_printf(out, "{\"number\":%lld", (long long)number);
    for (int i = 0; i < N_FIELDS; i++)
        arka_buf_printf(
            out, ",\"%s\":%lld", FIELDS[i].name,
            (long long)*(const int64_t *)(const void *)((const char *)info + FIELDS[i].offset));
    arka_buf_printf(out, ",\"last_lsn\":%llu}\n", (unsigned long long)info->last_lsn);
}

static arka_status write_whole(const char *from, const char *to, const arka_buf *text,
                               arka_error *err)
{
    ARKA_AUTO(arka_file) file = NULL;
    /* of a process that died in the middle; usually there is none */
    ARKA_IGNORE(arka_file_remove(&arka_os_real, from, NULL) != ARKA_OK);
    ARKA_TRY(arka_file_create(&arka_os_real, from, &file, err));
    ARKA_TRY(arka_file_append(file, text->data, text->len, err));
    ARKA_TRY(arka_file_sync(file, err));
    ARKA_TRY(arka_file_close(arka_take(file), err));
    return arka_file_publish(&arka_os_real, from, to, err);
}

static arka_status write_list(const char *manifest_path, const arka_recoveries *list,
                              arka_error *err)
{
    arka_buf text = ARKA_BUF_INIT;
    char *from = path_of(manifest_path, ".new"), *to = path_of(manifest_path, "");
    for (int i = 0; i < list->n; i++)
        put_line(&text, &list->items[i], list->total - list->n + 1 + i);
    arka_status status = from == NULL || to == NULL || text.failed
                             ? arka_fail_nomem(err, "the list of recoveries", text.len)
                             : write_whole(from, to, &text, err);
    arka_free(from);
    arka_free(to);
    arka_buf_fini(&text);
    return status;
}

arka_status arka_recoveries_add(const char *manifest_path, const arka_replay_info *info,
                                arka_error *err)
{
    arka_recoveries list;
    ARKA_TRY(arka_recoveries_read(manifest_path, &list, err));
    *make_room(&list) = *info;
    list.total++;
    return write_list(manifest_path, &list, err);
}
