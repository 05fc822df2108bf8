#include "unit/suite.h"

#include <string.h>

#include "base/rng.h"
#include "core/pool.h"

#define SEED UINT64_C(20260730)
#define MS TT_NS_PER_MS
#define SLOTS 8

static const tt_pool_config config = {1, 2, 2, 1000 * MS, 8000 * MS};

struct pool {
    tt_pool p;
    tt_pool_slot slots[SLOTS];
};

static void setup(struct pool *f)
{
    memset(f, 0, sizeof(*f));
    tt_pool_init(&f->p, &config, SEED);
}

/* Acquire one that has to be opened, and open it. */
static void open_one(struct pool *f, tt_pool_slot *slot, int64_t now_ns)
{
    tt_pool_request r;

    ck_assert_int_eq(tt_pool_acquire(&f->p, &r, now_ns), TT_POOL_OPEN);
    tt_pool_connected(&f->p, &r, slot, now_ns);
    ck_assert_int_eq(slot->state, TT_SLOT_BUSY);
}

/* Close what is to be closed; how many. */
static int close_all(struct pool *f, int64_t now_ns)
{
    tt_pool_slot *slot;
    int n = 0;

    for (; (slot = tt_pool_next_closing(&f->p)) != NULL; n++)
        tt_pool_closed(&f->p, slot, now_ns);
    return n;
}

START_TEST(idle_ones_are_used_last_in_first_out)
{
    tt_pool_request r;
    struct pool f;

    setup(&f);
    open_one(&f, &f.slots[0], 0);
    open_one(&f, &f.slots[1], 0);
    tt_pool_release(&f.p, &f.slots[1], false, false, 0);
    tt_pool_release(&f.p, &f.slots[0], true, false, 0);
    ck_assert_int_eq(tt_pool_acquire(&f.p, &r, 1), TT_POOL_USE);
    ck_assert_ptr_eq(r.slot, &f.slots[0]);
    ck_assert(r.slot->dirty);
    r.slot->dirty = false;
    ck_assert_int_eq(tt_pool_acquire(&f.p, &r, 1), TT_POOL_USE);
    ck_assert_ptr_eq(r.slot, &f.slots[1]);
    ck_assert(!r.slot->dirty);
}
END_TEST

START_TEST(who_waits_is_served_in_order)
{
    tt_pool_request a, b, c;
    struct pool f;

    setup(&f);
    open_one(&f, &f.slots[0], 0);
    open_one(&f, &f.slots[1], 0);
    ck_assert_int_eq(tt_pool_acquire(&f.p, &a, 0), TT_POOL_WAIT);
    ck_assert_int_eq(tt_pool_acquire(&f.p, &b, 0), TT_POOL_WAIT);
    ck_assert_int_eq(tt_pool_acquire(&f.p, &c, 0), TT_POOL_FULL);
    ck_assert_uint_eq(f.p.counts.n_refused, 1);
    ck_assert_ptr_null(tt_pool_next_granted(&f.p));
    tt_pool_release(&f.p, &f.slots[1], false, false, 0);
    tt_pool_release(&f.p, &f.slots[0], false, false, 0);
    ck_assert_ptr_eq(tt_pool_next_granted(&f.p), &a);
    ck_assert_ptr_eq(tt_pool_next_granted(&f.p), &b);
    ck_assert(a.verdict == TT_POOL_USE && a.slot == &f.slots[1]);
    ck_assert(b.verdict == TT_POOL_USE && b.slot == &f.slots[0]);
}
END_TEST

START_TEST(a_canceled_one_leaves_the_line)
{
    tt_pool_request a, b;
    struct pool f;

    setup(&f);
    open_one(&f, &f.slots[0], 0);
    open_one(&f, &f.slots[1], 0);
    ck_assert_int_eq(tt_pool_acquire(&f.p, &a, 0), TT_POOL_WAIT);
    ck_assert_int_eq(tt_pool_acquire(&f.p, &b, 0), TT_POOL_WAIT);
    ck_assert(tt_pool_cancel(&f.p, &a));
    tt_pool_release(&f.p, &f.slots[0], false, false, 0);
    ck_assert(!tt_pool_cancel(&f.p, &b)); /* too late: it has a connection */
    ck_assert_ptr_null(tt_pool_next_granted(&f.p));
    ck_assert_ptr_eq(b.slot, &f.slots[0]);
    ck_assert_uint_eq(f.p.counts.n_cancelled, 1);
    ck_assert_int_eq(f.p.counts.waiting, 0);
}
END_TEST

START_TEST(a_failure_passes_the_place_on)
{
    tt_pool_request a, b, c;
    struct pool f;

    setup(&f);
    open_one(&f, &f.slots[0], 0);
    ck_assert_int_eq(tt_pool_acquire(&f.p, &a, 0), TT_POOL_OPEN);
    ck_assert_int_eq(tt_pool_acquire(&f.p, &b, 0), TT_POOL_WAIT);
    tt_pool_failed(&f.p, &a, 0);
    ck_assert_ptr_eq(tt_pool_next_granted(&f.p), &b);
    ck_assert_int_eq(b.verdict, TT_POOL_OPEN);
    tt_pool_failed(&f.p, &b, 0);
    ck_assert_int_eq(tt_pool_acquire(&f.p, &c, 0), TT_POOL_OPEN);
    ck_assert_uint_eq(f.p.counts.n_failed, 2);
}
END_TEST

START_TEST(broken_ones_are_closed_before_their_place_is_free)
{
    tt_pool_request a;
    struct pool f;

    setup(&f);
    open_one(&f, &f.slots[0], 0);
    open_one(&f, &f.slots[1], 0);
    ck_assert_int_eq(tt_pool_acquire(&f.p, &a, 0), TT_POOL_WAIT);
    tt_pool_release(&f.p, &f.slots[0], false, true, 0);
    ck_assert_int_eq(a.verdict, TT_POOL_WAIT);
    ck_assert_int_eq(close_all(&f, 0), 1);
    ck_assert_ptr_eq(tt_pool_next_granted(&f.p), &a);
    ck_assert(a.verdict == TT_POOL_OPEN && a.slot == NULL);
    ck_assert_int_eq(f.slots[0].state, TT_SLOT_NONE);
}
END_TEST

START_TEST(long_idle_ones_are_checked)
{
    tt_pool_request r;
    struct pool f;

    setup(&f);
    open_one(&f, &f.slots[0], 0);
    tt_pool_release(&f.p, &f.slots[0], false, false, 0);
    ck_assert_int_eq(tt_pool_acquire(&f.p, &r, 1000 * MS), TT_POOL_CHECK);
    tt_pool_lost(&f.p, &r);
    ck_assert(r.verdict == TT_POOL_OPEN && r.slot == &f.slots[0]);
    ck_assert(f.p.counts.busy == 0 && f.p.counts.opening == 1);
    tt_pool_connected(&f.p, &r, &f.slots[0], 1000 * MS);
    ck_assert_int_eq(f.slots[0].state, TT_SLOT_BUSY);
}
END_TEST

START_TEST(old_ones_are_replaced)
{
    tt_pool_request r;
    struct pool f;

    setup(&f);
    open_one(&f, &f.slots[0], 0);
    open_one(&f, &f.slots[1], 0);
    ck_assert_int_ge(f.slots[0].expires_ns, 7000 * MS);
    ck_assert_int_le(f.slots[0].expires_ns, 8000 * MS);
    ck_assert_int_ne(f.slots[0].expires_ns, f.slots[1].expires_ns);
    tt_pool_release(&f.p, &f.slots[0], false, false, 6900 * MS);
    ck_assert_int_eq(tt_pool_acquire(&f.p, &r, 8000 * MS), TT_POOL_OPEN);
    ck_assert_ptr_eq(r.slot, &f.slots[0]); /* to be closed first */
    tt_pool_connected(&f.p, &r, &f.slots[2], 8000 * MS);
    tt_pool_release(&f.p, &f.slots[1], false, false, 8000 * MS);
    ck_assert_int_eq(close_all(&f, 8000 * MS), 1);
    ck_assert_int_eq(f.slots[1].state, TT_SLOT_NONE);
}
END_TEST

START_TEST(lifetime_may_be_unlimited)
{
    tt_pool_config forever = config;
    struct pool f;

    setup(&f);
    forever.max_lifetime_ns = 0;
    tt_pool_init(&f.p, &forever, SEED);
    open_one(&f, &f.slots[0], 0);
    tt_pool_release(&f.p, &f.slots[0], false, false, INT64_MAX - 1);
    ck_assert_int_eq(f.slots[0].state, TT_SLOT_IDLE);
}
END_TEST

START_TEST(eviction_takes_all_of_them)
{
    tt_pool_request opening, r;
    struct pool f;

    setup(&f);
    tt_pool_change(&f.p, &(tt_pool_config){1, 3, 2, 1000 * MS, 8000 * MS}, 0);
    open_one(&f, &f.slots[0], 0);
    open_one(&f, &f.slots[1], 0);
    tt_pool_release(&f.p, &f.slots[0], false, false, 0);
    ck_assert_int_eq(tt_pool_acquire(&f.p, &r, 0), TT_POOL_USE);
    ck_assert_int_eq(tt_pool_acquire(&f.p, &opening, 0), TT_POOL_OPEN);
    tt_pool_release(&f.p, &f.slots[0], false, false, 0);

    tt_pool_evict(&f.p);
    ck_assert_int_eq(close_all(&f, 0), 1); /* the idle one */
    tt_pool_release(&f.p, &f.slots[1], false, false, 0);
    ck_assert_int_eq(close_all(&f, 0), 1); /* the busy one */
    tt_pool_connected(&f.p, &opening, &f.slots[2], 0);
    tt_pool_release(&f.p, &f.slots[2], false, false, 0);
    ck_assert_int_eq(close_all(&f, 0), 1); /* the one that was on its way */
    open_one(&f, &f.slots[3], 0);
    tt_pool_release(&f.p, &f.slots[3], false, false, 0);
    ck_assert_int_eq(f.slots[3].state, TT_SLOT_IDLE);
}
END_TEST

START_TEST(the_minimum_is_kept_open)
{
    tt_pool_request r;
    struct pool f;

    setup(&f);
    ck_assert(tt_pool_tend(&f.p, &r, 0));
    ck_assert_int_eq(r.verdict, TT_POOL_OPEN);
    tt_pool_connected(&f.p, &r, &f.slots[0], 0);
    tt_pool_release(&f.p, &f.slots[0], false, false, 0);
    ck_assert(!tt_pool_tend(&f.p, &r, 0));
    ck_assert(!tt_pool_tend(&f.p, &r, 8000 * MS)); /* not before the old one is closed */
    ck_assert_int_eq(close_all(&f, 8000 * MS), 1);
    ck_assert(tt_pool_tend(&f.p, &r, 8000 * MS));
    tt_pool_failed(&f.p, &r, 8000 * MS);
    ck_assert_int_eq(f.p.counts.opening, 0);
}
END_TEST

/* ---- a random walk: every event in any order that a user may cause ---- */

#define CALLERS 24
#define WALK_SLOTS 64

struct caller {
    tt_pool_request r;
    uint64_t ticket; /* when it began to wait; 0: not waiting */
    bool active;
    tt_pool_slot *slot; /* held */
};

struct walk {
    tt_pool p;
    tt_pool_slot slots[WALK_SLOTS];
    struct caller callers[CALLERS];
    tt_pool_slot *closing[WALK_SLOTS];
    int n_closing;
    uint64_t seed, tickets, served;
    int64_t now_ns;
    int max; /* above 0: the pool's maximum changes, up to this */
};

static uint64_t below(struct walk *w, uint64_t n)
{
    return tt_splitmix64(&w->seed) % n;
}

static tt_pool_slot *unused_slot(struct walk *w)
{
    for (;;) {
        tt_pool_slot *slot = &w->slots[below(w, WALK_SLOTS)];

        if (slot->state == TT_SLOT_NONE)
            return slot;
    }
}

static void take(struct caller *c)
{
    c->ticket = 0;
    if (c->r.verdict == TT_POOL_USE || c->r.verdict == TT_POOL_CHECK)
        c->slot = c->r.slot;
}

static void drain(struct walk *w)
{
    tt_pool_request *r;
    tt_pool_slot *slot;

    while ((r = tt_pool_next_granted(&w->p)) != NULL) {
        struct caller *c = TT_CONTAINER(r, struct caller, r);

        ck_assert(c->ticket > w->served); /* first come, first served */
        w->served = c->ticket;
        take(c);
    }
    while ((slot = tt_pool_next_closing(&w->p)) != NULL)
        w->closing[w->n_closing++] = slot;
}

static void step_caller(struct walk *w, struct caller *c)
{
    if (!c->active) {
        tt_pool_verdict v = tt_pool_acquire(&w->p, &c->r, w->now_ns);

        c->active = v != TT_POOL_FULL;
        if (v == TT_POOL_WAIT)
            c->ticket = ++w->tickets;
        else
            take(c);
        ck_assert(v != TT_POOL_FULL || w->p.counts.waiting == w->p.config.max_waiters);
    } else if (c->ticket) {
        if (below(w, 8) == 0) {
            ck_assert(tt_pool_cancel(&w->p, &c->r));
            c->ticket = 0;
            c->active = false;
        }
    } else if (c->r.verdict == TT_POOL_OPEN) {
        if (below(w, 4) == 0) {
            tt_pool_failed(&w->p, &c->r, w->now_ns);
            c->active = false;
        } else {
            c->slot = unused_slot(w);
            tt_pool_connected(&w->p, &c->r, c->slot, w->now_ns);
            c->r.verdict = TT_POOL_NONE;
        }
    } else if (c->r.verdict == TT_POOL_CHECK && below(w, 2)) {
        tt_pool_lost(&w->p, &c->r);
        c->slot = NULL;
    } else {
        tt_pool_release(&w->p, c->slot, below(w, 3) == 0, below(w, 6) == 0, w->now_ns);
        c->slot = NULL;
        c->active = false;
    }
}

static void step(struct walk *w)
{
    uint64_t what = below(w, 100);

    w->now_ns += (int64_t)below(w, (uint64_t)(20 * MS));
    if (what < 80) {
        step_caller(w, &w->callers[below(w, CALLERS)]);
    } else if (what < 95) {
        if (w->n_closing > 0)
            tt_pool_closed(&w->p, w->closing[--w->n_closing], w->now_ns);
    } else if (what < 98) {
        struct caller *c = &w->callers[below(w, CALLERS)];

        if (!c->active && tt_pool_tend(&w->p, &c->r, w->now_ns))
            c->active = true;
    } else if (what < 99) {
        tt_pool_evict(&w->p);
    } else if (w->max > 0) {
        tt_pool_config next = w->p.config;

        next.max = 1 + (int)below(w, (uint64_t)w->max);
        next.min = (int)below(w, (uint64_t)next.max + 1);
        tt_pool_change(&w->p, &next, w->now_ns);
    }
    drain(w);
}

/* Every slot and caller is where the pool says. */
static void check_walk(const struct walk *w)
{
    const tt_pool_counts *n = &w->p.counts;
    int state[4] = {0, 0, 0, 0}, held = 0, opening = 0, waiting = 0;

    for (int i = 0; i < WALK_SLOTS; i++)
        state[w->slots[i].state]++;
    for (int i = 0; i < CALLERS; i++) {
        held += w->callers[i].slot != NULL;
        waiting += w->callers[i].ticket != 0;
        opening += w->callers[i].active && w->callers[i].r.verdict == TT_POOL_OPEN;
    }
    ck_assert(state[TT_SLOT_BUSY] == n->busy && held == n->busy);
    ck_assert(state[TT_SLOT_IDLE] == n->idle);
    ck_assert(state[TT_SLOT_CLOSING] == n->closing && w->n_closing == n->closing);
    ck_assert(opening == n->opening && waiting == n->waiting);
    ck_assert(n->busy + n->idle + n->closing + n->opening <= w->p.ceiling);
    ck_assert(w->max > 0 || w->p.ceiling == w->p.config.max);
    ck_assert(n->idle == 0 || n->busy + n->idle + n->opening <= w->p.config.max);
    ck_assert(n->waiting <= w->p.config.max_waiters);
    ck_assert(n->waiting == 0 ||
              (n->idle == 0 && n->busy + n->closing + n->opening >= w->p.config.max));
    ck_assert(n->n_opened == n->n_closed + (uint64_t)(n->busy + n->idle + n->closing));
}

START_TEST(random_walk_keeps_its_promises)
{
    static const tt_pool_config walks[] = {
        {2, 5, 8, 30 * MS, 400 * MS}, {0, 1, 3, MS, 100 * MS}, {8, 8, 0, 50 * MS, 0}};

    for (size_t i = 0; i < 4 * TT_COUNT(walks); i++) {
        struct walk w;

        memset(&w, 0, sizeof(w));
        w.seed = SEED + i;
        w.max = i >= 2 * TT_COUNT(walks) ? walks[i % TT_COUNT(walks)].max : 0;
        tt_pool_init(&w.p, &walks[i % TT_COUNT(walks)], w.seed);
        for (int n = 0; n < 20000; n++) {
            step(&w);
            if (n % 7 == 0)
                check_walk(&w);
        }
        ck_assert_uint_gt(w.p.counts.n_opened, 100);
        ck_assert(w.p.config.max_waiters == 0 || w.served > 100);
    }
}
END_TEST

START_TEST(a_lower_maximum_closes_the_surplus)
{
    static const tt_pool_config four = {0, 4, 4, 1000 * MS, 0}, one = {0, 1, 4, 1000 * MS, 0};
    tt_pool_request waits, r;
    struct pool f;

    memset(&f, 0, sizeof(f));
    tt_pool_init(&f.p, &four, SEED);
    for (int i = 0; i < 4; i++)
        open_one(&f, &f.slots[i], 0);
    tt_pool_release(&f.p, &f.slots[0], false, false, 0);
    tt_pool_release(&f.p, &f.slots[1], false, false, 0);
    tt_pool_change(&f.p, &one, 1); /* two busy, two idle */
    ck_assert_int_eq(close_all(&f, 1), 2);
    ck_assert_int_eq(tt_pool_acquire(&f.p, &waits, 1), TT_POOL_WAIT);
    tt_pool_release(&f.p, &f.slots[2], false, false, 2);
    ck_assert_int_eq(close_all(&f, 2), 1);
    ck_assert_ptr_null(tt_pool_next_granted(&f.p));
    tt_pool_release(&f.p, &f.slots[3], false, false, 3);
    ck_assert_int_eq(close_all(&f, 3), 0);
    ck_assert_ptr_eq(tt_pool_next_granted(&f.p), &waits);
    ck_assert_ptr_eq(waits.slot, &f.slots[3]);
    ck_assert_int_eq(tt_pool_acquire(&f.p, &r, 3), TT_POOL_WAIT);
    ck_assert(tt_pool_cancel(&f.p, &r));
}
END_TEST

START_TEST(what_is_being_opened_counts_after_a_change)
{
    static const tt_pool_config one = {0, 1, 2, 1000 * MS, 8000 * MS};
    tt_pool_request first, second;
    struct pool f;

    setup(&f);
    ck_assert_int_eq(tt_pool_acquire(&f.p, &first, 0), TT_POOL_OPEN);
    ck_assert_int_eq(tt_pool_acquire(&f.p, &second, 0), TT_POOL_OPEN);
    tt_pool_change(&f.p, &one, 0);
    tt_pool_connected(&f.p, &first, &f.slots[0], 1);
    tt_pool_connected(&f.p, &second, &f.slots[1], 1);
    ck_assert_int_eq(f.p.counts.busy, 2);
    tt_pool_release(&f.p, &f.slots[1], false, false, 2);
    ck_assert_int_eq(close_all(&f, 2), 1);
    tt_pool_release(&f.p, &f.slots[0], false, false, 2);
    ck_assert_int_eq(f.p.counts.idle, 1);
}
END_TEST

START_TEST(a_higher_maximum_serves_the_line)
{
    static const tt_pool_config three = {1, 3, 2, 1000 * MS, 8000 * MS};
    tt_pool_request a, b;
    struct pool f;

    setup(&f);
    open_one(&f, &f.slots[0], 0);
    open_one(&f, &f.slots[1], 0);
    ck_assert_int_eq(tt_pool_acquire(&f.p, &a, 0), TT_POOL_WAIT);
    ck_assert_int_eq(tt_pool_acquire(&f.p, &b, 0), TT_POOL_WAIT);
    tt_pool_change(&f.p, &three, 1);
    ck_assert_ptr_eq(tt_pool_next_granted(&f.p), &a);
    ck_assert_int_eq(a.verdict, TT_POOL_OPEN);
    ck_assert_ptr_null(tt_pool_next_granted(&f.p));
    ck_assert_int_eq(b.verdict, TT_POOL_WAIT);
    ck_assert(tt_pool_cancel(&f.p, &b));
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("pool");

    tcase_set_timeout(t, 30);
    tcase_add_test(t, idle_ones_are_used_last_in_first_out);
    tcase_add_test(t, who_waits_is_served_in_order);
    tcase_add_test(t, a_canceled_one_leaves_the_line);
    tcase_add_test(t, a_failure_passes_the_place_on);
    tcase_add_test(t, broken_ones_are_closed_before_their_place_is_free);
    tcase_add_test(t, long_idle_ones_are_checked);
    tcase_add_test(t, old_ones_are_replaced);
    tcase_add_test(t, lifetime_may_be_unlimited);
    tcase_add_test(t, eviction_takes_all_of_them);
    tcase_add_test(t, the_minimum_is_kept_open);
    tcase_add_test(t, a_lower_maximum_closes_the_surplus);
    tcase_add_test(t, what_is_being_opened_counts_after_a_change);
    tcase_add_test(t, a_higher_maximum_serves_the_line);
    tcase_add_test(t, random_walk_keeps_its_promises);
    return suite_run("pool", t);
}
