/* Mutants of the world: what a driver that broke a rule would do to commands and answers. */
#include "sim.h"

#include <stdlib.h>

static tt_str keep(sim *s, tt_buf *b)
{
    tt_str text = tt_str_n(sim_copy(s, tt_buf_str(b)), b->n);

    tt_buf_free(b);
    return text;
}

static tt_str entry_text(sim *s, const tt_entry *e)
{
    tt_buf out = tt_buf_init(&tt_allocator_libc);

    tt_entry_write(e, &out);
    return keep(s, &out);
}

static int copy_stamp(tt_str from, tt_stamp *to)
{
    int count = (from.p[0] - '0') * 10 + (from.p[1] - '0');

    tt_stamp_init(to, count);
    for (int i = 0; i < count; i++)
        tt_stamp_set(to, i, tt_str_n(from.p + 3 + i * TT_NONCE_BYTES, TT_NONCE_BYTES));
    return count;
}

static bool tag_at(const rkey *k, tt_tag *tag)
{
    return k && tt_tag_parse(tt_str_n(k->value, k->n), tag) == TT_TAG_VALID;
}

/* The versions that are current now, in place of those from before the read. */
static void restamp(rnode *r, tt_entry *e, tt_stamp *stamp)
{
    unsigned mask = (unsigned)(e->key.p[1] - '0');
    int at = 1;
    tt_tag tag;

    copy_stamp(e->stamp, stamp);
    for (int i = 0; i < ROWS; i++) {
        char name[] = {'g', (char)('0' + i), 0};

        if (!(mask >> i & 1))
            continue;
        if (tag_at(redis_find(r, tt_str_c(name)), &tag))
            tt_stamp_set(stamp, at, tag.version);
        at++;
    }
    e->stamp = tt_stamp_str(stamp);
}

/* A position taken after the view was opened. */
static void late_as_of(sim *s, tt_entry *e)
{
    tt_applied *applied = NULL;
    tt_buf as_of = tt_buf_init(&tt_allocator_libc), points = tt_buf_init(&tt_allocator_libc);

    if (tt_applied_parse(&tt_allocator_libc, s->sc.family, server_applied(s, s->primary),
                         &applied) != 0)
        abort();
    tt_applied_points(applied, &points);
    tt_buf_put(&as_of, e->as_of.p, TT_NONCE_BYTES + 1);
    tt_buf_put_str(&as_of, tt_buf_str(&points));
    tt_buf_free(&points);
    tt_applied_free(applied);
    e->as_of = keep(s, &as_of);
}

static void break_store(sim *s, rnode *r, tt_cmd *cmd)
{
    tt_stamp stamp;
    tt_entry e;

    if (!tt_entry_parse(cmd->args[2], &e))
        return;
    if (sim_broken(s, MUT_VERSIONS_BEFORE_READ))
        restamp(r, &e, &stamp);
    if (sim_broken(s, MUT_AS_OF_BEFORE_VIEW) && e.as_of.n)
        late_as_of(s, &e);
    cmd->args[2] = entry_text(s, &e);
}

/* A barrier that asks for number 1, in place of P. */
static void break_open(sim *s, rnode *r, tt_cmd *cmd)
{
    tt_buf barrier = tt_buf_init(&tt_allocator_libc);
    tt_tag term;

    if (!tag_at(redis_find(r, TT_STR("T")), &term))
        return;
    tt_buf_put_str(&barrier, term.version);
    tt_buf_printf(&barrier, "@%s:1", s->servers[0].gtid);
    cmd->args[2] = keep(s, &barrier);
}

void break_command(sim *s, rnode *r, tt_cmd *cmd)
{
    if (tt_str_eq(cmd->args[0], TT_STR("store")))
        break_store(s, r, cmd);
    if (sim_broken(s, MUT_ABSENT_OPENS_FREE) && tt_str_eq(cmd->args[0], TT_STR("open")) &&
        tt_str_eq(cmd->args[2], TT_STR("P")))
        break_open(s, r, cmd);
}

/* The entry of a lookup is made to fit whatever tags came with it. */
void break_lookup(sim *s, tt_answers *answers, int n)
{
    tt_entry e;
    tt_stamp stamp;
    tt_tag tag;

    if (!sim_broken(s, MUT_BLIND_FILL) || answers->replies[0].kind != TT_REPLY_TEXT ||
        !tt_entry_parse(answers->replies[0].text, &e))
        return;
    copy_stamp(e.stamp, &stamp);
    for (int i = 1; i < n; i++)
        if (answers->replies[i].kind == TT_REPLY_TEXT &&
            tt_tag_parse(answers->replies[i].text, &tag) == TT_TAG_VALID)
            tt_stamp_set(&stamp, i - 1, tag.version);
    e.stamp = tt_stamp_str(&stamp);
    answers->replies[0].text = entry_text(s, &e);
}
