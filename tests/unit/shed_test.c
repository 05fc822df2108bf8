#include "unit/suite.h"

#include "base/must.h"
#include "core/shed.h"

enum { LIMIT = 2, LINE = 8 * LIMIT, MANY = 64 };

static tt_shed s;
static tt_waiter w[MANY];
static tt_link woken;

static void set_up(int limit)
{
    tt_shed_init(&s, limit);
    tt_list_init(&woken);
    for (int i = 0; i < MANY; i++)
        tt_waiter_init(&w[i], NULL);
}

/* The number of the waiter that was woken first and has not been looked at; -1: none. */
static int next_woken(void)
{
    tt_link *first = tt_list_pop(&woken);

    return first ? (int)(TT_CONTAINER(first, tt_waiter, link) - w) : -1;
}

static void leave(int who)
{
    tt_shed_leave(&s, &woken);
    ck_assert_int_eq(next_woken(), who);
    ck_assert_int_eq(next_woken(), -1);
    if (who >= 0)
        ck_assert(w[who].lead);
}

/* What each of many that come at once is told. */
static const struct {
    int limit, go, wait;
} bounds[] = {{2, 2, 16}, {1, 1, 8}, {5, 5, 40}, {0, MANY, 0}, {-1, 0, 0}};

START_TEST(bounded)
{
    int told[3] = {0, 0, 0};

    set_up(bounds[_i].limit);
    for (int i = 0; i < MANY; i++) {
        tt_shed_verdict v = tt_shed_enter(&s, &w[i]);

        told[v]++;
        /* First those who go, then those who wait, then those who are refused. */
        for (int later = (int)v + 1; later <= TT_SHED_FULL; later++)
            ck_assert_int_eq(told[later], 0);
        ck_assert(tt_list_empty(&w[i].link) == (v != TT_SHED_WAIT));
    }
    ck_assert_int_eq(told[TT_SHED_GO], bounds[_i].go);
    ck_assert_int_eq(told[TT_SHED_WAIT], bounds[_i].wait);
    ck_assert_int_eq(s.active, bounds[_i].go);
    ck_assert_int_eq(s.waiting, bounds[_i].wait);
}
END_TEST

/* LIMIT of them have places, the others are in line, one after another. */
static void fill(int n)
{
    set_up(LIMIT);
    for (int i = 0; i < n; i++)
        ck_assert_int_eq(tt_shed_enter(&s, &w[i]), i < LIMIT ? TT_SHED_GO : TT_SHED_WAIT);
}

START_TEST(first_come_first_served)
{
    fill(6);
    for (int i = 2; i < 6; i++) {
        leave(i); /* the place changes hands: never more than LIMIT, never fewer */
        ck_assert_int_eq(s.active, LIMIT);
    }
    leave(-1);
    leave(-1);
    ck_assert_int_eq(s.active, 0);
    ck_assert_int_eq(s.waiting, 0);
    ck_assert_int_eq(tt_shed_enter(&s, &w[6]), TT_SHED_GO);
}
END_TEST

START_TEST(abandoned)
{
    fill(LIMIT + LINE);
    ck_assert_int_eq(tt_shed_enter(&s, &w[40]), TT_SHED_FULL);
    ck_assert(tt_shed_abandon(&s, &w[2])); /* the first in line */
    ck_assert(tt_shed_abandon(&s, &w[4])); /* one in the middle */
    ck_assert_int_eq(s.waiting, LINE - 2);
    ck_assert_int_eq(tt_shed_enter(&s, &w[40]), TT_SHED_WAIT); /* there is room again */
    leave(3);
    leave(5);
    /* Woken, and giving up at that moment: the place is its own, and it has to leave it. */
    ck_assert(!tt_shed_abandon(&s, &w[3]));
    leave(6);
}
END_TEST

/* A limit that is lowered holds as soon as enough have left; those in line get their turn. */
START_TEST(lowered)
{
    set_up(4);
    for (int i = 0; i < 8; i++)
        (void)tt_shed_enter(&s, &w[i]);
    tt_shed_change(&s, 1);
    for (int active = 3; active >= 1; active--) {
        leave(-1);
        ck_assert_int_eq(s.active, active);
    }
    for (int i = 4; i < 8; i++) {
        leave(i);
        ck_assert_int_eq(s.active, 1);
    }
    leave(-1);
    ck_assert_int_eq(s.active, 0);
}
END_TEST

/* A limit that is raised: who leaves lets in as many as there is room for, and nobody overtakes. */
START_TEST(raised)
{
    fill(6);
    tt_shed_change(&s, 4);
    ck_assert_int_eq(tt_shed_enter(&s, &w[6]), TT_SHED_WAIT);
    tt_shed_leave(&s, &woken);
    for (int i = 2; i < 5; i++)
        ck_assert_int_eq(next_woken(), i);
    ck_assert_int_eq(next_woken(), -1);
    ck_assert_int_eq(s.active, 4);
    ck_assert_int_eq(s.waiting, 2);
    leave(5);
    leave(6);
}
END_TEST

/* None may move to the primary any more, or all may: nobody is left in the line for good. */
START_TEST(switched)
{
    fill(6);
    tt_shed_change(&s, -1);
    ck_assert_int_eq(tt_shed_enter(&s, &w[6]), TT_SHED_FULL);
    for (int i = 2; i < 6; i++)
        leave(i);
    leave(-1);
    leave(-1);
    fill(6);
    tt_shed_change(&s, 0);
    tt_shed_leave(&s, &woken);
    for (int i = 2; i < 6; i++)
        ck_assert_int_eq(next_woken(), i);
    ck_assert_int_eq(s.active, 5);
    ck_assert_int_eq(s.waiting, 0);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("shed");

    tcase_add_loop_test(t, bounded, 0, (int)TT_COUNT(bounds));
    tcase_add_test(t, first_come_first_served);
    tcase_add_test(t, abandoned);
    tcase_add_test(t, lowered);
    tcase_add_test(t, raised);
    tcase_add_test(t, switched);
    return suite_run("shed", t);
}
