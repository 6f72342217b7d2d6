/**
 * How much memory this process may use, by its control groups and the machine, and how much it has.
 * Any thread.
 *
 * Files read: proc(5) for /proc/self/{cgroup,mountinfo,status}; the kernel's
 * admin-guide/cgroup-v2.rst ("Memory Interface Files") and cgroup-v1/memory.rst.
 */
#ifndef ARKA_OS_MACHINE_H
#define ARKA_OS_MACHINE_H

#include "base/slice.h"
#include "base/status.h"

typedef struct arka_memory_limit {
    int64_t bytes;    /* the tightest limit there is */
    int64_t physical; /* the machine's */
    bool in_cgroup;   /* `bytes` is a control group's, else the machine's */
    char where[1024]; /* the file that says so, or "machine" */
} arka_memory_limit;

/** Never fails: what cannot be read does not limit. */
void arka_memory_limit_get(arka_memory_limit *out);
/** The same with `root` ("" is the real one) before every path: a tree of sample files. */
void arka_memory_limit_get_at(const char *root, int64_t physical, arka_memory_limit *out);
/** Bytes in use by the control group that limits us, page cache included; -1: there is none. */
int64_t arka_memory_limit_used(const arka_memory_limit *limit);

typedef enum arka_cgroup_version { ARKA_CGROUP_V1, ARKA_CGROUP_V2 } arka_cgroup_version;
/**
 * From the text of /proc/self/cgroup: the path of the group that counts our memory. False: none of
 * that version.
 */
bool arka_cgroup_parse_path(arka_slice text, arka_cgroup_version version, arka_slice *out);
/**
 * From the text of /proc/self/mountinfo: where that hierarchy is mounted, and which of its
 * directories is to be seen there ("/" but in some containers). False: it is not mounted.
 */
bool arka_cgroup_parse_mount(arka_slice text, arka_cgroup_version version, arka_slice *mount_point,
                             arka_slice *root);
/** The text of memory.max or memory.limit_in_bytes; INT64_MAX: no limit; -1: not such a text. */
int64_t arka_cgroup_parse_bytes(arka_slice text);

typedef struct arka_process_usage {
    int64_t rss, peak_rss, virtual_bytes, data; /* bytes */
    int64_t anonymous, shared; /* of rss: memory that only we have; files and shared memory */
    int64_t n_threads, n_fds;
} arka_process_usage;

/** What cannot be read is -1. Costs some tens of microseconds, more with many descriptors. */
void arka_process_usage_get(arka_process_usage *out);
/** `anonymous` alone, in some microseconds (/proc/self/statm). */
int64_t arka_process_anonymous(void);
/** From the text of /proc/self/status; n_fds stays as it is. */
void arka_process_parse_status(arka_slice text, arka_process_usage *out);

/** Bytes free, for processes without privileges, on the file system of `path`; -1: unknown. */
int64_t arka_disk_free(const char *path);

#endif
