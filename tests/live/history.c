/* history.c: what every operation did, in memory that all processes share. */
#include "live/live.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { BEFORE_SHOWN = 14 };

static void init_mutex(pthread_mutex_t *mu)
{
    pthread_mutexattr_t attributes;

    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_init(mu, &attributes);
    pthread_mutexattr_destroy(&attributes);
}

live *history_new(void)
{
    live *l = mmap(NULL, sizeof(*l), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (l == MAP_FAILED) {
        perror("mmap");
        exit(EXIT_FAILURE);
    }
    init_mutex(&l->print);
    for (int i = 0; i < MAILBOXES; i++)
        init_mutex(&l->mail[i].mu);
    history_reset(l);
    return l;
}

void history_reset(live *l)
{
    for (int i = 0; i < CELLS; i++) {
        atomic_store(&l->cells[i].acked, 0);
        atomic_store(&l->cells[i].possible, 0);
        atomic_store(&l->cells[i].acked_ns, 0);
    }
    for (int i = 0; i < MAILBOXES; i++)
        l->mail[i].process = -1;
    atomic_store(&l->written, 0);
}

void history_note(live *l, const live_record *r)
{
    l->history[atomic_fetch_add(&l->written, 1) % HISTORY] = *r;
}

static void print_record(FILE *out, const live_record *r, int64_t origin_ns)
{
    static const char *const sources[] = {"none", "local", "redis", "replica", "primary"};
    static const char *const invalidated[] = {"none", "done", "OUTSTANDING", "DEFERRED",
                                              "at commit"};

    (void)fprintf(out, "  %9.3f..%9.3f ms  %d.%d %-9s cell %-2d ",
                  (double)(r->began_ns - origin_ns) / 1e6, (double)(r->ended_ns - origin_ns) / 1e6,
                  r->process, r->thread, kind_name(r->kind), r->cell);
    if (r->code != 0)
        (void)fprintf(out, "%s %" PRId64 " [%s]\n", tt_error_name(r->code), r->got, r->node);
    else if (r->kind >= KIND_WRITE)
        (void)fprintf(out, "wrote %" PRId64 ", invalidation %s\n", r->got,
                      invalidated[r->invalidated]);
    else
        (void)fprintf(
            out, "got %" PRId64 ", expected %" PRId64 "..%" PRId64 ", from %s %s%s%s%s: %s\n",
            r->got, r->floor, r->ceiling, sources[r->source], r->node, r->stale ? " (stale)" : "",
            r->shared ? " (shared)" : "", r->session ? " (session)" : "", r->why ? r->why : "");
}

void history_violation(live *l, const live_record *r, const char *what)
{
    uint64_t last = atomic_load(&l->written), at[BEFORE_SHOWN];
    int n = 0;

    atomic_fetch_add(&live_count(l)->violations, 1);
    if (atomic_fetch_add(&l->shown, 1) >= SHOWN_MAX)
        return;
    if (pthread_mutex_lock(&l->print) != 0)
        (void)pthread_mutex_consistent(&l->print);
    (void)fprintf(stderr, "VIOLATION in phase %d: %s\n", atomic_load(&l->phase), what);
    print_record(stderr, r, r->began_ns);
    (void)fprintf(stderr, " before it, the latest first:\n");
    for (uint64_t i = last; i > 0 && last - i < HISTORY - 64 && n < BEFORE_SHOWN; i--)
        if (l->history[(i - 1) % HISTORY].cell == r->cell)
            at[n++] = i - 1;
    for (int i = 0; i < n; i++)
        print_record(stderr, &l->history[at[i] % HISTORY], r->began_ns);
    (void)fflush(stderr);
    pthread_mutex_unlock(&l->print);
}

uint64_t history_violations(const live *l)
{
    uint64_t n = 0;

    for (int i = 0; i < PHASES_MAX; i++)
        n += atomic_load(&l->counts[i].violations);
    return n;
}
