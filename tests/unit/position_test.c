#include "unit/suite.h"

#include <stdio.h>
#include <twotier/error.h>

#include "base/rng.h"
#include "core/position.h"
#include "unit/oom.h"

#define U1 "3e11fa47-71ca-11e1-9e33-c80aa9429562"
#define U2 "4e11fa47-71ca-11e1-9e33-c80aa9429562"
#define SEED UINT64_C(20260730)

static const tt_allocator *const libc_memory = &tt_allocator_libc;

static tt_applied *applied(tt_family family, const char *text)
{
    tt_applied *s = NULL;

    ck_assert_msg(tt_applied_parse(libc_memory, family, tt_str_c(text), &s) == 0, "%s", text);
    return s;
}

/* ---- points ---- */

START_TEST(points_are_valid_or_not)
{
    static const struct {
        const char *text;
        bool ok;
    } rows[] = {
        {"", true},
        {"a:1", true},
        {"0-1:100", true},
        {U1 ":5", true},
        {U1 ":5," U1 ":tag:3", true},
        {U1 ":18446744073709551615", true},
        {U1 ":18446744073709551616", false},
        {U1 ":0", false},
        {U1 ":05", false},
        {U1 ":", false},
        {U1, false},
        {":1", false},
        {"a:1,", false},
        {",a:1", false},
        {"a:1,,b:1", false},
        {"b:1,a:1", false},
        {"a:1,a:2", false},
        {"a:-1", false},
        {"a:+1", false},
        {"a:1 ", false},
        {" a:1", false},
        {"a b:1", false},
        {"a@b:1", false},
        {"a\tb:1", false},
        {"a\x7f:1", false},
        {",", false},
    };

    for (size_t i = 0; i < TT_COUNT(rows); i++)
        ck_assert_msg(tt_points_valid(tt_str_c(rows[i].text)) == rows[i].ok, "%s", rows[i].text);
    ck_assert(!tt_points_valid(tt_str_n("a\0b:1", 5)));
}
END_TEST

START_TEST(points_have_limits)
{
    char text[TT_SOURCE_MAX + 4];
    tt_buf many = tt_buf_init(libc_memory);
    tt_str rest;
    tt_point p;

    memset(text, 'x', sizeof(text));
    memcpy(text + TT_SOURCE_MAX, ":7", 2);
    ck_assert(tt_points_valid((tt_str){text, TT_SOURCE_MAX + 2}));
    rest = (tt_str){text, TT_SOURCE_MAX + 2};
    ck_assert_int_eq(tt_points_next(&rest, &p), 1);
    ck_assert_uint_eq(p.source.n, TT_SOURCE_MAX);
    ck_assert_uint_eq(p.n, 7);
    ck_assert_int_eq(tt_points_next(&rest, &p), 0);
    memcpy(text + TT_SOURCE_MAX, "x:7", 3);
    ck_assert(!tt_points_valid((tt_str){text, TT_SOURCE_MAX + 3}));

    for (int i = 0; many.n + 8 <= TT_POINTS_MAX; i++)
        tt_buf_printf(&many, "%04d:12,", i);
    ck_assert_uint_eq(many.n, TT_POINTS_MAX);
    ck_assert(tt_points_valid((tt_str){many.p, many.n - 1}));
    tt_buf_puts(&many, "9999:12");
    ck_assert(!tt_points_valid(tt_buf_str(&many)));
    tt_buf_free(&many);
}
END_TEST

START_TEST(points_merge_and_cover)
{
    static const struct {
        const char *a, *b, *merged;
        bool a_covers_b, b_covers_a;
    } rows[] = {
        {"", "", "", true, true},
        {"a:1", "", "a:1", true, false},
        {"a:1", "a:1", "a:1", true, true},
        {"a:2", "a:10", "a:10", false, true},
        {"a:2", "b:1", "a:2,b:1", false, false},
        {"a:2,c:3", "b:1,c:4", "a:2,b:1,c:4", false, false},
        {"a:2,b:1,c:4", "b:1,c:4", "a:2,b:1,c:4", true, false},
        {"0-1:5,0-2:3", "0-1:6", "0-1:6,0-2:3", false, false},
        {U1 ":5", U1 ":t:9", U1 ":5," U1 ":t:9", false, false},
    };

    for (size_t i = 0; i < TT_COUNT(rows); i++) {
        tt_str a = tt_str_c(rows[i].a), b = tt_str_c(rows[i].b);
        tt_buf out = tt_buf_init(libc_memory);

        tt_points_merge(a, b, &out);
        ck_assert_str_eq(tt_buf_cstr(&out), rows[i].merged);
        ck_assert(tt_points_cover(tt_buf_str(&out), a) && tt_points_cover(tt_buf_str(&out), b));
        tt_buf_clear(&out);
        tt_points_merge(b, a, &out);
        ck_assert_str_eq(tt_buf_cstr(&out), rows[i].merged);
        ck_assert_int_eq(tt_points_cover(a, b), rows[i].a_covers_b);
        ck_assert_int_eq(tt_points_cover(b, a), rows[i].b_covers_a);
        tt_buf_free(&out);
    }
    ck_assert(!tt_points_cover(TT_STR("a:1"), TT_STR("a:1,")));
    ck_assert(!tt_points_cover(TT_STR("b:0,c:1"), TT_STR("c:1")));
}
END_TEST

START_TEST(merge_appends)
{
    tt_buf out = tt_buf_init(libc_memory);

    tt_buf_puts(&out, "P=");
    tt_points_merge(TT_STR("a:1"), TT_STR("b:2"), &out);
    ck_assert_str_eq(tt_buf_cstr(&out), "P=a:1,b:2");
    tt_buf_free(&out);
}
END_TEST

START_TEST(a_write_reports_its_position)
{
    static const struct {
        tt_family family;
        const char *text;
        const char *points; /* NULL: not a position */
    } rows[] = {
        {TT_FAMILY_MYSQL, U1 ":5", U1 ":5"},
        {TT_FAMILY_MYSQL, U1 ":5-7," U2 ":1", U1 ":7," U2 ":1"},
        {TT_FAMILY_MYSQL, U2 ":1,\n" U1 ":5-7", U1 ":7," U2 ":1"},
        {TT_FAMILY_MYSQL, "3E11FA47-71CA-11E1-9E33-C80AA9429562:5", U1 ":5"},
        {TT_FAMILY_MYSQL, U1 ":9:3-4", U1 ":9"},
        {TT_FAMILY_MYSQL, U1 ":1-3:5-9:tag:1-2", U1 ":9," U1 ":tag:2"},
        {TT_FAMILY_MYSQL, U1 ":Tag_1:4", U1 ":tag_1:4"},
        {TT_FAMILY_MYSQL, U1 ":a:1:b:2-3:a:7", U1 ":a:7," U1 ":b:3"},
        {TT_FAMILY_MYSQL, "", NULL},
        {TT_FAMILY_MYSQL, " \n", NULL},
        {TT_FAMILY_MYSQL, U1, NULL},
        {TT_FAMILY_MYSQL, U1 ":", NULL},
        {TT_FAMILY_MYSQL, U1 ":0", NULL},
        {TT_FAMILY_MYSQL, U1 ":0-5", NULL},
        {TT_FAMILY_MYSQL, U1 ":5-4", NULL},
        {TT_FAMILY_MYSQL, U1 ":5-", NULL},
        {TT_FAMILY_MYSQL, U1 ":5-6-7", NULL},
        {TT_FAMILY_MYSQL, U1 ":5x", NULL},
        {TT_FAMILY_MYSQL, U1 ":tag", NULL},
        {TT_FAMILY_MYSQL, U1 ":tag:", NULL},
        {TT_FAMILY_MYSQL, U1 ":tag:gat:1", NULL},
        {TT_FAMILY_MYSQL, U1 ":1:tag", NULL},
        {TT_FAMILY_MYSQL, U1 ":ta-g:1", NULL},
        {TT_FAMILY_MYSQL, U1 ":a23456789012345678901234567890123:1", NULL},
        {TT_FAMILY_MYSQL, U1 ":1,", NULL},
        {TT_FAMILY_MYSQL, "," U1 ":1", NULL},
        {TT_FAMILY_MYSQL, U1 "0:1", NULL},
        {TT_FAMILY_MYSQL, "3e11fa47x71ca-11e1-9e33-c80aa9429562:1", NULL},
        {TT_FAMILY_MYSQL, "3g11fa47-71ca-11e1-9e33-c80aa9429562:1", NULL},
        {TT_FAMILY_MYSQL, U1 ":18446744073709551616", NULL},
        {TT_FAMILY_MYSQL, "0-1-100", NULL},
        {TT_FAMILY_MARIADB, "0-1-100", "0-1:100"},
        {TT_FAMILY_MARIADB, "1-2-5, 0-1-100", "0-1:100,1-2:5"},
        {TT_FAMILY_MARIADB, "0-1-100,0-2-101,0-1-7", "0-1:100,0-2:101"},
        {TT_FAMILY_MARIADB, "0-4294967295-18446744073709551615",
         "0-4294967295:18446744073709551615"},
        {TT_FAMILY_MARIADB, "0-4294967296-1", NULL},
        {TT_FAMILY_MARIADB, "4294967296-1-1", NULL},
        {TT_FAMILY_MARIADB, "0-1-0", NULL},
        {TT_FAMILY_MARIADB, "0-1", NULL},
        {TT_FAMILY_MARIADB, "0-1-", NULL},
        {TT_FAMILY_MARIADB, "0--1", NULL},
        {TT_FAMILY_MARIADB, "0-1-1-1", NULL},
        {TT_FAMILY_MARIADB, "0-1-1,", NULL},
        {TT_FAMILY_MARIADB, "", NULL},
        {TT_FAMILY_MARIADB, U1 ":5", NULL},
        {TT_FAMILY_UNKNOWN, "0-1-100", NULL},
    };

    for (size_t i = 0; i < TT_COUNT(rows); i++) {
        tt_buf out = tt_buf_init(libc_memory);
        int rc = tt_points_of_write(rows[i].family, tt_str_c(rows[i].text), &out);

        ck_assert_msg(rc == (rows[i].points ? 0 : TT_E_ARGUMENT), "%s: %d", rows[i].text, rc);
        ck_assert_str_eq(tt_buf_cstr(&out), rows[i].points ? rows[i].points : "");
        ck_assert(tt_points_valid(tt_buf_str(&out)));
        tt_buf_free(&out);
    }
}
END_TEST

/* ---- what a node has applied ---- */

START_TEST(a_node_has_a_point_or_not)
{
    static const struct {
        tt_family family;
        const char *applied, *points;
        bool has;
    } rows[] = {
        {TT_FAMILY_MYSQL, "", "", true},
        {TT_FAMILY_MYSQL, "", U1 ":1", false},
        {TT_FAMILY_MYSQL, U1 ":1-5", U1 ":5", true},
        {TT_FAMILY_MYSQL, U1 ":1-5", U1 ":6", false},
        {TT_FAMILY_MYSQL, U1 ":1-5", U2 ":1", false},
        {TT_FAMILY_MYSQL, U1 ":1-5:7-9", U1 ":9", false},
        {TT_FAMILY_MYSQL, U1 ":1-5:6-9", U1 ":9", true},
        {TT_FAMILY_MYSQL, U1 ":6-9:1-5", U1 ":9", true},
        {TT_FAMILY_MYSQL, U1 ":2-9", U1 ":9", false},
        {TT_FAMILY_MYSQL, U1 ":1-5," U2 ":1-3", U1 ":5," U2 ":3", true},
        {TT_FAMILY_MYSQL, U1 ":1-5," U2 ":1-3", U1 ":5," U2 ":4", false},
        {TT_FAMILY_MYSQL, U1 ":1-3:t:1-9", U1 ":9", false},
        {TT_FAMILY_MYSQL, U1 ":1-3:t:1-9", U1 ":3," U1 ":t:9", true},
        {TT_FAMILY_MYSQL, U1 ":1-3:t:1-9," U1 ":4-9", U1 ":9", true},
        {TT_FAMILY_MYSQL, U1 ":1-18446744073709551615", U1 ":18446744073709551615", true},
        {TT_FAMILY_MYSQL, U1 ":1-5", "garbage", false},
        {TT_FAMILY_MARIADB, "0-1-100", "0-1:100", true},
        {TT_FAMILY_MARIADB, "0-1-100", "0-1:99", true},
        {TT_FAMILY_MARIADB, "0-1-100", "0-1:101", false},
        {TT_FAMILY_MARIADB, "0-2-100", "0-1:1", false}, /* issued again by another server */
        {TT_FAMILY_MARIADB, "0-1-100,0-2-105", "0-1:90,0-2:105", true},
        {TT_FAMILY_MARIADB, "0-1-100,1-1-7", "1-1:7", true},
        {TT_FAMILY_MARIADB, "0-1-100", "1-1:7", false},
        {TT_FAMILY_MARIADB, "0-1-0", "0-1:1", false},
        {TT_FAMILY_MARIADB, "", "", true},
    };

    for (size_t i = 0; i < TT_COUNT(rows); i++) {
        tt_applied *s = applied(rows[i].family, rows[i].applied);

        ck_assert_msg(tt_applied_has_all(s, tt_str_c(rows[i].points)) == rows[i].has, "%s in %s",
                      rows[i].points, rows[i].applied);
        tt_applied_free(s);
    }
    tt_applied_free(NULL);
}
END_TEST

START_TEST(permanent_gaps_are_judged_by_the_primary)
{
    static const struct {
        tt_family family;
        const char *node, *primary, *points;
        bool has;
    } rows[] = {
        {TT_FAMILY_MYSQL, U1 ":1-3:5-9", U1 ":1-3:5-9", U1 ":9", true},
        {TT_FAMILY_MYSQL, U1 ":1-3:5-8", U1 ":1-3:5-9", U1 ":9", false},
        {TT_FAMILY_MYSQL, U1 ":1-3:5-8", U1 ":1-3:5-9", U1 ":8", true},
        {TT_FAMILY_MYSQL, U1 ":5-9", U1 ":5-9", U1 ":9", true},
        {TT_FAMILY_MYSQL, U1 ":1-9", U1 ":1-3:5-9", U1 ":9", true},
        {TT_FAMILY_MYSQL, U1 ":1-9", U1 ":1-3:5-9", U1 ":4", false}, /* the primary lacks it */
        {TT_FAMILY_MYSQL, U1 ":1-9", U1 ":1-8", U1 ":9", false},
        {TT_FAMILY_MYSQL, U1 ":1-9", "", U1 ":9", false},
        {TT_FAMILY_MYSQL, "", U1 ":1-9", U1 ":9", false},
        {TT_FAMILY_MYSQL, "", "", "", true},
        {TT_FAMILY_MYSQL, U1 ":1-9", U1 ":1-9", "x", false},
        {TT_FAMILY_MYSQL, U1 ":1-9," U2 ":2", U1 ":1-9," U2 ":2-3", U1 ":9," U2 ":2", true},
        {TT_FAMILY_MARIADB, "0-1-9", "", "0-1:9", true},
        {TT_FAMILY_MARIADB, "0-1-8", "0-1-9", "0-1:9", false},
    };

    for (size_t i = 0; i < TT_COUNT(rows); i++) {
        tt_applied *s = applied(rows[i].family, rows[i].node);
        tt_applied *primary = applied(rows[i].family, rows[i].primary);

        ck_assert_msg(tt_applied_has_all_of(s, primary, tt_str_c(rows[i].points)) == rows[i].has,
                      "%s of %s in %s", rows[i].points, rows[i].primary, rows[i].node);
        tt_applied_free(s);
        tt_applied_free(primary);
    }
}
END_TEST

START_TEST(subsets)
{
    static const struct {
        tt_family family;
        const char *a, *b;
        bool in;
    } rows[] = {
        {TT_FAMILY_MYSQL, "", "", true},
        {TT_FAMILY_MYSQL, "", U1 ":1", true},
        {TT_FAMILY_MYSQL, U1 ":1", "", false},
        {TT_FAMILY_MYSQL, U1 ":2-3", U1 ":1-5", true},
        {TT_FAMILY_MYSQL, U1 ":2-3:5", U1 ":1-3:5", true},
        {TT_FAMILY_MYSQL, U1 ":2-4", U1 ":1-3:4-5", true},
        {TT_FAMILY_MYSQL, U1 ":2-4", U1 ":1-3:5", false},
        {TT_FAMILY_MYSQL, U1 ":2", U2 ":1-3", false},
        {TT_FAMILY_MYSQL, U1 ":t:2", U1 ":1-3", false},
        {TT_FAMILY_MARIADB, "0-1-5", "0-1-6", true},
        {TT_FAMILY_MARIADB, "0-1-7", "0-1-6", false},
        {TT_FAMILY_MARIADB, "0-2-5", "0-1-6", false},
        {TT_FAMILY_MARIADB, "0-2-5", "0-1-6,0-2-5", true},
    };
    tt_applied *mysql = applied(TT_FAMILY_MYSQL, ""), *maria = applied(TT_FAMILY_MARIADB, "");

    for (size_t i = 0; i < TT_COUNT(rows); i++) {
        tt_applied *a = applied(rows[i].family, rows[i].a), *b = applied(rows[i].family, rows[i].b);

        ck_assert_msg(tt_applied_subset(a, b) == rows[i].in, "%s in %s", rows[i].a, rows[i].b);
        tt_applied_free(a);
        tt_applied_free(b);
    }
    ck_assert(!tt_applied_subset(mysql, maria));
    ck_assert(!tt_applied_has_all_of(mysql, maria, TT_STR("")));
    tt_applied_free(mysql);
    tt_applied_free(maria);
}
END_TEST

START_TEST(bounds_as_points)
{
    static const struct {
        tt_family family;
        const char *applied, *low, *high;
    } rows[] = {
        {TT_FAMILY_MYSQL, "", "", ""},
        {TT_FAMILY_MYSQL, U2 ":1-4:6," U1 ":1-9", U1 ":9," U2 ":4", U1 ":9," U2 ":6"},
        {TT_FAMILY_MYSQL, U1 ":2-9", "", U1 ":9"},
        {TT_FAMILY_MYSQL, U1 ":2-9:t:1", U1 ":t:1", U1 ":9," U1 ":t:1"},
        {TT_FAMILY_MARIADB, "1-1-4,0-2-9", "0-2:9,1-1:4", "0-2:9,1-1:4"},
    };

    for (size_t i = 0; i < TT_COUNT(rows); i++) {
        tt_applied *s = applied(rows[i].family, rows[i].applied);
        tt_buf out = tt_buf_init(libc_memory);

        tt_applied_points(s, &out);
        ck_assert_str_eq(tt_buf_cstr(&out), rows[i].low);
        tt_buf_clear(&out);
        tt_applied_highest(s, &out);
        ck_assert_str_eq(tt_buf_cstr(&out), rows[i].high);
        tt_buf_free(&out);
        tt_applied_free(s);
    }
}
END_TEST

/* ---- against a naive implementation: one bit for each number up to 63 ---- */

#define SOURCES 5
static const char *const source_names[SOURCES] = {U1, U1 ":a", U1 ":b_2", U2, U2 ":a"};

static uint64_t below(uint64_t *seed, uint64_t n)
{
    return tt_splitmix64(seed) % n;
}

static void put_blank(uint64_t *seed, tt_buf *out)
{
    static const char *const blanks[] = {"", "", "", " ", "\n", "\r\n  "};

    tt_buf_puts(out, blanks[below(seed, TT_COUNT(blanks))]);
}

/* One range as text, and its bits. */
static uint64_t put_range(uint64_t *seed, tt_buf *out)
{
    uint64_t first = 1 + below(seed, 40), last = first + below(seed, 12), bits = 0;

    if (below(seed, 3) == 0)
        first = 1;
    tt_buf_printf(out, last > first || below(seed, 2) ? "%d-%d" : "%d", (int)first, (int)last);
    for (uint64_t n = first; n <= last; n++)
        bits |= UINT64_C(1) << n;
    return bits;
}

/* A random executed set as a server or a person may write it. */
static void random_set(uint64_t *seed, tt_buf *out, uint64_t bits[SOURCES])
{
    size_t items = below(seed, 7);

    memset(bits, 0, SOURCES * sizeof(*bits));
    for (size_t i = 0; i < items; i++) {
        size_t source = below(seed, SOURCES);

        if (i > 0)
            tt_buf_put_char(out, ',');
        put_blank(seed, out);
        tt_buf_puts(out, source_names[source]);
        for (size_t ranges = 1 + below(seed, 4); ranges > 0; ranges--) {
            tt_buf_put_char(out, ':');
            bits[source] |= put_range(seed, out);
        }
        if (source != 1 && source < 3 && below(seed, 2)) { /* a mixed list */
            tt_buf_puts(out, ":A:");
            bits[1] |= put_range(seed, out);
        }
        put_blank(seed, out);
    }
}

static uint64_t bits_up_to(uint64_t n)
{
    return (UINT64_C(2) << n) - 2;
}

static void check_pair(const tt_applied *a, const uint64_t bits_a[], const tt_applied *b,
                       const uint64_t bits_b[])
{
    bool subset = true;
    int wrong = 0; /* an assertion for each would take a minute */

    for (size_t i = 0; i < SOURCES; i++) {
        subset = subset && (bits_a[i] & ~bits_b[i]) == 0;
        for (uint64_t n = 1; n <= 54; n++) {
            tt_point p = {tt_str_c(source_names[i]), n};
            uint64_t of_primary = bits_b[i] & bits_up_to(n);
            bool all_of = (of_primary >> n & 1) && (of_primary & ~bits_a[i]) == 0;
            char text[TT_SOURCE_MAX + 24];

            (void)snprintf(text, sizeof(text), "%s:%d", source_names[i], (int)n);
            wrong += tt_applied_has(a, &p) != ((bits_up_to(n) & ~bits_a[i]) == 0);
            wrong += tt_applied_has_all_of(a, b, tt_str_c(text)) != all_of;
        }
    }
    ck_assert_int_eq(wrong, 0);
    ck_assert_int_eq(tt_applied_subset(a, b), subset);
}

/* What the set says of itself is a valid text which it covers. */
static void check_texts(const tt_applied *a, tt_str text, const uint64_t bits[])
{
    tt_buf low = tt_buf_init(libc_memory), high = tt_buf_init(libc_memory);
    int rc = tt_points_of_write(TT_FAMILY_MYSQL, text, &high);
    tt_str rest = tt_buf_str(&high);
    tt_point p;

    tt_applied_points(a, &low);
    ck_assert(tt_points_valid(tt_buf_str(&low)) && tt_applied_has_all(a, tt_buf_str(&low)));
    ck_assert(rc == 0 || rest.n == 0);
    ck_assert(tt_points_valid(rest) && tt_points_cover(rest, tt_buf_str(&low)));
    while (tt_points_next(&rest, &p) == 1)
        for (size_t i = 0; i < SOURCES; i++)
            if (tt_str_eq(p.source, tt_str_c(source_names[i])))
                ck_assert_uint_eq(bits[i] >> p.n, 1);
    tt_buf_free(&low);
    tt_buf_free(&high);
}

START_TEST(agrees_with_naive_sets)
{
    uint64_t seed = SEED;

    for (int round = 0; round < suite_rounds(2000); round++) {
        tt_buf text_a = tt_buf_init(libc_memory), text_b = tt_buf_init(libc_memory);
        uint64_t bits_a[SOURCES], bits_b[SOURCES];
        tt_applied *a, *b;

        random_set(&seed, &text_a, bits_a);
        random_set(&seed, &text_b, bits_b);
        if (round % 3 == 0) { /* independent sets are seldom subsets */
            tt_buf_put_char(&text_b, text_b.n && text_a.n ? ',' : ' ');
            tt_buf_put_str(&text_b, tt_buf_str(&text_a));
            for (size_t i = 0; i < SOURCES; i++)
                bits_b[i] |= bits_a[i];
        }
        a = applied(TT_FAMILY_MYSQL, tt_buf_cstr(&text_a));
        b = applied(TT_FAMILY_MYSQL, tt_buf_cstr(&text_b));
        check_pair(a, bits_a, b, bits_b);
        check_texts(a, tt_buf_str(&text_a), bits_a);
        tt_applied_free(a);
        tt_applied_free(b);
        tt_buf_free(&text_a);
        tt_buf_free(&text_b);
    }
}
END_TEST

START_TEST(survives_hostile_bytes)
{
    static const char alphabet[] = ":-,0123456789abcdefAF_ \n@" U1;
    uint64_t seed = SEED;

    for (int round = 0; round < suite_rounds(20000); round++) {
        char text[128];
        size_t n = below(&seed, sizeof(text));
        tt_str rest = {text, n};
        tt_point p;

        for (size_t i = 0; i < n; i++)
            text[i] = alphabet[below(&seed, sizeof(alphabet))];
        if (n > 60 && round % 2)
            memcpy(text, U1 ":1-3:", sizeof(U1 ":1-3:") - 1);
        for (int family = TT_FAMILY_UNKNOWN; family <= TT_FAMILY_MYSQL; family++) {
            tt_buf out = tt_buf_init(libc_memory);

            if (tt_points_of_write((tt_family)family, (tt_str){text, n}, &out) != 0)
                ck_assert_uint_eq(out.n, 0);
            ck_assert(tt_points_valid(tt_buf_str(&out)));
            tt_buf_free(&out);
        }
        while (tt_points_next(&rest, &p) == 1)
            ck_assert(p.n > 0 && p.source.n > 0 && p.source.n <= TT_SOURCE_MAX);
    }
}
END_TEST

START_TEST(memory_may_run_out_anywhere)
{
    static const char set[] =
        U1 ":1:3:5:7:9:11:13:15:17:19," U2 ":1-3:t:1-2:u:1:v:1:w:1:x:1:y:1:z:1";
    int rc = TT_E_NOMEM;
    long n = 0;

    for (; rc == TT_E_NOMEM; n++) {
        struct oom memory;
        tt_applied *s = NULL;

        oom_arm(&memory, n);
        rc = tt_applied_parse(&memory.a, TT_FAMILY_MYSQL, tt_str_c(set), &s);
        ck_assert_int_eq(s == NULL, rc != 0);
        tt_applied_free(s);
        ck_assert_int_eq(memory.live, 0);
    }
    ck_assert_int_eq(rc, 0);
    ck_assert_int_gt(n, 4);

    rc = TT_E_NOMEM;
    for (n = 0; rc == TT_E_NOMEM; n++) {
        struct oom memory;
        tt_buf out;

        oom_arm(&memory, n);
        out = tt_buf_init(&memory.a);
        rc = tt_points_of_write(TT_FAMILY_MYSQL, tt_str_c(set), &out);
        ck_assert_int_eq(out.failed, rc != 0);
        tt_buf_free(&out);
        ck_assert_int_eq(memory.live, 0);
    }
    ck_assert_int_eq(rc, 0);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("position");

    tcase_add_test(t, points_are_valid_or_not);
    tcase_add_test(t, points_have_limits);
    tcase_add_test(t, points_merge_and_cover);
    tcase_add_test(t, merge_appends);
    tcase_add_test(t, a_write_reports_its_position);
    tcase_add_test(t, a_node_has_a_point_or_not);
    tcase_add_test(t, permanent_gaps_are_judged_by_the_primary);
    tcase_add_test(t, subsets);
    tcase_add_test(t, bounds_as_points);
    tcase_add_test(t, agrees_with_naive_sets);
    tcase_add_test(t, survives_hostile_bytes);
    tcase_add_test(t, memory_may_run_out_anywhere);
    return suite_run("position", t);
}
