#include "core/read_steps.h"

#include <twotier/error.h>

#include "core/barrier.h"

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
            tt_read_note(op, TT_NOTE_FILL);
            if (!op->from_primary)
                tt_read_note(op, TT_NOTE_FILL_REPLICA);
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
        tt_read_note(op, TT_NOTE_UPGRADE);
        op->cmds[n++] = tt_cmd_script(rq->tag_keys[i], args, TT_COUNT(args));
    }
    return n;
}

/* Is the term of the tags still the one that is believed? */
static bool may_vouch(const tt_read_op *op)
{
    if (!op->view.named && !tt_read_rule(op, TT_RULE_NAMELESS_BYPASS))
        return true;
    return tt_topology_agrees(&op->core->topology, tt_nonce_str(&op->view.term),
                              tt_str_c(op->view.name));
}

static void take_rows(tt_read_op *op, const tt_event *ev, tt_act *act)
{
    tt_core *c = op->core;
    bool storable = op->rq->cached && !op->no_store &&
                    (op->rq->mode == TT_READ_COHERENT || !tt_read_rule(op, TT_RULE_EVENTUAL_ALONE));
    int n = 0;

    tt_read_note(op, op->from_primary ? TT_NOTE_PRIMARY_READ : TT_NOTE_REPLICA_READ);
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
        tt_read_send(op, act, TT_READ_POST, n);
        return;
    }
    tt_read_end(op, TT_OK, act);
}

/* The lease that was asked for with the rows: is it ours? If it is another's, theirs is the store.
 * Without an answer it may be: to store and to release name the token, and do nothing if it is not.
 */
static void see_lease(tt_read_op *op, const tt_answers *answers)
{
    const tt_reply *r = &answers->replies[0];

    op->lease_asked = false;
    op->leased = !answers->ok || (r->kind == TT_REPLY_TEXT && r->text.n >= 3 + TT_NONCE_BYTES &&
                                  tt_str_has_prefix(r->text, TT_STR("L1 ")) &&
                                  memcmp(r->text.p + 3, op->token.c, TT_NONCE_BYTES) == 0);
}

void tt_read_after_rows(tt_read_op *op, const tt_event *ev, int64_t now_ns, tt_act *act)
{
    tt_topology *t = &op->core->topology;

    tt_node_end(&t->nodes[op->node], ev->db == TT_DB_OK && ev->reached ? ev->took_ns : 0);
    tt_read_drop_place(op);
    if (op->lease_asked)
        see_lease(op, ev->cache);
    op->db = ev->db;
    switch (ev->db) {
    case TT_DB_OK:
        if (ev->reached) {
            take_rows(op, ev, act);
            return;
        }
        tt_read_note(op, TT_NOTE_BARRIER_TIMEOUT);
        op->waited = true;
        tt_read_source(op, now_ns, act);
        return;
    case TT_DB_REFUSED:
    case TT_DB_LOCAL:
        tt_read_end(op, ev->code, act);
        return;
    case TT_DB_UNSENT:
    case TT_DB_LOST:
        if (now_ns < op->rq->deadline_ns) /* the caller's time says nothing about the node */
            tt_topology_failed(t, op->node, now_ns);
        break;
    case TT_DB_DEMOTED:
        break;
    }
    if (now_ns >= op->rq->deadline_ns || op->restarts++ >= TT_READ_RESTARTS_MAX) {
        tt_read_end(op, now_ns >= op->rq->deadline_ns ? TT_E_TIMEOUT : ev->code, act);
        return;
    }
    tt_read_note(op, TT_NOTE_RETRIED);
    op->tried |= UINT64_C(1) << op->node;
    tt_read_drop_proof(op);
    tt_read_source(op, now_ns, act);
}
