/* clock.h: the system's clocks as a tt_clock, and deadlines. */
#ifndef TT_BASE_CLOCK_H
#define TT_BASE_CLOCK_H

#include <twotier/host.h>

#include "base/must.h"

extern const tt_clock tt_clock_system;

static inline int64_t tt_now_ns(const tt_clock *c)
{
    return c->monotonic_ns(c->ctx);
}

/* Milliseconds until `deadline_ns`, rounded up; 0 when it has passed; at most INT_MAX. */
int tt_until_ms(int64_t now_ns, int64_t deadline_ns);

#endif
