/* actor.c: the clients and sessions of those who read and write. */
#include "live/live.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "api/config.h"
#include "drv/db.h"
#include "svc/client.h"

/* Short times, so that everything that is bounded by one is seen to happen. A lagging replica is
 * not left out for its lag: the barriers alone must keep its rows away. */
const char *const live_config_text = "database:\n"
                                     "  query_timeout: 1500ms\n"
                                     "  connect_timeout: 1s\n"
                                     "  replica_wait: 20ms\n"
                                     "  health: { interval: 100ms, max_lag: 1h }\n"
                                     "cache:\n"
                                     "  mark_timeout: 2s\n"
                                     "  lease_timeout: 10ms\n"
                                     "  breaker: { open_max: 400ms }\n"
                                     "  classes: { long: 20m }\n";

static void die(const char *what, const tt_error *err)
{
    (void)fprintf(stderr, "live: %s: %s %s [%s]\n", what, tt_error_name(err->code), err->message,
                  err->node);
    _exit(EXIT_FAILURE);
}

enum { AFTER_COMMIT = 2, ALIKE = 9 };

/* Not all processes of a namespace are configured alike. (Whoever is killed marks before it
 * commits: without that a stale entry is what the policy allows.) */
static int make_different(tt_config *config, bool defer, int process, tt_error *err)
{
    int rc = 0;

    if (process == AFTER_COMMIT)
        rc = tt_config_set(config, "cache.write_policy", "after_commit", err);

    if (rc == 0 && (defer || process == 0))
        rc = tt_config_set(config, "cache.when_unavailable", "defer", err);
    if (rc == 0 && process == 1)
        rc = tt_config_set(config, "database.pool.max", "2", err);
    if (rc == 0 && process == 1)
        rc = tt_config_set(config, "database.pool.idle_check", "0", err);
    return rc;
}

static tt_config *make_config(bool defer, int process)
{
    tt_error err = TT_ERROR_INIT;
    tt_config *config = NULL;

    if (tt_config_new(NULL, &config, &err) != 0 ||
        tt_config_load_file(config, getenv("TT_CONFIG"), &err) != 0 ||
        tt_config_load_text(config, NULL, live_config_text, strlen(live_config_text), &err) != 0 ||
        make_different(config, defer, process, &err) != 0)
        die("configuration", &err);
    return config;
}

/* As tt_client_open does, with what tests alone may set. */
static int open_inside(const tt_config *config, tt_rules rules_off, const tt_db_driver *driver,
                       tt_client **out, tt_error *err)
{
    tt_secret password = {NULL, NULL, 0}, redis_password = {NULL, NULL, 0};
    tt_client_options options = {.a = &config->a,
                                 .clock = &config->clock,
                                 .log = &config->sink,
                                 .settings = &config->settings,
                                 .password = &password,
                                 .redis_password = &redis_password,
                                 .driver = driver ? driver : &tt_db_driver_linked,
                                 .rules_off = rules_off};
    int rc = tt_settings_check(&config->settings, err);

    if (rc == 0)
        rc = tt_config_password(config, &config->a, &password, err);
    if (rc == 0)
        rc = tt_config_redis_password(config, &config->a, &redis_password, err);
    if (rc == 0)
        rc = tt_client_start(&options, out, err);
    tt_secret_free(&password);
    tt_secret_free(&redis_password);
    return rc;
}

tt_client *live_open(live *l, int process, const tt_db_driver *driver, int attempts)
{
    tt_config *config =
        make_config(l->setup.defer, l->setup.plain && process > 0 ? ALIKE : process);
    tt_error err = TT_ERROR_INIT;
    tt_client *client = NULL;
    int rc = -1;

    for (int i = 0; rc != 0 && i < attempts; i++) {
        if (i)
            live_sleep_ms(50);
        rc = l->setup.rules_off || driver
                 ? open_inside(config, l->setup.rules_off, driver, &client, &err)
                 : tt_client_open(config, &client, &err);
    }
    tt_config_free(config);
    if (rc != 0 && attempts == 1)
        _exit(EXIT_FAILURE); /* a victim or a locker: the servers may be away */
    if (rc != 0)
        die("open", &err);
    return client;
}

void actor_new_session(live_actor *a)
{
    tt_error err = TT_ERROR_INIT;

    tt_session_free(a->session);
    a->session = NULL;
    memset(a->own, 0, sizeof(a->own));
    a->owed_till_ns = 0;
    if (tt_session_new(a->client, &a->session, &err) != 0)
        die("session", &err);
}

static tt_statement *read_statement(tt_client *c, const char *sql, const char *tag)
{
    tt_read_options options = TT_READ_OPTIONS_INIT;
    tt_error err = TT_ERROR_INIT;
    tt_statement *s = NULL;

    options.cache_class = "long";
    options.tags = &tag;
    options.n_tags = 1;
    if (tt_statement_new_read(c, sql, &options, &s, &err) != 0)
        die(sql, &err);
    return s;
}

static tt_statement *write_statement(tt_client *c)
{
    static const char *const tags[] = {"c:{2}", "g:{3}", "h:{4}"};
    tt_write_options options = TT_WRITE_OPTIONS_INIT;
    tt_error err = TT_ERROR_INIT;
    tt_statement *s = NULL;

    options.tags = tags;
    options.n_tags = 3;
    if (tt_statement_new_write(
            c, "UPDATE counters SET v = ? WHERE id = ? AND g = ? AND h = ? AND v < ?", &options, &s,
            &err) != 0)
        die("write statement", &err);
    return s;
}

void actor_init(live_actor *a, live *l, tt_client *client, int process, int thread)
{
    *a = (live_actor){.l = l, .client = client, .process = process, .thread = thread};
    a->random = (uint64_t)live_now_ns() ^ ((uint64_t)getpid() << 32) ^ (uint64_t)thread << 8;
    a->point = read_statement(client, "SELECT id, v FROM counters WHERE id = ?", "c:{1}");
    a->group =
        read_statement(client, "SELECT id, v FROM counters WHERE g = ? ORDER BY id", "g:{1}");
    a->pair =
        read_statement(client, "SELECT p, v FROM pairs WHERE p = ? ORDER BY side", "pair:{1}");
    a->write = write_statement(client);
    actor_new_session(a);
}

void actor_free(live_actor *a)
{
    tt_session_free(a->session);
    tt_queue_free(a->queue);
    tt_statement_free(a->point);
    tt_statement_free(a->group);
    tt_statement_free(a->pair);
    tt_statement_free(a->write);
}

static uint64_t metric_of(const char *text, const char *metric)
{
    char line[80];
    const char *at;

    (void)snprintf(line, sizeof(line), "\ntwotier_%s_total ", metric);
    at = strstr(text, line);
    return at ? strtoull(at + strlen(line), NULL, 10) : 0;
}

void metrics_publish(tt_client *client, _Atomic uint64_t *out, bool add)
{
    static const char *const names[] = {
#define NAME(name, metric) metric,
        LIVE_METRICS(NAME)
#undef NAME
    };
    tt_error err = TT_ERROR_INIT;
    tt_document *document = NULL;

    if (tt_metrics_render(client, &document, &err) != 0)
        die("metrics", &err);
    for (int i = 0; i < METRIC_COUNT; i++) {
        uint64_t n = metric_of(tt_document_text(document), names[i]);

        if (add)
            atomic_fetch_add(&out[i], n);
        else
            atomic_store(&out[i], n);
    }
    tt_document_free(document);
}
