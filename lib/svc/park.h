/* park.h: threads that wait on one bench, each woken by name, many by one call (futex(2), bitsets).
 *
 * Each sleeper has a word of its own, which may be on its stack: it is changed once by whoever ends
 * the wait, and not touched after that. What the kernel waits on is the bench, which outlives them
 * all: it changes before every wake, so that nobody falls asleep over a word that has just changed.
 * Waking a group costs one system call, and the waker is not put off its core once for each. */
#ifndef TT_SVC_PARK_H
#define TT_SVC_PARK_H

#include <linux/futex.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/must.h"

typedef atomic_uint tt_bench;

/* Values of a word; every other is the caller's, and ends the wait. */
enum { TT_PARK_WAITING = 0, TT_PARK_ASLEEP = 1 };

/* Sleepers of the same place modulo 32 may be woken for one another, and go to sleep again. */
static inline uint32_t tt_park_bit(uint64_t place)
{
    return UINT32_C(1) << (place & 31);
}

/* End a wait. `bit` goes to *wake if its owner must be woken: see tt_bench_wake. The word may be
 * gone when this returns. */
static inline void tt_park_end(atomic_int *word, int value, uint32_t bit, uint32_t *wake)
{
    if (atomic_exchange_explicit(word, value, memory_order_acq_rel) == TT_PARK_ASLEEP)
        *wake |= bit;
}

static inline void tt_bench_wake(tt_bench *bench, uint32_t wake)
{
    if (!wake)
        return;
    (void)atomic_fetch_add_explicit(bench, 1, memory_order_acq_rel);
    (void)syscall(SYS_futex, bench, FUTEX_WAKE_BITSET_PRIVATE, INT32_MAX, NULL, NULL, wake);
}

/* Sleep at most `left_ns` (negative: without end), unless the wait has ended. Returns the word,
 * which may still be TT_PARK_ASLEEP: look at the clock, and call again. */
static inline int tt_park(tt_bench *bench, atomic_int *word, uint32_t bit, int64_t left_ns)
{
    unsigned seen = atomic_load_explicit(bench, memory_order_acquire);
    int was = TT_PARK_WAITING;
    struct timespec end;

    if (!atomic_compare_exchange_strong_explicit(word, &was, TT_PARK_ASLEEP, memory_order_acq_rel,
                                                 memory_order_acquire) &&
        was != TT_PARK_ASLEEP)
        return was;
    if (left_ns >= 0) { /* with bitsets the kernel wants a time of its monotonic clock */
        (void)clock_gettime(CLOCK_MONOTONIC, &end);
        left_ns = left_ns > 3600 * TT_NS_PER_S ? 3600 * TT_NS_PER_S : left_ns;
        left_ns += end.tv_nsec;
        end.tv_sec += left_ns / TT_NS_PER_S;
        end.tv_nsec = left_ns % TT_NS_PER_S;
    }
    (void)syscall(SYS_futex, bench, FUTEX_WAIT_BITSET_PRIVATE, seen, left_ns < 0 ? NULL : &end,
                  NULL, bit);
    return atomic_load_explicit(word, memory_order_acquire);
}

#endif
