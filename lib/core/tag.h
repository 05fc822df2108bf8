/* tag.h: the text of a tag as the cache holds it. The grammar is in core/cache.lua.
 *
 * Tags come from outside: whatever cannot be parsed counts as absent, a later protocol is told
 * apart, and a barrier that is not valid is P (core/barrier.h).
 */
#ifndef TT_CORE_TAG_H
#define TT_CORE_TAG_H

#include "base/rng.h"
#include "base/str.h"
#include "core/batch.h"

typedef enum tt_tag_kind {
    TT_TAG_ABSENT = 0, /* not there, or not a tag: marks alone, or nothing of ours */
    TT_TAG_VALID,
    TT_TAG_NEWER /* of a later protocol: go around the cache */
} tt_tag_kind;

/* Slices of the text it was parsed from. */
typedef struct tt_tag {
    tt_str version; /* TT_NONCE_BYTES */
    tt_str epoch;   /* TT_EPOCH_BYTES */
    tt_str barrier; /* of a term: the name of its primary, or "?" */
    tt_str marks;   /* empty when not marked */
} tt_tag;

typedef struct tt_mark {
    tt_str nonce;
    uint64_t deadline_ms; /* on the clock of the cache node */
    tt_str server;        /* identity of the server on which the commit runs */
    uint64_t connection;
} tt_mark;

/* Of marks alone, which is what a mark leaves where there was no tag, out->marks is set; of a later
 * protocol nothing, of what else is absent it is empty. */
tt_tag_kind tt_tag_parse(tt_str text, tt_tag *out);
/* Tests: the same whatever protocol the text says it is of (one digit). */
tt_tag_kind tt_tag_parse_any(tt_str text, tt_tag *out);
/* A reply of the script: a word, or the tag; when that is marked, a newline and the node's clock in
 * milliseconds follow (*now_ms = 0 otherwise). */
tt_tag_kind tt_tag_parse_reply(tt_str reply, tt_tag *out, uint64_t *now_ms);
/* Did every command from `first` on do what it says, and do the tags speak our protocol? */
TT_MUST bool tt_tags_done(const tt_answers *answers, int first);
/* Take the first mark off `rest` (start with tag.marks); false at the end. Marks that are not valid
 * are skipped. */
bool tt_mark_next(tt_str *rest, tt_mark *out);

/* Append a mark to the text of a tag, with the blank before it. */
void tt_mark_write(tt_str nonce, uint64_t deadline_ms, tt_str server, tt_str connection,
                   tt_buf *out);
/* Is there a mark of `nonce`? */
bool tt_tag_has_mark(const tt_tag *tag, tt_str nonce);

static inline bool tt_tag_of_epoch(const tt_tag *tag, tt_epoch epoch)
{
    return memcmp(tag->epoch.p, epoch.c, TT_EPOCH_BYTES) == 0;
}

#endif
