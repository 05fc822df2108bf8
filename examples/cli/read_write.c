#include "cli/cli.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

static int64_t now_us(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* ---- read --------------------------------------------------------------------------------------
 */

static const char *source_name(int source)
{
    static const char *const names[] = {"none", "local", "redis", "replica", "primary"};

    return source >= 0 && source < 5 ? names[source] : "none";
}

static void put_token_json(const cli *c)
{
    if (!c->session)
        return;
    (void)fputs(",\"session_token\":", stdout);
    cli_put_json_string(stdout, c->new_token, strlen(c->new_token));
}

static void put_token_text(const cli *c)
{
    if (c->session)
        printf("%ssession token: %s%s\n", c->out.dim, c->new_token[0] ? c->new_token : "(empty)",
               c->out.plain);
}

static void put_read_json(const cli *c, const tt_result *r, const tt_read_info *info,
                          int64_t took_us)
{
    (void)putchar('{');
    cli_put_rows_json(r);
    printf(",\"source\":\"%s\",\"node\":", source_name(info->source));
    cli_put_json_string(stdout, info->node, strlen(info->node));
    (void)fputs(",\"why\":", stdout);
    cli_put_json_string(stdout, info->why ? info->why : "", info->why ? strlen(info->why) : 0);
    printf(",\"stale\":%s,\"shared\":%s,\"age_ms\":%" PRId64 ",\"time_us\":%" PRId64,
           info->stale ? "true" : "false", info->shared ? "true" : "false", info->age_ms, took_us);
    put_token_json(c);
    (void)puts("}");
}

static void put_read_text(const cli *c, const tt_result *r, const tt_read_info *info,
                          int64_t took_us)
{
    size_t n = tt_result_rows(r);

    cli_put_rows_table(c, r);
    printf("\n%s%zu %s from %s%s%s in %.2f ms: %s", c->out.dim, n, n == 1 ? "row" : "rows",
           source_name(info->source), info->node[0] ? " " : "", info->node,
           (double)took_us / 1000.0, info->why ? info->why : "");
    if (info->source == TT_SOURCE_REDIS || info->source == TT_SOURCE_LOCAL)
        printf(", read at the database %.1f s ago", (double)info->age_ms / 1000.0);
    printf("%s%s\n", info->stale ? "; may be stale, as allowed" : "", c->out.plain);
    put_token_text(c);
}

static tt_read_options read_options(cli *c)
{
    tt_read_options o = TT_READ_OPTIONS_INIT;

    o.cache_class = c->cache_class;
    o.tags = c->n_tags ? c->tags : NULL;
    o.n_tags = c->n_tags;
    o.consistency = c->consistency;
    o.bound_ms = c->bound_ms;
    o.timeout_ms = c->timeout_ms;
    return o;
}

int cli_run_read(cli *c)
{
    tt_read_options options = read_options(c);
    tt_read_info info = TT_READ_INFO_INIT;
    tt_error err = TT_ERROR_INIT;
    const char *sql = cli_sql(c);
    tt_result *result = NULL;
    int64_t took_us;
    int rc, status;

    if (c->n_tags && !c->cache_class)
        return cli_usage(c, "read: --tag says what a cached result depends on: add --cached, or "
                            "--class NAME");
    status = sql ? cli_open(c) : CLI_USAGE;
    if (status != 0)
        return status;
    took_us = -now_us();
    rc = tt_query_read(c->client, c->session, sql, c->params, c->n_params, &options, &result, &info,
                       &err);
    took_us += now_us();
    if (rc != 0)
        return cli_fail(c, rc, &err);
    status = cli_keep_token(c);
    if (c->json)
        put_read_json(c, result, &info, took_us);
    else
        put_read_text(c, result, &info, took_us);
    tt_result_free(result);
    return status;
}

int cli_run_explain(cli *c)
{
    tt_read_options options = read_options(c);
    tt_error err = TT_ERROR_INIT;
    const char *sql = cli_sql(c);
    tt_document *d = NULL;
    int rc, status = sql ? cli_open(c) : CLI_USAGE;

    if (status != 0)
        return status;
    cli_settle(c);
    rc = tt_explain(c->client, c->session, sql, c->params, c->n_params, &options, TT_FORMAT_JSON,
                    &d, &err);
    if (rc != 0)
        return cli_fail(c, rc, &err);
    if (c->json)
        cli_put_document(d);
    else
        cli_put_explain(c, tt_document_text(d));
    tt_document_free(d);
    return 0;
}

/* ---- write -------------------------------------------------------------------------------------
 */

static const char *invalidated_name(int invalidated)
{
    static const char *const names[] = {"none", "done", "outstanding", "deferred", "at_commit"};

    return invalidated >= 0 && invalidated < 5 ? names[invalidated] : "none";
}

static void put_write_json(const cli *c, const tt_write_info *info, int64_t took_us)
{
    printf("{\"affected_rows\":%" PRIu64 ",\"insert_id\":%" PRIu64
           ",\"invalidated\":\"%s\",\"position\":",
           info->affected_rows, info->insert_id, invalidated_name(info->invalidated));
    cli_put_json_string(stdout, info->position, strlen(info->position));
    printf(",\"time_us\":%" PRId64, took_us);
    put_token_json(c);
    (void)puts("}");
}

static void put_write_text(const cli *c, const tt_write_info *info, int64_t took_us)
{
    printf("%" PRIu64 " %s affected in %.2f ms", info->affected_rows,
           info->affected_rows == 1 ? "row" : "rows", (double)took_us / 1000.0);
    if (info->insert_id)
        printf(", insert id %" PRIu64, info->insert_id);
    if (info->position[0])
        printf(", committed at %s", info->position);
    printf("; invalidation: %s\n", invalidated_name(info->invalidated));
    put_token_text(c);
}

static void warn_outstanding(const tt_write_info *info)
{
    if (info->invalidated == TT_INVALIDATED_OUTSTANDING)
        (void)fputs(
            "twotier: the write is committed, but Redis failed before it knew: cached reads "
            "may be older until the marks are cleared\n",
            stderr);
    if (info->invalidated == TT_INVALIDATED_DEFERRED)
        (void)fputs("twotier: the write is committed, but Redis is away: cached reads may be older "
                    "until a running client has told it\n",
                    stderr);
}

int cli_run_write(cli *c)
{
    tt_write_options options = TT_WRITE_OPTIONS_INIT;
    tt_write_info info = TT_WRITE_INFO_INIT;
    tt_error err = TT_ERROR_INIT;
    const char *sql = cli_sql(c);
    int rc, status = sql ? cli_open(c) : CLI_USAGE;
    int64_t took_us;

    if (status != 0)
        return status;
    options.tags = c->n_tags ? c->tags : NULL;
    options.n_tags = c->n_tags;
    options.flags = c->write_flags;
    options.timeout_ms = c->timeout_ms;
    took_us = -now_us();
    rc = tt_query_write(c->client, c->session, sql, c->params, c->n_params, &options, &info, &err);
    took_us += now_us();
    if (rc != 0) {
        (void)(rc == TT_E_COMMIT_UNKNOWN ? cli_keep_token(c) : 0);
        return cli_fail(c, rc, &err);
    }
    status = cli_keep_token(c);
    if (c->json)
        put_write_json(c, &info, took_us);
    else
        put_write_text(c, &info, took_us);
    warn_outstanding(&info);
    return status;
}
