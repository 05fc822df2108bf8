#include "core/read_steps.h"

#include <twotier/error.h>

#include "core/barrier.h"

enum { REMOTE_WAITS_MAX = 64 };

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

void tt_read_drop_flight(tt_read_op *op)
{
    tt_core *c = op->core;

    if (op->flight && op->leader && !op->flight->done)
        tt_flight_finish(&c->flights, op->flight, false, NULL, TT_STR(""), &c->woken);
    tt_flight_leave(&c->flights, op->flight);
    op->flight = NULL;
    op->leader = false;
}

void tt_read_drop_place(tt_read_op *op)
{
    if (op->shed)
        tt_shed_leave(&op->core->shed, &op->core->woken);
    op->shed = false;
}

void tt_read_drop_proof(tt_read_op *op)
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
    tt_read_drop_place(op);
    tt_list_remove(&op->waiter.link);
    tt_read_drop_flight(op);
    tt_read_drop_proof(op);
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

/* ---- ends ---- */

void tt_read_send(tt_read_op *op, tt_act *act, tt_read_phase phase, int n_cmds)
{
    act->what = phase == TT_READ_POST ? TT_DO_POST : TT_DO_CACHE;
    act->batch = (tt_batch){op->cmds, n_cmds};
    op->phase = phase;
}

/* The outcome is set; leave nobody waiting for a load that will not come. */
void tt_read_end(tt_read_op *op, int code, tt_act *act)
{
    op->code = code;
    if (op->flight)
        tt_read_drop_flight(op);
    if (op->leased) {
        tt_str args[] = {TT_STR("release"), tt_nonce_str(&op->token)};

        op->leased = false;
        op->cmds[0] = tt_cmd_script(op->rq->entry_key, args, TT_COUNT(args));
        tt_read_send(op, act, TT_READ_POST, 1);
        return;
    }
    op->phase = TT_READ_END;
    act->what = TT_DO_DONE;
}

/* Again from the first look at the tags. */
void tt_read_restart(tt_read_op *op, int64_t now_ns, tt_act *act)
{
    if (now_ns >= op->rq->deadline_ns) {
        tt_read_end(op, TT_E_TIMEOUT, act);
        return;
    }
    tt_read_drop_proof(op);
    tt_read_drop_place(op);
    op->waited = op->no_store = op->lease_due = false;
    tt_buf_clear(&op->need);
    if (op->rq->cached) {
        tt_read_lookup(op, act);
    } else {
        tt_buf_put_str(&op->need, op->rq->seen);
        tt_read_source(op, now_ns, act);
    }
}

/* Find the primary, then begin again; a read does this a bounded number of times. */
void tt_read_discover(tt_read_op *op, int code, tt_act *act)
{
    if (op->restarts++ >= TT_READ_RESTARTS_MAX) {
        tt_read_end(op, code, act);
        return;
    }
    tt_read_note(op, TT_NOTE_DISCOVERED);
    op->tried = 0;
    op->phase = TT_READ_DISCOVER;
    act->what = TT_DO_DISCOVER;
}

void tt_read_park(tt_read_op *op, tt_read_phase phase, int64_t until_ns, tt_act *act)
{
    op->phase = phase;
    act->what = TT_DO_PARK;
    act->until_ns = TT_MIN(until_ns, op->rq->deadline_ns);
}

/* ---- who loads ---- */

/* The command that asks for the lease. */
tt_batch tt_read_lease(tt_read_op *op)
{
    tt_str args[4];

    if (!op->leased)
        op->token = tt_nonce_new(op->core->rng);
    args[0] = TT_STR("lease");
    args[1] = tt_nonce_str(&op->token);
    args[2] = op->seize ? TT_STR("") : tt_stamp_str(&op->view.stamp);
    args[3] = tt_number_text(&op->numbers[0], op->core->cfg.lease_ms);
    op->cmds[0] = tt_cmd_script(op->rq->entry_key, args, TT_COUNT(args));
    return (tt_batch){op->cmds, 1};
}

static void take_lease(tt_read_op *op, tt_act *act)
{
    (void)tt_read_lease(op);
    tt_read_send(op, act, TT_READ_LEASE, 1);
}

void tt_read_enter_flight(tt_read_op *op, int64_t now_ns, tt_act *act)
{
    tt_core *c = op->core;

    if (op->flight && !tt_str_eq(tt_stamp_str(&op->flight->stamp), tt_stamp_str(&op->view.stamp)))
        tt_read_drop_flight(op);
    if (!op->flight)
        op->flight = tt_flight_enter(&c->flights, op->rq->key_hash, &op->view.stamp, &op->leader);
    if (op->flight && !op->leader) {
        tt_flight_wait(op->flight, &op->waiter);
        tt_read_park(op, TT_READ_JOINED, INT64_MAX, act);
        return;
    }
    if (op->lease_due)
        tt_read_source(op, now_ns, act);
    else
        take_lease(op, act);
}

static void after_join(tt_read_op *op, int64_t now_ns, tt_act *act)
{
    tt_flight *f = op->flight;

    if (!f->done) {
        tt_list_remove(&op->waiter.link);
        tt_read_end(op, TT_E_TIMEOUT, act);
        return;
    }
    if (!f->ok) {
        tt_read_drop_flight(op);
        if (op->restarts++ >= TT_READ_RESTARTS_MAX)
            tt_read_source(op, now_ns, act);
        else
            tt_read_restart(op, now_ns, act);
        return;
    }
    if (tt_read_rule(op, TT_RULE_AS_OF_JOIN) &&
        !tt_barrier_met(tt_buf_str(&f->as_of), op->rq->owed)) {
        tt_read_drop_flight(op);
        op->no_store = true;
        tt_read_source(op, now_ns, act);
        return;
    }
    tt_read_note(op, TT_NOTE_JOINED);
    op->is_joined = true;
    op->result = op->core->flights.retain(f->result);
    op->created_ms = f->created_ms;
    op->from_primary = f->from_primary;
    op->node = f->source_node;
    op->why = "shared a load under way";
    tt_read_end(op, TT_OK, act);
}

static void after_lease(tt_read_op *op, const tt_answers *answers, int64_t now_ns, tt_act *act)
{
    const tt_reply *r = &answers->replies[0];
    tt_str text = r->text;

    if (!answers->ok || r->kind != TT_REPLY_TEXT) {
        op->leased = !answers->ok; /* it may be: see see_lease() */
        tt_read_source(op, now_ns, act);
        return;
    }
    if (tt_read_is_hit(op, r)) {
        tt_read_take_hit(op, act);
        return;
    }
    if (!op->seize && tt_str_has_prefix(text, TT_STR("E1 ")) && !tt_read_is_of_read(op, text)) {
        op->seize = true;
        take_lease(op, act);
        return;
    }
    if (text.n < 3 + TT_NONCE_BYTES || memcmp(text.p + 3, op->token.c, TT_NONCE_BYTES) != 0) {
        /* Another process is loading these versions: look again soon, with growing patience; but it
         * may have died, and half of the time is for loading oneself. */
        int64_t until_ns = now_ns + TT_MIN(1 << TT_MIN(op->remote_waits, 5), 32) * TT_NS_PER_MS;

        if (op->remote_waits == 0)
            op->remote_until_ns = now_ns + (op->rq->deadline_ns - now_ns) / 2;
        if (tt_str_has_prefix(text, TT_STR("L1 ")) && op->remote_waits++ < REMOTE_WAITS_MAX &&
            until_ns <= op->remote_until_ns) {
            tt_read_note(op, TT_NOTE_REMOTE);
            tt_read_park(op, TT_READ_REMOTE, until_ns, act);
            return;
        }
        tt_read_source(op, now_ns, act);
        return;
    }
    op->leased = true;
    tt_read_source(op, now_ns, act);
}

/* ---- the machine ---- */

static void begin(tt_read_op *op, tt_act *act)
{
    if (op->rq->cached) {
        tt_read_lookup(op, act);
        return;
    }
    op->phase = TT_READ_MISSED;
    act->what = TT_DO_SHARED;
}

static void missed(tt_read_op *op, int64_t now_ns, tt_act *act)
{
    if (!op->rq->cached) {
        tt_barrier need;

        tt_read_add_session(op);
        need = tt_read_need(op);
        if (need.p ||
            (need.term.n && !tt_str_eq(need.term, tt_nonce_str(&op->core->topology.term)))) {
            tt_buf_clear(&op->need);
            tt_buf_put_char(&op->need, 'P');
        }
        tt_read_source(op, now_ns, act);
        return;
    }
    tt_read_note(op, TT_NOTE_MISS);
    if (op->view.readable && (op->view.bad || op->view.bad_term))
        tt_read_open_tags(op, act);
    else
        tt_read_settle_view(op, now_ns, act);
}

void tt_read_step(tt_read_op *op, const tt_event *ev, int64_t now_ns, tt_act *act)
{
    memset(act, 0, sizeof(*act));
    switch (op->phase) {
    case TT_READ_BEGIN:
        begin(op, act);
        break;
    case TT_READ_LOOKUP:
        tt_read_after_lookup(op, ev->cache, act);
        break;
    case TT_READ_MISSED:
        missed(op, now_ns, act);
        break;
    case TT_READ_OPEN:
        tt_read_after_open(op, ev->cache, now_ns, act);
        break;
    case TT_READ_LEASE:
        after_lease(op, ev->cache, now_ns, act);
        break;
    case TT_READ_JOINED:
        after_join(op, now_ns, act);
        break;
    case TT_READ_REMOTE:
        tt_read_restart(op, now_ns, act);
        break;
    case TT_READ_DISCOVER:
        if (ev->ok)
            tt_read_restart(op, now_ns, act);
        else
            tt_read_end(op, TT_E_UNAVAILABLE, act);
        break;
    case TT_READ_PROOF_QUEUE:
        tt_read_after_proof_queue(op, now_ns, act);
        break;
    case TT_READ_PROOF:
        tt_read_after_proof(op, ev, now_ns, act);
        break;
    case TT_READ_SHED:
        tt_read_after_shed(op, now_ns, act);
        break;
    case TT_READ_SOURCE:
        tt_read_after_rows(op, ev, now_ns, act);
        break;
    case TT_READ_POST:
    case TT_READ_END:
        tt_read_end(op, op->code, act);
        break;
    }
}
