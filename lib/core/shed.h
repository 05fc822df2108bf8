/* shed.h: how many reads may move to the primary at once when replicas cannot serve them. The
 * primary has writes to carry: reads beyond the limit stand in a bounded line, first come, first
 * served, and beyond that are refused, rather than stampede it.
 */
#ifndef TT_CORE_SHED_H
#define TT_CORE_SHED_H

#include "core/waiter.h"

typedef struct tt_shed {
    int limit;    /* at once; 0: as many as like, -1: none */
    int max_line; /* waiting */
    int active, waiting;
    tt_link line;
} tt_shed;

typedef enum tt_shed_verdict { TT_SHED_GO, TT_SHED_WAIT, TT_SHED_FULL } tt_shed_verdict;

void tt_shed_init(tt_shed *s, int limit);
/* Another limit from now on: those in line get their places as others leave, and of a lower one
 * when enough have left. */
void tt_shed_change(tt_shed *s, int limit);
/* GO: a place is taken, to be left. WAIT: in line; when woken the place is taken. */
tt_shed_verdict tt_shed_enter(tt_shed *s, tt_waiter *w);
/* Out of the line. false: it was woken meanwhile, and its place is to be left. */
bool tt_shed_abandon(tt_shed *s, tt_waiter *w);
/* Leave the place: to the first in line, if there is one; to several when the limit was raised. */
void tt_shed_leave(tt_shed *s, tt_link *woken);

#endif
