/* oom_support.h: an allocator that fails on purpose, and the client that the tests of it work on.
 */
#ifndef TT_TEST_OOM_SUPPORT_H
#define TT_TEST_OOM_SUPPORT_H

#include "integration/api_support.h"

#include <poll.h>
#include <stdatomic.h>

/* ---- an allocator that fails -------------------------------------------------------------------
 */

/* Whose allocations are counted, and fail: those of the thread that asked for it; those of all
 * threads, with the library's own (workers, keeper, probers) and whoever sends what others post; or
 * those of the library's own alone. */
typedef enum whose { OWN, ANY, LIBRARY } whose;

static atomic_long live; /* blocks not given back */

static _Thread_local struct {
    long fail_at; /* 0: never */
    bool onwards;
    long seen;
    bool hit;
} own;

static struct {
    atomic_long fail_at, seen, hits;
    atomic_long hits_in_library; /* in threads that no test started; all together */
    atomic_bool onwards, library_only;
} any;

static _Thread_local bool is_of_test;

static bool refuse_any(void)
{
    long at = atomic_load(&any.fail_at), n;

    if (!at || (is_of_test && atomic_load(&any.library_only)))
        return false;
    n = atomic_fetch_add(&any.seen, 1) + 1;
    if (n != at && !(n > at && atomic_load(&any.onwards)))
        return false;
    atomic_fetch_add(&any.hits, 1);
    if (!is_of_test)
        atomic_fetch_add(&any.hits_in_library, 1);
    return true;
}

static bool refuse(void)
{
    if (!own.fail_at)
        return refuse_any();
    own.seen++;
    if (own.seen != own.fail_at && !(own.onwards && own.seen > own.fail_at))
        return false;
    own.hit = true;
    return true;
}

/* From now on allocation `at` fails, and with `onwards` all after it. */
static inline void memory_fail(whose w, long at, bool onwards)
{
    own.seen = 0;
    own.hit = false;
    own.onwards = onwards;
    own.fail_at = w == OWN ? at : 0;
    atomic_store(&any.seen, 0);
    atomic_store(&any.hits, 0);
    atomic_store(&any.onwards, onwards);
    atomic_store(&any.library_only, w == LIBRARY);
    atomic_store(&any.fail_at, w == OWN ? 0 : at);
}

/* There is memory again. */
static inline void memory_back(void)
{
    own.fail_at = 0;
    atomic_store(&any.fail_at, 0);
}

/* Did one fail, since memory_fail()? */
static inline bool memory_was_short(void)
{
    return own.hit || atomic_load(&any.hits) > 0;
}

static void *counting_alloc(void *ctx, size_t n)
{
    void *p = refuse() ? NULL : malloc(n);

    (void)ctx;
    if (p)
        atomic_fetch_add(&live, 1);
    return p;
}

static void *counting_resize(void *ctx, void *p, size_t n)
{
    (void)ctx;
    return refuse() ? NULL : realloc(p, n);
}

static void counting_release(void *ctx, void *p)
{
    (void)ctx;
    atomic_fetch_sub(&live, 1);
    free(p);
}

static const tt_allocator counting = {counting_alloc, counting_resize, counting_release, NULL};

static inline void expect_no_leak(void)
{
    ck_assert_msg(atomic_load(&live) == 0, "%ld blocks were not given back", atomic_load(&live));
}

/* ---- what the calls work on --------------------------------------------------------------------
 */

typedef struct world {
    tt_config *cfg; /* of the client, and to be changed */
    tt_client *c;
    tt_session *s;
    tt_statement *reads, *writes;
    tt_queue *q;
    tt_client *other; /* between the steps of one call */
    tt_session *fresh;
    int64_t v; /* of item 1, as last known */
    char token[TT_TOKEN_MAX];
} world;

static inline int64_t real_value(void)
{
    tt_db_conn *raw = open_to("PRIMARY");
    int64_t v = number(raw, "SELECT v FROM items WHERE id = 1");

    db->close(raw);
    return v;
}

static inline int read_as(world *w, tt_session *s, const char *cache_class, int consistency,
                          tt_error *err)
{
    static const char *const tags[] = {"item:{1}"};
    tt_read_options o = TT_READ_OPTIONS_INIT;
    tt_value param = tt_int(1);
    tt_result *r = NULL;
    int64_t v = -1;
    int rc;

    o.cache_class = cache_class;
    o.tags = cache_class ? tags : NULL;
    o.n_tags = cache_class ? 1 : 0;
    o.consistency = consistency;
    rc = tt_query_read(w->c, s, SELECT_ITEM, &param, 1, &o, &r, NULL, err);
    ck_assert((rc == 0) == (r != NULL));
    if (rc == 0 && (tt_result_int(r, 0, 1, &v) != 0 || v != w->v))
        ck_abort_msg("read %lld in place of %lld", (long long)v, (long long)w->v);
    tt_result_free(r);
    return rc;
}

static inline void world_new_with(world *w, tt_config *cfg)
{
    static const char *const tags[] = {"item:{2}"};
    tt_queue_options q = TT_QUEUE_OPTIONS_INIT;
    tt_write_options o = TT_WRITE_OPTIONS_INIT;
    tt_error e = TT_ERROR_INIT;

    is_of_test = true;
    *w = (world){.cfg = cfg, .v = 10};
    /* Without memory for giving them back, leases and marks are left to their timeouts. */
    config_put(w->cfg, "cache.lease_timeout", "50ms");
    config_put(w->cfg, "database.query_timeout", "5s");
    config_put(w->cfg, "cache.mark_timeout", "6s");
    ck_assert_msg(tt_client_open(w->cfg, &w->c, &e) == 0, "%s", e.message);
    w->s = session_of(w->c);
    o.tags = tags;
    o.n_tags = 1;
    EXPECT(tt_statement_new_read(w->c, SELECT_ITEM, NULL, &w->reads, &err), 0);
    EXPECT(tt_statement_new_write(w->c, UPDATE_ITEM, &o, &w->writes, &err), 0);
    ck_assert_int_eq(item_put(w->c, w->s, 1, 11), TT_INVALIDATED_DONE);
    w->v = 11;
    EXPECT(tt_session_token(w->s, w->token, sizeof(w->token), &err), 0);
    q.workers = 2;
    EXPECT(tt_queue_new(w->c, &q, &w->q, &err), 0);
}

static inline void world_new(world *w)
{
    world_new_with(w, config_with(&counting));
}

/* All is given back. */
static inline void world_free(world *w)
{
    tt_queue_free(w->q);
    tt_statement_free(w->reads);
    tt_statement_free(w->writes);
    tt_session_free(w->s);
    tt_client_close(w->c);
    tt_config_free(w->cfg);
    expect_no_leak();
}

/* Reads, with and without what the session has written, say what is there. */
static inline void expect_works(world *w)
{
    ck_assert_int_eq(tt_session_in_transaction(w->s), 0);
    ck_assert_int_eq(item(w->c, w->s, 1, NULL), w->v);
    ck_assert_int_eq(item(w->c, NULL, 1, NULL), w->v);
}

/* What a write of w->v + 1 that said `rc` may have done. */
static inline void expect_written(world *w, const char *what, int rc)
{
    int64_t real = real_value();
    bool right =
        real == (rc == 0 ? w->v + 1 : w->v) || (rc == TT_E_COMMIT_UNKNOWN && real == w->v + 1);

    ck_assert_msg(right, "%s said %s: was %lld, is %lld", what, tt_error_name(rc), (long long)w->v,
                  (long long)real);
    w->v = real;
}

/* The next completion of w->q, waited for; its code, and its value where it has rows. */
static inline int completion(world *w, int64_t *v, tt_error *err)
{
    struct pollfd p = {.fd = tt_queue_fd(w->q), .events = POLLIN};
    tt_completion done = {0};
    int64_t since = tt_now_ns(&tt_clock_system);

    while (tt_queue_next(w->q, &done, NULL, NULL, err) == 0) {
        (void)poll(&p, 1, 100);
        ck_assert_int_lt(elapsed_ms(since), 20000);
    }
    if (done.result)
        ck_assert_int_eq(tt_result_int(done.result, 0, 1, v), 0);
    tt_result_free(done.result);
    return done.code;
}

#endif
