/* live.h: the live history checker: what its processes share, and its parts.
 *
 *   main ── phases (the parent: one thread, no client; it owns the servers and makes the faults)
 *     ├── worker process 0..2: threads that read and write through the public API, and check
 *     ├── killer: forks writers that are killed, one after the other
 *     │     └── victim: a writer that dies at a chosen step of a write
 *     └── auditor: after every phase; no mark remains, every cached key equals the primary
 *
 * What is known exactly: every cell has one writer, who writes rising values, each at most once and
 * only over a lower one (so a statement that is executed late changes nothing that is newer).
 * Before a value is sent it becomes the highest possible one; when its invalidation was
 * acknowledged it becomes the acknowledged one. A read that began after that must show a value
 * between the two.
 */
#ifndef TT_LIVE_H
#define TT_LIVE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/types.h>
#include <twotier/twotier.h>

#include "base/rng.h"
#include "base/str.h"
#include "core/rules.h"

enum {
    COUNTERS = 80, /* rows of `counters`; a group is eight of them */
    GROUP = 8,
    GROUPS = COUNTERS / GROUP,
    PAIRS = 16, /* two rows each of `pairs`, of opposite values, written in one transaction */
    CELLS = COUNTERS + PAIRS,
    LIVING = 64, /* counters written by workers; the others are the victims' */
    LIVING_PAIRS = 12,
    BLOCKED = COUNTERS - 1, /* written only while its row is locked */
    PROCESSES = 3,
    THREADS = 3,
    ACTORS = PROCESSES * THREADS,
    VICTIMS = 2, /* at the same time */
    PHASES_MAX = 24,
    HISTORY = 1 << 14,
    MAILBOXES = 4,
    ERRORS_MAX = 64,
    SHOWN_MAX = 8, /* violations printed in full */
    MARK_TIMEOUT_MS = 2000
};

/* What is asked for; the names are in reads.c. */
typedef enum live_kind {
    KIND_POINT,                  /* one counter, one tag, by tt_statement */
    KIND_TWO_TAGS,               /* the same, two tags, by tt_query_read */
    KIND_THREE,                  /* three tags */
    KIND_TWO_ROWS,               /* two counters, each with its own tag */
    KIND_GROUP,                  /* eight counters, the group's tag */
    KIND_TABLE,                  /* one counter, tags taken from the tables */
    KIND_PAIR,                   /* both rows of a pair */
    KIND_CACHED,                 /* number of those above */
    KIND_UNCACHED = KIND_CACHED, /* own writes only */
    KIND_STRONG,
    KIND_INSIDE, /* in a transaction */
    KIND_EVENTUAL,
    KIND_WRITE,
    KIND_COMMIT,
    KIND_COUNT
} live_kind;

typedef struct live_cell {
    _Atomic int64_t acked, possible, acked_ns;
    _Atomic int acker; /* process */
} live_cell;

/* One operation on one cell. `why` is static memory of the program that all processes share. */
typedef struct live_record {
    int64_t began_ns, ended_ns;
    int process, thread, kind, cell, code, source, stale, shared, session;
    int64_t floor, ceiling, got; /* of a write: what it wrote is `got` */
    int invalidated;
    const char *why;
    char node[28];
} live_record;

/* Where a victim dies. */
#define LIVE_STEPS(X)                                                                              \
    X(BEFORE_MARK, "before the marks are sent")                                                    \
    X(MARK_SENT, "marks sent, not answered")                                                       \
    X(AFTER_MARK, "marks answered, nothing sent to the server")                                    \
    X(IN_STATEMENT, "statement or COMMIT on its way")                                              \
    X(AFTER_STATEMENT, "committed, no bump sent")                                                  \
    X(BUMP_SENT, "bumps sent, not answered")                                                       \
    X(AFTER_BUMP, "bumps answered")                                                                \
    X(BLOCKED, "statement waiting for the lock of its row")                                        \
    X(ANYWHERE, "at any moment")

typedef enum live_step {
#define LIVE_STEP_ENUM_(name, text) STEP_##name,
    LIVE_STEPS(LIVE_STEP_ENUM_)
#undef LIVE_STEP_ENUM_
        STEP_COUNT
} live_step;

/* What is done to the servers, counted where it was seen to have happened. */
#define LIVE_FAULTS(X)                                                                             \
    X(FLUSHED, "FLUSHALL")                                                                         \
    X(CUT, "clients of Redis cut off")                                                             \
    X(RESTARTED, "Redis back with another run_id")                                                 \
    X(EVICTED, "keys evicted by Redis")                                                            \
    X(MUTE, "Redis did not answer a PING")                                                         \
    X(FULL, "Redis refused a SET for want of memory")                                              \
    X(DIED, "servers killed")                                                                      \
    X(PROMOTED, "primaries changed")                                                               \
    X(BLOCKED_DIED, "writers killed while they waited for a lock")                                 \
    X(BEHIND, "all replicas seen behind")

typedef enum live_fault {
#define LIVE_FAULT_ENUM_(name, text) FAULT_##name,
    LIVE_FAULTS(LIVE_FAULT_ENUM_)
#undef LIVE_FAULT_ENUM_
        FAULT_COUNT
} live_fault;

/* Counters of tt_metrics_render that the report shows. */
#define LIVE_METRICS(X)                                                                            \
    X(HIT, "hit")                                                                                  \
    X(MISS, "miss")                                                                                \
    X(JOINED, "joined")                                                                            \
    X(REMOTE, "remote_wait")                                                                       \
    X(FILL, "fill")                                                                                \
    X(FILL_REPLICA, "fill_replica")                                                                \
    X(BARRIER_WAIT, "barrier_wait")                                                                \
    X(BARRIER_TIMEOUT, "barrier_timeout")                                                          \
    X(READ_P, "read_p")                                                                            \
    X(MARKED, "read_marked")                                                                       \
    X(UNREADABLE, "unreadable")                                                                    \
    X(UPGRADE, "upgrade")                                                                          \
    X(LEASE_LOST, "lease_lost")                                                                    \
    X(REAPED, "reaped")                                                                            \
    X(KILLED, "killed")                                                                            \
    X(OUTSTANDING, "outstanding")                                                                  \
    X(DEFERRED, "deferred")                                                                        \
    X(DRAINED, "drained")                                                                          \
    X(UNKNOWN, "unknown")                                                                          \
    X(DISCOVERED, "discovered")

typedef enum live_metric {
#define LIVE_METRIC_ENUM_(name, metric) METRIC_##name,
    LIVE_METRICS(LIVE_METRIC_ENUM_)
#undef LIVE_METRIC_ENUM_
        METRIC_COUNT
} live_metric;

typedef enum live_mode { MODE_PAUSE, MODE_RUN, MODE_QUIT } live_mode;

typedef struct live_counts {
    _Atomic uint64_t checked, writes, read_errors, write_errors, fresh, violations;
} live_counts;

/* A session's token, on its way to another process. */
typedef struct live_mail {
    pthread_mutex_t mu;
    char token[TT_TOKEN_MAX];
    int64_t own[CELLS];
    int process; /* -1: empty */
} live_mail;

/* How a run differs from the ordinary one: for the mutants. */
typedef struct live_setup {
    tt_rules rules_off;
    bool outstanding_counts; /* take OUTSTANDING and DEFERRED for acknowledged */
    bool defer;              /* all processes defer, not just the first */
    int only_step;           /* of the victims; -1: all in turn */
    bool plain;              /* processes alike, nobody invalidates by hand: that mends things */
    int latest_share;        /* reads of the cell written last, in a hundred */
} live_setup;

typedef struct live {
    live_setup setup;
    live_cell cells[CELLS];
    live_counts counts[PHASES_MAX];
    _Atomic int mode, phase;
    _Atomic int paused[PROCESSES];
    _Atomic int killer_paused;
    _Atomic int victims_pause_ms; /* between two victims of a slot; 0: no victims */
    _Atomic int write_share;      /* writes in a thousand operations of a worker */
    _Atomic int writing;          /* writes of workers under way */
    _Atomic int latest;           /* cell acknowledged last */
    _Atomic uint64_t metrics[PROCESSES][METRIC_COUNT];
    _Atomic uint64_t audits[METRIC_COUNT]; /* summed over the auditors */
    _Atomic uint64_t faults[PHASES_MAX][FAULT_COUNT];
    _Atomic uint64_t audited[PHASES_MAX][2]; /* keys of the last sweep of an audit; its hits */
    _Atomic uint64_t deaths[STEP_COUNT][2];  /* of statements, of COMMITs */
    _Atomic uint64_t by_kind[KIND_COUNT], marks_seen, queued, warmed;
    _Atomic uint64_t errors[2][ERRORS_MAX]; /* of reads, of writes, by code */
    _Atomic int shown;
    _Atomic uint64_t written; /* records of the history */
    live_mail mail[MAILBOXES];
    pthread_mutex_t print;
    live_record history[HISTORY];
} live;

/* One thread of a worker, a victim or an auditor. */
typedef struct live_actor {
    live *l;
    tt_client *client;
    tt_session *session;
    int process, thread;
    uint64_t random;
    int64_t own[CELLS];   /* what the session has written and must see */
    tt_queue *queue;      /* its calls go through this one, if there is one */
    int owed;             /* cell of the last write that was not acknowledged to all ... */
    int64_t owed_till_ns; /* ... and how long to look at it often */
    tt_statement *point, *group, *pair, *write;
} live_actor;

static inline int64_t live_now_ns(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static inline void live_sleep_ms(long ms)
{
    (void)nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL);
}

static inline int live_random(live_actor *a, int n)
{
    return (int)(tt_splitmix64(&a->random) % (uint64_t)n);
}

static inline live_counts *live_count(live *l)
{
    return &l->counts[atomic_load(&l->phase)];
}

/* history.c */
live *history_new(void);
/* Forget all values; the tables are made anew with it. */
void history_reset(live *l);
void history_note(live *l, const live_record *r);
/* Count a violation, and print it with what happened to the cell before. */
void history_violation(live *l, const live_record *r, const char *what);
uint64_t history_violations(const live *l);

/* actor.c: clients and sessions. */
extern const char *const live_config_text;
struct tt_db_driver;
/* Ends the process when the client cannot be opened. With rules off, or a driver, by the internal
 * door, else by tt_client_open. */
tt_client *live_open(live *l, int process, const struct tt_db_driver *driver, int attempts);
void actor_init(live_actor *a, live *l, tt_client *client, int process, int thread);
void actor_free(live_actor *a);
void actor_new_session(live_actor *a);

/* calls.c: the blocking calls, or the same through the actor's queue. */
void calls_use_queue(live_actor *a);
int call_read(live_actor *a, tt_session *s, const char *sql, const tt_value *v, size_t n,
              const tt_read_options *o, tt_result **result, tt_read_info *info, tt_error *err);
int call_write(live_actor *a, tt_session *s, const char *sql, const tt_value *v, size_t n,
               const tt_write_options *o, tt_write_info *info, tt_error *err);
/* Of a read `result` and `read`, of a write `write`. */
int call_statement(live_actor *a, const tt_statement *statement, tt_session *s, const tt_value *v,
                   size_t n, tt_result **result, tt_read_info *read, tt_write_info *write,
                   tt_error *err);
int call_begin(live_actor *a, tt_error *err);
int call_commit(live_actor *a, tt_write_info *info, tt_error *err);
void call_rollback(live_actor *a);
/* Add the client's counters to, or put them into, `out`. */
void metrics_publish(tt_client *client, _Atomic uint64_t *out, bool add);

/* reads.c, writes.c: one operation, checked. */
const char *kind_name(int kind);
void read_any(live_actor *a);
/* A cached read of what `id` names; *hit tells who served it. Values by cell go into `got`. False
 * when it failed. */
bool read_cached(live_actor *a, live_kind kind, int id, int64_t got[CELLS], bool *hit);
/* Number of different reads of a kind; of all cached kinds. */
int read_ids(live_kind kind);
uint64_t read_all_ids(void);
/* Have a result in the cache that somebody may want. */
void warm_any(live_actor *a);
/* Everything, from the primary. */
bool read_all_strong(live_actor *a, int64_t got[CELLS]);
void write_counter(live_actor *a, int cell);
void write_pair(live_actor *a, int pair);
void write_any(live_actor *a);

/* workers.c, victims.c, audit.c: processes. */
pid_t worker_fork(live *l, int process);
pid_t killer_fork(live *l);
pid_t live_fork(void);
/* Fork an auditor and wait for it. */
void audit(live *l);

/* faults.c: the servers. */
void faults_up(void);
void faults_down(void);
void faults_tables(void);
void faults_servers(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* One command; false when Redis did not answer, or refused. */
bool faults_redis(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The integer that it answers; -1 when it does not. */
long long faults_redis_number(const char *command);
/* A number that INFO shows; -1 when Redis does not answer. */
long long faults_info(const char *field);
/* Of the Redis that answers, waited for; "" when none does. */
void faults_run_id(char out[48]);
bool faults_is_mute(void);
/* Does every replica lack what the primary had when it was asked, which was before? Values rise. */
bool faults_all_behind(void);
bool faults_is_full(void);
/* Is this server writable? */
bool faults_is_current(const char *name);
/* Number of tags of the namespace that are marked; -1 when Redis does not answer. */
int faults_marks(void);
/* Until a replica has what the primary has; nobody writes. */
void faults_await(const char *replica);
void faults_delete_tags(const char *pattern);
void faults_squeeze(int slack_kib);
void faults_unsqueeze(void);

/* phases.c */
void lag_none(void);
/* What must be seen in a phase, for it to mean what its name says. */
typedef struct live_need {
    int what; /* a live_metric, or NEED_FAULT + a live_fault */
    uint64_t wanted;
} live_need;
enum { NEED_FAULT = METRIC_COUNT, NEEDS_MAX = 5 };

typedef struct live_phase {
    const char *name;
    int ms;
    int victims_pause_ms;
    void (*begin)(void);
    void (*tick)(int64_t elapsed_ms); /* every 50 ms; may block */
    void (*heal)(void);               /* before the audit: it must be able to end */
    void (*end)(void);                /* after it */
    bool calm;                        /* a primary and Redis are there all the time */
    bool late;                        /* both replicas are behind: whatever they fill is late */
    live_need needs[NEEDS_MAX];       /* those with a number */
} live_phase;
const live_phase *phases(int *n);
const live_phase *phase_named(const char *name);
void run_phase(live *l, const live_phase *p, int index, bool stop_at_violation);
void start_processes(live *l);
void stop_processes(live *l);

/* report.c: print the table, the minimums; true when all holds. */
bool report(live *l, int n_phases);
void report_mark(live *l, int phase); /* after each phase: metrics so far */
/* Was all seen that the phase needs? */
bool report_has_needs(const live *l, int phase, const live_phase *p);

/* mutants.c */
int mutants_run(live *l, const char *name); /* NULL: all; number of those that were missed */
void mutants_list(void);

#endif
