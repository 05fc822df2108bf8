/* Deadlines, locks and transactions through the public API: what fails, what it does to the
 * transaction, and that the tags, rows and sessions are right afterwards. */
#include "integration/api_support.h"

/* A row of `items` locked by someone else, until the transaction of `c` ends. */
static tt_db_conn *lock_item(int id)
{
    tt_db_conn *c = open_to("PRIMARY");
    char sql[96];

    run(c, "BEGIN");
    (void)snprintf(sql, sizeof(sql), "UPDATE items SET v = v + 1000 WHERE id = %d", id);
    run(c, sql);
    return c;
}

static void unlock(tt_db_conn *c)
{
    run(c, "ROLLBACK");
    db->close(c);
}

/* The session serves reads, writes and transactions. */
static void expect_sound_session(tt_client *c, tt_session *s)
{
    int64_t v = item(c, s, 8, NULL);

    ck_assert_int_eq(tt_session_in_transaction(s), 0);
    ck_assert_int_eq(item_put(c, s, 8, v + 1), TT_INVALIDATED_DONE);
    ck_assert_int_eq(item(c, s, 8, NULL), v + 1);
    EXPECT(tt_begin(s, NULL, &err), 0);
    ck_assert_int_eq(item_put(c, s, 8, v + 2), TT_INVALIDATED_AT_COMMIT);
    ck_assert_int_eq(item(c, s, 8, NULL), v + 2);
    EXPECT(tt_commit(s, 0, NULL, &err), 0);
    ck_assert_int_eq(item(c, NULL, 8, NULL), v + 2);
}

/* ---- a write that waits for a row lock ---------------------------------------------------------
 */

START_TEST(write_times_out)
{
    tt_client *c = client_new();
    tt_session *s = session_of(c);
    tt_error e = TT_ERROR_INIT;
    int64_t start;
    tt_db_conn *holder;
    int rc;

    ck_assert(item_hits(c, 1, 10, 5000));
    holder = lock_item(1);
    start = tt_now_ns(&tt_clock_system);
    rc = item_write(c, s, 1, 11, 100, NULL, &e);
    ck_assert_int_lt(elapsed_ms(start), 5000);
    expect_code(rc, &e, TT_E_COMMIT_UNKNOWN, "a write that waits");
    ck_assert_int_eq(tt_error_class(rc), TT_CLASS_UNKNOWN);
    ck_assert_int_eq(item(c, s, 1, NULL), 10);
    unlock(holder);
    pause_ms(200); /* the killed one cannot come through any more */
    ck_assert_int_eq(item(c, s, 1, NULL), 10);
    ck_assert_int_eq(item(c, NULL, 1, NULL), 10);
    ck_assert(item_hits(c, 1, 10, 10000)); /* the tags are free */
    ck_assert_int_eq(item_put(c, s, 1, 12), TT_INVALIDATED_DONE);
    ck_assert(item_hits(c, 1, 12, 10000));
    expect_sound_session(c, s);
    tt_session_free(s);
    tt_client_close(c);
}
END_TEST

/* The statement may or may not be through when the time is over: reads agree on what happened. */
START_TEST(write_times_out_somewhere)
{
    tt_client *c = client_new();
    int64_t known = 10;

    for (int i = 1; i <= 40; i++) {
        tt_error e = TT_ERROR_INIT;
        int rc = item_write(c, NULL, 1, 100 + i, 1 + i % 4, NULL, &e);

        if (rc == 0) {
            known = 100 + i;
        } else if (rc == TT_E_COMMIT_UNKNOWN) {
            tt_db_conn *raw = open_to("PRIMARY");

            known = number(raw, "SELECT v FROM items WHERE id = 1");
            db->close(raw);
        } else {
            ck_assert_msg(tt_error_class(rc) == TT_CLASS_TIMEOUT ||
                              tt_error_class(rc) == TT_CLASS_UNAVAILABLE ||
                              tt_error_class(rc) == TT_CLASS_RETRY,
                          "%s: %s", tt_error_name(rc), e.message);
        }
        ck_assert_int_eq(item(c, NULL, 1, NULL), known);
    }
    ck_assert(item_hits(c, 1, known, 15000));
    tt_client_close(c);
}
END_TEST

START_TEST(read_times_out)
{
    tt_client *c = client_new();
    tt_read_options o = TT_READ_OPTIONS_INIT;
    tt_config *cfg = config_new();
    tt_result *r = NULL;
    int64_t start = tt_now_ns(&tt_clock_system);

    config_put(cfg, "read.unproven", "primary");
    tt_client_close(c);
    c = client_of(cfg);
    o.timeout_ms = 100;
    EXPECT(tt_query_read(c, NULL, "SELECT SLEEP(20)", NULL, 0, &o, &r, NULL, &err), TT_E_TIMEOUT);
    ck_assert_int_lt(elapsed_ms(start), 8000);
    ck_assert_ptr_null(r);
    ck_assert_int_eq(item(c, NULL, 1, NULL), 10);
    tt_client_close(c);
}
END_TEST

/* The server's own lock wait timeout: nothing was changed, and it says what to do. */
START_TEST(lock_wait_of_the_server)
{
    tt_client *c;
    tt_session *s;
    tt_db_conn *holder;
    tt_error e = TT_ERROR_INIT;
    int rc;

    admin_sql("primary", "SET GLOBAL innodb_lock_wait_timeout = 1");
    c = client_new();
    s = session_of(c);
    holder = lock_item(1);
    rc = item_write(c, s, 1, 11, 0, NULL, &e);
    admin_sql("primary", "SET GLOBAL innodb_lock_wait_timeout = 50");
    expect_code(rc, &e, TT_E_CONFLICT, "lock wait timeout");
    ck_assert_uint_eq(e.server_errno, 1205);
    EXPECT(tt_begin(s, NULL, &err), 0);
    ck_assert_int_eq(item_put(c, s, 2, 21), TT_INVALIDATED_AT_COMMIT);
    EXPECT(item_write(c, s, 1, 11, 0, NULL, &err), TT_E_CONFLICT);
    ck_assert_int_eq(tt_session_in_transaction(s), 2);
    EXPECT(tt_rollback(s, &err), 0);
    unlock(holder);
    ck_assert(item_hits(c, 1, 10, 10000));
    ck_assert_int_eq(item(c, NULL, 2, NULL), 20);
    expect_sound_session(c, s);
    tt_session_free(s);
    tt_client_close(c);
}
END_TEST

/* ---- the pool ----------------------------------------------------------------------------------
 */

START_TEST(busy)
{
    tt_config *cfg = config_new();
    tt_client *c;
    tt_session *a, *b;
    tt_result *r = NULL;
    tt_read_options strong = TT_READ_OPTIONS_INIT;

    config_put(cfg, "database.pool.max", "1");
    config_put(cfg, "database.pool.wait_timeout", "50ms");
    c = client_of(cfg);
    a = session_of(c);
    b = session_of(c);
    strong.consistency = TT_STRONG;
    EXPECT(tt_begin(a, NULL, &err), 0);
    EXPECT(tt_begin(b, NULL, &err), TT_E_BUSY);
    ck_assert_int_eq(tt_session_in_transaction(b), 0);
    EXPECT(item_write(c, b, 1, 11, 0, NULL, &err), TT_E_BUSY);
    EXPECT(item_write(c, NULL, 1, 11, 0, NULL, &err), TT_E_BUSY);
    EXPECT(tt_query_read(c, NULL, "SELECT 1", NULL, 0, &strong, &r, NULL, &err), TT_E_BUSY);
    ck_assert_int_eq(tt_error_class(TT_E_BUSY), TT_CLASS_RETRY);
    ck_assert_int_eq(item_put(c, a, 1, 12), TT_INVALIDATED_AT_COMMIT);
    EXPECT(tt_commit(a, 0, NULL, &err), 0);
    ck_assert_int_eq(item(c, NULL, 1, NULL), 12);
    expect_sound_session(c, b);
    tt_session_free(a);
    tt_session_free(b);
    tt_client_close(c);
}
END_TEST

/* ---- what dooms a transaction, and what does not -----------------------------------------------
 */

static int write_sql(tt_client *c, tt_session *s, const char *sql, tt_error *err)
{
    return tt_query_write(c, s, sql, NULL, 0, NULL, NULL, err);
}

START_TEST(states)
{
    tt_client *c = client_new();
    tt_session *s = session_of(c);
    tt_commit_options late = TT_COMMIT_OPTIONS_INIT;
    tt_write_info info = TT_WRITE_INFO_INIT;

    EXPECT(tt_commit(s, 0, NULL, &err), TT_E_STATE);
    EXPECT(tt_rollback(s, &err), 0);
    EXPECT(tt_begin(s, NULL, &err), 0);
    EXPECT(tt_begin(s, NULL, &err), TT_E_STATE);
    late.timeout_ms = -1;
    EXPECT(tt_commit(s, &late, NULL, &err), TT_E_ARGUMENT);
    late = (tt_commit_options){sizeof(late), 0, 1};
    EXPECT(tt_commit(s, &late, NULL, &err), TT_E_ARGUMENT);
    ck_assert_int_eq(tt_session_in_transaction(s), 1);
    EXPECT(tt_commit(s, 0, &info, &err), 0); /* of nothing */
    ck_assert_int_eq(info.invalidated, TT_INVALIDATED_NONE);
    ck_assert_int_eq(tt_session_in_transaction(s), 0);
    EXPECT(tt_savepoint(s, "a", &err), TT_E_UNSUPPORTED);
    EXPECT(tt_savepoint_rollback(s, "a", &err), TT_E_UNSUPPORTED);
    EXPECT(tt_savepoint_release(s, "a", &err), TT_E_UNSUPPORTED);
    EXPECT(tt_transaction(s, NULL, NULL, NULL, NULL, &err), TT_E_UNSUPPORTED);
    expect_sound_session(c, s);
    EXPECT(tt_begin(s, NULL, &err), 0);
    ck_assert_int_eq(item_put(c, s, 1, 99), TT_INVALIDATED_AT_COMMIT);
    tt_session_free(s); /* rolls back */
    ck_assert_int_eq(item(c, NULL, 1, NULL), 10);
    tt_client_close(c);
}
END_TEST

START_TEST(errors_that_leave_it_open)
{
    static const char *const refused[] = {
        "DROP TABLE items", "CREATE TABLE x (a INT)", "COMMIT", "ROLLBACK", "BEGIN", "SELECT 1",
        "TRUNCATE items",   "SET autocommit = 1"};
    tt_client *c = client_new();
    tt_session *s = session_of(c);
    int64_t v;

    EXPECT(tt_begin(s, NULL, &err), 0);
    ck_assert_int_eq(item_put(c, s, 1, 11), TT_INVALIDATED_AT_COMMIT);
    for (size_t i = 0; i < TT_COUNT(refused); i++) {
        EXPECT(write_sql(c, s, refused[i], &err), TT_E_STATEMENT);
        ck_assert_int_eq(tt_session_in_transaction(s), 1);
    }
    EXPECT(write_sql(c, s, "INSERT INTO items VALUES (1, 1)", &err), TT_E_CONSTRAINT);
    EXPECT(write_sql(c, s, "UPDATE items SET w = 1", &err), TT_E_SQL);
    EXPECT(write_sql(c, s, "UPDATE items SET v = ?", &err), TT_E_PARAMETERS);
    EXPECT(item_read(c, s, 1, "no-such-class", &v, NULL, &err), TT_E_ARGUMENT);
    ck_assert_int_eq(tt_session_in_transaction(s), 1);
    ck_assert_int_eq(item(c, s, 1, NULL), 11);
    ck_assert_int_eq(item(c, NULL, 1, NULL), 10); /* none of it has ended the transaction */
    EXPECT(tt_commit(s, 0, NULL, &err), 0);
    ck_assert(item_hits(c, 1, 11, 10000));
    expect_sound_session(c, s);
    tt_session_free(s);
    tt_client_close(c);
}
END_TEST

START_TEST(statement_times_out_inside)
{
    tt_client *c = client_new();
    tt_session *s = session_of(c);
    tt_db_conn *holder = lock_item(1);
    int64_t v;

    EXPECT(tt_begin(s, NULL, &err), 0);
    ck_assert_int_eq(item_put(c, s, 2, 21), TT_INVALIDATED_AT_COMMIT);
    EXPECT(item_write(c, s, 1, 11, 100, NULL, &err), TT_E_TIMEOUT);
    ck_assert_int_eq(tt_session_in_transaction(s), 2);
    EXPECT(item_read(c, s, 2, "", &v, NULL, &err), TT_E_STATE);
    EXPECT(item_write(c, s, 2, 22, 0, NULL, &err), TT_E_STATE);
    EXPECT(tt_begin(s, NULL, &err), TT_E_STATE);
    EXPECT(tt_commit(s, 0, NULL, &err), TT_E_STATE);
    ck_assert_int_eq(tt_session_in_transaction(s), 0);
    unlock(holder);
    ck_assert_int_eq(item(c, s, 1, NULL), 10);
    ck_assert_int_eq(item(c, s, 2, NULL), 20);
    expect_sound_session(c, s);
    tt_session_free(s);
    tt_client_close(c);
}
END_TEST

/* It counts no rows, and changes them all. */
START_TEST(truncation)
{
    tt_client *c = client_new();
    tt_write_info info = TT_WRITE_INFO_INIT;
    tt_read_options o = TT_READ_OPTIONS_INIT;
    tt_result *r = NULL;

    o.cache_class = "";
    for (int i = 0; i < 5; i++) {
        EXPECT(tt_query_read(c, NULL, "SELECT id FROM items", NULL, 0, &o, &r, NULL, &err), 0);
        ck_assert_uint_eq(tt_result_rows(r), 9);
        tt_result_free(r);
        pause_ms(20);
    }
    EXPECT(tt_query_write(c, NULL, "TRUNCATE items", NULL, 0, NULL, &info, &err), 0);
    ck_assert_int_eq(info.invalidated, TT_INVALIDATED_DONE);
    EXPECT(tt_query_read(c, NULL, "SELECT id FROM items", NULL, 0, &o, &r, NULL, &err), 0);
    ck_assert_uint_eq(tt_result_rows(r), 0);
    tt_result_free(r);
    tt_client_close(c);
}
END_TEST

/* ---- deadlock ----------------------------------------------------------------------------------
 */

typedef struct other {
    tt_client *c;
    tt_session *s;
    int rc;
    tt_error e;
} other;

static void *write_one(void *arg)
{
    other *o = arg;

    o->rc = item_write(o->c, o->s, 1, 201, 0, NULL, &o->e);
    return NULL;
}

START_TEST(deadlock)
{
    tt_client *c = client_new();
    tt_session *a = session_of(c);
    other o = {.c = c, .s = session_of(c)};
    tt_error e = TT_ERROR_INIT;
    pthread_t thread;
    int rc;

    EXPECT(tt_begin(a, NULL, &err), 0);
    EXPECT(tt_begin(o.s, NULL, &err), 0);
    ck_assert_int_eq(item_put(c, a, 1, 101), TT_INVALIDATED_AT_COMMIT);
    ck_assert_int_eq(item_put(c, o.s, 2, 202), TT_INVALIDATED_AT_COMMIT);
    ck_assert_int_eq(pthread_create(&thread, NULL, write_one, &o), 0);
    pause_ms(300);
    rc = item_write(c, a, 2, 102, 0, NULL, &e);
    (void)pthread_join(thread, NULL);
    ck_assert_msg((rc == 0) + (o.rc == 0) == 1, "%s, %s", tt_error_name(rc), tt_error_name(o.rc));
    expect_code(rc ? rc : o.rc, rc ? &e : &o.e, TT_E_CONFLICT, "deadlock");
    ck_assert_uint_eq(rc ? e.server_errno : o.e.server_errno, 1213);
    ck_assert_int_eq(tt_session_in_transaction(rc ? a : o.s), 2);
    EXPECT(tt_commit(rc ? a : o.s, 0, NULL, &err), TT_E_STATE);
    EXPECT(tt_commit(rc ? o.s : a, 0, NULL, &err), 0);
    ck_assert_int_eq(item(c, NULL, 1, NULL), rc ? 201 : 101);
    ck_assert_int_eq(item(c, NULL, 2, NULL), rc ? 202 : 102);
    expect_sound_session(c, a);
    expect_sound_session(c, o.s);
    tt_session_free(a);
    tt_session_free(o.s);
    tt_client_close(c);
}
END_TEST

/* ---- a connection that is killed ---------------------------------------------------------------
 */

/* End the connection that the session's transaction runs on, as an administrator would. */
static void kill_connection(tt_client *c, tt_session *s)
{
    tt_error e = TT_ERROR_INIT;
    tt_result *r = NULL;
    uint64_t id = 0;
    char sql[64];

    ck_assert_msg(tt_query_read(c, s, "SELECT CONNECTION_ID()", NULL, 0, NULL, &r, NULL, &e) == 0,
                  "%s", e.message);
    if (tt_result_uint(r, 0, 0, &id) != 0)
        ck_abort_msg("no id");
    tt_result_free(r);
    (void)snprintf(sql, sizeof(sql), "KILL %llu", (unsigned long long)id);
    admin_sql("primary", sql);
    pause_ms(100);
}

/* `what` 0: a write, 1: one that was prepared before, 2: a read. */
START_TEST(killed_inside)
{
    tt_client *c = client_new();
    tt_session *s = session_of(c);
    tt_error e = TT_ERROR_INIT;
    int64_t v;
    int rc;

    EXPECT(tt_begin(s, NULL, &err), 0);
    if (_i == 1)
        ck_assert_int_eq(item_put(c, s, 1, 11), TT_INVALIDATED_AT_COMMIT);
    kill_connection(c, s);
    rc = _i == 2 ? item_read(c, s, 1, NULL, &v, NULL, &e) : item_write(c, s, 1, 12, 0, NULL, &e);
    expect_code(rc, &e, TT_E_LOST, "on a killed connection");
    ck_assert_int_eq(tt_session_in_transaction(s), 2);
    EXPECT(item_write(c, s, 1, 13, 0, NULL, &err), TT_E_STATE);
    EXPECT(_i ? tt_rollback(s, &err) : tt_commit(s, 0, NULL, &err), _i ? 0 : TT_E_STATE);
    ck_assert_int_eq(item(c, s, 1, NULL), 10);
    expect_sound_session(c, s);
    tt_session_free(s);
    tt_client_close(c);
}
END_TEST

START_TEST(killed_before_the_commit)
{
    tt_client *c = client_new();
    tt_session *s = session_of(c);
    tt_error e = TT_ERROR_INIT;
    int rc;

    ck_assert(item_hits(c, 1, 10, 5000));
    EXPECT(tt_begin(s, NULL, &err), 0);
    ck_assert_int_eq(item_put(c, s, 1, 11), TT_INVALIDATED_AT_COMMIT);
    kill_connection(c, s);
    rc = tt_commit(s, 0, NULL, &e);
    ck_assert_msg(rc == TT_E_LOST || rc == TT_E_COMMIT_UNKNOWN, "%s: %s", tt_error_name(rc),
                  e.message);
    ck_assert_int_eq(tt_session_in_transaction(s), 0);
    ck_assert_int_eq(item(c, s, 1, NULL), 10);
    ck_assert_int_eq(item(c, NULL, 1, NULL), 10);
    ck_assert(item_hits(c, 1, 10, 10000));
    expect_sound_session(c, s);
    tt_session_free(s);
    tt_client_close(c);
}
END_TEST

/* ---- many tags ---------------------------------------------------------------------------------
 */

/* The statement that is one tag too many says so, and the transaction goes on without it; tags that
 * are there already cost nothing. */
START_TEST(too_many_tags_in_one)
{
    tt_client *c = client_new();
    tt_session *s = session_of(c);
    tt_write_options o = TT_WRITE_OPTIONS_INIT;
    char name[16];
    const char *tag = name;
    tt_write_info info = TT_WRITE_INFO_INIT;

    o.tags = &tag;
    o.n_tags = 1;
    o.flags = TT_WRITE_ONLY_THESE_TAGS;
    EXPECT(tt_begin(s, NULL, &err), 0);
    for (int round = 0; round < 3; round++)
        for (int i = 0; i < TT_TAGS_PER_CALL_MAX; i++) {
            (void)snprintf(name, sizeof(name), i ? "many:%d" : "item:1", i);
            EXPECT(tt_query_write(c, s, "UPDATE items SET v = v + 1 WHERE id = 1", NULL, 0, &o,
                                  NULL, &err),
                   0);
        }
    (void)snprintf(name, sizeof(name), "one-more");
    EXPECT(tt_query_write(c, s, "UPDATE items SET v = 5 WHERE id = 1", NULL, 0, &o, NULL, &err),
           TT_E_LIMIT);
    ck_assert_int_eq(tt_session_in_transaction(s), 1);
    EXPECT(tt_commit(s, 0, &info, &err), 0);
    ck_assert_int_eq(info.invalidated, TT_INVALIDATED_DONE);
    ck_assert(item_hits(c, 1, 10 + 3 * TT_TAGS_PER_CALL_MAX, 5000));
    expect_sound_session(c, s);
    tt_session_free(s);
    tt_client_close(c);
}
END_TEST

/* ---- a procedure that fails half way -----------------------------------------------------------
 */

/* Each of its statements commits by itself: an error does not mean that nothing changed. */
START_TEST(what_a_failed_procedure_did_is_seen)
{
    static const char *const tags[] = {"item:3"};
    tt_write_options o = TT_WRITE_OPTIONS_INIT;
    tt_client *c = client_new();
    tt_error e = TT_ERROR_INIT;
    int64_t before = item(c, NULL, 3, NULL);
    int rc;

    ck_assert_int_eq(
        system("printf 'DELIMITER //\\nUSE %s//\\nDROP PROCEDURE IF EXISTS half_way//\\nCREATE "
               "PROCEDURE half_way() BEGIN "
               "UPDATE items SET v = v + 1 WHERE id = 3; SIGNAL SQLSTATE \"45000\"; END//\\n' "
               "\"$TT_DB_SCHEMA\" | \"$TT_SERVERS\" sql \"$TT_SERVERS_DIR\" primary >/dev/null"),
        0);
    ck_assert(item_hits(c, 3, before, 10000));
    o.tags = tags;
    o.n_tags = 1;
    rc = tt_query_write(c, NULL, "CALL half_way()", NULL, 0, &o, NULL, &e);
    expect_code(rc, &e, TT_E_SQL, "a procedure that fails");
    ck_assert_int_eq(item(c, NULL, 3, NULL), before + 1);
    tt_client_close(c);
}
END_TEST

/* In a transaction a procedure may commit what was written before it. */
START_TEST(what_a_procedure_committed_inside_is_seen)
{
    static const char *const tags[] = {"item:4"};
    tt_write_options o = TT_WRITE_OPTIONS_INIT;
    tt_client *c = client_new();
    tt_session *s = session_of(c);
    int64_t before = item(c, NULL, 3, NULL);

    ck_assert_int_eq(
        system("printf 'DELIMITER //\\nUSE %s//\\nDROP PROCEDURE IF EXISTS commits//\\nCREATE "
               "PROCEDURE commits(w INT) BEGIN UPDATE items SET v = 44 WHERE id = 4; "
               "IF w THEN COMMIT; END IF; END//\\n' "
               "\"$TT_DB_SCHEMA\" | \"$TT_SERVERS\" sql \"$TT_SERVERS_DIR\" primary >/dev/null"),
        0);
    ck_assert(item_hits(c, 3, before, 10000));
    o.tags = tags;
    o.n_tags = 1;
    EXPECT(tt_begin(s, NULL, &err), 0);
    ck_assert_int_eq(item_put(c, s, 3, before + 1), TT_INVALIDATED_AT_COMMIT);
    EXPECT(tt_query_write(c, s, "CALL commits(0)", NULL, 0, &o, NULL, &err), 0);
    EXPECT(tt_query_write(c, s, "CALL commits(1)", NULL, 0, &o, NULL, &err), TT_E_COMMIT_UNKNOWN);
    ck_assert_int_eq(tt_session_in_transaction(s), 2);
    EXPECT(tt_rollback(s, &err), 0);
    ck_assert_int_eq(item(c, s, 3, NULL), before + 1);
    ck_assert(item_hits(c, 4, 44, 10000));
    ck_assert(item_hits(c, 3, before + 1, 10000));
    tt_session_free(s);
    tt_client_close(c);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("api_tx");
    int rc;

    tcase_set_timeout(t, 90);
    tcase_add_checked_fixture(t, items_new, NULL);
    tcase_add_test(t, write_times_out);
    tcase_add_test(t, what_a_failed_procedure_did_is_seen);
    tcase_add_test(t, what_a_procedure_committed_inside_is_seen);
    tcase_add_test(t, write_times_out_somewhere);
    tcase_add_test(t, read_times_out);
    tcase_add_test(t, lock_wait_of_the_server);
    tcase_add_test(t, busy);
    tcase_add_test(t, states);
    tcase_add_test(t, errors_that_leave_it_open);
    tcase_add_test(t, statement_times_out_inside);
    tcase_add_test(t, truncation);
    tcase_add_test(t, deadlock);
    tcase_add_loop_test(t, killed_inside, 0, 3);
    tcase_add_test(t, killed_before_the_commit);
    tcase_add_test(t, too_many_tags_in_one);
    servers_up("");
    rc = suite_run("api_tx", t);
    servers_down();
    return rc;
}
