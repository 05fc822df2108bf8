#include "core/shed.h"

#include "base/must.h"

enum { LINE_FOR_EACH = 8 };

void tt_shed_init(tt_shed *s, int limit)
{
    *s = (tt_shed){.limit = limit, .max_line = limit * LINE_FOR_EACH};
    tt_list_init(&s->line);
}

void tt_shed_change(tt_shed *s, int limit)
{
    s->limit = limit;
    s->max_line = limit * LINE_FOR_EACH;
}

tt_shed_verdict tt_shed_enter(tt_shed *s, tt_waiter *w)
{
    if (s->limit == 0 || (s->active < s->limit && tt_list_empty(&s->line))) {
        s->active++;
        return TT_SHED_GO;
    }
    if (s->waiting >= s->max_line)
        return TT_SHED_FULL;
    s->waiting++;
    w->lead = false;
    tt_list_append(&s->line, &w->link);
    return TT_SHED_WAIT;
}

bool tt_shed_abandon(tt_shed *s, tt_waiter *w)
{
    if (w->lead)
        return false;
    tt_list_remove(&w->link);
    s->waiting--;
    return true;
}

/* How many of those in line may go now. With no place at all for new ones they still get their
 * turn, one after another. */
static int room(const tt_shed *s)
{
    if (s->limit == 0)
        return s->waiting;
    return s->limit < 0 ? 1 : s->limit - s->active;
}

void tt_shed_leave(tt_shed *s, tt_link *woken)
{
    tt_link *next;

    TT_ASSERT(s->active > 0);
    s->active--;
    for (int left = room(s); left > 0 && (next = tt_list_pop(&s->line)) != NULL; left--) {
        s->active++;
        s->waiting--;
        TT_CONTAINER(next, tt_waiter, link)->lead = true; /* the place is its own now */
        tt_list_append(woken, next);
    }
}
