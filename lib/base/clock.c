#include "base/clock.h"

#include <limits.h>
#include <time.h>

static int64_t monotonic_ns(void *ctx)
{
    struct timespec t;

    (void)ctx;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * TT_NS_PER_S + t.tv_nsec;
}

static int64_t realtime_ms(void *ctx)
{
    struct timespec t;

    (void)ctx;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / TT_NS_PER_MS;
}

const tt_clock tt_clock_system = {monotonic_ns, realtime_ms, NULL};

int tt_until_ms(int64_t now_ns, int64_t deadline_ns)
{
    int64_t left = deadline_ns - now_ns;

    if (left <= 0)
        return 0;
    if (left >= INT_MAX * TT_NS_PER_MS)
        return INT_MAX;
    return (int)((left + TT_NS_PER_MS - 1) / TT_NS_PER_MS);
}
