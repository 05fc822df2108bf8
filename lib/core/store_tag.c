#include "core/store_verb.h"
#include "core/tag.h"

/* A tag as the script takes it apart: less strict than core/tag.h, which is what readers use. */
typedef struct tag_parts {
    bool there; /* a tag, of any epoch */
    bool ours;  /* and of this one */
    bool later; /* of a later protocol */
    tt_str version, epoch, barrier;
    tt_str marks; /* with the blank before the first; also where there is no tag but marks */
} tag_parts;

/* The word at the start of `rest`, which must be followed by one blank unless `last`. */
static bool take_word(tt_str *rest, bool last, tt_str *word)
{
    *word = tt_store_word(*rest);
    if (word->n == 0 || (!last && (word->n == rest->n || rest->p[word->n] != ' ')))
        return false;
    *rest = tt_store_after(*rest, word->n + !last);
    return true;
}

static bool is_later(tt_str text)
{
    size_t i = 1;

    if (!tt_str_has_prefix(text, TT_STR("T")) || tt_str_has_prefix(text, TT_STR("T1 ")))
        return false;
    while (i < text.n && text.p[i] >= '0' && text.p[i] <= '9')
        i++;
    return i > 1 && i < text.n && text.p[i] == ' ';
}

/* A run of what is no blank and no comma, then a comma; or a run of digits. */
static bool take_field(tt_str *rest, bool digits, bool comma)
{
    size_t n = 0;

    while (n < rest->n && rest->p[n] != ' ' && rest->p[n] != ',' &&
           (!digits || (rest->p[n] >= '0' && rest->p[n] <= '9')))
        n++;
    if (n == 0 || (comma && (n == rest->n || rest->p[n] != ',')))
        return false;
    *rest = tt_store_after(*rest, n + comma);
    return true;
}

/* Nothing but marks. */
static bool is_marks(tt_str text)
{
    bool any = false;

    for (; text.n; any = true) {
        if (text.p[0] != ' ')
            return false;
        text = tt_store_after(text, 1);
        if (!take_field(&text, false, true) || !take_field(&text, true, true) ||
            !take_field(&text, false, true) || !take_field(&text, true, false))
            return false;
    }
    return any;
}

static tt_str own_epoch(const tt_store_call *c)
{
    return tt_str_n(c->s->epoch.c, TT_EPOCH_BYTES);
}

static tag_parts parse(const tt_store_call *c)
{
    tag_parts t = {.later = is_later(c->found)};
    tt_str rest;

    if (is_marks(c->found))
        t.marks = c->found;
    if (!tt_str_has_prefix(c->found, TT_STR("T1 ")))
        return t;
    rest = tt_store_after(c->found, 3);
    t.there = take_word(&rest, false, &t.version) && take_word(&rest, false, &t.epoch) &&
              take_word(&rest, true, &t.barrier);
    t.ours = t.there && tt_str_eq(t.epoch, own_epoch(c)); /* rule EPOCH */
    if (t.there)
        t.marks = rest; /* also of a foreign tag: rule KEEP_FOREIGN_MARKS */
    return t;
}

/* ---- the new text ------------------------------------------------------------------------------
 */

static tt_buf *begin(tt_store_call *c, tt_str version, tt_str epoch)
{
    tt_buf *text = &c->s->text;

    tt_buf_puts(text, "T1 ");
    tt_buf_put_str(text, version);
    tt_buf_put_char(text, ' ');
    tt_buf_put_str(text, epoch);
    tt_buf_put_char(text, ' ');
    return text;
}

/* Where the first mark of `nonce` begins, with the blank before it; marks.n: none. */
static size_t find_mark(tt_str marks, tt_str nonce)
{
    for (size_t i = 0; i + nonce.n + 2 <= marks.n; i++)
        if (marks.p[i] == ' ' && marks.p[i + 1 + nonce.n] == ',' &&
            tt_str_eq(tt_str_n(marks.p + i + 1, nonce.n), nonce))
            return i;
    return marks.n;
}

/* All marks but those of `nonce`. */
static void put_other_marks(tt_str marks, tt_str nonce, tt_buf *text)
{
    while (marks.n) {
        size_t at = find_mark(marks, nonce);

        tt_buf_put(text, marks.p, at);
        marks = tt_store_after(marks, at);
        if (!marks.n)
            return;
        marks = tt_store_after(marks, nonce.n + 2);
        while (marks.n && marks.p[0] != ' ')
            marks = tt_store_after(marks, 1);
    }
}

/* The text is complete; its marks start at `marks_at`. A marked tag has no expiry, and is answered
 * with the time, for whoever compares the deadlines; no `answer`: the tag. */
static tt_store_outcome finish(tt_store_call *c, size_t marks_at, tt_str ttl, const char *answer)
{
    tt_buf *text = &c->s->text;
    size_t n = text->n;
    bool marked = n > marks_at;

    if (marked && !answer) {
        tt_buf_put_char(text, '\n');
        tt_buf_put_u64(text, c->s->now_ms);
    }
    if (text->failed)
        return TT_STORE_NOMEM;
    return tt_store_set(c, tt_str_n(text->p, n),
                        marked || tt_str_eq(ttl, TT_STR("0")) ? NULL : &ttl,
                        answer ? tt_str_c(answer) : tt_buf_str(text));
}

static tt_store_outcome rewrite(tt_store_call *c, tt_str version, tt_str barrier, tt_str marks,
                                tt_str ttl, const char *answer)
{
    tt_buf *text = begin(c, version, own_epoch(c));
    size_t marks_at;

    tt_buf_put_str(text, barrier);
    marks_at = text->n;
    tt_buf_put_str(text, marks);
    return finish(c, marks_at, ttl, answer);
}

/* ---- verbs -------------------------------------------------------------------------------------
 */

/* new_version, initial, ttl_ms */
static tt_store_outcome open_tag(tt_store_call *c, const tag_parts *t)
{
    const tt_str *args = c->cmd->args;

    if (t->ours)
        return rewrite(c, t->version, t->barrier, t->marks, args[3], NULL);
    return rewrite(c, args[1], args[2], t->marks, args[3], NULL);
}

/* new_version, nonce, timeout_ms, server, connection, ttl_ms. The script adds in doubles, and
 * prints as Lua does. */
static tt_store_outcome mark_tag(tt_store_call *c, const tag_parts *t)
{
    const tt_str *args = c->cmd->args;
    tt_buf *text = begin(c, t->ours ? t->version : args[1], own_epoch(c));
    uint64_t timeout_ms;
    size_t marks_at;

    if (!tt_str_u64(args[3], &timeout_ms))
        return TT_STORE_REFUSED;
    tt_buf_put_str(text, t->ours ? t->barrier : TT_STR("P"));
    marks_at = text->n;
    put_other_marks(t->marks, args[2], text);
    tt_buf_put_char(text, ' ');
    tt_buf_put_str(text, args[2]);
    tt_buf_printf(text, ",%.14g,", (double)c->s->now_ms + (double)timeout_ms);
    tt_buf_put_str(text, args[4]);
    tt_buf_put_char(text, ',');
    tt_buf_put_str(text, args[5]);
    return finish(c, marks_at, args[6], NULL);
}

/* new_version, nonce, position, ttl_ms */
static tt_store_outcome bump_tag(tt_store_call *c, const tag_parts *t)
{
    const tt_str *args = c->cmd->args;
    tt_buf *text = begin(c, args[1], own_epoch(c));
    size_t marks_at;

    if (t->ours)
        tt_store_merge(t->barrier, args[3], &c->s->points, text);
    else
        tt_buf_put_char(text, 'P'); /* rule ABSENT_IS_P */
    marks_at = text->n;
    put_other_marks(t->marks, args[2], text);
    return finish(c, marks_at, args[4], "bumped");
}

/* Where there is no tag of ours: take the marks of `nonce` out of `text`, and make nothing. */
static tt_store_outcome strip(tt_store_call *c, tt_str text, tt_str nonce)
{
    tt_buf *rest = &c->s->text;
    tt_str answer = TT_STR("withdrawn");
    tt_store_outcome rc;

    put_other_marks(text, nonce, rest);
    if (rest->failed)
        return TT_STORE_NOMEM;
    if (rest->n && rest->n != text.n)
        return tt_store_set(c, tt_buf_str(rest), NULL, answer);
    rc = tt_store_say(c, answer);
    if (rest->n)
        return rc;
    if (rc == TT_STORE_DONE && c->node) {
        tt_store_drop(c->s, c->node);
        c->node = NULL;
        c->changed = true;
    }
    return rc;
}

/* nonce, ttl_ms */
static tt_store_outcome withdraw_mark(tt_store_call *c, const tag_parts *t)
{
    const tt_str *args = c->cmd->args;
    tt_buf *text;
    size_t marks_at;

    if (!t->there)
        return strip(c, t->later ? c->found : t->marks, args[1]);
    text = begin(c, t->version, t->epoch);
    tt_buf_put_str(text, t->barrier);
    marks_at = text->n;
    put_other_marks(t->marks, args[1], text);
    return finish(c, marks_at, args[2], "withdrawn");
}

static tt_str term_of(tt_str barrier)
{
    return tt_str_cut(&barrier, '@');
}

/* version, position, ttl_ms */
static tt_store_outcome resolve_tag(tt_store_call *c, const tag_parts *t)
{
    const tt_str *args = c->cmd->args;

    if (!t->ours || !tt_str_eq(t->version, args[1])) /* rule RESOLVE_CAS */
        return tt_store_say(c, TT_STR("changed"));
    if (!tt_str_eq(t->barrier, TT_STR("P")) && tt_str_eq(term_of(t->barrier), term_of(args[2])))
        return tt_store_say(c, TT_STR("known"));
    return rewrite(c, t->version, args[2], t->marks, args[3], "resolved");
}

/* version, new_version, name */
static tt_store_outcome name_term(tt_store_call *c, const tag_parts *t)
{
    const tt_str *args = c->cmd->args;

    if (!t->ours)
        return rewrite(c, args[2], TT_STR("?"), t->marks, TT_STR("0"), NULL);
    if (tt_str_eq(t->version, args[1]))
        return rewrite(c, args[2], args[3], t->marks, TT_STR("0"), NULL);
    return rewrite(c, t->version, t->barrier, t->marks, TT_STR("0"), NULL);
}

/* nonce, timeout_ms, server, connection: not a verb of the script, see core/batch.h. */
tt_store_outcome tt_store_mark(tt_store_call *c)
{
    const tt_str *args = c->cmd->args;
    tt_buf *text = &c->s->text;
    uint64_t timeout_ms;

    if (c->cmd->n_args != 4 || !tt_str_u64(args[1], &timeout_ms))
        return TT_STORE_REFUSED;
    tt_buf_put_str(text, c->found);
    tt_mark_write(args[0], c->s->now_ms + timeout_ms, args[2], args[3], text);
    return text->failed ? TT_STORE_NOMEM
                        : tt_store_set(c, tt_buf_str(text), NULL, tt_buf_str(text));
}

tt_store_outcome tt_store_tag_verb(tt_store_call *c)
{
    static const struct {
        const char *verb;
        int n_args;
        tt_store_outcome (*run)(tt_store_call *, const tag_parts *);
    } verbs[] = {{"open", 4, open_tag},       {"mark", 7, mark_tag},
                 {"bump", 5, bump_tag},       {"withdraw", 3, withdraw_mark},
                 {"resolve", 4, resolve_tag}, {"name", 4, name_term}};
    tag_parts t = parse(c);

    if (t.later && !tt_str_eq(c->cmd->args[0], TT_STR("withdraw")))
        return tt_store_say(c, c->found); /* hands off */
    for (size_t i = 0; i < TT_COUNT(verbs); i++)
        if (tt_str_eq(c->cmd->args[0], tt_str_c(verbs[i].verb)))
            return c->cmd->n_args < verbs[i].n_args ? TT_STORE_REFUSED : verbs[i].run(c, &t);
    return TT_STORE_REFUSED;
}
