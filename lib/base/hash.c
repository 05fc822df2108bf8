#include "base/hash.h"

#include <xxhash.h>

tt_hash128 tt_hash(tt_str bytes)
{
    XXH128_hash_t h = XXH3_128bits(bytes.p, bytes.n);

    return (tt_hash128){h.low64, h.high64};
}

uint64_t tt_hash64(tt_str bytes)
{
    return XXH3_64bits(bytes.p, bytes.n);
}
