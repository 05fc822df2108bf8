/* api_support.h: what the tests of the public API on real servers share. Every test opens clients
 * of its own; the servers are those of the program, and a test leaves them as it found them. */
#ifndef TT_TEST_API_SUPPORT_H
#define TT_TEST_API_SUPPORT_H

#include <hiredis.h>
#include <twotier/twotier.h>

#include "integration/drv_mysql_support.h"

#define SELECT_ITEM "SELECT id, v FROM items WHERE id = ?"
#define UPDATE_ITEM "UPDATE items SET v = ? WHERE id = ?"

/* ---- clients -----------------------------------------------------------------------------------
 */

/* The configuration of the servers, with a namespace of this test's own: several tests share one
 * Redis. */
static inline tt_config *config_with(const tt_allocator *a)
{
    static unsigned made;
    tt_error e = TT_ERROR_INIT;
    tt_config *cfg = NULL;
    char name[64];

    ck_assert_int_eq(tt_config_new(a, &cfg, &e), 0);
    ck_assert_msg(tt_config_load_file(cfg, getenv("TT_CONFIG"), &e) == 0, "%s", e.message);
    (void)snprintf(name, sizeof(name), "t%ld-%u", (long)getpid(), made++);
    ck_assert_int_eq(tt_config_set(cfg, "cache.namespace", name, &e), 0);
    ck_assert_int_eq(tt_config_set(cfg, "cache.timeout", "2s", &e), 0);
    ck_assert_int_eq(tt_config_set(cfg, "database.query_timeout", "15s", &e), 0);
    ck_assert_int_eq(tt_config_set(cfg, "database.connect_timeout", "10s", &e), 0);
    return cfg;
}

static inline tt_config *config_new(void)
{
    return config_with(NULL);
}

static inline void config_put(tt_config *cfg, const char *key, const char *text)
{
    tt_error e = TT_ERROR_INIT;

    ck_assert_msg(tt_config_set(cfg, key, text, &e) == 0, "%s: %s", key, e.message);
}

static inline tt_client *client_of(tt_config *cfg)
{
    tt_error e = TT_ERROR_INIT;
    tt_client *c = NULL;

    ck_assert_msg(tt_client_open(cfg, &c, &e) == 0, "%s: %s", tt_error_name(e.code), e.message);
    tt_config_free(cfg);
    return c;
}

static inline tt_client *client_new(void)
{
    return client_of(config_new());
}

/* With one key set. */
static inline tt_client *client_set(const char *key, const char *text)
{
    tt_config *cfg = config_new();

    config_put(cfg, key, text);
    return client_of(cfg);
}

static inline tt_session *session_of(tt_client *c)
{
    tt_error e = TT_ERROR_INIT;
    tt_session *s = NULL;

    ck_assert_int_eq(tt_session_new(c, &s, &e), 0);
    return s;
}

/* As administrator on one server; quoting is the caller's: no single quotes. */
static inline void admin_sql(const char *node, const char *sql)
{
    char rest[400];

    (void)snprintf(rest, sizeof(rest), "%s '%s'", node, sql);
    ck_assert_msg(servers_do("sql", rest), "%s", sql);
}

/* ---- calls -------------------------------------------------------------------------------------
 */

/* Has the node this row of the table `stamps`? What was written before it is there too. */
static inline bool has_stamp(tt_db_conn *c, int64_t stamp)
{
    tt_buf bytes = tt_buf_init(libc);
    tt_value v = tt_int(stamp);
    tt_columns view;
    bool there = db->read(c, TT_STR("SELECT n FROM stamps WHERE n = ?"), &v, 1, NULL, &bytes,
                          NULL) == TT_DB_OK &&
                 tt_columns_open(tt_buf_str(&bytes), &view) == 0 && view.rows == 1;

    tt_buf_free(&bytes);
    return there;
}

/* Until both replicas have all that was written to the primary through `c`: a read that names no
 * session may go to any of them. */
static inline void await_replicas(tt_db_conn *c)
{
    int64_t start = tt_now_ns(&tt_clock_system);
    tt_value v = tt_int(start);
    tt_db_effect effect;

    run(c, "CREATE TABLE IF NOT EXISTS stamps (n BIGINT)");
    effect = put(c, "INSERT INTO stamps VALUES (?)", &v, 1);
    tt_buf_free(&effect.position);
    for (int i = 1; i <= 2; i++) {
        tt_db_conn *replica = open_to(i == 1 ? "REPLICA1" : "REPLICA2");

        while (!has_stamp(replica, start)) {
            ck_assert_int_lt(elapsed_ms(start), 30000);
            pause_ms(5);
        }
        db->close(replica);
    }
}

/* The table of most tests: items (id INT PRIMARY KEY, v BIGINT NOT NULL) with rows 1 to 9 of v = 10
 * times the id, written behind the library's back. */
static inline void items_new(void)
{
    tt_db_conn *c = open_to("PRIMARY");

    run(c, "SET SESSION lock_wait_timeout = 30"); /* a test before that failed may hold it */
    run(c, "DROP TABLE IF EXISTS items");
    run(c, "CREATE TABLE items (id INT PRIMARY KEY, v BIGINT NOT NULL)");
    run(c, "INSERT INTO items (id, v) VALUES (1, 10), (2, 20), (3, 30), (4, 40), (5, 50), (6, 60), "
           "(7, 70), (8, 80), (9, 90)");
    await_replicas(c);
    db->close(c);
}

/* A cached read of one item, tagged item:ID. */
static inline int item_read(tt_client *c, tt_session *s, int id, const char *cache_class,
                            int64_t *v, tt_read_info *info, tt_error *err)
{
    static const char *const tags[] = {"item:{1}"};
    tt_read_options o = TT_READ_OPTIONS_INIT;
    tt_value param = tt_int(id);
    tt_result *r = NULL;
    int rc;

    o.cache_class = cache_class;
    if (cache_class) {
        o.tags = tags;
        o.n_tags = 1;
    }
    rc = tt_query_read(c, s, SELECT_ITEM, &param, 1, &o, &r, info, err);
    if (rc != 0)
        return rc;
    *v = -1;
    if (tt_result_rows(r) == 1)
        rc = tt_result_int(r, 0, 1, v);
    tt_result_free(r);
    return rc;
}

/* The value of one item, through the cache; ends the test when the read fails. */
static inline int64_t item(tt_client *c, tt_session *s, int id, tt_read_info *info)
{
    tt_read_info own = TT_READ_INFO_INIT;
    tt_error e = TT_ERROR_INIT;
    int64_t v = -1;

    ck_assert_msg(item_read(c, s, id, "", &v, info ? info : &own, &e) == 0, "read: %s: %s",
                  tt_error_name(e.code), e.message);
    return v;
}

static inline int item_write(tt_client *c, tt_session *s, int id, int64_t v, int timeout_ms,
                             tt_write_info *info, tt_error *err)
{
    static const char *const tags[] = {"item:{2}"};
    tt_write_options o = TT_WRITE_OPTIONS_INIT;
    tt_value params[] = {tt_int(v), tt_int(id)};

    o.tags = tags;
    o.n_tags = 1;
    o.timeout_ms = timeout_ms;
    return tt_query_write(c, s, UPDATE_ITEM, params, 2, &o, info, err);
}

/* Write one item; ends the test when that fails. What became of the invalidation. */
static inline int item_put(tt_client *c, tt_session *s, int id, int64_t v)
{
    tt_write_info info = TT_WRITE_INFO_INIT;
    tt_error e = TT_ERROR_INIT;

    ck_assert_msg(item_write(c, s, id, v, 0, &info, &e) == 0, "write: %s: %s",
                  tt_error_name(e.code), e.message);
    return info.invalidated;
}

/* Reads until one is a hit; false when there is none within `ms`. Every value must be `v`. */
static inline bool item_hits(tt_client *c, int id, int64_t v, int ms)
{
    int64_t start = tt_now_ns(&tt_clock_system);

    do {
        tt_read_info info = TT_READ_INFO_INIT;

        ck_assert_int_eq(item(c, NULL, id, &info), v);
        if (info.source == TT_SOURCE_REDIS || info.source == TT_SOURCE_LOCAL)
            return true;
        pause_ms(20);
    } while (elapsed_ms(start) < ms);
    return false;
}

/* ---- expectations ------------------------------------------------------------------------------
 */

/* The code, and a message that says something. */
static inline void expect_code(int rc, const tt_error *e, int code, const char *what)
{
    ck_assert_msg(rc == code, "%s: expected %s, came %s: %s", what, tt_error_name(code),
                  tt_error_name(rc), e->message);
    if (code == 0)
        return;
    ck_assert_msg(e->code == code, "%s: e.code is %d", what, e->code);
    ck_assert_msg(e->message[0] != '\0', "%s: no message", what);
}

#define EXPECT(call, expected)                                                                     \
    do {                                                                                           \
        tt_error err = TT_ERROR_INIT;                                                              \
        int rc_ = (call);                                                                          \
        expect_code(rc_, &err, (expected), #call);                                                 \
    } while (0)

/* ---- Redis, behind the library's back ----------------------------------------------------------
 */

static inline redisContext *redis_raw(void)
{
    redisContext *c =
        redisConnect(getenv("TT_REDIS_HOST"), (int)strtol(getenv("TT_REDIS_PORT"), NULL, 10));

    ck_assert(c && !c->err);
    return c;
}

/* The namespace that a client of it will have. */
static inline void config_namespace(const tt_config *cfg, char *out, size_t size)
{
    tt_error e = TT_ERROR_INIT;

    ck_assert_int_eq(tt_config_get(cfg, "cache.namespace", out, size, &e), 0);
}

#endif
