/* types_table.h: the column types with their extremes, for the driver and for the whole way. */
#ifndef TT_TEST_TYPES_TABLE_H
#define TT_TEST_TYPES_TABLE_H

#include "integration/drv_mysql_support.h"

/* sql literal, and what must come back */
static const struct type_row {
    const char *column;
    tt_type type;
    const char *least, *most;
    int64_t i_least, i_most;      /* integers */
    const char *s_least, *s_most; /* the rest; NULL: as the literal without its quotes */
} types[] = {
    {"TINYINT", TT_TYPE_INT, "-128", "127", -128, 127, NULL, NULL},
    {"TINYINT UNSIGNED", TT_TYPE_UINT, "0", "255", 0, 255, NULL, NULL},
    {"SMALLINT", TT_TYPE_INT, "-32768", "32767", -32768, 32767, NULL, NULL},
    {"SMALLINT UNSIGNED", TT_TYPE_UINT, "0", "65535", 0, 65535, NULL, NULL},
    {"MEDIUMINT UNSIGNED", TT_TYPE_UINT, "0", "16777215", 0, 16777215, NULL, NULL},
    {"MEDIUMINT", TT_TYPE_INT, "-8388608", "8388607", -8388608, 8388607, NULL, NULL},
    {"INT", TT_TYPE_INT, "-2147483648", "2147483647", INT32_MIN, INT32_MAX, NULL, NULL},
    {"INT UNSIGNED", TT_TYPE_UINT, "0", "4294967295", 0, UINT32_MAX, NULL, NULL},
    {"BIGINT", TT_TYPE_INT, "-9223372036854775808", "9223372036854775807", INT64_MIN, INT64_MAX,
     NULL, NULL},
    {"BIGINT UNSIGNED", TT_TYPE_UINT, "0", "18446744073709551615", 0, -1, NULL, NULL},
    {"YEAR", TT_TYPE_INT, "1901", "2155", 1901, 2155, NULL, NULL},
    {"YEAR", TT_TYPE_INT, "0000", "2000", 0, 2000, NULL, NULL},
    {"BIT(1)", TT_TYPE_UINT, "0", "1", 0, 1, NULL, NULL},
    {"BIT(9)", TT_TYPE_UINT, "256", "511", 256, 511, NULL, NULL},
    {"BIT(64)", TT_TYPE_UINT, "0", "18446744073709551615", 0, -1, NULL, NULL},
    {"DECIMAL(65,30)", TT_TYPE_DECIMAL,
     "-99999999999999999999999999999999999.999999999999999999999999999999",
     "0.000000000000000000000000000001", 0, 0, NULL, NULL},
    {"DECIMAL(65,0)", TT_TYPE_DECIMAL,
     "-99999999999999999999999999999999999999999999999999999999999999999", "7", 0, 0, NULL, NULL},
    {"CHAR(5) CHARACTER SET utf8mb4", TT_TYPE_TEXT, "''", "'\xf0\x9f\x98\x80z'", 0, 0, NULL, NULL},
    {"VARCHAR(300) CHARACTER SET utf8mb4", TT_TYPE_TEXT, "REPEAT('x', 256)", "REPEAT('y', 257)", 0,
     0, "x256", "y257"},
    {"TEXT", TT_TYPE_TEXT, "''", "REPEAT('z', 65535)", 0, 0, "", "z65535"},
    {"TINYTEXT", TT_TYPE_TEXT, "''", "REPEAT('t', 255)", 0, 0, "", "t255"},
    {"MEDIUMTEXT", TT_TYPE_TEXT, "'q'", "REPEAT('m', 65536)", 0, 0, "q", "m65536"},
    {"LONGTEXT", TT_TYPE_TEXT, "'q'", "REPEAT('l', 1048576)", 0, 0, "q", "l1048576"},
    {"BINARY(3)", TT_TYPE_BLOB, "'abc'", "'xyz'", 0, 0, NULL, NULL},
    {"VARBINARY(300)", TT_TYPE_BLOB, "''", "REPEAT('b', 300)", 0, 0, "", "b300"},
    {"TINYBLOB", TT_TYPE_BLOB, "''", "REPEAT('t', 255)", 0, 0, "", "t255"},
    {"BLOB", TT_TYPE_BLOB, "''", "REPEAT('b', 65535)", 0, 0, "", "b65535"},
    {"MEDIUMBLOB", TT_TYPE_BLOB, "'q'", "REPEAT('m', 65536)", 0, 0, "q", "m65536"},
    {"LONGBLOB", TT_TYPE_BLOB, "'q'", "REPEAT('m', 1048576)", 0, 0, "q", "m1048576"},
    {"ENUM('red','green')", TT_TYPE_TEXT, "'red'", "'green'", 0, 0, NULL, NULL},
    {"SET('a','b','c')", TT_TYPE_TEXT, "''", "'a,c'", 0, 0, NULL, NULL},
    {"JSON", TT_TYPE_TEXT, "'{}'", "'[1, 2]'", 0, 0, NULL, NULL},
};

/* Only MariaDB has these: as text, in the server's own form. */
static const struct type_row mariadb_types[] = {
    {"INET4", TT_TYPE_TEXT, "'0.0.0.0'", "'255.255.255.255'", 0, 0, NULL, NULL},
    {"INET6", TT_TYPE_TEXT, "'::'", "'2001:db8::ff00:42:8329'", 0, 0, NULL, NULL},
    {"UUID", TT_TYPE_TEXT, "'00000000-0000-0000-0000-000000000000'",
     "'123e4567-e89b-12d3-a456-426655440000'", 0, 0, NULL, NULL},
};

/* POINT(1 2) as both servers give it: the SRID, then WKB. */
static const char point[] = "\0\0\0\0\1\1\0\0\0\0\0\0\0\0\0\xf0\x3f\0\0\0\0\0\0\0\x40";
enum { POINT_BYTES = sizeof(point) - 1 };

/* `want` is the text itself, or a character and how often it is repeated. */
static inline void check_bytes(const tt_value *v, const char *literal, const char *want)
{
    const char *p = v->as.bytes.p;
    size_t n = v->as.bytes.n;

    ck_assert_int_eq(p[n], '\0');
    if (want && *want && want[1]) {
        ck_assert_uint_eq(n, strtoul(want + 1, NULL, 10));
        while (n > 0 && p[n - 1] == want[0]) /* an assertion for each would take seconds */
            n--;
        ck_assert_uint_eq(n, 0);
        return;
    }
    if (!want) {
        size_t quoted = literal[0] == '\'';

        ck_assert(
            tt_str_eq(tt_str_n(p, n), tt_str_n(literal + quoted, strlen(literal) - 2 * quoted)));
        return;
    }
    ck_assert_str_eq(p, want);
}

static inline void check_value(const struct type_row *t, const tt_value *v, bool most)
{
    ck_assert_int_eq(v->type, t->type);
    if (t->type == TT_TYPE_INT || t->type == TT_TYPE_UINT)
        ck_assert_int_eq(v->as.i, most ? t->i_most : t->i_least);
    else
        check_bytes(v, most ? t->most : t->least, most ? t->s_most : t->s_least);
}

#endif
