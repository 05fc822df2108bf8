/* waiter.h: an operation that waits for another one. The core never wakes a thread: it puts waiters
 * on the list `woken` of tt_core, and whoever drove the step wakes their operations. */
#ifndef TT_CORE_WAITER_H
#define TT_CORE_WAITER_H

#include "base/list.h"

typedef struct tt_waiter {
    tt_link link; /* in the queue it waits in, then in tt_core.woken; alone otherwise */
    bool lead;    /* proof: woken to send the next one itself */
    void *owner;  /* of whoever drives the operation */
} tt_waiter;

static inline void tt_waiter_init(tt_waiter *w, void *owner)
{
    tt_list_init(&w->link);
    w->lead = false;
    w->owner = owner;
}

#endif
