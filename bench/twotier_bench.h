/* twotier_bench.h: what the files of the benchmark share.
 *
 *   twotier_bench.c         options, the rows in their order, the exit status
 *   twotier_bench_stats.c   keys by Zipf's law, medians, the interval of a ratio
 *   twotier_bench_rounds.c  rounds of calls, by one thread or many, the two sides in turn
 *   twotier_bench_ours.c    our side: clients, statements, calls; the data
 *   twotier_bench_bare.c    the other side: hiredis, the database's client library, a hash table
 *   twotier_bench_count.c   instructions per call, by callgrind; bytes of memory
 *   twotier_bench_report.c  the table, and the JSON
 *   twotier_bench_peers.c   the same statements through proxies and a hand-written cache, for
 * bench/peers
 */
#ifndef TWOTIER_BENCH_H
#define TWOTIER_BENCH_H

#include <hiredis.h>
#include <mysql.h>
#include <stdio.h>
#include <twotier/twotier.h>

#include "svc/client.h"

enum {
    BENCH_KEYS = 10000,
    BENCH_THREADS_MAX = 64,
    BENCH_ROUNDS_MAX = 1000,
    BENCH_TAGS = 3,
    BENCH_ASKED = 2 + BENCH_TAGS, /* entry, term, tags: what a hit asks for */
    BENCH_SIDES = TT_NODES_MAX,
    BENCH_ROUTE = 1 << 16,
    BENCH_NAME_MAX = 96,
    BENCH_ROWS_MAX = 24,
    BENCH_PEERS_MAX = 4
};

/* A proxy in front of the same servers. */
typedef struct bench_peer {
    const char *name, *write, *read; /* HOST:PORT for writes, for reads */
} bench_peer;

typedef struct bench_options {
    const char *config, *json, *servers[2]; /* the tool, and its directory */
    const char *markdown;
    bench_peer peers[BENCH_PEERS_MAX];
    int n_peers;
    bool pin, instructions_only;
    const char *only; /* rows whose path begins with this */
    int rounds, round_ms;
} bench_options;

/* ---- the world ------------------------------------------------------------------------------ */

/* A connection of the bare side to one node, with its statements prepared and bound. */
typedef struct bare_db {
    MYSQL *mysql;
    MYSQL_STMT *read, *write;
    long long params[2];
    MYSQL_BIND in[2], out[5];
    long long numbers[3];
    char name[64], body[1024];
    unsigned long lengths[5];
} bare_db;

/* Keys in the cache of the read of one row. */
typedef struct bench_keys {
    char *text[BENCH_ASKED];
    size_t n[BENCH_ASKED];
} bench_keys;

typedef struct bench {
    bench_options opt;
    tt_config *config;
    tt_client *client;  /* with the shared cache */
    tt_client *process; /* scope: process; opened when its rows come */
    tt_statement *hit, *miss, *plain, *write, *local_hit;
    bench_keys *keys;     /* BENCH_KEYS */
    size_t entry_bytes;   /* of one entry as stored */
    struct bare_map *map; /* the bare hash table */
    int64_t unique;       /* the misses' second parameter goes up from here */
    tt_str redis_host;
    unsigned redis_port;
    _Atomic uint64_t misses_elsewhere; /* not filled from a replica */
} bench;

typedef struct bench_worker {
    bench *b;
    int index;
    uint64_t rng;
    int64_t unique;
    redisContext *redis;
    bare_db *db[TT_NODES_MAX], *peer; /* `peer`: to opt.peers[which_peer] */
    int which_peer;
    /* the nodes that our reads went to, for the bare reads of the next round to go to as well */
    unsigned char *route;
    size_t routed, replayed;
    uint64_t calls;
    int64_t began_ns, ended_ns;
} bench_worker;

typedef void bench_call(bench_worker *w);

/* One row of the table. */
typedef struct bench_path {
    const char *name;
    int threads;
    const char *unit; /* "us" and "ns" a call, "calls/s", "bytes" an entry */
    double limit;     /* 0: none */
    bool at_least;    /* throughput: the lower end of the interval must reach the limit */
    bool later;       /* its limit belongs to a feature that is to come */
    int burst;        /* calls between two looks at the clock */
    bench_call *ours, *bare;
    void (*settle)(bench *b); /* after our calls, within the time measured; may be NULL */
    bool local;               /* needs the client with scope process */
    int peer;                 /* of its calls through a proxy: which */
} bench_path;

typedef struct bench_row {
    char path[BENCH_NAME_MAX];
    int threads;
    const char *unit;
    bool measured, later, at_least;
    double ours, bare, ratio, low, high, limit;
    char cpu[32]; /* of the client, us a call: ours/bare */
    char instructions[32];
} bench_row;

static inline bool bench_row_ok(const bench_row *r)
{
    if (!r->measured || r->limit <= 0)
        return true;
    return r->at_least ? r->low >= r->limit : r->high <= r->limit;
}

TT_PRINTF(1, 2) _Noreturn void bench_die(const char *fmt, ...);
/* A line for people on a terminal, gone when the next one comes; NULL clears it. */
void bench_progress(const char *text);
bool bench_wanted(const bench *b, const char *path);

/* ---- twotier_bench_stats.c ------------------------------------------------------------------ */

void bench_zipf_init(void);
/* A key from 1 to BENCH_KEYS. */
int64_t bench_draw(uint64_t *rng);
double bench_median(const double *values, int n);
/* The median of ours[i] / bare[i], and its 95 % confidence interval by bootstrap. */
void bench_ratio(const double *ours, const double *bare, int n, bench_row *out);

/* ---- twotier_bench_rounds.c ----------------------------------------------------------------- */

void bench_measure(bench *b, const bench_path *path, bench_row *out);
void bench_worker_open(bench *b, bench_worker *w, int index, bool bare);
void bench_worker_close(bench_worker *w);

/* ---- twotier_bench_ours.c ------------------------------------------------------------------- */

extern const char bench_read_sql[], bench_write_sql[];

void bench_open(bench *b);
void bench_close(bench *b);
/* Make the table, wait for it on the replicas, fill the cache. */
void bench_load(bench *b);
void bench_open_process(bench *b, bool warm);
/* Name the keys of every row. */
void bench_make_keys(bench *b);
/* Read every row by `s` until all are served from a cache. */
void bench_warm(bench *b, const tt_statement *s);

void bench_hit(bench_worker *w);
void bench_plain(bench_worker *w);
void bench_miss(bench_worker *w);
void bench_write(bench_worker *w);
void bench_local_hit(bench_worker *w);
void bench_local_text(bench_worker *w);
void bench_settle_posts(bench *b);

/* ---- twotier_bench_bare.c ------------------------------------------------------------------- */

redisContext *bare_redis_open(const bench *b);
bare_db *bare_db_open(const tt_db_target *target);
void bare_db_close(bare_db *db);
/* The number in the row, which each write makes higher by one. */
int64_t bare_db_read(bare_db *db, int64_t id, int64_t unique);
void bare_db_write(bare_db *db, int64_t id);
struct bare_map *bare_map_new(void);
void bare_map_free(struct bare_map *m);

void bare_hit(bench_worker *w);
void bare_plain(bench_worker *w);
void bare_miss(bench_worker *w);
void bare_write(bench_worker *w);
void bare_lookup(bench_worker *w);

/* ---- twotier_bench_count.c ------------------------------------------------------------------ */

/* Run this program once more under callgrind for this row: "own + libraries" per call, or "-". */
void bench_count_instructions(const bench *b, const bench_path *path, bench_row *out);
/* That child: calls between the marks that callgrind looks for. */
void bench_be_counted(bench *b, const bench_path *path);
/* Memory of the store in the process against the bytes in it. */
void bench_memory(bench *b, bench_row *out);

/* ---- twotier_bench_report.c ----------------------------------------------------------------- */

const char *bench_machine(const bench *b);
void bench_print(const bench *b, const bench_row *rows, int n);
void bench_write_json(const bench *b, const bench_row *rows, int n);
/* The rows as a table for the README. */
void bench_put_markdown(FILE *f, const bench_row *rows, int n);

/* ---- twotier_bench_peers.c ------------------------------------------------------------------ */

/* How many of our ways read back something stale. */
int bench_peers(bench *b, FILE *f);

#endif
