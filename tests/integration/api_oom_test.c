/* Running out of memory through the public API: each call is run with its first, second, ...
 * allocation failing, once that one alone and once all from that one on, until it runs without a
 * failure. It says TT_E_NOMEM or succeeds; nothing leaks; nothing is half done; the client works
 * afterwards. First only the calling thread's allocations fail: those of the background make the
 * count another one each time. Then those of any thread, whosever turn it is. */
#include "integration/oom_support.h"

/* One call, or the steps before it. */
typedef int (*step)(world *w, tt_error *err);

typedef struct call {
    const char *name;
    step before; /* all memory there; may be NULL */
    step run;
    bool writes; /* of item 1: w->v + 1 */
} call;

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

    memory_back();
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

    memory_back();
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
    memory_back();
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
    memory_back();
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

    memory_back();
    if (rc != 0)
        ck_assert_int_eq(tt_rollback(w->s, NULL), 0);
    else
        ck_assert_int_eq(tt_commit(w->s, 0, NULL, NULL), 0);
    return rc;
}

static int read_inside(world *w, tt_error *err)
{
    int rc = read_as(w, w->s, NULL, TT_COHERENT, err);

    memory_back();
    ck_assert_int_eq(tt_rollback(w->s, NULL), 0);
    return rc;
}

static int session_freed(world *w, tt_error *err)
{
    (void)err;
    tt_session_free(w->fresh); /* rolls back */
    return 0;
}

static int session_to_free(world *w, tt_error *err)
{
    int rc = tt_session_new(w->c, &w->fresh, err);

    if (rc == 0)
        rc = tt_begin(w->fresh, NULL, err);
    return rc ? rc : item_write(w->c, w->fresh, 1, w->v + 1, 0, NULL, err);
}

static int client_to_close(world *w, tt_error *err)
{
    return tt_client_open(w->cfg, &w->other, err);
}

static int client_closed(world *w, tt_error *err)
{
    (void)err;
    tt_client_close(w->other);
    return 0;
}

/* ---- queues ------------------------------------------------------------------------------------
 */

/* What an operation said: at its submission, or when it was complete. */
static int submitted(world *w, int rc, tt_error *err)
{
    int64_t v = w->v;

    if (rc != 0)
        return rc;
    rc = completion(w, &v, err);
    ck_assert_int_eq(v, w->v);
    ck_assert_uint_eq(tt_queue_pending(w->q), 0);
    return rc;
}

static int queued_read(world *w, tt_error *err)
{
    static const char *const tags[] = {"item:{1}"};
    tt_read_options o = TT_READ_OPTIONS_INIT;
    tt_value param = tt_int(1);

    o.cache_class = "";
    o.tags = tags;
    o.n_tags = 1;
    return submitted(w, tt_queue_read(w->q, w->s, SELECT_ITEM, &param, 1, &o, NULL, err), err);
}

static int queued_write(world *w, tt_error *err)
{
    static const char *const tags[] = {"item:{2}"};
    tt_write_options o = TT_WRITE_OPTIONS_INIT;
    tt_value params[] = {tt_int(w->v + 1), tt_int(1)};

    o.tags = tags;
    o.n_tags = 1;
    return submitted(w, tt_queue_write(w->q, w->s, UPDATE_ITEM, params, 2, &o, NULL, err), err);
}

static int queued_ready_read(world *w, tt_error *err)
{
    tt_value param = tt_int(1);

    return submitted(w, tt_queue_statement(w->q, w->reads, NULL, &param, 1, NULL, NULL, err), err);
}

static int queued_ready_write(world *w, tt_error *err)
{
    tt_value params[] = {tt_int(w->v + 1), tt_int(1)};

    return submitted(w, tt_queue_statement(w->q, w->writes, NULL, params, 2, NULL, NULL, err), err);
}

static int queued_begin(world *w, tt_error *err)
{
    int rc = submitted(w, tt_queue_begin(w->q, w->s, NULL, NULL, err), err);

    ck_assert_int_eq(tt_session_in_transaction(w->s), rc == 0);
    memory_back();
    ck_assert_int_eq(tt_rollback(w->s, NULL), 0);
    return rc;
}

/* One that was not accepted leaves the transaction open. */
static int queued_commit(world *w, tt_error *err)
{
    int rc = tt_queue_commit(w->q, w->s, 0, NULL, err);

    if (rc != 0) {
        memory_back();
        ck_assert_int_eq(tt_session_in_transaction(w->s), 1);
        ck_assert_int_eq(tt_rollback(w->s, NULL), 0);
        return rc;
    }
    return submitted(w, 0, err);
}

static int queued_rollback(world *w, tt_error *err)
{
    int rc = submitted(w, tt_queue_rollback(w->q, w->s, NULL, err), err);

    memory_back();
    ck_assert_int_eq(tt_session_in_transaction(w->s), rc != 0);
    ck_assert_int_eq(tt_rollback(w->s, NULL), 0);
    return rc;
}

/* ---- what only refuses -------------------------------------------------------------------------
 */

/* The calls of later versions: they refuse, and need no memory for that. */
static int refused(int rc)
{
    ck_assert_int_eq(rc, TT_E_UNSUPPORTED);
    ck_assert(!memory_was_short());
    return 0;
}

static int savepoints(world *w, tt_error *err)
{
    (void)refused(tt_savepoint(w->s, "a", err));
    (void)refused(tt_savepoint_rollback(w->s, "a", err));
    return refused(tt_savepoint_release(w->s, "a", err));
}

static int body(tt_session *session, void *ctx)
{
    (void)session;
    (void)ctx;
    ck_abort_msg("called");
}

static int function_run(world *w, tt_error *err)
{
    return refused(tt_transaction(w->s, body, NULL, NULL, NULL, err));
}

static int no_rows(const tt_result *r, void *ctx)
{
    (void)r;
    (void)ctx;
    ck_abort_msg("called");
}

static int streamed(world *w, tt_error *err)
{
    return refused(
        tt_query_stream(w->c, NULL, "SELECT 1", NULL, 0, NULL, no_rows, NULL, NULL, err));
}

static int many_read(world *w, tt_error *err)
{
    tt_value params[] = {tt_int(1), tt_int(2)};
    tt_result *out[2] = {NULL, NULL};

    return refused(tt_query_read_many(w->reads, NULL, params, 1, 2, NULL, out, NULL, err));
}

static int asked_if_ready(world *w, tt_error *err)
{
    return tt_client_ready(w->c, err);
}

/* ---- running one -------------------------------------------------------------------------------
 */

/* Of configurations and openings; these need no client, and get none. The names say which public
 * functions a row is about: see `every_function`. */
static const call alone[] = {
    {"tt_config_new", NULL, config_make, false},
    {"tt_config_load_file", NULL, config_file, false},
    {"tt_config_load_text", NULL, config_text, false},
    {"tt_config_set", NULL, config_key, false},
    {"tt_config_get", NULL, config_asked, false},
    {"tt_config_set_password, tt_config_set_redis_password", NULL, config_secret, false},
    {"tt_config_check", NULL, config_checked, false},
};

static const call opens = {"tt_client_open", NULL, open_and_close, false};

static const call calls[] = {
    {"tt_client_reload", NULL, reload, false},
    {"tt_client_ready", NULL, asked_if_ready, false},
    {"tt_client_close", client_to_close, client_closed, false},
    {"tt_session_new", NULL, session_made, false},
    {"tt_session_free", session_to_free, session_freed, false},
    {"tt_session_token", NULL, token_taken, false},
    {"tt_session_adopt", NULL, token_adopted, false},
    {"tt_client_status", NULL, status, false},
    {"tt_metrics_render", NULL, metrics, false},
    {"tt_explain", NULL, explained, false},
    {"tt_query_read, a hit", cached, read_cached, false},
    {"tt_query_read, a miss", forgotten, read_cached, false},
    {"tt_query_read, own write", NULL, read_after_write, false},
    {"tt_query_read, strong", NULL, read_strong, false},
    {"tt_query_read, eventual", NULL, read_eventual, false},
    {"tt_statement_read", cached, read_ready, false},
    {"tt_warm", cleared, warmed, false},
    {"tt_statement_new_read, tt_statement_new_write", NULL, statements, false},
    {"tt_query_write", NULL, plain_write, true},
    {"tt_statement_write", NULL, ready_write, true},
    {"tt_invalidate_tags", NULL, invalidated, false},
    {"tt_cache_clear", NULL, cleared, false},
    {"tt_begin", NULL, begun, false},
    {"tt_commit", begin_write, committed, true},
    {"tt_rollback", begin_write, rolled_back, false},
    {"tt_query_write, inside", begin_only, write_inside, true},
    {"tt_query_read, inside", begin_only, read_inside, false},
    {"tt_savepoint, tt_savepoint_rollback, tt_savepoint_release", NULL, savepoints, false},
    {"tt_transaction", NULL, function_run, false},
    {"tt_query_stream", NULL, streamed, false},
    {"tt_query_read_many", NULL, many_read, false},
    {"tt_queue_new", NULL, queue_made, false},
    {"tt_queue_read, tt_queue_next, a hit", cached, queued_read, false},
    {"tt_queue_read, a miss", forgotten, queued_read, false},
    {"tt_queue_write", NULL, queued_write, true},
    {"tt_queue_statement, a read", cached, queued_ready_read, false},
    {"tt_queue_statement, a write", NULL, queued_ready_write, true},
    {"tt_queue_begin", NULL, queued_begin, false},
    {"tt_queue_commit", begin_write, queued_commit, true},
    {"tt_queue_rollback", begin_write, queued_rollback, false},
};

/* May it say so for want of memory? When it is the library's own threads that have none, a node
 * looks as if it were away, and so does the cache. */
static bool may_say(const call *what, whose w, int rc)
{
    if (rc == TT_E_NOMEM || (what->writes && rc == TT_E_COMMIT_UNKNOWN))
        return true;
    return w == ANY && (rc == TT_E_UNAVAILABLE || rc == TT_E_CACHE_UNAVAILABLE);
}

/* With allocation `at` failing; false when there were not so many. */
static bool run_failing(world *w, const call *what, whose who, long at, bool onwards)
{
    tt_error e = TT_ERROR_INIT;
    bool hit;
    int rc;

    if (what->before)
        expect_code(what->before(w, &e), &e, 0, what->name);
    e = (tt_error)TT_ERROR_INIT;
    memory_fail(who, at, onwards);
    rc = what->run(w, &e);
    memory_back();
    hit = memory_was_short();
    if (!hit) {
        expect_code(rc, &e, 0, what->name);
    } else if (rc != 0) {
        ck_assert_msg(may_say(what, who, rc), "%s, allocation %ld%s of %s: %s: %s", what->name, at,
                      onwards ? " and on" : "", who == ANY ? "any thread" : "its thread",
                      tt_error_name(rc), e.message);
        ck_assert_int_eq(e.code, rc);
    }
    if (w->c) {
        expect_written(w, what->name, what->writes ? rc : TT_E_NOMEM);
        expect_works(w);
    }
    return hit;
}

static void run_all(world *w, const call *what, whose who)
{
    for (int onwards = 0; onwards <= 1; onwards++)
        for (long at = 1; run_failing(w, what, who, at, onwards); at++)
            ck_assert_int_lt(at, 2000);
}

START_TEST(each_of_a_configuration)
{
    world w = {.cfg = config_with(&counting)};

    run_all(&w, &alone[_i], OWN);
    tt_config_free(w.cfg);
    expect_no_leak();
}
END_TEST

/* `_i`: whose. */
START_TEST(opening)
{
    world w = {.cfg = config_with(&counting)};
    long of_config = atomic_load(&live);

    for (int onwards = 0; onwards <= 1; onwards++)
        for (long at = 1; run_failing(&w, &opens, (whose)_i, at, onwards); at++)
            ck_assert_int_eq(atomic_load(&live), of_config);
    tt_config_free(w.cfg);
    expect_no_leak();
}
END_TEST

static void run_of_client(tt_config *cfg, const call *what, whose who)
{
    world w;

    world_new_with(&w, cfg);
    run_all(&w, what, who);
    ck_assert(item_hits(w.c, 1, w.v, 30000)); /* no mark stays, and entries are kept */
    if (who == ANY && strncmp(what->name, "tt_queue_read", 13) == 0)
        ck_assert_int_gt(atomic_load(&any.hits_in_library), 0);
    world_free(&w);
}

START_TEST(each_of_a_client)
{
    run_of_client(config_with(&counting), &calls[_i], OWN);
}
END_TEST

START_TEST(each_with_any_thread_failing)
{
    run_of_client(config_with(&counting), &calls[_i], ANY);
}
END_TEST

/* The cache in the process: its own store, no Redis. */
START_TEST(each_in_a_process)
{
    tt_config *cfg = config_with(&counting);

    config_put(cfg, "cache.redis", "");
    config_put(cfg, "cache.scope", "process");
    run_of_client(cfg, &calls[_i], ANY);
}
END_TEST

/* ---- all of them -------------------------------------------------------------------------------
 */

/* These allocate nothing, which `what_allocates_nothing` shows. */
static const char *const allocate_nothing[] = {
    "tt_version, tt_error_class, tt_error_name, tt_error_text: static memory",
    "tt_config_set_clock, tt_config_set_log: copied into the configuration",
    "tt_config_free, tt_statement_free, tt_result_free, tt_document_free: give back",
    "tt_queue_free, tt_queue_stop: what waits is moved from one list to another",
    "tt_queue_fd, tt_queue_pending, tt_session_in_transaction: a member",
    "tt_document_text, tt_document_size: a member",
    "tt_result_ref, tt_result_rows, tt_result_columns, tt_result_name, tt_result_type",
    "tt_result_find, tt_result_is_null, tt_result_int, tt_result_uint, tt_result_double",
    "tt_result_bytes, tt_result_time, tt_result_column: read in place",
};

static void getters(tt_result *r, tt_document *d)
{
    tt_column column = TT_COLUMN_INIT;
    const char *p;
    tt_time t;
    int64_t i;
    uint64_t u;
    double f;
    size_t n;

    ck_assert_ptr_eq(tt_result_ref(r), r);
    tt_result_free(r);
    ck_assert_uint_eq(tt_result_rows(r), 1);
    ck_assert_uint_eq(tt_result_columns(r), 4);
    ck_assert_str_eq(tt_result_name(r, 0), "i");
    ck_assert_int_eq(tt_result_type(r, 1), TT_TYPE_TEXT);
    ck_assert_int_eq(tt_result_find(r, "D"), 2);
    ck_assert_int_eq(tt_result_is_null(r, 0, 3), 1);
    ck_assert_int_eq(tt_result_int(r, 0, 0, &i), 0);
    ck_assert_int_eq(tt_result_uint(r, 0, 0, &u), 0);
    ck_assert_int_eq(tt_result_double(r, 0, 0, &f), 0);
    ck_assert_int_eq(tt_result_bytes(r, 0, 1, &p, &n), 0);
    ck_assert_int_eq(tt_result_time(r, 0, 2, &t), 0);
    ck_assert_int_eq(tt_result_column(r, 1, &column), 0);
    ck_assert_uint_eq(strlen(tt_document_text(d)), tt_document_size(d));
    ck_assert_ptr_nonnull(tt_version());
    ck_assert_ptr_nonnull(tt_error_name(TT_E_NOMEM));
    ck_assert_ptr_nonnull(tt_error_text(TT_E_NOMEM));
    ck_assert_int_eq(tt_error_class(TT_E_NOMEM), TT_CLASS_MEMORY);
}

START_TEST(what_allocates_nothing)
{
    tt_document *d = NULL;
    tt_result *r = NULL;
    tt_config *cfg = config_with(&counting);
    world w;

    world_new(&w);
    EXPECT(tt_query_read(w.c, NULL, "SELECT 1 AS i, 'x' AS t, DATE '2025-01-31' AS d, NULL AS n",
                         NULL, 0, NULL, &r, NULL, &err),
           0);
    EXPECT(tt_client_status(w.c, TT_FORMAT_TEXT, &d, &err), 0);
    memory_fail(OWN, 1, true);
    getters(r, d);
    ck_assert_int_ge(tt_queue_fd(w.q), 0);
    ck_assert_uint_eq(tt_queue_pending(w.q), 0);
    ck_assert_int_eq(tt_session_in_transaction(w.s), 0);
    tt_config_set_clock(cfg, NULL);
    tt_config_set_log(cfg, NULL);
    tt_queue_stop(w.q);
    tt_queue_free(w.q);
    tt_statement_free(w.reads);
    tt_result_free(r);
    tt_document_free(d);
    tt_config_free(cfg);
    ck_assert_int_eq(own.seen, 0);
    memory_back();
    w.q = NULL;
    w.reads = NULL;
    world_free(&w);
}
END_TEST

/* Is it one of the names in the text? */
static bool names(const char *text, const char *symbol)
{
    size_t n = strlen(symbol);
    const char *p = text;

    while ((p = strstr(p, symbol)) != NULL) {
        char before = p == text ? ' ' : p[-1], after = p[n];

        if (before == ' ' && (after == '\0' || after == ',' || after == ':'))
            return true;
        p += n;
    }
    return false;
}

static int rows_about(const char *symbol)
{
    int n = names(opens.name, symbol);

    for (size_t i = 0; i < TT_COUNT(alone); i++)
        n += names(alone[i].name, symbol);
    for (size_t i = 0; i < TT_COUNT(calls); i++)
        n += names(calls[i].name, symbol);
    for (size_t i = 0; i < TT_COUNT(allocate_nothing); i++)
        n += names(allocate_nothing[i], symbol);
    return n;
}

/* Every function that the library exports is here. */
START_TEST(every_function)
{
    FILE *f = fopen(TT_SYMBOLS, "r");
    char symbol[128];
    int n = 0;

    ck_assert_ptr_nonnull(f);
    for (; fscanf(f, "%127s", symbol) == 1; n++)
        ck_assert_msg(rows_about(symbol) > 0,
                      "%s is neither run without memory nor among those that allocate nothing",
                      symbol);
    ck_assert_int_gt(n, 50);
    (void)fclose(f);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("api_oom");
    int rc;

    tcase_set_timeout(t, 120);
    tcase_add_checked_fixture(t, items_new, NULL);
    tcase_add_test(t, every_function);
    tcase_add_test(t, what_allocates_nothing);
    tcase_add_loop_test(t, each_of_a_configuration, 0, (int)TT_COUNT(alone));
    tcase_add_loop_test(t, opening, OWN, ANY + 1);
    tcase_add_loop_test(t, each_of_a_client, 0, (int)TT_COUNT(calls));
    tcase_add_loop_test(t, each_with_any_thread_failing, 0, (int)TT_COUNT(calls));
    tcase_add_loop_test(t, each_in_a_process, 0, (int)TT_COUNT(calls));
    servers_up("");
    rc = suite_run("api_oom", t);
    servers_down();
    return rc;
}
