/* The class of a statement: its verb decides what it can be at best, and one pass over all tokens
 * looks for what takes it lower. Nothing is parsed: words that could begin a write take a read out
 * of the reads wherever they stand, which costs a few odd statements and needs no grammar. */
#include "core/sql.h"

#include <stddef.h>

#include "core/sql_scan.h"
#include "core/sql_words.h"

static const char why_unknown[] = "calls a function that is not known to be free of side effects";
static const char why_verb[] = "begins with a word that is not known to begin a read or a write";
static const char why_parens[] = "its parentheses do not match, or nest too deeply";
static const char why_odd[] = "holds a word that has no place in a plain read";
static const char why_write[] = "changes rows";

/* ---- what the first word says ---- */

static const struct verb {
    const char *word;
    tt_sql_class class;
    const char *why;
} verbs[] = {
    {"SELECT", TT_SQL_READ, "a plain read"},
    {"WITH", TT_SQL_READ, "a plain read"},
    {"VALUES", TT_SQL_READ, "a plain read"},
    {"TABLE", TT_SQL_READ, "a plain read"},
    {"EXPLAIN", TT_SQL_READ_VOLATILE, "describes a plan or a table, not rows"},
    {"DESCRIBE", TT_SQL_READ_VOLATILE, "describes a plan or a table, not rows"},
    {"DESC", TT_SQL_READ_VOLATILE, "describes a plan or a table, not rows"},
    {"SHOW", TT_SQL_READ_PRIMARY, "tells of one server or session"},
    {"HELP", TT_SQL_READ_PRIMARY, "tells of one server or session"},
    {"INSERT", TT_SQL_WRITE, why_write},
    {"REPLACE", TT_SQL_WRITE, why_write},
    {"UPDATE", TT_SQL_WRITE, why_write},
    {"DELETE", TT_SQL_WRITE, why_write},
    {"LOAD", TT_SQL_WRITE, why_write},
    {"TRUNCATE", TT_SQL_DDL, "empties a table, and commits"},
    {"CALL", TT_SQL_WRITE, "a stored procedure may change anything"},
    {"DO", TT_SQL_WRITE, "is run for its effects"},
    {"CREATE", TT_SQL_DDL, "changes the schema"},
    {"ALTER", TT_SQL_DDL, "changes the schema"},
    {"DROP", TT_SQL_DDL, "changes the schema"},
    {"RENAME", TT_SQL_DDL, "changes the schema"},
    {"IMPORT", TT_SQL_DDL, "changes the schema"},
    {"OPTIMIZE", TT_SQL_DDL, "changes the schema"},
    {"REPAIR", TT_SQL_DDL, "changes the schema"},
    {"CHECK", TT_SQL_DDL, "looks after tables"},
    {"CHECKSUM", TT_SQL_DDL, "looks after tables"},
    {"GRANT", TT_SQL_DDL, "changes accounts"},
    {"REVOKE", TT_SQL_DDL, "changes accounts"},
    {"INSTALL", TT_SQL_DDL, "changes the server itself"},
    {"UNINSTALL", TT_SQL_DDL, "changes the server itself"},
    {"FLUSH", TT_SQL_DDL, "changes the server itself"},
    {"RESET", TT_SQL_DDL, "changes the server itself"},
    {"PURGE", TT_SQL_DDL, "changes the server itself"},
    {"CACHE", TT_SQL_DDL, "changes the server itself"},
    {"KILL", TT_SQL_DDL, "changes the server itself"},
    {"SHUTDOWN", TT_SQL_DDL, "changes the server itself"},
    {"RESTART", TT_SQL_DDL, "changes the server itself"},
    {"CHANGE", TT_SQL_DDL, "changes the server itself"},
    {"STOP", TT_SQL_DDL, "changes the server itself"},
    {"CLONE", TT_SQL_DDL, "changes the server itself"},
    {"BINLOG", TT_SQL_DDL, "changes the server itself"},
    {"BACKUP", TT_SQL_DDL, "changes the server itself"},
    {"BEGIN", TT_SQL_TRANSACTION, "begins or ends a transaction"},
    {"START", TT_SQL_TRANSACTION, "begins or ends a transaction"},
    {"COMMIT", TT_SQL_TRANSACTION, "begins or ends a transaction"},
    {"ROLLBACK", TT_SQL_TRANSACTION, "begins or ends a transaction"},
    {"SAVEPOINT", TT_SQL_TRANSACTION, "sets or releases a savepoint"},
    {"RELEASE", TT_SQL_TRANSACTION, "sets or releases a savepoint"},
    {"XA", TT_SQL_TRANSACTION, "a distributed transaction"},
    {"SET", TT_SQL_SESSION, "changes the state of one session"},
    {"USE", TT_SQL_SESSION, "changes the state of one session"},
    {"LOCK", TT_SQL_SESSION, "changes the state of one session"},
    {"UNLOCK", TT_SQL_SESSION, "changes the state of one session"},
    {"PREPARE", TT_SQL_SESSION, "changes the state of one session"},
    {"DEALLOCATE", TT_SQL_SESSION, "changes the state of one session"},
    {"HANDLER", TT_SQL_SESSION, "changes the state of one session"},
    {"GET", TT_SQL_SESSION, "changes the state of one session"},
    {"EXECUTE", TT_SQL_UNPROVABLE, "runs a statement that is not in the text"},
    {"ANALYZE", TT_SQL_UNPROVABLE, "may run the statement that it analyses"},
};

static const struct verb *find_verb(const tt_sql_token *word)
{
    for (size_t i = 0; i < TT_COUNT(verbs); i++)
        if (tt_sql_is_word(word, verbs[i].word))
            return &verbs[i];
    return NULL;
}

/* Of two findings the worse one stays; of two equal ones the first. */
static void find_class(tt_sql_scan *s, tt_sql_class class, const char *why)
{
    if (class > s->out->class) {
        s->out->class = class;
        s->out->why = why;
    }
}

static bool next_is_any(const tt_sql_token *t, const char *const *words)
{
    for (; *words; words++)
        if (tt_sql_is_word(t, *words))
            return true;
    return false;
}

static void judge_set(tt_sql_scan *s)
{
    static const char *const of_server[] = {
        "GLOBAL", "PERSIST", "PERSIST_ONLY", "PASSWORD", "DEFAULT", "RESOURCE", NULL};

    if (tt_sql_is_word(&s->next, "STATEMENT"))
        find_class(s, TT_SQL_UNPROVABLE, "runs the statement that follows it");
    else if (next_is_any(&s->next, of_server))
        find_class(s, TT_SQL_DDL, "changes accounts or the server itself");
}

/* Verbs that mean different things by the word that follows. */
static void judge_second_word(tt_sql_scan *s)
{
    static const char *const tables[] = {"TABLE", "LOCAL", "NO_WRITE_TO_BINLOG", NULL};
    static const char *const of_session[] = {"TEMPORARY", "PREPARE", NULL};
    bool ends = s->next.kind == TT_SQL_END || tt_sql_is_op(&s->next, ';');

    if (tt_sql_verb_is(s, "SET")) {
        judge_set(s);
    } else if (tt_sql_verb_is(s, "START")) {
        if (!tt_sql_is_word(&s->next, "TRANSACTION"))
            find_class(s, TT_SQL_DDL, "changes the server itself");
    } else if (tt_sql_verb_is(s, "BEGIN")) {
        if (!ends && !tt_sql_is_word(&s->next, "WORK"))
            find_class(s, TT_SQL_UNPROVABLE, "a compound statement may do anything");
    } else if (tt_sql_verb_is(s, "CREATE") || tt_sql_verb_is(s, "DROP")) {
        if (next_is_any(&s->next, of_session)) {
            s->out->class = TT_SQL_SESSION;
            s->out->why = "a temporary table or a prepared statement belongs to one session";
        }
    } else if (tt_sql_verb_is(s, "ANALYZE") && next_is_any(&s->next, tables)) {
        s->out->class = TT_SQL_DDL;
        s->out->why = "looks after tables";
    }
}

/* The current token is the first behind opening parentheses. */
static void judge_verb(tt_sql_scan *s)
{
    const struct verb *verb = find_verb(&s->cur);

    if (s->cur.kind == TT_SQL_BAD)
        return;
    if (!verb || tt_sql_is_op(&s->next, '.') || (s->depth > 0 && verb->class != TT_SQL_READ)) {
        find_class(s, TT_SQL_UNPROVABLE,
                   s->cur.kind == TT_SQL_END ? "there is no statement" : why_verb);
        return;
    }
    s->verb = s->cur.text;
    s->main_depth = s->depth;
    s->out->class = verb->class;
    s->out->why = verb->why;
    s->out->may_commit = verb->class == TT_SQL_DDL || tt_sql_verb_is(s, "CALL");
    s->out->tables_complete = true;
    if (tt_sql_verb_is(s, "WITH"))
        s->cte = TT_SQL_CTE_NAME;
    else if (verb->class == TT_SQL_READ)
        tt_sql_tables_token(s);
    else
        tt_sql_tables_verb(s);
    judge_second_word(s);
}

/* ---- common table expressions before the main verb ---- */

static void close_cte(tt_sql_scan *s)
{
    if (s->cte_open.n && s->n_ctes < TT_SQL_CTES_MAX)
        s->ctes[s->n_ctes++] = s->cte_open;
    s->cte_open = (tt_str){NULL, 0};
}

/* The list has ended: the current token begins what the statement does. */
static void judge_main_verb(tt_sql_scan *s)
{
    static const char *const writes[] = {"UPDATE", "DELETE", "INSERT", "REPLACE", NULL};
    static const char *const reads[] = {"SELECT", "VALUES", "TABLE", NULL};

    s->cte = TT_SQL_CTE_NONE;
    if (next_is_any(&s->cur, writes) && !tt_sql_is_op(&s->next, '(')) {
        s->verb = s->cur.text;
        find_class(s, TT_SQL_WRITE, why_write);
        tt_sql_tables_verb(s);
    } else if (!next_is_any(&s->cur, reads) && !tt_sql_is_op(&s->cur, '(')) {
        find_class(s, TT_SQL_UNPROVABLE, why_odd);
    }
}

/* One token on the level of a leading WITH: name [(columns)] AS (body) [, ...] verb. */
static void step_cte(tt_sql_scan *s)
{
    bool ok = true;

    switch (s->cte) {
    case TT_SQL_CTE_NAME:
        if (tt_sql_is_word(&s->cur, "RECURSIVE") && !s->cte_recursive &&
            !tt_sql_is_op(&s->next, '(') && !tt_sql_is_word(&s->next, "AS")) {
            s->cte_recursive = true;
            return;
        }
        s->cte = TT_SQL_CTE_NAMED;
        ok = tt_sql_plain_name(&s->cur, &s->cte_open) &&
             (s->cur.kind != TT_SQL_WORD || tt_sql_keyword(s->cur.text) == 0);
        break;
    case TT_SQL_CTE_NAMED:
        ok = tt_sql_is_op(&s->cur, '(') || tt_sql_is_word(&s->cur, "AS");
        if (tt_sql_is_word(&s->cur, "AS")) {
            s->cte = TT_SQL_CTE_AS;
            if (s->cte_recursive)
                close_cte(s);
        }
        break;
    case TT_SQL_CTE_AS:
        ok = tt_sql_is_op(&s->cur, '(');
        s->cte = TT_SQL_CTE_BODY;
        break;
    case TT_SQL_CTE_BODY:
        close_cte(s);
        if (tt_sql_is_op(&s->cur, ','))
            s->cte = TT_SQL_CTE_NAME;
        else
            judge_main_verb(s);
        break;
    case TT_SQL_CTE_NONE:
        break;
    }
    if (!ok) {
        s->cte = TT_SQL_CTE_NONE;
        find_class(s, TT_SQL_UNPROVABLE, why_odd);
    }
}

/* ---- calls ---- */

static bool ends_operand(const tt_sql_token *t)
{
    return tt_sql_is_op(t, ')') || t->kind == TT_SQL_STRING || t->kind == TT_SQL_NUMBER ||
           t->kind == TT_SQL_QUOTED || t->kind == TT_SQL_PARAM;
}

/* The current token has '(' after it: is it anything else than a call? */
static bool no_call(const tt_sql_scan *s)
{
    static const char *const before_query[] = {"ANY",    "SOME",      "LATERAL",
                                               "EXCEPT", "INTERSECT", NULL};
    static const char *const after_operand[] = {"OVER", "AGAINST", "COLUMNS", "VALUE", NULL};
    bool query = tt_sql_is_word(&s->next2, "SELECT") || tt_sql_is_word(&s->next2, "WITH");

    if (s->cte == TT_SQL_CTE_NAMED && s->depth == s->main_depth)
        return true; /* the columns of a common table expression */
    if (tt_sql_is_word(&s->prev, "WITH") || tt_sql_is_word(&s->prev, "RECURSIVE"))
        return true;
    if (tt_sql_is_word(&s->prev, "AS") && !tt_sql_is_op(&s->prev2, '.'))
        return true; /* a type, or an alias with columns */
    if (s->cur.kind != TT_SQL_WORD)
        return false;
    return (tt_sql_keyword(s->cur.text) & TT_SQL_KW_PAREN) ||
           (query && next_is_any(&s->cur, before_query)) ||
           (ends_operand(&s->prev) && next_is_any(&s->cur, after_operand));
}

static void judge_effect(tt_sql_scan *s, tt_sql_effect effect)
{
    switch (effect) {
    case TT_SQL_FN_PURE:
    case TT_SQL_FN_TABLE:
        break;
    case TT_SQL_FN_VOLATILE_BARE:
        if (!tt_sql_is_op(&s->next2, ')'))
            break;
        /* fall through */
    case TT_SQL_FN_VOLATILE:
        find_class(s, TT_SQL_READ_VOLATILE, "its result depends on time, chance or who asks");
        break;
    case TT_SQL_FN_SESSION:
        find_class(s, TT_SQL_READ_PRIMARY, "calls a function of one session or one node");
        break;
    case TT_SQL_FN_WRITE:
        find_class(s, TT_SQL_WRITE, "moves a sequence");
        s->out->tables_complete = false;
        break;
    }
}

static void judge_call(tt_sql_scan *s)
{
    const tt_sql_function *f = NULL;

    if (tt_sql_after_dot(s)) {
        /* a qualified name is a stored function, whatever it is called */
    } else if (no_call(s)) {
        return;
    } else if (s->cur.kind == TT_SQL_WORD) {
        f = tt_sql_function_find(s->cur.text);
    }
    if (f && f->effect == TT_SQL_FN_TABLE && s->cur.text.p != s->source)
        f = NULL;
    if (f && (f->family == TT_FAMILY_UNKNOWN || f->family == s->family) &&
        !(f->adjacent && s->next.spaced)) {
        judge_effect(s, f->effect);
        return;
    }
    find_class(s, TT_SQL_READ_PRIMARY, why_unknown);
    s->out->tables_complete = false;
}

/* ---- words that take a read lower ---- */

static void judge_into(tt_sql_scan *s)
{
    if (tt_sql_is_word(&s->next, "OUTFILE") || tt_sql_is_word(&s->next, "DUMPFILE"))
        find_class(s, TT_SQL_WRITE, "writes a file on the server");
    else if (s->next.kind == TT_SQL_VARIABLE)
        find_class(s, TT_SQL_SESSION, "sets a variable of the session");
    else
        find_class(s, TT_SQL_UNPROVABLE, why_odd);
}

/* FOR after VALUE, before UPDATE or SHARE. */
static void judge_for(tt_sql_scan *s)
{
    if (tt_sql_is_word(&s->next, "UPDATE") || tt_sql_is_word(&s->next, "SHARE"))
        find_class(s, TT_SQL_READ_PRIMARY, "locks the rows that it reads");
    if (!tt_sql_is_word(&s->prev, "VALUE"))
        return;
    if (tt_sql_is_word(&s->prev2, "NEXT"))
        judge_effect(s, TT_SQL_FN_WRITE);
    else
        judge_effect(s, TT_SQL_FN_SESSION);
}

/* Words of writing statements. They are reserved, so a plain read has them as functions at most. */
static void judge_write_word(tt_sql_scan *s)
{
    static const char *const writes[] = {"UPDATE", "DELETE", "INSERT",    "REPLACE",
                                         "CALL",   "LOAD",   "PROCEDURE", NULL};

    if (!next_is_any(&s->cur, writes))
        return;
    if (tt_sql_is_word(&s->cur, "UPDATE") && tt_sql_is_word(&s->prev, "FOR"))
        return;
    if (tt_sql_is_op(&s->next, '(') &&
        (tt_sql_is_word(&s->cur, "INSERT") || tt_sql_is_word(&s->cur, "REPLACE")))
        return;
    find_class(s, TT_SQL_UNPROVABLE, why_odd);
}

static void judge_word(tt_sql_scan *s)
{
    static const char *const bare[] = {"CURRENT_DATE",
                                       "CURRENT_TIME",
                                       "CURRENT_TIMESTAMP",
                                       "CURRENT_USER",
                                       "CURRENT_ROLE",
                                       "LOCALTIME",
                                       "LOCALTIMESTAMP",
                                       "UTC_DATE",
                                       "UTC_TIME",
                                       "UTC_TIMESTAMP",
                                       "SYSDATE",
                                       "EXAMINED",
                                       NULL};
    static const char *const sequence[] = {"NEXTVAL", "CURRVAL", "LASTVAL", NULL};

    if (tt_sql_is_word(&s->cur, "INTO"))
        judge_into(s);
    if (tt_sql_after_dot(s)) {
        if (next_is_any(&s->cur, sequence))
            judge_effect(s, TT_SQL_FN_WRITE); /* Oracle's way to move one */
        return;
    }
    if (next_is_any(&s->cur, bare))
        judge_effect(s, TT_SQL_FN_VOLATILE);
    else if (tt_sql_is_word(&s->cur, "FOR"))
        judge_for(s);
    else if (tt_sql_is_word(&s->cur, "LOCK"))
        find_class(s, TT_SQL_READ_PRIMARY, "locks the rows that it reads");
    else if (tt_sql_is_word(&s->cur, "SQL_CALC_FOUND_ROWS"))
        find_class(s, TT_SQL_READ_PRIMARY, "leaves a count in the session");
    else
        judge_write_word(s);
}

static void judge_variable(tt_sql_scan *s)
{
    bool autocommit = tt_str_eq_nocase(s->cur.text, TT_STR("@@autocommit"));

    if (autocommit && tt_sql_verb_is(s, "SET"))
        find_class(s, TT_SQL_TRANSACTION, "shapes the transactions of the session");
    find_class(s, TT_SQL_READ_PRIMARY, "uses a variable of the session or the server");
}

/* ---- the pass ---- */

static void advance(tt_sql_scan *s)
{
    s->prev2 = s->prev;
    s->prev = s->cur;
    s->cur = s->next;
    s->next = s->next2;
    s->next2 = tt_sql_next(&s->lexer);
}

static bool open_level(tt_sql_scan *s)
{
    tt_sql_level *outer = &s->levels[s->depth], inner = {TT_SQL_FROM_NONE, false, false, false};

    if (s->depth == TT_SQL_DEPTH_MAX) {
        find_class(s, TT_SQL_UNPROVABLE, why_parens);
        return false;
    }
    if (outer->from == TT_SQL_FROM_DUE) {
        inner = (tt_sql_level){TT_SQL_FROM_DUE, false, true, outer->written};
        outer->from = TT_SQL_FROM_AFTER;
    }
    s->levels[++s->depth] = inner;
    return true;
}

static bool close_level(tt_sql_scan *s)
{
    if (s->depth == 0) {
        find_class(s, TT_SQL_UNPROVABLE, why_parens);
        return false;
    }
    s->depth--;
    if (s->depth < s->main_depth)
        s->n_ctes = 0; /* common table expressions end with their parenthesis */
    return true;
}

/* False when the rest cannot be judged. */
static bool judge_op(tt_sql_scan *s)
{
    switch (s->cur.op) {
    case '(':
        return open_level(s);
    case ')':
        return close_level(s);
    case ':':
        find_class(s, TT_SQL_READ_PRIMARY, "uses a variable of the session or the server");
        return true;
    case ';':
        if (s->next.kind != TT_SQL_END)
            find_class(s, TT_SQL_MULTIPLE, "more than one statement in one text");
        return true;
    default:
        return true;
    }
}

/* Its tables are of one node, and change without a write. */
static bool is_system_schema(const tt_sql_token *t)
{
    static const char *const schemas[] = {"information_schema", "performance_schema", "mysql",
                                          "sys"};
    tt_str name;

    if (!tt_sql_plain_name(t, &name))
        return false;
    for (size_t i = 0; i < TT_COUNT(schemas); i++)
        if (tt_str_eq_nocase(name, tt_str_c(schemas[i])))
            return true;
    return false;
}

static void judge_name(tt_sql_scan *s)
{
    bool reading = tt_sql_reads(s->out->class);

    if (tt_sql_is_op(&s->next, '(') && s->cur.text.p != s->target)
        judge_call(s);
    if (reading && s->cur.kind == TT_SQL_STRING && tt_sql_is_op(&s->next, '('))
        find_class(s, TT_SQL_UNPROVABLE, why_odd); /* a call under ANSI_QUOTES at best */
    if (reading && tt_sql_is_op(&s->next, '.') && is_system_schema(&s->cur))
        find_class(s, TT_SQL_READ_VOLATILE, "reads tables of the server's own");
    if (s->cur.kind != TT_SQL_WORD)
        return;
    if (reading)
        judge_word(s);
    else if (tt_sql_verb_is(s, "SET") &&
             (tt_sql_is_word(&s->cur, "TRANSACTION") || tt_sql_is_word(&s->cur, "AUTOCOMMIT")))
        find_class(s, TT_SQL_TRANSACTION, "shapes the transactions of the session");
}

static bool judge_token(tt_sql_scan *s)
{
    if (s->cte != TT_SQL_CTE_NONE && s->cur.text.p != s->verb.p && s->depth == s->main_depth &&
        !tt_sql_is_op(&s->cur, ')'))
        step_cte(s);
    if (s->verb.n && s->cur.text.p == s->verb.p)
        return true; /* seen as the verb, here or just now */
    tt_sql_tables_token(s);
    switch (s->cur.kind) {
    case TT_SQL_PARAM:
        s->out->n_params++;
        return true;
    case TT_SQL_VARIABLE:
        judge_variable(s);
        return true;
    case TT_SQL_OP:
        return judge_op(s);
    case TT_SQL_WORD:
    case TT_SQL_QUOTED:
    case TT_SQL_STRING:
        judge_name(s);
        return true;
    case TT_SQL_BAD:
        find_class(s, TT_SQL_UNPROVABLE, s->cur.why);
        return false;
    case TT_SQL_NUMBER:
    case TT_SQL_HINT:
    case TT_SQL_END:
        return true;
    }
    return true;
}

static void scan_begin(tt_sql_scan *s, tt_str sql, tt_family family, tt_sql_info *out)
{
    memset(s, 0, offsetof(tt_sql_scan, levels) + sizeof(s->levels[0]));
    s->lexer = tt_sql_lex(sql);
    s->family = family;
    s->out = out;
    for (int i = 0; i < 3; i++)
        advance(s);
}

void tt_sql_inspect(tt_str sql, tt_family family, tt_sql_info *out)
{
    tt_sql_scan s;
    bool readable = true;

    memset(out, 0, sizeof(*out));
    out->why = "a plain read";
    scan_begin(&s, sql, family, out);
    while (readable && tt_sql_is_op(&s.cur, '(')) {
        readable = open_level(&s);
        advance(&s);
    }
    if (readable)
        judge_verb(&s);
    for (; readable && s.cur.kind != TT_SQL_END; advance(&s))
        readable = judge_token(&s);
    if (readable && (s.depth != 0 || s.cte != TT_SQL_CTE_NONE))
        find_class(&s, TT_SQL_UNPROVABLE, why_parens);
    if (out->class >= TT_SQL_MULTIPLE || s.levels[s.depth].from == TT_SQL_FROM_DUE)
        out->tables_complete = false;
}

const char *tt_sql_class_name(tt_sql_class c)
{
    static const char *const names[] = {"read",    "read (volatile)", "read (primary)",
                                        "session", "transaction",     "ddl",
                                        "write",   "multiple",        "unprovable"};

    return (size_t)c < TT_COUNT(names) ? names[c] : "?";
}
