#include "demo/demo.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

const char demo_seats_sql[] = "SELECT s.seats, s.title, t.name FROM subjects s "
                              "JOIN teachers t ON t.id = s.teacher_id WHERE s.id = ?";
const char demo_seats_tag[] = "subject:{1}";

int64_t demo_now_ns(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

void demo_sleep_ms(int ms)
{
    struct timespec t = {ms / 1000, ms % 1000 * 1000000L};

    (void)nanosleep(&t, NULL);
}

void demo_must(int rc, const char *what, const tt_error *err)
{
    if (rc == 0)
        return;
    fprintf(stderr, "twotier-demo: %s: %s: %s%s%s\n", what, tt_error_name(rc),
            err->message[0] ? err->message : tt_error_text(rc), err->node[0] ? " at " : "",
            err->node);
    exit(1);
}

tt_client *demo_open(const demo *d, const char *key, const char *value)
{
    tt_error err = TT_ERROR_INIT;
    tt_config *config = NULL;
    tt_client *client = NULL;

    demo_must(tt_config_new(NULL, &config, &err), "configuration", &err);
    demo_must(tt_config_load_file(config, d->config, &err), "configuration", &err);
    if (key)
        demo_must(tt_config_set(config, key, value, &err), "configuration", &err);
    demo_must(tt_client_open(config, &client, &err), "opening the client", &err);
    tt_config_free(config);
    return client;
}

tt_session *demo_session(tt_client *client)
{
    tt_error err = TT_ERROR_INIT;
    tt_session *session = NULL;

    demo_must(tt_session_new(client, &session, &err), "making a session", &err);
    return session;
}

/* ---- reads -------------------------------------------------------------------------------------
 */

enum demo_server demo_server_of(const demo *d, const demo_answer *a)
{
    if (a->read.source == TT_SOURCE_REDIS || a->read.source == TT_SOURCE_LOCAL)
        return DEMO_CACHE;
    for (int i = 0; i < DEMO_NODES; i++)
        if (strcmp(a->read.node, d->nodes[i]) == 0)
            return (enum demo_server)i;
    return DEMO_PRIMARY;
}

static void count(demo *d, const demo_answer *a)
{
    static pthread_mutex_t mu = PTHREAD_MUTEX_INITIALIZER;
    demo_times *times = &d->times[demo_server_of(d, a)];

    (void)pthread_mutex_lock(&mu);
    d->reads++;
    if (a->rc != 0)
        d->failed_reads++;
    else if (times->n < DEMO_TIMES_MAX)
        times->us[times->n++] = (uint32_t)(a->took_ns / 1000);
    (void)pthread_mutex_unlock(&mu);
}

demo_answer demo_read(demo *d, tt_client *client, tt_session *session, const demo_question *q)
{
    demo_answer a = {
        .err = TT_ERROR_INIT, .read = TT_READ_INFO_INIT, .write = TT_WRITE_INFO_INIT, .number = -1};
    tt_read_options options = TT_READ_OPTIONS_INIT;
    tt_value value = tt_int(q->id);
    tt_result *result = NULL;
    int64_t began = demo_now_ns();

    options.consistency = q->consistency;
    if (q->tag) {
        options.cache_class = "";
        options.tags = &q->tag;
        options.n_tags = 1;
    }
    a.rc = tt_query_read(client, session, q->sql, &value, 1, &options, &result, &a.read, &a.err);
    a.took_ns = demo_now_ns() - began;
    if (a.rc == 0)
        (void)tt_result_int(result, 0, 0, &a.number);
    tt_result_free(result);
    count(d, &a);
    return a;
}

demo_answer demo_seats(demo *d, tt_client *client, tt_session *session, int64_t subject,
                       bool cached)
{
    demo_question q = {.sql = demo_seats_sql, .tag = cached ? demo_seats_tag : NULL, .id = subject};

    return demo_read(d, client, session, &q);
}

bool demo_is_fresh(demo *d, const demo_answer *a, int64_t expected)
{
    bool fresh = a->rc == 0 && a->number == expected;

    if (a->rc == 0) {
        d->compared++;
        d->stale += !fresh;
    }
    return fresh;
}

/* ---- writes ------------------------------------------------------------------------------------
 */

demo_answer demo_set_seats(tt_client *client, tt_session *session, int64_t subject, int64_t seats)
{
    demo_answer a = {
        .err = TT_ERROR_INIT, .read = TT_READ_INFO_INIT, .write = TT_WRITE_INFO_INIT, .number = -1};
    const char *tags[] = {"subject:{2}"};
    tt_write_options options = TT_WRITE_OPTIONS_INIT;
    tt_value values[] = {tt_int(seats), tt_int(subject)};
    int64_t began = demo_now_ns();

    options.tags = tags;
    options.n_tags = 1;
    a.rc = tt_query_write(client, session, "UPDATE subjects SET seats = ? WHERE id = ?", values, 2,
                          &options, &a.write, &a.err);
    a.took_ns = demo_now_ns() - began;
    return a;
}

/* ---- many reads --------------------------------------------------------------------------------
 */

void demo_tally_add(demo_tally *t, const demo *d, const demo_answer *a)
{
    t->total++;
    if (a->rc != 0) {
        t->failed++;
        return;
    }
    t->n[demo_server_of(d, a)]++;
    if (t->times.n < DEMO_TIMES_MAX)
        t->times.us[t->times.n++] = (uint32_t)(a->took_ns / 1000);
}

void demo_tally_merge(demo_tally *sum, const demo_tally *t)
{
    for (int i = 0; i < DEMO_SERVERS; i++)
        sum->n[i] += t->n[i];
    sum->total += t->total;
    sum->failed += t->failed;
    for (uint32_t i = 0; i < t->times.n && sum->times.n < DEMO_TIMES_MAX; i++)
        sum->times.us[sum->times.n++] = t->times.us[i];
}

static int by_size(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

int64_t demo_median_ns(demo_times *times)
{
    if (times->n == 0)
        return -1;
    qsort(times->us, times->n, sizeof(times->us[0]), by_size);
    return (int64_t)times->us[times->n / 2] * 1000;
}
