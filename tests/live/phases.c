/* phases.c: the faults, one after the other, and what is done in each. */
#include "live/live.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { TICK_MS = 50, PAUSE_MS_MAX = 20000 };

/* True once, when the time has come. */
static bool due(int64_t elapsed_ms, int at_ms, int *done, int bit)
{
    if (elapsed_ms < at_ms || (*done >> bit & 1))
        return false;
    *done |= 1 << bit;
    return true;
}

static int done; /* of the phase that runs */
static live *running;

static void saw(live_fault what, uint64_t n)
{
    atomic_fetch_add(&running->faults[atomic_load(&running->phase)][what], n);
}

/* ---- replicas ----------------------------------------------------------------------------------
 */

static void lag_one(void)
{
    faults_servers("lag replica1 2");
}

static void lag_both(void)
{
    faults_servers("lag replica1 2");
    faults_servers("lag replica2 1");
}

void lag_none(void)
{
    faults_servers("lag replica1 0");
    faults_servers("lag replica2 0");
}

static void stop_applying(void)
{
    lag_one();
    faults_servers("sql-stop replica2");
}

static void go_on_applying(void)
{
    lag_none();
    faults_servers("sql-start replica2");
}

static void replica_dies(int64_t ms)
{
    if (due(ms, 400, &done, 0)) {
        faults_servers("stop replica2 --signal KILL");
        saw(FAULT_DIED, 1);
    }
    if (due(ms, 1600, &done, 1))
        faults_servers("start replica2");
}

static void watch_lag(int64_t ms)
{
    if (due(ms, 1200, &done, 5))
        saw(FAULT_BEHIND, faults_all_behind());
    if (due(ms, 2200, &done, 6))
        saw(FAULT_BEHIND, faults_all_behind());
}

/* ---- Redis -------------------------------------------------------------------------------------
 */

static void flush(int64_t ms)
{
    static int64_t flushed, cut;

    if (ms < flushed) /* another phase */
        flushed = cut = 0;
    if (ms - flushed >= 6 * TICK_MS) {
        flushed = ms;
        saw(FAULT_FLUSHED, faults_redis("FLUSHALL"));
    }
    if (ms - cut >= 8 * TICK_MS) {
        cut = ms;
        saw(FAULT_CUT, faults_redis_number("CLIENT KILL TYPE normal") > 0);
    }
    watch_lag(ms);
}

static char run_id[48];

static void remember_redis(void)
{
    faults_run_id(run_id);
}

static void see_restart(void)
{
    char before[sizeof(run_id)];

    memcpy(before, run_id, sizeof(before));
    faults_run_id(run_id);
    saw(FAULT_RESTARTED, run_id[0] && before[0] && strcmp(run_id, before) != 0);
}

static void redis_dies(int64_t ms)
{
    if (due(ms, 400, &done, 0)) {
        faults_servers("stop redis --signal KILL");
        faults_servers("start redis");
        see_restart();
    }
    if (due(ms, 1800, &done, 1))
        faults_servers("stop redis --signal KILL");
    if (due(ms, 2600, &done, 2)) {
        faults_servers("start redis");
        see_restart();
    }
}

static long long evicted;

static void begin_evicting(void)
{
    evicted = faults_info("evicted_keys");
}

static void evict(int64_t ms)
{
    faults_squeeze(ms % 1000 < 2 * TICK_MS ? 64 : 0);
}

static void end_evicting(void)
{
    long long now = faults_info("evicted_keys");

    if (evicted >= 0 && now > evicted)
        saw(FAULT_EVICTED, (uint64_t)(now - evicted));
    faults_unsqueeze();
}

static void freeze(int64_t ms)
{
    if (due(ms, 400, &done, 0)) {
        faults_servers("stop redis --signal STOP");
        saw(FAULT_MUTE, faults_is_mute());
    }
    if (due(ms, 1400, &done, 1))
        faults_servers("start redis");
    if (ms > 2000 && ms / TICK_MS % 8 == 0) {
        faults_servers("stop redis --signal STOP");
        saw(FAULT_MUTE, faults_is_mute());
    }
    if (ms > 2000 && ms / TICK_MS % 8 == 4)
        faults_servers("start redis");
}

static void thaw(void)
{
    faults_servers("start redis");
}

/* It answers, but takes nothing more; at first on and off, so that a write's marks are taken and
 * its bumps are not. */
static void fill_up(int64_t ms)
{
    if (due(ms, 300, &done, 0))
        (void)faults_redis("CONFIG SET maxmemory-policy noeviction");
    for (int i = 0; ms > 300 && ms < 1800 && i < 8; i++) {
        (void)faults_redis("CONFIG SET maxmemory %s", i % 2 ? "64mb" : "1");
        live_sleep_ms(4);
    }
    if (due(ms, 1800, &done, 1)) {
        (void)faults_redis("CONFIG SET maxmemory 1");
        saw(FAULT_FULL, faults_is_full());
    }
    if (due(ms, 3000, &done, 2))
        faults_unsqueeze();
}

static void make_room(void)
{
    faults_unsqueeze();
    lag_none();
}

/* ---- the primary -------------------------------------------------------------------------------
 */

/* It counts when the server was read-only before, and is writable after. */
static void change_primary(const char *name)
{
    bool was = faults_is_current(name);

    faults_servers("promote %s", name);
    saw(FAULT_PROMOTED, !was && faults_is_current(name));
}

static void promote(int64_t ms)
{
    if (due(ms, 500, &done, 0)) {
        change_primary("replica1");
    }
    if (due(ms, 3000, &done, 1)) {
        change_primary("primary");
    }
}

static void primary_dies(int64_t ms)
{
    if (due(ms, 600, &done, 0)) {
        faults_servers("stop primary --signal KILL");
        saw(FAULT_DIED, 1);
        faults_servers("start primary");
    }
}

/* The primary is gone for good, and another takes its place. Nothing may be lost by that here:
 * what is written must have arrived before. */
static void quiet(void)
{
    int64_t until = live_now_ns() + (int64_t)PAUSE_MS_MAX * 1000000;

    atomic_store(&running->victims_pause_ms, 0);
    atomic_store(&running->write_share, 0);
    live_sleep_ms(20);
    while (live_now_ns() < until &&
           (atomic_load(&running->writing) > 0 || !atomic_load(&running->killer_paused)))
        live_sleep_ms(5);
    faults_await("replica1");
}

static void primary_lost(int64_t ms)
{
    if (due(ms, 1000, &done, 0)) {
        int share = atomic_load(&running->write_share);

        quiet();
        faults_servers("stop primary --signal KILL");
        saw(FAULT_DIED, 1);
        change_primary("replica1");
        atomic_store(&running->write_share, share);
    }
    if (due(ms, 3000, &done, 1))
        faults_servers("start primary");
    if (due(ms, 4500, &done, 2)) {
        change_primary("primary");
    }
}

/* ---- mutants -----------------------------------------------------------------------------------
 */

static void lose_tags(int64_t ms)
{
    if (ms / TICK_MS % 2 == 0)
        faults_delete_tags("c:*[02468]");
}

static void old_dump(int64_t ms)
{
    if (due(ms, 600, &done, 0))
        (void)faults_redis("SAVE");
    if (due(ms, 1500, &done, 1)) {
        faults_servers("stop redis --signal KILL");
        faults_servers("start redis");
    }
}

static void stutter(int64_t ms)
{
    if (ms / TICK_MS % 20 == 4)
        faults_servers("stop redis --signal STOP");
    if (ms / TICK_MS % 20 == 12)
        faults_servers("start redis");
}

#define NEED(metric, n)                                                                            \
    {                                                                                              \
        METRIC_##metric, n                                                                         \
    }
#define DONE(fault, n)                                                                             \
    {                                                                                              \
        NEED_FAULT + FAULT_##fault, n                                                              \
    }
#define NOTHING                                                                                    \
    {                                                                                              \
        {                                                                                          \
            0, 0                                                                                   \
        }                                                                                          \
    }

/* clang-format off */
static const live_phase table[] = {
    /* name, ms, pause between victims, begin, tick, heal, end, calm, late, needs */
    {"no fault", 3000, 400, NULL, NULL, NULL, NULL, true, false, {NEED(HIT, 500), NEED(FILL, 200)}},
    {"replica lags 2 s", 3000, 400, lag_one, NULL, NULL, NULL, true, false,
     {NEED(BARRIER_WAIT, 50), NEED(FILL_REPLICA, 50)}},
    {"both lag", 3000, 400, lag_both, watch_lag, NULL, NULL, true, true,
     {DONE(BEHIND, 1), NEED(BARRIER_WAIT, 50), NEED(FILL_REPLICA, 50)}},
    {"applying stopped", 3000, 400, stop_applying, watch_lag, NULL, go_on_applying, true, true,
     {DONE(BEHIND, 1), NEED(BARRIER_WAIT, 50), NEED(FILL_REPLICA, 50)}},
    {"flushes, clients cut", 3000, 400, lag_both, flush, NULL, NULL, false, true,
     {DONE(BEHIND, 1), DONE(FLUSHED, 5), DONE(CUT, 3), NEED(READ_P, 50), NEED(FILL_REPLICA, 20)}},
    {"Redis killed", 4000, 400, remember_redis, redis_dies, NULL, NULL, false, false,
     {DONE(RESTARTED, 2), NEED(UNREADABLE, 50)}},
    {"Redis evicts", 3000, 400, begin_evicting, evict, end_evicting, NULL, false, false,
     {DONE(EVICTED, 50), NEED(READ_P, 50)}},
    {"Redis frozen", 4000, 400, NULL, freeze, thaw, make_room, false, false,
     {DONE(MUTE, 2), NEED(UNREADABLE, 20)}},
    {"Redis full", 4000, 400, NULL, fill_up, faults_unsqueeze, NULL, false, false,
     {DONE(FULL, 1), NEED(OUTSTANDING, 1), NEED(DEFERRED, 1), NEED(DRAINED, 1)}},
    {"writers killed", 7000, 20, lag_one, NULL, NULL, lag_none, true, false,
     {DONE(BLOCKED_DIED, 1), NEED(REAPED, 10), NEED(KILLED, 10), NEED(MARKED, 100)}},
    {"promotions", 6000, 400, NULL, promote, NULL, NULL, false, false,
     {DONE(PROMOTED, 2), NEED(DISCOVERED, 2)}},
    {"replica killed", 3500, 400, NULL, replica_dies, NULL, NULL, true, false,
     {DONE(DIED, 1), NEED(FILL_REPLICA, 50)}},
    {"primary killed", 4500, 400, NULL, primary_dies, NULL, NULL, false, false,
     {DONE(DIED, 1), NEED(DISCOVERED, 1)}},
    {"primary replaced", 6000, 100, NULL, primary_lost, NULL, NULL, false, false,
     {DONE(DIED, 1), DONE(PROMOTED, 2), NEED(DISCOVERED, 2)}},
    {"no fault again", 3000, 0, NULL, NULL, NULL, NULL, true, false, {NEED(HIT, 500)}},
    /* those below belong to mutants; `phases` does not count them */
    {"tags lost under lag", 5000, 0, lag_both, lose_tags, NULL, lag_none, false, true, NOTHING},
    {"old dump", 3500, 0, NULL, old_dump, NULL, NULL, false, false, NOTHING},
    {"Redis stutters", 6000, 0, lag_both, stutter, thaw, lag_none, false, true, NOTHING},
    {"writers killed quickly", 4500, 10, NULL, NULL, NULL, NULL, false, false, NOTHING},
    {"flushes under lag", 5000, 0, lag_both, flush, NULL, lag_none, false, true, NOTHING},
};
/* clang-format on */

const live_phase *phases(int *n)
{
    for (*n = 0; strcmp(table[*n].name, "tags lost under lag") != 0; ++*n)
        ;
    return table;
}

const live_phase *phase_named(const char *name)
{
    for (size_t i = 0; i < TT_COUNT(table); i++)
        if (strcmp(table[i].name, name) == 0)
            return &table[i];
    (void)fprintf(stderr, "live: no phase '%s'\n", name);
    exit(2);
}

/* ---- running -----------------------------------------------------------------------------------
 */

static pid_t workers[PROCESSES], killer;

void start_processes(live *l)
{
    atomic_store(&l->mode, MODE_PAUSE);
    for (int i = 0; i < PROCESSES; i++)
        workers[i] = worker_fork(l, i);
    killer = killer_fork(l);
}

/* A worker that crashed has found a defect. */
static void expect_alive(live *l)
{
    for (int i = 0; i < PROCESSES; i++) {
        int status;

        if (workers[i] <= 0 || waitpid(workers[i], &status, WNOHANG) != workers[i])
            continue;
        (void)fprintf(stderr, "live: worker %d ended with status %d\n", i, status);
        atomic_fetch_add(&live_count(l)->violations, 1);
        faults_down();
        exit(EXIT_FAILURE);
    }
}

static void pause_all(live *l)
{
    int64_t until = live_now_ns() + (int64_t)PAUSE_MS_MAX * 1000000;
    bool all = false;

    atomic_store(&l->mode, MODE_PAUSE);
    for (int i = 0; i < PROCESSES; i++)
        atomic_store(&l->paused[i], 0);
    atomic_store(&l->killer_paused, 0);
    while (!all && live_now_ns() < until) {
        live_sleep_ms(5);
        expect_alive(l);
        all = atomic_load(&l->killer_paused);
        for (int i = 0; i < PROCESSES; i++)
            all = all && atomic_load(&l->paused[i]);
    }
    if (all)
        return;
    (void)fprintf(stderr, "live: a call has not returned for %d s\n", PAUSE_MS_MAX / 1000);
    atomic_fetch_add(&live_count(l)->violations, 1);
    if (getenv("LIVE_HOLD"))
        (void)pause();
    exit(EXIT_FAILURE);
}

void stop_processes(live *l)
{
    atomic_store(&l->mode, MODE_QUIT);
    for (int i = 0; i < PROCESSES; i++) {
        int status = -1;

        (void)waitpid(workers[i], &status, 0);
        if (status == 0)
            continue;
        (void)fprintf(stderr, "live: worker %d ended with status %d\n", i, status);
        atomic_fetch_add(&live_count(l)->violations, 1);
    }
    (void)waitpid(killer, NULL, 0);
}

void run_phase(live *l, const live_phase *p, int index, bool stop_at_violation)
{
    int64_t start, elapsed_ms = 0;

    done = 0;
    running = l;
    atomic_store(&l->phase, index);
    if (p->begin)
        p->begin();
    atomic_store(&l->victims_pause_ms, p->victims_pause_ms);
    atomic_store(&l->mode, MODE_RUN);
    start = live_now_ns();
    while (elapsed_ms < p->ms) {
        live_sleep_ms(TICK_MS);
        elapsed_ms = (live_now_ns() - start) / 1000000;
        if (p->tick)
            p->tick(elapsed_ms);
        expect_alive(l);
        if (stop_at_violation && history_violations(l))
            break;
    }
    if (p->heal)
        p->heal();
    pause_all(l);
    if (!stop_at_violation || !history_violations(l))
        audit(l);
    if (p->end)
        p->end();
}
