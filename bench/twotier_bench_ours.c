#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "svc/keys.h"
#include "twotier_bench.h"

/* One row by its key. The second parameter changes nothing but the name of the result in the cache:
 * with a new one each time every read is a miss. */
const char bench_read_sql[] =
    "SELECT id, grp, n, name, body FROM twotier_bench WHERE id = ? AND ? >= 0";
const char bench_write_sql[] = "UPDATE twotier_bench SET n = n + 1 WHERE id = ?";

static const char *const tags[BENCH_TAGS] = {"bench:row:{1}", "bench:rows", "bench:all"};

/* Misses leave an entry each: it goes soon, so that Redis need not evict others. */
#define BRIEF "brief"
#define BRIEF_TTL "1s"

/* ---- clients -------------------------------------------------------------------------------- */

static void log_line(void *ctx, tt_log_level level, const char *line)
{
    (void)ctx;
    (void)level;
    (void)fprintf(stderr, "twotier-bench: %s\n", line);
}

static void set(tt_config *c, const char *key, const char *value)
{
    tt_error err = TT_ERROR_INIT;

    if (tt_config_set(c, key, value, &err) != 0)
        bench_die("%s", err.message);
}

static tt_config *load_config(const bench *b, const tt_allocator *a)
{
    static const tt_log_sink sink = {log_line, NULL, TT_LOG_WARN};
    tt_error err = TT_ERROR_INIT;
    tt_config *c = NULL;

    if (tt_config_new(a, &c, &err) != 0 || tt_config_load_file(c, b->opt.config, &err) != 0)
        bench_die("%s", err.message);
    set(c, "database.pool.max", "64"); /* as many as the bare side has */
    set(c, "cache.default_ttl", "1h");
    set(c, "cache.timeout", "2s"); /* a busy machine is no failure here */
    set(c, "cache.classes", BRIEF "=" BRIEF_TTL);
    if (b->opt.instructions_only) { /* callgrind counts all threads: no looks at the nodes then */
        set(c, "database.health.stale_after", "10m");
        set(c, "database.health.interval", "1m");
    }
    tt_config_set_log(c, &sink);
    return c;
}

static tt_client *open_client(const tt_config *config)
{
    tt_error err = TT_ERROR_INIT;
    tt_client *c = NULL;

    if (tt_client_open(config, &c, &err) != 0)
        bench_die("%s", err.message);
    return c;
}

static tt_statement *reading(tt_client *c, const char *class)
{
    tt_read_options o = TT_READ_OPTIONS_INIT;
    tt_error err = TT_ERROR_INIT;
    tt_statement *s = NULL;

    o.cache_class = class;
    o.tags = class ? tags : NULL;
    o.n_tags = class ? BENCH_TAGS : 0;
    if (tt_statement_new_read(c, bench_read_sql, &o, &s, &err) != 0)
        bench_die("%s", err.message);
    return s;
}

static tt_statement *writing(tt_client *c)
{
    tt_write_options o = TT_WRITE_OPTIONS_INIT;
    tt_error err = TT_ERROR_INIT;
    tt_statement *s = NULL;

    o.tags = tags;
    o.n_tags = BENCH_TAGS;
    o.flags = TT_WRITE_ONLY_THESE_TAGS;
    if (tt_statement_new_write(c, bench_write_sql, &o, &s, &err) != 0)
        bench_die("%s", err.message);
    return s;
}

void bench_open(bench *b)
{
    b->config = load_config(b, NULL);
    b->client = open_client(b->config);
    if (!b->client->links)
        bench_die("%s: expected cache.redis in it", b->opt.config);
    b->redis_host = tt_str_c(b->client->redis.host);
    b->redis_port = (unsigned)b->client->redis.port;
    b->hit = reading(b->client, "");
    b->miss = reading(b->client, BRIEF);
    b->plain = reading(b->client, NULL);
    b->write = writing(b->client);
}

/* For the memory row the store's memory is counted: the allocator is that of twotier_bench_count.c.
 */
void bench_open_process(bench *b, bool warm)
{
    extern const tt_allocator bench_counting;
    tt_config *c;

    if (b->process)
        return;
    c = load_config(b, &bench_counting);
    set(c, "cache.redis", "");
    set(c, "cache.scope", "process");
    b->process = open_client(c);
    b->local_hit = reading(b->process, "");
    tt_config_free(c);
    if (warm)
        bench_warm(b, b->local_hit);
}

void bench_close(bench *b)
{
    tt_statement_free(b->local_hit);
    tt_client_close(b->process);
    tt_statement_free(b->hit);
    tt_statement_free(b->miss);
    tt_statement_free(b->plain);
    tt_statement_free(b->write);
    tt_client_close(b->client);
    tt_config_free(b->config);
    for (int i = 0; b->keys && i < BENCH_KEYS; i++)
        for (int j = 0; j < BENCH_ASKED; j++)
            free(b->keys[i].text[j]);
    free(b->keys);
    bare_map_free(b->map);
}

/* ---- data ----------------------------------------------------------------------------------- */

static void execute(bench *b, const char *sql)
{
    tt_write_options o = TT_WRITE_OPTIONS_INIT;
    tt_error err = TT_ERROR_INIT;

    o.flags = TT_WRITE_NO_TAGS;
    o.timeout_ms = 60000;
    if (tt_query_write(b->client, NULL, sql, NULL, 0, &o, NULL, &err) != 0)
        bench_die("%.60s: %s", sql, err.message);
}

static bool replicas_have_rows(bench *b)
{
    bool all = true;

    for (int i = 0; i < b->client->n_nodes; i++) {
        bare_db *db = bare_db_open(&b->client->nodes[i].target);
        MYSQL_RES *res;
        MYSQL_ROW row;

        if (mysql_query(db->mysql, "SELECT COUNT(*) FROM twotier_bench") != 0 ||
            !(res = mysql_store_result(db->mysql)))
            bench_die("%s", mysql_error(db->mysql));
        row = mysql_fetch_row(res);
        all = all && row && strtol(row[0], NULL, 10) == BENCH_KEYS;
        mysql_free_result(res);
        bare_db_close(db);
    }
    return all;
}

void bench_load(bench *b)
{
    tt_buf sql = tt_buf_init(&tt_allocator_libc);
    char body[601];

    memset(body, 'b', sizeof(body) - 1);
    body[sizeof(body) - 1] = '\0';
    bench_progress("loading the rows");
    execute(b, "DROP TABLE IF EXISTS twotier_bench");
    execute(b, "CREATE TABLE twotier_bench (id INT PRIMARY KEY, grp INT NOT NULL, n BIGINT NOT "
               "NULL, name VARCHAR(60) NOT NULL, body VARCHAR(1000) NOT NULL)");
    for (int i = 1; i <= BENCH_KEYS; i++) {
        tt_buf_printf(&sql, "%s(%d, %d, 0, 'row number %d', '%s')",
                      sql.n ? ", " : "INSERT INTO twotier_bench VALUES ", i, i % 100, i, body);
        if (i % 500 == 0) {
            execute(b, tt_buf_cstr(&sql));
            tt_buf_clear(&sql);
        }
    }
    tt_buf_free(&sql);
    for (int tries = 0;; tries++) {
        bool there;

        (void)usleep(100000);
        there = tries > 2 && replicas_have_rows(b);
        if (there)
            break;
        if (tries > 300)
            bench_die("the replicas did not get the rows within 30 s");
    }
    bench_progress("filling the cache");
    bench_make_keys(b);
    bench_warm(b, b->hit);
    bench_progress(NULL);
}

void bench_make_keys(bench *b)
{
    tt_read_options o = TT_READ_OPTIONS_INIT;
    tt_error err = TT_ERROR_INIT;
    tt_plan plan;

    o.cache_class = "";
    o.tags = tags;
    o.n_tags = BENCH_TAGS;
    b->keys = calloc(BENCH_KEYS, sizeof(*b->keys));
    if (!b->keys || tt_plan_read(b->client, bench_read_sql, &o, &plan, &err) != 0)
        bench_die("%s", err.message);
    for (int i = 0; i < BENCH_KEYS; i++) {
        tt_value params[] = {tt_int(i + 1), tt_int(0)};
        tt_str asked[BENCH_ASKED];
        tt_keys k;

        if (tt_keys_make(b->client, &plan, params, 2, &k, &err) != 0)
            bench_die("%s", err.message);
        asked[0] = k.entry;
        asked[1] = b->client->core.cfg.term_key;
        memcpy(asked + 2, k.tags, BENCH_TAGS * sizeof(*asked));
        for (int j = 0; j < BENCH_ASKED; j++) {
            b->keys[i].text[j] = strndup(asked[j].p, asked[j].n);
            b->keys[i].n[j] = asked[j].n;
        }
        tt_keys_free(&k);
    }
    tt_plan_free(&plan);
}

typedef struct warmer {
    bench *b;
    const tt_statement *s;
    int from, step;
    atomic_int *left;
} warmer;

static void *warm_some(void *arg)
{
    warmer *w = arg;

    for (int i = w->from; i <= BENCH_KEYS; i += w->step) {
        tt_value params[] = {tt_int(i), tt_int(0)};
        tt_read_info info = TT_READ_INFO_INIT;
        tt_error err = TT_ERROR_INIT;
        tt_result *r = NULL;

        if (tt_statement_read(w->s, NULL, params, 2, NULL, &r, &info, &err) != 0)
            bench_die("%s", err.message);
        tt_result_free(r);
        if (info.source != TT_SOURCE_REDIS && info.source != TT_SOURCE_LOCAL)
            atomic_fetch_add(w->left, 1);
    }
    return NULL;
}

void bench_warm(bench *b, const tt_statement *s)
{
    enum { THREADS = 8 };
    atomic_int left = 1;

    for (int pass = 0; atomic_load(&left) > 0; pass++) {
        pthread_t threads[THREADS];
        warmer w[THREADS];

        if (pass > 50)
            bench_die("%d rows cannot be got into the cache", atomic_load(&left));
        atomic_store(&left, 0);
        for (int i = 0; i < THREADS; i++) {
            w[i] = (warmer){b, s, i + 1, THREADS, &left};
            if (pthread_create(&threads[i], NULL, warm_some, &w[i]) != 0)
                bench_die("a thread could not be started");
        }
        for (int i = 0; i < THREADS; i++)
            (void)pthread_join(threads[i], NULL);
        if (b->client->links)
            bench_settle_posts(b);
    }
}

/* ---- calls ---------------------------------------------------------------------------------- */

static void take_route(bench_worker *w, const char *node)
{
    const tt_client *c = w->b->client;

    for (int i = 0; i < c->n_nodes; i++)
        if (strcmp(c->nodes[i].name, node) == 0)
            w->route[w->routed++ % BENCH_ROUTE] = (unsigned char)i;
}

static void read_by(bench_worker *w, const tt_statement *s, int64_t unique, tt_source expected)
{
    tt_value params[] = {tt_int(bench_draw(&w->rng)), tt_int(unique)};
    tt_read_info info = TT_READ_INFO_INIT;
    tt_error err = TT_ERROR_INIT;
    tt_result *r = NULL;
    int64_t id;

    if (tt_statement_read(s, NULL, params, 2, NULL, &r, &info, &err) != 0)
        bench_die("a read failed: %s", err.message);
    if (tt_result_int(r, 0, 0, &id) != 0 || id != params[0].as.i)
        bench_die("a read brought another row");
    tt_result_free(r);
    if (info.source == TT_SOURCE_REPLICA || info.source == TT_SOURCE_PRIMARY)
        take_route(w, info.node);
    if ((tt_source)info.source != expected)
        atomic_fetch_add_explicit(&w->b->misses_elsewhere, 1, memory_order_relaxed);
}

void bench_hit(bench_worker *w)
{
    read_by(w, w->b->hit, 0, TT_SOURCE_REDIS);
}

void bench_plain(bench_worker *w)
{
    read_by(w, w->b->plain, 0, TT_SOURCE_REPLICA);
}

void bench_miss(bench_worker *w)
{
    read_by(w, w->b->miss, ++w->unique, TT_SOURCE_REPLICA);
}

void bench_local_hit(bench_worker *w)
{
    read_by(w, w->b->local_hit, 0, TT_SOURCE_LOCAL);
}

void bench_local_text(bench_worker *w)
{
    tt_value params[] = {tt_int(bench_draw(&w->rng)), tt_int(0)};
    tt_read_options o = TT_READ_OPTIONS_INIT;
    tt_error err = TT_ERROR_INIT;
    tt_result *r = NULL;

    o.cache_class = "";
    o.tags = tags;
    o.n_tags = BENCH_TAGS;
    if (tt_query_read(w->b->process, NULL, bench_read_sql, params, 2, &o, &r, NULL, &err) != 0)
        bench_die("a read failed: %s", err.message);
    tt_result_free(r);
}

void bench_write(bench_worker *w)
{
    tt_value params[] = {tt_int(bench_draw(&w->rng))};
    tt_write_info info = TT_WRITE_INFO_INIT;
    tt_error err = TT_ERROR_INIT;

    if (tt_statement_write(w->b->write, NULL, params, 1, NULL, &info, &err) != 0)
        bench_die("a write failed: %s", err.message);
    if (info.affected_rows != 1 || info.invalidated != TT_INVALIDATED_DONE)
        bench_die("a write was not invalidated");
}

void bench_settle_posts(bench *b)
{
    int64_t now = tt_client_now(b->client);

    if (!tt_link_drain(b->client->links, now + 2 * TT_NS_PER_S))
        bench_die("Redis did not answer what was posted within 2 s");
}
