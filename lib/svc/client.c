#include "svc/client.h"

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "base/err.h"
#include "core/key.h"
#include "core/result.h"
#include "svc/deferred.h"
#include "svc/drive.h"

enum { CONNECT_SLACK_MS = 500, FAREWELL_MS = 1000, RECOVER_MS = 2000, KILL_WAIT_MS = 500 };

int tt_client_check(const tt_client *c, tt_error *err)
{
    if (!c)
        return tt_fail(err, TT_E_ARGUMENT, "the client is NULL");
    if (tt_origin_is_gone(&c->origin))
        return tt_fail(err, TT_E_FORKED,
                       "the client was opened by process %ld before a fork; open "
                       "one in the child",
                       (long)c->origin.pid);
    return 0;
}

bool tt_client_wait_locked(tt_client *c, int64_t until_ns)
{
    /* The clock of the client may be the host's own; the condition's is the system's. */
    int64_t left = until_ns - tt_client_now(c);
    struct timespec t;

    if (left <= 0)
        return false;
    clock_gettime(CLOCK_MONOTONIC, &t);
    left += t.tv_nsec;
    t.tv_sec += left / TT_NS_PER_S;
    t.tv_nsec = left % TT_NS_PER_S;
    return pthread_cond_timedwait(&c->changed, &c->mu, &t) == 0;
}

/* ---- making ------------------------------------------------------------------------------------
 */

static void *retain(void *result)
{
    return tt_result_ref(result);
}

static void release(void *result)
{
    tt_result_free(result);
}

/* As core/shed.h counts them. */
static int primary_reads(const struct tt_settings *s)
{
    return s->database.primary_read_limit ? s->database.primary_read_limit : -1;
}

static void init_core(tt_client *c, tt_rules rules_off)
{
    const struct tt_settings *s = &c->settings;
    tt_core_config cfg = {.cache = c->cached,
                          .intent = s->cache.write_policy == TT_CONF_WRITE_INTENT,
                          .defer = s->cache.when_unavailable == TT_CONF_AWAY_DEFER,
                          .spare_primary = true,
                          .replica_wait_ms = s->database.replica_wait_ms,
                          .mark_timeout_ms = s->cache.mark_timeout_ms,
                          .lease_ms = s->cache.lease_timeout_ms,
                          .tag_ttl_ms = s->cache.tag_ttl_ms,
                          .kill_wait_ms = KILL_WAIT_MS,
                          .primary_reads = primary_reads(s),
                          .term_key = tt_str_c(c->term_key)};
    tt_health_config health = {.max_lag_ms = s->database.health.max_lag_ms,
                               .stale_after_ms = s->database.health.stale_after_ms,
                               .recover_ms = RECOVER_MS};

    tt_core_init(&c->core, &c->a, &tt_rng_kernel, &cfg, &health, retain, release);
    tt_core_set_rules(&c->core, rules_off);
}

static tt_nodepool_options pool_options(const struct tt_settings *s)
{
    return (tt_nodepool_options){.min = s->database.pool.min,
                                 .max = s->database.pool.max,
                                 .max_waiters = s->database.pool.max_waiters,
                                 .wait_timeout_ms = s->database.pool.wait_timeout_ms,
                                 .max_lifetime_ms = s->database.pool.max_lifetime_ms,
                                 .idle_check_ms = s->database.pool.idle_check_ms};
}

static int add_node(tt_client *c, const struct tt_conf_node *conf, tt_error *err)
{
    const struct tt_settings *s = &c->settings;
    tt_svc_node *n = &c->nodes[c->n_nodes];
    tt_nodepool_options pool = pool_options(s);

    n->client = c;
    n->index = c->n_nodes;
    n->applied = tt_buf_init(&c->a);
    if (conf->socket[0])
        (void)snprintf(n->name, sizeof(n->name), "%s", conf->socket);
    else
        (void)snprintf(n->name, sizeof(n->name), "%.100s:%d", conf->host, conf->port);
    n->target = (tt_db_target){.host = conf->host,
                               .socket = conf->socket[0] ? conf->socket : NULL,
                               .port = (unsigned)conf->port,
                               .user = s->database.user,
                               .password = c->password.p ? c->password.p : "",
                               .schema = s->database.schema,
                               .charset = s->database.charset,
                               .time_zone = s->database.time_zone,
                               .tls_mode = tt_settings_tls_mode(s),
                               .tls_ca = s->database.tls.ca[0] ? s->database.tls.ca : NULL,
                               .connect_timeout_ms = (int)s->database.connect_timeout_ms,
                               .max_statements = (unsigned)s->database.pool.statements};
    if (tt_nodepool_new(&c->a, &c->clock, &c->watch, &n->target, &pool, &n->pool) != 0)
        return tt_fail_nomem(err);
    (void)tt_topology_add(&c->core.topology, n->name, (unsigned)TT_MAX(conf->weight, 1));
    c->n_nodes++;
    return 0;
}

static int add_nodes(tt_client *c, tt_error *err)
{
    const struct tt_settings *s = &c->settings;
    int rc = add_node(c, &s->database.primary, err);

    for (int i = 0; i < s->database.replicas.n && rc == 0; i++)
        rc = add_node(c, &s->database.replicas.v[i], err);
    return rc;
}

/* An entry, and the tags beside it. */
static size_t reply_bytes(const struct tt_settings *s)
{
    return (size_t)s->cache.entry_max_bytes * 2 + (1 << 20);
}

static int open_links(tt_client *c, tt_error *err)
{
    const struct tt_settings *s = &c->settings;
    tt_link_options options = {
        .connections = s->cache.connections,
        .connect_timeout_ms = (int)s->database.connect_timeout_ms,
        .breaker = {.failures = s->cache.breaker.failures,
                    .open_min_ns = s->cache.breaker.open_min_ms * TT_NS_PER_MS,
                    .open_max_ns = s->cache.breaker.open_max_ms * TT_NS_PER_MS}};
    tt_cache_target target = {.port = 6379};
    int rc = tt_redis_url_parse(tt_str_c(s->cache.redis), &c->redis, err);

    if (rc != 0)
        return rc;
    target.host = c->redis.host;
    target.port = (unsigned)c->redis.port;
    target.user = c->redis.user[0] ? c->redis.user : NULL;
    target.password = c->redis_password.p;
    target.db = c->redis.db;
    target.script = tt_cache_script();
    target.reply_bytes_max = reply_bytes(s);
    rc = tt_link_set_new(&c->a, &c->clock, &c->log, &target, &options, &c->links, err);
    if (rc == 0)
        c->cache = tt_link_cache(c->links);
    return rc;
}

static int open_cache(tt_client *c, tt_error *err)
{
    int rc;

    switch (tt_settings_scope(&c->settings)) {
    case TT_CONF_SCOPE_SHARED:
        return open_links(c, err);
    case TT_CONF_SCOPE_PROCESS:
        rc = tt_local_new(&c->a, &c->clock, &tt_rng_kernel,
                          (size_t)c->settings.cache.local.max_bytes, &c->local);
        if (rc != 0)
            return tt_fail_nomem(err);
        c->cache = tt_local_cache(c->local);
        return 0;
    default:
        return 0;
    }
}

static int init_locks(tt_client *c)
{
    pthread_condattr_t attr;

    if (pthread_mutex_init(&c->mu, NULL) != 0 || pthread_rwlock_init(&c->settings_lock, NULL) != 0)
        return TT_E_NOMEM;
    if (pthread_condattr_init(&attr) != 0)
        return TT_E_NOMEM;
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&c->changed, &attr);
    (void)pthread_condattr_destroy(&attr);
    return tt_watch_init(&c->watch, c->driver, &c->clock);
}

void tt_client_apply_locked(tt_client *c)
{
    const struct tt_settings *s = &c->settings;

    atomic_store(&c->query_timeout_ms, s->database.query_timeout_ms);
    atomic_store(&c->cache_timeout_ms, s->cache.timeout_ms);
    atomic_store(&c->result_bytes, s->limits.result_bytes);
    atomic_store(&c->result_rows, s->limits.result_rows);
    /* A store inside the process is cut in parts: an entry has to fit one of them with ease. */
    atomic_store(&c->entry_max_bytes, c->local
                                          ? TT_MIN(s->cache.entry_max_bytes,
                                                   s->cache.local.max_bytes / (4 * TT_LOCAL_SHARDS))
                                          : s->cache.entry_max_bytes);
    if (c->links)
        tt_link_limit(c->links, reply_bytes(s));
    c->core.cfg.intent = s->cache.write_policy == TT_CONF_WRITE_INTENT;
    /* Not before its table is there: the keeper sees to that. */
    c->core.cfg.defer = c->deferred && s->cache.when_unavailable == TT_CONF_AWAY_DEFER;
    tt_shed_change(&c->core.shed, primary_reads(s));
    c->core.cfg.tag_ttl_ms = s->cache.tag_ttl_ms;
    c->core.cfg.replica_wait_ms = s->database.replica_wait_ms;
    c->core.cfg.mark_timeout_ms = s->cache.mark_timeout_ms;
    c->core.cfg.lease_ms = s->cache.lease_timeout_ms;
    c->core.topology.health.max_lag_ms = s->database.health.max_lag_ms;
    c->core.topology.health.stale_after_ms = s->database.health.stale_after_ms;
}

int tt_thread_start(pthread_t *thread, void *(*main)(void *), void *arg)
{
    sigset_t all, before;
    int rc;

    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    rc = pthread_create(thread, NULL, main, arg);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rc;
}

static int start_threads(tt_client *c, tt_error *err)
{
    c->watchdog_started = tt_thread_start(&c->watchdog, tt_watchdog_main, c) == 0;
    for (int i = 0; i < c->n_nodes; i++)
        c->nodes[i].prober_started =
            tt_thread_start(&c->nodes[i].prober, tt_prober_main, &c->nodes[i]) == 0;
    for (int i = 0; i < c->n_nodes; i++)
        if (!c->nodes[i].prober_started || !c->watchdog_started)
            return tt_fail(err, TT_E_LIMIT, "no thread could be started for %s", c->nodes[i].name);
    return 0;
}

/* The error of the primary in the configuration says best why nothing works. */
static int why_no_primary(tt_client *c, tt_error *err)
{
    int code, i;

    pthread_mutex_lock(&c->mu);
    for (i = 0; i < c->n_nodes && c->nodes[i].reached; i++)
        ;
    if (i == c->n_nodes) {
        code = tt_fail(err, TT_E_UNAVAILABLE,
                       "no primary: %s. Expected exactly one node that is not read-only",
                       "every node answers, and none or several are writable");
    } else {
        const tt_error *trouble = &c->nodes[i].trouble;

        code = trouble->code ? trouble->code : TT_E_UNAVAILABLE;
        if (trouble->message[0] && err)
            *err = *trouble;
        else
            (void)tt_fail(err, code, "no answer within database.connect_timeout");
        tt_error_set_node(err, c->nodes[i].name);
    }
    pthread_mutex_unlock(&c->mu);
    return code;
}

static int find_primary(tt_client *c, tt_error *err)
{
    int64_t ms = c->settings.database.connect_timeout_ms + CONNECT_SLACK_MS;
    int64_t deadline = tt_client_now(c) + ms * TT_NS_PER_MS;
    tt_error why = TT_ERROR_INIT;

    if (c->links && tt_link_open(c->links, deadline, &why) != 0) {
        if (why.code == TT_E_DENIED) {
            (void)snprintf(why.node, sizeof(why.node), "%.100s:%d", c->redis.host, c->redis.port);
            if (err)
                *err = why;
            return why.code;
        }
        tt_log(&c->log, TT_LOG_WARN, "Redis cannot be reached yet: %s", why.message);
    }
    if (!tt_drive_discover(c, deadline))
        return why_no_primary(c, err);
    tt_client_look(c, deadline); /* compares every replica with the primary */
    tt_client_look(c, deadline);
    return 0;
}

static int copy_secret(tt_client *c, const tt_secret *from, tt_secret *to, tt_error *err)
{
    return from->p ? tt_secret_copy(&c->a, tt_str_n(from->p, from->n), to, err) : 0;
}

int tt_client_start(const tt_client_options *o, tt_client **out, tt_error *err)
{
    tt_client *c = tt_new(o->a, sizeof(*c));
    int rc;

    if (!c)
        return tt_fail_nomem(err);
    c->a = *o->a;
    c->clock = *o->clock;
    c->log = *o->log;
    tt_origin_init(&c->origin);
    c->driver = o->driver;
    c->settings = *o->settings;
    c->family = (tt_family)c->settings.database.family;
    c->cached = tt_settings_scope(&c->settings) != TT_CONF_SCOPE_NONE;
    c->deferred = c->cached && c->settings.cache.when_unavailable == TT_CONF_AWAY_DEFER;
    tt_key_term(c->settings.cache.name_space, c->term_key);
    if (init_locks(c) != 0) {
        tt_origin_free(&c->origin);
        tt_del(o->a, c);
        return tt_fail_nomem(err);
    }
    init_core(c, o->rules_off);
    rc = copy_secret(c, o->password, &c->password, err);
    if (rc == 0)
        rc = copy_secret(c, o->redis_password, &c->redis_password, err);
    if (rc == 0)
        rc = tt_db_driver_start(err);
    if (rc == 0)
        rc = add_nodes(c, err);
    if (rc == 0)
        rc = open_cache(c, err);
    if (rc == 0)
        tt_client_apply_locked(c);
    if (rc == 0)
        rc = start_threads(c, err);
    if (rc == 0)
        rc = find_primary(c, err);
    if (rc == 0 && c->deferred)
        rc = tt_deferred_prepare(c, err);
    if (rc == 0) {
        c->keeper_started = tt_thread_start(&c->keeper, tt_keeper_main, c) == 0;
        if (!c->keeper_started)
            rc = tt_fail(err, TT_E_LIMIT, "no thread could be started");
    }
    if (rc != 0) {
        tt_client_stop(c);
        return rc;
    }
    *out = c;
    return 0;
}

int tt_client_change(tt_client *c, const struct tt_settings *next, tt_error *err)
{
    tt_nodepool_options pool;
    const struct tt_key *keys;
    size_t n;
    int rc;

    pthread_mutex_lock(&c->mu);
    rc = tt_settings_diff(&c->settings, next, err);
    keys = tt_settings_keys(&n);
    pthread_rwlock_wrlock(&c->settings_lock);
    for (size_t i = 0; rc == 0 && i < n; i++)
        if (keys[i].running && tt_settings_differ(&c->settings, next, &keys[i]))
            tt_settings_take(&c->settings, next, &keys[i]);
    pthread_rwlock_unlock(&c->settings_lock);
    if (rc == 0)
        tt_client_apply_locked(c);
    pool = pool_options(&c->settings);
    pthread_mutex_unlock(&c->mu);
    for (int i = 0; rc == 0 && i < c->n_nodes; i++)
        tt_nodepool_change(c->nodes[i].pool, &pool);
    return rc;
}

/* ---- ending ------------------------------------------------------------------------------------
 */

static void join_threads(tt_client *c)
{
    pthread_mutex_lock(&c->mu);
    c->stopping = true;
    pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->mu);
    for (int i = 0; i < c->n_nodes; i++)
        if (c->nodes[i].prober_started)
            (void)pthread_join(c->nodes[i].prober, NULL);
    if (c->keeper_started)
        (void)pthread_join(c->keeper, NULL);
}

/* What is outstanding gets a last chance. */
static void say_farewell(tt_client *c)
{
    int64_t until = tt_client_now(c) + FAREWELL_MS * TT_NS_PER_MS;
    int left;

    do {
        while (tt_client_now(c) < until && tt_client_repair(c, until))
            ;
        pthread_mutex_lock(&c->mu);
        left = c->core.n_repairs;
        pthread_mutex_unlock(&c->mu);
    } while (left > 0 && tt_client_now(c) < until && usleep(10000) == 0);
    if (left > 0)
        tt_log(&c->log, TT_LOG_WARN,
               "closed with %d invalidations outstanding; their marks are left "
               "for others to reap",
               left);
    if (c->links)
        (void)tt_link_drain(c->links, until);
}

void tt_client_stop(tt_client *c)
{
    tt_allocator a = c->a;
    bool forked = tt_origin_is_gone(&c->origin), whole;

    if (!forked) {
        join_threads(c);
        if (c->keeper_started)
            say_farewell(c);
        tt_watch_stop(&c->watch);
        if (c->watchdog_started)
            (void)pthread_join(c->watchdog, NULL);
    } else {
        tt_watch_forked(&c->watch);
    }
    /* What a thread of the parent was changing at the time of the fork is leaked. */
    whole = !forked || pthread_mutex_trylock(&c->mu) == 0;
    for (int i = 0; i < c->n_nodes; i++) {
        tt_nodepool_free(c->nodes[i].pool, forked);
        if (whole)
            tt_buf_free(&c->nodes[i].applied);
    }
    if (c->links)
        tt_link_set_free(c->links, forked);
    tt_local_free(c->local, forked);
    if (whole)
        tt_core_free(&c->core);
    tt_secret_free(&c->password);
    tt_secret_free(&c->redis_password);
    tt_watch_free(&c->watch);
    tt_origin_free(&c->origin);
    if (!forked) {
        pthread_cond_destroy(&c->changed);
        pthread_rwlock_destroy(&c->settings_lock);
        pthread_mutex_destroy(&c->mu);
    }
    tt_del(&a, c);
}
