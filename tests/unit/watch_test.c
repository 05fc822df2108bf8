/* The watchdog of connections: exact, and asleep when there is nothing to watch. */
#include "unit/suite.h"

#include <time.h>

#include "svc/conn.h"

/* ---- a driver whose connections only count their aborts ---- */

struct tt_db_conn {
    atomic_int aborts;
};

static tt_db_status fake_connect(const tt_allocator *a, const tt_db_target *target,
                                 tt_db_conn **out, tt_error *err)
{
    (void)target, (void)err;
    *out = tt_new(a, sizeof(**out));
    return TT_DB_OK;
}

static tt_db_status fake_ready(tt_db_conn *c, tt_error *err)
{
    (void)c, (void)err;
    return TT_DB_OK;
}

static void fake_close(tt_db_conn *c)
{
    tt_del(&tt_allocator_libc, c);
}

static void fake_abort(tt_db_conn *c)
{
    atomic_fetch_add(&c->aborts, 1);
}

static const tt_db_driver driver = {
    .connect = fake_connect, .ready = fake_ready, .close = fake_close, .abort = fake_abort};

/* ---- a clock that counts who looks at it ---- */

static atomic_int looks;

static int64_t look(void *ignored)
{
    (void)ignored;
    atomic_fetch_add(&looks, 1);
    return tt_now_ns(&tt_clock_system);
}

static tt_watch watch;
static tt_clock counting;
static pthread_t thread;

static void *run(void *ignored)
{
    tt_watch_run(&watch);
    return ignored;
}

static void setup(void)
{
    counting = tt_clock_system;
    counting.monotonic_ns = look;
    ck_assert_int_eq(tt_watch_init(&watch, &driver, &counting), 0);
    ck_assert_int_eq(pthread_create(&thread, NULL, run, NULL), 0);
}

static void teardown(void)
{
    tt_watch_stop(&watch);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    tt_watch_free(&watch);
}

static tt_conn *open_one(void)
{
    static const tt_db_target target = {.connect_timeout_ms = 60000};
    tt_conn *c = NULL;

    ck_assert_int_eq(tt_conn_open(&tt_allocator_libc, &watch, &target, INT64_MAX, &c, NULL),
                     TT_DB_OK);
    return c;
}

static void pause_ms(int ms)
{
    (void)nanosleep(&(struct timespec){ms / 1000, ms % 1000 * TT_NS_PER_MS}, NULL);
}

static int64_t in_ms(int ms)
{
    return tt_now_ns(&tt_clock_system) + ms * TT_NS_PER_MS;
}

/* How long after `deadline` it was noticed. */
static int64_t late_ms(const tt_conn *c, int64_t deadline)
{
    while (atomic_load(&c->db->aborts) == 0)
        pause_ms(1);
    return (tt_now_ns(&tt_clock_system) - deadline) / TT_NS_PER_MS;
}

START_TEST(an_earlier_deadline_is_noticed)
{
    tt_conn *far = open_one(), *near = open_one();
    int64_t deadline;

    tt_conn_begin(far, in_ms(60000));
    pause_ms(50); /* it sleeps for that one */
    for (int i = 0; i < 3; i++) {
        deadline = in_ms(30);
        tt_conn_begin(near, deadline);
        ck_assert_int_lt(late_ms(near, deadline), 2000);
        ck_assert(!tt_conn_end(near));
        near->aborted = false;
        atomic_store(&near->db->aborts, 0);
    }
    tt_conn_begin(near, in_ms(-5));
    ck_assert_int_lt(late_ms(near, in_ms(0)), 2000);
    ck_assert(tt_conn_end(far));
    ck_assert_int_eq(atomic_load(&far->db->aborts), 0);
    tt_conn_close(&tt_allocator_libc, far);
    tt_conn_close(&tt_allocator_libc, near);
}
END_TEST

START_TEST(nothing_to_watch_costs_nothing)
{
    tt_conn *c = open_one();

    pause_ms(50); /* it runs by now */
    for (int i = 0; i < 1000; i++) {
        tt_conn_begin(c, in_ms(60000));
        ck_assert(tt_conn_end(c));
    }
    pause_ms(100);
    atomic_store(&looks, 0);
    pause_ms(500);
    ck_assert_int_eq(atomic_load(&looks), 0);
    for (int i = 0; i < 1000; i++) { /* later than what it sleeps for */
        tt_conn_begin(c, in_ms(70000));
        ck_assert(tt_conn_end(c));
    }
    pause_ms(100);
    ck_assert_int_eq(atomic_load(&looks), 0);
    tt_conn_close(&tt_allocator_libc, c);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("watch");

    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, an_earlier_deadline_is_noticed);
    tcase_add_test(t, nothing_to_watch_costs_nothing);
    return suite_run("watch", t);
}
