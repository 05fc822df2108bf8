/* drv_mysql_support.h: what the tests of the database driver share. */
#ifndef TT_TEST_DRV_MYSQL_SUPPORT_H
#define TT_TEST_DRV_MYSQL_SUPPORT_H

#include "unit/suite.h"

#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "core/columns.h"
#include "drv/db.h"
#include "integration/servers.h"

static const tt_db_driver *const db = &tt_db_driver_linked;
static const tt_allocator *const libc = &tt_allocator_libc;

static inline bool is_mariadb(void)
{
    return strcmp(getenv("TT_FAMILY"), "mariadb") == 0;
}

/* `node` is PRIMARY, REPLICA1, ... */
static inline tt_db_target target_of(const char *node)
{
    char name[64];
    tt_db_target t = {0};

    (void)snprintf(name, sizeof(name), "TT_%s_HOST", node);
    t.host = getenv(name);
    (void)snprintf(name, sizeof(name), "TT_%s_PORT", node);
    t.port = (unsigned)strtoul(getenv(name), NULL, 10);
    t.user = getenv("TT_DB_USER");
    t.password = getenv("TT_DB_PASSWORD");
    t.schema = getenv("TT_DB_SCHEMA");
    t.connect_timeout_ms = 5000;
    t.max_statements = 16;
    return t;
}

/* Connected and ready, as tt_conn_open makes it. */
static inline tt_db_status db_open(const tt_allocator *a, const tt_db_target *t, tt_db_conn **out,
                                   tt_error *e)
{
    tt_db_conn *c = NULL;
    tt_db_status status = db->connect(a, t, &c, e);

    if (status == TT_DB_OK)
        status = db->ready(c, e);
    if (status == TT_DB_OK)
        *out = c;
    else
        db->close(c);
    return status;
}

static inline tt_db_conn *open_to(const char *node)
{
    tt_db_target t = target_of(node);
    tt_error e = TT_ERROR_INIT;
    tt_db_conn *c = NULL;

    ck_assert_msg(db_open(libc, &t, &c, &e) == TT_DB_OK, "%s", e.message);
    return c;
}

static inline void run(tt_db_conn *c, const char *sql)
{
    tt_error e = TT_ERROR_INIT;

    ck_assert_msg(db->command(c, sql, NULL, &e) == TT_DB_OK, "%s: %s", sql, e.message);
}

/* A result and its view. */
typedef struct rows {
    tt_buf bytes;
    tt_columns view;
} rows;

static inline rows get(tt_db_conn *c, const char *sql, const tt_value *params, size_t n)
{
    rows r = {tt_buf_init(libc), {0}};
    tt_error e = TT_ERROR_INIT;

    ck_assert_msg(db->read(c, tt_str_c(sql), params, n, NULL, &r.bytes, &e) == TT_DB_OK, "%s: %s",
                  sql, e.message);
    ck_assert_int_eq(tt_columns_open(tt_buf_str(&r.bytes), &r.view), 0);
    return r;
}

static inline void drop(rows *r)
{
    tt_buf_free(&r->bytes);
}

/* The integer in the first row and column. */
static inline int64_t number(tt_db_conn *c, const char *sql)
{
    rows r = get(c, sql, NULL, 0);
    int64_t v = tt_columns_value(&r.view, 0, 0).as.i;

    drop(&r);
    return v;
}

static inline tt_db_effect put(tt_db_conn *c, const char *sql, const tt_value *params, size_t n)
{
    tt_db_effect effect = {0};
    tt_error e = TT_ERROR_INIT;

    effect.position = tt_buf_init(libc);
    ck_assert_msg(db->write(c, tt_str_c(sql), params, n, &effect, &e) == TT_DB_OK, "%s: %s", sql,
                  e.message);
    return effect;
}

/* A fresh table t (id INT PRIMARY KEY, v INT) with the rows 1 and 2. */
static inline tt_db_conn *open_with_table(void)
{
    tt_db_conn *c = open_to("PRIMARY");

    run(c, "DROP TABLE IF EXISTS t");
    run(c, "CREATE TABLE t (id INT PRIMARY KEY, v INT)");
    run(c, "INSERT INTO t VALUES (1, 10), (2, 20)");
    return c;
}

static inline int elapsed_ms(int64_t since_ns)
{
    return (int)((tt_now_ns(&tt_clock_system) - since_ns) / TT_NS_PER_MS);
}

static inline void pause_ms(int ms)
{
    struct timespec t = {ms / 1000, ms % 1000 * 1000000L};

    (void)nanosleep(&t, NULL);
}

#endif
