#include "os/machine.h"

#include <dirent.h>
#include <stdio.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/number.h"
#include "os/file.h"

/* mountinfo has a line a mount; a machine with thousands of containers has that many. */
enum { MAX_FILE = 4 << 20, MAX_PATH = 4096 };

/* ---- small parts of text ---- */

static bool next_line(arka_slice *rest, arka_slice *line)
{
    if (rest->len == 0)
        return false;
    const char *end = memchr(rest->data, '\n', rest->len);
    size_t n = end ? (size_t)(end - rest->data) : rest->len;
    *line = (arka_slice){rest->data, n};
    n += end != NULL;
    *rest = (arka_slice){rest->data + n, rest->len - n};
    return true;
}

/* Up to `mark`, which is dropped; all that is left when there is none. */
static arka_slice next_part(arka_slice *rest, char mark)
{
    const char *end = memchr(rest->data, mark, rest->len);
    size_t n = end ? (size_t)(end - rest->data) : rest->len;
    arka_slice part = {rest->data, n};
    n += end != NULL;
    *rest = (arka_slice){rest->data + n, rest->len - n};
    return part;
}

static bool has_word(arka_slice list, const char *word)
{
    while (list.len > 0)
        if (arka_slice_eq(next_part(&list, ','), arka_slice_of(word)))
            return true;
    return false;
}

/* ---- control groups ---- */

bool arka_cgroup_parse_path(arka_slice text, arka_cgroup_version version, arka_slice *out)
{
    arka_slice line;
    while (next_line(&text, &line)) { /* hierarchy:controllers:path */
        arka_slice hierarchy = next_part(&line, ':'), controllers = next_part(&line, ':');
        bool fits = version == ARKA_CGROUP_V2
                        ? arka_slice_eq(hierarchy, ARKA_SLICE("0")) && controllers.len == 0
                        : has_word(controllers, "memory");
        if (fits && line.len > 0 && line.data[0] == '/') {
            *out = line;
            return true;
        }
    }
    return false;
}

bool arka_cgroup_parse_mount(arka_slice text, arka_cgroup_version version, arka_slice *mount_point,
                             arka_slice *root)
{
    arka_slice line;
    while (next_line(&text, &line)) {
        /* id, parent, device, root, mount point, options, any number of tags, "-", type, … */
        arka_slice field[5], word;
        for (int i = 0; i < 5; i++)
            field[i] = next_part(&line, ' ');
        do
            word = next_part(&line, ' ');
        while (line.len > 0 && !arka_slice_eq(word, ARKA_SLICE("-")));
        arka_slice type = next_part(&line, ' ');
        next_part(&line, ' '); /* the device */
        bool fits = version == ARKA_CGROUP_V2 ? arka_slice_eq(type, ARKA_SLICE("cgroup2"))
                                              : arka_slice_eq(type, ARKA_SLICE("cgroup")) &&
                                                    has_word(arka_slice_trim(line), "memory");
        if (fits && field[4].len > 0) {
            *root = field[3];
            *mount_point = field[4];
            return true;
        }
    }
    return false;
}

int64_t arka_cgroup_parse_bytes(arka_slice text)
{
    int64_t bytes;
    uint64_t wide;
    text = arka_slice_trim(text);
    if (arka_slice_eq(text, ARKA_SLICE("max")))
        return INT64_MAX;
    if (arka_parse_i64(text.data, text.len, &bytes))
        return bytes >= 0 ? bytes : -1;
    /* "No limit" of version 1 is the highest multiple of a page, at times above 2^63. */
    return arka_parse_u64(text.data, text.len, &wide) ? INT64_MAX : -1;
}

static int64_t read_bytes(const char *path)
{
    char *text;
    size_t len;
    if (arka_file_read(path, MAX_FILE, &text, &len, NULL) != ARKA_OK)
        return -1;
    int64_t bytes = arka_cgroup_parse_bytes((arka_slice){text, len});
    arka_free(text);
    return bytes;
}

static const char *limit_file(arka_cgroup_version version)
{
    return version == ARKA_CGROUP_V2 ? "memory.max" : "memory.limit_in_bytes";
}

/*
 * The part of `path` below the directory that is mounted. In a container whose /proc shows paths of
 * the host, or of another namespace ("/../…"), its own group is what is mounted.
 */
static arka_slice below_root(arka_slice path, arka_slice root)
{
    if (root.len == 1)
        root.len = 0;
    bool inside = path.len >= root.len &&
                  (root.len == 0 || memcmp(path.data, root.data, root.len) == 0) &&
                  (path.len == root.len || path.data[root.len] == '/');
    arka_slice rest = {path.data + root.len, inside ? path.len - root.len : 0};
    if (rest.len == 1 || (rest.len >= 3 && memcmp(rest.data, "/..", 3) == 0))
        rest.len = 0;
    return rest;
}

/* The group and all above it: each limits those below. */
static void look_upwards(const char *root, arka_cgroup_version version, arka_slice mount_point,
                         arka_slice group, arka_memory_limit *out)
{
    for (;;) {
        char path[sizeof out->where];
        int n = snprintf(path, sizeof path, "%s%.*s%.*s/%s", root, ARKA_FMT(mount_point),
                         ARKA_FMT(group), limit_file(version));
        int64_t bytes = n < (int)sizeof path ? read_bytes(path) : -1;
        if (bytes >= 0 && bytes < out->bytes) {
            out->bytes = bytes;
            out->in_cgroup = true;
            memcpy(out->where, path, (size_t)n + 1);
        }
        if (group.len == 0)
            break;
        while (group.len > 0 && group.data[group.len - 1] != '/')
            group.len--;
        group.len -= group.len > 0;
    }
}

static arka_slice read_proc(const char *root, const char *name, char **text)
{
    char path[MAX_PATH];
    size_t len = 0;
    *text = NULL;
    if (snprintf(path, sizeof path, "%s/proc/self/%s", root, name) >= (int)sizeof path ||
        arka_file_read(path, MAX_FILE, text, &len, NULL) != ARKA_OK)
        return (arka_slice){NULL, 0};
    return (arka_slice){*text, len};
}

void arka_memory_limit_get_at(const char *root, int64_t physical, arka_memory_limit *out)
{
    char *groups, *mounts;
    arka_slice cgroup = read_proc(root, "cgroup", &groups);
    arka_slice mountinfo = read_proc(root, "mountinfo", &mounts);
    *out = (arka_memory_limit){.bytes = physical, .physical = physical, .where = "machine"};
    for (int v = ARKA_CGROUP_V1; v <= ARKA_CGROUP_V2; v++) {
        arka_slice path, mount_point, mounted;
        arka_cgroup_version version = (arka_cgroup_version)v;
        if (arka_cgroup_parse_path(cgroup, version, &path) &&
            arka_cgroup_parse_mount(mountinfo, version, &mount_point, &mounted))
            look_upwards(root, version, mount_point, below_root(path, mounted), out);
    }
    arka_free(groups);
    arka_free(mounts);
}

void arka_memory_limit_get(arka_memory_limit *out)
{
    arka_memory_limit_get_at("", (int64_t)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE), out);
}

int64_t arka_memory_limit_used(const arka_memory_limit *limit)
{
    if (!limit->in_cgroup)
        return -1;
    const char *slash = strrchr(limit->where, '/');
    bool v2 = slash != NULL && strcmp(slash + 1, limit_file(ARKA_CGROUP_V2)) == 0;
    char path[sizeof limit->where + 32];
    snprintf(path, sizeof path, "%.*s/%s", slash ? (int)(slash - limit->where) : 0, limit->where,
             v2 ? "memory.current" : "memory.usage_in_bytes");
    return read_bytes(path);
}

/* ---- this process ---- */

void arka_process_parse_status(arka_slice text, arka_process_usage *out)
{
    int64_t file = -1, shmem = -1;
    const struct {
        arka_slice name;
        int64_t *into;
        int64_t unit;
    } wanted[] = {
        {ARKA_SLICE("VmSize"), &out->virtual_bytes, 1024},
        {ARKA_SLICE("VmHWM"), &out->peak_rss, 1024},
        {ARKA_SLICE("VmRSS"), &out->rss, 1024},
        {ARKA_SLICE("RssAnon"), &out->anonymous, 1024},
        {ARKA_SLICE("RssFile"), &file, 1024},
        {ARKA_SLICE("RssShmem"), &shmem, 1024},
        {ARKA_SLICE("VmData"), &out->data, 1024},
        {ARKA_SLICE("Threads"), &out->n_threads, 1},
    };
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
        *wanted[i].into = -1;
    arka_slice line;
    while (next_line(&text, &line)) { /* "VmRSS:	    1636 kB" */
        arka_slice name = next_part(&line, ':'), value = arka_slice_trim(line);
        value = next_part(&value, ' ');
        int64_t n;
        for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
            if (arka_slice_eq(name, wanted[i].name) && arka_parse_i64(value.data, value.len, &n) &&
                n >= 0 && n <= INT64_MAX / wanted[i].unit)
                *wanted[i].into = n * wanted[i].unit;
    }
    out->shared = file >= 0 && shmem >= 0 ? file + shmem : -1;
}

static int64_t count_fds(void)
{
    DIR *dir = opendir("/proc/self/fd");
    int64_t n = -1; /* the directory itself is one of them */
    if (dir == NULL)
        return -1;
    for (const struct dirent *e = readdir(dir); e != NULL; e = readdir(dir))
        n += e->d_name[0] != '.';
    closedir(dir);
    return n;
}

void arka_process_usage_get(arka_process_usage *out)
{
    char *text;
    arka_process_parse_status(read_proc("", "status", &text), out);
    arka_free(text);
    out->n_fds = count_fds();
}

int64_t arka_process_anonymous(void)
{
    char *text;
    int64_t resident = -1, shared = -1;
    arka_slice line = read_proc("", "statm", &text); /* size resident shared …, in pages */
    next_part(&line, ' ');
    arka_slice a = next_part(&line, ' '), b = next_part(&line, ' ');
    bool known = arka_parse_i64(a.data, a.len, &resident) && arka_parse_i64(b.data, b.len, &shared);
    arka_free(text);
    return known && resident >= shared ? (resident - shared) * sysconf(_SC_PAGESIZE) : -1;
}

int64_t arka_disk_free(const char *path)
{
    struct statvfs fs;
    if (statvfs(path, &fs) != 0)
        return -1;
    return (int64_t)(fs.f_bavail * fs.f_frsize);
}
