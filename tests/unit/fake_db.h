/* fake_db.h: a driver whose servers are a few variables, for tests of what svc does with servers.
 *
 * Addresses are the ports 1 to FAKE_SERVERS of any host; which server answers at an address may
 * change while connections to the one before live on. All of it is guarded by one lock, since
 * clients have threads of their own; tests set things up through fake_set().
 */
#ifndef TT_TEST_FAKE_DB_H
#define TT_TEST_FAKE_DB_H

#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "core/columns.h"
#include "drv/db.h"
#include "support/columns_put.h"

enum { FAKE_SERVERS = 4, FAKE_LOG = 32, FAKE_TEXT = 160 };

typedef struct fake_server {
    char identity[TT_SOURCE_MAX + 1];
    bool read_only;
    char source[TT_SOURCE_MAX + 1];
    int64_t value; /* what every read gives */
    uint64_t connections;
    int n; /* of the last transaction */
} fake_server;

/* What the next write or COMMIT meets. */
typedef struct fake_answer {
    tt_db_status status;
    int code;
    unsigned server_errno;
    bool sent_write;
    bool position;  /* known */
    bool committed; /* inside a transaction: the statement ended it */
} fake_answer;

static struct {
    pthread_mutex_t mu;
    fake_server servers[FAKE_SERVERS];
    int at[FAKE_SERVERS]; /* the server that answers at an address */
    fake_answer write, commit;
    int64_t read_ms; /* how long a read takes */
    bool silent;     /* no server answers to who connects */
    int64_t killed[8];
    int n_killed;
    char log[FAKE_LOG][FAKE_TEXT]; /* statements, with the server's name before them */
    int n_log;
} fake = {.mu = PTHREAD_MUTEX_INITIALIZER};

struct tt_db_conn {
    tt_db_peer peer;
    int server;
    bool broken;
};

/* A primary "id-1" at address 1 and its replicas at the others. */
static inline void fake_reset(void)
{
    pthread_mutex_lock(&fake.mu);
    fake.n_log = fake.n_killed = 0;
    fake.read_ms = 0;
    fake.silent = false;
    fake.write = fake.commit = (fake_answer){.position = true};
    for (int i = 0; i < FAKE_SERVERS; i++) {
        fake_server *s = &fake.servers[i];

        *s = (fake_server){.read_only = i > 0, .value = 100 + i, .n = 5};
        (void)snprintf(s->identity, sizeof(s->identity), "id-%d", i + 1);
        (void)snprintf(s->source, sizeof(s->source), "%s", i > 0 ? "id-1" : "");
        fake.at[i] = i;
    }
    pthread_mutex_unlock(&fake.mu);
}

#define fake_set(what)                                                                             \
    do {                                                                                           \
        pthread_mutex_lock(&fake.mu);                                                              \
        what;                                                                                      \
        pthread_mutex_unlock(&fake.mu);                                                            \
    } while (0)

static inline void fake_say(int server, tt_str text)
{
    char name[TT_SOURCE_MAX + 1];

    memcpy(name, fake.servers[server].identity, sizeof(name));
    if (fake.n_log < FAKE_LOG)
        (void)snprintf(fake.log[fake.n_log++], FAKE_TEXT, "%s: %.*s", name, (int)text.n, text.p);
}

/* Was this said to that server? */
static inline int fake_heard(const char *text)
{
    int n = 0;

    pthread_mutex_lock(&fake.mu);
    for (int i = 0; i < fake.n_log; i++)
        n += strcmp(fake.log[i], text) == 0;
    pthread_mutex_unlock(&fake.mu);
    return n;
}

static inline void fake_quiet(void)
{
    fake_set(fake.n_log = 0);
}

static inline tt_db_status fake_connect(const tt_allocator *a, const tt_db_target *target,
                                        tt_db_conn **out, tt_error *err)
{
    tt_db_conn *c;
    bool silent;

    (void)err;
    pthread_mutex_lock(&fake.mu);
    silent = fake.silent;
    pthread_mutex_unlock(&fake.mu);
    if (silent) {
        (void)usleep((useconds_t)target->connect_timeout_ms * 1000);
        return TT_DB_UNSENT;
    }
    c = tt_new(a, sizeof(*c));
    if (!c)
        return TT_DB_LOCAL;
    pthread_mutex_lock(&fake.mu);
    c->server = fake.at[target->port - 1];
    c->peer.family = TT_FAMILY_MARIADB;
    (void)snprintf(c->peer.identity, sizeof(c->peer.identity), "%s",
                   fake.servers[c->server].identity);
    c->peer.connection_id = ++fake.servers[c->server].connections;
    pthread_mutex_unlock(&fake.mu);
    *out = c;
    return TT_DB_OK;
}

static inline tt_db_status fake_ready(tt_db_conn *c, tt_error *err)
{
    (void)c;
    (void)err;
    return TT_DB_OK;
}

static inline void fake_close(tt_db_conn *c)
{
    tt_del(&tt_allocator_libc, c);
}

static inline const tt_db_peer *fake_peer(const tt_db_conn *c)
{
    return &c->peer;
}

static inline void fake_abort(tt_db_conn *c)
{
    (void)c;
}

static inline bool fake_usable(const tt_db_conn *c)
{
    return !c->broken;
}

static inline bool fake_broken(const tt_db_conn *c)
{
    return c->broken;
}

static inline bool fake_dirty(const tt_db_conn *c)
{
    (void)c;
    return false;
}

static inline tt_db_status fake_ok(tt_db_conn *c, tt_error *err)
{
    (void)c;
    (void)err;
    return TT_DB_OK;
}

static inline tt_db_status fake_read(tt_db_conn *c, tt_str sql, const tt_value *params,
                                     size_t n_params, const tt_db_limits *limits, tt_buf *out,
                                     tt_error *err)
{
    tt_columns_builder b;
    tt_value v;
    int64_t pause_ms;

    (void)params;
    (void)n_params;
    (void)limits;
    (void)err;
    pthread_mutex_lock(&fake.mu);
    fake_say(c->server, sql);
    v = tt_int(fake.servers[c->server].value);
    pause_ms = fake.read_ms;
    pthread_mutex_unlock(&fake.mu);
    if (pause_ms)
        (void)nanosleep(&(struct timespec){0, pause_ms * 1000000}, NULL);
    tt_columns_builder_init(&b, &tt_allocator_libc, 0);
    if (tt_columns_builder_shape(&b, 1) == 0) {
        tt_columns_describe(&b, 0, TT_TYPE_INT, TT_STR("v"));
        columns_put(&b, 0, &v);
        if (tt_columns_end_row(&b) != 0 || tt_columns_finish(&b, out) != 0)
            out->failed = true;
    }
    tt_columns_builder_free(&b);
    return TT_DB_OK;
}

static inline tt_db_status fake_answered(tt_db_conn *c, const fake_answer *answer,
                                         tt_db_effect *effect, tt_error *err)
{
    char text[48];

    if (effect) {
        tt_buf_clear(&effect->position);
        effect->sent_write = answer->sent_write;
        effect->affected_rows = answer->status == TT_DB_OK;
        effect->position_known = answer->position;
        if (answer->position) {
            (void)snprintf(text, sizeof(text), "0-%d:%d", c->server + 1,
                           ++fake.servers[c->server].n);
            tt_buf_puts(&effect->position, text);
        }
    }
    if (answer->status != TT_DB_OK) {
        (void)tt_fail(err, answer->code, "as the test wants it");
        if (err)
            err->server_errno = answer->server_errno;
    }
    return answer->status;
}

static inline tt_db_status fake_write(tt_db_conn *c, tt_str sql, const tt_value *params,
                                      size_t n_params, tt_db_effect *effect, tt_error *err)
{
    tt_db_status status;

    (void)params;
    (void)n_params;
    pthread_mutex_lock(&fake.mu);
    fake_say(c->server, sql);
    status = fake_answered(c, &fake.write, effect, err);
    pthread_mutex_unlock(&fake.mu);
    return status;
}

static inline tt_db_status fake_command(tt_db_conn *c, const char *sql, tt_db_effect *effect,
                                        tt_error *err)
{
    bool commits = strcmp(sql, "COMMIT") == 0;
    tt_db_status status = TT_DB_OK;

    pthread_mutex_lock(&fake.mu);
    fake_say(c->server, tt_str_c(sql));
    if (commits)
        status = fake_answered(c, &fake.commit, effect, err);
    pthread_mutex_unlock(&fake.mu);
    return status;
}

static inline tt_db_status fake_sample(tt_db_conn *c, tt_db_sample *out, tt_error *err)
{
    const fake_server *s = &fake.servers[c->server];
    char applied[32];

    (void)err;
    pthread_mutex_lock(&fake.mu);
    (void)snprintf(out->identity, sizeof(out->identity), "%s", s->identity);
    (void)snprintf(out->source, sizeof(out->source), "%s", s->source);
    (void)snprintf(applied, sizeof(applied), "0-1-%d", fake.servers[0].n);
    out->read_only = s->read_only;
    out->replica = s->read_only;
    out->threads_running = out->lag_known = true;
    tt_buf_clear(&out->applied);
    tt_buf_puts(&out->applied, applied);
    pthread_mutex_unlock(&fake.mu);
    return TT_DB_OK;
}

static inline tt_db_status fake_wait(tt_db_conn *c, tt_str points, int timeout_ms, bool *reached,
                                     tt_error *err)
{
    (void)c;
    (void)points;
    (void)timeout_ms;
    (void)err;
    *reached = true;
    return TT_DB_OK;
}

static inline tt_db_status fake_kill(tt_db_conn *c, uint64_t connection_id, int timeout_ms,
                                     bool *gone, tt_error *err)
{
    char text[48];

    (void)timeout_ms;
    (void)err;
    pthread_mutex_lock(&fake.mu);
    (void)snprintf(text, sizeof(text), "KILL %llu", (unsigned long long)connection_id);
    fake_say(c->server, tt_str_c(text));
    pthread_mutex_unlock(&fake.mu);
    *gone = true;
    return TT_DB_OK;
}

static const tt_db_driver fake_driver = {.name = "fake",
                                         .connect = fake_connect,
                                         .ready = fake_ready,
                                         .close = fake_close,
                                         .peer = fake_peer,
                                         .abort = fake_abort,
                                         .usable = fake_usable,
                                         .broken = fake_broken,
                                         .dirty = fake_dirty,
                                         .reset = fake_ok,
                                         .ping = fake_ok,
                                         .read = fake_read,
                                         .write = fake_write,
                                         .command = fake_command,
                                         .sample = fake_sample,
                                         .inspect = fake_sample,
                                         .wait = fake_wait,
                                         .kill = fake_kill};

#endif
