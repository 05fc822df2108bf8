/* Steps of one read with a rule on and off, where no world of the simulation can show the rule. */
#include "unit/core_support.h"

#include <stdio.h>

#include "core/barrier.h"
#include "core/read.h"

#define MS TT_NS_PER_MS

#define TERM "0123456789abcdef"
#define OLD_TERM "fedcba9876543210"
#define VERSION "versionversion11"
#define EPOCH "epochepochepoch1"

typedef struct bench {
    tt_rng rng;
    tt_core core;
    tt_str tag_key;
    tt_read_request rq;
    tt_read_op op;
    tt_act act;
    tt_answers answers;
    char tag[200], term[200];
    tt_buf entry;
} bench;

static void sample(bench *b, int node, int64_t now_ns)
{
    tt_sample s = sample_of(node ? "id-2" : "id-1", node != 0, now_ns);

    s.inspected = s.threads_running = s.lag_known = true;
    s.replica = node != 0;
    s.source = node ? TT_STR("id-1") : TT_STR("");
    ck_assert_int_eq(tt_topology_sampled(&b->core.topology, node, &s, now_ns), 0);
}

/* A primary and a replica that has all of it; a read of one tag. */
static void set_up(bench *b, tt_rules off)
{
    tt_core_config cfg = {.cache = true,
                          .intent = true,
                          .mark_timeout_ms = 1000,
                          .lease_ms = 100,
                          .tag_ttl_ms = 1000,
                          .term_key = TT_STR("term")};

    memset(b, 0, sizeof(*b));
    b->rng = (tt_rng){fill_alike, NULL};
    core_with_primary(&b->core, &tt_allocator_libc, &b->rng, &cfg, TERM, 1 * MS);
    tt_core_set_rules(&b->core, off);
    ck_assert_int_eq(tt_topology_add(&b->core.topology, "b", 1), 1);
    for (int i = 2; i < 5; i++) {
        sample(b, 1, i * MS);
        sample(b, 0, i * MS + 1);
    }
    b->tag_key = TT_STR("tag");
    b->rq = (tt_read_request){.cached = true,
                              .entry_key = TT_STR("entry"),
                              .key_bytes = TT_STR("this read"),
                              .tag_keys = &b->tag_key,
                              .n_tags = 1,
                              .ttl_ms = 1000,
                              .deadline_ns = 1000 * MS,
                              .entry_max_bytes = 1000};
    b->entry = tt_buf_init(&tt_allocator_libc);
    tt_read_init(&b->op, &b->core, &b->rq, NULL);
    tt_read_step(&b->op, &(tt_event){0}, 6 * MS, &b->act);
    ck_assert_int_eq(b->act.what, TT_DO_CACHE);
}

static void tear_down(bench *b)
{
    tt_read_finish(&b->op);
    tt_buf_free(&b->entry);
    tt_core_free(&b->core);
}

/* The answers to the lookup: the tag and the term of a protocol each, and at the key of the entry
 * what is given; none when that is empty. */
static void answer_with(bench *b, char tag_protocol, char term_protocol, const char *barrier,
                        tt_str found)
{
    (void)snprintf(b->term, sizeof(b->term), "T%c " TERM " " EPOCH " id-1", term_protocol);
    (void)snprintf(b->tag, sizeof(b->tag), "T%c " VERSION " " EPOCH " %s", tag_protocol, barrier);
    b->answers.ok = true;
    b->answers.epoch = epoch_of(EPOCH);
    b->answers.n = 3;
    b->answers.replies[0] = (tt_reply){found.n ? TT_REPLY_TEXT : TT_REPLY_NIL, found};
    b->answers.replies[1] = (tt_reply){TT_REPLY_TEXT, tt_str_c(b->term)};
    b->answers.replies[2] = (tt_reply){TT_REPLY_TEXT, tt_str_c(b->tag)};
    tt_read_step(&b->op, &(tt_event){.cache = &b->answers}, 6 * MS, &b->act);
}

/* The same with an entry of those tags. */
static void answer(bench *b, char tag_protocol, char term_protocol, const char *barrier,
                   const char *key)
{
    tt_stamp stamp;
    tt_entry e = {.key = tt_str_c(key), .payload = TT_STR("rows")};

    tt_stamp_init(&stamp, 2);
    tt_stamp_set(&stamp, 0, TT_STR(TERM));
    tt_stamp_set(&stamp, 1, TT_STR(VERSION));
    e.stamp = tt_stamp_str(&stamp);
    tt_entry_write(&e, &b->entry);
    answer_with(b, tag_protocol, term_protocol, barrier, tt_buf_str(&b->entry));
}

/* After a miss: take the lease, if it is asked for; what is done then. */
static void miss(bench *b)
{
    char lease[100];

    ck_assert_int_eq(b->act.what, TT_DO_SHARED);
    tt_read_step(&b->op, &(tt_event){0}, 6 * MS, &b->act);
    if (b->act.what != TT_DO_CACHE)
        return;
    ck_assert(tt_str_eq(b->act.batch.cmds[0].args[0], TT_STR("lease")));
    (void)snprintf(lease, sizeof(lease), "L1 %.16s x", b->op.token.c);
    b->answers.n = 1;
    b->answers.replies[0] = (tt_reply){TT_REPLY_TEXT, tt_str_c(lease)};
    tt_read_step(&b->op, &(tt_event){.cache = &b->answers}, 6 * MS, &b->act);
}

START_TEST(an_entry_of_other_key_bytes_is_no_hit)
{
    for (int off = 0; off < 2; off++) {
        bench b;

        set_up(&b, off ? TT_RULE_BIT(TT_RULE_KEY_BYTES) : 0);
        answer(&b, '1', '1', "P", "another read");
        ck_assert_int_eq(b.op.is_hit, off);
        tear_down(&b);
        set_up(&b, 0);
        answer(&b, '1', '1', "P", "this read");
        ck_assert(b.op.is_hit);
        tear_down(&b);
    }
}
END_TEST

/* What a later release means by a version or a mark, nobody here can know. */
START_TEST(with_a_later_protocol_a_read_goes_around_the_cache)
{
    static const char *const protocols[] = {"21", "12", "22"};

    for (int i = 0; i < 3 * 2; i++) {
        bool off = i % 2;
        bench b;

        set_up(&b, off ? TT_RULE_BIT(TT_RULE_LATER_PROTOCOL) : 0);
        answer(&b, protocols[i / 2][0], protocols[i / 2][1], "P", "this read");
        ck_assert_int_eq(b.op.is_hit, off);
        if (!off) {
            miss(&b);
            ck_assert_int_eq(b.act.what, TT_DO_PROVE); /* not even a lease */
            ck_assert(b.op.no_store && !b.op.leased && !b.op.flight);
        }
        tear_down(&b);
    }
}
END_TEST

START_TEST(a_barrier_of_another_term_counts_as_p)
{
    char barrier[100];

    for (int i = 0; i < 2 * 2; i++) {
        bool off = i % 2, other = i / 2;
        bench b;

        (void)snprintf(barrier, sizeof(barrier), "%s@0-1:5", other ? OLD_TERM : TERM);
        set_up(&b, off ? TT_RULE_BIT(TT_RULE_BARRIER_OF_TERM) : 0);
        answer(&b, '1', '1', barrier, "another read");
        miss(&b);
        ck_assert_int_eq(b.act.what, other && !off ? TT_DO_PROVE : TT_DO_READ);
        if (b.act.what == TT_DO_READ) {
            ck_assert_int_eq(b.act.node, 1);
            tt_node_end(&b.core.topology.nodes[1], 0);
        }
        tear_down(&b);
    }
}
END_TEST

/* The lease was asked for beside the rows, and nothing was heard of it: it may have been granted,
 * and would keep others waiting. */
START_TEST(a_lease_that_was_not_heard_of_is_given_back)
{
    for (int i = 0; i < 2; i++) {
        tt_event ev = {.db = TT_DB_LOCAL, .code = -1};
        bench b;

        set_up(&b, 0);
        answer_with(&b, '1', '1', TERM "@0-1:5", TT_STR(""));
        miss(&b);
        ck_assert_int_eq(b.act.what, TT_DO_READ);
        ck_assert_int_eq(b.act.batch.n, 1);
        ck_assert(tt_str_eq(b.act.batch.cmds[0].args[0], TT_STR("lease")));
        b.answers.ok = i;
        b.answers.replies[0] = (tt_reply){TT_REPLY_TEXT, TT_STR("L1 of-another-token x")};
        ev.cache = &b.answers;
        tt_read_step(&b.op, &ev, 7 * MS, &b.act);
        ck_assert_int_eq(b.act.what, i ? TT_DO_DONE : TT_DO_POST);
        if (!i)
            ck_assert(tt_str_eq(b.act.batch.cmds[0].args[0], TT_STR("release")));
        tear_down(&b);
    }
}
END_TEST

/* Another process has the lease, and died with it: half of the time is left for reading oneself. */
START_TEST(the_load_of_another_is_not_waited_for_to_the_end)
{
    static const char others[] = "L1 of-another-token x";
    int64_t now_ns = 6 * MS;
    bench b;

    set_up(&b, 0);
    b.rq.deadline_ns = 106 * MS;
    do {
        answer_with(&b, '1', '1', TERM "@0-1:5", tt_str_c(others));
        ck_assert_int_eq(b.act.what, TT_DO_SHARED);
        tt_read_step(&b.op, &(tt_event){0}, now_ns, &b.act);
        ck_assert_int_eq(b.act.what, TT_DO_CACHE);
        b.answers.n = 1;
        b.answers.replies[0] = (tt_reply){TT_REPLY_TEXT, tt_str_c(others)};
        tt_read_step(&b.op, &(tt_event){.cache = &b.answers}, now_ns, &b.act);
        if (b.act.what == TT_DO_PARK) {
            ck_assert_int_le(b.act.until_ns, 56 * MS);
            now_ns = b.act.until_ns;
            tt_read_step(&b.op, &(tt_event){0}, now_ns, &b.act);
        }
    } while (b.act.what == TT_DO_CACHE);
    ck_assert_int_eq(b.act.what, TT_DO_READ);
    ck_assert_int_ge(now_ns, 20 * MS);
    tt_node_end(&b.core.topology.nodes[1], 0);
    tear_down(&b);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("read");

    tcase_add_test(t, an_entry_of_other_key_bytes_is_no_hit);
    tcase_add_test(t, with_a_later_protocol_a_read_goes_around_the_cache);
    tcase_add_test(t, a_barrier_of_another_term_counts_as_p);
    tcase_add_test(t, a_lease_that_was_not_heard_of_is_given_back);
    tcase_add_test(t, the_load_of_another_is_not_waited_for_to_the_end);
    return suite_run("read", t);
}
