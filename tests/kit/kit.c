#include "kit/kit.h"

#include <ftw.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

static struct CMUnitTest tests[256];
static size_t n_tests;
static uint64_t seed;
static char tmpdir[160];

void kit_register(const char *name, void (*run)(void **state))
{
    if (n_tests == sizeof tests / sizeof tests[0])
        abort();
    tests[n_tests++] = (struct CMUnitTest){.name = name, .test_func = run};
}

uint64_t kit_random(void)
{
    if (seed == 0) {
        const char *given = getenv("ARKA_SEED");
        seed = given ? strtoull(given, NULL, 0)
                     : (uint64_t)time(NULL) * 2654435761u + (uint64_t)getpid();
        seed |= 1;
        print_message("seed: ARKA_SEED=0x%llx\n", (unsigned long long)seed);
    }
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed * 0x2545f4914f6cdd1dull;
}

/* The linker sends every call of another file to these (--wrap, cmake/folders.cmake). */
void *__real_arka_malloc(size_t n_bytes);
void *__real_arka_calloc(size_t n, size_t n_bytes);
void *__real_arka_realloc(void *old, size_t n_bytes);
char *__real_arka_strndup(const char *text, size_t n);
void *__wrap_arka_malloc(size_t n_bytes);
void *__wrap_arka_calloc(size_t n, size_t n_bytes);
void *__wrap_arka_realloc(void *old, size_t n_bytes);
char *__wrap_arka_strndup(const char *text, size_t n);
char *__wrap_arka_strdup(const char *text);

static atomic_long allocations_left; /* 0: nothing fails */
static atomic_bool fail_for_good, has_failed;

void kit_fail_allocation(long n, bool for_good)
{
    atomic_store(&fail_for_good, for_good);
    if (n > 0)
        atomic_store(&has_failed, false);
    atomic_store(&allocations_left, n);
}

bool kit_allocation_failed(void)
{
    return atomic_load(&has_failed);
}

static bool allocation_fails(void)
{
    long left = atomic_load(&allocations_left), next;
    do {
        if (left == 0)
            return false;
        next = left == 1 && atomic_load(&fail_for_good) ? 1 : left - 1;
    } while (!atomic_compare_exchange_weak(&allocations_left, &left, next));
    if (left == 1)
        atomic_store(&has_failed, true);
    return left == 1;
}

void *__wrap_arka_malloc(size_t n_bytes)
{
    return allocation_fails() ? NULL : __real_arka_malloc(n_bytes);
}

void *__wrap_arka_calloc(size_t n, size_t n_bytes)
{
    return allocation_fails() ? NULL : __real_arka_calloc(n, n_bytes);
}

void *__wrap_arka_realloc(void *old, size_t n_bytes)
{
    return allocation_fails() ? NULL : __real_arka_realloc(old, n_bytes);
}

char *__wrap_arka_strndup(const char *text, size_t n)
{
    return allocation_fails() ? NULL : __real_arka_strndup(text, n);
}

char *__wrap_arka_strdup(const char *text)
{
    return __wrap_arka_strndup(text, strlen(text));
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    (void)st, (void)kind, (void)ftw;
    return remove(path);
}

static void remove_tmpdir(void)
{
    nftw(tmpdir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

const char *kit_tmpdir(void)
{
    if (tmpdir[0] == 0) {
        const char *parent = getenv("TMPDIR");
        snprintf(tmpdir, sizeof tmpdir, "%s/arka-test-XXXXXX", parent ? parent : "/tmp");
        if (mkdtemp(tmpdir) == NULL)
            abort();
        atexit(remove_tmpdir);
    }
    return tmpdir;
}

int main(int argc, char **argv)
{
    struct CMUnitTest chosen[256];
    size_t n = 0;
    for (size_t i = 0; i < n_tests; i++) {
        int wanted = argc < 2;
        for (int a = 1; a < argc; a++)
            wanted |= strstr(tests[i].name, argv[a]) != NULL;
        if (wanted)
            chosen[n++] = tests[i];
    }
    return _cmocka_run_group_tests(argv[0], chosen, n, NULL, NULL) == 0 ? 0 : 1;
}
