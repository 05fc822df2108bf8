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
    if (tt_discover_wanted(&p->core.topology) && !sim_broken(s, MUT_PROBE_DISCOVERS))
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

struct drain {
    proc *p;
    int server;
    wset writes;
};

static void drained(sim *s, statement *st, tt_db_status status, const txn *t)
{
    (void)st;
    (void)t;
    if (status == TT_DB_OK)
        sim_count(s, EV_DRAINED);
}

void drive_drained(op *o)
{
    drain *d = o->drain;
    sim *s = d->p->s;
    statement *st;

    d->p->draining = false;
    if (!o->u.repair.ok && !sim_broken(s, MUT_DRAIN_ACKNOWLEDGED))
        return;
    st = sim_new(s, sizeof(*st));
    *st = (statement){.conn = server_connect(s, d->server, d->p),
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
    tt_str tags[ROWS];
    tt_event ev = {0};
    op *o;

    (void)n;
    if (p->dead)
        return;
    for (int i = 0; i < s->n_writes; i++)
        if (wset_has(&d->writes, i))
            rows |= s->writes[i].rows;
    o = drive_new(p, OP_REPAIR);
    o->drain = d;
    tt_repair_init(&o->u.repair, &p->core,
                   tt_repair_of_deferred(&p->core, tags, drive_tags(rows, tags)));
    drive(o, &ev);
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
