/* Bad input through the public API: each kind with its own error, with the server's own number and
 * text where it has one, and nothing lost: the same client serves reads and writes afterwards. */
#include "integration/api_support.h"

/* The client does everything that clients are for. */
static void expect_sound(tt_client *c)
{
    int64_t before = item(c, NULL, 9, NULL);

    ck_assert_int_eq(item_put(c, NULL, 9, before + 1), TT_INVALIDATED_DONE);
    ck_assert_int_eq(item(c, NULL, 9, NULL), before + 1);
    ck_assert(item_hits(c, 9, before + 1, 5000));
    ck_assert_int_eq(tt_client_ready(c, NULL), 0);
}

static int read_sql(tt_client *c, const char *sql, const tt_value *params, size_t n, tt_error *err)
{
    tt_result *untouched = (tt_result *)(void *)&c, *r = untouched;
    int rc = tt_query_read(c, NULL, sql, params, n, NULL, &r, NULL, err);

    if (rc == 0)
        tt_result_free(r);
    else
        ck_assert_ptr_eq(r, untouched); /* outputs are written on success only */
    return rc;
}

static int write_sql(tt_client *c, const char *sql, const tt_value *params, size_t n, tt_error *err)
{
    return tt_query_write(c, NULL, sql, params, n, NULL, NULL, err);
}

/* ---- opening -----------------------------------------------------------------------------------
 */

START_TEST(unknown_key)
{
    tt_config *cfg = config_new();

    EXPECT(tt_config_set(cfg, "database.pool.maximum", "3", &err), TT_E_CONFIG);
    EXPECT(tt_config_set(cfg, "database.pool.max", "many", &err), TT_E_CONFIG);
    EXPECT(tt_config_set(cfg, "database.pool.max", "100000000", &err), TT_E_CONFIG);
    EXPECT(tt_config_load_text(cfg, NULL, "cach: {}\n", 9, &err), TT_E_CONFIG);
    EXPECT(tt_config_load_file(cfg, "/nonexistent/twotier.yaml", &err), TT_E_CONFIG);
    expect_sound(client_of(cfg)); /* nothing of it was taken */
}
END_TEST

/* Opening with one key changed fails with `code`, and soon. */
static void expect_no_open(const char *key, const char *text, int code, unsigned number)
{
    tt_config *cfg = config_new();
    tt_client *c = NULL;
    tt_error e = TT_ERROR_INIT;
    int rc;

    config_put(cfg, key, text);
    rc = tt_client_open(cfg, &c, &e);
    expect_code(rc, &e, code, key);
    ck_assert_ptr_null(c);
    if (number)
        ck_assert_uint_eq(e.server_errno, number);
    ck_assert_ptr_null(strstr(e.message, getenv("TT_DB_PASSWORD")));
    tt_config_free(cfg);
}

START_TEST(not_opened)
{
    expect_no_open("database.primary.port", "1", TT_E_UNAVAILABLE, 0);
    admin_sql("primary", "GRANT SELECT ON no_such_schema.* TO app@127.0.0.1");
    expect_no_open("database.schema", "no_such_schema", TT_E_SCHEMA, 1049);
    expect_no_open("database.schema", "mysql", TT_E_DENIED, 1044);
    expect_no_open("database.user", "nobody", TT_E_DENIED, 0);
    expect_no_open("database.password_file", "/nonexistent/password", TT_E_CONFIG, 0);
    expect_no_open("cache.redis", "sentinel://127.0.0.1:1/x", TT_E_UNSUPPORTED, 0);
}
END_TEST

START_TEST(wrong_password)
{
    tt_config *cfg = config_new();
    tt_client *c = NULL;
    tt_error e = TT_ERROR_INIT;
    int rc;

    ck_assert_int_eq(tt_config_set_password(cfg, "not-the-password", &e), 0);
    rc = tt_client_open(cfg, &c, &e);
    expect_code(rc, &e, TT_E_DENIED, "wrong password");
    ck_assert_uint_eq(e.server_errno, 1045);
    ck_assert_str_eq(e.sqlstate, "28000");
    ck_assert_ptr_nonnull(strstr(e.node, getenv("TT_PRIMARY_PORT")));
    ck_assert_ptr_null(strstr(e.message, "not-the-password"));
    ck_assert_int_eq(tt_config_set_password(cfg, getenv("TT_DB_PASSWORD"), &e), 0);
    expect_sound(client_of(cfg));
}
END_TEST

/* No Redis there: no error at the opening, reads go on past it, writes are refused and not sent. */
START_TEST(wrong_redis_port)
{
    tt_config *cfg = config_new();
    tt_read_info info = TT_READ_INFO_INIT;
    tt_client *c;
    int64_t v;

    config_put(cfg, "cache.redis", "redis://127.0.0.1:1/0");
    c = client_of(cfg);
    v = item(c, NULL, 1, &info);
    ck_assert_int_eq(info.source, TT_SOURCE_PRIMARY);
    EXPECT(item_write(c, NULL, 1, v + 1, 0, NULL, &err), TT_E_CACHE_UNAVAILABLE);
    ck_assert_int_eq(item(c, NULL, 1, NULL), v);
    EXPECT(tt_cache_clear(c, 0, &err), TT_E_CACHE_UNAVAILABLE);
    EXPECT(tt_invalidate_tags(c, (const char *const[]){"item:1"}, 1, 0, &err),
           TT_E_CACHE_UNAVAILABLE);
    /* What invalidates nothing needs no cache. */
    EXPECT(
        tt_query_write(c, NULL, "UPDATE items SET v = v WHERE id = 1", NULL, 0,
                       &(tt_write_options){sizeof(tt_write_options), NULL, 0, TT_WRITE_NO_TAGS, 0},
                       NULL, &err),
        0);
    tt_client_close(c);
}
END_TEST

/* A Redis that is there and says no: that will not mend itself. */
START_TEST(wrong_redis_password)
{
    tt_config *cfg = config_new();
    redisContext *raw = redis_raw();
    tt_client *c = NULL;
    tt_error e = TT_ERROR_INIT;
    int rc;

    freeReplyObject(redisCommand(raw, "CONFIG SET requirepass right"));
    ck_assert_int_eq(tt_config_set_redis_password(cfg, "wrong-secret", &e), 0);
    rc = tt_client_open(cfg, &c, &e);
    ck_assert_int_eq(tt_config_set_redis_password(cfg, "right", NULL), 0);
    if (rc == TT_E_DENIED) {
        ck_assert_ptr_null(strstr(e.message, "wrong-secret"));
        expect_sound(client_of(cfg));
    }
    freeReplyObject(redisCommand(raw, "AUTH right"));
    freeReplyObject(redisCommand(raw, "CONFIG SET requirepass %s", ""));
    redisFree(raw);
    expect_code(rc, &e, TT_E_DENIED, "wrong password of Redis");
}
END_TEST

/* ---- statements --------------------------------------------------------------------------------
 */

START_TEST(parameters)
{
    tt_client *c = client_new();
    tt_value two[] = {tt_int(1), tt_int(2)}, odd = tt_int(1);

    EXPECT(read_sql(c, SELECT_ITEM, NULL, 0, &err), TT_E_PARAMETERS);
    EXPECT(read_sql(c, SELECT_ITEM, two, 2, &err), TT_E_PARAMETERS);
    EXPECT(read_sql(c, "SELECT 1", two, 1, &err), TT_E_PARAMETERS);
    EXPECT(write_sql(c, UPDATE_ITEM, two, 1, &err), TT_E_PARAMETERS);
    EXPECT(read_sql(c, SELECT_ITEM, NULL, 1, &err), TT_E_ARGUMENT);
    odd.type = (tt_type)77;
    EXPECT(read_sql(c, SELECT_ITEM, &odd, 1, &err), TT_E_ARGUMENT);
    odd = tt_blob("x", (size_t)TT_VALUE_BYTES_MAX + 1);
    EXPECT(read_sql(c, SELECT_ITEM, &odd, 1, &err), TT_E_LIMIT);
    EXPECT(read_sql(c, NULL, NULL, 0, &err), TT_E_ARGUMENT);
    EXPECT(write_sql(c, NULL, NULL, 0, &err), TT_E_ARGUMENT);
    expect_sound(c);
    tt_client_close(c);
}
END_TEST

START_TEST(refused_by_the_server)
{
    tt_client *c = client_new();
    tt_error e = TT_ERROR_INIT;

    expect_code(read_sql(c, "SELECT id FROM items WHERE WHERE id = 1", NULL, 0, &e), &e, TT_E_SQL,
                "1064");
    ck_assert_uint_eq(e.server_errno, 1064);
    ck_assert_str_eq(e.sqlstate, "42000");
    ck_assert_str_ne(e.node, "");
    expect_code(read_sql(c, "SELECT id FROM nowhere", NULL, 0, &e), &e, TT_E_SQL, "1146");
    ck_assert_uint_eq(e.server_errno, 1146);
    ck_assert_str_eq(e.sqlstate, "42S02");
    ck_assert_ptr_nonnull(strstr(e.message, "nowhere"));
    expect_code(write_sql(c, "UPDATE nowhere SET v = 1", NULL, 0, &e), &e, TT_E_SQL, "1146 write");
    ck_assert_uint_eq(e.server_errno, 1146);
    expect_code(write_sql(c, "UPDATE items SET w = 1", NULL, 0, &e), &e, TT_E_SQL, "1054");
    ck_assert_uint_eq(e.server_errno, 1054);
    expect_code(read_sql(c, "SELECT id FROM mysql.user", NULL, 0, &e), &e, TT_E_DENIED, "1142");
    expect_sound(c);
    tt_client_close(c);
}
END_TEST

START_TEST(constraints)
{
    tt_client *c = client_new();
    tt_error e = TT_ERROR_INIT;

    expect_code(write_sql(c, "INSERT INTO items (id, v) VALUES (1, 1)", NULL, 0, &e), &e,
                TT_E_CONSTRAINT, "duplicate");
    ck_assert_uint_eq(e.server_errno, 1062);
    ck_assert_str_eq(e.sqlstate, "23000");
    ck_assert_int_eq(tt_error_class(e.code), TT_CLASS_DATA);
    expect_code(write_sql(c, "UPDATE items SET v = NULL WHERE id = 1", NULL, 0, &e), &e,
                TT_E_CONSTRAINT, "NULL");
    ck_assert_uint_eq(e.server_errno, 1048);
    ck_assert_int_eq(item(c, NULL, 1, NULL), 10);
    expect_sound(c);
    tt_client_close(c);
}
END_TEST

static const char *const no_reads[] = {
    "UPDATE items SET v = 0",
    "SELECT 1; SELECT 2",
    "SELECT 1; DELETE FROM items",
    "SELECT v FROM items FOR UPDATE",
    "SELECT v FROM items LOCK IN SHARE MODE",
    "SELECT v INTO OUTFILE 'x' FROM items",
    "SELECT v INTO @x FROM items LIMIT 1",
    "SELECT @x := 1",
    "SELECT no_such_function(1)",
    "SELECT GET_LOCK('x', 1)",
    "CALL p()",
    "BEGIN",
    "COMMIT",
    "SET autocommit = 0",
    "DROP TABLE items",
    "LOCK TABLES items READ",
    "USE mysql",
    "DO SLEEP(1)",
    "",
    "  -- nothing",
    "SELECT 'open",
    "SELECT 1 /*! ; DELETE FROM items */",
    "/*! DELETE FROM items */",
    "WITH x AS (SELECT 1) DELETE FROM items",
    "SELEC 1",
};

static const char *const no_writes[] = {
    "SELECT 1",
    "SELECT v FROM items FOR UPDATE",
    "UPDATE items SET v = 0; DELETE FROM items",
    "BEGIN",
    "START TRANSACTION",
    "COMMIT",
    "SET autocommit = 0",
    "USE mysql",
    "LOCK TABLES items WRITE",
    "",
    "UPDATE items SET v = 'open",
    "SHOW TABLES",
    "XA START 'x'",
    "PREPARE p FROM 'DELETE FROM items'",
};

START_TEST(wrong_class)
{
    tt_client *c = client_new();
    tt_statement *untouched = (tt_statement *)(void *)&c, *s = untouched;

    for (size_t i = 0; i < TT_COUNT(no_reads); i++) {
        tt_error e = TT_ERROR_INIT;

        expect_code(read_sql(c, no_reads[i], NULL, 0, &e), &e, TT_E_STATEMENT, no_reads[i]);
        ck_assert_uint_eq(e.server_errno, 0); /* no server has seen it */
        expect_code(tt_statement_new_read(c, no_reads[i], NULL, &s, &e), &e, TT_E_STATEMENT,
                    no_reads[i]);
    }
    for (size_t i = 0; i < TT_COUNT(no_writes); i++) {
        tt_error e = TT_ERROR_INIT;

        expect_code(write_sql(c, no_writes[i], NULL, 0, &e), &e, TT_E_STATEMENT, no_writes[i]);
        ck_assert_uint_eq(e.server_errno, 0);
        expect_code(tt_statement_new_write(c, no_writes[i], NULL, &s, &e), &e, TT_E_STATEMENT,
                    no_writes[i]);
    }
    ck_assert_ptr_eq(s, untouched);
    ck_assert_int_eq(item(c, NULL, 1, NULL), 10);
    expect_sound(c);
    tt_client_close(c);
}
END_TEST

START_TEST(statements_of_the_other_kind)
{
    tt_client *c = client_new();
    tt_statement *r = NULL, *w = NULL;
    tt_value params[] = {tt_int(10), tt_int(1)};
    tt_result *result = NULL;

    EXPECT(tt_statement_new_read(c, SELECT_ITEM, NULL, &r, &err), 0);
    EXPECT(tt_statement_new_write(c, UPDATE_ITEM, NULL, &w, &err), 0);
    EXPECT(tt_statement_read(w, NULL, params, 2, NULL, &result, NULL, &err), TT_E_STATE);
    EXPECT(tt_statement_write(r, NULL, params, 1, NULL, NULL, &err), TT_E_STATE);
    EXPECT(tt_statement_read(NULL, NULL, params, 1, NULL, &result, NULL, &err), TT_E_ARGUMENT);
    EXPECT(tt_statement_read(r, NULL, params, 1, NULL, NULL, NULL, &err), TT_E_ARGUMENT);
    EXPECT(tt_statement_write(NULL, NULL, params, 1, NULL, NULL, &err), TT_E_ARGUMENT);
    EXPECT(tt_statement_read(r, NULL, params, 2, NULL, &result, NULL, &err), TT_E_PARAMETERS);
    EXPECT(tt_statement_write(w, NULL, params, 2, NULL, NULL, &err), 0);
    ck_assert_ptr_null(result);
    tt_statement_free(r);
    tt_statement_free(w);
    tt_statement_free(NULL);
    expect_sound(c);
    tt_client_close(c);
}
END_TEST

START_TEST(limits)
{
    tt_config *cfg = config_new();
    tt_client *c;
    char *sql = malloc(TT_SQL_MAX + 32);

    config_put(cfg, "limits.result_rows", "5");
    config_put(cfg, "limits.result_bytes", "1KiB");
    c = client_of(cfg);
    EXPECT(read_sql(c, "SELECT id FROM items", NULL, 0, &err), TT_E_LIMIT);
    EXPECT(read_sql(c, "SELECT id FROM items LIMIT 5", NULL, 0, &err), 0);
    EXPECT(read_sql(c, "SELECT REPEAT('x', 2000)", NULL, 0, &err), TT_E_LIMIT);
    EXPECT(read_sql(c, "SELECT REPEAT('x', 200)", NULL, 0, &err), 0);
    memset(sql, ' ', TT_SQL_MAX + 8);
    memcpy(sql, "SELECT 1", 8);
    sql[TT_SQL_MAX] = '\0';
    EXPECT(read_sql(c, sql, NULL, 0, &err), 0);
    sql[TT_SQL_MAX] = ' ';
    sql[TT_SQL_MAX + 1] = '\0';
    EXPECT(read_sql(c, sql, NULL, 0, &err), TT_E_LIMIT);
    EXPECT(write_sql(c, sql, NULL, 0, &err), TT_E_LIMIT);
    free(sql);
    expect_sound(c);
    tt_client_close(c);
}
END_TEST

/* ---- tags and options --------------------------------------------------------------------------
 */

static int read_tagged(tt_client *c, const char *const *tags, size_t n, tt_error *err)
{
    tt_read_options o = TT_READ_OPTIONS_INIT;
    tt_value param = tt_int(1);
    tt_result *r = NULL;
    int rc;

    o.cache_class = "";
    o.tags = tags;
    o.n_tags = n;
    rc = tt_query_read(c, NULL, SELECT_ITEM, &param, 1, &o, &r, NULL, err);
    tt_result_free(r);
    return rc;
}

START_TEST(tags)
{
    static const char *const bad[] = {"item:{2}", "item:{0}", "item:{x}", "item:{1", "{}",
                                      "a b",      "",         "tab\tbed", "}{"};
    tt_client *c = client_new();
    const char *many[TT_TAGS_PER_CALL_MAX + 1];
    char names[TT_TAGS_PER_CALL_MAX + 1][8], longest[TT_TAG_MAX + 2];
    const char *one = longest;

    for (size_t i = 0; i < TT_COUNT(bad); i++)
        EXPECT(read_tagged(c, &bad[i], 1, &err), TT_E_ARGUMENT);
    for (size_t i = 0; i < TT_COUNT(many); i++) {
        (void)snprintf(names[i], sizeof(names[i]), "tag%zu", i);
        many[i] = names[i];
    }
    EXPECT(read_tagged(c, many, TT_TAGS_PER_CALL_MAX, &err), 0);
    EXPECT(read_tagged(c, many, TT_TAGS_PER_CALL_MAX + 1, &err), TT_E_LIMIT);
    EXPECT(tt_invalidate_tags(c, many, TT_TAGS_PER_CALL_MAX, 0, &err), 0);
    EXPECT(tt_invalidate_tags(c, many, TT_TAGS_PER_CALL_MAX + 1, 0, &err), TT_E_LIMIT);
    EXPECT(tt_invalidate_tags(c, NULL, 1, 0, &err), TT_E_ARGUMENT);
    EXPECT(tt_invalidate_tags(c, many, 0, 0, &err), TT_E_ARGUMENT);
    memset(longest, 'x', sizeof(longest));
    longest[TT_TAG_MAX + 1] = '\0';
    EXPECT(tt_invalidate_tags(c, &one, 1, 0, &err), TT_E_ARGUMENT);
    longest[TT_TAG_MAX] = '\0';
    EXPECT(tt_invalidate_tags(c, &one, 1, 0, &err), 0);
    many[3] = NULL;
    EXPECT(read_tagged(c, many, 5, &err), TT_E_ARGUMENT);
    EXPECT(tt_invalidate_tags(c, many, 5, 0, &err), TT_E_ARGUMENT);
    EXPECT(read_tagged(c, NULL, 5, &err), TT_E_ARGUMENT);
    expect_sound(c);
    tt_client_close(c);
}
END_TEST

static int read_with(tt_client *c, const tt_read_options *o, tt_error *err)
{
    tt_result *r = NULL;
    int rc = tt_query_read(c, NULL, "SELECT id FROM items WHERE id = 1", NULL, 0, o, &r, NULL, err);

    tt_result_free(r);
    return rc;
}

START_TEST(read_options)
{
    static const char *const tag[] = {"item:1"};
    tt_client *c = client_new();
    tt_read_options o = TT_READ_OPTIONS_INIT;

    o.tags = tag;
    o.n_tags = 1; /* but no class: would not be cached */
    EXPECT(read_with(c, &o, &err), TT_E_ARGUMENT);
    o.cache_class = "no-such-class";
    EXPECT(read_with(c, &o, &err), TT_E_ARGUMENT);
    o = (tt_read_options)TT_READ_OPTIONS_INIT;
    o.timeout_ms = -1;
    EXPECT(read_with(c, &o, &err), TT_E_ARGUMENT);
    o.timeout_ms = TT_TIMEOUT_MS_MAX + 1;
    EXPECT(read_with(c, &o, &err), TT_E_ARGUMENT);
    o.timeout_ms = TT_TIMEOUT_MS_MAX;
    EXPECT(read_with(c, &o, &err), 0);
    o.consistency = 17;
    EXPECT(read_with(c, &o, &err), TT_E_ARGUMENT);
    o.consistency = TT_BOUNDED;
    EXPECT(read_with(c, &o, &err), TT_E_UNSUPPORTED);
    EXPECT(tt_warm(c, "SELECT 1", NULL, 0, NULL, &err), TT_E_ARGUMENT);
    o = (tt_read_options)TT_READ_OPTIONS_INIT;
    EXPECT(tt_warm(c, "SELECT 1", NULL, 0, &o, &err), TT_E_ARGUMENT);
    expect_sound(c);
    tt_client_close(c);
}
END_TEST

START_TEST(write_options)
{
    tt_invalidate_options invalidate = TT_INVALIDATE_OPTIONS_INIT;
    static const char *const tag[] = {"item:1"};
    const char *sql = "UPDATE items SET v = v WHERE id = 1";
    tt_client *c = client_new();
    tt_write_options o = TT_WRITE_OPTIONS_INIT;

    o.flags = 4;
    EXPECT(tt_query_write(c, NULL, sql, NULL, 0, &o, NULL, &err), TT_E_ARGUMENT);
    o.flags = TT_WRITE_NO_TAGS;
    o.tags = tag;
    o.n_tags = 1;
    EXPECT(tt_query_write(c, NULL, sql, NULL, 0, &o, NULL, &err), TT_E_ARGUMENT);
    o.flags = 0;
    o.timeout_ms = -5;
    EXPECT(tt_query_write(c, NULL, sql, NULL, 0, &o, NULL, &err), TT_E_ARGUMENT);
    o.timeout_ms = 0;
    EXPECT(tt_query_write(c, NULL, sql, NULL, 0, &o, NULL, &err), 0);
    invalidate.timeout_ms = -1;
    EXPECT(tt_cache_clear(c, &invalidate, &err), TT_E_ARGUMENT);
    invalidate.timeout_ms = TT_TIMEOUT_MS_MAX + 1;
    EXPECT(tt_invalidate_tags(c, tag, 1, &invalidate, &err), TT_E_ARGUMENT);
    expect_sound(c);
    tt_client_close(c);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("api_errors");
    int rc;

    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, items_new, NULL);
    tcase_add_test(t, unknown_key);
    tcase_add_test(t, not_opened);
    tcase_add_test(t, wrong_password);
    tcase_add_test(t, wrong_redis_port);
    tcase_add_test(t, wrong_redis_password);
    tcase_add_test(t, parameters);
    tcase_add_test(t, refused_by_the_server);
    tcase_add_test(t, constraints);
    tcase_add_test(t, wrong_class);
    tcase_add_test(t, statements_of_the_other_kind);
    tcase_add_test(t, limits);
    tcase_add_test(t, tags);
    tcase_add_test(t, read_options);
    tcase_add_test(t, write_options);
    servers_up("");
    rc = suite_run("api_errors", t);
    servers_down();
    return rc;
}
