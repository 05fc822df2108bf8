#include "core/proof.h"

void tt_proofs_init(tt_proofs *p, const tt_allocator *a)
{
    *p = (tt_proofs){.a = a};
    tt_list_init(&p->current);
    tt_list_init(&p->next);
}

void tt_proofs_free(tt_proofs *p)
{
    tt_proof_free(p->last);
    p->last = NULL;
}

void tt_proof_free(tt_proof *p)
{
    if (!p || --p->refs > 0)
        return;
    tt_applied_free(p->applied);
    tt_buf_free(&p->points);
    tt_buf_free(&p->highest);
    tt_del(p->a, p);
}

static tt_proof *make(const tt_allocator *a, const tt_sample *sample)
{
    tt_proof *p = tt_new(a, sizeof(*p));

    if (!p)
        return NULL;
    p->a = a;
    p->refs = 1;
    p->points = tt_buf_init(a);
    p->highest = tt_buf_init(a);
    if (!sample || sample->identity.n > TT_SOURCE_MAX ||
        tt_applied_parse(a, sample->family, sample->applied, &p->applied) != 0)
        return p;
    memcpy(p->identity, sample->identity.p, sample->identity.n);
    p->read_only = sample->read_only;
    p->family = sample->family;
    tt_applied_points(p->applied, &p->points);
    tt_applied_highest(p->applied, &p->highest);
    p->ok = !p->points.failed && !p->highest.failed;
    return p;
}

bool tt_proofs_ask(tt_proofs *p, tt_waiter *w)
{
    w->lead = false;
    if (p->running) {
        tt_list_append(&p->next, &w->link);
        return false;
    }
    p->running = true;
    return true;
}

/* The waiters of the next group: one leads, the others are served by its query. */
static void begin_next(tt_proofs *p, tt_link *woken)
{
    tt_link *first = tt_list_pop(&p->next);

    p->running = first != NULL;
    if (!first)
        return;
    TT_CONTAINER(first, tt_waiter, link)->lead = true;
    tt_list_append(woken, first);
    tt_list_splice(&p->current, &p->next);
}

tt_proof *tt_proofs_finish(tt_proofs *p, const tt_sample *sample, tt_link *woken)
{
    tt_proof *proof = make(p->a, sample);

    TT_ASSERT(p->running);
    tt_proof_free(p->last);
    p->last = proof;
    tt_list_splice(woken, &p->current);
    begin_next(p, woken);
    if (proof)
        proof->refs++;
    return proof;
}

tt_proof *tt_proofs_take(tt_proofs *p, tt_waiter *w)
{
    TT_ASSERT(!w->lead);
    (void)w;
    if (p->last)
        p->last->refs++;
    return p->last;
}

void tt_proofs_abandon(tt_proofs *p, tt_waiter *w, tt_link *woken)
{
    tt_list_remove(&w->link);
    if (!w->lead)
        return;
    w->lead = false;
    /* Nobody sent the query: the group waits for the next one. */
    tt_list_splice(&p->next, &p->current);
    begin_next(p, woken);
}
