/* pool.h: the decisions of a pool of connections to one node. It opens and closes nothing: events
 * go in, and what is to be done comes out.
 *
 *             tt_pool_connected               tt_pool_release
 *   (opening) ────────────────▶ BUSY ◀──────────────────────────▶ IDLE
 *       ▲                        │ │            tt_pool_acquire     │
 *       │        tt_pool_lost    │ │ broken, old                    │ old
 *       └────────────────────────┘ ▼                                ▼
 *                                CLOSING ────────────────────────▶ gone
 *                                           tt_pool_closed
 *
 * Everything that holds a connection at the server counts against the maximum: opening, busy, idle
 * and closing. Idle connections are used last in, first out, so that those which are not needed
 * grow old; who waits is served first come, first served, and nobody overtakes the line.
 *
 * A plain struct without memory of its own: its user holds a lock around these functions, embeds a
 * slot in each connection and a request in each caller, and after every call, outside the lock,
 *   wakes the requests of tt_pool_next_granted, and
 *   closes the connections of tt_pool_next_closing, then reports each with tt_pool_closed.
 */
#ifndef TT_CORE_POOL_H
#define TT_CORE_POOL_H

#include <stdint.h>

#include "base/list.h"
#include "base/must.h"

typedef struct tt_pool_config {
    int min, max;            /* connections; 0 <= min <= max, max at least 1 */
    int max_waiters;         /* in line; more are refused */
    int64_t idle_check_ns;   /* idle for longer: to be checked before it is used */
    int64_t max_lifetime_ns; /* then closed, with up to an eighth off as jitter; 0: never */
} tt_pool_config;

typedef enum tt_slot_state {
    TT_SLOT_NONE = 0, /* not of the pool */
    TT_SLOT_BUSY,
    TT_SLOT_IDLE,
    TT_SLOT_CLOSING
} tt_slot_state;

/* One connection. Zeroed by its owner at first; all but `dirty` belongs to the pool. */
typedef struct tt_pool_slot {
    tt_link link;
    tt_slot_state state;
    bool dirty; /* has state of a session (its user may say so, too): reset it before use, and clear
                   this */
    uint64_t generation;
    int64_t expires_ns, idle_since_ns;
} tt_pool_slot;

typedef enum tt_pool_verdict {
    TT_POOL_NONE = 0,
    TT_POOL_USE,   /* `slot` is yours */
    TT_POOL_CHECK, /* `slot` is yours, but was idle for long: check it; tt_pool_lost if it is dead
                    */
    TT_POOL_OPEN,  /* close `slot` if it is not NULL, open a connection, and report connected or
                      failed */
    TT_POOL_WAIT,  /* in line: the verdict will change */
    TT_POOL_FULL   /* refused: the line is as long as it may be */
} tt_pool_verdict;

/* One caller. Needs no initialisation; lives until it was granted or cancelled, and, when told to
 * open, until that was reported. */
typedef struct tt_pool_request {
    tt_link link;
    tt_pool_verdict verdict;
    tt_pool_slot *slot;
    uint64_t generation;
} tt_pool_request;

typedef struct tt_pool_counts {
    int opening, busy, idle, closing, waiting;
    uint64_t n_opened, n_failed, n_closed; /* connections */
    uint64_t n_waited, n_cancelled, n_refused;
} tt_pool_counts;

typedef struct tt_pool {
    tt_pool_config config;
    int ceiling;  /* the maximum, or as many as there were above it when it was lowered */
    tt_link idle; /* oldest use first */
    tt_link line;
    tt_link granted;
    tt_link closing; /* not yet taken by tt_pool_next_closing */
    tt_pool_counts counts;
    uint64_t generation; /* of connections opened from now on */
    uint64_t jitter;
} tt_pool;

void tt_pool_init(tt_pool *p, const tt_pool_config *config, uint64_t seed);
/* Other bounds from now on. Above a lower maximum idle connections are closed, others when they are
 * given back; a higher one is at once for those in line. */
void tt_pool_change(tt_pool *p, const tt_pool_config *config, int64_t now_ns);

/* Fills and returns the verdict. */
TT_MUST tt_pool_verdict tt_pool_acquire(tt_pool *p, tt_pool_request *r, int64_t now_ns);
/* Waited for too long: true, and it is out of the line; false when it was granted meanwhile (it
 * need not be woken any more, and what it was granted is to be used or given back). */
TT_MUST bool tt_pool_cancel(tt_pool *p, tt_pool_request *r);

/* Of a request that was told to open. The new slot is busy, its requester's. */
void tt_pool_connected(tt_pool *p, const tt_pool_request *r, tt_pool_slot *slot, int64_t now_ns);
void tt_pool_failed(tt_pool *p, tt_pool_request *r, int64_t now_ns);
/* A busy connection of this request turned out dead before it was used: the verdict becomes
 * TT_POOL_OPEN, in its place. */
void tt_pool_lost(tt_pool *p, tt_pool_request *r);

/* Give a busy one back. `broken`: not to be used again; `dirty`: not without a reset. */
void tt_pool_release(tt_pool *p, tt_pool_slot *slot, bool dirty, bool broken, int64_t now_ns);

/* The node was demoted or went away: none of the connections that there are now, busy and opening
 * ones included, is used again. */
void tt_pool_evict(tt_pool *p);
/* From time to time: idle connections that are too old are closed. True when there are fewer than
 * the minimum: `r` is told to open one; then report it, and release it. Call it again until false.
 */
TT_MUST bool tt_pool_tend(tt_pool *p, tt_pool_request *r, int64_t now_ns);

/* Requests whose verdict has changed, in the order in which they came; NULL: no more. */
tt_pool_request *tt_pool_next_granted(tt_pool *p);
/* Connections to be closed; NULL: no more. */
tt_pool_slot *tt_pool_next_closing(tt_pool *p);
/* One of these is closed now, and its place is free. */
void tt_pool_closed(tt_pool *p, tt_pool_slot *slot, int64_t now_ns);

#endif
