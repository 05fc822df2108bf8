#include "unit/suite.h"

#include <string.h>

#include "base/rng.h"
#include "core/breaker.h"

#define SEED UINT64_C(20260730)
#define MS TT_NS_PER_MS

static const tt_breaker_config config = {3, 100 * MS, 1000 * MS};

static tt_breaker fresh(void)
{
    tt_breaker b;

    tt_breaker_init(&b, &config, SEED);
    return b;
}

/* The first time after `now_ns` at which a call may go; it then is the probe. */
static int64_t wait_for_probe(tt_breaker *b, int64_t now_ns)
{
    for (int64_t ms = 0; ms < 2000; ms++)
        if (tt_breaker_allow(b, now_ns + ms * MS))
            return ms;
    return -1;
}

START_TEST(opens_after_failures_in_a_row)
{
    tt_breaker b = fresh();

    ck_assert(tt_breaker_quiet(&b));
    tt_breaker_fail(&b, 0, false);
    tt_breaker_fail(&b, 0, false);
    ck_assert(tt_breaker_allow(&b, 0) && !tt_breaker_quiet(&b));
    tt_breaker_ok(&b, 0);
    ck_assert(tt_breaker_quiet(&b));
    tt_breaker_fail(&b, 0, false);
    tt_breaker_fail(&b, 0, false);
    ck_assert_int_eq(b.state, TT_BREAKER_CLOSED);
    tt_breaker_fail(&b, 0, false);
    ck_assert_int_eq(b.state, TT_BREAKER_OPEN);
    ck_assert(!tt_breaker_allow(&b, 0) && !tt_breaker_quiet(&b));
    ck_assert_uint_eq(b.n_opened, 1);
    ck_assert_uint_eq(b.n_refused, 1);
}
END_TEST

START_TEST(opens_at_once_when_refused)
{
    tt_breaker b = fresh();

    tt_breaker_fail(&b, 0, true);
    ck_assert(!tt_breaker_allow(&b, 74 * MS));
    ck_assert(tt_breaker_allow(&b, 100 * MS));
}
END_TEST

START_TEST(one_probe_at_a_time)
{
    tt_breaker b = fresh();

    tt_breaker_fail(&b, 0, true);
    ck_assert(tt_breaker_allow(&b, 100 * MS));
    ck_assert_int_eq(b.state, TT_BREAKER_HALF_OPEN);
    ck_assert(!tt_breaker_allow(&b, 100 * MS));
    ck_assert(!tt_breaker_allow(&b, 199 * MS));
    tt_breaker_ok(&b, 150 * MS);
    ck_assert(tt_breaker_quiet(&b) && tt_breaker_allow(&b, 150 * MS));
}
END_TEST

START_TEST(a_lost_probe_is_replaced)
{
    tt_breaker b = fresh();

    tt_breaker_fail(&b, 0, true);
    ck_assert(tt_breaker_allow(&b, 100 * MS));
    ck_assert(tt_breaker_allow(&b, 200 * MS));
    ck_assert(!tt_breaker_allow(&b, 201 * MS));
    tt_breaker_unused(&b, 210 * MS);
    ck_assert_int_eq(b.state, TT_BREAKER_OPEN);
    ck_assert(tt_breaker_allow(&b, 210 * MS));
}
END_TEST

START_TEST(late_reports_change_nothing_while_open)
{
    tt_breaker b = fresh();
    int64_t until_ns;

    tt_breaker_fail(&b, 0, true);
    until_ns = b.until_ns;
    tt_breaker_ok(&b, 1);
    tt_breaker_fail(&b, 2, true);
    tt_breaker_unused(&b, 3);
    ck_assert_int_eq(b.state, TT_BREAKER_OPEN);
    ck_assert_int_eq(b.until_ns, until_ns);
}
END_TEST

START_TEST(backs_off_with_jitter_up_to_the_maximum)
{
    static const int64_t spans_ms[] = {100, 200, 400, 800, 1000, 1000};
    tt_breaker b = fresh();
    int64_t now_ns = 0, seen[TT_COUNT(spans_ms)];

    for (size_t i = 0; i < TT_COUNT(spans_ms); i++) {
        tt_breaker_fail(&b, now_ns, true);
        seen[i] = wait_for_probe(&b, now_ns);
        ck_assert_int_ge(seen[i], spans_ms[i] * 3 / 4);
        ck_assert_int_le(seen[i], spans_ms[i]);
        now_ns += seen[i] * MS;
    }
    ck_assert_int_ne(seen[4], seen[5]);
    ck_assert_uint_eq(b.n_opened, 1);
    tt_breaker_ok(&b, now_ns);
    tt_breaker_fail(&b, now_ns, true);
    ck_assert_int_le(wait_for_probe(&b, now_ns), 100);
}
END_TEST

START_TEST(times_do_not_overflow)
{
    tt_breaker_config far = {1, INT64_MAX / 2, INT64_MAX};
    tt_breaker b;

    tt_breaker_init(&b, &far, SEED);
    tt_breaker_fail(&b, INT64_MAX - 1, false);
    ck_assert(!tt_breaker_allow(&b, INT64_MAX - 1));
    ck_assert(tt_breaker_allow(&b, INT64_MAX));
    tt_breaker_fail(&b, INT64_MAX - 1, false);
    ck_assert_int_eq(b.until_ns, INT64_MAX);
}
END_TEST

/* Random calls: never two probes within one open time, and a good side is used again. */
START_TEST(random_walk_keeps_its_promises)
{
    uint64_t seed = SEED;
    tt_breaker b = fresh();
    int64_t now_ns = 0, probe_ns = -1;

    for (int step = 0; step < suite_rounds(200000); step++) {
        tt_breaker_state before = b.state;
        bool quiet = tt_breaker_quiet(&b), went;

        now_ns += (int64_t)(tt_splitmix64(&seed) % (uint64_t)(20 * MS));
        went = tt_breaker_allow(&b, now_ns);
        ck_assert(went || before != TT_BREAKER_CLOSED);
        if (!went)
            continue;
        if (b.state == TT_BREAKER_HALF_OPEN) {
            ck_assert(probe_ns < 0 || before == TT_BREAKER_OPEN ||
                      now_ns - probe_ns >= config.open_min_ns);
            probe_ns = now_ns;
        }
        switch (tt_splitmix64(&seed) % 8) {
        case 0:
            tt_breaker_fail(&b, now_ns, true);
            ck_assert_int_eq(b.state, TT_BREAKER_OPEN);
            break;
        case 1:
        case 2:
            tt_breaker_fail(&b, now_ns, false);
            break;
        case 3:
            tt_breaker_unused(&b, now_ns);
            break;
        case 4:
            break; /* never reports */
        default:
            tt_breaker_ok(&b, now_ns);
            ck_assert(tt_breaker_quiet(&b));
            break;
        }
        ck_assert_int_le(b.open_ns, config.open_max_ns);
        if (quiet)
            ck_assert(before == TT_BREAKER_CLOSED);
    }
    while (!tt_breaker_allow(&b, now_ns))
        now_ns += MS;
    tt_breaker_ok(&b, now_ns);
    ck_assert(tt_breaker_quiet(&b));
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("breaker");

    tcase_set_timeout(t, 30);
    tcase_add_test(t, opens_after_failures_in_a_row);
    tcase_add_test(t, opens_at_once_when_refused);
    tcase_add_test(t, one_probe_at_a_time);
    tcase_add_test(t, a_lost_probe_is_replaced);
    tcase_add_test(t, late_reports_change_nothing_while_open);
    tcase_add_test(t, backs_off_with_jitter_up_to_the_maximum);
    tcase_add_test(t, times_do_not_overflow);
    tcase_add_test(t, random_walk_keeps_its_promises);
    return suite_run("breaker", t);
}
