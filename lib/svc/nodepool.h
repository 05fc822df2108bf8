/* nodepool.h: the connections to one database node. The decisions are those of core/pool.h; here
 * are the lock, the waiting and the connecting. No I/O is done under the lock.
 */
#ifndef TT_SVC_NODEPOOL_H
#define TT_SVC_NODEPOOL_H

#include "base/clock.h"
#include "base/log.h"
#include "svc/conn.h"

typedef struct tt_nodepool_options {
    int min, max, max_waiters;
    int64_t wait_timeout_ms, max_lifetime_ms, idle_check_ms;
} tt_nodepool_options;

typedef struct tt_nodepool_counts {
    int open, idle, waiting;
    uint64_t opened, closed, timeouts, refused, resets;
} tt_nodepool_counts;

typedef struct tt_nodepool tt_nodepool;

/* Other bounds from now on. Any thread. */
void tt_nodepool_change(tt_nodepool *p, const tt_nodepool_options *options);
/* `target`, `clock`, `watch` are borrowed for the life of the pool. */
TT_MUST int tt_nodepool_new(const tt_allocator *a, const tt_clock *clock, tt_watch *watch,
                            const tt_db_target *target, const tt_nodepool_options *options,
                            tt_nodepool **out);
/* Every connection has been released. `forked`: close nothing but memory. */
void tt_nodepool_free(tt_nodepool *p, bool forked);
/* A connection, until `deadline_ns` or the pool's own waiting time. TT_DB_OK; TT_DB_UNSENT (the
 * node cannot be reached); TT_DB_LOCAL (the node is not to blame) with TT_E_BUSY (waited in vain,
 * or refused), TT_E_TIMEOUT (the deadline passed while it was being made), TT_E_NOMEM. */
tt_db_status tt_nodepool_acquire(tt_nodepool *p, int64_t deadline_ns, tt_conn **out, tt_error *err);
/* Give it back, clean, dirty (it is reset first) or broken (it is closed). */
void tt_nodepool_release(tt_nodepool *p, tt_conn *c);
/* Close what is idle now and the rest when it comes back: the node was demoted, or went away. */
void tt_nodepool_evict(tt_nodepool *p);
/* For the background: keep the minimum open, close what is too old. */
void tt_nodepool_tend(tt_nodepool *p);
tt_nodepool_counts tt_nodepool_count(tt_nodepool *p);

#endif
