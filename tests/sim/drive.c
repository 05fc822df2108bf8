/* Driving operations: what lib/svc does with threads and sockets, done with events. */
#include "sim.h"

#include <stdlib.h>
#include <twotier/error.h>

static void act_on(op *o, const tt_act *act);

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

static void resume(sim *s, void *what, uint64_t turn)
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

        sim_in(p->s, 0, resume, o, o->turn);
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
            act_on(o, &act);
            return;
        } else if (sim_chance(p->s, 200)) {
            sim_in(p->s, sim_delay(p->s, 20 * US), resume, o, o->turn);
            return;
        }
    }
}

static op *new_op(proc *p, op_kind kind)
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

/* ---- acts on Redis -----------------------------------------------------------------------------
 */

static void cached(proc *p, void *what, uint64_t turn, const tt_answers *answers)
{
    op *o = what;
    tt_event ev = {.cache = answers};

    (void)p;
    if (!o->finished && o->turn == turn)
        drive(o, &ev);
}

static void remember_rows(op *o, wset into[SERVERS_MAX][ROWS])
{
    sim *s = o->p->s;

    for (int i = 0; i < s->sc.servers; i++)
        memcpy(into[i], s->servers[i].rows, sizeof(s->servers[i].rows));
}

/* ---- acts on servers ---------------------------------------------------------------------------
 */

typedef enum ask_kind { ASK_SAMPLE, ASK_READ, ASK_KILL, ASK_ACQUIRE, ASK_EXECUTE } ask_kind;

typedef struct ask {
    op *o;
    uint64_t turn;
    ask_kind kind;
    int server;
    uint64_t connection;
    tt_str points;
    int64_t until_ns, sent_ns;
    int place; /* of a sample among several */
    tt_db_status status;
    tt_sample sample;
    bool reached, defers;
    result rows;
    dbconn *conn;
    tt_str position;
    bool rows_changed;
} ask;

static int code_of(tt_db_status status)
{
    switch (status) {
    case TT_DB_OK:
        return 0;
    case TT_DB_LOST:
        return TT_E_LOST;
    case TT_DB_REFUSED:
        return TT_E_SQL;
    default:
        return TT_E_UNAVAILABLE;
    }
}

static void sampled(op *o, const ask *q)
{
    if (o->kind != OP_DISCOVER) {
        o->ev.sample = &q->sample;
        o->ev.n_samples = 1;
        drive(o, &o->ev);
        return;
    }
    if (q->status == TT_DB_OK)
        o->samples[q->place] = q->sample;
    if (--o->samples_left > 0)
        return;
    o->ev.sample = o->samples;
    o->ev.n_samples = o->p->s->sc.servers;
    o->ev.db = TT_DB_OK;
    drive(o, &o->ev);
}

static void read_rows(op *o, const ask *q)
{
    sim *s = o->p->s;

    if (q->status == TT_DB_OK && q->reached) {
        result *r = sim_new(s, sizeof(*r));

        *r = q->rows;
        r->refs = 1;
        r->next = s->results;
        s->results = r;
        o->ev.result = r;
        o->ev.payload = tt_str_n(r->rows, sizeof(r->rows));
    }
    o->ev.reached = q->reached;
    o->ev.created_ms = 1700000000000 + s->now / MS;
    o->ev.took_ns = s->now - q->sent_ns;
    drive(o, &o->ev);
}

static void reply(sim *s, void *what, uint64_t n)
{
    ask *q = what;
    op *o = q->o;

    (void)s;
    (void)n;
    if (o->p->dead || o->finished || o->turn != q->turn ||
        (q->kind == ASK_SAMPLE && o->kind == OP_DISCOVER && q->place < 0))
        return;
    o->ev = (tt_event){.db = q->status, .code = code_of(q->status)};
    switch (q->kind) {
    case ASK_SAMPLE: {
        ask mine = *q;

        q->place = -1; /* an answer counts once: the reply or its timeout */
        sampled(o, &mine);
        return;
    }
    case ASK_READ:
        read_rows(o, q);
        return;
    case ASK_KILL:
        o->ev.gone = q->status == TT_DB_OK;
        break;
    case ASK_ACQUIRE:
        if (q->status == TT_DB_OK) {
            o->conn = q->conn;
            o->ev.identity = tt_str_c(s->servers[q->conn->server].identity);
            o->ev.connection = q->conn->id;
        }
        break;
    case ASK_EXECUTE:
        o->ev.position = q->position;
        o->ev.rows_changed = q->rows_changed;
        break;
    }
    drive(o, &o->ev);
}

static void send_reply(sim *s, ask *q, tt_db_status status)
{
    q->status = status;
    if (sim_chance(s, s->sc.lost)) {
        sim_count(s, EV_REPLY_LOST);
        return; /* the timeout will tell */
    }
    sim_in(s, sim_delay(s, s->sc.delay_ns), reply, q, 0);
}

/* The requester hears nothing more: a copy, for the answer itself may still be under way. */
static void time_out(sim *s, void *what, uint64_t n)
{
    ask *q = what, *lost;

    if (q->o->turn != q->turn || (q->o->kind == OP_DISCOVER && q->place < 0))
        return;
    lost = sim_new(s, sizeof(*lost));
    *lost = *q;
    q->place = -1;
    lost->status = TT_DB_LOST;
    reply(s, lost, n);
}

/* Half of the processes do not reach a primary that was closed but does not say so. */
static bool is_deaf(const server *v, const proc *p)
{
    return p->id % 2 && p->s->now < v->looks_open_until;
}

static void look(sim *s, ask *q)
{
    server_look(s, q->server, &q->sample);
    send_reply(s, q, TT_DB_OK);
}

static void view(sim *s, void *what, uint64_t n)
{
    ask *q = what;
    const server *v = &s->servers[q->server];
    op *o = q->o;

    if (!v->up) {
        send_reply(s, q, TT_DB_LOST);
        return;
    }
    q->reached = q->points.n == 0 || server_has_points(s, q->server, q->points);
    if (!q->reached && s->now < q->until_ns) {
        sim_in(s, 300 * US, view, q, n);
        return;
    }
    memcpy(q->rows.rows, v->rows, sizeof(v->rows));
    if (sim_broken(s, MUT_READ_AFTER_ALL_SCRIPTS) && o->rq.cached)
        memcpy(q->rows.rows, o->early[q->server], sizeof(v->rows));
    if (sim_broken(s, MUT_OPEN_TRANSACTION_FILL))
        memcpy(q->rows.rows, o->earliest[q->server], sizeof(v->rows));
    if (q->reached)
        sim_trace(s, "p%d      reads %s", o->p->id, v->gtid);
    send_reply(s, q, TT_DB_OK);
}

static void killed(sim *s, void *what, uint64_t n)
{
    (void)n;
    send_reply(s, what, TT_DB_OK);
}

static void executed(sim *s, statement *st, tt_db_status status, const txn *t)
{
    ask *q = st->what;

    if (t && !sim_chance(s, s->sc.unknown_position)) {
        char text[TT_SOURCE_MAX + 16];
        int n = snprintf(text, sizeof(text), "%s:%d", s->servers[t->source].gtid, t->n);

        q->position = tt_str_n(sim_copy(s, tt_str_n(text, (size_t)n)), (size_t)n);
    }
    q->rows_changed = t != NULL;
    send_reply(s, q, status);
}

static void begin_statement(sim *s, ask *q)
{
    op *o = q->o;
    statement *st = sim_new(s, sizeof(*st));

    *st = (statement){.conn = q->conn,
                      .write = (int)(o->w - s->writes),
                      .rows = o->w->rows,
                      .defers = q->defers,
                      .commit = o->wq.commit,
                      .reply = executed,
                      .what = q};
    server_execute(s, st);
}

static void arrive(sim *s, void *what, uint64_t n)
{
    ask *q = what;
    server *v = &s->servers[q->server];

    (void)n;
    if (!v->up) {
        bool sent = q->kind == ASK_EXECUTE && sim_chance(s, 500);

        send_reply(s, q, sent ? TT_DB_LOST : TT_DB_UNSENT);
        return;
    }
    switch (q->kind) {
    case ASK_SAMPLE:
        if (!is_deaf(v, q->o->p))
            look(s, q);
        break;
    case ASK_READ:
        q->until_ns += s->now;
        view(s, q, 0);
        break;
    case ASK_KILL:
        server_kill(s, q->server, q->connection, killed, q, 0);
        break;
    case ASK_ACQUIRE:
        q->conn = server_connect(s, q->server, q->o->p);
        send_reply(s, q, q->conn ? TT_DB_OK : TT_DB_UNSENT);
        break;
    case ASK_EXECUTE:
        begin_statement(s, q);
        break;
    }
}

static ask *ask_server(op *o, ask_kind kind, int node, int64_t patience_ns)
{
    sim *s = o->p->s;
    ask *q = sim_new(s, sizeof(*q));

    q->o = o;
    q->turn = o->turn;
    q->kind = kind;
    q->server = node;
    q->sent_ns = q->sample.sent_ns = s->now;
    if (sim_chance(s, s->sc.lost))
        sim_count(s, EV_REQUEST_LOST);
    else
        sim_in(s, sim_delay(s, s->sc.delay_ns), arrive, q, 0);
    sim_in(s, patience_ns, time_out, q, 0);
    return q;
}

/* ---- other acts --------------------------------------------------------------------------------
 */

static void begin_discover(proc *p)
{
    tt_event ev = {0};
    op *d;

    if (p->discovering)
        return;
    p->discovering = d = new_op(p, OP_DISCOVER);
    tt_discover_init(&d->u.discover, &p->core);
    drive(d, &ev);
}

static void discover(op *o)
{
    proc *p = o->p;

    if (p->n_discover_waiters == (int)TT_COUNT(p->discover_waiters))
        abort();
    p->discover_waiters[p->n_discover_waiters++] = o;
    begin_discover(p);
}

static void acquire(op *o, int node)
{
    sim *s = o->p->s;
    proc *p = o->p;
    ask *q;

    if (o->conn) { /* of a transaction, or of the attempt before */
        if (o->wq.commit || (o->conn->server == node && o->conn->alive)) {
            q = sim_new(s, sizeof(*q));
            *q = (ask){.o = o, .turn = o->turn, .kind = ASK_ACQUIRE, .conn = o->conn};
            sim_in(s, 0, reply, q, 0);
            return;
        }
        o->conn->alive = false;
        o->conn = NULL;
    }
    for (int i = 0; i < p->n_pool; i++)
        if (p->pool[i]->server == node) {
            q = sim_new(s, sizeof(*q));
            *q = (ask){.o = o, .turn = o->turn, .kind = ASK_ACQUIRE, .conn = p->pool[i]};
            p->pool[i] = p->pool[--p->n_pool];
            sim_in(s, 0, reply, q, 0);
            return;
        }
    ask_server(o, ASK_ACQUIRE, node, s->sc.timeout_ns);
}

static void sample_all(op *o)
{
    sim *s = o->p->s;

    memset(o->samples, 0, sizeof(o->samples));
    o->samples_left = s->sc.servers;
    for (int i = 0; i < s->sc.servers; i++)
        ask_server(o, ASK_SAMPLE, i, s->sc.timeout_ns / 2)->place = i;
}

static void act_on(op *o, const tt_act *act)
{
    sim *s = o->p->s;
    ask *q;

    switch (act->what) {
    case TT_DO_CACHE:
        remember_rows(o, o->early);
        proc_batch(o->p, &act->batch, o->kind, cached, o, o->turn);
        break;
    case TT_DO_PROVE:
        ask_server(o, ASK_SAMPLE, act->node, s->sc.timeout_ns);
        break;
    case TT_DO_SAMPLE:
        sample_all(o);
        break;
    case TT_DO_READ:
        q = ask_server(o, ASK_READ, act->node, s->sc.timeout_ns + act->wait_ms * MS);
        q->points = tt_str_n(sim_copy(s, act->points), act->points.n);
        q->until_ns = act->wait_ms * MS;
        break;
    case TT_DO_ACQUIRE:
        acquire(o, act->node);
        break;
    case TT_DO_EXECUTE:
        q = ask_server(o, ASK_EXECUTE, o->conn->server, TT_MAX(o->wq.deadline_ns - s->now, MS));
        q->conn = o->conn;
        q->defers = act->defer;
        break;
    case TT_DO_KILL:
        q = ask_server(o, ASK_KILL, act->node, s->sc.timeout_ns);
        q->connection = act->connection;
        break;
    case TT_DO_DISCOVER:
        discover(o);
        break;
    case TT_DO_PARK:
        o->parked = true;
        if (act->until_ns < INT64_MAX)
            sim_at(s, act->until_ns, resume, o, o->turn);
        break;
    default:
        abort();
    }
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
        tt_repair_finish(&o->u.repair, s->now);
        o->p->repairing = false;
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

static int tags_of(unsigned mask, tt_str *out)
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
    op *o = new_op(p, OP_READ);
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
    o->rq.n_tags = tags_of(o->mask, o->tags);
    o->rq.tag_keys = o->tags;
    if (who) {
        o->rq.seen = tt_str_n(sim_copy(s, tt_buf_str(&who->seen)), who->seen.n);
        o->rq.owed = tt_str_n(sim_copy(s, tt_buf_str(&who->owed)), who->owed.n);
    }
    o->rq.ttl_ms = s->sc.entry_ttl_ms;
    o->rq.deadline_ns = s->now + 5 * s->sc.timeout_ns;
    o->rq.entry_max_bytes = 4096;
    remember_rows(o, o->earliest);
    remember_rows(o, o->early);
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
    o = new_op(p, OP_WRITE);
    o->who = who;
    o->w = &s->writes[s->n_writes++];
    *o->w = (wrote){.who = who,
                    .by = p,
                    .rows = rows,
                    .started_ns = s->now,
                    .no_change = no_change,
                    .redis_losses = s->redis_losses};
    o->wq.n_tags = tags_of(rows, o->tags);
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
        sim_in(s, sim_delay(s, 4 * MS), resume, o, o->turn);
    else
        drive(o, &ev);
    return o;
}

void drive_repair(proc *p)
{
    tt_repair *r = p->repairing ? NULL : tt_repair_next(&p->core, p->s->now);
    tt_event ev = {0};
    op *o;

    if (!r)
        return;
    p->repairing = true;
    o = new_op(p, OP_REPAIR);
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
        begin_discover(p);
}

static void probe_look(sim *s, void *what, uint64_t n)
{
    probe *q = what;

    q->ok = s->servers[q->server].up && !is_deaf(&s->servers[q->server], q->p);
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
    batch.n = tags_of(rows, tags);
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
