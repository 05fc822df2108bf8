/* prober.c: one thread for each node looks at it, at an interval or when asked to. It is never in a
 * caller's way: it has a connection of its own. */
#include "svc/client.h"

#include <stdio.h>

#include "base/err.h"
#include "svc/drive.h"

enum { BACKOFF_MS_MAX = 2000, TROUBLE_REPEAT = 40, STRAGGLERS_MS = 200 };

typedef struct look {
    tt_db_sample seen;
    tt_db_status status;
    int64_t sent_ns;
    tt_error error;
    bool inspected;
    uint64_t mark;   /* of what was received from the source ... */
    int64_t mark_ns; /* ... and when that last changed */
} look;

/* Seconds behind hides a frozen primary: both threads run and nothing arrives. Silence counts as
 * lag that is not known. */
static bool is_silent(look *l, int64_t now_ns, int64_t stale_after_ms)
{
    if (!l->seen.received_known)
        return false;
    if (l->seen.received_mark != l->mark || l->mark_ns == 0) {
        l->mark = l->seen.received_mark;
        l->mark_ns = now_ns;
    }
    return now_ns - l->mark_ns > TT_MAX(stale_after_ms, 3000) * TT_NS_PER_MS;
}

static void examine(tt_svc_node *n, tt_conn *conn, look *l, int64_t timeout_ms)
{
    tt_client *c = n->client;

    tt_buf_clear(&l->seen.applied);
    l->error = (tt_error)TT_ERROR_INIT;
    l->sent_ns = tt_client_now(c);
    tt_conn_begin(conn, l->sent_ns + timeout_ms * TT_NS_PER_MS);
    l->status = c->driver->inspect(conn->db, &l->seen, &l->error);
    l->inspected = l->status == TT_DB_OK;
    if (l->status == TT_DB_REFUSED) {
        /* The account may not see the state of replication: the rest is known all the same. */
        tt_error plain = TT_ERROR_INIT;

        tt_buf_clear(&l->seen.applied);
        l->sent_ns = tt_client_now(c);
        l->status = c->driver->sample(conn->db, &l->seen, &plain);
        l->seen.replica = l->seen.read_only;
        l->seen.threads_running = true;
        l->seen.lag_known = false;
        l->inspected = l->status == TT_DB_OK;
    }
    if (!tt_conn_end(conn))
        l->status = TT_DB_LOST;
}

/* Has the node all that the primary had when that was last seen? Then there was nothing to send:
 * servers that keep to their defaults let an idle source be silent for half a minute. Under mu. */
static bool is_level_locked(const tt_svc_node *n, tt_str applied)
{
    const tt_client *c = n->client;
    int primary = c->core.topology.primary;

    return primary >= 0 && primary != n->index && c->nodes[primary].reached &&
           tt_str_eq(applied, tt_buf_str(&c->nodes[primary].applied));
}

/* Under mu: keep what was seen, and let the topology judge it. */
static void take_look_locked(tt_svc_node *n, const tt_db_peer *peer, look *l, int64_t now_ns)
{
    tt_client *c = n->client;
    bool silent = is_silent(l, now_ns, c->settings.database.health.stale_after_ms) &&
                  !is_level_locked(n, tt_buf_str(&l->seen.applied));
    tt_sample s = {.identity = tt_str_c(l->seen.identity),
                   .read_only = l->seen.read_only,
                   .applied = tt_buf_str(&l->seen.applied),
                   .family = peer->family,
                   .inspected = l->inspected,
                   .replica = l->seen.replica,
                   .threads_running = l->seen.threads_running,
                   .lag_known = l->seen.lag_known && !silent,
                   .lag_ms = l->seen.lag_ms,
                   .source = tt_str_c(l->seen.source),
                   .sent_ns = l->sent_ns};
    bool demoted = n->reached && !n->read_only && l->seen.read_only;

    n->reached = !l->seen.applied.failed;
    n->family = peer->family;
    (void)snprintf(n->identity, sizeof(n->identity), "%s", l->seen.identity);
    (void)snprintf(n->version, sizeof(n->version), "%s", peer->version);
    n->read_only = l->seen.read_only;
    n->sent_ns = l->sent_ns;
    tt_buf_clear(&n->applied);
    tt_buf_put_str(&n->applied, s.applied);
    n->reached = n->reached && !n->applied.failed;
    n->trouble = (tt_error)TT_ERROR_INIT;
    if (demoted)
        n->evict = true;
    if (!n->reached || tt_topology_sampled(&c->core.topology, n->index, &s, now_ns) != 0)
        tt_topology_failed(&c->core.topology, n->index, now_ns);
}

static void lose_look_locked(tt_svc_node *n, const look *l, int64_t now_ns)
{
    n->reached = false;
    n->trouble = l->error;
    if (!n->trouble.code)
        n->trouble.code = TT_E_UNAVAILABLE;
    tt_topology_failed(&n->client->core.topology, n->index, now_ns);
}

/* Wait for the interval or for somebody who asks; false when the client stops. */
static bool await_turn(tt_svc_node *n, int64_t pause_ms, uint64_t *turn)
{
    tt_client *c = n->client;
    int64_t until = tt_client_now(c) + pause_ms * TT_NS_PER_MS;
    bool go;

    pthread_mutex_lock(&c->mu);
    while (!c->stopping && n->wanted == n->looked)
        if (!tt_client_wait_locked(c, until))
            break;
    *turn = n->wanted;
    go = !c->stopping;
    pthread_mutex_unlock(&c->mu);
    return go;
}

static void report(tt_svc_node *n, const look *l, int failures)
{
    tt_client *c = n->client;

    tt_client_count(c, TT_COUNTER_PROBES, 1);
    if (l->status == TT_DB_OK) {
        if (failures > 0)
            tt_log(&c->log, TT_LOG_INFO, "%s answers again", n->name);
        return;
    }
    tt_client_count(c, TT_COUNTER_PROBE_ERRORS, 1);
    if (failures % TROUBLE_REPEAT == 0)
        tt_log(&c->log, TT_LOG_WARN, "%s does not answer: %s", n->name, l->error.message);
}

void *tt_prober_main(void *node)
{
    tt_svc_node *n = node;
    tt_client *c = n->client;
    look l = {.seen = {.applied = tt_buf_init(&c->a)}};
    tt_conn *conn = NULL;
    int failures = 0;
    bool renew;
    uint64_t turn;
    int64_t pause_ms = 0, interval_ms, timeout_ms;

    while (await_turn(n, pause_ms, &turn)) {
        pthread_mutex_lock(&c->mu);
        interval_ms = c->settings.database.health.interval_ms;
        timeout_ms = TT_MAX(c->settings.database.health.stale_after_ms, 500);
        renew = n->renew;
        n->renew = false;
        pthread_mutex_unlock(&c->mu);
        if (renew) {
            tt_conn_close(&c->a, conn);
            conn = NULL;
        }
        l.status = TT_DB_OK;
        if (!conn)
            l.status = tt_conn_open(&c->a, &c->watch, &n->target, INT64_MAX, &conn, &l.error);
        if (l.status == TT_DB_OK)
            examine(n, conn, &l, timeout_ms);
        pthread_mutex_lock(&c->mu);
        if (l.status == TT_DB_OK)
            take_look_locked(n, c->driver->peer(conn->db), &l, tt_client_now(c));
        else
            lose_look_locked(n, &l, tt_client_now(c));
        n->looked = turn;
        pthread_cond_broadcast(&c->changed);
        pthread_mutex_unlock(&c->mu);
        report(n, &l, failures);
        failures = l.status == TT_DB_OK ? 0 : failures + 1;
        if (l.status != TT_DB_OK && conn) {
            tt_conn_close(&c->a, conn);
            conn = NULL;
        }
        pause_ms =
            failures ? TT_MIN(interval_ms << TT_MIN(failures, 4), BACKOFF_MS_MAX) : interval_ms;
    }
    tt_conn_close(&c->a, conn);
    tt_buf_free(&l.seen.applied);
    return NULL;
}

/* Has every node answered this turn? *writable: one of those that did may be the primary. */
static bool all_looked_locked(const tt_client *c, const uint64_t *turn, bool *writable)
{
    bool all = true;

    *writable = false;
    for (int i = 0; i < c->n_nodes; i++) {
        bool looked = c->nodes[i].looked >= turn[i];

        all = all && looked;
        *writable = *writable || (looked && c->nodes[i].reached && !c->nodes[i].read_only);
    }
    return all;
}

void tt_client_look(tt_client *c, int64_t deadline_ns)
{
    uint64_t turn[TT_NODES_MAX];
    bool writable, found = false;

    pthread_mutex_lock(&c->mu);
    for (int i = 0; i < c->n_nodes; i++)
        turn[i] = ++c->nodes[i].wanted;
    pthread_cond_broadcast(&c->changed);
    while (!all_looked_locked(c, turn, &writable) && !c->stopping) {
        /* A node that is gone without a word must not hold everybody up. */
        if (writable && !found)
            deadline_ns = TT_MIN(deadline_ns, tt_client_now(c) + STRAGGLERS_MS * TT_NS_PER_MS);
        found = found || writable;
        if (!tt_client_wait_locked(c, deadline_ns))
            break;
    }
    for (int i = 0; i < c->n_nodes; i++)
        if (c->nodes[i].looked < turn[i])
            c->nodes[i].reached = false; /* late: as good as away, for this look */
    pthread_mutex_unlock(&c->mu);
}
