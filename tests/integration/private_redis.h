/* private_redis.h: a redis-server of the test's own, on a free loopback port and a socket, which
 * can be killed and started again, and dies with the test. */
#ifndef TT_TEST_PRIVATE_REDIS_H
#define TT_TEST_PRIVATE_REDIS_H

#include <arpa/inet.h>
#include <check.h>
#include <hiredis.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

typedef struct private_redis {
    char dir[64], socket[96], port_text[8];
    unsigned port;
    pid_t pid;
} private_redis;

static inline void sleep_ms(long ms)
{
    (void)nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL);
}

static inline unsigned free_port(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof(a);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&a, n), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&a, &n), 0);
    (void)close(fd);
    return ntohs(a.sin_port);
}

/* A plain connection, for looking behind the library's back. */
static inline redisContext *redis_plain(const private_redis *r)
{
    redisContext *c = redisConnect("127.0.0.1", (int)r->port);

    if (c && c->err) {
        redisFree(c);
        c = NULL;
    }
    return c;
}

/* One command on a connection of its own; its integer, or -1. */
static inline long long redis_do(const private_redis *r, const char *command)
{
    redisContext *c = redis_plain(r);
    redisReply *reply = c ? redisCommand(c, command) : NULL;
    long long v = reply ? reply->integer : -1;

    if (reply)
        freeReplyObject(reply);
    if (c)
        redisFree(c);
    return v;
}

static inline void redis_start(private_redis *r)
{
    r->pid = fork();
    ck_assert_int_ge(r->pid, 0);
    if (r->pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        (void)!freopen("/dev/null", "w", stdout);
        (void)execlp("redis-server", "redis-server", "--bind", "127.0.0.1", "--port", r->port_text,
                     "--unixsocket", r->socket, "--dir", r->dir, "--save", "", "--appendonly", "no",
                     (char *)NULL);
        _exit(127);
    }
    for (int i = 0; i < 1000; i++) {
        redisContext *c = redis_plain(r);

        if (c) {
            redisFree(c);
            return;
        }
        sleep_ms(10);
    }
    ck_abort_msg("redis-server did not start: is it installed?");
}

static inline void redis_kill(private_redis *r)
{
    (void)kill(r->pid, SIGKILL);
    (void)waitpid(r->pid, NULL, 0);
}

static inline void redis_up(private_redis *r)
{
    (void)snprintf(r->dir, sizeof(r->dir), "/tmp/twotier-redis-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(r->dir));
    (void)snprintf(r->socket, sizeof(r->socket), "%s/sock", r->dir);
    r->port = free_port();
    (void)snprintf(r->port_text, sizeof(r->port_text), "%u", r->port);
    redis_start(r);
}

static inline void redis_down(private_redis *r)
{
    redis_kill(r);
    (void)unlink(r->socket);
    (void)rmdir(r->dir);
}

#endif
