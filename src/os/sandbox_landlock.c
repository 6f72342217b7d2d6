/*
 * Landlock: rules on directories and ports. The numbers stand here because the headers of older
 * systems have only those of older kernels.
 */
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "os/sandbox_priv.h"

#ifndef __NR_landlock_create_ruleset
#define __NR_landlock_create_ruleset 444
#define __NR_landlock_add_rule       445
#define __NR_landlock_restrict_self  446
#endif

enum { CREATE_VERSION = 1, RULE_PATH = 1, RULE_PORT = 2 };
enum { LEAST_TRUNCATE = 3, LEAST_TCP = 4, LEAST_DEVICES = 5, LEAST_SCOPES = 6 };

enum {
    FS_EXECUTE = 1 << 0,
    FS_WRITE_FILE = 1 << 1,
    FS_READ_FILE = 1 << 2,
    FS_READ_DIR = 1 << 3,
    FS_REMOVE_DIR = 1 << 4,
    FS_REMOVE_FILE = 1 << 5,
    FS_MAKE_DIR = 1 << 7,
    FS_MAKE_REG = 1 << 8,
    FS_OF_ABI_1 = (1 << 13) - 1, /* with all other things to be made */
    FS_REFER = 1 << 13,
    FS_TRUNCATE = 1 << 14,
    FS_IOCTL_DEV = 1 << 15,
    FS_ON_FILES = FS_EXECUTE | FS_WRITE_FILE | FS_READ_FILE | FS_TRUNCATE | FS_IOCTL_DEV,
    NET_BIND_TCP = 1 << 0,
    NET_CONNECT_TCP = 1 << 1,
    SCOPE_ABSTRACT_SOCKET = 1 << 0,
    SCOPE_SIGNAL = 1 << 1,
};

enum {
    OWN = FS_WRITE_FILE | FS_READ_FILE | FS_READ_DIR | FS_REMOVE_DIR | FS_REMOVE_FILE |
          FS_MAKE_DIR | FS_MAKE_REG | FS_REFER | FS_TRUNCATE,
    READ = FS_READ_FILE | FS_READ_DIR,
    WRITE = READ | FS_WRITE_FILE,
};

typedef struct handled {
    uint64_t fs, net, scoped;
} handled;

typedef struct path_rule {
    uint64_t allowed;
    int32_t fd;
} __attribute__((packed)) path_rule;

typedef struct port_rule {
    uint64_t allowed, port;
} port_rule;

static int abi_of_kernel(void)
{
    long abi = syscall(__NR_landlock_create_ruleset, NULL, (size_t)0, CREATE_VERSION);
    return abi < 0 ? 0 : (int)abi;
}

static handled handled_by(int abi, const arka_sandbox_options *options)
{
    handled h = {.fs = FS_OF_ABI_1};
    h.fs |= abi >= 2 ? FS_REFER : 0;
    h.fs |= abi >= LEAST_TRUNCATE ? FS_TRUNCATE : 0;
    h.fs |= abi >= LEAST_DEVICES ? FS_IOCTL_DEV : 0;
    if (abi >= LEAST_TCP)
        h.net = NET_CONNECT_TCP | (options->tcp_port > 0 ? NET_BIND_TCP : 0);
    if (abi >= LEAST_SCOPES)
        h.scoped = SCOPE_ABSTRACT_SOCKET | SCOPE_SIGNAL;
    return h;
}

/* False: `errno` says why `path` cannot be opened. Other rules than these the kernel always takes.
 */
static bool allow(int ruleset, const handled *h, const char *path, uint64_t access)
{
    struct stat st;
    int fd = open(path, O_PATH | O_CLOEXEC);
    if (fd < 0)
        return false;
    if (fstat(fd, &st) == 0 && !S_ISDIR(st.st_mode))
        access &= FS_ON_FILES;
    path_rule rule = {.allowed = access & h->fs, .fd = fd};
    bool ok = syscall(__NR_landlock_add_rule, ruleset, RULE_PATH, &rule, 0) == 0;
    int why = errno;
    /* The rule belongs to the inode that a process's directory has now; it would be made anew, and
     * without the rule, once nobody holds it. */
    if (strcmp(path, "/proc/self") != 0)
        close(fd);
    errno = why;
    return ok;
}

static arka_status allow_own(int ruleset, const handled *h, const char *dir, arka_error *err)
{
    struct stat st, root;
    if (stat(dir, &st) == 0 && stat("/", &root) == 0 && st.st_dev == root.st_dev &&
        st.st_ino == root.st_ino)
        return arka_fail(err, ARKA_INPUT,
                         "the sandbox cannot leave '%s' to the server: it is the root of the file "
                         "system; expected a directory of its own",
                         dir);
    if (!allow(ruleset, h, dir, OWN))
        return arka_fail_sys(err, ARKA_IO, errno, "the sandbox cannot open directory %s", dir);
    return ARKA_OK;
}

typedef struct loaded {
    int ruleset;
    const handled *h;
} loaded;

static int allow_loaded(struct dl_phdr_info *info, size_t size, void *context)
{
    const loaded *l = context;
    if (info->dlpi_name != NULL && info->dlpi_name[0] == '/')
        ARKA_IGNORE(allow(l->ruleset, l->h, info->dlpi_name, FS_READ_FILE));
    return 0;
}

/* The program's own file and its libraries: whoever prints a stack looks for names in them. */
static void allow_program(int ruleset, const handled *h)
{
    loaded l = {ruleset, h};
    ARKA_IGNORE(allow(ruleset, h, "/proc/self/exe", FS_READ_FILE));
    dl_iterate_phdr(allow_loaded, &l);
}

static arka_status add_rules(int ruleset, const handled *h, const arka_sandbox_options *o,
                             arka_error *err)
{
    for (int i = 0; i < o->n_own_dirs; i++)
        ARKA_TRY(allow_own(ruleset, h, o->own_dirs[i], err));
    /* what is missing stays closed */
    for (int i = 0; i < o->n_read_paths; i++)
        ARKA_IGNORE(allow(ruleset, h, o->read_paths[i], READ));
    ARKA_IGNORE(allow(ruleset, h, "/proc/self", READ));
    allow_program(ruleset, h);
#define X(path, access) ARKA_IGNORE(allow(ruleset, h, path, access));
#include "os/sandbox_paths.def"
#undef X
    port_rule port = {.allowed = NET_BIND_TCP, .port = (uint64_t)o->tcp_port};
    if (h->net & NET_BIND_TCP && syscall(__NR_landlock_add_rule, ruleset, RULE_PORT, &port, 0) != 0)
        return arka_fail_sys(err, ARKA_IO, errno, "the sandbox cannot allow TCP port %d",
                             o->tcp_port);
    return ARKA_OK;
}

static const char *why_none(int why)
{
    return why == ENOSYS       ? "the kernel was built without it"
           : why == EOPNOTSUPP ? "switched off when the kernel was booted"
                               : strerror(why);
}

arka_status arka_landlock__rules(const arka_sandbox_options *options, arka_sandbox_report *out,
                                 int *out_fd, arka_error *err)
{
    *out_fd = -1;
    out->landlock_abi = abi_of_kernel();
    int why = errno;
    handled h = handled_by(out->landlock_abi, options);
    /* the size that this ABI knows: a larger one may only have zeroes behind it, as it has then */
    int fd =
        out->landlock_abi == 0 ? -1 : (int)syscall(__NR_landlock_create_ruleset, &h, sizeof h, 0);
    if (out->landlock_abi > 0 && fd < 0)
        why = errno;
    if (fd < 0 && options->required)
        return arka_fail(err, ARKA_FORBIDDEN,
                         "a sandbox is required, but this machine has no Landlock: %s",
                         why_none(why));
    if (fd < 0) {
        arka_sandbox__note(out->off, "; ", "landlock: %s", why_none(why));
        return ARKA_OK;
    }
    arka_status status = add_rules(fd, &h, options, err);
    if (status == ARKA_OK)
        *out_fd = fd;
    else
        close(fd);
    return status;
}

static void describe(arka_sandbox_report *out)
{
    int abi = out->landlock_abi;
    arka_sandbox__note(out->on, ", ", "landlock ABI %d (files%s%s%s)", abi,
                       abi >= LEAST_TCP ? ", TCP" : "", abi >= LEAST_DEVICES ? ", devices" : "",
                       abi >= LEAST_SCOPES ? ", signals, abstract sockets" : "");
    if (abi < LEAST_TRUNCATE)
        arka_sandbox__note(out->off, "; ", "cutting files: from Landlock ABI %d on",
                           LEAST_TRUNCATE);
    if (abi < LEAST_TCP)
        arka_sandbox__note(out->off, "; ", "TCP: from Landlock ABI %d on", LEAST_TCP);
    if (abi < LEAST_DEVICES)
        arka_sandbox__note(out->off, "; ", "devices: from Landlock ABI %d on", LEAST_DEVICES);
    if (abi < LEAST_SCOPES)
        arka_sandbox__note(out->off, "; ", "signals: from Landlock ABI %d on", LEAST_SCOPES);
}

void arka_landlock__restrict(int fd, arka_sandbox_report *out)
{
    if (fd < 0)
        return;
    out->landlock = syscall(__NR_landlock_restrict_self, fd, 0) == 0;
    if (out->landlock)
        describe(out);
    else
        arka_sandbox__note(out->off, "; ", "landlock: %s", strerror(errno));
    close(fd);
}
