/* link.h: the way to one cache node: a few connections, shared by all threads, pipelined
 * implicitly.
 *
 * A thread that finds a connection idle does its own I/O, as fast as a bare client. Threads that
 * come meanwhile are sent and answered together. Connections are opened by whoever needs one first,
 * or by tt_link_tend; when the node does not answer a circuit breaker makes calls fail in
 * microseconds. */
#ifndef TT_SVC_LINK_H
#define TT_SVC_LINK_H

#include "base/log.h"
#include "core/breaker.h"
#include "drv/cache.h"

#define TT_LINK_CONNECTIONS_MAX 64

typedef struct tt_link_options {
    int connections; /* at least 2; 0: 2. The last is for large values, and when others are down */
    size_t large_bytes;        /* batches from this size on go to the last; 0: 64 KiB */
    size_t post_bytes_max;     /* of unanswered posts on one connection; 0: 32 MiB */
    unsigned queue_max;        /* batches at once on one connection; 0: 2048 */
    int connect_timeout_ms;    /* 0: 1000; a call's deadline may cut it */
    int stall_ms;              /* silent for so long with replies due: given up; 0: 5000 */
    tt_breaker_config breaker; /* failures: timeouts in a row. 0: 5, 100 ms, 2 s */
} tt_link_options;

typedef struct tt_link_set tt_link_set;

/* Copies `target` with all it points to. Nothing is connected yet. Returns 0, TT_E_NOMEM or
 * TT_E_ARGUMENT. `a`, `clock` and `log` are borrowed until the set is freed. */
TT_MUST int tt_link_set_new(const tt_allocator *a, const tt_clock *clock, const tt_log_sink *log,
                            const tt_cache_target *target, const tt_link_options *options,
                            tt_link_set **out, tt_error *err);
/* No other thread may be using the set. Posts without an answer end with !ok. `forked`: in the
 * child of a fork, where the parent's other threads may have been inside: memory is freed as far as
 * it is in a known state, sockets are closed without a byte or a shutdown, no `done` is called. */
void tt_link_set_free(tt_link_set *s, bool forked);

/* Ask and wait; see tt_cache.call. Any thread. Returns 0 and out->ok, or TT_E_CACHE_UNAVAILABLE,
 * TT_E_TIMEOUT, TT_E_NOMEM, TT_E_BUSY (queue full), TT_E_ARGUMENT. */
TT_MUST int tt_link_call(tt_link_set *s, const tt_batch *batch, int64_t deadline_ns,
                         tt_answers *out);
/* Ask, and wait later; see tt_cache.start. Any thread. start never connects: a set that is down
 * refuses with TT_E_CACHE_UNAVAILABLE. */
TT_MUST int tt_link_start(tt_link_set *s, const tt_batch *batch, tt_answers *out,
                          tt_cache_pending *p);
TT_MUST int tt_link_finish(tt_link_set *s, tt_cache_pending *p, int64_t deadline_ns);
/* Ask and go on; see tt_cache.post. Any thread, never waits, never connects: a set that is down
 * refuses. The bytes are copied, and sent at once if a connection is idle, else with its holder's
 * next write. Between a post and a later batch there is no order: they may take two connections. */
TT_MUST int tt_link_post(tt_link_set *s, const tt_batch *batch, tt_cache_done *done,
                         void *done_ctx);
/* For a background thread, every 10 to 100 ms: sends and reads what callers left behind, notices
 * connections that died, and opens those that are down (taking up to the connect timeout). */
void tt_link_tend(tt_link_set *s);
/* Wait until every post is answered; false if some are not by the deadline. */
bool tt_link_drain(tt_link_set *s, int64_t deadline_ns);
/* Open every connection. 0, or why the last one could not be. */
TT_MUST int tt_link_open(tt_link_set *s, int64_t deadline_ns, tt_error *err);
/* Who answers now; false when no connection is open. */
bool tt_link_peer(tt_link_set *s, tt_cache_peer *out);
/* Another reply_bytes_max (drv/cache.h) from now on. Any thread. */
void tt_link_limit(tt_link_set *s, size_t reply_bytes_max);
/* The set as svc sees it. */
tt_cache tt_link_cache(tt_link_set *s);

#endif
