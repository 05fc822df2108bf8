/* A client whose database misbehaves on demand. */
#include "unit/suite.h"

#include <twotier/twotier.h>

#include "base/clock.h"
#include "drv/db.h"
#include "support/fake_mysql.h"

static int elapsed_ms(int64_t since_ns)
{
    return (int)((tt_now_ns(&tt_clock_system) - since_ns) / TT_NS_PER_MS);
}

static void put(tt_config *cfg, const char *key, const char *text)
{
    tt_error e = TT_ERROR_INIT;

    ck_assert_msg(tt_config_set(cfg, key, text, &e) == 0, "%s", e.message);
}

static tt_config *config_of(const fake_mysql *s)
{
    tt_config *cfg = NULL;
    char port[8];

    ck_assert_int_eq(tt_config_new(NULL, &cfg, NULL), 0);
    (void)snprintf(port, sizeof(port), "%u", s->port);
    put(cfg, "database.primary.host", "127.0.0.1");
    put(cfg, "database.primary.port", port);
    put(cfg, "database.user", "u");
    put(cfg, "database.schema", "d");
    put(cfg, "database.connect_timeout", "1s");
    ck_assert_int_eq(tt_config_set_password(cfg, "", NULL), 0);
    return cfg;
}

static tt_client *client_of(tt_config *cfg)
{
    tt_error e = TT_ERROR_INIT;
    tt_client *c = NULL;

    ck_assert_msg(tt_client_open(cfg, &c, &e) == 0, "%s", e.message);
    tt_config_free(cfg);
    return c;
}

/* ---- silence while connecting ---- */

static const struct {
    fake_until until;
    int longest_ms;
} silences[] = {
    {FAKE_ACCEPT, 2500}, /* the client library counts in seconds */
    {FAKE_GREETING, 2500}, {FAKE_SWITCH, 2500}, {FAKE_LOGIN, 1000}, {FAKE_ARMED, 1000},
};

START_TEST(deadlines_cover_connecting)
{
    fake_mysql *s = fake_start(tt_db_driver_linked.name);
    tt_client *c = client_of(config_of(s));
    tt_read_options o = TT_READ_OPTIONS_INIT;
    tt_write_options w = TT_WRITE_OPTIONS_INIT;
    tt_error e = TT_ERROR_INIT;
    tt_result *r = NULL;
    int64_t began;

    atomic_store(&s->until, silences[_i].until);
    o.timeout_ms = w.timeout_ms = 200;
    began = tt_now_ns(&tt_clock_system);
    ck_assert_int_eq(tt_query_read(c, NULL, "SELECT a, b, c FROM t", NULL, 0, &o, &r, NULL, &e),
                     TT_E_TIMEOUT);
    ck_assert_int_lt(elapsed_ms(began), silences[_i].longest_ms);
    began = tt_now_ns(&tt_clock_system);
    ck_assert_int_eq(tt_query_write(c, NULL, "UPDATE t SET a = 1", NULL, 0, &w, NULL, &e),
                     TT_E_TIMEOUT);
    ck_assert_int_lt(elapsed_ms(began), silences[_i].longest_ms);
    began = tt_now_ns(&tt_clock_system);
    tt_client_close(c);
    ck_assert_int_lt(elapsed_ms(began), 3000);
    fake_stop(s);
}
END_TEST

START_TEST(opening_ends_though_nobody_speaks)
{
    fake_mysql *s = fake_start(tt_db_driver_linked.name);
    tt_config *cfg = config_of(s);
    tt_error e = TT_ERROR_INIT;
    int64_t began = tt_now_ns(&tt_clock_system);
    tt_client *c = NULL;

    atomic_store(&s->until, silences[_i].until);
    ck_assert_int_eq(tt_client_open(cfg, &c, &e), TT_E_UNAVAILABLE);
    ck_assert_int_lt(elapsed_ms(began), 5000);
    tt_config_free(cfg);
    fake_stop(s);
}
END_TEST

/* ---- what no call takes ---- */

static int read_with(tt_client *c, const tt_read_options *o, const tt_value *v)
{
    tt_result *r = NULL;
    int rc = tt_query_read(c, NULL, v ? "SELECT a FROM t WHERE b = ?" : "SELECT a FROM t", v,
                           v ? 1 : 0, o, &r, NULL, NULL);

    tt_result_free(r);
    return rc;
}

START_TEST(members_that_must_be_zero_are)
{
    fake_mysql *s = fake_start(tt_db_driver_linked.name);
    tt_client *c = client_of(config_of(s));
    tt_call_options call = TT_CALL_OPTIONS_INIT;
    tt_read_options read = TT_READ_OPTIONS_INIT;
    tt_begin_options begin = TT_BEGIN_OPTIONS_INIT;
    tt_invalidate_options clear = TT_INVALIDATE_OPTIONS_INIT;
    tt_statement *st = NULL;
    tt_session *session = NULL;
    tt_result *r = NULL;

    read.reserved = 1;
    ck_assert_int_eq(read_with(c, &read, NULL), TT_E_ARGUMENT);
    read.reserved = 0;
    read.bound_ms = 1;
    ck_assert_int_eq(read_with(c, &read, NULL), TT_E_ARGUMENT);
    read.consistency = TT_BOUNDED;
    ck_assert_int_eq(read_with(c, &read, NULL), TT_E_UNSUPPORTED);
    ck_assert_int_eq(tt_statement_new_read(c, "SELECT a FROM t", NULL, &st, NULL), 0);
    call.reserved = 1;
    ck_assert_int_eq(tt_statement_read(st, NULL, NULL, 0, &call, &r, NULL, NULL), TT_E_ARGUMENT);
    call = (tt_call_options){sizeof(call), 0, -1, 1, 0};
    ck_assert_int_eq(tt_statement_read(st, NULL, NULL, 0, &call, &r, NULL, NULL), TT_E_ARGUMENT);
    begin.reserved = 1;
    ck_assert_int_eq(tt_session_new(c, &session, NULL), 0);
    ck_assert_int_eq(tt_begin(session, &begin, NULL), TT_E_ARGUMENT);
    clear.reserved = 1;
    ck_assert_int_eq(tt_cache_clear(c, &clear, NULL), TT_E_ARGUMENT);
    ck_assert_int_eq(read_with(c, NULL, NULL), 0);
    tt_session_free(session);
    tt_statement_free(st);
    tt_client_close(c);
    fake_stop(s);
}
END_TEST

START_TEST(sizes_and_values_that_cannot_be)
{
    fake_mysql *s = fake_start(tt_db_driver_linked.name);
    tt_client *c = client_of(config_of(s));
    tt_read_options read = TT_READ_OPTIONS_INIT;
    tt_read_info info = TT_READ_INFO_INIT;
    tt_value v = tt_text("x");
    tt_result *r = NULL;

    read.size = SIZE_MAX / 2; /* never set: nothing beyond the struct is read */
    ck_assert_int_eq(read_with(c, &read, NULL), TT_E_ARGUMENT);
    info.size = SIZE_MAX / 2;
    ck_assert_int_eq(tt_query_read(c, NULL, "SELECT a FROM t", NULL, 0, NULL, &r, &info, NULL),
                     TT_E_ARGUMENT);
    v.as.bytes.p = NULL;
    ck_assert_int_eq(read_with(c, NULL, &v), TT_E_ARGUMENT);
    v.as.bytes.n = 0;
    ck_assert_int_eq(read_with(c, NULL, &v), 0);
    v = tt_time_of(TT_TYPE_DATE, (tt_time){.year = 2026, .month = 1, .day = 1, .reserved = 1});
    ck_assert_int_eq(read_with(c, NULL, &v), TT_E_ARGUMENT);
    tt_client_close(c);
    fake_stop(s);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("client_wire");

    tcase_set_timeout(t, 30);
    tcase_add_loop_test(t, deadlines_cover_connecting, 0, (int)TT_COUNT(silences));
    tcase_add_loop_test(t, opening_ends_though_nobody_speaks, 0, (int)TT_COUNT(silences));
    tcase_add_test(t, members_that_must_be_zero_are);
    tcase_add_test(t, sizes_and_values_that_cannot_be);
    return suite_run("client_wire", t);
}
