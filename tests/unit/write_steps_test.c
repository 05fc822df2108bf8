/* write_steps_test.c: steps of a write, with events that are made up. */
#include "unit/core_support.h"

#include <stdio.h>
#include <twotier/error.h>

#include "core/repair.h"
#include "core/write.h"

#define TERM "term----term----"

static tt_core core;
static tt_answers answers;
static const tt_str tags[] = {{"n:t:x", 5}, {"n:t:y", 5}};

/* Allocations until there are no more; -1: there always are. */
static int fails_after = -1;

static bool has_memory(void)
{
    return fails_after != 0 && (fails_after < 0 || fails_after-- > 0);
}

static void *fail_alloc(void *ctx, size_t n)
{
    return has_memory() ? tt_allocator_libc.alloc(ctx, n) : NULL;
}

static void *fail_resize(void *ctx, void *p, size_t n)
{
    return has_memory() ? tt_allocator_libc.resize(ctx, p, n) : NULL;
}

static tt_allocator failing;

static void set_up(void)
{
    tt_core_config cfg = {.cache = true,
                          .intent = true,
                          .mark_timeout_ms = 5000,
                          .kill_wait_ms = 500,
                          .tag_ttl_ms = 60000,
                          .primary_reads = -1,
                          .term_key = TT_STR("n:term")};

    failing = tt_allocator_libc;
    failing.alloc = fail_alloc;
    failing.resize = fail_resize;
    fails_after = -1;
    core_with_primary(&core, &tt_allocator_libc, &tt_rng_kernel, &cfg, TERM, 1);
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

/* Marks that were never sent are nowhere: nothing is left behind, and the connection is good. */
START_TEST(what_was_not_sent_leaves_nothing_behind)
{
    tt_write_request rq = {.tag_keys = tags, .n_tags = 2, .deadline_ns = INT64_MAX};
    tt_write_op op;
    tt_act act;

    for (int i = 0; i < 4; i++) {
        bool unsent = i % 2;

        core.cfg.defer = i / 2;
        answers.ok = false;
        answers.unsent = unsent;
        begin(&op, &rq, &act);
        step(&op, (tt_event){.cache = &answers}, &act, i / 2 ? TT_DO_EXECUTE : TT_DO_DONE);
        if (i / 2) {
            ck_assert(act.defer);
            step(&op, (tt_event){.rows_changed = true}, &act, TT_DO_DONE);
            ck_assert_int_eq(op.code, 0);
        } else {
            ck_assert_int_eq(op.code, TT_E_CACHE_UNAVAILABLE);
        }
        ck_assert_int_eq(op.discard, !unsent);
        ck_assert_int_eq(core.n_repairs, !unsent);
        if (!unsent)
            tt_repair_free(core.a, tt_repair_next(&core, 10));
        tt_write_finish(&op);
    }
}
END_TEST

/* The cache may be well, where the caller's time was over before it was asked. */
START_TEST(a_write_that_is_late_is_told_so)
{
    tt_write_request rq = {.tag_keys = tags, .n_tags = 2, .deadline_ns = 10};
    tt_write_op op;
    tt_act act;

    for (int i = 0; i < 2; i++) {
        core.cfg.defer = i;
        answers.ok = false;
        answers.unsent = true;
        begin(&op, &rq, &act);
        step(&op, (tt_event){.cache = &answers}, &act, TT_DO_DONE);
        ck_assert_int_eq(op.code, TT_E_TIMEOUT);
        tt_write_finish(&op);
    }
}
END_TEST

/* Marks to withdraw are left to the reaping of others where too many wait already; bumps never. */
START_TEST(withdrawals_do_not_pile_up)
{
    tt_write_request rq = {.tag_keys = tags, .n_tags = 2, .deadline_ns = INT64_MAX};
    tt_write_op op;
    tt_act act;

    answers.ok = answers.unsent = false;
    for (int i = 0; i < TT_REPAIRS_MAX + 10; i++) {
        begin(&op, &rq, &act);
        step(&op, (tt_event){.cache = &answers}, &act, TT_DO_DONE);
        tt_write_finish(&op);
    }
    ck_assert_int_eq(core.n_repairs, TT_REPAIRS_MAX);
    core.cfg.defer = true;
    begin(&op, &rq, &act);
    step(&op, (tt_event){.cache = &answers}, &act, TT_DO_EXECUTE);
    step(&op, (tt_event){.rows_changed = true}, &act, TT_DO_DONE);
    ck_assert_int_eq(core.n_repairs, TT_REPAIRS_MAX + 1);
    tt_write_finish(&op);
}
END_TEST

/* The answers of tags of this protocol, and of the term that names id-1. */
static void answer(int n, const char *tag)
{
    static const char name[] = "T1 " TERM " epoch---epoch--- id-1";

    memset(&answers, 0, sizeof(answers));
    answers.ok = true;
    answers.n = n;
    memcpy(answers.epoch.c, "epoch---epoch---", TT_EPOCH_BYTES);
    for (int i = 0; i < n; i++)
        answers.replies[i] = (tt_reply){TT_REPLY_TEXT, tt_str_c(tag)};
    if (n == 3)
        answers.replies[0].text = tt_str_c(name);
}

static const char ours[] = "T1 version-version- epoch---epoch--- P\n1000";

/* The answers to the marks of `op`, which are in place. */
static void answer_marks(const tt_write_op *op)
{
    static char marked[200];

    (void)snprintf(marked, sizeof(marked),
                   "T1 version-version- epoch---epoch--- P %.16s,99999,id-1,7", op->nonce.c);
    answer(3, marked);
}

static const char many[] = "0-1:6,0-2:7,0-3:8,0-4:9,0-5:10,0-6:11,0-7:12,0-8:13,0-9:14,0"
                           "-10:15,0-11:16,0-12:17,0-13:18,0-14:19,0-15:20,0-16:21,0-17:"
                           "22,0-18:23,0-19:24,0-20:25,0-21:26,0-22:27,0-23:28,0-24:29,0"
                           "-25:30,0-26:31,0-27:32,0-28:33,0-29:34,0-30:35,0-31:36,0-32:"
                           "37,0-33:38,0-34:39,0-35:40,0-36:41,0-37:42,0-38:43,0-39:44";

/* A position for which there was no memory is P: in the bump, in what is left to the background. */
START_TEST(a_position_that_is_lost_is_unknown)
{
    tt_write_request rq = {.tag_keys = tags, .n_tags = 2, .deadline_ns = INT64_MAX};
    tt_write_op op;
    tt_repair *r;
    tt_act act;

    begin(&op, &rq, &act);
    answer_marks(&op);
    step(&op, (tt_event){.cache = &answers}, &act, TT_DO_EXECUTE);
    core.a = op.position.a = &failing;
    fails_after = 1; /* the term is written, the points are not */
    step(&op, (tt_event){.position = tt_str_c(many), .rows_changed = true}, &act, TT_DO_CACHE);
    ck_assert(op.position.failed);
    ck_assert(tt_str_eq(act.batch.cmds[0].args[3], TT_STR("P")));
    fails_after = -1;
    answers.ok = false;
    step(&op, (tt_event){.cache = &answers}, &act, TT_DO_DONE);
    ck_assert_int_eq(op.invalidation, TT_INVALIDATION_OUTSTANDING);
    r = TT_CONTAINER(core.repairs.next, tt_repair, link);
    ck_assert(tt_str_eq(tt_buf_str(&r->position), TT_STR("P")));
    tt_write_finish(&op);
}
END_TEST

/* A tag of a later protocol is not bumped by the script: the repair is not done. */
START_TEST(a_repair_is_done_when_its_tags_are)
{
    static const struct {
        const char *tag;
        bool ok;
    } cases[] = {{ours, true}, {"absent", true}, {"T2 what comes later", false}};

    for (size_t i = 0; i < TT_COUNT(cases); i++) {
        tt_repair *r =
            tt_core_repair(&core, TT_STR("id-1"), 7, nonce_of(TERM), TT_STR("P"), tags, 2);
        tt_repair_op op;
        tt_event ev = {.cache = &answers};
        tt_act act;

        ck_assert_ptr_nonnull(r);
        ck_assert_ptr_eq(tt_repair_next(&core, 1), r);
        tt_repair_init(&op, &core, r);
        tt_repair_step(&op, &ev, &act);
        ck_assert_int_eq(act.what, TT_DO_CACHE);
        answer(2, cases[i].tag);
        tt_repair_step(&op, &ev, &act);
        ck_assert_int_eq(act.what, TT_DO_DONE);
        ck_assert_int_eq(op.ok, cases[i].ok);
        tt_repair_finish(&op, 1);
    }
    ck_assert_int_eq(core.n_repairs, 1);
}
END_TEST

/* A mark outlives the call that made it, however long that may take. */
START_TEST(a_mark_outlives_its_call)
{
    static const struct {
        int64_t timeout_ms;
        const char *mark_ms;
    } cases[] = {{1000, "5000"}, {60000, "61000"}, {3600000, "3601000"}};

    for (size_t i = 0; i < TT_COUNT(cases); i++) {
        tt_write_request rq = {
            .tag_keys = tags, .n_tags = 2, .deadline_ns = 10 + cases[i].timeout_ms * TT_NS_PER_MS};
        tt_write_op op;
        tt_act act;

        begin(&op, &rq, &act);
        ck_assert(tt_str_eq(act.batch.cmds[1].args[1], tt_str_c(cases[i].mark_ms)));
        tt_write_finish(&op);
    }
}
END_TEST

/* While a mark may name a connection, whoever settles it kills that. */
START_TEST(a_connection_that_a_mark_names_is_used_by_nobody_else)
{
    tt_write_request rq = {.tag_keys = tags, .n_tags = 2, .deadline_ns = INT64_MAX};
    tt_write_op op;
    tt_act act;

    for (int i = 0; i < 2; i++) { /* 0: the bump was not acknowledged; 1: the withdrawal was not */
        tt_event done = {.position = TT_STR("0-1:6"), .rows_changed = true};
        tt_event refused = {.db = TT_DB_REFUSED, .code = TT_E_SQL};

        begin(&op, &rq, &act);
        answer_marks(&op);
        step(&op, (tt_event){.cache = &answers}, &act, TT_DO_EXECUTE);
        step(&op, i ? refused : done, &act, TT_DO_CACHE);
        answers.ok = false;
        step(&op, (tt_event){.cache = &answers}, &act, TT_DO_DONE);
        ck_assert(op.discard);
        tt_write_finish(&op);
    }
    /* The term names another server: marks that cannot be withdrawn stay behind. */
    begin(&op, &rq, &act);
    answer_marks(&op);
    answers.replies[0].text = TT_STR("T1 " TERM " epoch---epoch--- id-2");
    step(&op, (tt_event){.cache = &answers}, &act, TT_DO_CACHE);
    answers.ok = false;
    step(&op, (tt_event){.cache = &answers}, &act, TT_DO_DISCOVER);
    ck_assert(act.discard && !op.discard);
    tt_write_finish(&op);
    /* Everything is acknowledged: it is free. */
    begin(&op, &rq, &act);
    answer_marks(&op);
    step(&op, (tt_event){.cache = &answers}, &act, TT_DO_EXECUTE);
    step(&op, (tt_event){.db = TT_DB_REFUSED, .code = TT_E_SQL}, &act, TT_DO_CACHE);
    answer(2, ours);
    step(&op, (tt_event){.cache = &answers}, &act, TT_DO_DONE);
    ck_assert(!op.discard);
    tt_write_finish(&op);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("write");

    tcase_add_checked_fixture(t, set_up, tear_down);
    tcase_add_test(t, what_commits_by_itself_is_not_deferred);
    tcase_add_test(t, what_was_not_sent_leaves_nothing_behind);
    tcase_add_test(t, a_write_that_is_late_is_told_so);
    tcase_add_test(t, withdrawals_do_not_pile_up);
    tcase_add_test(t, a_position_that_is_lost_is_unknown);
    tcase_add_test(t, a_repair_is_done_when_its_tags_are);
    tcase_add_test(t, a_mark_outlives_its_call);
    tcase_add_test(t, a_connection_that_a_mark_names_is_used_by_nobody_else);
    return suite_run("write_steps", t);
}
