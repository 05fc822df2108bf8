/* observe.h: the state of a client, and what it would do with a read, in words. */
#ifndef TT_SVC_OBSERVE_H
#define TT_SVC_OBSERVE_H

#include "svc/document.h"
#include "svc/query.h"

void tt_status_put(tt_client *c, bool json, tt_buf *out);
/* `plan` failed with `why` when plan_code is not 0; `keys` are made unless it did. */
void tt_explain_put(tt_client *c, const tt_session *s, const tt_plan *plan, const tt_keys *keys,
                    int plan_code, const tt_error *why, bool json, tt_buf *out);

#endif
