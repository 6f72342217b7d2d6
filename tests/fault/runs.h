/**
 * Runs by seed, each in a process of its own: one that crashes, hangs or fails is named with its
 * seed and can be run again. Seeds that failed once stand in tests/fault/seeds/{kind}.txt and are
 * run first, for ever.
 *
 *     ARKA_FAULT_SEED=0x17    that run alone
 *     ARKA_SEED=5             where the others begin (kit.h)
 *     ARKA_FAULT_KEEP=DIR     disks of runs that fail stay there
 */
#ifndef TESTS_FAULT_RUNS_H
#define TESTS_FAULT_RUNS_H

#include <errno.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kit/copy_tree.h"
#include "kit/kit.h"

enum {
    RUNS_SECONDS = 120, /* of one run, sanitizers and other tests beside it included */
    RUNS_FAILURES = 20, /* after as many no more are run */
};

static char runs_where[400], runs_disk[1024];

/* The number that the environment gives, or another. */
static inline long runs_count(const char *name, long otherwise)
{
    const char *text = getenv(name);
    return text != NULL && *text ? strtol(text, NULL, 0) : otherwise;
}

/** The seed of this process; false: it is not the process of one run. */
static inline bool runs_seed(uint64_t *out)
{
    const char *text = getenv("ARKA_FAULT_SEED");
    if (text == NULL || *text == 0)
        return false;
    *out = strtoull(text, NULL, 0);
    return true;
}

static void runs_tell(void)
{
    if (runs_where[0] == 0)
        return;
    fprintf(stderr, "failed at: %s\n", runs_where);
    const char *keep = getenv("ARKA_FAULT_KEEP");
    if (keep != NULL && *keep && runs_disk[0]) {
        kit_copy_tree(runs_disk, keep);
        fprintf(stderr, "its disk is in %s\n", keep);
    }
}

/** Where the run is: told if the process does not come to runs_note(""). */
static inline void runs_note(const char *text)
{
    static bool first = true;
    if (first)
        atexit(runs_tell);
    first = false;
    snprintf(runs_where, sizeof runs_where, "%s", text);
}

static inline void runs_keep(const char *disk)
{
    const char *keep = getenv("ARKA_FAULT_KEEP");
    if (keep == NULL || *keep == 0)
        return;
    snprintf(runs_disk, sizeof runs_disk, "%s-kept", disk);
    kit_copy_tree(disk, runs_disk);
}

/* What a run that failed had to say, each line marked as its. */
static inline void runs_show(const char *log)
{
    char line[600];
    FILE *f = fopen(log, "r");
    while (f != NULL && fgets(line, sizeof line, f) != NULL &&
           strstr(line, "detected memory leaks") == NULL) /* it failed, and did not tidy up */
        fprintf(stderr, "    | %s", line);
    if (f != NULL)
        fclose(f);
}

/* This test `name` again, in a process of its own with that seed; 0: all is well. */
static inline int runs_one(const char *name, uint64_t seed, const char *log)
{
    pid_t child = fork();
    if (child == 0) {
        int fd = open(log, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
        dup2(fd, STDOUT_FILENO);
        dup2(fd, STDERR_FILENO);
        char text[32];
        snprintf(text, sizeof text, "0x%llx", (unsigned long long)seed);
        setenv("ARKA_FAULT_SEED", text, 1);
        alarm(RUNS_SECONDS);
        execl("/proc/self/exe", "run", name, (char *)NULL);
        _exit(127);
    }
    int status = 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    return status;
}

typedef struct runs_tally {
    const char *kind, *name;
    long n, n_failed;
} runs_tally;

static inline void runs_try(runs_tally *t, uint64_t seed)
{
    char log[256];
    snprintf(log, sizeof log, "%s/run.log", kit_tmpdir());
    t->n++;
    int status = t->n_failed < RUNS_FAILURES ? runs_one(t->name, seed, log) : 0;
    if (status == 0)
        return;
    t->n_failed++;
    runs_show(log);
    print_message("%s: seed 0x%llx failed (%s %d); a line in tests/fault/seeds/%s.txt "
                  "keeps it; again: ARKA_FAULT_SEED=0x%llx … %s\n",
                  t->kind, (unsigned long long)seed, WIFSIGNALED(status) ? "signal" : "exit",
                  WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status), t->kind,
                  (unsigned long long)seed, t->name);
}

/** Those that are kept go first. False: this process is one of the runs. */
static inline bool runs_begin(runs_tally *t)
{
    char path[512], line[128];
    if (getenv("ARKA_FAULT_SEED") != NULL)
        return false;
    snprintf(path, sizeof path, ARKA_TESTS_DIR "/fault/seeds/%s.txt", t->kind);
    FILE *kept = fopen(path, "r");
    while (kept != NULL && fgets(line, sizeof line, kept) != NULL)
        if (line[0] == '0')
            runs_try(t, strtoull(line, NULL, 0));
    if (kept != NULL)
        fclose(kept);
    return true;
}

static inline void runs_end(const runs_tally *t)
{
    print_message("%s: %ld runs\n", t->kind, t->n);
    if (t->n_failed > 0)
        fail_msg("%ld of %ld runs failed", t->n_failed, t->n);
}

/** n runs by chance. */
static inline void runs_all(const char *kind, const char *name, long n)
{
    runs_tally t = {kind, name, 0, 0};
    if (!runs_begin(&t))
        return;
    for (long i = 0; i < n; i++)
        runs_try(&t, kit_random() & 0xffffffff);
    runs_end(&t);
}

#endif
