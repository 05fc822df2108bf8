#include "core/store.h"

#include "core/store_verb.h"

/* ---- making and freeing ------------------------------------------------------------------------
 */

static void init_queue(tt_store_queue *q)
{
    tt_list_init(&q->list);
    q->hand = &q->list;
}

void tt_store_init(tt_store *s, const tt_allocator *a, tt_epoch epoch, size_t max_bytes)
{
    memset(s, 0, sizeof(*s));
    s->a = a;
    s->epoch = epoch;
    s->max_bytes = max_bytes;
    init_queue(&s->entries);
    init_queue(&s->tags);
    s->text = tt_buf_init(a);
    s->points = tt_buf_init(a);
}

void tt_store_free(tt_store *s)
{
    tt_store_clear(s);
    tt_buf_free(&s->text);
    tt_buf_free(&s->points);
}

/* ---- what the verbs share ----------------------------------------------------------------------
 */

static tt_store_outcome reserve(tt_buf *out, size_t bytes)
{
    if (tt_buf_reserve(out, bytes))
        return TT_STORE_DONE;
    out->failed = false;
    return TT_STORE_NOMEM;
}

tt_store_outcome tt_store_say(tt_store_call *c, tt_str text)
{
    tt_store_outcome rc = reserve(c->out, text.n);

    if (rc != TT_STORE_DONE)
        return rc;
    if (c->node && text.p == c->found.p)
        c->node->visited = true;
    tt_buf_put_str(c->out, text);
    return TT_STORE_DONE;
}

/* As Redis reads an integer: no sign (it would be refused later), no leading zero, 63 bits; and the
 * end must fit them too. */
static bool read_ttl(const tt_str *ttl, uint64_t now_ms, uint64_t *expires_ms)
{
    uint64_t ms;

    *expires_ms = 0;
    if (!ttl)
        return true;
    if (ttl->n == 0 || ttl->p[0] == '0' || !tt_str_u64(*ttl, &ms) || ms > INT64_MAX - now_ms)
        return false;
    *expires_ms = now_ms + ms;
    return true;
}

static tt_store_outcome put(tt_store_call *c, tt_str value, const tt_str *ttl)
{
    tt_store *s = c->s;
    uint64_t expires_ms;
    tt_store_outcome rc;

    if (!read_ttl(ttl, s->now_ms, &expires_ms))
        return TT_STORE_REFUSED;
    rc = tt_store_put(s, c->node, c->cmd->key, value, expires_ms);
    if (rc == TT_STORE_DONE)
        c->changed = true;
    return rc;
}

tt_store_outcome tt_store_set(tt_store_call *c, tt_str value, const tt_str *ttl, tt_str answer)
{
    tt_store_outcome rc = reserve(c->out, answer.n);

    if (rc == TT_STORE_DONE)
        rc = put(c, value, ttl);
    if (rc == TT_STORE_DONE)
        tt_buf_put_str(c->out, answer);
    return rc;
}

/* ---- leases and entries ------------------------------------------------------------------------
 */

static bool is_lease_for(tt_str found, tt_str stamp)
{
    tt_str token, rest;

    if (!tt_str_has_prefix(found, TT_STR("L1 ")))
        return false;
    rest = tt_store_after(found, 3);
    token = tt_store_word(rest);
    if (token.n == 0 || token.n == rest.n || rest.p[token.n] != ' ')
        return false;
    return tt_str_eq(tt_store_after(rest, token.n + 1), stamp);
}

static bool is_entry_for(tt_str found, tt_str stamp)
{
    return tt_str_has_prefix(found, TT_STR("E1 ")) &&
           tt_str_has_prefix(tt_store_after(found, 3), stamp);
}

static bool is_leased_by(tt_str found, tt_str token)
{
    tt_str rest;

    if (!tt_str_has_prefix(found, TT_STR("L1 ")))
        return false;
    rest = tt_store_after(found, 3);
    return tt_str_has_prefix(rest, token) && rest.n > token.n && rest.p[token.n] == ' ';
}

/* token, stamp, budget_ms */
static tt_store_outcome lease(tt_store_call *c)
{
    tt_str token = c->cmd->args[1], stamp = c->cmd->args[2];
    tt_buf *mine = &c->s->text;

    if (stamp.n && (is_lease_for(c->found, stamp) || is_entry_for(c->found, stamp)))
        return tt_store_say(c, c->found);
    tt_buf_puts(mine, "L1 ");
    tt_buf_put_str(mine, token);
    tt_buf_put_char(mine, ' ');
    tt_buf_put_str(mine, stamp);
    if (mine->failed)
        return TT_STORE_NOMEM;
    return tt_store_set(c, tt_buf_str(mine), &c->cmd->args[3], tt_buf_str(mine));
}

/* token, entry, ttl_ms */
static tt_store_outcome store(tt_store_call *c)
{
    if (!is_leased_by(c->found, c->cmd->args[1])) /* rule LEASE_OWN */
        return tt_store_say(c, TT_STR("lost"));
    return tt_store_set(c, c->cmd->args[2], &c->cmd->args[3], TT_STR("stored"));
}

/* token */
static tt_store_outcome release(tt_store_call *c)
{
    tt_store_outcome rc = reserve(c->out, sizeof("released"));

    if (rc != TT_STORE_DONE)
        return rc;
    if (is_leased_by(c->found, c->cmd->args[1])) {
        tt_store_drop(c->s, c->node);
        c->node = NULL;
        c->changed = true;
    }
    return tt_store_say(c, TT_STR("released"));
}

tt_store_outcome tt_store_verb(tt_store_call *c)
{
    static const struct {
        const char *verb;
        int n_args;
        tt_store_outcome (*run)(tt_store_call *);
    } verbs[] = {{"lease", 4, lease}, {"store", 4, store}, {"release", 2, release}};

    for (size_t i = 0; i < TT_COUNT(verbs); i++)
        if (tt_str_eq(c->cmd->args[0], tt_str_c(verbs[i].verb)))
            return c->cmd->n_args < verbs[i].n_args ? TT_STORE_REFUSED : verbs[i].run(c);
    return tt_store_tag_verb(c);
}

/* ---- batches -----------------------------------------------------------------------------------
 */

static tt_store_outcome answer(tt_store_call *c, tt_reply *reply)
{
    tt_store *s = c->s;
    size_t start = c->out->n;
    tt_store_outcome rc;

    tt_buf_clear(&s->text);
    if (c->cmd->kind != TT_CMD_GET)
        tt_store_sweep(s);
    c->node = tt_store_find(s, c->cmd->key);
    c->found = c->node ? tt_store_value(c->node) : tt_str_n(NULL, 0);
    if (c->cmd->kind == TT_CMD_GET && !c->node) {
        *reply = (tt_reply){TT_REPLY_NIL, {NULL, 0}};
        return TT_STORE_DONE;
    }
    rc = c->cmd->kind == TT_CMD_GET    ? tt_store_say(c, c->found)
         : c->cmd->n_args < 1          ? TT_STORE_REFUSED
         : c->cmd->kind == TT_CMD_MARK ? tt_store_mark(c)
                                       : tt_store_verb(c);
    if (rc == TT_STORE_DONE) {
        reply->kind = TT_REPLY_TEXT;
        reply->text = tt_str_n(NULL, c->out->n - start);
    } else {
        reply->kind = TT_REPLY_ERROR;
        reply->text = rc == TT_STORE_NOMEM ? TT_STR("OOM out of memory")
                                           : TT_STR("ERR refused: not valid, or no room for it");
    }
    return rc;
}

/* Texts are placed when all are there, since the buffer moves while it grows. */
static void place(const tt_batch *batch, tt_answers *out)
{
    const char *at = out->bytes.p;

    for (int kind = TT_CMD_GET; kind <= TT_CMD_SCRIPT; kind++) {
        for (int i = 0; i < batch->n; i++) {
            tt_reply *reply = &out->replies[i];

            if ((int)batch->cmds[i].kind != kind || reply->kind != TT_REPLY_TEXT)
                continue;
            reply->text.p = at;
            at += reply->text.n;
        }
    }
}

/* False when memory is out and nothing has been changed so far. */
static bool answer_all(const tt_store_door *door, const tt_batch *batch, uint64_t now_ms,
                       tt_answers *out)
{
    bool changed = false;

    for (int kind = TT_CMD_GET; kind <= TT_CMD_SCRIPT; kind++) {
        for (int i = 0; i < batch->n; i++) {
            const tt_cmd *cmd = &batch->cmds[i];
            tt_store_call call = {.cmd = cmd, .out = &out->bytes};
            tt_store_outcome rc;

            if ((int)cmd->kind != kind)
                continue;
            call.s = door->enter(door->ctx, cmd->key);
            call.s->now_ms = TT_MAX(now_ms, call.s->now_ms);
            rc = answer(&call, &out->replies[i]);
            door->leave(door->ctx, call.s);
            changed |= call.changed;
            if (rc == TT_STORE_NOMEM && !changed)
                return false;
        }
    }
    return true;
}

void tt_store_run(const tt_store_door *door, const tt_batch *batch, uint64_t now_ms,
                  tt_answers *out)
{
    TT_ASSERT(batch->n >= 0 && batch->n <= TT_BATCH_MAX);
    tt_buf_clear(&out->bytes);
    out->epoch = door->epoch;
    out->now_ms = now_ms;
    out->ok = answer_all(door, batch, now_ms, out);
    out->n = out->ok ? batch->n : 0;
    if (out->ok)
        place(batch, out);
}
