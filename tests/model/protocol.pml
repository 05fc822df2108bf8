/* The coherence protocol: what Redis keeps, how a read and a write go.
 *
 * Included by coherence.pml, which sets the size of a configuration and which faults it has. The names of the rules
 * are in rules.pml: true, or false when switched off.
 *
 * One row is cached. Its content is the set of the writes that it shows, one bit for each, and a position is a set
 * of the same bits. "Not older than" is "contains", which stays right where replicas apply out of order and where
 * histories part.
 */

#define ABSENT  0               /* the version of a tag that Redis does not have */
#define P       128             /* barrier: history unknown, only a proven primary may fill */
#define NOBODY  15              /* no server */

#define NUMBERS 2               /* transactions that one server can issue */
#define BIT(s, n)    (1 << (NUMBERS * (s) + (n) - 1))
#define UP_TO(s, n)  (((1 << (n)) - 1) << (NUMBERS * (s)))
#define COVERS(a, b) (((a) & (b)) == (b))

/* ------------------------------------------------------------------------------------------------ Redis */

typedef Tag {
    byte version;               /* a nonce; the model counts, so none comes twice */
    byte barrier;               /* what a node must have applied before it may fill, or P */
    byte term;                  /* under which the barrier holds */
    byte pending                /* marks, one bit for each */
}
Tag tag[TAGS];

typedef Entry {
    byte version[TAGS];
    byte term;
    byte content;
    byte as_of
}
Entry entry;

byte term_version = 1;
byte term_name = 0;             /* the server that the term names as primary */
byte last_version = 1;

#if TAGS == 2
#define SAME_VERSIONS(a, b) (a[0] == b[0] && a[1] == b[1])
#define ANY_ABSENT(a)       (a[0] == ABSENT || a[1] == ABSENT)
#define ANY_MARK            (tag[0].pending | tag[1].pending)
#else
#define SAME_VERSIONS(a, b) (a[0] == b[0])
#define ANY_ABSENT(a)       (a[0] == ABSENT)
#define ANY_MARK            tag[0].pending
#endif

/* ------------------------------------------------------------------------------------------ the database */

byte executed[SERVERS];         /* what each server has applied */
byte issued[SERVERS];           /* how many numbers each has given out */
byte primary;                   /* the truth: clients learn it by discovery only */
byte read_only = 254;           /* one bit for each server */
#define WRITABLE(s) (!(read_only & (1 << (s))))

byte own[WRITERS];              /* the bit of each write, once it is committed */
byte sent;                      /* statements that a server is executing, one bit for each writer */
byte killed;                    /* connections that are gone, likewise */

/* --------------------------------------------------------------------- shared between readers of a process */

#define FREE    0
#define LOADING 1
#define LOADED  2
#if FLIGHT
typedef Flight {
    byte state;
    byte version[TAGS];
    byte content;
    byte as_of;
    byte waiters
}
Flight flight;
#endif

#if QUERY
byte query_position;            /* the answer of the primary */
byte query_server = NOBODY;     /* who answered */
byte query_serves;              /* the reads whose step 2 had been answered when it was sent */
byte answered;                  /* the reads whose step 2 has been answered */
#endif

/* ------------------------------------------------------------- what the property knows, and no client sees */

byte acknowledged;              /* writes reported as done, tags invalidated */
byte outstanding;               /* writes reported as committed, invalidation outstanding */
byte lost;                      /* writes that a confirmed change of primary has lost */
byte busy;                      /* writers neither finished nor dead */
byte crashed;                   /* one bit for each writer */
byte readers_started, writers_started;

/* Nobody writes, no server executes, no mark is left: nothing is under way that could still repair the cache. */
#define AT_REST (busy == 0 && sent == 0 && ANY_MARK == 0)

/* What a read that starts now must show: G, and what the marks promise beyond it. */
#if OWES_COMMITTED_AT_REST
#define OWED (acknowledged | (AT_REST -> executed[primary] : 0))
#elif OWES_OUTSTANDING
#define OWED (acknowledged | outstanding)
#else
#define OWED acknowledged
#endif

/* ================================================================================================ scripts */

inline fresh(variable)
{
    last_version++;
    variable = last_version
}

inline create_if_absent(t)
{
    if
    :: tag[t].version == ABSENT ->
        fresh(tag[t].version);
        tag[t].barrier = (ABSENT_IS_P -> P : 0);
        tag[t].term = term_version
    :: else
    fi
}

/* Whoever recreates the term may still believe in a primary of the past. */
inline create_term_if_absent(believed)
{
    if
    :: term_version == ABSENT ->
        fresh(term_version);
        term_name = (NAMELESS_BYPASS -> NOBODY : believed)
    :: else
    fi
}

#if CHANGE_OF_PRIMARY
inline new_term(its_primary)
{
    fresh(term_version);
    term_name = its_primary;
    lost = (its_primary == 1 -> executed[0] & ~executed[1] : 0)
}
#endif

/* reached: the position of the write, or P. under: the term in which it was obtained. */
inline bump(t, reached, under, own_mark)
{
    if
    :: reached == P ||
        (ABSENT_IS_P && tag[t].version == ABSENT) ||
        (STICKY_P && tag[t].barrier == P) ->
        tag[t].barrier = P
    :: else ->
        if
        :: tag[t].version == ABSENT || tag[t].barrier == P -> tag[t].barrier = reached
        :: else ->
            if
            :: tag[t].term == under -> tag[t].barrier = tag[t].barrier | reached
            :: else -> tag[t].barrier = (TERM_BARRIERS_NOT_MERGED -> P : reached)
            fi
        fi
    fi;
    tag[t].term = under;
    tag[t].pending = tag[t].pending & ~(own_mark);
    fresh(tag[t].version)
}

/* =================================================================================================== read */

inline give_back(value)
{
    assert(COVERS(value, must_show & ~lost));
    assert(((value) & must_not_show) == 0);
    must_show = 0;
    must_not_show = 0
}

/* What step 2 learns of one tag; a tag that cannot be read says nothing. */
inline script(t)
{
    if
    :: UNREADABLE -> unreadable = true
    :: true ->
        create_if_absent(t);
        version[t] = tag[t].version;
        if
        :: tag[t].pending != 0 -> marked = true
        :: else
        fi;
        if
        :: tag[t].barrier == P || tag[t].term != term -> p_tags++
        :: else -> barrier = barrier | tag[t].barrier
        fi
    fi
}

#define PROVEN(s)  (name == (s) && WRITABLE(s))
#define SOUND(s)   (!LOSSY || !DIVERGED_NEVER_SOURCE || COVERS(executed[name], executed[s]))

#if GAPS
/* The primary's set stands in for 1..n, as long as n itself is in it. */
#define BARRIER_MET(s) (COVERS(sample, (barrier & 2 -> 2 : barrier & 1)) && COVERS(executed[s], barrier & sample))
#else
#define BARRIER_MET(s) COVERS(executed[s], barrier)
#endif

#define BY_BARRIER(s) \
    :: !as_p && (!BARRIER || BARRIER_MET(s)) && COVERS(executed[s], token) && SOUND(s) -> source = s

#if QUERY
#define QUERY_ANSWERS(s) (query_server == name && COVERS(executed[s], query_position) && \
                          (!QUERY_AFTER_STEP2 || (query_serves & (1 << me))))
#define BY_QUERY(s) \
    :: as_p && QUERY_ANSWERS(s) && COVERS(executed[s], token) && SOUND(s) -> source = s
#else
#define BY_QUERY(s)
#endif

proctype Reader(byte me; byte token)
{
    byte version[TAGS], barrier, p_tags, term, name, believed;
    byte source = NOBODY, position, as_of, content;
    byte must_show, must_not_show;
    bool marked, unreadable, as_p, resolves, leads, waits;
#if GAPS
    byte sample;
#endif

    atomic {
        readers_started == me ->        /* readers are alike: one order of starting is enough */
        readers_started++;
        must_show = OWED | token;
        must_not_show = lost
    }

step_1:
    /* Entry, term and tags are plain GETs. The most dangerous order is the tags first and the entry last. */
#if TAGS == 2 || SPLIT_LOOKUP
    version[0] = (HIT_UNMARKED && tag[0].pending -> ABSENT : tag[0].version);
#endif
#if TAGS == 2
    version[1] = (HIT_UNMARKED && tag[1].pending -> ABSENT : tag[1].version);
#endif
    atomic {
#if TAGS == 1 && !SPLIT_LOOKUP
        version[0] = (HIT_UNMARKED && tag[0].pending -> ABSENT : tag[0].version);
#endif
        if
        :: !ANY_ABSENT(version) && SAME_VERSIONS(version, entry.version) &&
            (!TERM_IN_ENTRY || (term_version != ABSENT && term_version == entry.term)) &&
            (!AS_OF_HIT || COVERS(entry.as_of, token)) ->
            give_back(entry.content);
            goto over
        :: else
        fi;
        version[0] = 0;
#if TAGS == 2
        version[1] = 0;
#endif
        if
        :: !RESOLVE_AFTER_STEP2 -> position = executed[believed]
        :: else
        fi;
#if GAPS
        if
        :: !BARRIER_SET_AFTER -> sample = executed[primary]
        :: else
        fi
#endif
    }

step_2:
    /* One script for each tag, pipelined; on a cluster each runs when its node comes to it. */
    atomic {
#if CHANGE_OF_PRIMARY
        create_term_if_absent(believed);
#endif
        term = term_version;
        name = term_name;
        script(0)
#if TAGS == 2
    }
    if
    :: !READ_AFTER_ALL_SCRIPTS -> content = executed[primary]
    :: else
    fi;
    atomic {
        script(1)
#endif
#if QUERY
        ;
        answered = answered | (1 << me)
#endif
    }

step_3:
    atomic {
        as_p = (p_tags == TAGS || (ANY_P && p_tags > 0) ||
                (MARKED_IS_P && marked) || (UNREADABLE_IS_P && unreadable));
        p_tags = 0;
#if GAPS
        if
        :: BARRIER_SET_AFTER -> sample = executed[primary]
        :: else
        fi
#endif
    }
#if FLIGHT
    atomic {
        if                      /* join a load, or lead one, or go alone */
        :: flight.state == LOADING &&
            (!FLIGHT_KEYED ||
                ((SAME_VERSIONS(version, flight.version) ||
                     (!JOIN_ALL_TAGS && version[0] == flight.version[0])) &&
                    !(MARKED_NO_JOIN && marked) && !unreadable)) ->
            flight.waiters++;
            waits = true
        :: flight.state == FREE && !unreadable ->
            flight.state = LOADING;
            flight.version[0] = version[0];
#if TAGS == 2
            flight.version[1] = version[1];
#endif
            leads = true
        :: true
        fi
    }
    if
    :: waits ->
        atomic {
            flight.state == LOADED ->
            waits = false;
            content = flight.content;
            as_of = flight.as_of;
            flight.waiters--;
            if
            :: flight.waiters == 0 -> flight.state = FREE; flight.content = 0; flight.as_of = 0
            :: else
            fi;
            if
            :: !AS_OF_JOIN || COVERS(as_of, token) -> give_back(content); goto over
            :: else -> as_of = 0; content = 0
            fi
        }
    :: else
    fi;
#endif

choose:
    atomic {
        if
        BY_BARRIER(0)
        BY_QUERY(0)
#if SERVERS > 1
        BY_BARRIER(1)
        BY_QUERY(1)
#endif
#if SERVERS > 2
        BY_BARRIER(2)
        BY_QUERY(2)
#endif
#if QUERY
        :: as_p && query_serves == 0 && PROVEN(believed) ->     /* send the query; at most one is on its way */
            query_position = executed[believed];
            query_server = believed;
            query_serves = answered;
            goto choose
#endif
        :: as_p && (!PROVEN_PRIMARY || PROVEN(believed)) ->
            source = believed;
            resolves = UPGRADE && !unreadable;
            position = (RESOLVE_AFTER_STEP2 -> executed[source] : position)
        :: !as_p && (!PROVEN_FALLBACK || PROVEN(believed)) ->
            source = believed
#if CHANGE_OF_PRIMARY
        :: !PROVEN(believed) -> goto discover
#endif
        fi;
        barrier = 0;
        as_p = false;
        as_of = executed[source]
    }

step_4:
    atomic {
        content = (READ_AFTER_ALL_SCRIPTS || TAGS == 1 -> executed[source] : content);
#if LOSSY
        if
        :: DIVERGED_NEVER_SOURCE && DIVERGED_CHECKED_AFTER_VIEW && !COVERS(executed[name], content) ->
            content = 0;
            goto choose_again
        :: else
        fi;
#endif
        give_back(content);
#if !SESSION
        as_of = 0;
#endif
        if
        :: AS_OF_BEFORE_VIEW -> source = NOBODY
        :: else
        fi
    }
#if SESSION
    if
    :: !AS_OF_BEFORE_VIEW -> as_of = executed[source]
    :: else
    fi;
#endif
    source = NOBODY;

step_5:
#if FLIGHT
    atomic {
        if
        :: leads ->
            leads = false;
            flight.version[0] = 0;
#if TAGS == 2
            flight.version[1] = 0;
#endif
            if
            :: flight.waiters > 0 -> flight.state = LOADED; flight.content = content; flight.as_of = as_of
            :: else -> flight.state = FREE
            fi
        :: else
        fi
    }
#endif
#if UPGRADE
    atomic {
        if
        :: resolves && tag[0].barrier == P && tag[0].version != ABSENT &&
            (!RESOLVE_CAS || tag[0].version == version[0]) ->
            tag[0].barrier = position;
            tag[0].term = term
        :: else
        fi;
        resolves = false;
        position = 0
    }
#endif
    atomic {
        if
        :: !unreadable && !(MARKED_NO_STORE && marked) ->
            entry.version[0] = (VERSIONS_BEFORE_READ -> version[0] : tag[0].version);
#if TAGS == 2
            entry.version[1] = (VERSIONS_BEFORE_READ -> version[1] : tag[1].version);
#endif
            entry.term = term;
            entry.content = content;
            entry.as_of = as_of
        :: else
        fi;
        goto over
    }

#if CHANGE_OF_PRIMARY
discover:
    believed = primary;
    atomic {                    /* name it, unless someone has been faster: compare-and-set on its version */
        if
        :: term_version == term && term_name == NOBODY -> term_name = believed
        :: term_version == term && term_name != NOBODY && term_name != believed -> new_term(believed)
        :: else
        fi
    }
    goto again;                 /* until the term names it */
#endif
#if CHANGE_OF_PRIMARY || LOSSY
choose_again:
again:
    atomic {
        version[0] = 0;
        barrier = 0; as_p = false; marked = false; resolves = false; source = NOBODY; position = 0; as_of = 0;
        goto step_2
    }
#endif

over:
    atomic {                    /* leave nothing behind that would only multiply states */
        version[0] = 0;
#if TAGS == 2
        version[1] = 0;
#endif
        barrier = 0; p_tags = 0; term = 0; name = 0; believed = 0; source = NOBODY; position = 0; as_of = 0; content = 0;
        marked = false; unreadable = false; as_p = false; resolves = false;
#if GAPS
        sample = 0;
#endif
#if QUERY
        answered = answered & ~(1 << me);
        query_serves = query_serves & ~(1 << me);
        if
        :: query_serves == 0 && QUERY_AFTER_STEP2 -> query_position = 0; query_server = NOBODY
        :: else
        fi
#endif
    }
}

/* ================================================================================================== write */

/* The bit of a mark in `pending`. */
#if !MARKS || defined(NO_INTENT)
#define MARK(w) 0
#elif defined(NO_MARK_NONCE_PER_ATTEMPT)
#define MARK(w) 1
#else
#define MARK(w) (1 << (w))
#endif

#if TAGS == 2
#define TOUCHES(w, t) ((w) == (t))      /* each writer has a tag of its own: the hardest case for a read of both */
#else
#define TOUCHES(w, t) true
#endif

/* The server: it may execute a statement long after its client has gone, until the connection is killed. */
inline commit(w, s)
{
    issued[s]++;
    own[w] = BIT(s, issued[s]);
    executed[s] = executed[s] | own[w]
}

/* A position is the highest number of its source, that is, all numbers up to it. */
#if GAPS
#define POSITION(w) (own[w] == 2 -> 3 : own[w])
#else
#define POSITION(w) (own[w] | ((own[w] & (2 + 8 + 32)) >> 1))
#endif

proctype Writer(byte me)
{
    byte position, its_term, server;
    bool unknown;

    {
        atomic {
            writers_started == me ->    /* writers are alike but for their tags */
            writers_started++;
            its_term = term_version
        }
#if MARKS
        atomic {
            if
            :: INTENT ->
                create_if_absent(0);
                tag[0].pending = tag[0].pending | MARK(me)
            :: else
            fi
        }
#endif
#if CHANGE_OF_PRIMARY
end_connect:
        atomic {
            (!TERM_BEFORE_WRITES || (term_version != ABSENT && term_name == primary)) && WRITABLE(primary) ->
            server = primary;
            its_term = term_version
        }
        atomic {
            if
            :: server == primary && WRITABLE(server) -> commit(me, server)
            :: else -> goto end_connect
            fi
        }
        position = POSITION(me);
#elif CRASH
        atomic {
            if
            :: killed & (1 << me) -> goto finished      /* nothing was sent, and the reaper has taken the mark */
            :: !(killed & (1 << me)) && SECOND_IS_SMOOTH && me == 1 -> commit(me, 0)
            :: !(killed & (1 << me)) && !(SECOND_IS_SMOOTH && me == 1) -> sent = sent | (1 << me)
            fi
        }
        atomic {
            if
            :: own[me] != 0 && !(SECOND_IS_SMOOTH && me == 0) -> position = POSITION(me)
            :: !(SECOND_IS_SMOOTH && me == 1) ->
                unknown = true                          /* the reply is lost, late, or an error of the link */
            :: !SECOND_IS_SMOOTH && own[me] == 0 && !(sent & (1 << me)) && !(killed & (1 << me)) ->
                tag[0].pending = tag[0].pending & ~MARK(me);
                goto finished                           /* a definite failure withdraws the mark */
            fi
        }
        if
        :: unknown ->
            if
            :: true -> goto finished                    /* left to the reaper */
            :: true
            fi;
            if
            :: KILL_BEFORE_BUMP -> atomic { killed = killed | (1 << me); sent = sent & ~(1 << me) }
            :: else
            fi;
            position = P
        :: else
        fi;
#elif GAPS
        atomic { own[me] = 1 << me; executed[0] = executed[0] | own[me] }   /* numbered in blocks: any order */
        position = POSITION(me);
#else
        atomic { commit(me, 0); position = POSITION(me) }
#endif
#if BUMP_FAILS
        atomic {
            if
            :: true
            :: ACK_AFTER_BUMP -> outstanding = outstanding | own[me]
            :: !ACK_AFTER_BUMP -> acknowledged = acknowledged | own[me]
            fi
        }
#endif
        atomic {
            if
            :: TOUCHES(me, 0) -> bump(0, position, its_term, MARK(me))
            :: else
            fi
#if TAGS == 2
        }
        atomic {
            if
            :: TOUCHES(me, 1) -> bump(1, position, its_term, MARK(me))
            :: else
            fi
#endif
        }
        atomic {
            if
            :: unknown
            :: else -> acknowledged = acknowledged | own[me]
            fi
        }
finished:
        skip
    } unless {
        crashed & (1 << me)
    }
    atomic { busy--; position = 0; its_term = 0; server = 0; unknown = false }
}

/* A session that writes while Redis is away (policy `defer`), then reads; the bumps come later, or much later. */
proctype Session(byte me)
{
    atomic { writers_started == me -> writers_started++; commit(me, 0) }
    atomic { run Reader(READERS, POSITION(me)) }
    atomic { bump(0, POSITION(me), term_version, 0); busy-- }
}
