/* client_test.c: a whole client with its threads, on servers that are variables (fake_db.h). */
#include "unit/suite.h"

#include <twotier/twotier.h>

#include "core/config.h"
#include "svc/query.h"
#include "unit/fake_db.h"

static tt_error err;

#define GIVES(call, expected)                                                                      \
    do {                                                                                           \
        int got_ = (call);                                                                         \
        ck_assert_msg(got_ == (expected), "expected %s, got %s: %s", tt_error_name(expected),      \
                      tt_error_name(got_), err.message);                                           \
    } while (0)

static void put(struct tt_settings *s, const char *key, const char *text)
{
    GIVES(tt_settings_set(s, key, tt_str_c(text), &err), 0);
}

/* A primary and a replica, and the cache in the process. */
static struct tt_settings settings_new(void)
{
    struct tt_settings s;

    tt_settings_default(&s);
    put(&s, "database.primary.host", "a");
    put(&s, "database.primary.port", "1");
    put(&s, "database.replicas", "a:2");
    put(&s, "database.schema", "app");
    put(&s, "database.health.interval", "20ms");
    put(&s, "cache.scope", "process");
    return s;
}

static tt_client *client_of(const struct tt_settings *s)
{
    static const tt_log_sink silent = {0};
    static const tt_secret none = {0};
    tt_client_options o = {.a = &tt_allocator_libc,
                           .clock = &tt_clock_system,
                           .log = &silent,
                           .settings = s,
                           .password = &none,
                           .redis_password = &none,
                           .driver = &fake_driver};
    tt_client *c = NULL;

    GIVES(tt_client_start(&o, &c, &err), 0);
    return c;
}

static tt_client *client_new(void)
{
    struct tt_settings s = settings_new();

    return client_of(&s);
}

static int64_t value_of(tt_result *r)
{
    int64_t v = -1;

    GIVES(tt_result_int(r, 0, 0, &v), 0);
    tt_result_free(r);
    return v;
}

static const char select_t[] = "SELECT v FROM t";

static int64_t read_value(tt_client *c, tt_consistency consistency, tt_read_info *info)
{
    tt_read_options o = TT_READ_OPTIONS_INIT;
    tt_result *r = NULL;

    o.consistency = (int32_t)consistency;
    GIVES(tt_query_read(c, NULL, select_t, NULL, 0, &o, &r, info, &err), 0);
    return value_of(r);
}

/* ---- who is at the other end -------------------------------------------------------------------
 */

/* The pool keeps a connection to a server that its address no longer leads to: rows of it are
 * never taken for rows of the node. */
START_TEST(a_pooled_connection_to_another_server_serves_nobody)
{
    tt_read_info info = TT_READ_INFO_INIT;
    tt_client *c = client_new();

    ck_assert_int_eq(read_value(c, TT_COHERENT, &info), 101);
    ck_assert_int_eq(info.source, TT_SOURCE_REPLICA);
    /* From now on the address of the replica leads to a server that knows nothing. */
    fake_set((fake.at[1] = 3, fake.servers[3].value = -7, fake.servers[3].source[0] = '\0'));
    tt_nodepool_evict(c->nodes[1].pool);
    for (int i = 0; i < 50; i++)
        ck_assert_int_ne(read_value(c, TT_COHERENT, NULL), -7);
    ck_assert_int_eq(fake_heard("id-4: SELECT v FROM t"), 0);
    tt_client_stop(c);
}
END_TEST

/* The health check has a connection of its own: it must not stay with the server before. */
START_TEST(the_health_check_finds_the_new_server)
{
    tt_client *c = client_new();
    bool seen = false;

    ck_assert_int_eq(read_value(c, TT_COHERENT, NULL), 101);
    fake_set((fake.at[1] = 3, fake.servers[3].value = 103));
    tt_nodepool_evict(c->nodes[1].pool);
    for (int i = 0; i < 400 && !seen; i++) {
        seen = read_value(c, TT_COHERENT, NULL) == 103;
        (void)nanosleep(&(struct timespec){0, 10000000}, NULL);
    }
    ck_assert(seen);
    tt_client_stop(c);
}
END_TEST

static int kills(const char *server)
{
    int n = 0;

    for (int i = 1; i < 99; i++) {
        char text[48];

        (void)snprintf(text, sizeof(text), "%s: KILL %d", server, i);
        n += fake_heard(text);
    }
    return n;
}

/* A KILL that went to another server says nothing about the connection that it named. */
START_TEST(a_kill_on_another_server_settles_nothing)
{
    tt_client *c = client_new();
    tt_write_options o = TT_WRITE_OPTIONS_INIT;

    GIVES(tt_query_write(c, NULL, "UPDATE t SET v = 1", NULL, 0, &o, NULL, &err), 0);
    fake_set((fake.write = (fake_answer){.status = TT_DB_LOST, .code = TT_E_COMMIT_UNKNOWN},
              fake.at[0] = 3));
    GIVES(tt_query_write(c, NULL, "UPDATE t SET v = 2", NULL, 0, &o, NULL, &err),
          TT_E_COMMIT_UNKNOWN);
    (void)nanosleep(&(struct timespec){0, 100000000}, NULL);
    ck_assert_int_eq(kills("id-4"), 0);
    ck_assert_int_eq(kills("id-1"), 0);
    fake_set(fake.at[0] = 0);
    for (int i = 0; i < 1000 && kills("id-1") == 0; i++)
        (void)nanosleep(&(struct timespec){0, 10000000}, NULL);
    ck_assert_int_eq(kills("id-1"), 1);
    ck_assert_int_eq(kills("id-4"), 0);
    tt_client_stop(c);
}
END_TEST

static int64_t elapsed_ms(int64_t since_ns)
{
    return (tt_now_ns(&tt_clock_system) - since_ns) / TT_NS_PER_MS;
}

/* Outcomes that wait for a server which does not answer are left to the marks: closing does not
 * wait for each. */
START_TEST(closing_does_not_wait_for_the_unreachable)
{
    tt_client *c = client_new();
    tt_str key = TT_STR("twotier:t:x");
    int64_t began;

    fake_set(fake.silent = true);
    for (int i = 0; i < c->n_nodes; i++)
        tt_nodepool_evict(c->nodes[i].pool);
    pthread_mutex_lock(&c->mu);
    for (int i = 0; i < 20; i++) {
        tt_repair *r = tt_core_repair(&c->core, TT_STR("id-1"), 7, tt_nonce_new(c->core.rng),
                                      TT_STR("P"), &key, 1);

        ck_assert_ptr_nonnull(r);
        r->kill = true;
    }
    pthread_mutex_unlock(&c->mu);
    (void)nanosleep(&(struct timespec){0, 100000000}, NULL);
    began = tt_now_ns(&tt_clock_system);
    tt_client_stop(c);
    ck_assert_int_lt(elapsed_ms(began), 8000); /* each takes a second */
}
END_TEST

/* ---- tags of tables ----------------------------------------------------------------------------
 */

/* The keys of the tags of a statement, as a client of `schema` has them, each with a blank. */
static void expect_tags(const char *schema, const char *sql, const char *tag, const char *keys)
{
    struct tt_settings s = settings_new();
    tt_buf all = tt_buf_init(&tt_allocator_libc);
    tt_read_options read = TT_READ_OPTIONS_INIT;
    tt_client *c;
    tt_plan plan;
    tt_keys made;

    put(&s, "database.schema", schema);
    put(&s, "cache.namespace", "n");
    c = client_of(&s);
    read.cache_class = "";
    read.tags = tag ? &tag : NULL;
    read.n_tags = tag ? 1 : 0;
    if (strncmp(sql, "SELECT", 6) == 0)
        GIVES(tt_plan_read(c, sql, &read, &plan, &err), 0);
    else
        GIVES(tt_plan_write(c, sql, NULL, &plan, &err), 0);
    GIVES(tt_keys_make(c, &plan, NULL, 0, &made, &err), 0);
    for (int i = 0; i < made.n_tags; i++) {
        tt_buf_put_str(&all, made.tags[i]);
        tt_buf_put_char(&all, ' ');
        ck_assert(tt_str_eq(made.full[i], tt_str_n(made.tags[i].p + 4, made.tags[i].n - 4)));
    }
    ck_assert_str_eq(tt_buf_cstr(&all), keys);
    tt_keys_free(&made);
    tt_plan_free(&plan);
    tt_buf_free(&all);
    tt_client_stop(c);
}

START_TEST(tables_have_one_tag_whatever_the_schema_of_the_client)
{
    expect_tags("a", "SELECT v FROM t", NULL, "n:t:table:a.t ");
    expect_tags("b", "UPDATE a.t SET v = 1", NULL, "n:t:table:a.t ");
    expect_tags("A", "UPDATE t SET v = 1", NULL, "n:t:table:a.t ");
    expect_tags("a", "SELECT v FROM t", "table:t", "n:t:table:a.t ");
    expect_tags("b", "SELECT v FROM a.t JOIN t", NULL, "n:t:table:a.t n:t:table:b.t ");
    expect_tags("a", "SELECT v FROM t JOIN a.t x", NULL, "n:t:table:a.t ");
    expect_tags("a", "SELECT v FROM t", "tables:t", "n:t:tables:t ");
    expect_tags("a", "SELECT v FROM `x.y`", NULL, "n:t:table:a.x%2Ey ");
    expect_tags("b", "SELECT v FROM a.`x.y`", NULL, "n:t:table:a.x%2Ey ");
    expect_tags("a", "SELECT v FROM `my {t}`", NULL, "n:t:table:a.my%20{t} ");
}
END_TEST

START_TEST(tags_keep_the_names_that_callers_know)
{
    tt_client *c = client_new();
    tt_keys keys;

    tt_keys_init(c, &keys);
    GIVES(tt_keys_add(c, &keys, TT_STR("table:t"), &err), 0);
    GIVES(tt_keys_add(c, &keys, TT_STR("table:app.t"), &err), 0);
    GIVES(tt_keys_add(c, &keys, TT_STR("item:1"), &err), 0);
    tt_keys_done(c, &keys);
    ck_assert_int_eq(keys.n_tags, 2);
    ck_assert(tt_str_eq(keys.names[0], TT_STR("item:1")));
    ck_assert(tt_str_eq(keys.names[1], TT_STR("table:t")));
    ck_assert(tt_str_eq(keys.full[1], TT_STR("table:app.t")));
    tt_keys_free(&keys);
    tt_client_stop(c);
}
END_TEST

/* The tag as the cache holds it: "ABSENT", its barrier, or "MARKED". */
static void tag_state(tt_client *c, const char *tag, char *out, size_t size)
{
    tt_answers answers = {.bytes = tt_buf_init(&tt_allocator_libc)};
    char key[128];
    tt_cmd cmd;
    tt_batch batch = {&cmd, 1};
    tt_tag t;

    (void)snprintf(key, sizeof(key), "%s:t:%s", c->settings.cache.name_space, tag);
    cmd = tt_cmd_get(tt_str_c(key));
    ck_assert_int_eq(c->cache.call(c->cache.ctx, &batch, INT64_MAX, &answers), 0);
    if (answers.replies[0].kind != TT_REPLY_TEXT ||
        tt_tag_parse(answers.replies[0].text, &t) != TT_TAG_VALID)
        (void)snprintf(out, size, "ABSENT");
    else if (t.marks.n)
        (void)snprintf(out, size, "MARKED");
    else
        (void)snprintf(out, size, "%.*s", (int)t.barrier.n, t.barrier.p);
    tt_buf_free(&answers.bytes);
}

static int bind_time(tt_client *c, tt_type type, tt_time t)
{
    tt_value v = tt_time_of(type, t);
    tt_result *r = NULL;
    int rc = tt_query_read(c, NULL, "SELECT v FROM t WHERE d = ?", &v, 1, NULL, &r, NULL, &err);

    tt_result_free(rc == 0 ? r : NULL);
    return rc;
}

START_TEST(dates_and_times_are_in_range)
{
    tt_client *c = client_new();

    GIVES(bind_time(c, TT_TYPE_DATE, (tt_time){.year = 9999, .month = 12, .day = 31}), 0);
    GIVES(bind_time(c, TT_TYPE_DATE, (tt_time){.year = 0}), 0);
    GIVES(bind_time(c, TT_TYPE_DATETIME, (tt_time){.hours = 23, .micros = 999999}), 0);
    GIVES(bind_time(c, TT_TYPE_TIME, (tt_time){.hours = 838, .minutes = 59, .negative = 1}), 0);
    GIVES(bind_time(c, TT_TYPE_DATE, (tt_time){.year = 10000}), TT_E_ARGUMENT);
    GIVES(bind_time(c, TT_TYPE_DATE, (tt_time){.month = 13}), TT_E_ARGUMENT);
    GIVES(bind_time(c, TT_TYPE_DATE, (tt_time){.day = 32}), TT_E_ARGUMENT);
    GIVES(bind_time(c, TT_TYPE_DATE, (tt_time){.year = 2000, .hours = 1}), TT_E_ARGUMENT);
    GIVES(bind_time(c, TT_TYPE_DATETIME, (tt_time){.hours = 24}), TT_E_ARGUMENT);
    GIVES(bind_time(c, TT_TYPE_DATETIME, (tt_time){.negative = 1}), TT_E_ARGUMENT);
    GIVES(bind_time(c, TT_TYPE_TIME, (tt_time){.hours = 839}), TT_E_ARGUMENT);
    GIVES(bind_time(c, TT_TYPE_TIME, (tt_time){.day = 1}), TT_E_ARGUMENT);
    GIVES(bind_time(c, TT_TYPE_TIME, (tt_time){.minutes = 60}), TT_E_ARGUMENT);
    GIVES(bind_time(c, TT_TYPE_TIME, (tt_time){.seconds = 60}), TT_E_ARGUMENT);
    GIVES(bind_time(c, TT_TYPE_TIME, (tt_time){.micros = 1000000}), TT_E_ARGUMENT);
    GIVES(bind_time(c, TT_TYPE_TIME, (tt_time){.negative = 2}), TT_E_ARGUMENT);
    tt_client_stop(c);
}
END_TEST

static atomic_bool done;

static void *reload(void *client)
{
    struct tt_settings s[2] = {settings_new(), settings_new()};

    put(&s[0], "cache.classes", "a=1s, b=2s");
    put(&s[1], "cache.classes", "zzzzzzzzzzzzzzzzzzzzzzzzzzzzzz=3s, b=2s");
    for (unsigned i = 0; !atomic_load(&done); i++) {
        tt_error e = TT_ERROR_INIT;

        ck_assert_int_eq(tt_client_change(client, &s[i % 2], &e), 0);
    }
    return NULL;
}

/* For the thread sanitizer, above all. */
START_TEST(plans_are_made_while_the_settings_change)
{
    struct tt_settings s = settings_new();
    tt_read_options o = TT_READ_OPTIONS_INIT;
    tt_client *c;
    pthread_t thread;

    put(&s, "cache.classes", "b=2s");
    c = client_of(&s);
    atomic_store(&done, false);
    ck_assert_int_eq(pthread_create(&thread, NULL, reload, c), 0);
    o.cache_class = "b";
    for (int i = 0; i < 2000; i++) {
        tt_plan plan;

        GIVES(tt_plan_read(c, select_t, &o, &plan, &err), 0);
        ck_assert_int_eq(plan.ttl_ms, 2000);
        tt_plan_free(&plan);
    }
    atomic_store(&done, true);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    tt_client_stop(c);
}
END_TEST

/* ---- where a read goes -------------------------------------------------------------------------
 */

static int64_t call_value(const tt_statement *s, tt_session *session, int32_t consistency)
{
    tt_call_options call = TT_CALL_OPTIONS_INIT;
    tt_result *r = NULL;

    call.consistency = consistency;
    GIVES(tt_statement_read(s, session, NULL, 0, &call, &r, NULL, &err), 0);
    return value_of(r);
}

/* What a call asks for does not move a statement away from the primary that is only right there. */
START_TEST(what_is_only_right_on_the_primary_stays_there)
{
    static const char *const statements[] = {"SELECT v FROM t FOR SHARE", "SELECT GET_LOCK('a', 1)",
                                             "SELECT my_function(v) FROM t"};
    static const tt_consistency asked[] = {TT_COHERENT, TT_STRONG, TT_EVENTUAL};
    struct tt_settings settings = settings_new();
    tt_client *c;

    put(&settings, "read.unproven", "primary");
    c = client_of(&settings);
    for (size_t i = 0; i < TT_COUNT(statements); i++) {
        tt_statement *s = NULL;

        GIVES(tt_statement_new_read(c, statements[i], NULL, &s, &err), 0);
        ck_assert_int_eq(call_value(s, NULL, -1), 100);
        for (size_t j = 0; j < TT_COUNT(asked); j++)
            ck_assert_int_eq(call_value(s, NULL, asked[j]), 100);
        tt_statement_free(s);
    }
    tt_client_stop(c);
}
END_TEST

/* Locking reads and functions of a session belong into transactions, whose connection is the
 * primary's, and are refused elsewhere. A function may write: the transaction is committed. */
START_TEST(reads_that_are_not_proved_run_in_transactions)
{
    static const char *const statements[] = {"SELECT v FROM t FOR UPDATE",
                                             "SELECT my_function(v) FROM t"};
    tt_client *c = client_new();

    for (size_t i = 0; i < TT_COUNT(statements); i++) {
        tt_session *s = NULL;
        tt_statement *ready = NULL;
        tt_result *r = NULL;
        char heard[80];

        fake_quiet();
        (void)snprintf(heard, sizeof(heard), "id-1: %s", statements[i]);
        GIVES(tt_statement_new_read(c, statements[i], NULL, &ready, &err), 0);
        GIVES(tt_session_new(c, &s, &err), 0);
        GIVES(tt_query_read(c, s, statements[i], NULL, 0, NULL, &r, NULL, &err), TT_E_STATEMENT);
        GIVES(tt_statement_read(ready, s, NULL, 0, NULL, &r, NULL, &err), TT_E_STATEMENT);
        ck_assert_ptr_nonnull(strstr(err.message, "in a transaction"));
        GIVES(tt_begin(s, NULL, &err), 0);
        GIVES(tt_query_read(c, s, statements[i], NULL, 0, NULL, &r, NULL, &err), 0);
        ck_assert_int_eq(value_of(r), 100);
        ck_assert_int_eq(call_value(ready, s, TT_EVENTUAL), 100);
        ck_assert_int_eq(fake_heard(heard), 2);
        GIVES(tt_commit(s, 0, NULL, &err), 0);
        ck_assert_int_eq(fake_heard("id-1: COMMIT"), 1);
        ck_assert_int_eq(fake_heard("id-1: ROLLBACK"), 0);
        tt_session_free(s);
        tt_statement_free(ready);
    }
    tt_client_stop(c);
}
END_TEST

/* A result that cannot be kept depends on its tags all the same: it waits for what they ask. */
START_TEST(tags_count_where_nothing_is_kept)
{
    static const char *const tags[] = {"x"};
    tt_read_options o = TT_READ_OPTIONS_INIT;
    tt_read_info info = TT_READ_INFO_INIT;
    tt_client *c = client_new();
    char state[128];

    o.cache_class = "";
    o.tags = tags;
    o.n_tags = 1;
    for (int i = 0; i < 3; i++) {
        tt_result *r = NULL;

        GIVES(tt_query_read(c, NULL, "SELECT v, NOW() FROM t", NULL, 0, &o, &r, &info, &err), 0);
        tt_result_free(r);
        ck_assert_int_ge(info.source, TT_SOURCE_REPLICA);
    }
    ck_assert_int_eq(
        fake_heard("id-1: SELECT v, NOW() FROM t") + fake_heard("id-2: SELECT v, NOW() FROM t"), 3);
    tag_state(c, "x", state, sizeof(state));
    ck_assert_msg(strchr(state, '@') != NULL, "%s", state); /* it was looked at, and settled */
    ck_assert_uint_eq(tt_local_count(c->local).entries, 2); /* the term and the tag */
    tt_client_stop(c);
}
END_TEST

/* ---- writes ------------------------------------------------------------------------------------
 */

static void expect_tag(tt_client *c, const char *tag, const char *state)
{
    char found[128] = "";

    for (int i = 0; i < 500 && strcmp(found, state) != 0; i++) {
        tag_state(c, tag, found, sizeof(found));
        (void)nanosleep(&(struct timespec){0, 10000000}, NULL);
    }
    ck_assert_str_eq(found, state);
}

static int write_tagged(tt_client *c, tt_session *s, const char *sql, const char *tag)
{
    tt_write_options o = TT_WRITE_OPTIONS_INIT;

    o.tags = &tag;
    o.n_tags = 1;
    err = (tt_error)TT_ERROR_INIT;
    return tt_query_write(c, s, sql, NULL, 0, &o, NULL, &err);
}

/* A read that is cached gives the tag a history. */
static void make_known(tt_client *c, const char *tag)
{
    tt_read_options o = TT_READ_OPTIONS_INIT;
    char state[128] = "P";

    o.cache_class = "";
    o.tags = &tag;
    o.n_tags = 1;
    for (int i = 0; i < 500 && (state[0] == 'P' || state[0] == 'A'); i++) {
        tt_result *r = NULL;

        GIVES(tt_query_read(c, NULL, select_t, NULL, 0, &o, &r, NULL, &err), 0);
        tt_result_free(r);
        tag_state(c, tag, state, sizeof(state));
        (void)nanosleep(&(struct timespec){0, 10000000}, NULL);
    }
    ck_assert_msg(strchr(state, '@') != NULL, "%s", state);
}

/* A procedure may have committed before one of its statements was refused for being read-only. */
START_TEST(a_demotion_inside_a_procedure_is_not_tried_again)
{
    tt_client *c = client_new();

    make_known(c, "x");
    fake_set((fake.write = (fake_answer){.status = TT_DB_DEMOTED, .code = TT_E_UNAVAILABLE},
              fake.n_log = 0));
    GIVES(write_tagged(c, NULL, "CALL p()", "x"), TT_E_UNAVAILABLE);
    ck_assert_int_eq(fake_heard("id-1: CALL p()"), 1);
    expect_tag(c, "x", "P");
    make_known(c, "x");
    fake_set(fake.n_log = 0);
    GIVES(write_tagged(c, NULL, "UPDATE t SET v = 2", "x"), TT_E_UNAVAILABLE);
    ck_assert_int_gt(fake_heard("id-1: UPDATE t SET v = 2"), 1);
    tt_client_stop(c);
}
END_TEST

/* An error of the COMMIT does not say that nothing was committed. */
START_TEST(what_failed_in_its_commit_is_invalidated)
{
    static const struct {
        unsigned server_errno;
        bool bumped;
    } cases[] = {{1180, true}, {1317, true}, {1969, true}, {1064, false}};

    for (size_t i = 0; i < TT_COUNT(cases); i++) {
        tt_client *c = client_new();
        char before[128], after[128];

        make_known(c, "x");
        tag_state(c, "x", before, sizeof(before));
        fake_set((fake.write = (fake_answer){.status = TT_DB_REFUSED,
                                             .code = TT_E_SQL,
                                             .server_errno = cases[i].server_errno}));
        GIVES(write_tagged(c, NULL, "UPDATE t SET v = 2", "x"), TT_E_SQL);
        tag_state(c, "x", after, sizeof(after));
        ck_assert_str_eq(after, cases[i].bumped ? "P" : before);
        tt_client_stop(c);
        fake_reset();
    }
}
END_TEST

static tt_session *begin(tt_client *c)
{
    tt_session *s = NULL;

    GIVES(tt_session_new(c, &s, &err), 0);
    GIVES(tt_begin(s, NULL, &err), 0);
    return s;
}

/* `_i` 0: a procedure that commits inside a transaction; 1: whose answer is lost, so that it may
 * have. What the transaction had written until then is invalidated. */
START_TEST(a_commit_inside_a_transaction_is_invalidated)
{
    tt_client *c = client_new();
    tt_session *s;

    make_known(c, "x");
    make_known(c, "y");
    s = begin(c);
    fake_set(fake.write.position = false);
    GIVES(write_tagged(c, s, "UPDATE t SET v = 1", "x"), 0);
    GIVES(write_tagged(c, s, "CALL does_not_commit()", "x"), 0);
    if (_i == 0)
        fake_set(fake.write.position = true);
    else
        fake_set((fake.write.status = TT_DB_LOST, fake.write.code = TT_E_COMMIT_UNKNOWN));
    GIVES(write_tagged(c, s, "CALL p()", "y"), TT_E_COMMIT_UNKNOWN);
    expect_tag(c, "x", "P");
    expect_tag(c, "y", "P");
    ck_assert_int_eq(kills("id-1"), _i);
    ck_assert_int_eq(tt_session_in_transaction(s), 2);
    GIVES(write_tagged(c, s, "UPDATE t SET v = 2", "x"), TT_E_STATE);
    GIVES(tt_commit(s, 0, NULL, &err), TT_E_STATE);
    ck_assert_int_eq(fake_heard("id-1: COMMIT"), 0);
    tt_session_free(s);
    tt_client_stop(c);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("client");

    tcase_add_checked_fixture(t, fake_reset, NULL);
    tcase_set_timeout(t, 60);
    tcase_add_test(t, a_pooled_connection_to_another_server_serves_nobody);
    tcase_add_test(t, the_health_check_finds_the_new_server);
    tcase_add_test(t, a_kill_on_another_server_settles_nothing);
    tcase_add_test(t, closing_does_not_wait_for_the_unreachable);
    tcase_add_test(t, tables_have_one_tag_whatever_the_schema_of_the_client);
    tcase_add_test(t, tags_keep_the_names_that_callers_know);
    tcase_add_test(t, what_is_only_right_on_the_primary_stays_there);
    tcase_add_test(t, a_demotion_inside_a_procedure_is_not_tried_again);
    tcase_add_loop_test(t, a_commit_inside_a_transaction_is_invalidated, 0, 2);
    tcase_add_test(t, reads_that_are_not_proved_run_in_transactions);
    tcase_add_test(t, tags_count_where_nothing_is_kept);
    tcase_add_test(t, dates_and_times_are_in_range);
    tcase_add_test(t, plans_are_made_while_the_settings_change);
    tcase_add_test(t, what_failed_in_its_commit_is_invalidated);
    return suite_run("client", t);
}
