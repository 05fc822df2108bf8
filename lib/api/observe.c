#include <twotier/observe.h>

#include "base/err.h"
#include "svc/metrics.h"
#include "svc/observe.h"

/* The first lines of each call. */
static int check(tt_client *client, tt_format format, tt_document **out, tt_error *err)
{
    int rc = tt_client_check(client, err);

    if (rc != 0)
        return rc;
    if (!out)
        return tt_fail(err, TT_E_ARGUMENT, "out is NULL");
    if (format != TT_FORMAT_TEXT && format != TT_FORMAT_JSON)
        return tt_fail(err, TT_E_ARGUMENT, "format is %d; expected a tt_format", (int)format);
    return 0;
}

static int finish(tt_buf *text, tt_document **out, tt_error *err)
{
    return tt_document_make(text, out) == 0 ? 0 : tt_fail_nomem(err);
}

int tt_client_status(tt_client *client, tt_format format, tt_document **out, tt_error *err)
{
    tt_buf text;
    int rc = check(client, format, out, err);

    if (rc != 0)
        return rc;
    text = tt_buf_init(&client->a);
    tt_status_put(client, format == TT_FORMAT_JSON, &text);
    return finish(&text, out, err);
}

int tt_metrics_render(tt_client *client, tt_document **out, tt_error *err)
{
    tt_buf text;
    int rc = check(client, TT_FORMAT_TEXT, out, err);

    if (rc != 0)
        return rc;
    text = tt_buf_init(&client->a);
    tt_metrics_put(client, &text);
    return finish(&text, out, err);
}

int tt_explain(tt_client *client, tt_session *session, const char *sql, const tt_value *params,
               size_t n, const tt_read_options *options, tt_format format, tt_document **out,
               tt_error *err)
{
    tt_error why = TT_ERROR_INIT;
    tt_plan plan;
    tt_keys keys;
    tt_buf text;
    int code, rc = check(client, format, out, err);

    if (rc == 0)
        rc = tt_session_check(session, client, err);
    if (rc != 0)
        return rc;
    code = tt_plan_read(client, sql, options, &plan, &why);
    if (code == TT_E_STATEMENT &&
        (plan.info.class == TT_SQL_WRITE || plan.info.class == TT_SQL_DDL)) {
        tt_plan_free(&plan);
        code = tt_plan_write(client, sql, NULL, &plan, &why);
    }
    if (code == 0 && (!session || session->tx == TT_TX_NONE))
        code = tt_plan_check_outside(&plan, &why);
    tt_keys_init(client, &keys);
    if (code == 0)
        code = tt_keys_make(client, &plan, params, n, &keys, &why);
    text = tt_buf_init(&client->a);
    if (code == TT_E_NOMEM)
        text.failed = true;
    else
        tt_explain_put(client, session, &plan, &keys, code, &why, format == TT_FORMAT_JSON, &text);
    tt_keys_free(&keys);
    tt_plan_free(&plan);
    return finish(&text, out, err);
}
