/* forked.h: is this still the process that opened the client?
 *
 * Asked at the start of every public call. A page that the kernel wipes in the child of a fork
 * (madvise(2), MADV_WIPEONFORK) answers it without a system call; where that is not to be had,
 * getpid(2) does. */
#ifndef TT_SVC_FORKED_H
#define TT_SVC_FORKED_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

typedef struct tt_origin {
    pid_t pid;
    volatile const char *page; /* begins with 1 in the process that made it; NULL: ask getpid */
} tt_origin;

/* The origin is this process. Never fails. */
void tt_origin_init(tt_origin *o);
void tt_origin_free(tt_origin *o);
bool tt_origin_is_gone(const tt_origin *o);

#endif
