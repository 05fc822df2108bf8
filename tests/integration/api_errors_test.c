/* Bad input through the public API: each kind with its own error, with the server's own number and
 * text where it has one, and nothing lost: the same client serves reads and writes afterwards. */
#include "integration/api_support.h"

/* The sum of a metric over the nodes. */
static double sum_of(tt_client *c, const char *metric)
{
    tt_document *d = NULL;
    const char *p;
    double sum = 0;

    EXPECT(tt_metrics_render(c, &d, &err), 0);
    for (p = tt_document_text(d); (p = strstr(p, metric)) != NULL; p += strlen(metric))
        if (p[strlen(metric)] == '{')
            sum += strtod(strchr(p, '}') + 1, NULL);
    tt_document_free(d);
    return sum;
}

/* No connection is with a call that has ended, nobody waits, nothing is under way. */
static void expect_all_back(tt_client *c)
{
    ck_assert(sum_of(c, "twotier_pool_open") == sum_of(c, "twotier_pool_idle"));
    ck_assert(sum_of(c, "twotier_pool_waiting") == 0);
    ck_assert(sum_of(c, "twotier_node_in_flight") == 0);
}

/* The client does everything that clients are for, and has lost nothing. */
static void expect_sound(tt_client *c)
{
    int64_t before = item(c, NULL, 9, NULL);

    ck_assert_int_eq(item_put(c, NULL, 9, before + 1), TT_INVALIDATED_DONE);
    ck_assert_int_eq(item(c, NULL, 9, NULL), before + 1);
    ck_assert(item_hits(c, 9, before + 1, 5000));
    ck_assert_int_eq(tt_client_ready(c, NULL), 0);
    ck_assert(sum_of(c, "twotier_pool_open") > 0);
    expect_all_back(c);
}

/* Every one of the words is in the message: what was expected, and what came. */
static void expect_words(const tt_error *e, const char *what, const char *const *words)
{
    for (; *words; words++)
        ck_assert_msg(strstr(e->message, *words) != NULL, "%s: no '%s' in: %s", what, *words,
                      e->message);
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

/* What a file says that it may not say; where, and what is told of it. */
static const struct {
    const char *text;
    const char *words[6];
} files[] = {
    {"database:\n  pol: { max: 3 }\n",
     {"app.yaml:2:3:", "unknown key \"database.pol\"", "did you mean \"database.pool\"?"}},
    {"cach: {}\n", {"app.yaml:1:1:", "\"cach\"", "did you mean \"cache\"?"}},
    {"database:\n  pool:\n    max: many\n",
     {"app.yaml:3:10:", "database.pool.max", "expected an integer from 1 to 1000", "got \"many\""}},
    {"database: { pool: { max: 100000000 } }\n",
     {"app.yaml:1:26:", "database.pool.max", "from 1 to 1000", "got \"100000000\""}},
    {"cache: { timeout: 5 }\n",
     {"app.yaml:1:19:", "cache.timeout", "a duration from 1ms to 10s", "250ms", "got \"5\""}},
    {"database: [a]\n", {"app.yaml:1:11:", "database: expected a mapping"}},
    {"database: { user: a, user: b }\n", {"app.yaml:1:22:", "database.user", "first on line 1"}},
    {"database: { password: x }\n",
     {"app.yaml:1:13:", "password_env or password_file", "does not belong"}},
    {"cache: {\n", {"app.yaml:2:1:", "not valid YAML"}},
};

START_TEST(files_that_are_wrong)
{
    tt_config *cfg = config_new();
    char before[64], after[64];
    tt_error e = TT_ERROR_INIT;
    const char *text = files[_i].text;

    ck_assert_int_eq(tt_config_get(cfg, "database.pool.max", before, sizeof(before), NULL), 0);
    expect_code(tt_config_load_text(cfg, "app.yaml", text, strlen(text), &e), &e, TT_E_CONFIG,
                text);
    expect_words(&e, text, files[_i].words);
    ck_assert_int_eq(tt_config_get(cfg, "database.pool.max", after, sizeof(after), NULL), 0);
    ck_assert_str_eq(before, after);
    tt_config_free(cfg);
}
END_TEST

/* The same for a single key, which has no place in a file. */
START_TEST(keys_that_are_wrong)
{
    static const struct {
        const char *key, *text, *words[4];
    } keys[] = {
        {"database.pool.maximum", "3", {"database.pool.maximum", "did you mean", "pool.max\"?"}},
        {"database.pool.mix", "3", {"did you mean \"database.pool.min\"?"}},
        {"database.pool.max", "many", {"expected an integer from 1 to 1000", "got \"many\""}},
        {"database.replicas[7].host", "a", {"replicas", "the next replica is number 2"}},
    };
    tt_config *cfg = config_new();

    for (size_t i = 0; i < TT_COUNT(keys); i++) {
        tt_error e = TT_ERROR_INIT;

        expect_code(tt_config_set(cfg, keys[i].key, keys[i].text, &e), &e, TT_E_CONFIG,
                    keys[i].key);
        expect_words(&e, keys[i].key, keys[i].words);
    }
    tt_config_free(cfg);
}
END_TEST

/* Connections of the application to the primary, besides this one. */
static int64_t connections(tt_db_conn *raw)
{
    return number(raw, "SELECT COUNT(*) FROM information_schema.processlist "
                       "WHERE user = SUBSTRING_INDEX(USER(), '@', 1) AND id <> CONNECTION_ID()");
}

static const struct {
    const char *key, *text;
    int code;
    unsigned number;
    const char *sqlstate;
    const char *node; /* of the port; NULL: none is concerned */
    const char *words[4];
} openings[] = {
    {"database.primary.port", "1", TT_E_UNAVAILABLE, 2002, "HY000", ":1", {"127.0.0.1"}},
    {"database.schema",
     "no_such_schema",
     TT_E_SCHEMA,
     1049,
     "42000",
     "PRIMARY",
     {"Unknown database", "'no_such_schema'"}},
    {"database.schema", "mysql", TT_E_DENIED, 1044, "42000", "PRIMARY", {"denied", "'mysql'"}},
    {"database.user", "nobody", TT_E_DENIED, 0, NULL, "PRIMARY", {"denied", "'nobody'"}},
    {"database.password_file",
     "/nonexistent/password",
     TT_E_CONFIG,
     0,
     "",
     NULL,
     {"cannot read /nonexistent/password"}},
    {"database.password_env",
     "TT_NOT_SET",
     TT_E_CONFIG,
     0,
     "",
     NULL,
     {"password_env and database.password_file are both set", "expected one"}},
    {"cache.redis",
     "sentinel://127.0.0.1:1/x",
     TT_E_UNSUPPORTED,
     0,
     "",
     NULL,
     {"sentinel://", "expected redis://"}},
};

/* Of a port where nobody listens Oracle's client library has another number than MariaDB's. */
static bool is_number(unsigned got, unsigned expected)
{
    return got == expected || (expected == 2002 && got == 2003);
}

static void expect_node(const tt_error *e, const char *node)
{
    char text[TT_ERROR_NODE_MAX], name[32];

    if (!node) {
        ck_assert_str_eq(e->node, "");
        return;
    }
    (void)snprintf(name, sizeof(name), "TT_%s_PORT", node);
    (void)snprintf(text, sizeof(text), "127.0.0.1:%s", *node == ':' ? node + 1 : getenv(name));
    ck_assert_str_eq(e->node, text);
}

/* Opening with one key changed fails, soon, and leaves no connection behind. */
START_TEST(not_opened)
{
    int64_t since = tt_now_ns(&tt_clock_system), before;
    tt_db_conn *raw = open_to("PRIMARY");
    tt_config *cfg = config_new();
    tt_client *c = NULL;
    tt_error e = TT_ERROR_INIT;

    admin_sql("primary", "GRANT SELECT ON no_such_schema.* TO app@127.0.0.1");
    before = connections(raw);
    config_put(cfg, openings[_i].key, openings[_i].text);
    expect_code(tt_client_open(cfg, &c, &e), &e, openings[_i].code, openings[_i].key);
    ck_assert_ptr_null(c);
    if (openings[_i].number || !openings[_i].node)
        ck_assert_msg(is_number(e.server_errno, openings[_i].number), "%u", e.server_errno);
    if (openings[_i].sqlstate)
        ck_assert_str_eq(e.sqlstate, openings[_i].sqlstate);
    expect_node(&e, openings[_i].node);
    expect_words(&e, openings[_i].key, openings[_i].words);
    ck_assert_ptr_null(strstr(e.message, getenv("TT_DB_PASSWORD")));
    while (connections(raw) > before) { /* the server takes a moment to see that they are gone */
        ck_assert_int_lt(elapsed_ms(since), 20000);
        pause_ms(10);
    }
    db->close(raw);
    tt_config_free(cfg);
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
    expect_node(&e, "REDIS");
    ck_assert_ptr_nonnull(strstr(e.message, "WRONGPASS"));
}
END_TEST

/* The rights of the account of Redis in docs/servers.md, from its ~KEYS on. */
static void documented_rights(char *out, size_t size)
{
    char line[512], *rights = NULL;
    FILE *page = fopen(TT_SERVERS_PAGE, "r");

    ck_assert_ptr_nonnull(page);
    while (!rights && fgets(line, sizeof(line), page))
        if (strncmp(line, "ACL SETUSER app ", 16) == 0)
            rights = strstr(line, " +");
    (void)fclose(page);
    ck_assert_ptr_nonnull(rights);
    (void)snprintf(out, size, "%.*s", (int)strcspn(rights, "\n"), rights);
}

START_TEST(rights_in_redis_that_are_documented_are_enough)
{
    char rights[400], command[500], url[64];
    const char *tag = "some";
    tt_config *cfg = config_new();
    redisContext *raw = redis_raw();
    redisReply *log;
    tt_client *c;

    documented_rights(rights, sizeof(rights));
    (void)snprintf(command, sizeof(command), "ACL SETUSER app on >of-app ~*%s", rights);
    freeReplyObject(redisCommand(raw, command));
    freeReplyObject(redisCommand(raw, "ACL LOG RESET"));
    (void)snprintf(url, sizeof(url), "redis://app@127.0.0.1:%s/0", getenv("TT_REDIS_PORT"));
    config_put(cfg, "cache.redis", url);
    EXPECT(tt_config_set_redis_password(cfg, "of-app", &err), 0);
    c = client_of(cfg);
    expect_sound(c);
    EXPECT(tt_invalidate_tags(c, &tag, 1, NULL, &err), 0);
    EXPECT(tt_cache_clear(c, NULL, &err), 0);
    expect_sound(c);
    tt_client_close(c);
    log = redisCommand(raw, "ACL LOG");
    ck_assert_uint_eq(log->elements, 0);
    freeReplyObject(log);
    freeReplyObject(redisCommand(raw, "ACL DELUSER app"));
    redisFree(raw);
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

/* What a statement is refused for, and what is told of it. */
typedef struct refused {
    const char *sql;
    bool writes;
    int n; /* parameters: 1, NULL, 3 */
    int code;
    unsigned number;
    const char *sqlstate; /* NULL: not the same with both servers */
    const char *node;     /* "": some node; NULL: no server has seen it */
    const char *words[4];
} refused;

static const refused statements[] = {
    {SELECT_ITEM, false, 0, TT_E_PARAMETERS, 0, "", NULL, {"has 1 parameter", "0 were given"}},
    {SELECT_ITEM, false, 2, TT_E_PARAMETERS, 0, "", NULL, {"has 1 parameter", "2 were given"}},
    {"SELECT 1", false, 1, TT_E_PARAMETERS, 0, "", NULL, {"has 0 parameters", "1 were given"}},
    {UPDATE_ITEM, true, 1, TT_E_PARAMETERS, 0, "", NULL, {"has 2 parameters", "1 were given"}},
    {UPDATE_ITEM, true, 3, TT_E_PARAMETERS, 0, "", NULL, {"has 2 parameters", "3 were given"}},
    {NULL, false, 0, TT_E_ARGUMENT, 0, "", NULL, {"the statement is NULL"}},
    {NULL, true, 0, TT_E_ARGUMENT, 0, "", NULL, {"the statement is NULL"}},
    {"SELECT id FROM items WHERE WHERE",
     false,
     0,
     TT_E_SQL,
     1064,
     "42000",
     "",
     {"'WHERE' at line"}},
    {"UPDATE items SET", true, 0, TT_E_SQL, 1064, "42000", "PRIMARY", {"syntax"}},
    {"SELECT id FROM nowhere", false, 0, TT_E_SQL, 1146, "42S02", "", {"nowhere' doesn't exist"}},
    {"DELETE FROM nowhere",
     true,
     0,
     TT_E_SQL,
     1146,
     "42S02",
     "PRIMARY",
     {"nowhere' doesn't exist"}},
    {"SELECT w FROM items", false, 0, TT_E_SQL, 1054, "42S22", "", {"Unknown column 'w'"}},
    {"UPDATE items SET w = 1", true, 0, TT_E_SQL, 1054, "42S22", "PRIMARY", {"Unknown column 'w'"}},
    {"SELECT user FROM mysql.user", false, 0, TT_E_DENIED, 1142, "42000", "", {"SELECT", "denied"}},
    {"UPDATE items SET v = 1",
     false,
     0,
     TT_E_STATEMENT,
     0,
     "",
     NULL,
     {"only reads", "class \"write\"", "use tt_query_write"}},
    {"SELECT 1",
     true,
     0,
     TT_E_STATEMENT,
     0,
     "",
     NULL,
     {"changes rows or the schema", "class \"read\"", "use tt_query_read"}},
    {"SELECT id FROM items", false, 0, TT_E_LIMIT, 0, "", "", {"larger than 5 rows"}},
    {"SELECT REPEAT('x', 2000)", false, 0, TT_E_LIMIT, 0, "", "", {"or 1024 bytes"}},
    {"INSERT INTO items VALUES (1, 1)",
     true,
     0,
     TT_E_CONSTRAINT,
     1062,
     "23000",
     "PRIMARY",
     {"Duplicate entry '1'", "PRIMARY"}},
    {"UPDATE items SET v = NULL WHERE id = 1",
     true,
     0,
     TT_E_CONSTRAINT,
     1048,
     "23000",
     "PRIMARY",
     {"Column 'v' cannot be null"}},
    {"UPDATE items SET id = ?, v = ? WHERE id = 1",
     true,
     2,
     TT_E_CONSTRAINT,
     1048,
     "23000",
     "PRIMARY",
     {"Column 'v' cannot be null"}},
    {"INSERT INTO items (id) VALUES (77)",
     true,
     0,
     TT_E_CONSTRAINT,
     1364,
     "HY000",
     "PRIMARY",
     {"'v' doesn't have a default"}},
    {"INSERT INTO items VALUES (78, 'abc')",
     true,
     0,
     TT_E_CONSTRAINT,
     1366,
     NULL,
     "PRIMARY",
     {"Incorrect integer value: 'abc'"}},
    {"INSERT INTO items VALUES (78, 99999999999999999999)",
     true,
     0,
     TT_E_CONSTRAINT,
     1264,
     "22003",
     "PRIMARY",
     {"Out of range", "'v'"}},
};

/* What is the matter with each is told in full, and the same client serves afterwards. */
START_TEST(refused_statements)
{
    const tt_value params[] = {tt_int(1), tt_null(), tt_int(3)};
    tt_config *cfg = config_new();
    tt_client *c;

    config_put(cfg, "limits.result_rows", "5");
    config_put(cfg, "limits.result_bytes", "1KiB");
    c = client_of(cfg);
    for (size_t i = 0; i < TT_COUNT(statements); i++) {
        const refused *r = &statements[i];
        const char *what = r->sql ? r->sql : "NULL";
        tt_error e = TT_ERROR_INIT;
        size_t n = (size_t)r->n;

        expect_code(r->writes ? write_sql(c, r->sql, params, n, &e)
                              : read_sql(c, r->sql, params, n, &e),
                    &e, r->code, what);
        ck_assert_msg(e.server_errno == r->number, "%s: number %u", what, e.server_errno);
        ck_assert_msg(!r->sqlstate || strcmp(e.sqlstate, r->sqlstate) == 0, "%s: %s", what,
                      e.sqlstate);
        if (!r->node || *r->node)
            expect_node(&e, r->node);
        else
            ck_assert_msg(strncmp(e.node, "127.0.0.1:", 10) == 0, "%s: no node", what);
        expect_words(&e, what, r->words);
        expect_all_back(c);
        ck_assert_int_eq(item(c, NULL, 1, NULL), 10); /* nothing was changed */
    }
    expect_sound(c);
    tt_client_close(c);
}
END_TEST

/* A NULL in a result, and getters that ask for something else; outputs stay as they were. */
START_TEST(values_that_are_not_there)
{
    tt_client *c = client_new();
    tt_result *r = NULL;
    int64_t i = 7;
    uint64_t u = 7;
    double f = 7;
    const char *p = "7";
    tt_time t = {.year = 7};
    size_t n = 7;

    EXPECT(tt_query_read(c, NULL, "SELECT NULL AS a, CAST(NULL AS SIGNED) AS b, -1 AS c, 'x' AS d",
                         NULL, 0, NULL, &r, NULL, &err),
           0);
    ck_assert_int_eq(tt_result_int(r, 0, 1, &i), TT_E_NULL);
    ck_assert_int_eq(tt_result_is_null(r, 0, 0), 1);
    ck_assert_int_ne(tt_result_bytes(r, 0, 0, &p, &n), 0);
    ck_assert_int_eq(tt_result_uint(r, 0, 2, &u), TT_E_RANGE);
    ck_assert_int_eq(tt_result_double(r, 0, 3, &f), TT_E_TYPE);
    ck_assert_int_eq(tt_result_time(r, 0, 3, &t), TT_E_TYPE);
    ck_assert_int_eq(tt_result_int(r, 1, 1, &i), TT_E_RANGE);
    ck_assert_int_eq(tt_result_int(r, 0, 4, &i), TT_E_RANGE);
    ck_assert(i == 7 && u == 7 && f == 7 && *p == '7' && t.year == 7 && n == 7);
    tt_result_free(r);
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

/* Not proved to be reads: in a transaction they may be run, so that a statement can be made. */
static bool may_be_inside(const char *sql)
{
    return strstr(sql, " FOR UPDATE") || strstr(sql, "LOCK IN SHARE") || strstr(sql, ":=") ||
           strstr(sql, "no_such_function") || strstr(sql, "GET_LOCK");
}

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
        if (may_be_inside(no_reads[i]))
            continue;
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
    tcase_add_loop_test(t, files_that_are_wrong, 0, (int)TT_COUNT(files));
    tcase_add_test(t, keys_that_are_wrong);
    tcase_add_loop_test(t, not_opened, 0, (int)TT_COUNT(openings));
    tcase_add_test(t, wrong_password);
    tcase_add_test(t, wrong_redis_port);
    tcase_add_test(t, wrong_redis_password);
    tcase_add_test(t, rights_in_redis_that_are_documented_are_enough);
    tcase_add_test(t, parameters);
    tcase_add_test(t, refused_by_the_server);
    tcase_add_test(t, constraints);
    tcase_add_test(t, refused_statements);
    tcase_add_test(t, values_that_are_not_there);
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
