/* entry.h: an entry of the shared cache: a header, then the encoded result.
 *
 *   "E1 "                       format
 *   stamp                       two decimal digits k, a blank, k versions of 16 bytes: the term's,
 *                               then those of the tags in the order of the read, from before the
 *                               database was read
 *   u32 key bytes   u32 as_of bytes   u64 payload bytes       (all integers little-endian)
 *   i64 created_ms  i64 soft_ms       i64 hard_ms             realtime of the writer, since 1970
 *   u64 load_us                                               what the load cost
 *   key, as_of, payload
 *   u64 XXH3 of everything before
 *
 * The checksum stops accidents. Nothing reads soft_ms, hard_ms and load_us yet: they are in the
 * format for serving stale by leave and for refreshing early. Against attackers there is the check
 * of the payload's structure (core/columns.h): what they can do is what whoever may write to the
 * cache can do anyway, wrong data.
 */
#ifndef TT_CORE_ENTRY_H
#define TT_CORE_ENTRY_H

#include "base/buf.h"
#include "base/rng.h"
#include "core/batch.h"

/* "NN " and the versions. */
#define TT_STAMP_MAX (3 + TT_NONCE_BYTES * (TT_TAGS_MAX + 1))

typedef struct tt_stamp {
    size_t n;
    char c[TT_STAMP_MAX];
} tt_stamp;

static inline tt_str tt_stamp_str(const tt_stamp *s)
{
    return (tt_str){s->c, s->n};
}

/* Start a stamp of `count` versions, all zero bytes; set each with tt_stamp_set. */
void tt_stamp_init(tt_stamp *s, int count);
void tt_stamp_set(tt_stamp *s, int index, tt_str version);
tt_str tt_stamp_version(const tt_stamp *s, int index);

typedef struct tt_entry {
    tt_str stamp;
    tt_str key;     /* canonical bytes of the read: compared, since hashes may collide */
    tt_str as_of;   /* a barrier (core/barrier.h) that the rows meet; "" = unknown */
    tt_str payload; /* encoded result */
    int64_t created_ms, soft_ms, hard_ms;
    uint64_t load_us;
} tt_entry;

/* false: not an entry, or damaged. Slices of `value`. */
TT_MUST bool tt_entry_parse(tt_str value, tt_entry *out);
void tt_entry_write(const tt_entry *e, tt_buf *out);

#endif
