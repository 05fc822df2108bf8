/* calls.c: the public calls as an actor makes them: blocking, or through a queue, of which it takes
 * the completion before it goes on. */
#include "live/live.h"

#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

void calls_use_queue(live_actor *a)
{
    tt_queue_options o = TT_QUEUE_OPTIONS_INIT;
    tt_error err = TT_ERROR_INIT;

    o.workers = 2;
    o.depth = 4;
    if (tt_queue_new(a->client, &o, &a->queue, &err) == 0)
        return;
    (void)fprintf(stderr, "live: queue: %s\n", err.message);
    _exit(EXIT_FAILURE);
}

/* The outcome of what was submitted with `code`. */
static int await(live_actor *a, int code, tt_result **result, tt_read_info *read,
                 tt_write_info *write, tt_error *err)
{
    tt_completion c = {0};

    if (code != 0)
        return code;
    while (tt_queue_next(a->queue, &c, read, write, err) == 0)
        (void)poll(&(struct pollfd){.fd = tt_queue_fd(a->queue), .events = POLLIN}, 1, -1);
    if (c.user != a || tt_queue_pending(a->queue) != 0) {
        (void)fprintf(stderr, "live: a completion that nobody waits for\n");
        atomic_fetch_add(&live_count(a->l)->violations, 1);
    }
    atomic_fetch_add(&a->l->queued, 1);
    if (result)
        *result = c.result;
    return c.code;
}

int call_read(live_actor *a, tt_session *s, const char *sql, const tt_value *v, size_t n,
              const tt_read_options *o, tt_result **result, tt_read_info *info, tt_error *err)
{
    if (!a->queue)
        return tt_query_read(a->client, s, sql, v, n, o, result, info, err);
    return await(a, tt_queue_read(a->queue, s, sql, v, n, o, a, err), result, info, NULL, err);
}

int call_write(live_actor *a, tt_session *s, const char *sql, const tt_value *v, size_t n,
               const tt_write_options *o, tt_write_info *info, tt_error *err)
{
    if (!a->queue)
        return tt_query_write(a->client, s, sql, v, n, o, info, err);
    return await(a, tt_queue_write(a->queue, s, sql, v, n, o, a, err), NULL, NULL, info, err);
}

int call_statement(live_actor *a, const tt_statement *statement, tt_session *s, const tt_value *v,
                   size_t n, tt_result **result, tt_read_info *read, tt_write_info *write,
                   tt_error *err)
{
    if (a->queue)
        return await(a, tt_queue_statement(a->queue, statement, s, v, n, NULL, a, err), result,
                     read, write, err);
    return write ? tt_statement_write(statement, s, v, n, NULL, write, err)
                 : tt_statement_read(statement, s, v, n, NULL, result, read, err);
}

int call_begin(live_actor *a, tt_error *err)
{
    if (!a->queue)
        return tt_begin(a->session, NULL, err);
    return await(a, tt_queue_begin(a->queue, a->session, NULL, a, err), NULL, NULL, NULL, err);
}

int call_commit(live_actor *a, tt_write_info *info, tt_error *err)
{
    if (!a->queue)
        return tt_commit(a->session, 0, info, err);
    return await(a, tt_queue_commit(a->queue, a->session, 0, a, err), NULL, NULL, info, err);
}

void call_rollback(live_actor *a)
{
    tt_error err = TT_ERROR_INIT;

    if (a->queue)
        (void)await(a, tt_queue_rollback(a->queue, a->session, a, &err), NULL, NULL, NULL, &err);
    else
        (void)tt_rollback(a->session, NULL);
}
