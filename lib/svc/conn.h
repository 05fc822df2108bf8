/* conn.h: a database connection with a deadline.
 *
 * Client libraries count their timeouts in seconds, so deadlines are kept here: who uses a
 * connection says until when, and the watchdog (a thread of the client) aborts those that are late.
 *
 * deadline_ns: 0 idle, > 0 in use until then, ABORTED taken by the watchdog. The user and the
 * watchdog settle by atomic exchange who comes first; `mu` keeps the connection open while it is
 * being aborted.
 */
#ifndef TT_SVC_CONN_H
#define TT_SVC_CONN_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/clock.h"
#include "base/list.h"
#include "core/pool.h"
#include "drv/db.h"
#include "svc/park.h"

typedef struct tt_watch {
    pthread_mutex_t mu;
    tt_link conns; /* guarded by mu: every open tt_conn */
    const tt_db_driver *driver;
    const tt_clock *clock;
    /* atomic: the watchdog sleeps until the earliest deadline that it knows of. Who sets an earlier
     * one wakes it. */
    _Atomic int64_t sleeps_until_ns;
    atomic_int word; /* svc/park.h */
    tt_bench bench;
    atomic_bool done;
} tt_watch;

typedef struct tt_conn {
    tt_link watched;   /* guarded by watch->mu */
    tt_pool_slot slot; /* of the pool that keeps it */
    tt_watch *watch;
    tt_db_conn *db;
    _Atomic int64_t deadline_ns;
    bool aborted; /* of its user: not to be used again */
} tt_conn;

/* `driver` and `clock` are borrowed. */
int tt_watch_init(tt_watch *w, const tt_db_driver *driver, const tt_clock *clock);
void tt_watch_free(tt_watch *w);
/* The watchdog: abort what is late, until tt_watch_stop. */
void tt_watch_run(tt_watch *w);
void tt_watch_stop(tt_watch *w);
/* The child of a fork. */
void tt_watch_forked(tt_watch *w);

/* Connect; blocks up to the target's connect timeout, or until `deadline_ns`: then TT_DB_LOCAL with
 * TT_E_TIMEOUT, for the node may be well. Before the login is through this is kept to the second
 * only. */
tt_db_status tt_conn_open(const tt_allocator *a, tt_watch *w, const tt_db_target *target,
                          int64_t deadline_ns, tt_conn **out, tt_error *err);
/* Close it; the struct stays until tt_conn_free. */
void tt_conn_shut(tt_conn *c);
void tt_conn_free(const tt_allocator *a, tt_conn *c);
/* Both; NULL does nothing. */
void tt_conn_close(const tt_allocator *a, tt_conn *c);
/* It has state of a session that the driver need not know of: reset it before it is used again. */
static inline void tt_conn_soil(tt_conn *c)
{
    c->slot.dirty = true;
}
/* Around every use. tt_conn_end: false when the watchdog was faster: the connection is lost. */
void tt_conn_begin(tt_conn *c, int64_t deadline_ns);
bool tt_conn_end(tt_conn *c);
/* May it be used again? This looks at the socket; tt_conn_broken only at what is known. */
bool tt_conn_usable(const tt_conn *c);
bool tt_conn_broken(const tt_conn *c);

#endif
