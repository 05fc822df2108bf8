#include "cli/cli.h"

#include <string.h>
#include <time.h>

enum { SETTLE_MS = 1000, SETTLE_STEP_MS = 20 };

int cli_run_invalidate(cli *c)
{
    tt_invalidate_options o = TT_INVALIDATE_OPTIONS_INIT;
    tt_error err = TT_ERROR_INIT;
    int rc, status = cli_open(c);

    if (status != 0)
        return status;
    o.timeout_ms = c->timeout_ms;
    rc = tt_invalidate_tags(c->client, c->args, (size_t)c->n_args, &o, &err);
    if (rc != 0)
        return cli_fail(c, rc, &err);
    if (c->json)
        printf("{\"invalidated\":%d}\n", c->n_args);
    else
        printf("%d %s invalidated\n", c->n_args, c->n_args == 1 ? "tag" : "tags");
    return 0;
}

int cli_run_clear(cli *c)
{
    tt_invalidate_options o = TT_INVALIDATE_OPTIONS_INIT;
    tt_error err = TT_ERROR_INIT;
    int rc, status = cli_open(c);

    if (status != 0)
        return status;
    o.timeout_ms = c->timeout_ms;
    rc = tt_cache_clear(c->client, &o, &err);
    if (rc != 0)
        return cli_fail(c, rc, &err);
    (void)puts(c->json ? "{\"cleared\":true}" : "every entry of the namespace invalidated");
    return 0;
}

void cli_settle(const cli *c)
{
    static const struct timespec pause = {0, SETTLE_STEP_MS * 1000000L};
    bool settled = false;

    for (int waited_ms = 0; !settled && waited_ms < SETTLE_MS; waited_ms += SETTLE_STEP_MS) {
        tt_document *d = NULL;
        tt_error err;

        if (tt_client_status(c->client, TT_FORMAT_JSON, &d, &err) != 0)
            return;
        settled = !strstr(tt_document_text(d), "\"compared\":false");
        tt_document_free(d);
        if (!settled)
            (void)nanosleep(&pause, NULL);
    }
}

void cli_put_document(const tt_document *d)
{
    size_t n = tt_document_size(d);

    (void)fwrite(tt_document_text(d), 1, n, stdout);
    if (n == 0 || tt_document_text(d)[n - 1] != '\n')
        (void)putchar('\n');
}

int cli_run_status(cli *c)
{
    tt_error err = TT_ERROR_INIT;
    tt_document *d = NULL;
    int rc, status = cli_open(c);

    if (status != 0)
        return status;
    cli_settle(c);
    rc = tt_client_status(c->client, TT_FORMAT_JSON, &d, &err);
    if (rc != 0)
        return cli_fail(c, rc, &err);
    if (c->json || !cli_put_status(c, tt_document_text(d)))
        cli_put_document(d);
    tt_document_free(d);
    rc = tt_client_ready(c->client, &err);
    return rc == 0 ? 0 : cli_fail(c, rc, &err);
}

int cli_run_metrics(cli *c)
{
    tt_error err = TT_ERROR_INIT;
    tt_document *d = NULL;
    int rc, status = cli_open(c);

    if (status != 0)
        return status;
    rc = tt_metrics_render(c->client, &d, &err);
    if (rc != 0)
        return cli_fail(c, rc, &err);
    cli_put_document(d);
    tt_document_free(d);
    return 0;
}

int cli_run_version(cli *c)
{
    if (c->json)
        printf("{\"command\":\"%s\",\"library\":\"%s\"}\n", TT_VERSION, tt_version());
    else
        printf("twotier %s (library %s)\n", TT_VERSION, tt_version());
    return 0;
}
