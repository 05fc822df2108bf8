/* result.h: how a tt_result (twotier/result.h) is made. */
#ifndef TT_CORE_RESULT_H
#define TT_CORE_RESULT_H

#include <twotier/host.h>
#include <twotier/result.h>

#include "base/str.h"

/* A result that owns `bytes` (allocated with `a`, which is copied; encoded as core/columns.h says).
 * They are taken on success only. 0, TT_E_ARGUMENT (not an encoding, or not aligned), TT_E_NOMEM.
 */
TT_MUST int tt_result_new(const tt_allocator *a, char *bytes, size_t n, tt_result **out);
/* The same with a copy of `encoded`, which may lie at any address, in a single allocation. */
TT_MUST int tt_result_copy(const tt_allocator *a, tt_str encoded, tt_result **out);
/* The encoded bytes; borrowed from the result. */
tt_str tt_result_encoded(const tt_result *r);

#endif
