/* fake_mysql.h: a database server on loopback that says what a test wants, and falls silent where
 * it wants: what real servers do not do on demand. It speaks the protocol of MySQL 8 without TLS,
 * takes any account without a password, answers OK to commands, and to every query one row of
 * short texts. Each connection has a thread of its own. */
#ifndef TT_TEST_FAKE_MYSQL_H
#define TT_TEST_FAKE_MYSQL_H

#include <arpa/inet.h>
#include <check.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#define FAKE_CONNECTIONS 64

/* The last thing that is said before the silence. */
typedef enum fake_until {
    FAKE_NEVER_SILENT = 0,
    FAKE_ACCEPT,   /* the connection is accepted, and no more */
    FAKE_GREETING, /* the answer to the account does not come */
    FAKE_SWITCH,   /* nor that to the way to log in which was asked for */
    FAKE_LOGIN,    /* no command is answered */
    FAKE_ARMED     /* the first command is, no other */
} fake_until;

typedef struct fake_mysql {
    /* the script, which may change between connections */
    const char *plugin; /* of the greeting */
    const char *ask;    /* plugin that the client is asked to switch to; NULL: none */
    atomic_int until;
    atomic_uint prepared, executed; /* columns as promised by a preparation, and as they come */
    atomic_uint plain;              /* columns of the answer to a plain query */
    /* what was seen */
    atomic_int connections, commands; /* without QUIT */
    char told[256];                   /* what a client said when it was asked to switch */

    int listener;
    unsigned port;
    pthread_t acceptor;
    struct fake_connection {
        struct fake_mysql *server;
        int fd;
        pthread_t thread;
    } at[FAKE_CONNECTIONS];
} fake_mysql;

/* ---- packets ---- */

typedef struct fake_packet {
    unsigned char bytes[1024];
    size_t n;
} fake_packet;

static inline void fake_put(fake_packet *p, const void *bytes, size_t n)
{
    ck_assert(p->n + n <= sizeof(p->bytes));
    memcpy(p->bytes + p->n, bytes, n);
    p->n += n;
}

static inline void fake_put_int(fake_packet *p, unsigned long v, int bytes)
{
    for (; bytes > 0; bytes--, v >>= 8)
        fake_put(p, &(unsigned char){(unsigned char)v}, 1);
}

static inline void fake_put_text(fake_packet *p, const char *s)
{
    fake_put_int(p, strlen(s), 1);
    fake_put(p, s, strlen(s));
}

static inline bool fake_send(int fd, fake_packet *p, unsigned char *sequence)
{
    unsigned char head[4] = {(unsigned char)p->n, (unsigned char)(p->n >> 8), 0, (*sequence)++};
    bool sent = send(fd, head, 4, MSG_NOSIGNAL) == 4 &&
                send(fd, p->bytes, p->n, MSG_NOSIGNAL) == (ssize_t)p->n;

    p->n = 0;
    return sent;
}

/* The payload, cut to the room; false at the end of the connection. */
static inline bool fake_receive(int fd, fake_packet *p, unsigned char *sequence)
{
    unsigned char head[4], byte;
    size_t n;

    if (recv(fd, head, 4, MSG_WAITALL) != 4)
        return false;
    n = head[0] | (size_t)head[1] << 8 | (size_t)head[2] << 16;
    *sequence = (unsigned char)(head[3] + 1);
    for (p->n = 0; n > 0; n--) {
        if (recv(fd, &byte, 1, MSG_WAITALL) != 1)
            return false;
        if (p->n < sizeof(p->bytes))
            p->bytes[p->n++] = byte;
    }
    return true;
}

static inline bool fake_ok(int fd, unsigned char *sequence)
{
    fake_packet p = {{0}, 0};

    fake_put(&p, "\0\0\0\2\0\0\0", 7);
    return fake_send(fd, &p, sequence);
}

static inline bool fake_end(int fd, unsigned char *sequence)
{
    fake_packet p = {{0}, 0};

    fake_put(&p, "\xfe\0\0\2\0", 5);
    return fake_send(fd, &p, sequence);
}

static inline bool fake_columns(int fd, unsigned n, unsigned char *sequence)
{
    for (unsigned i = 0; i < n; i++) {
        fake_packet p = {{0}, 0};

        for (int k = 0; k < 4; k++)
            fake_put_text(&p, k == 0 ? "def" : "");
        fake_put_text(&p, "c");
        fake_put_text(&p, "c");
        fake_put_int(&p, 12, 1);
        fake_put_int(&p, 45, 2);   /* utf8mb4 */
        fake_put_int(&p, 1024, 4); /* longest */
        fake_put_int(&p, 253, 1);  /* VAR_STRING */
        fake_put_int(&p, 0, 5);
        if (!fake_send(fd, &p, sequence))
            return false;
    }
    return n == 0 || fake_end(fd, sequence);
}

/* ---- what it does ---- */

static inline bool fake_rows(int fd, unsigned n, bool binary, unsigned char *sequence)
{
    static const char *const values[] = {"11111111-2222-3333-4444-555555555555", "0", "", "x"};
    fake_packet p = {{0}, 0};

    if (n == 0)
        return fake_ok(fd, sequence);
    fake_put_int(&p, n, 1);
    if (!fake_send(fd, &p, sequence) || !fake_columns(fd, n, sequence))
        return false;
    if (binary)
        fake_put_int(&p, 0, 1 + (int)(n + 9) / 8);
    for (unsigned i = 0; i < n; i++)
        fake_put_text(&p, values[i < 3 ? i : 3]);
    return fake_send(fd, &p, sequence) && fake_end(fd, sequence);
}

static inline bool fake_prepare(fake_mysql *s, int fd, const fake_packet *command,
                                unsigned char *sequence)
{
    bool reads = strncasecmp((const char *)command->bytes + 1, "SELECT", 6) == 0;
    unsigned columns = reads ? atomic_load(&s->prepared) : 0, params = 0;
    fake_packet p = {{0}, 0};

    for (size_t i = 1; i < command->n; i++)
        params += command->bytes[i] == '?';
    fake_put_int(&p, 0, 1);
    fake_put_int(&p, reads ? 1 : 2, 4); /* the statement's number */
    fake_put_int(&p, columns, 2);
    fake_put_int(&p, params, 2);
    fake_put_int(&p, 0, 3);
    return fake_send(fd, &p, sequence) && fake_columns(fd, params, sequence) &&
           fake_columns(fd, columns, sequence);
}

static inline bool fake_answer(fake_mysql *s, int fd, const fake_packet *command)
{
    unsigned char sequence = 1;
    const char *text = (const char *)command->bytes + 1;

    switch (command->bytes[0]) {
    case 0x01: /* QUIT */
        return false;
    case 0x03: /* QUERY */
        if (strncmp(text, "SHOW", 4) == 0 || strncmp(text, "SELECT", 6) == 0)
            return fake_rows(fd, atomic_load(&s->plain), false, &sequence);
        return fake_ok(fd, &sequence);
    case 0x16: /* STMT_PREPARE */
        return fake_prepare(s, fd, command, &sequence);
    case 0x17: /* STMT_EXECUTE */
        return fake_rows(fd, command->bytes[1] == 1 ? atomic_load(&s->executed) : 0, true,
                         &sequence);
    case 0x19: /* STMT_CLOSE */
        return true;
    default:
        return fake_ok(fd, &sequence);
    }
}

static inline bool fake_greet(const char *plugin, int fd, fake_packet *p)
{
    /* PROTOCOL_41, CONNECT_WITH_DB, TRANSACTIONS, SECURE_CONNECTION; MULTI_RESULTS, PLUGIN_AUTH */
    static const unsigned low = 0x0200 | 0x0008 | 0x2000 | 0x8000 | 0x0001, high = 0x0002 | 0x0008;
    unsigned char sequence = 0;

    p->n = 0;
    fake_put(p,
             "\012"
             "8.0.30-fake",
             13);
    fake_put_int(p, 7, 4);
    fake_put(p, "abcdefgh", 9);
    fake_put_int(p, low, 2);
    fake_put_int(p, 45, 1);
    fake_put_int(p, 2, 2);
    fake_put_int(p, high, 2);
    fake_put_int(p, 21, 1);
    fake_put(p, "\0\0\0\0\0\0\0\0\0", 10);
    fake_put(p, "ijklmnopqrst", 13);
    fake_put(p, plugin, strlen(plugin) + 1);
    return fake_send(fd, p, &sequence);
}

static inline bool fake_login(fake_mysql *s, int fd, int until, fake_packet *p)
{
    const char *plugin = until == FAKE_SWITCH ? "mysql_native_password" : s->plugin;
    const char *ask = until == FAKE_SWITCH ? "caching_sha2_password" : s->ask;
    unsigned char sequence = 0;

    if (!fake_greet(plugin, fd, p) || !fake_receive(fd, p, &sequence))
        return false;
    if (until == FAKE_GREETING)
        return true;
    if (ask) {
        p->n = 0;
        fake_put_int(p, 0xfe, 1);
        fake_put(p, ask, strlen(ask) + 1);
        fake_put(p, "abcdefghijklmnopqrst", 21);
        if (!fake_send(fd, p, &sequence) || !fake_receive(fd, p, &sequence))
            return false;
        memcpy(s->told, p->bytes, p->n < sizeof(s->told) ? p->n : sizeof(s->told));
    }
    if (until == FAKE_SWITCH)
        return true;
    return fake_ok(fd, &sequence);
}

static inline void *fake_serve(void *ctx)
{
    fake_mysql *s = ((struct fake_connection *)ctx)->server;
    int fd = ((struct fake_connection *)ctx)->fd;
    int until = atomic_load(&s->until);
    fake_packet p = {{0}, 0};
    unsigned char sequence;
    char byte;

    if (until != FAKE_ACCEPT && fake_login(s, fd, until, &p) && until != FAKE_GREETING &&
        until != FAKE_SWITCH)
        for (int n = 0; fake_receive(fd, &p, &sequence); n++) {
            atomic_fetch_add(&s->commands, p.bytes[0] != 0x01);
            if (until == FAKE_LOGIN || (until == FAKE_ARMED && n > 0))
                break;
            if (!fake_answer(s, fd, &p))
                return NULL;
        }
    while (recv(fd, &byte, 1, 0) > 0) /* silence, until the other side goes */
        ;
    return NULL;
}

static inline void *fake_accept(void *ctx)
{
    fake_mysql *s = ctx;

    for (int n = 0; n < FAKE_CONNECTIONS; n++) {
        int fd = accept(s->listener, NULL, NULL);

        if (fd < 0)
            break;
        s->at[n].server = s;
        s->at[n].fd = fd;
        atomic_fetch_add(&s->connections, 1);
        ck_assert_int_eq(pthread_create(&s->at[n].thread, NULL, fake_serve, &s->at[n]), 0);
    }
    return NULL;
}

/* `library`: the name of the driver, for the kinds of login differ. */
static inline fake_mysql *fake_start(const char *library)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof(a);
    fake_mysql *s = calloc(1, sizeof(*s));

    ck_assert_ptr_nonnull(s);
    s->plugin =
        strncmp(library, "mysql", 5) == 0 ? "caching_sha2_password" : "mysql_native_password";
    atomic_init(&s->prepared, 4);
    atomic_init(&s->executed, 4);
    atomic_init(&s->plain, 2); /* the heartbeats of a replica */
    s->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(s->listener, (struct sockaddr *)&a, sizeof(a)), 0);
    ck_assert_int_eq(listen(s->listener, 16), 0);
    ck_assert_int_eq(getsockname(s->listener, (struct sockaddr *)&a, &n), 0);
    s->port = ntohs(a.sin_port);
    ck_assert_int_eq(pthread_create(&s->acceptor, NULL, fake_accept, s), 0);
    return s;
}

static inline void fake_stop(fake_mysql *s)
{
    (void)shutdown(s->listener, SHUT_RDWR);
    (void)pthread_join(s->acceptor, NULL);
    for (int i = 0; i < atomic_load(&s->connections); i++) {
        (void)shutdown(s->at[i].fd, SHUT_RDWR);
        (void)pthread_join(s->at[i].thread, NULL);
        (void)close(s->at[i].fd);
    }
    (void)close(s->listener);
    free(s);
}

#endif
