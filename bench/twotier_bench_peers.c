/* The same point read by other ways: directly by the bare client, through proxies, through a cache
 * written by hand, and by the library without and with its cache; and who reads back what he has
 * just written. */
#include <stdio.h>
#include <stdlib.h>

#include "twotier_bench.h"

enum { READ_BACKS = 1000 };

/* ---- point reads ---------------------------------------------------------------------------- */

/* A connection to one replica; of many connections as many to each. */
static void direct(bench_worker *w)
{
    int replicas = w->b->client->n_nodes - 1;
    int node = replicas > 0 ? 1 + w->index % replicas : 0;

    (void)bare_db_read(w->db[node], bench_draw(&w->rng), 0);
}

/* HOST:PORT, with the account of the configuration. */
static bare_db *open_peer(const bench *b, const char *address)
{
    tt_db_target t = b->client->nodes[0].target;
    const char *colon = strrchr(address, ':');
    char host[256];
    bare_db *db;

    if (!colon || (size_t)(colon - address) >= sizeof(host))
        bench_die("%s: expected HOST:PORT", address);
    memcpy(host, address, (size_t)(colon - address));
    host[colon - address] = '\0';
    t.host = host;
    t.socket = NULL;
    t.port = (unsigned)strtoul(colon + 1, NULL, 10);
    db = bare_db_open(&t);
    return db;
}

static void through_peer(bench_worker *w)
{
    if (!w->peer)
        w->peer = open_peer(w->b, w->b->opt.peers[w->which_peer].read);
    (void)bare_db_read(w->peer, bench_draw(&w->rng), 0);
}

/* ---- a cache as it is written by hand ------------------------------------------------------- */

/* Cache aside: look in Redis, else read from a replica and store the row for a while; whoever
 * writes deletes the key after the commit. Returns the number in the row. */
static int64_t aside_read(redisContext *redis, bare_db *replica, int64_t id)
{
    redisReply *r = redisCommand(redis, "GET aside:%lld", (long long)id);
    char row[700];
    int64_t n;

    if (!r)
        bench_die("Redis: %s", redis->errstr);
    if (r->type == REDIS_REPLY_STRING) {
        n = strtoll(r->str, NULL, 10);
        freeReplyObject(r);
        return n;
    }
    freeReplyObject(r);
    n = bare_db_read(replica, id, 0);
    (void)snprintf(row, sizeof(row), "%-*lld", (int)sizeof(row) - 1, (long long)n);
    r = redisCommand(redis, "SET aside:%lld %b EX 3600", (long long)id, row, sizeof(row) - 1);
    if (!r)
        bench_die("Redis: %s", redis->errstr);
    freeReplyObject(r);
    return n;
}

static void by_hand(bench_worker *w)
{
    (void)aside_read(w->redis, w->db[w->b->client->n_nodes > 1], bench_draw(&w->rng));
}

/* ---- reading back one's own writes ---------------------------------------------------------- */

typedef struct back {
    bench *b;
    bare_db *write, *read;
    redisContext *redis;
    tt_session *session;
    const tt_statement *by;
} back;

static int64_t seen_by_bare(back *k, int64_t id)
{
    bare_db_write(k->write, id);
    return bare_db_read(k->read, id, 0);
}

static int64_t seen_by_hand(back *k, int64_t id)
{
    redisReply *r;

    bare_db_write(k->write, id);
    r = redisCommand(k->redis, "DEL aside:%lld", (long long)id);
    if (!r)
        bench_die("Redis: %s", k->redis->errstr);
    freeReplyObject(r);
    return aside_read(k->redis, k->read, id);
}

static int64_t seen_by_ours(back *k, int64_t id)
{
    tt_value params[] = {tt_int(id), tt_int(0)};
    tt_error err = TT_ERROR_INIT;
    tt_result *r = NULL;
    int64_t n = -1;

    if (tt_statement_write(k->b->write, k->session, params, 1, NULL, NULL, &err) != 0 ||
        tt_statement_read(k->by, k->session, params, 2, NULL, &r, NULL, &err) != 0)
        bench_die("%s", err.message);
    if (tt_result_int(r, 0, 2, &n) != 0)
        bench_die("a read brought no number");
    tt_result_free(r);
    return n;
}

/* How many of READ_BACKS reads do not see the write just before them. */
static int count_stale(back *k, int64_t (*seen)(back *k, int64_t id))
{
    bare_db *truth = bare_db_open(&k->b->client->nodes[0].target);
    uint64_t rng = 99;
    int stale = 0;

    for (int i = 0; i < READ_BACKS; i++) {
        int64_t id = bench_draw(&rng), got = seen(k, id);

        stale += got != bare_db_read(truth, id, 0);
    }
    bare_db_close(truth);
    return stale;
}

/* ---- the table ------------------------------------------------------------------------------ */

typedef struct contender {
    const char *name;
    bench_call *call;
    int64_t (*seen)(back *k, int64_t id);
    int peer; /* which, of a proxy; -1: straight to the servers */
    bool cached;
} contender;

enum { CONTENDERS_MAX = 4 + BENCH_PEERS_MAX };

static int contenders(const bench *b, contender *out)
{
    int n = 0;

    out[n++] =
        (contender){"direct: the bare client, to a replica", direct, seen_by_bare, -1, false};
    for (int i = 0; i < b->opt.n_peers; i++)
        out[n++] = (contender){b->opt.peers[i].name, through_peer, seen_by_bare, i, false};
    out[n++] = (contender){"hand-written cache (look, load, delete after the commit)", by_hand,
                           seen_by_hand, -1, true};
    out[n++] = (contender){"twotier, without cache", bench_plain, seen_by_ours, -1, false};
    out[n++] = (contender){"twotier, from Redis", bench_hit, seen_by_ours, -1, true};
    return n;
}

static void put_row(FILE *f, const char *name, const bench_row *one, const bench_row *many,
                    const char *stale)
{
    (void)fprintf(f,
                  "| %s | %.0f / %.0f | %.2f (%.2f to %.2f) | %.0f / %.0f | %.2f (%.2f to %.2f) | "
                  "%s |\n",
                  name, one->ours, one->bare, one->ratio, one->low, one->high, many->ours,
                  many->bare, many->ratio, many->low, many->high, stale);
}

static int stale_of(bench *b, const contender *c)
{
    const bench_peer *peer = c->peer >= 0 ? &b->opt.peers[c->peer] : NULL;
    back k = {.b = b, .by = c->cached ? b->hit : b->plain};
    tt_error err = TT_ERROR_INIT;
    int stale;

    k.write = peer ? open_peer(b, peer->write) : bare_db_open(&b->client->nodes[0].target);
    k.read = peer ? open_peer(b, peer->read) : bare_db_open(&b->client->nodes[1].target);
    k.redis = bare_redis_open(b);
    if (tt_session_new(b->client, &k.session, &err) != 0)
        bench_die("%s", err.message);
    stale = count_stale(&k, c->seen);
    tt_session_free(k.session);
    redisFree(k.redis);
    bare_db_close(k.write);
    bare_db_close(k.read);
    return stale;
}

int bench_peers(bench *b, FILE *f)
{
    contender all[CONTENDERS_MAX];
    bench_row one[CONTENDERS_MAX], many[CONTENDERS_MAX];
    int bad = 0, n = contenders(b, all);

    memset(one, 0, sizeof(one));
    memset(many, 0, sizeof(many));
    for (int i = 0; i < n; i++) {
        bench_path path = {.name = all[i].name,
                           .threads = 1,
                           .unit = "us",
                           .burst = 1,
                           .ours = all[i].call,
                           .bare = direct,
                           .peer = all[i].peer};

        bench_measure(b, &path, &one[i]);
        path.threads = 32;
        path.unit = "calls/s";
        bench_measure(b, &path, &many[i]);
    }
    (void)fprintf(
        f,
        "| point read of one row of 700 bytes | 1 connection: us, it / direct | ratio | 32 "
        "connections: reads per s, it / direct | ratio | own write read back stale, of %d "
        "|\n"
        "| --- | --- | --- | --- | --- | --- |\n",
        READ_BACKS);
    for (int i = 0; i < n; i++) {
        int stale = stale_of(b, &all[i]);
        char text[16];

        (void)snprintf(text, sizeof(text), "%d", stale);
        put_row(f, all[i].name, &one[i], &many[i], text);
        bad += all[i].seen == seen_by_ours && stale > 0;
    }
    return bad;
}
