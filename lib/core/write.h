/* write.h: one write, from the marks to the acknowledged bumps: the writing half of the protocol.
 *
 *   ACQUIRE ─▶ MARK (term, marks) ─▶ EXECUTE ─ok──────▶ BUMP ─▶ done: invalidated | outstanding
 *                 │                     ├─refused──▶ WITHDRAW ─▶ done: error
 *                 │ term names another  ├─demoted──▶ DISCOVER ─▶ ACQUIRE
 *                 ▼                     └─lost─────▶ KILL ─gone─▶ BUMP with P ─▶ done: unknown
 *              DISCOVER ─▶ ACQUIRE
 *
 * The write itself is a statement under autocommit, or the COMMIT of a transaction whose connection
 * is held already. It is sent at most once, unless the server refused it for being read-only.
 */
#ifndef TT_CORE_WRITE_H
#define TT_CORE_WRITE_H

#include "core/core.h"

typedef struct tt_write_request {
    const tt_str *tag_keys; /* no repeats; none: nothing to invalidate */
    int n_tags;
    bool commit; /* the COMMIT of an open transaction: bound to its connection, never moved */
    bool commits_itself; /* ends the transaction it would be deferred in: never deferred */
    int64_t deadline_ns;
} tt_write_request;

typedef enum tt_invalidation {
    TT_INVALIDATION_NONE = 0,    /* no tags, or nothing changed */
    TT_INVALIDATION_DONE,        /* every bump acknowledged */
    TT_INVALIDATION_OUTSTANDING, /* committed; bumps are being retried */
    TT_INVALIDATION_DEFERRED     /* committed, with its tags in the primary's table */
} tt_invalidation;

typedef enum tt_write_phase {
    TT_WRITE_BEGIN,
    TT_WRITE_DISCOVER,
    TT_WRITE_ACQUIRE,
    TT_WRITE_MARK,
    TT_WRITE_EXECUTE,
    TT_WRITE_KILL,
    TT_WRITE_BUMP,
    TT_WRITE_BUMP_UNKNOWN,
    TT_WRITE_WITHDRAW,
    TT_WRITE_WITHDRAW_RETRY,
    TT_WRITE_END
} tt_write_phase;

typedef struct tt_write_op {
    tt_core *core;
    const tt_write_request *rq;
    tt_write_phase phase;
    tt_waiter waiter;
    tt_notes notes;
    int restarts;
    int node;
    bool marked, deferring;
    bool by_script; /* the marks: the plain way did not do */
    char server[TT_SOURCE_MAX + 1];
    uint64_t connection;
    tt_nonce term;    /* that named the server when the tags were marked */
    tt_nonce nonce;   /* of this attempt's marks */
    tt_nonce version; /* the fresh one */
    tt_buf position;  /* barrier: where the write is; P when it has failed */
    tt_number numbers[3];

    /* outcome, when the phase is END */
    int code; /* 0 or TT_E_...; TT_E_COMMIT_UNKNOWN when it may have happened */
    tt_invalidation invalidation;
    bool discard; /* the connection must not be used again */
    /* `position` goes into the session: into `seen` after a success, into `owed` as well when the
     * invalidation is outstanding or deferred */

    tt_cmd cmds[TT_BATCH_MAX]; /* last: large, and not cleared */
} tt_write_op;

void tt_write_init(tt_write_op *op, tt_core *core, const tt_write_request *rq, void *owner);
void tt_write_finish(tt_write_op *op);
/* Every step is serialised. */
void tt_write_step(tt_write_op *op, const tt_event *ev, int64_t now_ns, tt_act *act);

#endif
