/* store_table.h: the hash table of a store, and its eviction. Internal to core/store.
 *
 * A key with its value is one block of memory:
 *
 *     next | link | expires | hash, lengths | visited | key | value | slack
 *
 * Blocks that may be evicted are in one of two queues, of entries (and leases) and of tags; those
 * without expiry are in none. Eviction is SIEVE: Zhang, Yang, Yue, Vigfusson, Rashmi, "SIEVE is
 * simpler than LRU: an efficient turn-key eviction algorithm for web caches", NSDI 2024, section 3:
 * a hit sets a bit and moves nothing; the hand goes from the oldest to the newest, clears bits, and
 * takes the first block whose bit was clear.
 */
#ifndef TT_CORE_STORE_TABLE_H
#define TT_CORE_STORE_TABLE_H

#include "core/store.h"

struct tt_store_node {
    tt_store_node *next; /* in its bucket */
    tt_link link;        /* in its queue; alone when it may not be evicted */
    uint64_t expires_ms; /* the last millisecond of its life; 0: no end */
    uint32_t hash;
    uint32_t key_bytes, value_bytes, value_max;
    bool visited;
    bool is_tag;
    char bytes[]; /* key, value */
};

typedef enum tt_store_outcome {
    TT_STORE_DONE = 0,
    TT_STORE_REFUSED, /* not valid, or larger than max_bytes allows */
    TT_STORE_NOMEM
} tt_store_outcome;

static inline tt_str tt_store_value(const tt_store_node *node)
{
    return tt_str_n(node->bytes + node->key_bytes, node->value_bytes);
}

/* NULL: not there, or expired. */
tt_store_node *tt_store_find(tt_store *s, tt_str key);
/* Put `value`, which must not be part of the store's blocks, at `key`. `old` is what tt_store_find
 * said; it may be freed. Only TT_STORE_DONE changes what is at the key; others may be evicted in
 * any case. A value that is not longer than the old one never fails. */
TT_MUST tt_store_outcome tt_store_put(tt_store *s, tt_store_node *old, tt_str key, tt_str value,
                                      uint64_t expires_ms);
void tt_store_drop(tt_store *s, tt_store_node *node);
/* Drop what has expired in the next few buckets. */
void tt_store_sweep(tt_store *s);
/* All of it. */
void tt_store_clear(tt_store *s);

#endif
