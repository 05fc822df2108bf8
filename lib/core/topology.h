/* topology.h: what this process believes of the nodes: who is primary, who is well, who has applied
 * what; and the choice of a node for a read.
 *
 * Beliefs are checked where it matters: a primary is proven before it serves a read for P
 * (core/proof.h), and is named by the term before it is written to. What a node has applied counts
 * only within the term under which it was sampled, and only once a later sample of the primary has
 * shown that the node holds nothing that the primary lacks ("vetted").
 */
#ifndef TT_CORE_TOPOLOGY_H
#define TT_CORE_TOPOLOGY_H

#include "base/rng.h"
#include "core/proof.h"
#include "core/rules.h"

#define TT_NODES_MAX 33

typedef enum tt_node_state {
    TT_NODE_DOWN = 0,   /* not reached */
    TT_NODE_RECOVERING, /* well again, with a share that grows */
    TT_NODE_UP,
    TT_NODE_LAGGING /* too far behind, a thread stopped, or nobody knows */
} tt_node_state;

typedef struct tt_node {
    const char *name; /* host:port, borrowed */
    unsigned weight;
    char identity[TT_SOURCE_MAX + 1]; /* "" until the first sample */
    tt_node_state state;
    char source[TT_SOURCE_MAX + 1]; /* whom it replicated from when last inspected */
    bool answers;                   /* the last time that somebody tried */
    bool writable;
    bool lag_known;
    int64_t lag_ms;
    int64_t sampled_ns, recovering_ns;
    tt_applied *fresh; /* latest sample, not vetted yet */
    int64_t fresh_sent_ns;
    bool vetted;         /* `applied` counts, within the topology's term */
    bool diverged;       /* holds transactions that the primary lacks */
    tt_applied *applied; /* vetted */
    tt_buf points;       /* of `applied`: lower bound */
    unsigned in_flight;
    int64_t latency_ns; /* moving average; fades while nobody measures it */
    bool measured;      /* since the last health check */
} tt_node;

typedef struct tt_health_config {
    int64_t max_lag_ms;
    int64_t stale_after_ms; /* a sample older than this is unknown */
    int64_t recover_ms;     /* slow start */
} tt_health_config;

typedef struct tt_topology {
    const tt_allocator *a;
    tt_health_config health;
    tt_rules rules_off;
    tt_node nodes[TT_NODES_MAX];
    int n;
    int primary;      /* index, or -1 */
    tt_nonce term;    /* under which `primary` was named; zero bytes before the first */
    uint64_t changes; /* counts changes of primary and of states, for logs and probers */
} tt_topology;

void tt_topology_init(tt_topology *t, const tt_allocator *a, const tt_health_config *health);
void tt_topology_free(tt_topology *t);
/* Add a node; its index. `name` is borrowed. */
int tt_topology_add(tt_topology *t, const char *name, unsigned weight);

/* The node of this identity, or -1. */
int tt_topology_find(const tt_topology *t, tt_str identity);
/* Believe that `term` names `identity`: everything sampled under another term is forgotten. false
 * when no node of that identity is known: discover. */
TT_MUST bool tt_topology_adopt(tt_topology *t, tt_nonce term, tt_str identity);
/* Is this the belief? */
bool tt_topology_agrees(const tt_topology *t, tt_str term, tt_str identity);

/* A node answered; 0 or TT_E_NOMEM or TT_E_ARGUMENT (a position that cannot be read). */
TT_MUST int tt_topology_sampled(tt_topology *t, int node, const tt_sample *s, int64_t now_ns);
/* A node could not be reached, or broke. */
void tt_topology_failed(tt_topology *t, int node, int64_t now_ns);

typedef struct tt_choice {
    int node;  /* -1: none */
    bool wait; /* the node may have to be waited for */
} tt_choice;

/* Choose a replica for a read that needs `need` (core/barrier.h; none for P): one known to have
 * applied it, else, if `may_wait`, one to wait on. `tried` is a set of nodes to leave out.
 * `primary`: what a primary had applied, sampled after the need was read, for sets with permanent
 * gaps; may be NULL. Among several: two at random, the better by work in flight, latency and
 * weight. Source: Mitzenmacher, "The Power of Two Choices in Randomized Load Balancing", 2001. */
tt_choice tt_topology_choose(const tt_topology *t, tt_str need, uint64_t tried, bool may_wait,
                             const tt_applied *primary, uint64_t *random, int64_t now_ns);
/* Any live replica, however far behind: for reads that allow it. -1: none. */
int tt_topology_choose_any(const tt_topology *t, uint64_t tried, uint64_t *random, int64_t now_ns);
/* Why a node would not be chosen, in a few words, or NULL: for tt_explain. */
const char *tt_topology_refusal(const tt_topology *t, int node, tt_str need, int64_t now_ns);

/* Count work on a node. */
void tt_node_begin(tt_node *n);
void tt_node_end(tt_node *n, int64_t took_ns);
const char *tt_node_state_name(tt_node_state s);

#endif
