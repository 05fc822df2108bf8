/* An event loop: epoll waits for a timer and for the descriptor of a tt_queue at the same time. The
 * loop submits reads, and a write now and then, never blocks, and takes what has completed.
 * Usage: event_loop twotier.yaml */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>
#include <twotier/twotier.h>

enum { OPERATIONS = 400, AT_A_TIME = 20, TICK_MS = 5 };

typedef struct loop {
    tt_client *client;
    tt_queue *queue;
    int epoll, timer;
    int submitted, reads, writes, from_cache, ticks, failed;
} loop;

static tt_error err = TT_ERROR_INIT;

static void must(int rc)
{
    if (rc == 0)
        return;
    fprintf(stderr, "event_loop: %s: %s\n", tt_error_name(rc), err.message);
    exit(1);
}

static void must_not_fail(const char *what, int rc)
{
    if (rc >= 0)
        return;
    perror(what);
    exit(1);
}

/* ---- submitting --------------------------------------------------------------------------------
 */

/* What is handed to the queue is copied; `user` comes back with the completion. */
static int submit_read(loop *l, int64_t id, void *user)
{
    tt_read_options options = TT_READ_OPTIONS_INIT;
    tt_value value = tt_int(id);

    options.cache_class = "";
    return tt_queue_read(l->queue, NULL, "SELECT visits FROM loop_pages WHERE id = ?", &value, 1,
                         &options, user, &err);
}

static int submit_write(loop *l, int64_t id, void *user)
{
    tt_value value = tt_int(id);

    return tt_queue_write(l->queue, NULL, "UPDATE loop_pages SET visits = visits + 1 WHERE id = ?",
                          &value, 1, NULL, user, &err);
}

static void submit_some(loop *l)
{
    for (int i = 0; i < AT_A_TIME && l->submitted < OPERATIONS; i++) {
        int64_t id = l->submitted % 10;
        int writes = l->submitted % 50 == 49;
        int rc = writes ? submit_write(l, id, &l->writes) : submit_read(l, id, &l->reads);

        if (rc == TT_E_BUSY)
            return; /* the queue is full: go on when something has completed */
        must(rc);
        l->submitted++;
    }
}

/* ---- completing --------------------------------------------------------------------------------
 */

static void take_all(loop *l)
{
    tt_read_info read = TT_READ_INFO_INIT;
    tt_write_info write = TT_WRITE_INFO_INIT;
    tt_completion done;

    while (tt_queue_next(l->queue, &done, &read, &write, &err)) {
        int *counter = done.user;

        if (done.code != 0) {
            fprintf(stderr, "event_loop: %s: %s\n", tt_error_name(done.code), err.message);
            l->failed++;
            continue;
        }
        ++*counter;
        if (done.result)
            l->from_cache += read.source == TT_SOURCE_REDIS || read.source == TT_SOURCE_LOCAL;
        tt_result_free(done.result);
    }
}

static void take_tick(loop *l)
{
    uint64_t expirations = 0;

    if (read(l->timer, &expirations, sizeof(expirations)) == sizeof(expirations))
        l->ticks += (int)expirations;
}

static void run(loop *l)
{
    struct epoll_event events[4];

    while (l->submitted < OPERATIONS || tt_queue_pending(l->queue) > 0) {
        int n = epoll_wait(l->epoll, events, 4, 10000);

        if (n < 0 && errno == EINTR)
            continue;
        must_not_fail("epoll_wait", n > 0 ? 0 : -1);
        for (int i = 0; i < n; i++) {
            if (events[i].data.fd == l->timer)
                take_tick(l);
            else
                take_all(l);
        }
        submit_some(l);
    }
}

/* ---- around it ---------------------------------------------------------------------------------
 */

static void watch(loop *l, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data = {.fd = fd}};

    must_not_fail("epoll_ctl", epoll_ctl(l->epoll, EPOLL_CTL_ADD, fd, &event));
}

static void open_loop(loop *l)
{
    struct itimerspec every = {{0, TICK_MS * 1000000L}, {0, TICK_MS * 1000000L}};

    must(tt_queue_new(l->client, NULL, &l->queue, &err));
    must_not_fail("epoll_create1", l->epoll = epoll_create1(EPOLL_CLOEXEC));
    must_not_fail("timerfd_create", l->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK));
    must_not_fail("timerfd_settime", timerfd_settime(l->timer, 0, &every, NULL));
    watch(l, l->timer);
    watch(l, tt_queue_fd(l->queue));
}

static void prepare(tt_client *client)
{
    static const char *const sql[] = {
        "DROP TABLE IF EXISTS loop_pages",
        "CREATE TABLE loop_pages (id INT PRIMARY KEY, visits INT NOT NULL)",
        "INSERT INTO loop_pages VALUES (0,0), (1,0), (2,0), (3,0), (4,0), (5,0), (6,0), (7,0), "
        "(8,0), (9,0)",
    };
    const char *tags[] = {"table:loop_pages"};
    tt_write_options options = TT_WRITE_OPTIONS_INIT;

    options.tags = tags; /* cached reads of the table go where these have been applied */
    options.n_tags = 1;
    for (size_t i = 0; i < sizeof(sql) / sizeof(sql[0]); i++)
        must(tt_query_write(client, NULL, sql[i], NULL, 0, &options, NULL, &err));
}

int main(int argc, char **argv)
{
    tt_config *config = NULL;
    loop l = {.client = NULL};

    must(tt_config_new(NULL, &config, &err));
    must(tt_config_load_file(config, argc > 1 ? argv[1] : "twotier.yaml", &err));
    must(tt_client_open(config, &l.client, &err));
    tt_config_free(config);
    prepare(l.client);
    open_loop(&l);
    run(&l);
    printf("%d reads (%d from the cache), %d writes, %d failed; the loop went on: %s\n", l.reads,
           l.from_cache, l.writes, l.failed, l.ticks > 0 ? "yes" : "no");
    (void)close(l.epoll);
    (void)close(l.timer);
    tt_queue_free(l.queue);
    tt_client_close(l.client);
    return l.failed || l.reads + l.writes != OPERATIONS;
}
