/* Processes: a core each, its links to Redis, its background work. A crash stops them at any step;
 * what they sent may still arrive. */
#include "sim.h"

#include <stdlib.h>

/* ---- the core's surroundings -------------------------------------------------------------------
 */

static void fill(void *ctx, void *out, size_t n)
{
    sim *s = ctx;
    unsigned char *p = out;

    for (size_t i = 0; i < n; i++)
        p[i] = (unsigned char)(sim_random(s) >> 24);
}

static void *retain(void *r)
{
    ((result *)r)->refs++;
    return r;
}

static void release(void *r)
{
    ((result *)r)->refs--;
}

static tt_core_config config(const scenario *sc)
{
    return (tt_core_config){.cache = true,
                            .intent = sc->intent,
                            .defer = sc->defer,
                            .spare_primary = sc->spare_primary,
                            .replica_wait_ms = sc->replica_wait_ms,
                            .mark_timeout_ms = sc->mark_timeout_ms,
                            .lease_ms = sc->lease_ms,
                            .tag_ttl_ms = sc->tag_ttl_ms,
                            .kill_wait_ms = 10,
                            .primary_reads = sc->primary_reads,
                            .term_key = TT_STR("T")};
}

void proc_note(proc *p, tt_notes notes)
{
    for (int i = 0; i < TT_NOTE_COUNT; i++)
        if (notes & TT_NOTE_BIT(i))
            p->s->tally->notes[i]++;
}

/* ---- links to Redis ----------------------------------------------------------------------------
 */

static void open_link(proc *p);

static void link_opened(sim *s, void *what, uint64_t node)
{
    proc *p = what;
    const rnode *r = &s->redis[node];
    rlink *l = &p->link;

    if (p->dead)
        return;
    l->opening = false;
    if (p->redis != (int)node || p->partitioned || !r->up || !r->master) {
        open_link(p);
        return;
    }
    l->open = true;
    l->node = (int)node;
    l->clients = r->clients;
    l->epoch = redis_epoch(s, r);
    l->clock_off_ms = sim_below(s, 5) - 2;
    if (p->grace.opened < 0 && sim_broken(s, MUT_GRACE_FIRST)) {
        tt_grace_opened(&p->grace, (int)node, l->epoch, s->now);
        p->grace.since_ns = s->now - p->grace.grace_ns;
    }
    tt_grace_opened(&p->grace, (int)node, l->epoch, s->now);
}

static void open_link(proc *p)
{
    if (p->link.opening || p->dead || p->redis < 0)
        return;
    p->link.open = false;
    p->link.opening = true;
    sim_in(p->s, sim_delay(p->s, TT_MAX(p->s->sc.delay_ns, 500 * US)), link_opened, p,
           (uint64_t)p->redis);
}

typedef struct batch {
    proc *p;
    op_kind kind;
    batch_fn *done;
    void *what;
    uint64_t n_what;
    rlink link;
    tt_cmd *cmds;
    int n, at, step; /* step: of the mark that is being made */
    int order[TT_BATCH_MAX];
    bool reply_lost, half;
    tt_str token; /* mutant: what the lease's token was */
    tt_answers *answers;
} batch;

static bool is_exempt(const sim *s, op_kind kind)
{
    return sim_broken(s, MUT_GRACE) || (kind == OP_READ && sim_broken(s, MUT_GRACE_READERS)) ||
           (kind == OP_WRITE && sim_broken(s, MUT_GRACE_WRITERS));
}

/* What a process takes for the clock of the node that it is connected to. */
static uint64_t clock_ms(const batch *b)
{
    const sim *s = b->p->s;

    return (uint64_t)(redis_now_ms(s, &s->redis[b->link.node]) + b->link.clock_off_ms);
}

static void answered(sim *s, void *what, uint64_t ok)
{
    batch *b = what;
    proc *p = b->p;

    if (p->dead)
        return;
    b->answers->ok = ok && !p->partitioned;
    b->answers->now_ms = clock_ms(b);
    if (!b->answers->ok) {
        sim_count(s, EV_BATCH_LOST);
        if (p->link.open && p->link.clients == b->link.clients && p->link.node == b->link.node)
            open_link(p);
    } else if (!is_exempt(s, b->kind) &&
               !tt_grace_allows(&p->grace, b->link.node, b->link.epoch, s->now)) {
        sim_count(s, EV_GRACE_WITHHELD);
        b->answers->ok = false;
    }
    if (b->done)
        b->done(p, b->what, b->n_what, b->answers);
}

/* A process that uses one token for all fills takes every lease of its own for granted. */
static void break_lease(batch *b)
{
    tt_reply *r = &b->answers->replies[0];
    char *mine;

    if (!b->token.n || r->kind != TT_REPLY_TEXT || r->text.n < 3 + TT_NONCE_BYTES ||
        memcmp(r->text.p + 3, b->p->lease_token, TT_NONCE_BYTES) != 0)
        return;
    mine = sim_copy(b->p->s, r->text);
    memcpy(mine + 3, b->token.p, TT_NONCE_BYTES);
    r->text.p = mine;
}

/* The next command, or a part of it; is it complete? */
static bool run_command(batch *b)
{
    static const tt_reply readonly = {TT_REPLY_ERROR, {"READONLY", 8}};
    sim *s = b->p->s;
    rnode *r = &s->redis[b->link.node];
    int i = b->order[b->at];
    const tt_cmd *cmd = &b->cmds[i];
    tt_reply *reply = &b->answers->replies[i];

    if (cmd->kind == TT_CMD_MARK) {
        redis_mark(s, r, cmd, b->step, reply);
        b->step = (b->step + 1) % 3;
        return b->step == 0;
    }
    *reply = r->master || cmd->kind == TT_CMD_GET ? redis_run(s, r, cmd, b->link.epoch) : readonly;
    return true;
}

static void run_batch(sim *s, void *what, uint64_t n)
{
    batch *b = what;
    rnode *r = &s->redis[b->link.node];

    (void)n;
    if (!r->up || r->clients != b->link.clients || (b->p->partitioned && !b->p->dead)) {
        sim_in(s, sim_delay(s, 2 * MS), answered, b, false);
        return;
    }
    while (b->at < b->n) {
        bool complete = run_command(b);

        b->at += complete;
        if (b->half && b->at < b->n && sim_chance(s, 500)) {
            sim_count(s, EV_BATCH_HALF_DONE);
            sim_in(s, s->sc.timeout_ns / 4, answered, b, false);
            return;
        }
        if (!complete && sim_chance(s, 100)) {
            sim_count(s, EV_MARK_INTERRUPTED);
            sim_in(s, sim_delay(s, s->sc.delay_ns), run_batch, b, 0);
            return;
        }
        if (complete && s->sc.split && b->at < b->n) {
            sim_in(s, sim_delay(s, s->sc.delay_ns / 4), run_batch, b, 0);
            return;
        }
    }
    break_lookup(s, b->answers, b->n);
    break_lease(b);
    sim_in(s, b->reply_lost ? s->sc.timeout_ns / 4 : sim_delay(s, s->sc.delay_ns), answered, b,
           !b->reply_lost);
}

/* The timeout of a mark becomes its deadline when it is sent. */
static void set_deadline(batch *b, tt_cmd *cmd)
{
    tt_number text;
    uint64_t timeout_ms;

    if (cmd->kind != TT_CMD_MARK)
        return;
    if (!tt_str_u64(cmd->args[1], &timeout_ms))
        abort();
    cmd->args[1] = tt_number_text(&text, (int64_t)(clock_ms(b) + timeout_ms));
    cmd->args[1].p = sim_copy(b->p->s, cmd->args[1]);
}

static void copy_batch(batch *b, const tt_batch *from)
{
    sim *s = b->p->s;

    b->n = from->n;
    b->cmds = sim_new(s, (size_t)from->n * sizeof(*b->cmds));
    for (int i = 0; i < from->n; i++) {
        b->cmds[i] = from->cmds[i];
        b->cmds[i].key = tt_str_n(sim_copy(s, from->cmds[i].key), from->cmds[i].key.n);
        for (int k = 0; k < from->cmds[i].n_args; k++)
            b->cmds[i].args[k] =
                tt_str_n(sim_copy(s, from->cmds[i].args[k]), from->cmds[i].args[k].n);
        set_deadline(b, &b->cmds[i]);
        b->order[i] = i;
    }
    /* On several nodes the commands of a batch come in any order. */
    for (int i = from->n - 1; s->sc.split && i > 0; i--) {
        int k = sim_below(s, i + 1), swap = b->order[i];

        b->order[i] = b->order[k];
        b->order[k] = swap;
    }
    b->answers = sim_new(s, sizeof(*b->answers));
    b->answers->n = from->n;
    b->answers->epoch = b->link.epoch;
}

void proc_batch(proc *p, const tt_batch *from, op_kind kind, batch_fn *done, void *what, uint64_t n)
{
    sim *s = p->s;
    batch *b = sim_new(s, sizeof(*b));
    int channel = sim_below(s, 2);
    int64_t at = s->now + sim_delay(s, s->sc.delay_ns);

    *b = (batch){.p = p, .kind = kind, .done = done, .what = what, .n_what = n, .link = p->link};
    copy_batch(b, from);
    if (sim_broken(s, MUT_LEASE_PER_CLIENT))
        for (int i = 0; i < b->n; i++)
            if (b->cmds[i].kind == TT_CMD_SCRIPT && b->cmds[i].key.p[0] == 'e') {
                b->token = b->cmds[i].args[1];
                b->cmds[i].args[1] = tt_str_n(p->lease_token, TT_NONCE_BYTES);
            }
    if (!p->link.open) {
        b->answers->unsent = true;
        sim_in(s, sim_delay(s, MS), answered, b, false);
        return;
    }
    if (sim_chance(s, s->sc.lost)) {
        int how = sim_below(s, 3);

        if (how == 0) {
            sim_in(s, s->sc.timeout_ns / 4, answered, b, false);
            return;
        }
        b->reply_lost = true;
        b->half = how == 2;
    }
    at = TT_MAX(at, p->link.arrive_ns[channel] + 1);
    p->link.arrive_ns[channel] = at;
    sim_at(s, at, run_batch, b, 0);
}

/* ---- Sentinel ----------------------------------------------------------------------------------
 */

typedef struct poll {
    proc *p;
    int64_t sent_ns;
    int votes[REDIS_MAX];
    bool done;
} poll;

static void vote_in(sim *s, void *what, uint64_t node)
{
    poll *q = what;
    proc *p = q->p;

    if (p->dead || p->unconfirmed || q->done || ++q->votes[node] <= SENTINELS / 2)
        return;
    q->done = true;
    tt_grace_confirmed(&p->grace, (int)node, q->sent_ns, s->now);
    if (p->redis != p->grace.node) {
        p->redis = p->grace.node;
        open_link(p);
    }
}

static void vote(sim *s, void *what, uint64_t sentinel)
{
    sim_in(s, sim_delay(s, s->sc.delay_ns), vote_in, what, (uint64_t)s->sentinel_view[sentinel]);
}

static void ask_sentinels(sim *s, void *what, uint64_t n)
{
    proc *p = what;
    poll *q;

    (void)n;
    if (p->dead)
        return;
    q = sim_new(s, sizeof(*q));
    q->p = p;
    q->sent_ns = s->now;
    for (uint64_t i = 0; i < SENTINELS; i++)
        if (!sim_chance(s, s->sc.lost))
            sim_in(s, sim_delay(s, s->sc.delay_ns), vote, q, i);
    sim_in(s, s->sc.poll_ns, ask_sentinels, p, 0);
}

/* ---- background work ---------------------------------------------------------------------------
 */

static void probe_tick(sim *s, void *what, uint64_t node)
{
    proc *p = what;

    if (p->dead)
        return;
    drive_probe(p, (int)node);
    sim_in(s, s->sc.probe_ns, probe_tick, p, node);
}

static void repair_tick(sim *s, void *what, uint64_t n)
{
    proc *p = what;

    if (p->dead)
        return;
    drive_repair(p);
    if (n % 8 == 7 && s->sc.defer)
        drive_drain(p);
    sim_in(s, MS, repair_tick, p, n + 1);
}

/* ---- life --------------------------------------------------------------------------------------
 */

proc *proc_start(sim *s)
{
    static const char *const names[SERVERS_MAX] = {"db0", "db1", "db2"};
    tt_health_config health = {
        .max_lag_ms = 1000, .stale_after_ms = s->sc.stale_ns / MS, .recover_ms = 5};
    tt_core_config cfg = config(&s->sc);
    proc *p;

    if (s->n_procs == PROCS_MAX)
        return NULL;
    p = calloc(1, sizeof(*p));
    if (!p)
        abort();
    s->procs[s->n_procs] = p;
    p->s = s;
    p->id = s->n_procs++;
    p->rng = (tt_rng){fill, s};
    p->redis = s->sc.sentinel ? -1 : 0;
    tt_core_init(&p->core, &tt_allocator_libc, &p->rng, &cfg, &health, retain, release);
    tt_core_set_rules(&p->core, s->broken.rules);
    tt_grace_init(&p->grace, s->sc.sentinel ? s->sc.grace_ns : 0);
    fill(s, p->lease_token, sizeof(p->lease_token));
    for (int i = 0; i < TT_NONCE_BYTES; i++)
        p->lease_token[i] = (char)('a' + (p->lease_token[i] & 15));
    for (int i = 0; i < s->sc.servers; i++) {
        tt_topology_add(&p->core.topology, names[i], 1);
        sim_in(s, sim_delay(s, s->sc.probe_ns), probe_tick, p, (uint64_t)i);
    }
    if (s->sc.sentinel)
        ask_sentinels(s, p, 0);
    open_link(p);
    sim_in(s, MS, repair_tick, p, 0);
    sim_trace(s, "p%d      starts", p->id);
    return p;
}

void proc_crash(sim *s, proc *p)
{
    p->dead = true;
    for (int i = 0; i < p->n_pool; i++)
        p->pool[i]->alive = false;
    for (int i = 0; i < s->n_redis; i++)
        if (s->redis[i].master)
            redis_note_lost_marks(s, i);
    sim_count(s, EV_PROCESS_CRASHED);
    sim_trace(s, "p%d      crashes", p->id);
}

void proc_free(proc *p)
{
    while (p->ops) {
        op *o = p->ops;

        p->ops = o->next;
        drive_free(o);
    }
    tt_core_free(&p->core);
    free(p);
}
