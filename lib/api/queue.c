#include <twotier/queue.h>

#include "api/statement.h"
#include "base/abi.h"
#include "base/err.h"
#include "svc/queue.h"

enum { WORKERS_DEFAULT = 8, DEPTH_DEFAULT = 1024 };

static bool is_usable(const tt_queue *queue)
{
    return queue && tt_client_check(tt_queue_client(queue), NULL) == 0;
}

int tt_queue_new(tt_client *client, const tt_queue_options *options, tt_queue **out, tt_error *err)
{
    tt_queue_options o = TT_QUEUE_OPTIONS_INIT;
    int rc = tt_client_check(client, err);

    if (rc == 0)
        rc = tt_abi_take(&o, sizeof(o), options, err);
    if (rc != 0)
        return rc;
    if (!out)
        return tt_fail(err, TT_E_ARGUMENT, "out is NULL");
    if (o.workers < 0 || o.workers > TT_QUEUE_WORKERS_MAX)
        return tt_fail(err, TT_E_ARGUMENT, "workers is %d; expected 0 (the default) to %d",
                       o.workers, TT_QUEUE_WORKERS_MAX);
    if (o.depth < 0 || o.depth > TT_QUEUE_DEPTH_MAX)
        return tt_fail(err, TT_E_ARGUMENT, "depth is %d; expected 0 (the default) to %d", o.depth,
                       TT_QUEUE_DEPTH_MAX);
    return tt_queue_start(client, o.workers ? o.workers : WORKERS_DEFAULT,
                          o.depth ? o.depth : DEPTH_DEFAULT, out, err);
}

void tt_queue_stop(tt_queue *queue)
{
    if (is_usable(queue))
        tt_queue_halt(queue);
}

void tt_queue_free(tt_queue *queue)
{
    if (queue)
        tt_queue_end(queue);
}

size_t tt_queue_pending(const tt_queue *queue)
{
    return is_usable(queue) ? tt_queue_count(queue) : 0;
}

int tt_queue_fd(const tt_queue *queue)
{
    if (!queue)
        return TT_E_ARGUMENT;
    return is_usable(queue) ? tt_queue_descriptor(queue) : TT_E_FORKED;
}

/* ---- submitting --------------------------------------------------------------------------------
 */

/* The first lines of every submission: what it is and whose, and a place in the queue. */
static int begin(tt_queue *queue, tt_session *session, tt_job_kind kind, void *user, tt_job **out,
                 tt_error *err)
{
    int rc;

    if (!queue)
        return tt_fail(err, TT_E_ARGUMENT, "the queue is NULL");
    rc = tt_client_check(tt_queue_client(queue), err);
    if (rc == 0)
        rc = tt_session_check(session, tt_queue_client(queue), err);
    if (rc == 0)
        rc = tt_queue_reserve(queue, session, out, err);
    if (rc != 0)
        return rc;
    (*out)->kind = kind;
    (*out)->user = user;
    return 0;
}

/* The last ones: hand the job over, or give back what was reserved. */
static int end(tt_queue *queue, tt_job *job, int timeout_ms, int rc, tt_error *err)
{
    if (rc == 0) {
        job->deadline_ns = tt_run_deadline(job->c, timeout_ms);
        rc = tt_queue_submit(queue, job, err);
    }
    if (rc != 0)
        tt_queue_unreserve(queue, job);
    return rc;
}

/* What is wrong with the call is told at once, what is wrong with the statement by a completion. */
static int settle_plan(tt_job *job, int rc, tt_error *err)
{
    job->plan = &job->own;
    if (rc == 0)
        return 0;
    job->code = rc;
    switch (rc) {
    case TT_E_ARGUMENT:
    case TT_E_NOMEM:
    case TT_E_UNSUPPORTED:
        if (err)
            *err = job->err;
        return rc;
    default:
        return 0;
    }
}

int tt_queue_read(tt_queue *queue, tt_session *session, const char *sql, const tt_value *params,
                  size_t n, const tt_read_options *options, void *user, tt_error *err)
{
    tt_job *job = NULL;
    int rc = begin(queue, session, TT_JOB_READ, user, &job, err);

    if (rc != 0)
        return rc;
    rc = tt_job_bind(job, params, n, err);
    if (rc == 0)
        rc = settle_plan(job, tt_plan_read(job->c, sql, options, &job->own, &job->err), err);
    return end(queue, job, job->own.timeout_ms, rc, err);
}

int tt_queue_write(tt_queue *queue, tt_session *session, const char *sql, const tt_value *params,
                   size_t n, const tt_write_options *options, void *user, tt_error *err)
{
    tt_job *job = NULL;
    int rc = begin(queue, session, TT_JOB_WRITE, user, &job, err);

    if (rc != 0)
        return rc;
    rc = tt_job_bind(job, params, n, err);
    if (rc == 0)
        rc = settle_plan(job, tt_plan_write(job->c, sql, options, &job->own, &job->err), err);
    return end(queue, job, job->own.timeout_ms, rc, err);
}

int tt_queue_statement(tt_queue *queue, const tt_statement *statement, tt_session *session,
                       const tt_value *params, size_t n, const tt_call_options *call, void *user,
                       tt_error *err)
{
    tt_job *job = NULL;
    int rc;

    if (!statement)
        return tt_fail(err, TT_E_ARGUMENT, "statement is NULL");
    rc =
        begin(queue, session, statement->plan.writes ? TT_JOB_WRITE : TT_JOB_READ, user, &job, err);
    if (rc != 0)
        return rc;
    job->plan = &statement->plan;
    if (statement->c != job->c)
        rc = tt_fail(err, TT_E_ARGUMENT, "the statement was made by another client");
    if (rc == 0)
        rc = tt_call_take(&job->call, call, err);
    if (rc == 0)
        rc = tt_job_bind(job, params, n, err);
    return end(queue, job, job->call.timeout_ms ? job->call.timeout_ms : job->plan->timeout_ms, rc,
               err);
}

/* A transaction is a session's. */
static int begin_with(tt_queue *queue, tt_session *session, tt_job_kind kind, void *user,
                      tt_job **out, tt_error *err)
{
    if (!session)
        return tt_fail(err, TT_E_ARGUMENT, "the session is NULL");
    return begin(queue, session, kind, user, out, err);
}

int tt_queue_begin(tt_queue *queue, tt_session *session, const tt_begin_options *options,
                   void *user, tt_error *err)
{
    tt_begin_options o = TT_BEGIN_OPTIONS_INIT;
    tt_job *job = NULL;
    int rc = begin_with(queue, session, TT_JOB_BEGIN, user, &job, err);

    if (rc != 0)
        return rc;
    rc = tt_abi_take(&o, sizeof(o), options, err);
    if (rc == 0)
        rc = tt_timeout_check(o.timeout_ms, o.reserved, err);
    return end(queue, job, o.timeout_ms, rc, err);
}

int tt_queue_commit(tt_queue *queue, tt_session *session, const tt_commit_options *options,
                    void *user, tt_error *err)
{
    tt_commit_options o = TT_COMMIT_OPTIONS_INIT;
    tt_job *job = NULL;
    int rc = begin_with(queue, session, TT_JOB_COMMIT, user, &job, err);

    if (rc != 0)
        return rc;
    rc = tt_abi_take(&o, sizeof(o), options, err);
    if (rc == 0)
        rc = tt_timeout_check(o.timeout_ms, o.reserved, err);
    return end(queue, job, o.timeout_ms, rc, err);
}

int tt_queue_rollback(tt_queue *queue, tt_session *session, void *user, tt_error *err)
{
    tt_job *job = NULL;
    int rc = begin_with(queue, session, TT_JOB_ROLLBACK, user, &job, err);

    return rc != 0 ? rc : end(queue, job, 0, 0, err);
}

/* ---- taking ------------------------------------------------------------------------------------
 */

/* Never negative, so an output without a size is left alone. */
static void give(void *out, const void *from, size_t known)
{
    if (tt_abi_check(out, NULL) == 0)
        tt_abi_give(out, from, known);
}

int tt_queue_next(tt_queue *queue, tt_completion *out, tt_read_info *read, tt_write_info *write,
                  tt_error *err)
{
    tt_job *job = out && is_usable(queue) ? tt_queue_take(queue) : NULL;

    if (!job)
        return 0;
    *out = (tt_completion){.user = job->user, .result = job->result, .code = job->code};
    job->result = NULL;
    if (job->code != 0) {
        if (err)
            *err = job->err;
    } else if (job->kind == TT_JOB_READ) {
        give(read, &job->read, sizeof(job->read));
    } else if (job->kind == TT_JOB_WRITE || job->kind == TT_JOB_COMMIT) {
        give(write, &job->write, sizeof(job->write));
    }
    tt_job_free(job);
    return 1;
}
