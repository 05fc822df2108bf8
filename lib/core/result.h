/* result.h: how a tt_result (twotier/result.h) is made and, before anyone else sees it, labelled.
 */
#ifndef TT_CORE_RESULT_H
#define TT_CORE_RESULT_H

#include <twotier/host.h>
#include <twotier/result.h>

#include "base/str.h"

/* Longest name of a node, with the closing zero; longer ones are cut. */
#define TT_RESULT_NODE_MAX 72

/* Where a result came from. `node` is copied, `why` is static. */
typedef struct tt_provenance {
    tt_source source;
    const char *node; /* NULL: "" */
    const char *why;  /* NULL: "" */
    int64_t age_ms;
    bool stale;
} tt_provenance;

/* A result that owns `bytes` (allocated with `a`, which is copied; encoded as core/columns.h says).
 * They are taken on success only. 0, TT_E_ARGUMENT (not an encoding, or not aligned), TT_E_NOMEM.
 */
TT_MUST int tt_result_new(const tt_allocator *a, char *bytes, size_t n, tt_result **out);
/* The same with a copy of `encoded`, which may lie at any address, in a single allocation. */
TT_MUST int tt_result_copy(const tt_allocator *a, tt_str encoded, tt_result **out);
/* Before the result is published: a result that two threads can reach does not change. */
void tt_result_label(tt_result *r, const tt_provenance *from);
/* The encoded bytes; borrowed from the result. */
tt_str tt_result_encoded(const tt_result *r);

#endif
