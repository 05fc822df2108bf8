/* sql.h: what a statement is, proved from its text alone, and its normal form for cache keys.
 *
 * The safety property: a statement that writes is never of class TT_SQL_READ or
 * TT_SQL_READ_VOLATILE. So everything is refused that could be read in two ways (see sql_lex.h),
 * and every call of a function that is not known to be built in takes a statement out of them.
 * The text cannot tell what a view does: a view over a stored function that writes counts as a
 * table. Precondition: the SQL mode has neither ORACLE nor MSSQL in it.
 */
#ifndef TT_CORE_SQL_H
#define TT_CORE_SQL_H

#include "base/buf.h"
#include "core/position.h"

/* The order matters: of two findings the later class wins. */
typedef enum tt_sql_class {
    TT_SQL_READ = 0,      /* plain read: may go to a replica and be cached */
    TT_SQL_READ_VOLATILE, /* reads only, but time, chance or who asks is in the result: to any
                             node, never cached */
    TT_SQL_READ_PRIMARY,  /* not shown to write, but only right on the primary, uncached: locking
                             reads, variables, functions that are not known (which may write) */
    TT_SQL_SESSION,       /* changes or uses the state of one connection: SET, USE, PREPARE ... */
    TT_SQL_TRANSACTION,   /* begins, ends or shapes a transaction */
    TT_SQL_DDL,           /* changes the schema, accounts, or the server itself */
    TT_SQL_WRITE,         /* changes rows, files or sequences; CALL and DO */
    TT_SQL_MULTIPLE,      /* more than one statement */
    TT_SQL_UNPROVABLE     /* none of the above could be shown */
} tt_sql_class;

#define TT_SQL_TABLES_MAX 16
#define TT_SQL_DEPTH_MAX 64 /* parentheses deeper than this are not followed: UNPROVABLE */

/* A table as it is named in the statement, without quotes, its case kept; borrowed from the text.
 */
typedef struct tt_sql_table {
    tt_str schema; /* empty when the name is not qualified */
    tt_str name;
    bool written; /* INSERT, REPLACE, UPDATE, DELETE, LOAD, TRUNCATE of it, not a mere read */
} tt_sql_table;

typedef struct tt_sql_info {
    tt_sql_class class;
    const char *why;   /* a static sentence for people; never NULL */
    unsigned n_params; /* `?` placeholders */
    /* Each table once. Rather one too many than one too few: an alias or the name of a common table
     * expression may be among them. Views count as tables; what triggers, cascades and stored
     * routines touch is not in the text. */
    tt_sql_table tables[TT_SQL_TABLES_MAX];
    size_t n_tables;
    bool may_commit;      /* it may end the transaction that is open: CALL and the schema's */
    bool tables_complete; /* every table that the text names is in `tables` */
} tt_sql_info;

/* Never fails. `family` says which built-in functions exist: with TT_FAMILY_UNKNOWN only those of
 * both. `out` borrows from `sql`. */
void tt_sql_inspect(tt_str sql, tt_family family, tt_sql_info *out);

/* "read", "read (volatile)", ...; never NULL. */
const char *tt_sql_class_name(tt_sql_class c);

/* May it be run as a read at all? */
static inline bool tt_sql_reads(tt_sql_class c)
{
    return c <= TT_SQL_READ_PRIMARY;
}

/* Append the normal form: statements that share it are the same to the server, and give columns of
 * the same names. Comments and a closing ';' are dropped, optimizer hints kept; runs of blanks are
 * one blank; reserved words are in capitals. In the list of columns of a SELECT words and blanks
 * stay as they are, since servers name columns by them. Literals stay as they are.
 * 0; TT_E_STATEMENT: the text cannot be read to its end, nothing is appended; TT_E_NOMEM (through
 * out->failed). */
TT_MUST int tt_sql_normalize(tt_str sql, tt_buf *out);

#endif
