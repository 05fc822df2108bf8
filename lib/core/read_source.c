#include "core/read_steps.h"

#include <twotier/error.h>

#include "core/barrier.h"

static void read_from(tt_read_op *op, int node, bool wait, tt_act *act)
{
    tt_topology *t = &op->core->topology;
    tt_barrier need = tt_read_need(op);

    op->node = node;
    op->from_primary = node == t->primary;
    op->phase = TT_READ_SOURCE;
    act->what = TT_DO_READ;
    act->node = node;
    /* Copied: the belief may change while the act is performed. */
    memcpy(op->identity, t->nodes[node].identity, sizeof(op->identity));
    act->identity = tt_str_c(op->identity);
    act->points = wait ? need.points : TT_STR("");
    act->wait_ms = wait ? (int)op->core->cfg.replica_wait_ms : 0;
    if (op->lease_due && !op->no_store) {
        act->batch = tt_read_lease(op);
        op->lease_asked = true;
    }
    op->lease_due = false;
    tt_node_begin(&t->nodes[node]);
    /* A lower bound of what the rows will show, taken before they are read. */
    tt_buf_clear(&op->as_of);
    if (op->from_primary) {
        bool ordered = op->proof && (op->proof->family == TT_FAMILY_MYSQL ||
                                     !tt_read_rule(op, TT_RULE_AS_OF_UNORDERED));

        /* MariaDB's binary log is ahead of what its storage engine shows. */
        if (ordered && op->proof->points.n)
            tt_barrier_write(t->term, tt_buf_str(&op->proof->points), &op->as_of);
    } else {
        if (t->nodes[node].points.n)
            tt_barrier_write(t->term, tt_buf_str(&t->nodes[node].points), &op->as_of);
        /* Beside a proof it may be met but for numbers that the primary lacked too: those may still
         * come, and the rows will not show them. */
        if (!need.p && need.term.n && !op->proof)
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
        tt_read_park(op, TT_READ_SHED, INT64_MAX, act);
        return;
    case TT_SHED_FULL:
        tt_read_end(op, TT_E_BUSY, act);
        return;
    }
}

/* Is the primary another one than was proven, or than the tags' term names? */
static bool has_moved(const tt_read_op *op)
{
    const tt_topology *t = &op->core->topology;

    if (t->primary < 0)
        return true;
    if (op->proof && strcmp(t->nodes[t->primary].identity, op->proof->identity) != 0)
        return true;
    return op->rq->cached && op->view.readable && op->view.named &&
           !tt_topology_agrees(t, tt_nonce_str(&op->view.term), tt_str_c(op->view.name));
}

void tt_read_after_shed(tt_read_op *op, int64_t now_ns, tt_act *act)
{
    if (tt_shed_abandon(&op->core->shed, &op->waiter)) {
        tt_read_end(op, TT_E_TIMEOUT, act);
        return;
    }
    op->waiter.lead = false;
    op->shed = true;
    if (has_moved(op))
        tt_read_restart(op, now_ns, act);
    else
        read_from(op, op->core->topology.primary, false, act);
}

static void ask_proof(tt_read_op *op, tt_act *act)
{
    tt_core *c = op->core;

    if (c->topology.primary < 0 || op->tried >> c->topology.primary & 1) {
        tt_read_discover(op, TT_E_UNAVAILABLE, act);
        return;
    }
    if (!tt_read_rule(op, TT_RULE_RESOLVE_AFTER_STEP2) && c->proofs.last && c->proofs.last->ok) {
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
        tt_read_park(op, TT_READ_PROOF_QUEUE, INT64_MAX, act);
    }
}

static void source_with_proof(tt_read_op *op, int64_t now_ns, tt_act *act)
{
    tt_core *c = op->core;
    tt_choice choice = {-1, false};
    tt_barrier need = tt_read_need(op);

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
        tt_read_discover(op, TT_E_UNAVAILABLE, act);
        return;
    }
    if (tt_read_rule(op, TT_RULE_EVENTUAL_ALONE))
        op->no_store = true;
    op->is_stale = node != c->topology.primary;
    op->why = "any node, by the caller's leave";
    read_from(op, node, false, act);
}

/* Tests: what the primary had when somebody last asked. Where a gap has closed since, it is taken
 * for a permanent one. */
static const tt_applied *earlier_set(const tt_read_op *op)
{
    const tt_proof *last = op->core->proofs.last;

    return !tt_read_rule(op, TT_RULE_GAP_SET_AFTER_STEP2) && last && last->ok ? last->applied
                                                                              : NULL;
}

void tt_read_source(tt_read_op *op, int64_t now_ns, tt_act *act)
{
    tt_core *c = op->core;
    tt_barrier need = tt_read_need(op);
    bool p = need.p || op->rq->mode == TT_READ_STRONG;
    tt_choice choice = {-1, false};

    if (op->rq->mode == TT_READ_EVENTUAL) {
        read_any(op, now_ns, act);
        return;
    }
    if (p && !tt_read_rule(op, TT_RULE_PROVEN_PRIMARY) && c->topology.primary >= 0) {
        read_from(op, c->topology.primary, false, act);
        return;
    }
    if (!p && !tt_read_rule(op, TT_RULE_BARRIER)) {
        choice = tt_topology_choose(&c->topology, TT_STR(""), op->tried, false, NULL, &c->random,
                                    now_ns);
    } else if (!p) {
        choice = tt_topology_choose(&c->topology, tt_buf_str(&op->need), op->tried, !op->waited,
                                    earlier_set(op), &c->random, now_ns);
    }
    if (choice.node >= 0) {
        if (choice.wait)
            tt_read_note(op, TT_NOTE_BARRIER_WAIT);
        op->why = choice.wait ? "waited for a replica to apply the barrier"
                              : "a replica that has applied the barrier";
        read_from(op, choice.node, choice.wait, act);
        return;
    }
    if (op->proof) {
        source_with_proof(op, now_ns, act);
        return;
    }
    if (p || ((op->rq->cached || need.term.n) && tt_read_rule(op, TT_RULE_PROVEN_FALLBACK))) {
        ask_proof(op, act);
        return;
    }
    if (c->topology.primary < 0 || op->tried >> c->topology.primary & 1) {
        tt_read_discover(op, TT_E_UNAVAILABLE, act);
        return;
    }
    op->why = "no replica could serve it";
    read_from_primary(op, act);
}

/* ---- proof ---- */

static void check_proof(tt_read_op *op, tt_proof *proof, int64_t now_ns, tt_act *act)
{
    op->proof = proof;
    if (!proof) {
        tt_read_end(op, TT_E_NOMEM, act);
        return;
    }
    if (now_ns >= op->rq->deadline_ns) {
        tt_read_end(op, TT_E_TIMEOUT, act);
        return;
    }
    if (!proof->ok || proof->read_only ||
        (op->view.named && op->rq->cached && strcmp(proof->identity, op->view.name) != 0)) {
        tt_read_discover(op, TT_E_UNAVAILABLE, act);
        return;
    }
    tt_read_note(op, TT_NOTE_PROVEN);
    /* The belief may have moved on while the query was under way. */
    if (op->core->topology.primary < 0 ||
        strcmp(op->core->topology.nodes[op->core->topology.primary].identity, proof->identity) !=
            0) {
        tt_read_restart(op, now_ns, act);
        return;
    }
    if (tt_barrier_parse(op->rq->seen).p ||
        (op->rq->seen.n &&
         !tt_str_eq(tt_barrier_parse(op->rq->seen).term, tt_nonce_str(&op->core->topology.term)))) {
        tt_buf_clear(&op->settle);
        tt_barrier_write(op->core->topology.term, tt_buf_str(&proof->highest), &op->settle);
    }
    source_with_proof(op, now_ns, act);
}

void tt_read_after_proof(tt_read_op *op, const tt_event *ev, int64_t now_ns, tt_act *act)
{
    tt_core *c = op->core;
    bool ok = ev->db == TT_DB_OK;
    tt_proof *proof;

    if (!ok && ev->db != TT_DB_LOCAL && now_ns >= op->rq->deadline_ns) {
        /* This caller's time is over, which says nothing about the node: the next one asks. */
        op->waiter.lead = true;
        tt_proofs_abandon(&c->proofs, &op->waiter, &c->woken);
        tt_read_end(op, TT_E_TIMEOUT, act);
        return;
    }
    proof = tt_proofs_finish(&c->proofs, ok ? ev->sample : NULL, &c->woken);
    if (ev->db == TT_DB_LOCAL) { /* the pool is busy, say: of the node that says nothing */
        op->proof = proof;
        tt_read_end(op, ev->code, act);
        return;
    }
    if (!ok)
        tt_topology_failed(&c->topology, op->node, now_ns);
    else if (tt_topology_sampled(&c->topology, op->node, ev->sample, now_ns) != 0 && proof)
        proof->ok = false;
    check_proof(op, proof, now_ns, act);
}

void tt_read_after_proof_queue(tt_read_op *op, int64_t now_ns, tt_act *act)
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
        tt_read_end(op, TT_E_TIMEOUT, act);
        return;
    }
    check_proof(op, tt_proofs_take(&c->proofs, &op->waiter), now_ns, act);
}
