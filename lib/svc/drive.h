/* drive.h: run an operation of the core against the real world, on the calling thread. What an act
 * means is here and nowhere else; the simulation has its own. */
#ifndef TT_SVC_DRIVE_H
#define TT_SVC_DRIVE_H

#include <twotier/result.h>

#include "svc/client.h"

/* What an operation reads or writes, prepared by the caller. */
typedef struct tt_work {
    tt_str sql;
    const tt_value *params;
    size_t n_params;
    bool keeps_state; /* of a read: it may leave something in the session of the server */
    bool plain_dml;   /* of a write: no rows affected means nothing changed */
    const tt_str
        *tags; /* of a write that may be deferred: names that any client understands, not keys */
    int n_tags;
} tt_work;

/* One operation under way. */
typedef struct tt_drive {
    tt_client *c;
    int64_t deadline_ns;
    int cache_code;  /* what became of the last act on the cache: 0, TT_E_... */
    bool shared;     /* the operation's steps are serialised from now on */
    atomic_int word; /* svc/park.h: set when it is woken */
    tt_answers answers;
    const tt_work *work;
    tt_conn *conn;     /* of a write: held from ACQUIRE on; of a transaction: the session's */
    tt_nodepool *pool; /* where `conn` goes back to; NULL: it is the session's */
    bool commit;
    tt_db_effect effect;
    tt_sample sample;  /* of PROVE */
    tt_db_sample seen; /* its bytes */
    tt_error error;    /* of the last act that failed; large, and not cleared as a whole */
} tt_drive;

void tt_drive_init(tt_drive *d, tt_client *c, int64_t deadline_ns, const tt_work *work);
void tt_drive_free(tt_drive *d);

/* Run to the end. The operation holds its outcome; d->error the details of what went wrong last. */
struct tt_read_op;
struct tt_write_op;
struct tt_repair_op;
void tt_drive_read(tt_drive *d, struct tt_read_op *op);
void tt_drive_write(tt_drive *d, struct tt_write_op *op);
void tt_drive_repair(tt_drive *d, struct tt_repair_op *op);
/* Find the primary: one thread at a time does it, others wait for its outcome. */
bool tt_drive_discover(tt_client *c, int64_t deadline_ns);

/* Give the term a fresh version: every entry of the namespace is invalid from then on. Tried once.
 * 0, TT_E_CACHE_UNAVAILABLE, TT_E_TIMEOUT, TT_E_UNAVAILABLE (no primary), TT_E_NOMEM. */
TT_MUST int tt_drive_renew(tt_client *c, int64_t deadline_ns);

/* Make the rows that a driver gave a result; `rows` is empty afterwards. 0, TT_E_NOMEM,
 * TT_E_INTERNAL. */
TT_MUST int tt_drive_result(const tt_allocator *a, tt_buf *rows, tt_result **out, tt_error *err);

/* Wake the operations on core.woken. Under mu. */
void tt_client_wake_locked(tt_client *c);
/* Add up what an operation noted. */
void tt_client_note(tt_client *c, tt_notes notes);

#endif
