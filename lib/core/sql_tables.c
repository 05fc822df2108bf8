/* Which tables a statement names. A small machine for each level of parentheses: FROM, JOIN, commas
 * and the verbs of writes make a table due; the next name is it. What is unsure is listed, and what
 * cannot be listed clears tables_complete. */
#include "core/sql_scan.h"
#include "core/sql_words.h"

bool tt_sql_plain_name(const tt_sql_token *t, tt_str *out)
{
    if (t->kind == TT_SQL_WORD) {
        *out = t->text;
        return true;
    }
    if (t->kind != TT_SQL_QUOTED && (t->kind != TT_SQL_STRING || t->text.p[0] != '"'))
        return false;
    *out = (tt_str){t->text.p + 1, t->text.n - 2};
    return out->n > 0 && !memchr(out->p, t->text.p[0], out->n) && !memchr(out->p, '\\', out->n);
}

static bool is_cte(const tt_sql_scan *s, tt_str name)
{
    for (size_t i = 0; i < s->n_ctes; i++)
        if (tt_str_eq(s->ctes[i], name))
            return true;
    return false;
}

static void add_table(tt_sql_scan *s, tt_str schema, tt_str name, bool written)
{
    tt_sql_info *out = s->out;

    if (schema.n == 0 && !written && is_cte(s, name))
        return;
    for (size_t i = 0; i < out->n_tables; i++) {
        tt_sql_table *t = &out->tables[i];

        if (tt_str_eq(t->schema, schema) && tt_str_eq(t->name, name)) {
            t->written = t->written || written;
            return;
        }
    }
    if (out->n_tables == TT_SQL_TABLES_MAX) {
        out->tables_complete = false;
        return;
    }
    out->tables[out->n_tables++] = (tt_sql_table){schema, name, written};
}

/* Words that may stand between the verb of a write and its table. */
static bool is_modifier(const tt_sql_token *t)
{
    static const char *const words[] = {"LOW_PRIORITY", "HIGH_PRIORITY", "DELAYED", "IGNORE",
                                        "INTO"};

    for (size_t i = 0; i < TT_COUNT(words); i++)
        if (tt_sql_is_word(t, words[i]))
            return true;
    return false;
}

static void table_due(tt_sql_level *level, bool list, bool written)
{
    level->from = TT_SQL_FROM_DUE;
    level->list = list;
    level->written = written;
}

static void end_list(tt_sql_level *level)
{
    level->from = TT_SQL_FROM_NONE;
    level->list = false;
}

/* A table is due: take it. The tokens of the rest of a qualified name come by again, harmless. */
static void take_table(tt_sql_scan *s, tt_sql_level *level)
{
    const tt_sql_token *last = &s->cur;
    tt_str schema = {NULL, 0}, name;

    if (tt_sql_is_op(&s->cur, '(') || s->cur.kind == TT_SQL_HINT)
        return; /* the level inside takes over */
    if (!tt_sql_is_op(&s->next, '.')) {
        if (tt_sql_is_word(&s->cur, "WITH")) {
            end_list(level); /* a derived table that begins with one */
            return;
        }
        if (tt_sql_is_word(&s->cur, "LATERAL") || (level->written && is_modifier(&s->cur)))
            return;
        if (tt_sql_is_op(&s->next, '(') && !level->written) {
            level->from = TT_SQL_FROM_AFTER;
            s->source = s->cur.text.p; /* a table function */
            return;
        }
    }
    level->from = TT_SQL_FROM_AFTER;
    if (tt_sql_is_op(&s->cur, '.')) {
        last = &s->next;
    } else if (tt_sql_is_op(&s->next, '.')) {
        last = &s->next2;
        if (!tt_sql_plain_name(&s->cur, &schema))
            s->out->tables_complete = false;
    } else if (tt_sql_is_word(&s->cur, "DUAL")) {
        return;
    }
    if (level->written)
        s->target = last->text.p;
    if (last == &s->cur && s->cur.kind == TT_SQL_WORD && tt_sql_keyword(s->cur.text) != 0)
        s->out->tables_complete = false; /* reserved: the server will not take it for a name */
    else if (tt_sql_plain_name(last, &name))
        add_table(s, schema, name, level->written);
    else
        s->out->tables_complete = false;
}

void tt_sql_tables_verb(tt_sql_scan *s)
{
    tt_sql_level *level = &s->levels[s->depth];

    if (tt_sql_verb_is(s, "INSERT") || tt_sql_verb_is(s, "REPLACE") ||
        tt_sql_verb_is(s, "TRUNCATE"))
        table_due(level, false, true);
    else if (tt_sql_verb_is(s, "UPDATE"))
        table_due(level, true, true);
    else if (!tt_sql_verb_is(s, "DELETE") && !tt_sql_verb_is(s, "LOAD"))
        s->out->tables_complete = false;
}

/* Words that begin or end a list of tables; true when the word was one. */
static bool list_word(tt_sql_scan *s, tt_sql_level *level)
{
    const tt_sql_token *t = &s->cur;
    bool deletes = s->depth == s->main_depth && !level->query && tt_sql_verb_is(s, "DELETE");

    if (tt_sql_in_name(s))
        return false;
    if (tt_sql_is_word(t, "FROM") && (level->query || deletes)) {
        table_due(level, true, deletes);
    } else if (tt_sql_is_word(t, "USING") && deletes) {
        s->out->tables_complete = s->out->tables_complete && !tt_sql_is_op(&s->next, '(');
        table_due(level, true, true);
    } else if ((tt_sql_is_word(t, "JOIN") || tt_sql_is_word(t, "STRAIGHT_JOIN")) && level->list) {
        if (!tt_sql_is_word(&s->prev, "FOR"))
            level->from = TT_SQL_FROM_DUE;
    } else if (tt_sql_is_word(t, "TABLE")) {
        table_due(level, false, tt_sql_verb_is(s, "LOAD") || tt_sql_verb_is(s, "TRUNCATE"));
    } else if (tt_sql_is_word(t, "SELECT")) {
        end_list(level);
        level->query = true;
        level->written = false;
    } else if (tt_sql_keyword(t->text) & TT_SQL_KW_ENDS) {
        if (level->from == TT_SQL_FROM_DUE && level->written && is_modifier(t))
            return false;
        if (!tt_sql_is_word(&s->prev, "FOR")) /* a hint: USE INDEX FOR ORDER BY */
            end_list(level);
    } else {
        return false;
    }
    return true;
}

void tt_sql_tables_token(tt_sql_scan *s)
{
    tt_sql_level *level = &s->levels[s->depth];

    if (s->cur.kind == TT_SQL_WORD && list_word(s, level))
        return;
    if (level->from == TT_SQL_FROM_DUE)
        take_table(s, level);
    else if (tt_sql_is_op(&s->cur, ',') && level->list)
        level->from = TT_SQL_FROM_DUE;
}
