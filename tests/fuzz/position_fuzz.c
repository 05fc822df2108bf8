/* Any bytes as what a server says of positions: two sets, cut at the first '|'. What comes out is
 * in normal form, and the questions agree with each other. */
#include "fuzz/fuzz.h"

#include "core/position.h"

static void check_one(tt_family family, tt_str text, const tt_applied *s)
{
    tt_buf low = tt_buf_init(&tt_allocator_libc), high = tt_buf_init(&tt_allocator_libc);
    int rc = tt_points_of_write(family, text, &high);

    tt_applied_points(s, &low);
    FUZZ_CHECK(rc == 0 || high.n == 0);
    FUZZ_CHECK(tt_points_cover(tt_buf_str(&high), tt_buf_str(&low)));
    FUZZ_CHECK(low.n > TT_POINTS_MAX || tt_points_valid(tt_buf_str(&low)));
    FUZZ_CHECK(high.n > TT_POINTS_MAX || tt_points_valid(tt_buf_str(&high)));
    FUZZ_CHECK(tt_applied_has_all(s, tt_buf_str(&low)));
    FUZZ_CHECK(tt_applied_has_all_of(s, s, tt_buf_str(&high)));
    FUZZ_CHECK(tt_applied_subset(s, s));
    tt_buf_free(&low);
    tt_buf_free(&high);
}

static void check_two(const tt_applied *a, const tt_applied *b)
{
    tt_buf of_a = tt_buf_init(&tt_allocator_libc), of_b = tt_buf_init(&tt_allocator_libc);
    tt_buf both = tt_buf_init(&tt_allocator_libc);

    tt_applied_points(a, &of_a);
    tt_applied_points(b, &of_b);
    tt_points_merge(tt_buf_str(&of_a), tt_buf_str(&of_b), &both);
    FUZZ_CHECK(tt_points_cover(tt_buf_str(&both), tt_buf_str(&of_a)));
    FUZZ_CHECK(tt_points_cover(tt_buf_str(&both), tt_buf_str(&of_b)));
    if (tt_applied_subset(a, b)) {
        FUZZ_CHECK(tt_applied_has_all(b, tt_buf_str(&of_a)));
        FUZZ_CHECK(tt_str_eq(tt_buf_str(&both), tt_buf_str(&of_b)));
    }
    tt_buf_free(&of_a);
    tt_buf_free(&of_b);
    tt_buf_free(&both);
}

static void check_points(tt_str text)
{
    tt_buf merged = tt_buf_init(&tt_allocator_libc);

    if (tt_points_valid(text)) {
        FUZZ_CHECK(tt_points_cover(text, text));
        tt_points_merge(text, text, &merged);
        FUZZ_CHECK(tt_str_eq(tt_buf_str(&merged), text));
    }
    tt_buf_free(&merged);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    tt_str rest = {(const char *)data, size}, first = tt_str_cut(&rest, '|');

    check_points(first);
    for (int i = TT_FAMILY_MARIADB; i <= TT_FAMILY_MYSQL; i++) {
        tt_family family = (tt_family)i;
        tt_applied *a = NULL, *b = NULL;

        if (tt_applied_parse(&tt_allocator_libc, family, first, &a) == 0)
            check_one(family, first, a);
        if (a && tt_applied_parse(&tt_allocator_libc, family, rest, &b) == 0)
            check_two(a, b);
        tt_applied_free(a);
        tt_applied_free(b);
    }
    return 0;
}
