/* read.h: one read, from the lookup in the cache to the rows: the reading half of the protocol.
 *
 *   LOOKUP ─hit──────────────────────────────────────────────▶ done
 *     │ miss
 *   OPEN (only tags that are absent, foreign, marked)
 *     │
 *   enter flight ─other's─▶ JOINED ─────────────────────────▶ done
 *     │ ours
 *   LEASE ─another process'─▶ REMOTE ─▶ LOOKUP      (only where the lookup saw a lease; else the
 *     │ ours                                            lease is asked for while the rows are read)
 *   source ─P, fallback─▶ PROOF ─┐      READ ─▶ POST (store, resolve) ─▶ done
 *     └────── replica ───────────┴─────▶ │ failed: another source
 *
 * A read for the primary that replicas were to serve stands in line for it (SHED, core/shed.h).
 *
 * Every restart (a primary found, a load of others failed) begins again at LOOKUP, with versions
 * read anew, so that "after step 2" always means after the tags that the entry will carry.
 */
#ifndef TT_CORE_READ_H
#define TT_CORE_READ_H

#include "core/core.h"

typedef enum tt_read_mode {
    TT_READ_COHERENT = 0, /* the promise G, and the session's own writes */
    TT_READ_STRONG,       /* the proven primary, uncached */
    TT_READ_EVENTUAL      /* any replica, any entry: may be stale, and says so */
} tt_read_mode;

/* Owned by the caller, unchanged while the operation runs. */
typedef struct tt_read_request {
    tt_read_mode mode;
    bool cached;   /* use entries and make one; needs the four keys below */
    bool no_entry; /* when cached: look at the tags, but neither use nor make an entry */
    bool distrust; /* what lies under the key turned out to be no result: replace it */
    tt_str entry_key;
    tt_hash128 key_hash;
    tt_str key_bytes;
    const tt_str *tag_keys; /* in a fixed order, no repeats; at least one when cached */
    int n_tags;
    tt_str seen; /* barrier: what this session has written and seen */
    tt_str owed; /* barrier: its writes whose invalidation was missing or deferred */
    int64_t ttl_ms;
    int64_t deadline_ns;
    uint64_t entry_max_bytes; /* larger results are not stored */
} tt_read_request;

typedef enum tt_read_phase {
    TT_READ_BEGIN,
    TT_READ_LOOKUP,
    TT_READ_MISSED, /* the lookup was no hit; the next step is serialised */
    TT_READ_OPEN,
    TT_READ_LEASE,
    TT_READ_JOINED,
    TT_READ_REMOTE,
    TT_READ_DISCOVER,
    TT_READ_PROOF_QUEUE,
    TT_READ_PROOF,
    TT_READ_SHED,
    TT_READ_SOURCE,
    TT_READ_POST,
    TT_READ_END
} tt_read_phase;

/* What one look at the tags said. */
typedef struct tt_tag_view {
    bool readable;   /* every tag and the term were answered and are of this protocol */
    bool complete;   /* ... and all are there, of this epoch */
    bool marked;     /* a write is pending on one of them */
    bool p;          /* the history of one of them is unknown */
    bool named;      /* the term names a primary */
    uint64_t bad;    /* tags to open: absent, foreign or marked */
    uint64_t marks;  /* those of them that are marked */
    bool bad_term;   /* the term as well */
    uint64_t p_tags; /* tags whose barrier is P */
    tt_nonce term;   /* version of the term */
    char name[TT_SOURCE_MAX + 1];
    tt_stamp stamp; /* term, then tags; last: large */
} tt_tag_view;

typedef struct tt_read_op {
    tt_core *core;
    const tt_read_request *rq;
    tt_read_phase phase;
    tt_waiter waiter;
    tt_notes notes;
    int restarts, remote_waits;
    int64_t remote_until_ns; /* no longer for another's load; set at the first of remote_waits */
    uint64_t tried;
    tt_buf need;    /* barrier of all tags and of the session */
    bool no_store;  /* marked, unreadable, nameless: store nothing, join nobody */
    bool waited;    /* a bounded wait was had */
    bool lease_due; /* to be asked for together with the rows */
    bool lease_asked;
    bool leased;
    bool seize;       /* take the lease whatever is there: an entry that nobody can use */
    tt_nonce token;   /* of the lease */
    tt_nonce version; /* for tags that are created */
    tt_flight *flight;
    bool leader;
    tt_proof *proof;
    int node;                         /* under way */
    char identity[TT_SOURCE_MAX + 1]; /* of the server that is meant by it */
    bool from_primary;
    bool shed; /* holds a place among the reads moved to the primary */
    tt_buf as_of;
    tt_buf entry; /* the value to store */
    tt_buf position;
    tt_number numbers[2];

    /* outcome, when the phase is END */
    int code;        /* 0 or TT_E_... */
    tt_db_status db; /* of the last request, when it failed */
    void *result;    /* one reference of the caller's: a load's result; NULL on a hit */
    tt_entry hit;    /* a hit: slices of the lookup's answers */
    bool is_hit, is_stale, is_joined;
    int64_t created_ms;
    tt_buf settle;   /* barrier: what the session may take in place of its older positions */
    const char *why; /* static */

    /* last: large, and not cleared as a whole */
    tt_tag_view view;
    tt_cmd cmds[TT_BATCH_MAX];
} tt_read_op;

/* `owner` is for whoever drives the operation. Touches nothing but `op`. */
void tt_read_init(tt_read_op *op, tt_core *core, const tt_read_request *rq, void *owner);
/* May be called at the end, or when the operation is given up (only while it is not waiting for an
 * act to be performed; serialised if TT_DO_SHARED was seen). Releases all but `result`. */
void tt_read_finish(tt_read_op *op);
/* At the end: does it hold nothing that it shares with others? Then its finish need not be
 * serialised. */
bool tt_read_is_alone(const tt_read_op *op);
void tt_read_step(tt_read_op *op, const tt_event *ev, int64_t now_ns, tt_act *act);

#endif
