/* drv_redis_conn.c: one socket to a Redis node, and the introduction when it is made.
 *
 * The socket blocks, with a short receive timeout (TICK): a caller with time left makes one recv
 * and nothing else; only near its deadline does it pay for a ppoll, which is exact. Sending never
 * waits.
 */
#include "drv/cache.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "base/hash.h"
#include "base/rng.h"

#define TICK_MS 10
#define RECV_BYTES (64 * 1024)
#define PORT_TEXT_BYTES 8

struct tt_cache_conn {
    const tt_allocator *a;
    int fd;
    tt_cache_reader *reader;
    tt_cache_peer peer;
    _Atomic int64_t ahead_ms; /* the node's clock, of our monotonic one */
    char bytes[RECV_BYTES];
};

/* ---- sockets -------------------------------------------------------------------------------- */

static int wait_fd(int fd, short events, int64_t left_ns)
{
    struct pollfd p = {.fd = fd, .events = events};
    struct timespec t = {left_ns / TT_NS_PER_S, left_ns % TT_NS_PER_S};
    int n;

    if (left_ns < 0)
        t = (struct timespec){0, 0};
    n = ppoll(&p, 1, &t, NULL);
    if (n < 0)
        return errno == EINTR ? 0 : -1;
    return n ? p.revents : 0;
}

static int fail_errno(tt_error *err, int code, const char *what, int number)
{
    char text[128];

    return tt_fail(err, code, "cache: %s: %s", what, strerror_r(number, text, sizeof(text)));
}

/* Non-blocking connect, bounded by the deadline. 0 and *fd, or a TT_E_ code. */
static int open_socket(const struct sockaddr *address, socklen_t n, const tt_clock *clock,
                       int64_t deadline_ns, int *fd, tt_error *err)
{
    int s = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int64_t left_ns;
    int number = 0;
    socklen_t size = sizeof(number);

    if (s < 0)
        return fail_errno(err, TT_E_CACHE_UNAVAILABLE, "socket", errno);
    if (connect(s, address, n) == 0)
        goto connected;
    number = errno;
    if (number != EINPROGRESS)
        goto fail;
    do {
        left_ns = deadline_ns - tt_now_ns(clock);
        if (left_ns <= 0) {
            (void)close(s);
            return tt_fail(err, TT_E_TIMEOUT, "cache: no connection before the deadline");
        }
    } while (wait_fd(s, POLLOUT, left_ns) == 0);
    if (getsockopt(s, SOL_SOCKET, SO_ERROR, &number, &size) < 0)
        number = errno;
    if (number)
        goto fail;
connected:
    *fd = s;
    return 0;
fail:
    (void)close(s);
    return fail_errno(err, TT_E_CACHE_UNAVAILABLE, "connect", number);
}

static int open_unix(const char *path, const tt_clock *clock, int64_t deadline_ns, int *fd,
                     tt_error *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t n = strlen(path);

    if (n >= sizeof(address.sun_path))
        return tt_fail(err, TT_E_CACHE_UNAVAILABLE, "cache: the socket's path is too long");
    memcpy(address.sun_path, path, n);
    return open_socket((const struct sockaddr *)&address, sizeof(address), clock, deadline_ns, fd,
                       err);
}

static int open_tcp(const tt_cache_target *t, const tt_clock *clock, int64_t deadline_ns, int *fd,
                    tt_error *err)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    struct addrinfo *list = NULL;
    char port[PORT_TEXT_BYTES];
    int rc;

    (void)snprintf(port, sizeof(port), "%u", t->port);
    rc = getaddrinfo(t->host, port, &hints, &list);
    if (rc)
        return tt_fail(err, TT_E_CACHE_UNAVAILABLE, "cache: %s: %s", t->host, gai_strerror(rc));
    rc = TT_E_CACHE_UNAVAILABLE;
    for (struct addrinfo *a = list; a && rc == TT_E_CACHE_UNAVAILABLE; a = a->ai_next)
        rc = open_socket(a->ai_addr, a->ai_addrlen, clock, deadline_ns, fd, err);
    freeaddrinfo(list);
    return rc;
}

/* Blocking, with the tick; small packets at once. */
static int prepare_socket(int fd, bool tcp, tt_error *err)
{
    struct timeval tick = {0, TICK_MS * 1000};
    int on = 1, flags = fcntl(fd, F_GETFL);

    if (flags < 0 || fcntl(fd, F_SETFL, flags & ~O_NONBLOCK) < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tick, sizeof(tick)) < 0)
        return fail_errno(err, TT_E_CACHE_UNAVAILABLE, "socket", errno);
    if (tcp && (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) < 0 ||
                setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on)) < 0))
        return fail_errno(err, TT_E_CACHE_UNAVAILABLE, "socket", errno);
    return 0;
}

ssize_t tt_cache_send(tt_cache_conn *c, const char *p, size_t n)
{
    ssize_t sent;

    do
        sent = send(c->fd, p, n, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (sent < 0 && errno == EINTR);
    if (sent < 0)
        return errno == EAGAIN || errno == EWOULDBLOCK ? 0 : -1;
    return sent;
}

int tt_cache_recv(tt_cache_conn *c, int64_t left_ns, bool want_send)
{
    int flags = 0;
    ssize_t n;

    if (want_send || left_ns < 2 * TICK_MS * TT_NS_PER_MS) {
        short events = (short)(POLLIN | (want_send ? POLLOUT : 0));
        int ready = left_ns > 0 ? wait_fd(c->fd, events, left_ns) : POLLIN;

        if (ready < 0)
            return -1;
        if (!(ready & ~POLLOUT))
            return 0;
        flags = MSG_DONTWAIT;
    }
    n = recv(c->fd, c->bytes, sizeof(c->bytes), flags);
    if (n > 0) {
        tt_cache_feed(c->reader, c->bytes, (size_t)n);
        return 1;
    }
    return n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) ? 0 : -1;
}

/* ---- introduction --------------------------------------------------------------------------- */

/* The commands of the introduction go out together; these are the places of their replies. */
typedef struct intro {
    int auth, select, server, replication, memory, script; /* -1: not asked */
    int n;
    tt_buf bytes;
} intro;

static int ask(intro *i, const tt_str *words, size_t n)
{
    tt_cache_command(&i->bytes, words, n);
    return i->n++;
}

static int ask_info(intro *i, const char *section)
{
    return ask(i, (tt_str[]){TT_STR("INFO"), tt_str_c(section)}, 2);
}

static void ask_all(intro *i, const tt_cache_target *t)
{
    char db[12];

    i->auth = i->select = i->script = -1;
    if (t->password && t->user)
        i->auth = ask(i, (tt_str[]){TT_STR("AUTH"), tt_str_c(t->user), tt_str_c(t->password)}, 3);
    else if (t->password)
        i->auth = ask(i, (tt_str[]){TT_STR("AUTH"), tt_str_c(t->password)}, 2);
    if (t->db) {
        (void)snprintf(db, sizeof(db), "%d", t->db);
        i->select = ask(i, (tt_str[]){TT_STR("SELECT"), tt_str_c(db)}, 2);
    }
    i->server = ask_info(i, "server");
    i->replication = ask_info(i, "replication");
    i->memory = ask_info(i, "memory");
    if (t->script.n)
        i->script = ask(i, (tt_str[]){TT_STR("SCRIPT"), TT_STR("LOAD"), t->script}, 3);
    tt_cache_command(&i->bytes, (tt_str[]){TT_STR("TIME")}, 1);
}

static int send_all(tt_cache_conn *c, tt_str bytes, const tt_clock *clock, int64_t deadline_ns,
                    tt_error *err)
{
    while (bytes.n > 0) {
        ssize_t sent = tt_cache_send(c, bytes.p, bytes.n);

        if (sent < 0)
            return fail_errno(err, TT_E_CACHE_UNAVAILABLE, "send", errno);
        bytes = tt_str_n(bytes.p + sent, bytes.n - (size_t)sent);
        if (sent == 0) {
            int64_t left_ns = deadline_ns - tt_now_ns(clock);

            if (left_ns <= 0 || wait_fd(c->fd, POLLOUT, left_ns) < 0)
                return tt_fail(err, TT_E_TIMEOUT, "cache: introduction: nothing can be sent");
        }
    }
    return 0;
}

static int receive_all(tt_cache_conn *c, const tt_cache_shape *shape, const tt_clock *clock,
                       int64_t deadline_ns, tt_answers *out, tt_error *err)
{
    for (;;) {
        int64_t left_ns;
        int got = tt_cache_next(c->reader, shape, out);

        if (got < 0)
            return tt_fail(err, TT_E_CACHE_UNAVAILABLE, "cache: introduction: %s",
                           tt_cache_reason(c->reader));
        if (got > 0)
            return out->ok ? 0 : tt_fail_nomem(err);
        left_ns = deadline_ns - tt_now_ns(clock);
        if (left_ns <= 0)
            return tt_fail(err, TT_E_TIMEOUT, "cache: introduction: no answer");
        if (tt_cache_recv(c, left_ns, false) < 0)
            return tt_fail(err, TT_E_CACHE_UNAVAILABLE, "cache: introduction: connection closed");
    }
}

/* The value of "name:value\r\n" in the text of INFO; empty when there is none. */
static tt_str info(tt_str text, tt_str name)
{
    while (text.n > 0) {
        tt_str line = tt_str_cut(&text, '\n');
        tt_str key = tt_str_cut(&line, ':');

        if (tt_str_eq(key, name))
            return tt_str_trim(line);
    }
    return (tt_str){NULL, 0};
}

static bool copy(char *to, size_t room, tt_str s)
{
    size_t n = TT_MIN(s.n, room - 1);

    if (n)
        memcpy(to, s.p, n);
    to[n] = '\0';
    return n > 0;
}

static tt_epoch epoch_of(const char *run_id, const char *replid, tt_buf *scratch)
{
    unsigned char bits[16];
    tt_hash128 h;
    tt_nonce nonce;
    tt_epoch e;

    tt_buf_clear(scratch);
    tt_buf_printf(scratch, "%s/%s", run_id, replid);
    h = tt_hash(tt_buf_str(scratch));
    for (int i = 0; i < 8; i++) { /* little-endian, whatever the machine */
        bits[i] = (unsigned char)(h.lo >> (8 * i));
        bits[8 + i] = (unsigned char)(h.hi >> (8 * i));
    }
    nonce = tt_nonce_of(bits);
    memcpy(e.c, nonce.c, sizeof(e.c));
    return e;
}

static tt_str text_of(const tt_answers *answers, int index)
{
    if (index < 0 || answers->replies[index].kind != TT_REPLY_TEXT)
        return (tt_str){NULL, 0};
    return answers->replies[index].text;
}

/* Servers quote in an error what they did not understand, which may be the password: of the answer
 * to AUTH only the first word, which is the kind of error, is passed on. */
static tt_str quotable(const intro *i, int k, tt_str text)
{
    if (k == i->auth)
        text = tt_str_cut(&text, ' ');
    return tt_str_n(text.p, TT_MIN(text.n, k == i->auth ? (size_t)16 : (size_t)200));
}

/* No command may have been refused but INFO memory. */
static int check_errors(const intro *i, const tt_answers *answers, tt_error *err)
{
    for (int k = 0; k < answers->n; k++) {
        const tt_reply *r = &answers->replies[k];
        tt_str text = quotable(i, k, r->text);
        bool denied;

        if (r->kind != TT_REPLY_ERROR || k == i->memory)
            continue;
        denied = k == i->auth || tt_str_has_prefix(r->text, TT_STR("NOAUTH")) ||
                 tt_str_has_prefix(r->text, TT_STR("NOPERM"));
        return tt_fail(err, denied ? TT_E_DENIED : TT_E_CACHE_UNAVAILABLE, "cache: %s%.*s",
                       k == i->auth ? "AUTH was refused: " : "", (int)text.n, text.p);
    }
    return 0;
}

static int learn(tt_cache_conn *c, intro *i, const tt_answers *answers, tt_error *err)
{
    tt_cache_peer *p = &c->peer;
    tt_str server = text_of(answers, i->server), replication = text_of(answers, i->replication);
    tt_str sha = text_of(answers, i->script), role = info(replication, TT_STR("role"));
    int rc = check_errors(i, answers, err);

    if (rc)
        return rc;
    if (!tt_str_eq(role, TT_STR("master")))
        return tt_fail(err, TT_E_CACHE_UNAVAILABLE, "cache: expected a master, found role '%.*s'",
                       (int)TT_MIN(role.n, (size_t)32), role.n ? role.p : "");
    if (!copy(p->run_id, sizeof(p->run_id), info(server, TT_STR("run_id"))) ||
        !copy(p->replid, sizeof(p->replid), info(replication, TT_STR("master_replid"))))
        return tt_fail(err, TT_E_CACHE_UNAVAILABLE, "cache: INFO tells no run_id or master_replid");
    if (i->script >= 0 && sha.n != TT_CACHE_SHA_CHARS)
        return tt_fail(err, TT_E_CACHE_UNAVAILABLE, "cache: SCRIPT LOAD gave no SHA-1");
    (void)copy(p->sha, sizeof(p->sha), sha);
    (void)copy(p->version, sizeof(p->version), info(server, TT_STR("redis_version")));
    (void)copy(p->policy, sizeof(p->policy),
               info(text_of(answers, i->memory), TT_STR("maxmemory_policy")));
    p->epoch = epoch_of(p->run_id, p->replid, &i->bytes);
    return i->bytes.failed ? tt_fail_nomem(err) : 0;
}

/* The password is wiped from the buffer that carried it. */
static void wipe(tt_buf *b)
{
    if (b->p)
        explicit_bzero(b->p, b->cap);
    tt_buf_free(b);
}

static int introduce(tt_cache_conn *c, const tt_cache_target *t, const tt_clock *clock,
                     int64_t deadline_ns, tt_error *err)
{
    intro i = {.bytes = tt_buf_init(c->a)};
    tt_answers answers = tt_answers_init(c->a);
    tt_cache_shape shape = {.time = true};
    int rc;

    /* Enough at once: a buffer that grows leaves copies of the password behind. */
    (void)tt_buf_reserve(&i.bytes,
                         1024 + t->script.n + tt_str_c(t->user).n + tt_str_c(t->password).n);
    ask_all(&i, t);
    shape.n = (unsigned char)i.n;
    for (int k = 0; k < i.n; k++)
        shape.place[k] = (unsigned char)k;
    rc = i.bytes.failed ? tt_fail_nomem(err)
                        : send_all(c, tt_buf_str(&i.bytes), clock, deadline_ns, err);
    if (!rc)
        rc = receive_all(c, &shape, clock, deadline_ns, &answers, err);
    if (!rc)
        rc = learn(c, &i, &answers, err);
    if (!rc && !tt_cache_time_ms(c->reader))
        rc = tt_fail(err, TT_E_CACHE_UNAVAILABLE, "cache: TIME tells no time");
    if (!rc)
        tt_cache_clock_told(c, tt_now_ns(clock));
    if (!rc && !tt_cache_at_rest(c->reader))
        rc = tt_fail(err, TT_E_CACHE_UNAVAILABLE, "cache: introduction: more bytes than asked for");
    tt_buf_free(&answers.bytes);
    wipe(&i.bytes);
    return rc;
}

static int connect_conn(tt_cache_conn *c, const tt_clock *clock, const tt_cache_target *t,
                        int64_t deadline_ns, tt_error *err)
{
    int rc;

    c->reader = tt_cache_reader_new(c->a, tt_cache_reply_bytes(t->reply_bytes_max));
    if (!c->reader)
        return tt_fail_nomem(err);
    rc = t->socket ? open_unix(t->socket, clock, deadline_ns, &c->fd, err)
                   : open_tcp(t, clock, deadline_ns, &c->fd, err);
    if (!rc)
        rc = prepare_socket(c->fd, !t->socket, err);
    return rc ? rc : introduce(c, t, clock, deadline_ns, err);
}

int tt_cache_connect(const tt_allocator *a, const tt_clock *clock, const tt_cache_target *target,
                     int64_t deadline_ns, tt_cache_conn **out, tt_error *err)
{
    tt_cache_conn *c = tt_new(a, sizeof(*c));
    int rc;

    if (!c)
        return tt_fail_nomem(err);
    c->a = a;
    c->fd = -1;
    rc = connect_conn(c, clock, target, deadline_ns, err);
    if (rc)
        tt_cache_close(c);
    else
        *out = c;
    return rc;
}

void tt_cache_close(tt_cache_conn *c)
{
    if (!c)
        return;
    if (c->fd >= 0)
        (void)close(c->fd);
    tt_cache_reader_free(c->reader);
    tt_del(c->a, c);
}

void tt_cache_forget(const tt_cache_conn *c)
{
    if (c && c->fd >= 0)
        (void)close(c->fd);
}

const tt_cache_peer *tt_cache_peer_of(const tt_cache_conn *c)
{
    return &c->peer;
}

uint64_t tt_cache_clock_ms(const tt_cache_conn *c, int64_t now_ns)
{
    return (uint64_t)(atomic_load_explicit(&c->ahead_ms, memory_order_relaxed) +
                      now_ns / TT_NS_PER_MS);
}

void tt_cache_clock_told(tt_cache_conn *c, int64_t now_ns)
{
    uint64_t ms = tt_cache_time_ms(c->reader);

    if (ms)
        atomic_store_explicit(&c->ahead_ms, (int64_t)ms - now_ns / TT_NS_PER_MS,
                              memory_order_relaxed);
}

tt_cache_reader *tt_cache_reader_of(tt_cache_conn *c)
{
    return c->reader;
}
