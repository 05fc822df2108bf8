/* The normal form of a statement. Two minus signs never end up side by side, so that a comment
 * dropped behind them cannot turn them into the start of another one. */
#include <twotier/error.h>

#include "core/sql.h"
#include "core/sql_lex.h"
#include "core/sql_words.h"

typedef struct normal {
    tt_buf *out;
    size_t start;
    tt_sql_token prev;
    bool several; /* a ';' was put: the closing one counts as well */
    size_t depth;
    /* For each level: inside the columns of a SELECT, of this level or of one around it. */
    bool in_list[TT_SQL_DEPTH_MAX + 1];
    bool around[TT_SQL_DEPTH_MAX + 1];
} normal;

static bool verbatim(const normal *n)
{
    return n->in_list[n->depth] || n->around[n->depth];
}

static void put_gap(normal *n, const tt_sql_token *t)
{
    const char *end = n->prev.text.p + n->prev.text.n;
    bool item_starts = tt_sql_is_word(&n->prev, "SELECT") || tt_sql_is_op(&n->prev, ',');

    if (n->out->n == n->start)
        return;
    if (t->spaced && verbatim(n) && !item_starts && !t->commented)
        tt_buf_put(n->out, end, (size_t)(t->text.p - end));
    else if (t->spaced || (tt_sql_is_op(t, '-') && tt_sql_is_op(&n->prev, '-')))
        tt_buf_put_char(n->out, ' ');
}

static void put_word(normal *n, const tt_sql_token *t, bool name)
{
    if (name || verbatim(n) || !(tt_sql_keyword(t->text) & TT_SQL_KW_FOLD)) {
        tt_buf_put_str(n->out, t->text);
        return;
    }
    for (size_t i = 0; i < t->text.n; i++) {
        char c = t->text.p[i];

        tt_buf_put_char(n->out, c >= 'a' && c <= 'z' ? (char)(c - ('a' - 'A')) : c);
    }
}

/* Where a list of columns ends, its last blanks are outside of it. */
static void leave(normal *n, const tt_sql_token *t, bool name)
{
    static const char *const ends[] = {"FROM", "UNION", "WHERE", "ORDER", "LIMIT", "INTO"};

    if (tt_sql_is_op(t, ')') && n->depth > 0)
        n->depth--;
    for (size_t i = 0; i < TT_COUNT(ends) && !name; i++)
        if (tt_sql_is_word(t, ends[i]))
            n->in_list[n->depth] = false;
}

static bool enter(normal *n, const tt_sql_token *t, bool name)
{
    if (tt_sql_is_word(t, "SELECT") && !name)
        n->in_list[n->depth] = true;
    if (!tt_sql_is_op(t, '('))
        return true;
    if (n->depth == TT_SQL_DEPTH_MAX)
        return false;
    n->around[n->depth + 1] = verbatim(n);
    n->in_list[++n->depth] = false;
    return true;
}

static int normalize(normal *n, tt_sql_lexer *lexer)
{
    tt_sql_token t = tt_sql_next(lexer);

    while (t.kind != TT_SQL_END) {
        tt_sql_token next = tt_sql_next(lexer);
        bool name = tt_sql_is_op(&n->prev, '.') || tt_sql_is_op(&next, '.');

        if (t.kind == TT_SQL_BAD)
            return TT_E_STATEMENT;
        if (tt_sql_is_op(&t, ';') && next.kind == TT_SQL_END && !n->several)
            break;
        n->several = n->several || tt_sql_is_op(&t, ';');
        leave(n, &t, name);
        put_gap(n, &t);
        if (t.kind == TT_SQL_WORD)
            put_word(n, &t, name);
        else
            tt_buf_put_str(n->out, t.text);
        if (!enter(n, &t, name))
            return TT_E_STATEMENT;
        n->prev = t;
        t = next;
    }
    return 0;
}

int tt_sql_normalize(tt_str sql, tt_buf *out)
{
    tt_sql_lexer lexer = tt_sql_lex(sql);
    normal n;
    int rc;

    n.out = out;
    n.start = out->n;
    n.prev = (tt_sql_token){TT_SQL_END, '\0', false, false, {NULL, 0}, NULL};
    n.several = false;
    n.depth = 0;
    n.in_list[0] = n.around[0] = false;
    rc = normalize(&n, &lexer);
    if (out->failed)
        return TT_E_NOMEM;
    if (rc != 0)
        out->n = n.start;
    return rc;
}
