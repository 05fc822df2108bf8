/* link_bench.c: what the shared connection costs and brings, beside bare hiredis, on the round trip
 * of a cache hit: MGET of 5 keys, one of about 1 KB and four of about 70 bytes, drawn Zipf 0.99.
 *
 *   link_bench [--host H] [--port P] [--socket PATH] [--rounds N] [--round-ms N] [--threads N]
 *              [--connections N]
 *
 * Rounds of the two sides alternate, so that what disturbs the machine disturbs both; the processor
 * time of client and server per call does so even beside other work. Printed are medians, and the
 * 95 % confidence interval of the ratio by bootstrap over pairs of rounds. */
#include <hiredis.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "base/rng.h"
#include "svc/link.h"

#define KEYS 10000
#define ASKED 5
#define KEY_BYTES 40
#define THREADS_MAX 256
#define ROUNDS_MAX 1000
#define SAMPLES_MAX 200000
#define RESAMPLES 2000

typedef struct settings {
    const char *host, *socket;
    unsigned port;
    int rounds, round_ms, threads, connections;
} settings;

static settings opt = {"127.0.0.1", NULL, 6379, 30, 300, 32, 0};
static double zipf[KEYS];
static char entry_keys[KEYS][KEY_BYTES], tag_keys[KEYS][KEY_BYTES];
static tt_link_set *set;
static redisContext *bare[THREADS_MAX];
static atomic_bool stop;
static atomic_ullong calls;
static bool ours_turn;

/* ---- keys ----------------------------------------------------------------------------------- */

static void make_zipf(void)
{
    double sum = 0;

    for (int i = 0; i < KEYS; i++)
        zipf[i] = sum += 1 / pow(i + 1, 0.99);
    for (int i = 0; i < KEYS; i++)
        zipf[i] /= sum;
}

static int draw(uint64_t *rng)
{
    double u = (double)(tt_splitmix64(rng) >> 11) / 9007199254740992.0;
    int low = 0, high = KEYS - 1;

    while (low < high) {
        int mid = (low + high) / 2;

        if (zipf[mid] < u)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

static void make_keys(void)
{
    for (int i = 0; i < KEYS; i++) {
        (void)snprintf(entry_keys[i], KEY_BYTES, "bench:e:%022d", i);
        (void)snprintf(tag_keys[i], KEY_BYTES, "bench:t:%022d", i);
    }
}

/* One entry, the term, and three tags. */
static void draw_keys(const char *keys[ASKED], uint64_t *rng)
{
    keys[0] = entry_keys[draw(rng)];
    keys[1] = "bench:term";
    for (int i = 2; i < ASKED; i++)
        keys[i] = tag_keys[draw(rng)];
}

static void die(const char *what)
{
    (void)fprintf(stderr, "link_bench: %s\n", what);
    exit(1);
}

static redisContext *connect_bare(void)
{
    redisContext *c =
        opt.socket ? redisConnectUnix(opt.socket) : redisConnect(opt.host, (int)opt.port);

    if (!c || c->err)
        die("expected a Redis server there; see --host, --port, --socket");
    return c;
}

static void load(void)
{
    redisContext *c = connect_bare();
    char value[1024];

    memset(value, 'x', sizeof(value));
    for (int i = 0; i < KEYS; i++) {
        redisAppendCommand(c, "SET %s %b", entry_keys[i], value, sizeof(value));
        redisAppendCommand(c, "SET %s %b", tag_keys[i], value, (size_t)70);
    }
    redisAppendCommand(c, "SET bench:term %b", value, (size_t)70);
    for (int i = 0; i < 2 * KEYS + 1; i++) {
        redisReply *r = NULL;

        if (redisGetReply(c, (void **)&r) != REDIS_OK)
            die("the data could not be loaded");
        freeReplyObject(r);
    }
    redisFree(c);
}

/* ---- the two sides -------------------------------------------------------------------------- */

static void ask_ours(const char *keys[ASKED], tt_answers *answers)
{
    tt_cmd cmds[ASKED];
    tt_batch batch = {cmds, ASKED};

    for (int i = 0; i < ASKED; i++) {
        cmds[i].kind = TT_CMD_GET;
        cmds[i].key = tt_str_c(keys[i]);
        cmds[i].n_args = 0;
    }
    if (tt_link_call(set, &batch, tt_now_ns(&tt_clock_system) + TT_NS_PER_S, answers) != 0 ||
        answers->replies[0].text.n != 1024 || answers->replies[4].text.n != 70)
        die("a call failed");
}

static void ask_bare(redisContext *c, const char *keys[ASKED])
{
    const char *argv[ASKED + 1] = {"MGET"};
    size_t lengths[ASKED + 1] = {4};
    redisReply *r;

    for (int i = 0; i < ASKED; i++) {
        argv[i + 1] = keys[i];
        lengths[i + 1] = strlen(keys[i]);
    }
    r = redisCommandArgv(c, ASKED + 1, argv, lengths);
    if (!r || r->elements != ASKED || r->element[0]->len != 1024)
        die("a bare command failed");
    freeReplyObject(r);
}

/* ---- latency, one thread -------------------------------------------------------------------- */

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double median(const double *values, int n)
{
    static double sorted[SAMPLES_MAX];

    memcpy(sorted, values, (size_t)n * sizeof(*values));
    qsort(sorted, (size_t)n, sizeof(*sorted), by_value);
    return n % 2 ? sorted[n / 2] : (sorted[n / 2 - 1] + sorted[n / 2]) / 2;
}

/* Median time of a call, in microseconds. */
static double latency(bool ours, uint64_t *rng, tt_answers *answers)
{
    static double samples[SAMPLES_MAX];
    int64_t end = tt_now_ns(&tt_clock_system) + opt.round_ms * TT_NS_PER_MS;
    int n = 0;

    while (n < SAMPLES_MAX) {
        const char *keys[ASKED];
        int64_t began, ended;

        draw_keys(keys, rng);
        began = tt_now_ns(&tt_clock_system);
        if (ours)
            ask_ours(keys, answers);
        else
            ask_bare(bare[0], keys);
        ended = tt_now_ns(&tt_clock_system);
        samples[n++] = (double)(ended - began) / 1000;
        if (ended >= end)
            break;
    }
    return median(samples, n);
}

/* ---- throughput ----------------------------------------------------------------------------- */

static void *work(void *arg)
{
    int index = (int)(intptr_t)arg;
    uint64_t rng = (uint64_t)index * 977 + 1, n = 0;
    tt_answers answers = tt_answers_init(&tt_allocator_libc);

    while (!atomic_load_explicit(&stop, memory_order_relaxed)) {
        const char *keys[ASKED];

        draw_keys(keys, &rng);
        if (ours_turn)
            ask_ours(keys, &answers);
        else
            ask_bare(bare[index], keys);
        n++;
    }
    tt_buf_free(&answers.bytes);
    atomic_fetch_add(&calls, n);
    return NULL;
}

static double info_cpu(const char *text, const char *name)
{
    const char *at = strstr(text, name);

    return at ? strtod(at + strlen(name), NULL) * 1e6 : 0;
}

/* Microseconds of processor time that this process and the server have used. */
static double cpu_us(void)
{
    redisReply *r = redisCommand(bare[0], "INFO cpu");
    struct rusage u;
    double sum;

    if (!r || r->type != REDIS_REPLY_STRING || getrusage(RUSAGE_SELF, &u) != 0)
        die("the processor time could not be read");
    sum = info_cpu(r->str, "used_cpu_sys:") + info_cpu(r->str, "used_cpu_user:");
    freeReplyObject(r);
    return sum + (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e6 +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

/* Calls per second of all threads; and what a call cost client and server together. */
static double throughput(bool ours, double *us_per_call)
{
    pthread_t threads[THREADS_MAX];
    double used = cpu_us();
    int64_t began;

    ours_turn = ours;
    atomic_store(&stop, false);
    atomic_store(&calls, 0);
    began = tt_now_ns(&tt_clock_system);
    for (int i = 0; i < opt.threads; i++)
        if (pthread_create(&threads[i], NULL, work, (void *)(intptr_t)i) != 0)
            die("a thread could not be started");
    (void)nanosleep(&(struct timespec){opt.round_ms / 1000, opt.round_ms % 1000 * 1000000}, NULL);
    atomic_store(&stop, true);
    for (int i = 0; i < opt.threads; i++)
        (void)pthread_join(threads[i], NULL);
    *us_per_call = (cpu_us() - used) / (double)TT_MAX(atomic_load(&calls), 1);
    return (double)atomic_load(&calls) * 1e9 / (double)(tt_now_ns(&tt_clock_system) - began);
}

/* ---- figures -------------------------------------------------------------------------------- */

/* Ratio of the medians, and its interval. */
static void report(const char *what, const char *unit, const double *ours, const double *theirs)
{
    static double ratios[RESAMPLES];
    double a[ROUNDS_MAX], b[ROUNDS_MAX];
    uint64_t rng = 12345;

    for (int i = 0; i < RESAMPLES; i++) {
        for (int j = 0; j < opt.rounds; j++) {
            int pick = (int)(tt_splitmix64(&rng) % (uint64_t)opt.rounds);

            a[j] = ours[pick];
            b[j] = theirs[pick];
        }
        ratios[i] = median(a, opt.rounds) / median(b, opt.rounds);
    }
    qsort(ratios, RESAMPLES, sizeof(*ratios), by_value);
    printf("%-24s ours %10.1f  bare %10.1f %-7s ratio %.3f  95 %% [%.3f, %.3f]\n", what,
           median(ours, opt.rounds), median(theirs, opt.rounds), unit,
           median(ours, opt.rounds) / median(theirs, opt.rounds), ratios[RESAMPLES / 40],
           ratios[RESAMPLES - 1 - RESAMPLES / 40]);
}

static int number(const char *text, int max)
{
    char *end;
    long v = strtol(text, &end, 10);

    if (*end || v < 0 || v > max)
        die("a number is out of range");
    return (int)v;
}

static void parse_options(int argc, char **argv)
{
    for (int i = 1; i + 1 < argc; i += 2) {
        const char *name = argv[i], *value = argv[i + 1];

        if (strcmp(name, "--host") == 0)
            opt.host = value;
        else if (strcmp(name, "--socket") == 0)
            opt.socket = value;
        else if (strcmp(name, "--port") == 0)
            opt.port = (unsigned)number(value, 65535);
        else if (strcmp(name, "--rounds") == 0)
            opt.rounds = number(value, ROUNDS_MAX);
        else if (strcmp(name, "--round-ms") == 0)
            opt.round_ms = number(value, 60000);
        else if (strcmp(name, "--threads") == 0)
            opt.threads = number(value, THREADS_MAX);
        else if (strcmp(name, "--connections") == 0)
            opt.connections = number(value, TT_LINK_CONNECTIONS_MAX);
        else
            die("options: --host --port --socket --rounds --round-ms --threads --connections");
    }
}

static void open_all(void)
{
    static const tt_log_sink silent = {NULL, NULL, TT_LOG_ERROR};
    tt_cache_target target = {.host = opt.host, .port = opt.port, .socket = opt.socket};
    tt_link_options options = {.connections = opt.connections};
    tt_error err = TT_ERROR_INIT;

    if (tt_link_set_new(&tt_allocator_libc, &tt_clock_system, &silent, &target, &options, &set,
                        &err) != 0 ||
        tt_link_open(set, tt_now_ns(&tt_clock_system) + TT_NS_PER_S, &err) != 0)
        die(err.message);
    for (int i = 0; i < TT_MAX(opt.threads, 1); i++)
        bare[i] = connect_bare();
}

int main(int argc, char **argv)
{
    static double ours[ROUNDS_MAX], theirs[ROUNDS_MAX], our_cpu[ROUNDS_MAX], their_cpu[ROUNDS_MAX];
    tt_answers answers = tt_answers_init(&tt_allocator_libc);
    uint64_t rng = 1;
    char what[32];

    parse_options(argc, argv);
    make_zipf();
    make_keys();
    load();
    open_all();
    for (int i = -1; i < opt.rounds; i++) { /* the first warms up, and is overwritten */
        int at = TT_MAX(i, 0);

        ours[at] = latency(true, &rng, &answers);
        theirs[at] = latency(false, &rng, &answers);
    }
    report("latency, 1 thread", "us", ours, theirs);
    for (int i = -1; i < opt.rounds; i++) {
        int at = TT_MAX(i, 0);

        ours[at] = throughput(true, &our_cpu[at]);
        theirs[at] = throughput(false, &their_cpu[at]);
    }
    (void)snprintf(what, sizeof(what), "throughput, %d threads", opt.threads);
    report(what, "calls/s", ours, theirs);
    report("processor, both sides", "us/call", our_cpu, their_cpu);
    tt_buf_free(&answers.bytes);
    tt_link_set_free(set, false);
    for (int i = 0; i < TT_MAX(opt.threads, 1); i++)
        redisFree(bare[i]);
    return 0;
}
