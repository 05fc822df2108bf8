/* queue_test.c: submit, wait for the descriptor, complete, on real servers. A worker is held up by
 * a row that a transaction of the test has locked, never by a sleep that may be too short. */
#include "unit/suite.h"

#include <fcntl.h>
#include <dirent.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <twotier/twotier.h>

#include "integration/servers.h"

enum { PATIENCE_MS = 20000 };

static tt_client *client;
static tt_error err;

#define OK(call) ck_assert_msg((call) == 0, "%s: %s", tt_error_name(err.code), err.message)
#define GIVES(call, expected)                                                                      \
    do {                                                                                           \
        int got_ = (call);                                                                         \
        ck_assert_msg(got_ == (expected), "expected %s, got %s: %s", tt_error_name(expected),      \
                      tt_error_name(got_), err.message);                                           \
    } while (0)

static void write_now(tt_session *s, const char *sql)
{
    OK(tt_query_write(client, s, sql, NULL, 0, NULL, NULL, &err));
}

static void setup(void)
{
    static const char create[] =
        "CREATE TABLE IF NOT EXISTS queued (id INT PRIMARY KEY, v BIGINT, t TEXT)";
    tt_write_options o = TT_WRITE_OPTIONS_INIT;
    tt_config *config = NULL;

    OK(tt_config_new(NULL, &config, &err));
    OK(tt_config_load_file(config, getenv("TT_CONFIG"), &err));
    OK(tt_client_open(config, &client, &err));
    tt_config_free(config);
    o.flags = TT_WRITE_NO_TAGS;
    OK(tt_query_write(client, NULL, create, NULL, 0, &o, NULL, &err));
    write_now(NULL, "DELETE FROM queued");
    write_now(NULL, "INSERT INTO queued VALUES (1, 10, 'one'), (2, 20, 'two')");
}

static void teardown(void)
{
    tt_client_close(client);
}

static tt_queue *new_queue(int workers, int depth)
{
    tt_queue_options o = TT_QUEUE_OPTIONS_INIT;
    tt_queue *q = NULL;

    o.workers = workers;
    o.depth = depth;
    OK(tt_queue_new(client, &o, &q, &err));
    return q;
}

static tt_session *new_session(void)
{
    tt_session *s = NULL;

    OK(tt_session_new(client, &s, &err));
    return s;
}

static bool readable(const tt_queue *q, int wait_ms)
{
    struct pollfd p = {.fd = tt_queue_fd(q), .events = POLLIN};

    return poll(&p, 1, wait_ms) == 1;
}

/* The next completion, which is waited for by the descriptor. It stays readable after the last one
 * was taken, until that was seen. */
static tt_completion wait_with(tt_queue *q, tt_read_info *read, tt_write_info *write)
{
    tt_completion done = {0};

    for (int i = 0; i < 2; i++) {
        ck_assert(readable(q, PATIENCE_MS));
        if (tt_queue_next(q, &done, read, write, &err))
            return done;
        ck_assert_int_eq(i, 0);
    }
    return done;
}

static tt_completion wait_next(tt_queue *q)
{
    return wait_with(q, NULL, NULL);
}

static void expect_next(tt_queue *q, const void *user, int code)
{
    tt_completion done = wait_next(q);

    GIVES(done.code, code);
    ck_assert_ptr_eq(done.user, user);
    tt_result_free(done.result);
}

/* A session that holds the row 2: whoever writes to it waits until let_go(). */
static tt_session *hold(void)
{
    tt_session *s = new_session();

    OK(tt_begin(s, NULL, &err));
    write_now(s, "UPDATE queued SET v = 21 WHERE id = 2");
    return s;
}

static void let_go(tt_session *s)
{
    OK(tt_rollback(s, &err));
    tt_session_free(s);
}

static const char blocked[] = "UPDATE queued SET v = 22 WHERE id = 2";
static const char count_all[] = "SELECT COUNT(*) FROM queued";

static void submit_write(tt_queue *q, tt_session *s, const char *sql, void *user)
{
    OK(tt_queue_write(q, s, sql, NULL, 0, NULL, user, &err));
}

static void submit_read(tt_queue *q, tt_session *s, const char *sql, void *user)
{
    OK(tt_queue_read(q, s, sql, NULL, 0, NULL, user, &err));
}

/* The queue's worker is in the middle of `blocked`. */
static void wait_until_blocked(void)
{
    static const char sql[] = "SELECT COUNT(*) FROM information_schema.processlist "
                              "WHERE info LIKE 'UPDATE queued SET v = 22%'";
    tt_read_options o = TT_READ_OPTIONS_INIT;
    int64_t n = 0;

    o.consistency = TT_STRONG;
    for (int i = 0; n == 0 && i < 1000; i++) {
        tt_result *r = NULL;

        OK(tt_query_read(client, NULL, sql, NULL, 0, &o, &r, NULL, &err));
        ck_assert_int_eq(tt_result_int(r, 0, 0, &n), 0);
        tt_result_free(r);
        (void)usleep(5000);
    }
    ck_assert_int_gt(n, 0);
}

/* ---- one at a time -------------------------------------------------------------------------- */

START_TEST(what_a_queue_cannot_be)
{
    tt_queue_options o = TT_QUEUE_OPTIONS_INIT;
    tt_queue *q = NULL;
    tt_completion done;

    o.workers = TT_QUEUE_WORKERS_MAX + 1;
    GIVES(tt_queue_new(client, &o, &q, &err), TT_E_ARGUMENT);
    o.workers = -1;
    GIVES(tt_queue_new(client, &o, &q, &err), TT_E_ARGUMENT);
    o.workers = 0;
    o.depth = TT_QUEUE_DEPTH_MAX + 1;
    GIVES(tt_queue_new(client, &o, &q, &err), TT_E_ARGUMENT);
    o.size = 0;
    GIVES(tt_queue_new(client, &o, &q, &err), TT_E_ARGUMENT);
    GIVES(tt_queue_new(client, NULL, NULL, &err), TT_E_ARGUMENT);
    ck_assert_ptr_null(q);
    OK(tt_queue_new(client, NULL, &q, &err));
    ck_assert_int_ge(tt_queue_fd(q), 0);
    tt_queue_free(q);

    GIVES(tt_queue_read(NULL, NULL, count_all, NULL, 0, NULL, NULL, &err), TT_E_ARGUMENT);
    ck_assert_int_eq(tt_queue_next(NULL, &done, NULL, NULL, NULL), 0);
    ck_assert_uint_eq(tt_queue_pending(NULL), 0);
    ck_assert_int_lt(tt_queue_fd(NULL), 0);
    tt_queue_stop(NULL);
    tt_queue_free(NULL);
}
END_TEST

START_TEST(the_descriptor_is_readable_while_completions_wait)
{
    tt_queue *q = new_queue(2, 0);
    tt_completion done;

    ck_assert(!readable(q, 0));
    ck_assert_int_eq(tt_queue_next(q, &done, NULL, NULL, NULL), 0);
    submit_read(q, NULL, count_all, q);
    submit_read(q, NULL, count_all, q);
    ck_assert_uint_eq(tt_queue_pending(q), 2);
    expect_next(q, q, 0);
    ck_assert_uint_eq(tt_queue_pending(q), 1);
    expect_next(q, q, 0);
    ck_assert_uint_eq(tt_queue_pending(q), 0);
    /* Level-triggered, and nobody but tt_queue_next may know that nothing is left. */
    ck_assert(readable(q, 0));
    ck_assert_int_eq(tt_queue_next(q, &done, NULL, NULL, NULL), 0);
    ck_assert(!readable(q, 0));
    submit_read(q, NULL, count_all, q);
    ck_assert(readable(q, PATIENCE_MS));
    ck_assert(readable(q, 0));
    expect_next(q, q, 0);
    tt_queue_free(q);
}
END_TEST

START_TEST(a_completion_tells_what_the_blocking_call_does)
{
    tt_queue *q = new_queue(1, 0);
    tt_value two = tt_int(2);
    tt_read_info read = TT_READ_INFO_INIT;
    tt_write_info write = TT_WRITE_INFO_INIT;
    tt_completion done;
    int64_t v;

    OK(tt_queue_read(q, NULL, "SELECT v FROM queued WHERE id = ?", &two, 1, NULL, &v, &err));
    done = wait_with(q, &read, &write);
    GIVES(done.code, 0);
    ck_assert_ptr_eq(done.user, &v);
    ck_assert_int_eq(tt_result_int(done.result, 0, 0, &v), 0);
    ck_assert_int_eq(v, 20);
    ck_assert_int_ne(read.source, TT_SOURCE_NONE);
    ck_assert_str_ne(read.node, "");
    ck_assert_uint_eq(write.affected_rows, 0);
    tt_result_free(done.result);

    submit_write(q, NULL, "UPDATE queued SET v = 30", NULL);
    done = wait_with(q, NULL, &write);
    GIVES(done.code, 0);
    ck_assert_ptr_null(done.result);
    ck_assert_uint_eq(write.affected_rows, 2);
    ck_assert_int_eq(write.invalidated, TT_INVALIDATED_DONE);
    tt_queue_free(q);
}
END_TEST

START_TEST(what_is_wrong_comes_as_a_completion_or_at_once)
{
    tt_queue *q = new_queue(1, 0);
    tt_value values[2] = {tt_int(1), {.type = (tt_type)77}};
    tt_read_options o = TT_READ_OPTIONS_INIT;
    tt_completion done;

    submit_read(q, NULL, "DELETE FROM queued", q);
    expect_next(q, q, TT_E_STATEMENT);
    ck_assert_int_eq(err.code, TT_E_STATEMENT);
    submit_read(q, NULL, "SELECT nothing FROM nowhere", q);
    done = wait_next(q);
    GIVES(done.code, TT_E_SQL);
    ck_assert_uint_ne(err.server_errno, 0);
    ck_assert_str_ne(err.node, "");
    submit_write(q, NULL, "INSERT INTO queued VALUES (1, 1, '')", q);
    expect_next(q, q, TT_E_CONSTRAINT);
    OK(tt_queue_read(q, NULL, "SELECT ?", values, 2, NULL, q, &err));
    expect_next(q, q, TT_E_PARAMETERS);
    OK(tt_queue_read(q, NULL, "SELECT ?, ?", values, 2, NULL, q, &err));
    expect_next(q, q, TT_E_ARGUMENT);
    values[1] = tt_blob(values, (size_t)TT_VALUE_BYTES_MAX + 1); /* not so long: never looked at */
    OK(tt_queue_read(q, NULL, "SELECT ?, ?", values, 2, NULL, q, &err));
    expect_next(q, q, TT_E_LIMIT);

    GIVES(tt_queue_read(q, NULL, NULL, NULL, 0, NULL, q, &err), TT_E_ARGUMENT);
    GIVES(tt_queue_read(q, NULL, "SELECT ?", NULL, 1, NULL, q, &err), TT_E_ARGUMENT);
    GIVES(tt_queue_begin(q, NULL, NULL, q, &err), TT_E_ARGUMENT);
    o.timeout_ms = -1;
    GIVES(tt_queue_read(q, NULL, count_all, NULL, 0, &o, q, &err), TT_E_ARGUMENT);
    o = (tt_read_options)TT_READ_OPTIONS_INIT;
    o.consistency = TT_BOUNDED;
    GIVES(tt_queue_read(q, NULL, count_all, NULL, 0, &o, q, &err), TT_E_UNSUPPORTED);
    ck_assert_uint_eq(tt_queue_pending(q), 0);
    tt_queue_free(q);
}
END_TEST

START_TEST(everything_given_is_copied)
{
    tt_queue *q = new_queue(1, 0);
    tt_session *holder = hold();
    char sql[] = "SELECT CONCAT(?, ?, t) FROM queued WHERE id = 1", text[] = "abc", tag[] = "x:{1}";
    const char *tags[] = {tag};
    tt_value values[2] = {tt_text(text), tt_blob(text, 2)};
    tt_read_options o = TT_READ_OPTIONS_INIT;
    const char *got;
    size_t n;

    submit_write(q, NULL, blocked, NULL);
    o.cache_class = "";
    o.tags = tags;
    o.n_tags = 1;
    OK(tt_queue_read(q, NULL, sql, values, 2, &o, NULL, &err));
    memset(sql, '!', sizeof(sql) - 1);
    memset(text, '!', sizeof(text) - 1);
    memset(tag, '!', sizeof(tag) - 1);
    memset(values, 0x7f, sizeof(values));
    memset(&o, 0x7f, sizeof(o));
    let_go(holder);
    expect_next(q, NULL, 0);
    {
        tt_completion done = wait_next(q);

        GIVES(done.code, 0);
        ck_assert_int_eq(tt_result_bytes(done.result, 0, 0, &got, &n), 0);
        ck_assert_str_eq(got, "abcabone");
        tt_result_free(done.result);
    }
    tt_queue_free(q);
}
END_TEST

START_TEST(statements_are_run_as_they_were_made)
{
    tt_queue *q = new_queue(1, 0);
    tt_statement *reads = NULL, *writes = NULL;
    tt_value values[2] = {tt_int(77), tt_int(1)};
    tt_call_options call = TT_CALL_OPTIONS_INIT;
    tt_completion done;
    int64_t v;

    OK(tt_statement_new_read(client, "SELECT v FROM queued WHERE id = ?", NULL, &reads, &err));
    OK(tt_statement_new_write(client, "UPDATE queued SET v = ? WHERE id = ?", NULL, &writes, &err));
    OK(tt_queue_statement(q, writes, NULL, values, 2, NULL, NULL, &err));
    expect_next(q, NULL, 0);
    call.consistency = TT_STRONG;
    OK(tt_queue_statement(q, reads, NULL, &values[1], 1, &call, NULL, &err));
    done = wait_next(q);
    GIVES(done.code, 0);
    ck_assert_int_eq(tt_result_int(done.result, 0, 0, &v), 0);
    ck_assert_int_eq(v, 77);
    tt_result_free(done.result);
    call.timeout_ms = -5;
    GIVES(tt_queue_statement(q, reads, NULL, &values[1], 1, &call, NULL, &err), TT_E_ARGUMENT);
    GIVES(tt_queue_statement(q, NULL, NULL, NULL, 0, NULL, NULL, &err), TT_E_ARGUMENT);
    GIVES(tt_statement_write(writes, NULL, values, 2, &call, NULL, &err), TT_E_ARGUMENT);
    tt_queue_free(q);
    tt_statement_free(reads);
    tt_statement_free(writes);
}
END_TEST

/* ---- sessions ------------------------------------------------------------------------------- */

/* Everything that a session can be asked gives TT_E_BUSY. */
static void check_busy(tt_queue *q, tt_session *s)
{
    char token[TT_TOKEN_MAX];
    tt_result *r = NULL;

    GIVES(tt_query_read(client, s, count_all, NULL, 0, NULL, &r, NULL, &err), TT_E_BUSY);
    GIVES(tt_query_write(client, s, blocked, NULL, 0, NULL, NULL, &err), TT_E_BUSY);
    GIVES(tt_begin(s, NULL, &err), TT_E_BUSY);
    GIVES(tt_commit(s, 0, NULL, &err), TT_E_BUSY);
    GIVES(tt_rollback(s, &err), TT_E_BUSY);
    GIVES(tt_session_token(s, token, sizeof(token), &err), TT_E_BUSY);
    GIVES(tt_session_adopt(s, "", &err), TT_E_BUSY);
    GIVES(tt_session_in_transaction(s), TT_E_BUSY);
    GIVES(tt_queue_read(q, s, count_all, NULL, 0, NULL, NULL, &err), TT_E_BUSY);
    GIVES(tt_queue_rollback(q, s, NULL, &err), TT_E_BUSY);
}

START_TEST(a_session_is_busy_until_its_completion_is_taken)
{
    tt_queue *q = new_queue(1, 0);
    tt_session *holder = hold(), *s = new_session();

    submit_write(q, s, blocked, s);
    check_busy(q, s);
    ck_assert_uint_eq(tt_queue_pending(q), 1);
    let_go(holder);
    ck_assert(readable(q, PATIENCE_MS));
    check_busy(q, s); /* done, but not taken */
    expect_next(q, s, 0);
    ck_assert_int_eq(tt_session_in_transaction(s), 0);
    /* What was refused at submission leaves it free. */
    GIVES(tt_queue_read(q, s, NULL, NULL, 0, NULL, s, &err), TT_E_ARGUMENT);
    OK(tt_rollback(s, &err));
    tt_session_free(s);
    tt_queue_free(q);
}
END_TEST

static int64_t read_v(tt_session *s, int id)
{
    tt_value value = tt_int(id);
    tt_read_options o = TT_READ_OPTIONS_INIT;
    tt_result *r = NULL;
    int64_t v = -1;

    o.consistency = TT_STRONG;
    OK(tt_query_read(client, s, "SELECT v FROM queued WHERE id = ?", &value, 1, &o, &r, NULL,
                     &err));
    ck_assert_int_eq(tt_result_int(r, 0, 0, &v), 0);
    tt_result_free(r);
    return v;
}

START_TEST(a_transaction_through_the_queue)
{
    tt_queue *q = new_queue(4, 0);
    tt_session *s = new_session();
    tt_write_info info = TT_WRITE_INFO_INIT;
    tt_completion done;

    OK(tt_queue_begin(q, s, NULL, s, &err));
    expect_next(q, s, 0);
    ck_assert_int_eq(tt_session_in_transaction(s), 1);
    submit_write(q, s, "UPDATE queued SET v = 11 WHERE id = 1", s);
    expect_next(q, s, 0);
    ck_assert_int_eq(read_v(NULL, 1), 10);
    OK(tt_queue_commit(q, s, 0, s, &err));
    done = wait_with(q, NULL, &info);
    GIVES(done.code, 0);
    ck_assert_int_eq(info.invalidated, TT_INVALIDATED_DONE);
    ck_assert_int_eq(read_v(s, 1), 11);

    OK(tt_queue_begin(q, s, NULL, s, &err));
    expect_next(q, s, 0);
    submit_write(q, s, "UPDATE queued SET v = 12 WHERE id = 1", s);
    expect_next(q, s, 0);
    OK(tt_queue_rollback(q, s, s, &err));
    expect_next(q, s, 0);
    ck_assert_int_eq(tt_session_in_transaction(s), 0);
    ck_assert_int_eq(read_v(s, 1), 11);
    OK(tt_queue_commit(q, s, 0, s, &err));
    expect_next(q, s, TT_E_STATE);
    tt_session_free(s);
    tt_queue_free(q);
}
END_TEST

/* An event loop frees the session of an operation that waits, is under way, or is done: it goes on,
 * the completion comes, and nothing stays of the transaction. */
enum { FREE_WAITING, FREE_CANCELLED, FREE_UNDER_WAY, FREE_DONE, FREE_CASES };

START_TEST(freeing_a_session_leaves_it_to_its_operation)
{
    tt_queue *q = new_queue(1, 0);
    tt_session *holder = hold(), *s = new_session();
    bool waits = _i == FREE_WAITING || _i == FREE_CANCELLED;

    OK(tt_begin(s, NULL, &err));
    write_now(s, "UPDATE queued SET v = 77 WHERE id = 1");
    if (waits)
        submit_write(q, NULL, blocked, NULL);
    submit_write(q, s, _i == FREE_DONE ? "UPDATE queued SET v = 78 WHERE id = 1" : blocked, q);
    if (_i == FREE_DONE)
        ck_assert(readable(q, PATIENCE_MS));
    else
        wait_until_blocked();
    tt_session_free(s); /* or the test times out */
    if (_i == FREE_CANCELLED)
        tt_queue_stop(q);
    if (_i == FREE_CANCELLED)
        expect_next(q, q, TT_E_CANCELLED);
    let_go(holder);
    if (waits)
        expect_next(q, NULL, 0);
    if (_i != FREE_CANCELLED)
        expect_next(q, q, 0);
    write_now(NULL, "UPDATE queued SET v = v + 1 WHERE id = 1"); /* nobody holds the row */
    ck_assert_int_eq(read_v(NULL, 1), 11);
    tt_queue_free(q);
}
END_TEST

START_TEST(freeing_a_session_and_taking_may_meet)
{
    tt_queue *q = new_queue(1, 0);

    for (int i = 0; i < 200; i++) {
        tt_session *s = new_session();

        submit_read(q, s, count_all, s);
        (void)usleep((useconds_t)(i * 10));
        tt_session_free(s);
        expect_next(q, s, 0);
    }
    tt_queue_free(q);
}
END_TEST

/* ---- limits and ends ------------------------------------------------------------------------ */

START_TEST(more_than_the_depth_is_refused)
{
    tt_queue *q = new_queue(1, 2);
    tt_session *s = new_session();

    submit_read(q, NULL, count_all, q);
    submit_read(q, NULL, count_all, q);
    ck_assert(readable(q, PATIENCE_MS));
    /* Not taken: they count, done or not. */
    GIVES(tt_queue_read(q, s, count_all, NULL, 0, NULL, q, &err), TT_E_BUSY);
    ck_assert_int_eq(tt_session_in_transaction(s), 0);
    expect_next(q, q, 0);
    submit_read(q, s, count_all, q);
    expect_next(q, q, 0);
    expect_next(q, q, 0);
    tt_session_free(s);
    tt_queue_free(q);
}
END_TEST

START_TEST(a_stop_cancels_what_has_not_begun)
{
    tt_queue *q = new_queue(1, 0);
    tt_session *holder = hold(), *s = new_session(), *other = new_session();
    int under_way, cancelled[3];

    OK(tt_begin(s, NULL, &err));
    submit_write(q, NULL, blocked, &under_way);
    wait_until_blocked();
    submit_write(q, s, "UPDATE queued SET v = 12 WHERE id = 1", &cancelled[0]);
    OK(tt_queue_begin(q, other, NULL, &cancelled[1], &err));
    submit_read(q, NULL, count_all, &cancelled[2]);
    tt_queue_stop(q);
    GIVES(tt_queue_read(q, NULL, count_all, NULL, 0, NULL, q, &err), TT_E_STATE);
    for (int i = 0; i < 3; i++)
        expect_next(q, &cancelled[i], TT_E_CANCELLED);
    ck_assert_uint_eq(tt_queue_pending(q), 1);
    /* The transaction lacks a statement that the program believes in: it can only be rolled back.
     */
    ck_assert_int_eq(tt_session_in_transaction(s), 2);
    ck_assert_int_eq(tt_session_in_transaction(other), 0);
    GIVES(tt_commit(s, 0, NULL, &err), TT_E_STATE);
    let_go(holder);
    expect_next(q, &under_way, 0);
    ck_assert_uint_eq(tt_queue_pending(q), 0);
    ck_assert_int_eq(read_v(NULL, 1), 10);
    ck_assert_int_eq(read_v(NULL, 2), 22);
    tt_queue_stop(q);
    tt_queue_free(q);
    tt_session_free(s);
    tt_session_free(other);
}
END_TEST

START_TEST(the_wait_in_the_queue_counts)
{
    tt_queue *q = new_queue(1, 0);
    tt_session *holder = hold(), *s = new_session(), *t = new_session();
    tt_read_options o = TT_READ_OPTIONS_INIT;

    OK(tt_begin(s, NULL, &err));
    OK(tt_begin(t, NULL, &err));
    write_now(t, "UPDATE queued SET v = 99 WHERE id = 1");
    submit_write(q, NULL, blocked, NULL);
    wait_until_blocked();
    o.timeout_ms = 1;
    OK(tt_queue_read(q, s, count_all, NULL, 0, &o, s, &err));
    OK(tt_queue_commit(q, t, &(tt_commit_options){sizeof(tt_commit_options), 1, 0}, t, &err));
    (void)usleep(20000);
    let_go(holder);
    expect_next(q, NULL, 0);
    expect_next(q, s, TT_E_TIMEOUT);
    expect_next(q, t, TT_E_TIMEOUT);
    ck_assert_int_eq(tt_session_in_transaction(s), 2);
    ck_assert_int_eq(tt_session_in_transaction(t), 0); /* over in every case */
    ck_assert_int_eq(read_v(NULL, 1), 10);
    tt_queue_free(q);
    tt_session_free(s);
    tt_session_free(t);
}
END_TEST

static void *let_go_later(void *session)
{
    wait_until_blocked();
    let_go(session);
    return NULL;
}

START_TEST(a_free_waits_for_what_is_under_way)
{
    tt_queue *q = new_queue(2, 0);
    tt_session *holder = hold(), *s = new_session();
    pthread_t thread;

    submit_read(q, s, count_all, NULL);
    submit_write(q, NULL, blocked, NULL);
    wait_until_blocked();
    ck_assert(readable(q, PATIENCE_MS));
    ck_assert_int_eq(pthread_create(&thread, NULL, let_go_later, holder), 0);
    tt_queue_free(q);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    ck_assert_int_eq(read_v(s, 2), 22); /* it was done, and the session is free */
    tt_session_free(s);
}
END_TEST

/* ---- processes and threads ------------------------------------------------------------------ */

static int in_child(tt_queue *q, int fd, tt_session *s)
{
    tt_completion done;

    if (tt_queue_read(q, NULL, count_all, NULL, 0, NULL, NULL, NULL) != TT_E_FORKED)
        return 1;
    if (tt_queue_begin(q, s, NULL, NULL, NULL) != TT_E_FORKED)
        return 2;
    if (tt_queue_next(q, &done, NULL, NULL, NULL) != 0 || tt_queue_pending(q) != 0)
        return 3;
    if (tt_queue_fd(q) != TT_E_FORKED || tt_session_in_transaction(s) != TT_E_FORKED)
        return 4;
    tt_queue_stop(q);
    tt_queue_free(q);
    if (fcntl(fd, F_GETFD) != -1)
        return 5;
    tt_session_free(s);
    tt_client_close(client);
    return 0;
}

/* The child says how it went and is killed: what the parent's threads hold is lost to it, and no
 * checker of leaks is to look for that. */
static int result_of_child(tt_queue *q, tt_session *s)
{
    int ends[2], result = -1, fd = tt_queue_fd(q);
    pid_t child;

    ck_assert_int_eq(pipe(ends), 0);
    child = fork();
    if (child == 0) {
        result = in_child(q, fd, s);
        if (write(ends[1], &result, sizeof(result)) == sizeof(result))
            (void)raise(SIGKILL);
        _exit(1);
    }
    (void)close(ends[1]);
    ck_assert_int_eq(read(ends[0], &result, sizeof(result)), sizeof(result));
    (void)close(ends[0]);
    ck_assert_int_eq(waitpid(child, NULL, 0), child);
    return result;
}

START_TEST(a_forked_child_frees_only)
{
    tt_queue *q = new_queue(2, 0);
    tt_session *s = new_session();

    submit_read(q, s, count_all, q);
    submit_read(q, NULL, count_all, q);
    ck_assert(readable(q, PATIENCE_MS));
    ck_assert_int_eq(result_of_child(q, s), 0);
    /* The parent's is as it was. */
    expect_next(q, q, 0);
    expect_next(q, q, 0);
    tt_session_free(s);
    tt_queue_free(q);
}
END_TEST

/* Threads of this process that would take SIGTERM. */
static int threads_taking_signals(void)
{
    DIR *tasks = opendir("/proc/self/task");
    struct dirent *entry;
    int n = 0;

    ck_assert_ptr_nonnull(tasks);
    while ((entry = readdir(tasks)) != NULL) {
        char path[320], line[128];
        unsigned long long mask = 0;
        FILE *f;

        (void)snprintf(path, sizeof(path), "/proc/self/task/%s/status", entry->d_name);
        f = entry->d_name[0] == '.' ? NULL : fopen(path, "r");
        if (!f)
            continue;
        while (fgets(line, sizeof(line), f))
            if (strncmp(line, "SigBlk:", 7) == 0)
                mask = strtoull(line + 7, NULL, 16);
        n += (mask & (1ull << (SIGTERM - 1))) == 0;
        (void)fclose(f);
    }
    (void)closedir(tasks);
    return n;
}

START_TEST(workers_take_no_signal)
{
    int before = threads_taking_signals();
    tt_queue *q = new_queue(16, 0);

    submit_read(q, NULL, count_all, q);
    expect_next(q, q, 0);
    ck_assert_int_eq(threads_taking_signals(), before);
    tt_queue_free(q);
}
END_TEST

/* ---- a loop, and a storm -------------------------------------------------------------------- */

enum { SUBMITTERS = 4, EACH = 250, TAKERS = 2, OPERATIONS = SUBMITTERS * EACH };

typedef struct storm {
    tt_queue *q;
    atomic_int taken[OPERATIONS]; /* how often each was */
    atomic_int n_taken;
    atomic_int refused;
} storm;

static storm a_storm;

typedef struct submitter {
    int first;
} submitter;

static int submit_one(int i)
{
    static const char *const tags[] = {"queued:{1}"};
    tt_value v = tt_int(1 + i % 2);
    tt_read_options o = TT_READ_OPTIONS_INIT;

    o.cache_class = i % 3 ? "" : NULL;
    if (o.cache_class) {
        o.tags = tags;
        o.n_tags = 1;
    }
    if (i % 10 == 9)
        return tt_queue_write(a_storm.q, NULL, "UPDATE queued SET v = v + 1 WHERE id = ?", &v, 1,
                              NULL, &a_storm.taken[i], NULL);
    return tt_queue_read(a_storm.q, NULL, "SELECT v FROM queued WHERE id = ?", &v, 1, &o,
                         &a_storm.taken[i], NULL);
}

static void *submit_many(void *arg)
{
    const submitter *me = arg;

    for (int i = 0; i < EACH; i++) {
        int rc;

        while ((rc = submit_one(me->first + i)) == TT_E_BUSY) {
            atomic_fetch_add(&a_storm.refused, 1);
            (void)usleep(500);
        }
        if (rc != 0)
            abort();
    }
    return NULL;
}

static void take_all(int epoll)
{
    struct epoll_event event;
    tt_completion done;

    (void)epoll_wait(epoll, &event, 1, 20);
    while (tt_queue_next(a_storm.q, &done, NULL, NULL, NULL)) {
        if (done.code != 0)
            abort();
        atomic_fetch_add((atomic_int *)done.user, 1);
        atomic_fetch_add(&a_storm.n_taken, 1);
        tt_result_free(done.result);
    }
}

static void *take_many(void *ignored)
{
    struct epoll_event event = {.events = EPOLLIN};
    int epoll = epoll_create1(EPOLL_CLOEXEC);

    (void)ignored;
    if (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, tt_queue_fd(a_storm.q), &event) != 0)
        abort();
    while (atomic_load(&a_storm.n_taken) < OPERATIONS)
        take_all(epoll);
    (void)close(epoll);
    return NULL;
}

START_TEST(every_operation_completes_exactly_once)
{
    pthread_t threads[SUBMITTERS + TAKERS];
    submitter submitters[SUBMITTERS];

    a_storm.q = new_queue(6, 64);
    for (int i = 0; i < SUBMITTERS; i++) {
        submitters[i].first = i * EACH;
        ck_assert_int_eq(pthread_create(&threads[i], NULL, submit_many, &submitters[i]), 0);
    }
    for (int i = SUBMITTERS; i < SUBMITTERS + TAKERS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, take_many, NULL), 0);
    for (int i = 0; i < SUBMITTERS + TAKERS; i++)
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    for (int i = 0; i < OPERATIONS; i++)
        ck_assert_int_eq(atomic_load(&a_storm.taken[i]), 1);
    ck_assert_uint_eq(tt_queue_pending(a_storm.q), 0);
    ck_assert_int_eq(read_v(NULL, 2), 20 + OPERATIONS / 10); /* ids of writes: 9, 19, ... */
    tt_queue_free(a_storm.q);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("queue");
    int status;

    servers_up("");
    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, what_a_queue_cannot_be);
    tcase_add_test(t, the_descriptor_is_readable_while_completions_wait);
    tcase_add_test(t, a_completion_tells_what_the_blocking_call_does);
    tcase_add_test(t, what_is_wrong_comes_as_a_completion_or_at_once);
    tcase_add_test(t, everything_given_is_copied);
    tcase_add_test(t, statements_are_run_as_they_were_made);
    tcase_add_test(t, a_session_is_busy_until_its_completion_is_taken);
    tcase_add_test(t, a_transaction_through_the_queue);
    tcase_add_loop_test(t, freeing_a_session_leaves_it_to_its_operation, 0, FREE_CASES);
    tcase_add_test(t, freeing_a_session_and_taking_may_meet);
    tcase_add_test(t, more_than_the_depth_is_refused);
    tcase_add_test(t, a_stop_cancels_what_has_not_begun);
    tcase_add_test(t, the_wait_in_the_queue_counts);
    tcase_add_test(t, a_free_waits_for_what_is_under_way);
    tcase_add_test(t, a_forked_child_frees_only);
    tcase_add_test(t, workers_take_no_signal);
    tcase_add_test(t, every_operation_completes_exactly_once);
    status = suite_run("queue", t);
    servers_down();
    return status;
}
