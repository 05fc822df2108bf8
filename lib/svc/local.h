/* local.h: the cache tier of a service of one process (`scope: process`), as a tt_cache.
 *
 * Stores (core/store.h) with a lock each; a key belongs to one of them by its hash. Its clock is
 * the monotonic one: expiry, and the deadlines of marks, are not moved by whoever sets the time.
 */
#ifndef TT_SVC_LOCAL_H
#define TT_SVC_LOCAL_H

#include "base/rng.h"
#include "core/store.h"
#include "drv/cache.h"

/* Stores, and locks. */
#define TT_LOCAL_SHARDS 16

typedef struct tt_local tt_local;

/* `max_bytes` is divided evenly: whoever decides how large an entry may be must stay well below
 * max_bytes / TT_LOCAL_SHARDS, since one that does not fit leaves its lease behind. Entries of one
 * tt_local are never taken for those of another: `rng` gives it its epoch. `a` and `clock` are
 * borrowed until it is freed. Returns 0 or TT_E_NOMEM. */
TT_MUST int tt_local_new(const tt_allocator *a, const tt_clock *clock, const tt_rng *rng,
                         size_t max_bytes, tt_local **out);
/* No other thread may be using it; NULL is allowed. `forked`: in the child of a fork; what another
 * thread of the parent may have left half changed is leaked. */
void tt_local_free(tt_local *l, bool forked);

/* Ask; see tt_cache.call. Any thread. Waits for locks alone, whatever the deadline. Returns 0 and
 * out->ok, TT_E_NOMEM or TT_E_ARGUMENT. A command that does not fit is answered TT_REPLY_ERROR. */
TT_MUST int tt_local_call(tt_local *l, const tt_batch *batch, tt_answers *out);
/* Ask and hand the answers to `done` before it returns; see tt_cache.post. Any thread. A `done`
 * that posts is deeper on the stack. Returns 0, also when !answers->ok, or TT_E_ARGUMENT. */
TT_MUST int tt_local_post(tt_local *l, const tt_batch *batch, tt_cache_done *done, void *done_ctx);
/* Of all stores together. Any thread. */
tt_store_counters tt_local_count(tt_local *l);
/* As svc sees it. */
tt_cache tt_local_cache(tt_local *l);

#endif
