/* query.h: reads and writes as services: from a plan and bound values to rows or an effect. */
#ifndef TT_SVC_QUERY_H
#define TT_SVC_QUERY_H

#include <twotier/query.h>

#include "svc/keys.h"
#include "svc/plan.h"
#include "svc/session.h"

/* `call` may be NULL. Outputs as in twotier/query.h. */
TT_MUST int tt_run_read(tt_client *c, tt_session *session, const tt_plan *plan,
                        const tt_value *params, size_t n, const tt_call_options *call,
                        tt_result **out, tt_read_info *info, tt_error *err);
TT_MUST int tt_run_write(tt_client *c, tt_session *session, const tt_plan *plan,
                         const tt_value *params, size_t n, const tt_call_options *call,
                         tt_write_info *info, tt_error *err);
TT_MUST int tt_run_invalidate(tt_client *c, const tt_keys *keys, int timeout_ms, tt_error *err);
TT_MUST int tt_run_clear(tt_client *c, int timeout_ms, tt_error *err);

TT_MUST int tt_run_begin(tt_session *s, int timeout_ms, tt_error *err);
TT_MUST int tt_run_commit(tt_session *s, int timeout_ms, tt_write_info *info, tt_error *err);
/* Never fails: what cannot be rolled back by word is by closing the connection. */
void tt_run_rollback(tt_session *s);

/* When a call that may take `timeout_ms` (0: the client's) has to be done. */
int64_t tt_run_deadline(const tt_client *c, int timeout_ms);
/* The outcome of an operation as the caller's error: the details when they fit, else the code's
 * text. Returns `code`. */
int tt_run_error(int code, const tt_error *details, tt_error *err);

#endif
