/* line.h: one connection to a cache node, shared by threads. Internal to svc/link.
 *
 * The slots are a queue of batches in the order of their bytes on the wire:
 *
 *      head             sent             tail
 *   ----+----------------+----------------+----
 *       |  replies due   |  in `queued`   |        each slot: a shape, and a ticket or nobody
 *   ----+----------------+----------------+----
 *
 * One thread at a time holds the line: it alone receives and parses. It takes what is queued, sends
 * it in one piece, parses what comes into the answers of whoever waits for it, and leaves when its
 * own answers are in; if others wait, one of them, the last, becomes the holder. While it only
 * waits it lends the sending: when half of the callers have queued, the last of them sends for all,
 * so that the node works on one half while the other is at work here. So a thread that is alone
 * does one send and one recv, and many threads share both.
 *
 * A ticket is on the stack of a waiting call, or on the heap for a post. It is out of reach of its
 * owner while it is `promised`: then the holder will hand it an outcome, and the owner must wait
 * for that even past its deadline (it is a matter of microseconds: no I/O lies between that waits).
 * A call whose deadline passes otherwise leaves its slot to nobody; the replies are dropped. */
#ifndef TT_SVC_LINE_H
#define TT_SVC_LINE_H

#include <pthread.h>
#include <stdatomic.h>

#include "core/breaker.h"
#include "drv/cache.h"
#include "svc/link.h"
#include "svc/park.h"

/* Keeps calls away from a node that does not answer. */
typedef struct tt_gate {
    atomic_bool quiet; /* tt_breaker_quiet: the way of a healthy call stays clear of mu */
    pthread_mutex_t mu;
    /* guarded by mu */
    tt_breaker breaker;
    int64_t timeout_ns; /* when one was counted last */
} tt_gate;

typedef struct tt_ticket {
    atomic_int word;        /* svc/park.h; not used by posts */
    struct tt_ticket *next; /* in a list of the finished; its maker's */
    tt_answers *out;        /* the holder's while its slot is being parsed; NULL: not wanted */
    uint64_t slot;
    bool promised; /* guarded by line->mu */
    bool away;     /* guarded by line->mu: its owner is not waiting yet, and cannot be heir */
    bool complete; /* the holder's: all replies came; false: lost */
    bool noscript; /* the holder's */
    struct tt_post *post; /* NULL: a call */
} tt_ticket;

/* A batch that nobody waits for. Its bytes are kept until the answer, for a server that has lost
 * the script. */
typedef struct tt_post {
    tt_ticket ticket;
    tt_cache_shape shape;
    tt_cache_done *done; /* NULL: nobody wants to know */
    void *done_ctx;
    tt_buf bytes;
    uint64_t opened;      /* the connection they were made for, see tt_line */
    struct tt_post *next; /* in the holder's list */
    bool again;           /* it has been sent again, after the script */
    tt_answers answers;
} tt_post;

typedef struct tt_slot {
    tt_cache_shape shape; /* set under mu, then the holder's */
    tt_ticket *ticket;    /* guarded by mu; stable while `parsing` */
    tt_post *post;        /* whose ticket it is; NULL: a call's */
} tt_slot;

typedef struct tt_line {
    /* immutable */
    const tt_link_set *set;
    uint64_t n_slots; /* a power of two */

    /* atomic */
    tt_bench bench;                /* where calls wait */
    atomic_int callers;            /* calls on this line, holding or waiting */
    atomic_size_t reply_bytes_max; /* see tt_link_limit */
    atomic_bool up;

    /* guarded by mu */
    pthread_mutex_t mu;
    tt_cache_conn *conn; /* NULL: down. Set by who is `connecting`, cleared by the holder */
    uint64_t opened;     /* connections so far: `conn` is this one */
    bool connecting;
    bool held;
    bool parsing; /* the holder is using slots and tickets without mu */
    bool lent;    /* `wire` is empty, and whoever queues may send: the holder is waiting */
    bool sending; /* somebody does */
    uint64_t head, sent, tail;
    tt_slot *slots;
    tt_buf queued; /* bytes of the slots sent..tail */
    size_t posted_bytes;
    int64_t heard_ns; /* when the connection last gave a byte, or was idle */
    int64_t asked_ns; /* when it was last asked for the time */

    /* the holder's, unless `lent` */
    tt_buf wire; /* bytes being sent, from `wired` on */
    size_t wired;
} tt_line;

/* What the lines of a set share; immutable but for `lines` themselves (and see link.c). */
struct tt_link_set {
    const tt_allocator *a;
    const tt_clock *clock;
    const tt_log_sink *log;
    tt_link_options options; /* with the defaults filled in */
    tt_cache_target target;  /* its texts are owned by the set */
    tt_line *lines;          /* options.connections */

    tt_gate gate;
};

/* tt_line_call: the line is down, nothing was queued or sent. */
#define TT_LINE_DOWN 1

TT_MUST int tt_line_init(tt_line *l, const tt_link_set *set);
/* `forked`: in the child of a fork; what another thread may have left half changed is leaked. */
void tt_line_free(tt_line *l, bool forked);

/* Open the line if it is down. 0: it is up. TT_E_BUSY: another thread is at it. Else see
 * tt_cache_connect. */
TT_MUST int tt_line_open(tt_line *l, int64_t deadline_ns, tt_error *err);
/* As tt_link_call, without a retry: *noscript tells that the script is missing; `load` is loaded
 * first. */
TT_MUST int tt_line_call(tt_line *l, const tt_batch *batch, tt_str load, int64_t deadline_ns,
                         tt_answers *out, bool *noscript);
/* tt_line_call in two parts. start: 0, the ticket is queued, and sent if nobody else does that;
 * else as tt_line_call. finish waits, and reads if nobody else does. `mine` stays where it is. */
TT_MUST int tt_line_start(tt_line *l, const tt_batch *batch, tt_answers *out, tt_ticket *mine);
TT_MUST int tt_line_finish(tt_line *l, tt_ticket *mine, int64_t deadline_ns, bool *noscript);
TT_MUST int tt_line_post(tt_line *l, const tt_batch *batch, tt_cache_done *done, void *done_ctx);
/* If nobody holds the line: send what is left to send, read what has come. True: nothing is due. */
bool tt_line_tend(tt_line *l, int64_t left_ns);
bool tt_line_peer(tt_line *l, tt_cache_peer *out);

/* ---- between the files of the line. `_locked`: mu is held ----------------------------------- */

/* What a waiting call is told (svc/park.h): its outcome is in, or it holds the line now. */
enum { TT_WORD_DONE = 2, TT_WORD_HOLDER = 3 };

static inline int64_t tt_line_now_ns(const tt_line *l)
{
    return tt_now_ns(l->set->clock);
}

static inline tt_slot *tt_line_slot(tt_line *l, uint64_t index)
{
    return &l->slots[index & (l->n_slots - 1)];
}

/* For the holder: is there something taken and not yet sent? */
static inline bool tt_line_unsent(const tt_line *l)
{
    return l->wired < l->wire.n;
}

/* What the connection adds to `batch`. */
tt_cache_dress tt_line_dress_locked(tt_line *l, const tt_batch *batch);
/* A slot for `ticket`; its bytes are at the end of `queued` already. */
void tt_line_push_locked(tt_line *l, const tt_cache_shape *shape, tt_ticket *ticket);
/* For the holder: what is queued becomes what is being sent, if that is through. */
void tt_line_take_locked(tt_line *l);
/* The holder lends `wire`, if all of it is sent, to those who queue; and takes it back. */
void tt_line_lend_locked(tt_line *l);
void tt_line_regain_locked(tt_line *l);
/* Send without waiting. -1: lost. For whoever has `wire`. */
TT_MUST int tt_line_flush(tt_line *l);
/* Drop a connection that died while nobody used it; mu may be released in between. */
void tt_line_probe_locked(tt_line *l);
/* From taking the role to leaving it; `wire` has been taken. Returns as tt_line_call. */
TT_MUST int tt_line_hold(tt_line *l, tt_ticket *mine, int64_t deadline_ns, bool *noscript);
/* The holder's role goes on to another, or to nobody; then those on `list`, but `mine`, are told.
 * Releases mu. */
void tt_line_leave_locked(tt_line *l, tt_ticket *list, const tt_ticket *mine);
/* The holder gives up the connection and its role. `list`: finished before, not told yet. */
void tt_line_lose(tt_line *l, tt_ticket *list, const tt_ticket *mine);
/* The connection comes off, and with it all that is queued, as a list of the unanswered. */
tt_ticket *tt_line_lose_locked(tt_line *l, tt_cache_conn **conn);
/* Tell everybody on the list, but the holder itself; and the heir, if any, that the role is its. A
 * ticket may be gone once it has been told. */
void tt_line_deliver(tt_line *l, tt_ticket *list, const tt_ticket *mine, tt_ticket *heir);
/* What became of a call. */
int tt_line_outcome(const tt_ticket *t, bool *noscript);

void tt_post_again(tt_line *l, tt_post *post);
void tt_post_finish(tt_post *post);
void tt_post_free(tt_post *post);

#endif
