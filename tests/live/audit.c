/* audit.c: after every fault, with nobody writing: no mark remains, nothing is left to be done,
 * every cached key equals the primary. */
#include "live/live.h"

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SETTLE_MS = MARK_TIMEOUT_MS + 40000, SWEEPS_MAX = 25 };

/* Read all that can be read through the cache; with `truth`, compare. *hits tells how many the
 * cache answered: the others compare the database with itself. */
static bool sweep(live_actor *a, const int64_t *truth, uint64_t *hits)
{
    int64_t got[CELLS];
    bool all = true;

    *hits = 0;

    for (int kind = 0; kind < KIND_CACHED; kind++)
        for (int id = 0; id < read_ids((live_kind)kind); id++) {
            bool hit = false;

            for (int i = 0; i < CELLS; i++)
                got[i] = -1;
            if (!read_cached(a, (live_kind)kind, id, got, &hit)) {
                all = false;
                continue;
            }
            *hits += hit;
            if (!truth)
                continue;
            for (int i = 0; i < CELLS; i++) {
                live_record r = {.process = a->process, .kind = kind, .cell = i};

                if (got[i] < 0 || got[i] == truth[i])
                    continue;
                r.began_ns = r.ended_ns = live_now_ns();
                r.source = hit ? TT_SOURCE_REDIS : TT_SOURCE_NONE;
                r.got = got[i];
                r.floor = r.ceiling = truth[i];
                history_violation(a->l, &r, "audit: the cache differs from the primary");
            }
        }
    return all;
}

static int64_t deferred_rows(live_actor *a)
{
    tt_read_options o = TT_READ_OPTIONS_INIT;
    tt_result *result = NULL;
    tt_error err = TT_ERROR_INIT;
    int64_t n = -1;

    o.consistency = TT_STRONG;
    if (tt_query_read(a->client, NULL, "SELECT COUNT(*) FROM twotier_deferred", NULL, 0, &o,
                      &result, NULL, &err) != 0)
        return -1;
    (void)tt_result_int(result, 0, 0, &n);
    tt_result_free(result);
    return n;
}

static void complain(live_actor *a, const char *what)
{
    live_record r = {.process = a->process, .kind = KIND_STRONG};

    r.began_ns = r.ended_ns = live_now_ns();
    history_violation(a->l, &r, what);
}

/* Until nothing is pending. Reads are what finds the marks of the dead. */
static void settle(live_actor *a)
{
    int64_t until = live_now_ns() + (int64_t)SETTLE_MS * 1000000;
    int marks = -1;
    int64_t rows = -1;
    bool read = false;
    uint64_t hits;

    while (live_now_ns() < until) {
        read = sweep(a, NULL, &hits);
        marks = faults_marks();
        rows = deferred_rows(a);
        if (marks > 0)
            atomic_fetch_add(&a->l->marks_seen, (uint64_t)marks);
        if (read && marks == 0 && rows == 0)
            return;
        live_sleep_ms(50);
    }
    (void)fprintf(stderr, "audit: %d marked tags, %lld deferred rows, all keys readable: %d\n",
                  marks, (long long)rows, read);
    complain(a, "audit: something is still pending long after the fault");
}

/* Every key, and nine of ten from the cache. */
static void compare(live_actor *a, const int64_t *truth)
{
    uint64_t keys = read_all_ids(), hits = 0;
    bool all = false;

    for (int i = 0; i < SWEEPS_MAX && !(all && hits * 10 >= keys * 9); i++) {
        if (i)
            live_sleep_ms(20); /* entries are stored behind the reader's back */
        all = sweep(a, truth, &hits);
    }
    atomic_store(&a->l->audited[atomic_load(&a->l->phase)][0], all ? keys : 0);
    atomic_store(&a->l->audited[atomic_load(&a->l->phase)][1], hits);
    if (all && hits * 10 >= keys * 9)
        return;
    (void)fprintf(stderr, "audit: %d keys, %d of them hits, all readable: %d\n", (int)keys,
                  (int)hits, all);
    complain(a, "audit: the cache does not hold what was read before");
}

static void audit_main(live *l)
{
    static live_actor a;
    int64_t truth[CELLS] = {0};

    actor_init(&a, l, live_open(l, PROCESSES + VICTIMS, NULL, 60), PROCESSES + VICTIMS + 1, 0);
    settle(&a);
    if (read_all_strong(&a, truth))
        compare(&a, truth);
    else
        complain(&a, "audit: the primary cannot be read");
    metrics_publish(a.client, l->audits, true);
    actor_free(&a);
    tt_client_close(a.client);
}

void audit(live *l)
{
    pid_t pid = live_fork();
    int status = -1;

    if (pid == 0) {
        audit_main(l);
        exit(EXIT_SUCCESS);
    }
    (void)waitpid(pid, &status, 0);
    if (status != 0) {
        (void)fprintf(stderr, "audit: the auditor ended with status %d\n", status);
        atomic_fetch_add(&live_count(l)->violations, 1);
    }
}
