#include "svc/forked.h"

#include <sys/mman.h>
#include <unistd.h>

enum { PAGE_BYTES = 1 }; /* rounded up to a page by the kernel */

void tt_origin_init(tt_origin *o)
{
    char *page = mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    *o = (tt_origin){.pid = getpid()};
    if (page == MAP_FAILED)
        return;
    if (madvise(page, PAGE_BYTES, MADV_WIPEONFORK) != 0) {
        (void)munmap(page, PAGE_BYTES);
        return;
    }
    *page = 1;
    o->page = page;
}

void tt_origin_free(tt_origin *o)
{
    if (o->page)
        (void)munmap((void *)(uintptr_t)o->page, PAGE_BYTES);
    o->page = NULL;
}

bool tt_origin_is_gone(const tt_origin *o)
{
    return o->page ? *o->page == 0 : o->pid != getpid();
}
