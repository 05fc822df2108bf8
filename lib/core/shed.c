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
    if (s->limit == 0 || s->active < s->limit) {
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

void tt_shed_leave(tt_shed *s, tt_link *woken)
{
    tt_link *next = tt_list_pop(&s->line);

    TT_ASSERT(s->active > 0);
    if (!next) {
        s->active--;
        return;
    }
    s->waiting--;
    TT_CONTAINER(next, tt_waiter, link)->lead = true; /* the place is its own now */
    tt_list_append(woken, next);
}
