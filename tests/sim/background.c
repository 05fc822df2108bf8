/* What a process does by itself: repairs, probes of the servers, the table of deferred bumps. */
#include "sim.h"

void drive_repair(proc *p)
{
    tt_repair *r = p->repairing ? NULL : tt_repair_next(&p->core, p->s->now);
    tt_event ev = {0};
    op *o;

    if (!r)
        return;
    p->repairing = true;
    o = drive_new(p, OP_REPAIR);
    tt_repair_init(&o->u.repair, &p->core, r);
    drive(o, &ev);
}

/* ---- probers -----------------------------------------------------------------------------------
 */

typedef struct probe {
    proc *p;
    int server;
    tt_sample sample;
    bool ok;
} probe;

static void probe_in(sim *s, void *what, uint64_t n)
{
    probe *q = what;
    proc *p = q->p;

    (void)n;
    if (p->dead)
        return;
    if (!q->ok || tt_topology_sampled(&p->core.topology, q->server, &q->sample, s->now) != 0)
        tt_topology_failed(&p->core.topology, q->server, s->now);
    /* Whoever sees that the primary is not the one believed in finds it: reads that are hits do
     * not. */
    if (p->core.topology.primary < 0 ||
        (p->core.topology.primary == q->server) != (q->ok && !q->sample.read_only))
        drive_discover(p);
}

static void probe_look(sim *s, void *what, uint64_t n)
{
    probe *q = what;

    q->ok = s->servers[q->server].up && !ask_is_deaf(&s->servers[q->server], q->p);
    if (q->ok)
        server_look(s, q->server, &q->sample);
    sim_in(s, sim_delay(s, s->sc.delay_ns), probe_in, q, n);
}

void drive_probe(proc *p, int node)
{
    probe *q = sim_new(p->s, sizeof(*q));

    q->p = p;
    q->server = node;
    q->sample.sent_ns = p->s->now;
    sim_in(p->s, sim_delay(p->s, p->s->sc.delay_ns), probe_look, q, 0);
}

/* ---- the deferred table ------------------------------------------------------------------------
 */

typedef struct drain {
    proc *p;
    int server;
    wset writes;
} drain;

static void drained(sim *s, statement *st, tt_db_status status, const txn *t)
{
    (void)st;
    (void)t;
    if (status == TT_DB_OK)
        sim_count(s, EV_DRAINED);
}

static void delete_deferred(proc *p, void *what, uint64_t n, const tt_answers *answers)
{
    drain *d = what;
    sim *s = p->s;
    bool ok = answers->ok;
    statement *st;

    (void)n;
    p->draining = false;
    for (int i = 0; ok && i < answers->n; i++)
        ok = answers->replies[i].kind == TT_REPLY_TEXT;
    if (!ok)
        return;
    st = sim_new(s, sizeof(*st));
    *st = (statement){.conn = server_connect(s, d->server, p),
                      .write = -1,
                      .drained = d->writes,
                      .reply = drained};
    if (st->conn)
        server_execute(s, st);
}

static void bump_deferred(sim *s, void *what, uint64_t n)
{
    drain *d = what;
    proc *p = d->p;
    unsigned rows = 0;
    tt_cmd cmds[ROWS];
    tt_nonce version = tt_nonce_new(&p->rng), none = tt_nonce_new(&p->rng);
    tt_str tags[ROWS];
    tt_number ttl;
    tt_str args[] = {TT_STR("bump"), tt_nonce_str(&version), tt_nonce_str(&none), TT_STR("P"),
                     tt_number_text(&ttl, s->sc.tag_ttl_ms)};
    tt_batch batch = {cmds, 0};

    (void)n;
    if (p->dead)
        return;
    for (int i = 0; i < s->n_writes; i++)
        if (wset_has(&d->writes, i))
            rows |= s->writes[i].rows;
    batch.n = drive_tags(rows, tags);
    for (int i = 0; i < batch.n; i++)
        cmds[i] = tt_cmd_script(tags[i], args, TT_COUNT(args));
    proc_batch(p, &batch, OP_REPAIR, delete_deferred, d, 0);
}

static void find_deferred(sim *s, void *what, uint64_t n)
{
    drain *d = what;
    const server *v = &s->servers[d->server];

    (void)n;
    if (!v->up || wset_empty(&v->deferred) || d->p->dead) {
        d->p->draining = false;
        return;
    }
    d->writes = v->deferred;
    sim_in(s, sim_delay(s, s->sc.delay_ns), bump_deferred, d, 0);
}

void drive_drain(proc *p)
{
    drain *d;

    if (p->draining || p->core.topology.primary < 0)
        return;
    p->draining = true;
    d = sim_new(p->s, sizeof(*d));
    d->p = p;
    d->server = p->core.topology.primary;
    sim_in(p->s, sim_delay(p->s, p->s->sc.delay_ns), find_deferred, d, 0);
}
