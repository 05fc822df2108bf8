/* store.h: the cache tier inside one process: it answers a batch as Redis with core/cache.lua
 * would.
 *
 * A table of key -> text with expiry, and the verbs of the script as C. The rules of the verbs thus
 * exist twice; tests/unit/store_script_test.c runs both on the same commands and compares every
 * reply and every value. Beyond what that covers the store is stricter: a command with fewer
 * arguments than its verb takes, and a timeout that is not decimal digits that fit 64 bits, are
 * errors.
 *
 * Bounded: when a write would exceed max_bytes others are evicted by SIEVE (store_table.h), entries
 * first, then tags. What has no expiry is never evicted, as under Redis' volatile-* policies: the
 * term, and tags while they are marked. A tag that is evicted is absent, and an absent tag has a
 * history nobody knows: that costs hits, never truth.
 *
 * Pure: time comes in, memory comes from the allocator. Not for two threads at once (svc/local.h).
 */
#ifndef TT_CORE_STORE_H
#define TT_CORE_STORE_H

#include "base/list.h"
#include "core/batch.h"

typedef struct tt_store_node tt_store_node;

typedef struct tt_store_counters {
    size_t entries; /* keys of every kind */
    size_t bytes;   /* keys, values and all that is spent on them; at most max_bytes */
    uint64_t evictions, expirations;
} tt_store_counters;

/* First in, first out, and a hand that passes over what was used since it came by last. */
typedef struct tt_store_queue {
    tt_link list; /* oldest first */
    tt_link *hand;
    size_t bytes;
} tt_store_queue;

/* Must not be moved. Read `count`; the rest is the store's. */
typedef struct tt_store {
    const tt_allocator *a;
    tt_epoch epoch;
    size_t max_bytes;
    tt_store_counters count;
    tt_store_node **buckets;
    size_t n_buckets; /* 0, or a power of two */
    size_t swept;     /* next bucket to be searched for what has expired */
    tt_store_queue entries, tags;
    uint64_t now_ms; /* of the command that is being answered */
    tt_buf text;     /* the value that a verb makes */
    tt_buf points;   /* the points of a merge */
} tt_store;

/* Nothing is allocated yet. `a` is borrowed until the store is freed. */
void tt_store_init(tt_store *s, const tt_allocator *a, tt_epoch epoch, size_t max_bytes);
void tt_store_free(tt_store *s);

/* The way to one store, or to several of one epoch: `enter` says which store has a key, and `leave`
 * gives it back when the command has been answered. */
typedef struct tt_store_door {
    tt_store *(*enter)(void *ctx, tt_str key);
    void (*leave)(void *ctx, tt_store *s);
    void *ctx;
    tt_epoch epoch;
} tt_store_door;

/* Answer every command: GETs first, then marks, then scripts, as the driver for Redis sends them.
 * `now_ms` never goes back. `out->bytes` must have been initialised; its memory is used again. A
 * command that memory or max_bytes does not allow is answered by TT_REPLY_ERROR and did nothing;
 * !out->ok when memory was out before anything was changed. */
void tt_store_run(const tt_store_door *door, const tt_batch *batch, uint64_t now_ms,
                  tt_answers *out);

#endif
