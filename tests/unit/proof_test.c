#include "unit/suite.h"

#include "base/mem.h"
#include "core/proof.h"

static const tt_sample sample = {
    .identity = {"id-1", 4}, .applied = {"0-1-5", 5}, .family = TT_FAMILY_MARIADB};

START_TEST(who_comes_late_waits_for_the_next_query)
{
    tt_waiter w[4];
    tt_proof *first, *second;
    tt_proofs p;
    tt_link woken;

    tt_list_init(&woken);
    tt_proofs_init(&p, &tt_allocator_libc);
    for (int i = 0; i < 4; i++)
        tt_waiter_init(&w[i], NULL);
    ck_assert(tt_proofs_ask(&p, &w[0]));
    for (int i = 1; i < 4; i++)
        ck_assert(!tt_proofs_ask(&p, &w[i])); /* the query that is under way was sent before */
    first = tt_proofs_finish(&p, &sample, &woken);
    ck_assert(first->ok && strcmp(first->identity, "id-1") == 0);
    ck_assert(tt_str_eq(tt_buf_str(&first->highest), TT_STR("0-1:5")));
    ck_assert(tt_list_pop(&woken) == &w[1].link && w[1].lead && tt_list_empty(&woken));
    tt_proofs_abandon(&p, &w[1], &woken); /* it gives up: the next one leads */
    ck_assert(tt_list_pop(&woken) == &w[2].link && w[2].lead);
    w[2].lead = false;
    second = tt_proofs_finish(&p, NULL, &woken);
    ck_assert(!second->ok);
    ck_assert(tt_list_pop(&woken) == &w[3].link && !w[3].lead);
    ck_assert(tt_proofs_take(&p, &w[3]) == second);
    tt_proof_free(second);
    tt_proof_free(second);
    tt_proof_free(first);
    tt_proofs_free(&p);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("proof");

    tcase_add_test(t, who_comes_late_waits_for_the_next_query);
    return suite_run("proof", t);
}
