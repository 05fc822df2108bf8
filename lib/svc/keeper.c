/* keeper.c: the background of a client: deadlines (the watchdog), and what must still be done:
 * outstanding bumps, dead writers' marks, deferred invalidations, connections to keep. */
#include "svc/client.h"

#include "core/discover.h"
#include "core/repair.h"
#include "svc/deferred.h"
#include "svc/drive.h"

enum {
    KEEP_MS = 20,
    POOLS_EVERY = 25,
    DRAIN_EVERY = 25,
    DOUBT_EVERY = 15,
    REPAIRS_A_ROUND = 64,
    REPAIR_MS = 2000
};

/* Sleep, but end at once when the client stops; false then. */
static bool nap(tt_client *c, int64_t ms)
{
    int64_t until = tt_client_now(c) + ms * TT_NS_PER_MS;
    bool go;

    pthread_mutex_lock(&c->mu);
    while (!c->stopping)
        if (!tt_client_wait_locked(c, until))
            break;
    go = !c->stopping;
    pthread_mutex_unlock(&c->mu);
    return go;
}

static bool is_stopping(tt_client *c)
{
    bool stopping;

    pthread_mutex_lock(&c->mu);
    stopping = c->stopping;
    pthread_mutex_unlock(&c->mu);
    return stopping;
}

void *tt_watchdog_main(void *client)
{
    tt_client *c = client;

    /* It goes on while the client stops: the last rollbacks have deadlines too. */
    tt_watch_run(&c->watch);
    return NULL;
}

static void run_repair(tt_client *c, tt_repair *r, int64_t until_ns)
{
    tt_repair_op op;
    tt_drive d;

    tt_drive_init(&d, c, until_ns, NULL);
    tt_repair_init(&op, &c->core, r);
    tt_drive_repair(&d, &op);
    pthread_mutex_lock(&c->mu);
    tt_repair_finish(&op, tt_client_now(c));
    pthread_mutex_unlock(&c->mu);
    tt_drive_free(&d);
}

bool tt_client_repair(tt_client *c, int64_t until_ns)
{
    tt_repair *r;

    pthread_mutex_lock(&c->mu);
    r = tt_repair_next(&c->core, tt_client_now(c));
    pthread_mutex_unlock(&c->mu);
    if (r)
        run_repair(c, r, until_ns);
    return r != NULL;
}

static void tend_pools(tt_client *c)
{
    for (int i = 0; i < c->n_nodes; i++) {
        bool evict;

        pthread_mutex_lock(&c->mu);
        evict = c->nodes[i].evict;
        c->nodes[i].evict = false;
        pthread_mutex_unlock(&c->mu);
        if (evict)
            tt_nodepool_evict(c->nodes[i].pool);
        tt_nodepool_tend(c->nodes[i].pool);
    }
}

/* A policy that may evict marked tags breaks the promise: say so once. */
static void check_policy(tt_client *c)
{
    tt_cache_peer peer;

    if (c->said_policy || !tt_link_peer(c->links, &peer))
        return;
    c->said_policy = 1;
    if (strncmp(peer.policy, "allkeys", 7) == 0)
        tt_log(
            &c->log, TT_LOG_WARN,
            "Redis has maxmemory-policy %s: it may evict the tag of a write under way, and a "
            "writer killed at that moment leaves a stale entry until it expires; use volatile-lru "
            "or volatile-ttl",
            peer.policy);
}

static bool primary_is_doubtful(tt_client *c)
{
    bool doubtful;

    pthread_mutex_lock(&c->mu);
    doubtful = tt_discover_wanted(&c->core.topology);
    pthread_mutex_unlock(&c->mu);
    return doubtful;
}

/* Writes are to be deferred, by a configuration that was read again: first the table. */
static void begin_deferring(tt_client *c)
{
    tt_error err = TT_ERROR_INIT;
    bool wanted;

    pthread_mutex_lock(&c->mu);
    wanted = c->cached && c->settings.cache.when_unavailable == TT_CONF_AWAY_DEFER;
    pthread_mutex_unlock(&c->mu);
    if (!wanted || tt_deferred_prepare(c, &err) != 0)
        return;
    pthread_mutex_lock(&c->mu);
    c->deferred = true;
    tt_client_apply_locked(c);
    pthread_mutex_unlock(&c->mu);
}

void *tt_keeper_main(void *client)
{
    tt_client *c = client;
    bool more = false; /* deferred rows: a round takes some, and then looks after the rest */

    for (unsigned round = 0; nap(c, KEEP_MS); round++) {
        if (c->links) {
            tt_link_tend(c->links);
            check_policy(c);
        }
        for (int i = 0; i < REPAIRS_A_ROUND && !is_stopping(c); i++)
            if (!tt_client_repair(c, tt_client_now(c) + REPAIR_MS * TT_NS_PER_MS))
                break;
        if (round % DOUBT_EVERY == 0 && primary_is_doubtful(c))
            (void)tt_drive_discover(c, tt_client_now(c) + TT_NS_PER_S);
        if (round % POOLS_EVERY == 0)
            tend_pools(c);
        if (round % DRAIN_EVERY != 0 && !more)
            continue;
        if (!c->deferred)
            begin_deferring(c);
        else
            more = tt_deferred_drain(c) > 0;
    }
    return NULL;
}
