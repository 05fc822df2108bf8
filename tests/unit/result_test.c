#include "unit/suite.h"

#include <pthread.h>

#include "core/result.h"
#include "unit/columns_table.h"

/* Columns i INT, u UINT, d DOUBLE, n DECIMAL, t TEXT, at DATETIME; two rows, the second all NULL.
 */
static tt_buf encoded(const tt_allocator *a)
{
    static const tt_type types[] = {TT_TYPE_INT,     TT_TYPE_UINT, TT_TYPE_DOUBLE,
                                    TT_TYPE_DECIMAL, TT_TYPE_TEXT, TT_TYPE_DATETIME};
    static const char *const names[] = {"i", "u", "d", "n", "Text", "at"};
    tt_time at = {23, 999999, 2024, 2, 29, 59, 58, 0, 0};
    tt_value row[] = {tt_int(-5),          tt_uint(UINT64_MAX), tt_double(0.5),
                      tt_decimal("-1.50"), tt_text("ab"),       tt_time_of(TT_TYPE_DATETIME, at)};
    tt_columns_builder b;
    tt_buf out = tt_buf_init(a);

    tt_columns_builder_init(&b, a, 0);
    ck_assert_int_eq(tt_columns_builder_shape(&b, TT_COUNT(types)), 0);
    for (size_t i = 0; i < TT_COUNT(types); i++) {
        tt_columns_describe(&b, i, types[i], tt_str_c(names[i]));
        columns_put(&b, i, &row[i]);
    }
    ck_assert_int_eq(tt_columns_end_row(&b), 0);
    for (size_t i = 0; i < TT_COUNT(types); i++)
        tt_columns_put_null(&b, i);
    ck_assert_int_eq(tt_columns_end_row(&b), 0);
    ck_assert_int_eq(tt_columns_finish(&b, &out), 0);
    tt_columns_builder_free(&b);
    return out;
}

static tt_result *sample(void)
{
    tt_buf b = encoded(&tt_allocator_libc);
    tt_result *r = NULL;

    ck_assert_int_eq(tt_result_copy(&tt_allocator_libc, tt_buf_str(&b), &r), 0);
    ck_assert(tt_str_eq(tt_result_encoded(r), tt_buf_str(&b)));
    tt_buf_free(&b);
    return r;
}

START_TEST(shape_and_names)
{
    tt_result *r = sample();

    ck_assert_uint_eq(tt_result_rows(r), 2);
    ck_assert_uint_eq(tt_result_columns(r), 6);
    ck_assert_str_eq(tt_result_name(r, 4), "Text");
    ck_assert_ptr_null(tt_result_name(r, 6));
    ck_assert_int_eq(tt_result_type(r, 3), TT_TYPE_DECIMAL);
    ck_assert_int_eq(tt_result_type(r, 6), TT_TYPE_NULL);
    ck_assert_int_eq(tt_result_find(r, "tEXT"), 4);
    ck_assert_int_eq(tt_result_find(r, "tex"), -1);
    ck_assert_int_eq(tt_result_find(r, NULL), -1);
    ck_assert(!tt_result_is_null(r, 0, 0));
    ck_assert(tt_result_is_null(r, 1, 0));
    ck_assert(tt_result_is_null(r, 2, 0));
    ck_assert(tt_result_is_null(r, 0, 6));
    tt_result_free(r);
}
END_TEST

START_TEST(nothing_is_an_empty_result)
{
    int64_t i = 7;

    tt_result_free(NULL);
    ck_assert_ptr_null(tt_result_ref(NULL));
    ck_assert_uint_eq(tt_result_rows(NULL), 0);
    ck_assert_int_eq(tt_result_int(NULL, 0, 0, &i), TT_E_RANGE);
    ck_assert_int_eq(i, 7);
}
END_TEST

START_TEST(values)
{
    tt_result *r = sample();
    const char *p;
    size_t n;
    int64_t i;
    uint64_t u;
    double d;
    tt_time t;

    ck_assert_int_eq(tt_result_int(r, 0, 0, &i), 0);
    ck_assert_int_eq(i, -5);
    ck_assert_int_eq(tt_result_uint(r, 0, 1, &u), 0);
    ck_assert_uint_eq(u, UINT64_MAX);
    ck_assert_int_eq(tt_result_double(r, 0, 2, &d), 0);
    ck_assert_double_eq(d, 0.5);
    ck_assert_int_eq(tt_result_double(r, 0, 0, &d), 0);
    ck_assert_double_eq(d, -5.0);
    ck_assert_int_eq(tt_result_double(r, 0, 1, &d), 0);
    ck_assert_double_eq(d, 18446744073709551616.0);
    ck_assert_int_eq(tt_result_bytes(r, 0, 3, &p, &n), 0);
    ck_assert_str_eq(p, "-1.50");
    ck_assert_uint_eq(n, 5);
    ck_assert_int_eq(tt_result_bytes(r, 0, 4, &p, NULL), 0);
    ck_assert_str_eq(p, "ab");
    ck_assert_int_eq(tt_result_time(r, 0, 5, &t), 0);
    ck_assert_uint_eq(t.micros, 999999);
    ck_assert_uint_eq(t.day, 29);
    tt_result_free(r);
}
END_TEST

START_TEST(refusals_leave_outputs_alone)
{
    tt_result *r = sample();
    const char *p = NULL;
    int64_t i = 7;
    uint64_t u = 7;
    double d = 7;
    tt_time t;

    ck_assert_int_eq(tt_result_int(r, 0, 1, &i), TT_E_RANGE);
    ck_assert_int_eq(tt_result_uint(r, 0, 0, &u), TT_E_RANGE);
    ck_assert_int_eq(tt_result_int(r, 2, 0, &i), TT_E_RANGE);
    ck_assert_int_eq(tt_result_int(r, 0, 6, &i), TT_E_RANGE);
    ck_assert_int_eq(tt_result_int(r, 1, 0, &i), TT_E_NULL);
    ck_assert_int_eq(tt_result_int(r, 0, 2, &i), TT_E_TYPE);
    ck_assert_int_eq(tt_result_uint(r, 0, 4, &u), TT_E_TYPE);
    ck_assert_int_eq(tt_result_double(r, 0, 3, &d), TT_E_TYPE);
    ck_assert_int_eq(tt_result_bytes(r, 0, 0, &p, NULL), TT_E_TYPE);
    ck_assert_int_eq(tt_result_time(r, 0, 0, &t), TT_E_TYPE);
    ck_assert_int_eq(tt_result_int(r, 0, 0, NULL), TT_E_ARGUMENT);
    ck_assert(i == 7 && u == 7 && !(d < 7) && !p);
    tt_result_free(r);
}
END_TEST

START_TEST(whole_columns)
{
    tt_result *r = sample();
    tt_column c = TT_COLUMN_INIT, old = TT_COLUMN_INIT;

    old.size = 0;
    ck_assert_int_eq(tt_result_column(r, 0, &old), TT_E_ARGUMENT);
    ck_assert_int_eq(tt_result_column(r, 6, &c), TT_E_RANGE);
    ck_assert_int_eq(tt_result_column(r, 0, &c), 0);
    ck_assert_uint_eq(c.rows, 2);
    ck_assert_uint_eq(c.validity[0], 1);
    ck_assert_int_eq(((const int64_t *)c.values)[0], -5);
    ck_assert_ptr_null(c.offsets);
    ck_assert_int_eq(tt_result_column(r, 4, &c), 0);
    ck_assert_uint_eq(c.offsets[1], 3);
    ck_assert_uint_eq((uintptr_t)c.values % 8, 0);
    tt_result_free(r);
}
END_TEST

START_TEST(bytes_are_taken_on_success_only)
{
    counting k = {SIZE_MAX, 0, 0};
    tt_allocator a = counting_allocator(&k);
    tt_buf b = encoded(&a);
    tt_result *r = NULL;
    size_t n;
    char *p = tt_buf_take(&b, &n);

    ck_assert_int_eq(tt_result_new(&a, p, n - 8, &r), TT_E_ARGUMENT);
    k.left = 0;
    ck_assert_int_eq(tt_result_new(&a, p, n, &r), TT_E_NOMEM);
    ck_assert_ptr_null(r);
    k.left = 1;
    ck_assert_int_eq(tt_result_new(&a, p, n, &r), 0);
    memset(&a, 0, sizeof(a)); /* the result has its own */
    ck_assert_uint_eq(tt_result_rows(r), 2);
    tt_result_free(r);
    ck_assert_uint_eq(k.live, 0);
}
END_TEST

START_TEST(a_copy_is_one_allocation)
{
    counting k = {SIZE_MAX, 0, 0};
    tt_allocator a = counting_allocator(&k);
    tt_buf b = encoded(&tt_allocator_libc);
    char *odd = malloc(b.n + 1);
    tt_result *r = NULL;

    memcpy(odd + 1, b.p, b.n); /* as in the middle of a reply */
    ck_assert_int_eq(tt_result_copy(&a, (tt_str){odd + 1, b.n}, &r), 0);
    ck_assert_uint_eq(k.calls, 1);
    free(odd);
    ck_assert_uint_eq(tt_result_columns(r), 6);
    tt_result_free(r);
    ck_assert_uint_eq(k.live, 0);
    r = NULL;
    ck_assert_int_eq(tt_result_copy(&a, (tt_str){b.p, b.n - 1}, &r), TT_E_ARGUMENT);
    ck_assert_int_eq(tt_result_copy(&a, TT_STR(""), &r), TT_E_ARGUMENT);
    k.left = 0;
    ck_assert_int_eq(tt_result_copy(&a, tt_buf_str(&b), &r), TT_E_NOMEM);
    ck_assert_ptr_null(r);
    ck_assert_uint_eq(k.live, 0);
    tt_buf_free(&b);
}
END_TEST

static void *use_and_free(void *ctx)
{
    tt_result *r = ctx;
    int64_t i = 0;

    for (int n = 0; n < 10000; n++) {
        tt_result_free(tt_result_ref(r));
        ck_assert_int_eq(tt_result_int(r, 0, 0, &i), 0);
    }
    tt_result_free(r);
    return NULL;
}

START_TEST(threads_share_a_result)
{
    tt_result *r = sample();
    pthread_t thread[4];

    for (size_t i = 0; i < TT_COUNT(thread); i++)
        ck_assert_int_eq(pthread_create(&thread[i], NULL, use_and_free, tt_result_ref(r)), 0);
    tt_result_free(r);
    for (size_t i = 0; i < TT_COUNT(thread); i++)
        ck_assert_int_eq(pthread_join(thread[i], NULL), 0);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("result");

    tcase_add_test(t, shape_and_names);
    tcase_add_test(t, nothing_is_an_empty_result);
    tcase_add_test(t, values);
    tcase_add_test(t, refusals_leave_outputs_alone);
    tcase_add_test(t, whole_columns);
    tcase_add_test(t, bytes_are_taken_on_success_only);
    tcase_add_test(t, a_copy_is_one_allocation);
    tcase_add_test(t, threads_share_a_result);
    return suite_run("result", t);
}
