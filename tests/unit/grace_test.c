#include "unit/suite.h"

#include "core/grace.h"

enum { G = 10, A = 0, B = 1 };

static const tt_epoch first = {.c = {'1'}}, second = {.c = {'2'}};

START_TEST(without_a_choice_every_answer_counts)
{
    tt_grace g;

    tt_grace_init(&g, 0);
    ck_assert(tt_grace_allows(&g, A, first, 0));
}
END_TEST

START_TEST(the_first_epoch_is_waited_out)
{
    tt_grace g;

    tt_grace_init(&g, G);
    tt_grace_opened(&g, A, first, 100);
    ck_assert(!tt_grace_allows(&g, A, first, 200)); /* nobody confirmed it */
    tt_grace_confirmed(&g, A, 104, 105);
    ck_assert(!tt_grace_allows(&g, A, first, 113));
    tt_grace_confirmed(&g, A, 108, 109);
    ck_assert(tt_grace_allows(&g, A, first, 115));
    ck_assert(!tt_grace_allows(&g, B, first, 115));
    ck_assert(!tt_grace_allows(&g, A, second, 115));
}
END_TEST

START_TEST(a_confirmation_lasts_from_its_sending)
{
    tt_grace g;

    tt_grace_init(&g, G);
    tt_grace_opened(&g, A, first, 0);
    tt_grace_confirmed(&g, A, 0, 1);
    tt_grace_confirmed(&g, A, 8, 15);
    ck_assert(tt_grace_allows(&g, A, first, 17));
    ck_assert(!tt_grace_allows(&g, A, first, 18));
    tt_grace_confirmed(&g, A, 5, 19); /* an older question, answered late */
    ck_assert(!tt_grace_allows(&g, A, first, 19));
}
END_TEST

START_TEST(a_new_node_or_epoch_is_waited_out)
{
    tt_grace g;

    tt_grace_init(&g, G);
    tt_grace_opened(&g, A, first, 0);
    tt_grace_confirmed(&g, A, 0, 0);
    tt_grace_confirmed(&g, A, 20, 20);
    ck_assert(tt_grace_allows(&g, A, first, 21));
    tt_grace_opened(&g, A, second, 22); /* restarted */
    ck_assert(!tt_grace_allows(&g, A, first, 23));
    ck_assert(!tt_grace_allows(&g, A, second, 23));
    tt_grace_confirmed(&g, B, 30, 31);
    ck_assert(!tt_grace_allows(&g, A, second, 32));
    tt_grace_opened(&g, B, first, 33);
    tt_grace_confirmed(&g, B, 40, 40);
    ck_assert(!tt_grace_allows(&g, B, first, 42));
    ck_assert(tt_grace_allows(&g, B, first, 43));
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("grace");

    tcase_add_test(t, without_a_choice_every_answer_counts);
    tcase_add_test(t, the_first_epoch_is_waited_out);
    tcase_add_test(t, a_confirmation_lasts_from_its_sending);
    tcase_add_test(t, a_new_node_or_epoch_is_waited_out);
    return suite_run("grace", t);
}
