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
    {FAKE_GREETING, 2500},
    {FAKE_LOGIN, 1000},
    {FAKE_ARMED, 1000},
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

int main(void)
{
    TCase *t = tcase_create("client_wire");

    tcase_set_timeout(t, 30);
    tcase_add_loop_test(t, deadlines_cover_connecting, 0, (int)TT_COUNT(silences));
    tcase_add_loop_test(t, opening_ends_though_nobody_speaks, 0, (int)TT_COUNT(silences));
    return suite_run("client_wire", t);
}
