#include "core/position.h"

#include <twotier/error.h>

#include "core/gtid.h"

/* ---- points ---- */

static bool number_ok(tt_str digits, uint64_t *n)
{
    return digits.n > 0 && digits.p[0] != '0' && tt_str_u64(digits, n);
}

/* Called several times for every read: one pass over the bytes. */
int tt_points_next(tt_str *rest, tt_point *out)
{
    const char *colon = NULL;
    size_t source_n, i = 0;
    uint64_t n;

    if (rest->n == 0)
        return 0;
    for (; i < rest->n && rest->p[i] != ','; i++) {
        unsigned char c = (unsigned char)rest->p[i];

        if (c <= ' ' || c == 0x7f || c == '@')
            return -1;
        if (c == ':')
            colon = rest->p + i;
    }
    if (!colon || i + 1 == rest->n) /* ... a comma at the end */
        return -1;
    source_n = (size_t)(colon - rest->p);
    if (source_n == 0 || source_n > TT_SOURCE_MAX ||
        !number_ok((tt_str){colon + 1, i - source_n - 1}, &n))
        return -1;
    *out = (tt_point){{rest->p, source_n}, n};
    *rest = i < rest->n ? (tt_str){rest->p + i + 1, rest->n - i - 1} : (tt_str){NULL, 0};
    return 1;
}

bool tt_points_valid(tt_str text)
{
    tt_str before = {NULL, 0};
    tt_point p;
    int got;

    if (text.n > TT_POINTS_MAX)
        return false;
    while ((got = tt_points_next(&text, &p)) == 1) {
        if (before.p && tt_str_cmp(before, p.source) >= 0)
            return false;
        before = p.source;
    }
    return got == 0;
}

static void put_point(tt_buf *out, size_t start, tt_str source, uint64_t n)
{
    if (out->n > start)
        tt_buf_put_char(out, ',');
    tt_buf_put_str(out, source);
    tt_buf_put_char(out, ':');
    tt_buf_put_u64(out, n);
}

void tt_points_merge(tt_str a, tt_str b, tt_buf *out)
{
    tt_point p, q;
    int in_a = tt_points_next(&a, &p), in_b = tt_points_next(&b, &q);
    size_t start = out->n;

    while (in_a == 1 || in_b == 1) {
        int order = in_a != 1 ? 1 : in_b != 1 ? -1 : tt_str_cmp(p.source, q.source);

        if (order < 0)
            put_point(out, start, p.source, p.n);
        else
            put_point(out, start, q.source, order == 0 ? TT_MAX(p.n, q.n) : q.n);
        if (order <= 0)
            in_a = tt_points_next(&a, &p);
        if (order >= 0)
            in_b = tt_points_next(&b, &q);
    }
    TT_ASSERT(in_a == 0 && in_b == 0);
    if (in_a != 0 || in_b != 0)
        out->failed = true; /* half a union would be a barrier too low: better none at all */
}

bool tt_points_cover(tt_str have, tt_str need)
{
    tt_point p, q;
    int in_have = tt_points_next(&have, &p), in_need;

    while ((in_need = tt_points_next(&need, &q)) == 1) {
        while (in_have == 1 && tt_str_cmp(p.source, q.source) < 0)
            in_have = tt_points_next(&have, &p);
        if (in_have != 1 || !tt_str_eq(p.source, q.source) || p.n < q.n)
            return false;
    }
    return in_need == 0;
}

int tt_points_of_write(tt_family family, tt_str text, tt_buf *out)
{
    tt_applied *s = NULL;
    int rc = tt_applied_parse(out->a, family, text, &s);

    if (rc == TT_E_NOMEM)
        out->failed = true;
    if (rc != 0)
        return rc;
    tt_applied_highest(s, out);
    /* An empty report is no position: taken as one it would be a barrier that holds nothing back */
    rc = out->failed ? TT_E_NOMEM : s->n == 0 ? TT_E_ARGUMENT : 0;
    tt_applied_free(s);
    return rc;
}

/* ---- what a node has applied ---- */

/* The first range of `source` that ends at or after `n`, or NULL. */
static const tt_gtid_range *find_range(const tt_applied *s, tt_str source, uint64_t n)
{
    size_t low = 0, high = s->n;

    while (low < high) {
        size_t mid = low + (high - low) / 2;
        int order = tt_str_cmp(tt_gtid_source(s, &s->ranges[mid]), source);

        if (order < 0 || (order == 0 && s->ranges[mid].last < n))
            low = mid + 1;
        else
            high = mid;
    }
    if (low == s->n || !tt_str_eq(tt_gtid_source(s, &s->ranges[low]), source))
        return NULL;
    return &s->ranges[low];
}

static bool has_range(const tt_applied *s, tt_str source, uint64_t first, uint64_t last)
{
    const tt_gtid_range *r = find_range(s, source, last);

    return r && r->first <= first;
}

bool tt_applied_has(const tt_applied *s, const tt_point *p)
{
    return p->n > 0 && has_range(s, p->source, 1, p->n);
}

bool tt_applied_has_all(const tt_applied *s, tt_str points)
{
    tt_point p;
    int got;

    while ((got = tt_points_next(&points, &p)) == 1)
        if (!tt_applied_has(s, &p))
            return false;
    return got == 0;
}

/* Everything that `primary` has of 1..n, and n itself is among it? */
static bool has_all_of_point(const tt_applied *s, const tt_applied *primary, const tt_point *p)
{
    const tt_gtid_range *r = find_range(primary, p->source, 1);
    const tt_gtid_range *end = r ? primary->ranges + primary->n : NULL;

    for (; r != end && tt_str_eq(tt_gtid_source(primary, r), p->source); r++) {
        if (r->first > p->n || !has_range(s, p->source, r->first, TT_MIN(r->last, p->n)))
            return false;
        if (r->last >= p->n)
            return true;
    }
    return false;
}

bool tt_applied_has_all_of(const tt_applied *s, const tt_applied *primary, tt_str points)
{
    tt_point p;
    int got;

    if (s->family != primary->family)
        return false;
    if (s->family == TT_FAMILY_MARIADB)
        return tt_applied_has_all(s, points);
    while ((got = tt_points_next(&points, &p)) == 1)
        if (!has_all_of_point(s, primary, &p))
            return false;
    return got == 0;
}

bool tt_applied_subset(const tt_applied *a, const tt_applied *b)
{
    if (a->family != b->family)
        return false;
    for (size_t i = 0; i < a->n; i++) {
        const tt_gtid_range *r = &a->ranges[i];

        if (!has_range(b, tt_gtid_source(a, r), r->first, r->last))
            return false;
    }
    return true;
}

void tt_applied_points(const tt_applied *s, tt_buf *out)
{
    size_t start = out->n;

    for (size_t i = 0; i < s->n; i++)
        if (s->ranges[i].first == 1)
            put_point(out, start, tt_gtid_source(s, &s->ranges[i]), s->ranges[i].last);
}

void tt_applied_highest(const tt_applied *s, tt_buf *out)
{
    size_t start = out->n;

    for (size_t i = 0; i < s->n; i++) {
        tt_str source = tt_gtid_source(s, &s->ranges[i]);

        if (i + 1 == s->n || !tt_str_eq(source, tt_gtid_source(s, &s->ranges[i + 1])))
            put_point(out, start, source, s->ranges[i].last);
    }
}
