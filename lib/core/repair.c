#include "core/repair.h"

enum { PAUSE_MS_MIN = 20, PAUSE_MS_MAX = 2000 };

tt_repair *tt_repair_next(tt_core *c, int64_t now_ns)
{
    for (tt_link *l = c->repairs.next; l != &c->repairs; l = l->next) {
        tt_repair *r = TT_CONTAINER(l, tt_repair, link);

        if (r->not_before_ns <= now_ns) {
            tt_list_remove(&r->link);
            c->n_repairs--;
            return r;
        }
    }
    return NULL;
}

tt_repair *tt_repair_of_deferred(tt_core *c, const tt_str *keys, int n_keys)
{
    tt_repair *r =
        tt_core_repair(c, TT_STR("-"), 0, tt_nonce_new(c->rng), TT_STR("P"), keys, n_keys);

    if (!r)
        return NULL;
    tt_list_remove(&r->link);
    c->n_repairs--;
    r->reap = true; /* when it fails the rows stay, and somebody tries again */
    return r;
}

void tt_repair_init(tt_repair_op *op, tt_core *core, tt_repair *repair)
{
    tt_str rest = tt_buf_str(&repair->keys);

    memset(op, 0, offsetof(tt_repair_op, cmds));
    op->core = core;
    op->repair = repair;
    while (rest.n && op->n_keys < TT_TAGS_MAX)
        op->cmds[op->n_keys++].key = tt_str_cut(&rest, '\n');
}

/* A server that cannot be reached takes its time to say so: it is not asked again for each of those
 * who wait for it. */
static void put_off(tt_core *c, tt_str server, int64_t until_ns)
{
    for (tt_link *l = c->repairs.next; l != &c->repairs; l = l->next) {
        tt_repair *r = TT_CONTAINER(l, tt_repair, link);

        if (r->kill && tt_str_eq(tt_buf_str(&r->server), server))
            r->not_before_ns = TT_MAX(r->not_before_ns, until_ns);
    }
}

void tt_repair_finish(tt_repair_op *op, int64_t now_ns)
{
    tt_repair *r = op->repair;
    int64_t pause_ms = TT_MIN(PAUSE_MS_MIN << TT_MIN(r->attempts, 7), PAUSE_MS_MAX);

    if (!op->ok && op->unreached)
        put_off(op->core, tt_buf_str(&r->server), now_ns + pause_ms * TT_NS_PER_MS);
    if (op->ok || r->reap) {
        tt_repair_free(op->core->a, r);
        return;
    }
    r->not_before_ns = now_ns + pause_ms * TT_NS_PER_MS;
    r->attempts++;
    tt_list_append(&op->core->repairs, &r->link);
    op->core->n_repairs++;
}

static void end(tt_repair_op *op, bool ok, tt_act *act)
{
    op->ok = ok;
    op->phase = TT_REPAIR_END;
    act->what = TT_DO_DONE;
}

static void bump(tt_repair_op *op, tt_act *act)
{
    tt_repair *r = op->repair;
    tt_str ttl = tt_number_text(&op->number, op->core->cfg.tag_ttl_ms);
    tt_str bump_args[] = {TT_STR("bump"), tt_nonce_str(&op->version), tt_nonce_str(&r->nonce),
                          tt_buf_str(&r->position), ttl};
    tt_str withdraw_args[] = {TT_STR("withdraw"), tt_nonce_str(&r->nonce), ttl};

    op->version = tt_nonce_new(op->core->rng);
    for (int i = 0; i < op->n_keys; i++)
        op->cmds[i] = r->withdraw
                          ? tt_cmd_script(op->cmds[i].key, withdraw_args, TT_COUNT(withdraw_args))
                          : tt_cmd_script(op->cmds[i].key, bump_args, TT_COUNT(bump_args));
    op->phase = TT_REPAIR_BUMP;
    act->what = TT_DO_CACHE;
    act->batch = (tt_batch){op->cmds, op->n_keys};
}

static void after_term(tt_repair_op *op, const tt_answers *answers, tt_act *act)
{
    tt_str server = tt_buf_str(&op->repair->server);
    tt_tag tag;

    if (!answers->ok || answers->replies[0].kind == TT_REPLY_ERROR) {
        end(op, false, act);
        return;
    }
    op->passed_by = answers->replies[0].kind == TT_REPLY_TEXT &&
                    tt_tag_parse(answers->replies[0].text, &tag) == TT_TAG_VALID &&
                    tt_tag_of_epoch(&tag, answers->epoch) && !tt_str_eq(tag.barrier, TT_STR("?")) &&
                    !tt_str_eq(tag.barrier, server);
    act->node = tt_topology_find(&op->core->topology, server);
    if (act->node < 0) {
        if (op->passed_by)
            bump(op, act);
        else
            end(op, false, act); /* no such server here: some other client may reach it */
        return;
    }
    op->phase = TT_REPAIR_KILL;
    act->what = TT_DO_KILL;
    act->identity = server;
    act->connection = op->repair->connection;
}

static void after_kill(tt_repair_op *op, const tt_event *ev, tt_act *act)
{
    op->notes |= TT_NOTE_BIT(TT_NOTE_KILLED);
    op->unreached = ev->db == TT_DB_UNSENT;
    if ((ev->db == TT_DB_OK && ev->gone) || (ev->db == TT_DB_UNSENT && op->passed_by))
        bump(op, act);
    else
        end(op, false, act);
}

static void after_bump(tt_repair_op *op, const tt_answers *answers, tt_act *act)
{
    bool ok = tt_tags_done(answers, 0);

    if (ok && op->repair->reap && op->repair->kill)
        op->notes |= TT_NOTE_BIT(TT_NOTE_REAPED);
    end(op, ok, act);
}

void tt_repair_step(tt_repair_op *op, const tt_event *ev, tt_act *act)
{
    memset(act, 0, sizeof(*act));
    switch (op->phase) {
    case TT_REPAIR_BEGIN:
        if (!op->repair->kill || !tt_core_rule(op->core, TT_RULE_KILL_BEFORE_BUMP)) {
            bump(op, act);
            break;
        }
        /* One more command behind the keys, which must stay as they are. */
        op->cmds[op->n_keys] = tt_cmd_get(op->core->cfg.term_key);
        op->phase = TT_REPAIR_TERM;
        act->what = TT_DO_CACHE;
        act->batch = (tt_batch){op->cmds + op->n_keys, 1};
        break;
    case TT_REPAIR_TERM:
        after_term(op, ev->cache, act);
        break;
    case TT_REPAIR_KILL:
        after_kill(op, ev, act);
        break;
    case TT_REPAIR_BUMP:
        after_bump(op, ev->cache, act);
        break;
    case TT_REPAIR_END:
        act->what = TT_DO_DONE;
        break;
    }
}
