#include "fault/clock.h"

#include <stdatomic.h>

#include "os/thread.h"

static atomic_int_fast64_t wall_step_us, mono_step_ns;

void clock_step_wall_ms(int64_t ms)
{
    atomic_fetch_add(&wall_step_us, ms * 1000);
}

void clock_step_mono_ms(int64_t ms)
{
    atomic_fetch_add(&mono_step_ns, ms * 1000000);
}

/* The linker sends every call of another file to these (CMakeLists.txt). */
arka_mono __real_arka_mono_now(void);
int64_t __real_arka_wall_us(void);
bool __real_arka_cond_wait(arka_cond *c, arka_mutex *m, arka_mono deadline) ARKA_REQUIRES(*m);
arka_mono __wrap_arka_mono_now(void);
int64_t __wrap_arka_wall_us(void);
bool __wrap_arka_cond_wait(arka_cond *c, arka_mutex *m, arka_mono deadline) ARKA_REQUIRES(*m);

arka_mono __wrap_arka_mono_now(void)
{
    return (arka_mono){__real_arka_mono_now().ns + atomic_load(&mono_step_ns)};
}

int64_t __wrap_arka_wall_us(void)
{
    return __real_arka_wall_us() + atomic_load(&wall_step_us);
}

/*
 * Deadlines are by the stepped clock, the system waits by its own: in short pieces, so that a step
 * is seen by those who wait already. They may be woken for nothing.
 */
bool __wrap_arka_cond_wait(arka_cond *c, arka_mutex *m, arka_mono deadline)
{
    enum { PIECE_NS = 5000000 };
    int64_t piece = __real_arka_mono_now().ns + PIECE_NS;
    bool is_last = deadline.ns - atomic_load(&mono_step_ns) <= piece;
    if (is_last)
        deadline.ns -= atomic_load(&mono_step_ns);
    else
        deadline.ns = piece;
    deadline.ns = deadline.ns > 0 ? deadline.ns : 0;
    return __real_arka_cond_wait(c, m, deadline) || !is_last;
}
