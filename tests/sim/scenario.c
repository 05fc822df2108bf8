/* The world that a seed stands for: sizes, speeds, policies and faults; sessions and their work. */
#include "sim.h"

static int64_t between(sim *s, int64_t low, int64_t high)
{
    return low + (int64_t)(sim_random(s) % (uint64_t)(high - low + 1));
}

/* Half of the worlds lack a fault altogether, so that others stand out. */
static int rate(sim *s, int per_1000)
{
    int on = sim_below(s, 8);

    return on < 4 ? 0 : on == 7 ? 3 * per_1000 : on == 4 ? per_1000 / 3 + 1 : per_1000;
}

static void draw_sizes(sim *s)
{
    scenario *sc = &s->sc;

    sc->family = sim_chance(s, 500) ? TT_FAMILY_MYSQL : TT_FAMILY_MARIADB;
    sc->servers = 1 + sim_below(s, 3) + (sim_chance(s, 500) ? 1 : 0);
    sc->servers = TT_MIN(sc->servers, SERVERS_MAX);
    sc->procs = 1 + sim_below(s, 3);
    sc->sessions = 2 + sim_below(s, 4);
    sc->ops = 10 + sim_below(s, 30);
    sc->keys = 1 + sim_below(s, KEYS);
    for (int i = 0; i < KEYS; i++)
        sc->masks[i] = sim_chance(s, 400) ? 1 : 1 + sim_below(s, (1 << ROWS) - 1);
    sc->writes = 80 + sim_below(s, 350);
    sc->same_rows = 500;
    sc->cached = 900;
    sc->commits = 200;
    sc->eventual = 30;
}

static void draw_speeds(sim *s)
{
    scenario *sc = &s->sc;

    sc->run_ns = between(s, 60, 200) * MS;
    sc->delay_ns = between(s, 100, 600) * US;
    sc->lag_ns = between(s, 300, 8000) * US;
    sc->think_ns = between(s, 200, 4000) * US;
    sc->timeout_ns = between(s, 8, 16) * MS;
    sc->probe_ns = between(s, 3, 8) * MS;
    sc->stale_ns = 40 * MS;
    sc->engine_ns = sim_chance(s, 500) ? sc->delay_ns / 2 : between(s, 300, 4000) * US;
    sc->poll_ns = sim_chance(s, 600) ? between(s, 1500, 3000) * US : between(s, 5, 12) * MS;
    sc->grace_ns = 2 * sc->poll_ns + between(s, 2, 6) * MS;
    sc->mark_timeout_ms = between(s, 15, 40);
    sc->lease_ms = between(s, 5, 30);
    sc->tag_ttl_ms = sim_chance(s, 300) ? between(s, 10, 40) : 100000;
    sc->entry_ttl_ms = sim_chance(s, 200) ? between(s, 10, 40) : 100000;
    sc->replica_wait_ms = between(s, 0, 8);
    for (int i = 0; i < REDIS_MAX; i++)
        sc->skew_ms[i] = between(s, 0, 40);
    sc->slow = sim_chance(s, 500) ? 20 : 100;
}

static void draw_policies(sim *s)
{
    scenario *sc = &s->sc;

    sc->follow_ms = sim_chance(s, 700) ? 4 : 25;
    sc->primary_reads = sim_chance(s, 300) ? 1 + sim_below(s, 3) : 0;
    sc->intent = sim_chance(s, 900);
    sc->defer = sim_chance(s, 400);
    sc->spare_primary = sim_chance(s, 600);
    sc->sentinel = sim_chance(s, 500);
    sc->split = sim_chance(s, 300);
    sc->parallel_apply = sc->family == TT_FAMILY_MYSQL && sim_chance(s, 500);
    sc->gaps = sc->family == TT_FAMILY_MYSQL && sim_chance(s, 250);
}

static void draw_faults(sim *s)
{
    scenario *sc = &s->sc;

    sc->lost = rate(s, 8);
    sc->unknown_position = rate(s, 40);
    sc->crashes = rate(s, 5);
    sc->evictions = rate(s, 40);
    sc->flushes = rate(s, 2);
    sc->redis_restarts = rate(s, 6);
    sc->redis_failovers = rate(s, 10);
    sc->partitions = rate(s, 5);
    sc->db_failovers = rate(s, 12);
    sc->db_restarts = rate(s, 4);
    sc->stops = rate(s, 10);
    sc->locks = rate(s, 15);
    sc->planned = 300 + 300 * sim_below(s, 3);
    sc->lossy = 500;
}

/* What makes a mutant's violation likely: words joined by '+'. */
static void apply_word(scenario *sc, tt_str word)
{
    const struct {
        const char *word;
        int *field, value;
    } numbers[] = {
        {"one_row", &sc->masks[0], 1},
        {"two_rows", &sc->masks[0], 3},
        {"two_servers", &sc->servers, 2},
        {"replicas", &sc->servers, SERVERS_MAX},
        {"restarts", &sc->redis_restarts, 30},
        {"failovers", &sc->db_failovers, 60},
        {"crashes", &sc->crashes, 30},
        {"lost", &sc->lost, 40},
        {"locks", &sc->locks, 60},
        {"evictions", &sc->evictions, 400},
        {"partitions", &sc->partitions, 40},
        {"flushes", &sc->flushes, 60},
        {"uncached", &sc->cached, 300},
        {"always_cached", &sc->cached, 1000},
        {"one_process", &sc->procs, 1},
        {"planned", &sc->planned, 1000},
        {"crashed", &sc->planned, 0},
        {"lossy", &sc->lossy, 1000},
        {"switches", &sc->redis_failovers, 60},
        {"unknown", &sc->unknown_position, 300},
        {"many_writes", &sc->writes, 450},
        {"slow", &sc->slow, 200},
        {"late_follow", &sc->follow_ms, 40},
        {"soon_follow", &sc->follow_ms, 3},
        {"some_failovers", &sc->db_failovers, 30},
        {"eventual", &sc->eventual, 300},
    };
    const struct {
        const char *word;
        bool *field, value;
    } flags[] = {
        {"no_spare", &sc->spare_primary, false},
        {"spare", &sc->spare_primary, true},
        {"intent", &sc->intent, true},
        {"after_commit", &sc->intent, false},
        {"defer", &sc->defer, true},
        {"sentinel", &sc->sentinel, true},
        {"one_redis", &sc->sentinel, false},
        {"old_looks_open", &sc->old_looks_open, true},
        {"pendulum", &sc->pendulum, true},
        {"gaps", &sc->gaps, true},
        {"parallel", &sc->parallel_apply, true},
    };
    const struct {
        const char *word;
        int64_t *field, value;
    } times[] = {
        {"lagging", &sc->lag_ns, 6 * MS},        {"slow_polls", &sc->poll_ns, 12 * MS},
        {"slow_engine", &sc->engine_ns, 4 * MS}, {"slow_probes", &sc->probe_ns, 40 * MS},
        {"no_wait", &sc->replica_wait_ms, 0},    {"long_stale", &sc->stale_ns, 500 * MS},
        {"busy", &sc->think_ns, 300 * US},       {"heavy", &sc->heavy_ns, 7 * MS},
    };

    for (size_t i = 0; i < TT_COUNT(numbers); i++)
        if (tt_str_eq(word, tt_str_c(numbers[i].word)))
            *numbers[i].field = numbers[i].value;
    for (size_t i = 0; i < TT_COUNT(flags); i++)
        if (tt_str_eq(word, tt_str_c(flags[i].word)))
            *flags[i].field = flags[i].value;
    for (size_t i = 0; i < TT_COUNT(times); i++)
        if (tt_str_eq(word, tt_str_c(times[i].word)))
            *times[i].field = times[i].value;
    if (tt_str_eq(word, TT_STR("calm")))
        sc->lost = sc->crashes = sc->evictions = sc->flushes = sc->redis_restarts =
            sc->redis_failovers = sc->partitions = sc->db_failovers = sc->db_restarts = sc->stops =
                sc->locks = sc->unknown_position = 0;
    if (tt_str_eq(word, TT_STR("mysql")))
        sc->family = TT_FAMILY_MYSQL;
    if (tt_str_eq(word, TT_STR("mariadb")))
        sc->family = TT_FAMILY_MARIADB;
    if (tt_str_eq(word, TT_STR("hot"))) {
        sc->keys = 1;
        sc->think_ns = 500 * US;
        sc->ops = 22;
        sc->sessions = 5;
        sc->procs = 3;
        sc->writes = 300;
    }
}

static void apply_profile(scenario *sc, tt_str profile)
{
    while (profile.n)
        apply_word(sc, tt_str_cut(&profile, '+'));
    sc->grace_ns = TT_MAX(sc->grace_ns, 2 * sc->poll_ns + 2 * MS);
    if (sc->db_failovers)
        sc->servers = TT_MAX(sc->servers, 2);
    if (sc->old_looks_open)
        sc->redis_restarts = sc->lost = 0;
}

void scenario_draw(sim *s)
{
    draw_sizes(s);
    draw_speeds(s);
    draw_policies(s);
    draw_faults(s);
    if (s->broken.profile)
        apply_profile(&s->sc, tt_str_c(s->broken.profile));
    if (s->sc.family == TT_FAMILY_MARIADB)
        s->sc.parallel_apply = s->sc.gaps = false;
}

/* ---- sessions ----------------------------------------------------------------------------------
 */

static proc *any_living(sim *s)
{
    proc *living[PROCS_MAX];
    int n = 0;

    for (int i = 0; i < s->n_procs; i++)
        if (!s->procs[i]->dead)
            living[n++] = s->procs[i];
    return n ? living[sim_below(s, n)] : NULL;
}

static unsigned rows_to_write(sim *s)
{
    unsigned rows = (unsigned)s->sc.masks[sim_below(s, s->sc.keys)];
    unsigned one = 1U << sim_below(s, ROWS);

    if (!sim_chance(s, s->sc.same_rows))
        rows = one | (sim_chance(s, 300) ? 1U << sim_below(s, ROWS) : 0);
    else if (rows & one)
        rows = one;
    return rows;
}

/* The session's next call, on the process that it is at home: or another, with its token. */
void session_next(sim *s, void *what, uint64_t n)
{
    session *me = what;
    tt_read_mode mode = TT_READ_COHERENT;
    bool cached;

    (void)n;
    if (s->quiet || me->ops_left == 0 || me->current)
        return;
    if (!me->home || me->home->dead || sim_chance(s, 40)) {
        proc *before = me->home;

        me->home = any_living(s);
        if (!me->home) {
            sim_in(s, MS, session_next, me, 0);
            return;
        }
        if (before && before != me->home)
            sim_count(s, EV_SESSION_MOVED);
    }
    me->ops_left--;
    if (sim_chance(s, s->sc.writes)) {
        if (!drive_write(me->home, me, rows_to_write(s), sim_chance(s, s->sc.commits),
                         sim_chance(s, 40)))
            me->ops_left = 0;
        return;
    }
    cached = sim_chance(s, s->sc.cached);
    if (!cached && sim_chance(s, 400))
        mode = TT_READ_STRONG;
    else if (sim_chance(s, s->sc.eventual))
        mode = TT_READ_EVENTUAL;
    drive_read(me->home, me, sim_below(s, s->sc.keys), mode, cached);
}

static void setup_sessions(sim *s)
{
    for (int i = 0; i < SESSIONS_MAX; i++) {
        session *me = &s->sessions[i];

        me->s = s;
        me->id = i;
        me->seen = me->owed = tt_buf_init(&tt_allocator_libc);
        if (i >= s->sc.sessions)
            continue;
        me->ops_left = s->sc.ops;
        me->home = s->procs[i % s->sc.procs];
        sim_in(s, (s->sc.sentinel ? s->sc.grace_ns : 0) + sim_delay(s, 3 * MS), session_next, me,
               0);
    }
}

/* ---- processes come and go ---------------------------------------------------------------------
 */

static void abandon(sim *s, proc *p)
{
    for (int i = 0; i < SESSIONS_MAX; i++) {
        session *me = &s->sessions[i];

        if (!me->current || me->current->p != p)
            continue;
        me->current = NULL;
        sim_in(s, sim_delay(s, 2 * MS), session_next, me, 0);
    }
}

static void faults(sim *s, void *what, uint64_t n)
{
    (void)what;
    (void)n;
    if (s->quiet)
        return;
    redis_fault(s);
    server_fault(s);
    if (s->n_procs < PROCS_MAX - 1 && sim_chance(s, s->sc.crashes)) {
        proc *p = any_living(s);

        if (p) {
            proc_crash(s, p);
            abandon(s, p);
            proc_start(s);
            sim_count(s, EV_PROCESS_JOINED);
        }
    }
    sim_in(s, MS, faults, NULL, 0);
}

/* ---- the run -----------------------------------------------------------------------------------
 */

static bool idle(const sim *s)
{
    for (int i = 0; i < s->sc.sessions; i++)
        if (s->sessions[i].current || (!s->quiet && s->sessions[i].ops_left > 0))
            return false;
    return true;
}

/* What is still under way; NULL when nothing is. */
static const char *unrest(sim *s)
{
    if (s->db_moving || s->redis_moving)
        return "a change of primary";
    if (redis_has_marks(s))
        return "marks";
    if (!idle(s))
        return "a call";
    for (int i = 0; i < s->n_procs; i++)
        if (!s->procs[i]->dead && (s->procs[i]->core.n_repairs || s->procs[i]->repairing))
            return "repairs";
    for (int i = 0; i < s->n_conns; i++)
        if (s->conns[i].busy && s->conns[i].alive)
            return "a statement";
    return wset_empty(&s->servers[s->primary].deferred) ? NULL : "deferred bumps";
}

static bool run_until(sim *s, int64_t until)
{
    while (s->n_heap && s->heap[0].at <= until && !s->violation[0])
        sim_step(s);
    s->now = TT_MAX(s->now, until);
    return !s->violation[0];
}

/* Somebody reads everything, so that marks of the dead are met. */
static bool read_all(sim *s, proc *p, bool final)
{
    for (int k = 0; k < s->sc.keys; k++) {
        op *o = drive_read(p, NULL, k, TT_READ_COHERENT, true);

        o->final = final;
        for (int i = 0; i < 300 && !o->finished; i++)
            if (!run_until(s, s->now + MS))
                return false;
        if (!o->finished)
            sim_violation(s, "at the end: a read does not end");
    }
    return !s->violation[0];
}

/* Rows may have tags that no key reads. */
static void sweep_rest(sim *s)
{
    s->sc.keys = KEYS;
    s->sc.masks[0] = 1;
    s->sc.masks[1] = 2;
    s->sc.masks[2] = 4;
}

static bool settle_all(sim *s)
{
    scenario was = s->sc;
    proc *p;

    s->quiet = true;
    s->sc.lost = s->sc.slow = 0;
    redis_heal(s);
    server_heal(s);
    p = proc_start(s);
    if (!p)
        p = any_living(s);
    if (!run_until(s, s->now + 60 * MS))
        return false;
    for (int i = 0; i < 60; i++) {
        if (!unrest(s)) {
            s->sc.keys = was.keys;
            memcpy(s->sc.masks, was.masks, sizeof(was.masks));
            return read_all(s, p, true);
        }
        sweep_rest(s);
        if (!read_all(s, p, false) || !run_until(s, s->now + 10 * MS))
            return false;
    }
    sim_violation(s, "at the end: still under way: %s", unrest(s));
    return false;
}

bool scenario_run(sim *s)
{
    scenario_draw(s);
    redis_setup(s);
    server_setup(s);
    for (int i = 0; i < s->sc.procs; i++)
        proc_start(s);
    setup_sessions(s);
    sim_in(s, 2 * MS, faults, NULL, 0);
    while (!idle(s) && s->now < s->sc.run_ns)
        if (!run_until(s, s->now + MS))
            return false;
    return settle_all(s);
}
