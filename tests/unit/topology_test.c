#include "unit/suite.h"

#include "base/mem.h"
#include "core/barrier.h"
#include "core/topology.h"

#define MS TT_NS_PER_MS

enum { PRIMARY, FIRST, SECOND, NODES };

static const tt_health_config health = {
    .max_lag_ms = 1000, .stale_after_ms = 2000, .recover_ms = 0};

/* What a prober finds; the primary's sample comes last, and vets the others. */
static void probe_all(tt_topology *t, int64_t now_ns)
{
    static const char *const ids[NODES] = {"id-1", "id-2", "id-3"};

    for (int i = NODES - 1; i >= 0; i--) {
        tt_sample s = {.identity = tt_str_c(ids[i]),
                       .read_only = i != PRIMARY,
                       .applied = TT_STR("0-1-5"),
                       .family = TT_FAMILY_MARIADB,
                       .inspected = true,
                       .replica = i != PRIMARY,
                       .threads_running = true,
                       .lag_known = true,
                       .source = i == PRIMARY ? TT_STR("") : TT_STR("id-1"),
                       .sent_ns = now_ns - i};

        ck_assert_int_eq(tt_topology_sampled(t, i, &s, now_ns), 0);
    }
}

static void set_up(tt_topology *t)
{
    tt_nonce term = {.c = "term"};

    tt_topology_init(t, &tt_allocator_libc, &health);
    for (int i = 0; i < NODES; i++)
        ck_assert_int_eq(tt_topology_add(t, i == PRIMARY ? "a" : i == FIRST ? "b" : "c", 1), i);
    probe_all(t, 1 * MS);
    ck_assert(tt_topology_adopt(t, term, TT_STR("id-1")));
    for (int i = 2; i < 5; i++)
        probe_all(t, i * 250 * MS);
}

static int choose(tt_topology *t, uint64_t *random, int64_t now_ns)
{
    return tt_topology_choose(t, TT_STR(""), 0, false, NULL, random, now_ns).node;
}

static void read_at(tt_topology *t, int node, int64_t took_ns)
{
    tt_node_begin(&t->nodes[node]);
    tt_node_end(&t->nodes[node], took_ns);
}

START_TEST(the_faster_replica_is_preferred)
{
    uint64_t random = 1;
    tt_topology t;

    set_up(&t);
    read_at(&t, FIRST, 1 * MS);
    read_at(&t, SECOND, 2 * MS);
    for (int i = 0; i < 100; i++)
        ck_assert_int_eq(choose(&t, &random, 1001 * MS), FIRST);
    tt_topology_free(&t);
}
END_TEST

/* Without load there is nothing in flight to tell them apart: a measurement of long ago must not.
 */
START_TEST(one_slow_read_does_not_keep_a_replica_out_for_good)
{
    uint64_t random = 1;
    tt_topology t;
    int served = 0;

    set_up(&t);
    read_at(&t, FIRST, 1 * MS);
    read_at(&t, SECOND, 50 * MS);
    for (int i = 5; i < 65; i++) {
        int node = choose(&t, &random, i * 250 * MS);

        served += node == SECOND;
        read_at(&t, node, 1 * MS);
        probe_all(&t, i * 250 * MS);
    }
    ck_assert_int_gt(served, 5);
    tt_topology_free(&t);
}
END_TEST

/* Is there a node known to have applied 0-1:5 of this term? */
static bool is_ready(tt_topology *t, tt_nonce term, int64_t now_ns)
{
    tt_buf need = tt_buf_init(&tt_allocator_libc);
    uint64_t random = 1;
    tt_choice c;

    tt_barrier_write(term, TT_STR("0-1:5"), &need);
    c = tt_topology_choose(t, tt_buf_str(&need), 0, false, NULL, &random, now_ns);
    tt_buf_free(&need);
    return c.node >= 0;
}

START_TEST(a_new_term_forgets_what_was_applied)
{
    tt_nonce term = {.c = "term"}, next = {.c = "next"};
    tt_topology t;

    for (int broken = 0; broken < 2; broken++) {
        set_up(&t);
        t.rules_off = broken ? TT_RULE_BIT(TT_RULE_TERM_CLEARS_APPLIED) : 0;
        ck_assert(is_ready(&t, term, 1000 * MS));
        ck_assert(tt_topology_adopt(&t, next, TT_STR("id-1")));
        /* The same number may stand for another transaction now. */
        ck_assert(is_ready(&t, next, 1000 * MS) == (broken == 1));
        tt_topology_free(&t);
    }
}
END_TEST

START_TEST(nobody_serves_unknown_history)
{
    tt_buf many = tt_buf_init(&tt_allocator_libc);
    tt_nonce term = {.c = "term"};
    uint64_t random = 1;
    tt_topology t;

    set_up(&t);
    ck_assert_int_eq(tt_topology_choose(&t, TT_STR("P"), 0, true, NULL, &random, 1200 * MS).node,
                     -1);
    /* A position of more sources than a barrier may have is no barrier. */
    tt_barrier_write(term, TT_STR("0-1:5"), &many);
    for (int i = 2; i < 400; i++)
        tt_buf_printf(&many, ",0-%d:5", i);
    ck_assert(tt_barrier_parse(tt_buf_str(&many)).p);
    ck_assert_int_eq(
        tt_topology_choose(&t, tt_buf_str(&many), 0, true, NULL, &random, 1200 * MS).node, -1);
    tt_buf_free(&many);
    tt_topology_free(&t);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("topology");

    tcase_add_test(t, the_faster_replica_is_preferred);
    tcase_add_test(t, one_slow_read_does_not_keep_a_replica_out_for_good);
    tcase_add_test(t, a_new_term_forgets_what_was_applied);
    tcase_add_test(t, nobody_serves_unknown_history);
    return suite_run("topology", t);
}
