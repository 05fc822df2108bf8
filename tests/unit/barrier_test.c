#include "unit/suite.h"

#include "base/mem.h"
#include "core/barrier.h"

#define T1 "aaaaaaaaaaaaaaaa"
#define T2 "bbbbbbbbbbbbbbbb"

START_TEST(what_is_not_valid_is_p)
{
    static const char *const texts[] = {"P",           "x",           T1,       T1 "@", T1 "@a:0",
                                        T1 "@b:1,a:1", T1 "@a:1,a:2", T1 "#a:1"};

    ck_assert(tt_barrier_parse(tt_str_c(texts[_i])).p);
}
END_TEST

START_TEST(merged)
{
    static const struct {
        const char *a, *b, *both;
    } rows[] = {
        {"", "", ""},
        {"", T1 "@a:1", T1 "@a:1"},
        {T1 "@a:1", T1 "@a:3,b:2", T1 "@a:3,b:2"},
        {T1 "@a:1", T2 "@a:1", "P"},
        {"P", T1 "@a:1", "P"},
        {"junk", "", "P"},
    };
    tt_buf out = tt_buf_init(&tt_allocator_libc);

    tt_barrier_merge(tt_str_c(rows[_i].a), tt_str_c(rows[_i].b), &out);
    ck_assert(tt_str_eq(tt_buf_str(&out), tt_str_c(rows[_i].both)));
    tt_buf_clear(&out);
    tt_barrier_merge(tt_str_c(rows[_i].b), tt_str_c(rows[_i].a), &out);
    ck_assert(tt_str_eq(tt_buf_str(&out), tt_str_c(rows[_i].both)));
    tt_buf_free(&out);
}
END_TEST

START_TEST(met_or_not)
{
    static const struct {
        const char *have, *need;
        bool met;
    } rows[] = {
        {"", "", true},
        {"P", "", true},
        {"", T1 "@a:1", false},
        {T1 "@a:2,b:1", T1 "@a:1", true},
        {T1 "@a:1", T1 "@a:2", false},
        {T2 "@a:5", T1 "@a:1", false},
        {T1 "@a:5", "P", false},
        {"P", "P", false},
    };

    ck_assert(tt_barrier_met(tt_str_c(rows[_i].have), tt_str_c(rows[_i].need)) == rows[_i].met);
}
END_TEST

START_TEST(written_and_raised)
{
    tt_buf out = tt_buf_init(&tt_allocator_libc);
    tt_nonce term;

    memcpy(term.c, T1, TT_NONCE_BYTES);
    tt_barrier_write(term, TT_STR(""), &out);
    ck_assert(tt_str_eq(tt_buf_str(&out), TT_STR("P")));
    tt_buf_clear(&out);
    tt_barrier_write(term, TT_STR("a:1"), &out);
    tt_barrier_raise(&out, TT_STR(T1 "@b:2"));
    ck_assert(tt_str_eq(tt_buf_str(&out), TT_STR(T1 "@a:1,b:2")));
    tt_barrier_raise(&out, TT_STR(T2 "@b:2"));
    ck_assert(tt_str_eq(tt_buf_str(&out), TT_STR("P")));
    tt_buf_free(&out);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("barrier");

    tcase_add_loop_test(t, what_is_not_valid_is_p, 0, 8);
    tcase_add_loop_test(t, merged, 0, 6);
    tcase_add_loop_test(t, met_or_not, 0, 8);
    tcase_add_test(t, written_and_raised);
    return suite_run("barrier", t);
}
