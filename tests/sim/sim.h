/* sim.h: a deterministic world in which the object code of the coherence protocol runs.
 *
 *   sessions ─ operations of lib/core ─ network ─┬─ Redis nodes (redis.c: the very script, in Lua)
 *              (process.c, drive.c)              └─ database servers (server.c)
 *   scenario.c draws a world and its faults from the seed; check.c says what may never happen.
 *
 * One thread, a virtual clock, one generator: a seed is a run. Everything of a run lives in its
 * arena, but for what lib/core allocates itself.
 */
#ifndef TT_SIM_SIM_H
#define TT_SIM_SIM_H

#include <stdio.h>

#include "core/barrier.h"
#include "core/discover.h"
#include "core/grace.h"
#include "core/read.h"
#include "core/repair.h"
#include "core/write.h"

enum {
    ROWS = 3, /* a row has a tag; a key reads the rows of its mask */
    KEYS = 3,
    SERVERS_MAX = 3,
    REDIS_MAX = 2,
    SENTINELS = 3,
    REDIS_KEYS_MAX = 16,
    PROCS_MAX = 24,
    SESSIONS_MAX = 6,
    POOL_MAX = 4,
    WRITES_MAX = 128,
    TXNS_MAX = 512,
    CONNS_MAX = 512,
    EXCLUDED_MAX = 8
};

#define MS TT_NS_PER_MS
#define US INT64_C(1000)

typedef struct sim sim;
typedef struct proc proc;
typedef struct session session;
typedef struct op op;
typedef struct drain drain;

/* A set of writes: what a row shows. */
typedef struct wset {
    uint64_t w[2];
} wset;

static inline void wset_add(wset *s, int i)
{
    s->w[i / 64] |= UINT64_C(1) << (i % 64);
}

static inline bool wset_has(const wset *s, int i)
{
    return s->w[i / 64] >> (i % 64) & 1;
}

static inline bool wset_empty(const wset *s)
{
    return !(s->w[0] | s->w[1]);
}

/* ---- the world that the seed chose, and how the protocol or the world is broken on purpose -----
 */

/* name, what is broken */
#define WORLD_MUTANTS(X)                                                                           \
    X(VERSIONS_BEFORE_READ, "the entry gets the versions that are current when it is stored")      \
    X(READ_AFTER_ALL_SCRIPTS, "the rows are those of the time when the tags were asked for")       \
    X(AS_OF_BEFORE_VIEW, "as_of is the position after the view was opened")                        \
    X(ACK_AFTER_BUMP, "an outstanding invalidation is reported as done")                           \
    X(BLIND_FILL, "an entry is a hit whatever its versions")                                       \
    X(LEASE_PER_CLIENT, "all fills of a process use one lease token")                              \
    X(ABSENT_OPENS_FREE, "a tag that was absent is created with a barrier that everybody meets")   \
    X(EPOCH_RUNID, "the epoch is the run_id alone")                                                \
    X(EPOCH_REPLID, "the epoch is the replid alone")                                               \
    X(GRACE, "a node is used as soon as it is found")                                              \
    X(GRACE_FIRST, "the first epoch of a process is not waited out")                               \
    X(GRACE_READERS, "reads are exempt from the grace")                                            \
    X(GRACE_WRITERS, "writes are exempt from the grace")                                           \
    X(DEMOTION_KEEPS_CLIENTS, "a demoted Redis node keeps its clients")                            \
    X(READ_ONLY_FIRST, "the new primary is opened before the old one is closed")                   \
    X(MARK_EVICTED, "marked tags may be evicted")                                                  \
    X(DRAIN_ACKNOWLEDGED, "a deferred row is deleted whatever became of its bumps")                \
    X(PROBE_DISCOVERS, "no probe asks for a discovery")                                            \
    X(OPEN_TRANSACTION_FILL, "the rows are read in a view opened before the tags were read")

typedef enum world_mutant {
#define WORLD_MUTANT_ENUM_(name, text) MUT_##name,
    WORLD_MUTANTS(WORLD_MUTANT_ENUM_)
#undef WORLD_MUTANT_ENUM_
        MUT_COUNT
} world_mutant;

/* Chances are in 1/1000. */
typedef struct scenario {
    tt_family family;
    int servers, procs, sessions, ops, keys;
    int masks[KEYS];
    int primary_reads; /* see core/shed.h */
    int follow_ms;     /* replicas are pointed at a new primary within so long */
    bool intent, defer, spare_primary, sentinel, split, parallel_apply, gaps;
    bool old_looks_open; /* an assumption broken: the old primary refuses writes, but does not say
                            that it is read-only; what is read around the cache is not checked */
    bool pendulum;       /* primaries: the first, another, the first again */
    int64_t run_ns, delay_ns, lag_ns, think_ns, timeout_ns, probe_ns, poll_ns, engine_ns, stale_ns,
        heavy_ns;
    int64_t mark_timeout_ms, lease_ms, tag_ttl_ms, entry_ttl_ms, grace_ns, replica_wait_ms;
    int64_t skew_ms[REDIS_MAX];
    int lost, slow, writes, locked, unknown_position, cached, commits, same_rows, eventual;
    int crashes, evictions, flushes, redis_restarts, redis_failovers, partitions;
    int db_failovers, db_restarts, stops, locks, planned, lossy; /* of 1000, what a failover is */
} scenario;

/* What happened in the world, over all seeds: a run in which one never happens proves nothing. */
#define WORLD_EVENTS(X)                                                                            \
    X(PROCESS_CRASHED)                                                                             \
    X(PROCESS_JOINED)                                                                              \
    X(BATCH_LOST)                                                                                  \
    X(BATCH_HALF_DONE)                                                                             \
    X(REQUEST_LOST)                                                                                \
    X(REPLY_LOST)                                                                                  \
    X(PARTITION)                                                                                   \
    X(SENTINELS_CUT_OFF)                                                                           \
    X(TAG_EVICTED)                                                                                 \
    X(TAG_SPOILED)                                                                                 \
    X(MARK_INTERRUPTED)                                                                            \
    X(REDIS_FLUSHED)                                                                               \
    X(REDIS_RESTARTED)                                                                             \
    X(REDIS_FAILOVER)                                                                              \
    X(REDIS_TWO_MASTERS)                                                                           \
    X(REDIS_DEMOTED)                                                                               \
    X(GRACE_WITHHELD)                                                                              \
    X(DB_PLANNED)                                                                                  \
    X(DB_CRASHED)                                                                                  \
    X(DB_LOSSY)                                                                                    \
    X(DB_BACK_TO_OLD)                                                                              \
    X(DB_REISSUED)                                                                                 \
    X(DB_RESTARTED)                                                                                \
    X(DB_REBUILT)                                                                                  \
    X(APPLY_STOPPED)                                                                               \
    X(APPLIED_OUT_OF_ORDER)                                                                        \
    X(NUMBER_SKIPPED)                                                                              \
    X(NUMBER_LATE)                                                                                 \
    X(LOCK_WAIT)                                                                                   \
    X(COMMITTED_WITHOUT_CLIENT)                                                                    \
    X(KILLED_IN_TIME)                                                                              \
    X(WRITE_DONE)                                                                                  \
    X(WRITE_OUTSTANDING)                                                                           \
    X(WRITE_DEFERRED)                                                                              \
    X(WRITE_UNKNOWN)                                                                               \
    X(WRITE_REFUSED)                                                                               \
    X(WRITE_LOST_IN_FAILOVER)                                                                      \
    X(DRAINED)                                                                                     \
    X(SETTLED)                                                                                     \
    X(SESSION_MOVED)                                                                               \
    X(READ_CHECKED)                                                                                \
    X(READ_OWN_CHECKED)                                                                            \
    X(READ_COVERED_CHECKED)                                                                        \
    X(READ_FAILED)                                                                                 \
    X(LEASE_LOST)                                                                                  \
    X(FINAL_HIT)                                                                                   \
    X(FINAL_CHECKED)                                                                               \
    X(EXCLUDED_DEAD_WRITER)

typedef enum world_event {
#define WORLD_EVENT_ENUM_(name) EV_##name,
    WORLD_EVENTS(WORLD_EVENT_ENUM_)
#undef WORLD_EVENT_ENUM_
        EV_COUNT
} world_event;

typedef struct tally {
    uint64_t notes[TT_NOTE_COUNT];
    uint64_t events[EV_COUNT];
    uint64_t steps, scripts;
} tally;

/* ---- Redis -------------------------------------------------------------------------------------
 */

typedef struct rkey {
    char name[8];
    char *value;
    size_t n;
    int64_t expires_ms; /* 0: never */
} rkey;

typedef struct rdata {
    rkey keys[REDIS_KEYS_MAX];
    int n;
} rdata;

typedef struct rnode {
    bool up, master;
    int clients; /* generation: those of an older one are disconnected */
    char run_id[TT_NONCE_BYTES], replid[TT_NONCE_BYTES];
    int64_t skew_ms;
    rdata data, saved; /* saved: the last snapshot on disk */
    int source;        /* replicating from, or -1 */
} rnode;

/* ---- database servers --------------------------------------------------------------------------
 */

typedef struct txn {
    int source; /* server that issued it */
    int n;      /* its number there */
    int write;  /* index of a write, or -1: a drain */
    unsigned rows;
    bool defers;
    wset drained;
} txn;

typedef struct dbconn {
    int server;
    uint64_t id;
    bool alive, busy, committing; /* committing: past the point where a KILL stops it */
    int killers;
    proc *owner;
} dbconn;

typedef struct server {
    char identity[TT_SOURCE_MAX + 1], gtid[TT_SOURCE_MAX + 1];
    bool up, read_only, applying;
    int64_t looks_open_until; /* a sample says writable until then */
    int source, life;         /* life: counts restarts; what an older one began is void */
    int replication;          /* counts changes of source: the relay log of an older one is gone */
    wset rows[ROWS], deferred;
    uint64_t has[SERVERS_MAX][4]; /* numbers visible, by source */
    int log[TXNS_MAX], log_n;     /* binary log */
    int fetched;                  /* of the log of its source */
    bool queued[TXNS_MAX];        /* in its relay log */
    int last;                     /* MariaDB: latest visible transaction, or -1 */
    int next_n;
    int skipped_n;                        /* below others by now, and may be issued yet; or 0 */
    int64_t applied_until, visible_until; /* order of what is under way */
    int64_t locked_until[ROWS];
    int under_way; /* transactions in the log, not visible yet */
    bool diverged;
} server;

/* ---- processes ---------------------------------------------------------------------------------
 */

typedef struct rlink {
    bool open, opening;
    int node, clients;
    tt_epoch epoch;
    int64_t clock_off_ms; /* what is taken for the node's clock is off by so much */
    int64_t arrive_ns[2]; /* per connection, messages keep their order */
} rlink;

struct proc {
    sim *s;
    int id;
    bool dead, partitioned, unconfirmed; /* cut off from Redis; from the sentinels */
    tt_core core;
    tt_rng rng;
    tt_grace grace;
    int redis; /* node that it believes in */
    rlink link;
    op *ops;
    op *discovering;
    op *discover_waiters[64];
    int n_discover_waiters;
    bool repairing, draining;
    dbconn *pool[POOL_MAX];
    int n_pool;
    char lease_token[TT_NONCE_BYTES];
    tt_nonce nothing;
};

typedef struct wrote {
    session *who;
    proc *by;
    unsigned rows;
    int64_t started_ns, done_ns;
    bool committed, finished, success, done, lost, no_change;
    int redis_losses; /* when it began */
    bool mark_lost;   /* a fault took one of its marks, or kept it from a node */
    op *call;
    tt_invalidation invalidation;
} wrote;

struct session {
    sim *s;
    int id;
    proc *home;
    tt_buf seen, owed;
    int ops_left;
    op *current;
};

typedef struct result {
    struct result *next;
    int refs;
    unsigned mask;
    wset rows[ROWS];
} result;

typedef enum op_kind { OP_READ, OP_WRITE, OP_DISCOVER, OP_REPAIR } op_kind;

/* An operation of lib/core and what drives it. */
struct op {
    proc *p;
    op *next;
    op_kind kind;
    session *who;
    uint64_t turn; /* counts acts: an answer to an older one is void */
    bool finished, parked, final;
    int64_t started_ns;
    /* read */
    tt_read_request rq;
    unsigned mask;
    tt_str tags[ROWS];
    bool check;
    wset early[SERVERS_MAX]
              [ROWS]; /* mutants: what the servers showed when the tags were asked for */
    wset earliest[SERVERS_MAX][ROWS];
    drain *drain; /* of a repair: it bumps what was left in the primary's table */
    /* write */
    tt_write_request wq;
    wrote *w;
    dbconn *conn;
    int samples_left;
    tt_sample samples[SERVERS_MAX];
    tt_event ev;
    /* of a read that has a batch under way beside it */
    bool batch_due;
    const tt_answers *batch_answers;
    void *rows; /* their answer came first, and waits */
    union {
        tt_read_op read;
        tt_write_op write;
        tt_discover_op discover;
        tt_repair_op repair;
    } u;
};

/* ---- the run -----------------------------------------------------------------------------------
 */

typedef void event_fn(sim *s, void *what, uint64_t n);

typedef struct event {
    int64_t at;
    uint64_t order;
    event_fn *fn;
    void *what;
    uint64_t n;
} event;

typedef struct breakage {
    tt_rules rules;
    uint64_t world; /* set of world_mutant */
    const char *profile;
} breakage;

struct sim {
    uint64_t seed, random;
    bool trace, hashing;
    uint64_t hash; /* of the trace */
    breakage broken;
    scenario sc;
    int64_t now;
    event *heap;
    size_t n_heap, cap_heap;
    uint64_t order;
    bool quiet; /* faults and sessions have ended */
    struct chunk *arena;
    result *results;

    rnode redis[REDIS_MAX];
    int n_redis, redis_losses, redis_failovers;
    int sentinel_view[SENTINELS], sentinel_epoch[SENTINELS];
    bool redis_moving;

    server servers[SERVERS_MAX];
    int primary; /* the truth */
    bool db_moving;
    txn txns[TXNS_MAX];
    int n_txns;
    dbconn conns[CONNS_MAX];
    int n_conns;
    uint64_t issued[SERVERS_MAX][4];
    uint64_t primaries; /* set of servers that were primary */

    proc *procs[PROCS_MAX];
    int n_procs;
    session sessions[SESSIONS_MAX];
    wrote writes[WRITES_MAX];
    int n_writes;

    tally *tally;
    char violation[400];
};

/* world.c */
void sim_at(sim *s, int64_t at, event_fn *fn, void *what, uint64_t n);
static inline void sim_in(sim *s, int64_t ns, event_fn *fn, void *what, uint64_t n);
void *sim_new(sim *s, size_t size);
char *sim_copy(sim *s, tt_str text);
uint64_t sim_random(sim *s);
/* 0 .. n-1; n >= 1 */
int sim_below(sim *s, int n);
bool sim_chance(sim *s, int per_1000);
/* A delay around `ns`, now and then much longer. */
int64_t sim_delay(sim *s, int64_t ns);
void sim_trace(sim *s, const char *fmt, ...) TT_PRINTF(2, 3);
/* Remember the first violation and stop. */
void sim_violation(sim *s, const char *fmt, ...) TT_PRINTF(2, 3);
void sim_count(sim *s, world_event e);
/* One event; false when nothing is left. */
bool sim_step(sim *s);
void sim_begin(sim *s, uint64_t seed, const breakage *broken, tally *t, bool trace);
void sim_end(sim *s);

static inline void sim_in(sim *s, int64_t ns, event_fn *fn, void *what, uint64_t n)
{
    sim_at(s, s->now + ns, fn, what, n);
}

static inline bool sim_broken(const sim *s, world_mutant m)
{
    return s->broken.world >> m & 1;
}

/* redis.c */
/* Compile the script; false and a text when it is not valid. */
bool redis_script(tt_str text, const char **why);
void redis_setup(sim *s);
tt_epoch redis_epoch(const sim *s, const rnode *r);
/* Run one command. The reply's text lives in the run's arena. */
tt_reply redis_run(sim *s, rnode *r, const tt_cmd *cmd, tt_epoch epoch);
/* A mark, whose args[1] is its deadline by now, is three commands: step 0, 1 and 2. */
void redis_mark(sim *s, rnode *r, const tt_cmd *cmd, int step, tt_reply *reply);
void redis_spoil(sim *s, rnode *r, int i);
const rkey *redis_find(const rnode *r, tt_str name);
int64_t redis_now_ms(const sim *s, const rnode *r);
/* Something befell the node, or a writer: which writes have lost a mark by it? */
void redis_note_lost_marks(sim *s, int node);
void redis_fresh_id(sim *s, char *id);
void redis_delete_at(rdata *d, int i);

/* redis_faults.c */
void redis_fault(sim *s);
void redis_heal(sim *s);
/* Is a mark left at the node that clients should use? */
bool redis_has_marks(sim *s);
void redis_partition(sim *s, void *what, uint64_t n);

/* broken.c */
void break_command(sim *s, rnode *r, tt_cmd *cmd);
void break_lookup(sim *s, tt_answers *answers, int n);

/* server.c */
void server_setup(sim *s);
/* The text of what is visible, as a sample gives it. */
tt_str server_applied(sim *s, int server);
/* All of a sample but when it was sent. */
void server_look(sim *s, int server, tt_sample *out);
bool server_has_points(sim *s, int server, tt_str points);
dbconn *server_connect(sim *s, int server, proc *owner);
/* Begin the write on its connection; `done` gets the event's outcome once it is known. */
typedef struct statement {
    dbconn *conn;
    int write; /* or -1: a drain */
    unsigned rows;
    bool defers, commit;
    wset drained;
    int life;
    void *what; /* of whoever sent it */
    void (*reply)(sim *s, struct statement *st, tt_db_status status, const txn *t);
} statement;
void server_execute(sim *s, statement *st);
void server_kill(sim *s, int server, uint64_t id, event_fn *gone, void *what, uint64_t n);
bool server_is_mysql(const sim *s);
bool server_has(const server *v, int source, int n);
bool server_has_all_of(const server *v, const server *of);
/* The transaction becomes visible; is written to the log. */
void server_show(sim *s, server *v, int index);
void server_log(server *v, int index);

/* replication.c */
event_fn server_fetch;
void server_fault(sim *s);
void server_heal(sim *s);

/* process.c */
proc *proc_start(sim *s);
void proc_crash(sim *s, proc *p);
/* Send a batch. `done` (may be NULL) gets the answers, unless the process is dead by then. */
typedef void batch_fn(proc *p, void *what, uint64_t n, const tt_answers *answers);
void proc_batch(proc *p, const tt_batch *batch, op_kind kind, batch_fn *done, void *what,
                uint64_t n);
void proc_free(proc *p);
void proc_note(proc *p, tt_notes notes);

/* drive.c */
void drive(op *o, const tt_event *ev);
op *drive_read(proc *p, session *who, int key, tt_read_mode mode, bool cached);
op *drive_write(proc *p, session *who, unsigned rows, bool commit, bool no_change);
op *drive_new(proc *p, op_kind kind);
/* An event: the operation goes on if `turn` is still its turn. */
void drive_resume(sim *s, void *op, uint64_t turn);
int drive_tags(unsigned rows, tt_str *out);

/* ask.c */
void ask_world(op *o, const tt_act *act);
void ask_remember(op *o, wset into[SERVERS_MAX][ROWS]);
bool ask_is_deaf(const server *v, const proc *p);
/* Find the primary, unless that is under way. */
void drive_discover(proc *p);

/* background.c */
void drive_repair(proc *p);
void drive_drain(proc *p);
/* The bumps are done, or not. */
void drive_drained(op *o);
void drive_probe(proc *p, int server);
void drive_free(op *o);
void drive_wake(proc *p);

/* scenario.c */
void scenario_draw(sim *s);
void scenario_start(sim *s);
/* The whole run; true when nothing was violated. */
bool scenario_run(sim *s);
void session_next(sim *s, void *what, uint64_t n);

/* check.c */
void check_read(op *o);
void check_final(op *o);
void check_lost(sim *s, int winner);

/* tables.c: where a rule is shown if not by a mutant that is caught. */
typedef struct elsewhere {
    const char *rule;
    const char *file; /* below tests/; NULL: nowhere, for the reason that README.md gives */
    const char *why;
} elsewhere;
/* NULL: the simulation must catch its mutant. */
const elsewhere *elsewhere_find(const char *rule);
const elsewhere *elsewhere_all(int *n);
/* Does every rule of core/rules.h and of the script have its mutant, or its place elsewhere? */
bool tables_complete(void);

/* mutants.c */
typedef struct mutant {
    const char *name, *profile;
    tt_rules rules;
    uint64_t world;
    const char *pattern, *replacement; /* in the script */
    const char *text;
} mutant;
const mutant *mutants(int *n);
/* The script with the mutant's text put in; aborts when the pattern is not there. */
tt_str mutant_script(const mutant *m);

#endif
