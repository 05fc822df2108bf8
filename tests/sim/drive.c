/* Driving operations: what lib/svc does with threads and sockets, done with events. */
#include "sim.h"

#include <stdlib.h>
#include <twotier/error.h>

/* ---- the loop ----------------------------------------------------------------------------------
 */

static void step(op *o, const tt_event *ev, tt_act *act)
{
    int64_t now = o->p->s->now;

    switch (o->kind) {
    case OP_READ:
        tt_read_step(&o->u.read, ev, now, act);
        break;
    case OP_WRITE:
        tt_write_step(&o->u.write, ev, now, act);
        break;
    case OP_DISCOVER:
        tt_discover_step(&o->u.discover, ev, now, act);
        break;
    case OP_REPAIR:
        tt_repair_step(&o->u.repair, ev, act);
        break;
    }
}

void drive_resume(sim *s, void *what, uint64_t turn)
{
    op *o = what;
    tt_event ev = {0};

    (void)s;
    if (o->p->dead || o->finished || o->turn != turn)
        return;
    o->parked = false;
    drive(o, &ev);
}

void drive_wake(proc *p)
{
    tt_link *l;

    while ((l = tt_list_pop(&p->core.woken)) != NULL) {
        op *o = TT_CONTAINER(l, tt_waiter, link)->owner;

        sim_in(p->s, 0, drive_resume, o, o->turn);
    }
}

static void done(op *o);

void drive(op *o, const tt_event *ev)
{
    static const tt_event nothing;
    proc *p = o->p;
    tt_act act;

    for (;;) {
        step(o, ev, &act);
        drive_wake(p);
        o->turn++;
        ev = &nothing;
        if (act.what == TT_DO_DONE) {
            done(o);
            return;
        }
        if (act.what == TT_DO_POST) {
            proc_batch(p, &act.batch, o->kind, NULL, NULL, 0);
        } else if (act.what != TT_DO_SHARED) {
            ask_world(o, &act);
            return;
        } else if (sim_chance(p->s, 200)) {
            sim_in(p->s, sim_delay(p->s, 20 * US), drive_resume, o, o->turn);
            return;
        }
    }
}

op *drive_new(proc *p, op_kind kind)
{
    op *o = sim_new(p->s, sizeof(*o));

    o->p = p;
    o->kind = kind;
    o->next = p->ops;
    o->started_ns = p->s->now;
    p->ops = o;
    return o;
}

void drive_free(op *o)
{
    if (o->kind == OP_READ) {
        if (o->u.read.result)
            ((result *)o->u.read.result)->refs--;
        o->u.read.result = NULL;
        tt_read_finish(&o->u.read);
    } else if (o->kind == OP_WRITE) {
        tt_write_finish(&o->u.write);
    } else if (o->kind == OP_REPAIR && !o->finished) {
        tt_repair_free(o->p->core.a, o->u.repair.repair);
    }
}

static void unlink_op(op *o)
{
    op **at = &o->p->ops;

    while (*at != o)
        at = &(*at)->next;
    *at = o->next;
}

/* ---- ends --------------------------------------------------------------------------------------
 */

static void read_done(op *o)
{
    tt_read_op *r = &o->u.read;
    session *who = o->who;

    proc_note(o->p, r->notes);
    if (o->final)
        check_final(o);
    else
        check_read(o);
    if (who && r->code == 0 && r->settle.n) {
        sim_count(o->p->s, EV_SETTLED);
        tt_buf_clear(&who->seen);
        tt_buf_put_str(&who->seen, tt_buf_str(&r->settle));
        if (who->owed.n) {
            tt_buf_clear(&who->owed);
            tt_buf_put_str(&who->owed, tt_buf_str(&r->settle));
        }
    }
}

static void keep_conn(op *o)
{
    proc *p = o->p;

    if (!o->conn)
        return;
    if (o->u.write.discard)
        return; /* closed on this side only: what was sent may still be executed */
    if (p->n_pool == POOL_MAX)
        o->conn->alive = false;
    else
        p->pool[p->n_pool++] = o->conn;
}

static void write_done(op *o)
{
    tt_write_op *op_w = &o->u.write;
    sim *s = o->p->s;
    wrote *w = o->w;
    session *who = o->who;

    proc_note(o->p, op_w->notes);
    keep_conn(o);
    w->finished = true;
    w->success = op_w->code == 0;
    w->invalidation = op_w->invalidation;
    w->done_ns = s->now;
    if (!w->success) {
        sim_count(s, op_w->code == TT_E_COMMIT_UNKNOWN ? EV_WRITE_UNKNOWN : EV_WRITE_REFUSED);
        sim_trace(s, "p%d s%d   write %d: %s", o->p->id, who->id, (int)(w - s->writes),
                  op_w->code == TT_E_COMMIT_UNKNOWN ? "outcome unknown" : "failed");
        return;
    }
    w->done = w->invalidation == TT_INVALIDATION_DONE ||
              (w->invalidation == TT_INVALIDATION_OUTSTANDING && sim_broken(s, MUT_ACK_AFTER_BUMP));
    sim_count(s, w->invalidation == TT_INVALIDATION_OUTSTANDING ? EV_WRITE_OUTSTANDING
                 : w->invalidation == TT_INVALIDATION_DEFERRED  ? EV_WRITE_DEFERRED
                                                                : EV_WRITE_DONE);
    sim_trace(s, "p%d s%d   write %d is done%s", o->p->id, who->id, (int)(w - s->writes),
              w->invalidation == TT_INVALIDATION_OUTSTANDING ? ", invalidation outstanding"
              : w->invalidation == TT_INVALIDATION_DEFERRED  ? ", invalidation deferred"
                                                             : "");
    if (op_w->position.n == 0)
        return;
    tt_barrier_raise(&who->seen, tt_buf_str(&op_w->position));
    if (w->invalidation == TT_INVALIDATION_OUTSTANDING ||
        w->invalidation == TT_INVALIDATION_DEFERRED)
        tt_barrier_raise(&who->owed, tt_buf_str(&op_w->position));
}

static void discover_done(op *o)
{
    proc *p = o->p;
    op *waiters[TT_COUNT(p->discover_waiters)];
    int n = p->n_discover_waiters;
    tt_event ev = {.ok = o->u.discover.ok};

    memcpy(waiters, p->discover_waiters, sizeof(waiters));
    p->n_discover_waiters = 0;
    p->discovering = NULL;
    sim_trace(p->s, "p%d      discovered %s%s", p->id,
              o->u.discover.ok ? o->u.discover.found : "none",
              o->u.discover.changed ? ", named" : "");
    for (int i = 0; i < n; i++)
        drive(waiters[i], &ev);
}

static void done(op *o)
{
    session *who = o->who;
    sim *s = o->p->s;

    o->finished = true;
    unlink_op(o);
    switch (o->kind) {
    case OP_READ:
        read_done(o);
        break;
    case OP_WRITE:
        write_done(o);
        break;
    case OP_DISCOVER:
        discover_done(o);
        break;
    case OP_REPAIR:
        proc_note(o->p, o->u.repair.notes);
        if (o->drain)
            drive_drained(o);
        else
            o->p->repairing = false;
        tt_repair_finish(&o->u.repair, s->now);
        break;
    }
    drive_free(o);
    if (who && !o->final) {
        who->current = NULL;
        sim_in(s, sim_delay(s, s->sc.think_ns), session_next, who, 0);
    }
}

/* ---- beginnings --------------------------------------------------------------------------------
 */

static const char *const tag_names[ROWS] = {"g0", "g1", "g2"};

int drive_tags(unsigned mask, tt_str *out)
{
    int n = 0;

    for (int r = 0; r < ROWS; r++)
        if (mask >> r & 1)
            out[n++] = tt_str_c(tag_names[r]);
    return n;
}

op *drive_read(proc *p, session *who, int key, tt_read_mode mode, bool use_cache)
{
    static const char *const names[KEYS] = {"e0", "e1", "e2"};
    sim *s = p->s;
    op *o = drive_new(p, OP_READ);
    char *bytes = sim_copy(s, TT_STR("m0"));
    tt_event ev = {0};

    o->who = who;
    o->mask = (unsigned)s->sc.masks[key];
    bytes[1] = (char)('0' + o->mask);
    o->rq.mode = mode;
    o->rq.cached = use_cache;
    o->rq.entry_key = tt_str_c(names[key]);
    o->rq.key_bytes = tt_str_n(bytes, 2);
    o->rq.key_hash = tt_hash(o->rq.key_bytes);
    o->rq.n_tags = drive_tags(o->mask, o->tags);
    o->rq.tag_keys = o->tags;
    if (who) {
        o->rq.seen = tt_str_n(sim_copy(s, tt_buf_str(&who->seen)), who->seen.n);
        o->rq.owed = tt_str_n(sim_copy(s, tt_buf_str(&who->owed)), who->owed.n);
    }
    o->rq.ttl_ms = s->sc.entry_ttl_ms;
    o->rq.deadline_ns = s->now + 5 * s->sc.timeout_ns;
    o->rq.entry_max_bytes = 4096;
    ask_remember(o, o->earliest);
    ask_remember(o, o->early);
    tt_read_init(&o->u.read, &p->core, &o->rq, o);
    sim_trace(s, "p%d s%d   read %s begins%s", p->id, who ? who->id : 9, names[key],
              use_cache ? "" : " uncached");
    if (who)
        who->current = o;
    drive(o, &ev);
    return o;
}

op *drive_write(proc *p, session *who, unsigned rows, bool commit, bool no_change)
{
    sim *s = p->s;
    op *o;
    tt_event ev = {0};

    if (s->n_writes == WRITES_MAX)
        return NULL;
    o = drive_new(p, OP_WRITE);
    o->who = who;
    o->w = &s->writes[s->n_writes++];
    *o->w = (wrote){.who = who,
                    .by = p,
                    .rows = rows,
                    .started_ns = s->now,
                    .no_change = no_change,
                    .call = o,
                    .redis_losses = s->redis_losses};
    o->wq.n_tags = drive_tags(rows, o->tags);
    o->wq.tag_keys = o->tags;
    o->wq.deadline_ns = s->now + 4 * s->sc.timeout_ns;
    if (commit && p->core.topology.primary >= 0)
        o->conn = server_connect(s, p->core.topology.primary, p);
    o->wq.commit = o->conn != NULL;
    tt_write_init(&o->u.write, &p->core, &o->wq, o);
    sim_trace(s, "p%d s%d   write %d of rows %x begins%s", p->id, who->id, s->n_writes - 1, rows,
              o->wq.commit ? " to commit" : "");
    who->current = o;
    if (o->wq.commit)
        sim_in(s, sim_delay(s, 4 * MS), drive_resume, o, o->turn);
    else
        drive(o, &ev);
    return o;
}
