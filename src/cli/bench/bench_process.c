#include "cli/bench/bench_process.h"

#include <ctype.h>
#include <dirent.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

/* The kernel prints addresses as words of its own byte order. */
static void kernel_hex(const struct sockaddr_storage *address, char *out)
{
    const uint32_t *words = address->ss_family == AF_INET
                                ? &((const struct sockaddr_in *)address)->sin_addr.s_addr
                                : ((const struct sockaddr_in6 *)address)->sin6_addr.s6_addr32;
    int n = address->ss_family == AF_INET ? 1 : 4;
    for (int i = 0; i < n; i++)
        snprintf(out + 8 * i, 9, "%08X", words[i]);
}

static bool is_any(const char *hex)
{
    return strspn(hex, "0") == strlen(hex);
}

/* The inode of the socket in /proc/net/tcp or tcp6 that takes connections to the target; 0: none.
 */
static unsigned long listening_inode(const char *table, const arka_http_target *target)
{
    FILE *f = fopen(table, "re");
    if (f == NULL)
        return 0;
    char line[512], wanted[40] = "", address[40];
    unsigned long found = 0, inode;
    unsigned port, state;
    kernel_hex(&target->address, wanted);
    while (found == 0 && fgets(line, sizeof line, f) != NULL) {
        if (sscanf(line, " %*d: %39[0-9A-F]:%x %*[0-9A-F]:%*x %x %*x:%*x %*x:%*x %*x %*u %*d %lu",
                   address, &port, &state, &inode) != 4)
            continue;
        bool listens = state == 0x0a && (int)port == target->port;
        if (listens && (is_any(address) || strcasecmp(address, wanted) == 0))
            found = inode;
    }
    fclose(f);
    return found;
}

static bool holds_socket(const char *pid, const char *wanted)
{
    char path[300], link[64];
    snprintf(path, sizeof path, "/proc/%s/fd", pid);
    DIR *fds = opendir(path);
    if (fds == NULL)
        return false;
    bool found = false;
    struct dirent *entry;
    while (!found && (entry = readdir(fds)) != NULL) {
        ssize_t n = readlinkat(dirfd(fds), entry->d_name, link, sizeof link - 1);
        found = n > 0 && (size_t)n == strlen(wanted) && memcmp(link, wanted, (size_t)n) == 0;
    }
    closedir(fds);
    return found;
}

static int owner_of(unsigned long inode)
{
    char wanted[64];
    snprintf(wanted, sizeof wanted, "socket:[%lu]", inode);
    DIR *proc = opendir("/proc");
    int pid = 0;
    struct dirent *entry;
    while (proc != NULL && pid == 0 && (entry = readdir(proc)) != NULL)
        if (isdigit((unsigned char)entry->d_name[0]) && holds_socket(entry->d_name, wanted))
            pid = (int)strtol(entry->d_name, NULL, 10);
    if (proc != NULL)
        closedir(proc);
    return pid;
}

static int listening_pid(arka_bench_process *p, const arka_http_target *target)
{
    if (!arka_http_target_is_loopback(target)) {
        snprintf(p->why_not, sizeof p->why_not, "%.100s is not on this machine's loopback",
                 target->authority);
        return 0;
    }
    unsigned long inode =
        target->address.ss_family == AF_INET ? listening_inode("/proc/net/tcp", target) : 0;
    if (inode == 0)
        inode = listening_inode("/proc/net/tcp6", target);
    int pid = inode ? owner_of(inode) : 0;
    if (pid == 0)
        snprintf(p->why_not, sizeof p->why_not,
                 "no process of this user listens on port %d, name it with --server-pid",
                 target->port);
    return pid;
}

void arka_bench_process_find(arka_bench_process *p, const arka_http_target *target, int pid)
{
    *p = (arka_bench_process){0};
    if (pid == 0)
        pid = listening_pid(p, target);
    if (pid == 0)
        return;
    if (clock_getcpuclockid(pid, &p->clock) != 0)
        snprintf(p->why_not, sizeof p->why_not, "there is no process %d", pid);
    else
        p->pid = pid;
}

int64_t arka_bench_process_cpu_ns(const arka_bench_process *p)
{
    struct timespec t;
    if (p->pid == 0 || clock_gettime(p->clock, &t) != 0)
        return 0;
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* A line of /proc/PID/status, in bytes */
static int64_t status_bytes(int pid, const char *name)
{
    char path[64], line[256];
    snprintf(path, sizeof path, "/proc/%d/status", pid);
    FILE *f = pid ? fopen(path, "re") : NULL;
    int64_t kib = 0;
    size_t n = strlen(name);
    while (f != NULL && kib == 0 && fgets(line, sizeof line, f) != NULL)
        if (strncmp(line, name, n) == 0 && line[n] == ':')
            kib = strtoll(line + n + 1, NULL, 10);
    if (f != NULL)
        fclose(f);
    return kib * 1024;
}

int64_t arka_bench_process_sample(arka_bench_process *p)
{
    int64_t now = status_bytes(p->pid, "VmRSS");
    if (now > p->sampled_peak_bytes)
        p->sampled_peak_bytes = now;
    return now;
}

int64_t arka_bench_process_peak_bytes(const arka_bench_process *p)
{
    return status_bytes(p->pid, "VmHWM");
}
