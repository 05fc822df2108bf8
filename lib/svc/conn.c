#include "svc/conn.h"

#include "base/err.h"

#define ABORTED INT64_C(-1)

enum { WORD_WOKEN = 2 };

int tt_watch_init(tt_watch *w, const tt_db_driver *driver, const tt_clock *clock)
{
    tt_list_init(&w->conns);
    w->driver = driver;
    w->clock = clock;
    atomic_init(&w->sleeps_until_ns, 0);
    atomic_init(&w->word, TT_PARK_WAITING);
    atomic_init(&w->bench, 0);
    atomic_init(&w->done, false);
    return pthread_mutex_init(&w->mu, NULL) == 0 ? 0 : TT_E_NOMEM;
}

void tt_watch_free(tt_watch *w)
{
    pthread_mutex_destroy(&w->mu);
}

/* Abort what is late. Returns when to look again: the earliest deadline, or INT64_MAX. */
static int64_t tick(tt_watch *w, int64_t now_ns)
{
    int64_t next = INT64_MAX;

    pthread_mutex_lock(&w->mu);
    for (tt_link *l = w->conns.next; l != &w->conns; l = l->next) {
        tt_conn *c = TT_CONTAINER(l, tt_conn, watched);
        int64_t deadline = atomic_load(&c->deadline_ns);

        if (deadline <= 0)
            continue;
        if (deadline > now_ns)
            next = TT_MIN(next, deadline);
        else if (atomic_compare_exchange_strong(&c->deadline_ns, &deadline, ABORTED))
            w->driver->abort(c->db);
    }
    pthread_mutex_unlock(&w->mu);
    return next;
}

static void wake(tt_watch *w)
{
    uint32_t bits = 0;

    tt_park_end(&w->word, WORD_WOKEN, 1, &bits);
    tt_bench_wake(&w->bench, bits);
}

void tt_watch_run(tt_watch *w)
{
    for (;;) {
        int64_t asked, next, now_ns;

        atomic_store(&w->word, TT_PARK_WAITING);
        if (atomic_load(&w->done))
            return;
        asked = atomic_load(&w->sleeps_until_ns);
        now_ns = tt_now_ns(w->clock);
        next = tick(w, now_ns);
        /* Calls end long before their deadlines, and the next one's is later: who begins it shall
         * not have to wake this thread. */
        if (next == INT64_MAX && asked > now_ns)
            next = asked;
        if (!atomic_compare_exchange_strong(&w->sleeps_until_ns, &asked, next))
            continue; /* an earlier one has come */
        /* A deadline that was set before that store was not compared with it: look once more. */
        now_ns = tt_now_ns(w->clock);
        if (tick(w, now_ns) >= next && next > now_ns)
            (void)tt_park(&w->bench, &w->word, 1, next == INT64_MAX ? -1 : next - now_ns);
    }
}

void tt_watch_stop(tt_watch *w)
{
    atomic_store(&w->done, true);
    wake(w);
}

void tt_watch_forked(tt_watch *w)
{
    /* The watchdog may have held it in the parent; here there is no other thread. */
    (void)pthread_mutex_init(&w->mu, NULL);
}

/* Log in, and from then on under watch. */
static tt_db_status connect_until(const tt_allocator *a, tt_watch *w, const tt_db_target *target,
                                  int64_t until_ns, tt_conn *c, tt_error *err)
{
    tt_db_target t = *target;
    tt_db_status status;

    t.connect_timeout_ms = tt_until_ms(tt_now_ns(w->clock), until_ns);
    if (t.connect_timeout_ms == 0)
        return TT_DB_UNSENT;
    status = w->driver->connect(a, &t, &c->db, err);
    if (status != TT_DB_OK)
        return status;
    c->watch = w;
    pthread_mutex_lock(&w->mu);
    tt_list_append(&w->conns, &c->watched);
    pthread_mutex_unlock(&w->mu);
    tt_conn_begin(c, until_ns);
    status = w->driver->ready(c->db, err);
    if (!tt_conn_end(c) && status == TT_DB_OK)
        status = TT_DB_UNSENT;
    if (status != TT_DB_OK)
        tt_conn_shut(c);
    return status;
}

tt_db_status tt_conn_open(const tt_allocator *a, tt_watch *w, const tt_db_target *target,
                          int64_t deadline_ns, tt_conn **out, tt_error *err)
{
    int64_t limit_ns = tt_now_ns(w->clock) + target->connect_timeout_ms * TT_NS_PER_MS;
    tt_conn *c = tt_new(a, sizeof(*c));
    tt_db_status status;

    if (!c) {
        (void)tt_fail_nomem(err);
        return TT_DB_LOCAL;
    }
    status = connect_until(a, w, target, TT_MIN(deadline_ns, limit_ns), c, err);
    if (status == TT_DB_OK) {
        *out = c;
        return TT_DB_OK;
    }
    tt_conn_free(a, c);
    if (tt_now_ns(w->clock) < TT_MIN(deadline_ns, limit_ns) || status == TT_DB_LOCAL)
        return status;
    if (limit_ns <= deadline_ns) {
        (void)tt_fail(err, TT_E_UNAVAILABLE, "no answer within database.connect_timeout");
        return TT_DB_UNSENT;
    }
    (void)tt_fail(err, TT_E_TIMEOUT, "the deadline passed while a connection was being made");
    return TT_DB_LOCAL;
}

void tt_conn_shut(tt_conn *c)
{
    pthread_mutex_lock(&c->watch->mu);
    tt_list_remove(&c->watched);
    pthread_mutex_unlock(&c->watch->mu);
    c->watch->driver->close(c->db);
}

void tt_conn_free(const tt_allocator *a, tt_conn *c)
{
    tt_del(a, c);
}

void tt_conn_close(const tt_allocator *a, tt_conn *c)
{
    if (!c)
        return;
    tt_conn_shut(c);
    tt_conn_free(a, c);
}

void tt_conn_begin(tt_conn *c, int64_t deadline_ns)
{
    int64_t until_ns;

    atomic_store(&c->deadline_ns, deadline_ns > 0 ? deadline_ns : 1);
    until_ns = atomic_load(&c->watch->sleeps_until_ns);
    /* One of those who see the same wakes. */
    if (deadline_ns < until_ns &&
        atomic_compare_exchange_strong(&c->watch->sleeps_until_ns, &until_ns, deadline_ns))
        wake(c->watch);
}

bool tt_conn_end(tt_conn *c)
{
    if (atomic_exchange(&c->deadline_ns, 0) == ABORTED)
        c->aborted = true;
    return !c->aborted;
}

bool tt_conn_broken(const tt_conn *c)
{
    return c->aborted || c->watch->driver->broken(c->db);
}

bool tt_conn_usable(const tt_conn *c)
{
    return !c->aborted && c->watch->driver->usable(c->db);
}
