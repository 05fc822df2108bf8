/* The rules of the protocol, one line each. All are on; -DNO_<RULE> switches one off. */

/* an entry carries the versions its tags had before the database was read, not those at the time of storing */
#ifdef NO_VERSIONS_BEFORE_READ
#define VERSIONS_BEFORE_READ false
#else
#define VERSIONS_BEFORE_READ true
#endif

/* a marked tag is no hit */
#ifdef NO_HIT_UNMARKED
#define HIT_UNMARKED false
#else
#define HIT_UNMARKED true
#endif

/* an absent tag has an unknown history: it is created as P, and a bump that creates it writes P */
#ifdef NO_ABSENT_IS_P
#define ABSENT_IS_P false
#else
#define ABSENT_IS_P true
#endif

/* a bump leaves P as it is */
#ifdef NO_STICKY_P
#define STICKY_P false
#else
#define STICKY_P true
#endif

/* a replica may fill only if it has applied the barrier */
#ifdef NO_BARRIER
#define BARRIER false
#else
#define BARRIER true
#endif

/* where numbers are missing for ever: the set of the primary that stands in for 1..n is taken after step 2 */
#ifdef NO_BARRIER_SET_AFTER
#define BARRIER_SET_AFTER false
#else
#define BARRIER_SET_AFTER true
#endif

/* a mark is set before the statement is sent */
#ifdef NO_INTENT
#define INTENT false
#else
#define INTENT true
#endif

/* an unknown outcome is settled by KILL before the bump */
#ifdef NO_KILL_BEFORE_BUMP
#define KILL_BEFORE_BUMP false
#else
#define KILL_BEFORE_BUMP true
#endif

/* each attempt has a mark of its own */
#ifdef NO_MARK_NONCE_PER_ATTEMPT
#define MARK_NONCE_PER_ATTEMPT false
#else
#define MARK_NONCE_PER_ATTEMPT true
#endif

/* a marked tag counts as P */
#ifdef NO_MARKED_IS_P
#define MARKED_IS_P false
#else
#define MARKED_IS_P true
#endif

/* a read that met a mark stores nothing */
#ifdef NO_MARKED_NO_STORE
#define MARKED_NO_STORE false
#else
#define MARKED_NO_STORE true
#endif

/* a read that met a mark joins nobody */
#ifdef NO_MARKED_NO_JOIN
#define MARKED_NO_JOIN false
#else
#define MARKED_NO_JOIN true
#endif

/* success is reported only after every bump is acknowledged */
#ifdef NO_ACK_AFTER_BUMP
#define ACK_AFTER_BUMP false
#else
#define ACK_AFTER_BUMP true
#endif

/* for P: the believed primary is named by the term and is not read-only */
#ifdef NO_PROVEN_PRIMARY
#define PROVEN_PRIMARY false
#else
#define PROVEN_PRIMARY true
#endif

/* the same where no replica has reached the barrier */
#ifdef NO_PROVEN_FALLBACK
#define PROVEN_FALLBACK false
#else
#define PROVEN_FALLBACK true
#endif

/* an entry is a hit only under the term of its fill */
#ifdef NO_TERM_IN_ENTRY
#define TERM_IN_ENTRY false
#else
#define TERM_IN_ENTRY true
#endif

/* a bump under another term than the barrier's makes it P */
#ifdef NO_TERM_BARRIERS_NOT_MERGED
#define TERM_BARRIERS_NOT_MERGED false
#else
#define TERM_BARRIERS_NOT_MERGED true
#endif

/* a node with transactions that the named primary lacks fills nothing */
#ifdef NO_DIVERGED_NEVER_SOURCE
#define DIVERGED_NEVER_SOURCE false
#else
#define DIVERGED_NEVER_SOURCE true
#endif

/* that comparison is made with the view open, not before it */
#ifdef NO_DIVERGED_CHECKED_AFTER_VIEW
#define DIVERGED_CHECKED_AFTER_VIEW false
#else
#define DIVERGED_CHECKED_AFTER_VIEW true
#endif

/* nothing is written to a new primary before the term names it */
#ifdef NO_TERM_BEFORE_WRITES
#define TERM_BEFORE_WRITES false
#else
#define TERM_BEFORE_WRITES true
#endif

/* a lost term comes back without a name, and is named by discovery only */
#ifdef NO_NAMELESS_BYPASS
#define NAMELESS_BYPASS false
#else
#define NAMELESS_BYPASS true
#endif

/* an unreadable tag counts as P */
#ifdef NO_UNREADABLE_IS_P
#define UNREADABLE_IS_P false
#else
#define UNREADABLE_IS_P true
#endif

/* one P among the tags is enough */
#ifdef NO_ANY_P
#define ANY_P false
#else
#define ANY_P true
#endif

/* the database is read after the scripts of all tags have answered */
#ifdef NO_READ_AFTER_ALL_SCRIPTS
#define READ_AFTER_ALL_SCRIPTS false
#else
#define READ_AFTER_ALL_SCRIPTS true
#endif

/* a shared position query serves only reads whose step 2 had been answered when it was sent */
#ifdef NO_QUERY_AFTER_STEP2
#define QUERY_AFTER_STEP2 false
#else
#define QUERY_AFTER_STEP2 true
#endif

/* a load is shared only if all versions are equal, not the first alone */
#ifdef NO_JOIN_ALL_TAGS
#define JOIN_ALL_TAGS false
#else
#define JOIN_ALL_TAGS true
#endif

/* a load is shared only among equal versions */
#ifdef NO_FLIGHT_KEYED
#define FLIGHT_KEYED false
#else
#define FLIGHT_KEYED true
#endif

/* a hit covers the writes of the session */
#ifdef NO_AS_OF_HIT
#define AS_OF_HIT false
#else
#define AS_OF_HIT true
#endif

/* a shared load covers the writes of the session */
#ifdef NO_AS_OF_JOIN
#define AS_OF_JOIN false
#else
#define AS_OF_JOIN true
#endif

/* as_of is the position before the view was opened */
#ifdef NO_AS_OF_BEFORE_VIEW
#define AS_OF_BEFORE_VIEW false
#else
#define AS_OF_BEFORE_VIEW true
#endif

/* P is replaced by a position taken after step 2 */
#ifdef NO_RESOLVE_AFTER_STEP2
#define RESOLVE_AFTER_STEP2 false
#else
#define RESOLVE_AFTER_STEP2 true
#endif

/* P is replaced only if the version is still that of step 2 */
#ifdef NO_RESOLVE_CAS
#define RESOLVE_CAS false
#else
#define RESOLVE_CAS true
#endif

/* a tag of a foreign epoch counts as absent */
#ifdef NO_EPOCH
#define EPOCH false
#else
#define EPOCH true
#endif

/* the epoch contains the replication id */
#ifdef NO_EPOCH_REPLID
#define EPOCH_REPLID false
#else
#define EPOCH_REPLID true
#endif

/* the epoch contains the run id */
#ifdef NO_EPOCH_RUNID
#define EPOCH_RUNID false
#else
#define EPOCH_RUNID true
#endif

/* a connection does not outlive the demotion of its node */
#ifdef NO_EPOCH_FRESH
#define EPOCH_FRESH false
#else
#define EPOCH_FRESH true
#endif

/* a node is used only within the grace time of its last confirmation */
#ifdef NO_GRACE
#define GRACE false
#else
#define GRACE true
#endif

/* a process's first epoch is waited out too */
#ifdef NO_GRACE_FIRST
#define GRACE_FIRST false
#else
#define GRACE_FIRST true
#endif

/* a changed epoch is waited out */
#ifdef NO_GRACE_CHANGED
#define GRACE_CHANGED false
#else
#define GRACE_CHANGED true
#endif

/* whoever recreates a tag of a foreign epoch keeps its marks */
#ifdef NO_KEEP_FOREIGN_MARKS
#define KEEP_FOREIGN_MARKS false
#else
#define KEEP_FOREIGN_MARKS true
#endif
