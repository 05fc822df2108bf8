/* store_verb.h: the verbs of core/cache.lua on a store. Internal to core/store.
 *
 * A verb first does all that can fail, then changes the table, then answers. Arguments are those of
 * the command: args[0] is the verb, and the epoch of the script's ARGV is the store's.
 */
#ifndef TT_CORE_STORE_VERB_H
#define TT_CORE_STORE_VERB_H

#include "core/store_table.h"

/* One command that is being answered. */
typedef struct tt_store_call {
    tt_store *s;
    const tt_cmd *cmd;
    tt_store_node *node; /* at the key; NULL: none */
    tt_str found;        /* its value */
    tt_buf *out;         /* takes the reply */
    bool changed;        /* the key */
} tt_store_call;

/* Append a reply. A hit when it is what was found. */
TT_MUST tt_store_outcome tt_store_say(tt_store_call *c, tt_str text);
/* Put `value` at the key for `ttl` (as Redis' PX takes it; NULL: for good), and append `answer`.
 * Both may lie in s->text, neither in what was found. */
TT_MUST tt_store_outcome tt_store_set(tt_store_call *c, tt_str value, const tt_str *ttl,
                                      tt_str answer);

/* A command of the verb args[0]. */
TT_MUST tt_store_outcome tt_store_verb(tt_store_call *c);
/* The part of it that is about tags. */
TT_MUST tt_store_outcome tt_store_tag_verb(tt_store_call *c);
/* A command TT_CMD_MARK. */
TT_MUST tt_store_outcome tt_store_mark(tt_store_call *c);

/* Append the union of two barriers, as the script makes it (any text is taken, none is checked).
 * `points` is scratch memory. */
void tt_store_merge(tt_str a, tt_str b, tt_buf *points, tt_buf *out);

/* As isspace in the C locale: what the script's patterns call %s. */
static inline bool tt_store_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* The longest run without a blank. */
static inline tt_str tt_store_word(tt_str text)
{
    size_t n = 0;

    while (n < text.n && !tt_store_blank(text.p[n]))
        n++;
    return tt_str_n(text.p, n);
}

static inline tt_str tt_store_after(tt_str text, size_t n)
{
    return tt_str_n(text.n ? text.p + n : NULL, text.n - n);
}

#endif
