/**
 * Errors: one vocabulary, one sentence.
 *
 * Every function that can fail returns arka_status and takes a nullable arka_error. The deepest
 * function that knows the facts writes the sentence; the first failure stays, later ones never
 * overwrite it. Nothing is allocated on the way out.
 */
#ifndef ARKA_BASE_STATUS_H
#define ARKA_BASE_STATUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum arka_status {
    ARKA_OK = 0,
#define X(name, answer, text) ARKA_##name,
#include "base/error.def"
#undef X
    ARKA_N_STATUS
} arka_status;

typedef struct arka_error {
    arka_status code; /* the first failure */
    int sys;          /* errno behind it, 0 if none */
    const char *file; /* where it was set */
    int line;
    char msg[512]; /* a whole sentence, valid UTF-8 as far as its parts were */
} arka_error;

#define ARKA_MUST_USE     __attribute__((warn_unused_result))
#define ARKA_PRINTF(f, a) __attribute__((format(printf, f, a)))
#define ARKA_LIKELY(x)    __builtin_expect(!!(x), 1)
#define ARKA_UNLIKELY(x)  __builtin_expect(!!(x), 0)

/** Write `err` (may be NULL) unless it is set already; returns `code`, to end a function with. */
#define arka_fail(err, code, ...)                                                                  \
    arka_failed((code), arka_fail_at((err), (code), 0, __FILE__, __LINE__, __VA_ARGS__))
/** The same with an errno kept beside the sentence; appends ": <strerror>". */
#define arka_fail_sys(err, code, sys, ...)                                                         \
    arka_failed((code), arka_fail_at((err), (code), (sys), __FILE__, __LINE__, __VA_ARGS__))
/* So that the compiler sees which status a failure has, and that it is not ARKA_OK. */
static inline arka_status arka_failed(arka_status code, arka_status said)
{
    (void)said;
    return code;
}
arka_status arka_fail_at(arka_error *err, arka_status code, int sys, const char *file, int line,
                         const char *format, ...) ARKA_PRINTF(6, 7);

/** Put a prefix ("loading table a.b: ") before the sentence that `err` holds. NULL is fine. */
void arka_error_prefix(arka_error *err, const char *format, ...) ARKA_PRINTF(2, 3);

/** "INPUT", "IO", …: for logs and metric labels. */
const char *arka_status_name(arka_status code);

/** Leave the function with the status of a call that failed. Everything owned must be ARKA_AUTO. */
#define ARKA_TRY(call)                                                                             \
    do {                                                                                           \
        arka_status arka_try_ = (call);                                                            \
        if (ARKA_UNLIKELY(arka_try_ != ARKA_OK))                                                   \
            return arka_try_;                                                                      \
    } while (0)

/** Ignore a result on purpose; the reason stands beside it. */
#define ARKA_IGNORE(call)                                                                          \
    do {                                                                                           \
        if (call) {                                                                                \
        }                                                                                          \
    } while (0)

/** A promise of ours: cheap, on in release, prints and stops. Never on bytes from outside. */
#define ARKA_CHECK(cond, ...)                                                                      \
    do {                                                                                           \
        if (ARKA_UNLIKELY(!(cond)))                                                                \
            arka_panic(__FILE__, __LINE__, #cond, " " __VA_ARGS__);                                \
    } while (0)
#ifdef NDEBUG
#define ARKA_DCHECK(cond) ((void)0)
#else
#define ARKA_DCHECK(cond) ARKA_CHECK(cond)
#endif
_Noreturn void arka_panic(const char *file, int line, const char *cond, const char *format, ...)
    ARKA_PRINTF(4, 5);

/**
 * ARKA_AUTO(type) name = NULL; calls type_cleanup(&name) at scope exit.
 * A folder that owns `type` defines it with ARKA_CLEANUP(type, free_function).
 */
#define ARKA_AUTO(type)       __attribute__((cleanup(type##_cleanup))) type *
#define ARKA_AUTO_VALUE(type) __attribute__((cleanup(type##_fini))) type
#define ARKA_CLEANUP(type, drop)                                                                   \
    static inline void type##_cleanup(type **owned)                                                \
    {                                                                                              \
        if (*owned)                                                                                \
            drop(*owned);                                                                          \
    }
/** Hand an owned pointer on: yields it and forgets it here. */
#define arka_take(owned)                                                                           \
    ({                                                                                             \
        __typeof__(owned) arka_taken_ = (owned);                                                   \
        (owned) = NULL;                                                                            \
        arka_taken_;                                                                               \
    })

#endif
