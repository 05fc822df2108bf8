/* sql_scan.h: the pass over a statement which sql.c (its class) and sql_tables.c (its tables)
 * share.
 */
#ifndef TT_CORE_SQL_SCAN_H
#define TT_CORE_SQL_SCAN_H

#include "core/sql.h"
#include "core/sql_lex.h"

#define TT_SQL_CTES_MAX 16

typedef enum tt_sql_from { TT_SQL_FROM_NONE = 0, TT_SQL_FROM_DUE, TT_SQL_FROM_AFTER } tt_sql_from;

/* One level of parentheses. */
typedef struct tt_sql_level {
    tt_sql_from from; /* a table is due here, or one was just named */
    bool query;       /* a SELECT stands on this level: FROM means tables */
    bool list;        /* a comma makes another table due */
    bool written;     /* tables named here are written */
} tt_sql_level;

typedef enum tt_sql_cte_state {
    TT_SQL_CTE_NONE = 0,
    TT_SQL_CTE_NAME,
    TT_SQL_CTE_NAMED,
    TT_SQL_CTE_AS,
    TT_SQL_CTE_BODY
} tt_sql_cte_state;

typedef struct tt_sql_scan {
    tt_sql_lexer lexer;
    tt_sql_token prev2, prev, cur, next, next2;
    tt_family family;
    tt_sql_info *out;
    tt_str verb;        /* the word that says what the statement does */
    size_t main_depth;  /* where it stands */
    const char *target; /* name of the table written last: a '(' after it is no call */
    const char *source; /* name of the table function read last */
    tt_sql_cte_state cte;
    bool cte_recursive;
    tt_str cte_open; /* being defined: its name may still mean a table */
    tt_str ctes[TT_SQL_CTES_MAX];
    size_t n_ctes;
    size_t depth;
    tt_sql_level levels[TT_SQL_DEPTH_MAX + 1]; /* last: only the first is made ready */
} tt_sql_scan;

static inline bool tt_sql_after_dot(const tt_sql_scan *s)
{
    return tt_sql_is_op(&s->prev, '.');
}

/* Is the current word a name whatever it says: part of a qualified one? The lexers take "from.t"
 * for a name, but "from .t" and "from.`t`" for a keyword before a dot. */
static inline bool tt_sql_in_name(const tt_sql_scan *s)
{
    return tt_sql_after_dot(s) || (tt_sql_is_op(&s->next, '.') && !s->next.spaced &&
                                   s->next2.kind == TT_SQL_WORD && !s->next2.spaced);
}

static inline bool tt_sql_verb_is(const tt_sql_scan *s, const char *word)
{
    return s->verb.n && (s->verb.p[0] | 0x20) == (word[0] | 0x20) &&
           tt_str_eq_nocase(s->verb, tt_str_c(word));
}

/* sql_tables.c: the verb of a statement other than a read is the current token; and any other
 * token, before the level of a parenthesis is entered or left. */
void tt_sql_tables_verb(tt_sql_scan *s);
void tt_sql_tables_token(tt_sql_scan *s);
/* A quoted or unquoted name without its quotes; false when it holds quotes itself. */
TT_MUST bool tt_sql_plain_name(const tt_sql_token *t, tt_str *out);

#endif
