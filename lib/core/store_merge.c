#include "core/store_verb.h"

/* Barriers as the script merges them. core/barrier.h is stricter: there text that is not valid is
 * P, here it is carried along, since the script does so too, and whoever reads it takes it for P.
 */

typedef struct point {
    tt_str source;
    tt_str n; /* compared as text: it may exceed what a number holds */
} point;

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Cut the next point off `rest`: what the pattern ([^,]+):(%d+) finds, which is, within a run
 * without commas, split at the last colon before a digit. */
static bool next_point(tt_str *rest, point *out)
{
    while (rest->n) {
        size_t end = 0, colon, stop;

        while (end < rest->n && rest->p[end] != ',')
            end++;
        for (colon = end; colon-- > 1;)
            if (rest->p[colon] == ':' && colon + 1 < end && is_digit(rest->p[colon + 1]))
                break;
        if (colon == 0 || colon == SIZE_MAX) { /* none in this run */
            *rest = tt_store_after(*rest, end < rest->n ? end + 1 : end);
            continue;
        }
        for (stop = colon + 1; stop < end && is_digit(rest->p[stop]);)
            stop++;
        *out = (point){tt_str_n(rest->p, colon), tt_str_n(rest->p + colon + 1, stop - colon - 1)};
        *rest = tt_store_after(*rest, stop);
        return true;
    }
    return false;
}

static void gather(tt_str barrier, tt_buf *points)
{
    point p;

    (void)tt_str_cut(&barrier, '@');
    while (next_point(&barrier, &p))
        tt_buf_put(points, &p, sizeof(p));
}

static int by_length(tt_str a, tt_str b)
{
    return a.n != b.n ? (a.n > b.n ? 1 : -1) : tt_str_cmp(a, b);
}

/* By source, the highest first. */
static bool goes_before(const point *a, const point *b)
{
    int by_source = tt_str_cmp(a->source, b->source);

    return by_source ? by_source < 0 : by_length(a->n, b->n) > 0;
}

/* By insertion: points are few, and two ordered lists to begin with. */
static void sort(point *p, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        point moved = p[i];
        size_t at = i;

        for (; at > 0 && goes_before(&moved, &p[at - 1]); at--)
            p[at] = p[at - 1];
        p[at] = moved;
    }
}

static void put_points(const point *p, size_t n, tt_buf *out)
{
    for (size_t i = 0; i < n; i++) {
        if (i > 0 && tt_str_eq(p[i].source, p[i - 1].source))
            continue;
        if (i > 0)
            tt_buf_put_char(out, ',');
        tt_buf_put_str(out, p[i].source);
        tt_buf_put_char(out, ':');
        tt_buf_put_str(out, p[i].n);
    }
}

void tt_store_merge(tt_str a, tt_str b, tt_buf *points, tt_buf *out)
{
    tt_str rest_a = a, rest_b = b, p = TT_STR("P");
    tt_str term = tt_str_cut(&rest_a, '@');

    if (tt_str_eq(a, p) || tt_str_eq(b, p) ||         /* rule STICKY_P */
        !tt_str_eq(tt_str_cut(&rest_b, '@'), term)) { /* rule TERM_BARRIERS_NOT_MERGED */
        tt_buf_put_str(out, p);
        return;
    }
    tt_buf_clear(points);
    gather(a, points);
    gather(b, points);
    out->failed |= points->failed;
    tt_buf_put_str(out, term);
    tt_buf_put_char(out, '@');
    if (points->failed || points->n == 0)
        return;
    sort((point *)(void *)points->p, points->n / sizeof(point));
    put_points((const point *)(const void *)points->p, points->n / sizeof(point), out);
}
