/* discover.h: find the primary, and have the term name it before anything trusts it.
 *
 *   TERM (open it: a lost term is created without a name) ─▶ SAMPLE every node
 *     ─one writable─▶ the term names it ─▶ adopt, done
 *                     else NAME by compare-and-set on the version read before the sample
 *                          ─lost the race─▶ TERM
 *
 * Naming comes only after the node was *seen* writable, after the term's version was read: by
 * belief alone a lost term could be given back to a primary of the past.
 */
#ifndef TT_CORE_DISCOVER_H
#define TT_CORE_DISCOVER_H

#include "core/core.h"

typedef enum tt_discover_phase {
    TT_DISCOVER_BEGIN,
    TT_DISCOVER_TERM,
    TT_DISCOVER_SAMPLE,
    TT_DISCOVER_NAME,
    TT_DISCOVER_END
} tt_discover_phase;

typedef struct tt_discover_op {
    tt_core *core;
    tt_discover_phase phase;
    bool
        renew; /* give the term a fresh version even if it names the primary: clear the namespace */
    int rounds;
    bool term_known; /* the cache answered */
    tt_nonce term, fresh;
    char name[TT_SOURCE_MAX + 1]; /* whom the term names; "" nobody */
    char found[TT_SOURCE_MAX + 1];
    tt_cmd cmds[1];
    /* outcome */
    bool ok;
    bool several; /* more than one node is writable */
    bool changed; /* the term was made to name another node */
} tt_discover_op;

/* Has the primary gone, or another node taken its place? To be asked after every look at the nodes:
 * reads that are hits do not notice, and what they are served carries the old term until somebody
 * gives it a new one. */
bool tt_discover_wanted(const tt_topology *t);

void tt_discover_init(tt_discover_op *op, tt_core *core);
/* Every step is serialised; one discover operation of a client at a time. */
void tt_discover_step(tt_discover_op *op, const tt_event *ev, int64_t now_ns, tt_act *act);

#endif
