/* What operations ask of the world: a message out, an answer or a timeout back. */
#include "sim.h"

#include <stdlib.h>
#include <twotier/error.h>

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

void ask_remember(op *o, wset into[SERVERS_MAX][ROWS])
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
    o->rows = NULL;
    o->ev.cache = o->batch_answers;
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
    if (o->p->dead || o->finished || o->turn != q->turn || o->rows ||
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
        o->rows = q;
        if (!o->batch_due)
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

static void beside(proc *p, void *what, uint64_t turn, const tt_answers *answers)
{
    op *o = what;

    if (p->dead || o->finished || o->turn != turn)
        return;
    o->batch_due = false;
    o->batch_answers = answers;
    if (o->rows)
        read_rows(o, o->rows);
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
bool ask_is_deaf(const server *v, const proc *p)
{
    return p->id % 2 && p->s->now < v->looks_open_until;
}

static void look(sim *s, ask *q)
{
    server_look(s, q->server, &q->sample);
    send_reply(s, q, TT_DB_OK);
}

static void send_rows(sim *s, void *what, uint64_t n)
{
    (void)n;
    send_reply(s, what, TT_DB_OK);
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
    if (s->sc.heavy_ns) /* many rows: they are on their way for long */
        sim_in(s, (int64_t)(sim_random(s) % (uint64_t)s->sc.heavy_ns), send_rows, q, 0);
    else
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
        if (!ask_is_deaf(v, q->o->p))
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

void drive_discover(proc *p)
{
    tt_event ev = {0};
    op *d;

    if (p->discovering)
        return;
    p->discovering = d = drive_new(p, OP_DISCOVER);
    tt_discover_init(&d->u.discover, &p->core);
    drive(d, &ev);
}

static void discover(op *o)
{
    proc *p = o->p;

    if (p->n_discover_waiters == (int)TT_COUNT(p->discover_waiters))
        abort();
    p->discover_waiters[p->n_discover_waiters++] = o;
    drive_discover(p);
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

void ask_world(op *o, const tt_act *act)
{
    sim *s = o->p->s;
    ask *q;

    switch (act->what) {
    case TT_DO_CACHE:
        ask_remember(o, o->early);
        proc_batch(o->p, &act->batch, o->kind, cached, o, o->turn);
        break;
    case TT_DO_PROVE:
        ask_server(o, ASK_SAMPLE, act->node, s->sc.timeout_ns);
        break;
    case TT_DO_SAMPLE:
        sample_all(o);
        break;
    case TT_DO_READ:
        o->rows = NULL;
        o->batch_answers = NULL;
        o->batch_due = act->batch.n > 0;
        if (o->batch_due)
            proc_batch(o->p, &act->batch, o->kind, beside, o, o->turn);
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
            sim_at(s, act->until_ns, drive_resume, o, o->turn);
        break;
    default:
        abort();
    }
}
