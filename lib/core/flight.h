/* flight.h: single-flight, keyed by what was read: loads under way that others may share.
 *
 * A read may share a load only when the versions of all tags that it read after it began itself are
 * those of the load. So the stamp is part of the key: a plain "join what is in flight" would hand a
 * session data older than its own write. Reads with marked or unreadable tags do not come here.
 */
#ifndef TT_CORE_FLIGHT_H
#define TT_CORE_FLIGHT_H

#include "base/hash.h"
#include "core/entry.h"
#include "core/rules.h"
#include "core/waiter.h"

typedef struct tt_flight {
    tt_link link; /* in its bucket until it is done */
    tt_hash128 key;
    tt_stamp stamp;
    tt_link waiters;
    unsigned refs; /* the leader and everyone who joined */
    bool done, ok;
    void *result; /* holds a reference when ok */
    int source_node;
    bool from_primary;
    int64_t created_ms;
    tt_buf as_of;
} tt_flight;

#define TT_FLIGHT_BUCKETS 256

typedef struct tt_flights {
    const tt_allocator *a;
    tt_rules rules_off;
    tt_link buckets[TT_FLIGHT_BUCKETS];
    void (*release)(void *result);
    void *(*retain)(void *result);
} tt_flights;

void tt_flights_init(tt_flights *f, const tt_allocator *a, void *(*retain)(void *),
                     void (*release)(void *));
/* Join the load of this key and stamp, or begin one (*leader). NULL when memory is out: load alone.
 * The caller owns one reference. */
tt_flight *tt_flight_enter(tt_flights *f, tt_hash128 key, const tt_stamp *stamp, bool *leader);
/* Wait for it; the waiter is woken by the finish. */
void tt_flight_wait(tt_flight *flight, tt_waiter *w);
/* The leader is done: everyone waiting goes to `woken`. `result` is retained when ok; as_of is
 * copied (unknown when memory is out). */
void tt_flight_finish(tt_flights *f, tt_flight *flight, bool ok, void *result, tt_str as_of,
                      tt_link *woken);
/* Give a reference back; NULL does nothing. A leader must have finished. */
void tt_flight_leave(tt_flights *f, tt_flight *flight);

#endif
