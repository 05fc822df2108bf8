/* str.h: a borrowed run of bytes, and what is done with one. */
#ifndef TT_BASE_STR_H
#define TT_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/must.h"

/* Borrowed bytes; not zero-terminated; p may be NULL when n is 0. */
typedef struct tt_str {
    const char *p;
    size_t n;
} tt_str;

#define TT_STR(literal) ((tt_str){"" literal, sizeof(literal) - 1})

static inline tt_str tt_str_c(const char *s)
{
    return (tt_str){s, s ? strlen(s) : 0};
}

static inline tt_str tt_str_n(const void *p, size_t n)
{
    return (tt_str){p, n};
}

static inline bool tt_str_eq(tt_str a, tt_str b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

/* Byte order, shorter first when one is a prefix of the other. */
int tt_str_cmp(tt_str a, tt_str b);
/* ASCII letters only. */
bool tt_str_eq_nocase(tt_str a, tt_str b);
bool tt_str_has_prefix(tt_str s, tt_str prefix);
/* Cut `s` at the first `sep`: returns what stands before it and leaves the rest in `s` (empty, with
 * p NULL, when there was none). */
tt_str tt_str_cut(tt_str *s, char sep);
tt_str tt_str_trim(tt_str s);
/* Decimal digits only, no sign, the whole string; false on overflow or anything else. */
TT_MUST bool tt_str_u64(tt_str s, uint64_t *out);

/* A number as "%.*g" shows it, but with a point, whatever the locale of the host: its length, less
 * than TT_DOUBLE_CHARS. With 17 digits no two numbers look alike. */
#define TT_DOUBLE_CHARS 40
int tt_str_double(char out[TT_DOUBLE_CHARS], int digits, double v);
/* The second half of that: what is no part of a number in C becomes a point. */
int tt_str_point(char *number);

#endif
