/* session.h: what a logical user carries: what it has written, and the open transaction. */
#ifndef TT_SVC_SESSION_H
#define TT_SVC_SESSION_H

#include <twotier/client.h>

#include "svc/client.h"

typedef enum tt_tx_state { TT_TX_NONE = 0, TT_TX_OPEN, TT_TX_DOOMED } tt_tx_state;

struct tt_session {
    tt_client *c;
    atomic_bool queued; /* it belongs to a queue until its completion is taken */
    tt_buf seen;        /* barrier: what it has written */
    tt_buf owed;        /* barrier: its writes whose invalidation was missing or deferred */
    /* the transaction */
    tt_tx_state tx;
    int doom; /* TT_E_...: why it is doomed */
    tt_conn *conn;
    tt_nodepool *pool;
    int node;
    bool wrote;
    tt_buf tags; /* gathered names, each with a newline */
};

/* TT_E_FORKED, TT_E_ARGUMENT (of another client), TT_E_BUSY (in a queue), or 0. NULL is allowed. */
TT_MUST int tt_session_check(const tt_session *s, const tt_client *c, tt_error *err);
/* After a write: raise what was seen, and what is owed. `position` is a barrier. */
void tt_session_wrote(tt_session *s, tt_str position, bool owed);
/* Gather the tags of a write in the transaction. */
TT_MUST int tt_session_gather(tt_session *s, const tt_str *names, int n, tt_error *err);
/* A statement in the transaction failed: does that doom it? Returns `code`. */
int tt_session_failed(tt_session *s, int code);

TT_MUST int tt_session_encode(const tt_session *s, tt_buf *out);
TT_MUST int tt_session_decode(tt_session *s, tt_str token);

#endif
