/* The primary is protected: without replicas no more reads move to it at once than
 * database.primary_read_limit; the others wait in a bounded line, or are refused at once. */
#include "integration/api_support.h"

#include <stdatomic.h>

enum { LIMIT = 2, LINE = 8 * LIMIT, READERS = 20, READ_MS = 150, SLACK_MS = 5000 };

/* Held up at the server for a while, on whatever node it runs. */
#define SLOW_READ "SELECT id, v, SLEEP(0.15) FROM items WHERE id = 1"

typedef struct reader {
    pthread_t thread;
    tt_client *c;
    int timeout_ms;
    atomic_int *running; /* of those not done yet */
    int rc, took_ms;
    int32_t source;
    tt_error e;
} reader;

static void *read_slowly(void *arg)
{
    reader *r = arg;
    tt_read_options o = TT_READ_OPTIONS_INIT;
    tt_read_info info = TT_READ_INFO_INIT;
    int64_t since = tt_now_ns(&tt_clock_system);
    tt_result *result = NULL;

    o.timeout_ms = r->timeout_ms;
    r->rc = tt_query_read(r->c, NULL, SLOW_READ, NULL, 0, &o, &result, &info, &r->e);
    r->took_ms = elapsed_ms(since);
    r->source = info.source;
    tt_result_free(result);
    atomic_fetch_sub(r->running, 1);
    return NULL;
}

/* Runs them all at once; the most that were seen at the primary at the same time. */
static int64_t run_readers(tt_client *c, reader *readers, int n, int timeout_ms)
{
    tt_db_conn *raw = open_to("PRIMARY");
    atomic_int running = n;
    int64_t most = 0;

    for (int i = 0; i < n; i++) {
        readers[i] = (reader){.c = c, .timeout_ms = timeout_ms, .running = &running};
        ck_assert_int_eq(pthread_create(&readers[i].thread, NULL, read_slowly, &readers[i]), 0);
    }
    while (atomic_load(&running) > 0) {
        int64_t now = number(raw, "SELECT COUNT(*) FROM information_schema.processlist "
                                  "WHERE info LIKE 'SELECT id, v, SLEEP%'");

        most = now > most ? now : most;
        pause_ms(5);
    }
    for (int i = 0; i < n; i++)
        (void)pthread_join(readers[i].thread, NULL);
    db->close(raw);
    return most;
}

static int count_of(const reader *readers, int n, int rc)
{
    int found = 0;

    for (int i = 0; i < n; i++)
        found += readers[i].rc == rc;
    return found;
}

/* A client that sees that no replica can serve. */
static tt_client *client_without_replicas(tt_config *cfg)
{
    tt_client *c = NULL;
    tt_error e = TT_ERROR_INIT;

    ck_assert(servers_do("stop", "replica1 --signal KILL"));
    ck_assert(servers_do("stop", "replica2 --signal KILL"));
    config_put(cfg, "database.connect_timeout", "3s");
    ck_assert_msg(tt_client_open(cfg, &c, &e) == 0, "%s", e.message);
    return c;
}

static void expect_metric(tt_client *c, const char *line)
{
    tt_document *d = NULL;

    EXPECT(tt_metrics_render(c, &d, &err), 0);
    ck_assert_msg(strstr(tt_document_text(d), line) != NULL, "%s", tt_document_text(d));
    tt_document_free(d);
}

START_TEST(never_more_than_the_limit)
{
    tt_config *cfg = config_new();
    reader readers[READERS];
    tt_client *c;

    config_put(cfg, "database.primary_read_limit", "2");
    c = client_without_replicas(cfg);
    ck_assert_int_eq(run_readers(c, readers, READERS, 0), LIMIT);
    for (int i = 0; i < READERS; i++) {
        const reader *r = &readers[i];

        if (r->rc == 0) {
            ck_assert_int_eq(r->source, TT_SOURCE_PRIMARY);
            ck_assert_int_lt(r->took_ms, READERS / LIMIT * READ_MS + SLACK_MS);
            continue;
        }
        expect_code(r->rc, &r->e, TT_E_BUSY, "one too many");
        ck_assert_int_eq(tt_error_class(r->rc), TT_CLASS_RETRY);
    }
    /* Places and line are full; a thread that began late may have found one free. */
    ck_assert_int_ge(count_of(readers, READERS, 0), LIMIT + LINE);
    ck_assert_int_le(count_of(readers, READERS, TT_E_BUSY), READERS - LIMIT - LINE);
    expect_metric(c, "twotier_primary_read_total ");
    ck_assert_int_eq(run_readers(c, readers, LIMIT, 0), LIMIT); /* all places are there again */
    ck_assert_int_eq(count_of(readers, LIMIT, 0), LIMIT);
    tt_client_close(c);
    tt_config_free(cfg);
}
END_TEST

/* Who waits in line waits no longer than its deadline, and gives its place in it back. */
START_TEST(no_longer_than_the_deadline)
{
    tt_config *cfg = config_new();
    reader readers[READERS];
    tt_client *c;
    int64_t most;

    config_put(cfg, "database.primary_read_limit", "2");
    c = client_without_replicas(cfg);
    most = run_readers(c, readers, LIMIT + LINE, 400);
#ifdef __SANITIZE_THREAD__ /* so slow that statements are given up, and these run on at the server \
                            */
    (void)most;
#else
    ck_assert_int_le(most, LIMIT);
#endif
    for (int i = 0; i < LIMIT + LINE; i++) {
        ck_assert_int_lt(readers[i].took_ms, 400 + SLACK_MS / 2);
        if (readers[i].rc != 0)
            expect_code(readers[i].rc, &readers[i].e, TT_E_TIMEOUT, "in line");
    }
    ck_assert_int_gt(count_of(readers, LIMIT + LINE, 0), 0);
    ck_assert_int_gt(count_of(readers, LIMIT + LINE, TT_E_TIMEOUT), 0);
    pause_ms(2 * READ_MS); /* what was given up while it ran goes on at the server */
    ck_assert_int_eq(run_readers(c, readers, LIMIT + LINE, 0), LIMIT);
    ck_assert_int_eq(count_of(readers, LIMIT + LINE, 0), LIMIT + LINE);
    tt_client_close(c);
    tt_config_free(cfg);
}
END_TEST

/* 0: none moves. Raised while it runs, without opening again. */
START_TEST(none_and_more)
{
    tt_config *cfg = config_new();
    reader readers[6];
    tt_client *c;

    config_put(cfg, "database.primary_read_limit", "0");
    c = client_without_replicas(cfg);
    ck_assert_int_eq(run_readers(c, readers, 6, 0), 0);
    ck_assert_int_eq(count_of(readers, 6, TT_E_BUSY), 6);
    ck_assert_int_eq(item_put(c, NULL, 1, 11), TT_INVALIDATED_DONE); /* writes are not concerned */
    config_put(cfg, "database.primary_read_limit", "6");
    EXPECT(tt_client_reload(c, cfg, &err), 0);
    ck_assert_int_gt(run_readers(c, readers, 6, 0), LIMIT);
    ck_assert_int_eq(count_of(readers, 6, 0), 6);
    tt_client_close(c);
    tt_config_free(cfg);
}
END_TEST

static void restore(void)
{
    (void)servers_do("start", "replica1 2>/dev/null");
    (void)servers_do("start", "replica2 2>/dev/null");
    items_new();
}

int main(void)
{
    TCase *t = tcase_create("api_shed");
    int rc;

    tcase_set_timeout(t, 90);
    tcase_add_checked_fixture(t, restore, NULL);
    tcase_add_test(t, never_more_than_the_limit);
    tcase_add_test(t, no_longer_than_the_deadline);
    tcase_add_test(t, none_and_more);
    servers_up("");
    rc = suite_run("api_shed", t);
    servers_down();
    return rc;
}
