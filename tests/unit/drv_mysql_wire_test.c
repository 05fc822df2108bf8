/* The database driver against a server that misbehaves on demand. */
#include "unit/suite.h"

#include "drv/db.h"
#include "support/fake_mysql.h"

static const tt_db_driver *const db = &tt_db_driver_linked;

static tt_db_target target_of(const fake_mysql *s)
{
    return (tt_db_target){.host = "127.0.0.1",
                          .port = s->port,
                          .user = "u",
                          .password = "",
                          .schema = "d",
                          .tls_mode = "off",
                          .connect_timeout_ms = 1000,
                          .max_statements = 4};
}

static tt_db_status open_to(const tt_db_target *t, tt_db_conn **c, tt_error *e)
{
    tt_db_conn *made = NULL;
    tt_db_status status = db->connect(&tt_allocator_libc, t, &made, e);

    if (status == TT_DB_OK)
        status = db->ready(made, e);
    if (status == TT_DB_OK)
        *c = made;
    else
        db->close(made);
    return status;
}

START_TEST(a_connection_can_be_made)
{
    fake_mysql *s = fake_start(db->name);
    tt_db_target t = target_of(s);
    tt_error e = TT_ERROR_INIT;
    tt_db_conn *c = NULL;

    ck_assert_msg(open_to(&t, &c, &e) == TT_DB_OK, "%s", e.message);
    ck_assert_str_eq(db->peer(c)->identity, "11111111-2222-3333-4444-555555555555");
    db->close(c);
    fake_stop(s);
}
END_TEST

static const char *const strict[] = {"require", "verify_ca", "verify"};

START_TEST(tls_that_is_required_is_had)
{
    fake_mysql *s = fake_start(db->name);
    tt_db_target t = target_of(s);
    tt_error e = TT_ERROR_INIT;
    tt_db_conn *c = NULL;

    t.tls_mode = strict[_i];
    ck_assert_int_eq(open_to(&t, &c, &e), TT_DB_UNSENT);
    ck_assert_ptr_null(c);
    ck_assert_int_ne(e.code, 0);
    ck_assert_int_eq(atomic_load(&s->commands), 0);
    fake_stop(s);
}
END_TEST

static const char *const clear[] = {"mysql_clear_password", "dialog"};

START_TEST(no_password_is_said_in_clear)
{
    fake_mysql *s = fake_start(db->name);
    tt_db_target t = target_of(s);
    tt_error e = TT_ERROR_INIT;
    tt_db_conn *c = NULL;

    s->ask = clear[_i];
    t.password = "secret";
    ck_assert_int_eq(open_to(&t, &c, &e), TT_DB_UNSENT);
    ck_assert_ptr_null(memmem(s->told, sizeof(s->told), "secret", 6));
    t.tls_mode = NULL;
    ck_assert_int_eq(open_to(&t, &c, &e), TT_DB_UNSENT);
    ck_assert_ptr_null(memmem(s->told, sizeof(s->told), "secret", 6));
    fake_stop(s);
}
END_TEST

START_TEST(an_abort_between_two_calls_is_not_forgotten)
{
    fake_mysql *s = fake_start(db->name);
    tt_db_target t = target_of(s);
    tt_error e = TT_ERROR_INIT;
    tt_db_conn *c = NULL;
    int commands;

    ck_assert_int_eq(open_to(&t, &c, &e), TT_DB_OK);
    ck_assert_int_eq(db->command(c, "BEGIN", NULL, &e), TT_DB_OK);
    commands = atomic_load(&s->commands);
    db->abort(c);
    db->abort(c);
    ck_assert(db->broken(c) && !db->usable(c));
    ck_assert_int_eq(db->command(c, "COMMIT", NULL, &e), TT_DB_UNSENT);
    ck_assert_int_eq(e.code, TT_E_LOST);
    ck_assert_int_eq(db->ping(c, &e), TT_DB_UNSENT);
    ck_assert_int_eq(atomic_load(&s->commands), commands);
    db->close(c);
    fake_stop(s);
}
END_TEST

/* Columns promised, and sent. */
static const unsigned shapes[][2] = {{4, 1}, {1, 4}, {4, 0}, {1, 1}, {3, 3}, {0, 4}};

START_TEST(odd_columns_break_the_link_and_nothing_else)
{
    fake_mysql *s = fake_start(db->name);
    tt_db_target t = target_of(s);
    tt_buf out = tt_buf_init(&tt_allocator_libc);
    tt_error e = TT_ERROR_INIT;
    tt_db_conn *c = NULL;
    tt_db_sample sample = {0};
    bool reached;

    sample.applied = tt_buf_init(&tt_allocator_libc);
    ck_assert_int_eq(open_to(&t, &c, &e), TT_DB_OK);
    atomic_store(&s->prepared, shapes[_i][0]);
    atomic_store(&s->executed, shapes[_i][1]);
    if (shapes[_i][0] == shapes[_i][1])
        (void)db->wait(c, TT_STR("11111111-2222-3333-4444-555555555555:7"), 0, &reached, &e);
    else
        ck_assert_int_ne(db->read(c, TT_STR("SELECT 7"), NULL, 0, NULL, &out, &e), TT_DB_OK);
    db->close(c);
    c = NULL;
    ck_assert_int_ne(open_to(&t, &c, &e), TT_DB_OK); /* the sample is of other columns as well */
    tt_buf_free(&sample.applied);
    tt_buf_free(&out);
    fake_stop(s);
}
END_TEST

START_TEST(odd_states_of_replication_break_the_link_and_nothing_else)
{
    fake_mysql *s = fake_start(db->name);
    tt_db_target t = target_of(s);
    tt_error e = TT_ERROR_INIT;
    tt_db_conn *c = NULL;
    tt_db_sample sample = {0};

    sample.applied = tt_buf_init(&tt_allocator_libc);
    ck_assert_int_eq(open_to(&t, &c, &e), TT_DB_OK);
    atomic_store(&s->plain, 2);
    ck_assert_int_eq(db->inspect(c, &sample, &e), TT_DB_OK);
    atomic_store(&s->plain, (unsigned)_i);
    ck_assert_int_ne(db->inspect(c, &sample, &e), TT_DB_OK);
    ck_assert_int_eq(e.code, TT_E_INTERNAL);
    ck_assert(db->broken(c));
    db->close(c);
    tt_buf_free(&sample.applied);
    fake_stop(s);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("drv_mysql_wire");

    tcase_set_timeout(t, 30);
    tcase_add_test(t, a_connection_can_be_made);
    tcase_add_loop_test(t, tls_that_is_required_is_had, 0, (int)TT_COUNT(strict));
    tcase_add_loop_test(t, no_password_is_said_in_clear, 0, (int)TT_COUNT(clear));
    tcase_add_test(t, an_abort_between_two_calls_is_not_forgotten);
    tcase_add_loop_test(t, odd_columns_break_the_link_and_nothing_else, 0, (int)TT_COUNT(shapes));
    tcase_add_loop_test(t, odd_states_of_replication_break_the_link_and_nothing_else, 0, 2);
    return suite_run("drv_mysql_wire", t);
}
