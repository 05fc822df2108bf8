#include "drv/drv_mysql.h"

/* ---- read ---- */

tt_db_status tt_mysql_do_read(tt_db_conn *c, tt_str sql, const tt_value *params, size_t n,
                              const tt_db_limits *limits, tt_buf *out, tt_error *err)
{
    tt_mysql_statement *s = NULL;
    tt_db_status status = tt_mysql_execute(c, sql, params, n, PHASE_READ, &s, err);

    if (status == TT_DB_OK && tt_mysql_renamed(c, s)) {
        s->stale = true;
        status = tt_mysql_drain(c, s, status, err);
        tt_mysql_release(c, s);
        if (status == TT_DB_OK)
            status = tt_mysql_execute(c, sql, params, n, PHASE_READ, &s, err);
    }
    if (status != TT_DB_OK)
        return status;
    status = tt_mysql_rows(c, s, limits, out, err);
    tt_mysql_note(c, NULL);
    tt_mysql_release(c, s);
    return status;
}

static tt_db_status drv_read(tt_db_conn *c, tt_str sql, const tt_value *params, size_t n_params,
                             const tt_db_limits *limits, tt_buf *out, tt_error *err)
{
    tt_db_status status = tt_mysql_begin(c, err);

    if (status != TT_DB_OK)
        return status;
    return tt_mysql_end(c, tt_mysql_do_read(c, sql, params, n_params, limits, out, err));
}

/* ---- write ---- */

/* The rows of a RETURNING or a CALL are read and dropped; each further result may carry a position.
 * Rows changed are those of the last answer, as the servers have it. */
static tt_db_status finish_write(tt_db_conn *c, tt_mysql_statement *s, tt_db_effect *effect,
                                 tt_error *err)
{
    int rc = 0;

    for (;; rc = mysql_stmt_next_result(s->handle)) {
        uint64_t rows;

        if (rc > 0)
            return tt_mysql_failed(c, s->handle, PHASE_WRITE, err);
        if (rc < 0)
            return TT_DB_OK;
        tt_mysql_note(c, effect);
        if (mysql_stmt_field_count(s->handle) > 0) {
            if (mysql_stmt_store_result(s->handle) != 0)
                return tt_mysql_failed(c, s->handle, PHASE_WRITE, err);
            tt_mysql_note(c, effect);                /* some report after the rows */
            c->dirty = c->dirty || TT_LINKS_MARIADB; /* it would not see that behind rows */
            rows = mysql_stmt_num_rows(s->handle);
            (void)mysql_stmt_free_result(s->handle);
        } else {
            rows = mysql_stmt_affected_rows(s->handle);
        }
        effect->affected_rows = rows == UINT64_MAX ? 0 : rows;
        effect->insert_id = mysql_stmt_insert_id(s->handle);
        if (!mysql_more_results(&c->mysql))
            return TT_DB_OK;
    }
}

static tt_db_status do_write(tt_db_conn *c, tt_str sql, const tt_value *params, size_t n,
                             tt_db_effect *effect, tt_error *err)
{
    tt_error own = TT_ERROR_INIT, *e = err ? err : &own;
    tt_mysql_statement *s = NULL;
    tt_db_status status = tt_mysql_execute(c, sql, params, n, PHASE_WRITE, &s, e);

    if (status == TT_DB_REFUSED && e->server_errno == ER_UNSUPPORTED_PS && n == 0)
        return tt_mysql_do_command(c, sql, PHASE_WRITE, effect, err);
    if (status == TT_DB_LOCAL)
        effect->sent_write = e->server_errno != 0; /* not known otherwise */
    if (status != TT_DB_OK)
        return status;
    effect->sent_write = true;
    status = finish_write(c, s, effect, err);
    tt_mysql_release(c, s);
    return status;
}

static tt_db_status drv_write(tt_db_conn *c, tt_str sql, const tt_value *params, size_t n_params,
                              tt_db_effect *effect, tt_error *err)
{
    tt_db_status status = tt_mysql_begin(c, err);

    tt_mysql_effect_clear(effect);
    if (status != TT_DB_OK)
        return status;
    return tt_mysql_end(c, do_write(c, sql, params, n_params, effect, err));
}

/* ---- commands ---- */

static tt_db_status finish_command(tt_db_conn *c, tt_mysql_phase phase, tt_db_effect *effect,
                                   tt_error *err)
{
    int rc = 0;

    for (;; rc = mysql_next_result(&c->mysql)) {
        MYSQL_RES *rows;

        if (rc > 0)
            return tt_mysql_failed(c, NULL, phase, err);
        if (rc < 0)
            return TT_DB_OK;
        tt_mysql_note(c, effect);
        rows = mysql_store_result(&c->mysql);
        if (rows)
            mysql_free_result(rows);
        else if (mysql_errno(&c->mysql) != 0) /* some errors come only here */
            return tt_mysql_failed(c, NULL, phase, err);
        if (!effect)
            continue;
        if (mysql_affected_rows(&c->mysql) != UINT64_MAX)
            effect->affected_rows = mysql_affected_rows(&c->mysql);
        effect->insert_id = mysql_insert_id(&c->mysql);
    }
}

tt_db_status tt_mysql_do_command(tt_db_conn *c, tt_str sql, tt_mysql_phase phase,
                                 tt_db_effect *effect, tt_error *err)
{
    if (mysql_real_query(&c->mysql, sql.p, sql.n) != 0)
        return tt_mysql_failed(c, NULL, phase, err);
    if (effect)
        effect->sent_write = true;
    return finish_command(c, phase, effect, err);
}

static tt_db_status drv_command(tt_db_conn *c, const char *sql, tt_db_effect *effect, tt_error *err)
{
    tt_db_status status = tt_mysql_begin(c, err);

    if (effect)
        tt_mysql_effect_clear(effect);
    if (status != TT_DB_OK)
        return status;
    return tt_mysql_end(c, tt_mysql_do_command(c, tt_str_c(sql), PHASE_WRITE, effect, err));
}

/* ---- the rest ---- */

static tt_db_status drv_ping(tt_db_conn *c, tt_error *err)
{
    tt_db_status status = tt_mysql_begin(c, err);

    if (status != TT_DB_OK)
        return status;
    if (mysql_ping(&c->mysql) != 0)
        status = tt_mysql_failed(c, NULL, PHASE_READ, err);
    return tt_mysql_end(c, status);
}

static const tt_db_peer *drv_peer(const tt_db_conn *c)
{
    return &c->peer;
}

const tt_db_driver tt_db_driver_linked = {
    .name = tt_mysql_library,
    .connect = tt_mysql_connect,
    .ready = tt_mysql_ready,
    .close = tt_mysql_close,
    .peer = drv_peer,
    .abort = tt_mysql_abort,
    .usable = tt_mysql_usable,
    .broken = tt_mysql_broken,
    .dirty = tt_mysql_dirty,
    .reset = tt_mysql_reset,
    .ping = drv_ping,
    .read = drv_read,
    .write = drv_write,
    .command = drv_command,
    .sample = tt_mysql_sample,
    .inspect = tt_mysql_inspect,
    .wait = tt_mysql_wait,
    .kill = tt_mysql_kill,
};
