#include <twotier/query.h>

#include "api/statement.h"
#include "base/abi.h"
#include "base/err.h"
#include "svc/query.h"

static int check(tt_client *c, const tt_session *s, const void *info, tt_error *err)
{
    int rc = tt_client_check(c, err);

    if (rc == 0)
        rc = tt_session_check(s, c, err);
    return rc != 0 ? rc : tt_abi_check(info, err);
}

int tt_query_read(tt_client *client, tt_session *session, const char *sql, const tt_value *params,
                  size_t n, const tt_read_options *options, tt_result **out, tt_read_info *info,
                  tt_error *err)
{
    tt_plan plan;
    int rc = check(client, session, info, err);

    if (rc != 0)
        return rc;
    if (!out)
        return tt_fail(err, TT_E_ARGUMENT, "out is NULL");
    rc = tt_plan_read(client, sql, options, &plan, err);
    if (rc == 0)
        rc = tt_run_read(client, session, &plan, params, n, NULL, out, info, err);
    tt_plan_free(&plan);
    return rc;
}

int tt_query_write(tt_client *client, tt_session *session, const char *sql, const tt_value *params,
                   size_t n, const tt_write_options *options, tt_write_info *info, tt_error *err)
{
    tt_plan plan;
    int rc = check(client, session, info, err);

    if (rc != 0)
        return rc;
    rc = tt_plan_write(client, sql, options, &plan, err);
    if (rc == 0)
        rc = tt_run_write(client, session, &plan, params, n, NULL, info, err);
    tt_plan_free(&plan);
    return rc;
}

int tt_warm(tt_client *client, const char *sql, const tt_value *params, size_t n,
            const tt_read_options *options, tt_error *err)
{
    tt_read_options o = TT_READ_OPTIONS_INIT;
    tt_result *result = NULL;
    int rc = tt_client_check(client, err);

    if (rc == 0)
        rc = tt_abi_take(&o, sizeof(o), options, err);
    if (rc != 0)
        return rc;
    if (!o.cache_class)
        return tt_fail(err, TT_E_ARGUMENT,
                       "tt_warm without options->cache_class would cache nothing");
    rc = tt_query_read(client, NULL, sql, params, n, &o, &result, NULL, err);
    tt_result_free(rc == 0 ? result : NULL);
    return rc;
}

/* ---- invalidation ------------------------------------------------------------------------------
 */

static int take_invalidate(tt_client *client, const tt_invalidate_options *options, int *timeout_ms,
                           tt_error *err)
{
    tt_invalidate_options o = TT_INVALIDATE_OPTIONS_INIT;
    int rc = tt_client_check(client, err);

    if (rc == 0)
        rc = tt_abi_take(&o, sizeof(o), options, err);
    *timeout_ms = o.timeout_ms;
    return rc != 0 ? rc : tt_timeout_check(o.timeout_ms, o.reserved, err);
}

int tt_invalidate_tags(tt_client *client, const char *const *tags, size_t n_tags,
                       const tt_invalidate_options *options, tt_error *err)
{
    tt_keys keys;
    int timeout_ms, rc = take_invalidate(client, options, &timeout_ms, err);

    if (rc != 0)
        return rc;
    if (!tags || n_tags == 0)
        return tt_fail(err, TT_E_ARGUMENT, "no tags");
    tt_keys_init(client, &keys);
    for (size_t i = 0; i < n_tags && rc == 0; i++)
        rc = tags[i] ? tt_keys_add(client, &keys, tt_str_c(tags[i]), err)
                     : tt_fail(err, TT_E_ARGUMENT, "tag %zu is NULL", i);
    tt_keys_done(client, &keys);
    if (rc == 0)
        rc = tt_run_invalidate(client, &keys, timeout_ms, err);
    tt_keys_free(&keys);
    return rc;
}

int tt_cache_clear(tt_client *client, const tt_invalidate_options *options, tt_error *err)
{
    int timeout_ms, rc = take_invalidate(client, options, &timeout_ms, err);

    return rc != 0 ? rc : tt_run_clear(client, timeout_ms, err);
}

/* ---- statements --------------------------------------------------------------------------------
 */

static int statement_new(tt_client *c, const char *sql, const tt_read_options *read,
                         const tt_write_options *write, bool writes, tt_statement **out,
                         tt_error *err)
{
    tt_statement *s;
    int rc = tt_client_check(c, err);

    if (rc != 0)
        return rc;
    if (!out)
        return tt_fail(err, TT_E_ARGUMENT, "out is NULL");
    s = tt_new(&c->a, sizeof(*s));
    if (!s)
        return tt_fail_nomem(err);
    s->c = c;
    rc = writes ? tt_plan_write(c, sql, write, &s->plan, err)
                : tt_plan_read(c, sql, read, &s->plan, err);
    if (rc == 0)
        rc = tt_plan_check_patterns(&s->plan, err);
    if (rc != 0) {
        tt_statement_free(s);
        return rc;
    }
    *out = s;
    return 0;
}

int tt_statement_new_read(tt_client *client, const char *sql, const tt_read_options *options,
                          tt_statement **out, tt_error *err)
{
    return statement_new(client, sql, options, NULL, false, out, err);
}

int tt_statement_new_write(tt_client *client, const char *sql, const tt_write_options *options,
                           tt_statement **out, tt_error *err)
{
    return statement_new(client, sql, NULL, options, true, out, err);
}

void tt_statement_free(tt_statement *statement)
{
    tt_client *c;

    if (!statement)
        return;
    c = statement->c;
    tt_plan_free(&statement->plan);
    tt_del(&c->a, statement);
}

int tt_statement_read(const tt_statement *statement, tt_session *session, const tt_value *params,
                      size_t n, const tt_call_options *call, tt_result **out, tt_read_info *info,
                      tt_error *err)
{
    int rc;

    if (!statement || !out)
        return tt_fail(err, TT_E_ARGUMENT, "statement or out is NULL");
    rc = check(statement->c, session, info, err);
    if (rc != 0)
        return rc;
    if (statement->plan.writes)
        return tt_fail(err, TT_E_STATE, "the statement was made to write: use tt_statement_write");
    return tt_run_read(statement->c, session, &statement->plan, params, n, call, out, info, err);
}

int tt_statement_write(const tt_statement *statement, tt_session *session, const tt_value *params,
                       size_t n, const tt_call_options *call, tt_write_info *info, tt_error *err)
{
    int rc;

    if (!statement)
        return tt_fail(err, TT_E_ARGUMENT, "statement is NULL");
    rc = check(statement->c, session, info, err);
    if (rc != 0)
        return rc;
    if (!statement->plan.writes)
        return tt_fail(err, TT_E_STATE, "the statement was made to read: use tt_statement_read");
    return tt_run_write(statement->c, session, &statement->plan, params, n, call, info, err);
}

/* ---- later versions ----------------------------------------------------------------------------
 */

int tt_query_stream(tt_client *client, tt_session *session, const char *sql, const tt_value *params,
                    size_t n, const tt_read_options *options,
                    int (*rows)(const tt_result *rows, void *ctx), void *ctx, tt_read_info *info,
                    tt_error *err)
{
    int rc = check(client, session, info, err);

    (void)sql;
    (void)params;
    (void)n;
    (void)options;
    (void)rows;
    (void)ctx;
    return rc != 0 ? rc
                   : tt_fail(err, TT_E_UNSUPPORTED, "tt_query_stream comes with a later version");
}

int tt_query_read_many(const tt_statement *statement, tt_session *session, const tt_value *params,
                       size_t n, size_t n_sets, const tt_call_options *call, tt_result **out,
                       tt_read_info *info, tt_error *err)
{
    int rc;

    (void)params;
    (void)n;
    (void)n_sets;
    (void)call;
    (void)out;
    if (!statement)
        return tt_fail(err, TT_E_ARGUMENT, "statement is NULL");
    rc = check(statement->c, session, info, err);
    return rc != 0
               ? rc
               : tt_fail(err, TT_E_UNSUPPORTED, "tt_query_read_many comes with a later version");
}
