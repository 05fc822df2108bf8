#include "unit/suite.h"

#include <locale.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/list.h"
#include "base/rng.h"

START_TEST(every_code_has_class_name_and_text)
{
    for (int code = 0; code >= TT_E_CANCELLED; code--) {
        ck_assert_str_ne(tt_error_name(code), "TT_E_?");
        ck_assert(strlen(tt_error_text(code)) > 0);
        ck_assert_int_eq(tt_error_class(code) == TT_CLASS_NONE, code == 0);
    }
    ck_assert_int_eq(tt_error_class(1), TT_CLASS_INTERNAL);
    ck_assert_int_eq(tt_error_class(TT_E_CANCELLED - 1), TT_CLASS_INTERNAL);
    ck_assert_str_eq(tt_error_name(TT_E_CANCELLED - 1), "TT_E_?");
}
END_TEST

START_TEST(fail_fills_and_returns)
{
    tt_error e = TT_ERROR_INIT;

    e.server_errno = 7;
    ck_assert_int_eq(tt_fail(&e, TT_E_RANGE, "row %d", 3), TT_E_RANGE);
    ck_assert_int_eq(e.code, TT_E_RANGE);
    ck_assert_str_eq(e.message, "row 3");
    ck_assert_uint_eq(e.server_errno, 0);
    ck_assert_int_eq(tt_fail_nomem(NULL), TT_E_NOMEM);
}
END_TEST

START_TEST(numbers_are_read_whole_or_not_at_all)
{
    static const struct {
        const char *text;
        bool ok;
        uint64_t value;
    } rows[] = {{"0", true, 0},
                {"18446744073709551615", true, UINT64_MAX},
                {"18446744073709551616", false, 0},
                {"", false, 0},
                {"-1", false, 0},
                {" 1", false, 0},
                {"1x", false, 0},
                {"007", true, 7}};

    for (size_t i = 0; i < TT_COUNT(rows); i++) {
        uint64_t v = 0;

        ck_assert_int_eq(tt_str_u64(tt_str_c(rows[i].text), &v), rows[i].ok);
        ck_assert_uint_eq(v, rows[i].value);
    }
}
END_TEST

START_TEST(numbers_have_a_point_in_every_locale)
{
    static const struct {
        const char *shown, *expected;
    } rows[] = {{"1,5", "1.5"},
                {"-1\xd9\xab"
                 "25e-07",
                 "-1.25e-07"},
                {"1.5", "1.5"},
                {"nan", "nan"},
                {"-inf", "-inf"},
                {"12", "12"}};
    static const char make[] = "localedef -i de_DE -f UTF-8 %s/de_DE.UTF-8 2>/dev/null";
    char text[TT_DOUBLE_CHARS], command[128], dir[] = "/tmp/tt-locale-XXXXXX";

    for (size_t i = 0; i < TT_COUNT(rows); i++) {
        (void)snprintf(text, sizeof(text), "%s", rows[i].shown);
        ck_assert_int_eq(tt_str_point(text), (int)strlen(rows[i].expected));
        ck_assert_str_eq(text, rows[i].expected);
    }
    ck_assert_ptr_nonnull(mkdtemp(dir));
    (void)snprintf(command, sizeof(command), make, dir);
    if (system(command) == 0 && setenv("LOCPATH", dir, 1) == 0 &&
        setlocale(LC_ALL, "de_DE.UTF-8")) {
        (void)snprintf(text, sizeof(text), "%.1f", 1.5);
        ck_assert_str_eq(text, "1,5");
    } else {
        puts("no locale with a comma can be made here");
    }
    ck_assert_int_eq(tt_str_double(text, 17, -0.1), 20);
    ck_assert_str_eq(text, "-0.10000000000000001");
    ck_assert_int_eq(tt_str_double(text, 6, 1234567.5), 11);
    ck_assert_str_eq(text, "1.23457e+06");
    ck_assert_int_lt(tt_str_double(text, 17, -1.7976931348623157e308), TT_DOUBLE_CHARS);
    (void)snprintf(command, sizeof(command), "rm -r %s", dir);
    ck_assert_int_eq(system(command), 0);
}
END_TEST

START_TEST(cut_walks_fields)
{
    tt_str s = TT_STR("a,,b");

    ck_assert(tt_str_eq(tt_str_cut(&s, ','), TT_STR("a")));
    ck_assert(tt_str_eq(tt_str_cut(&s, ','), TT_STR("")));
    ck_assert_ptr_nonnull(s.p);
    ck_assert(tt_str_eq(tt_str_cut(&s, ','), TT_STR("b")));
    ck_assert_ptr_null(s.p);
    ck_assert(tt_str_eq(tt_str_trim(TT_STR(" \tx y\n")), TT_STR("x y")));
    ck_assert(tt_str_eq_nocase(TT_STR("SeLect"), TT_STR("sELECT")));
    ck_assert_int_lt(tt_str_cmp(TT_STR("a"), TT_STR("ab")), 0);
    ck_assert_int_gt(tt_str_cmp(TT_STR("b"), TT_STR("ab")), 0);
    ck_assert(tt_str_has_prefix(TT_STR("abc"), TT_STR("ab")));
}
END_TEST

struct failing {
    int left;
};

static void *failing_alloc(void *ctx, size_t n)
{
    struct failing *f = ctx;

    return f->left-- > 0 ? malloc(n) : NULL;
}

static void *failing_resize(void *ctx, void *p, size_t n)
{
    struct failing *f = ctx;

    return f->left-- > 0 ? realloc(p, n) : NULL;
}

static void failing_release(void *ctx, void *p)
{
    (void)ctx;
    free(p);
}

START_TEST(buffer_remembers_failure)
{
    struct failing f = {1};
    tt_allocator a = {failing_alloc, failing_resize, failing_release, &f};
    tt_buf b = tt_buf_init(&a);
    size_t n;
    char *p;

    tt_buf_printf(&b, "%s-%d", "x", 12);
    tt_buf_put_u64(&b, UINT64_MAX);
    ck_assert_str_eq(tt_buf_cstr(&b), "x-1218446744073709551615");
    ck_assert(!tt_buf_reserve(&b, 1000));
    tt_buf_puts(&b, "more");
    ck_assert(b.failed);
    ck_assert_ptr_null(tt_buf_cstr(&b));
    tt_buf_clear(&b);
    tt_buf_put_le64(&b, 0x0102030405060708);
    ck_assert_mem_eq(b.p, "\x08\x07\x06\x05\x04\x03\x02\x01", 8);
    p = tt_buf_take(&b, &n);
    ck_assert_uint_eq(n, 8);
    tt_del(&a, p);
    tt_buf_free(&b);
}
END_TEST

START_TEST(allocator_edges)
{
    const tt_allocator *a = &tt_allocator_libc;
    char *s = tt_strndup(a, "abc", 2);
    void *p = tt_new_array(a, 3, 8);

    ck_assert_str_eq(s, "ab");
    tt_del(a, s);
    ck_assert_ptr_nonnull(p);
    tt_del(a, p);
    p = tt_new_array(a, SIZE_MAX, 2);
    ck_assert_ptr_null(p);
    tt_del(a, NULL);
}
END_TEST

START_TEST(lists_keep_order)
{
    tt_link list, other, x, y, z;

    tt_list_init(&list);
    tt_list_init(&other);
    tt_list_append(&list, &x);
    tt_list_append(&other, &y);
    tt_list_append(&other, &z);
    tt_list_splice(&list, &other);
    ck_assert(tt_list_empty(&other));
    tt_list_remove(&y);
    tt_list_remove(&y);
    ck_assert_ptr_eq(tt_list_pop(&list), &x);
    ck_assert_ptr_eq(tt_list_pop(&list), &z);
    ck_assert_ptr_null(tt_list_pop(&list));
}
END_TEST

START_TEST(nonces_differ_and_have_their_alphabet)
{
    tt_nonce a = tt_nonce_new(&tt_rng_kernel), b = tt_nonce_new(&tt_rng_kernel);
    unsigned char ones[12];

    memset(ones, 0xff, sizeof(ones));
    ck_assert_mem_ne(a.c, b.c, TT_NONCE_BYTES);
    for (int i = 0; i < TT_NONCE_BYTES; i++)
        ck_assert_int_eq(tt_nonce_of(ones).c[i], '-');
}
END_TEST

START_TEST(deadlines_round_up)
{
    ck_assert_int_eq(tt_until_ms(5, 5), 0);
    ck_assert_int_eq(tt_until_ms(5, 4), 0);
    ck_assert_int_eq(tt_until_ms(0, 1), 1);
    ck_assert_int_eq(tt_until_ms(0, TT_NS_PER_MS), 1);
    ck_assert_int_eq(tt_until_ms(0, INT64_MAX), INT32_MAX);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("base");

    tcase_set_timeout(t, 120); /* making a locale takes seconds */

    tcase_add_test(t, every_code_has_class_name_and_text);
    tcase_add_test(t, fail_fills_and_returns);
    tcase_add_test(t, numbers_are_read_whole_or_not_at_all);
    tcase_add_test(t, numbers_have_a_point_in_every_locale);
    tcase_add_test(t, cut_walks_fields);
    tcase_add_test(t, buffer_remembers_failure);
    tcase_add_test(t, allocator_edges);
    tcase_add_test(t, lists_keep_order);
    tcase_add_test(t, nonces_differ_and_have_their_alphabet);
    tcase_add_test(t, deadlines_round_up);
    return suite_run("base", t);
}
