#include "unit/suite.h"

#include "unit/columns_table.h"

static const tt_allocator *const libc = &tt_allocator_libc;

static tt_buf encode(uint64_t seed)
{
    table t = table_of(seed);
    tt_buf out = tt_buf_init(libc);

    ck_assert_int_eq(table_encode(&t, libc, 0, &out), 0);
    return out;
}

static void check_table(const table *t, const tt_columns *v)
{
    char scratch[TABLE_BYTES_MAX];

    ck_assert_uint_eq(v->columns, t->columns);
    ck_assert_uint_eq(v->rows, t->rows);
    for (size_t c = 0; c < t->columns; c++) {
        ck_assert_uint_eq(strlen(tt_columns_name(v, c)), TT_MIN(c, strlen("column-name")));
        ck_assert_int_eq(tt_columns_type(v, c), table_type(t, c));
        for (size_t r = 0; r < t->rows; r++) {
            tt_value want = table_value(t, r, c, scratch), got = tt_columns_value(v, r, c);

            ck_assert_msg(value_eq(&want, &got), "seed %lu row %zu column %zu", t->seed, r, c);
            ck_assert_int_eq(tt_columns_is_null(v, r, c), want.type == TT_TYPE_NULL);
        }
    }
}

START_TEST(random_tables_come_back)
{
    for (int seed = 1; seed <= suite_rounds(3000); seed++) {
        table t = table_of((uint64_t)seed);
        tt_buf out = encode((uint64_t)seed);
        tt_columns v;

        ck_assert_uint_eq(out.n % TT_COLUMNS_ALIGN, 0);
        ck_assert_uint_eq(out.n, out.cap);
        ck_assert_int_eq(tt_columns_open(tt_buf_str(&out), &v), 0);
        check_table(&t, &v);
        tt_buf_free(&out);
    }
}
END_TEST

START_TEST(a_builder_is_used_again)
{
    tt_columns_builder b;
    tt_buf first = tt_buf_init(libc), second = tt_buf_init(libc);
    tt_value big = tt_blob(calloc(1, 300000), 300000);

    tt_columns_builder_init(&b, libc, 0);
    ck_assert_int_eq(tt_columns_builder_shape(&b, 1), 0);
    tt_columns_describe(&b, 0, TT_TYPE_BLOB, TT_STR("x"));
    columns_put(&b, 0, &big);
    ck_assert_int_eq(tt_columns_end_row(&b), 0);
    ck_assert_int_eq(tt_columns_finish(&b, &first), 0);
    tt_columns_builder_clear(&b, 0);
    ck_assert_uint_eq(b.column[0].values.cap, 0);
    tt_columns_put_bytes(&b, 0, TT_STR("abc"));
    ck_assert_int_eq(tt_columns_end_row(&b), 0);
    ck_assert_int_eq(tt_columns_finish(&b, &second), 0);
    ck_assert_uint_lt(second.n, 100);
    tt_columns_builder_free(&b);
    tt_buf_free(&first);
    tt_buf_free(&second);
    free((void *)(uintptr_t)big.as.bytes.p);
}
END_TEST

START_TEST(bytes_are_followed_by_a_zero)
{
    tt_columns_builder b;
    tt_buf out = tt_buf_init(libc);
    tt_columns v;

    tt_columns_builder_init(&b, libc, 0);
    ck_assert_int_eq(tt_columns_builder_shape(&b, 1), 0);
    tt_columns_describe(&b, 0, TT_TYPE_TEXT, TT_STR("t"));
    tt_columns_put_bytes(&b, 0, TT_STR("ab"));
    ck_assert_int_eq(tt_columns_end_row(&b), 0);
    tt_columns_put_bytes(&b, 0, TT_STR(""));
    ck_assert_int_eq(tt_columns_end_row(&b), 0);
    memcpy(tt_columns_put_room(&b, 0, 1), "c", 1);
    ck_assert_int_eq(tt_columns_end_row(&b), 0);
    ck_assert_int_eq(tt_columns_finish(&b, &out), 0);
    ck_assert_int_eq(tt_columns_open(tt_buf_str(&out), &v), 0);
    ck_assert_ptr_null(tt_columns_validity(&v, 0));
    ck_assert_str_eq(tt_columns_value(&v, 0, 0).as.bytes.p, "ab");
    ck_assert_str_eq(tt_columns_value(&v, 1, 0).as.bytes.p, "");
    ck_assert_str_eq(tt_columns_value(&v, 2, 0).as.bytes.p, "c");
    tt_columns_builder_free(&b);
    tt_buf_free(&out);
}
END_TEST

START_TEST(limits_hold_while_it_grows)
{
    tt_columns_builder b;
    tt_buf out = tt_buf_init(libc);

    tt_columns_builder_init(&b, libc, 1000);
    ck_assert_int_eq(tt_columns_builder_shape(&b, 0), TT_E_LIMIT);
    ck_assert_int_eq(tt_columns_builder_shape(&b, TT_COLUMNS_MAX + 1), TT_E_LIMIT);
    ck_assert_int_eq(tt_columns_builder_shape(&b, 1), 0);
    tt_columns_describe(&b, 0, TT_TYPE_BLOB, TT_STR("x"));
    ck_assert_ptr_null(tt_columns_put_room(&b, 0, SIZE_MAX));
    ck_assert_int_eq(tt_columns_end_row(&b), TT_E_LIMIT);
    tt_columns_builder_clear(&b, 1000);
    ck_assert_ptr_nonnull(tt_columns_put_room(&b, 0, 900));
    ck_assert_int_eq(tt_columns_end_row(&b), 0);
    ck_assert_ptr_null(tt_columns_put_room(&b, 0, 100));
    ck_assert_int_eq(tt_columns_end_row(&b), TT_E_LIMIT);
    ck_assert_int_eq(tt_columns_finish(&b, &out), TT_E_LIMIT);
    ck_assert_uint_eq(b.rows, 1);
    tt_columns_builder_free(&b);
    tt_buf_free(&out);
}
END_TEST

START_TEST(limit_is_the_exact_size)
{
    for (uint64_t seed = 1; seed <= 200; seed++) {
        table t = table_of(seed);
        tt_buf out = encode(seed), again = tt_buf_init(libc);

        ck_assert_int_eq(table_encode(&t, libc, out.n, &again), 0);
        ck_assert_int_eq(table_encode(&t, libc, out.n - 1, &again), TT_E_LIMIT);
        tt_buf_free(&out);
        tt_buf_free(&again);
    }
}
END_TEST

/* Read everything that a view offers; the sanitizers watch. */
static uint64_t touch(const tt_columns *v)
{
    uint64_t sum = 0;

    for (size_t c = 0; c < v->columns; c++) {
        sum += strlen(tt_columns_name(v, c));
        for (size_t r = 0; r < v->rows; r++) {
            tt_value x = tt_columns_value(v, r, c);

            if (x.type == TT_TYPE_TEXT || x.type == TT_TYPE_BLOB || x.type == TT_TYPE_DECIMAL)
                sum += ((const char *)x.as.bytes.p)[x.as.bytes.n] == '\0';
        }
    }
    return sum;
}

START_TEST(cut_buffers_are_refused)
{
    tt_buf whole = encode(7);

    for (size_t n = 0; n < whole.n; n++) {
        char *cut = malloc(n + 1);
        tt_columns v;

        if (n)
            memcpy(cut, whole.p, n);
        ck_assert_int_eq(tt_columns_open((tt_str){cut, n}, &v), TT_E_ARGUMENT);
        if (n >= 24) { /* with a size that agrees */
            memcpy(cut + 16, &(uint64_t){n}, 8);
            if (tt_columns_open((tt_str){cut, n}, &v) == 0)
                (void)touch(&v);
        }
        free(cut);
    }
    tt_buf_free(&whole);
}
END_TEST

START_TEST(altered_buffers_are_refused_or_harmless)
{
    static const unsigned char marks[] = {0x00, 0x01, 0x07, 0x08, 0x7f, 0x80, 0xff};

    for (int seed = 1; seed <= suite_rounds(40); seed++) {
        tt_buf b = encode((uint64_t)seed);

        for (size_t at = 0; at < b.n; at++) {
            char was = b.p[at];

            for (size_t i = 0; i < TT_COUNT(marks); i++) {
                tt_columns v;

                b.p[at] = (char)marks[i];
                if (tt_columns_open(tt_buf_str(&b), &v) == 0)
                    (void)touch(&v);
            }
            b.p[at] = was;
        }
        tt_buf_free(&b);
    }
}
END_TEST

static void put32(tt_buf *b, size_t at, uint32_t v)
{
    memcpy(b->p + at, &v, sizeof(v));
}

/* One text column "c" with the rows "x" and NULL. */
static tt_buf small_text(void)
{
    tt_columns_builder b;
    tt_buf out = tt_buf_init(libc);

    tt_columns_builder_init(&b, libc, 0);
    ck_assert_int_eq(tt_columns_builder_shape(&b, 1), 0);
    tt_columns_describe(&b, 0, TT_TYPE_TEXT, TT_STR("c"));
    tt_columns_put_bytes(&b, 0, TT_STR("x"));
    ck_assert_int_eq(tt_columns_end_row(&b), 0);
    tt_columns_put_null(&b, 0);
    ck_assert_int_eq(tt_columns_end_row(&b), 0);
    ck_assert_int_eq(tt_columns_finish(&b, &out), 0);
    tt_columns_builder_free(&b);
    return out;
}

static const struct {
    const char *what;
    size_t at;
    uint32_t value;
} hostile[] = {{"magic", 0, 0},
               {"version", 0, 0x32435454},
               {"no columns", 4, 0},
               {"many columns", 4, UINT32_MAX},
               {"more columns than bytes", 4, 5},
               {"many rows", 8, UINT32_MAX},
               {"too many rows", 12, 1},
               {"one row more", 8, 3},
               {"size", 16, 8},
               {"huge size", 20, 1},
               {"unknown type", 24, TT_TYPE_TIME + 1},
               {"huge type", 24, UINT32_MAX},
               {"name in the header", 28, 8},
               {"name at the end", 28, UINT32_MAX},
               {"name without a zero", 32, 8},
               {"name too long", 32, UINT32_MAX},
               {"validity unaligned", 36, 57},
               {"validity beyond", 36, UINT32_MAX - 7},
               {"values unaligned", 40, 81},
               {"values beyond", 40, 4096},
               {"values in the header", 40, 0},
               {"offsets beyond", 44, 4096},
               {"no offsets", 44, 0},
               {"offsets of an integer", 24, TT_TYPE_INT},
               {"first offset", 64, 1},
               {"offsets fall", 68, 3},
               {"empty value without a zero", 68, 0},
               {"last offset beyond", 72, 4096},
               {"no zero after the value", 68, 1}};

START_TEST(hostile_fields_are_refused)
{
    tt_buf b = small_text();
    tt_columns v;

    ck_assert_int_eq(tt_columns_open(tt_buf_str(&b), &v), 0);
    /* the places below are those of this buffer */
    ck_assert_uint_eq(v.column[0].name, 48);
    ck_assert_uint_eq(v.column[0].validity, 56);
    ck_assert_uint_eq(v.column[0].offsets, 64);
    ck_assert_uint_eq(v.column[0].values, 80);
    put32(&b, hostile[_i].at, hostile[_i].value);
    ck_assert_msg(tt_columns_open(tt_buf_str(&b), &v) == TT_E_ARGUMENT, "%s", hostile[_i].what);
    tt_buf_free(&b);
}
END_TEST

START_TEST(unaligned_buffers_are_refused)
{
    tt_buf b = small_text();
    char *p = malloc(b.n + 1);
    tt_columns v;

    memcpy(p + 1, b.p, b.n);
    ck_assert_int_eq(tt_columns_open((tt_str){p + 1, b.n}, &v), TT_E_ARGUMENT);
    free(p);
    tt_buf_free(&b);
}
END_TEST

START_TEST(a_null_column_is_all_null)
{
    tt_columns_builder b;
    tt_buf out = tt_buf_init(libc);
    tt_columns v;

    tt_columns_builder_init(&b, libc, 0);
    ck_assert_int_eq(tt_columns_builder_shape(&b, 1), 0);
    tt_columns_describe(&b, 0, TT_TYPE_NULL, TT_STR("NULL"));
    for (int i = 0; i < 9; i++) {
        tt_columns_put_null(&b, 0);
        ck_assert_int_eq(tt_columns_end_row(&b), 0);
    }
    ck_assert_int_eq(tt_columns_finish(&b, &out), 0);
    ck_assert_int_eq(tt_columns_open(tt_buf_str(&out), &v), 0);
    ck_assert_ptr_null(tt_columns_values(&v, 0));
    ck_assert(tt_columns_is_null(&v, 8, 0));
    out.p[v.column[0].validity] = 1;
    ck_assert_int_eq(tt_columns_open(tt_buf_str(&out), &v), TT_E_ARGUMENT);
    tt_columns_builder_free(&b);
    tt_buf_free(&out);
}
END_TEST

START_TEST(every_allocation_may_fail)
{
    table t = table_of(11);
    counting k = {SIZE_MAX, 0, 0};
    tt_allocator a = counting_allocator(&k);
    tt_buf out = tt_buf_init(&a);
    size_t calls;

    ck_assert_int_eq(table_encode(&t, &a, 0, &out), 0);
    calls = k.calls;
    ck_assert_uint_gt(calls, 10);
    tt_buf_free(&out);
    for (size_t i = 0; i < calls; i++) {
        k.left = i;
        ck_assert_int_eq(table_encode(&t, &a, 0, &out), TT_E_NOMEM);
        tt_buf_free(&out);
        ck_assert_uint_eq(k.live, 0);
    }
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("columns");

    tcase_set_timeout(t, 60);
    tcase_add_test(t, random_tables_come_back);
    tcase_add_test(t, a_builder_is_used_again);
    tcase_add_test(t, bytes_are_followed_by_a_zero);
    tcase_add_test(t, limits_hold_while_it_grows);
    tcase_add_test(t, limit_is_the_exact_size);
    tcase_add_test(t, cut_buffers_are_refused);
    tcase_add_test(t, altered_buffers_are_refused_or_harmless);
    tcase_add_loop_test(t, hostile_fields_are_refused, 0, (int)TT_COUNT(hostile));
    tcase_add_test(t, unaligned_buffers_are_refused);
    tcase_add_test(t, a_null_column_is_all_null);
    tcase_add_test(t, every_allocation_may_fail);
    return suite_run("columns", t);
}
