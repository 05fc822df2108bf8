/* What befalls Redis: evictions, restarts, failovers, clients that are cut off. */
#include "sim.h"

/* ---- faults ------------------------------------------------------------------------------------
 */

static void come_back(sim *s, void *what, uint64_t i)
{
    rnode *r = &s->redis[i];
    int kind = sim_below(s, 4);

    (void)what;
    r->up = true;
    redis_fresh_id(s, r->run_id);
    /* Some releases keep the replication id over a restart, with the data of the last snapshot. */
    if (kind == 0)
        redis_fresh_id(s, r->replid);
    if (kind == 1)
        r->data.n = 0;
    else if (kind != 3)
        r->data = r->saved;
    redis_note_lost_marks(s, (int)i);
    sim_count(s, EV_REDIS_RESTARTED);
    sim_trace(s, "redis%d  is back (%s)", (int)i,
              kind == 3   ? "nothing lost"
              : kind == 1 ? "empty"
                          : "of its last snapshot");
}

static void go_down(sim *s, int i)
{
    s->redis[i].up = false;
    s->redis[i].clients++;
    s->redis_losses++;
    sim_trace(s, "redis%d  is down", i);
}

static void evict(sim *s)
{
    rnode *r = &s->redis[sim_below(s, s->n_redis)];
    int tried = 0;

    for (; r->data.n && tried < 8; tried++) {
        int i = sim_below(s, r->data.n);

        if (!r->data.keys[i].expires_ms &&
            !(sim_broken(s, MUT_MARK_EVICTED) && r->data.keys[i].name[0] == 'g'))
            continue;
        if (r->data.keys[i].name[0] == 'g' && sim_chance(s, 100)) {
            redis_spoil(s, r, i);
            return;
        }
        if (r->data.keys[i].name[0] == 'g')
            sim_count(s, EV_TAG_EVICTED);
        sim_trace(s, "redis%d  evicts %s", (int)(r - s->redis), r->data.keys[i].name);
        redis_delete_at(&r->data, i);
        return;
    }
}

static void demote(sim *s, void *what, uint64_t n)
{
    uint64_t i = n % REDIS_MAX;
    rnode *r = &s->redis[i];

    (void)what;
    if (n / REDIS_MAX != (uint64_t)s->redis_failovers)
        return;
    if (!r->up || !r->master || !s->redis[1 - i].up) {
        sim_in(s, 5 * MS, demote, NULL, n);
        return;
    }
    r->master = false;
    r->source = 1 - (int)i;
    if (!sim_broken(s, MUT_DEMOTION_KEEPS_CLIENTS)) {
        r->clients++;
        memcpy(r->replid, s->redis[1 - i].replid, TT_NONCE_BYTES);
    }
    s->redis_moving = false;
    sim_count(s, EV_REDIS_DEMOTED);
    sim_trace(s, "redis%d  is demoted", (int)i);
}

/* n: the failover, the sentinel, the node. A sentinel's view moves in one direction. */
static void sentinel_learns(sim *s, void *what, uint64_t n)
{
    int sentinel = (int)(n / 8 % 8), failover = (int)(n / 64);

    (void)what;
    if (failover < s->sentinel_epoch[sentinel])
        return;
    s->sentinel_epoch[sentinel] = failover;
    s->sentinel_view[sentinel] = (int)(n % 8);
}

static void promote(sim *s, void *what, uint64_t i)
{
    rnode *r = &s->redis[i], *old = &s->redis[1 - i];
    bool first = true;
    int64_t back = sim_below(s, sim_chance(s, 300) ? 80 : 25) * MS;

    (void)what;
    if (!r->up) {
        s->redis_moving = false;
        return;
    }
    r->master = true;
    r->source = -1;
    redis_fresh_id(s, r->replid);
    s->redis_losses++;
    redis_note_lost_marks(s, (int)i);
    sim_count(s, EV_REDIS_FAILOVER);
    sim_trace(s, "redis%d  is promoted", (int)i);
    s->redis_failovers++;
    for (int k = 0; k < SENTINELS; k++) {
        int sentinel = (k + (int)(s->seed % SENTINELS)) % SENTINELS;

        sim_in(s, first ? 0 : sim_delay(s, 3 * MS), sentinel_learns, NULL,
               (uint64_t)s->redis_failovers * 64 + (uint64_t)sentinel * 8 + i);
        first = false;
    }
    if (old->up)
        sim_count(s, EV_REDIS_TWO_MASTERS);
    else
        sim_in(s, back, come_back, NULL, 1 - i);
    sim_in(s, back + sim_below(s, 10) * MS, demote, NULL,
           (uint64_t)s->redis_failovers * REDIS_MAX + (1 - i));
}

static void failover(sim *s)
{
    int master = s->redis[0].master ? 0 : 1;

    if (s->redis_moving || !s->redis[1 - master].up || s->redis[1 - master].master)
        return;
    s->redis_moving = true;
    if (sim_chance(s, 500))
        go_down(s, master); /* otherwise only the sentinels cannot reach it */
    sim_in(s, sim_below(s, 5) * MS, promote, NULL, (uint64_t)(1 - master));
}

static void healed(sim *s, void *what, uint64_t n)
{
    (void)what;
    s->procs[n]->partitioned = s->procs[n]->unconfirmed = false;
}

void redis_partition(sim *s, void *what, uint64_t n)
{
    (void)what;
    if (s->sc.sentinel && sim_chance(s, 500)) {
        s->procs[n]->unconfirmed = true;
        sim_count(s, EV_SENTINELS_CUT_OFF);
    } else {
        s->procs[n]->partitioned = true;
        sim_count(s, EV_PARTITION);
    }
    sim_trace(s, "p%d      is cut off from %s", (int)n,
              s->procs[n]->partitioned ? "redis" : "the sentinels");
    sim_in(s, (1 + sim_below(s, 50)) * MS, healed, NULL, n);
}

/* Called once a millisecond while there are faults. */
void redis_fault(sim *s)
{
    const scenario *sc = &s->sc;

    if (sim_chance(s, sc->evictions))
        evict(s);
    if (sim_chance(s, sc->flushes)) {
        for (int i = 0; i < s->n_redis; i++)
            s->redis[i].data.n = 0;
        s->redis_losses++;
        redis_note_lost_marks(s, 0);
        sim_count(s, EV_REDIS_FLUSHED);
        sim_trace(s, "redis   is flushed");
    }
    if (!sc->sentinel && s->redis[0].up && sim_chance(s, sc->redis_restarts)) {
        go_down(s, 0);
        sim_in(s, (1 + sim_below(s, 8)) * MS, come_back, NULL, 0);
    }
    if (sc->sentinel && sim_chance(s, sc->redis_failovers))
        failover(s);
    if (sim_chance(s, sc->partitions)) {
        int n = sim_below(s, s->n_procs);

        if (!s->procs[n]->partitioned && !s->procs[n]->unconfirmed)
            redis_partition(s, NULL, (uint64_t)n);
    }
}

void redis_heal(sim *s)
{
    for (int i = 0; i < s->n_procs; i++)
        s->procs[i]->partitioned = s->procs[i]->unconfirmed = false;
}
