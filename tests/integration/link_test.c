/* link_test.c: the shared connections against a real Redis, which is frozen, killed and robbed of
 * its script meanwhile. Whatever happens: an answer belongs to its question. */
#include "unit/suite.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>

#include "base/rng.h"
#include "integration/private_redis.h"
#include "svc/link.h"
#include "unit/oom.h"

#define THREADS 32
#define LARGE (3 * 1024 * 1024)

/* ARGV: verb, epoch, argument. */
static const char script_text[] = "if ARGV[1] == 'set' then redis.call('SET', KEYS[1], ARGV[3]) "
                                  "return ARGV[3] end "
                                  "if ARGV[1] == 'nil' then return false end "
                                  "return KEYS[1] .. '=' .. ARGV[3]";
static const tt_log_sink silent = {NULL, NULL, TT_LOG_ERROR};
static private_redis redis;

static int64_t in_ms(int64_t ms)
{
    return tt_now_ns(&tt_clock_system) + ms * TT_NS_PER_MS;
}

static tt_cache_target target(void)
{
    return (tt_cache_target){.host = "127.0.0.1",
                             .port = redis.port,
                             .script = tt_str_n(script_text, sizeof(script_text) - 1)};
}

static tt_link_set *new_set(const tt_link_options *options)
{
    tt_cache_target t = target();
    tt_link_set *s = NULL;

    ck_assert_int_eq(
        tt_link_set_new(&tt_allocator_libc, &tt_clock_system, &silent, &t, options, &s, NULL), 0);
    return s;
}

static tt_cmd get(const char *key)
{
    return (tt_cmd){.kind = TT_CMD_GET, .key = tt_str_c(key)};
}

static tt_cmd script(const char *verb, const char *key, tt_str arg)
{
    return (tt_cmd){
        .kind = TT_CMD_SCRIPT, .key = tt_str_c(key), .args = {tt_str_c(verb), arg}, .n_args = 2};
}

static tt_cmd mark(const char *key, const char *nonce)
{
    return (tt_cmd){.kind = TT_CMD_MARK,
                    .key = tt_str_c(key),
                    .args = {tt_str_c(nonce), TT_STR("30000"), TT_STR("server"), TT_STR("7")},
                    .n_args = 4};
}

static int call(tt_link_set *s, tt_cmd *cmds, int n, int64_t ms, tt_answers *out)
{
    return tt_link_call(s, &(tt_batch){cmds, n}, in_ms(ms), out);
}

static void check_text(const tt_reply *r, const char *expected)
{
    ck_assert_int_eq(r->kind, TT_REPLY_TEXT);
    ck_assert_uint_eq(r->text.n, strlen(expected));
    ck_assert_mem_eq(r->text.p, expected, r->text.n);
}

/* `before`, then marks of the nonces, all with deadlines 30 s from about now. */
static void check_marks(const tt_answers *a, int i, const char *before, const char *nonces)
{
    tt_str text = a->replies[i].text;
    size_t n = strlen(before);
    uint64_t deadline_ms;

    ck_assert_int_eq(a->replies[i].kind, TT_REPLY_TEXT);
    ck_assert_uint_ge(text.n, n);
    ck_assert_mem_eq(text.p, before, n);
    text = tt_str_n(text.p + n, text.n - n);
    for (; *nonces; nonces++) {
        tt_str word;

        ck_assert_uint_eq(tt_str_cut(&text, ' ').n, 0);
        word = tt_str_n(text.p, text.n);
        word = tt_str_cut(&word, ' ');
        text = tt_str_n(text.p + word.n, text.n - word.n);
        ck_assert(tt_str_eq(tt_str_cut(&word, ','), tt_str_n(nonces, 1)));
        ck_assert(tt_str_u64(tt_str_cut(&word, ','), &deadline_ms));
        ck_assert(tt_str_eq(word, TT_STR("server,7")));
        ck_assert_uint_ge(deadline_ms, a->now_ms + 25000);
        ck_assert_uint_le(deadline_ms, a->now_ms + 30100);
    }
    ck_assert_uint_eq(text.n, 0);
    ck_assert_uint_ge(a->now_ms + 100, (uint64_t)tt_clock_system.realtime_ms(NULL));
    ck_assert_uint_le(a->now_ms, (uint64_t)tt_clock_system.realtime_ms(NULL) + 100);
}

static void setup(void)
{
    redis_up(&redis);
}

static void teardown(void)
{
    redis_down(&redis);
}

/* ---- one thread ----------------------------------------------------------------------------- */

START_TEST(a_call_opens_asks_and_knows_the_node)
{
    tt_link_set *s = new_set(&(tt_link_options){0});
    tt_answers a = tt_answers_init(&tt_allocator_libc);
    tt_cmd cmds[] = {get("x"), script("set", "x", TT_STR("1")), script("nil", "x", TT_STR(""))};
    tt_epoch before;
    tt_cache_peer peer;

    ck_assert(!tt_link_peer(s, &peer));
    ck_assert_int_eq(call(s, cmds, 3, 2000, &a), 0);
    ck_assert(a.ok);
    ck_assert_int_eq(a.n, 3);
    ck_assert_int_eq(a.replies[0].kind, TT_REPLY_NIL);
    check_text(&a.replies[1], "1");
    ck_assert_int_eq(a.replies[2].kind, TT_REPLY_NIL);
    ck_assert(tt_link_peer(s, &peer));
    ck_assert_mem_eq(peer.epoch.c, a.epoch.c, TT_EPOCH_BYTES);
    ck_assert_uint_eq(strlen(peer.run_id), 40);
    ck_assert_uint_eq(strlen(peer.replid), 40);
    ck_assert_str_eq(peer.policy, "noeviction");
    ck_assert_str_ne(peer.version, "");
    before = a.epoch;
    redis_kill(&redis);
    redis_start(&redis);
    while (call(s, cmds, 1, 2000, &a) != 0)
        sleep_ms(10);
    ck_assert_int_eq(a.replies[0].kind, TT_REPLY_NIL);
    ck_assert_int_ne(memcmp(before.c, a.epoch.c, TT_EPOCH_BYTES), 0);
    tt_buf_free(&a.bytes);
    tt_link_set_free(s, false);
}
END_TEST

START_TEST(a_lost_script_is_loaded_again)
{
    tt_link_set *s = new_set(&(tt_link_options){0});
    tt_answers a = tt_answers_init(&tt_allocator_libc);
    tt_cmd c = script("set", "x", TT_STR("1"));

    ck_assert_int_eq(call(s, &c, 1, 2000, &a), 0);
    (void)redis_do(&redis, "SCRIPT FLUSH");
    ck_assert_int_eq(call(s, &c, 1, 2000, &a), 0);
    check_text(&a.replies[0], "1");
    (void)redis_do(&redis, "SCRIPT FLUSH");
    (void)redis_do(&redis, "DEL x");
    ck_assert_int_eq(tt_link_post(s, &(tt_batch){&c, 1}, NULL, NULL), 0);
    ck_assert(tt_link_drain(s, in_ms(2000)));
    ck_assert_int_eq(redis_do(&redis, "EXISTS x"), 1);
    tt_buf_free(&a.bytes);
    tt_link_set_free(s, false);
}
END_TEST

START_TEST(a_mark_ends_expiry_and_is_seen)
{
    tt_link_set *s = new_set(&(tt_link_options){0});
    tt_answers a = tt_answers_init(&tt_allocator_libc);
    tt_cmd cmds[] = {mark("t", "a"), get("k"), mark("u", "a"), script("echo", "x", TT_STR("1"))};

    (void)redis_do(&redis, "SET t tag PX 100000");
    for (int round = 0; round < 3; round++) {
        cmds[0] = mark("t", round == 0 ? "a" : round == 1 ? "b" : "c");
        ck_assert_int_eq(call(s, cmds, 4, 2000, &a), 0);
        check_marks(&a, 0, "tag", round == 0 ? "a" : round == 1 ? "ab" : "abc");
        check_marks(&a, 2, "", round == 0 ? "a" : round == 1 ? "aa" : "aaa");
        ck_assert_int_eq(a.replies[1].kind, TT_REPLY_NIL);
        check_text(&a.replies[3], "x=1");
        ck_assert_int_eq(redis_do(&redis, "PTTL t"), -1);
        sleep_ms(round == 1 ? 1100 : 0); /* the next asks for the time */
    }
    tt_buf_free(&a.bytes);
    tt_link_set_free(s, false);
}
END_TEST

START_TEST(a_mark_is_refused_and_the_rest_is_not)
{
    tt_link_set *s = new_set(&(tt_link_options){0});
    tt_answers a = tt_answers_init(&tt_allocator_libc);
    tt_cmd cmds[] = {mark("list", "a"), mark("t", "a"), get("k"), script("echo", "x", TT_STR("1"))};

    (void)redis_do(&redis, "LPUSH list a");
    ck_assert_int_eq(call(s, cmds, 4, 2000, &a), 0);
    ck_assert_int_eq(a.replies[0].kind, TT_REPLY_ERROR);
    ck_assert(tt_str_has_prefix(a.replies[0].text, TT_STR("WRONGTYPE")));
    check_marks(&a, 1, "", "a");
    check_text(&a.replies[3], "x=1");
    (void)redis_do(&redis, "CONFIG SET maxmemory 1");
    ck_assert_int_eq(call(s, cmds, 4, 2000, &a), 0);
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(a.replies[i].kind, TT_REPLY_ERROR);
        ck_assert(tt_str_has_prefix(a.replies[i].text, TT_STR("OOM")));
    }
    ck_assert_int_eq(a.replies[2].kind, TT_REPLY_NIL);
    check_text(&a.replies[3], "x=1");
    tt_buf_free(&a.bytes);
    tt_link_set_free(s, false);
}
END_TEST

/* The whole batch is sent again. */
START_TEST(a_lost_script_repeats_the_marks_beside_it)
{
    tt_link_set *s = new_set(&(tt_link_options){0});
    tt_answers a = tt_answers_init(&tt_allocator_libc);
    tt_cmd cmds[] = {script("echo", "x", TT_STR("1")), mark("t", "a"), get("k")};

    ck_assert_int_eq(tt_link_open(s, in_ms(2000), NULL), 0);
    (void)redis_do(&redis, "SCRIPT FLUSH");
    sleep_ms(1100); /* with the time as well */
    ck_assert_int_eq(call(s, cmds, 3, 2000, &a), 0);
    check_text(&a.replies[0], "x=1");
    check_marks(&a, 1, "", "aa");
    ck_assert_int_eq(a.replies[2].kind, TT_REPLY_NIL);
    tt_buf_free(&a.bytes);
    tt_link_set_free(s, false);
}
END_TEST

START_TEST(errors_of_the_server_are_answers)
{
    tt_link_set *s = new_set(&(tt_link_options){0});
    tt_answers a = tt_answers_init(&tt_allocator_libc);
    tt_cmd cmds[] = {script("set", "x", TT_STR("1")), get("x")};

    ck_assert_int_eq(call(s, cmds, 2, 2000, &a), 0);
    (void)redis_do(&redis, "CONFIG SET maxmemory 1");
    ck_assert_int_eq(call(s, cmds, 2, 2000, &a), 0);
    ck_assert_int_eq(a.replies[0].kind, TT_REPLY_ERROR);
    check_text(&a.replies[1], "1");
    cmds[0].n_args = 100;
    ck_assert_int_eq(call(s, cmds, 2, 2000, &a), TT_E_ARGUMENT);
    ck_assert(!a.ok);
    tt_buf_free(&a.bytes);
    tt_link_set_free(s, false);
}
END_TEST

START_TEST(who_may_not_enter_is_told)
{
    tt_cache_target t = target();
    tt_cache_conn *c = NULL;
    tt_error e = TT_ERROR_INIT;

    t.socket = redis.socket;
    t.db = 3;
    ck_assert_int_eq(
        tt_cache_connect(&tt_allocator_libc, &tt_clock_system, &t, in_ms(2000), &c, &e), 0);
    tt_cache_close(c);
    t.password = "wrong";
    t.user = "someone";
    ck_assert_int_eq(
        tt_cache_connect(&tt_allocator_libc, &tt_clock_system, &t, in_ms(2000), &c, &e),
        TT_E_DENIED);
    ck_assert_ptr_null(strstr(e.message, "wrong"));
    (void)redis_do(&redis, "CONFIG SET requirepass right");
    t.password = t.user = NULL;
    ck_assert_int_eq(
        tt_cache_connect(&tt_allocator_libc, &tt_clock_system, &t, in_ms(2000), &c, &e),
        TT_E_DENIED);
    t.password = "right";
    ck_assert_int_eq(
        tt_cache_connect(&tt_allocator_libc, &tt_clock_system, &t, in_ms(2000), &c, &e), 0);
    tt_cache_close(c);
    t.db = 100000;
    ck_assert_int_eq(
        tt_cache_connect(&tt_allocator_libc, &tt_clock_system, &t, in_ms(2000), &c, &e),
        TT_E_CACHE_UNAVAILABLE);
}
END_TEST

START_TEST(a_node_that_is_no_master_is_refused)
{
    tt_cache_target t = target();
    tt_cache_conn *c = NULL;
    tt_error e = TT_ERROR_INIT;

    (void)redis_do(&redis, "REPLICAOF 127.0.0.1 1");
    ck_assert_int_eq(
        tt_cache_connect(&tt_allocator_libc, &tt_clock_system, &t, in_ms(2000), &c, &e),
        TT_E_CACHE_UNAVAILABLE);
    ck_assert_ptr_nonnull(strstr(e.message, "slave"));
}
END_TEST

/* A connection that the server closed while it was idle costs no call. */
START_TEST(an_idle_connection_is_looked_at_before_use)
{
    tt_link_set *s = new_set(&(tt_link_options){0});
    tt_answers a = tt_answers_init(&tt_allocator_libc);
    tt_cmd c = get("x");

    ck_assert_int_eq(call(s, &c, 1, 2000, &a), 0);
    sleep_ms(1100);
    (void)redis_do(&redis, "CLIENT KILL TYPE normal");
    ck_assert_int_eq(call(s, &c, 1, 2000, &a), 0);
    tt_buf_free(&a.bytes);
    tt_link_set_free(s, false);
}
END_TEST

START_TEST(a_dead_node_costs_microseconds)
{
    tt_link_set *s = new_set(&(tt_link_options){0});
    tt_answers a = tt_answers_init(&tt_allocator_libc);
    tt_cmd c = get("x");
    int64_t began, spent;

    ck_assert_int_eq(call(s, &c, 1, 2000, &a), 0);
    redis_kill(&redis);
    began = tt_now_ns(&tt_clock_system);
    for (int i = 0; i < 1000; i++)
        ck_assert_int_ne(call(s, &c, 1, 2000, &a), 0);
    spent = tt_now_ns(&tt_clock_system) - began;
    ck_assert_int_lt(spent, 500 * TT_NS_PER_MS);
    redis_start(&redis);
    for (int i = 0; i < 300 && call(s, &c, 1, 2000, &a) != 0; i++)
        sleep_ms(10);
    ck_assert(a.ok);
    tt_buf_free(&a.bytes);
    tt_link_set_free(s, false);
}
END_TEST

START_TEST(posts_are_sent_though_nobody_calls)
{
    tt_link_set *s = new_set(&(tt_link_options){0});
    char *large = malloc(LARGE);
    tt_cmd c;

    memset(large, 'x', LARGE);
    c = script("set", "p", TT_STR("1"));
    ck_assert_int_eq(tt_link_post(s, &(tt_batch){&c, 1}, NULL, NULL), TT_E_CACHE_UNAVAILABLE);
    ck_assert_int_eq(tt_link_open(s, in_ms(2000), NULL), 0);
    for (int i = 0; i < 100; i++) {
        char key[16];

        (void)snprintf(key, sizeof(key), "p%d", i);
        c = script("set", key, i % 10 ? TT_STR("1") : tt_str_n(large, LARGE / 10));
        ck_assert_int_eq(tt_link_post(s, &(tt_batch){&c, 1}, NULL, NULL), 0);
    }
    for (int i = 0; i < 500 && redis_do(&redis, "DBSIZE") < 100; i++) {
        sleep_ms(10);
        tt_link_tend(s);
    }
    ck_assert_int_eq(redis_do(&redis, "DBSIZE"), 100);
    ck_assert(tt_link_drain(s, in_ms(2000)));
    free(large);
    tt_link_set_free(s, false);
}
END_TEST

START_TEST(posts_are_bounded)
{
    tt_link_set *s = new_set(&(tt_link_options){.post_bytes_max = 1000, .stall_ms = 100000});
    tt_cmd c = script("set", "p", TT_STR("1"));
    int accepted = 0;

    ck_assert_int_eq(tt_link_open(s, in_ms(2000), NULL), 0);
    (void)kill(redis.pid, SIGSTOP);
    while (tt_link_post(s, &(tt_batch){&c, 1}, NULL, NULL) == 0)
        accepted++;
    ck_assert_int_gt(accepted, 2);
    ck_assert_int_lt(accepted, 20);
    ck_assert(!tt_link_drain(s, in_ms(20)));
    (void)kill(redis.pid, SIGCONT);
    ck_assert(tt_link_drain(s, in_ms(5000)));
    ck_assert_int_eq(tt_link_post(s, &(tt_batch){&c, 1}, NULL, NULL), 0);
    tt_link_set_free(s, false);
}
END_TEST

/* Whoever was busy elsewhere finds what came long ago, however late it is: the node has answered.
 */
START_TEST(an_answer_that_came_is_taken_however_late)
{
    tt_link_set *s = new_set(&(tt_link_options){.stall_ms = 100});
    tt_answers a = tt_answers_init(&tt_allocator_libc);
    tt_cmd c = script("echo", "x", TT_STR("1"));
    tt_batch batch = {&c, 1};

    ck_assert_int_eq(call(s, &c, 1, 2000, &a), 0);
    for (int i = 0; i < 6; i++) { /* one more than timeouts that open the breaker */
        tt_cache_pending p;

        ck_assert_int_eq(tt_link_start(s, &batch, &a, &p), 0);
        sleep_ms(i == 0 ? 200 : 60);
        ck_assert_int_eq(tt_link_finish(s, &p, in_ms(-1)), 0);
        check_text(&a.replies[0], "x=1");
    }
    ck_assert_int_eq(call(s, &c, 1, 2000, &a), 0);
    tt_buf_free(&a.bytes);
    tt_link_set_free(s, false);
}
END_TEST

START_TEST(what_was_not_sent_is_told)
{
    tt_link_set *s = new_set(&(tt_link_options){0});
    tt_answers a = tt_answers_init(&tt_allocator_libc);
    tt_cmd c = get("x");

    ck_assert_int_eq(call(s, &c, 1, 2000, &a), 0);
    ck_assert_int_eq(call(s, &c, 1, -1, &a), TT_E_TIMEOUT);
    ck_assert(a.unsent);
    (void)kill(redis.pid, SIGSTOP);
    ck_assert_int_eq(call(s, &c, 1, 20, &a), TT_E_TIMEOUT);
    ck_assert(!a.unsent); /* it may be carried out yet */
    (void)kill(redis.pid, SIGCONT);
    redis_kill(&redis);
    while (call(s, &c, 1, 100, &a) == 0 || !a.unsent)
        sleep_ms(1);
    ck_assert_int_eq(call(s, &c, 1, 100, &a), TT_E_CACHE_UNAVAILABLE);
    ck_assert(a.unsent && !a.ok);
    redis_start(&redis);
    tt_buf_free(&a.bytes);
    tt_link_set_free(s, false);
}
END_TEST

static atomic_uint sends, fails_every; /* 0: none fails */

ssize_t __real_send(int fd, const void *p, size_t n, int flags);
ssize_t __wrap_send(int fd, const void *p, size_t n, int flags);

/* What a socket answers that is short of memory, and good again a moment later. */
ssize_t __wrap_send(int fd, const void *p, size_t n, int flags)
{
    unsigned every = atomic_load(&fails_every);

    if (every && atomic_fetch_add(&sends, 1) % every == every - 1) {
        errno = ENOBUFS;
        return -1;
    }
    return __real_send(fd, p, n, flags);
}

typedef struct asker {
    tt_link_set *set;
    int number, right, wrong, failed;
} asker;

static void *asks_for_its_own(void *ctx)
{
    asker *me = ctx;
    tt_answers a = tt_answers_init(&tt_allocator_libc);
    int64_t until = in_ms(500);
    char key[16];
    tt_cmd c;

    (void)snprintf(key, sizeof(key), "own-%d", me->number);
    c = get(key);
    while (tt_now_ns(&tt_clock_system) < until) {
        if (call(me->set, &c, 1, 1000, &a) != 0)
            me->failed++;
        else if (a.replies[0].kind == TT_REPLY_TEXT && tt_str_eq(a.replies[0].text, tt_str_c(key)))
            me->right++;
        else
            me->wrong++;
    }
    tt_buf_free(&a.bytes);
    return NULL;
}

/* A send that fails, whoever does it, never leaves an answer to the wrong question. */
START_TEST(a_send_that_fails_shifts_no_answers)
{
    enum { ASKERS = 16 };
    tt_link_set *s = new_set(&(tt_link_options){0});
    asker askers[ASKERS];
    pthread_t threads[ASKERS];
    int right = 0, failed = 0;

    for (int i = 0; i < ASKERS; i++) {
        char command[64];

        (void)snprintf(command, sizeof(command), "SET own-%d own-%d", i, i);
        (void)redis_do(&redis, command);
        askers[i] = (asker){s, i, 0, 0, 0};
    }
    atomic_store(&fails_every, 97);
    for (int i = 0; i < ASKERS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, asks_for_its_own, &askers[i]), 0);
    for (int i = 0; i < ASKERS; i++) {
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
        ck_assert_int_eq(askers[i].wrong, 0);
        right += askers[i].right;
        failed += askers[i].failed;
    }
    atomic_store(&fails_every, 0);
    ck_assert_int_gt(right, 100);
    ck_assert_int_gt(failed, 0);
    tt_link_set_free(s, false);
}
END_TEST

typedef struct away {
    tt_link_set *set;
    atomic_bool started, forked;
} away;

static void *starts_and_is_away(void *ctx)
{
    away *w = ctx;
    tt_answers a = tt_answers_init(&tt_allocator_libc);
    tt_cmd c = script("echo", "x", TT_STR("1"));
    tt_cache_pending p;
    int rc = tt_link_start(w->set, &(tt_batch){&c, 1}, &a, &p);

    atomic_store(&w->started, true);
    while (!atomic_load(&w->forked))
        sleep_ms(1);
    if (rc == 0)
        rc = tt_link_finish(w->set, &p, in_ms(2000));
    tt_buf_free(&a.bytes);
    return rc == 0 ? ctx : NULL;
}

#ifndef __SANITIZE_THREAD__
static void *writes_on_its_stack(void *ctx)
{
    volatile char bytes[65536];

    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = 'A';
    return ctx;
}
#endif

/* The call that is under way lies on the stack of a thread that the child does not have, and whose
 * stack another thread may have been given there. */
START_TEST(a_child_looks_at_no_call_of_its_parent)
{
    away w = {.set = new_set(&(tt_link_options){0})};
    tt_answers a = tt_answers_init(&tt_allocator_libc);
    tt_cmd c = get("x");
    pthread_t thread;
    void *done = NULL;
    int status = 1;
    pid_t pid;

    ck_assert_int_eq(call(w.set, &c, 1, 2000, &a), 0);
    ck_assert_int_eq(pthread_create(&thread, NULL, starts_and_is_away, &w), 0);
    while (!atomic_load(&w.started))
        sleep_ms(1);
    pid = fork();
    if (pid == 0) {
#ifndef __SANITIZE_THREAD__ /* which has no threads in the child of a process with threads */
        pthread_t other;

        if (pthread_create(&other, NULL, writes_on_its_stack, &w) == 0)
            (void)pthread_join(other, NULL);
#endif
        tt_link_set_free(w.set, true);
        (void)kill(getpid(), SIGKILL); /* see fork_and_free() */
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    atomic_store(&w.forked, true);
    ck_assert_int_eq(pthread_join(thread, &done), 0);
    ck_assert_ptr_eq(done, &w);
    tt_buf_free(&a.bytes);
    tt_link_set_free(w.set, false);
}
END_TEST

START_TEST(a_child_frees_without_harm_to_its_parent)
{
    tt_link_set *s = new_set(&(tt_link_options){0});
    tt_answers a = tt_answers_init(&tt_allocator_libc);
    tt_cmd c = script("echo", "x", TT_STR("1"));
    int status = 1;
    pid_t pid;

    ck_assert_int_eq(call(s, &c, 1, 2000, &a), 0);
    ck_assert_int_eq(tt_link_post(s, &(tt_batch){&c, 1}, NULL, NULL), 0);
    pid = fork();
    if (pid == 0) {
        tt_link_set_free(s, true);
        _exit(0);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
    ck_assert_int_eq(call(s, &c, 1, 2000, &a), 0);
    check_text(&a.replies[0], "x=1");
    tt_buf_free(&a.bytes);
    tt_link_set_free(s, false);
}
END_TEST

static void count_done(void *ctx, const tt_answers *answers)
{
    (void)answers;
    ++*(int *)ctx;
}

/* One call and one post with so many allocations; true when none failed. */
static bool live_on(struct oom *oom, long allocations)
{
    tt_link_set *s = NULL;
    tt_cache_target t = target();
    tt_cmd c = script("echo", "x", TT_STR("1"));
    tt_answers a;
    int done = 0, posted = 0, rc, rc_post = TT_E_NOMEM;

    oom_arm(oom, allocations);
    a = tt_answers_init(&oom->a);
    rc = tt_link_set_new(&oom->a, &tt_clock_system, &silent, &t, &(tt_link_options){0}, &s, NULL);
    if (rc == 0) {
        rc = call(s, &c, 1, 2000, &a);
        rc_post = tt_link_post(s, &(tt_batch){&c, 1}, count_done, &done);
        posted = rc_post == 0;
        (void)tt_link_drain(s, in_ms(2000));
        ck_assert_int_eq(a.ok, rc == 0);
    }
    ck_assert(rc == 0 || rc == TT_E_NOMEM);
    tt_buf_free(&a.bytes);
    tt_link_set_free(s, false);
    ck_assert_int_eq(done, posted);
    ck_assert_int_eq(oom->live, 0);
    return rc == 0 && rc_post == 0 && oom->left >= 0;
}

START_TEST(any_allocation_may_fail)
{
    struct oom oom;
    long n = 0;

    while (!live_on(&oom, n))
        ck_assert_int_lt(++n, 1000);
    ck_assert_int_gt(n, 10);
}
END_TEST

/* ---- deadlines ------------------------------------------------------------------------------ */

typedef struct waiter {
    tt_link_set *set;
    int64_t ms;
    int rc;
    int64_t took_ns;
    char key[16];
    bool own;
} waiter;

static void *wait_once(void *arg)
{
    waiter *w = arg;
    tt_answers a = tt_answers_init(&tt_allocator_libc);
    tt_cmd c = script("echo", w->key, TT_STR("1"));
    int64_t began = tt_now_ns(&tt_clock_system);

    w->rc = call(w->set, &c, 1, w->ms, &a);
    w->took_ns = tt_now_ns(&tt_clock_system) - began;
    w->own = w->rc == 0 && memcmp(a.replies[0].text.p, w->key, strlen(w->key)) == 0;
    tt_buf_free(&a.bytes);
    return NULL;
}

/* Frozen: each call ends at its own deadline, whoever holds the connection; those with time left
 * get their answers when the node goes on, in spite of the abandoned ones before them. */
START_TEST(deadlines_end_calls_and_not_the_connection)
{
    tt_link_set *s = new_set(&(tt_link_options){0});
    pthread_t threads[THREADS];
    waiter waiters[THREADS];

    ck_assert_int_eq(tt_link_open(s, in_ms(2000), NULL), 0);
    (void)kill(redis.pid, SIGSTOP);
    for (int i = 0; i < THREADS; i++) {
        waiters[i] = (waiter){.set = s, .ms = i % 2 ? 20 + 5 * i : 20000};
        (void)snprintf(waiters[i].key, sizeof(waiters[i].key), "w%d", i);
        ck_assert_int_eq(pthread_create(&threads[i], NULL, wait_once, &waiters[i]), 0);
        sleep_ms(1);
    }
    sleep_ms(400);
    (void)kill(redis.pid, SIGCONT);
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    for (int i = 0; i < THREADS; i++) {
        ck_assert_int_eq(waiters[i].rc, i % 2 ? TT_E_TIMEOUT : 0);
        ck_assert_int_eq(waiters[i].own, !(i % 2));
        if (i % 2)
            ck_assert_int_lt(waiters[i].took_ns, (waiters[i].ms + 150) * TT_NS_PER_MS);
    }
    tt_link_set_free(s, false);
}
END_TEST

START_TEST(a_silent_connection_is_given_up)
{
    tt_link_set *s = new_set(&(tt_link_options){.stall_ms = 50, .connect_timeout_ms = 100});
    tt_answers a = tt_answers_init(&tt_allocator_libc);
    tt_cache_peer peer;
    tt_cmd c = get("x");

    ck_assert_int_eq(tt_link_open(s, in_ms(2000), NULL), 0);
    (void)kill(redis.pid, SIGSTOP);
    for (int i = 0; i < 50 && tt_link_peer(s, &peer); i++)
        ck_assert_int_ne(call(s, &c, 1, 100, &a), 0);
    ck_assert(!tt_link_peer(s, &peer));
    (void)kill(redis.pid, SIGCONT);
    for (int i = 0; i < 500 && call(s, &c, 1, 1000, &a) != 0; i++)
        sleep_ms(10);
    ck_assert(a.ok);
    tt_buf_free(&a.bytes);
    tt_link_set_free(s, false);
}
END_TEST

/* ---- the storm ------------------------------------------------------------------------------ */

typedef struct storm {
    tt_link_set *set;
    atomic_bool stop;
    atomic_int ok, failed, wrong, posted, finished, finished_ok, started;
} storm;

typedef struct posted {
    storm *storm;
    char key[32];
} posted;

static bool starts_with(const tt_reply *r, const char *key)
{
    return r->kind == TT_REPLY_TEXT && r->text.n > strlen(key) &&
           memcmp(r->text.p, key, strlen(key)) == 0 && r->text.p[strlen(key)] == '=';
}

/* NOSCRIPT twice in a row is possible under a flood of SCRIPT FLUSH. */
static bool plausible(const tt_cmd *c, const tt_reply *r, const char *key)
{
    if (c->kind == TT_CMD_MARK)
        return starts_with(r, key) || (r->kind == TT_REPLY_TEXT && r->text.p[0] == ' ');
    if (r->kind == TT_REPLY_NIL)
        return c->kind == TT_CMD_GET;
    if (r->kind == TT_REPLY_TEXT && r->text.n && r->text.p[0] == ' ')
        return c->kind == TT_CMD_GET; /* marks alone */
    if (r->kind == TT_REPLY_ERROR)
        return c->kind == TT_CMD_SCRIPT && memcmp(r->text.p, "NOSCRIPT", 8) == 0;
    return starts_with(r, key);
}

static void post_done(void *ctx, const tt_answers *a)
{
    posted *p = ctx;
    tt_cmd c = {.kind = TT_CMD_SCRIPT};

    if (a->ok && (a->n != 1 || !plausible(&c, &a->replies[0], p->key)))
        atomic_fetch_add(&p->storm->wrong, 1);
    atomic_fetch_add(&p->storm->finished, 1);
    if (a->ok)
        atomic_fetch_add(&p->storm->finished_ok, 1);
    free(p);
}

/* A value that begins with its key, now and then a large one. */
static size_t make_value(char *out, const char *key, uint64_t random)
{
    size_t n = random % 200 == 0 ? 100000 : random % 2000;

    memset(out, 'v', n + 40);
    memcpy(out, key, strlen(key));
    out[strlen(key)] = '=';
    return n + 40;
}

static void post_some(storm *st, tt_cmd *c, const char *key)
{
    posted *p = malloc(sizeof(*p));

    p->storm = st;
    memcpy(p->key, key, sizeof(p->key));
    if (tt_link_post(st->set, &(tt_batch){c, 1}, post_done, p) == 0)
        atomic_fetch_add(&st->posted, 1);
    else
        free(p);
}

static void storm_call(storm *st, tt_cmd *cmds, char keys[][32], int n, int64_t ms, tt_answers *a)
{
    bool good;

    if (call(st->set, cmds, n, ms, a) != 0) {
        atomic_fetch_add(&st->failed, 1);
        if (a->ok || a->n)
            atomic_fetch_add(&st->wrong, 1);
        sleep_ms(1);
        return;
    }
    good = a->ok && a->n == n;
    for (int i = 0; i < n && good; i++)
        good = plausible(&cmds[i], &a->replies[i], keys[i]);
    atomic_fetch_add(good ? &st->ok : &st->wrong, 1);
}

static void *storm_thread(void *arg)
{
    storm *st = arg;
    uint64_t rng = (uint64_t)atomic_fetch_add(&st->started, 1) * 7919 + 1;
    char *value = malloc(100100);
    tt_answers a = tt_answers_init(&tt_allocator_libc);

    while (!atomic_load(&st->stop)) {
        uint64_t random = tt_splitmix64(&rng);
        int n = 1 + (int)(random % 6);
        char keys[6][32] = {""};
        tt_cmd cmds[6];

        for (int i = 0; i < n; i++) {
            (void)snprintf(keys[i], sizeof(keys[i]), "key-%llu",
                           (unsigned long long)(tt_splitmix64(&rng) % 200));
            cmds[i] = (random >> (8 + i) & 1) ? get(keys[i]) : script("echo", keys[i], TT_STR("1"));
        }
        if ((random >> 40) % 8 == 0)
            cmds[n - 1] = mark(keys[n - 1], "nonce");
        if ((random >> 16) % 4 == 0)
            cmds[0] =
                script("set", keys[0], tt_str_n(value, make_value(value, keys[0], random >> 20)));
        if ((random >> 18) % 8 == 0 && cmds[0].kind == TT_CMD_SCRIPT)
            post_some(st, cmds, keys[0]);
        else
            storm_call(st, cmds, keys, n, (random >> 32) % 10 == 0 ? 1 : 500, &a);
    }
    tt_buf_free(&a.bytes);
    free(value);
    return NULL;
}

/* A fork while other threads are inside: the child frees what it can, and the parent goes on. */
static void fork_and_free(storm *st)
{
    int status = 1;
    pid_t pid = fork();

    if (pid == 0) {
        tt_link_set_free(st->set, true);
        /* No exit: memcheck would count there what the parent's other threads held. */
        (void)kill(getpid(), SIGKILL);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void disturb(storm *st, int round)
{
    switch (round % 8) {
    case 0:
        fork_and_free(st);
        break;
    case 1:
        (void)redis_do(&redis, "SCRIPT FLUSH");
        break;
    case 3:
        (void)redis_do(&redis, "CLIENT KILL TYPE normal");
        break;
    case 5:
        (void)kill(redis.pid, SIGSTOP);
        sleep_ms(30);
        (void)kill(redis.pid, SIGCONT);
        break;
    case 7:
        redis_kill(&redis);
        sleep_ms(20);
        redis_start(&redis);
        break;
    default:
        tt_link_tend(st->set);
        sleep_ms(60);
    }
}

static void run_storm(int connections, int threads)
{
    static storm st;
    pthread_t ids[THREADS];
    tt_answers a = tt_answers_init(&tt_allocator_libc);
    tt_cmd c = get("x");
    int rc = -1;

    st = (storm){.set = new_set(&(tt_link_options){.connections = connections})};
    for (int i = 0; i < threads; i++)
        ck_assert_int_eq(pthread_create(&ids[i], NULL, storm_thread, &st), 0);
    for (int round = 0; round < 32; round++)
        disturb(&st, round);
    sleep_ms(300);
    atomic_store(&st.stop, true);
    for (int i = 0; i < threads; i++)
        ck_assert_int_eq(pthread_join(ids[i], NULL), 0);
    for (int i = 0; i < 500 && rc != 0; i++, sleep_ms(10))
        rc = call(st.set, &c, 1, 1000, &a);
    ck_assert_int_eq(rc, 0);
    ck_assert(tt_link_drain(st.set, in_ms(5000)));
    tt_link_set_free(st.set, false);
    tt_buf_free(&a.bytes);
    printf("storm of %d on %d: %d ok, %d failed; %d of %d posts ok\n", threads, connections,
           atomic_load(&st.ok), atomic_load(&st.failed), atomic_load(&st.finished_ok),
           atomic_load(&st.posted));
    ck_assert_int_eq(atomic_load(&st.wrong), 0);
    ck_assert_int_eq(atomic_load(&st.posted), atomic_load(&st.finished));
    ck_assert_int_gt(atomic_load(&st.finished_ok), 0);
    ck_assert_int_gt(atomic_load(&st.ok), 100);
}

START_TEST(in_a_storm_every_answer_belongs_to_its_question)
{
    static const struct {
        int connections, threads;
    } rows[] = {{2, 32}, {3, 32}, {2, 3}};

    run_storm(rows[_i].connections, rows[_i].threads);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("link");

    tcase_set_timeout(t, 120);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, a_call_opens_asks_and_knows_the_node);
    tcase_add_test(t, a_lost_script_is_loaded_again);
    tcase_add_test(t, a_mark_ends_expiry_and_is_seen);
    tcase_add_test(t, a_mark_is_refused_and_the_rest_is_not);
    tcase_add_test(t, a_lost_script_repeats_the_marks_beside_it);
    tcase_add_test(t, errors_of_the_server_are_answers);
    tcase_add_test(t, who_may_not_enter_is_told);
    tcase_add_test(t, a_node_that_is_no_master_is_refused);
    tcase_add_test(t, an_idle_connection_is_looked_at_before_use);
    tcase_add_test(t, a_dead_node_costs_microseconds);
    tcase_add_test(t, posts_are_sent_though_nobody_calls);
    tcase_add_test(t, posts_are_bounded);
    tcase_add_test(t, an_answer_that_came_is_taken_however_late);
    tcase_add_test(t, what_was_not_sent_is_told);
    tcase_add_test(t, a_child_frees_without_harm_to_its_parent);
    tcase_add_test(t, a_child_looks_at_no_call_of_its_parent);
    tcase_add_test(t, a_send_that_fails_shifts_no_answers);
    tcase_add_test(t, any_allocation_may_fail);
    if (suite_rounds(1000) == 1000) /* all of it is about time, which memcheck has none of */
        tcase_add_test(t, deadlines_end_calls_and_not_the_connection);
    tcase_add_test(t, a_silent_connection_is_given_up);
    tcase_add_loop_test(t, in_a_storm_every_answer_belongs_to_its_question, 0, 3);
    return suite_run("link", t);
}
