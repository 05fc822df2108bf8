#include "core/write.h"

#include <twotier/error.h>

#include "core/barrier.h"
#include "core/tag.h"

enum { RESTARTS_MAX = 4 };

static bool rule(const tt_write_op *op, tt_rule r)
{
    return tt_core_rule(op->core, r);
}

static void note(tt_write_op *op, tt_note n)
{
    op->notes |= TT_NOTE_BIT(n);
}

void tt_write_init(tt_write_op *op, tt_core *core, const tt_write_request *rq, void *owner)
{
    TT_ASSERT(rq->n_tags >= 0 && rq->n_tags <= TT_TAGS_MAX);
    memset(op, 0, offsetof(tt_write_op, cmds));
    op->core = core;
    op->rq = rq;
    op->node = -1;
    op->position = tt_buf_init(core->a);
    tt_waiter_init(&op->waiter, owner);
    op->nonce = tt_nonce_new(core->rng);
}

void tt_write_finish(tt_write_op *op)
{
    tt_list_remove(&op->waiter.link);
    tt_buf_free(&op->position);
}

static bool has_tags(const tt_write_op *op)
{
    return op->core->cfg.cache && op->rq->n_tags > 0;
}

/* ---- ends and background work ------------------------------------------------------------------
 */

static void end(tt_write_op *op, int code, tt_act *act)
{
    op->code = code;
    op->phase = TT_WRITE_END;
    act->what = TT_DO_DONE;
}

/* Where the write is; P when nobody knows, or there was no memory to say it. */
static tt_str position_of(const tt_write_op *op)
{
    return op->position.n && !op->position.failed ? tt_buf_str(&op->position) : TT_STR("P");
}

/* Leave the bumps to the background. Without memory for that, or where too much waits already and
 * it is only to withdraw, the marks still stand, and whoever meets them past their deadline reaps
 * them.
 */
static void leave_repair(tt_write_op *op, bool kill, bool withdraw)
{
    tt_repair *r = NULL;

    /* A mark may still name this connection, and whoever settles it kills that: nobody else shall
     * use it. */
    op->discard = op->discard || op->marked;
    if (!withdraw || op->core->n_repairs < TT_REPAIRS_MAX)
        r = tt_core_repair(op->core, tt_str_c(op->server), op->connection, op->nonce,
                           position_of(op), op->rq->tag_keys, op->rq->n_tags);
    if (!r)
        return;
    r->kill = kill;
    r->withdraw = withdraw;
}

static void tag_batch(tt_write_op *op, const tt_str *args, int n_args, tt_write_phase phase,
                      tt_act *act)
{
    for (int i = 0; i < op->rq->n_tags; i++)
        op->cmds[i] = tt_cmd_script(op->rq->tag_keys[i], args, n_args);
    op->phase = phase;
    act->what = TT_DO_CACHE;
    act->batch = (tt_batch){op->cmds, op->rq->n_tags};
}

static void withdraw(tt_write_op *op, tt_write_phase phase, tt_act *act)
{
    tt_str args[] = {TT_STR("withdraw"), tt_nonce_str(&op->nonce),
                     tt_number_text(&op->numbers[0], op->core->cfg.tag_ttl_ms)};

    tag_batch(op, args, TT_COUNT(args), phase, act);
}

static void bump(tt_write_op *op, tt_write_phase phase, tt_act *act)
{
    tt_str args[5];

    op->version = tt_nonce_new(op->core->rng);
    args[0] = TT_STR("bump");
    args[1] = tt_nonce_str(&op->version);
    args[2] = tt_nonce_str(&op->nonce);
    args[3] = position_of(op);
    args[4] = tt_number_text(&op->numbers[0], op->core->cfg.tag_ttl_ms);
    tag_batch(op, args, TT_COUNT(args), phase, act);
}

/* ---- before the write --------------------------------------------------------------------------
 */

static void acquire(tt_write_op *op, tt_act *act)
{
    op->phase = TT_WRITE_ACQUIRE;
    act->what = TT_DO_ACQUIRE;
    act->node = op->node = op->core->topology.primary;
}

static void discover(tt_write_op *op, int code, tt_act *act)
{
    if (op->restarts++ >= RESTARTS_MAX || op->rq->commit) {
        end(op, code, act);
        return;
    }
    note(op, TT_NOTE_DISCOVERED);
    op->phase = TT_WRITE_DISCOVER;
    act->what = TT_DO_DISCOVER;
}

static void execute(tt_write_op *op, bool defer, tt_act *act)
{
    op->deferring = defer;
    op->phase = TT_WRITE_EXECUTE;
    act->what = TT_DO_EXECUTE;
    act->node = op->node;
    act->defer = defer;
}

/* Whoever meets a mark past its deadline kills the writer: it must outlive a write that takes all
 * the time it was given, and the bump after it. */
static int64_t mark_ms(const tt_write_op *op, int64_t now_ns)
{
    int64_t left_ms = (op->rq->deadline_ns - now_ns) / TT_NS_PER_MS;

    return TT_MAX(op->core->cfg.mark_timeout_ms,
                  TT_MIN(left_ms, INT32_MAX) + 2 * op->core->cfg.kill_wait_ms);
}

/* Read the term and mark the tags: by plain commands, or by the script, which also makes a tag of
 * whatever is at the key. */
static void send_marks(tt_write_op *op, bool by_script, int64_t now_ns, tt_act *act)
{
    const tt_core_config *cfg = &op->core->cfg;
    tt_str plain[] = {tt_nonce_str(&op->nonce),
                      tt_number_text(&op->numbers[0], mark_ms(op, now_ns)), tt_str_c(op->server),
                      tt_number_text(&op->numbers[1], (int64_t)op->connection)};
    tt_str script[] = {TT_STR("mark"),
                       tt_nonce_str(&op->version),
                       plain[0],
                       plain[1],
                       plain[2],
                       plain[3],
                       tt_number_text(&op->numbers[2], cfg->tag_ttl_ms)};
    int n = 0;

    op->by_script = by_script;
    op->cmds[n++] = tt_cmd_get(cfg->term_key);
    for (int i = 0; op->marked && i < op->rq->n_tags; i++)
        op->cmds[n++] = by_script ? tt_cmd_script(op->rq->tag_keys[i], script, TT_COUNT(script))
                                  : tt_cmd_mark(op->rq->tag_keys[i], plain);
    op->phase = TT_WRITE_MARK;
    act->what = TT_DO_CACHE;
    act->batch = (tt_batch){op->cmds, n};
}

static void mark(tt_write_op *op, int64_t now_ns, tt_act *act)
{
    if (rule(op, TT_RULE_MARK_NONCE_PER_ATTEMPT))
        op->nonce = tt_nonce_new(op->core->rng);
    else
        memset(op->nonce.c, 'w', TT_NONCE_BYTES);
    op->version = tt_nonce_new(op->core->rng);
    op->marked = op->core->cfg.intent && rule(op, TT_RULE_INTENT);
    send_marks(op, false, now_ns, act);
}

static void after_acquire(tt_write_op *op, const tt_event *ev, int64_t now_ns, tt_act *act)
{
    if (ev->db != TT_DB_OK) {
        if (op->node >= 0 && ev->db != TT_DB_LOCAL && now_ns < op->rq->deadline_ns)
            tt_topology_failed(&op->core->topology, op->node, now_ns);
        if (ev->db == TT_DB_LOCAL || now_ns >= op->rq->deadline_ns)
            end(op, ev->code, act);
        else
            discover(op, ev->code, act);
        return;
    }
    TT_ASSERT(ev->identity.n <= TT_SOURCE_MAX);
    memset(op->server, 0, sizeof(op->server));
    memcpy(op->server, ev->identity.p, ev->identity.n);
    op->connection = ev->connection;
    op->term = op->core->topology.term;
    op->node = tt_topology_find(&op->core->topology, ev->identity);
    if (has_tags(op))
        mark(op, now_ns, act);
    else
        execute(op, false, act);
}

/* The cache cannot be reached, or refuses, before anything was written. */
static void cache_away(tt_write_op *op, const tt_answers *answers, int64_t now_ns, tt_act *act)
{
    bool late = now_ns >= op->rq->deadline_ns;

    if (!answers->ok && answers->unsent && !op->by_script)
        op->marked = false; /* no mark is anywhere */
    if (op->core->cfg.defer && !op->rq->commits_itself && !late) {
        execute(op, true, act);
        return;
    }
    if (op->marked)
        leave_repair(op, false, true);
    end(op, late ? TT_E_TIMEOUT : TT_E_CACHE_UNAVAILABLE, act);
}

/* Is our mark at every tag? One of a later protocol is not asked: it refuses the write anyway. */
static bool all_marked(const tt_write_op *op, const tt_answers *answers)
{
    tt_tag tag;

    for (int i = 1; i < answers->n; i++) {
        const tt_reply *r = &answers->replies[i];

        if (r->kind != TT_REPLY_TEXT)
            return false;
        if (tt_tag_parse(r->text, &tag) != TT_TAG_NEWER && rule(op, TT_RULE_MARK_SEEN) &&
            !tt_tag_has_mark(&tag, tt_nonce_str(&op->nonce)))
            return false;
    }
    return true;
}

/* Marks of others that are past their deadline: their writers are dead or stuck. */
static void queue_reaps(tt_write_op *op, const tt_answers *answers)
{
    uint64_t now_ms;
    tt_mark m;
    tt_tag tag;

    for (int i = 1; i < answers->n; i++) {
        if (tt_tag_parse_reply(answers->replies[i].text, &tag, &now_ms) == TT_TAG_NEWER)
            continue;
        if (!op->by_script)
            now_ms = answers->now_ms;
        while (tt_mark_next(&tag.marks, &m))
            if (m.deadline_ms < now_ms)
                tt_core_reap(op->core, op->rq->tag_keys[i - 1], &m);
    }
}

static void after_mark(tt_write_op *op, const tt_answers *answers, int64_t now_ns, tt_act *act)
{
    tt_core *c = op->core;
    tt_str name = TT_STR("");
    tt_nonce term = {{0}}; /* used with a name alone; compilers cannot see that */
    tt_tag tag;

    if (answers->ok && !op->by_script && !all_marked(op, answers)) {
        send_marks(op, true, now_ns, act);
        return;
    }
    if (!tt_tags_done(answers, 1) || answers->replies[0].kind == TT_REPLY_ERROR ||
        (answers->replies[0].kind == TT_REPLY_TEXT &&
         tt_tag_parse(answers->replies[0].text, &tag) == TT_TAG_NEWER)) {
        cache_away(op, answers, now_ns, act);
        return;
    }
    if (op->marked)
        note(op, TT_NOTE_MARKED);
    queue_reaps(op, answers);
    if (answers->replies[0].kind == TT_REPLY_TEXT &&
        tt_tag_parse(answers->replies[0].text, &tag) == TT_TAG_VALID &&
        tt_tag_of_epoch(&tag, answers->epoch)) {
        name = tag.barrier;
        memcpy(term.c, tag.version.p, TT_NONCE_BYTES);
    }
    if (tt_str_eq(name, tt_str_c(op->server)) && tt_topology_adopt(&c->topology, term, name)) {
        op->term = term;
        execute(op, false, act);
        return;
    }
    if (!rule(op, TT_RULE_TERM_BEFORE_WRITES)) {
        execute(op, false, act);
        return;
    }
    (void)now_ns;
    if (op->marked)
        withdraw(op, TT_WRITE_WITHDRAW_RETRY, act);
    else
        discover(op, TT_E_UNAVAILABLE, act);
}

/* ---- after the write ---------------------------------------------------------------------------
 */

/* Rows changed, nobody knows where: P. (Tests: the last position that somebody learned.) */
static void put_unknown(tt_write_op *op)
{
    const tt_proof *last = op->core->proofs.last;

    if (!rule(op, TT_RULE_UNKNOWN_POSITION_IS_P) && last && last->ok)
        tt_barrier_write(op->term, tt_buf_str(&last->highest), &op->position);
    else
        tt_buf_put_char(&op->position, 'P');
}

static void after_success(tt_write_op *op, const tt_event *ev, tt_act *act)
{
    tt_buf_clear(&op->position);
    if (ev->position.n)
        tt_barrier_write(op->term, ev->position, &op->position);
    else if (ev->rows_changed)
        put_unknown(op);
    if (op->deferring) {
        note(op, TT_NOTE_DEFERRED);
        op->invalidation = TT_INVALIDATION_DEFERRED;
        if (op->marked)
            leave_repair(op, false, false); /* some marks may be there: they go with the bumps */
        end(op, TT_OK, act);
        return;
    }
    if (!has_tags(op)) {
        end(op, TT_OK, act);
        return;
    }
    if (!ev->position.n && !ev->rows_changed) {
        if (op->marked)
            withdraw(op, TT_WRITE_WITHDRAW, act);
        else
            end(op, TT_OK, act);
        return;
    }
    bump(op, TT_WRITE_BUMP, act);
}

static void unknown(tt_write_op *op, tt_act *act)
{
    note(op, TT_NOTE_UNKNOWN);
    op->discard = true;
    op->code = TT_E_COMMIT_UNKNOWN;
    tt_buf_clear(&op->position);
    tt_buf_put_char(&op->position, 'P');
    if (!has_tags(op)) {
        end(op, TT_E_COMMIT_UNKNOWN, act);
        return;
    }
    if (!rule(op, TT_RULE_KILL_BEFORE_BUMP)) {
        bump(op, TT_WRITE_BUMP_UNKNOWN, act);
        return;
    }
    if (op->node < 0) {
        leave_repair(op, true, false);
        end(op, TT_E_COMMIT_UNKNOWN, act);
        return;
    }
    op->phase = TT_WRITE_KILL;
    act->what = TT_DO_KILL;
    act->node = op->node;
    act->identity = tt_str_c(op->server);
    act->connection = op->connection;
}

static void after_execute(tt_write_op *op, const tt_event *ev, tt_act *act)
{
    op->code = ev->code;
    switch (ev->db) {
    case TT_DB_OK:
        after_success(op, ev, act);
        return;
    case TT_DB_LOST:
        unknown(op, act);
        return;
    case TT_DB_DEMOTED:
        if (ev->rows_changed && !op->deferring)
            break; /* a procedure had done something before it met the read-only server */
        if (op->marked && !op->deferring)
            withdraw(op, TT_WRITE_WITHDRAW_RETRY, act);
        else
            discover(op, ev->code, act);
        return;
    case TT_DB_UNSENT:
    case TT_DB_REFUSED:
    case TT_DB_LOCAL:
        break;
    }
    /* What was refused may leave something behind all the same: a COMMIT what is not transactional,
     * a procedure what it did before it failed. */
    if ((op->rq->commit || ev->rows_changed) && has_tags(op) && !op->deferring &&
        (ev->db == TT_DB_REFUSED || ev->db == TT_DB_DEMOTED)) {
        tt_buf_clear(&op->position);
        tt_buf_put_char(&op->position, 'P');
        bump(op, TT_WRITE_WITHDRAW, act);
    } else if (op->marked && !op->deferring) {
        withdraw(op, TT_WRITE_WITHDRAW, act);
    } else {
        if (op->marked)
            leave_repair(op, false, true);
        end(op, ev->code, act);
    }
}

static void after_bump(tt_write_op *op, const tt_answers *answers, tt_act *act)
{
    if (tt_tags_done(answers, 0)) {
        note(op, TT_NOTE_INVALIDATED);
        op->invalidation = TT_INVALIDATION_DONE;
    } else {
        note(op, TT_NOTE_OUTSTANDING);
        op->invalidation = TT_INVALIDATION_OUTSTANDING;
        leave_repair(op, false, false);
    }
    end(op, TT_OK, act);
}

static void after_kill(tt_write_op *op, const tt_event *ev, tt_act *act)
{
    note(op, TT_NOTE_KILLED);
    if (ev->db == TT_DB_OK && ev->gone) {
        bump(op, TT_WRITE_BUMP_UNKNOWN, act);
        return;
    }
    leave_repair(op, true, false);
    end(op, TT_E_COMMIT_UNKNOWN, act);
}

/* ---- the machine -------------------------------------------------------------------------------
 */

void tt_write_step(tt_write_op *op, const tt_event *ev, int64_t now_ns, tt_act *act)
{
    memset(act, 0, sizeof(*act));
    switch (op->phase) {
    case TT_WRITE_BEGIN:
        if (op->core->topology.primary < 0 && !op->rq->commit)
            discover(op, TT_E_UNAVAILABLE, act);
        else
            acquire(op, act);
        break;
    case TT_WRITE_DISCOVER:
        if (!ev->ok || op->core->topology.primary < 0)
            end(op, TT_E_UNAVAILABLE, act);
        else
            acquire(op, act);
        break;
    case TT_WRITE_ACQUIRE:
        after_acquire(op, ev, now_ns, act);
        break;
    case TT_WRITE_MARK:
        after_mark(op, ev->cache, now_ns, act);
        break;
    case TT_WRITE_EXECUTE:
        after_execute(op, ev, act);
        break;
    case TT_WRITE_KILL:
        after_kill(op, ev, act);
        break;
    case TT_WRITE_BUMP:
        after_bump(op, ev->cache, act);
        break;
    case TT_WRITE_BUMP_UNKNOWN:
        if (!tt_tags_done(ev->cache, 0))
            leave_repair(op, false, false);
        end(op, TT_E_COMMIT_UNKNOWN, act);
        break;
    case TT_WRITE_WITHDRAW: /* or, with a position, the bump after a COMMIT that was refused */
        if (!tt_tags_done(ev->cache, 0))
            leave_repair(op, false, op->position.n == 0 && !op->position.failed);
        end(op, op->code, act);
        break;
    case TT_WRITE_WITHDRAW_RETRY:
        if (!tt_tags_done(ev->cache, 0))
            leave_repair(op, false, true);
        discover(op, TT_E_UNAVAILABLE, act);
        act->discard = op->discard;
        op->discard = op->discard && act->what == TT_DO_DONE; /* the next connection is another */
        break;
    case TT_WRITE_END:
        act->what = TT_DO_DONE;
        break;
    }
}
