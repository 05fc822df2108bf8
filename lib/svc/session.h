/* session.h: what a logical user carries: what it has written, and the open transaction. */
#ifndef TT_SVC_SESSION_H
#define TT_SVC_SESSION_H

#include <twotier/client.h>

#include "svc/client.h"

typedef enum tt_tx_state { TT_TX_NONE = 0, TT_TX_OPEN, TT_TX_DOOMED } tt_tx_state;

/* Whose a session is. While it is a queue's (not FREE), tt_session_free only says so: LEFT. */
typedef enum tt_session_owner {
    TT_SESSION_FREE = 0, /* its user's */
    TT_SESSION_QUEUED,   /* an operation waits, or is under way */
    TT_SESSION_DONE,     /* the completion was not taken yet; nobody works on it */
    TT_SESSION_LEFT      /* its user has freed it: whoever has the job does so */
} tt_session_owner;

struct tt_session {
    tt_client *c;
    atomic_int owner; /* tt_session_owner */
    tt_buf seen;      /* barrier: what it has written */
    tt_buf owed;      /* barrier: its writes whose invalidation was missing or deferred */
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
/* Its user is done with it: free it, after a rollback, or leave that to the queue which has it.
 * Waits for no queue. */
void tt_session_leave(tt_session *s);
/* The child of a fork. */
void tt_session_free_memory(tt_session *s);
/* Free one that no queue and no user has. `block`: roll back by word, which may take its time; else
 * by closing the connection. */
void tt_session_end(tt_session *s, bool block);
/* After a write: raise what was seen, and what is owed. `position` is a barrier. */
void tt_session_wrote(tt_session *s, tt_str position, bool owed);
/* Gather the tags of a write in the transaction. */
TT_MUST int tt_session_gather(tt_session *s, const tt_str *names, int n, tt_error *err);
/* A statement in the transaction failed: does that doom it? Returns `code`. */
int tt_session_failed(tt_session *s, int code);

TT_MUST int tt_session_encode(const tt_session *s, tt_buf *out);
TT_MUST int tt_session_decode(tt_session *s, tt_str token);

#endif
