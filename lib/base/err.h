/* err.h: filling a caller's tt_error. */
#ifndef TT_BASE_ERR_H
#define TT_BASE_ERR_H

#include <twotier/error.h>

#include "base/must.h"

/* Write code and message to `err` (may be NULL; other fields are cleared) and return the code,
 * so that a failure is one line: return tt_fail(err, TT_E_RANGE, "..."); */
int tt_fail(tt_error *err, int code, const char *fmt, ...) TT_PRINTF(3, 4);
/* Out of memory, with no formatting. */
int tt_fail_nomem(tt_error *err);
/* As TT_ERROR_INIT, without writing all of its bytes. */
static inline void tt_error_clear(tt_error *err)
{
    err->code = 0;
    err->server_errno = 0;
    err->sqlstate[0] = err->node[0] = err->message[0] = '\0';
}

/* Name the node concerned. */
void tt_error_set_node(tt_error *err, const char *node);

#endif
