#include "svc/query.h"

#include <stdio.h>
#include <time.h>

#include "base/abi.h"
#include "base/err.h"
#include "core/barrier.h"
#include "core/discover.h"
#include "core/repair.h"
#include "core/write.h"
#include "svc/drive.h"
#include "svc/metrics.h"

enum { RETRY_MS = 10 };

/* What a write tells its caller and its session. */
static void tell(const tt_drive *d, const tt_write_op *op, tt_session *s, tt_write_info *told)
{
    static const int32_t outcome[] = {
        [TT_INVALIDATION_NONE] = TT_INVALIDATED_NONE,
        [TT_INVALIDATION_DONE] = TT_INVALIDATED_DONE,
        [TT_INVALIDATION_OUTSTANDING] = TT_INVALIDATED_OUTSTANDING,
        [TT_INVALIDATION_DEFERRED] = TT_INVALIDATED_DEFERRED,
    };
    bool owed = op->invalidation == TT_INVALIDATION_OUTSTANDING ||
                op->invalidation == TT_INVALIDATION_DEFERRED;

    told->affected_rows = d->effect.affected_rows;
    told->insert_id = d->effect.insert_id;
    told->invalidated = outcome[op->invalidation];
    (void)snprintf(told->position, sizeof(told->position), "%.*s",
                   (int)TT_MIN(d->effect.position.n, sizeof(told->position) - 1),
                   d->effect.position.n ? d->effect.position.p : "");
    if (s && op->position.failed)
        tt_session_wrote(s, TT_STR("P"), owed);
    else if (s && op->position.n)
        tt_session_wrote(s, tt_buf_str(&op->position), owed);
}

static int run_op(tt_drive *d, const tt_write_request *rq, tt_session *s, tt_write_info *told,
                  tt_error *err)
{
    tt_client *c = d->c;
    tt_write_op op;
    int rc;

    tt_write_init(&op, &c->core, rq, d);
    tt_drive_write(d, &op);
    rc = op.code;
    if (rc == 0) {
        tell(d, &op, s, told);
    } else {
        if (rc == TT_E_COMMIT_UNKNOWN && s)
            tt_session_wrote(s, TT_STR("P"), true);
        if (rc == TT_E_CACHE_UNAVAILABLE && d->cache_code == TT_E_NOMEM)
            rc = tt_fail_nomem(err);
        else
            (void)tt_run_error(rc, &d->error, err);
    }
    pthread_mutex_lock(&c->mu);
    tt_write_finish(&op);
    pthread_mutex_unlock(&c->mu);
    return rc;
}

/* ---- in a transaction --------------------------------------------------------------------------
 */

/* What was lost before the COMMIT is certain not to happen. */
static int before_commit(const tt_error *why, int otherwise)
{
    if (why->code == TT_E_COMMIT_UNKNOWN)
        return TT_E_LOST;
    return why->code ? why->code : otherwise;
}

static int gathered_keys(tt_session *s, tt_keys *keys, tt_error *err)
{
    tt_str rest = tt_buf_str(&s->tags);
    int rc = 0;

    tt_keys_init(s->c, keys);
    while (rest.n && rc == 0)
        rc = tt_keys_add(s->c, keys, tt_str_cut(&rest, '\n'), err);
    tt_keys_done(s->c, keys);
    return rc;
}

/* A procedure has committed what the transaction had done (`lost`: or may have): that cannot be
 * taken back. The tags gathered so far are bumped in the background, and the session reads past
 * older entries until then. */
static int committed_inside(tt_drive *d, tt_session *s, bool lost, tt_error *err)
{
    tt_client *c = s->c;
    const tt_db_peer *peer = c->driver->peer(s->conn->db);
    tt_keys keys;
    int rc = gathered_keys(s, &keys, err);

    if (rc == 0 && c->cached && keys.n_tags > 0) {
        tt_repair *r;

        pthread_mutex_lock(&c->mu);
        r = tt_core_repair(&c->core, tt_str_c(peer->identity), peer->connection_id,
                           tt_nonce_new(c->core.rng), TT_STR("P"), keys.tags, keys.n_tags);
        if (r)
            r->kill = lost;
        pthread_mutex_unlock(&c->mu);
        if (!r)
            rc = tt_fail_nomem(err);
    }
    tt_keys_free(&keys);
    tt_session_wrote(s, TT_STR("P"), true);
    tt_client_note(c, TT_NOTE_BIT(TT_NOTE_UNKNOWN));
    s->tx = TT_TX_DOOMED;
    s->doom = TT_E_COMMIT_UNKNOWN;
    if (lost)
        return tt_run_error(TT_E_COMMIT_UNKNOWN, &d->error, err);
    return tt_fail(err, TT_E_COMMIT_UNKNOWN,
                   "the procedure committed inside the transaction: what was written before that "
                   "is permanent and cannot be rolled back; run it outside of a transaction");
}

static int write_inside(tt_drive *d, tt_session *s, const tt_plan *plan, const tt_keys *keys,
                        tt_write_info *told, tt_error *err)
{
    tt_client *c = d->c;
    tt_db_status status;
    int rc;

    if (s->tx == TT_TX_DOOMED)
        return tt_fail(err, TT_E_STATE,
                       "the transaction is lost (%s): call tt_rollback, and run it again from its "
                       "start",
                       tt_error_name(s->doom));
    if (plan->info.class == TT_SQL_DDL)
        return tt_fail(err, TT_E_STATEMENT,
                       "a statement of class \"%s\" would commit the open transaction: %s",
                       tt_sql_class_name(plan->info.class), plan->info.why);
    rc = tt_session_gather(s, keys->names, keys->n_tags, err);
    if (rc != 0)
        return rc;
    d->effect.position_known = false;
    tt_conn_begin(s->conn, d->deadline_ns);
    status = c->driver->write(s->conn->db, d->work->sql, d->work->params, d->work->n_params,
                              &d->effect, &d->error);
    if (!tt_conn_end(s->conn) && status == TT_DB_LOST)
        (void)tt_fail(&d->error, TT_E_TIMEOUT, "no answer within the deadline");
    s->wrote = true;
    /* Inside a transaction only a commit has a position. */
    if (plan->info.may_commit && (d->effect.position_known || status == TT_DB_LOST))
        return committed_inside(d, s, status == TT_DB_LOST, err);
    if (status != TT_DB_OK) {
        rc = before_commit(&d->error, TT_E_LOST);
        if (status == TT_DB_DEMOTED)
            rc = TT_E_UNAVAILABLE;
        return tt_run_error(tt_session_failed(s, rc), &d->error, err);
    }
    told->affected_rows = d->effect.affected_rows;
    told->insert_id = d->effect.insert_id;
    told->invalidated = keys->n_tags ? TT_INVALIDATED_AT_COMMIT : TT_INVALIDATED_NONE;
    return 0;
}

/* ---- a statement -------------------------------------------------------------------------------
 */

/* Rows counted as affected are all that such a statement can change. */
static bool is_plain_dml(const tt_plan *plan)
{
    return plan->info.class == TT_SQL_WRITE && plan->info.tables_complete &&
           plan->info.n_tables > 0;
}

int tt_run_write(tt_client *c, tt_session *session, const tt_plan *plan, const tt_value *params,
                 size_t n, const tt_call_options *call, tt_write_info *info, tt_error *err)
{
    tt_write_info told = TT_WRITE_INFO_INIT;
    tt_call_options o = TT_CALL_OPTIONS_INIT;
    tt_write_request rq = {.commits_itself = plan->info.may_commit};
    tt_work work = {.sql = tt_buf_str(&plan->sql),
                    .params = params,
                    .n_params = n,
                    .plain_dml = is_plain_dml(plan)};
    tt_keys keys;
    tt_drive d;
    int rc;

    tt_client_count(c, TT_COUNTER_WRITES, 1);
    rc = tt_keys_make(c, plan, params, n, &keys, err);
    if (rc == 0)
        rc = tt_call_take(&o, call, err);
    if (rc == 0) {
        rq.deadline_ns = tt_run_deadline(c, o.timeout_ms ? o.timeout_ms : plan->timeout_ms);
        rq.tag_keys = keys.tags;
        rq.n_tags = keys.n_tags;
        work.tags = keys.full;
        work.n_tags = keys.n_tags;
        tt_drive_init(&d, c, rq.deadline_ns, &work);
        rc = session && session->tx != TT_TX_NONE
                 ? write_inside(&d, session, plan, &keys, &told, err)
                 : run_op(&d, &rq, session, &told, err);
        tt_drive_free(&d);
    }
    tt_keys_free(&keys);
    if (rc != 0)
        tt_client_count(c, TT_COUNTER_WRITE_ERRORS, 1);
    else
        tt_abi_give(info, &told, sizeof(told));
    return rc;
}

/* ---- transactions ------------------------------------------------------------------------------
 */

static int acquire_primary(tt_session *s, tt_drive *d, tt_error *err)
{
    tt_client *c = d->c;
    tt_db_status status = TT_DB_UNSENT;

    for (int attempt = 0; attempt < 2 && status == TT_DB_UNSENT; attempt++) {
        pthread_mutex_lock(&c->mu);
        s->node = c->core.topology.primary;
        pthread_mutex_unlock(&c->mu);
        if (s->node >= 0) {
            s->pool = c->nodes[s->node].pool;
            status = tt_nodepool_acquire(s->pool, d->deadline_ns, &s->conn, &d->error);
        }
        if (status == TT_DB_UNSENT && !tt_drive_discover(c, d->deadline_ns))
            break;
    }
    if (status == TT_DB_OK)
        return 0;
    return tt_run_error(d->error.code ? d->error.code : TT_E_UNAVAILABLE, &d->error, err);
}

static void leave(tt_session *s)
{
    if (s->conn)
        tt_nodepool_release(s->pool, s->conn);
    s->conn = NULL;
    s->tx = TT_TX_NONE;
    s->doom = 0;
    s->wrote = false;
    tt_buf_clear(&s->tags);
}

int tt_run_begin(tt_session *s, int timeout_ms, tt_error *err)
{
    tt_client *c = s->c;
    tt_drive d;
    int rc;

    if (s->tx != TT_TX_NONE)
        return tt_fail(err, TT_E_STATE, "a transaction is open already");
    tt_drive_init(&d, c, tt_run_deadline(c, timeout_ms), NULL);
    rc = acquire_primary(s, &d, err);
    if (rc == 0) {
        tt_db_status status;

        tt_conn_begin(s->conn, d.deadline_ns);
        status = c->driver->command(s->conn->db, "BEGIN", NULL, &d.error);
        (void)tt_conn_end(s->conn);
        if (status == TT_DB_OK)
            s->tx = TT_TX_OPEN;
        else
            rc = tt_run_error(before_commit(&d.error, TT_E_UNAVAILABLE), &d.error, err);
    }
    if (rc != 0)
        leave(s);
    tt_drive_free(&d);
    return rc;
}

void tt_run_rollback(tt_session *s)
{
    tt_client *c = s->c;
    tt_error ignored = TT_ERROR_INIT;

    if (s->tx == TT_TX_NONE)
        return;
    if (tt_conn_usable(s->conn)) {
        tt_conn_begin(s->conn, tt_run_deadline(c, 0));
        if (c->driver->command(s->conn->db, "ROLLBACK", NULL, &ignored) != TT_DB_OK)
            s->conn->aborted = true; /* closed: then the server rolls back */
        (void)tt_conn_end(s->conn);
    }
    leave(s);
}

static int commit_writes(tt_session *s, tt_drive *d, tt_work *work, tt_write_info *told,
                         tt_error *err)
{
    tt_write_request rq = {.commit = true, .deadline_ns = d->deadline_ns};
    tt_keys keys;
    int rc = gathered_keys(s, &keys, err);

    if (rc == 0) {
        rq.tag_keys = keys.tags;
        rq.n_tags = keys.n_tags;
        work->tags = keys.full;
        work->n_tags = keys.n_tags;
        d->conn = s->conn;
        d->commit = true;
        rc = run_op(d, &rq, s, told, err);
        d->conn = NULL;
    }
    tt_keys_free(&keys);
    return rc;
}

int tt_run_commit(tt_session *s, int timeout_ms, tt_write_info *info, tt_error *err)
{
    tt_write_info told = TT_WRITE_INFO_INIT;
    tt_work work = {.n_params = 0};
    tt_client *c = s->c;
    tt_drive d;
    int rc;

    if (s->tx == TT_TX_NONE)
        return tt_fail(err, TT_E_STATE, "no transaction is open");
    if (s->tx == TT_TX_DOOMED) {
        int doom = s->doom;

        tt_run_rollback(s);
        if (doom == TT_E_COMMIT_UNKNOWN)
            return tt_fail(err, TT_E_STATE,
                           "a statement inside the transaction has, or may have, committed what "
                           "came before it; the rest is rolled back now");
        return tt_fail(err, TT_E_STATE,
                       "the transaction was lost (%s) and is rolled back now; run "
                       "it again from its start",
                       tt_error_name(doom));
    }
    tt_drive_init(&d, c, tt_run_deadline(c, timeout_ms), &work);
    if (s->wrote) {
        tt_client_count(c, TT_COUNTER_WRITES, 1);
        rc = commit_writes(s, &d, &work, &told, err);
    } else {
        rc = 0; /* nothing to commit: its end is a rollback like any other */
    }
    if (s->wrote && rc == 0)
        leave(s);
    else if (rc == TT_E_COMMIT_UNKNOWN)
        leave(s);
    else
        tt_run_rollback(s);
    tt_drive_free(&d);
    if (rc == 0)
        tt_abi_give(info, &told, sizeof(told));
    else
        tt_client_count(c, TT_COUNTER_WRITE_ERRORS, 1);
    return rc;
}

/* ---- invalidation without a write --------------------------------------------------------------
 */

/* Before another try: a moment's rest; false when the time is over. One trip takes no longer than
 * cache.timeout, a caller may have more. */
static bool rest(const tt_client *c, int64_t deadline_ns)
{
    struct timespec pause = {0, RETRY_MS * TT_NS_PER_MS};

    if (deadline_ns - tt_client_now(c) <= RETRY_MS * TT_NS_PER_MS)
        return false;
    (void)nanosleep(&pause, NULL);
    return true;
}

/* Of several tries the one that says most: what was sent may have been done. */
static int outcome(int before, int now)
{
    return before == TT_E_TIMEOUT && now != TT_E_NOMEM ? before : now;
}

static int unacknowledged(int code, int64_t ms, tt_error *err)
{
    switch (code) {
    case TT_E_NOMEM:
        return tt_fail_nomem(err);
    case TT_E_UNAVAILABLE:
        return tt_fail(err, code, "no primary is known to be up: the term cannot be renewed");
    case TT_E_TIMEOUT:
        return tt_fail(
            err, code,
            "the cache did not acknowledge within %lld ms; it is safe to repeat the call",
            (long long)ms);
    default:
        return tt_fail(err, TT_E_CACHE_UNAVAILABLE,
                       "the cache could not be reached, or refused, for %lld ms; it is safe to "
                       "repeat the call",
                       (long long)ms);
    }
}

int tt_run_invalidate(tt_client *c, const tt_keys *keys, int timeout_ms, tt_error *err)
{
    int64_t ms = timeout_ms ? timeout_ms : atomic_load(&c->cache_timeout_ms);
    tt_repair_op op;
    tt_repair *r;
    tt_drive d;
    int rc = 0;

    if (!c->cached)
        return 0;
    pthread_mutex_lock(&c->mu);
    r = tt_core_repair(&c->core, TT_STR("-"), 0, tt_nonce_new(c->core.rng), TT_STR("P"), keys->tags,
                       keys->n_tags);
    if (r) {
        tt_list_remove(&r->link);
        c->core.n_repairs--;
        r->reap = true; /* tried by us alone */
    }
    pthread_mutex_unlock(&c->mu);
    if (!r)
        return tt_fail_nomem(err);
    tt_drive_init(&d, c, tt_client_now(c) + ms * TT_NS_PER_MS, NULL);
    do {
        tt_repair_init(&op, &c->core, r);
        tt_drive_repair(&d, &op);
        rc = outcome(rc, d.cache_code);
    } while (!op.ok && rc != TT_E_NOMEM && rest(c, d.deadline_ns));
    rc = op.ok ? 0 : unacknowledged(rc, ms, err);
    pthread_mutex_lock(&c->mu);
    tt_repair_finish(&op, tt_client_now(c));
    pthread_mutex_unlock(&c->mu);
    tt_drive_free(&d);
    return rc;
}

int tt_run_clear(tt_client *c, int timeout_ms, tt_error *err)
{
    int64_t ms = timeout_ms ? timeout_ms : atomic_load(&c->cache_timeout_ms);
    int64_t deadline = tt_client_now(c) + ms * TT_NS_PER_MS;
    int rc = 0, last;

    if (!c->cached)
        return 0;
    do {
        last = tt_drive_renew(c, deadline);
        rc = outcome(rc, last);
    } while (last != 0 && rc != TT_E_NOMEM && rest(c, deadline));
    return last == 0 ? 0 : unacknowledged(rc, ms, err);
}
