/* oom.h: an allocator that fails after so many allocations, and counts what is not given back. */
#ifndef TT_TEST_OOM_H
#define TT_TEST_OOM_H

#include <stdlib.h>
#include <twotier/host.h>

struct oom {
    long left; /* allocations that still succeed */
    long live; /* blocks not released */
    tt_allocator a;
};

static inline void *oom_alloc(void *ctx, size_t n)
{
    struct oom *o = ctx;
    void *p = o->left > 0 ? malloc(n) : NULL;

    o->left--;
    o->live += p != NULL;
    return p;
}

static inline void *oom_resize(void *ctx, void *p, size_t n)
{
    struct oom *o = ctx;

    return o->left-- > 0 ? realloc(p, n) : NULL;
}

static inline void oom_release(void *ctx, void *p)
{
    struct oom *o = ctx;

    o->live--;
    free(p);
}

static inline void oom_arm(struct oom *o, long allocations)
{
    o->left = allocations;
    o->live = 0;
    o->a = (tt_allocator){oom_alloc, oom_resize, oom_release, o};
}

#endif
