#include "core/sql_lex.h"

static const char why_exec[] = "an executable comment is code on some servers only";
static const char why_comment[] = "a comment is not closed, or holds a zero byte";
static const char why_hint[] = "an optimizer hint sets a variable, or has unusual characters";
static const char why_escape[] = "a backslash before a quote depends on the SQL mode: double the "
                                 "quote, or bind the value";
static const char why_quote[] = "a quote is not closed";
static const char why_number[] = "a number runs into a name: set a blank, or quote the name";
static const char why_byte[] = "an unquoted character that is not part of plain SQL";

tt_sql_lexer tt_sql_lex(tt_str sql)
{
    const char *at = sql.n ? sql.p : "";

    return (tt_sql_lexer){at, at + sql.n, TT_SQL_END, false, NULL};
}

/* The byte `ahead` of the place, or 0 beyond the end; a zero byte in the text is never accepted. */
static char peek(const tt_sql_lexer *l, size_t ahead)
{
    return (size_t)(l->end - l->at) > ahead ? l->at[ahead] : '\0';
}

static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_name(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c) || c == '_' ||
           c == '$' || (unsigned char)c >= 0x80;
}

static tt_sql_token cut(tt_sql_lexer *l, tt_sql_token_kind kind, size_t n)
{
    tt_sql_token t = {kind, '\0', false, false, {l->at, n}, NULL};

    TT_ASSERT(n <= (size_t)(l->end - l->at));
    l->at += n;
    return t;
}

static tt_sql_token bad(const char *why)
{
    return (tt_sql_token){TT_SQL_BAD, '\0', false, false, {NULL, 0}, why};
}

/* ---- comments ---- */

/* "-- ": two hyphens and a blank, a control character or the end. */
static bool at_line_comment(const tt_sql_lexer *l)
{
    if (peek(l, 0) == '#')
        return true;
    return peek(l, 0) == '-' && peek(l, 1) == '-' &&
           ((unsigned char)peek(l, 2) <= ' ' || peek(l, 2) == 0x7f);
}

static bool at_long_comment(const tt_sql_lexer *l)
{
    return peek(l, 0) == '/' && peek(l, 1) == '*';
}

static bool at_executable_comment(const tt_sql_lexer *l)
{
    char c = peek(l, 2);

    return c == '!' || ((c == 'M' || c == 'm') && peek(l, 3) == '!');
}

static bool skip_line_comment(tt_sql_lexer *l)
{
    while (l->at < l->end && *l->at != '\n')
        if (*l->at++ == '\0')
            return false;
    return true;
}

/* The bytes of the long comment here, both ends included; 0 when it is not closed. */
static size_t long_comment_bytes(const tt_sql_lexer *l)
{
    for (const char *p = l->at + 2; l->end - p >= 2 && *p; p++)
        if (p[0] == '*' && p[1] == '/')
            return (size_t)(p + 2 - l->at);
    return 0;
}

/* Pass blanks and comments, but not hints. NULL, or why not. */
static const char *skip_gap(tt_sql_lexer *l, bool *commented)
{
    for (;;) {
        if (l->at < l->end && is_blank(*l->at)) {
            l->at++;
        } else if (at_line_comment(l)) {
            *commented = true;
            if (!skip_line_comment(l))
                return why_comment;
        } else if (at_long_comment(l)) {
            size_t n = long_comment_bytes(l);

            if (at_executable_comment(l))
                return why_exec;
            if (peek(l, 2) == '+')
                return NULL;
            if (n == 0)
                return why_comment;
            *commented = true;
            l->at += n;
        } else {
            return NULL;
        }
    }
}

static bool hint_char(char c)
{
    return c && ((is_name(c) && (unsigned char)c < 0x80) || is_blank(c) || strchr("@.,()%-", c));
}

/* Hints are lexed by rules of their own, so only the plain ones are let through. SET_VAR needs '='
 * and could change what the statement returns. */
static tt_sql_token lex_hint(tt_sql_lexer *l)
{
    size_t n = long_comment_bytes(l);

    if (n < 5)
        return bad(why_comment);
    for (size_t i = 3; i < n - 2; i++)
        if (!hint_char(l->at[i]))
            return bad(why_hint);
    return cut(l, TT_SQL_HINT, n);
}

/* ---- quotes, numbers, words ---- */

static tt_sql_token lex_string(tt_sql_lexer *l, char quote)
{
    size_t n = (size_t)(l->end - l->at);

    for (size_t i = 1; i < n; i++) {
        if (l->at[i] == '\\') {
            if (peek(l, ++i) == quote)
                return bad(why_escape);
        } else if (l->at[i] == quote) {
            if (peek(l, i + 1) != quote)
                return cut(l, TT_SQL_STRING, i + 1);
            i++;
        }
    }
    return bad(why_quote);
}

static tt_sql_token lex_quoted(tt_sql_lexer *l)
{
    for (size_t i = 1; peek(l, i); i++) {
        if (peek(l, i) != '`')
            continue;
        if (peek(l, i + 1) != '`')
            return cut(l, TT_SQL_QUOTED, i + 1);
        i++;
    }
    return bad(why_quote);
}

static size_t run_of(const tt_sql_lexer *l, size_t from, const char *set)
{
    size_t n = from;

    while (peek(l, n) && strchr(set, peek(l, n)))
        n++;
    return n;
}

/* Length of the exponent at `from`, or 0. */
static size_t exponent_bytes(const tt_sql_lexer *l, size_t from)
{
    size_t n = from + 1, end;

    if (peek(l, from) != 'e' && peek(l, from) != 'E')
        return 0;
    if (peek(l, n) == '+' || peek(l, n) == '-')
        n++;
    end = run_of(l, n, "0123456789");
    return end > n ? end - from : 0;
}

static tt_sql_token lex_number(tt_sql_lexer *l)
{
    bool based = peek(l, 0) == '0' && (peek(l, 1) == 'x' || peek(l, 1) == 'b');
    size_t n;

    if (based) {
        n = run_of(l, 2, peek(l, 1) == 'x' ? "0123456789abcdefABCDEF" : "01");
    } else {
        n = run_of(l, 0, "0123456789");
        if (peek(l, n) == '.')
            n = run_of(l, n + 1, "0123456789");
        n += exponent_bytes(l, n);
    }
    if ((based && n == 2) || is_name(peek(l, n)) || peek(l, n) == '.')
        return bad(why_number);
    return cut(l, TT_SQL_NUMBER, n);
}

static size_t name_bytes(const tt_sql_lexer *l, size_t from)
{
    size_t n = from;

    while (is_name(peek(l, n)))
        n++;
    return n;
}

static tt_sql_token lex_word(tt_sql_lexer *l)
{
    size_t n = name_bytes(l, 0);

    if (*l->at == '$')
        return bad(why_byte); /* a dollar quote in MySQL 9 */
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)l->at[i] >= 0x80)
            return bad(why_byte);
    return cut(l, TT_SQL_WORD, n);
}

static tt_sql_token lex_variable(tt_sql_lexer *l)
{
    size_t n = name_bytes(l, peek(l, 1) == '@' ? 2 : 1);

    for (size_t i = 0; i < n; i++)
        if ((unsigned char)l->at[i] >= 0x80)
            return bad(why_byte);
    return cut(l, TT_SQL_VARIABLE, n);
}

static tt_sql_token lex_op(tt_sql_lexer *l, char c)
{
    tt_sql_token t;

    if (c == ':' && peek(l, 1) == '=')
        t = cut(l, TT_SQL_OP, 2);
    else if (c && strchr("(),.;=<>!+-*/%^&|~", c))
        t = cut(l, TT_SQL_OP, 1);
    else
        return bad(why_byte);
    t.op = c;
    return t;
}

static tt_sql_token lex_token(tt_sql_lexer *l, bool spaced)
{
    char c = peek(l, 0);

    if (l->at == l->end)
        return cut(l, TT_SQL_END, 0);
    if (c == '\'' || c == '"')
        return lex_string(l, c);
    if (c == '`')
        return lex_quoted(l);
    if (l->last_dot && !spaced && is_name(c))
        return lex_word(l); /* a name may begin with a digit here */
    if (c == '.' && is_digit(peek(l, 1)) && !spaced) {
        if (l->last == TT_SQL_WORD)
            return lex_op(l, c);
        if (l->last == TT_SQL_QUOTED || l->last == TT_SQL_VARIABLE)
            return bad(why_number);
    }
    if (is_digit(c) || (c == '.' && is_digit(peek(l, 1))))
        return lex_number(l);
    if (is_name(c))
        return lex_word(l);
    if (c == '@')
        return lex_variable(l);
    if (c == '?')
        return cut(l, TT_SQL_PARAM, 1);
    if (at_long_comment(l))
        return lex_hint(l);
    return lex_op(l, c);
}

tt_sql_token tt_sql_next(tt_sql_lexer *l)
{
    const char *start = l->at;
    bool commented = false;
    tt_sql_token t;

    if (!l->why)
        l->why = skip_gap(l, &commented);
    t = l->why ? bad(l->why) : lex_token(l, l->at > start);
    l->why = t.why;
    t.spaced = t.kind != TT_SQL_BAD && t.text.p > start;
    t.commented = commented;
    l->last_dot = t.op == '.' && l->last == TT_SQL_WORD && !t.spaced;
    l->last = t.kind;
    return t;
}
