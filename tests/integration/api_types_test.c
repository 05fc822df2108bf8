/* Every column type the whole way: from the server, and through Redis and back, with equal values.
 */
#include "integration/api_support.h"
#include "integration/types_table.h"

enum { ROWS = 3, COLUMNS_MAX = 64, HITS_MS = 20000 };

/* One column of the table: of the two tables of types, or one of those below. */
static const struct type_row others[] = {
    {"FLOAT", TT_TYPE_DOUBLE, "0.1", "-3.4e38", 0, 0, NULL, NULL},
    {"DOUBLE", TT_TYPE_DOUBLE, "0.1", "1.7976931348623157e308", 0, 0, NULL, NULL},
    {"DATE", TT_TYPE_DATE, "'0000-00-00'", "'2024-02-29'", 0, 0, NULL, NULL},
    {"DATETIME(6)", TT_TYPE_DATETIME, "'2024-00-00'", "'9999-12-31 23:59:59.999999'", 0, 0, NULL,
     NULL},
    {"TIMESTAMP(3) NULL", TT_TYPE_DATETIME, "'2024-02-29 01:02:03.004'", "'2025-01-31 08:00:00.5'",
     0, 0, NULL, NULL},
    {"TIME(6)", TT_TYPE_TIME, "'-838:59:59'", "'01:02:03.000005'", 0, 0, NULL, NULL},
    {"GEOMETRY", TT_TYPE_BLOB, "ST_GeomFromText('POINT(1 2)')", "ST_GeomFromText('POINT(1 2)')", 0,
     0, NULL, NULL},
};

/* What the rows of `others` are, least and most. */
static const double doubles[2][2] = {{(double)0.1f, (double)-3.4e38f},
                                     {0.1, 1.7976931348623157e308}};
static const tt_time times[4][2] = {
    {{0, 0, 0, 0, 0, 0, 0, 0, 0}, {0, 0, 2024, 2, 29, 0, 0, 0, 0}},
    {{0, 0, 2024, 0, 0, 0, 0, 0, 0}, {23, 999999, 9999, 12, 31, 59, 59, 0, 0}},
    {{1, 4000, 2024, 2, 29, 2, 3, 0, 0}, {8, 500000, 2025, 1, 31, 0, 0, 0, 0}},
    {{838, 0, 0, 0, 0, 59, 59, 1, 0}, {1, 5, 0, 0, 0, 2, 3, 0, 0}},
};

static const struct type_row *columns[COLUMNS_MAX];
static size_t n_columns;

static void take_columns(const struct type_row *rows_of, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        ck_assert_uint_lt(n_columns, COLUMNS_MAX);
        columns[n_columns++] = &rows_of[i];
    }
}

/* The table every_type, a column for each: its least, its most, and NULL. */
static void table_new(void)
{
    tt_db_conn *c = open_to("PRIMARY");
    tt_buf create = tt_buf_init(libc), insert[ROWS];

    n_columns = 0;
    take_columns(types, TT_COUNT(types));
    if (is_mariadb())
        take_columns(mariadb_types, TT_COUNT(mariadb_types));
    take_columns(others, TT_COUNT(others));
    tt_buf_puts(&create, "CREATE TABLE every_type (id INT PRIMARY KEY");
    for (int i = 0; i < ROWS; i++) {
        insert[i] = tt_buf_init(libc);
        tt_buf_printf(&insert[i], "INSERT INTO every_type VALUES (%d", i);
    }
    for (size_t i = 0; i < n_columns; i++) {
        tt_buf_printf(&create, ", c%zu %s", i, columns[i]->column);
        tt_buf_printf(&insert[0], ", %s", columns[i]->least);
        tt_buf_printf(&insert[1], ", %s", columns[i]->most);
        tt_buf_puts(&insert[2], ", NULL");
    }
    run(c, "SET SESSION sql_mode = ''");
    run(c, "DROP TABLE IF EXISTS every_type");
    tt_buf_puts(&create, ") ROW_FORMAT = DYNAMIC");
    run(c, tt_buf_cstr(&create));
    for (int i = 0; i < ROWS; i++) {
        tt_buf_puts(&insert[i], ")");
        run(c, tt_buf_cstr(&insert[i]));
        tt_buf_free(&insert[i]);
    }
    await_replicas(c);
    tt_buf_free(&create);
    db->close(c);
}

/* ---- reading -----------------------------------------------------------------------------------
 */

static tt_result *read_all(tt_client *c, const char *cache_class, int32_t *source)
{
    tt_read_options o = TT_READ_OPTIONS_INIT;
    tt_read_info info = TT_READ_INFO_INIT;
    tt_result *r = NULL;

    o.cache_class = cache_class;
    EXPECT(tt_query_read(c, NULL, "SELECT * FROM every_type ORDER BY id", NULL, 0, &o, &r, &info,
                         &err),
           0);
    *source = info.source;
    return r;
}

/* The value as the public getters give it. */
static tt_value value_at(const tt_result *r, size_t row, size_t column)
{
    tt_value v = tt_null();
    const char *p = NULL;

    v.type = tt_result_type(r, column);
    switch (v.type) {
    case TT_TYPE_INT:
        ck_assert_int_eq(tt_result_int(r, row, column, &v.as.i), 0);
        break;
    case TT_TYPE_UINT:
        ck_assert_int_eq(tt_result_uint(r, row, column, &v.as.u), 0);
        break;
    case TT_TYPE_DOUBLE:
        ck_assert_int_eq(tt_result_double(r, row, column, &v.as.d), 0);
        break;
    case TT_TYPE_DATE:
    case TT_TYPE_DATETIME:
    case TT_TYPE_TIME:
        ck_assert_int_eq(tt_result_time(r, row, column, &v.as.t), 0);
        break;
    default:
        ck_assert_int_eq(tt_result_bytes(r, row, column, &p, &v.as.bytes.n), 0);
        v.as.bytes.p = p;
        break;
    }
    return v;
}

/* One of `others`, by its number there. */
static void check_other(size_t i, const tt_value *v, bool most)
{
    ck_assert_int_eq(v->type, others[i].type);
    if (v->type == TT_TYPE_DOUBLE)
        ck_assert(memcmp(&v->as.d, &doubles[i][most], sizeof(double)) == 0);
    else if (v->type == TT_TYPE_BLOB)
        ck_assert(tt_str_eq(tt_str_n(v->as.bytes.p, v->as.bytes.n), tt_str_n(point, POINT_BYTES)));
    else
        ck_assert_msg(memcmp(&v->as.t, &times[i - 2][most], sizeof(tt_time)) == 0, "%s",
                      others[i].column);
}

static void check_all(const tt_result *r)
{
    size_t known = n_columns - TT_COUNT(others);

    ck_assert_uint_eq(tt_result_rows(r), ROWS);
    ck_assert_uint_eq(tt_result_columns(r), n_columns + 1);
    for (size_t i = 0; i < n_columns; i++) {
        for (size_t row = 0; row < 2; row++) {
            tt_value v = value_at(r, row, i + 1);

            if (i < known)
                check_value(columns[i], &v, row == 1);
            else
                check_other(i - known, &v, row == 1);
        }
        ck_assert_msg(tt_result_is_null(r, 2, i + 1), "%s", columns[i]->column);
    }
}

/* Byte for byte: names, types, and the columns as they lie in memory. */
static void check_equal(const tt_result *a, const tt_result *b)
{
    for (size_t i = 0; i < tt_result_columns(a); i++) {
        ck_assert_str_eq(tt_result_name(a, i), tt_result_name(b, i));
        ck_assert_int_eq(tt_result_type(a, i), tt_result_type(b, i));
        for (size_t row = 0; row < ROWS; row++) {
            tt_value v, w;

            ck_assert_int_eq(tt_result_is_null(a, row, i), tt_result_is_null(b, row, i));
            if (tt_result_is_null(a, row, i))
                continue;
            v = value_at(a, row, i);
            w = value_at(b, row, i);
            if (v.type == TT_TYPE_TEXT || v.type == TT_TYPE_BLOB || v.type == TT_TYPE_DECIMAL)
                ck_assert(tt_str_eq(tt_str_n(v.as.bytes.p, v.as.bytes.n),
                                    tt_str_n(w.as.bytes.p, w.as.bytes.n)));
            else
                ck_assert(memcmp(&v.as, &w.as, sizeof(v.as)) == 0);
        }
    }
}

static void through_a_cache(tt_config *cfg, int32_t cache)
{
    tt_result *from_server, *hit;
    int32_t source;
    int64_t since;
    tt_client *c;

    config_put(cfg, "cache.entry_max_bytes", "16MiB");
    config_put(cfg, "cache.local.max_bytes", "2GiB"); /* a part of it has to hold the entry */
    c = client_of(cfg);
    from_server = read_all(c, NULL, &source);
    ck_assert_int_ge(source, TT_SOURCE_REPLICA);
    check_all(from_server);
    hit = read_all(c, "", &source);
    ck_assert_int_ge(source, TT_SOURCE_REPLICA);
    since = tt_now_ns(&tt_clock_system);
    while (source != cache) { /* entries are sent behind the caller's back */
        ck_assert_int_lt(elapsed_ms(since), HITS_MS);
        tt_result_free(hit);
        hit = read_all(c, "", &source);
    }
    check_all(hit);
    check_equal(from_server, hit);
    tt_result_free(from_server);
    tt_client_close(c);
    check_all(hit); /* it lives on */
    tt_result_free(hit);
}

START_TEST(through_redis)
{
    through_a_cache(config_new(), TT_SOURCE_REDIS);
}
END_TEST

START_TEST(through_the_process)
{
    tt_config *cfg = config_new();

    config_put(cfg, "cache.redis", "");
    config_put(cfg, "cache.scope", "process");
    through_a_cache(cfg, TT_SOURCE_LOCAL);
}
END_TEST

/* What one process has put there another one reads. */
START_TEST(through_another_process)
{
    tt_config *first = config_new(), *second = config_new();
    char name_space[64];
    tt_result *hit = NULL;
    int32_t source = TT_SOURCE_NONE;
    tt_client *a, *b;

    config_namespace(first, name_space, sizeof(name_space));
    config_put(second, "cache.namespace", name_space);
    config_put(first, "cache.entry_max_bytes", "16MiB");
    config_put(second, "cache.entry_max_bytes", "16MiB");
    a = client_of(first);
    b = client_of(second);
    for (int i = 0; i < 100 && source != TT_SOURCE_REDIS; i++) {
        hit = read_all(a, "", &source);
        tt_result_free(hit);
    }
    ck_assert_int_eq(source, TT_SOURCE_REDIS);
    hit = read_all(b, "", &source);
    ck_assert_int_eq(source, TT_SOURCE_REDIS); /* the first read of this client */
    check_all(hit);
    tt_result_free(hit);
    tt_client_close(a);
    tt_client_close(b);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("api_types");
    int rc;

    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, table_new, NULL);
    tcase_add_test(t, through_redis);
    tcase_add_test(t, through_the_process);
    tcase_add_test(t, through_another_process);
    servers_up("");
    rc = suite_run("api_types", t);
    servers_down();
    return rc;
}
