/* hash.h: 128-bit hashes (XXH3 of libxxhash). Not against attackers who choose keys: whoever
 * compares hashes of outside bytes compares the bytes as well. */
#ifndef TT_BASE_HASH_H
#define TT_BASE_HASH_H

#include <stdint.h>

#include "base/str.h"

typedef struct tt_hash128 {
    uint64_t lo, hi;
} tt_hash128;

tt_hash128 tt_hash(tt_str bytes);
uint64_t tt_hash64(tt_str bytes);

static inline bool tt_hash_eq(tt_hash128 a, tt_hash128 b)
{
    return a.lo == b.lo && a.hi == b.hi;
}

#endif
