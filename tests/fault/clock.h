/** The engine's clocks, which tests may step; all fault tests are linked with them. Any thread. */
#ifndef TESTS_FAULT_CLOCK_H
#define TESTS_FAULT_CLOCK_H

#include <stdint.h>

/** The wall clock jumps, back when ms < 0. */
void clock_step_wall_ms(int64_t ms);
/** Time passes at once; ms >= 0. */
void clock_step_mono_ms(int64_t ms);

#endif
