/* The other ways to run a client: policies and scopes, reloading, the host's log, clock and
 * silence.
 */
#include "integration/api_support.h"

#include <stdatomic.h>
#include <sys/stat.h>

/* ---- policies and scopes -----------------------------------------------------------------------
 */

/* Items are cached, and writes seen at once. */
static void expect_coherent(tt_client *c, int32_t source)
{
    tt_read_info info = TT_READ_INFO_INIT;

    for (int i = 0; i < 5; i++) {
        int64_t v = 1000 + i;

        ck_assert_int_eq(item_put(c, NULL, 1, v), TT_INVALIDATED_DONE);
        ck_assert_int_eq(item(c, NULL, 1, NULL), v);
        ck_assert(item_hits(c, 1, v, 10000));
        ck_assert_int_eq(item(c, NULL, 1, &info), v);
        ck_assert_int_eq(info.source, source);
        ck_assert_int_eq(info.stale, 0);
    }
    EXPECT(tt_cache_clear(c, 0, &err), 0);
    ck_assert_int_eq(item(c, NULL, 1, &info), 1004);
    ck_assert_int_ge(info.source, TT_SOURCE_REPLICA);
    ck_assert(item_hits(c, 1, 1004, 10000));
}

START_TEST(after_commit)
{
    tt_client *c = client_set("cache.write_policy", "after_commit");

    expect_coherent(c, TT_SOURCE_REDIS);
    tt_client_close(c);
}
END_TEST

static tt_config *config_without_redis(const char *scope)
{
    tt_config *cfg = config_new();

    config_put(cfg, "cache.redis", "");
    config_put(cfg, "cache.scope", scope);
    return cfg;
}

START_TEST(scope_process)
{
    tt_client *c = client_of(config_without_redis("process"));

    expect_coherent(c, TT_SOURCE_LOCAL);
    tt_client_close(c);
}
END_TEST

/* `_i` 1: with replicas, 0: without any. */
START_TEST(scope_none)
{
    tt_config *cfg = config_without_redis("none");
    tt_read_info info = TT_READ_INFO_INIT;
    tt_client *c;
    tt_session *s;

    if (!_i)
        config_put(cfg, "database.replicas", "");
    c = client_of(cfg);
    s = session_of(c);
    for (int i = 0; i < 10; i++) {
        ck_assert_int_eq(item_put(c, s, 1, 100 + i), TT_INVALIDATED_NONE);
        ck_assert_int_eq(item(c, s, 1, &info), 100 + i);
        ck_assert_int_ge(info.source, _i ? TT_SOURCE_REPLICA : TT_SOURCE_PRIMARY);
    }
    EXPECT(tt_cache_clear(c, 0, &err), 0);
    EXPECT(tt_invalidate_tags(c, (const char *const[]){"item:1"}, 1, 0, &err), 0);
    tt_session_free(s);
    tt_client_close(c);
}
END_TEST

START_TEST(no_replicas)
{
    tt_client *c = client_set("database.replicas", "");

    expect_coherent(c, TT_SOURCE_REDIS);
    tt_client_close(c);
}
END_TEST

/* What may be old says so. */
START_TEST(eventual)
{
    tt_client *c = client_new();
    tt_read_options o = TT_READ_OPTIONS_INIT;
    tt_value param = tt_int(1);
    tt_read_info info = TT_READ_INFO_INIT;
    tt_result *r = NULL;
    int64_t v = 0;
    int old = 0;

    o.consistency = TT_EVENTUAL;
    ck_assert(servers_do("sql-stop", "replica1") && servers_do("sql-stop", "replica2"));
    ck_assert_int_eq(item_put(c, NULL, 1, 11), TT_INVALIDATED_DONE);
    for (int i = 0; i < 10; i++) {
        EXPECT(tt_query_read(c, NULL, SELECT_ITEM, &param, 1, &o, &r, &info, &err), 0);
        ck_assert_int_eq(tt_result_int(r, 0, 1, &v), 0);
        ck_assert(v == 11 || info.stale == 1);
        old += v != 11;
        tt_result_free(r);
        ck_assert_int_eq(item(c, NULL, 1, NULL), 11); /* others are not concerned */
    }
    ck_assert(servers_do("sql-start", "replica1") && servers_do("sql-start", "replica2"));
    ck_assert_int_gt(old, 0);
    tt_client_close(c);
}
END_TEST

/* ---- reloading ---------------------------------------------------------------------------------
 */

START_TEST(reload_of_what_may_change)
{
    tt_config *cfg = config_new();
    tt_client *c;
    tt_session *a, *b;
    tt_result *r = NULL;
    tt_error e = TT_ERROR_INIT;

    config_put(cfg, "database.pool.max", "1");
    config_put(cfg, "database.pool.wait_timeout", "50ms");
    if (tt_client_open(cfg, &c, &e) != 0)
        ck_abort_msg("%s", e.message);
    a = session_of(c);
    b = session_of(c);
    EXPECT(tt_begin(a, NULL, &err), 0);
    EXPECT(tt_begin(b, NULL, &err), TT_E_BUSY);
    config_put(cfg, "database.pool.max", "4");
    config_put(cfg, "limits.result_rows", "5");
    config_put(cfg, "cache.classes", "brief=1s");
    EXPECT(tt_client_reload(c, cfg, &err), 0);
    EXPECT(tt_query_read(c, NULL, "SELECT id FROM items", NULL, 0, NULL, &r, NULL, &err),
           TT_E_LIMIT);
    EXPECT(tt_begin(b, NULL, &err), 0);
    EXPECT(tt_warm(c, "SELECT 1 FROM items LIMIT 1", NULL, 0,
                   &(tt_read_options){.size = sizeof(tt_read_options), .cache_class = "brief"},
                   &err),
           0);
    tt_session_free(a);
    tt_session_free(b);
    tt_client_close(c);
    tt_config_free(cfg);
}
END_TEST

START_TEST(reload_of_the_policy)
{
    tt_config *cfg = config_new();
    tt_write_info info = TT_WRITE_INFO_INIT;
    tt_client *c = NULL;
    tt_error e = TT_ERROR_INIT;
    int rc;

    config_put(cfg, "cache.timeout", "200ms");
    if (tt_client_open(cfg, &c, &e) != 0)
        ck_abort_msg("%s", e.message);
    config_put(cfg, "cache.when_unavailable", "defer");
    EXPECT(tt_client_reload(c, cfg, &err), 0);
    pause_ms(2000); /* its table is made in the background */
    ck_assert(servers_do("stop", "redis --signal STOP"));
    rc = item_write(c, NULL, 1, 11, 0, &info, &e);
    ck_assert(servers_do("start", "redis"));
    expect_code(rc, &e, 0, "deferred after a reload");
    ck_assert_int_eq(info.invalidated, TT_INVALIDATED_DEFERRED);
    ck_assert(item_hits(c, 1, 11, 20000) || item_hits(c, 1, 11, 20000));
    tt_client_close(c);
    tt_config_free(cfg);
}
END_TEST

START_TEST(reload_of_what_may_not)
{
    tt_config *cfg = config_new();
    tt_client *c = NULL;
    tt_result *r = NULL;
    tt_error e = TT_ERROR_INIT;
    int rc;

    if (tt_client_open(cfg, &c, &e) != 0)
        ck_abort_msg("%s", e.message);
    config_put(cfg, "limits.result_rows", "5");
    config_put(cfg, "database.schema", "another");
    config_put(cfg, "cache.connections", "7");
    rc = tt_client_reload(c, cfg, &e);
    expect_code(rc, &e, TT_E_CONFIG, "what cannot change");
    ck_assert_ptr_nonnull(strstr(e.message, "database.schema"));
    ck_assert_ptr_nonnull(strstr(e.message, "cache.connections"));
    /* Nothing of it is taken over. */
    EXPECT(tt_query_read(c, NULL, "SELECT id FROM items", NULL, 0, NULL, &r, NULL, &err), 0);
    tt_result_free(r);
    tt_client_close(c);
    tt_config_free(cfg);
}
END_TEST

/* ---- the host's own ----------------------------------------------------------------------------
 */

static pthread_mutex_t log_mu = PTHREAD_MUTEX_INITIALIZER;
static char log_text[1 << 18];
static size_t log_n;
static int log_lines;

static void keep_line(void *ctx, tt_log_level level, const char *line)
{
    size_t n = strlen(line);

    (void)ctx;
    pthread_mutex_lock(&log_mu);
    if (log_n + n + 2 < sizeof(log_text)) {
        memcpy(log_text + log_n, line, n);
        log_n += n;
        log_text[log_n++] = '\n';
    }
    log_lines++;
    pthread_mutex_unlock(&log_mu);
    if (strchr(line, '\n') || level < TT_LOG_ERROR || level > TT_LOG_DEBUG)
        abort();
}

/* Things that go wrong, and are logged. */
static void make_trouble(tt_config *cfg)
{
    tt_client *c = NULL;
    tt_session *s;
    int64_t v;

    ck_assert_int_eq(tt_config_set_password(cfg, "wrong-secret-of-the-database", NULL), 0);
    EXPECT(tt_client_open(cfg, &c, &err), TT_E_DENIED);
    ck_assert_int_eq(tt_config_set_password(cfg, getenv("TT_DB_PASSWORD"), NULL), 0);
    EXPECT(tt_client_open(cfg, &c, &err), 0);
    s = session_of(c);
    (void)servers_do("stop", "redis --signal KILL");
    (void)item_read(c, s, 1, "", &v, NULL, NULL);
    (void)item_write(c, s, 1, 123454321, 0, NULL, NULL);
    (void)servers_do("start", "redis");
    for (int i = 0; i < 100 && item_write(c, s, 1, 123454321, 1 + i, NULL, NULL) != 0; i++)
        pause_ms(50);
    (void)tt_query_write(c, s, "UPDATE nowhere SET v = 'bound'", NULL, 0, NULL, NULL, NULL);
    tt_session_free(s);
    tt_client_close(c);
}

START_TEST(log_without_secrets)
{
    tt_log_sink sink = {keep_line, NULL, TT_LOG_DEBUG};
    tt_config *cfg = config_new();

    ck_assert_int_eq(tt_config_set_redis_password(cfg, NULL, NULL), 0);
    tt_config_set_log(cfg, &sink);
    make_trouble(cfg);
    tt_config_free(cfg);
    ck_assert_int_gt(log_lines, 1);
    log_text[log_n] = '\0';
    ck_assert_ptr_null(strstr(log_text, getenv("TT_DB_PASSWORD")));
    ck_assert_ptr_null(strstr(log_text, "wrong-secret"));
    ck_assert_ptr_null(strstr(log_text, "123454321")); /* a bound value */
}
END_TEST

static long size_of_file(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 ? (long)st.st_size : -1;
}

START_TEST(silence)
{
    static const char out[] = "/tmp/tt-silence-out-XXXXXX", errs[] = "/tmp/tt-silence-err-XXXXXX";
    char out_path[sizeof(out)], err_path[sizeof(errs)];
    int status = -1, out_fd, err_fd;
    long out_n, err_n;
    pid_t child;

    memcpy(out_path, out, sizeof(out));
    memcpy(err_path, errs, sizeof(errs));
    out_fd = mkstemp(out_path);
    err_fd = mkstemp(err_path);
    ck_assert(out_fd >= 0 && err_fd >= 0);
    child = fork();
    if (child == 0) {
        tt_config *cfg = config_new();

        (void)dup2(out_fd, STDOUT_FILENO);
        (void)dup2(err_fd, STDERR_FILENO);
        config_put(cfg, "cache.redis", "redis://127.0.0.1:1/0");
        for (int i = 0; i < 2; i++) {
            tt_client *c = NULL;
            int64_t v;

            (void)tt_config_set_password(cfg, i ? getenv("TT_DB_PASSWORD") : "wrong", NULL);
            if (tt_client_open(cfg, &c, NULL) != 0)
                continue;
            (void)item_read(c, NULL, 1, "", &v, NULL, NULL);
            (void)item_write(c, NULL, 1, 5, 0, NULL, NULL);
            (void)tt_query_write(c, NULL, "UPDATE nowhere SET v = 1", NULL, 0, NULL, NULL, NULL);
            tt_client_close(c);
        }
        tt_config_free(cfg);
        _exit(0);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    out_n = size_of_file(out_path);
    err_n = size_of_file(err_path);
    (void)unlink(out_path);
    (void)unlink(err_path);
    ck_assert_int_eq(status, 0);
    ck_assert_int_eq(out_n, 0);
    ck_assert_int_eq(err_n, 0);
}
END_TEST

static atomic_long clock_calls;

/* Far from the system's, in both directions. */
static int64_t own_monotonic(void *ctx)
{
    (void)ctx;
    atomic_fetch_add(&clock_calls, 1);
    return tt_now_ns(&tt_clock_system) + INT64_C(3600) * 24 * 365 * TT_NS_PER_S;
}

static int64_t own_realtime(void *ctx)
{
    (void)ctx;
    return tt_clock_system.realtime_ms(tt_clock_system.ctx) - INT64_C(86400000);
}

START_TEST(clock_of_the_host)
{
    tt_clock clock = {own_monotonic, own_realtime, NULL};
    tt_config *cfg = config_new();
    tt_read_info info = TT_READ_INFO_INIT;
    tt_client *c;
    tt_db_conn *holder;
    int64_t start;

    tt_config_set_clock(cfg, &clock);
    c = client_of(cfg);
    ck_assert_int_gt(atomic_load(&clock_calls), 0);
    expect_coherent(c, TT_SOURCE_REDIS);
    ck_assert_int_eq(item(c, NULL, 1, &info), 1004);
    ck_assert_int_ge(info.age_ms, 0);
    ck_assert_int_lt(info.age_ms, 60000);
    holder = open_to("PRIMARY");
    run(holder, "BEGIN");
    run(holder, "UPDATE items SET v = 7 WHERE id = 2");
    start = tt_now_ns(&tt_clock_system);
    EXPECT(item_write(c, NULL, 2, 8, 100, NULL, &err), TT_E_COMMIT_UNKNOWN);
    ck_assert_int_ge(elapsed_ms(start), 90);
    ck_assert_int_lt(elapsed_ms(start), 8000);
    run(holder, "ROLLBACK");
    db->close(holder);
    ck_assert_int_eq(item(c, NULL, 2, NULL), 20);
    tt_client_close(c);
}
END_TEST

/* What a test that failed left behind. */
static void restore(void)
{
    (void)servers_do("start", "redis 2>/dev/null");
    items_new();
}

int main(void)
{
    TCase *t = tcase_create("api_modes");
    int rc;

    tcase_set_timeout(t, 90);
    tcase_add_checked_fixture(t, restore, NULL);
    tcase_add_test(t, after_commit);
    tcase_add_test(t, scope_process);
    tcase_add_loop_test(t, scope_none, 0, 2);
    tcase_add_test(t, no_replicas);
    tcase_add_test(t, eventual);
    tcase_add_test(t, reload_of_what_may_change);
    tcase_add_test(t, reload_of_the_policy);
    tcase_add_test(t, reload_of_what_may_not);
    tcase_add_test(t, log_without_secrets);
    tcase_add_test(t, silence);
    tcase_add_test(t, clock_of_the_host);
    servers_up("");
    rc = suite_run("api_modes", t);
    servers_down();
    return rc;
}
