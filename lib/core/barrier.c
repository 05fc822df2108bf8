#include "core/barrier.h"

tt_barrier tt_barrier_parse(tt_str text)
{
    tt_barrier b = {true, {NULL, 0}, {NULL, 0}};

    if (text.n == 0)
        return (tt_barrier){false, {NULL, 0}, {NULL, 0}};
    if (text.n <= TT_NONCE_BYTES + 1 || text.p[TT_NONCE_BYTES] != '@')
        return b;
    b.term = tt_str_n(text.p, TT_NONCE_BYTES);
    b.points = tt_str_n(text.p + TT_NONCE_BYTES + 1, text.n - TT_NONCE_BYTES - 1);
    b.p = !tt_points_valid(b.points);
    return b;
}

void tt_barrier_merge(tt_str a, tt_str b, tt_buf *out)
{
    tt_barrier left = tt_barrier_parse(a), right = tt_barrier_parse(b);

    if (left.p || right.p || (left.term.n && right.term.n && !tt_str_eq(left.term, right.term))) {
        tt_buf_put_char(out, 'P');
    } else if (!left.term.n || !right.term.n) {
        tt_buf_put_str(out, left.term.n ? a : b);
    } else {
        tt_buf_put(out, a.p, TT_NONCE_BYTES + 1);
        tt_points_merge(left.points, right.points, out);
    }
}

void tt_barrier_raise(tt_buf *into, tt_str more)
{
    tt_buf merged;

    if (more.n == 0 || tt_str_eq(tt_buf_str(into), more))
        return;
    if (into->n == 0) {
        tt_buf_put_str(into, more);
        return;
    }
    merged = tt_buf_init(into->a);
    tt_barrier_merge(tt_buf_str(into), more, &merged);
    into->failed |= merged.failed;
    if (!into->failed) {
        into->n = 0;
        tt_buf_put_str(into, tt_buf_str(&merged));
    }
    tt_buf_free(&merged);
}

bool tt_barrier_met(tt_str have, tt_str need)
{
    tt_barrier h = tt_barrier_parse(have), n = tt_barrier_parse(need);

    if (n.p)
        return false;
    if (n.term.n == 0)
        return true;
    return !h.p && tt_str_eq(h.term, n.term) && tt_points_cover(h.points, n.points);
}

void tt_barrier_write(tt_nonce term, tt_str points, tt_buf *out)
{
    if (points.n == 0) {
        tt_buf_put_char(out, 'P');
        return;
    }
    tt_buf_put(out, term.c, TT_NONCE_BYTES);
    tt_buf_put_char(out, '@');
    tt_buf_put_str(out, points);
}
