#include "svc/query.h"

#include "base/err.h"
#include "core/barrier.h"

int tt_session_check(const tt_session *s, const tt_client *c, tt_error *err)
{
    if (!s)
        return 0;
    if (s->c != c)
        return tt_fail(err, TT_E_ARGUMENT, "the session was made by another client");
    if (atomic_load_explicit(&s->owner, memory_order_acquire) != TT_SESSION_FREE)
        return tt_fail(err, TT_E_BUSY,
                       "the session has an operation in a queue whose completion was "
                       "not taken yet");
    return 0;
}

void tt_session_free_memory(tt_session *s)
{
    tt_client *c = s->c;

    tt_buf_free(&s->seen);
    tt_buf_free(&s->owed);
    tt_buf_free(&s->tags);
    tt_del(&c->a, s);
}

void tt_session_end(tt_session *s, bool block)
{
    if (!block && s->conn)
        s->conn->aborted = true;
    tt_run_rollback(s);
    tt_session_free_memory(s);
}

void tt_session_leave(tt_session *s)
{
    int owner = atomic_load_explicit(&s->owner, memory_order_acquire);

    while (owner != TT_SESSION_FREE) {
        if (owner == TT_SESSION_DONE)
            tt_run_rollback(s);
        if (atomic_compare_exchange_strong(&s->owner, &owner, TT_SESSION_LEFT))
            return;
    }
    tt_session_end(s, true);
}

/* A barrier that cannot be written down asks for everything. */
static void raise(tt_buf *into, tt_str more)
{
    tt_barrier_raise(into, more);
    if (into->failed) {
        tt_buf_clear(into);
        tt_buf_put_char(into, 'P');
    }
}

void tt_session_wrote(tt_session *s, tt_str position, bool owed)
{
    /* Positions of different terms make P: only the primary will do, until a proven one settles it.
     */
    raise(&s->seen, position);
    if (owed)
        raise(&s->owed, position);
}

/* Is it gathered already? Else *n says how many others are. */
static bool is_gathered(const tt_session *s, tt_str name, int *n)
{
    tt_str rest = tt_buf_str(&s->tags);

    for (*n = 0; rest.n; ++*n)
        if (tt_str_eq(tt_str_cut(&rest, '\n'), name))
            return true;
    return false;
}

int tt_session_gather(tt_session *s, const tt_str *names, int n, tt_error *err)
{
    size_t before = s->tags.n;
    int rc = 0, others;

    for (int i = 0; i < n && rc == 0; i++) {
        if (is_gathered(s, names[i], &others))
            continue;
        if (others >= TT_TAGS_MAX)
            rc = tt_fail(err, TT_E_LIMIT, "more than %d tags in one transaction", TT_TAGS_MAX);
        tt_buf_put_str(&s->tags, names[i]);
        tt_buf_put_char(&s->tags, '\n');
        if (s->tags.failed)
            rc = tt_fail_nomem(err);
    }
    if (rc != 0) {
        s->tags.n = before;
        s->tags.failed = false;
    }
    return rc;
}

int tt_session_failed(tt_session *s, int code)
{
    switch (tt_error_class(code)) {
    case TT_CLASS_USAGE:
    case TT_CLASS_DATA:
    case TT_CLASS_NONE:
        break;
    default:
        s->tx = TT_TX_DOOMED;
        s->doom = code;
        break;
    }
    return code;
}

/* ---- token -------------------------------------------------------------------------------------
 */

/* "1." seen ".." owed; within a barrier "P", or term and points with '.' for ',' and '~' for ':'.
 */
static void encode(tt_str barrier, tt_buf *out)
{
    tt_barrier b = tt_barrier_parse(barrier);

    if (b.p) {
        tt_buf_put_char(out, 'P');
        return;
    }
    tt_buf_put_str(out, b.term);
    for (size_t i = 0; i < b.points.n; i++) {
        char c = b.points.p[i];

        tt_buf_put_char(out, (char)(c == ',' ? '.' : c == ':' ? '~' : c));
    }
}

int tt_session_encode(const tt_session *s, tt_buf *out)
{
    size_t start = out->n;

    if (s->seen.n == 0 && s->owed.n == 0)
        return 0;
    tt_buf_puts(out, "1.");
    encode(tt_buf_str(&s->seen), out);
    tt_buf_puts(out, "..");
    encode(tt_buf_str(&s->owed), out);
    if (!out->failed && out->n - start >= TT_TOKEN_MAX) {
        out->n = start;
        tt_buf_puts(out, s->owed.n ? "1.P..P" : "1.P..");
    }
    return out->failed ? TT_E_NOMEM : 0;
}

static int decode(tt_str text, tt_buf *out)
{
    if (text.n == 0)
        return 0;
    if (tt_str_eq(text, TT_STR("P"))) {
        tt_buf_put_char(out, 'P');
        return 0;
    }
    if (text.n <= TT_NONCE_BYTES)
        return TT_E_TOKEN;
    tt_buf_put(out, text.p, TT_NONCE_BYTES);
    tt_buf_put_char(out, '@');
    for (size_t i = TT_NONCE_BYTES; i < text.n; i++) {
        char c = text.p[i];

        tt_buf_put_char(out, (char)(c == '.' ? ',' : c == '~' ? ':' : c));
    }
    if (out->failed)
        return TT_E_NOMEM;
    return tt_barrier_parse(tt_buf_str(out)).p ? TT_E_TOKEN : 0;
}

static bool has_alphabet(tt_str t)
{
    for (size_t i = 0; i < t.n; i++) {
        char c = t.p[i];

        if (!((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
              c == '.' || c == '_' || c == '~' || c == '-'))
            return false;
    }
    return true;
}

/* Where the two dots between the barriers are; n when there are none. */
static size_t find_dots(tt_str t)
{
    for (size_t i = 0; i + 1 < t.n; i++)
        if (t.p[i] == '.' && t.p[i + 1] == '.')
            return i;
    return t.n;
}

int tt_session_decode(tt_session *s, tt_str token)
{
    tt_buf seen = tt_buf_init(&s->c->a), owed = tt_buf_init(&s->c->a);
    tt_str body;
    size_t dots;
    int rc = TT_E_TOKEN;

    if (token.n == 0)
        return 0;
    if (token.n >= TT_TOKEN_MAX || !has_alphabet(token) || !tt_str_has_prefix(token, TT_STR("1.")))
        return TT_E_TOKEN;
    body = tt_str_n(token.p + 2, token.n - 2);
    dots = find_dots(body);
    if (dots < body.n) {
        rc = decode(tt_str_n(body.p, dots), &seen);
        if (rc == 0)
            rc = decode(tt_str_n(body.p + dots + 2, body.n - dots - 2), &owed);
    }
    if (rc == 0) {
        raise(&s->seen, tt_buf_str(&seen));
        raise(&s->owed, tt_buf_str(&owed));
    }
    tt_buf_free(&seen);
    tt_buf_free(&owed);
    return rc;
}
