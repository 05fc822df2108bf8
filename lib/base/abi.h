/* abi.h: structs of the public headers that begin with their own size, so that they can grow. */
#ifndef TT_BASE_ABI_H
#define TT_BASE_ABI_H

#include <stddef.h>
#include <twotier/error.h>

#include "base/must.h"

/* Copy a struct of options from a caller, older or newer, over `into`, which holds the defaults and
 * is `known` bytes large. 0, TT_E_ARGUMENT (a size that cannot be), TT_E_UNSUPPORTED (bytes beyond
 * `known` that are not zero). `from` NULL leaves the defaults. */
TT_MUST int tt_abi_take(void *into, size_t known, const void *from, tt_error *err);
/* Is the size of an output struct (may be NULL) usable? 0 or TT_E_ARGUMENT. */
TT_MUST int tt_abi_check(const void *out, tt_error *err);
/* Copy `from`, `known` bytes, to a caller's struct, as much as it has room for; its size stays. */
void tt_abi_give(void *out, const void *from, size_t known);

#endif
