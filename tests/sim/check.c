/* What may never happen. A row shows the set of the writes applied to it, so "not older than" is
 * "contains", which stays right where replicas apply out of order and histories part. */
#include "sim.h"

/* Writes that a change of primary lost are owed to nobody. */
void check_lost(sim *s, int winner)
{
    for (int i = 0; i < s->n_writes; i++) {
        wrote *w = &s->writes[i];
        bool kept = false;

        if (!w->committed || w->lost)
            continue;
        for (int r = 0; r < ROWS; r++)
            kept |= (w->rows >> r & 1) && wset_has(&s->servers[winner].rows[r], i);
        w->lost = !kept;
        if (w->lost) {
            sim_count(s, EV_WRITE_LOST_IN_FAILOVER);
            sim_trace(s, "write %d is lost", i);
        }
    }
}

static bool contents(const op *o, wset rows[ROWS])
{
    const tt_read_op *r = &o->u.read;
    tt_str payload;

    if (!r->is_hit) {
        memcpy(rows, ((const result *)r->result)->rows, sizeof(wset) * ROWS);
        return true;
    }
    payload = r->hit.payload;
    if (payload.n != sizeof(wset) * ROWS)
        return false;
    memcpy(rows, payload.p, payload.n);
    return true;
}

static bool shows(const wset rows[ROWS], unsigned mask, const wrote *w, int i)
{
    for (int r = 0; r < ROWS; r++)
        if ((mask & w->rows) >> r & 1 && !wset_has(&rows[r], i))
            return false;
    return true;
}

static int who_id(const op *o)
{
    return o->who ? o->who->id : -1;
}

typedef enum claim { NOTHING, OWN, COVERED, PROMISED } claim;

/* What the read owes to a write that was reported before the read began. */
static claim claim_of(const op *o, const wrote *w)
{
    const sim *s = o->p->s;
    bool served_from_cache = o->u.read.is_hit || o->u.read.is_joined;
    bool g = (o->rq.cached || o->rq.mode == TT_READ_STRONG) &&
             (!s->sc.old_looks_open || served_from_cache);

    if (!(w->rows & o->mask) || w->lost || w->no_change || !w->success ||
        w->done_ns >= o->started_ns)
        return NOTHING;
    if (g && w->done)
        return PROMISED;
    /* Its marks stand as long as nothing of Redis was lost. */
    if (g && w->invalidation == TT_INVALIDATION_OUTSTANDING && s->sc.intent &&
        !sim_broken(s, MUT_MARK_EVICTED) && !(s->broken.rules & TT_RULE_BIT(TT_RULE_INTENT)) &&
        s->redis_losses == w->redis_losses)
        return COVERED;
    return o->who && w->who == o->who && !s->sc.old_looks_open ? OWN : NOTHING;
}

static const char *const claim_names[] = {"", "own write", "outstanding write", "G"};

/* G, what marks cover, and the session's own writes. */
void check_read(op *o)
{
    static const world_event events[] = {EV_COUNT, EV_READ_OWN_CHECKED, EV_READ_COVERED_CHECKED,
                                         EV_READ_CHECKED};
    sim *s = o->p->s;
    const tt_read_op *r = &o->u.read;
    wset rows[ROWS];

    if (r->code != 0) {
        sim_count(s, EV_READ_FAILED);
        sim_trace(s, "p%d s%d   read fails (%d)", o->p->id, who_id(o), r->code);
        return;
    }
    sim_trace(s, "p%d s%d   read of rows %x: %s", o->p->id, who_id(o), o->mask, r->why);
    if (!contents(o, rows)) {
        sim_violation(s, "a hit whose payload is not one");
        return;
    }
    for (int i = 0; i < s->n_writes && o->rq.mode != TT_READ_EVENTUAL; i++) {
        const wrote *w = &s->writes[i];
        claim c = claim_of(o, w);

        if (c == NOTHING)
            continue;
        sim_count(s, events[c]);
        if (!shows(rows, o->mask, w, i))
            sim_violation(s,
                          "%s: a read of rows %x begun at %.3f ms (session %d, process %d, %s) "
                          "lacks write %d of rows %x, reported at %.3f ms%s",
                          claim_names[c], o->mask, (double)o->started_ns / (double)MS, who_id(o),
                          o->p->id, r->why ? r->why : "unproven", i, w->rows,
                          (double)w->done_ns / (double)MS,
                          w->invalidation == TT_INVALIDATION_DEFERRED ? " (deferred)" : "");
    }
}

/* A write whose process died before its bumps were acknowledged, and whose marks a fault took (or
 * the policy after_commit never made): a documented limit (docs/protocol.md). */
static bool is_excluded(const sim *s, const wrote *w)
{
    return w->by->dead && !w->done && (!s->sc.intent || w->mark_lost);
}

/* All is quiet: every read equals the primary's rows. */
void check_final(op *o)
{
    sim *s = o->p->s;
    const tt_read_op *r = &o->u.read;
    const server *v = &s->servers[s->primary];
    wset rows[ROWS];

    if (r->code != 0) {
        sim_violation(s, "at the end: a read fails with %d", r->code);
        return;
    }
    if (r->is_hit)
        sim_count(s, EV_FINAL_HIT);
    sim_count(s, EV_FINAL_CHECKED);
    if (!contents(o, rows)) {
        sim_violation(s, "a hit whose payload is not one");
        return;
    }
    for (int i = 0; i < s->n_writes; i++)
        for (int k = 0; k < ROWS; k++) {
            bool have, want;

            if (!(o->mask >> k & 1))
                continue;
            have = wset_has(&rows[k], i);
            want = wset_has(&v->rows[k], i);
            if (want && !have && is_excluded(s, &s->writes[i])) {
                sim_count(s, EV_EXCLUDED_DEAD_WRITER);
                continue;
            }
            if (have != want)
                sim_violation(s, "at the end: a read of rows %x (%s) %s write %d%s", o->mask,
                              r->why, have ? "shows" : "lacks", i,
                              s->writes[i].lost ? ", which a failover lost" : "");
        }
}
