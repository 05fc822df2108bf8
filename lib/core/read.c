#include "core/read.h"

#include <twotier/error.h>

#include "core/barrier.h"
#include "core/tag.h"

enum { RESTARTS_MAX = 6, REMOTE_WAITS_MAX = 64 };

static bool rule(const tt_read_op *op, tt_rule r)
{
    return tt_core_rule(op->core, r);
}

static void note(tt_read_op *op, tt_note n)
{
    op->notes |= TT_NOTE_BIT(n);
}

void tt_read_init(tt_read_op *op, tt_core *core, const tt_read_request *rq, void *owner)
{
    TT_ASSERT(!rq->cached || (rq->n_tags >= 1 && rq->n_tags <= TT_TAGS_MAX));
    memset(op, 0, offsetof(tt_read_op, view));
    memset(&op->view, 0, offsetof(tt_tag_view, stamp));
    op->core = core;
    op->rq = rq;
    op->node = -1;
    op->need = op->as_of = op->entry = op->position = op->settle = tt_buf_init(core->a);
    tt_waiter_init(&op->waiter, owner);
}

static void drop_flight(tt_read_op *op)
{
    tt_core *c = op->core;

    if (op->flight && op->leader && !op->flight->done)
        tt_flight_finish(&c->flights, op->flight, false, NULL, TT_STR(""), &c->woken);
    tt_flight_leave(&c->flights, op->flight);
    op->flight = NULL;
    op->leader = false;
}

static void drop_place(tt_read_op *op)
{
    if (op->shed)
        tt_shed_leave(&op->core->shed, &op->core->woken);
    op->shed = false;
}

static void drop_proof(tt_read_op *op)
{
    tt_proof_free(op->proof);
    op->proof = NULL;
}

void tt_read_finish(tt_read_op *op)
{
    if (op->phase == TT_READ_PROOF_QUEUE)
        tt_proofs_abandon(&op->core->proofs, &op->waiter, &op->core->woken);
    if (op->phase == TT_READ_SHED && !tt_shed_abandon(&op->core->shed, &op->waiter))
        op->shed = true;
    drop_place(op);
    tt_list_remove(&op->waiter.link);
    drop_flight(op);
    drop_proof(op);
    tt_buf_free(&op->need);
    tt_buf_free(&op->as_of);
    tt_buf_free(&op->entry);
    tt_buf_free(&op->position);
    tt_buf_free(&op->settle);
}

bool tt_read_is_alone(const tt_read_op *op)
{
    return !op->flight && !op->proof && !op->shed && tt_list_empty(&op->waiter.link);
}

/* ---- ends --------------------------------------------------------------------------------------
 */

static void cache_act(tt_read_op *op, tt_act *act, tt_read_phase phase, int n_cmds)
{
    act->what = phase == TT_READ_POST ? TT_DO_POST : TT_DO_CACHE;
    act->batch = (tt_batch){op->cmds, n_cmds};
    op->phase = phase;
}

/* The outcome is set; leave nobody waiting for a load that will not come. */
static void end(tt_read_op *op, int code, tt_act *act)
{
    op->code = code;
    if (op->flight)
        drop_flight(op);
    if (op->leased) {
        tt_str args[] = {TT_STR("release"), tt_nonce_str(&op->token)};

        op->leased = false;
        op->cmds[0] = tt_cmd_script(op->rq->entry_key, args, TT_COUNT(args));
        cache_act(op, act, TT_READ_POST, 1);
        return;
    }
    op->phase = TT_READ_END;
    act->what = TT_DO_DONE;
}

static void source(tt_read_op *op, int64_t now_ns, tt_act *act);
static void lookup(tt_read_op *op, tt_act *act);

/* Again from the first look at the tags. */
static void restart(tt_read_op *op, int64_t now_ns, tt_act *act)
{
    if (now_ns >= op->rq->deadline_ns) {
        end(op, TT_E_TIMEOUT, act);
        return;
    }
    drop_proof(op);
    drop_place(op);
    op->waited = op->no_store = false;
    tt_buf_clear(&op->need);
    if (op->rq->cached) {
        lookup(op, act);
    } else {
        tt_buf_put_str(&op->need, op->rq->seen);
        source(op, now_ns, act);
    }
}

/* Find the primary, then begin again; a read does this a bounded number of times. */
static void discover(tt_read_op *op, int code, tt_act *act)
{
    if (op->restarts++ >= RESTARTS_MAX) {
        end(op, code, act);
        return;
    }
    note(op, TT_NOTE_DISCOVERED);
    op->tried = 0;
    op->phase = TT_READ_DISCOVER;
    act->what = TT_DO_DISCOVER;
}

/* ---- the tags ----------------------------------------------------------------------------------
 */

static void view_init(tt_tag_view *v, int n_tags)
{
    memset(v, 0, offsetof(tt_tag_view, stamp));
    v->readable = v->complete = true;
    tt_stamp_init(&v->stamp, n_tags + 1);
}

/* Not there, or another node's: to be created anew. */
static bool is_usable(tt_read_op *op, tt_tag_kind kind, const tt_tag *tag, tt_epoch epoch)
{
    if (kind == TT_TAG_NEWER)
        op->view.readable = false;
    return kind == TT_TAG_VALID && (tt_tag_of_epoch(tag, epoch) || !rule(op, TT_RULE_EPOCH));
}

static void see_term(tt_read_op *op, tt_tag_kind kind, const tt_tag *tag, tt_epoch epoch)
{
    tt_tag_view *v = &op->view;

    v->bad_term = !is_usable(op, kind, tag, epoch);
    if (v->bad_term)
        return;
    tt_stamp_set(&v->stamp, 0,
                 rule(op, TT_RULE_TERM_IN_ENTRY) ? tag->version : TT_STR("0000000000000000"));
    v->term = *(const tt_nonce *)(const void *)tag->version.p;
    v->named = tag->barrier.n <= TT_SOURCE_MAX && !tt_str_eq(tag->barrier, TT_STR("?")) &&
               !tt_str_eq(tag->barrier, TT_STR("P"));
    if (v->named)
        memcpy(v->name, tag->barrier.p, tag->barrier.n);
    v->name[v->named ? tag->barrier.n : 0] = '\0';
}

static void see_tag(tt_read_op *op, int i, tt_tag_kind kind, const tt_tag *tag, tt_epoch epoch)
{
    tt_tag_view *v = &op->view;
    uint64_t bit = UINT64_C(1) << i;

    v->bad &= ~bit;
    if (!is_usable(op, kind, tag, epoch)) {
        v->bad |= bit;
        return;
    }
    tt_stamp_set(&v->stamp, i + 1, tag->version);
    if (tag->marks.n) {
        v->marked = true;
        v->bad |= bit;
    }
}

/* Of a usable tag; only who misses needs it. */
static void see_barrier(tt_read_op *op, int i, const tt_tag *tag)
{
    if (tt_barrier_parse(tag->barrier).p)
        op->view.p_tags |= UINT64_C(1) << i;
    else
        tt_barrier_raise(&op->need, tag->barrier);
}

/* Marks past their deadline: their writers are dead or stuck; queue what settles them. */
static void queue_reaps(tt_read_op *op, int i, const tt_tag *tag, uint64_t now_ms)
{
    tt_str rest = tag->marks;
    tt_mark mark;

    while (tt_mark_next(&rest, &mark))
        if (mark.deadline_ms < now_ms)
            tt_core_reap(op->core, op->rq->tag_keys[i], &mark);
}

static void lookup(tt_read_op *op, tt_act *act)
{
    const tt_read_request *rq = op->rq;

    op->cmds[0] = tt_cmd_get(rq->entry_key);
    op->cmds[1] = tt_cmd_get(op->core->cfg.term_key);
    for (int i = 0; i < rq->n_tags; i++)
        op->cmds[i + 2] = tt_cmd_get(rq->tag_keys[i]);
    cache_act(op, act, TT_READ_LOOKUP, rq->n_tags + 2);
}

static tt_tag_kind parse(const tt_reply *r, tt_tag *tag, tt_tag_view *v)
{
    if (r->kind == TT_REPLY_ERROR || r->kind == TT_REPLY_NONE)
        v->readable = false;
    return r->kind == TT_REPLY_TEXT ? tt_tag_parse(r->text, tag) : TT_TAG_ABSENT;
}

/* Is it an entry, and of this very read? */
static bool is_of_read(tt_read_op *op, tt_str found)
{
    return !op->rq->distrust && tt_entry_parse(found, &op->hit) &&
           tt_str_eq(op->hit.key, op->rq->key_bytes);
}

/* Does the entry found serve this read? */
static bool is_hit(tt_read_op *op, const tt_reply *found)
{
    const tt_tag_view *v = &op->view;
    bool valid = v->readable && !v->bad && !v->bad_term && !v->marked &&
                 (v->named || !rule(op, TT_RULE_NAMELESS_BYPASS));

    if (!valid && op->rq->mode != TT_READ_EVENTUAL)
        return false;
    if (found->kind != TT_REPLY_TEXT || !is_of_read(op, found->text))
        return false;
    if (valid && tt_str_eq(op->hit.stamp, tt_stamp_str(&v->stamp)) &&
        (tt_barrier_met(op->hit.as_of, op->rq->owed) || !rule(op, TT_RULE_AS_OF_HIT)))
        return true;
    op->is_stale = op->rq->mode == TT_READ_EVENTUAL;
    return op->is_stale;
}

static void take_hit(tt_read_op *op, tt_act *act)
{
    note(op, TT_NOTE_HIT);
    if (op->is_stale)
        note(op, TT_NOTE_STALE);
    op->is_hit = true;
    op->created_ms = op->hit.created_ms;
    op->why = op->is_stale ? "an entry that may be superseded, by the caller's leave"
                           : "valid entry in the cache";
    end(op, TT_OK, act);
}

static void after_lookup(tt_read_op *op, const tt_answers *answers, tt_act *act)
{
    tt_tag_view *v = &op->view;
    tt_tag tag;

    view_init(v, op->rq->n_tags);
    v->readable = answers->ok;
    if (v->readable) {
        tt_tag_kind kind = parse(&answers->replies[1], &tag, v);

        see_term(op, kind, &tag, answers->epoch);
        for (int i = 0; i < op->rq->n_tags; i++) {
            kind = parse(&answers->replies[i + 2], &tag, v);
            see_tag(op, i, kind, &tag, answers->epoch);
        }
        if (is_hit(op, &answers->replies[0])) {
            take_hit(op, act);
            return;
        }
        for (int i = 0; i < op->rq->n_tags; i++) {
            kind = parse(&answers->replies[i + 2], &tag, v);
            if (is_usable(op, kind, &tag, answers->epoch))
                see_barrier(op, i, &tag);
        }
    }
    op->phase = TT_READ_MISSED;
    act->what = TT_DO_SHARED;
}

/* Create what is absent or foreign, and look at the clock where a write is pending. */
static void open_tags(tt_read_op *op, tt_act *act)
{
    static const char p[] = "P", nameless[] = "?";
    const tt_read_request *rq = op->rq;
    tt_str ttl = tt_number_text(&op->numbers[0], op->core->cfg.tag_ttl_ms);
    int n = 0;

    op->version = tt_nonce_new(op->core->rng);
    if (op->view.bad_term) {
        tt_str args[] = {TT_STR("open"), tt_nonce_str(&op->version), tt_str_c(nameless), TT_STR("0")};

        op->cmds[n++] = tt_cmd_script(op->core->cfg.term_key, args, TT_COUNT(args));
    }
    for (int i = 0; i < rq->n_tags; i++) {
        tt_str args[] = {TT_STR("open"), tt_nonce_str(&op->version), tt_str_c(p), ttl};

        if (op->view.bad >> i & 1)
            op->cmds[n++] = tt_cmd_script(rq->tag_keys[i], args, TT_COUNT(args));
    }
    cache_act(op, act, TT_READ_OPEN, n);
}

static void settle_view(tt_read_op *op, int64_t now_ns, tt_act *act);

static void after_open(tt_read_op *op, const tt_answers *answers, int64_t now_ns, tt_act *act)
{
    tt_tag_view *v = &op->view;
    uint64_t opened = v->bad, now_ms;
    int at = 0;
    tt_tag tag;

    v->readable = answers->ok;
    v->marked = false;
    if (answers->ok && v->bad_term) {
        const tt_reply *r = &answers->replies[at++];
        tt_tag_kind kind =
            r->kind == TT_REPLY_TEXT ? tt_tag_parse_reply(r->text, &tag, &now_ms) : TT_TAG_ABSENT;

        see_term(op, kind, &tag, answers->epoch);
    }
    for (int i = 0; answers->ok && i < op->rq->n_tags; i++) {
        const tt_reply *r = &answers->replies[at];
        tt_tag_kind kind;

        if (!(opened >> i & 1))
            continue;
        at++;
        kind =
            r->kind == TT_REPLY_TEXT ? tt_tag_parse_reply(r->text, &tag, &now_ms) : TT_TAG_ABSENT;
        see_tag(op, i, kind, &tag, answers->epoch);
        if (is_usable(op, kind, &tag, answers->epoch))
            see_barrier(op, i, &tag);
        if (kind == TT_TAG_VALID && tag.marks.n) {
            v->bad &= ~(UINT64_C(1) << i);
            queue_reaps(op, i, &tag, now_ms);
        }
    }
    if (v->bad || v->bad_term)
        v->readable = false;
    settle_view(op, now_ns, act);
}

/* ---- what the tags ask for ---------------------------------------------------------------------
 */

static bool needs_p(const tt_read_op *op)
{
    const tt_tag_view *v = &op->view;
    uint64_t all = op->rq->n_tags == 64 ? UINT64_MAX : (UINT64_C(1) << op->rq->n_tags) - 1;
    tt_barrier need = tt_barrier_parse(tt_buf_str(&op->need));

    if (!v->readable)
        return rule(op, TT_RULE_UNREADABLE_IS_P);
    if (v->marked && rule(op, TT_RULE_MARKED_IS_P))
        return true;
    if (v->p_tags && (rule(op, TT_RULE_ANY_P) || v->p_tags == all))
        return true;
    if (!v->named && rule(op, TT_RULE_NAMELESS_BYPASS))
        return true;
    return op->need.failed || need.p ||
           (need.term.n && !tt_str_eq(need.term, tt_nonce_str(&v->term)));
}

static void add_session(tt_read_op *op)
{
    tt_barrier seen = tt_barrier_parse(op->rq->seen);

    if (seen.term.n && !rule(op, TT_RULE_TERM_IN_TOKEN)) {
        tt_buf as_if = tt_buf_init(op->core->a);

        tt_barrier_write(op->core->topology.term, seen.points, &as_if);
        tt_barrier_raise(&op->need, tt_buf_str(&as_if));
        tt_buf_free(&as_if);
        return;
    }
    tt_barrier_raise(&op->need, op->rq->seen);
}

static void enter_flight(tt_read_op *op, int64_t now_ns, tt_act *act);

static void settle_view(tt_read_op *op, int64_t now_ns, tt_act *act)
{
    tt_core *c = op->core;
    tt_tag_view *v = &op->view;

    if (!v->readable)
        note(op, TT_NOTE_UNREADABLE);
    if (v->marked)
        note(op, TT_NOTE_READ_MARKED);
    if (v->readable && !v->named && rule(op, TT_RULE_NAMELESS_BYPASS) && op->restarts < 2) {
        discover(op, TT_E_UNAVAILABLE, act);
        return;
    }
    if (v->readable && v->named && !tt_topology_adopt(&c->topology, v->term, tt_str_c(v->name)) &&
        op->restarts < 2) {
        discover(op, TT_E_UNAVAILABLE, act);
        return;
    }
    add_session(op);
    op->no_store = (!v->readable || v->marked) && rule(op, TT_RULE_MARKED_NO_STORE);
    if (!v->readable || (!v->named && rule(op, TT_RULE_NAMELESS_BYPASS)))
        op->no_store = true;
    if (op->rq->mode == TT_READ_EVENTUAL)
        op->no_store = true; /* what it reads may be stale: nobody else shall share it */
    if (needs_p(op)) {
        note(op, TT_NOTE_READ_P);
        tt_buf_clear(&op->need);
        tt_buf_put_char(&op->need, 'P');
    }
    if (op->no_store) {
        drop_flight(op);
        source(op, now_ns, act);
    } else {
        enter_flight(op, now_ns, act);
    }
}

/* ---- who loads ---------------------------------------------------------------------------------
 */

static void park(tt_read_op *op, tt_read_phase phase, int64_t until_ns, tt_act *act)
{
    op->phase = phase;
    act->what = TT_DO_PARK;
    act->until_ns = TT_MIN(until_ns, op->rq->deadline_ns);
}

static void take_lease(tt_read_op *op, tt_act *act)
{
    tt_str args[4];

    if (!op->leased)
        op->token = tt_nonce_new(op->core->rng);
    args[0] = TT_STR("lease");
    args[1] = tt_nonce_str(&op->token);
    args[2] = op->seize ? TT_STR("") : tt_stamp_str(&op->view.stamp);
    args[3] = tt_number_text(&op->numbers[0], op->core->cfg.lease_ms);
    op->cmds[0] = tt_cmd_script(op->rq->entry_key, args, TT_COUNT(args));
    cache_act(op, act, TT_READ_LEASE, 1);
}

static void enter_flight(tt_read_op *op, int64_t now_ns, tt_act *act)
{
    tt_core *c = op->core;

    (void)now_ns;
    if (op->flight && !tt_str_eq(tt_stamp_str(&op->flight->stamp), tt_stamp_str(&op->view.stamp)))
        drop_flight(op);
    if (!op->flight)
        op->flight = tt_flight_enter(&c->flights, op->rq->key_hash, &op->view.stamp, &op->leader);
    if (op->flight && !op->leader) {
        tt_flight_wait(op->flight, &op->waiter);
        park(op, TT_READ_JOINED, INT64_MAX, act);
        return;
    }
    take_lease(op, act);
}

static void after_join(tt_read_op *op, int64_t now_ns, tt_act *act)
{
    tt_flight *f = op->flight;

    if (!f->done) {
        tt_list_remove(&op->waiter.link);
        end(op, TT_E_TIMEOUT, act);
        return;
    }
    if (!f->ok) {
        drop_flight(op);
        if (op->restarts++ >= RESTARTS_MAX)
            source(op, now_ns, act);
        else
            restart(op, now_ns, act);
        return;
    }
    if (rule(op, TT_RULE_AS_OF_JOIN) && !tt_barrier_met(tt_buf_str(&f->as_of), op->rq->owed)) {
        drop_flight(op);
        op->no_store = true;
        source(op, now_ns, act);
        return;
    }
    note(op, TT_NOTE_JOINED);
    op->is_joined = true;
    op->result = op->core->flights.retain(f->result);
    op->created_ms = f->created_ms;
    op->from_primary = f->from_primary;
    op->node = f->source_node;
    op->why = "shared a load under way";
    end(op, TT_OK, act);
}

static void after_lease(tt_read_op *op, const tt_answers *answers, int64_t now_ns, tt_act *act)
{
    const tt_reply *r = &answers->replies[0];
    tt_str text = r->text;

    if (!answers->ok || r->kind != TT_REPLY_TEXT) {
        source(op, now_ns, act);
        return;
    }
    if (is_hit(op, r)) {
        take_hit(op, act);
        return;
    }
    if (!op->seize && tt_str_has_prefix(text, TT_STR("E1 ")) && !is_of_read(op, text)) {
        op->seize = true;
        take_lease(op, act);
        return;
    }
    if (text.n < 3 + TT_NONCE_BYTES || memcmp(text.p + 3, op->token.c, TT_NONCE_BYTES) != 0) {
        /* Another process is loading these versions: look again soon, with growing patience. */
        int64_t pause_ms = TT_MIN(1 << TT_MIN(op->remote_waits, 5), 32);

        if (tt_str_has_prefix(text, TT_STR("L1 ")) && op->remote_waits++ < REMOTE_WAITS_MAX) {
            note(op, TT_NOTE_REMOTE);
            park(op, TT_READ_REMOTE, now_ns + pause_ms * TT_NS_PER_MS, act);
            return;
        }
        source(op, now_ns, act);
        return;
    }
    op->leased = true;
    source(op, now_ns, act);
}

/* ---- where to read -----------------------------------------------------------------------------
 */

static void read_from(tt_read_op *op, int node, bool wait, tt_act *act)
{
    tt_topology *t = &op->core->topology;
    tt_barrier need = tt_barrier_parse(tt_buf_str(&op->need));

    op->node = node;
    op->from_primary = node == t->primary;
    op->phase = TT_READ_SOURCE;
    act->what = TT_DO_READ;
    act->node = node;
    act->points = wait ? need.points : TT_STR("");
    act->wait_ms = wait ? (int)op->core->cfg.replica_wait_ms : 0;
    tt_node_begin(&t->nodes[node]);
    /* A lower bound of what the rows will show, taken before they are read. */
    tt_buf_clear(&op->as_of);
    if (op->from_primary) {
        bool ordered = op->proof &&
                       (op->proof->family == TT_FAMILY_MYSQL || !rule(op, TT_RULE_AS_OF_UNORDERED));

        /* MariaDB's binary log is ahead of what its storage engine shows. */
        if (ordered && op->proof->points.n)
            tt_barrier_write(t->term, tt_buf_str(&op->proof->points), &op->as_of);
    } else {
        if (t->nodes[node].points.n)
            tt_barrier_write(t->term, tt_buf_str(&t->nodes[node].points), &op->as_of);
        if (!need.p && need.term.n)
            tt_barrier_raise(&op->as_of, tt_buf_str(&op->need));
    }
    if (op->as_of.failed)
        tt_buf_clear(&op->as_of);
}

/* Read from the primary: with replicas configured the primary is not to be stampeded. */
static void read_from_primary(tt_read_op *op, tt_act *act)
{
    tt_core *c = op->core;

    if (op->shed || c->topology.n == 1 || op->rq->mode == TT_READ_STRONG) {
        read_from(op, c->topology.primary, false, act);
        return;
    }
    switch (tt_shed_enter(&c->shed, &op->waiter)) {
    case TT_SHED_GO:
        op->shed = true;
        read_from(op, c->topology.primary, false, act);
        return;
    case TT_SHED_WAIT:
        park(op, TT_READ_SHED, INT64_MAX, act);
        return;
    case TT_SHED_FULL:
        end(op, TT_E_BUSY, act);
        return;
    }
}

static void after_shed(tt_read_op *op, int64_t now_ns, tt_act *act)
{
    if (tt_shed_abandon(&op->core->shed, &op->waiter)) {
        end(op, TT_E_TIMEOUT, act);
        return;
    }
    op->waiter.lead = false;
    op->shed = true;
    if (op->core->topology.primary < 0)
        restart(op, now_ns, act);
    else
        read_from(op, op->core->topology.primary, false, act);
}

static void ask_proof(tt_read_op *op, tt_act *act)
{
    tt_core *c = op->core;

    if (c->topology.primary < 0 || op->tried >> c->topology.primary & 1) {
        discover(op, TT_E_UNAVAILABLE, act);
        return;
    }
    if (!rule(op, TT_RULE_RESOLVE_AFTER_STEP2) && c->proofs.last && c->proofs.last->ok) {
        op->proof = c->proofs.last;
        op->proof->refs++;
        read_from(op, c->topology.primary, false, act);
        return;
    }
    if (tt_proofs_ask(&c->proofs, &op->waiter)) {
        op->phase = TT_READ_PROOF;
        op->node = act->node = c->topology.primary;
        act->what = TT_DO_PROVE;
    } else {
        park(op, TT_READ_PROOF_QUEUE, INT64_MAX, act);
    }
}

static void source_with_proof(tt_read_op *op, int64_t now_ns, tt_act *act)
{
    tt_core *c = op->core;
    tt_choice choice = {-1, false};
    tt_barrier need = tt_barrier_parse(tt_buf_str(&op->need));

    if (op->rq->mode != TT_READ_STRONG && op->view.named && op->proof->highest.n) {
        tt_buf enough = tt_buf_init(c->a);

        if (!need.p)
            tt_buf_put_str(&enough, tt_buf_str(&op->need));
        else
            tt_barrier_write(c->topology.term, tt_buf_str(&op->proof->highest), &enough);
        if (!enough.failed && (!need.p || c->cfg.spare_primary))
            choice = tt_topology_choose(&c->topology, tt_buf_str(&enough), op->tried, false,
                                        op->proof->applied, &c->random, now_ns);
        tt_buf_free(&enough);
    }
    op->why = choice.node >= 0 ? "a replica that has the proven primary's position"
                               : "the proven primary";
    if (choice.node >= 0)
        read_from(op, choice.node, false, act);
    else
        read_from_primary(op, act);
}

static void read_any(tt_read_op *op, int64_t now_ns, tt_act *act)
{
    tt_core *c = op->core;
    int node = tt_topology_choose_any(&c->topology, op->tried, &c->random, now_ns);

    if (node < 0)
        node = c->topology.primary;
    if (node < 0 || op->tried >> node & 1) {
        discover(op, TT_E_UNAVAILABLE, act);
        return;
    }
    op->no_store = true;
    op->is_stale = node != c->topology.primary;
    op->why = "any node, by the caller's leave";
    read_from(op, node, false, act);
}

static void source(tt_read_op *op, int64_t now_ns, tt_act *act)
{
    tt_core *c = op->core;
    tt_barrier need = tt_barrier_parse(tt_buf_str(&op->need));
    bool p = need.p || op->rq->mode == TT_READ_STRONG;
    tt_choice choice = {-1, false};

    if (op->rq->mode == TT_READ_EVENTUAL) {
        read_any(op, now_ns, act);
        return;
    }
    if (p && !rule(op, TT_RULE_PROVEN_PRIMARY) && c->topology.primary >= 0) {
        read_from(op, c->topology.primary, false, act);
        return;
    }
    if (!p && !rule(op, TT_RULE_BARRIER)) {
        choice = tt_topology_choose(&c->topology, TT_STR(""), op->tried, false, NULL, &c->random,
                                    now_ns);
    } else if (!p) {
        choice = tt_topology_choose(&c->topology, tt_buf_str(&op->need), op->tried, !op->waited,
                                    NULL, &c->random, now_ns);
    }
    if (choice.node >= 0) {
        if (choice.wait)
            note(op, TT_NOTE_BARRIER_WAIT);
        op->why = choice.wait ? "waited for a replica to apply the barrier"
                              : "a replica that has applied the barrier";
        read_from(op, choice.node, choice.wait, act);
        return;
    }
    if (op->proof) {
        source_with_proof(op, now_ns, act);
        return;
    }
    if (p || ((op->rq->cached || need.term.n) && rule(op, TT_RULE_PROVEN_FALLBACK))) {
        ask_proof(op, act);
        return;
    }
    if (c->topology.primary < 0 || op->tried >> c->topology.primary & 1) {
        discover(op, TT_E_UNAVAILABLE, act);
        return;
    }
    op->why = "no replica could serve it";
    read_from_primary(op, act);
}

/* ---- proof -------------------------------------------------------------------------------------
 */

static void check_proof(tt_read_op *op, tt_proof *proof, int64_t now_ns, tt_act *act)
{
    op->proof = proof;
    if (!proof) {
        end(op, TT_E_NOMEM, act);
        return;
    }
    if (now_ns >= op->rq->deadline_ns) {
        end(op, TT_E_TIMEOUT, act);
        return;
    }
    if (!proof->ok || proof->read_only ||
        (op->view.named && op->rq->cached && strcmp(proof->identity, op->view.name) != 0)) {
        discover(op, TT_E_UNAVAILABLE, act);
        return;
    }
    note(op, TT_NOTE_PROVEN);
    /* The belief may have moved on while the query was under way. */
    if (op->core->topology.primary < 0 ||
        strcmp(op->core->topology.nodes[op->core->topology.primary].identity, proof->identity) !=
            0) {
        restart(op, now_ns, act);
        return;
    }
    if (tt_barrier_parse(op->rq->seen).p ||
        (op->rq->seen.n &&
         !tt_str_eq(tt_barrier_parse(op->rq->seen).term, tt_nonce_str(&op->core->topology.term))))
        tt_barrier_write(op->core->topology.term, tt_buf_str(&proof->highest), &op->settle);
    source_with_proof(op, now_ns, act);
}

static void after_proof(tt_read_op *op, const tt_event *ev, int64_t now_ns, tt_act *act)
{
    tt_core *c = op->core;
    bool ok = ev->db == TT_DB_OK;
    tt_proof *proof = tt_proofs_finish(&c->proofs, ok ? ev->sample : NULL, &c->woken);

    if (ev->db == TT_DB_LOCAL) { /* the pool is busy, say: of the node that says nothing */
        op->proof = proof;
        end(op, ev->code, act);
        return;
    }
    if (!ok)
        tt_topology_failed(&c->topology, op->node, now_ns);
    else if (tt_topology_sampled(&c->topology, op->node, ev->sample, now_ns) != 0 && proof)
        proof->ok = false;
    check_proof(op, proof, now_ns, act);
}

static void after_proof_queue(tt_read_op *op, int64_t now_ns, tt_act *act)
{
    tt_core *c = op->core;

    if (op->waiter.lead) {
        op->waiter.lead = false;
        op->phase = TT_READ_PROOF;
        op->node = act->node = c->topology.primary;
        act->what = TT_DO_PROVE;
        if (c->topology.primary < 0)
            check_proof(op, tt_proofs_finish(&c->proofs, NULL, &c->woken), now_ns, act);
        return;
    }
    if (!tt_list_empty(&op->waiter.link)) {
        tt_proofs_abandon(&c->proofs, &op->waiter, &c->woken);
        end(op, TT_E_TIMEOUT, act);
        return;
    }
    check_proof(op, tt_proofs_take(&c->proofs, &op->waiter), now_ns, act);
}

/* ---- the rows ----------------------------------------------------------------------------------
 */

/* Store the entry if the lease is ours, and replace P by the proven position. */
static int store_cmds(tt_read_op *op, const tt_event *ev)
{
    const tt_read_request *rq = op->rq;
    tt_core *c = op->core;
    int n = 0;

    if (op->leased && ev->payload.n <= rq->entry_max_bytes) {
        tt_entry e = {.stamp = tt_stamp_str(&op->view.stamp),
                      .key = rq->key_bytes,
                      .as_of = tt_buf_str(&op->as_of),
                      .payload = ev->payload,
                      .created_ms = ev->created_ms,
                      .soft_ms = ev->created_ms + rq->ttl_ms,
                      .hard_ms = ev->created_ms + rq->ttl_ms,
                      .load_us = (uint64_t)ev->took_ns / 1000};
        tt_str args[] = {TT_STR("store"), tt_nonce_str(&op->token), TT_STR(""),
                         tt_number_text(&op->numbers[0], rq->ttl_ms)};

        tt_entry_write(&e, &op->entry);
        args[2] = tt_buf_str(&op->entry);
        if (!op->entry.failed) {
            op->cmds[n++] = tt_cmd_script(rq->entry_key, args, TT_COUNT(args));
            note(op, TT_NOTE_FILL);
            if (!op->from_primary)
                note(op, TT_NOTE_FILL_REPLICA);
            op->leased = false;
        }
    }
    if (!op->view.p_tags || !op->proof || !op->proof->highest.n)
        return n;
    tt_barrier_write(c->topology.term, tt_buf_str(&op->proof->highest), &op->position);
    for (int i = 0; i < rq->n_tags && !op->position.failed; i++) {
        tt_str args[] = {TT_STR("resolve"), tt_stamp_version(&op->view.stamp, i + 1),
                         tt_buf_str(&op->position),
                         tt_number_text(&op->numbers[1], c->cfg.tag_ttl_ms)};

        if (!(op->view.p_tags >> i & 1))
            continue;
        note(op, TT_NOTE_UPGRADE);
        op->cmds[n++] = tt_cmd_script(rq->tag_keys[i], args, TT_COUNT(args));
    }
    return n;
}

/* Is the term of the tags still the one that is believed? */
static bool may_vouch(const tt_read_op *op)
{
    if (!op->view.named && !rule(op, TT_RULE_NAMELESS_BYPASS))
        return true;
    return tt_topology_agrees(&op->core->topology, tt_nonce_str(&op->view.term),
                              tt_str_c(op->view.name));
}

static void take_rows(tt_read_op *op, const tt_event *ev, tt_act *act)
{
    tt_core *c = op->core;
    bool storable = op->rq->cached && !op->no_store && op->rq->mode == TT_READ_COHERENT;
    int n = 0;

    note(op, op->from_primary ? TT_NOTE_PRIMARY_READ : TT_NOTE_REPLICA_READ);
    op->result = ev->result;
    op->created_ms = ev->created_ms;
    if (op->flight && op->leader) {
        op->flight->created_ms = ev->created_ms;
        op->flight->from_primary = op->from_primary;
        op->flight->source_node = op->node;
        tt_flight_finish(&c->flights, op->flight, true, ev->result, tt_buf_str(&op->as_of),
                         &c->woken);
    }
    /* The term may have changed hands while the rows were read: then the stamp is of the old one,
     * and a position written under the new one would lie. */
    if (storable && may_vouch(op))
        n = store_cmds(op, ev);
    if (n > 0) {
        op->code = TT_OK;
        cache_act(op, act, TT_READ_POST, n);
        return;
    }
    end(op, TT_OK, act);
}

static void after_read(tt_read_op *op, const tt_event *ev, int64_t now_ns, tt_act *act)
{
    tt_topology *t = &op->core->topology;

    tt_node_end(&t->nodes[op->node], ev->db == TT_DB_OK && ev->reached ? ev->took_ns : 0);
    drop_place(op);
    op->db = ev->db;
    switch (ev->db) {
    case TT_DB_OK:
        if (ev->reached) {
            take_rows(op, ev, act);
            return;
        }
        note(op, TT_NOTE_BARRIER_TIMEOUT);
        op->waited = true;
        source(op, now_ns, act);
        return;
    case TT_DB_REFUSED:
    case TT_DB_LOCAL:
        end(op, ev->code, act);
        return;
    case TT_DB_UNSENT:
    case TT_DB_LOST:
        tt_topology_failed(t, op->node, now_ns);
        break;
    case TT_DB_DEMOTED:
        break;
    }
    if (now_ns >= op->rq->deadline_ns || op->restarts++ >= RESTARTS_MAX) {
        end(op, now_ns >= op->rq->deadline_ns ? TT_E_TIMEOUT : ev->code, act);
        return;
    }
    note(op, TT_NOTE_RETRIED);
    op->tried |= UINT64_C(1) << op->node;
    drop_proof(op);
    source(op, now_ns, act);
}

/* ---- the machine -------------------------------------------------------------------------------
 */

static void begin(tt_read_op *op, tt_act *act)
{
    if (op->rq->cached) {
        lookup(op, act);
        return;
    }
    op->phase = TT_READ_MISSED;
    act->what = TT_DO_SHARED;
}

static void missed(tt_read_op *op, int64_t now_ns, tt_act *act)
{
    if (!op->rq->cached) {
        add_session(op);
        if (tt_barrier_parse(tt_buf_str(&op->need)).term.n &&
            !tt_str_eq(tt_barrier_parse(tt_buf_str(&op->need)).term,
                       tt_nonce_str(&op->core->topology.term))) {
            tt_buf_clear(&op->need);
            tt_buf_put_char(&op->need, 'P');
        }
        source(op, now_ns, act);
        return;
    }
    note(op, TT_NOTE_MISS);
    if (op->view.readable && (op->view.bad || op->view.bad_term))
        open_tags(op, act);
    else
        settle_view(op, now_ns, act);
}

void tt_read_step(tt_read_op *op, const tt_event *ev, int64_t now_ns, tt_act *act)
{
    memset(act, 0, sizeof(*act));
    switch (op->phase) {
    case TT_READ_BEGIN:
        begin(op, act);
        break;
    case TT_READ_LOOKUP:
        after_lookup(op, ev->cache, act);
        break;
    case TT_READ_MISSED:
        missed(op, now_ns, act);
        break;
    case TT_READ_OPEN:
        after_open(op, ev->cache, now_ns, act);
        break;
    case TT_READ_LEASE:
        after_lease(op, ev->cache, now_ns, act);
        break;
    case TT_READ_JOINED:
        after_join(op, now_ns, act);
        break;
    case TT_READ_REMOTE:
        restart(op, now_ns, act);
        break;
    case TT_READ_DISCOVER:
        if (ev->ok)
            restart(op, now_ns, act);
        else
            end(op, TT_E_UNAVAILABLE, act);
        break;
    case TT_READ_PROOF_QUEUE:
        after_proof_queue(op, now_ns, act);
        break;
    case TT_READ_PROOF:
        after_proof(op, ev, now_ns, act);
        break;
    case TT_READ_SHED:
        after_shed(op, now_ns, act);
        break;
    case TT_READ_SOURCE:
        after_read(op, ev, now_ns, act);
        break;
    case TT_READ_POST:
    case TT_READ_END:
        end(op, op->code, act);
        break;
    }
}
