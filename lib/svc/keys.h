/* keys.h: what a call is called in the cache: made of a plan and the bound values. */
#ifndef TT_SVC_KEYS_H
#define TT_SVC_KEYS_H

#include <twotier/value.h>

#include "base/hash.h"
#include "svc/plan.h"

/* A tag while its bytes may still move: its key and its name in `text`. */
typedef struct tt_tag_span {
    size_t at, n, name_at, name_n;
} tt_tag_span;

typedef struct tt_keys {
    tt_buf text; /* owns the bytes of all below */
    tt_tag_span spans[TT_TAGS_MAX];
    tt_str tags[TT_TAGS_MAX];  /* keys of the tags, in order, no repeats */
    tt_str names[TT_TAGS_MAX]; /* the tags as this client names them */
    tt_str full[TT_TAGS_MAX];  /* as every client does: tables with their schema */
    int n_tags;
    tt_str entry, bytes; /* of a cached read: key of the entry, canonical bytes of the read */
    tt_hash128 hash;     /* of `bytes` */
} tt_keys;

void tt_keys_init(tt_client *c, tt_keys *k);
void tt_keys_free(tt_keys *k);
/* All keys of a call. 0, TT_E_PARAMETERS, TT_E_ARGUMENT (a tag), TT_E_LIMIT, TT_E_NOMEM. To be
 * freed also after a failure. */
TT_MUST int tt_keys_make(tt_client *c, const tt_plan *p, const tt_value *params, size_t n,
                         tt_keys *out, tt_error *err);
/* One more plain tag; repeats are dropped. Then tt_keys_done. */
TT_MUST int tt_keys_add(tt_client *c, tt_keys *k, tt_str tag, tt_error *err);
/* Nothing moves any more: set `tags`, `names` and `full`. */
void tt_keys_done(const tt_client *c, tt_keys *k);

#endif
