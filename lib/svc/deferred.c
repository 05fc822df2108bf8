#include "svc/deferred.h"

#include <stdio.h>

#include "base/err.h"
#include "core/key.h"
#include "core/repair.h"
#include "core/result.h"

enum { DRAIN_ROWS = 64, SQL_MAX = 512 };

/* The name of the table is checked by the configuration: letters, digits, _, $ and one dot. */
static void sql(char *out, const tt_client *c, const char *before, const char *after)
{
    (void)snprintf(out, SQL_MAX, "%s%s%s", before, c->settings.cache.deferred_table, after);
}

static tt_conn *primary_conn(tt_client *c, int64_t deadline_ns, tt_nodepool **pool, tt_error *err)
{
    tt_conn *conn = NULL;
    int primary;

    pthread_mutex_lock(&c->mu);
    primary = c->core.topology.primary;
    pthread_mutex_unlock(&c->mu);
    if (primary < 0) {
        (void)tt_fail(err, TT_E_UNAVAILABLE, "no primary is known");
        return NULL;
    }
    *pool = c->nodes[primary].pool;
    return tt_nodepool_acquire(*pool, deadline_ns, &conn, err) == TT_DB_OK ? conn : NULL;
}

int tt_deferred_prepare(tt_client *c, tt_error *err)
{
    int64_t deadline = tt_client_now(c) + c->query_timeout_ms * TT_NS_PER_MS;
    tt_nodepool *pool;
    tt_conn *conn = primary_conn(c, deadline, &pool, err);
    char text[SQL_MAX];
    tt_db_status status;

    if (!conn)
        return TT_E_UNAVAILABLE;
    sql(text, c, "CREATE TABLE IF NOT EXISTS ",
        " (id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY, "
        "namespace VARBINARY(64) NOT NULL, tag VARBINARY(255) NOT NULL, "
        "created TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP, KEY namespace (namespace, id)) "
        "ENGINE=InnoDB");
    tt_conn_begin(conn, deadline);
    status = c->driver->command(conn->db, text, NULL, err);
    (void)tt_conn_end(conn);
    tt_nodepool_release(pool, conn);
    return status == TT_DB_OK ? 0 : (err && err->code ? err->code : TT_E_UNAVAILABLE);
}

/* ---- in the write ------------------------------------------------------------------------------
 */

static tt_db_status insert_tags(tt_drive *d)
{
    const tt_db_driver *driver = d->c->driver;
    tt_db_effect effect = {.position = tt_buf_init(&d->c->a)};
    tt_db_status status = TT_DB_OK;
    char text[SQL_MAX];

    sql(text, d->c, "INSERT INTO ", " (namespace, tag) VALUES (?, ?)");
    for (int i = 0; i < d->work->n_tags && status == TT_DB_OK; i++) {
        tt_value values[2] = {
            tt_text(d->c->settings.cache.name_space),
            tt_blob(d->work->tags[i].p, d->work->tags[i].n),
        };

        status = driver->write(d->conn->db, tt_str_c(text), values, 2, &effect, &d->error);
    }
    tt_buf_free(&effect.position);
    return status;
}

tt_db_status tt_deferred_execute(tt_drive *d)
{
    const tt_db_driver *driver = d->c->driver;
    tt_db_conn *db = d->conn->db;
    tt_db_effect commit = {.position = tt_buf_init(&d->c->a)};
    tt_db_status status = TT_DB_OK;

    if (!d->commit) {
        status = driver->command(db, "BEGIN", NULL, &d->error);
        if (status == TT_DB_OK)
            status = driver->write(db, d->work->sql, d->work->params, d->work->n_params, &d->effect,
                                   &d->error);
    }
    if (status == TT_DB_OK)
        status = insert_tags(d);
    if (status != TT_DB_OK) {
        /* Before the COMMIT nothing has happened, whatever became of the link. */
        if (status != TT_DB_LOST)
            (void)driver->command(db, "ROLLBACK", NULL, NULL);
        else if (d->error.code == TT_E_COMMIT_UNKNOWN)
            d->error.code = TT_E_LOST;
        d->effect.sent_write = false; /* what had gone out is rolled back */
        tt_buf_free(&commit.position);
        return status == TT_DB_LOST ? TT_DB_UNSENT : status;
    }
    status = driver->command(db, "COMMIT", &commit, &d->error);
    d->effect.position_known = commit.position_known;
    tt_buf_clear(&d->effect.position);
    tt_buf_put_str(&d->effect.position, tt_buf_str(&commit.position));
    tt_buf_free(&commit.position);
    return status;
}

/* ---- carrying out ------------------------------------------------------------------------------
 */

static tt_result *waiting_rows(tt_client *c, tt_conn *conn, tt_error *err)
{
    tt_db_limits limits = {1 << 20, DRAIN_ROWS};
    tt_value name = tt_text(c->settings.cache.name_space);
    tt_buf rows = tt_buf_init(&c->a);
    tt_result *result = NULL;
    char text[SQL_MAX];

    sql(text, c, "SELECT id, tag FROM ", " WHERE namespace = ? ORDER BY id LIMIT 64");
    if (c->driver->read(conn->db, tt_str_c(text), &name, 1, &limits, &rows, err) != TT_DB_OK) {
        tt_buf_free(&rows);
        return NULL;
    }
    return tt_drive_result(&c->a, &rows, &result, err) == 0 ? result : NULL;
}

/* Bump one tag, and wait for the answer: may its row go? */
static bool bump(tt_client *c, tt_str tag)
{
    tt_str name = tt_str_c(c->settings.cache.name_space), key_text;
    tt_buf key = tt_buf_init(&c->a);
    tt_repair_op op;
    tt_drive d;
    tt_repair *r;
    bool ok = false;

    tt_key_put_tag(name, tag, &key);
    key_text = tt_buf_str(&key);
    pthread_mutex_lock(&c->mu);
    r = key.failed ? NULL : tt_repair_of_deferred(&c->core, &key_text, 1);
    if (r)
        tt_repair_init(&op, &c->core, r);
    pthread_mutex_unlock(&c->mu);
    if (r) {
        tt_drive_init(&d, c, tt_client_now(c) + c->cache_timeout_ms * TT_NS_PER_MS, NULL);
        tt_drive_repair(&d, &op);
        ok = op.ok;
        pthread_mutex_lock(&c->mu);
        tt_repair_finish(&op, tt_client_now(c));
        pthread_mutex_unlock(&c->mu);
        tt_drive_free(&d);
    }
    tt_buf_free(&key);
    return ok;
}

/* Each statement has the time of one: bumps lie between them. */
static int64_t statement_deadline(const tt_client *c)
{
    return tt_client_now(c) + c->query_timeout_ms * TT_NS_PER_MS;
}

static bool delete_row(tt_client *c, tt_conn *conn, uint64_t id, tt_db_effect *effect,
                       tt_error *err)
{
    tt_value v = tt_uint(id);
    char text[SQL_MAX];
    tt_db_status status;

    sql(text, c, "DELETE FROM ", " WHERE id = ?");
    tt_conn_begin(conn, statement_deadline(c));
    status = c->driver->write(conn->db, tt_str_c(text), &v, 1, effect, err);
    return tt_conn_end(conn) && status == TT_DB_OK;
}

static int drain_rows(tt_client *c, tt_conn *conn, const tt_result *rows, tt_error *err)
{
    tt_db_effect effect = {.position = tt_buf_init(&c->a)};
    int done = 0;

    for (size_t i = 0; i < tt_result_rows(rows); i++) {
        uint64_t id;
        const char *tag;
        size_t n;

        if (tt_result_uint(rows, i, 0, &id) != 0 || tt_result_bytes(rows, i, 1, &tag, &n) != 0 ||
            !bump(c, tt_str_n(tag, n)) || !delete_row(c, conn, id, &effect, err))
            break;
        tt_client_count(c, TT_COUNTER_DRAINED, 1);
        done++;
    }
    tt_buf_free(&effect.position);
    return done == (int)tt_result_rows(rows) ? done : -1;
}

int tt_deferred_drain(tt_client *c)
{
    tt_error err = TT_ERROR_INIT;
    tt_nodepool *pool;
    tt_conn *conn = primary_conn(c, statement_deadline(c), &pool, &err);
    tt_result *rows;
    int done = -1;

    if (!conn)
        return -1;
    tt_conn_begin(conn, statement_deadline(c));
    rows = waiting_rows(c, conn, &err);
    if (tt_conn_end(conn) && rows)
        done = drain_rows(c, conn, rows, &err);
    tt_nodepool_release(pool, conn);
    tt_result_free(rows);
    return done;
}
