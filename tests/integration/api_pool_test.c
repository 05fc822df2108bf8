/* Connections of the pool, and what a reload changes about them and about the cache's. */
#include "integration/api_support.h"

/* The only column and row of a statement, as an integer; -1: NULL. */
static int64_t ask(tt_client *c, tt_session *s, const char *sql)
{
    tt_error e = TT_ERROR_INIT;
    tt_result *r = NULL;
    int64_t v = -1;

    ck_assert_msg(tt_query_read(c, s, sql, NULL, 0, NULL, &r, NULL, &e) == 0, "%s: %s", sql,
                  e.message);
    if (!tt_result_is_null(r, 0, 0) && tt_result_int(r, 0, 0, &v) != 0) {
        const char *text;
        size_t n;

        ck_assert_int_eq(tt_result_bytes(r, 0, 0, &text, &n), 0);
        v = strtoll(text, NULL, 10);
    }
    tt_result_free(r);
    return v;
}

static const struct {
    const char *leaves, *looks;
    int64_t expected;
} states[] = {
    {"SELECT @leak := 42", "SELECT @leak", -1},
    {"SELECT GET_LOCK('leak', 0)", "SELECT IS_USED_LOCK('leak') IS NULL", 1},
    {"SELECT SQL_CALC_FOUND_ROWS id FROM items LIMIT 1", "SELECT FOUND_ROWS() < 9", 1},
};

START_TEST(state_does_not_pass_to_the_next_caller)
{
    tt_config *cfg = config_new();
    tt_client *c;
    tt_session *s;

    config_put(cfg, "database.pool.max", "1");
    config_put(cfg, "read.unproven", "primary");
    c = client_of(cfg);
    s = session_of(c);
    (void)ask(c, NULL, states[_i].leaves);
    ck_assert_int_eq(ask(c, NULL, states[_i].looks), states[_i].expected);
    EXPECT(tt_begin(s, NULL, &err), 0);
    (void)ask(c, s, states[_i].leaves);
    EXPECT(tt_rollback(s, &err), 0);
    ck_assert_int_eq(ask(c, NULL, states[_i].looks), states[_i].expected);
    tt_session_free(s);
    tt_client_close(c);
}
END_TEST

START_TEST(a_lower_maximum_is_kept_after_a_reload)
{
    tt_config *cfg = config_new();
    tt_session *s[3];
    tt_client *c;

    config_put(cfg, "database.pool.max", "3");
    config_put(cfg, "database.pool.wait_timeout", "50ms");
    EXPECT(tt_client_open(cfg, &c, &err), 0);
    for (int i = 0; i < 3; i++) {
        s[i] = session_of(c);
        EXPECT(tt_begin(s[i], NULL, &err), 0);
    }
    config_put(cfg, "database.pool.max", "1");
    EXPECT(tt_client_reload(c, cfg, &err), 0);
    EXPECT(tt_rollback(s[0], &err), 0);
    EXPECT(tt_rollback(s[1], &err), 0);
    EXPECT(tt_begin(s[0], NULL, &err), TT_E_BUSY);
    EXPECT(tt_rollback(s[2], &err), 0);
    EXPECT(tt_begin(s[0], NULL, &err), 0);
    EXPECT(tt_begin(s[1], NULL, &err), TT_E_BUSY);
    for (int i = 0; i < 3; i++)
        tt_session_free(s[i]);
    tt_config_free(cfg);
    tt_client_close(c);
}
END_TEST

/* The tags of an entry that is larger than any before are read with it, on the same connection. */
START_TEST(larger_entries_after_a_reload_are_hits)
{
    static const char large[] = "SELECT id, REPEAT('x', 2000000) FROM items WHERE id = 1";
    static const char *const tags[] = {"item:1"};
    tt_read_options o = TT_READ_OPTIONS_INIT;
    tt_read_info info = TT_READ_INFO_INIT;
    int64_t start = tt_now_ns(&tt_clock_system);
    tt_config *cfg = config_new();
    tt_client *c;

    config_put(cfg, "cache.entry_max_bytes", "64KiB");
    EXPECT(tt_client_open(cfg, &c, &err), 0);
    config_put(cfg, "cache.entry_max_bytes", "8MiB");
    EXPECT(tt_client_reload(c, cfg, &err), 0);
    o.cache_class = "";
    o.tags = tags;
    o.n_tags = 1;
    do {
        tt_result *r = NULL;

        EXPECT(tt_query_read(c, NULL, large, NULL, 0, &o, &r, &info, &err), 0);
        tt_result_free(r);
        ck_assert_int_lt(elapsed_ms(start), 10000);
    } while (info.source != TT_SOURCE_REDIS);
    tt_config_free(cfg);
    tt_client_close(c);
}
END_TEST

/* ---- invalidations that have time --------------------------------------------------------------
 */

static void *thaw(void *ignored)
{
    pause_ms(1500);
    ck_assert(servers_do("start", "redis"));
    return ignored;
}

START_TEST(invalidations_are_tried_until_their_deadline)
{
    static const char *const tags[] = {"item:1"};
    tt_invalidate_options o = TT_INVALIDATE_OPTIONS_INIT;
    tt_config *cfg = config_new();
    pthread_t thread;
    tt_client *c;

    config_put(cfg, "cache.timeout", "50ms");
    c = client_of(cfg);
    ck_assert(servers_do("stop", "redis --signal STOP"));
    EXPECT(tt_invalidate_tags(c, tags, 1, 0, &err), TT_E_TIMEOUT);
    o.timeout_ms = 100;
    EXPECT(tt_cache_clear(c, &o, &err), TT_E_TIMEOUT);
    o.timeout_ms = 20000;
    ck_assert_int_eq(pthread_create(&thread, NULL, thaw, NULL), 0);
    if (_i)
        EXPECT(tt_cache_clear(c, &o, &err), 0);
    else
        EXPECT(tt_invalidate_tags(c, tags, 1, &o, &err), 0);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    tt_client_close(c);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("api_pool");
    int rc;

    servers_up("--replicas 2");
    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, items_new, NULL);
    tcase_add_loop_test(t, state_does_not_pass_to_the_next_caller, 0, (int)TT_COUNT(states));
    tcase_add_test(t, a_lower_maximum_is_kept_after_a_reload);
    tcase_add_test(t, larger_entries_after_a_reload_are_hits);
    tcase_add_loop_test(t, invalidations_are_tried_until_their_deadline, 0, 2);
    rc = suite_run("api_pool", t);
    servers_down();
    return rc;
}
