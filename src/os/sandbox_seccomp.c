/*
 * seccomp: calls that are answered with an error. A list of what is refused, not of what is
 * allowed: the C library, DuckDB and the sanitizers call what they find best on each kernel, and a
 * list of that could not be proven complete.
 */
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "os/sandbox_priv.h"

#if defined(__x86_64__)
#define OUR_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define OUR_ARCH AUDIT_ARCH_AARCH64
#endif

#ifdef OUR_ARCH

enum { OTHER_ABI = 0x40000000 }; /* x32: the same calls by other numbers */

static const unsigned REFUSED[] = {
#define X(call) __NR_##call,
#include "os/sandbox_calls.def"
#undef X
/* LeakSanitizer looks at the threads from a process that it starts */
#if !defined(ARKA_SANITIZED)
    __NR_ptrace,
#ifdef __NR_fork
    __NR_fork,
    __NR_vfork,
#endif
#endif
};
enum { N_REFUSED = sizeof REFUSED / sizeof *REFUSED };

#if defined(ARKA_SANITIZED)
enum { PROCESSES = 1 };
#else
enum { PROCESSES = 0 };
#endif

static const unsigned FAMILIES[] = {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK};
enum { N_FAMILIES = sizeof FAMILIES / sizeof *FAMILIES };

/* Not CLONE_NEWTIME: clone cannot have it. */
static const unsigned NEW_NAMESPACES = CLONE_NEWNS | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET |
                                       CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWCGROUP;

/* ---- the filter ---- */

typedef struct filter {
    struct sock_filter steps[2 * N_REFUSED + 48];
    unsigned short n;
} filter;

static void put(filter *f, unsigned code, unsigned k, unsigned char yes, unsigned char no)
{
    ARKA_CHECK(f->n < sizeof f->steps / sizeof *f->steps, "more steps than room");
    f->steps[f->n++] = (struct sock_filter){(unsigned short)code, yes, no, k};
}

static void load(filter *f, size_t at)
{
    put(f, BPF_LD | BPF_W | BPF_ABS, (unsigned)at, 0, 0);
}

static void load_argument(filter *f, int i)
{
    load(f, offsetof(struct seccomp_data, args) + (size_t)i * 8); /* its lower half */
}

static void give(filter *f, unsigned verdict)
{
    put(f, BPF_RET | BPF_K, verdict, 0, 0);
}

static void refuse(filter *f, int why)
{
    give(f, SECCOMP_RET_ERRNO | (unsigned)why);
}

/* Skip the next `n` steps unless what was loaded is `k`, or has a bit of it. */
static void unless_is(filter *f, unsigned k, unsigned char n)
{
    put(f, BPF_JMP | BPF_JEQ | BPF_K, k, 0, n);
}
static void unless_has(filter *f, unsigned k, unsigned char n)
{
    put(f, BPF_JMP | BPF_JSET | BPF_K, k, 0, n);
}
static void if_has(filter *f, unsigned k, unsigned char n)
{
    put(f, BPF_JMP | BPF_JSET | BPF_K, k, n, 0);
}

/* Threads alone. */
static void check_clone(filter *f)
{
    unless_is(f, __NR_clone, PROCESSES ? 4 : 6);
    load_argument(f, 0);
    unless_has(f, NEW_NAMESPACES, 1);
    refuse(f, EPERM);
    if (!PROCESSES) {
        if_has(f, CLONE_THREAD, 1);
        refuse(f, EPERM);
    }
    give(f, SECCOMP_RET_ALLOW);
    /* its flags lie in memory, where a filter does not see them; the C library goes on with clone
     */
    unless_is(f, __NR_clone3, 1);
    refuse(f, ENOSYS);
}

static void check_family(filter *f, unsigned call)
{
    unless_is(f, call, 3 + N_FAMILIES);
    load_argument(f, 0);
    for (unsigned i = 0; i < N_FAMILIES; i++)
        put(f, BPF_JMP | BPF_JEQ | BPF_K, FAMILIES[i], (unsigned char)(N_FAMILIES - i), 0);
    refuse(f, EAFNOSUPPORT);
    give(f, SECCOMP_RET_ALLOW);
}

/* Typing into a terminal. */
static void check_ioctl(filter *f)
{
    unless_is(f, __NR_ioctl, 5);
    load_argument(f, 1);
    put(f, BPF_JMP | BPF_JEQ | BPF_K, TIOCSTI, 1, 0);
    unless_is(f, TIOCLINUX, 1);
    refuse(f, EPERM);
    give(f, SECCOMP_RET_ALLOW);
}

static void build(filter *f)
{
    load(f, offsetof(struct seccomp_data, arch));
    put(f, BPF_JMP | BPF_JEQ | BPF_K, OUR_ARCH, 1, 0);
    refuse(f, EPERM);
    load(f, offsetof(struct seccomp_data, nr));
    put(f, BPF_JMP | BPF_JGE | BPF_K, OTHER_ABI, 0, 1);
    refuse(f, EPERM);
    for (int i = 0; i < N_REFUSED; i++) {
        unless_is(f, REFUSED[i], 1);
        refuse(f, EPERM);
    }
    check_clone(f);
    check_family(f, __NR_socket);
    check_family(f, __NR_socketpair);
    check_ioctl(f);
    give(f, SECCOMP_RET_ALLOW);
}

void arka_seccomp__apply(arka_sandbox_report *out)
{
    filter f = {.n = 0};
    build(&f);
    struct sock_fprog program = {.len = f.n, .filter = f.steps};
    /* A thread that a library has started already gets it too. The second flag: without it older
     * kernels slow every thread down against attacks that a filter does not concern. */
    unsigned flags = SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_SPEC_ALLOW;
    out->seccomp = syscall(__NR_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program) == 0;
    if (!out->seccomp)
        out->seccomp = syscall(__NR_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == 0;
    if (out->seccomp)
        arka_sandbox__note(out->on, ", ", "seccomp (%d calls refused)", (int)N_REFUSED);
    else
        arka_sandbox__note(out->off, "; ", "seccomp: %s", strerror(errno));
}

#else

void arka_seccomp__apply(arka_sandbox_report *out)
{
    arka_sandbox__note(out->off, "; ", "seccomp: there is no list for this processor");
}

#endif
