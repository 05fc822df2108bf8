/* Redis fails over or restarts. One database server without replicas, one tag, one entry, two Redis nodes.
 *     spin -DREDIS_EPOCH -DNO_EPOCH -a redis.pml && gcc -O2 -DCOLLAPSE -o pan pan.c && ./pan
 */
#include "rules.pml"

#if defined(REDIS_EPOCH)        /* the node that answers changes, restarts with old data, comes back */
#define READERS 2
#define WRITERS 1
#define FAILOVERS 2
#define RESTARTS 1

#elif defined(REDIS_MARKS)      /* a writer dies while the Redis node changes; its mark had reached the new one */
#define READERS 2
#define WRITERS 1
#define FAILOVERS 1
#define MARKS 1

#elif defined(REDIS_GRACE)      /* old and new primary both answer for a while; clients learn of it one by one */
#define READERS 2
#define WRITERS 1
#define FAILOVERS 1
#define SEVERAL_ANSWER 1

#elif defined(REDIS_BACK)       /* the same, and back to the first node at once */
#define READERS 1
#define WRITERS 1
#define FAILOVERS 2
#define SEVERAL_ANSWER 1

#else
#error "choose a configuration"
#endif
#ifndef MARKS
#define MARKS 0
#endif

#define ABSENT 0
#define DISK   2                /* what a restart would load */

typedef Data {
    byte version, runid, replid, pending;
    byte entry_version, entry_content
}
Data data[3];                   /* of node 0, of node 1, and on disk */

typedef Node { byte runid, replid }
Node node[2];
byte master;                    /* the node on which a majority of Sentinels agrees */
byte disk_of;                   /* whose data the disk holds */
byte last_version = 1, last_id = 2;

byte executed;                  /* the database: the writes that it has committed */
byte acknowledged;
byte busy, sent, killed, crashed;
byte readers_started;
#if SEVERAL_ANSWER
bool demoted = true;            /* the node that is not primary knows it */
#endif

#define AT_REST (busy == 0 && sent == 0 && data[master].pending == 0)

inline copy(from, to)
{
    data[to].version = data[from].version;
    data[to].runid = data[from].runid;
    data[to].replid = data[from].replid;
    data[to].pending = data[from].pending;
    data[to].entry_version = data[from].entry_version;
    data[to].entry_content = data[from].entry_content
}

#define DIFFERENT(a, b) (data[a].version != data[b].version || data[a].pending != data[b].pending || \
    data[a].entry_version != data[b].entry_version || data[a].entry_content != data[b].entry_content)

/* A client c that speaks to node n knows an epoch: the one that n had when the connection was opened. */
#if SEVERAL_ANSWER
#define KNOWN_RUN    1
#define KNOWN_REPLID known[me]
#else
#define KNOWN_RUN    node[n].runid
#define KNOWN_REPLID node[n].replid
#endif
#define PRESENT(n) (data[n].version != ABSENT && \
    (!EPOCH || ((!EPOCH_RUNID || data[n].runid == KNOWN_RUN) && (!EPOCH_REPLID || data[n].replid == KNOWN_REPLID))))

inline renew(n)
{
    last_version++;
    data[n].version = last_version;
    data[n].runid = KNOWN_RUN;
    data[n].replid = KNOWN_REPLID
}

inline create_if_absent(n)
{
    if
    :: PRESENT(n)
    :: else ->
        renew(n);
        if
        :: KEEP_FOREIGN_MARKS
        :: else -> data[n].pending = 0
        fi
    fi
}

#if SEVERAL_ANSWER
/* ------------------------------------------------------------------------- which node: confirmation and grace
 * Time is not counted. A confirmation is good until it expires, which may be at any moment; but whoever waits for the
 * grace time has, at its end, outlived every confirmation that was sent before it began to wait. */

#define CLIENTS 3               /* at most */
#define NONE    9
byte at[CLIENTS];               /* the node to which it is connected, or NONE */
byte known[CLIENTS];            /* the epoch of that connection; 0: it has never seen any */
byte confirmed;                 /* whose last confirmation is still good, one bit for each client */
byte waiting;                   /* who waits out an epoch */
byte gone;                      /* clients that have finished: no more steps for them */
byte outlive[CLIENTS];          /* the confirmations that the wait of a client has to outlive */

#define MAY_USE(c) (at[c] != NONE && !(waiting & (1 << (c))) && (!GRACE || (confirmed & (1 << (c)))))

inline expired(c)
{
    outlive[0] = outlive[0] & ~(1 << (c));
    outlive[1] = outlive[1] & ~(1 << (c));
    outlive[2] = outlive[2] & ~(1 << (c))
}

/* A majority of Sentinels says who is primary. The connection stays if it leads there already. */
inline confirm(c)
{
    expired(c);
    if
    :: at[c] == master
    :: else ->
        at[c] = master;
        if
        :: known[c] == node[master].replid
        :: known[c] != node[master].replid ->
            if
            :: (known[c] == 0 && GRACE_FIRST) || (known[c] != 0 && GRACE_CHANGED) ->
                waiting = waiting | (1 << (c));
                outlive[c] = confirmed & ~(1 << (c))
            :: else
            fi;
            known[c] = node[master].replid
        fi
    fi;
    confirmed = confirmed | (1 << (c))
}

#define SENTINEL(c) \
    :: atomic { !(gone & (1 << (c))) && (!(confirmed & (1 << (c))) || at[c] != master) -> confirm(c) } \
    :: atomic { confirmed & (1 << (c)) -> confirmed = confirmed & ~(1 << (c)); expired(c) } \
    :: atomic { waiting & (1 << (c)) && outlive[c] == 0 -> waiting = waiting & ~(1 << (c)) }

inline leave(c)
{
    expired(c);
    gone = gone | (1 << (c));
    confirmed = confirmed & ~gone;
    waiting = waiting & ~gone;
    outlive[c] = 0;
    known[c] = 0;
    at[c] = NONE
}

proctype Sentinels()
{
end:
    do
    SENTINEL(0)
    SENTINEL(1)
#if READERS + WRITERS > 2
    SENTINEL(2)
#endif
    od
}
#define NODE at[me]
#define FOLLOWS demoted
#else
#define MAY_USE(c) true
#define NODE master
inline leave(c)
{
    skip
}
#define FOLLOWS true
#endif

/* ------------------------------------------------------------------------------------------------ the clients */

#define RETURN(value) assert(((value) & must_show) == must_show); must_show = 0

proctype Reader(byte me)
{
    byte n, version, content, must_show;

    atomic {
        readers_started == me ->
        readers_started++;
        must_show = acknowledged;
        if
        :: MARKS && AT_REST -> must_show = executed
        :: else
        fi
    }
    atomic {
        if
        :: MAY_USE(me)
        :: !MAY_USE(me) -> goto over            /* around the cache: nothing to show here */
        fi;
        n = NODE;
        if
        :: PRESENT(n) && data[n].pending == 0 && data[n].entry_version == data[n].version ->
            RETURN(data[n].entry_content);
            goto over
        :: else
        fi
    }
    atomic {
        if
        :: MAY_USE(me) && NODE == n
        :: else -> goto over
        fi;
        create_if_absent(n);
        version = (data[n].pending == 0 -> data[n].version : ABSENT)
    }
    atomic { content = executed; RETURN(content) }
    atomic {
        if
        :: version != ABSENT && MAY_USE(me) ->
            n = NODE;
            data[n].entry_version = version;
            data[n].entry_content = content
        :: else
        fi
    }
over:
    atomic { n = 0; version = 0; content = 0; must_show = 0; leave(me) }
}

/* w: which write; me: which client */
proctype Writer(byte w; byte me)
{
    byte n, bumped_epoch;
    {
#if MARKS
        atomic {
            n = NODE;
            create_if_absent(n);
            data[n].pending = 1
        }
        (data[1].pending);                      /* the mark is replicated: see README, limits */
        atomic {
            if
            :: killed -> goto finished
            :: else -> sent = 1
            fi
        }
        executed & 1;
#else
        executed = executed | (1 << w);
#endif
again:
        atomic {                                /* bumps are sent while it waits, too; only the report is withheld */
#if SEVERAL_ANSWER
            at[me] != NONE && (!GRACE || (confirmed & (1 << me)));
#endif
            n = NODE;
            if
            :: PRESENT(n)
            :: else -> create_if_absent(n)
            fi;
            renew(n);
            data[n].pending = 0
        }
#if SEVERAL_ANSWER
        bumped_epoch = known[me];
        atomic {
            if
            :: MAY_USE(me) && at[me] == n && known[me] == bumped_epoch -> acknowledged = acknowledged | (1 << w)
            :: at[me] != n || known[me] != bumped_epoch -> goto again
            fi
        }
#else
        acknowledged = acknowledged | (1 << w);
#endif
finished:
        skip
    } unless {
        crashed
    }
    atomic { busy--; n = 0; bumped_epoch = 0; leave(me) }
}

/* ------------------------------------------------------------------------------------------- the surroundings */

/* The other node follows; what it has is always a state that the primary once had. */
proctype Replication()
{
end:
    do
    :: atomic { FOLLOWS && DIFFERENT(0, 1) -> copy(master, 1 - master) }
    od
}

#if SEVERAL_ANSWER

proctype Failover()
{
    byte failovers;
end:
    do
    :: atomic { failovers < FAILOVERS && demoted ->
        failovers++;
        master = 1 - master;
        last_id++;
        node[master].replid = last_id;
        demoted = false }
    :: atomic { !demoted ->
        demoted = true;
        if
        :: EPOCH_FRESH ->                       /* all its connections are dropped, at once */
            if
            :: at[0] == 1 - master -> at[0] = NONE
            :: else
            fi;
            if
            :: at[1] == 1 - master -> at[1] = NONE
            :: else
            fi;
            if
            :: at[2] == 1 - master -> at[2] = NONE
            :: else
            fi
        :: else
        fi }
    od
}
#else
proctype Failover()
{
    byte failovers, restarts;
end:
    do
    :: atomic { failovers < FAILOVERS ->
        failovers++;
        master = 1 - master;
        last_id++;
        node[master].replid = last_id }
#if RESTARTS
    :: atomic { disk_of == master && restarts < RESTARTS ->
        restarts++;
        last_id++;
        node[master].runid = last_id;
        copy(DISK, master) }
    :: atomic { restarts < RESTARTS && (disk_of != master || DIFFERENT(master, DISK)) ->
        copy(master, DISK);
        disk_of = master }
#endif
    od
}
#endif

#if MARKS
proctype Server()
{
end:
    do
    :: atomic { sent -> sent = 0; executed = 1 }
    od
}

proctype Death()
{
end:
    crashed = 1
}

proctype Reaper()
{
    byte n, me;
end:
    do
    :: data[master].pending ->
        atomic { killed = 1; sent = 0 }
        atomic {
            n = master;
            if
            :: data[n].pending -> renew(n); data[n].pending = 0
            :: else
            fi;
            n = 0
        }
    od
}
#endif

init
{
    atomic {
        node[0].runid = 1;
        node[1].runid = 2;
        node[0].replid = 1;
        node[1].replid = 1;
        data[0].version = 1;
        data[0].runid = 1;
        data[0].replid = 1;
        data[0].entry_version = 1;
        copy(0, 1);
        copy(0, DISK);
        busy = WRITERS;
#if SEVERAL_ANSWER
        at[0] = 0; at[1] = NONE; at[2] = NONE;          /* a process of long standing, and two new ones */
        known[0] = 1;
        confirmed = 1;
#endif
        run Replication();
        run Failover();
#if SEVERAL_ANSWER
        run Sentinels();
#endif
#if MARKS
        run Server();
        run Reaper();
        run Death();
#endif
        byte i;
        for (i : 0 .. READERS - 1) { run Reader(i) }
        for (i : 0 .. WRITERS - 1) { run Writer(i, READERS + i) }
        i = 0
    }
}
