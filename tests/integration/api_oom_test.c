/* Running out of memory through the public API: each call is run with its first, second, ...
 * allocation failing, once that one alone and once all from that one on, until it runs without a
 * failure. It says TT_E_NOMEM or succeeds; nothing leaks; nothing is half done; the client works
 * afterwards. Only the calling thread's allocations fail: those of the background would make the
 * count another one each time. */
#include "integration/api_support.h"

#include <stdatomic.h>

/* ---- an allocator that fails -------------------------------------------------------------------
 */

static atomic_long live; /* blocks not given back */

/* Of the calling thread. */
static _Thread_local struct {
    long fail_at; /* 0: never */
    bool onwards;
    long seen;
    bool hit;
} arm;

static bool refuse(void)
{
    if (!arm.fail_at)
        return false;
    arm.seen++;
    if (arm.seen == arm.fail_at || (arm.onwards && arm.seen > arm.fail_at)) {
        arm.hit = true;
        return true;
    }
    return false;
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

/* ---- what the calls work on --------------------------------------------------------------------
 */

typedef struct world {
    tt_config *cfg; /* of the client, and to be changed */
    tt_client *c;
    tt_session *s;
    tt_statement *reads, *writes;
    int64_t v; /* of item 1, as last known */
    char token[TT_TOKEN_MAX];
} world;

/* One call, or the steps before it. */
typedef int (*step)(world *w, tt_error *err);

typedef struct call {
    const char *name;
    step before; /* all memory there; may be NULL */
    step run;
    bool writes; /* of item 1: w->v + 1 */
} call;

static int64_t real_value(void)
{
    tt_db_conn *raw = open_to("PRIMARY");
    int64_t v = number(raw, "SELECT v FROM items WHERE id = 1");

    db->close(raw);
    return v;
}

/* ---- configurations ----------------------------------------------------------------------------
 */

static int config_make(world *w, tt_error *err)
{
    tt_config *cfg = NULL;
    int rc = tt_config_new(&counting, &cfg, err);

    (void)w;
    ck_assert((rc == 0) == (cfg != NULL));
    tt_config_free(cfg);
    return rc;
}

static int config_file(world *w, tt_error *err)
{
    return tt_config_load_file(w->cfg, getenv("TT_CONFIG"), err);
}

static int config_text(world *w, tt_error *err)
{
    static const char text[] = "cache:\n  classes: { a: 1s, b: 2s }\n  default_ttl: 5m\n"
                               "database:\n  replicas: [ { host: a }, { host: b, port: 5 } ]\n";
    char after[256];
    int rc = tt_config_load_text(w->cfg, NULL, text, sizeof(text) - 1, err);

    arm.fail_at = 0;
    if (rc != 0) { /* on failure nothing is changed */
        ck_assert_int_eq(tt_config_get(w->cfg, "database.replicas", after, sizeof(after), NULL), 0);
        ck_assert_ptr_null(strstr(after, "b:5"));
    }
    ck_assert_int_eq(tt_config_set(w->cfg, "database.replicas", "", NULL), 0);
    return rc;
}

static int config_key(world *w, tt_error *err)
{
    return tt_config_set(w->cfg, "cache.classes", "user=1h, list=30m, detail=15m", err);
}

static int config_asked(world *w, tt_error *err)
{
    char text[256];

    return tt_config_get(w->cfg, "database.replicas", text, sizeof(text), err);
}

static int config_secret(world *w, tt_error *err)
{
    int rc = tt_config_set_password(w->cfg, "secret", err);

    return rc ? rc : tt_config_set_redis_password(w->cfg, "secret", err);
}

static int config_checked(world *w, tt_error *err)
{
    return tt_config_check(w->cfg, err);
}

/* ---- clients -----------------------------------------------------------------------------------
 */

static int open_and_close(world *w, tt_error *err)
{
    tt_client *c = NULL;
    int rc = tt_client_open(w->cfg, &c, err);

    arm.fail_at = 0;
    ck_assert((rc == 0) == (c != NULL));
    tt_client_close(c);
    return rc;
}

static int reload(world *w, tt_error *err)
{
    return tt_client_reload(w->c, w->cfg, err);
}

static int session_made(world *w, tt_error *err)
{
    tt_session *s = NULL;
    int rc = tt_session_new(w->c, &s, err);

    tt_session_free(s);
    return rc;
}

static int token_taken(world *w, tt_error *err)
{
    char token[TT_TOKEN_MAX] = "untouched";
    int rc = tt_session_token(w->s, token, sizeof(token), err);

    ck_assert_str_eq(token, rc == 0 ? w->token : "untouched");
    return rc;
}

static int token_adopted(world *w, tt_error *err)
{
    tt_session *s = NULL;
    int rc = tt_session_new(w->c, &s, err);

    if (rc == 0)
        rc = tt_session_adopt(s, w->token, err);
    arm.fail_at = 0;
    if (!s)
        return rc;
    ck_assert_int_eq(item(w->c, s, 1, NULL), w->v);
    tt_session_free(s);
    return rc;
}

static int status(world *w, tt_error *err)
{
    tt_document *d = NULL;
    int rc = tt_client_status(w->c, TT_FORMAT_JSON, &d, err);

    tt_document_free(d);
    return rc;
}

static int metrics(world *w, tt_error *err)
{
    tt_document *d = NULL;
    int rc = tt_metrics_render(w->c, &d, err);

    tt_document_free(d);
    return rc;
}

static int explained(world *w, tt_error *err)
{
    tt_read_options o = TT_READ_OPTIONS_INIT;
    tt_document *d = NULL;
    tt_value v = tt_int(1);
    int rc;

    o.cache_class = "";
    rc = tt_explain(w->c, w->s, SELECT_ITEM, &v, 1, &o, TT_FORMAT_TEXT, &d, err);
    tt_document_free(d);
    return rc;
}

static int queue_made(world *w, tt_error *err)
{
    tt_queue *q = NULL;
    int rc = tt_queue_new(w->c, NULL, &q, err);

    tt_queue_free(q);
    return rc;
}

/* ---- reads -------------------------------------------------------------------------------------
 */

static int read_as(world *w, tt_session *s, const char *cache_class, int consistency, tt_error *err)
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

static int cached(world *w, tt_error *err)
{
    (void)err;
    ck_assert(item_hits(w->c, 1, w->v, 20000));
    return 0;
}

static int forgotten(world *w, tt_error *err)
{
    return tt_invalidate_tags(w->c, (const char *const[]){"item:1"}, 1, 0, err);
}

static int read_cached(world *w, tt_error *err)
{
    return read_as(w, NULL, "", TT_COHERENT, err);
}

static int read_after_write(world *w, tt_error *err)
{
    return read_as(w, w->s, NULL, TT_COHERENT, err);
}

static int read_strong(world *w, tt_error *err)
{
    return read_as(w, NULL, NULL, TT_STRONG, err);
}

static int read_eventual(world *w, tt_error *err)
{
    return read_as(w, NULL, NULL, TT_EVENTUAL, err);
}

static int read_ready(world *w, tt_error *err)
{
    tt_value param = tt_int(1);
    tt_result *r = NULL;
    int rc = tt_statement_read(w->reads, w->s, &param, 1, NULL, &r, NULL, err);

    tt_result_free(r);
    return rc;
}

static int warmed(world *w, tt_error *err)
{
    tt_read_options o = TT_READ_OPTIONS_INIT;

    o.cache_class = "";
    return tt_warm(w->c, "SELECT id FROM items WHERE id < 4", NULL, 0, &o, err);
}

static int statements(world *w, tt_error *err)
{
    static const char *const tags[] = {"item:{1}", "items"};
    tt_read_options o = TT_READ_OPTIONS_INIT;
    tt_statement *r = NULL, *wr = NULL;
    int rc;

    o.cache_class = "";
    o.tags = tags;
    o.n_tags = 2;
    rc = tt_statement_new_read(w->c, SELECT_ITEM, &o, &r, err);
    if (rc == 0)
        rc = tt_statement_new_write(w->c, UPDATE_ITEM, NULL, &wr, err);
    tt_statement_free(r);
    tt_statement_free(wr);
    return rc;
}

/* ---- writes ------------------------------------------------------------------------------------
 */

static int plain_write(world *w, tt_error *err)
{
    return item_write(w->c, w->s, 1, w->v + 1, 0, NULL, err);
}

static int ready_write(world *w, tt_error *err)
{
    tt_value params[] = {tt_int(w->v + 1), tt_int(1)};

    return tt_statement_write(w->writes, NULL, params, 2, NULL, NULL, err);
}

static int invalidated(world *w, tt_error *err)
{
    return forgotten(w, err);
}

static int cleared(world *w, tt_error *err)
{
    return tt_cache_clear(w->c, 0, err);
}

/* ---- transactions ------------------------------------------------------------------------------
 */

static int begun(world *w, tt_error *err)
{
    int rc = tt_begin(w->s, NULL, err);

    ck_assert_int_eq(tt_session_in_transaction(w->s), rc == 0);
    arm.fail_at = 0;
    ck_assert_int_eq(tt_rollback(w->s, NULL), 0);
    return rc;
}

static int begin_write(world *w, tt_error *err)
{
    int rc = tt_begin(w->s, NULL, err);

    return rc ? rc : plain_write(w, err);
}

static int begin_only(world *w, tt_error *err)
{
    return tt_begin(w->s, NULL, err);
}

static int committed(world *w, tt_error *err)
{
    int rc = tt_commit(w->s, 0, NULL, err);

    ck_assert_int_eq(tt_session_in_transaction(w->s), 0);
    return rc;
}

static int rolled_back(world *w, tt_error *err)
{
    return tt_rollback(w->s, err);
}

static int write_inside(world *w, tt_error *err)
{
    int rc = plain_write(w, err);

    arm.fail_at = 0;
    if (rc != 0)
        ck_assert_int_eq(tt_rollback(w->s, NULL), 0);
    else
        ck_assert_int_eq(tt_commit(w->s, 0, NULL, NULL), 0);
    return rc;
}

static int read_inside(world *w, tt_error *err)
{
    int rc = read_as(w, w->s, NULL, TT_COHERENT, err);

    arm.fail_at = 0;
    ck_assert_int_eq(tt_rollback(w->s, NULL), 0);
    return rc;
}

/* ---- running one -------------------------------------------------------------------------------
 */

/* Of configurations and openings; these need no client, and get none. */
static const call alone[] = {
    {"tt_config_new", NULL, config_make, false},
    {"tt_config_load_file", NULL, config_file, false},
    {"tt_config_load_text", NULL, config_text, false},
    {"tt_config_set", NULL, config_key, false},
    {"tt_config_get", NULL, config_asked, false},
    {"tt_config_set_password", NULL, config_secret, false},
    {"tt_config_check", NULL, config_checked, false},
};

static const call calls[] = {
    {"tt_client_reload", NULL, reload, false},
    {"tt_session_new", NULL, session_made, false},
    {"tt_session_token", NULL, token_taken, false},
    {"tt_session_adopt", NULL, token_adopted, false},
    {"tt_client_status", NULL, status, false},
    {"tt_metrics_render", NULL, metrics, false},
    {"tt_explain", NULL, explained, false},
    {"tt_queue_new", NULL, queue_made, false},
    {"tt_query_read, a hit", cached, read_cached, false},
    {"tt_query_read, a miss", forgotten, read_cached, false},
    {"tt_query_read, own write", NULL, read_after_write, false},
    {"tt_query_read, strong", NULL, read_strong, false},
    {"tt_query_read, eventual", NULL, read_eventual, false},
    {"tt_statement_read", cached, read_ready, false},
    {"tt_warm", cleared, warmed, false},
    {"tt_statement_new", NULL, statements, false},
    {"tt_query_write", NULL, plain_write, true},
    {"tt_statement_write", NULL, ready_write, true},
    {"tt_invalidate_tags", NULL, invalidated, false},
    {"tt_cache_clear", NULL, cleared, false},
    {"tt_begin", NULL, begun, false},
    {"tt_commit", begin_write, committed, true},
    {"tt_rollback", begin_write, rolled_back, false},
    {"tt_query_write, inside", begin_only, write_inside, true},
    {"tt_query_read, inside", begin_only, read_inside, false},
};

/* What a write that said `rc` may have done. */
static void expect_done(world *w, const call *what, int rc)
{
    int64_t real = real_value();
    bool right = real == w->v;

    if (what->writes && rc == 0)
        right = real == w->v + 1;
    else if (what->writes && rc == TT_E_COMMIT_UNKNOWN)
        right = real == w->v || real == w->v + 1;
    ck_assert_msg(right, "%s said %s: was %lld, is %lld", what->name, tt_error_name(rc),
                  (long long)w->v, (long long)real);
    w->v = real;
}

/* Reads, with and without what the session has written, say what is there. */
static void expect_works(world *w)
{
    ck_assert_int_eq(tt_session_in_transaction(w->s), 0);
    ck_assert_int_eq(item(w->c, w->s, 1, NULL), w->v);
    ck_assert_int_eq(item(w->c, NULL, 1, NULL), w->v);
}

/* With allocation `at` failing; false when there were not so many. */
static bool run_failing(world *w, const call *what, long at, bool onwards)
{
    tt_error e = TT_ERROR_INIT;
    int rc;

    if (what->before)
        expect_code(what->before(w, &e), &e, 0, what->name);
    arm.seen = 0;
    arm.hit = false;
    arm.onwards = onwards;
    arm.fail_at = at;
    rc = what->run(w, &e);
    arm.fail_at = 0;
    if (!arm.hit) {
        expect_code(rc, &e, 0, what->name);
    } else if (rc != 0 && !(what->writes && rc == TT_E_COMMIT_UNKNOWN)) {
        ck_assert_msg(rc == TT_E_NOMEM, "%s, allocation %ld%s: %s: %s", what->name, at,
                      onwards ? " and on" : "", tt_error_name(rc), e.message);
        ck_assert_int_eq(e.code, rc);
    }
    if (w->c) {
        expect_done(w, what, rc);
        expect_works(w);
    }
    return arm.hit;
}

static void run_all(world *w, const call *what)
{
    for (int onwards = 0; onwards <= 1; onwards++)
        for (long at = 1; run_failing(w, what, at, onwards); at++)
            ck_assert_int_lt(at, 2000);
}

START_TEST(each_of_a_configuration)
{
    world w = {.cfg = config_with(&counting)};

    run_all(&w, &alone[_i]);
    tt_config_free(w.cfg);
    ck_assert_int_eq(atomic_load(&live), 0);
}
END_TEST

START_TEST(opening)
{
    static const call open = {"tt_client_open", NULL, open_and_close, false};
    world w = {.cfg = config_with(&counting)};
    long of_config = atomic_load(&live);

    for (int onwards = 0; onwards <= 1; onwards++)
        for (long at = 1; run_failing(&w, &open, at, onwards); at++)
            ck_assert_int_eq(atomic_load(&live), of_config);
    tt_config_free(w.cfg);
    ck_assert_int_eq(atomic_load(&live), 0);
}
END_TEST

static void world_new(world *w)
{
    static const char *const tags[] = {"item:{2}"};
    tt_write_options o = TT_WRITE_OPTIONS_INIT;
    tt_error e = TT_ERROR_INIT;

    *w = (world){.cfg = config_with(&counting), .v = 10};
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
}

START_TEST(each_of_a_client)
{
    world w;

    world_new(&w);
    run_all(&w, &calls[_i]);
    ck_assert(item_hits(w.c, 1, w.v, 30000)); /* no mark stays, and entries are kept */
    tt_statement_free(w.reads);
    tt_statement_free(w.writes);
    tt_session_free(w.s);
    tt_client_close(w.c);
    tt_config_free(w.cfg);
    ck_assert_int_eq(atomic_load(&live), 0);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("api_oom");
    int rc;

    tcase_set_timeout(t, 120);
    tcase_add_checked_fixture(t, items_new, NULL);
    tcase_add_loop_test(t, each_of_a_configuration, 0, (int)TT_COUNT(alone));
    tcase_add_test(t, opening);
    tcase_add_loop_test(t, each_of_a_client, 0, (int)TT_COUNT(calls));
    servers_up("");
    rc = suite_run("api_oom", t);
    servers_down();
    return rc;
}
