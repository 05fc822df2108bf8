#include "core/read_steps.h"

#include <twotier/error.h>

#include "core/barrier.h"
#include "core/tag.h"

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
    return kind == TT_TAG_VALID &&
           (tt_tag_of_epoch(tag, epoch) || !tt_read_rule(op, TT_RULE_EPOCH));
}

static void see_term(tt_read_op *op, tt_tag_kind kind, const tt_tag *tag, tt_epoch epoch)
{
    tt_tag_view *v = &op->view;

    v->bad_term = !is_usable(op, kind, tag, epoch);
    if (v->bad_term)
        return;
    tt_stamp_set(&v->stamp, 0,
                 tt_read_rule(op, TT_RULE_TERM_IN_ENTRY) ? tag->version
                                                         : TT_STR("0000000000000000"));
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
    v->marks &= ~bit;
    if (!is_usable(op, kind, tag, epoch)) {
        v->bad |= bit;
        return;
    }
    tt_stamp_set(&v->stamp, i + 1, tag->version);
    if (tag->marks.n) {
        v->marked = true;
        v->bad |= bit;
        v->marks |= bit;
    }
}

/* Tests: as if the points were of this term. */
static void raise_as_if(tt_read_op *op, tt_nonce term, tt_str points)
{
    tt_buf as_if = tt_buf_init(op->core->a);

    tt_barrier_write(term, points, &as_if);
    tt_barrier_raise(&op->need, tt_buf_str(&as_if));
    op->need.failed |= as_if.failed;
    tt_buf_free(&as_if);
}

/* Of a usable tag; only who misses needs it. */
static void see_barrier(tt_read_op *op, int i, const tt_tag *tag)
{
    tt_barrier b = tt_barrier_parse(tag->barrier);

    if (b.p)
        op->view.p_tags |= UINT64_C(1) << i;
    else if (tt_read_rule(op, TT_RULE_BARRIER_OF_TERM))
        tt_barrier_raise(&op->need, tag->barrier);
    else
        raise_as_if(op, op->view.term, b.points);
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

void tt_read_lookup(tt_read_op *op, tt_act *act)
{
    const tt_read_request *rq = op->rq;

    op->cmds[0] = tt_cmd_get(rq->entry_key);
    op->cmds[1] = tt_cmd_get(op->core->cfg.term_key);
    for (int i = 0; i < rq->n_tags; i++)
        op->cmds[i + 2] = tt_cmd_get(rq->tag_keys[i]);
    tt_read_send(op, act, TT_READ_LOOKUP, rq->n_tags + 2);
}

static tt_tag_kind parse(tt_read_op *op, const tt_reply *r, tt_tag *tag)
{
    tt_tag_kind kind = r->kind == TT_REPLY_TEXT ? tt_tag_parse(r->text, tag) : TT_TAG_ABSENT;

    if (r->kind == TT_REPLY_ERROR || r->kind == TT_REPLY_NONE)
        op->view.readable = false;
    return kind == TT_TAG_NEWER && !tt_read_rule(op, TT_RULE_LATER_PROTOCOL)
               ? tt_tag_parse_any(r->text, tag)
               : kind;
}

/* Is it an entry, and of this very read? */
bool tt_read_is_of_read(tt_read_op *op, tt_str found)
{
    return !op->rq->distrust && tt_entry_parse(found, &op->hit) &&
           (tt_str_eq(op->hit.key, op->rq->key_bytes) || !tt_read_rule(op, TT_RULE_KEY_BYTES));
}

/* Does the entry found serve this read? */
bool tt_read_is_hit(tt_read_op *op, const tt_reply *found)
{
    const tt_tag_view *v = &op->view;
    bool unmarked = tt_read_rule(op, TT_RULE_HIT_UNMARKED);
    bool valid = v->readable && !(v->bad & ~(unmarked ? 0 : v->marks)) && !v->bad_term &&
                 !(v->marked && unmarked) &&
                 (v->named || !tt_read_rule(op, TT_RULE_NAMELESS_BYPASS));

    if (op->rq->no_entry || (!valid && op->rq->mode != TT_READ_EVENTUAL))
        return false;
    if (found->kind != TT_REPLY_TEXT || !tt_read_is_of_read(op, found->text))
        return false;
    if (valid && tt_str_eq(op->hit.stamp, tt_stamp_str(&v->stamp)) &&
        (tt_barrier_met(op->hit.as_of, op->rq->owed) || !tt_read_rule(op, TT_RULE_AS_OF_HIT)))
        return true;
    op->is_stale = op->rq->mode == TT_READ_EVENTUAL;
    return op->is_stale;
}

void tt_read_take_hit(tt_read_op *op, tt_act *act)
{
    tt_read_note(op, TT_NOTE_HIT);
    if (op->is_stale)
        tt_read_note(op, TT_NOTE_STALE);
    op->is_hit = true;
    op->created_ms = op->hit.created_ms;
    op->why = op->is_stale ? "an entry that may be superseded, by the caller's leave"
                           : "valid entry in the cache";
    tt_read_end(op, TT_OK, act);
}

/* Is there neither a lease nor anything that would stand in the way of one? Then the lease need not
 * be had before the rows are asked for: it spares others the load, and they come later. */
static bool nobody_loads(tt_read_op *op, const tt_reply *found)
{
    return found->kind == TT_REPLY_NIL ||
           (found->kind == TT_REPLY_TEXT && tt_str_has_prefix(found->text, TT_STR("E1 ")) &&
            tt_read_is_of_read(op, found->text));
}

void tt_read_after_lookup(tt_read_op *op, const tt_answers *answers, tt_act *act)
{
    tt_tag_view *v = &op->view;
    tt_tag tag;

    view_init(v, op->rq->n_tags);
    v->readable = answers->ok;
    if (v->readable) {
        tt_tag_kind kind = parse(op, &answers->replies[1], &tag);

        see_term(op, kind, &tag, answers->epoch);
        for (int i = 0; i < op->rq->n_tags; i++) {
            kind = parse(op, &answers->replies[i + 2], &tag);
            see_tag(op, i, kind, &tag, answers->epoch);
        }
        if (tt_read_is_hit(op, &answers->replies[0])) {
            tt_read_take_hit(op, act);
            return;
        }
        for (int i = 0; i < op->rq->n_tags; i++) {
            kind = parse(op, &answers->replies[i + 2], &tag);
            if (is_usable(op, kind, &tag, answers->epoch))
                see_barrier(op, i, &tag);
        }
        op->lease_due = !op->rq->no_entry && nobody_loads(op, &answers->replies[0]);
    }
    op->phase = TT_READ_MISSED;
    act->what = TT_DO_SHARED;
}

/* Create what is absent or foreign, and look at the clock where a write is pending. */
void tt_read_open_tags(tt_read_op *op, tt_act *act)
{
    static const char p[] = "P", nameless[] = "?";
    const tt_read_request *rq = op->rq;
    tt_str ttl = tt_number_text(&op->numbers[0], op->core->cfg.tag_ttl_ms);
    int n = 0;

    op->version = tt_nonce_new(op->core->rng);
    if (op->view.bad_term) {
        tt_str args[] = {TT_STR("open"), tt_nonce_str(&op->version), tt_str_c(nameless),
                         TT_STR("0")};

        op->cmds[n++] = tt_cmd_script(op->core->cfg.term_key, args, TT_COUNT(args));
    }
    for (int i = 0; i < rq->n_tags; i++) {
        tt_str args[] = {TT_STR("open"), tt_nonce_str(&op->version), tt_str_c(p), ttl};

        if (op->view.bad >> i & 1)
            op->cmds[n++] = tt_cmd_script(rq->tag_keys[i], args, TT_COUNT(args));
    }
    tt_read_send(op, act, TT_READ_OPEN, n);
}

void tt_read_after_open(tt_read_op *op, const tt_answers *answers, int64_t now_ns, tt_act *act)
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
    tt_read_settle_view(op, now_ns, act);
}

/* ---- what the tags ask for ---- */

static bool needs_p(const tt_read_op *op)
{
    const tt_tag_view *v = &op->view;
    uint64_t all = op->rq->n_tags == 64 ? UINT64_MAX : (UINT64_C(1) << op->rq->n_tags) - 1;
    tt_barrier need = tt_read_need(op);

    if (!v->readable)
        return tt_read_rule(op, TT_RULE_UNREADABLE_IS_P);
    if (v->marked && tt_read_rule(op, TT_RULE_MARKED_IS_P))
        return true;
    if (v->p_tags && (tt_read_rule(op, TT_RULE_ANY_P) || v->p_tags == all))
        return true;
    if (!v->named && tt_read_rule(op, TT_RULE_NAMELESS_BYPASS))
        return true;
    return need.p || (need.term.n && !tt_str_eq(need.term, tt_nonce_str(&v->term)));
}

void tt_read_add_session(tt_read_op *op)
{
    tt_barrier seen = tt_barrier_parse(op->rq->seen);

    if (seen.term.n && !tt_read_rule(op, TT_RULE_TERM_IN_TOKEN)) {
        raise_as_if(op, op->core->topology.term, seen.points);
        return;
    }
    tt_barrier_raise(&op->need, op->rq->seen);
}

void tt_read_settle_view(tt_read_op *op, int64_t now_ns, tt_act *act)
{
    tt_core *c = op->core;
    tt_tag_view *v = &op->view;

    if (!v->readable)
        tt_read_note(op, TT_NOTE_UNREADABLE);
    if (v->marked)
        tt_read_note(op, TT_NOTE_READ_MARKED);
    if (v->readable && !v->named && tt_read_rule(op, TT_RULE_NAMELESS_BYPASS) && op->restarts < 2) {
        tt_read_discover(op, TT_E_UNAVAILABLE, act);
        return;
    }
    if (v->readable && v->named && !tt_topology_adopt(&c->topology, v->term, tt_str_c(v->name)) &&
        op->restarts < 2) {
        tt_read_discover(op, TT_E_UNAVAILABLE, act);
        return;
    }
    tt_read_add_session(op);
    op->no_store = (!v->readable || v->marked) && tt_read_rule(op, TT_RULE_MARKED_NO_STORE);
    if (!v->readable || (!v->named && tt_read_rule(op, TT_RULE_NAMELESS_BYPASS)))
        op->no_store = true;
    if (op->rq->mode == TT_READ_EVENTUAL && tt_read_rule(op, TT_RULE_EVENTUAL_ALONE))
        op->no_store = true; /* what it reads may be stale: nobody else shall share it */
    if (needs_p(op)) {
        tt_read_note(op, TT_NOTE_READ_P);
        tt_buf_clear(&op->need);
        tt_buf_put_char(&op->need, 'P');
    }
    if (op->no_store || op->rq->no_entry) {
        tt_read_drop_flight(op);
        tt_read_source(op, now_ns, act);
    } else {
        tt_read_enter_flight(op, now_ns, act);
    }
}
