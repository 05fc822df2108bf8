#include "svc/queue.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include "base/err.h"

struct tt_queue {
    /* immutable */
    tt_client *c;
    int depth;
    int fd;
    int n_workers;
    pthread_t *workers;

    pthread_mutex_t mu;
    /* guarded by mu */
    pthread_cond_t work; /* something waits, or the queue was halted */
    tt_link waiting;
    tt_link done;
    bool readable; /* the descriptor is: as long as `done` is not empty, and until it was seen so */
    bool halted;

    /* atomic, changed under mu */
    atomic_size_t pending; /* reserved, waiting, with a worker, done */
};

/* ---- one job -----------------------------------------------------------------------------------
 */

static void fail(tt_job *j, int code, const char *why)
{
    j->code = tt_fail(&j->err, code, "%s", why);
    if (j->session && j->session->tx == TT_TX_OPEN)
        (void)tt_session_failed(j->session, code);
}

/* The time that a call may take counts from its submission. */
static void expire(tt_job *j)
{
    fail(j, TT_E_TIMEOUT, "the deadline passed before a worker of the queue was free");
    if (j->kind == TT_JOB_COMMIT)
        tt_run_rollback(j->session);
}

static void run(tt_job *j)
{
    int64_t left_ns = j->deadline_ns - tt_client_now(j->c), left_ms;

    if (left_ns <= 0 && j->kind != TT_JOB_ROLLBACK) {
        expire(j);
        return;
    }
    left_ms = (left_ns + TT_NS_PER_MS - 1) / TT_NS_PER_MS;
    j->call.timeout_ms = (int32_t)TT_MIN(left_ms, TT_TIMEOUT_MS_MAX);
    switch (j->kind) {
    case TT_JOB_READ:
        j->code = tt_run_read(j->c, j->session, j->plan, j->params, j->n, &j->call, &j->result,
                              &j->read, &j->err);
        break;
    case TT_JOB_WRITE:
        j->code =
            tt_run_write(j->c, j->session, j->plan, j->params, j->n, &j->call, &j->write, &j->err);
        break;
    case TT_JOB_BEGIN:
        j->code = tt_run_begin(j->session, j->call.timeout_ms, &j->err);
        break;
    case TT_JOB_COMMIT:
        j->code = tt_run_commit(j->session, j->call.timeout_ms, &j->write, &j->err);
        break;
    case TT_JOB_ROLLBACK:
        tt_run_rollback(j->session);
        break;
    }
}

static bool has_bytes(const tt_value *v)
{
    return (v->type == TT_TYPE_DECIMAL || v->type == TT_TYPE_TEXT || v->type == TT_TYPE_BLOB) &&
           v->as.bytes.p;
}

/* One more than a maximum is enough for the worker to refuse it, and need not be read. */
static size_t bytes_of(const tt_value *v)
{
    return has_bytes(v) && v->as.bytes.n <= TT_VALUE_BYTES_MAX ? v->as.bytes.n : 0;
}

int tt_job_bind(tt_job *job, const tt_value *params, size_t n, tt_error *err)
{
    size_t size;
    char *bytes;

    if (n && !params)
        return tt_fail(err, TT_E_ARGUMENT, "%zu parameters, but `params` is NULL", n);
    n = TT_MIN(n, TT_PARAMETERS_MAX + 1);
    size = n * sizeof(*params);
    for (size_t i = 0; i < n; i++)
        size += bytes_of(&params[i]);
    job->params = tt_new(&job->c->a, size);
    if (!job->params)
        return tt_fail_nomem(err);
    job->n = n;
    bytes = (char *)(job->params + n);
    for (size_t i = 0; i < n; i++) {
        size_t more = bytes_of(&params[i]);

        job->params[i] = params[i];
        if (has_bytes(&params[i]))
            job->params[i].as.bytes.p = bytes;
        if (more)
            memcpy(bytes, params[i].as.bytes.p, more);
        bytes += more;
    }
    return 0;
}

static void free_memory(tt_job *job)
{
    tt_result_free(job->result);
    tt_plan_free(&job->own);
    tt_del(&job->c->a, job->params);
    tt_del(&job->c->a, job);
}

void tt_job_free(tt_job *job)
{
    tt_session *session = job->session;

    free_memory(job);
    /* The last touch: its user may free it from here on, or has done so. */
    if (session && atomic_exchange(&session->owner, TT_SESSION_FREE) == TT_SESSION_LEFT)
        tt_session_end(session, false);
}

/* The job is through, and nobody works on its session any more. `block`: see tt_session_end. */
static void let_go(tt_job *job, bool block)
{
    if (!job->session || atomic_exchange(&job->session->owner, TT_SESSION_DONE) != TT_SESSION_LEFT)
        return;
    tt_session_end(job->session, block);
    job->session = NULL;
}

/* ---- the descriptor ----------------------------------------------------------------------------
 */

/* Written and read under the lock, since it has to agree with `done`; it never blocks. */
static void raise_locked(tt_queue *q)
{
    if (!q->readable)
        (void)eventfd_write(q->fd, 1);
    q->readable = true;
}

static void lower_locked(tt_queue *q)
{
    eventfd_t count;

    if (q->readable)
        (void)eventfd_read(q->fd, &count);
    q->readable = false;
}

static void complete_locked(tt_queue *q, tt_job *job)
{
    tt_list_append(&q->done, &job->link);
    raise_locked(q);
}

/* ---- workers -----------------------------------------------------------------------------------
 */

static tt_job *next_locked(tt_queue *q)
{
    tt_link *first;

    while (tt_list_empty(&q->waiting) && !q->halted)
        pthread_cond_wait(&q->work, &q->mu);
    first = tt_list_pop(&q->waiting);
    return first ? TT_CONTAINER(first, tt_job, link) : NULL;
}

static void *worker_main(void *queue)
{
    tt_queue *q = queue;
    tt_job *job;

    pthread_mutex_lock(&q->mu);
    while ((job = next_locked(q)) != NULL) {
        pthread_mutex_unlock(&q->mu);
        run(job);
        let_go(job, true);
        pthread_mutex_lock(&q->mu);
        complete_locked(q, job);
    }
    pthread_mutex_unlock(&q->mu);
    return NULL;
}

static bool start_workers(tt_queue *q, int workers)
{
    while (q->n_workers < workers) {
        if (tt_thread_start(&q->workers[q->n_workers], worker_main, q) != 0)
            return false;
        q->n_workers++;
    }
    return true;
}

static void free_queue(tt_queue *q)
{
    tt_del(&q->c->a, q->workers);
    tt_del(&q->c->a, q);
}

int tt_queue_start(tt_client *c, int workers, int depth, tt_queue **out, tt_error *err)
{
    tt_queue *q = tt_new(&c->a, sizeof(*q));

    if (!q)
        return tt_fail_nomem(err);
    q->c = c;
    q->depth = depth;
    q->workers = tt_new_array(&c->a, (size_t)workers, sizeof(*q->workers));
    if (!q->workers) {
        free_queue(q);
        return tt_fail_nomem(err);
    }
    q->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (q->fd < 0) {
        free_queue(q);
        return tt_fail(err, TT_E_LIMIT, "no descriptor can be had for the queue");
    }
    tt_list_init(&q->waiting);
    tt_list_init(&q->done);
    pthread_mutex_init(&q->mu, NULL);
    pthread_cond_init(&q->work, NULL);
    if (!start_workers(q, workers)) {
        int had = q->n_workers;

        tt_queue_end(q);
        return tt_fail(err, TT_E_LIMIT, "only %d of %d threads could be started", had, workers);
    }
    *out = q;
    return 0;
}

void tt_queue_halt(tt_queue *q)
{
    tt_link *first;

    pthread_mutex_lock(&q->mu);
    q->halted = true;
    while ((first = tt_list_pop(&q->waiting)) != NULL) {
        tt_job *job = TT_CONTAINER(first, tt_job, link);

        pthread_mutex_unlock(&q->mu);
        fail(job, TT_E_CANCELLED, tt_error_text(TT_E_CANCELLED));
        let_go(job, false);
        pthread_mutex_lock(&q->mu);
        complete_locked(q, job);
    }
    pthread_cond_broadcast(&q->work);
    pthread_mutex_unlock(&q->mu);
}

static void end_forked(tt_queue *q)
{
    tt_link *lists[2] = {&q->waiting, &q->done}, *first;

    (void)close(q->fd); /* the parent has its own */
    if (pthread_mutex_trylock(&q->mu) != 0)
        return; /* a thread of the parent was changing it: leaked */
    for (int i = 0; i < 2; i++)
        while ((first = tt_list_pop(lists[i])) != NULL)
            free_memory(TT_CONTAINER(first, tt_job, link));
    free_queue(q);
}

void tt_queue_end(tt_queue *q)
{
    tt_link *first;

    if (tt_origin_is_gone(&q->c->origin)) {
        end_forked(q);
        return;
    }
    tt_queue_halt(q);
    for (int i = 0; i < q->n_workers; i++)
        (void)pthread_join(q->workers[i], NULL);
    while ((first = tt_list_pop(&q->done)) != NULL)
        tt_job_free(TT_CONTAINER(first, tt_job, link));
    (void)close(q->fd);
    pthread_cond_destroy(&q->work);
    pthread_mutex_destroy(&q->mu);
    free_queue(q);
}

/* ---- submitting and taking ---------------------------------------------------------------------
 */

tt_client *tt_queue_client(const tt_queue *q)
{
    return q->c;
}

int tt_queue_descriptor(const tt_queue *q)
{
    return q->fd;
}

size_t tt_queue_count(const tt_queue *q)
{
    return atomic_load_explicit(&q->pending, memory_order_acquire);
}

static void count_locked(tt_queue *q, bool more)
{
    size_t n = atomic_load_explicit(&q->pending, memory_order_relaxed);

    TT_ASSERT(more ? n < (size_t)q->depth : n > 0);
    atomic_store_explicit(&q->pending, more ? n + 1 : n - 1, memory_order_release);
}

static int reserve_locked(tt_queue *q, tt_session *session, tt_error *err)
{
    int owner = TT_SESSION_FREE;

    if (q->halted)
        return tt_fail(err, TT_E_STATE, "the queue was stopped");
    if (atomic_load_explicit(&q->pending, memory_order_relaxed) >= (size_t)q->depth)
        return tt_fail(err, TT_E_BUSY, "%d operations are submitted and not yet taken: its depth",
                       q->depth);
    if (session && !atomic_compare_exchange_strong(&session->owner, &owner, TT_SESSION_QUEUED))
        return tt_fail(err, TT_E_BUSY, "the session has an operation in a queue already");
    count_locked(q, true);
    return 0;
}

int tt_queue_reserve(tt_queue *q, tt_session *session, tt_job **out, tt_error *err)
{
    tt_job *job = tt_new(&q->c->a, sizeof(*job));
    int rc;

    if (!job)
        return tt_fail_nomem(err);
    job->c = q->c;
    job->own.sql = job->own.normal = job->own.patterns = tt_buf_init(&q->c->a);
    job->call = (tt_call_options)TT_CALL_OPTIONS_INIT;
    job->read = (tt_read_info)TT_READ_INFO_INIT;
    job->write = (tt_write_info)TT_WRITE_INFO_INIT;
    pthread_mutex_lock(&q->mu);
    rc = reserve_locked(q, session, err);
    pthread_mutex_unlock(&q->mu);
    if (rc != 0) {
        free_memory(job);
        return rc;
    }
    job->session = session;
    *out = job;
    return 0;
}

void tt_queue_unreserve(tt_queue *q, tt_job *job)
{
    pthread_mutex_lock(&q->mu);
    count_locked(q, false);
    pthread_mutex_unlock(&q->mu);
    tt_job_free(job);
}

int tt_queue_submit(tt_queue *q, tt_job *job, tt_error *err)
{
    int rc = 0;

    pthread_mutex_lock(&q->mu);
    if (q->halted) {
        rc = tt_fail(err, TT_E_STATE, "the queue was stopped");
    } else if (job->code != 0) {
        if (job->session)
            atomic_store(&job->session->owner, TT_SESSION_DONE);
        complete_locked(q, job);
    } else {
        tt_list_append(&q->waiting, &job->link);
        pthread_cond_signal(&q->work);
    }
    pthread_mutex_unlock(&q->mu);
    return rc;
}

tt_job *tt_queue_take(tt_queue *q)
{
    tt_link *first;

    pthread_mutex_lock(&q->mu);
    first = tt_list_pop(&q->done);
    if (first)
        count_locked(q, false);
    else
        lower_locked(q);
    pthread_mutex_unlock(&q->mu);
    return first ? TT_CONTAINER(first, tt_job, link) : NULL;
}
