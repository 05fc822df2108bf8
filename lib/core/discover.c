#include "core/discover.h"

enum { ROUNDS_MAX = 4 };

/* The term of clients without a cache: nobody else's, so that it never changes hands. */
static const tt_nonce no_term = {
    {'-', '-', '-', '-', '-', '-', '-', '-', '-', '-', '-', '-', '-', '-', '-', '-'}};

bool tt_discover_wanted(const tt_topology *t)
{
    const tt_node *primary = t->primary >= 0 ? &t->nodes[t->primary] : NULL;

    if (!primary)
        return true;
    if (primary->answers)
        return !primary->writable;
    for (int i = 0; i < t->n; i++)
        if (i != t->primary && t->nodes[i].answers && t->nodes[i].writable)
            return true;
    return false; /* it is away, and so far nobody has taken its place */
}

void tt_discover_init(tt_discover_op *op, tt_core *core)
{
    memset(op, 0, sizeof(*op));
    op->core = core;
}

static void end(tt_discover_op *op, bool ok, tt_act *act)
{
    op->ok = ok;
    op->phase = TT_DISCOVER_END;
    act->what = TT_DO_DONE;
}

static void sample(tt_discover_op *op, tt_act *act)
{
    op->phase = TT_DISCOVER_SAMPLE;
    act->what = TT_DO_SAMPLE;
}

static void cache_cmd(tt_discover_op *op, tt_discover_phase phase, const tt_str *args, int n_args,
                      tt_act *act)
{
    op->cmds[0] = tt_cmd_script(op->core->cfg.term_key, args, n_args);
    op->phase = phase;
    act->what = TT_DO_CACHE;
    act->batch = (tt_batch){op->cmds, 1};
}

static void open_term(tt_discover_op *op, tt_act *act)
{
    tt_str args[] = {TT_STR("open"), tt_nonce_str(&op->fresh), TT_STR("?"), TT_STR("0")};

    if (op->rounds++ >= ROUNDS_MAX) {
        end(op, false, act);
        return;
    }
    op->fresh = tt_nonce_new(op->core->rng);
    cache_cmd(op, TT_DISCOVER_TERM, args, TT_COUNT(args), act);
}

/* Read the term out of a reply; false when it is not ours to read. */
static bool take_term(tt_discover_op *op, const tt_answers *answers)
{
    const tt_reply *r = &answers->replies[0];
    uint64_t now_ms;
    tt_tag tag;

    if (!answers->ok || r->kind != TT_REPLY_TEXT ||
        tt_tag_parse_reply(r->text, &tag, &now_ms) != TT_TAG_VALID ||
        !tt_tag_of_epoch(&tag, answers->epoch))
        return false;
    memcpy(op->term.c, tag.version.p, TT_NONCE_BYTES);
    memset(op->name, 0, sizeof(op->name));
    if (!tt_str_eq(tag.barrier, TT_STR("?")) && tag.barrier.n <= TT_SOURCE_MAX)
        memcpy(op->name, tag.barrier.p, tag.barrier.n);
    return true;
}

static void adopt(tt_discover_op *op, tt_act *act)
{
    tt_nonce term = op->core->cfg.cache ? op->term : no_term;

    /* Without the cache the belief is renewed, but no term vouches for it. */
    if (op->core->cfg.cache && !op->term_known)
        memset(term.c, '?', sizeof(term.c));
    end(op, tt_topology_adopt(&op->core->topology, term, tt_str_c(op->found)), act);
}

/* The one writable node; of several the one that the term names. */
static bool find_writable(tt_discover_op *op, const tt_event *ev)
{
    int writable = 0;

    memset(op->found, 0, sizeof(op->found));
    for (int i = 0; i < ev->n_samples; i++) {
        const tt_sample *s = &ev->sample[i];

        if (s->identity.n == 0 || s->identity.n > TT_SOURCE_MAX || s->read_only)
            continue;
        if (writable++ == 0 || tt_str_eq(s->identity, tt_str_c(op->name))) {
            memset(op->found, 0, sizeof(op->found));
            memcpy(op->found, s->identity.p, s->identity.n);
        }
    }
    op->several = writable > 1;
    return writable == 1 || (writable > 1 && op->name[0] && strcmp(op->found, op->name) == 0);
}

static void after_sample(tt_discover_op *op, const tt_event *ev, int64_t now_ns, tt_act *act)
{
    tt_topology *t = &op->core->topology;

    TT_ASSERT(ev->n_samples == t->n);
    for (int i = 0; i < ev->n_samples; i++)
        if (ev->sample[i].identity.n == 0 || tt_topology_sampled(t, i, &ev->sample[i], now_ns) != 0)
            tt_topology_failed(t, i, now_ns);
    if (!find_writable(op, ev)) {
        end(op, false, act);
        return;
    }
    if (op->term_known && (op->renew || strcmp(op->name, op->found) != 0)) {
        tt_str args[] = {TT_STR("name"), tt_nonce_str(&op->term), tt_nonce_str(&op->fresh),
                         tt_str_c(op->found)};

        op->fresh = tt_nonce_new(op->core->rng);
        cache_cmd(op, TT_DISCOVER_NAME, args, TT_COUNT(args), act);
        return;
    }
    adopt(op, act);
}

void tt_discover_step(tt_discover_op *op, const tt_event *ev, int64_t now_ns, tt_act *act)
{
    memset(act, 0, sizeof(*act));
    switch (op->phase) {
    case TT_DISCOVER_BEGIN:
        if (op->core->cfg.cache)
            open_term(op, act);
        else
            sample(op, act);
        break;
    case TT_DISCOVER_TERM:
        op->term_known = take_term(op, ev->cache);
        sample(op, act);
        break;
    case TT_DISCOVER_SAMPLE:
        after_sample(op, ev, now_ns, act);
        break;
    case TT_DISCOVER_NAME:
        if (take_term(op, ev->cache) && strcmp(op->name, op->found) == 0 &&
            (!op->renew || memcmp(op->term.c, op->fresh.c, TT_NONCE_BYTES) == 0)) {
            op->changed = true;
            adopt(op, act);
        } else if (ev->cache->ok) {
            open_term(op, act);
        } else {
            end(op, false, act);
        }
        break;
    case TT_DISCOVER_END:
        act->what = TT_DO_DONE;
        break;
    }
}
