/* repair.h: finish what a write could not: settle an outcome, bump, withdraw; and reap the marks of
 * dead writers. Run in the background, one repair at a time, until it is acknowledged.
 *
 *   TERM (does it still name the server of the mark?) ─▶ KILL ─gone───────────────────▶ BUMP ─▶
 * done └─unreachable, and not named─▶ BUMP
 *
 * A server that the term does not name commits nothing, but it may become the primary again with
 * the statement still waiting for a row lock: so the KILL is tried there too, and only a server
 * that cannot be reached is passed by.
 */
#ifndef TT_CORE_REPAIR_H
#define TT_CORE_REPAIR_H

#include "core/core.h"

typedef enum tt_repair_phase {
    TT_REPAIR_BEGIN,
    TT_REPAIR_TERM,
    TT_REPAIR_KILL,
    TT_REPAIR_BUMP,
    TT_REPAIR_END
} tt_repair_phase;

typedef struct tt_repair_op {
    tt_core *core;
    tt_repair *repair; /* owned until the end */
    tt_repair_phase phase;
    tt_notes notes;
    bool passed_by; /* the term names another server than the mark's */
    bool unreached; /* that server could not be asked */
    tt_nonce version;
    tt_number number;
    int n_keys;
    bool ok; /* outcome: done; else it goes back into the queue, or is dropped when it is a reap */

    tt_cmd cmds[TT_BATCH_MAX]; /* last: large, and not cleared */
} tt_repair_op;

/* The bumps of tags that a write left in the primary's table: their history is unknown by now. Not
 * queued: the caller runs it at once, and once. The rows that were read before it may be deleted
 * when it is `ok`, no others, and not before. NULL when memory is out. */
tt_repair *tt_repair_of_deferred(tt_core *c, const tt_str *keys, int n_keys);
/* Take the first repair that is due off the queue; NULL when there is none. */
tt_repair *tt_repair_next(tt_core *c, int64_t now_ns);
void tt_repair_init(tt_repair_op *op, tt_core *core, tt_repair *repair);
/* Every step is serialised. */
void tt_repair_step(tt_repair_op *op, const tt_event *ev, tt_act *act);
/* Free the repair, or put it back for later. */
void tt_repair_finish(tt_repair_op *op, int64_t now_ns);

#endif
