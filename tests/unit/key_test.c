#include "unit/suite.h"

#include <stdio.h>

#include "base/rng.h"
#include "core/key.h"
#include "unit/oom.h"

#define SEED UINT64_C(20260730)
#define X10 "xxxxxxxxxx"
#define X100 X10 X10 X10 X10 X10 X10 X10 X10 X10 X10

static const tt_allocator *const libc_memory = &tt_allocator_libc;

static tt_buf key_of(const tt_key_parts *parts)
{
    tt_buf out = tt_buf_init(libc_memory);

    ck_assert_int_eq(tt_key_write(parts, &out), 0);
    return out;
}

/* ---- the key of a read ---- */

START_TEST(key_bytes_are_as_documented)
{
    static const tt_key_value values[] = {{TT_KEY_INT, {"7", 1}}, {TT_KEY_NULL, {NULL, 0}}};
    tt_key_parts parts = {TT_STR("n"), TT_STR("db"), TT_STR(""), TT_STR("SELECT ?"), values, 2};
    tt_buf out = key_of(&parts);
    static const char bytes[] = "\x01\x01\0\0\0n\x02\0\0\0db\0\0\0\0\x08\0\0\0SELECT ?"
                                "\x02\0\0\0\x01\x01\0\0\0"
                                "7\0\0\0\0\0";

    ck_assert_uint_eq(out.n, sizeof(bytes) - 1);
    ck_assert_mem_eq(out.p, bytes, out.n);
    tt_buf_free(&out);
}
END_TEST

/* Reads that differ in one thing only, each pair of which must differ. */
START_TEST(different_reads_have_different_keys)
{
    static const tt_key_value one[] = {{TT_KEY_INT, {"1", 1}}, {TT_KEY_INT, {"2", 1}}};
    static const tt_key_value unsign[] = {{TT_KEY_UINT, {"1", 1}}, {TT_KEY_INT, {"2", 1}}};
    static const tt_key_value text[] = {{TT_KEY_TEXT, {"1", 1}}, {TT_KEY_INT, {"2", 1}}};
    static const tt_key_value joined[] = {{TT_KEY_INT, {"12", 2}}, {TT_KEY_INT, {"", 0}}};
    static const tt_key_value null[] = {{TT_KEY_NULL, {NULL, 0}}, {TT_KEY_INT, {"2", 1}}};
    static const tt_key_value empty[] = {{TT_KEY_TEXT, {"", 0}}, {TT_KEY_INT, {"2", 1}}};
    const tt_key_parts parts[] = {
        {TT_STR("n"), TT_STR("db"), TT_STR("tz"), TT_STR("S"), one, 2},
        {TT_STR("n"), TT_STR("db"), TT_STR("tz"), TT_STR("S"), one, 1},
        {TT_STR("n"), TT_STR("db"), TT_STR("tz"), TT_STR("S"), NULL, 0},
        {TT_STR("n"), TT_STR("db"), TT_STR("tz"), TT_STR("S"), unsign, 2},
        {TT_STR("n"), TT_STR("db"), TT_STR("tz"), TT_STR("S"), text, 2},
        {TT_STR("n"), TT_STR("db"), TT_STR("tz"), TT_STR("S"), joined, 2},
        {TT_STR("n"), TT_STR("db"), TT_STR("tz"), TT_STR("S"), null, 2},
        {TT_STR("n"), TT_STR("db"), TT_STR("tz"), TT_STR("S"), empty, 2},
        {TT_STR("n"), TT_STR("db"), TT_STR("t"), TT_STR("zS"), one, 2},
        {TT_STR("n"), TT_STR("dbt"), TT_STR("z"), TT_STR("S"), one, 2},
        {TT_STR("nd"), TT_STR("b"), TT_STR("tz"), TT_STR("S"), one, 2},
        {TT_STR("ndb"), TT_STR(""), TT_STR("tz"), TT_STR("S"), one, 2},
        {TT_STR("n"), TT_STR("db"), TT_STR("tz"), TT_STR("T"), one, 2},
    };

    for (size_t i = 0; i < TT_COUNT(parts); i++)
        for (size_t k = 0; k < TT_COUNT(parts); k++) {
            tt_buf a = key_of(&parts[i]), b = key_of(&parts[k]);
            bool same = tt_hash_eq(tt_hash(tt_buf_str(&a)), tt_hash(tt_buf_str(&b)));

            ck_assert_int_eq(tt_str_eq(tt_buf_str(&a), tt_buf_str(&b)), i == k);
            ck_assert_int_eq(same, i == k);
            tt_buf_free(&a);
            tt_buf_free(&b);
        }
}
END_TEST

/* Bytes that look like lengths and kinds, cut in different places: never the same key. */
START_TEST(values_cannot_run_into_each_other)
{
    uint64_t seed = SEED;

    for (int round = 0; round < 3000; round++) {
        static const char bytes[] = "\x05\x01\0\0\0\x05\x01\0\0\0\x05\x02\0\0\0\0";
        size_t n = sizeof(bytes) - 1, a = tt_splitmix64(&seed) % n, b = tt_splitmix64(&seed) % n;
        tt_key_value left[] = {{TT_KEY_TEXT, {bytes, a}}, {TT_KEY_TEXT, {bytes + a, n - a}}};
        tt_key_value right[] = {{TT_KEY_TEXT, {bytes, b}}, {TT_KEY_TEXT, {bytes + b, n - b}}};
        tt_key_parts p = {TT_STR("n"), TT_STR(""), TT_STR(""), TT_STR("S"), left, 2}, q = p;
        tt_buf x, y;

        q.values = right;
        x = key_of(&p);
        y = key_of(&q);
        ck_assert_int_eq(tt_str_eq(tt_buf_str(&x), tt_buf_str(&y)), a == b);
        tt_buf_free(&x);
        tt_buf_free(&y);
    }
}
END_TEST

START_TEST(key_parts_have_a_limit)
{
#if SIZE_MAX > UINT32_MAX
    tt_key_parts parts = {
        TT_STR("n"), {NULL, (size_t)UINT32_MAX + 1}, TT_STR(""), TT_STR("S"), NULL, 0};
    tt_buf out = tt_buf_init(libc_memory);

    tt_buf_puts(&out, "x");
    ck_assert_int_eq(tt_key_write(&parts, &out), TT_E_LIMIT);
    ck_assert_str_eq(tt_buf_cstr(&out), "x");
    tt_buf_free(&out);
#endif
}
END_TEST

START_TEST(key_texts)
{
    tt_buf out = tt_buf_init(libc_memory);
    char term[TT_KEY_TERM_MAX];

    tt_key_put_entry(TT_STR("ns"), (tt_hash128){0x0123456789abcdef, 0xfe}, &out);
    ck_assert_str_eq(tt_buf_cstr(&out), "ns:e:00000000000000fe0123456789abcdef");
    tt_buf_clear(&out);
    tt_key_put_tag(TT_STR("ns"), TT_STR("subject:42"), &out);
    ck_assert_str_eq(tt_buf_cstr(&out), "ns:t:subject:42");
    tt_key_term("ns", term);
    ck_assert_str_eq(term, "ns:term");
    tt_buf_free(&out);
}
END_TEST

/* ---- names ---- */

START_TEST(names_are_valid_or_not)
{
    ck_assert(tt_namespace_valid(TT_STR("Teach.track_1-x")));
    ck_assert(!tt_namespace_valid(TT_STR("")));
    ck_assert(!tt_namespace_valid(TT_STR("a:b")));
    ck_assert(!tt_namespace_valid(TT_STR("a{b}")));
    ck_assert(!tt_namespace_valid(TT_STR("a b")));
    ck_assert(!tt_namespace_valid(TT_STR("\xc3\xa9")));
    ck_assert(tt_namespace_valid((tt_str){X100, 64}));
    ck_assert(!tt_namespace_valid((tt_str){X100, 65}));

    ck_assert(tt_tag_valid(TT_STR("subject:42")));
    ck_assert(tt_tag_valid(TT_STR("\xc3\xa9{}%:")));
    ck_assert(!tt_tag_valid(TT_STR("")));
    ck_assert(!tt_tag_valid(TT_STR("a b")));
    ck_assert(!tt_tag_valid(TT_STR("a\n")));
    ck_assert(!tt_tag_valid(TT_STR("a\x7f")));
    ck_assert(!tt_tag_valid(tt_str_n("a\0b", 3)));
    ck_assert(tt_tag_valid(TT_STR(X100 X100)));
    ck_assert(!tt_tag_valid(TT_STR(X100 X100 "x")));
}
END_TEST

START_TEST(patterns_expand)
{
    static const tt_key_value values[] = {
        {TT_KEY_INT, {"42", 2}},
        {TT_KEY_TEXT, {"a b\n%\x7f\0", 7}},
        {TT_KEY_NULL, {NULL, 0}},
        {TT_KEY_TEXT, {"", 0}},
    };
    static const struct {
        const char *pattern, *tag; /* tag NULL: error, whose text holds `what` */
        const char *what;
    } rows[] = {
        {"subjects", "subjects", NULL},
        {"subject:{1}", "subject:42", NULL},
        {"{1}", "42", NULL},
        {"{1}{1}/{3}", "4242/NULL", NULL},
        {"x{2}", "xa%20b%0A%%7F%00", NULL},
        {"x{4}y", "xy", NULL},
        {"{{1}", "{1}", NULL},
        {"{{{1}}", "{42}", NULL},
        {"}", "}", NULL},
        {"", NULL, "1 to 200 bytes"},
        {X100 X100 "x", NULL, "1 to 200 bytes"},
        {"{4}", NULL, "empty"},
        {"{", NULL, "not closed"},
        {"{1", NULL, "not closed"},
        {"{}", NULL, "number of a bound value"},
        {"{0}", NULL, "number of a bound value"},
        {"{01}", NULL, "number of a bound value"},
        {"{x}", NULL, "number of a bound value"},
        {"{ 1}", NULL, "number of a bound value"},
        {"{-1}", NULL, "number of a bound value"},
        {"{99999999999999999999}", NULL, "number of a bound value"},
        {"{5}", NULL, "does not have"},
        {"a b", NULL, "no blanks"},
    };

    for (size_t i = 0; i < TT_COUNT(rows); i++) {
        tt_str pattern = tt_str_c(rows[i].pattern);
        tt_error err = TT_ERROR_INIT;
        tt_buf out = tt_buf_init(libc_memory);
        int rc;

        tt_buf_puts(&out, "x=");
        rc = tt_tag_expand(pattern, values, TT_COUNT(values), &out, &err);
        ck_assert_msg(rc == (rows[i].tag ? 0 : TT_E_ARGUMENT), "%s: %s", rows[i].pattern,
                      err.message);
        ck_assert_str_eq(tt_buf_cstr(&out) + 2, rows[i].tag ? rows[i].tag : "");
        if (rows[i].what)
            ck_assert_msg(strstr(err.message, rows[i].what) != NULL, "%s", err.message);
        if (rc == 0)
            ck_assert_int_eq(tt_tag_check(pattern, TT_COUNT(values), NULL), 0);
        tt_buf_free(&out);
    }
    ck_assert_int_eq(tt_tag_check(TT_STR("{2}"), 1, NULL), TT_E_ARGUMENT);
}
END_TEST

START_TEST(tags_of_tables_get_their_schema)
{
    tt_buf long_name = tt_buf_init(&tt_allocator_libc), out = tt_buf_init(&tt_allocator_libc);
    tt_buf pattern = tt_buf_init(&tt_allocator_libc), same = tt_buf_init(&tt_allocator_libc);
    char name[64];

    ck_assert(tt_tag_is_relative(TT_STR("table:t")));
    ck_assert(!tt_tag_is_relative(TT_STR("table:a.t")));
    ck_assert(!tt_tag_is_relative(TT_STR("table:")));
    ck_assert(!tt_tag_is_relative(TT_STR("tables:t")));
    ck_assert_uint_eq(tt_tag_name(TT_STR("A.b c%"), name, sizeof(name)), 12);
    ck_assert_mem_eq(name, "a%2Eb%20c%25", 12);
    ck_assert_uint_eq(tt_tag_name(TT_STR("abcdef"), name, 4), 2);
    tt_tag_resolve(TT_STR("table:t"), TT_STR("a"), &out);
    ck_assert(tt_str_eq(tt_buf_str(&out), TT_STR("table:a.t")));
    /* One that becomes too long is cut as if it had been given with its schema. */
    tt_buf_puts(&long_name, "table:");
    tt_buf_puts(&pattern, "table:{1}");
    for (int i = 0; i < 190; i++)
        tt_buf_put_char(&long_name, 'x');
    tt_buf_clear(&out);
    tt_tag_resolve(tt_buf_str(&long_name), TT_STR("schema"), &out);
    tt_buf_puts(&same, "schema.");
    tt_buf_put(&same, long_name.p + 6, 190);
    {
        tt_key_value value = {TT_KEY_TEXT, tt_buf_str(&same)};
        tt_buf expanded = tt_buf_init(&tt_allocator_libc);

        ck_assert_int_eq(tt_tag_expand(tt_buf_str(&pattern), &value, 1, &expanded, NULL), 0);
        ck_assert_uint_eq(out.n, TT_KEY_TAG_MAX);
        ck_assert(tt_str_eq(tt_buf_str(&out), tt_buf_str(&expanded)));
        tt_buf_free(&expanded);
    }
    tt_buf_free(&same);
    tt_buf_free(&pattern);
    tt_buf_free(&out);
    tt_buf_free(&long_name);
}
END_TEST

START_TEST(long_tags_end_in_a_hash)
{
    tt_key_value exact = {TT_KEY_TEXT, {X100 X100, 198}}, over = {TT_KEY_TEXT, {X100 X100, 199}};
    tt_key_value more = {TT_KEY_TEXT, {X100 X100, 200}};
    tt_buf a = tt_buf_init(libc_memory), b = a, c = a;

    ck_assert_int_eq(tt_tag_expand(TT_STR("t:{1}"), &exact, 1, &a, NULL), 0);
    ck_assert_uint_eq(a.n, TT_KEY_TAG_MAX);
    ck_assert_ptr_null(memchr(a.p, '~', a.n));
    ck_assert_int_eq(tt_tag_expand(TT_STR("t:{1}"), &over, 1, &b, NULL), 0);
    ck_assert_int_eq(tt_tag_expand(TT_STR("t:{1}"), &more, 1, &c, NULL), 0);
    ck_assert(b.n == TT_KEY_TAG_MAX && c.n == TT_KEY_TAG_MAX);
    ck_assert_int_eq(b.p[TT_KEY_TAG_MAX - 33], '~');
    ck_assert(tt_tag_valid(tt_buf_str(&b)));
    ck_assert(!tt_str_eq(tt_buf_str(&b), tt_buf_str(&c)));
    tt_buf_free(&a);
    tt_buf_free(&b);
    tt_buf_free(&c);
}
END_TEST

static int all_of_it(tt_buf *out)
{
    static const tt_key_value values[] = {{TT_KEY_TEXT, {X100 X100, 200}}};
    tt_key_parts parts = {TT_STR("n"), TT_STR("db"), TT_STR(""), TT_STR(X100), values, 1};
    int rc = tt_key_write(&parts, out);

    return rc ? rc : tt_tag_expand(TT_STR("subject:{1}"), values, 1, out, NULL);
}

START_TEST(memory_may_run_out_anywhere)
{
    int rc = TT_E_NOMEM;
    long n = 0;

    for (; rc == TT_E_NOMEM; n++) {
        struct oom memory;
        tt_buf out;

        oom_arm(&memory, n);
        out = tt_buf_init(&memory.a);
        rc = all_of_it(&out);
        ck_assert_int_eq(out.failed, rc != 0);
        tt_buf_free(&out);
        ck_assert_int_eq(memory.live, 0);
    }
    ck_assert_int_eq(rc, 0);
    ck_assert_int_gt(n, 2);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("key");

    tcase_add_test(t, key_bytes_are_as_documented);
    tcase_add_test(t, different_reads_have_different_keys);
    tcase_add_test(t, values_cannot_run_into_each_other);
    tcase_add_test(t, key_parts_have_a_limit);
    tcase_add_test(t, key_texts);
    tcase_add_test(t, names_are_valid_or_not);
    tcase_add_test(t, patterns_expand);
    tcase_add_test(t, tags_of_tables_get_their_schema);
    tcase_add_test(t, long_tags_end_in_a_hash);
    tcase_add_test(t, memory_may_run_out_anywhere);
    return suite_run("key", t);
}
