#include "os/clock.h"

#include <time.h>

static int64_t read_ns(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t); /* cannot fail with these ids */
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

arka_mono arka_mono_now(void)
{
    return (arka_mono){read_ns(CLOCK_MONOTONIC)};
}

int64_t arka_wall_us(void)
{
    return read_ns(CLOCK_REALTIME) / 1000;
}

int64_t arka_cpu_process_ns(void)
{
    return read_ns(CLOCK_PROCESS_CPUTIME_ID);
}

int64_t arka_cpu_thread_ns(void)
{
    return read_ns(CLOCK_THREAD_CPUTIME_ID);
}
