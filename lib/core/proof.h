/* proof.h: the position query to the primary, shared.
 *
 * A proof says: this server, at a moment after I read my tags, was not read-only and had this
 * position. It may be shared by every read whose tags were answered *before* it was sent. So one
 * query is under way at a time; reads that come meanwhile form the next group, and its first member
 * sends the next query (as in a group commit).
 */
#ifndef TT_CORE_PROOF_H
#define TT_CORE_PROOF_H

#include "core/position.h"
#include "core/waiter.h"

/* What a look at a node gave; text is borrowed. */
typedef struct tt_sample {
    tt_str identity;
    bool read_only;
    tt_str applied; /* in the server's own form */
    tt_family family;
    bool inspected; /* the fields below are known */
    bool replica, threads_running, lag_known;
    int64_t lag_ms;
    tt_str source;   /* identity of the server it replicates from */
    int64_t sent_ns; /* before the query left */
} tt_sample;

/* Shared by the group. */
typedef struct tt_proof {
    const tt_allocator *a;
    unsigned refs;
    bool ok;
    bool read_only;
    tt_family family;
    char identity[TT_SOURCE_MAX + 1];
    tt_applied *applied;
    tt_buf points;  /* lower bound: for as_of */
    tt_buf highest; /* upper bound: for barriers */
} tt_proof;

typedef struct tt_proofs {
    const tt_allocator *a;
    bool running;
    tt_link current; /* waiters served by the query under way */
    tt_link next;    /* waiters of the one after it */
    tt_proof *last;  /* result of the last query: taken by the waiters it woke */
} tt_proofs;

void tt_proofs_init(tt_proofs *p, const tt_allocator *a);
void tt_proofs_free(tt_proofs *p);
/* Ask for a proof. true: send the query now and call tt_proofs_finish; false: wait to be woken,
 * then look at w->lead: if set, send the query now, else take the result. */
bool tt_proofs_ask(tt_proofs *p, tt_waiter *w);
/* The query is answered (sample) or failed (NULL); a reference to the result for the one that sent
 * it, or NULL when memory is out. Others are put on `woken`. */
tt_proof *tt_proofs_finish(tt_proofs *p, const tt_sample *sample, tt_link *woken);
/* A waiter woken without `lead` takes its reference. NULL: failed. */
tt_proof *tt_proofs_take(tt_proofs *p, tt_waiter *w);
/* Give up waiting. A waiter that was woken to lead, and will not, passes it on. */
void tt_proofs_abandon(tt_proofs *p, tt_waiter *w, tt_link *woken);
void tt_proof_free(tt_proof *p);

#endif
