/* read_steps_test.c: steps of a read, with events that are made up. */
#include "unit/core_support.h"

#include <twotier/error.h>

#include "core/read.h"

static tt_core core;
static tt_allocator failing; /* libc's, until it is told to fail */
static bool fails;

static void *fail_alloc(void *ctx, size_t n)
{
    return fails ? NULL : tt_allocator_libc.alloc(ctx, n);
}

static void *fail_resize(void *ctx, void *p, size_t n)
{
    return fails ? NULL : tt_allocator_libc.resize(ctx, p, n);
}

/* Two nodes, of which the first is the primary; one read at a time may move to it. */
static void set_up(void)
{
    tt_core_config cfg = {
        .cache = true, .primary_reads = 1, .tag_ttl_ms = 60000, .term_key = TT_STR("n:term")};
    tt_sample other = sample_of("id-2", true, 1);

    fails = false;
    failing = tt_allocator_libc;
    failing.alloc = fail_alloc;
    failing.resize = fail_resize;
    core_with_primary(&core, &failing, &tt_rng_kernel, &cfg, "term-1----------", 1);
    (void)tt_topology_add(&core.topology, "b", 1);
    ck_assert_int_eq(tt_topology_sampled(&core.topology, 1, &other, 1), 0);
}

static void tear_down(void)
{
    fails = false;
    tt_core_free(&core);
}

static void step_at(tt_read_op *op, tt_event ev, int64_t now_ns, tt_act *act, tt_do expected)
{
    tt_read_step(op, &ev, now_ns, act);
    ck_assert_int_eq(act->what, expected);
}

static void step(tt_read_op *op, tt_event ev, tt_act *act, tt_do expected)
{
    step_at(op, ev, 10, act, expected);
}

/* A read around the cache whose session has unknown history: up to the question to the primary. */
static void begin(tt_read_op *op, const tt_read_request *rq, tt_act *act, tt_do expected)
{
    tt_read_init(op, &core, rq, NULL);
    step(op, (tt_event){.code = 0}, act, TT_DO_SHARED);
    step(op, (tt_event){.code = 0}, act, expected);
}

static void wake(void)
{
    while (tt_list_pop(&core.woken) != NULL)
        ;
}

/* While a read stands in line for the primary, another node may become it: what was proven of the
 * one before says nothing about it. */
START_TEST(a_proof_is_of_the_primary_that_is_read)
{
    tt_read_request rq = {.seen = TT_STR("P"), .deadline_ns = 1000};
    tt_sample one = sample_of("id-1", false, 1);
    tt_read_op *first = calloc(1, sizeof(*first)), *second = calloc(1, sizeof(*second));
    int rows = 0;
    tt_act act;

    begin(first, &rq, &act, TT_DO_PROVE);
    step(first, (tt_event){.sample = &one, .n_samples = 1}, &act, TT_DO_READ);
    ck_assert(tt_str_eq(act.identity, TT_STR("id-1")));
    begin(second, &rq, &act, TT_DO_PROVE);
    step(second, (tt_event){.sample = &one, .n_samples = 1}, &act, TT_DO_PARK);
    ck_assert(tt_topology_adopt(&core.topology, nonce_of("term-2----------"), TT_STR("id-2")));
    step(first, (tt_event){.reached = true, .result = &rows, .took_ns = 1}, &act, TT_DO_DONE);
    tt_read_finish(first);
    wake();
    step(second, (tt_event){.code = 0}, &act, TT_DO_PROVE);
    ck_assert_int_eq(act.node, 1);
    step(second, (tt_event){.db = TT_DB_LOCAL, .code = TT_E_BUSY}, &act, TT_DO_DONE);
    tt_read_finish(second);
    free(first);
    free(second);
}
END_TEST

/* A barrier for which there was no memory asks for everything. */
START_TEST(a_barrier_that_is_lost_is_unknown_history)
{
    tt_read_request rq = {.seen = TT_STR("term-1----------@0-1:5"), .deadline_ns = 1000};
    tt_read_op *op = calloc(1, sizeof(*op));
    tt_act act;

    fails = true;
    begin(op, &rq, &act, TT_DO_PROVE);
    fails = false;
    tt_read_finish(op);
    core.proofs.running = false;
    free(op);
}
END_TEST

/* A caller's deadline says nothing about the node: it stays what it was for everybody else. */
START_TEST(a_deadline_does_not_take_a_node_down)
{
    tt_read_request rq = {.seen = TT_STR("P"), .deadline_ns = 1000};
    tt_event late = {.db = TT_DB_LOST, .code = TT_E_TIMEOUT};
    tt_sample one = sample_of("id-1", false, 1);
    tt_read_op *op = calloc(1, sizeof(*op));
    tt_node *node = &core.topology.nodes[0];
    tt_act act;

    ck_assert_int_ne(node->state, TT_NODE_DOWN);
    begin(op, &rq, &act, TT_DO_PROVE);
    step_at(op, late, 1000, &act, TT_DO_DONE);
    ck_assert_int_eq(op->code, TT_E_TIMEOUT);
    tt_read_finish(op);
    ck_assert_int_ne(node->state, TT_NODE_DOWN);

    begin(op, &rq, &act, TT_DO_PROVE);
    step(op, (tt_event){.sample = &one, .n_samples = 1}, &act, TT_DO_READ);
    step_at(op, late, 1000, &act, TT_DO_DONE);
    tt_read_finish(op);
    ck_assert_int_ne(node->state, TT_NODE_DOWN);

    begin(op, &rq, &act, TT_DO_PROVE);
    step(op, (tt_event){.sample = &one, .n_samples = 1}, &act, TT_DO_READ);
    step_at(op, late, 999, &act, TT_DO_DISCOVER);
    tt_read_finish(op);
    ck_assert_int_eq(node->state, TT_NODE_DOWN);
    free(op);
}
END_TEST

/* The question to the primary is one caller's, and ends with its deadline: the others ask again. */
START_TEST(a_group_outlives_the_deadline_of_its_leader)
{
    tt_read_request hurried = {.seen = TT_STR("P"), .deadline_ns = 1000};
    tt_read_request patient = {.seen = TT_STR("P"), .deadline_ns = 9000};
    tt_sample one = sample_of("id-1", false, 1);
    tt_read_op *ops[4];
    tt_act act;

    for (int i = 0; i < 4; i++)
        ops[i] = calloc(1, sizeof(*ops[i]));
    begin(ops[0], &hurried, &act, TT_DO_PROVE);
    begin(ops[1], &hurried, &act, TT_DO_PARK);
    begin(ops[2], &patient, &act, TT_DO_PARK);
    begin(ops[3], &patient, &act, TT_DO_PARK);
    step(ops[0], (tt_event){.sample = &one, .n_samples = 1}, &act, TT_DO_READ);
    wake(); /* the second one leads the group of the others */
    step(ops[1], (tt_event){.code = 0}, &act, TT_DO_PROVE);
    step_at(ops[1], (tt_event){.db = TT_DB_LOST, .code = TT_E_TIMEOUT}, 1000, &act, TT_DO_DONE);
    wake();
    step_at(ops[2], (tt_event){.code = 0}, 1001, &act, TT_DO_PROVE);
    step_at(ops[2], (tt_event){.sample = &one, .n_samples = 1}, 1002, &act, TT_DO_PARK);
    wake();
    step_at(ops[3], (tt_event){.code = 0}, 1003, &act, TT_DO_PARK);
    step_at(ops[0], (tt_event){.db = TT_DB_REFUSED, .code = TT_E_SQL}, 1004, &act, TT_DO_DONE);
    for (int i = 0; i < 4; i++) {
        tt_read_finish(ops[i]);
        wake();
        free(ops[i]);
    }
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("read");

    tcase_add_checked_fixture(t, set_up, tear_down);
    tcase_add_test(t, a_proof_is_of_the_primary_that_is_read);
    tcase_add_test(t, a_barrier_that_is_lost_is_unknown_history);
    tcase_add_test(t, a_deadline_does_not_take_a_node_down);
    tcase_add_test(t, a_group_outlives_the_deadline_of_its_leader);
    return suite_run("read_steps", t);
}
