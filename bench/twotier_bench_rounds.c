#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "twotier_bench.h"

/* One side of a round: its threads start together, and each counts its own calls and its own time,
 * so that starting and ending threads is in no figure. */
typedef struct round {
    const bench_path *path;
    bench_call *call;
    bench_worker *workers;
    pthread_barrier_t start;
    int64_t length_ns;
} round;

typedef struct runner {
    round *r;
    bench_worker *w;
} runner;

static int64_t now_ns(void)
{
    return tt_now_ns(&tt_clock_system);
}

static void run(round *r, bench_worker *w)
{
    int64_t end;

    w->calls = 0;
    w->began_ns = now_ns();
    end = w->began_ns + r->length_ns;
    do {
        for (int i = 0; i < r->path->burst; i++)
            r->call(w);
        w->calls += (uint64_t)r->path->burst;
        w->ended_ns = now_ns();
    } while (w->ended_ns < end);
}

static void *run_thread(void *arg)
{
    runner *me = arg;

    (void)pthread_barrier_wait(&me->r->start);
    run(me->r, me->w);
    return NULL;
}

static void run_threads(round *r, int n)
{
    pthread_t threads[BENCH_THREADS_MAX];
    runner runners[BENCH_THREADS_MAX];

    if (pthread_barrier_init(&r->start, NULL, (unsigned)n) != 0)
        bench_die("out of memory");
    for (int i = 0; i < n; i++) {
        runners[i] = (runner){r, &r->workers[i]};
        if (pthread_create(&threads[i], NULL, run_thread, &runners[i]) != 0)
            bench_die("a thread could not be started");
    }
    for (int i = 0; i < n; i++)
        (void)pthread_join(threads[i], NULL);
    (void)pthread_barrier_destroy(&r->start);
}

/* Microseconds of processor time that this process has used. */
static double processor_us(void)
{
    struct rusage u;

    (void)getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e6 +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

/* Calls a second of all threads, or time a call as each thread sees it; and the processor time of
 * the client per call, in *cpu_us. */
static double figure(const bench *b, const bench_path *path, bench_worker *workers, bool ours,
                     double *cpu_us)
{
    round r = {.path = path,
               .call = ours ? path->ours : path->bare,
               .workers = workers,
               .length_ns = b->opt.round_ms * TT_NS_PER_MS};
    double per_s = 0, calls = 0, used_us = processor_us();

    for (int i = 0; i < path->threads; i++) {
        workers[i].replayed = 0;
        if (ours)
            workers[i].routed = 0;
    }
    if (path->threads == 1)
        run(&r, &workers[0]);
    else
        run_threads(&r, path->threads);
    if (ours && path->settle) {
        path->settle((bench *)(uintptr_t)b);
        workers[0].ended_ns = now_ns();
    }
    for (int i = 0; i < path->threads; i++)
        calls += (double)workers[i].calls;
    *cpu_us = (processor_us() - used_us) / calls;
    for (int i = 0; i < path->threads; i++)
        per_s +=
            (double)workers[i].calls * 1e9 / (double)(workers[i].ended_ns - workers[i].began_ns);
    if (strcmp(path->unit, "calls/s") == 0)
        return per_s;
    return path->threads / per_s * (strcmp(path->unit, "ns") == 0 ? 1e9 : 1e6);
}

void bench_worker_open(bench *b, bench_worker *w, int index, bool bare)
{
    memset(w, 0, sizeof(*w));
    w->b = b;
    w->index = index;
    w->rng = (uint64_t)index * 977 + 1;
    w->unique = b->unique + index * (INT64_C(1) << 32);
    w->route = malloc(BENCH_ROUTE);
    if (!w->route)
        bench_die("out of memory");
    if (!bare)
        return;
    w->redis = bare_redis_open(b);
    for (int i = 0; i < b->client->n_nodes; i++)
        w->db[i] = bare_db_open(&b->client->nodes[i].target);
}

void bench_worker_close(bench_worker *w)
{
    w->b->unique = TT_MAX(w->b->unique, w->unique + 1);
    for (int i = 0; i < TT_NODES_MAX; i++)
        bare_db_close(w->db[i]);
    bare_db_close(w->peer);
    redisFree(w->redis);
    free(w->route);
}

void bench_measure(bench *b, const bench_path *path, bench_row *out)
{
    static double ours[BENCH_ROUNDS_MAX], bare[BENCH_ROUNDS_MAX];
    static double our_cpu[BENCH_ROUNDS_MAX], bare_cpu[BENCH_ROUNDS_MAX];
    static bench_worker workers[BENCH_THREADS_MAX];
    char text[160];

    for (int i = 0; i < path->threads; i++)
        bench_worker_open(b, &workers[i], i, true);
    for (int i = 0; i < path->threads; i++)
        workers[i].which_peer = path->peer;
    for (int i = -2; i < b->opt.rounds; i++) { /* the first two warm up, and are overwritten */
        int at = TT_MAX(i, 0);

        (void)snprintf(text, sizeof(text), "%s, %d thread%s: round %d of %d", path->name,
                       path->threads, path->threads > 1 ? "s" : "", at + 1, b->opt.rounds);
        bench_progress(text);
        ours[at] = figure(b, path, workers, true, &our_cpu[at]);
        bare[at] = figure(b, path, workers, false, &bare_cpu[at]);
    }
    for (int i = 0; i < path->threads; i++)
        bench_worker_close(&workers[i]);
    bench_progress(NULL);
    bench_ratio(ours, bare, b->opt.rounds, out);
    (void)snprintf(out->cpu, sizeof(out->cpu), "%.1f/%.1f", bench_median(our_cpu, b->opt.rounds),
                   bench_median(bare_cpu, b->opt.rounds));
    out->measured = true;
}
