#include "svc/nodepool.h"

#include "base/err.h"
#include "base/rng.h"
#include "svc/park.h"

/* A connection idle for longer is looked at before it is used: the server may have closed it. One
 * that it closes sooner than that is as if it had done so during the statement. */
#define LOOK_AFTER_NS TT_NS_PER_MS

enum { WORD_GRANTED = 2 };

struct tt_nodepool {
    /* immutable */
    const tt_allocator *a;
    const tt_clock *clock;
    tt_watch *watch;
    const tt_db_target *target;
    _Atomic int64_t wait_timeout_ms;

    tt_bench bench; /* where callers in line sleep */

    pthread_mutex_t mu;
    /* guarded by mu */
    tt_pool pool;
    uint64_t timeouts, resets;
};

/* A caller of acquire, on its stack. */
typedef struct caller {
    tt_pool_request r;
    atomic_int word;
} caller;

static tt_pool_config config_of(const tt_nodepool_options *o)
{
    return (tt_pool_config){.min = o->min,
                            .max = o->max,
                            .max_waiters = o->max_waiters,
                            .idle_check_ns = o->idle_check_ms * TT_NS_PER_MS,
                            .max_lifetime_ns = o->max_lifetime_ms * TT_NS_PER_MS};
}

int tt_nodepool_new(const tt_allocator *a, const tt_clock *clock, tt_watch *watch,
                    const tt_db_target *target, const tt_nodepool_options *options,
                    tt_nodepool **out)
{
    tt_pool_config config = config_of(options);
    tt_nodepool *p = tt_new(a, sizeof(*p));
    uint64_t seed;

    if (!p)
        return TT_E_NOMEM;
    p->a = a;
    p->clock = clock;
    p->watch = watch;
    p->target = target;
    atomic_init(&p->wait_timeout_ms, options->wait_timeout_ms);
    tt_rng_kernel.fill(tt_rng_kernel.ctx, &seed, sizeof(seed));
    tt_pool_init(&p->pool, &config, seed);
    if (pthread_mutex_init(&p->mu, NULL) != 0) {
        tt_del(a, p);
        return TT_E_NOMEM;
    }
    *out = p;
    return 0;
}

static uint32_t park_bit(const caller *c)
{
    return tt_park_bit((uintptr_t)c >> 6);
}

static tt_conn *conn_of(tt_pool_slot *slot)
{
    return TT_CONTAINER(slot, tt_conn, slot);
}

/* What every call of the core leaves to be done: wake whom it granted, close what it gave up.
 * Unlocks mu; connections are closed without it, and their places granted in turn. */
static void settle_and_unlock(tt_nodepool *p)
{
    for (;;) {
        tt_pool_slot *slot = tt_pool_next_closing(&p->pool);
        tt_pool_request *r;
        uint32_t wake = 0;

        while ((r = tt_pool_next_granted(&p->pool)) != NULL) {
            caller *c = TT_CONTAINER(r, caller, r);

            tt_park_end(&c->word, WORD_GRANTED, park_bit(c), &wake);
        }
        tt_bench_wake(&p->bench, wake);
        if (!slot)
            break;
        pthread_mutex_unlock(&p->mu);
        tt_conn_shut(conn_of(slot));
        pthread_mutex_lock(&p->mu);
        tt_pool_closed(&p->pool, slot, tt_now_ns(p->clock));
        tt_conn_free(p->a, conn_of(slot));
    }
    pthread_mutex_unlock(&p->mu);
}

void tt_nodepool_change(tt_nodepool *p, const tt_nodepool_options *options)
{
    tt_pool_config config = config_of(options);

    atomic_store(&p->wait_timeout_ms, options->wait_timeout_ms);
    pthread_mutex_lock(&p->mu);
    tt_pool_change(&p->pool, &config, tt_now_ns(p->clock));
    settle_and_unlock(p);
}

void tt_nodepool_free(tt_nodepool *p, bool forked)
{
    if (!p)
        return;
    if (!forked) {
        pthread_mutex_lock(&p->mu);
        tt_pool_evict(&p->pool);
        settle_and_unlock(p);
        pthread_mutex_destroy(&p->mu);
    }
    tt_del(p->a, p);
}

/* ---- getting one -------------------------------------------------------------------------------
 */

/* Sleep until the verdict of the one in line has changed, or the time is over. */
static void wait_in_line(tt_nodepool *p, caller *c, int64_t until_ns)
{
    int64_t left;

    while ((left = until_ns - tt_now_ns(p->clock)) > 0)
        if (tt_park(&p->bench, &c->word, park_bit(c), left) == WORD_GRANTED)
            return;
    pthread_mutex_lock(&p->mu);
    if (tt_pool_cancel(&p->pool, &c->r))
        p->timeouts++;
    settle_and_unlock(p);
}

/* The one that was given: is it alive, and clean? */
static bool is_fit(tt_nodepool *p, tt_conn *conn, bool check, int64_t now_ns, int64_t deadline_ns)
{
    const tt_db_driver *driver = p->watch->driver;
    tt_db_status status = TT_DB_OK;

    if (now_ns - conn->slot.idle_since_ns < LOOK_AFTER_NS ? tt_conn_broken(conn)
                                                          : !tt_conn_usable(conn))
        return false;
    if (!check && !conn->slot.dirty)
        return true;
    tt_conn_begin(conn, deadline_ns);
    if (conn->slot.dirty) {
        status = driver->reset(conn->db, NULL);
        conn->slot.dirty = false;
        pthread_mutex_lock(&p->mu);
        p->resets++;
        pthread_mutex_unlock(&p->mu);
    } else {
        status = driver->ping(conn->db, NULL);
    }
    return tt_conn_end(conn) && status == TT_DB_OK;
}

static tt_db_status open_in_place(tt_nodepool *p, caller *c, int64_t deadline_ns, tt_conn **out,
                                  tt_error *err)
{
    tt_db_status status;

    if (c->r.slot)
        tt_conn_close(p->a, conn_of(c->r.slot));
    c->r.slot = NULL;
    status = tt_conn_open(p->a, p->watch, p->target, deadline_ns, out, err);
    pthread_mutex_lock(&p->mu);
    if (status == TT_DB_OK)
        tt_pool_connected(&p->pool, &c->r, &(*out)->slot, tt_now_ns(p->clock));
    else
        tt_pool_failed(&p->pool, &c->r, tt_now_ns(p->clock));
    settle_and_unlock(p);
    return status;
}

static tt_db_status refuse(tt_nodepool *p, bool full, tt_error *err)
{
    int max, max_waiters;

    pthread_mutex_lock(&p->mu);
    max = p->pool.config.max;
    max_waiters = p->pool.config.max_waiters;
    pthread_mutex_unlock(&p->mu);
    (void)tt_fail(err, TT_E_BUSY,
                  full
                      ? "all %d connections are in use and %d callers are waiting: raise "
                        "database.pool.max or max_waiters, or send less"
                      : "all %d connections stayed in use for database.pool.wait_timeout, or until "
                        "the deadline (%d callers may wait)",
                  max, max_waiters);
    return TT_DB_LOCAL;
}

tt_db_status tt_nodepool_acquire(tt_nodepool *p, int64_t deadline_ns, tt_conn **out, tt_error *err)
{
    int64_t now_ns = tt_now_ns(p->clock);
    int64_t until_ns =
        TT_MIN(deadline_ns, now_ns + atomic_load(&p->wait_timeout_ms) * TT_NS_PER_MS);
    tt_pool_verdict verdict;
    tt_conn *conn;
    caller c;

    atomic_init(&c.word, TT_PARK_WAITING);
    pthread_mutex_lock(&p->mu);
    verdict = tt_pool_acquire(&p->pool, &c.r, now_ns);
    settle_and_unlock(p);
    if (verdict == TT_POOL_WAIT) {
        wait_in_line(p, &c, until_ns);
        verdict = c.r.verdict;
    }
    switch (verdict) {
    case TT_POOL_USE:
    case TT_POOL_CHECK:
        conn = conn_of(c.r.slot);
        if (is_fit(p, conn, verdict == TT_POOL_CHECK, now_ns, deadline_ns)) {
            *out = conn;
            return TT_DB_OK;
        }
        pthread_mutex_lock(&p->mu);
        tt_pool_lost(&p->pool, &c.r);
        settle_and_unlock(p);
        return open_in_place(p, &c, deadline_ns, out, err);
    case TT_POOL_OPEN:
        return open_in_place(p, &c, deadline_ns, out, err);
    case TT_POOL_FULL:
        return refuse(p, true, err);
    case TT_POOL_WAIT:
    case TT_POOL_NONE:
        break;
    }
    return refuse(p, false, err);
}

/* ---- giving it back ----------------------------------------------------------------------------
 */

void tt_nodepool_release(tt_nodepool *p, tt_conn *c)
{
    bool broken = tt_conn_broken(c);
    bool dirty = !broken && p->watch->driver->dirty(c->db);

    pthread_mutex_lock(&p->mu);
    tt_pool_release(&p->pool, &c->slot, dirty, broken, tt_now_ns(p->clock));
    settle_and_unlock(p);
}

void tt_nodepool_evict(tt_nodepool *p)
{
    pthread_mutex_lock(&p->mu);
    tt_pool_evict(&p->pool);
    settle_and_unlock(p);
}

void tt_nodepool_tend(tt_nodepool *p)
{
    tt_conn *conn;
    caller c;
    bool more = true;

    while (more) {
        atomic_init(&c.word, TT_PARK_WAITING);
        pthread_mutex_lock(&p->mu);
        more = tt_pool_tend(&p->pool, &c.r, tt_now_ns(p->clock));
        settle_and_unlock(p);
        if (more && open_in_place(p, &c, INT64_MAX, &conn, NULL) == TT_DB_OK)
            tt_nodepool_release(p, conn);
        else
            more = false;
    }
}

tt_nodepool_counts tt_nodepool_count(tt_nodepool *p)
{
    tt_nodepool_counts n;

    pthread_mutex_lock(&p->mu);
    n = (tt_nodepool_counts){.open = p->pool.counts.busy + p->pool.counts.idle,
                             .idle = p->pool.counts.idle,
                             .waiting = p->pool.counts.waiting,
                             .opened = p->pool.counts.n_opened,
                             .closed = p->pool.counts.n_closed,
                             .timeouts = p->timeouts,
                             .refused = p->pool.counts.n_refused,
                             .resets = p->resets};
    pthread_mutex_unlock(&p->mu);
    return n;
}
