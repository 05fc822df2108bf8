/* victims.c: writers that are killed. Each dies by its own hand at a chosen step of a write, where
 * neither it nor its client can do anything more, or at any moment by that of the killer. */
#include "live/live.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "drv/cache.h"
#include "drv/db.h"
#include "svc/client.h"

enum { LIFE_MS_MAX = 3000, LOCK_MS = MARK_TIMEOUT_MS + 1200, LOCK_EVERY_MS = 5000 };

/* Of a victim: one to a process. */
static struct {
    live *l;
    live_step step;
    bool commit; /* it dies in a transaction's commit */
    atomic_bool armed;
    uint64_t random;
    tt_cache inner;
    tt_db_driver driver;
} victim;

static void die(void)
{
    atomic_fetch_add(&victim.l->deaths[victim.step][victim.commit], 1);
    if (victim.step == STEP_BLOCKED)
        atomic_fetch_add(&victim.l->faults[atomic_load(&victim.l->phase)][FAULT_BLOCKED_DIED], 1);
    (void)kill(getpid(), SIGKILL);
    for (;;)
        (void)pause();
}

static void nap_us(int us)
{
    (void)nanosleep(&(struct timespec){0, us * 1000L}, NULL);
}

/* Of the last command. */
static bool is_mark(const tt_batch *batch)
{
    return batch->cmds[batch->n - 1].kind == TT_CMD_MARK;
}

static bool is_bump(const tt_batch *batch)
{
    const tt_cmd *last = &batch->cmds[batch->n - 1];

    return last->kind == TT_CMD_SCRIPT && tt_str_eq(last->args[0], TT_STR("bump"));
}

/* ---- the seams ---------------------------------------------------------------------------------
 */

static int cache_call(void *ctx, const tt_batch *batch, int64_t deadline_ns, tt_answers *out)
{
    bool armed = atomic_load(&victim.armed);
    bool mark = armed && is_mark(batch), bump = armed && is_bump(batch);
    int rc;

    (void)ctx;
    if ((mark && victim.step == STEP_BEFORE_MARK) || (bump && victim.step == STEP_AFTER_STATEMENT))
        die();
    if ((mark && victim.step == STEP_MARK_SENT) || (bump && victim.step == STEP_BUMP_SENT)) {
        (void)victim.inner.post(victim.inner.ctx, batch, NULL, NULL);
        nap_us((int)(tt_splitmix64(&victim.random) % 300));
        die();
    }
    rc = victim.inner.call(victim.inner.ctx, batch, deadline_ns, out);
    if ((mark && victim.step == STEP_AFTER_MARK) || (bump && victim.step == STEP_AFTER_BUMP))
        die();
    return rc;
}

static int cache_post(void *ctx, const tt_batch *batch, tt_cache_done *done, void *done_ctx)
{
    (void)ctx;
    return victim.inner.post(victim.inner.ctx, batch, done, done_ctx);
}

static void *executioner(void *ctx)
{
    (void)ctx;
    if (victim.step == STEP_BLOCKED)
        live_sleep_ms(60);
    else
        nap_us((int)(tt_splitmix64(&victim.random) % 600));
    die();
    return NULL;
}

static void before_statement(void)
{
    pthread_t thread;

    if (atomic_load(&victim.armed) &&
        (victim.step == STEP_IN_STATEMENT || victim.step == STEP_BLOCKED))
        (void)pthread_create(&thread, NULL, executioner, NULL);
}

static tt_db_status db_write(tt_db_conn *c, tt_str sql, const tt_value *params, size_t n,
                             tt_db_effect *effect, tt_error *err)
{
    tt_db_status status;

    if (!victim.commit)
        before_statement();
    status = tt_db_driver_linked.write(c, sql, params, n, effect, err);
    if (!victim.commit && atomic_load(&victim.armed) && victim.step == STEP_IN_STATEMENT)
        live_sleep_ms(5);
    return status;
}

static tt_db_status db_command(tt_db_conn *c, const char *sql, tt_db_effect *effect, tt_error *err)
{
    tt_db_status status;
    bool commit = strcmp(sql, "COMMIT") == 0;

    if (commit)
        before_statement();
    status = tt_db_driver_linked.command(c, sql, effect, err);
    if (commit && atomic_load(&victim.armed) && victim.step == STEP_IN_STATEMENT)
        live_sleep_ms(5);
    return status;
}

/* ---- processes ---------------------------------------------------------------------------------
 */

static void victim_main(live *l, int slot, live_step step)
{
    live_actor a;
    int writes, base = LIVING + slot * GROUP;

    (void)alarm(LIFE_MS_MAX / 1000 + 1);
    victim.driver = tt_db_driver_linked;
    victim.driver.write = db_write;
    victim.driver.command = db_command;
    victim.l = l;
    victim.step = step;
    actor_init(&a, l, live_open(l, PROCESSES + slot, &victim.driver, 1), PROCESSES + slot, 0);
    victim.random = a.random;
    victim.inner = a.client->cache;
    a.client->cache = (tt_cache){cache_call, cache_post, NULL, NULL, NULL};
    victim.commit = step != STEP_BLOCKED && live_random(&a, 3) == 0;
    writes = step == STEP_ANYWHERE ? 1 << 20 : step == STEP_BLOCKED ? 1 : 1 + live_random(&a, 3);
    for (int i = 1; i <= writes; i++) {
        atomic_store(&victim.armed, i == writes);
        if (victim.commit)
            write_pair(&a, LIVING_PAIRS + slot * 2 + live_random(&a, 2));
        else
            write_counter(&a, step == STEP_BLOCKED ? BLOCKED : base + live_random(&a, GROUP - 1));
    }
    (void)kill(getpid(), SIGKILL); /* the step was not reached: the servers were away */
}

/* Hold the lock of the blocked row for longer than marks last. */
static void locker_main(live *l)
{
    tt_write_options o = TT_WRITE_OPTIONS_INIT;
    tt_value id = tt_int(BLOCKED);
    live_actor a;

    (void)alarm(LOCK_MS / 1000 + 5);
    actor_init(&a, l, live_open(l, PROCESSES + VICTIMS, NULL, 1), PROCESSES + VICTIMS, 0);
    o.flags = TT_WRITE_NO_TAGS;
    if (tt_begin(a.session, NULL, NULL) == 0 &&
        tt_query_write(a.client, a.session, "UPDATE counters SET h = h + 1 WHERE id = ?", &id, 1,
                       &o, NULL, NULL) == 0) {
        live_sleep_ms(LOCK_MS);
        (void)tt_rollback(a.session, NULL);
    }
    actor_free(&a);
    tt_client_close(a.client);
}

/* A lock that is held for seconds only where dying is what the phase is about. */
static bool wants_step(const live *l, live_step step)
{
    if (l->setup.only_step >= 0)
        return l->setup.only_step == (int)step;
    return step != STEP_BLOCKED || atomic_load(&l->victims_pause_ms) < 50;
}

/* One victim after the other, until there shall be none. */
typedef struct slot {
    pid_t pid, locker;
    int64_t born_ns, next_ns, life_ns, locked_ns;
    int step, index;
} slot;

static void bear(live *l, slot *s, uint64_t *random, int64_t now)
{
    if (s->index != 0 && l->setup.only_step == STEP_BLOCKED)
        return;
    do
        s->step = (s->step + 1) % STEP_COUNT;
    while (!wants_step(l, (live_step)s->step) || (s->step == STEP_BLOCKED && s->index != 0));
    if (s->step == STEP_BLOCKED) {
        /* One at a time, and what it leaves behind is not mended by the next. */
        if (s->locker > 0 ||
            (s->locked_ns && now - s->locked_ns < LOCK_EVERY_MS * INT64_C(1000000)))
            return;
        s->locked_ns = now;
        s->locker = live_fork();
        if (s->locker == 0) {
            locker_main(l);
            exit(EXIT_SUCCESS);
        }
        live_sleep_ms(250); /* it has the lock, or the victim is an ordinary one */
    }
    s->born_ns = now;
    s->life_ns = s->step == STEP_ANYWHERE ? (int64_t)(60 + tt_splitmix64(random) % 120) * 1000000
                                          : (int64_t)LIFE_MS_MAX * 1000000;
    s->pid = live_fork();
    if (s->pid == 0) {
        victim_main(l, s->index, (live_step)s->step);
        _exit(EXIT_FAILURE);
    }
}

static void tend(live *l, slot *s, uint64_t *random, int pause_ms)
{
    int64_t now = live_now_ns();

    if (s->locker > 0 && waitpid(s->locker, NULL, WNOHANG) == s->locker)
        s->locker = 0;
    if (s->pid > 0) {
        if (now - s->born_ns > s->life_ns) {
            (void)kill(s->pid, SIGKILL);
            if (s->step == STEP_ANYWHERE)
                atomic_fetch_add(&l->deaths[STEP_ANYWHERE][0], 1);
            (void)waitpid(s->pid, NULL, 0);
            s->pid = 0;
        } else if (waitpid(s->pid, NULL, WNOHANG) == s->pid) {
            s->pid = 0;
        }
        s->next_ns = now + (int64_t)pause_ms * 1000000;
    } else if (pause_ms > 0 && now >= s->next_ns) {
        bear(l, s, random, now);
    }
}

static void killer_main(live *l)
{
    slot slots[VICTIMS] = {{.index = 0}};
    uint64_t random = (uint64_t)live_now_ns();

    for (int i = 0; i < VICTIMS; i++)
        slots[i] = (slot){.index = i, .step = i * STEP_COUNT / VICTIMS};
    while (atomic_load(&l->mode) != MODE_QUIT) {
        int pause_ms = atomic_load(&l->mode) == MODE_RUN ? atomic_load(&l->victims_pause_ms) : 0;
        bool idle = pause_ms == 0;

        for (int i = 0; i < VICTIMS; i++) {
            tend(l, &slots[i], &random, pause_ms);
            idle = idle && slots[i].pid == 0 && slots[i].locker == 0;
        }
        atomic_store(&l->killer_paused, idle);
        live_sleep_ms(3);
    }
}

pid_t killer_fork(live *l)
{
    pid_t pid = live_fork();

    if (pid != 0)
        return pid;
    killer_main(l);
    exit(EXIT_SUCCESS);
}
