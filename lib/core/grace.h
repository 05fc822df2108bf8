/* grace.h: which cache node may be believed, where a failover chooses it (Sentinel).
 *
 * For a while the old and the new node both answer. A client uses the answers of a node only within
 * the grace time g of *sending* its last confirmation by a majority; and on a new epoch, a
 * process's first included, it waits g before it uses any answer. Any two majorities share a
 * sentinel, and a sentinel's view moves in one direction: whoever was last told of the old node
 * sent that question before anybody heard of the new one, and has stopped using it when the first
 * may use the new one.
 *
 * Outside of it answers count as not given: reads go around the cache, acknowledgements are
 * withheld. Where nobody chooses (one node by configuration), there is no grace: `grace_ns` 0.
 */
/* In this version the one Redis is configured, and only the simulation, which has Sentinels, uses
 * it.
 */
#ifndef TT_CORE_GRACE_H
#define TT_CORE_GRACE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/batch.h"

typedef struct tt_grace {
    int64_t grace_ns;     /* g; 0: every answer counts */
    bool confirmed;       /* a majority named `node`, at least once */
    int node;             /* the one that it named last */
    int64_t confirmed_ns; /* when the question of its last confirmation was sent */
    int opened;           /* the node of the newest connection, and its epoch then; -1: none */
    tt_epoch epoch;
    int64_t since_ns; /* when the majority's node, or the epoch, changed last: g is waited out */
} tt_grace;

void tt_grace_init(tt_grace *g, int64_t grace_ns);
/* A majority, asked at `sent_ns`, named `node` (an index of the caller's). */
void tt_grace_confirmed(tt_grace *g, int node, int64_t sent_ns, int64_t now_ns);
/* A connection to `node` was opened: this is its epoch. May come before its confirmation. */
void tt_grace_opened(tt_grace *g, int node, tt_epoch epoch, int64_t now_ns);
/* May an answer that came now, on a connection to `node` with this epoch, be used or acknowledged?
 */
bool tt_grace_allows(const tt_grace *g, int node, tt_epoch epoch, int64_t now_ns);

#endif
