/* deferred.h: invalidations that wait in a table of the primary, for writes that went through while
 * the cache could not be reached (cache.when_unavailable: defer).
 *
 * The rows are written in the same transaction as the write, so that they are there exactly when it
 * is; they are deleted only after their bumps were acknowledged. Every client of the namespace
 * carries them out, whoever comes first.
 */
#ifndef TT_SVC_DEFERRED_H
#define TT_SVC_DEFERRED_H

#include "svc/drive.h"

/* Make the table if it is not there. 0, or why not. */
TT_MUST int tt_deferred_prepare(tt_client *c, tt_error *err);
/* The write of `d`, with its tags left in the table: one transaction. */
tt_db_status tt_deferred_execute(tt_drive *d);
/* Carry out what waits; how many rows were done, 0 when there were none, -1 when it failed. */
int tt_deferred_drain(tt_client *c);

#endif
