/** Clocks. Two types, so that one cannot be taken for the other. */
#ifndef ARKA_OS_CLOCK_H
#define ARKA_OS_CLOCK_H

#include <stdint.h>

/** Nanoseconds on a clock that never goes back; only differences mean something. */
typedef struct arka_mono {
    int64_t ns;
} arka_mono;

arka_mono arka_mono_now(void);
static inline int64_t arka_mono_since_ns(arka_mono then)
{
    return arka_mono_now().ns - then.ns;
}
static inline double arka_mono_since_ms(arka_mono then)
{
    return (double)arka_mono_since_ns(then) / 1e6;
}
static inline arka_mono arka_mono_after_ms(int64_t ms)
{
    return (arka_mono){arka_mono_now().ns + ms * 1000000};
}

/** Microseconds since 1970 UTC, as the machine believes. */
int64_t arka_wall_us(void);
/** CPU time of this process and of the calling thread, nanoseconds. */
int64_t arka_cpu_process_ns(void);
int64_t arka_cpu_thread_ns(void);

#endif
