/* Database servers: transactions with numbers, replication with lag, failovers with and without
 * loss. What a row shows is the set of the writes applied to it. */
#include "sim.h"

#include <stdlib.h>

static bool mysql(const sim *s)
{
    return s->sc.family == TT_FAMILY_MYSQL;
}

/* ---- numbers -----------------------------------------------------------------------------------
 */

static bool has(const server *v, int source, int n)
{
    return v->has[source][n / 64] >> (n % 64) & 1;
}

static int highest(const server *v, int source)
{
    for (int n = 255; n > 0; n--)
        if (has(v, source, n))
            return n;
    return 0;
}

static bool has_all_of(const server *v, const server *of)
{
    for (int i = 0; i < SERVERS_MAX; i++)
        for (int k = 0; k < 4; k++)
            if (of->has[i][k] & ~v->has[i][k])
                return false;
    return true;
}

static void put_ranges(const server *v, int source, const char *gtid, tt_buf *out)
{
    bool any = false;

    for (int n = 1; n < 256; n++) {
        int first = n;

        if (!has(v, source, n))
            continue;
        while (n < 255 && has(v, source, n + 1))
            n++;
        if (!any)
            tt_buf_printf(out, "%s%s", out->n ? "," : "", gtid);
        any = true;
        tt_buf_printf(out, n > first ? ":%d-%d" : ":%d", first, n);
    }
}

tt_str server_applied(sim *s, int i)
{
    const server *v = &s->servers[i];
    tt_buf out = tt_buf_init(&tt_allocator_libc);
    tt_str text;

    if (mysql(s)) {
        for (int k = 0; k < s->sc.servers; k++)
            put_ranges(v, k, s->servers[k].gtid, &out);
    } else {
        int last = v->read_only ? v->last : v->log_n ? v->log[v->log_n - 1] : -1;

        if (last >= 0)
            tt_buf_printf(&out, "%s-%d", s->servers[s->txns[last].source].gtid, s->txns[last].n);
    }
    text = tt_str_n(sim_copy(s, tt_buf_str(&out)), out.n);
    tt_buf_free(&out);
    return text;
}

void server_look(sim *s, int i, tt_sample *out)
{
    const server *v = &s->servers[i];

    out->identity = tt_str_c(v->identity);
    out->read_only = v->read_only && s->now >= v->looks_open_until;
    out->applied = server_applied(s, i);
    out->family = s->sc.family;
    out->inspected = true;
    out->replica = v->source >= 0;
    if (v->source >= 0)
        out->source = tt_str_c(s->servers[v->source].identity);
    out->threads_running = v->applying && v->source >= 0 && (mysql(s) || !v->diverged);
    out->lag_known = out->threads_running;
}

static int source_of(const sim *s, tt_str name)
{
    for (int i = 0; i < s->sc.servers; i++)
        if (tt_str_eq(tt_str_c(s->servers[i].gtid), name))
            return i;
    return -1;
}

/* What the server's own way to wait says: MySQL's set; MariaDB's number, with the lineage that the
 * driver looks at afterwards. */
bool server_has_points(sim *s, int i, tt_str points)
{
    const server *v = &s->servers[i];
    tt_point p;
    int got;

    if (!mysql(s) && !v->read_only)
        return false;
    while ((got = tt_points_next(&points, &p)) == 1) {
        int source = source_of(s, p.source);

        if (source < 0 || p.n > 255)
            return false;
        if (!mysql(s) &&
            (v->last < 0 || s->txns[v->last].n < (int)p.n || highest(v, source) < (int)p.n))
            return false;
        for (int n = 1; mysql(s) && n <= (int)p.n; n++)
            if (!has(v, source, n))
                return false;
    }
    return got == 0;
}

/* ---- transactions ------------------------------------------------------------------------------
 */

static void show(sim *s, server *v, int index)
{
    const txn *t = &s->txns[index];

    if (t->n > 1 && !has(v, t->source, t->n - 1) && v->source >= 0 && mysql(s) && !s->sc.gaps)
        sim_count(s, EV_APPLIED_OUT_OF_ORDER);
    v->has[t->source][t->n / 64] |= UINT64_C(1) << (t->n % 64);
    v->last = index;
    for (int r = 0; r < ROWS && t->write >= 0; r++)
        if (t->rows >> r & 1)
            wset_add(&v->rows[r], t->write);
    if (t->defers)
        wset_add(&v->deferred, t->write);
    for (int i = 0; i < 2; i++)
        v->deferred.w[i] &= ~t->drained.w[i];
}

static void put_log(server *v, int index)
{
    if (v->log_n == TXNS_MAX)
        abort();
    v->log[v->log_n++] = index;
}

/* Number it and write it to the binary log; -1 when the run is too long. */
static int issue(sim *s, int i, const statement *st)
{
    server *v = &s->servers[i];
    txn *t = &s->txns[s->n_txns];
    int n = highest(v, i);

    for (int k = 0; k < v->log_n; k++)
        if (mysql(s) ? s->txns[v->log[k]].source == i : k == v->log_n - 1)
            n = TT_MAX(n, s->txns[v->log[k]].n);
    if (mysql(s) && s->sc.gaps && sim_chance(s, 250)) {
        n++;
        sim_count(s, EV_NUMBER_SKIPPED);
    }
    n = TT_MAX(n, v->next_n - 1);
    if (s->n_txns == TXNS_MAX || n + 1 >= 255)
        return -1;
    *t = (txn){i, n + 1, st->write, st->rows, st->defers, st->drained};
    v->next_n = mysql(s) ? n + 2 : 0;
    if (s->issued[i][t->n / 64] >> (t->n % 64) & 1)
        sim_count(s, EV_DB_REISSUED);
    s->issued[i][t->n / 64] |= UINT64_C(1) << (t->n % 64);
    put_log(v, s->n_txns);
    v->under_way++;
    return s->n_txns++;
}

static void finish(sim *s, statement *st, tt_db_status status, int index)
{
    st->conn->busy = st->conn->committing = false;
    st->reply(s, st, status, index >= 0 ? &s->txns[index] : NULL);
}

static void engine_commit(sim *s, void *what, uint64_t index)
{
    statement *st = what;
    server *v = &s->servers[st->conn->server];

    if (v->life != st->life)
        return; /* recovered when it started again */
    show(s, v, (int)index);
    v->under_way--;
    sim_trace(s, "%s     %s:%d is visible", v->gtid, v->gtid, s->txns[index].n);
    finish(s, st, TT_DB_OK, (int)index);
}

static bool waits_for_lock(sim *s, const statement *st, int64_t *until)
{
    const server *v = &s->servers[st->conn->server];

    *until = 0;
    for (int r = 0; r < ROWS && !st->commit; r++)
        if (st->rows >> r & 1 && v->locked_until[r] > s->now)
            *until = TT_MAX(*until, v->locked_until[r]);
    return *until > 0;
}

static void commit(sim *s, void *what, uint64_t n)
{
    statement *st = what;
    server *v = &s->servers[st->conn->server];
    int64_t until, visible;
    int index;

    (void)n;
    if (v->life != st->life)
        return;
    if (!st->conn->alive) {
        finish(s, st, TT_DB_LOST, -1);
        return;
    }
    if (waits_for_lock(s, st, &until)) {
        sim_count(s, EV_LOCK_WAIT);
        sim_at(s, until + sim_delay(s, 200 * US), commit, st, 0);
        return;
    }
    if (v->read_only) {
        finish(s, st, TT_DB_DEMOTED, -1);
        return;
    }
    index = issue(s, st->conn->server, st);
    if (index < 0) {
        finish(s, st, TT_DB_REFUSED, -1);
        return;
    }
    if (st->write >= 0) {
        s->writes[st->write].committed = true;
        if (s->writes[st->write].by->dead)
            sim_count(s, EV_COMMITTED_WITHOUT_CLIENT);
    }
    st->conn->committing = true;
    visible = s->now + sim_delay(s, s->sc.engine_ns);
    v->visible_until = TT_MAX(v->visible_until, visible);
    sim_trace(s, "%s     commits %s:%d, write %d rows %x%s", v->gtid, v->gtid, s->txns[index].n,
              st->write, st->rows, st->defers ? " deferred" : "");
    sim_at(s, v->visible_until, engine_commit, st, (uint64_t)index);
}

void server_execute(sim *s, statement *st)
{
    server *v = &s->servers[st->conn->server];

    st->life = v->life;
    if (!st->conn->alive) {
        st->reply(s, st, sim_chance(s, 500) ? TT_DB_LOST : TT_DB_UNSENT, NULL);
        return;
    }
    if (v->read_only) {
        st->reply(s, st, TT_DB_DEMOTED, NULL);
        return;
    }
    if (st->write >= 0 && s->writes[st->write].no_change) {
        st->reply(s, st, TT_DB_OK, NULL);
        return;
    }
    st->conn->busy = true;
    sim_in(s, sim_delay(s, s->sc.delay_ns / 4), commit, st, 0);
}

dbconn *server_connect(sim *s, int i, proc *owner)
{
    dbconn *c;

    if (!s->servers[i].up || s->n_conns == CONNS_MAX)
        return NULL;
    c = &s->conns[s->n_conns];
    *c = (dbconn){.server = i, .id = (uint64_t)++s->n_conns, .alive = true, .owner = owner};
    return c;
}

typedef struct killing {
    dbconn *conn;
    event_fn *gone;
    void *what;
    uint64_t n;
} killing;

static void wait_gone(sim *s, void *what, uint64_t n)
{
    killing *k = what;

    (void)n;
    if (k->conn->committing && s->servers[k->conn->server].up) {
        sim_in(s, 200 * US, wait_gone, k, 0);
        return;
    }
    k->gone(s, k->what, k->n);
}

void server_kill(sim *s, int i, uint64_t id, event_fn *gone, void *what, uint64_t n)
{
    dbconn *c = id >= 1 && id <= (uint64_t)s->n_conns ? &s->conns[id - 1] : NULL;
    killing *k;

    if (!c || c->server != i) {
        gone(s, what, n);
        return;
    }
    if (c->alive && c->busy && !c->committing)
        sim_count(s, EV_KILLED_IN_TIME);
    sim_trace(s, "%s     connection %d is killed", s->servers[i].gtid, (int)id);
    c->alive = false;
    k = sim_new(s, sizeof(*k));
    *k = (killing){c, gone, what, n};
    wait_gone(s, k, 0);
}

/* ---- replication -------------------------------------------------------------------------------
 */

/* Is something before it still to be applied? */
static bool is_early(const sim *s, const server *v, int index)
{
    const server *from = v->source >= 0 ? &s->servers[v->source] : NULL;

    for (int i = 0; from && !s->sc.parallel_apply && i < from->log_n; i++) {
        if (from->log[i] == index)
            return false;
        if (!has(v, s->txns[from->log[i]].source, s->txns[from->log[i]].n))
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
    if (has(v, t->source, t->n))
        return;
    show(s, v, index);
    put_log(v, index);
    sim_trace(s, "%s     applies %s:%d", v->gtid, s->servers[t->source].gtid, t->n);
}

static void fetch(sim *s, void *what, uint64_t n)
{
    server *v = what;
    const server *from = v->source >= 0 ? &s->servers[v->source] : NULL;

    (void)n;
    sim_in(s, 500 * US, fetch, v, 0);
    if (!from || !v->up || !from->up || (v->diverged && !mysql(s)))
        return;
    for (; v->fetched < from->log_n; v->fetched++) {
        int index = from->log[v->fetched];
        const txn *t = &s->txns[index];
        int64_t at = s->now + sim_delay(s, s->sc.lag_ns);

        if (v->queued[index] || has(v, t->source, t->n))
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
    v->diverged = from && !has_all_of(from, v);
    if (mysql(s) || !from || v->last < 0 || v->diverged)
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
        if (!has(v, s->txns[v->log[k]].source, s->txns[v->log[k]].n))
            show(s, v, v->log[k]);
    v->under_way = 0;
    v->visible_until = s->now;
    v->next_n = 0;
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
        if (has(from, s->txns[from->log[k]].source, s->txns[from->log[k]].n))
            put_log(v, from->log[k]);
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
    v->next_n = 0;
    v->read_only = false;
    s->primary = i;
    if (s->primaries >> i & 1)
        sim_count(s, EV_DB_BACK_TO_OLD);
    s->primaries |= UINT64_C(1) << i;
    sim_trace(s, "%s     is the primary", v->gtid);
    check_lost(s, i);
    for (int k = 0; k < s->sc.servers; k++)
        if (k != i)
            sim_in(s, (s->servers[k].up ? sim_below(s, 4) : 3 + sim_below(s, 15)) * MS,
                   follow_primary, NULL, (uint64_t)k);
    sim_in(s, MS, settle, NULL, 0);
}

/* Apply all that `from` has logged. */
static void catch_up(sim *s, server *v, const server *from)
{
    for (int k = 0; k < from->log_n; k++) {
        const txn *t = &s->txns[from->log[k]];

        if (has(v, t->source, t->n))
            continue;
        show(s, v, from->log[k]);
        put_log(v, from->log[k]);
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
    if (!s->db_moving && s->servers[i].up && sim_chance(s, sc->db_restarts)) {
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

void server_setup(sim *s)
{
    for (int i = 0; i < s->sc.servers; i++) {
        server *v = &s->servers[i];

        if (mysql(s)) {
            snprintf(v->identity, sizeof(v->identity), "%c0000000-0000-0000-0000-000000000000",
                     'a' + i);
            memcpy(v->gtid, v->identity, sizeof(v->gtid));
        } else {
            snprintf(v->identity, sizeof(v->identity), "id-%d", i + 1);
            snprintf(v->gtid, sizeof(v->gtid), "0-%d", i + 1);
        }
        v->up = v->applying = true;
        v->read_only = i != 0;
        v->source = i == 0 ? -1 : 0;
        v->last = -1;
        sim_in(s, MS + i, fetch, v, 0);
    }
    s->primaries = 1;
    /* Some transactions before anything else, so that no position is empty. */
    for (int k = 0; k < 2; k++) {
        s->txns[s->n_txns] = (txn){0, k + 1, -1, 0, false, {{0}}};
        s->issued[0][0] |= UINT64_C(1) << (k + 1);
        for (int i = 0; i < s->sc.servers; i++) {
            put_log(&s->servers[i], s->n_txns);
            show(s, &s->servers[i], s->n_txns);
        }
        s->n_txns++;
    }
}
