/* The bare side: what a program without the library would do, and no more. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/hash.h"
#include "twotier_bench.h"

/* ---- Redis ---------------------------------------------------------------------------------- */

redisContext *bare_redis_open(const bench *b)
{
    redisContext *c = redisConnect(b->redis_host.p, (int)b->redis_port);

    if (!c || c->err)
        bench_die("Redis: %s", c ? c->errstr : "out of memory");
    (void)redisEnableKeepAlive(c);
    return c;
}

/* The five keys of a hit by one MGET: does the entry have to be there? */
static void mget(bench_worker *w, int64_t id, const char *entry, bool present)
{
    const bench_keys *k = &w->b->keys[id - 1];
    const char *argv[BENCH_ASKED + 1] = {"MGET"};
    size_t lengths[BENCH_ASKED + 1] = {4};
    redisReply *r;

    for (int i = 0; i < BENCH_ASKED; i++) {
        argv[i + 1] = k->text[i];
        lengths[i + 1] = k->n[i];
    }
    if (entry) {
        argv[1] = entry;
        lengths[1] = strlen(entry);
    }
    r = redisCommandArgv(w->redis, BENCH_ASKED + 1, argv, lengths);
    if (!r || r->elements != BENCH_ASKED)
        bench_die("MGET: %s", w->redis->errstr);
    if ((r->element[0]->type == REDIS_REPLY_STRING) != present)
        bench_die("MGET: the entry is %sthere", present ? "not " : "");
    if (present)
        w->b->entry_bytes = r->element[0]->len;
    freeReplyObject(r);
}

void bare_hit(bench_worker *w)
{
    mget(w, bench_draw(&w->rng), NULL, true);
}

static void expect(redisContext *c, int type)
{
    redisReply *r = NULL;

    if (redisGetReply(c, (void **)&r) != REDIS_OK || r->type != type)
        bench_die("Redis: %s", r && r->type == REDIS_REPLY_ERROR ? r->str : c->errstr);
    freeReplyObject(r);
}

/* ---- the database --------------------------------------------------------------------------- */

static MYSQL_STMT *prepare(bare_db *db, const char *sql, int n_params)
{
    MYSQL_STMT *s = mysql_stmt_init(db->mysql);

    if (!s || mysql_stmt_prepare(s, sql, strlen(sql)) != 0)
        bench_die("%s", s ? mysql_stmt_error(s) : "out of memory");
    for (int i = 0; i < n_params; i++)
        db->in[i] = (MYSQL_BIND){.buffer_type = MYSQL_TYPE_LONGLONG, .buffer = &db->params[i]};
    if (mysql_stmt_bind_param(s, db->in) != 0)
        bench_die("%s", mysql_stmt_error(s));
    return s;
}

bare_db *bare_db_open(const tt_db_target *t)
{
    bare_db *db = calloc(1, sizeof(*db));

    if (!db || !(db->mysql = mysql_init(NULL)))
        bench_die("out of memory");
    if (!mysql_real_connect(db->mysql, t->host, t->user, t->password, t->schema, t->port, t->socket,
                            0))
        bench_die("%s:%u: %s", t->host, t->port, mysql_error(db->mysql));
    return db;
}

static void ready_read(bare_db *db)
{
    for (int i = 0; i < 3; i++)
        db->out[i] = (MYSQL_BIND){.buffer_type = MYSQL_TYPE_LONGLONG, .buffer = &db->numbers[i]};
    db->out[3] = (MYSQL_BIND){.buffer_type = MYSQL_TYPE_STRING,
                              .buffer = db->name,
                              .buffer_length = sizeof(db->name),
                              .length = &db->lengths[3]};
    db->out[4] = (MYSQL_BIND){.buffer_type = MYSQL_TYPE_STRING,
                              .buffer = db->body,
                              .buffer_length = sizeof(db->body),
                              .length = &db->lengths[4]};
    db->read = prepare(db, bench_read_sql, 2);
    if (mysql_stmt_bind_result(db->read, db->out) != 0)
        bench_die("%s", mysql_stmt_error(db->read));
}

void bare_db_close(bare_db *db)
{
    if (!db)
        return;
    if (db->read)
        (void)mysql_stmt_close(db->read);
    if (db->write)
        (void)mysql_stmt_close(db->write);
    mysql_close(db->mysql);
    free(db);
}

int64_t bare_db_read(bare_db *db, int64_t id, int64_t unique)
{
    if (!db->read)
        ready_read(db);
    db->params[0] = id;
    db->params[1] = unique;
    if (mysql_stmt_execute(db->read) != 0 || mysql_stmt_fetch(db->read) != 0 ||
        mysql_stmt_fetch(db->read) != MYSQL_NO_DATA || db->numbers[0] != id)
        bench_die("a bare read failed: %s", mysql_stmt_error(db->read));
    (void)mysql_stmt_free_result(db->read);
    return db->numbers[2];
}

void bare_db_write(bare_db *db, int64_t id)
{
    if (!db->write)
        db->write = prepare(db, bench_write_sql, 1);
    db->params[0] = id;
    if (mysql_stmt_execute(db->write) != 0 || mysql_stmt_affected_rows(db->write) != 1)
        bench_die("a bare write failed: %s", mysql_stmt_error(db->write));
}

/* Where our side's reads of the round before went, in the same order. */
static bare_db *next_node(bench_worker *w)
{
    size_t n = TT_MIN(w->routed, BENCH_ROUTE);

    if (n == 0)
        bench_die("our reads came from no node");
    return w->db[w->route[w->replayed++ % n]];
}

void bare_plain(bench_worker *w)
{
    (void)bare_db_read(next_node(w), bench_draw(&w->rng), 0);
}

/* Look (MGET of five, the entry not there), read, store what a fill stores, for as long. */
void bare_miss(bench_worker *w)
{
    static char entry[4096];
    int64_t id = bench_draw(&w->rng);
    char key[64];

    (void)snprintf(key, sizeof(key), "bare:%032llx", (unsigned long long)++w->unique);
    mget(w, id, key, false);
    (void)bare_db_read(next_node(w), id, w->unique);
    if (redisAppendCommand(w->redis, "SET %s %b PX 1000", key, entry,
                           TT_MIN(w->b->entry_bytes, sizeof(entry))) != REDIS_OK)
        bench_die("Redis: %s", w->redis->errstr);
    expect(w->redis, REDIS_REPLY_STATUS);
}

/* ---- write ---------------------------------------------------------------------------------- */

/* As many keys as the tags have, of a tag's size, in one round trip. */
static void set_keys(bench_worker *w, bool term)
{
    static const char value[] = "0123456789012345678901234567890123456789012345678901234567890123";

    if (term)
        (void)redisAppendCommand(w->redis, "GET %s", w->b->keys[0].text[1]);
    for (int i = 0; i < BENCH_TAGS; i++)
        (void)redisAppendCommand(w->redis, "SET bare:tag:%d:%lld %s PX 172800000", i,
                                 i == 0 ? (long long)w->unique % BENCH_KEYS : 0, value);
    if (term)
        expect(w->redis, REDIS_REPLY_STRING);
    for (int i = 0; i < BENCH_TAGS; i++)
        expect(w->redis, REDIS_REPLY_STATUS);
}

void bare_write(bench_worker *w)
{
    w->unique = bench_draw(&w->rng);
    set_keys(w, true);
    bare_db_write(w->db[0], w->unique);
    set_keys(w, false);
}

/* ---- a hash table with striped locks -------------------------------------------------------- */

enum { STRIPES = 64, BUCKETS = 16384 };

typedef struct map_node {
    struct map_node *next;
    char key[16];
    atomic_uint refs;
} map_node;

struct bare_map {
    struct {
        _Alignas(64) pthread_mutex_t mu;
    } stripes[STRIPES];
    map_node *buckets[BUCKETS];
    map_node nodes[BENCH_KEYS];
};

static void map_key(int64_t id, char key[16])
{
    tt_hash128 h = tt_hash((tt_str){(const char *)&id, sizeof(id)});

    memcpy(key, &h, 16);
}

static uint32_t bucket_of(const char key[16])
{
    uint32_t n;

    memcpy(&n, key, sizeof(n));
    return n % BUCKETS;
}

struct bare_map *bare_map_new(void)
{
    struct bare_map *m = aligned_alloc(64, (sizeof(*m) + 63) / 64 * 64);

    if (!m)
        bench_die("out of memory");
    memset(m, 0, sizeof(*m));
    for (int i = 0; i < STRIPES; i++)
        (void)pthread_mutex_init(&m->stripes[i].mu, NULL);
    for (int i = 0; i < BENCH_KEYS; i++) {
        map_node *n = &m->nodes[i], **bucket;

        map_key(i + 1, n->key);
        bucket = &m->buckets[bucket_of(n->key)];
        n->next = *bucket;
        *bucket = n;
    }
    return m;
}

void bare_map_free(struct bare_map *m)
{
    for (int i = 0; m && i < STRIPES; i++)
        (void)pthread_mutex_destroy(&m->stripes[i].mu);
    free(m);
}

/* Found, referenced, given back. */
void bare_lookup(bench_worker *w)
{
    struct bare_map *m = w->b->map;
    pthread_mutex_t *mu;
    char key[16];
    map_node *n;

    map_key(bench_draw(&w->rng), key);
    mu = &m->stripes[bucket_of(key) % STRIPES].mu;
    (void)pthread_mutex_lock(mu);
    n = m->buckets[bucket_of(key)];
    while (n && memcmp(n->key, key, 16) != 0)
        n = n->next;
    if (n)
        atomic_fetch_add(&n->refs, 1);
    (void)pthread_mutex_unlock(mu);
    if (!n)
        bench_die("a bare lookup failed");
    atomic_fetch_sub(&n->refs, 1);
}
