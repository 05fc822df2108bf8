/* core.h: what the operations of one client share, and the terms in which they talk to the world.
 *
 * An operation (read.h, write.h, discover.h, repair.h) is a state machine: step() takes what
 * happened and says what to do next. It never blocks, reads no clock, touches no socket. The
 * blocking calls, the queue and the simulation drive the same machines:
 *
 *     tt_act act;  tt_event ev = {0};
 *     do {  step(op, &ev, now, &act);  ev = perform(act);  } while (act.what != TT_DO_DONE);
 *
 * Steps that touch a tt_core are serialised by whoever owns it. A read whose first lookup is a hit
 * touches none: its machine says TT_DO_SHARED before it does. After each such step the owner wakes
 * the operations whose waiters are on `woken`.
 */
#ifndef TT_CORE_CORE_H
#define TT_CORE_CORE_H

#include "core/batch.h"
#include "core/db_status.h"
#include "core/flight.h"
#include "core/proof.h"
#include "core/rules.h"
#include "core/shed.h"
#include "core/tag.h"
#include "core/topology.h"

/* What was noteworthy in an operation: counted by the metrics, and by the tests to know that what
 * they are about did happen. */
#define TT_NOTES_TABLE(X)                                                                          \
    X(HIT, "hit", "reads answered from the shared cache")                                          \
    X(MISS, "miss", "reads that found no valid entry")                                             \
    X(JOINED, "joined", "reads that shared a load of this process")                                \
    X(REMOTE, "remote_wait", "reads that waited for a load of another process")                    \
    X(FILL, "fill", "entries sent to the cache")                                                   \
    X(FILL_REPLICA, "fill_replica", "entries filled from a replica")                               \
    X(BARRIER_WAIT, "barrier_wait", "reads that waited for a replica to apply a barrier")          \
    X(BARRIER_TIMEOUT, "barrier_timeout", "waits for a barrier that ended without it")             \
    X(READ_P, "read_p", "reads of tags with unknown history")                                      \
    X(READ_MARKED, "read_marked", "reads that met a pending write")                                \
    X(UNREADABLE, "unreadable", "reads whose tags could not be read")                              \
    X(UPGRADE, "upgrade", "tags whose unknown history was replaced by a position")                 \
    X(PROVEN, "proven", "position queries to the primary")                                         \
    X(PRIMARY_READ, "primary_read", "reads served by the primary")                                 \
    X(REPLICA_READ, "replica_read", "reads served by a replica")                                   \
    X(RETRIED, "retried", "reads tried on another node")                                           \
    X(DISCOVERED, "discovered", "searches for the primary")                                        \
    X(MARKED, "marked", "writes that marked their tags")                                           \
    X(INVALIDATED, "invalidated", "writes whose invalidation was acknowledged")                    \
    X(OUTSTANDING, "outstanding", "writes committed with their invalidation outstanding")          \
    X(DEFERRED, "deferred", "writes whose invalidation was left in the primary's table")           \
    X(UNKNOWN, "unknown", "writes of unknown outcome")                                             \
    X(KILLED, "killed", "connections killed to settle an outcome")                                 \
    X(REAPED, "reaped", "marks of dead writers removed")                                           \
    X(STALE, "stale", "reads served stale by the caller's leave")

typedef enum tt_note {
#define TT_NOTE_ENUM_(name, metric, help) TT_NOTE_##name,
    TT_NOTES_TABLE(TT_NOTE_ENUM_)
#undef TT_NOTE_ENUM_
        TT_NOTE_COUNT
} tt_note;

typedef uint32_t tt_notes;
#define TT_NOTE_BIT(note) (UINT32_C(1) << (note))

/* ---- what an operation asks for
 * ------------------------------------------------------------------ */

typedef enum tt_do {
    TT_DO_DONE = 0, /* finished: the operation holds its outcome */
    TT_DO_SHARED,   /* step again, serialised with the other operations; the event stays empty */
    TT_DO_CACHE,    /* send `batch`, wait for its answers */
    TT_DO_POST,     /* send `batch`, step again at once: nobody waits for the answers */
    TT_DO_PROVE,    /* position query on `node` */
    TT_DO_SAMPLE,   /* position query on every node */
    TT_DO_READ,     /* on `node`, if `identity` answers there (else TT_DB_UNSENT): wait for `points`
                       up to `wait_ms` if there are any, then read; with a `batch`, send that first,
                       and wait for its answers after the rows */
    TT_DO_ACQUIRE,  /* a connection to `node` for the write, kept until the operation is done */
    TT_DO_EXECUTE, /* the write itself on that connection; with `defer`, leave its tags in the table
                    */
    TT_DO_KILL, /* kill `connection` on `node` and see it gone; only if `identity` answers there */
    TT_DO_DISCOVER, /* run a discover operation (shared with others), then step */
    TT_DO_PARK      /* until the waiter is woken, or `until_ns` */
} tt_do;

typedef struct tt_act {
    tt_do what;
    int node;
    tt_str identity; /* of the server that is meant: an address may lead to another; empty: any */
    tt_batch batch;
    tt_str points;
    int wait_ms;
    uint64_t connection;
    int64_t until_ns;
    bool defer;
    bool discard; /* DISCOVER: the connection of a write, given back first, is not to be used again
                   */
} tt_act;

/* What became of it. Everything pointed to is borrowed for the step. */
typedef struct tt_event {
    const tt_answers *cache; /* CACHE; READ with a batch */
    tt_db_status db;         /* PROVE, READ, ACQUIRE, EXECUTE, KILL */
    int code; /* TT_E_... when db is not TT_DB_OK; the details stay with the driver */
    const tt_sample *sample; /* PROVE: one; SAMPLE: one a node, identity empty where it failed */
    int n_samples;
    bool reached; /* READ: the points were applied, and the rows are there */
    void *result; /* READ: one reference, given to the operation */
    tt_str payload;
    int64_t created_ms, took_ns;
    tt_str identity; /* ACQUIRE: the server at the other end, and the connection's id there */
    uint64_t connection;
    tt_str position;   /* EXECUTE: points, empty when unknown */
    bool rows_changed; /* EXECUTE, also refused: false only when it is certain that nothing changed
                        */
    bool gone;         /* KILL */
    bool ok;           /* DISCOVER */
} tt_event;

/* ---- what the operations share
 * ------------------------------------------------------------------- */

typedef struct tt_core_config {
    bool cache;              /* there is a cache tier; else there are no terms and no tags */
    bool intent;             /* mark before commit (the default); else only bump after */
    bool defer;              /* cache unreachable before a commit: defer, else fail */
    bool spare_primary;      /* reads for P go to a replica that has the proven position */
    int64_t replica_wait_ms; /* bounded wait for a barrier */
    int64_t mark_timeout_ms;
    int64_t lease_ms;
    int64_t tag_ttl_ms;
    int64_t kill_wait_ms;
    int primary_reads; /* see core/shed.h */
    tt_str term_key;   /* borrowed for the life of the core */
} tt_core_config;

/* Work for later: bumps that must still happen. Owned by the core, done by repair.h. */
typedef struct tt_repair {
    tt_link link;
    bool kill;     /* first settle the outcome: kill `connection` on `server` */
    bool reap;     /* somebody else's mark: dropped when it cannot be settled now */
    bool withdraw; /* nothing was written: take the mark away, no bump */
    uint64_t connection;
    tt_nonce nonce;
    tt_buf server;
    tt_buf position; /* a barrier */
    tt_buf keys;     /* tag keys, each followed by a newline */
    int64_t not_before_ns;
    int attempts;
} tt_repair;

typedef struct tt_core {
    const tt_allocator *a;
    const tt_rng *rng;
    tt_core_config cfg;
    tt_rules rules_off; /* tests only */
    uint64_t random;    /* for choices that need no secrecy */
    tt_topology topology;
    tt_flights flights;
    tt_proofs proofs;
    tt_shed shed;    /* reads that move to the primary */
    tt_link repairs; /* tt_repair */
    int n_repairs;
    tt_link woken; /* tt_waiter: to be woken by whoever drove the step */
} tt_core;

/* `retain` and `release` count references to results. */
void tt_core_init(tt_core *c, const tt_allocator *a, const tt_rng *rng, const tt_core_config *cfg,
                  const tt_health_config *health, void *(*retain)(void *), void (*release)(void *));
void tt_core_free(tt_core *c);
/* Tests: switch rules off, here and in the parts. */
void tt_core_set_rules(tt_core *c, tt_rules off);

static inline bool tt_core_rule(const tt_core *c, tt_rule rule)
{
    return !(c->rules_off & TT_RULE_BIT(rule));
}

/* Most repairs kept; marks beyond that are left to other processes, bumps are never dropped. */
#define TT_REPAIRS_MAX 4096

/* A repair with its texts copied, put into the queue; NULL when memory is out. */
tt_repair *tt_core_repair(tt_core *c, tt_str server, uint64_t connection, tt_nonce nonce,
                          tt_str position, const tt_str *keys, int n_keys);
/* A mark past its deadline on `key`: queue what settles it, unless it is queued already. */
void tt_core_reap(tt_core *c, tt_str key, const tt_mark *mark);
void tt_repair_free(const tt_allocator *a, tt_repair *r);

/* Commands (core/batch.h, core/cache.lua), for the operations. Arguments are borrowed. `number`
 * buffers hold the text of a number for as long as the batch is in use. */
typedef struct tt_number {
    char c[21];
} tt_number;

tt_str tt_number_text(tt_number *n, int64_t v);
tt_cmd tt_cmd_get(tt_str key);
tt_cmd tt_cmd_mark(tt_str key, const tt_str args[4]);
tt_cmd tt_cmd_script(tt_str key, const tt_str *args, int n_args);

static inline tt_str tt_nonce_str(const tt_nonce *n)
{
    return (tt_str){n->c, TT_NONCE_BYTES};
}

static inline tt_str tt_epoch_str(const tt_epoch *e)
{
    return (tt_str){e->c, TT_EPOCH_BYTES};
}

#endif
