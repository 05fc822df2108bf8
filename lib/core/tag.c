#include "core/tag.h"

/* T1, version, epoch: fixed places, so that a hit costs a few comparisons. */
enum { AT_VERSION = 3, AT_EPOCH = AT_VERSION + TT_NONCE_BYTES + 1 };
enum { AT_BARRIER = AT_EPOCH + TT_EPOCH_BYTES + 1 };

static bool is_newer(tt_str text)
{
    size_t i = 1;

    if (text.n < 3 || text.p[0] != 'T')
        return false;
    while (i < text.n && text.p[i] >= '0' && text.p[i] <= '9')
        i++;
    return i > 1 && i < text.n && text.p[i] == ' ';
}

/* One mark; `mark` has no blank. */
static bool parse_mark(tt_str mark, tt_mark *out)
{
    out->nonce = tt_str_cut(&mark, ',');
    if (out->nonce.n != TT_NONCE_BYTES || !tt_str_u64(tt_str_cut(&mark, ','), &out->deadline_ms))
        return false;
    out->server = tt_str_cut(&mark, ',');
    return out->server.n && tt_str_u64(mark, &out->connection);
}

/* Marks alone, each after a blank: nothing else, and none that is not valid. */
static tt_str only_marks(tt_str text)
{
    tt_str rest = tt_str_n(text.p, text.n), none = {NULL, 0};
    tt_mark mark;

    if (!tt_str_has_prefix(text, TT_STR(" ")))
        return none;
    (void)tt_str_cut(&rest, ' ');
    text = rest;
    do
        if (!parse_mark(tt_str_cut(&rest, ' '), &mark))
            return none;
    while (rest.p);
    return text;
}

tt_tag_kind tt_tag_parse(tt_str text, tt_tag *out)
{
    out->marks = tt_str_n(NULL, 0);
    if (text.n < 3 || memcmp(text.p, "T1 ", 3) != 0) {
        if (is_newer(text))
            return TT_TAG_NEWER;
        out->marks = only_marks(text);
        return TT_TAG_ABSENT;
    }
    return tt_tag_parse_any(text, out);
}

tt_tag_kind tt_tag_parse_any(tt_str text, tt_tag *out)
{
    const char *end;

    out->marks = tt_str_n(NULL, 0);
    if (text.n <= AT_BARRIER || text.p[AT_EPOCH - 1] != ' ' || text.p[AT_BARRIER - 1] != ' ')
        return TT_TAG_ABSENT;
    out->version = tt_str_n(text.p + AT_VERSION, TT_NONCE_BYTES);
    out->epoch = tt_str_n(text.p + AT_EPOCH, TT_EPOCH_BYTES);
    out->barrier = tt_str_n(text.p + AT_BARRIER, text.n - AT_BARRIER);
    end = memchr(out->barrier.p, ' ', out->barrier.n);
    if (end) {
        size_t n = (size_t)(end - out->barrier.p);

        out->marks = tt_str_n(end + 1, out->barrier.n - n - 1);
        out->barrier.n = n;
    }
    return out->barrier.n ? TT_TAG_VALID : TT_TAG_ABSENT;
}

tt_tag_kind tt_tag_parse_reply(tt_str reply, tt_tag *out, uint64_t *now_ms)
{
    tt_str text = tt_str_cut(&reply, '\n');

    if (!tt_str_u64(reply, now_ms))
        *now_ms = 0;
    return tt_tag_parse(text, out);
}

bool tt_tags_done(const tt_answers *answers, int first)
{
    tt_tag tag;
    uint64_t now_ms;

    if (!answers->ok)
        return false;
    for (int i = first; i < answers->n; i++)
        if (answers->replies[i].kind != TT_REPLY_TEXT ||
            tt_tag_parse_reply(answers->replies[i].text, &tag, &now_ms) == TT_TAG_NEWER)
            return false;
    return true;
}

bool tt_mark_next(tt_str *rest, tt_mark *out)
{
    while (rest->n)
        if (parse_mark(tt_str_cut(rest, ' '), out))
            return true;
    return false;
}

void tt_mark_write(tt_str nonce, uint64_t deadline_ms, tt_str server, tt_str connection,
                   tt_buf *out)
{
    tt_buf_put_char(out, ' ');
    tt_buf_put_str(out, nonce);
    tt_buf_put_char(out, ',');
    tt_buf_put_u64(out, deadline_ms);
    tt_buf_put_char(out, ',');
    tt_buf_put_str(out, server);
    tt_buf_put_char(out, ',');
    tt_buf_put_str(out, connection);
}

bool tt_tag_has_mark(const tt_tag *tag, tt_str nonce)
{
    tt_str rest = tag->marks;
    tt_mark mark;

    while (tt_mark_next(&rest, &mark))
        if (tt_str_eq(mark.nonce, nonce))
            return true;
    return false;
}
