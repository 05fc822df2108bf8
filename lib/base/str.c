#include "base/str.h"

#include <stdio.h>

int tt_str_cmp(tt_str a, tt_str b)
{
    size_t n = TT_MIN(a.n, b.n);
    int order = n ? memcmp(a.p, b.p, n) : 0;

    if (order != 0)
        return order;
    return a.n < b.n ? -1 : a.n > b.n;
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

bool tt_str_eq_nocase(tt_str a, tt_str b)
{
    if (a.n != b.n)
        return false;
    for (size_t i = 0; i < a.n; i++)
        if (lower(a.p[i]) != lower(b.p[i]))
            return false;
    return true;
}

bool tt_str_has_prefix(tt_str s, tt_str prefix)
{
    return s.n >= prefix.n && tt_str_eq((tt_str){s.p, prefix.n}, prefix);
}

tt_str tt_str_cut(tt_str *s, char sep)
{
    const char *at = s->n ? memchr(s->p, sep, s->n) : NULL;
    tt_str head = *s;

    if (!at) {
        *s = (tt_str){NULL, 0};
        return head;
    }
    head.n = (size_t)(at - s->p);
    *s = (tt_str){at + 1, s->n - head.n - 1};
    return head;
}

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

tt_str tt_str_trim(tt_str s)
{
    while (s.n && is_space(s.p[0]))
        s = (tt_str){s.p + 1, s.n - 1};
    while (s.n && is_space(s.p[s.n - 1]))
        s.n--;
    return s;
}

bool tt_str_u64(tt_str s, uint64_t *out)
{
    uint64_t v = 0;

    if (s.n == 0)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        uint64_t digit = (uint64_t)(unsigned char)s.p[i] - '0';

        if (digit > 9 || v > (UINT64_MAX - digit) / 10)
            return false;
        v = v * 10 + digit;
    }
    *out = v;
    return true;
}

int tt_str_point(char *number)
{
    static const char plain[] = "0123456789+-einfa";
    char *to = number;

    for (const char *at = number; *at; to++) {
        size_t n = strcspn(at, plain); /* the sign may be several bytes long */

        *to = n ? '.' : *at;
        at += n ? n : 1;
    }
    *to = '\0';
    return (int)(to - number);
}

int tt_str_double(char out[TT_DOUBLE_CHARS], int digits, double v)
{
    TT_ASSERT(digits >= 1 && digits <= 17);
    (void)snprintf(out, TT_DOUBLE_CHARS, "%.*g", digits, v);
    return tt_str_point(out);
}
