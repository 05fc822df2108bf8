/* Database servers: transactions with numbers, replication with lag, failovers with and without
 * loss. What a row shows is the set of the writes applied to it. */
#include "sim.h"

#include <stdlib.h>

bool server_is_mysql(const sim *s)
{
    return s->sc.family == TT_FAMILY_MYSQL;
}

/* ---- numbers -----------------------------------------------------------------------------------
 */

bool server_has(const server *v, int source, int n)
{
    return v->has[source][n / 64] >> (n % 64) & 1;
}

static int highest(const server *v, int source)
{
    for (int n = 255; n > 0; n--)
        if (server_has(v, source, n))
            return n;
    return 0;
}

bool server_has_all_of(const server *v, const server *of)
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

        if (!server_has(v, source, n))
            continue;
        while (n < 255 && server_has(v, source, n + 1))
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

    if (server_is_mysql(s)) {
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
    out->threads_running = v->applying && v->source >= 0 && (server_is_mysql(s) || !v->diverged);
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

    if (!server_is_mysql(s) && !v->read_only)
        return false;
    while ((got = tt_points_next(&points, &p)) == 1) {
        int source = source_of(s, p.source);

        if (source < 0 || p.n > 255)
            return false;
        if (!server_is_mysql(s) &&
            (v->last < 0 || s->txns[v->last].n < (int)p.n || highest(v, source) < (int)p.n))
            return false;
        for (int n = 1; server_is_mysql(s) && n <= (int)p.n; n++)
            if (!server_has(v, source, n))
                return false;
    }
    return got == 0;
}

/* ---- transactions ------------------------------------------------------------------------------
 */

void server_show(sim *s, server *v, int index)
{
    const txn *t = &s->txns[index];

    if (t->n > 1 && !server_has(v, t->source, t->n - 1) && v->source >= 0 && server_is_mysql(s) &&
        !s->sc.gaps)
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

void server_log(server *v, int index)
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
        if (server_is_mysql(s) ? s->txns[v->log[k]].source == i : k == v->log_n - 1)
            n = TT_MAX(n, s->txns[v->log[k]].n);
    n = TT_MAX(n, v->next_n - 1);
    if (s->n_txns == TXNS_MAX || n + 2 >= 255)
        return -1;
    /* Numbers are given out in blocks: some come late, some never. */
    if (v->skipped_n && v->skipped_n < n && sim_chance(s, 400)) {
        n = v->skipped_n - 1;
        v->skipped_n = 0;
        sim_count(s, EV_NUMBER_LATE);
    } else if (server_is_mysql(s) && s->sc.gaps && sim_chance(s, 250)) {
        v->skipped_n = ++n;
        sim_count(s, EV_NUMBER_SKIPPED);
    }
    *t = (txn){i, n + 1, st->write, st->rows, st->defers, st->drained};
    v->next_n = server_is_mysql(s) ? TT_MAX(v->next_n, n + 2) : 0;
    if (s->issued[i][t->n / 64] >> (t->n % 64) & 1)
        sim_count(s, EV_DB_REISSUED);
    s->issued[i][t->n / 64] |= UINT64_C(1) << (t->n % 64);
    server_log(v, s->n_txns);
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
    server_show(s, v, (int)index);
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

void server_setup(sim *s)
{
    for (int i = 0; i < s->sc.servers; i++) {
        server *v = &s->servers[i];

        if (server_is_mysql(s)) {
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
        sim_in(s, MS + i, server_fetch, v, 0);
    }
    s->primaries = 1;
    /* Some transactions before anything else, so that no position is empty. */
    for (int k = 0; k < 2; k++) {
        s->txns[s->n_txns] = (txn){0, k + 1, -1, 0, false, {{0}}};
        s->issued[0][0] |= UINT64_C(1) << (k + 1);
        for (int i = 0; i < s->sc.servers; i++) {
            server_log(&s->servers[i], s->n_txns);
            server_show(s, &s->servers[i], s->n_txns);
        }
        s->n_txns++;
    }
}
