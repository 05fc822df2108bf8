/* position.h: how far a write is, and what a node has applied, for both families of servers.
 *
 * A point names one transaction and all before it from the same source:
 *   MySQL    source "uuid" or "uuid:tag", number n: the transactions 1..n of that source
 *   MariaDB  source "domain-serverid", number n: everything up to n in that domain, written by that
 *            server (the server id matters: numbers are issued again after a lossy failover)
 * A tt_points is a small set of points, one for each source, in text form
 *   source:n,source:n       (no blanks, ordered by source; "" is the empty set)
 * which is what tags, entries and session tokens carry.
 *
 * A tt_applied is all that a node says it has: MySQL's executed set with its gaps, or MariaDB's
 * last point for each domain. Points are met by it or not; nothing is guessed: a point of a source
 * that MariaDB's domain was last written by another server is not met.
 */
#ifndef TT_CORE_POSITION_H
#define TT_CORE_POSITION_H

#include "base/buf.h"

typedef enum tt_family { TT_FAMILY_UNKNOWN = 0, TT_FAMILY_MARIADB, TT_FAMILY_MYSQL } tt_family;

/* Longest text of a source; longest points text that is taken from outside. */
#define TT_SOURCE_MAX 80
#define TT_POINTS_MAX 4096

typedef struct tt_point {
    tt_str source; /* borrowed from the text it was parsed from */
    uint64_t n;    /* never 0 */
} tt_point;

/* Walk the points of `text`: takes the first off `rest`. Returns 1 and the point, 0 at the end, -1
 * when the text is not valid (a source that is empty, too long or has a blank, comma, '@' or
 * control character; a number that is 0, has leading zeros or does not fit). */
TT_MUST int tt_points_next(tt_str *rest, tt_point *out);
/* Whole text valid, ordered by source and without repeats? */
TT_MUST bool tt_points_valid(tt_str text);

/* Append to `out` the union of a and b, for each source the higher number. Both must be valid. */
void tt_points_merge(tt_str a, tt_str b, tt_buf *out);
/* Is every point of `need` met by a point of `have` (same source, number at least as high)? */
TT_MUST bool tt_points_cover(tt_str have, tt_str need);

/* What a server reported for one's own write, as points. MySQL: the GTID set of session tracking
 * ("uuid:5", "uuid:5-7,uuid2:1"): the highest number for each source. MariaDB: last_gtid
 * ("0-1-100"), or a list of them. Blanks and newlines between items are allowed.
 * 0, TT_E_ARGUMENT (not a position), TT_E_NOMEM (through out->failed). */
TT_MUST int tt_points_of_write(tt_family family, tt_str text, tt_buf *out);

/* Opaque: what a node has applied. */
typedef struct tt_applied tt_applied;

/* Parse @@gtid_executed (MySQL) or gtid_slave_pos, gtid_binlog_pos, gtid_current_pos,
 * gtid_binlog_state (MariaDB; for a list with several servers in one domain every one is kept).
 * 0 with *out owned by the caller, TT_E_ARGUMENT, TT_E_NOMEM. */
TT_MUST int tt_applied_parse(const tt_allocator *a, tt_family family, tt_str text,
                             tt_applied **out);
void tt_applied_free(tt_applied *s);

/* Has the node all of this point? MySQL: all of 1..n. MariaDB: an item of this domain by this very
 * server with a number >= n. */
TT_MUST bool tt_applied_has(const tt_applied *s, const tt_point *p);
/* All points of a valid text. */
TT_MUST bool tt_applied_has_all(const tt_applied *s, tt_str points);
/* Where gaps are permanent (MySQL): has `s` everything of 1..n that `primary` has, for every point,
 * and does the primary itself have n? `primary` must have been sampled after the point was read.
 * MariaDB: the same as tt_applied_has_all. */
TT_MUST bool tt_applied_has_all_of(const tt_applied *s, const tt_applied *primary, tt_str points);
/* Does `a` hold nothing that `b` lacks? MariaDB: every item of `a` is met by `b`. */
TT_MUST bool tt_applied_subset(const tt_applied *a, const tt_applied *b);
/* The points that `s` certainly meets, as text: MySQL the end of the interval that starts at 1, for
 * each source that has one; MariaDB its items. A lower bound. */
void tt_applied_points(const tt_applied *s, tt_buf *out);
/* The highest number of every source, as text: an upper bound. A node that has all of it has at
 * least what `s` holds. */
void tt_applied_highest(const tt_applied *s, tt_buf *out);

#endif
