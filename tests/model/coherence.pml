/* The configurations. Choose one with -D, and switch rules off with -DNO_<RULE>:
 *     spin -DLAG -DNO_STICKY_P -a coherence.pml && gcc -O2 -DCOLLAPSE -o pan pan.c && ./pan
 * Each sets how many of everything there are and which faults happen; the protocol is the same for all.
 */
#include "rules.pml"

#if defined(ORDER)              /* one server, nothing fails */
#define READERS 3
#define WRITERS 2
#define SPLIT_LOOKUP 1

#elif defined(LAG)              /* a replica that lags, tags that vanish */
#define READERS 2
#define WRITERS 2
#define SERVERS 2
#define EVICTIONS 1

#elif defined(LAG_QUERY)        /* the same, with one position query shared by those who read as P */
#define READERS 3
#define WRITERS 1
#define SERVERS 2
#define EVICTIONS 1
#define QUERY 1

#elif defined(GAP)              /* a number of a transaction that may never come */
#define READERS 2
#define WRITERS 2
#define SERVERS 2
#define GAPS 1

#elif defined(DEATH)            /* a writer dies anywhere, its reply is lost, its statement goes on without it */
#define READERS 3
#define WRITERS 1
#define SERVERS 2
#define MARKS 1
#define CRASH 1
#define DEATHS 1

#elif defined(ATTEMPTS)         /* two attempts, whose replies are lost and whose statements go on */
#define READERS 2
#define WRITERS 2
#define SECOND_IS_SMOOTH 1      /* the first ends unknown, the second is told its outcome at once */
#define MARKS 1
#define CRASH 1

#elif defined(BUMPFAIL)         /* committed, invalidation outstanding: the mark covers it */
#define READERS 2
#define WRITERS 2
#define SERVERS 2
#define MARKS 1
#define BUMP_FAILS 1
#define OWES_OUTSTANDING 1
#define FLIGHT 1

#elif defined(BUMPFAIL_EVICT)   /* the same, but marked tags vanish: only what is acknowledged is owed */
#define READERS 2
#define WRITERS 2
#ifdef LONG
#define SERVERS 2
#endif
#define MARKS 1
#define BUMP_FAILS 1
#define EVICTIONS 1

#elif defined(TAG_PAIR)         /* two tags on two nodes, one may vanish */
#define READERS 2
#define WRITERS 2
#define TAGS 2
#define SERVERS 2
#define EVICTIONS 1

#elif defined(TAG_UNREADABLE)   /* two tags, each may be unreadable to a read or vanish */
#define READERS 2
#define WRITERS 2
#define TAGS 2
#define UNREADABLE 1
#define SERVERS 2

#elif defined(TAG_FLIGHT)       /* two tags, loads shared */
#ifdef LONG
#define READERS 3
#else
#define READERS 2
#endif
#define WRITERS 2
#define TAGS 2
#define FLIGHT 1

#elif defined(ONE_FLIGHT)       /* one tag, loads shared */
#define READERS 3
#define WRITERS 2
#define FLIGHT 1

#elif defined(SESSIONS)         /* a session whose invalidation is deferred */
#define READERS 2
#ifdef LONG
#define WRITERS 2
#else
#define WRITERS 1
#define STARTS_EMPTY 1
#endif
#define SERVERS 2
#define FLIGHT 1
#define SESSION 1

#elif defined(UPGRADES)         /* P to a position */
#define READERS 3
#define WRITERS 1
#define SERVERS 2
#define UPGRADE 1
#define STARTS_AS_P 1
#define STARTS_EMPTY 1

#elif defined(SWITCH)           /* a planned change of primary: nothing is lost */
#define READERS 2
#ifdef LONG
#define WRITERS 2
#else
#define WRITERS 1
#endif
#define SERVERS 2
#define CHANGE_OF_PRIMARY 1
#define UPGRADE 1

#elif defined(SWITCH_OPEN)      /* the old primary stays writable for a while, the term may be lost */
#define READERS 2
#define WRITERS 1
#define SERVERS 2
#define CHANGE_OF_PRIMARY 1
#define OLD_STAYS_WRITABLE 1
#define TERM_LOSSES 1

#elif defined(SWITCH_3)         /* three servers, replicas apply out of order */
#ifdef LONG
#define READERS 2
#else
#define READERS 1
#endif
#define WRITERS 2
#define SERVERS 3
#define CHANGE_OF_PRIMARY 1

#elif defined(LOSSES)           /* an unplanned change: what only the old primary had is lost, or still lies in a relay log */
#define READERS 2
#ifdef LONG
#define WRITERS 2
#define SERVERS 2
#else
#define WRITERS 1
#define SERVERS 3
#define QUERY 1
#endif
#define CHANGE_OF_PRIMARY 1
#define LOSSY 1

#else
#error "choose a configuration"
#endif

/* What a configuration does not say. The rest is used by #if alone. */
#ifndef TAGS
#define TAGS 1
#endif
#ifndef SERVERS
#define SERVERS 1
#endif
#ifndef UNREADABLE
#define UNREADABLE 0
#endif
#ifndef MARKS
#define MARKS 0
#endif
#ifndef UPGRADE
#define UPGRADE 0
#endif
#ifndef CHANGE_OF_PRIMARY
#define CHANGE_OF_PRIMARY 0
#endif
#ifndef LOSSY
#define LOSSY 0
#endif
#ifndef STARTS_EMPTY
#define STARTS_EMPTY 0
#endif
#ifndef SECOND_IS_SMOOTH
#define SECOND_IS_SMOOTH 0
#endif
#ifndef STARTS_AS_P
#define STARTS_AS_P 0
#endif
#if CRASH
#define OWES_COMMITTED_AT_REST 1
#endif

#include "protocol.pml"

/* ------------------------------------------------------------------------------------------- the surroundings */

#if SERVERS > 1
/* A replica applies in any order what a primary, past or present, has written: also what lay in its relay log. */
#define HAVE_BEEN_WRITTEN (executed[0] | executed[primary])
#define APPLY(s, b) \
    :: atomic { s != primary && (HAVE_BEEN_WRITTEN & (b)) && !(executed[s] & (b)) -> executed[s] = executed[s] | (b) }

proctype Replication()
{
end:
    do
    APPLY(1, 1)
    APPLY(1, 2)
#if CHANGE_OF_PRIMARY
    APPLY(0, 4)
    APPLY(0, 8)
#if SERVERS > 2
    APPLY(2, 1)
    APPLY(2, 2)
    APPLY(2, 4)
    APPLY(2, 8)
#endif
#endif
    od
}
#endif

#if EVICTIONS
/* An eviction of one tag, or FLUSHALL of all. A mark goes with its tag: `allkeys-*`. */
proctype Eviction()
{
    byte evictions;
end:
    do
    :: atomic { evictions < EVICTIONS && tag[0].version != ABSENT ->
        evictions++; tag[0].version = ABSENT; tag[0].barrier = 0; tag[0].pending = 0 }
#if TAGS == 2
    :: atomic { evictions < EVICTIONS && tag[1].version != ABSENT ->
        evictions++; tag[1].version = ABSENT; tag[1].barrier = 0; tag[1].pending = 0 }
#endif
    od
}
#endif

#if CRASH
#define EXECUTE(w) \
    :: atomic { sent & (1 << (w)) -> sent = sent & ~(1 << (w)); commit(w, 0) } \
    :: atomic { sent & (1 << (w)) -> sent = sent & ~(1 << (w)) }        /* fails */

proctype Server()
{
end:
    do
    EXECUTE(0)
#if WRITERS > 1
    EXECUTE(1)
#endif
    od
}

#if DEATHS
proctype Death()
{
end:
    crashed = 1
}
#endif

/* Anyone who finds a mark past its deadline. The mark says whose connection it is. */
#define REAP(w) \
    :: tag[0].pending & MARK(w) -> \
        if \
        :: KILL_BEFORE_BUMP -> atomic { killed = killed | (1 << (w)); sent = sent & ~(1 << (w)) } \
        :: else \
        fi; \
        atomic { \
            if \
            :: tag[0].pending & MARK(w) -> bump(0, P, term_version, MARK(w)) \
            :: else \
            fi \
        }

proctype Reaper()
{
end:
    do
    REAP(0)
#if WRITERS > 1
    REAP(1)
#endif
    od
}
#endif

#if CHANGE_OF_PRIMARY
/* Server 1 takes over from server 0. */
proctype Promotion()
{
#if !OLD_STAYS_WRITABLE
    read_only = read_only | 1;
#endif
    atomic {
#if !LOSSY
        COVERS(executed[1], executed[0]) ->
#endif
        primary = 1;
        read_only = read_only & ~2
    }
    atomic { new_term(1) }
}
#endif

#if TERM_LOSSES
proctype TermLoss()
{
    atomic { term_version != ABSENT -> term_version = ABSENT; term_name = NOBODY }
}
#endif

init
{
    atomic {
        tag[0].version = 1;
        tag[0].term = 1;
        tag[0].barrier = (STARTS_AS_P -> P : 0);
        entry.version[0] = (STARTS_EMPTY -> ABSENT : 1);
#if TAGS == 2
        tag[1].version = 1;
        tag[1].term = 1;
        entry.version[1] = 1;
#endif
        entry.term = 1;         /* of before: every write makes it stale */
        busy = WRITERS;
#if SERVERS > 1
        run Replication();
#endif
#if EVICTIONS
        run Eviction();
#endif
#if CRASH
        run Server();
        run Reaper();
#endif
#if DEATHS
        run Death();
#endif
#if CHANGE_OF_PRIMARY
        run Promotion();
#endif
#if TERM_LOSSES
        run TermLoss();
#endif
        byte i;
        for (i : 0 .. READERS - 1) { run Reader(i, 0) }
#if SESSION
        for (i : 0 .. WRITERS - 2) { run Writer(i) }
        run Session(WRITERS - 1);
#else
        for (i : 0 .. WRITERS - 1) { run Writer(i) }
#endif
        i = 0
    }
}
