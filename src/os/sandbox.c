#include "os/sandbox.h"

#include <errno.h>
#include <limits.h>
#include <linux/capability.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "os/sandbox_priv.h"

#ifndef PR_SET_MDWE
#define PR_SET_MDWE              65
#define PR_MDWE_REFUSE_EXEC_GAIN 1
#endif

enum { LOW_PORTS = 1024 };

void arka_sandbox__note(char text[384], const char *comma, const char *format, ...)
{
    size_t n = strlen(text);
    va_list args;
    va_start(args, format);
    if (n > 0)
        n += (size_t)snprintf(text + n, 384 - n, "%s", comma);
    if (n < 384)
        vsnprintf(text + n, 384 - n, format, args);
    va_end(args);
}

/* ---- capabilities ---- */

typedef struct capabilities {
    struct __user_cap_header_struct head;
    struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3];
} capabilities;

static bool has_any(const capabilities *c)
{
    unsigned any = 0;
    for (int i = 0; i < _LINUX_CAPABILITY_U32S_3; i++)
        any |= c->sets[i].permitted | c->sets[i].effective | c->sets[i].inheritable;
    return any != 0;
}

/* A port below 1024 is bound later, by a thread. */
static void drop_capabilities(int tcp_port, arka_sandbox_report *out)
{
    capabilities c = {.head = {.version = _LINUX_CAPABILITY_VERSION_3}};
    const unsigned bind = 1u << CAP_NET_BIND_SERVICE;
    if (syscall(__NR_capget, &c.head, c.sets) != 0) {
        arka_sandbox__note(out->off, "; ", "capabilities: %s", strerror(errno));
        return;
    }
    bool had = has_any(&c);
    bool keeps_bind = tcp_port > 0 && tcp_port < LOW_PORTS && (c.sets[0].permitted & bind) != 0;
    if (had)
        for (int i = 0; i <= CAP_LAST_CAP; i++)
            if (!(keeps_bind && i == CAP_NET_BIND_SERVICE))
                prctl(PR_CAPBSET_DROP, i, 0, 0, 0);
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    memset(c.sets, 0, sizeof c.sets);
    if (keeps_bind)
        c.sets[0].permitted = c.sets[0].effective = bind;
    /* without any there is nothing to drop, and a filter above us may refuse the call */
    out->capabilities = !had || syscall(__NR_capset, &c.head, c.sets) == 0;
    if (out->capabilities)
        arka_sandbox__note(out->on, ", ", "%s",
                           keeps_bind ? "no capabilities but the one for a port below 1024"
                           : had      ? "capabilities dropped"
                                      : "no capabilities");
    else
        arka_sandbox__note(out->off, "; ", "capabilities: %s", strerror(errno));
}

/* ---- all of it ---- */

static void refuse_new_code(arka_sandbox_report *out)
{
    if (prctl(PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN, 0, 0, 0) == 0)
        arka_sandbox__note(out->on, ", ", "no writable memory becomes code");
    else
        arka_sandbox__note(out->off, "; ", "writable memory that becomes code: from Linux 6.3 on");
}

arka_status arka_sandbox_apply(const arka_sandbox_options *options, arka_sandbox_report *out,
                               arka_error *err)
{
    int rules;
    *out = (arka_sandbox_report){.was_root = geteuid() == 0};
    /* with all rights still: what the rules open may be closed to the user that is left */
    ARKA_TRY(arka_landlock__rules(options, out, &rules, err));
    out->no_new_privileges = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
    arka_landlock__restrict(rules, out);
    drop_capabilities(options->tcp_port, out);
    refuse_new_code(out);
    arka_seccomp__apply(out); /* last: it refuses some of the calls above */
    if (out->no_new_privileges)
        arka_sandbox__note(out->on, ", ", "no new privileges");
    else
        arka_sandbox__note(out->off, "; ", "new privileges: the kernel is older than 3.5");
    if (options->required && !out->landlock)
        return arka_fail(err, ARKA_FORBIDDEN,
                         "a sandbox is required, but Landlock cannot be switched on: %s", out->off);
    return ARKA_OK;
}

bool arka_sandbox_dir_of(const char *path, char *out, size_t n)
{
    char real[PATH_MAX], home[PATH_MAX];
    const char *own_home = getenv("HOME");
    struct stat st;
    if (realpath(path, real) == NULL)
        return false;
    char *slash = strrchr(real, '/');
    *slash = 0;
    bool at_root = slash == real || strchr(real + 1, '/') == NULL;
    bool is_home = own_home != NULL && realpath(own_home, home) != NULL && strcmp(home, real) == 0;
    if (at_root || is_home || stat(real, &st) != 0 || (st.st_mode & S_IWOTH) != 0)
        return false;
    return (size_t)snprintf(out, n, "%s", real) < n;
}
