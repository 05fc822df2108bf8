#include "base/mem.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static void *libc_alloc(void *ctx, size_t size)
{
    (void)ctx;
    return malloc(size);
}

static void *libc_resize(void *ctx, void *p, size_t size)
{
    (void)ctx;
    return realloc(p, size);
}

static void libc_release(void *ctx, void *p)
{
    (void)ctx;
    free(p);
}

const tt_allocator tt_allocator_libc = {libc_alloc, libc_resize, libc_release, NULL};

void *tt_new(const tt_allocator *a, size_t size_bytes)
{
    void *p = a->alloc(a->ctx, size_bytes ? size_bytes : 1);

    if (p)
        memset(p, 0, size_bytes);
    return p;
}

void *tt_new_array(const tt_allocator *a, size_t n, size_t size_bytes)
{
    if (size_bytes && n > SIZE_MAX / size_bytes)
        return NULL;
    return tt_new(a, n * size_bytes);
}

void *tt_renew(const tt_allocator *a, void *p, size_t size_bytes)
{
    if (!p)
        return a->alloc(a->ctx, size_bytes ? size_bytes : 1);
    return a->resize(a->ctx, p, size_bytes ? size_bytes : 1);
}

void tt_del(const tt_allocator *a, void *p)
{
    if (p)
        a->release(a->ctx, p);
}

char *tt_strdup(const tt_allocator *a, const char *s)
{
    return tt_strndup(a, s, strlen(s));
}

char *tt_strndup(const tt_allocator *a, const char *s, size_t n)
{
    char *p = tt_new(a, n + 1);

    if (p && n)
        memcpy(p, s, n);
    return p;
}
