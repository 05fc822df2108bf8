/* cache.h: what the library needs of a cache tier.
 *
 * Two seams, for two reasons:
 *  - `tt_cache`, a table of functions: whoever answers batches. This is what svc is handed. The
 *    shared connections to Redis (svc/link.h) are one, a store inside the process another, and a
 *    test's fake a third; none of the latter two should have to speak a wire protocol.
 *  - plain functions for one connection to one node. They are not behind a table: Redis and its
 *    descendants are one protocol, and the only user (svc/line.c) is made for its pipelining. What
 *    must be shown of it under faults is shown with scripted bytes and with real servers.
 */
#ifndef TT_DRV_CACHE_H
#define TT_DRV_CACHE_H

#include <stddef.h>
#include <sys/types.h>
#include <twotier/error.h>

#include "base/clock.h"
#include "core/batch.h"

/* ---- whoever answers batches -------------------------------------------------------------- */

/* The answers of a posted batch; `answers` is lent for the call. Called once for every post that
 * was accepted, on any thread, under no lock, but while others may wait for that thread: be quick.
 * It may post, but must not call. */
typedef void tt_cache_done(void *ctx, const tt_answers *answers);

/* A call under way: room for whoever answers it. */
typedef struct tt_cache_pending {
    _Alignas(max_align_t) char room[128];
} tt_cache_pending;

typedef struct tt_cache {
    /* Blocks until the answers are in or `deadline_ns` has passed. Returns 0 and out->ok, or an
     * error and !out->ok: nothing is known about any command then. `out->bytes` must have been
     * initialised; its memory is used again. */
    int (*call)(void *ctx, const tt_batch *batch, int64_t deadline_ns, tt_answers *out);
    /* Never waits. 0: accepted, `done` (may be NULL) will be called. */
    int (*post)(void *ctx, const tt_batch *batch, tt_cache_done *done, void *done_ctx);
    void *ctx;
    /* A call in two parts, between which the caller does something else; both may be NULL, then
     * `call` has to do. start never waits. 0: under way, and finish must be called, on the same
     * thread; it ends as `call` does. `batch`, `out` and `p` are lent in between. */
    int (*start)(void *ctx, const tt_batch *batch, tt_answers *out, tt_cache_pending *p);
    int (*finish)(void *ctx, tt_cache_pending *p, int64_t deadline_ns);
} tt_cache;

static inline tt_answers tt_answers_init(const tt_allocator *a)
{
    return (tt_answers){.ok = false, .n = 0, .bytes = tt_buf_init(a)};
}

/* ---- bytes out ------------------------------------------------------------------------------ */

/* The replies that a formatted batch will cause, in the order in which they come. */
typedef struct tt_cache_shape {
    unsigned char n;       /* commands of the batch */
    unsigned char n_gets;  /* of these in one array, which comes first */
    unsigned char n_marks; /* then as many with three replies each, of which the last counts */
    bool load;             /* before all: the reply of a SCRIPT LOAD, which is dropped */
    bool time;             /* after all: that of a TIME */
    unsigned char place[TT_BATCH_MAX]; /* index in the batch of each reply */
} tt_cache_shape;

#define TT_CACHE_SHA_CHARS 40

/* What a connection adds to a batch. */
typedef struct tt_cache_dress {
    tt_str sha;      /* of the script */
    tt_epoch epoch;  /* goes after the verb of a script */
    uint64_t now_ms; /* deadlines of marks count from here */
} tt_cache_dress;

/* Append `batch` to `out`: every GET in one MGET, then APPEND, PERSIST and GET for each mark, then
 * a call of the script for each other command. False when the batch is not valid (`out` is as it
 * was) or memory is short (out->failed). Where SCRIPT LOAD goes before it, or TIME after it, the
 * caller sets shape->load or shape->time. */
TT_MUST bool tt_cache_format(const tt_batch *batch, const tt_cache_dress *dress, tt_buf *out,
                             tt_cache_shape *shape);
/* Append any one command. */
void tt_cache_command(tt_buf *out, const tt_str *words, size_t n);

/* ---- bytes in ------------------------------------------------------------------------------- */

/* A parser that has no socket. It trusts nothing: whatever is not the expected reply ends it. */
typedef struct tt_cache_reader tt_cache_reader;

/* `max_bytes`: of the texts of one batch together; what is beyond is dropped, and its reply
 * TT_REPLY_NONE. NULL: out of memory. */
TT_MUST tt_cache_reader *tt_cache_reader_new(const tt_allocator *a, size_t max_bytes);
/* Another bound from now on. */
void tt_cache_reader_limit(tt_cache_reader *r, size_t max_bytes);
void tt_cache_reader_free(tt_cache_reader *r);
/* Bytes from the server. They stay borrowed until tt_cache_next has returned 0 or -1. */
void tt_cache_feed(tt_cache_reader *r, const void *p, size_t n);
/* Go on with the batch of `shape`. 1: complete. 0: all bytes are used, more are needed; call again
 * with the same shape. -1: broken for good. `out` takes the replies; it may be NULL, and may become
 * NULL while a batch is being read: then they are dropped. Sets out->ok, unless memory was short,
 * but not out->epoch and out->now_ms. */
TT_MUST int tt_cache_next(tt_cache_reader *r, const tt_cache_shape *shape, tt_answers *out);
/* Did the batch that was just completed meet a server that does not know the script? */
bool tt_cache_noscript(const tt_cache_reader *r);
/* What TIME said at the end of the batch that was just completed; 0: nothing. */
uint64_t tt_cache_time_ms(const tt_cache_reader *r);
/* Is the reader between two batches, with no byte left over? */
bool tt_cache_at_rest(const tt_cache_reader *r);
/* Why it is broken; "" when it is not. */
const char *tt_cache_reason(const tt_cache_reader *r);

/* As the connection takes it: 0 and what is above 512 MiB are 512 MiB. */
#define TT_CACHE_REPLY_BYTES_MAX ((size_t)512 * 1024 * 1024)
static inline size_t tt_cache_reply_bytes(size_t wanted)
{
    return wanted && wanted < TT_CACHE_REPLY_BYTES_MAX ? wanted : TT_CACHE_REPLY_BYTES_MAX;
}

/* ---- one connection ------------------------------------------------------------------------- */

/* All borrowed for the time of tt_cache_connect. */
typedef struct tt_cache_target {
    const char *host;
    unsigned port;
    const char *socket;          /* path, or NULL for TCP */
    const char *user, *password; /* NULL: none */
    int db;                      /* 0 needs no SELECT */
    tt_str script;               /* loaded at once; empty: none */
    size_t reply_bytes_max;      /* see tt_cache_reader_new, tt_cache_reply_bytes */
} tt_cache_target;

/* The node at the other end, as it was when the connection was made. Texts end with a zero. */
typedef struct tt_cache_peer {
    tt_epoch epoch;
    char run_id[41], replid[41]; /* the epoch is made of these */
    char version[24];
    char policy[24];                  /* maxmemory_policy, or "" where the server does not tell */
    char sha[TT_CACHE_SHA_CHARS + 1]; /* of the script, or "" */
} tt_cache_peer;

typedef struct tt_cache_conn tt_cache_conn;

/* Connect, authenticate, select, learn who it is, load the script. A node that is not a master is
 * refused. Returns 0, TT_E_CACHE_UNAVAILABLE, TT_E_DENIED, TT_E_TIMEOUT or TT_E_NOMEM.
 * Resolving a host *name* is done by the C library and may take longer than the deadline. */
TT_MUST int tt_cache_connect(const tt_allocator *a, const tt_clock *clock,
                             const tt_cache_target *target, int64_t deadline_ns,
                             tt_cache_conn **out, tt_error *err);
/* Nothing is written to the socket, so it may be called in the child of a fork. */
void tt_cache_close(tt_cache_conn *c);
/* For the child of a fork, when a thread of the parent may have been inside: closes the descriptor
 * and leaks the memory. NULL is allowed. */
void tt_cache_forget(const tt_cache_conn *c);
const tt_cache_peer *tt_cache_peer_of(const tt_cache_conn *c);
/* The node's clock, nearly: as it was told last, and gone on with ours. Only deadlines of marks are
 * made with it and compared with it. They need no precision: whoever meets a mark past its deadline
 * ends the writer's connection first, so one that comes early costs a write, and one that comes
 * late leaves a dead writer's tag marked for longer. Any thread. */
uint64_t tt_cache_clock_ms(const tt_cache_conn *c, int64_t now_ns);
/* The reader has completed a batch with TIME. */
void tt_cache_clock_told(tt_cache_conn *c, int64_t now_ns);
tt_cache_reader *tt_cache_reader_of(tt_cache_conn *c);

/* Send what goes without waiting: the bytes taken, 0 when there is no room, -1: lost. Never raises
 * SIGPIPE. */
ssize_t tt_cache_send(tt_cache_conn *c, const char *p, size_t n);
/* Receive, and feed the reader, which must have used all bytes. 1: bytes came. 0: none within
 * (about) `left_ns`, and possibly earlier: look at the clock and come again. -1: lost. With left_ns
 * <= 0 it does not wait. `want_send`: return 0 as soon as there is room for sending. */
TT_MUST int tt_cache_recv(tt_cache_conn *c, int64_t left_ns, bool want_send);

#endif
