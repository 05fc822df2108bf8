/* sql_words.h: the words of SQL that this library knows: keywords and built-in functions. */
#ifndef TT_CORE_SQL_WORDS_H
#define TT_CORE_SQL_WORDS_H

#include "core/position.h"

enum {
    TT_SQL_KW_FOLD = 1,  /* its case means nothing: the normal form has it in capitals */
    TT_SQL_KW_PAREN = 2, /* followed by '(' it is not a call */
    TT_SQL_KW_ENDS = 4   /* ends the list of tables after FROM */
};

/* Flags of an unquoted word in any case; 0 when it is not in the table. */
unsigned tt_sql_keyword(tt_str word);

typedef enum tt_sql_effect {
    TT_SQL_FN_PURE,          /* arguments in, value out, with the session's settings */
    TT_SQL_FN_TABLE,         /* pure as a table in FROM, elsewhere not built in */
    TT_SQL_FN_VOLATILE,      /* time, chance, or who asks */
    TT_SQL_FN_VOLATILE_BARE, /* volatile without arguments, else pure */
    TT_SQL_FN_SESSION,       /* state of one session or node: locks, last insert id, positions */
    TT_SQL_FN_WRITE          /* sequences */
} tt_sql_effect;

typedef struct tt_sql_function {
    const char *name; /* in capitals */
    tt_sql_effect effect;
    tt_family family; /* TT_FAMILY_UNKNOWN: built into both */
    bool adjacent;    /* built in only when '(' follows without a blank */
} tt_sql_function;

/* NULL when the name is not known: it may be a stored function. Case does not matter. */
const tt_sql_function *tt_sql_function_find(tt_str name);
/* The i-th of the table, NULL beyond its end; for tests. */
const tt_sql_function *tt_sql_function_at(size_t i);

#endif
