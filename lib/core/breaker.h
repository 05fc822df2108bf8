/* breaker.h: a circuit breaker: after so many failures in a row, or one refused connection, calls
 * fail at once for a while instead of waiting for what is away.
 *
 *              failures in a row, or refused
 *     CLOSED ───────────────────────────────▶ OPEN ◀────────────┐
 *        ▲                                     │ time is up     │ the probe failed,
 *        │            the probe was good       ▼                │ or was not used
 *        └───────────────────────────────── HALF_OPEN ──────────┘
 *
 * It is open for open_min, and twice as long each time that a probe fails, up to open_max; a
 * quarter of that is jitter, so that a fleet does not come back all at once. HALF_OPEN lets one
 * call through; a probe that never reports back is replaced after the same time.
 *
 * A plain struct: its user holds a lock around these functions. Where the lock is too dear, the
 * user publishes tt_breaker_quiet() in an atomic after each change; while it is true, a call needs
 * neither tt_breaker_allow (it is true) nor tt_breaker_ok (it changes nothing), so the way of a
 * healthy call is one relaxed load. A reader of an old value lets one call too many through.
 * Reports of calls that began before it opened count as the probe's.
 */
#ifndef TT_CORE_BREAKER_H
#define TT_CORE_BREAKER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/must.h"

typedef struct tt_breaker_config {
    int failures; /* in a row that open it, at least 1 */
    int64_t open_min_ns, open_max_ns;
} tt_breaker_config;

typedef enum tt_breaker_state {
    TT_BREAKER_CLOSED = 0,
    TT_BREAKER_OPEN,
    TT_BREAKER_HALF_OPEN
} tt_breaker_state;

typedef struct tt_breaker {
    tt_breaker_config config;
    tt_breaker_state state;
    int failures;      /* in a row, while closed */
    int64_t open_ns;   /* how long it was opened last, without jitter; 0 after a success */
    int64_t until_ns;  /* OPEN: a probe may go from then on; HALF_OPEN: another one */
    uint64_t jitter;   /* state of the generator */
    uint64_t n_opened; /* times it left CLOSED */
    uint64_t n_refused;
} tt_breaker;

void tt_breaker_init(tt_breaker *b, const tt_breaker_config *config, uint64_t seed);

/* May a call go? Whoever gets true reports with one of the three functions below. */
TT_MUST bool tt_breaker_allow(tt_breaker *b, int64_t now_ns);
void tt_breaker_ok(tt_breaker *b, int64_t now_ns);
/* `refused`: nobody listens there, which opens at once. */
void tt_breaker_fail(tt_breaker *b, int64_t now_ns, bool refused);
/* The call was not made, or says nothing about the other side. */
void tt_breaker_unused(tt_breaker *b, int64_t now_ns);

/* Closed, and no failure counted? */
static inline bool tt_breaker_quiet(const tt_breaker *b)
{
    return b->state == TT_BREAKER_CLOSED && b->failures == 0;
}

#endif
