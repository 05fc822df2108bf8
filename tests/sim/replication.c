/* Replication with lag, changes of primary with and without loss, restarts, rebuilds. */
#include "sim.h"

/* ---- replication -------------------------------------------------------------------------------
 */

/* Is something before it still to be applied? */
static bool is_early(const sim *s, const server *v, int index)
{
    const server *from = v->source >= 0 ? &s->servers[v->source] : NULL;

    for (int i = 0; from && !s->sc.parallel_apply && i < from->log_n; i++) {
        if (from->log[i] == index)
            return false;
        if (!server_has(v, s->txns[from->log[i]].source, s->txns[from->log[i]].n))
            return true;
    }
    return false;
}

static void apply(sim *s, void *what, uint64_t n)
{
    server *v = what;
    int index = (int)(n % TXNS_MAX);
    const txn *t = &s->txns[index];

    if (v->replication != (int)(n / TXNS_MAX))
        return;
    if (!v->up || !v->applying || is_early(s, v, index)) {
        sim_in(s, 300 * US, apply, v, n);
        return;
    }
    if (server_has(v, t->source, t->n))
        return;
    server_show(s, v, index);
    server_log(v, index);
    sim_trace(s, "%s     applies %s:%d", v->gtid, s->servers[t->source].gtid, t->n);
}

void server_fetch(sim *s, void *what, uint64_t n)
{
    server *v = what;
    const server *from = v->source >= 0 ? &s->servers[v->source] : NULL;

    (void)n;
    sim_in(s, 500 * US, server_fetch, v, 0);
    if (!from || !v->up || !from->up || (v->diverged && !server_is_mysql(s)))
        return;
    for (; v->fetched < from->log_n; v->fetched++) {
        int index = from->log[v->fetched];
        const txn *t = &s->txns[index];
        int64_t at = s->now + sim_delay(s, s->sc.lag_ns);

        if (v->queued[index] || server_has(v, t->source, t->n))
            continue;
        v->queued[index] = true;
        if (!s->sc.parallel_apply)
            v->applied_until = at = TT_MAX(v->applied_until + 1, at);
        sim_at(s, at, apply, v, (uint64_t)v->replication * TXNS_MAX + (uint64_t)index);
    }
}

/* Replicate from `source` from now on; what the relay log held is gone. */
static void follow(sim *s, server *v, int source)
{
    const server *from = source >= 0 ? &s->servers[source] : NULL;

    v->source = source;
    v->replication++;
    v->fetched = 0;
    memset(v->queued, 0, sizeof(v->queued));
    v->diverged = from && !server_has_all_of(from, v);
    if (server_is_mysql(s) || !from || v->last < 0 || v->diverged)
        return;
    for (int i = 0; i < from->log_n; i++)
        if (s->txns[from->log[i]].source == s->txns[v->last].source &&
            s->txns[from->log[i]].n == s->txns[v->last].n)
            v->fetched = i + 1;
}

/* ---- faults ------------------------------------------------------------------------------------
 */

static void go_down(sim *s, int i)
{
    server *v = &s->servers[i];

    v->up = false;
    v->life++;
    v->replication++; /* fetched again after the start */
    v->fetched = 0;
    memset(v->queued, 0, sizeof(v->queued));
    for (int k = 0; k < s->n_conns; k++)
        if (s->conns[k].server == i)
            s->conns[k].alive = s->conns[k].busy = s->conns[k].committing = false;
    memset(v->locked_until, 0, sizeof(v->locked_until));
    sim_trace(s, "%s     is down", v->gtid);
}

static void come_back(sim *s, int i, bool read_only)
{
    server *v = &s->servers[i];

    v->up = true;
    v->read_only = read_only;
    for (int k = 0; k < v->log_n; k++) /* recovery commits what the binary log has */
        if (!server_has(v, s->txns[v->log[k]].source, s->txns[v->log[k]].n))
            server_show(s, v, v->log[k]);
    v->under_way = 0;
    v->visible_until = s->now;
    v->next_n = v->skipped_n = 0;
    sim_trace(s, "%s     is up", v->gtid);
}

static void restarted(sim *s, void *what, uint64_t i)
{
    (void)what;
    come_back(s, (int)i, (int)i != s->primary);
    if (s->servers[i].source >= 0)
        follow(s, &s->servers[i], s->servers[i].source);
    s->db_moving = false;
    sim_count(s, EV_DB_RESTARTED);
}

/* The move is over when every replica follows the primary and none has what it lacks: the next
 * change of primary waits for that, as an operator must. */
static void settle(sim *s, void *what, uint64_t n)
{
    bool settled = true;

    (void)what;
    (void)n;
    for (int i = 0; i < s->sc.servers; i++)
        if (i != s->primary &&
            (!s->servers[i].up || s->servers[i].diverged || s->servers[i].source != s->primary))
            settled = false;
    if (settled)
        s->db_moving = false;
    else
        sim_in(s, MS, settle, NULL, 0);
}

/* A server that diverged gets the primary's data. */
static void rebuild(sim *s, void *what, uint64_t i)
{
    server *v = &s->servers[i];
    const server *from = &s->servers[s->primary];

    (void)what;
    go_down(s, (int)i);
    memcpy(v->rows, from->rows, sizeof(v->rows));
    memcpy(v->has, from->has, sizeof(v->has));
    v->log_n = 0;
    for (int k = 0; k < from->log_n; k++)
        if (server_has(from, s->txns[from->log[k]].source, s->txns[from->log[k]].n))
            server_log(v, from->log[k]);
    v->deferred = from->deferred;
    v->last = from->last;
    v->under_way = 0;
    come_back(s, (int)i, true);
    follow(s, v, s->primary);
    sim_count(s, EV_DB_REBUILT);
}

static void follow_primary(sim *s, void *what, uint64_t i)
{
    server *v = &s->servers[i];

    (void)what;
    if (!v->up) {
        come_back(s, (int)i, true);
        v->source = -1;
    }
    v->read_only = true;
    follow(s, v, s->primary);
    sim_trace(s, "%s     follows %s%s", v->gtid, s->servers[s->primary].gtid,
              v->diverged ? ", diverged" : "");
    if (v->diverged)
        sim_in(s, (2 + sim_below(s, 10)) * MS, rebuild, NULL, i);
}

static void open_primary(sim *s, int i)
{
    server *v = &s->servers[i];

    follow(s, v, -1);
    v->next_n = v->skipped_n = 0;
    v->read_only = false;
    s->primary = i;
    if (s->primaries >> i & 1)
        sim_count(s, EV_DB_BACK_TO_OLD);
    s->primaries |= UINT64_C(1) << i;
    sim_trace(s, "%s     is the primary", v->gtid);
    check_lost(s, i);
    for (int k = 0; k < s->sc.servers; k++)
        if (k != i)
            sim_in(s,
                   (s->servers[k].up ? sim_below(s, s->sc.follow_ms) : 3 + sim_below(s, 15)) * MS,
                   follow_primary, NULL, (uint64_t)k);
    sim_in(s, MS, settle, NULL, 0);
}

/* Apply all that `from` has logged. */
static void catch_up(sim *s, server *v, const server *from)
{
    for (int k = 0; k < from->log_n; k++) {
        const txn *t = &s->txns[from->log[k]];

        if (server_has(v, t->source, t->n))
            continue;
        server_show(s, v, from->log[k]);
        server_log(v, from->log[k]);
    }
}

static void planned(sim *s, void *what, uint64_t to)
{
    server *old = &s->servers[s->primary], *v = &s->servers[to];

    (void)what;
    if (old->under_way > 0) {
        sim_in(s, 200 * US, planned, NULL, to);
        return;
    }
    catch_up(s, v, old);
    open_primary(s, (int)to);
}

static void crashed(sim *s, void *what, uint64_t to)
{
    server *v = &s->servers[to];
    bool lossy = what != NULL;

    if (!lossy)
        catch_up(s, v, &s->servers[s->primary]);
    sim_count(s, lossy ? EV_DB_LOSSY : EV_DB_CRASHED);
    open_primary(s, (int)to);
}

static void close_late(sim *s, void *what, uint64_t i)
{
    (void)what;
    s->servers[i].read_only = true;
}

static void failover(sim *s)
{
    int old = s->primary, to = (old + 1 + sim_below(s, s->sc.servers - 1)) % s->sc.servers;

    if (s->sc.pendulum)
        to = old == 0 ? 1 : 0;
    if (!s->servers[to].up || !s->servers[to].applying)
        return;
    s->db_moving = true;
    if (sim_chance(s, s->sc.planned)) {
        sim_count(s, EV_DB_PLANNED);
        sim_trace(s, "%s     is to be followed by %s", s->servers[old].gtid, s->servers[to].gtid);
        if (sim_broken(s, MUT_READ_ONLY_FIRST)) {
            catch_up(s, &s->servers[to], &s->servers[old]);
            sim_in(s, 3 * MS, close_late, NULL, (uint64_t)old);
            open_primary(s, to);
            return;
        }
        s->servers[old].read_only = true;
        if (s->sc.old_looks_open)
            s->servers[old].looks_open_until = s->now + 20 * MS;
        sim_in(s, 200 * US, planned, NULL, (uint64_t)to);
        return;
    }
    go_down(s, old);
    sim_in(s, (1 + sim_below(s, 6)) * MS, crashed, sim_chance(s, s->sc.lossy) ? s : NULL,
           (uint64_t)to);
}

static void start_applying(sim *s, void *what, uint64_t i)
{
    (void)what;
    s->servers[i].applying = true;
}

/* Called once a millisecond while there are faults. */
void server_fault(sim *s)
{
    const scenario *sc = &s->sc;
    int i = sim_below(s, sc->servers);

    if (sc->servers > 1 && !s->db_moving && sim_chance(s, sc->db_failovers) &&
        !(sc->old_looks_open && s->primary != 0)) /* that world stands one change of primary */
        failover(s);
    /* nor may its new primary go: the old one would pass for a primary, and there would be two */
    if (!s->db_moving && s->servers[i].up && !(sc->old_looks_open && s->primary != 0) &&
        sim_chance(s, sc->db_restarts)) {
        s->db_moving = true;
        go_down(s, i);
        sim_in(s, (1 + sim_below(s, 10)) * MS, restarted, NULL, (uint64_t)i);
    }
    if (i != s->primary && s->servers[i].applying && sim_chance(s, sc->stops)) {
        s->servers[i].applying = false;
        sim_count(s, EV_APPLY_STOPPED);
        sim_trace(s, "%s     stops applying", s->servers[i].gtid);
        sim_in(s, (1 + sim_below(s, 40)) * MS, start_applying, NULL, (uint64_t)i);
    }
    if (sim_chance(s, sc->locks)) {
        int row = sim_below(s, ROWS);

        s->servers[s->primary].locked_until[row] = s->now + (1 + sim_below(s, 60)) * MS;
        sim_trace(s, "%s     row %d is locked", s->servers[s->primary].gtid, row);
    }
}

void server_heal(sim *s)
{
    for (int i = 0; i < s->sc.servers; i++)
        s->servers[i].applying = true;
}
