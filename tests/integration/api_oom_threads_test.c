/* Running out of memory where several threads meet, or the servers fail at the same time: joined
 * loads, the library's own threads, a write of unknown outcome, invalidations left in the
 * primary's table. The k-th allocation of any thread fails, for each k; what is called succeeds or
 * names a documented error, and afterwards all is well and nothing is lost. */
#include "integration/oom_support.h"

enum { READERS = 4, BACK_MS = 40000 };

/* What lack of memory may look like: plainly, or as a node or the cache that cannot be used. */
static void expect_kind(int rc, const tt_error *e, const char *what, long at)
{
    switch (tt_error_class(rc)) {
    case TT_CLASS_NONE:
    case TT_CLASS_MEMORY:
    case TT_CLASS_UNAVAILABLE:
    case TT_CLASS_RETRY:
        return;
    default:
        ck_abort_msg("%s, allocation %ld: %s: %s", what, at, tt_error_name(rc), e->message);
    }
}

/* The client serves as ever, and nothing is marked or lost. */
static void expect_mends(world *w)
{
    expect_works(w);
    ck_assert_msg(item_hits(w->c, 1, w->v, BACK_MS), "no entry is kept any more");
    ck_assert_int_eq(item_put(w->c, w->s, 1, w->v + 1), TT_INVALIDATED_DONE);
    w->v++;
    expect_works(w);
}

/* ---- joined loads ------------------------------------------------------------------------------
 */

typedef struct reader {
    pthread_t thread;
    world *w;
    int rc;
    bool joined;
    tt_error e;
} reader;

static void *read_once(void *arg)
{
    reader *r = arg;
    tt_read_info info = TT_READ_INFO_INIT;
    int64_t v = -1;

    is_of_test = true;
    r->e = (tt_error)TT_ERROR_INIT;
    r->rc = item_read(r->w->c, NULL, 1, "", &v, &info, &r->e);
    r->joined = r->rc == 0 && info.shared;
    if (r->rc == 0)
        ck_assert_int_eq(v, r->w->v);
    return NULL;
}

/* Readers of one item that nobody has, held up at the server until all are under way; how many
 * shared the load of another. */
static int read_together(world *w, tt_db_conn *holder, long at, bool onwards)
{
    reader readers[READERS];
    int joined = 0;

    EXPECT(tt_invalidate_tags(w->c, (const char *const[]){"item:1"}, 1, 0, &err), 0);
    run(holder, "LOCK TABLES items WRITE");
    memory_fail(ANY, at, onwards);
    for (int i = 0; i < READERS; i++) {
        readers[i].w = w;
        ck_assert_int_eq(pthread_create(&readers[i].thread, NULL, read_once, &readers[i]), 0);
    }
    pause_ms(30);
    run(holder, "UNLOCK TABLES");
    for (int i = 0; i < READERS; i++) {
        (void)pthread_join(readers[i].thread, NULL);
        expect_kind(readers[i].rc, &readers[i].e, "a joined read", at);
        joined += readers[i].joined;
    }
    memory_back();
    expect_works(w);
    return joined;
}

START_TEST(joined_loads)
{
    tt_config *cfg = config_with(&counting);
    tt_db_conn *holder = open_to("PRIMARY");
    int joined = 0, at;
    world w;

    config_put(cfg, "database.replicas", "");
    world_new_with(&w, cfg);
    for (at = 1; at == 1 || memory_was_short(); at++) {
        joined += read_together(&w, holder, at, _i);
        ck_assert_int_lt(at, 1000);
    }
    ck_assert_int_gt(at, 10);
    ck_assert_int_gt(joined, READERS);
    expect_mends(&w);
    db->close(holder);
    world_free(&w);
}
END_TEST

/* ---- the library's own threads -----------------------------------------------------------------
 */

/* Kill a connection of the application to this server, if there is one besides this. */
static void kill_one(tt_db_conn *raw)
{
    char sql[64];
    int64_t id = number(raw, "SELECT CAST(COALESCE(MAX(id), 0) AS SIGNED) "
                             "FROM information_schema.processlist "
                             "WHERE user = SUBSTRING_INDEX(USER(), '@', 1) "
                             "AND id <> CONNECTION_ID()");

    (void)snprintf(sql, sizeof(sql), "KILL %lld", (long long)id);
    if (id)
        (void)db->command(raw, sql, NULL, NULL);
}

/* Reads and a write, while the background has no memory and its connections are cut: what it needs
 * is made again, probers look, outstanding invalidations are worked off. */
static void live_on(world *w, long at)
{
    int64_t since = tt_now_ns(&tt_clock_system), v;
    tt_error e = TT_ERROR_INIT;
    int rc = item_write(w->c, w->s, 1, w->v + 1, 0, NULL, &e);

    expect_kind(rc, &e, "a write meanwhile", at);
    expect_written(w, "a write meanwhile", rc);
    do {
        rc = item_read(w->c, NULL, 1, "", &v, NULL, &e);
        expect_kind(rc, &e, "a read meanwhile", at);
        if (rc == 0)
            ck_assert_int_eq(v, w->v);
        pause_ms(5);
    } while (elapsed_ms(since) < 60);
}

/* `_i`: and all later ones. */
START_TEST(the_background)
{
    tt_config *cfg = config_with(&counting);
    redisContext *redis = redis_raw();
    tt_db_conn *replica = open_to("REPLICA1");
    world w;

    config_put(cfg, "database.health.interval", "20ms");
    world_new_with(&w, cfg);
    for (long at = 1; at <= 40; at++) {
        memory_fail(LIBRARY, at, _i);
        freeReplyObject(redisCommand(redis, "CLIENT KILL TYPE normal SKIPME yes"));
        kill_one(replica);
        live_on(&w, at);
        memory_back();
        expect_works(&w);
    }
    ck_assert_int_gt(atomic_load(&any.hits_in_library), 20);
    expect_mends(&w);
    db->close(replica);
    redisFree(redis);
    world_free(&w);
}
END_TEST

/* ---- a write of unknown outcome ----------------------------------------------------------------
 */

typedef struct writer {
    pthread_t thread;
    world *w;
    int rc;
    atomic_bool done;
    tt_error e;
} writer;

static void *write_once(void *arg)
{
    writer *r = arg;

    is_of_test = true;
    r->rc = item_write(r->w->c, NULL, 1, r->w->v + 1, 0, NULL, &r->e);
    atomic_store(&r->done, true);
    return NULL;
}

/* The connection that runs the statement which waits; 0 when the write ends without one. */
static int64_t waiting_connection(writer *r, tt_db_conn *raw)
{
    int64_t id = 0;

    while (!id && !atomic_load(&r->done))
        id = number(raw, "SELECT CAST(COALESCE(MAX(id), 0) AS SIGNED) "
                         "FROM information_schema.processlist "
                         "WHERE info LIKE 'UPDATE items SET v%' AND command = 'Execute' AND "
                         "id <> CONNECTION_ID()");
    return id;
}

static void write_killed(world *w, tt_db_conn *holder, tt_db_conn *killer, long at, bool onwards)
{
    writer r = {.w = w};
    char sql[64];
    int64_t id;

    run(holder, "BEGIN");
    run(holder, "SELECT v FROM items WHERE id = 1 FOR UPDATE");
    memory_fail(ANY, at, onwards);
    ck_assert_int_eq(pthread_create(&r.thread, NULL, write_once, &r), 0);
    id = waiting_connection(&r, killer);
    (void)snprintf(sql, sizeof(sql), "KILL %lld", (long long)id);
    if (id)
        run(killer, sql);
    (void)pthread_join(r.thread, NULL);
    memory_back();
    run(holder, "ROLLBACK");
    if (id)
        expect_code(r.rc, &r.e, TT_E_COMMIT_UNKNOWN, "a write whose connection was killed");
    else
        expect_kind(r.rc, &r.e, "a write without memory", at);
    ck_assert_int_ne(r.rc, 0);
    expect_written(w, "a write whose connection was killed", r.rc);
    expect_works(w);
}

START_TEST(unknown_outcome)
{
    tt_db_conn *holder = open_to("PRIMARY"), *killer = open_to("PRIMARY");
    long at;
    world w;

    world_new(&w);
    for (at = 1; at == 1 || memory_was_short(); at++) {
        write_killed(&w, holder, killer, at, _i);
        ck_assert_int_lt(at, 1000);
    }
    ck_assert_int_gt(at, 10);
    expect_mends(&w);
    db->close(holder);
    db->close(killer);
    world_free(&w);
}
END_TEST

/* ---- invalidations left in the primary's table -------------------------------------------------
 */

static int64_t rows_waiting(const char *name_space)
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

/* With Redis away; in a transaction the commit is the one that has no memory. */
static void write_deferred(world *w, long at, bool onwards, bool inside)
{
    tt_write_info info = TT_WRITE_INFO_INIT;
    tt_error e = TT_ERROR_INIT;
    int rc;

    if (inside) {
        EXPECT(tt_begin(w->s, NULL, &err), 0);
        ck_assert_int_eq(item_put(w->c, w->s, 1, w->v + 1), TT_INVALIDATED_AT_COMMIT);
    }
    memory_fail(ANY, at, onwards);
    rc = inside ? tt_commit(w->s, 0, &info, &e) : item_write(w->c, w->s, 1, w->v + 1, 0, &info, &e);
    memory_back();
    if (rc == 0)
        ck_assert_int_eq(info.invalidated, TT_INVALIDATED_DEFERRED);
    expect_kind(rc, &e, "a deferred write", at);
    expect_written(w, "a deferred write", rc);
    expect_works(w);
}

/* Redis is back: the rows are worked off, though the keeper is short of memory now and then. */
static void drain_failing(const char *name_space)
{
    int64_t since = tt_now_ns(&tt_clock_system);

    for (long at = 1; rows_waiting(name_space) > 0; at++) {
        memory_fail(LIBRARY, at % 40 + 1, false);
        for (int i = 0; i < 30 && !memory_was_short(); i++)
            pause_ms(20);
        memory_back();
        ck_assert_msg(elapsed_ms(since) < BACK_MS, "rows are left");
    }
}

START_TEST(deferred)
{
    tt_config *cfg = config_with(&counting);
    char name_space[64];
    long at;
    world w;

    config_namespace(cfg, name_space, sizeof(name_space));
    config_put(cfg, "cache.when_unavailable", "defer");
    config_put(cfg, "cache.timeout", "300ms");
    world_new_with(&w, cfg);
    ck_assert(servers_do("stop", "redis --signal KILL"));
    for (int onwards = 0; onwards <= 1; onwards++) {
        for (at = 1; at == 1 || memory_was_short(); at++) {
            write_deferred(&w, at, onwards, _i);
            ck_assert_int_lt(at, 1000);
        }
        ck_assert_int_gt(at, 5);
    }
    ck_assert_int_gt(rows_waiting(name_space), 0);
    ck_assert(servers_do("start", "redis"));
    drain_failing(name_space);
    expect_mends(&w);
    world_free(&w);
}
END_TEST

/* Redis is there, whatever the test before has left. */
static void restore(void)
{
    (void)servers_do("start", "redis 2>/dev/null");
    admin_sql("primary", "GRANT LOCK TABLES ON *.* TO app@127.0.0.1");
    items_new();
}

int main(void)
{
    TCase *t = tcase_create("api_oom_threads");
    int rc;

    tcase_set_timeout(t, 200);
    tcase_add_checked_fixture(t, restore, NULL);
    tcase_add_loop_test(t, joined_loads, 0, 2);
    tcase_add_loop_test(t, the_background, 0, 2);
    tcase_add_loop_test(t, unknown_outcome, 0, 2);
    tcase_add_loop_test(t, deferred, 0, 2);
    servers_up("");
    rc = suite_run("api_oom_threads", t);
    servers_down();
    return rc;
}
