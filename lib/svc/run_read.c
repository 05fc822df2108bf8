#include "svc/query.h"

#include <stdio.h>

#include "base/abi.h"
#include "base/err.h"
#include "core/barrier.h"
#include "core/result.h"
#include "svc/drive.h"
#include "svc/metrics.h"

int64_t tt_run_deadline(const tt_client *c, int timeout_ms)
{
    int64_t ms = timeout_ms > 0 ? timeout_ms
                                : atomic_load_explicit(&c->query_timeout_ms, memory_order_relaxed);

    return tt_client_now(c) + ms * TT_NS_PER_MS;
}

int tt_run_error(int code, const tt_error *details, tt_error *err)
{
    if (!err)
        return code;
    if (details->code == code) {
        *err = *details;
        return code;
    }
    (void)tt_fail(err, code, "%s%s%s", tt_error_text(code), details->message[0] ? ": " : "",
                  details->message);
    err->server_errno = details->server_errno;
    (void)snprintf(err->sqlstate, sizeof(err->sqlstate), "%s", details->sqlstate);
    tt_error_set_node(err, details->node);
    return code;
}

/* ---- in a transaction --------------------------------------------------------------------------
 */

static int refuse_doomed(const tt_session *s, tt_error *err)
{
    return tt_fail(
        err, TT_E_STATE,
        "the transaction is lost (%s): call tt_rollback, and run it again from its start",
        tt_error_name(s->doom));
}

static int read_inside(tt_drive *d, tt_session *s, tt_buf *rows)
{
    tt_client *c = d->c;
    tt_db_limits limits = {(size_t)atomic_load(&c->result_bytes),
                           (uint64_t)atomic_load(&c->result_rows)};
    tt_db_status status;

    if (d->work->keeps_state)
        tt_conn_soil(s->conn);
    tt_conn_begin(s->conn, d->deadline_ns);
    status = c->driver->read(s->conn->db, d->work->sql, d->work->params, d->work->n_params, &limits,
                             rows, &d->error);
    if (!tt_conn_end(s->conn) && status == TT_DB_LOST)
        (void)tt_fail(&d->error, TT_E_TIMEOUT, "no answer within the deadline");
    if (status == TT_DB_OK)
        return 0;
    return d->error.code ? d->error.code : TT_E_LOST;
}

static int run_inside(tt_drive *d, tt_session *s, const tt_plan *plan, tt_result **out,
                      tt_read_info *info, tt_error *err)
{
    tt_client *c = d->c;
    tt_buf rows = tt_buf_init(&c->a);
    tt_result *result = NULL;
    int rc;

    if (s->tx == TT_TX_DOOMED)
        return refuse_doomed(s, err);
    if (plan->info.class == TT_SQL_READ_PRIMARY)
        s->wrote = true; /* it may have: a function, say */
    rc = read_inside(d, s, &rows);
    if (rc != 0) {
        tt_buf_free(&rows);
        return tt_run_error(tt_session_failed(s, rc), &d->error, err);
    }
    rc = tt_drive_result(&c->a, &rows, &result, err);
    if (rc != 0)
        return rc;
    info->source = TT_SOURCE_PRIMARY;
    info->why = "inside the session's transaction";
    (void)snprintf(info->node, sizeof(info->node), "%s", c->nodes[s->node].name);
    *out = result;
    return 0;
}

/* ---- outside -----------------------------------------------------------------------------------
 */

static void describe(tt_client *c, const tt_read_op *op, tt_read_info *info)
{
    int64_t age = c->clock.realtime_ms(c->clock.ctx) - op->created_ms;

    info->stale = op->is_stale;
    info->shared = op->is_joined;
    info->age_ms = TT_MAX(age, 0);
    info->why = op->why;
    if (op->is_hit) {
        info->source = c->links ? TT_SOURCE_REDIS : TT_SOURCE_LOCAL;
        return;
    }
    info->source = op->from_primary ? TT_SOURCE_PRIMARY : TT_SOURCE_REPLICA;
    if (op->node >= 0)
        (void)memccpy(info->node, c->nodes[op->node].name, '\0', sizeof(info->node));
}

/* A hit is bytes that anyone with access to Redis may have written: checked like rows from a wire.
 * TT_E_ARGUMENT: they are no result. */
static int take_outcome(tt_client *c, tt_read_op *op, tt_result **out)
{
    if (!op->is_hit) {
        *out = op->result;
        op->result = NULL;
        return 0;
    }
    return tt_result_copy(&c->a, op->hit.payload, out);
}

static void settle_session(tt_session *s, const tt_read_op *op)
{
    if (!s || op->settle.n == 0 || op->settle.failed)
        return;
    if (s->seen.n) {
        tt_buf_clear(&s->seen);
        tt_buf_put_str(&s->seen, tt_buf_str(&op->settle));
    }
    if (s->owed.n) {
        tt_buf_clear(&s->owed);
        tt_buf_put_str(&s->owed, tt_buf_str(&op->settle));
    }
}

/* One operation; TT_E_ARGUMENT when the entry that was found is no result. */
static int run_once(tt_drive *d, const tt_read_request *rq, tt_session *s, tt_result **out,
                    tt_read_info *info, tt_error *err)
{
    tt_client *c = d->c;
    tt_read_op op;
    int rc;

    d->shared = false;
    tt_read_init(&op, &c->core, rq, d);
    tt_drive_read(d, &op);
    rc = op.code;
    if (rc == 0) {
        settle_session(s, &op);
        rc = take_outcome(c, &op, out);
        if (rc == 0)
            describe(c, &op, info);
        else if (rc == TT_E_NOMEM)
            (void)tt_fail_nomem(err);
    } else {
        (void)tt_run_error(rc, &d->error, err);
    }
    if (tt_read_is_alone(&op)) {
        tt_read_finish(&op);
        return rc;
    }
    pthread_mutex_lock(&c->mu);
    tt_read_finish(&op);
    tt_client_wake_locked(c);
    pthread_mutex_unlock(&c->mu);
    return rc;
}

static int apply_call(const tt_plan *plan, const tt_call_options *call, tt_read_request *rq,
                      int *timeout_ms, tt_error *err)
{
    tt_call_options o = TT_CALL_OPTIONS_INIT;
    int rc = tt_call_take(&o, call, err);

    if (rc == 0 && o.consistency != -1)
        rc = tt_plan_mode(plan, o.consistency, &rq->mode, err);
    if (rc != 0)
        return rc;
    if (o.timeout_ms)
        *timeout_ms = o.timeout_ms;
    if (rq->mode == TT_READ_STRONG)
        rq->cached = false;
    return 0;
}

static int run_outside(tt_drive *d, tt_read_request *rq, tt_session *s, tt_result **out,
                       tt_read_info *info, tt_error *err)
{
    int rc = run_once(d, rq, s, out, info, err);

    if (rc == TT_E_ARGUMENT) {
        rq->distrust = true; /* hostile or damaged bytes under our key are a miss */
        rc = run_once(d, rq, s, out, info, err);
    }
    return rc;
}

int tt_run_read(tt_client *c, tt_session *session, const tt_plan *plan, const tt_value *params,
                size_t n, const tt_call_options *call, tt_result **out, tt_read_info *info,
                tt_error *err)
{
    tt_read_info told = TT_READ_INFO_INIT;
    int64_t start = tt_client_now(c);
    int timeout_ms = plan->timeout_ms, rc;
    tt_read_request rq = {.mode = plan->mode,
                          .cached = plan->cached,
                          .no_entry = plan->no_entry,
                          .ttl_ms = plan->ttl_ms};
    /* Connector/C sees no change of state behind rows. */
    tt_work work = {.sql = tt_buf_str(&plan->sql),
                    .params = params,
                    .n_params = n,
                    .keeps_state = plan->info.class == TT_SQL_READ_PRIMARY};
    tt_keys keys;
    tt_drive d;

    tt_client_count(c, TT_COUNTER_READS, 1);
    rc = tt_keys_make(c, plan, params, n, &keys, err);
    if (rc == 0 && (!session || session->tx == TT_TX_NONE))
        rc = tt_plan_check_outside(plan, err);
    if (rc == 0)
        rc = apply_call(plan, call, &rq, &timeout_ms, err);
    if (rc == 0) {
        rq.entry_key = keys.entry;
        rq.key_bytes = keys.bytes;
        rq.key_hash = keys.hash;
        rq.tag_keys = keys.tags;
        rq.n_tags = keys.n_tags;
        rq.entry_max_bytes = (uint64_t)atomic_load(&c->entry_max_bytes);
        rq.deadline_ns = tt_run_deadline(c, timeout_ms);
        if (session) {
            rq.seen = tt_buf_str(&session->seen);
            rq.owed = tt_buf_str(&session->owed);
        }
        tt_drive_init(&d, c, rq.deadline_ns, &work);
        rc = session && session->tx != TT_TX_NONE ? run_inside(&d, session, plan, out, &told, err)
                                                  : run_outside(&d, &rq, session, out, &told, err);
        tt_drive_free(&d);
    }
    tt_keys_free(&keys);
    if (rc != 0) {
        tt_client_count(c, TT_COUNTER_READ_ERRORS, 1);
        return rc;
    }
    tt_metrics_served(c, (tt_source)told.source, tt_client_now(c) - start);
    tt_abi_give(info, &told, sizeof(told));
    return 0;
}
