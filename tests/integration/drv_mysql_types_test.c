/* Values of every type, there and back. */
#include "integration/types_table.h"

static tt_db_conn *lenient(void)
{
    tt_db_conn *c = open_to("PRIMARY");

    run(c, "SET SESSION sql_mode = ''");
    run(c, "DROP TABLE IF EXISTS k");
    return c;
}

static void check_type(const struct type_row *t)
{
    tt_db_conn *c = lenient();
    tt_buf sql = tt_buf_init(libc);
    rows r;

    tt_buf_printf(&sql, "CREATE TABLE k (id INT PRIMARY KEY, v %s)", t->column);
    run(c, tt_buf_cstr(&sql));
    tt_buf_clear(&sql);
    tt_buf_printf(&sql, "INSERT INTO k VALUES (1, %s), (2, %s), (3, NULL), (4, %s)", t->least,
                  t->most, t->least);
    run(c, tt_buf_cstr(&sql));
    for (int again = 0; again < 2; again++) {
        tt_value least, most;

        r = get(c, "SELECT v, id FROM k ORDER BY id", NULL, 0);
        ck_assert_uint_eq(r.view.rows, 4);
        least = tt_columns_value(&r.view, 0, 0);
        most = tt_columns_value(&r.view, 1, 0);
        check_value(t, &least, false);
        check_value(t, &most, true);
        ck_assert(tt_columns_is_null(&r.view, 2, 0));
        least = tt_columns_value(&r.view, 3, 0);
        check_value(t, &least, false);
        ck_assert_int_eq(tt_columns_value(&r.view, 3, 1).as.i, 4);
        drop(&r);
    }
    tt_buf_free(&sql);
    db->close(c);
}

START_TEST(each_type_comes_back)
{
    check_type(&types[_i]);
}
END_TEST

START_TEST(each_type_of_mariadb_comes_back)
{
    if (is_mariadb())
        check_type(&mariadb_types[_i]);
}
END_TEST

START_TEST(geometry_comes_back)
{
    tt_db_conn *c = lenient();
    tt_value v;
    rows r;

    run(c, "CREATE TABLE k (g GEOMETRY, p POINT)");
    run(c, "INSERT INTO k VALUES (ST_GeomFromText('POINT(1 2)'), NULL), "
           "(NULL, ST_GeomFromText('POINT(1 2)'))");
    r = get(c, "SELECT g, p FROM k ORDER BY g IS NULL", NULL, 0);
    for (size_t i = 0; i < 2; i++) {
        v = tt_columns_value(&r.view, i, i);
        ck_assert_int_eq(v.type, TT_TYPE_BLOB);
        ck_assert(tt_str_eq(tt_str_n(v.as.bytes.p, v.as.bytes.n), tt_str_n(point, POINT_BYTES)));
        ck_assert(tt_columns_is_null(&r.view, i, 1 - i));
    }
    drop(&r);
    db->close(c);
}
END_TEST

/* To the bit. */
static void check_double(const rows *r, size_t row, size_t column, double want)
{
    tt_value v = tt_columns_value(&r->view, row, column);

    ck_assert_int_eq(v.type, TT_TYPE_DOUBLE);
    ck_assert(memcmp(&v.as.d, &want, sizeof(want)) == 0);
}

START_TEST(floats_are_widened_exactly)
{
    tt_db_conn *c = lenient();
    rows r;

    run(c, "CREATE TABLE k (f FLOAT, d DOUBLE)");
    run(c, "INSERT INTO k VALUES (0.1, 0.1), (-3.4e38, 1.7976931348623157e308)");
    r = get(c, "SELECT f, d FROM k ORDER BY d", NULL, 0);
    check_double(&r, 0, 0, 0.1f);
    check_double(&r, 0, 1, 0.1);
    check_double(&r, 1, 0, -3.4e38f);
    check_double(&r, 1, 1, 1.7976931348623157e308);
    drop(&r);
    db->close(c);
}
END_TEST

static void check_time(const rows *r, size_t row, size_t column, tt_time want)
{
    tt_value v = tt_columns_value(&r->view, row, column);

    ck_assert_int_ge(v.type, TT_TYPE_DATE);
    ck_assert_msg(memcmp(&v.as.t, &want, sizeof(want)) == 0,
                  "row %zu column %zu: %u-%u-%u %u:%u:%u.%u %u", row, column, v.as.t.year,
                  v.as.t.month, v.as.t.day, v.as.t.hours, v.as.t.minutes, v.as.t.seconds,
                  v.as.t.micros, v.as.t.negative);
}

static const tt_time t_date = {0, 0, 2024, 2, 29, 0, 0, 0, 0};
static const tt_time t_datetime = {23, 999999, 9999, 12, 31, 59, 59, 0, 0};
static const tt_time t_time = {838, 0, 0, 0, 0, 59, 59, 1, 0};
static const tt_time t_short = {1, 5, 0, 0, 0, 2, 3, 0, 0};
static const tt_time t_zero = {0, 0, 0, 0, 0, 0, 0, 0, 0};
static const tt_time t_partial = {0, 0, 2024, 0, 0, 0, 0, 0, 0};

START_TEST(dates_and_times_come_back)
{
    tt_db_conn *c = lenient();
    tt_value params[] = {tt_time_of(TT_TYPE_DATE, t_date), tt_time_of(TT_TYPE_DATETIME, t_datetime),
                         tt_time_of(TT_TYPE_TIME, t_time), tt_time_of(TT_TYPE_TIME, t_short)};
    tt_db_effect e;
    rows r;

    run(c, "CREATE TABLE k (id INT AUTO_INCREMENT PRIMARY KEY, d DATE, dt DATETIME(6), t TIME(6), "
           "u TIME(6), ts TIMESTAMP(3) NULL)");
    run(c, "INSERT INTO k VALUES (1, '2024-02-29', '9999-12-31 23:59:59.999999', '-838:59:59', "
           "'01:02:03.000005', '2024-02-29 01:02:03.004'), "
           "(2, '0000-00-00', '0000-00-00', '00:00:00', NULL, NULL), "
           "(3, '2024-00-00', '2024-00-00', NULL, NULL, NULL)");
    e = put(c, "INSERT INTO k (d, dt, t, u) VALUES (?, ?, ?, ?)", params, 4);
    ck_assert_uint_eq(e.insert_id, 4);
    ck_assert_uint_eq(e.affected_rows, 1);
    r = get(c, "SELECT d, dt, t, u, ts FROM k ORDER BY id", NULL, 0);
    for (size_t row = 0; row < 4; row += 3) {
        check_time(&r, row, 0, t_date);
        check_time(&r, row, 1, t_datetime);
        check_time(&r, row, 2, t_time);
        check_time(&r, row, 3, t_short);
    }
    check_time(&r, 0, 4, (tt_time){1, 4000, 2024, 2, 29, 2, 3, 0, 0});
    for (size_t column = 0; column < 3; column++)
        check_time(&r, 1, column, t_zero);
    check_time(&r, 2, 0, t_partial);
    check_time(&r, 2, 1, t_partial);
    ck_assert(tt_columns_is_null(&r.view, 2, 2));
    drop(&r);
    tt_buf_free(&e.position);
    db->close(c);
}
END_TEST

START_TEST(parameters_of_every_type)
{
    static const char insert[] = "INSERT INTO k VALUES (?, ?, ?, ?, ?, ?)";
    tt_db_conn *c = lenient();
    char *big = malloc(1 << 20);
    tt_value a[] = {tt_int(INT64_MIN), tt_uint(UINT64_MAX), tt_double(-0.5),
                    tt_decimal("1.5"), tt_text("short"),    tt_blob("\0\1", 2)};
    tt_value b[] = {tt_null(), tt_null(), tt_null(), tt_null(), tt_null(), tt_null()};
    tt_value d[] = {tt_int(INT64_MAX), tt_uint(0),       tt_double(1e300),
                    tt_text("2.5"),    tt_text("again"), tt_blob(big, 1 << 20)};
    rows r;

    memset(big, 'B', 1 << 20);
    run(c, "CREATE TABLE k (i BIGINT, u BIGINT UNSIGNED, f DOUBLE, n DECIMAL(10,3), t TEXT, "
           "b LONGBLOB)");
    for (int again = 0; again < 2; again++) {
        tt_db_effect e[] = {put(c, insert, a, 6), put(c, insert, b, 6), put(c, insert, d, 6)};

        for (size_t i = 0; i < TT_COUNT(e); i++)
            tt_buf_free(&e[i].position);
    }
    r = get(c, "SELECT * FROM k WHERE t = ? AND n = ?",
            (tt_value[]){tt_text("short"), tt_decimal("1.500")}, 2);
    ck_assert_uint_eq(r.view.rows, 2);
    ck_assert_int_eq(tt_columns_value(&r.view, 1, 0).as.i, INT64_MIN);
    ck_assert_uint_eq(tt_columns_value(&r.view, 1, 1).as.u, UINT64_MAX);
    ck_assert_str_eq(tt_columns_value(&r.view, 1, 3).as.bytes.p, "1.500");
    ck_assert_uint_eq(tt_columns_value(&r.view, 1, 5).as.bytes.n, 2);
    drop(&r);
    r = get(c, "SELECT * FROM k WHERE t = ? AND n = ?",
            (tt_value[]){tt_text("again"), tt_text("2.5")}, 2);
    ck_assert_uint_eq(r.view.rows, 2);
    ck_assert_uint_eq(tt_columns_value(&r.view, 1, 5).as.bytes.n, 1 << 20);
    ck_assert(memcmp(tt_columns_value(&r.view, 1, 5).as.bytes.p, big, 1 << 20) == 0);
    drop(&r);
    ck_assert_int_eq(number(c, "SELECT COUNT(*) FROM k WHERE i IS NULL AND b IS NULL"), 2);
    free(big);
    db->close(c);
}
END_TEST

START_TEST(a_long_text_after_another_is_its_own)
{
    tt_db_conn *c = open_to("PRIMARY");
    char text[200];

    memset(text, 'x', sizeof(text));
    for (size_t n = 60; n < 70; n++) {
        rows r;

        text[n - 1] = (char)('a' + n % 26);
        r = get(c, "SELECT ?", (tt_value[]){tt_text_n(text, n)}, 1);
        ck_assert(tt_str_eq(tt_str_n(tt_columns_value(&r.view, 0, 0).as.bytes.p,
                                     tt_columns_value(&r.view, 0, 0).as.bytes.n),
                            tt_str_n(text, n)));
        drop(&r);
    }
    db->close(c);
}
END_TEST

START_TEST(types_of_one_statement_change)
{
    tt_db_conn *c = open_to("PRIMARY");
    tt_value v[] = {tt_int(-1), tt_text("x"), tt_null(), tt_double(2.5), tt_uint(UINT64_MAX)};

    for (size_t i = 0; i < 3 * TT_COUNT(v); i++) {
        const tt_value *want = &v[i % TT_COUNT(v)];
        rows r = get(c, "SELECT CONCAT(?, '') AS s", want, 1);
        tt_value got = tt_columns_value(&r.view, 0, 0);

        ck_assert_int_eq(got.type == TT_TYPE_NULL, want->type == TT_TYPE_NULL);
        if (want->type == TT_TYPE_UINT)
            ck_assert_str_eq(got.as.bytes.p, "18446744073709551615");
        if (want->type == TT_TYPE_INT)
            ck_assert_str_eq(got.as.bytes.p, "-1");
        drop(&r);
    }
    db->close(c);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("drv_mysql_types");
    int rc;

    servers_up("--replicas 0 --redis 0");
    tcase_set_timeout(t, 30);
    tcase_add_loop_test(t, each_type_comes_back, 0, (int)TT_COUNT(types));
    tcase_add_loop_test(t, each_type_of_mariadb_comes_back, 0, (int)TT_COUNT(mariadb_types));
    tcase_add_test(t, geometry_comes_back);
    tcase_add_test(t, floats_are_widened_exactly);
    tcase_add_test(t, dates_and_times_come_back);
    tcase_add_test(t, parameters_of_every_type);
    tcase_add_test(t, a_long_text_after_another_is_its_own);
    tcase_add_test(t, types_of_one_statement_change);
    rc = suite_run("drv_mysql_types", t);
    servers_down();
    return rc;
}
