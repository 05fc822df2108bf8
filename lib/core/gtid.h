/* gtid.h: the inside of a tt_applied, shared by the parser (gtid.c) and the questions (position.c).
 *
 * Both families are kept in one form: ranges of numbers, sorted by source and number, neither
 * touching nor overlapping within a source. An item "0-1-100" of MariaDB is the range 1..100 of
 * source "0-1": that is what it promises, and it makes every question the same for both families.
 */
#ifndef TT_CORE_GTID_H
#define TT_CORE_GTID_H

#include "core/position.h"

typedef struct tt_gtid_range {
    size_t source_at; /* place of its name in tt_applied.names */
    size_t source_n;
    uint64_t first, last; /* 1 <= first <= last */
} tt_gtid_range;

struct tt_applied {
    const tt_allocator *a;
    tt_family family;
    tt_buf names;
    tt_gtid_range *ranges;
    size_t n, cap;
};

static inline tt_str tt_gtid_source(const tt_applied *s, const tt_gtid_range *r)
{
    return (tt_str){s->names.p + r->source_at, r->source_n};
}

#endif
