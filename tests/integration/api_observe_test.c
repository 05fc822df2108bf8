/* What the library says of itself: tt_explain, tt_client_status, tt_metrics_render. That it is
 * true, that it is well formed, and that no secret is in it. */
#include "integration/api_support.h"

#include <ctype.h>
#include <pthread.h>

enum { SOON_MS = 20000 };

/* ---- documents ---------------------------------------------------------------------------------
 */

/* What tt_explain says of the read of item 1, or of another statement. */
static tt_document *explain(tt_client *c, tt_session *s, const char *sql, const char *cache_class,
                            tt_format format)
{
    static const char *const tags[] = {"item:{1}"};
    tt_read_options o = TT_READ_OPTIONS_INIT;
    tt_value param = tt_int(1);
    tt_document *d = NULL;
    bool of_item = strcmp(sql, SELECT_ITEM) == 0;

    o.cache_class = cache_class;
    o.tags = of_item && cache_class ? tags : NULL;
    o.n_tags = of_item && cache_class ? 1 : 0;
    EXPECT(tt_explain(c, s, sql, &param, of_item ? 1 : 0, &o, format, &d, &err), 0);
    return d;
}

/* Is the text in it? Ends the test when that is not as wanted. */
static void expect_text(const tt_document *d, const char *text, bool wanted)
{
    bool there = strstr(tt_document_text(d), text) != NULL;

    ck_assert_msg(there == wanted, "%s '%s' in: %s", wanted ? "expected" : "did not expect", text,
                  tt_document_text(d));
}

static void expect_explained(tt_client *c, tt_session *s, const char *sql, const char *cache_class,
                             const char *text)
{
    tt_document *d = explain(c, s, sql, cache_class, TT_FORMAT_JSON);

    expect_text(d, text, true);
    tt_document_free(d);
}

/* Until it says so: what the probers see takes a while. */
static void await_explained(tt_client *c, const char *cache_class, const char *text)
{
    int64_t since = tt_now_ns(&tt_clock_system);
    bool there = false;

    while (!there) {
        tt_document *d = explain(c, NULL, SELECT_ITEM, cache_class, TT_FORMAT_JSON);

        there = strstr(tt_document_text(d), text) != NULL;
        ck_assert_msg(there || elapsed_ms(since) < SOON_MS, "expected '%s' in: %s", text,
                      tt_document_text(d));
        tt_document_free(d);
        pause_ms(20);
    }
}

/* The string value of the first member of this name. */
static void member(const tt_document *d, const char *name, char *out, size_t size)
{
    char key[64];
    const char *p;

    (void)snprintf(key, sizeof(key), "\"%s\":\"", name);
    p = strstr(tt_document_text(d), key);
    ck_assert_msg(p != NULL, "no %s in: %s", name, tt_document_text(d));
    p += strlen(key);
    (void)snprintf(out, size, "%.*s", (int)strcspn(p, "\""), p);
}

/* {"node":"host:port","verdict":"...  */
static void verdict(const char *node, const char *says, char *out, size_t size)
{
    char host[32], port[32];

    (void)snprintf(host, sizeof(host), "TT_%s_HOST", node);
    (void)snprintf(port, sizeof(port), "TT_%s_PORT", node);
    (void)snprintf(out, size, "{\"node\":\"%s:%s\",\"verdict\":\"%s\"", getenv(host), getenv(port),
                   says);
}

/* ---- explain: the statement --------------------------------------------------------------------
 */

static const struct {
    const char *sql, *class, *says;
} classes[] = {
    {"SELECT id FROM items", "read", "\"because\":\"a plain read\""},
    {"SELECT NOW()", "read (volatile)", "\"cached\":false"},
    {"SELECT v FROM items FOR UPDATE", "read (primary)", "\"refused\":\"TT_E_STATEMENT\""},
    {"USE mysql", "session", "\"refused\":\"TT_E_STATEMENT\""},
    {"COMMIT", "transaction", "\"refused\":\"TT_E_STATEMENT\""},
    {"DROP TABLE items", "ddl", "name its tags"},
    {"UPDATE items SET v = 0", "write", "\"goes_to\":\"the primary\""},
    {"DELETE FROM items", "write", "\"invalidates\":[\"table:items\"]"},
    {"SELECT 1; SELECT 2", "multiple", "\"refused\":\"TT_E_STATEMENT\""},
    {"SELECT 'open", "unprovable", "\"refused\":\"TT_E_STATEMENT\""},
};

START_TEST(class_of_a_statement)
{
    tt_client *c = client_new();
    char text[64];

    for (size_t i = 0; i < TT_COUNT(classes); i++) {
        (void)snprintf(text, sizeof(text), "\"class\":\"%s\"", classes[i].class);
        expect_explained(c, NULL, classes[i].sql, NULL, text);
        expect_explained(c, NULL, classes[i].sql, NULL, classes[i].says);
    }
    ck_assert_int_eq(item(c, NULL, 1, NULL), 10); /* none was run */
    tt_client_close(c);
}
END_TEST

/* ---- explain: the cache ------------------------------------------------------------------------
 */

static const char said_none[] = "\"cache\":\"no entry\"";
static const char said_valid[] = "\"cache\":\"a valid entry: it would be served\"";
static const char said_superseded[] = "\"cache\":\"an entry, superseded\"";
static const char said_away[] = "\"cache\":\"cannot be reached";
static const char said_tag[] = "\"tags\":[{\"tag\":\"item:1\",\"state\":\"";

/* `said_tag` and a state. */
static void expect_tag(tt_client *c, const char *state)
{
    char text[160];

    (void)snprintf(text, sizeof(text), "%s%s", said_tag, state);
    expect_explained(c, NULL, SELECT_ITEM, "", text);
}

START_TEST(states_of_the_cache)
{
    tt_client *c = client_new();
    redisContext *redis = redis_raw();
    redisReply *r;
    tt_document *d;
    char key[128];

    expect_explained(c, NULL, SELECT_ITEM, "", said_none);
    expect_tag(c, "absent: its history is unknown");
    expect_explained(c, NULL, SELECT_ITEM, "", "\"waits_for\":\"a proven primary\"");
    expect_explained(c, NULL, SELECT_ITEM, "", "only a proven primary may serve this read");
    ck_assert(item_hits(c, 1, 10, SOON_MS));
    d = explain(c, NULL, SELECT_ITEM, "", TT_FORMAT_JSON);
    expect_text(d, said_valid, true);
    expect_text(d, "\"cached\":true", true);
    expect_text(d, "\"ttl_ms\":", true);
    expect_text(d, "waits_for", false); /* it is a hit: nobody is asked */
    expect_text(d, "candidates", false);
    member(d, "key", key, sizeof(key));
    r = redisCommand(redis, "GET %s", key);
    ck_assert_int_eq(r->type, REDIS_REPLY_STRING); /* that is where it lies */
    freeReplyObject(r);
    tt_document_free(d);
    ck_assert_int_eq(item_put(c, NULL, 1, 11), TT_INVALIDATED_DONE);
    expect_explained(c, NULL, SELECT_ITEM, "", said_superseded);
    expect_tag(c, "known\",\"barrier\":\"");
    ck_assert_int_eq(item(c, NULL, 1, NULL), 11);
    expect_explained(c, NULL, SELECT_ITEM, NULL, "\"cached\":false");
    redisFree(redis);
    tt_client_close(c);
}
END_TEST

/* The digits at the end: of a position the sequence number of its last transaction. */
static const char *last_number(const char *text)
{
    const char *p = text + strlen(text);

    while (p > text && isdigit((unsigned char)p[-1]))
        p--;
    ck_assert_str_ne(p, "");
    return p;
}

/* What a read waits for: nothing, or the position that a session or a tag asks for. */
START_TEST(what_would_be_waited_for)
{
    tt_client *c = client_new();
    tt_session *s = session_of(c);
    tt_write_info info = TT_WRITE_INFO_INIT;
    tt_document *d;
    char waits[96], barrier[96];

    expect_explained(c, s, SELECT_ITEM, NULL, "\"waits_for\":\"nothing\"");
    ck_assert(item_hits(c, 1, 10, SOON_MS)); /* the history of the tag is known from here on */
    EXPECT(item_write(c, s, 1, 11, 0, &info, &err), 0);
    d = explain(c, s, SELECT_ITEM, NULL, TT_FORMAT_JSON);
    member(d, "waits_for", waits, sizeof(waits));
    tt_document_free(d);
    ck_assert_str_ne(waits, "nothing");
    ck_assert_str_eq(last_number(waits), last_number(info.position));
    d = explain(c, NULL, SELECT_ITEM, "", TT_FORMAT_JSON);
    member(d, "waits_for", waits, sizeof(waits));
    member(d, "barrier", barrier, sizeof(barrier));
    ck_assert_str_eq(waits, barrier);
    tt_document_free(d);
    tt_session_free(s);
    tt_client_close(c);
}
END_TEST

typedef struct blocked {
    pthread_t thread;
    tt_client *c;
} blocked;

static void *write_blocked(void *arg)
{
    blocked *b = arg;

    ck_assert_int_eq(item_put(b->c, NULL, 1, 11), TT_INVALIDATED_DONE);
    return NULL;
}

/* A write is under way: its mark is seen, and only a proven primary would do. */
START_TEST(a_pending_write)
{
    tt_db_conn *holder = open_to("PRIMARY");
    blocked b = {.c = client_new()};
    char text[160];

    ck_assert(item_hits(b.c, 1, 10, SOON_MS));
    run(holder, "BEGIN");
    run(holder, "SELECT v FROM items WHERE id = 1 FOR UPDATE");
    ck_assert_int_eq(pthread_create(&b.thread, NULL, write_blocked, &b), 0);
    (void)snprintf(text, sizeof(text), "%sa write is pending", said_tag);
    await_explained(b.c, "", text);
    expect_explained(b.c, NULL, SELECT_ITEM, "", "\"waits_for\":\"a proven primary\"");
    expect_explained(b.c, NULL, SELECT_ITEM, "", "\"verdict\":\"would serve, once proven\"");
    run(holder, "ROLLBACK");
    (void)pthread_join(b.thread, NULL);
    db->close(holder);
    tt_client_close(b.c);
}
END_TEST

START_TEST(the_cache_away)
{
    tt_config *cfg = config_new();
    tt_document *d = NULL;
    tt_client *c;

    config_put(cfg, "cache.timeout", "300ms");
    c = client_of(cfg);
    ck_assert(servers_do("stop", "redis --signal KILL"));
    expect_explained(c, NULL, SELECT_ITEM, "", said_away);
    expect_explained(c, NULL, SELECT_ITEM, "", "\"waits_for\":\"a proven primary\"");
    EXPECT(tt_client_status(c, TT_FORMAT_JSON, &d, &err), 0);
    expect_text(d, "\"cache\":{\"scope\":\"shared\",\"up\":false", true);
    tt_document_free(d);
    ck_assert(servers_do("start", "redis"));
    tt_client_close(c);
}
END_TEST

/* ---- explain and status: the nodes -------------------------------------------------------------
 */

static void expect_status(tt_client *c, const char *text)
{
    tt_document *d = NULL;

    EXPECT(tt_client_status(c, TT_FORMAT_JSON, &d, &err), 0);
    expect_text(d, text, true);
    tt_document_free(d);
}

/* One replica is behind, with the other's threads stopped, and then away. */
START_TEST(refusals)
{
    tt_client *c = client_new();
    tt_db_conn *raw = open_to("PRIMARY");
    char text[160];

    verdict("PRIMARY", "if no replica can", text, sizeof(text));
    await_explained(c, NULL, text);
    verdict("REPLICA1", "could serve", text, sizeof(text));
    await_explained(c, NULL, text);
    verdict("REPLICA2", "could serve", text, sizeof(text));
    await_explained(c, NULL, text);

    ck_assert(servers_do("lag", "replica1 30"));
    ck_assert(servers_do("sql-stop", "replica2"));
    run(raw, "UPDATE items SET v = 12 WHERE id = 1");
    verdict("REPLICA1", "it lags too far behind", text, sizeof(text));
    await_explained(c, NULL, text);
    verdict("REPLICA2", "its lag is unknown", text, sizeof(text));
    await_explained(c, NULL, text);
    expect_status(c, "\"role\":\"replica\",\"state\":\"lagging\"");
    expect_status(c, "\"role\":\"primary\",\"state\":\"");
    expect_status(c, "\"lag_ms\":null");

    ck_assert(servers_do("stop", "replica2 --signal KILL"));
    verdict("REPLICA2", "it is down", text, sizeof(text));
    await_explained(c, NULL, text);
    expect_status(c, "\"state\":\"down\"");
    expect_status(c, "\"trouble\":\"");

    ck_assert(servers_do("start", "replica2"));
    (void)servers_do("sql-start", "replica2 2>/dev/null");
    ck_assert(servers_do("lag", "replica1 0"));
    verdict("REPLICA1", "could serve", text, sizeof(text));
    await_explained(c, NULL, text);
    verdict("REPLICA2", "could serve", text, sizeof(text));
    await_explained(c, NULL, text);
    db->close(raw);
    tt_client_close(c);
}
END_TEST

/* A replica that is well, but has not what the session wrote. */
START_TEST(not_applied_yet)
{
    tt_config *cfg = config_new();
    tt_client *c;
    tt_session *s;
    char text[160];

    config_put(cfg, "database.health.max_lag", "1h");
    c = client_of(cfg);
    s = session_of(c);
    ck_assert(servers_do("lag", "replica1 30"));
    ck_assert(servers_do("lag", "replica2 30"));
    verdict("REPLICA1", "could serve", text, sizeof(text));
    await_explained(c, NULL, text);
    ck_assert_int_eq(item_put(c, s, 1, 11), TT_INVALIDATED_DONE);
    verdict("REPLICA1", "it has not applied the barrier yet", text, sizeof(text));
    expect_explained(c, s, SELECT_ITEM, NULL, text);
    verdict("REPLICA1", "could serve", text, sizeof(text));
    expect_explained(c, NULL, SELECT_ITEM, NULL, text); /* of who wrote nothing, nothing is asked */
    ck_assert(servers_do("lag", "replica1 0"));
    ck_assert(servers_do("lag", "replica2 0"));
    tt_session_free(s);
    tt_client_close(c);
}
END_TEST

/* ---- metrics -----------------------------------------------------------------------------------
 */

enum { SERIES_MAX = 2000, FAMILIES_MAX = 200, LINE_MAX_BYTES = 512 };

typedef struct exposition {
    char series[SERIES_MAX][LINE_MAX_BYTES];
    int n_series;
    char family[FAMILIES_MAX][LINE_MAX_BYTES], type[FAMILIES_MAX][16];
    bool helped[FAMILIES_MAX];
    int n_families;
} exposition;

static int family_of(exposition *x, const char *name)
{
    for (int i = 0; i < x->n_families; i++)
        if (strcmp(x->family[i], name) == 0)
            return i;
    ck_assert_int_lt(x->n_families, FAMILIES_MAX);
    (void)snprintf(x->family[x->n_families], LINE_MAX_BYTES, "%s", name);
    return x->n_families++;
}

/* "# HELP name text" and "# TYPE name type", each once, and before the samples. */
static void take_comment(exposition *x, const char *line)
{
    char word[8], name[128], rest[256];
    int f;

    ck_assert_msg(sscanf(line, "# %7s %127s %255[^\n]", word, name, rest) == 3, "%s", line);
    f = family_of(x, name);
    if (strcmp(word, "HELP") == 0) {
        ck_assert_msg(!x->helped[f], "HELP twice: %s", line);
        x->helped[f] = true;
        return;
    }
    ck_assert_str_eq(word, "TYPE");
    ck_assert_msg(!x->type[f][0], "TYPE twice: %s", line);
    ck_assert(strcmp(rest, "counter") == 0 || strcmp(rest, "gauge") == 0 ||
              strcmp(rest, "histogram") == 0);
    (void)snprintf(x->type[f], sizeof(x->type[f]), "%.15s", rest);
}

/* The end of `name{label="value",...}`: quotes, backslashes and newlines of values are escaped. */
static const char *series_end(const char *line)
{
    const char *p = line + strcspn(line, "{ ");

    if (*p == ' ')
        return p;
    do {
        p++;
        while (isalnum((unsigned char)*p) || *p == '_')
            p++;
        ck_assert_msg(p[0] == '=' && p[1] == '"', "%s", line);
        for (p += 2; *p != '"'; p++) {
            ck_assert_msg(*p, "a value that does not end: %s", line);
            if (*p == '\\') {
                p++;
                ck_assert_msg(strchr("\\\"n", *p) && *p, "an escape that is none: %s", line);
            }
        }
        p++;
    } while (*p == ',');
    ck_assert_msg(p[0] == '}' && p[1] == ' ', "%s", line);
    return p + 1;
}

static bool ends_in(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);

    return n > m && strcmp(text + n - m, end) == 0;
}

/* The family whose sample this is: of histograms without the last word. */
static int family_of_sample(exposition *x, const char *name)
{
    static const char *const ends[] = {"_bucket", "_sum", "_count"};
    char base[LINE_MAX_BYTES];

    for (size_t i = 0; i < TT_COUNT(ends); i++) {
        if (!ends_in(name, ends[i]))
            continue;
        (void)snprintf(base, sizeof(base), "%.*s", (int)(strlen(name) - strlen(ends[i])), name);
        if (strcmp(x->type[family_of(x, base)], "histogram") == 0)
            return family_of(x, base);
    }
    return family_of(x, name);
}

static void take_sample(exposition *x, const char *line)
{
    const char *end = series_end(line);
    char name[LINE_MAX_BYTES], *after;
    int f;

    (void)snprintf(name, sizeof(name), "%.*s", (int)strcspn(line, "{ "), line);
    f = family_of_sample(x, name);
    ck_assert_msg(x->helped[f] && x->type[f][0], "no HELP or no TYPE before: %s", line);
    ck_assert_msg(strcmp(x->type[f], "counter") != 0 || ends_in(name, "_total"), "%s", line);
    ck_assert_int_eq(strncmp(name, "twotier_", 8), 0);
    (void)strtod(end, &after);
    ck_assert_msg(after != end && *after == '\0', "no number: %s", line);
    ck_assert_int_lt(x->n_series, SERIES_MAX);
    (void)snprintf(x->series[x->n_series], LINE_MAX_BYTES, "%.*s", (int)(end - line), line);
    for (int i = 0; i < x->n_series; i++)
        ck_assert_msg(strcmp(x->series[i], x->series[x->n_series]) != 0, "twice: %s", line);
    x->n_series++;
}

/* All of it is of the exposition format; how many series. */
static int expect_well_formed(const tt_document *d)
{
    exposition *x = calloc(1, sizeof(*x));
    const char *p = tt_document_text(d);
    char line[LINE_MAX_BYTES];
    int n;

    for (; *p; p += strlen(line) + 1) {
        ck_assert_uint_lt(strcspn(p, "\n"), sizeof(line));
        (void)snprintf(line, sizeof(line), "%.*s", (int)strcspn(p, "\n"), p);
        ck_assert_int_eq(p[strlen(line)], '\n');
        if (line[0] == '#')
            take_comment(x, line);
        else
            take_sample(x, line);
    }
    for (int i = 0; i < x->n_families; i++)
        ck_assert_msg(x->helped[i] && x->type[i][0], "%s has no HELP or no TYPE", x->family[i]);
    n = x->n_series;
    free(x);
    return n;
}

static double value_of(const tt_document *d, const char *series)
{
    const char *p = tt_document_text(d);
    size_t n = strlen(series);

    for (; *p; p += strcspn(p, "\n") + 1)
        if (strncmp(p, series, n) == 0 && p[n] == ' ')
            return strtod(p + n, NULL);
    ck_abort_msg("no series %s", series);
}

START_TEST(metrics)
{
    tt_config *cfg = config_new();
    tt_document *d = NULL;
    char series[96];
    tt_client *c;

    /* A replica that nobody can reach, with a name that has to be escaped. */
    config_put(cfg, "database.replicas[2].socket", "/tmp/a\"b\\c");
    c = client_of(cfg);
    ck_assert(item_hits(c, 1, 10, SOON_MS));
    ck_assert_int_eq(item_put(c, NULL, 1, 11), TT_INVALIDATED_DONE);
    EXPECT(item_write(c, NULL, 1, 12, -1, NULL, &err), TT_E_ARGUMENT);
    EXPECT(tt_metrics_render(c, &d, &err), 0);
    ck_assert_int_gt(expect_well_formed(d), 60);
    expect_text(d, "{node=\"/tmp/a\\\"b\\\\c\"} 0.000\n", true);
    (void)snprintf(series, sizeof(series), "twotier_node_primary{node=\"%s:%s\"}",
                   getenv("TT_PRIMARY_HOST"), getenv("TT_PRIMARY_PORT"));
    ck_assert(value_of(d, series) == 1);
    ck_assert(value_of(d, "twotier_cache_up") == 1);
    ck_assert(value_of(d, "twotier_hit_total") >= 1);
    ck_assert(value_of(d, "twotier_invalidated_total") == 1);
    ck_assert(value_of(d, "twotier_read_seconds_count{source=\"redis\"}") >= 1);
    tt_document_free(d);
    tt_client_close(c);
}
END_TEST

/* ---- secrets -----------------------------------------------------------------------------------
 */

static char logged[1 << 20];
static size_t logged_n;
static pthread_mutex_t logged_mu = PTHREAD_MUTEX_INITIALIZER;

static void keep_line(void *ctx, tt_log_level level, const char *line)
{
    (void)ctx;
    (void)level;
    pthread_mutex_lock(&logged_mu);
    if (logged_n < sizeof(logged) - 1024)
        logged_n += (size_t)snprintf(logged + logged_n, 1024, "%.1000s\n", line);
    pthread_mutex_unlock(&logged_mu);
}

/* None of the passwords, nor of a bound value, in any of the outputs. */
static void expect_no_secret(const char *text, const char *where)
{
    ck_assert_msg(!strstr(text, getenv("TT_DB_PASSWORD")), "the password is in %s", where);
    ck_assert_msg(!strstr(text, "redis-secret"), "the password of Redis is in %s", where);
    ck_assert_msg(!strstr(text, "bound-secret"), "a bound value is in %s", where);
}

START_TEST(no_secrets)
{
    static const tt_log_sink sink = {keep_line, NULL, TT_LOG_DEBUG};
    redisContext *raw = redis_raw();
    tt_config *cfg = config_new();
    tt_value v = tt_text("bound-secret");
    tt_read_options o = TT_READ_OPTIONS_INIT;
    tt_error e = TT_ERROR_INIT;
    tt_document *d = NULL;
    tt_result *r = NULL;
    tt_client *c;

    freeReplyObject(redisCommand(raw, "CONFIG SET requirepass redis-secret"));
    EXPECT(tt_config_set_redis_password(cfg, "redis-secret", &err), 0);
    tt_config_set_log(cfg, &sink);
    c = client_of(cfg);
    for (int format = TT_FORMAT_TEXT; format <= TT_FORMAT_JSON; format++) {
        EXPECT(tt_client_status(c, (tt_format)format, &d, &err), 0);
        expect_no_secret(tt_document_text(d), "the status");
        ck_assert_ptr_nonnull(strstr(tt_document_text(d), getenv("TT_PRIMARY_PORT")));
        tt_document_free(d);
        o.cache_class = "";
        EXPECT(tt_explain(c, NULL, "SELECT id FROM items WHERE id = ?", &v, 1, &o,
                          (tt_format)format, &d, &err),
               0);
        expect_no_secret(tt_document_text(d), "what is explained");
        tt_document_free(d);
    }
    EXPECT(tt_metrics_render(c, &d, &err), 0);
    expect_no_secret(tt_document_text(d), "the metrics");
    tt_document_free(d);
    ck_assert_int_eq(
        tt_query_read(c, NULL, "SELECT id FROM nowhere WHERE id = ?", &v, 1, NULL, &r, NULL, &e),
        TT_E_SQL);
    expect_no_secret(e.message, "an error");
    ck_assert(servers_do("stop", "redis --signal KILL")); /* it says that it is gone */
    (void)item_write(c, NULL, 1, 11, 0, NULL, &e);
    expect_no_secret(e.message, "an error");
    ck_assert(servers_do("start", "redis"));
    tt_client_close(c);
    expect_no_secret(logged, "the log");
    redisFree(raw);
}
END_TEST

/* Everything runs, at once, and Redis without a password, whatever the test before has left. */
static void restore(void)
{
    redisContext *raw;

    (void)servers_do("start", "redis 2>/dev/null");
    (void)servers_do("start", "replica2 2>/dev/null");
    (void)servers_do("lag", "replica1 0 2>/dev/null");
    (void)servers_do("lag", "replica2 0 2>/dev/null");
    raw = redis_raw();
    freeReplyObject(redisCommand(raw, "AUTH redis-secret"));
    freeReplyObject(redisCommand(raw, "CONFIG SET requirepass %s", ""));
    redisFree(raw);
    items_new();
}

int main(void)
{
    TCase *t = tcase_create("api_observe");
    int rc;

    tcase_set_timeout(t, 90);
    tcase_add_checked_fixture(t, restore, NULL);
    tcase_add_test(t, class_of_a_statement);
    tcase_add_test(t, states_of_the_cache);
    tcase_add_test(t, what_would_be_waited_for);
    tcase_add_test(t, a_pending_write);
    tcase_add_test(t, the_cache_away);
    tcase_add_test(t, refusals);
    tcase_add_test(t, not_applied_yet);
    tcase_add_test(t, metrics);
    tcase_add_test(t, no_secrets);
    servers_up("");
    rc = suite_run("api_observe", t);
    servers_down();
    return rc;
}
