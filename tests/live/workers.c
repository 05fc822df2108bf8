/* workers.c: processes whose threads read and write as long as they may. */
#include "live/live.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

pid_t live_fork(void)
{
    pid_t parent = getpid(), pid;

    (void)fflush(NULL);
    pid = fork();
    if (pid < 0) {
        perror("fork");
        exit(EXIT_FAILURE);
    }
    if (pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent)
            _exit(EXIT_FAILURE);
    }
    return pid;
}

/* Leave this session's token for another process. */
static void post_token(live_actor *a)
{
    live_mail *m = &a->l->mail[live_random(a, MAILBOXES)];
    tt_error err = TT_ERROR_INIT;

    if (pthread_mutex_trylock(&m->mu) != 0)
        return;
    if (tt_session_token(a->session, m->token, sizeof(m->token), &err) == 0) {
        memcpy(m->own, a->own, sizeof(m->own));
        m->process = a->process;
    }
    pthread_mutex_unlock(&m->mu);
}

static void adopt_token(live_actor *a)
{
    live_mail *m = &a->l->mail[live_random(a, MAILBOXES)];
    tt_error err = TT_ERROR_INIT;

    if (pthread_mutex_trylock(&m->mu) != 0)
        return;
    if (m->process >= 0 && m->process != a->process &&
        tt_session_adopt(a->session, m->token, &err) == 0)
        for (int i = 0; i < CELLS; i++)
            if (m->own[i] > a->own[i])
                a->own[i] = m->own[i];
    pthread_mutex_unlock(&m->mu);
}

/* What others may do at any time: it may only make readers go to the database. Clearing all names
 * the primary anew, which must be known for that. */
static void invalidate(live_actor *a)
{
    bool all = live_random(a, 10) == 0;
    tt_error err = TT_ERROR_INIT;
    char text[32];
    const char *tag = text;
    int code;

    (void)snprintf(text, sizeof(text), "c:%d", live_random(a, COUNTERS));
    code =
        all ? tt_cache_clear(a->client, 0, &err) : tt_invalidate_tags(a->client, &tag, 1, 0, &err);
    if (code == 0)
        return;
    atomic_fetch_add(&live_count(a->l)->write_errors, 1);
    atomic_fetch_add(&a->l->errors[1][-code % ERRORS_MAX], 1);
    if (code == TT_E_CACHE_UNAVAILABLE || code == TT_E_TIMEOUT || (all && code == TT_E_UNAVAILABLE))
        return;
    (void)fprintf(stderr, "live: invalidation: %s %s\n", tt_error_name(code), err.message);
    atomic_fetch_add(&live_count(a->l)->violations, 1);
}

static void one_step(live_actor *a)
{
    int n = live_random(a, 1000);

    if (n < atomic_load(&a->l->write_share))
        write_any(a);
    else if (n >= 998)
        actor_new_session(a);
    else if (n >= 993)
        adopt_token(a);
    else if (n >= 988)
        post_token(a);
    else if (n == 987 && !a->l->setup.plain)
        invalidate(a);
    else if (n >= 984 && n < 987 && !a->l->setup.plain)
        warm_any(a);
    else
        read_any(a);
}

typedef struct crew {
    live_actor actors[THREADS];
    _Atomic int idle;
} crew;

typedef struct hand {
    crew *crew;
    int thread;
} hand;

static void *thread_main(void *ctx)
{
    hand *h = ctx;
    live_actor *a = &h->crew->actors[h->thread];
    bool idle = false;
    int mode;

    while ((mode = atomic_load(&a->l->mode)) != MODE_QUIT) {
        if ((mode == MODE_PAUSE) != idle) {
            idle = mode == MODE_PAUSE;
            atomic_fetch_add(&h->crew->idle, idle ? 1 : -1);
        }
        if (idle)
            live_sleep_ms(2);
        else
            one_step(a);
    }
    return NULL;
}

static void worker_main(live *l, int process)
{
    tt_client *client = live_open(l, process, NULL, 20);
    static crew all;
    hand hands[THREADS];
    pthread_t threads[THREADS];

    for (int i = 0; i < THREADS; i++) {
        actor_init(&all.actors[i], l, client, process, i);
        if (i == THREADS - 1 && process == 1 && !l->setup.plain)
            calls_use_queue(&all.actors[i]);
        hands[i] = (hand){&all, i};
        if (pthread_create(&threads[i], NULL, thread_main, &hands[i]) != 0)
            _exit(EXIT_FAILURE);
    }
    while (atomic_load(&l->mode) != MODE_QUIT) {
        bool idle = atomic_load(&all.idle) == THREADS;

        if (idle && !atomic_load(&l->paused[process]))
            metrics_publish(client, l->metrics[process], false);
        atomic_store(&l->paused[process], idle);
        live_sleep_ms(5);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        actor_free(&all.actors[i]);
    }
    tt_client_close(client);
}

pid_t worker_fork(live *l, int process)
{
    pid_t pid = live_fork();

    if (pid != 0)
        return pid;
    worker_main(l, process);
    exit(EXIT_SUCCESS);
}
