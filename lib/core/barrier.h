/* barrier.h: how far a node must be: "P" (history unknown: only a proven primary will do), or
 * "<term>@<points>" (core/position.h), or "" (nothing is asked). Tags carry one, entries carry
 * their as_of in the same form, sessions carry two. Positions are comparable within one term only.
 */
#ifndef TT_CORE_BARRIER_H
#define TT_CORE_BARRIER_H

#include "base/rng.h"
#include "core/position.h"

typedef struct tt_barrier {
    bool p;        /* P, or not valid */
    tt_str term;   /* 16 bytes; empty when nothing is asked */
    tt_str points; /* never empty when term is not */
} tt_barrier;

/* Text that is not valid is P. */
tt_barrier tt_barrier_parse(tt_str text);
/* Append the union of two barriers: P when either is, or when their terms differ. */
void tt_barrier_merge(tt_str a, tt_str b, tt_buf *out);
/* Replace `*into` by its union with `more`; on memory failure into->failed is set. */
void tt_barrier_raise(tt_buf *into, tt_str more);
/* Is all that `need` asks met by `have`, in the same term? P is never met; "" always is. */
TT_MUST bool tt_barrier_met(tt_str have, tt_str need);
/* Append "<term>@<points>", or "P" when points is empty. */
void tt_barrier_write(tt_nonce term, tt_str points, tt_buf *out);

#endif
