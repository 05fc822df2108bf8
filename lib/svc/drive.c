#include "svc/drive.h"

#include "base/err.h"
#include "core/discover.h"
#include "core/read.h"
#include "core/repair.h"
#include "core/result.h"
#include "core/write.h"
#include "svc/deferred.h"
#include "svc/park.h"

enum { WORD_WOKEN = 2, KILL_CONNECT_MS = 500 };

void tt_drive_init(tt_drive *d, tt_client *c, int64_t deadline_ns, const tt_work *work)
{
    memset(d, 0, offsetof(tt_drive, answers));
    d->c = c;
    d->deadline_ns = deadline_ns;
    d->work = work;
    d->conn = NULL;
    d->pool = NULL;
    d->commit = false;
    d->answers.ok = d->answers.unsent = false;
    d->answers.n = 0;
    d->answers.bytes = tt_buf_init(&c->a);
    d->effect = (tt_db_effect){.position = tt_buf_init(&c->a)};
    d->seen.applied = tt_buf_init(&c->a);
    tt_error_clear(&d->error);
    atomic_init(&d->word, TT_PARK_WAITING);
}

void tt_drive_free(tt_drive *d)
{
    if (d->conn && d->pool)
        tt_nodepool_release(d->pool, d->conn);
    tt_buf_free(&d->answers.bytes);
    tt_buf_free(&d->effect.position);
    tt_buf_free(&d->seen.applied);
}

static uint32_t park_bit(const tt_drive *d)
{
    return tt_park_bit((uintptr_t)d >> 8);
}

void tt_client_wake_locked(tt_client *c)
{
    uint32_t wake = 0;
    tt_link *l;

    /* The woken operation cannot end before it gets the lock that is held here, so its word is
     * there. */
    while ((l = tt_list_pop(&c->core.woken)) != NULL) {
        tt_drive *d = TT_CONTAINER(l, tt_waiter, link)->owner;

        tt_park_end(&d->word, WORD_WOKEN, park_bit(d), &wake);
    }
    tt_bench_wake(&c->bench, wake);
}

void tt_client_note(tt_client *c, tt_notes notes)
{
    for (int i = 0; notes; i++, notes >>= 1)
        if (notes & 1)
            atomic_fetch_add_explicit(&c->notes[i], 1, memory_order_relaxed);
}

/* ---- acts on the cache -------------------------------------------------------------------------
 */

static void posted(void *ctx, const tt_answers *answers)
{
    tt_client *c = ctx;

    for (int i = 0; answers->ok && i < answers->n; i++)
        if (answers->replies[i].kind == TT_REPLY_TEXT &&
            tt_str_eq(answers->replies[i].text, TT_STR("lost")))
            tt_client_count(c, TT_COUNTER_LEASE_LOST, 1);
}

static int64_t cache_deadline(const tt_drive *d)
{
    int64_t timeout_ms = atomic_load_explicit(&d->c->cache_timeout_ms, memory_order_relaxed);

    return TT_MIN(tt_client_now(d->c) + timeout_ms * TT_NS_PER_MS, d->deadline_ns);
}

static void answered(tt_drive *d, const tt_act *act, int rc, tt_event *ev)
{
    if (rc != 0)
        d->answers.ok = false;
    d->cache_code = rc;
    d->answers.n = act->batch.n;
    ev->cache = &d->answers;
}

static void do_cache(tt_drive *d, const tt_act *act, tt_event *ev)
{
    tt_cache *cache = &d->c->cache;

    answered(d, act, cache->call(cache->ctx, &act->batch, cache_deadline(d), &d->answers), ev);
}

/* ---- acts on the database ----------------------------------------------------------------------
 */

/* Is the one at the other end the server that is meant? Positions and terms are about servers, and
 * an address may lead to several, or to another one than before. Else nothing at that address is to
 * be trusted: close what is connected, and look again. */
static bool is_meant(tt_drive *d, const tt_conn *conn, const tt_act *act, tt_error *err)
{
    tt_client *c = d->c;
    tt_svc_node *node = &c->nodes[act->node];
    const char *found = c->driver->peer(conn->db)->identity;

    if (act->identity.n == 0 || tt_str_eq(tt_str_c(found), act->identity))
        return true;
    tt_nodepool_evict(node->pool);
    pthread_mutex_lock(&c->mu);
    node->renew = true;
    node->wanted++;
    pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->mu);
    (void)tt_fail(err, TT_E_UNAVAILABLE, "server %s answers at this address; expected %.*s", found,
                  (int)act->identity.n, act->identity.p);
    return false;
}

/* The outcome of a call on a connection that may have been aborted. */
static tt_db_status finish(tt_drive *d, tt_conn *conn, tt_db_status status)
{
    if (tt_conn_end(conn) || status == TT_DB_OK || status == TT_DB_UNSENT)
        return status;
    if (status == TT_DB_LOST)
        (void)tt_fail(&d->error, TT_E_TIMEOUT,
                      "no answer within the deadline; the connection to "
                      "the server was given up");
    return status;
}

static void failed(tt_drive *d, tt_event *ev, tt_db_status status, int node)
{
    if (node >= 0 && d->error.node[0] == '\0')
        tt_error_set_node(&d->error, d->c->nodes[node].name);
    ev->db = status;
    ev->code = d->error.code ? d->error.code : TT_E_UNAVAILABLE;
}

static tt_conn *acquire(tt_drive *d, int node, int64_t deadline_ns, tt_event *ev)
{
    tt_conn *conn = NULL;
    tt_db_status status =
        tt_nodepool_acquire(d->c->nodes[node].pool, deadline_ns, &conn, &d->error);

    if (status == TT_DB_OK)
        return conn;
    failed(d, ev, status, node);
    return NULL;
}

static void do_prove(tt_drive *d, const tt_act *act, tt_event *ev)
{
    tt_svc_node *node = &d->c->nodes[act->node];
    tt_conn *conn = acquire(d, act->node, d->deadline_ns, ev);
    tt_db_status status;

    if (!conn)
        return;
    tt_buf_clear(&d->seen.applied);
    d->sample = (tt_sample){.sent_ns = tt_client_now(d->c)};
    tt_conn_begin(conn, d->deadline_ns);
    status = finish(d, conn, d->c->driver->sample(conn->db, &d->seen, &d->error));
    if (status == TT_DB_OK) {
        d->sample.identity = tt_str_c(d->seen.identity);
        d->sample.read_only = d->seen.read_only;
        d->sample.applied = tt_buf_str(&d->seen.applied);
        d->sample.family = d->c->driver->peer(conn->db)->family;
        ev->sample = &d->sample;
        ev->n_samples = 1;
        ev->db = TT_DB_OK;
    } else {
        failed(d, ev, status, act->node);
    }
    tt_nodepool_release(node->pool, conn);
}

int tt_drive_result(const tt_allocator *a, tt_buf *rows, tt_result **out, tt_error *err)
{
    size_t n;
    char *bytes = tt_buf_take(rows, &n);
    int rc = tt_result_new(a, bytes, n, out);

    if (rc == 0)
        return 0;
    tt_del(a, bytes);
    if (rc == TT_E_NOMEM)
        return tt_fail_nomem(err);
    return tt_fail(err, TT_E_INTERNAL, "the driver gave rows that are not well formed");
}

static int take_rows(tt_drive *d, tt_buf *rows, tt_event *ev)
{
    tt_result *result = NULL;
    int rc = tt_drive_result(&d->c->a, rows, &result, &d->error);

    if (rc != 0)
        return rc;
    ev->result = result;
    ev->payload = tt_result_encoded(result);
    return 0;
}

static tt_db_status read_rows(tt_drive *d, tt_conn *conn, const tt_act *act, tt_buf *rows,
                              bool *reached)
{
    const tt_db_driver *driver = d->c->driver;
    tt_db_limits limits = {(size_t)atomic_load(&d->c->result_bytes),
                           (uint64_t)atomic_load(&d->c->result_rows)};
    tt_db_status status = TT_DB_OK;

    *reached = true;
    if (act->points.n)
        status = driver->wait(conn->db, act->points, act->wait_ms, reached, &d->error);
    if (d->work->keeps_state)
        tt_conn_soil(conn);
    if (status == TT_DB_OK && *reached)
        status = driver->read(conn->db, d->work->sql, d->work->params, d->work->n_params, &limits,
                              rows, &d->error);
    return status;
}

static void do_rows(tt_drive *d, const tt_act *act, tt_event *ev)
{
    tt_svc_node *node = &d->c->nodes[act->node];
    tt_conn *conn = acquire(d, act->node, d->deadline_ns, ev);
    tt_buf rows = tt_buf_init(&d->c->a);
    int64_t start = tt_client_now(d->c);
    tt_db_status status;

    if (!conn)
        return;
    if (!is_meant(d, conn, act, &d->error)) {
        tt_nodepool_release(node->pool, conn);
        failed(d, ev, TT_DB_UNSENT, act->node);
        return;
    }
    ev->created_ms = d->c->clock.realtime_ms(d->c->clock.ctx);
    tt_conn_begin(conn, d->deadline_ns);
    status = finish(d, conn, read_rows(d, conn, act, &rows, &ev->reached));
    tt_nodepool_release(node->pool, conn);
    ev->took_ns = tt_client_now(d->c) - start;
    ev->db = status;
    if (status == TT_DB_OK && ev->reached && take_rows(d, &rows, ev) != 0)
        status = TT_DB_LOCAL;
    if (status != TT_DB_OK)
        failed(d, ev, status, act->node);
    tt_buf_free(&rows);
}

/* The batch, if any, is on its way to the cache while the rows are read. */
static void do_read(tt_drive *d, const tt_act *act, tt_event *ev)
{
    tt_client *c = d->c;
    int64_t until_ns = cache_deadline(d); /* the cache has the same time as for any batch */
    tt_cache_pending pending;
    int rc = 0;

    if (act->batch.n && !c->cache.start)
        do_cache(d, act, ev);
    else if (act->batch.n)
        rc = c->cache.start(c->cache.ctx, &act->batch, &d->answers, &pending);
    do_rows(d, act, ev);
    if (!act->batch.n || !c->cache.start)
        return;
    if (rc == 0)
        rc = c->cache.finish(c->cache.ctx, &pending, until_ns);
    answered(d, act, rc, ev);
}

static void do_acquire(tt_drive *d, const tt_act *act, tt_event *ev)
{
    const tt_db_peer *peer;

    if (!d->conn) {
        d->conn = acquire(d, act->node, d->deadline_ns, ev);
        d->pool = d->c->nodes[act->node].pool;
        if (!d->conn)
            return;
    }
    peer = d->c->driver->peer(d->conn->db);
    ev->db = TT_DB_OK;
    ev->identity = tt_str_c(peer->identity);
    ev->connection = peer->connection_id;
}

static tt_db_status execute(tt_drive *d, bool defer)
{
    const tt_db_driver *driver = d->c->driver;
    tt_db_conn *db = d->conn->db;

    if (defer)
        return tt_deferred_execute(d);
    if (d->commit)
        return driver->command(db, "COMMIT", &d->effect, &d->error);
    return driver->write(db, d->work->sql, d->work->params, d->work->n_params, &d->effect,
                         &d->error);
}

/* Errors after which a statement under autocommit may have been committed all the same: one of the
 * COMMIT itself, or an interruption that may have met it waiting for its replicas. */
static bool may_have_committed(unsigned server_errno)
{
    static const unsigned numbers[] = {1180,  /* ER_ERROR_DURING_COMMIT */
                                       1317,  /* ER_QUERY_INTERRUPTED */
                                       1969}; /* MariaDB: max_statement_time */

    for (size_t i = 0; i < TT_COUNT(numbers); i++)
        if (numbers[i] == server_errno)
            return true;
    return false;
}

static void do_execute(tt_drive *d, const tt_act *act, tt_event *ev)
{
    tt_db_status status;

    tt_buf_clear(&d->effect.position);
    d->effect.position_known = d->effect.sent_write = false;
    tt_conn_begin(d->conn, d->deadline_ns);
    status = finish(d, d->conn, execute(d, act->defer));
    if (status == TT_DB_LOCAL && d->effect.sent_write)
        status = TT_DB_LOST; /* it failed on our side, after the server had it */
    /* Rows counted as affected are all that plain statements change; what a procedure had done
     * before it failed stays. */
    ev->rows_changed = d->commit || !d->work->plain_dml || d->effect.sent_write;
    if (status != TT_DB_OK) {
        if (status == TT_DB_REFUSED && may_have_committed(d->error.server_errno))
            ev->rows_changed = true;
        failed(d, ev, status, act->node);
        if (status == TT_DB_DEMOTED && d->pool) {
            tt_nodepool_release(d->pool, d->conn);
            tt_nodepool_evict(d->pool);
            d->conn = NULL;
        }
        return;
    }
    ev->db = TT_DB_OK;
    ev->rows_changed = d->commit || !d->work->plain_dml || d->effect.affected_rows > 0;
    if (d->effect.position_known && !d->effect.position.failed)
        ev->position = tt_buf_str(&d->effect.position);
}

static void do_kill(tt_drive *d, const tt_act *act, tt_event *ev)
{
    tt_client *c = d->c;
    int64_t wait_ms = c->core.cfg.kill_wait_ms;
    int64_t deadline = tt_client_now(c) + (wait_ms + KILL_CONNECT_MS) * TT_NS_PER_MS;
    tt_error why = TT_ERROR_INIT;
    tt_conn *conn = NULL;
    tt_db_status status = tt_nodepool_acquire(c->nodes[act->node].pool, deadline, &conn, &why);

    if (status == TT_DB_OK) {
        if (is_meant(d, conn, act, &why)) {
            tt_conn_begin(conn, deadline);
            status = c->driver->kill(conn->db, act->connection, (int)wait_ms, &ev->gone, &why);
            (void)tt_conn_end(conn);
        } else {
            status = TT_DB_LOCAL; /* it may be reached yet, and then it is to be killed */
        }
        tt_nodepool_release(c->nodes[act->node].pool, conn);
    }
    ev->db = status;
    ev->code = why.code;
    tt_log(&c->log, TT_LOG_WARN, "killed connection %llu on %s to settle an outcome: %s",
           (unsigned long long)act->connection, c->nodes[act->node].name,
           ev->gone ? "it is gone" : (why.message[0] ? why.message : "still there"));
}

/* ---- waiting -----------------------------------------------------------------------------------
 */

static void do_park(tt_drive *d, const tt_act *act)
{
    int64_t left;

    while ((left = act->until_ns - tt_client_now(d->c)) > 0)
        if (tt_park(&d->c->bench, &d->word, park_bit(d), left) == WORD_WOKEN)
            break;
}

/* Before a step: a wake belongs to the parking before it. */
static void rearm(tt_drive *d)
{
    atomic_store(&d->word, TT_PARK_WAITING);
}

/* ---- discovery ---------------------------------------------------------------------------------
 */

static void fill_samples(tt_client *c, tt_sample *samples)
{
    for (int i = 0; i < c->n_nodes; i++) {
        tt_svc_node *n = &c->nodes[i];

        samples[i] = (tt_sample){.sent_ns = n->sent_ns};
        if (!n->reached)
            continue;
        samples[i].identity = tt_str_c(n->identity);
        samples[i].read_only = n->read_only;
        samples[i].applied = tt_buf_str(&n->applied);
        samples[i].family = n->family;
    }
}

/* What became of its last act on the cache. */
static int run_discover(tt_client *c, tt_discover_op *op, bool renew, int64_t deadline_ns)
{
    tt_sample samples[TT_NODES_MAX];
    tt_drive d;
    tt_act act;
    tt_event ev = {0};

    tt_drive_init(&d, c, deadline_ns, NULL);
    pthread_mutex_lock(&c->mu);
    tt_discover_init(op, &c->core);
    op->renew = renew;
    for (;;) {
        tt_discover_step(op, &ev, tt_client_now(c), &act);
        tt_client_wake_locked(c);
        if (act.what == TT_DO_DONE)
            break;
        pthread_mutex_unlock(&c->mu);
        memset(&ev, 0, sizeof(ev));
        if (act.what == TT_DO_CACHE)
            do_cache(&d, &act, &ev);
        else
            tt_client_look(c, deadline_ns);
        pthread_mutex_lock(&c->mu);
        if (act.what == TT_DO_SAMPLE) {
            fill_samples(c, samples);
            ev.sample = samples;
            ev.n_samples = c->n_nodes;
        }
    }
    pthread_mutex_unlock(&c->mu);
    tt_drive_free(&d);
    return d.cache_code;
}

/* One thread at a time searches, or renews: what one adopts the other must not take back. False
 * when `deadline_ns` came first. Under mu. */
static bool await_discovery_locked(tt_client *c, int64_t deadline_ns)
{
    uint64_t seen = c->discoveries;

    while (c->discovering && c->discoveries == seen && !c->stopping)
        if (!tt_client_wait_locked(c, deadline_ns))
            break;
    return c->discoveries != seen;
}

static void end_discovery(tt_client *c, bool ok)
{
    pthread_mutex_lock(&c->mu);
    c->discovering = false;
    c->discoveries++;
    c->discovered_ok = ok;
    for (int i = 0; i < c->n_nodes && !ok; i++)
        c->nodes[i].renew = true; /* the primary may be where an old connection does not lead */
    pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->mu);
}

bool tt_drive_discover(tt_client *c, int64_t deadline_ns)
{
    tt_discover_op op;
    bool ok;

    pthread_mutex_lock(&c->mu);
    if (c->discovering) {
        ok = await_discovery_locked(c, deadline_ns) && c->discovered_ok;
        pthread_mutex_unlock(&c->mu);
        return ok;
    }
    c->discovering = true;
    pthread_mutex_unlock(&c->mu);

    (void)run_discover(c, &op, false, deadline_ns);
    end_discovery(c, op.ok);
    if (op.several)
        tt_log(&c->log, TT_LOG_ERROR,
               "more than one node is writable: set read_only on all but "
               "the primary; the one that the term names is used, if any");
    if (op.changed)
        tt_log(&c->log, TT_LOG_INFO, "the primary is now %s", op.found);
    return op.ok;
}

int tt_drive_renew(tt_client *c, int64_t deadline_ns)
{
    tt_discover_op op;
    int code;

    pthread_mutex_lock(&c->mu);
    while (c->discovering)
        if (!await_discovery_locked(c, deadline_ns)) {
            pthread_mutex_unlock(&c->mu);
            return TT_E_CACHE_UNAVAILABLE; /* nothing was asked of it */
        }
    c->discovering = true;
    pthread_mutex_unlock(&c->mu);

    code = run_discover(c, &op, true, deadline_ns);
    end_discovery(c, op.ok);
    if (op.ok && op.term_known)
        return 0;
    if (code == 0 && op.term_known && (!op.found[0] || op.several))
        return TT_E_UNAVAILABLE;
    return code == TT_E_NOMEM || code == TT_E_TIMEOUT ? code : TT_E_CACHE_UNAVAILABLE;
}

/* ---- loops -------------------------------------------------------------------------------------
 */

/* Common to all operations; false for an act that the operation's own loop knows. */
static void perform(tt_drive *d, const tt_act *act, tt_event *ev)
{
    memset(ev, 0, sizeof(*ev));
    switch (act->what) {
    case TT_DO_CACHE:
        do_cache(d, act, ev);
        break;
    case TT_DO_POST:
        (void)d->c->cache.post(d->c->cache.ctx, &act->batch, posted, d->c);
        break;
    case TT_DO_PROVE:
        do_prove(d, act, ev);
        break;
    case TT_DO_READ:
        do_read(d, act, ev);
        break;
    case TT_DO_ACQUIRE:
        do_acquire(d, act, ev);
        break;
    case TT_DO_EXECUTE:
        do_execute(d, act, ev);
        break;
    case TT_DO_KILL:
        do_kill(d, act, ev);
        break;
    case TT_DO_DISCOVER:
        if (d->conn && d->pool) {
            d->conn->aborted = d->conn->aborted || act->discard;
            tt_nodepool_release(d->pool, d->conn);
            d->conn = NULL;
        }
        ev->ok = tt_drive_discover(d->c, d->deadline_ns);
        break;
    case TT_DO_PARK:
        do_park(d, act);
        break;
    case TT_DO_SHARED:
        d->shared = true;
        break;
    case TT_DO_SAMPLE:
    case TT_DO_DONE:
        break;
    }
}

void tt_drive_read(tt_drive *d, tt_read_op *op)
{
    tt_client *c = d->c;
    tt_event ev = {0};
    tt_act act;

    do {
        rearm(d);
        if (d->shared)
            pthread_mutex_lock(&c->mu);
        tt_read_step(op, &ev, tt_client_now(c), &act);
        if (d->shared) {
            tt_client_wake_locked(c);
            pthread_mutex_unlock(&c->mu);
        }
        perform(d, &act, &ev);
    } while (act.what != TT_DO_DONE);
    tt_client_note(c, op->notes);
}

void tt_drive_write(tt_drive *d, tt_write_op *op)
{
    tt_client *c = d->c;
    tt_event ev = {0};
    tt_act act;

    d->shared = true;
    do {
        pthread_mutex_lock(&c->mu);
        tt_write_step(op, &ev, tt_client_now(c), &act);
        tt_client_wake_locked(c);
        pthread_mutex_unlock(&c->mu);
        perform(d, &act, &ev);
    } while (act.what != TT_DO_DONE);
    if (op->discard && d->conn)
        d->conn->aborted = true;
    tt_client_note(c, op->notes);
}

void tt_drive_repair(tt_drive *d, tt_repair_op *op)
{
    tt_client *c = d->c;
    tt_event ev = {0};
    tt_act act;

    do {
        pthread_mutex_lock(&c->mu);
        tt_repair_step(op, &ev, &act);
        tt_client_wake_locked(c);
        pthread_mutex_unlock(&c->mu);
        perform(d, &act, &ev);
    } while (act.what != TT_DO_DONE);
    tt_client_note(c, op->notes);
}
