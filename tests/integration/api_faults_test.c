/* Servers that go away and come back, through the public API: what still works, what is refused,
 * and that no read is older than an acknowledged write. */
#include "integration/api_support.h"

enum { BACK_MS = 40000 };

/* Put the servers in order, whatever the test before has left. */
static void restore(void)
{
    static const char *const names[] = {"primary", "replica1", "replica2", "redis"};

    for (size_t i = 0; i < TT_COUNT(names); i++) {
        char rest[64];

        (void)snprintf(rest, sizeof(rest), "%s 2>/dev/null", names[i]);
        (void)servers_do("start", rest);
    }
    (void)servers_do("sql-start", "replica1 2>/dev/null");
    (void)servers_do("sql-start", "replica2 2>/dev/null");
    items_new();
}

static void stop(const char *name, const char *sig)
{
    char rest[64];

    (void)snprintf(rest, sizeof(rest), "%s --signal %s", name, sig);
    ck_assert(servers_do("stop", rest));
}

static void start(const char *name)
{
    ck_assert(servers_do("start", name));
}

/* Write until it goes through; errors must be of a kind that changes nothing, or unknown. */
static int put_until_done(tt_client *c, tt_session *s, int id, int64_t v)
{
    int64_t since = tt_now_ns(&tt_clock_system);
    tt_write_info info = TT_WRITE_INFO_INIT;
    tt_error e = TT_ERROR_INIT;

    while (item_write(c, s, id, v, 0, &info, &e) != 0) {
        tt_error_kind kind = tt_error_class(e.code);

        ck_assert_msg(kind == TT_CLASS_UNAVAILABLE || kind == TT_CLASS_TIMEOUT ||
                          kind == TT_CLASS_RETRY || kind == TT_CLASS_UNKNOWN,
                      "%s: %s", tt_error_name(e.code), e.message);
        ck_assert_msg(elapsed_ms(since) < BACK_MS, "no write: %s", e.message);
        pause_ms(100);
    }
    return info.invalidated;
}

/* A configuration that notices soon. */
static tt_config *quick_config(void)
{
    tt_config *cfg = config_new();

    config_put(cfg, "cache.timeout", "300ms");
    config_put(cfg, "database.query_timeout", "5s");
    config_put(cfg, "database.connect_timeout", "3s");
    return cfg;
}

/* ---- Redis -------------------------------------------------------------------------------------
 */

START_TEST(redis_down_at_the_start)
{
    tt_client *c;
    tt_read_info info = TT_READ_INFO_INIT;

    stop("redis", "KILL");
    c = client_of(quick_config());
    EXPECT(tt_client_ready(c, &err), 0);
    ck_assert_int_eq(item(c, NULL, 1, &info), 10);
    ck_assert_int_ge(info.source, TT_SOURCE_REPLICA);
    EXPECT(item_write(c, NULL, 1, 11, 0, NULL, &err), TT_E_CACHE_UNAVAILABLE);
    ck_assert_int_eq(item(c, NULL, 1, NULL), 10);
    start("redis");
    ck_assert_int_eq(put_until_done(c, NULL, 1, 12), TT_INVALIDATED_DONE);
    ck_assert(item_hits(c, 1, 12, BACK_MS));
    tt_client_close(c);
}
END_TEST

/* `_i` 0: killed, and comes back empty; 1: frozen, and comes back as it was. */
START_TEST(redis_down_later)
{
    tt_client *c = client_of(quick_config());
    tt_session *s = session_of(c);

    ck_assert(item_hits(c, 1, 10, BACK_MS));
    stop("redis", _i ? "STOP" : "KILL");
    for (int i = 0; i < 10; i++)
        ck_assert_int_eq(item(c, NULL, 1, NULL), 10);
    EXPECT(item_write(c, s, 1, 11, 0, NULL, &err), TT_E_CACHE_UNAVAILABLE);
    EXPECT(tt_begin(s, NULL, &err), 0);
    ck_assert_int_eq(item_put(c, s, 1, 12), TT_INVALIDATED_AT_COMMIT);
    EXPECT(tt_commit(s, 0, NULL, &err), TT_E_CACHE_UNAVAILABLE);
    ck_assert_int_eq(tt_session_in_transaction(s), 0);
    ck_assert_int_eq(item(c, s, 1, NULL), 10);
    start("redis");
    ck_assert_int_eq(put_until_done(c, s, 1, 13), TT_INVALIDATED_DONE);
    ck_assert_int_eq(item(c, NULL, 1, NULL), 13);
    ck_assert(item_hits(c, 1, 13, BACK_MS));
    tt_session_free(s);
    tt_client_close(c);
}
END_TEST

/* Rows that wait in the table of deferred invalidations. */
static int64_t waiting(const char *name_space)
{
    tt_db_conn *raw = open_to("PRIMARY");
    char sql[160];
    int64_t n;

    (void)snprintf(sql, sizeof(sql), "SELECT COUNT(*) FROM twotier_deferred WHERE namespace = '%s'",
                   name_space);
    n = number(raw, sql);
    db->close(raw);
    return n;
}

START_TEST(deferred)
{
    tt_config *cfg = quick_config();
    tt_write_info info = TT_WRITE_INFO_INIT;
    char name_space[64];
    tt_client *c;
    tt_session *s;
    int64_t since;

    config_namespace(cfg, name_space, sizeof(name_space));
    config_put(cfg, "cache.when_unavailable", "defer");
    c = client_of(cfg);
    s = session_of(c);
    ck_assert(item_hits(c, 1, 10, BACK_MS));
    ck_assert(item_hits(c, 2, 20, BACK_MS));
    stop("redis", _i ? "STOP" : "KILL");
    ck_assert_int_eq(item_put(c, s, 1, 11), TT_INVALIDATED_DEFERRED);
    ck_assert_int_gt(waiting(name_space), 0);
    ck_assert_int_eq(item(c, s, 1, NULL), 11);
    ck_assert_int_eq(item(c, NULL, 1, NULL), 11);
    EXPECT(tt_begin(s, NULL, &err), 0);
    ck_assert_int_eq(item_put(c, s, 2, 22), TT_INVALIDATED_AT_COMMIT);
    ck_assert_int_eq(item_put(c, s, 3, 33), TT_INVALIDATED_AT_COMMIT);
    EXPECT(tt_commit(s, 0, &info, &err), 0);
    ck_assert_int_eq(info.invalidated, TT_INVALIDATED_DEFERRED);
    ck_assert_int_eq(item(c, s, 2, NULL), 22);
    start("redis");
    since = tt_now_ns(&tt_clock_system);
    while (waiting(name_space) > 0) {
        ck_assert_int_eq(item(c, s, 1, NULL), 11); /* the session's own, drained or not */
        ck_assert_int_eq(item(c, s, 2, NULL), 22);
        ck_assert_int_lt(elapsed_ms(since), BACK_MS);
    }
    ck_assert(item_hits(c, 1, 11, BACK_MS));
    ck_assert(item_hits(c, 2, 22, BACK_MS));
    ck_assert(item_hits(c, 3, 33, BACK_MS));
    tt_session_free(s);
    tt_client_close(c);
}
END_TEST

/* Redis goes between the marks and the end of the statement, which waits for a row lock. */
static void *write_blocked(void *arg)
{
    tt_write_info info = TT_WRITE_INFO_INIT;
    tt_error e = TT_ERROR_INIT;

    ck_assert_msg(item_write(arg, NULL, 1, 11, 0, &info, &e) == 0, "%s", e.message);
    return (void *)(intptr_t)info.invalidated;
}

/* `_i` 0: it is retried until Redis is back; 1: the client is closed before that. */
START_TEST(outstanding)
{
    tt_config *cfg = quick_config();
    tt_db_conn *holder = open_to("PRIMARY");
    char name_space[64];
    tt_client *c;
    void *invalidated;
    pthread_t thread;

    config_namespace(cfg, name_space, sizeof(name_space));
    c = client_of(cfg);
    ck_assert(item_hits(c, 1, 10, BACK_MS));
    run(holder, "BEGIN");
    run(holder, "SELECT v FROM items WHERE id = 1 FOR UPDATE");
    ck_assert_int_eq(pthread_create(&thread, NULL, write_blocked, c), 0);
    pause_ms(1000);
    stop("redis", "STOP");
    run(holder, "ROLLBACK");
    (void)pthread_join(thread, &invalidated);
    ck_assert_int_eq((intptr_t)invalidated, TT_INVALIDATED_OUTSTANDING);
    ck_assert_int_eq(item(c, NULL, 1, NULL), 11);
    if (_i) {
        int64_t since = tt_now_ns(&tt_clock_system);

        tt_client_close(c);
        ck_assert_int_lt(elapsed_ms(since), 8000);
        start("redis");
        cfg = quick_config();
        config_put(cfg, "cache.namespace", name_space);
        c = client_of(cfg);
        for (int i = 0; i < 20; i++)
            ck_assert_int_eq(item(c, NULL, 1, NULL), 11); /* the marks stand */
    } else {
        start("redis");
        ck_assert(item_hits(c, 1, 11, BACK_MS));
    }
    db->close(holder);
    tt_client_close(c);
}
END_TEST

/* ---- replicas ----------------------------------------------------------------------------------
 */

/* Writes, and each is seen at once, with a session and without. */
static void expect_fresh(tt_client *c, tt_session *s, int64_t from)
{
    for (int64_t v = from; v < from + 5; v++) {
        ck_assert_int_eq(item_put(c, s, 1, v), TT_INVALIDATED_DONE);
        ck_assert_int_eq(item(c, s, 1, NULL), v);
        ck_assert_int_eq(item(c, NULL, 1, NULL), v);
        ck_assert_int_eq(item(c, NULL, 1, NULL), v);
    }
}

START_TEST(replica_gone_and_back)
{
    tt_client *c = client_of(quick_config());
    tt_session *s = session_of(c);

    stop("replica1", _i ? "STOP" : "KILL");
    expect_fresh(c, s, 100);
    for (int i = 0; i < 20; i++) {
        tt_read_info info = TT_READ_INFO_INIT;
        tt_error e = TT_ERROR_INIT;
        int64_t v;

        ck_assert_msg(item_read(c, NULL, 2, NULL, &v, &info, &e) == 0, "%s", e.message);
        ck_assert_int_eq(v, 20);
    }
    start("replica1");
    expect_fresh(c, s, 200);
    pause_ms(1500);
    expect_fresh(c, s, 300);
    tt_session_free(s);
    tt_client_close(c);
}
END_TEST

START_TEST(replicas_that_lag)
{
    tt_client *c = client_of(quick_config());
    tt_session *s = session_of(c);

    ck_assert(servers_do(_i ? "sql-stop" : "lag", _i ? "replica1" : "replica1 3"));
    ck_assert(servers_do(_i ? "sql-stop" : "lag", _i ? "replica2" : "replica2 3"));
    expect_fresh(c, s, 100);
    ck_assert(item_hits(c, 1, 104, BACK_MS));
    ck_assert(servers_do(_i ? "sql-start" : "lag", _i ? "replica1" : "replica1 0"));
    ck_assert(servers_do(_i ? "sql-start" : "lag", _i ? "replica2" : "replica2 0"));
    expect_fresh(c, s, 200);
    tt_session_free(s);
    tt_client_close(c);
}
END_TEST

/* ---- the primary -------------------------------------------------------------------------------
 */

START_TEST(primary_killed_and_back)
{
    tt_client *c = client_of(quick_config());
    tt_session *s = session_of(c);
    int64_t v = -1;

    ck_assert(item_hits(c, 1, 10, BACK_MS));
    EXPECT(tt_begin(s, NULL, &err), 0);
    ck_assert_int_eq(item_put(c, s, 2, 22), TT_INVALIDATED_AT_COMMIT);
    stop("primary", "KILL");
    ck_assert_int_ne(item_write(c, NULL, 1, 11, 0, NULL, NULL), 0);
    ck_assert_int_ne(tt_commit(s, 0, NULL, NULL), 0);
    ck_assert_int_eq(tt_session_in_transaction(s), 0);
    if (item_read(c, NULL, 1, "", &v, NULL, NULL) == 0)
        ck_assert_int_eq(v, 10);
    start("primary");
    ck_assert_int_eq(put_until_done(c, s, 1, 12), TT_INVALIDATED_DONE);
    ck_assert_int_eq(item(c, s, 1, NULL), 12);
    ck_assert_int_eq(item(c, NULL, 1, NULL), 12);
    ck_assert_int_eq(item(c, NULL, 2, NULL), 20);
    EXPECT(tt_client_ready(c, &err), 0);
    ck_assert(item_hits(c, 1, 12, BACK_MS));
    tt_session_free(s);
    tt_client_close(c);
}
END_TEST

/* A planned change of the primary; the last test, since roles stay as they are then. */
START_TEST(promotion)
{
    tt_client *c = client_of(quick_config());
    tt_session *s = session_of(c), *later;
    char token[TT_TOKEN_MAX];
    tt_read_info info = TT_READ_INFO_INIT;
    tt_db_conn *raw;

    ck_assert_int_eq(item_put(c, s, 1, 11), TT_INVALIDATED_DONE);
    ck_assert(item_hits(c, 1, 11, BACK_MS));
    ck_assert(item_hits(c, 3, 30, BACK_MS));
    EXPECT(tt_session_token(s, token, sizeof(token), &err), 0);
    ck_assert(servers_do("promote", "replica1"));
    ck_assert_int_eq(put_until_done(c, s, 2, 22), TT_INVALIDATED_DONE);
    raw = open_to("REPLICA1");
    ck_assert_int_eq(number(raw, "SELECT v FROM items WHERE id = 2"), 22);
    /* Behind our back: an entry from before the change would not show it. */
    run(raw, "UPDATE items SET v = 333 WHERE id = 3");
    ck_assert_int_eq(item(c, NULL, 3, &info), 333);
    db->close(raw);
    later = session_of(c);
    EXPECT(tt_session_adopt(later, token, &err), 0);
    ck_assert_int_eq(item(c, later, 1, NULL), 11);
    ck_assert_int_eq(item(c, s, 2, NULL), 22);
    expect_fresh(c, later, 500);
    ck_assert(item_hits(c, 1, 504, BACK_MS));
    tt_session_free(s);
    tt_session_free(later);
    tt_client_close(c);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("api_faults");
    int rc;

    tcase_set_timeout(t, 120);
    tcase_add_checked_fixture(t, restore, NULL);
    tcase_add_test(t, redis_down_at_the_start);
    tcase_add_loop_test(t, redis_down_later, 0, 2);
    tcase_add_loop_test(t, deferred, 0, 2);
    tcase_add_loop_test(t, outstanding, 0, 2);
    tcase_add_loop_test(t, replica_gone_and_back, 0, 2);
    tcase_add_loop_test(t, replicas_that_lag, 0, 2);
    tcase_add_test(t, primary_killed_and_back);
    tcase_add_test(t, promotion);
    servers_up("");
    rc = suite_run("api_faults", t);
    servers_down();
    return rc;
}
