#include "unit/suite.h"

#include "base/mem.h"
#include "core/flight.h"

static int references;

static void *retain(void *r)
{
    references++;
    return r;
}

static void release(void *r)
{
    (void)r;
    references--;
}

static tt_stamp stamp_of(char c)
{
    char version[TT_NONCE_BYTES];
    tt_stamp s;

    memset(version, c, sizeof(version));
    tt_stamp_init(&s, 1);
    tt_stamp_set(&s, 0, tt_str_n(version, sizeof(version)));
    return s;
}

START_TEST(shared_by_the_same_versions_only)
{
    static tt_flights f;
    tt_hash128 key = {1, 2};
    tt_stamp one = stamp_of('a'), other = stamp_of('b');
    bool leads, also, joins = true;
    tt_flight *load, *same, *another;
    tt_waiter w;
    tt_link woken;

    tt_list_init(&woken);
    tt_waiter_init(&w, NULL);
    tt_flights_init(&f, &tt_allocator_libc, retain, release);
    load = tt_flight_enter(&f, key, &one, &leads);
    another = tt_flight_enter(&f, key, &other, &also);
    same = tt_flight_enter(&f, key, &one, &joins);
    ck_assert(leads && also && !joins && load == same && load != another);
    tt_flight_wait(same, &w);
    tt_flight_finish(&f, load, true, &references, TT_STR("as of"), &woken);
    tt_flight_finish(&f, another, false, NULL, TT_STR(""), &woken);
    ck_assert(woken.next == &w.link);
    ck_assert(same->ok && tt_str_eq(tt_buf_str(&same->as_of), TT_STR("as of")));
    ck_assert_int_eq(references, 1);
    tt_flight_leave(&f, load);
    tt_flight_leave(&f, same);
    tt_flight_leave(&f, another);
    ck_assert_int_eq(references, 0);
    same = tt_flight_enter(&f, key, &one, &leads); /* what is done is joined by nobody */
    ck_assert(leads);
    tt_flight_finish(&f, same, false, NULL, TT_STR(""), &woken);
    tt_flight_leave(&f, same);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("flight");

    tcase_add_test(t, shared_by_the_same_versions_only);
    return suite_run("flight", t);
}
