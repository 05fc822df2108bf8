/* secret.h: passwords, from the environment or a file; wiped when freed, and in no message. */
#ifndef TT_DRV_SECRET_H
#define TT_DRV_SECRET_H

#include <twotier/error.h>

#include "base/mem.h"
#include "base/str.h"

/* Longest secret, without the closing zero. */
#define TT_SECRET_MAX 4096

/* Owns `p`, which has a closing zero and may be NULL: no secret. All zero is an empty one. */
typedef struct tt_secret {
    const tt_allocator *a;
    char *p;
    size_t n;
} tt_secret;

/* Read the secret that `env` or `file` names ("" or NULL: not that one); neither: no secret. The
 * environment is read with getenv: not while another thread changes it. One newline at the end of
 * the file is cut. *out is written on success, and freed by the caller.
 * 0, TT_E_CONFIG (not set, empty, not readable, too long, or with a zero byte), TT_E_NOMEM. */
TT_MUST int tt_secret_read(const tt_allocator *a, const char *env, const char *file, tt_secret *out,
                           tt_error *err);
/* A copy of `text`. 0, TT_E_LIMIT, TT_E_ARGUMENT (a zero byte in it), TT_E_NOMEM. */
TT_MUST int tt_secret_copy(const tt_allocator *a, tt_str text, tt_secret *out, tt_error *err);
/* Wipe and free; harmless when repeated. */
void tt_secret_free(tt_secret *secret);

#endif
