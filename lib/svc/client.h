/* client.h: everything a client holds, by who may touch it.
 *
 * Threads of a client: one prober for each node, the watchdog (deadlines), the keeper (repairs,
 * deferred invalidations, links and pools). Callers bring their own.
 *
 * Order of locks: `mu` before nothing; it is never held during I/O, and no other lock is taken
 * under it but a futex wake and settings_lock, which is held for a few comparisons.
 */
#ifndef TT_SVC_CLIENT_H
#define TT_SVC_CLIENT_H

#include <pthread.h>
#include <stdatomic.h>
#include <sys/types.h>

#include "base/clock.h"
#include "base/log.h"
#include "core/config.h"
#include "core/core.h"
#include "core/key.h"
#include "core/script.h"
#include "drv/cache.h"
#include "drv/secret.h"
#include "svc/forked.h"
#include "svc/link.h"
#include "svc/local.h"
#include "svc/nodepool.h"
#include "svc/park.h"

struct tt_client;

/* Counters beside the notes of operations (core/core.h). */
#define TT_COUNTERS_TABLE(X)                                                                       \
    X(READS, "reads", "reads asked for")                                                           \
    X(WRITES, "writes", "writes asked for")                                                        \
    X(READ_ERRORS, "read_errors", "reads that failed")                                             \
    X(WRITE_ERRORS, "write_errors", "writes that failed")                                          \
    X(LEASE_LOST, "lease_lost", "fills refused because the lease had passed to another")           \
    X(PROBES, "probes", "health checks of nodes")                                                  \
    X(PROBE_ERRORS, "probe_errors", "health checks that failed")                                   \
    X(DRAINED, "drained", "deferred invalidations carried out")

typedef enum tt_counter {
#define TT_COUNTER_ENUM_(name, metric, help) TT_COUNTER_##name,
    TT_COUNTERS_TABLE(TT_COUNTER_ENUM_)
#undef TT_COUNTER_ENUM_
        TT_COUNTER_COUNT
} tt_counter;

/* Latencies by who served: powers of two from 16 us. */
enum { TT_LATENCY_BUCKETS = 20, TT_SERVED_KINDS = 5 };

typedef struct tt_svc_node {
    struct tt_client *client;
    int index;
    char name[TT_ERROR_NODE_MAX];
    tt_db_target target;
    tt_nodepool *pool;
    pthread_t prober;
    bool prober_started;
    bool evict; /* guarded by client->mu: the pool holds connections of a demoted server */
    bool renew; /* likewise: the prober's connection may be to another server than is there now */

    /* guarded by client->mu: the last look at the node */
    uint64_t wanted, looked; /* a look is asked for; the last one that was finished */
    bool reached;
    tt_family family;
    char identity[TT_SOURCE_MAX + 1];
    char version[64];
    bool read_only;
    tt_buf applied;
    int64_t sent_ns;
    tt_error trouble; /* why it was not reached, for status and errors */
} tt_svc_node;

typedef struct tt_client {
    /* immutable after open */
    tt_allocator a;
    tt_clock clock;
    tt_log_sink log;
    tt_origin origin;
    const tt_db_driver *driver;
    tt_secret password, redis_password;
    struct tt_redis_url redis; /* where the links go */
    char term_key[TT_KEY_TERM_MAX];
    tt_svc_node nodes[TT_NODES_MAX];
    int n_nodes;
    tt_family family;   /* as configured; UNKNOWN: as found */
    bool cached;        /* there is a cache tier */
    tt_cache cache;     /* Redis or the process */
    tt_link_set *links; /* NULL without Redis */
    tt_local *local;    /* NULL unless cache.scope is process */
    bool deferred;      /* the deferred table is there; of the keeper, to set under mu */

    tt_watch watch;

    pthread_rwlock_t settings_lock; /* for those whom mu would hold up */

    pthread_mutex_t mu;
    /* guarded by mu */
    tt_core core;
    /* keys that may change while running are written under mu and settings_lock, and read under
     * either; the others are immutable */
    struct tt_settings settings;
    pthread_cond_t changed; /* a look or a discovery is finished, or something is to be done */
    bool discovering;
    uint64_t discoveries;
    bool discovered_ok;
    bool stopping;

    char said_policy; /* the keeper's: warned about the eviction policy */

    tt_bench bench; /* where operations wait for others */
    pthread_t watchdog, keeper;
    bool watchdog_started, keeper_started;

    /* atomic */
    _Atomic uint64_t notes[TT_NOTE_COUNT];
    _Atomic uint64_t counters[TT_COUNTER_COUNT];
    _Atomic uint64_t latency[TT_SERVED_KINDS][TT_LATENCY_BUCKETS];
    _Atomic uint64_t latency_sum_us[TT_SERVED_KINDS];
    /* copies of settings that hot paths need */
    _Atomic int64_t query_timeout_ms, cache_timeout_ms;
    _Atomic int64_t result_bytes, result_rows, entry_max_bytes;
} tt_client;

/* What a client is made of; see api/config.h. Secrets are copied. */
typedef struct tt_client_options {
    const tt_allocator *a;
    const tt_clock *clock;
    const tt_log_sink *log;
    const struct tt_settings *settings;
    const tt_secret *password, *redis_password;
    const tt_db_driver *driver;
    tt_rules rules_off; /* tests only */
} tt_client_options;

TT_MUST int tt_client_start(const tt_client_options *options, tt_client **out, tt_error *err);
void tt_client_stop(tt_client *c);
/* TT_E_FORKED in a child, else 0: the first line of every public call. */
TT_MUST int tt_client_check(const tt_client *c, tt_error *err);

/* Until `changed` or the time; false when the time has come. Under mu. */
bool tt_client_wait_locked(tt_client *c, int64_t until_ns);
/* Settings that others keep copies of. Under mu, or before there is another thread. */
void tt_client_apply_locked(tt_client *c);
/* Take over the settings that may change while running. 0, or TT_E_CONFIG naming those that differ
 * and may not. */
TT_MUST int tt_client_change(tt_client *c, const struct tt_settings *next, tt_error *err);
/* Look at every node and wait for it: until `deadline_ns`. Not under mu. */
void tt_client_look(tt_client *c, int64_t deadline_ns);
/* Do one repair that is due. False: there is none. */
bool tt_client_repair(tt_client *c, int64_t until_ns);
/* As pthread_create, with all signals blocked: those are the host's. */
TT_MUST int tt_thread_start(pthread_t *thread, void *(*main)(void *), void *arg);
/* Threads (svc/prober.c, svc/keeper.c). */
void *tt_prober_main(void *node);
void *tt_watchdog_main(void *client);
void *tt_keeper_main(void *client);

static inline int64_t tt_client_now(const tt_client *c)
{
    return tt_now_ns(&c->clock);
}

static inline void tt_client_count(tt_client *c, tt_counter which, uint64_t n)
{
    atomic_fetch_add_explicit(&c->counters[which], n, memory_order_relaxed);
}

#endif
