#include <twotier/twotier.h>

#include <string.h>
#include <unistd.h>

#include "api/config.h"
#include "base/abi.h"
#include "base/err.h"
#include "drv/db.h"
#include "svc/query.h"

const char *tt_version(void)
{
    return TT_VERSION;
}

/* ---- client ------------------------------------------------------------------------------------
 */

int tt_client_open(const tt_config *config, tt_client **out, tt_error *err)
{
    tt_secret password = {NULL, NULL, 0}, redis_password = {NULL, NULL, 0};
    tt_client_options options;
    int rc;

    if (!config || !out)
        return tt_fail(err, TT_E_ARGUMENT, "config or out is NULL");
    rc = tt_settings_check(&config->settings, err);
    if (rc == 0)
        rc = tt_config_password(config, &config->a, &password, err);
    if (rc == 0)
        rc = tt_config_redis_password(config, &config->a, &redis_password, err);
    if (rc == 0) {
        options = (tt_client_options){.a = &config->a,
                                      .clock = &config->clock,
                                      .log = &config->sink,
                                      .settings = &config->settings,
                                      .password = &password,
                                      .redis_password = &redis_password,
                                      .driver = &tt_db_driver_linked};
        rc = tt_client_start(&options, out, err);
    }
    tt_secret_free(&password);
    tt_secret_free(&redis_password);
    return rc;
}

void tt_client_close(tt_client *client)
{
    if (client)
        tt_client_stop(client);
}

int tt_client_reload(tt_client *client, const tt_config *config, tt_error *err)
{
    int rc = tt_client_check(client, err);

    if (rc != 0)
        return rc;
    if (!config)
        return tt_fail(err, TT_E_ARGUMENT, "config is NULL");
    rc = tt_settings_check(&config->settings, err);
    if (rc == 0)
        rc = tt_client_change(client, &config->settings, err);
    return rc;
}

int tt_client_ready(tt_client *client, tt_error *err)
{
    int rc = tt_client_check(client, err), primary;

    if (rc != 0)
        return rc;
    pthread_mutex_lock(&client->mu);
    primary = client->core.topology.primary;
    if (primary >= 0 && client->core.topology.nodes[primary].state == TT_NODE_DOWN)
        primary = -1;
    pthread_mutex_unlock(&client->mu);
    return primary >= 0 ? 0 : tt_fail(err, TT_E_UNAVAILABLE, "no primary is known to be up");
}

/* ---- session -----------------------------------------------------------------------------------
 */

int tt_session_new(tt_client *client, tt_session **out, tt_error *err)
{
    tt_session *s;
    int rc = tt_client_check(client, err);

    if (rc != 0)
        return rc;
    if (!out)
        return tt_fail(err, TT_E_ARGUMENT, "out is NULL");
    s = tt_new(&client->a, sizeof(*s));
    if (!s)
        return tt_fail_nomem(err);
    s->c = client;
    s->seen = s->owed = s->tags = tt_buf_init(&client->a);
    *out = s;
    return 0;
}

void tt_session_free(tt_session *session)
{
    if (!session)
        return;
    if (!tt_origin_is_gone(&session->c->origin))
        tt_session_leave(session);
    else
        tt_session_free_memory(session);
}

/* The first lines of every call on a session. */
static int check(tt_session *s, tt_error *err)
{
    int rc;

    if (!s)
        return tt_fail(err, TT_E_ARGUMENT, "the session is NULL");
    rc = tt_client_check(s->c, err);
    return rc != 0 ? rc : tt_session_check(s, s->c, err);
}

int tt_session_token(const tt_session *session, char *out, size_t size, tt_error *err)
{
    tt_buf text;
    int rc;

    if (!session || !out)
        return tt_fail(err, TT_E_ARGUMENT, "session or out is NULL");
    rc = tt_client_check(session->c, err);
    if (rc == 0)
        rc = tt_session_check(session, session->c, err);
    if (rc != 0)
        return rc;
    text = tt_buf_init(&session->c->a);
    rc = tt_session_encode(session, &text);
    if (rc != 0)
        rc = tt_fail_nomem(err);
    else if (text.n >= size)
        rc = tt_fail(err, TT_E_RANGE, "the token takes %zu bytes, there is room for %zu",
                     text.n + 1, size);
    if (rc == 0) {
        if (text.n)
            memcpy(out, text.p, text.n);
        out[text.n] = '\0';
    }
    tt_buf_free(&text);
    return rc;
}

int tt_session_adopt(tt_session *session, const char *token, tt_error *err)
{
    int rc = check(session, err);

    if (rc != 0)
        return rc;
    if (!token)
        return tt_fail(err, TT_E_ARGUMENT, "token is NULL");
    rc = tt_session_decode(session, tt_str_n(token, strnlen(token, TT_TOKEN_MAX + 1)));
    if (rc == TT_E_TOKEN)
        return tt_fail(err, rc, "expected what tt_session_token gave; the session is as it was");
    return rc == 0 ? 0 : tt_fail_nomem(err);
}

int tt_session_in_transaction(const tt_session *session)
{
    if (!session)
        return 0;
    if (tt_origin_is_gone(&session->c->origin))
        return TT_E_FORKED;
    return atomic_load_explicit(&session->owner, memory_order_acquire) == TT_SESSION_FREE
               ? (int)session->tx
               : TT_E_BUSY;
}

/* ---- transactions ------------------------------------------------------------------------------
 */

int tt_begin(tt_session *session, const tt_begin_options *options, tt_error *err)
{
    tt_begin_options o = TT_BEGIN_OPTIONS_INIT;
    int rc = check(session, err);

    if (rc == 0)
        rc = tt_abi_take(&o, sizeof(o), options, err);
    if (rc == 0)
        rc = tt_timeout_check(o.timeout_ms, o.reserved, err);
    return rc != 0 ? rc : tt_run_begin(session, o.timeout_ms, err);
}

int tt_commit(tt_session *session, const tt_commit_options *options, tt_write_info *info,
              tt_error *err)
{
    tt_commit_options o = TT_COMMIT_OPTIONS_INIT;
    int rc = check(session, err);

    if (rc == 0)
        rc = tt_abi_check(info, err);
    if (rc == 0)
        rc = tt_abi_take(&o, sizeof(o), options, err);
    if (rc == 0)
        rc = tt_timeout_check(o.timeout_ms, o.reserved, err);
    return rc != 0 ? rc : tt_run_commit(session, o.timeout_ms, info, err);
}

int tt_rollback(tt_session *session, tt_error *err)
{
    int rc = check(session, err);

    if (rc == 0)
        tt_run_rollback(session);
    return rc;
}

static int later(tt_session *session, const char *what, tt_error *err)
{
    int rc = check(session, err);

    return rc != 0 ? rc : tt_fail(err, TT_E_UNSUPPORTED, "%s comes with a later version", what);
}

int tt_savepoint(tt_session *session, const char *name, tt_error *err)
{
    (void)name;
    return later(session, "tt_savepoint", err);
}

int tt_savepoint_rollback(tt_session *session, const char *name, tt_error *err)
{
    (void)name;
    return later(session, "tt_savepoint_rollback", err);
}

int tt_savepoint_release(tt_session *session, const char *name, tt_error *err)
{
    (void)name;
    return later(session, "tt_savepoint_release", err);
}

int tt_transaction(tt_session *session, int (*body)(tt_session *session, void *ctx), void *ctx,
                   const tt_begin_options *options, tt_write_info *info, tt_error *err)
{
    (void)body;
    (void)ctx;
    (void)options;
    (void)info;
    return later(session, "tt_transaction", err);
}
