/* queue.h: calls that wait for a worker, and completions that wait to be taken.
 *
 *     tt_queue_reserve -> tt_queue_submit -> waiting -> a worker -> done -> tt_queue_take
 *
 * A job is in one place at a time: with whoever prepares it, in `waiting`, with a worker, in
 * `done`, with whoever takes it. Reserved places count as pending, so that what was accepted is
 * never more than the depth. The session of a job belongs to the queue from the reservation until
 * the job was taken (tt_session.owner).
 */
#ifndef TT_SVC_QUEUE_H
#define TT_SVC_QUEUE_H

#include <twotier/queue.h>

#include "base/list.h"
#include "svc/query.h"

typedef enum tt_job_kind {
    TT_JOB_READ,
    TT_JOB_WRITE,
    TT_JOB_BEGIN,
    TT_JOB_COMMIT,
    TT_JOB_ROLLBACK
} tt_job_kind;

/* One call, with copies of all that the caller gave, and what became of it. */
typedef struct tt_job {
    tt_link link;
    tt_client *c;
    tt_job_kind kind;
    tt_session *session; /* may be NULL */
    void *user;
    tt_plan own;         /* of a call without a statement */
    const tt_plan *plan; /* `own`, a statement's, or NULL: there is none */
    tt_value *params;    /* one piece of memory with the bytes they point to */
    size_t n;
    tt_call_options call;
    int64_t deadline_ns;
    /* the outcome */
    int code;
    tt_result *result;
    tt_read_info read;
    tt_write_info write;
    tt_error err;
} tt_job;

TT_MUST int tt_queue_start(tt_client *c, int workers, int depth, tt_queue **out, tt_error *err);
/* Cancel what waits, and accept no more. */
void tt_queue_halt(tt_queue *q);
/* Halt, wait for the workers, free. In the child of a fork only memory is freed, and of that what
 * another thread may have been changing is leaked. */
void tt_queue_end(tt_queue *q);

tt_client *tt_queue_client(const tt_queue *q);
int tt_queue_descriptor(const tt_queue *q);
size_t tt_queue_count(const tt_queue *q);

/* A place in the queue, the session (may be NULL) and an empty job. 0, TT_E_STATE, TT_E_BUSY,
 * TT_E_NOMEM. */
TT_MUST int tt_queue_reserve(tt_queue *q, tt_session *session, tt_job **out, tt_error *err);
/* Give all that back. */
void tt_queue_unreserve(tt_queue *q, tt_job *job);
/* Copies the values. 0, TT_E_ARGUMENT, TT_E_NOMEM. */
TT_MUST int tt_job_bind(tt_job *job, const tt_value *params, size_t n, tt_error *err);
/* Hand it over; a `code` that is set is its outcome. 0, or TT_E_STATE: it is still the caller's. */
TT_MUST int tt_queue_submit(tt_queue *q, tt_job *job, tt_error *err);

/* One that is done, or NULL. */
TT_MUST tt_job *tt_queue_take(tt_queue *q);
/* Free a job that was taken, and its result; its session is its caller's again. */
void tt_job_free(tt_job *job);

#endif
