/* The database driver against real servers: a primary and a replica. */
#include "integration/drv_mysql_support.h"

#include "unit/columns_table.h"

/* ---- reads ---- */

static tt_db_status read_status(tt_db_conn *c, const char *sql, const tt_value *params, size_t n,
                                const tt_db_limits *limits, tt_error *e)
{
    tt_buf out = tt_buf_init(libc);
    tt_db_status status = db->read(c, tt_str_c(sql), params, n, limits, &out, e);

    tt_buf_free(&out);
    return status;
}

START_TEST(no_rows_are_a_result)
{
    tt_db_conn *c = open_with_table();
    rows r = get(c, "SELECT id, v AS value FROM t WHERE id > 9", NULL, 0);

    ck_assert_uint_eq(r.view.rows, 0);
    ck_assert_str_eq(tt_columns_name(&r.view, 1), "value");
    drop(&r);
    db->close(c);
}
END_TEST

START_TEST(reading_never_executes_a_change)
{
    tt_db_conn *c = open_with_table();
    tt_error e = TT_ERROR_INIT;

    ck_assert_int_eq(read_status(c, "DELETE FROM t", NULL, 0, NULL, &e), TT_DB_LOCAL);
    ck_assert_int_eq(e.code, TT_E_STATEMENT);
    ck_assert_int_eq(number(c, "SELECT COUNT(*) FROM t"), 2);
    db->close(c);
}
END_TEST

START_TEST(limits_leave_the_link_usable)
{
    static const tt_db_limits few = {0, 10}, small = {4096, 1000000}, enough = {0, 1000};
    static const char many[] =
        "SELECT a.id, REPEAT('x', 300) FROM t a, t b, t c, t d, t e, t f, t g";
    tt_db_conn *c = open_with_table();
    tt_error e = TT_ERROR_INIT;

    ck_assert_int_eq(read_status(c, many, NULL, 0, &few, &e), TT_DB_LOCAL);
    ck_assert_int_eq(e.code, TT_E_LIMIT);
    ck_assert_int_eq(read_status(c, many, NULL, 0, &small, &e), TT_DB_LOCAL);
    ck_assert_int_eq(e.code, TT_E_LIMIT);
    ck_assert(db->usable(c));
    ck_assert_int_eq(read_status(c, many, NULL, 0, &enough, &e), TT_DB_OK);
    ck_assert_int_eq(number(c, "SELECT COUNT(*) FROM t"), 2);
    db->close(c);
}
END_TEST

START_TEST(parameters_must_fit)
{
    tt_db_conn *c = open_with_table();
    tt_value *many = calloc(TT_PARAMETERS_MAX + 1, sizeof(*many));
    tt_error e = TT_ERROR_INIT;

    ck_assert_int_eq(read_status(c, "SELECT ?, ?", many, 1, NULL, &e), TT_DB_LOCAL);
    ck_assert_int_eq(e.code, TT_E_PARAMETERS);
    ck_assert_ptr_nonnull(strstr(e.message, "2"));
    ck_assert_ptr_nonnull(strstr(e.message, "1"));
    ck_assert_int_eq(read_status(c, "SELECT ?", many, TT_PARAMETERS_MAX + 1, NULL, &e),
                     TT_DB_LOCAL);
    ck_assert_int_eq(e.code, TT_E_LIMIT);
    ck_assert(db->usable(c));
    free(many);
    db->close(c);
}
END_TEST

START_TEST(a_table_changes_under_a_statement)
{
    tt_db_conn *c = open_with_table();
    rows r = get(c, "SELECT * FROM t ORDER BY 1", NULL, 0);

    drop(&r);
    run(c, "ALTER TABLE t ADD COLUMN w VARCHAR(10) DEFAULT 'new'");
    r = get(c, "SELECT * FROM t ORDER BY 1", NULL, 0);
    ck_assert_uint_eq(r.view.columns, 3);
    ck_assert_str_eq(tt_columns_value(&r.view, 0, 2).as.bytes.p, "new");
    drop(&r);
    run(c, "ALTER TABLE t CHANGE v renamed BIGINT UNSIGNED");
    for (int again = 0; again < 3; again++) {
        r = get(c, "SELECT * FROM t ORDER BY 1", NULL, 0);
        ck_assert_str_eq(tt_columns_name(&r.view, 1), "renamed");
        ck_assert_int_eq(tt_columns_type(&r.view, 1), TT_TYPE_UINT);
        ck_assert_uint_eq(tt_columns_value(&r.view, 1, 1).as.u, 20);
        drop(&r);
    }
    db->close(c);
}
END_TEST

static int64_t prepared(tt_db_conn *c)
{
    rows r = get(c, "SHOW GLOBAL STATUS LIKE 'Prepared_stmt_count'", NULL, 0);
    uint64_t n = 0;

    ck_assert(tt_str_u64(tt_str_c(tt_columns_value(&r.view, 0, 1).as.bytes.p), &n));
    drop(&r);
    return (int64_t)n;
}

START_TEST(old_statements_are_closed)
{
    tt_db_target t = target_of("PRIMARY");
    tt_db_conn *watch = open_with_table(), *c = NULL;
    int64_t before = prepared(watch);
    char sql[64];
    rows r;

    t.max_statements = 3;
    ck_assert_int_eq(db_open(libc, &t, &c, NULL), TT_DB_OK);
    for (int round = 0; round < 2; round++)
        for (int i = 0; i < 50; i++) {
            (void)snprintf(sql, sizeof(sql), "SELECT %d + ?", i);
            r = get(c, sql, (tt_value[]){tt_int(1)}, 1);
            drop(&r);
            ck_assert_int_le(prepared(watch), before + 3);
        }
    ck_assert_int_eq(prepared(watch), before + 3);
    ck_assert_int_eq(db->reset(c, NULL), TT_DB_OK);
    ck_assert_int_eq(prepared(watch), before);
    db->close(c);
    db->close(watch);
}
END_TEST

/* ---- positions and state ---- */

static tt_db_effect command(tt_db_conn *c, const char *sql)
{
    tt_db_effect effect = {0};
    tt_error e = TT_ERROR_INIT;

    effect.position = tt_buf_init(libc);
    ck_assert_msg(db->command(c, sql, &effect, &e) == TT_DB_OK, "%s: %s", sql, e.message);
    return effect;
}

static void forget(tt_db_effect e)
{
    tt_buf_free(&e.position);
}

static void check_position(tt_db_effect e, bool known)
{
    ck_assert_int_eq(e.position_known, known);
    ck_assert_int_eq(e.position.n > 0, known);
    ck_assert(tt_points_valid(tt_buf_str(&e.position)));
    tt_buf_free(&e.position);
}

START_TEST(writes_give_their_position)
{
    tt_db_conn *c = open_with_table();
    tt_value p[] = {tt_int(1)};

    for (int again = 0; again < 2; again++) {
        check_position(put(c, "UPDATE t SET v = v + 1 WHERE id = ?", p, 1), true);
        check_position(command(c, "BEGIN"), false);
        check_position(put(c, "UPDATE t SET v = v + 1 WHERE id = ?", p, 1), false);
        check_position(command(c, "COMMIT"), true);
        check_position(command(c, "BEGIN"), false);
        check_position(put(c, "UPDATE t SET v = v + 1 WHERE id = ?", p, 1), false);
        check_position(command(c, "ROLLBACK"), false);
        check_position(put(c, "ALTER TABLE t COMMENT 'x'", NULL, 0), true);
        ck_assert_int_eq(db->reset(c, NULL), TT_DB_OK);
    }
    check_position(put(c, "UPDATE t SET v = v + 1 WHERE id = ?", p, 1), true);
    db->close(c);
}
END_TEST

START_TEST(positions_of_two_writes_differ)
{
    tt_db_conn *c = open_with_table();
    tt_db_effect a = put(c, "UPDATE t SET v = v + 1", NULL, 0);
    tt_db_effect b = put(c, "UPDATE t SET v = v + 1", NULL, 0);

    ck_assert_uint_eq(a.affected_rows, 2);
    ck_assert(tt_points_cover(tt_buf_str(&b.position), tt_buf_str(&a.position)));
    ck_assert(!tt_points_cover(tt_buf_str(&a.position), tt_buf_str(&b.position)));
    tt_buf_free(&a.position);
    tt_buf_free(&b.position);
    db->close(c);
}
END_TEST

/* Two million rows are not read for the sake of the link. */
START_TEST(a_result_far_beyond_its_limit_is_not_read_to_its_end)
{
    static const tt_db_limits few = {0, 10};
    static const char many[] = "SELECT REPEAT('x', 1000) FROM seq_1_to_2000000";
    tt_db_conn *c = open_with_table();
    int64_t began = tt_now_ns(&tt_clock_system);
    tt_error e = TT_ERROR_INIT;

    if (is_mariadb()) { /* the other has no such table */
        ck_assert_int_eq(read_status(c, many, NULL, 0, &few, &e), TT_DB_LOCAL);
        ck_assert_int_eq(e.code, TT_E_LIMIT);
        ck_assert(db->broken(c));
        db->close(c);
        ck_assert_int_lt(elapsed_ms(began), 1000);
    } else {
        db->close(c);
    }
}
END_TEST

static const struct {
    const char *sql;
    bool dirty;
} states[] = {{"SELECT 1", false},
              {"UPDATE t SET v = 3", false},
              {"CREATE TABLE IF NOT EXISTS other (i INT)", false},
              {"SET @x = 1", true},
              {"SET SESSION sql_mode = ''", true},
              {"BEGIN", true},
              {"CREATE TEMPORARY TABLE tmp (i INT)", true}};

START_TEST(state_is_noticed_and_reset)
{
    tt_db_conn *c = open_with_table();

    ck_assert_int_eq(db->reset(c, NULL), TT_DB_OK);
    ck_assert(!db->dirty(c));
    forget(command(c, states[_i].sql));
    ck_assert_msg(db->dirty(c) == states[_i].dirty, "%s", states[_i].sql);
    ck_assert_int_eq(db->reset(c, NULL), TT_DB_OK);
    ck_assert(!db->dirty(c));
    db->close(c);
}
END_TEST

START_TEST(statements_dirty_a_session_too)
{
    tt_db_conn *c = open_with_table();
    tt_value p[] = {tt_int(1)};

    forget(put(c, "UPDATE t SET v = ?", p, 1));
    (void)number(c, "SELECT v FROM t");
    ck_assert(!db->dirty(c));
    forget(put(c, "SET @x = ?", p, 1));
    ck_assert(db->dirty(c));
    ck_assert_int_eq(db->reset(c, NULL), TT_DB_OK);
    ck_assert_int_eq(number(c, "SELECT @x IS NULL"), 1);
    ck_assert_int_eq(number(c, "SELECT @@character_set_client = 'utf8mb4'"), 1);
    ck_assert_int_eq(number(c, "SELECT @@autocommit"), 1);
    db->close(c);
}
END_TEST

START_TEST(variables_tracked_before_are_kept)
{
    tt_db_conn *c = open_with_table();
    rows r;

    if (is_mariadb()) {
        r = get(c, "SELECT @@session_track_system_variables", NULL, 0);
        ck_assert_ptr_nonnull(strstr(tt_columns_value(&r.view, 0, 0).as.bytes.p, "autocommit"));
        ck_assert_ptr_nonnull(strstr(tt_columns_value(&r.view, 0, 0).as.bytes.p, "last_gtid"));
        drop(&r);
    }
    db->close(c);
}
END_TEST

/* ---- errors ---- */

static const struct {
    const char *sql;
    tt_db_status status;
    int code;
    unsigned number;
} errors[] = {{"SELEC", TT_DB_REFUSED, TT_E_SQL, 1064},
              {"INSERT INTO nowhere VALUES (1)", TT_DB_REFUSED, TT_E_SQL, 1146},
              {"INSERT INTO t VALUES (1, 1)", TT_DB_REFUSED, TT_E_CONSTRAINT, 1062},
              {"INSERT INTO t VALUES (NULL, 1)", TT_DB_REFUSED, TT_E_CONSTRAINT, 1048},
              {"INSERT INTO t VALUES (5, 99999999999)", TT_DB_REFUSED, TT_E_CONSTRAINT, 1264},
              {"DELETE FROM mysql.help_topic", TT_DB_REFUSED, TT_E_DENIED, 1142},
              {"INSERT INTO t VALUES (5, 1), (1, 1)", TT_DB_REFUSED, TT_E_CONSTRAINT, 1062}};

START_TEST(errors_have_codes)
{
    tt_db_conn *c = open_with_table();
    tt_db_effect effect = {0};
    tt_error e = TT_ERROR_INIT;

    effect.position = tt_buf_init(libc);
    ck_assert_int_eq(db->write(c, tt_str_c(errors[_i].sql), NULL, 0, &effect, &e),
                     errors[_i].status);
    ck_assert_int_eq(e.code, errors[_i].code);
    ck_assert_uint_eq(e.server_errno, errors[_i].number);
    ck_assert_uint_eq(strlen(e.sqlstate), 5);
    ck_assert_uint_gt(strlen(e.message), 0);
    ck_assert_ptr_nonnull(strstr(e.node, "127.0.0.1:"));
    ck_assert(!effect.position_known);
    ck_assert_int_eq(number(c, "SELECT COUNT(*) FROM t"), 2);
    db->close(c);
}
END_TEST

START_TEST(lock_waits_and_read_only_nodes)
{
    tt_db_conn *holder = open_with_table(), *c = open_to("PRIMARY"), *replica = open_to("REPLICA1");
    tt_error e = TT_ERROR_INIT;

    run(holder, "BEGIN");
    run(holder, "UPDATE t SET v = 1 WHERE id = 1");
    run(c, "SET SESSION innodb_lock_wait_timeout = 1");
    ck_assert_int_eq(db->command(c, "UPDATE t SET v = 2 WHERE id = 1", NULL, &e), TT_DB_REFUSED);
    ck_assert_int_eq(e.code, TT_E_CONFLICT);
    ck_assert_int_eq(db->command(replica, "INSERT INTO t VALUES (7, 7)", NULL, &e), TT_DB_DEMOTED);
    ck_assert_int_eq(e.server_errno, 1290);
    run(holder, "ROLLBACK");
    run(c, "START TRANSACTION READ ONLY");
    ck_assert_int_eq(db->command(c, "UPDATE t SET v = 2", NULL, &e), TT_DB_REFUSED);
    db->close(holder);
    db->close(c);
    db->close(replica);
}
END_TEST

static void refused_connect(const tt_db_target *t, tt_db_status status, int code)
{
    tt_error e = TT_ERROR_INIT;
    tt_db_conn *c = NULL;

    ck_assert_int_eq(db_open(libc, t, &c, &e), status);
    ck_assert_msg(e.code == code, "%s: %s", tt_error_name(e.code), e.message);
    ck_assert_ptr_null(c);
    ck_assert_ptr_null(strstr(e.message, "wrong-secret"));
}

START_TEST(connections_that_fail)
{
    tt_db_target t = target_of("PRIMARY");

    t.password = "wrong-secret";
    refused_connect(&t, TT_DB_UNSENT, TT_E_DENIED);
    t = target_of("PRIMARY");
    t.port = 1;
    refused_connect(&t, TT_DB_UNSENT, TT_E_UNAVAILABLE);
    t = target_of("PRIMARY");
    t.tls_mode = "maybe";
    refused_connect(&t, TT_DB_LOCAL, TT_E_CONFIG);
    t = target_of("PRIMARY");
    t.charset = "utf8mb4, autocommit = 0";
    refused_connect(&t, TT_DB_LOCAL, TT_E_CONFIG);
    t = target_of("PRIMARY");
    t.socket = getenv("TT_PRIMARY_SOCKET");
    t.host = NULL;
    t.user = "root";
    t.password = NULL;
    t.schema = "no_such_schema";
    refused_connect(&t, TT_DB_UNSENT, TT_E_SCHEMA);
}
END_TEST

/* What results depend on is the same after a reset. */
START_TEST(settings_are_pinned)
{
    tt_db_target t = target_of("PRIMARY");
    tt_db_conn *c = NULL;
    tt_error e = TT_ERROR_INIT;

    t.time_zone = "+05:30";
    ck_assert_msg(db_open(libc, &t, &c, &e) == TT_DB_OK, "%s", e.message);
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(number(c, "SELECT @@session.time_zone = '+05:30'"), 1);
        ck_assert_int_eq(number(c, "SELECT @@session.sql_mode = @@global.sql_mode"), 1);
        ck_assert_int_eq(db->reset(c, &e), TT_DB_OK);
    }
    db->close(c);
    if (is_mariadb()) {
        int64_t before;

        t.time_zone = NULL;
        ck_assert(
            servers_do("sql", "primary 'SET GLOBAL sql_mode = \"ORACLE,STRICT_ALL_TABLES\"'"));
        ck_assert_int_eq(db_open(libc, &t, &c, &e), TT_DB_OK);
        before = number(c, "SELECT FIND_IN_SET('ORACLE', @@session.sql_mode)");
        ck_assert_int_eq(
            number(c, "SELECT FIND_IN_SET('STRICT_ALL_TABLES', @@session.sql_mode) > 0"), 1);
        db->close(c);
        ck_assert(servers_do("sql", "primary 'SET GLOBAL sql_mode = DEFAULT'"));
        ck_assert_int_eq(before, 0);
    }
    t.time_zone = "x' , autocommit = '0";
    refused_connect(&t, TT_DB_LOCAL, TT_E_CONFIG);
}
END_TEST

START_TEST(a_write_that_no_packet_holds_changes_nothing)
{
    tt_db_conn *c;
    size_t n = (size_t)8 << 20;
    char *large = calloc(n, 1);
    tt_value v[] = {tt_bytes_of(TT_TYPE_BLOB, large, n)};
    tt_db_effect effect = {0};
    tt_error e = TT_ERROR_INIT;
    tt_db_status status;

    effect.position = tt_buf_init(libc);
    db->close(open_with_table());
    ck_assert(servers_do("sql", "primary 'SET GLOBAL max_allowed_packet = 1048576'"));
    c = open_to("PRIMARY");
    status = db->write(c, TT_STR("UPDATE t SET v = LENGTH(?)"), v, 1, &effect, &e);
    ck_assert(servers_do("sql", "primary 'SET GLOBAL max_allowed_packet = 16777216'"));
    ck_assert_int_eq(status, TT_DB_LOCAL);
    ck_assert_int_eq(e.code, TT_E_LIMIT);
    ck_assert_ptr_nonnull(strstr(e.message, "max_allowed_packet"));
    ck_assert(!effect.sent_write && db->usable(c));
    v[0].as.bytes.n = 1000000;
    ck_assert_int_eq(db->write(c, TT_STR("UPDATE t SET v = LENGTH(?)"), v, 1, &effect, &e),
                     TT_DB_OK);
    ck_assert_int_eq(number(c, "SELECT v FROM t WHERE id = 1"), 1000000);
    tt_buf_free(&effect.position);
    free(large);
    db->close(c);
}
END_TEST

/* ---- killing, aborting, losing ---- */

typedef struct waiter {
    tt_db_conn *c;
    tt_db_status status;
    tt_error e;
} waiter;

static void *wait_for_lock(void *ctx)
{
    waiter *w = ctx;

    w->status = db->command(w->c, "UPDATE t SET v = v + 100 WHERE id = 1", NULL, &w->e);
    return NULL;
}

/* A thread whose connection waits for the lock that `holder` has. */
static pthread_t start_waiter(tt_db_conn *holder, waiter *w)
{
    pthread_t thread;

    run(holder, "BEGIN");
    run(holder, "UPDATE t SET v = 1 WHERE id = 1");
    w->c = open_to("PRIMARY");
    ck_assert_int_eq(pthread_create(&thread, NULL, wait_for_lock, w), 0);
    pause_ms(100);
    return thread;
}

START_TEST(a_killed_connection_is_gone)
{
    tt_db_conn *holder = open_with_table(), *killer = open_to("PRIMARY");
    waiter w = {0};
    pthread_t thread = start_waiter(holder, &w);
    bool gone = false;

    ck_assert_int_eq(db->kill(killer, db->peer(w.c)->connection_id, 5000, &gone, NULL), TT_DB_OK);
    ck_assert(gone);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    ck_assert_int_eq(w.status, TT_DB_LOST);
    ck_assert_int_eq(w.e.code, TT_E_COMMIT_UNKNOWN);
    ck_assert(!db->usable(w.c));
    gone = false;
    ck_assert_int_eq(db->kill(killer, db->peer(w.c)->connection_id, 0, &gone, NULL), TT_DB_OK);
    ck_assert(gone);
    run(holder, "COMMIT");
    ck_assert_int_eq(number(killer, "SELECT v FROM t WHERE id = 1"), 1);
    db->close(w.c);
    db->close(holder);
    db->close(killer);
}
END_TEST

START_TEST(an_abort_ends_a_call)
{
    tt_db_conn *holder = open_with_table();
    waiter w = {0};
    pthread_t thread = start_waiter(holder, &w);
    int64_t began = tt_now_ns(&tt_clock_system);

    db->abort(w.c);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    ck_assert_int_lt(elapsed_ms(began), 500);
    ck_assert_int_eq(w.status, TT_DB_LOST);
    ck_assert(!db->usable(w.c));
    ck_assert_int_eq(db->ping(w.c, &w.e), TT_DB_UNSENT);
    db->abort(holder); /* between two calls: the next one does not begin */
    ck_assert(!db->usable(holder) && db->broken(holder));
    ck_assert_int_eq(db->command(holder, "COMMIT", NULL, &w.e), TT_DB_UNSENT);
    ck_assert_int_eq(w.e.code, TT_E_LOST);
    db->close(w.c);
    db->close(holder);
}
END_TEST

START_TEST(a_server_that_hung_up_is_noticed)
{
    tt_db_conn *idle = open_to("PRIMARY"), *killer = open_to("PRIMARY");
    tt_error e = TT_ERROR_INIT;
    bool gone = false;

    ck_assert(db->usable(idle));
    ck_assert_int_eq(db->kill(killer, db->peer(idle)->connection_id, 5000, &gone, NULL), TT_DB_OK);
    ck_assert(gone);
    ck_assert(!db->usable(idle));
    ck_assert_int_eq(read_status(idle, "SELECT 1", NULL, 0, NULL, &e), TT_DB_UNSENT);
    ck_assert_int_eq(e.code, TT_E_LOST);
    db->close(idle);
    db->close(killer);
}
END_TEST

/* SIGPIPE has its default disposition here, and would end the test. */
START_TEST(no_signal_for_a_dead_server)
{
    struct sigaction now;
    tt_db_conn *c[4];
    tt_error e = TT_ERROR_INIT;

    for (size_t i = 0; i < TT_COUNT(c); i++)
        c[i] = open_to("REPLICA1");
    ck_assert_int_eq(sigaction(SIGPIPE, NULL, &now), 0);
    ck_assert(now.sa_handler == SIG_DFL);
    (void)number(c[0], "SELECT 1");
    ck_assert(servers_do("stop", "replica1 --signal KILL"));
    for (size_t i = 0; i < TT_COUNT(c); i++) {
        ck_assert_int_ne(read_status(c[i], "SELECT 1", NULL, 0, NULL, &e), TT_DB_OK);
        ck_assert_int_eq(db->ping(c[i], &e), TT_DB_UNSENT);
        db->close(c[i]);
    }
    ck_assert(servers_do("start", "replica1"));
    db->close(open_to("REPLICA1"));
}
END_TEST

/* ---- nodes ---- */

START_TEST(peers_and_samples)
{
    tt_db_conn *p = open_with_table(), *r = open_to("REPLICA1");
    tt_db_sample s = {0};
    tt_applied *applied = NULL;
    tt_db_effect e;

    s.applied = tt_buf_init(libc);
    ck_assert_int_eq(db->peer(p)->family, is_mariadb() ? TT_FAMILY_MARIADB : TT_FAMILY_MYSQL);
    ck_assert_uint_gt(db->peer(p)->connection_id, 0);
    ck_assert_str_ne(db->peer(p)->identity, db->peer(r)->identity);
    ck_assert_ptr_nonnull(strchr(db->peer(p)->identity, '-'));
    for (int again = 0; again < 2; again++) {
        e = put(p, "UPDATE t SET v = v + 1", NULL, 0);
        ck_assert_int_eq(db->sample(p, &s, NULL), TT_DB_OK);
        ck_assert(!s.read_only);
        ck_assert_str_eq(s.identity, db->peer(p)->identity);
        ck_assert_int_eq(
            tt_applied_parse(libc, db->peer(p)->family, tt_buf_str(&s.applied), &applied), 0);
        ck_assert(tt_applied_has_all(applied, tt_buf_str(&e.position)));
        tt_applied_free(applied);
        tt_buf_free(&e.position);
    }
    ck_assert_int_eq(db->sample(r, &s, NULL), TT_DB_OK);
    ck_assert(s.read_only);
    tt_buf_free(&s.applied);
    db->close(p);
    db->close(r);
}
END_TEST

START_TEST(inspection)
{
    tt_db_conn *p = open_with_table(), *r = open_to("REPLICA1");
    tt_db_sample s = {0};
    tt_error e = TT_ERROR_INIT;
    uint64_t mark;

    s.applied = tt_buf_init(libc);
    ck_assert_msg(db->inspect(p, &s, &e) == TT_DB_OK, "%s", e.message);
    ck_assert(!s.replica && !s.read_only && !s.lag_known);
    ck_assert_msg(db->inspect(r, &s, &e) == TT_DB_OK, "%s", e.message);
    ck_assert(s.replica && s.read_only && s.threads_running && s.lag_known);
    ck_assert_int_eq(s.lag_ms, 0);
    mark = s.received_mark;
    run(p, "UPDATE t SET v = v + 1");
    pause_ms(200);
    ck_assert_int_eq(db->inspect(r, &s, &e), TT_DB_OK);
    ck_assert(mark != s.received_mark);
    ck_assert(s.received_known == is_mariadb());
    ck_assert(servers_do("sql-stop", "replica1"));
    ck_assert_int_eq(db->inspect(r, &s, &e), TT_DB_OK);
    ck_assert(s.replica && !s.threads_running && !s.lag_known);
    ck_assert(servers_do("sql-start", "replica1"));
    tt_buf_free(&s.applied);
    db->close(p);
    db->close(r);
}
END_TEST

START_TEST(waiting_for_a_position)
{
    tt_db_conn *p = open_with_table(), *r = open_to("REPLICA1");
    tt_db_effect e;
    tt_buf later = tt_buf_init(libc);
    bool reached = false;
    int64_t began;
    tt_str rest;
    tt_point point;

    for (int i = 0; i < 20; i++) {
        e = put(p, "UPDATE t SET v = v + 1", NULL, 0);
        ck_assert_int_eq(db->wait(r, tt_buf_str(&e.position), 5000, &reached, NULL), TT_DB_OK);
        ck_assert(reached);
        reached = false;
        ck_assert_int_eq(db->wait(r, tt_buf_str(&e.position), 0, &reached, NULL), TT_DB_OK);
        ck_assert(reached);
        if (i < 19)
            tt_buf_free(&e.position);
    }
    rest = tt_buf_str(&e.position);
    ck_assert_int_eq(tt_points_next(&rest, &point), 1);
    tt_buf_printf(&later, "%.*s:%lu", (int)point.source.n, point.source.p, point.n + 1000);
    began = tt_now_ns(&tt_clock_system);
    ck_assert_int_eq(db->wait(r, tt_buf_str(&later), 120, &reached, NULL), TT_DB_OK);
    ck_assert(!reached);
    ck_assert_int_ge(elapsed_ms(began), 100);
    ck_assert_int_lt(elapsed_ms(began), 2000);
    began = tt_now_ns(&tt_clock_system);
    ck_assert_int_eq(db->wait(r, tt_buf_str(&later), 0, &reached, NULL), TT_DB_OK);
    ck_assert(!reached);
    ck_assert_int_lt(elapsed_ms(began), 100);
    ck_assert_int_eq(db->wait(r, TT_STR("rubbish"), 0, &reached, NULL), TT_DB_LOCAL);
    reached = false;
    ck_assert_int_eq(db->wait(r, TT_STR(""), 0, &reached, NULL), TT_DB_OK);
    ck_assert(reached);
    tt_buf_free(&later);
    tt_buf_free(&e.position);
    db->close(p);
    db->close(r);
}
END_TEST

START_TEST(a_number_of_another_server_is_not_enough)
{
    tt_db_conn *r = open_to("REPLICA1");
    bool reached = true;

    if (is_mariadb()) {
        ck_assert_int_eq(db->wait(r, TT_STR("0-99:1"), 0, &reached, NULL), TT_DB_OK);
        ck_assert(!reached);
        ck_assert_int_eq(db->wait(r, TT_STR("0-1:1"), 0, &reached, NULL), TT_DB_OK);
        ck_assert(reached);
        ck_assert_int_eq(db->wait(r, TT_STR("0-1:1,0-99:2"), 0, &reached, NULL), TT_DB_OK);
        ck_assert(!reached);
    }
    db->close(r);
}
END_TEST

/* Connect, read with a parameter, write, wait, close: with so many allocations. */
static void use_with(counting *k, size_t left)
{
    tt_allocator a = counting_allocator(k);
    tt_db_target t = target_of("PRIMARY");
    tt_value p[] = {tt_text("a text that is longer than the room which a statement has for it")};
    tt_buf out = tt_buf_init(&a);
    tt_db_effect effect = {0};
    tt_db_conn *c = NULL;
    tt_db_status status;

    k->left = left;
    effect.position = tt_buf_init(&a);
    status = db_open(&a, &t, &c, NULL);
    ck_assert(status == TT_DB_OK || status == TT_DB_LOCAL);
    if (status == TT_DB_OK) {
        status = db->read(c, TT_STR("SELECT ? AS a, NULL AS b"), p, 1, NULL, &out, NULL);
        ck_assert(status == TT_DB_OK || status == TT_DB_LOCAL);
        ck_assert(db->usable(c));
        status = db->write(c, TT_STR("UPDATE t SET v = v + 1"), NULL, 0, &effect, NULL);
        ck_assert(status == TT_DB_OK || status == TT_DB_LOCAL);
        ck_assert(effect.position_known || left < SIZE_MAX);
        k->left = SIZE_MAX;
        ck_assert_int_eq(number(c, "SELECT 7"), 7);
        db->close(c);
    }
    tt_buf_free(&out);
    tt_buf_free(&effect.position);
    ck_assert_uint_eq(k->live, 0);
}

START_TEST(every_allocation_may_fail)
{
    counting k = {SIZE_MAX, 0, 0};
    size_t calls;

    db->close(open_with_table());
    use_with(&k, SIZE_MAX);
    calls = k.calls;
    ck_assert_uint_gt(calls, 20);
    for (size_t i = 0; i < calls; i++)
        use_with(&k, i);
}
END_TEST

static void add_reads(TCase *t)
{
    tcase_add_test(t, settings_are_pinned);
    tcase_add_test(t, no_rows_are_a_result);
    tcase_add_test(t, reading_never_executes_a_change);
    tcase_add_test(t, limits_leave_the_link_usable);
    tcase_add_test(t, a_result_far_beyond_its_limit_is_not_read_to_its_end);
    tcase_add_test(t, parameters_must_fit);
    tcase_add_test(t, a_table_changes_under_a_statement);
    tcase_add_test(t, old_statements_are_closed);
}

static void add_writes(TCase *t)
{
    tcase_add_test(t, writes_give_their_position);
    tcase_add_test(t, positions_of_two_writes_differ);
    tcase_add_loop_test(t, state_is_noticed_and_reset, 0, (int)TT_COUNT(states));
    tcase_add_test(t, statements_dirty_a_session_too);
    tcase_add_test(t, variables_tracked_before_are_kept);
    tcase_add_loop_test(t, errors_have_codes, 0, (int)TT_COUNT(errors));
    tcase_add_test(t, lock_waits_and_read_only_nodes);
}

int main(void)
{
    TCase *t = tcase_create("drv_mysql");
    int rc;

    servers_up("--replicas 1 --redis 0");
    tcase_set_timeout(t, 60);
    add_reads(t);
    add_writes(t);
    tcase_add_test(t, connections_that_fail);
    tcase_add_test(t, a_write_that_no_packet_holds_changes_nothing);
    tcase_add_test(t, every_allocation_may_fail);
    tcase_add_test(t, a_killed_connection_is_gone);
    tcase_add_test(t, an_abort_ends_a_call);
    tcase_add_test(t, a_server_that_hung_up_is_noticed);
    tcase_add_test(t, peers_and_samples);
    tcase_add_test(t, inspection);
    tcase_add_test(t, waiting_for_a_position);
    tcase_add_test(t, a_number_of_another_server_is_not_enough);
    tcase_add_test(t, no_signal_for_a_dead_server);
    rc = suite_run("drv_mysql", t);
    servers_down();
    return rc;
}
