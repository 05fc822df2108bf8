/* sql_lex.h: SQL text as tokens, as the lexers of MySQL and MariaDB cut it.
 *
 * Whatever the servers might cut differently, by family, version, SQL mode or character set, is a
 * TT_SQL_BAD token with the reason: it is better to refuse a statement than to see another one
 * than the server does. That concerns executable comments, a backslash before a quote
 * (NO_BACKSLASH_ESCAPES, ANSI_QUOTES), names that run into numbers, unquoted names that are not
 * ASCII, dollar quotes, and zero bytes. The connection's character set must be one whose
 * characters of several bytes hold no ASCII bytes (utf8mb4, and any of single bytes).
 */
#ifndef TT_CORE_SQL_LEX_H
#define TT_CORE_SQL_LEX_H

#include "base/str.h"

typedef enum tt_sql_token_kind {
    TT_SQL_END = 0,
    TT_SQL_WORD,     /* keyword or unquoted name */
    TT_SQL_QUOTED,   /* `name` */
    TT_SQL_STRING,   /* 'text' or "text" (a name under ANSI_QUOTES) */
    TT_SQL_NUMBER,   /* decimal, 0x.., 0b.. */
    TT_SQL_PARAM,    /* ? */
    TT_SQL_VARIABLE, /* @, @x, @@x; a quoted name of it is the next token */
    TT_SQL_HINT,     /* optimizer hints: a comment that is kept */
    TT_SQL_OP,       /* one of ( ) , . ; = < > ! + - * / % ^ & | ~ and := as ':' */
    TT_SQL_BAD       /* not to be read on; `why` says so */
} tt_sql_token_kind;

typedef struct tt_sql_token {
    tt_sql_token_kind kind;
    char op;         /* of TT_SQL_OP, else 0 */
    bool spaced;     /* blanks or a comment stand before it */
    bool commented;  /* a comment stands before it */
    tt_str text;     /* borrowed, as written, with its quotes */
    const char *why; /* of TT_SQL_BAD: a static sentence */
} tt_sql_token;

typedef struct tt_sql_lexer {
    const char *at, *end;
    tt_sql_token_kind last; /* kind of the token before */
    bool last_dot;          /* that token was '.', following a word directly */
    const char *why;        /* set once a bad token was seen */
} tt_sql_lexer;

tt_sql_lexer tt_sql_lex(tt_str sql);
/* After TT_SQL_END or TT_SQL_BAD only that again. */
tt_sql_token tt_sql_next(tt_sql_lexer *l);

/* Is it this operator; is it this word (any case)? */
static inline bool tt_sql_is_op(const tt_sql_token *t, char op)
{
    return t->kind == TT_SQL_OP && t->op == op;
}

static inline bool tt_sql_is_word(const tt_sql_token *t, const char *word)
{
    /* the first letter tells most words apart, without a call */
    return t->kind == TT_SQL_WORD && (t->text.p[0] | 0x20) == (word[0] | 0x20) &&
           tt_str_eq_nocase(t->text, tt_str_c(word));
}

#endif
