/* mem.h: memory comes from the allocator of the client, never from malloc directly. */
#ifndef TT_BASE_MEM_H
#define TT_BASE_MEM_H

#include <stddef.h>
#include <twotier/host.h>

#include "base/must.h"

/* The default: malloc, realloc, free of the C library. */
extern const tt_allocator tt_allocator_libc;

/* Zeroed memory, or NULL. */
TT_MUST void *tt_new(const tt_allocator *a, size_t size_bytes);
/* As tt_new for `n` objects; NULL also when n * size overflows. */
TT_MUST void *tt_new_array(const tt_allocator *a, size_t n, size_t size_bytes);
/* As realloc: on failure NULL, and `p` is as it was. New bytes are not zeroed. */
TT_MUST void *tt_renew(const tt_allocator *a, void *p, size_t size_bytes);
/* NULL is allowed. */
void tt_del(const tt_allocator *a, void *p);
/* A copy with a closing zero, or NULL. */
TT_MUST char *tt_strdup(const tt_allocator *a, const char *s);
TT_MUST char *tt_strndup(const tt_allocator *a, const char *s, size_t n);

#endif
