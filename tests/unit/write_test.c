/* write_test.c: steps of a write, with events that are made up. */
#include "unit/suite.h"

#include <twotier/error.h>

#include "base/mem.h"
#include "core/write.h"

static const tt_health_config health = {
    .max_lag_ms = 1000, .stale_after_ms = 2000, .recover_ms = 0};
static const tt_nonce term = {"term----term----"};
static tt_core core;
static tt_answers answers;
static const tt_str tags[] = {{"n:t:x", 5}, {"n:t:y", 5}};

static void *retain(void *result)
{
    return result;
}

static void release(void *result)
{
    (void)result;
}

static void set_up(void)
{
    tt_core_config cfg = {.cache = true,
                          .intent = true,
                          .mark_timeout_ms = 5000,
                          .tag_ttl_ms = 60000,
                          .primary_reads = -1,
                          .term_key = TT_STR("n:term")};
    tt_sample s = {.identity = TT_STR("id-1"),
                   .applied = TT_STR("0-1-5"),
                   .family = TT_FAMILY_MARIADB,
                   .sent_ns = 1};

    tt_core_init(&core, &tt_allocator_libc, &tt_rng_kernel, &cfg, &health, retain, release);
    (void)tt_topology_add(&core.topology, "a", 1);
    ck_assert_int_eq(tt_topology_sampled(&core.topology, 0, &s, 1), 0);
    ck_assert(tt_topology_adopt(&core.topology, term, TT_STR("id-1")));
}

static void tear_down(void)
{
    tt_core_free(&core);
}

static void step(tt_write_op *op, tt_event ev, tt_act *act, tt_do expected)
{
    tt_write_step(op, &ev, 10, act);
    ck_assert_int_eq(act->what, expected);
}

/* Up to the answer to the marks. */
static void begin(tt_write_op *op, const tt_write_request *rq, tt_act *act)
{
    tt_write_init(op, &core, rq, NULL);
    step(op, (tt_event){.code = 0}, act, TT_DO_ACQUIRE);
    step(op, (tt_event){.identity = TT_STR("id-1"), .connection = 7}, act, TT_DO_CACHE);
}

/* What ends the transaction in which its tags would be kept cannot be deferred. */
START_TEST(what_commits_by_itself_is_not_deferred)
{
    tt_write_request rq = {.tag_keys = tags, .n_tags = 2, .deadline_ns = INT64_MAX};
    tt_write_op op;
    tt_act act;

    core.cfg.defer = true;
    answers.ok = false;
    begin(&op, &rq, &act);
    step(&op, (tt_event){.cache = &answers}, &act, TT_DO_EXECUTE);
    ck_assert(act.defer);
    tt_write_finish(&op);

    rq.commits_itself = true;
    begin(&op, &rq, &act);
    step(&op, (tt_event){.cache = &answers}, &act, TT_DO_DONE);
    ck_assert_int_eq(op.code, TT_E_CACHE_UNAVAILABLE);
    tt_write_finish(&op);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("write");

    tcase_add_checked_fixture(t, set_up, tear_down);
    tcase_add_test(t, what_commits_by_itself_is_not_deferred);
    return suite_run("write", t);
}
