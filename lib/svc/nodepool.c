#include "svc/nodepool.h"

#include "base/err.h"

struct waiter {
    tt_link link;
    pthread_cond_t cond;
    tt_conn *given;
    bool may_open;
};

struct tt_nodepool {
    const tt_allocator *a;
    const tt_clock *clock;
    tt_watch *watch;
    const tt_db_target *target;
    tt_nodepool_options o;
    pthread_mutex_t mu;
    tt_link idle, waiters;
    tt_nodepool_counts counts;
};

int tt_nodepool_new(const tt_allocator *a, const tt_clock *clock, tt_watch *watch,
                    const tt_db_target *target, const tt_nodepool_options *options,
                    tt_nodepool **out)
{
    tt_nodepool *p = tt_new(a, sizeof(*p));

    if (!p)
        return TT_E_NOMEM;
    p->a = a;
    p->clock = clock;
    p->watch = watch;
    p->target = target;
    p->o = *options;
    tt_list_init(&p->idle);
    tt_list_init(&p->waiters);
    pthread_mutex_init(&p->mu, NULL);
    *out = p;
    return 0;
}

void tt_nodepool_free(tt_nodepool *p, bool forked)
{
    tt_link *l;

    if (!p)
        return;
    while (!forked && (l = tt_list_pop(&p->idle)) != NULL)
        tt_conn_close(p->a, TT_CONTAINER(l, tt_conn, pooled));
    pthread_mutex_destroy(&p->mu);
    tt_del(p->a, p);
}

static tt_db_status open_one(tt_nodepool *p, tt_conn **out, tt_error *err)
{
    tt_db_status s = tt_conn_open(p->a, p->watch, p->target, out, err);

    if (s != TT_DB_OK) {
        pthread_mutex_lock(&p->mu);
        p->counts.open--;
        pthread_mutex_unlock(&p->mu);
    }
    return s;
}

tt_db_status tt_nodepool_acquire(tt_nodepool *p, int64_t deadline_ns, tt_conn **out, tt_error *err)
{
    int64_t until = TT_MIN(deadline_ns, tt_now_ns(p->clock) + p->o.wait_timeout_ms * TT_NS_PER_MS);
    tt_link *l;

    for (;;) {
        pthread_mutex_lock(&p->mu);
        l = p->idle.prev;
        if (l != &p->idle) {
            tt_conn *c = TT_CONTAINER(l, tt_conn, pooled);

            tt_list_remove(l);
            pthread_mutex_unlock(&p->mu);
            if (tt_conn_usable(c)) {
                *out = c;
                return TT_DB_OK;
            }
            pthread_mutex_lock(&p->mu);
            p->counts.open--;
            pthread_mutex_unlock(&p->mu);
            tt_conn_close(p->a, c);
            continue;
        }
        if (p->counts.open < p->o.max) {
            p->counts.open++;
            pthread_mutex_unlock(&p->mu);
            return open_one(p, out, err);
        }
        pthread_mutex_unlock(&p->mu);
        if (tt_now_ns(p->clock) >= until) {
            (void)tt_fail(err, TT_E_BUSY, "all %d connections are in use", p->o.max);
            return TT_DB_LOCAL;
        }
        struct timespec t = {0, 200000};
        nanosleep(&t, NULL);
    }
}

void tt_nodepool_release(tt_nodepool *p, tt_conn *c)
{
    tt_error ignored;

    if (tt_conn_usable(c) && p->watch->driver->dirty(c->db) &&
        p->watch->driver->reset(c->db, &ignored) != TT_DB_OK)
        c->aborted = true;
    pthread_mutex_lock(&p->mu);
    if (!tt_conn_usable(c)) {
        p->counts.open--;
        pthread_mutex_unlock(&p->mu);
        tt_conn_close(p->a, c);
        return;
    }
    tt_list_append(&p->idle, &c->pooled);
    pthread_mutex_unlock(&p->mu);
}

void tt_nodepool_evict(tt_nodepool *p)
{
    (void)p;
}

void tt_nodepool_tend(tt_nodepool *p)
{
    (void)p;
}

tt_nodepool_counts tt_nodepool_count(tt_nodepool *p)
{
    return p->counts;
}
