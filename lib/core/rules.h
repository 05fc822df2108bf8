/* rules.h: the rules of the protocol by name, each with a switch for tests.
 *
 * A tt_rules is the set of rules that are OFF: zero in every client, set by tests alone, to show
 * that each rule is needed: the simulation must find a violation of the promise without it. Rules
 * that live elsewhere have their switches there: the script's (core/cache.lua) are cut out of its
 * text by the tests, those about the order of messages are broken by the simulated network.
 */
#ifndef TT_CORE_RULES_H
#define TT_CORE_RULES_H

#include <stdint.h>

/* name, what the rule says */
#define TT_RULES_TABLE(X)                                                                          \
    X(BARRIER, "a replica fills only when it has applied the barriers of all tags")                \
    X(INTENT, "tags are marked before the commit")                                                 \
    X(KILL_BEFORE_BUMP, "an unknown outcome is settled by a KILL before the bump")                 \
    X(MARK_SEEN, "a mark is in place when it is seen at the tag, and not before")                  \
    X(MARK_NONCE_PER_ATTEMPT, "each attempt of a write has marks of its own")                      \
    X(MARKED_IS_P, "a marked tag counts as P")                                                     \
    X(MARKED_NO_STORE, "with a marked or unreadable tag nothing is stored and nobody joined")      \
    X(PROVEN_PRIMARY, "a read for P goes to a primary proven after the tags were read")            \
    X(PROVEN_FALLBACK, "the fallback of a read goes to a proven primary as well")                  \
    X(TERM_IN_ENTRY, "an entry carries the version of the term")                                   \
    X(DIVERGED_NEVER_SOURCE, "a node with transactions the primary lacks is never a source")       \
    X(SOURCE_IS_PRIMARY, "only nodes that replicate from the primary itself serve reads")          \
    X(TERM_BEFORE_WRITES, "nothing is written to a server that the term does not name")            \
    X(NAMELESS_BYPASS, "with a term that names nobody, reads go around the cache")                 \
    X(UNREADABLE_IS_P, "a tag that cannot be read counts as P")                                    \
    X(ANY_P, "one P among the tags is enough")                                                     \
    X(JOIN_ALL_TAGS, "a load is shared only when the versions of all tags are equal")              \
    X(FLIGHT_KEYED, "a load is shared only with reads that saw its versions after they began")     \
    X(EPOCH, "a tag of a foreign epoch counts as absent")                                          \
    X(AS_OF_HIT, "a hit must cover the session's writes that were not invalidated")                \
    X(AS_OF_JOIN, "a shared load must cover them as well")                                         \
    X(AS_OF_UNORDERED, "where a position runs ahead of what is visible, as_of is unknown")         \
    X(RESOLVE_AFTER_STEP2, "P is replaced by a position taken after the tags were read")           \
    X(TERM_IN_TOKEN, "positions of a session are not compared across terms")                       \
    X(TERM_CLEARS_APPLIED, "what a node has applied is not compared across terms")                 \
    X(HIT_UNMARKED, "with a marked tag there is no hit")                                           \
    X(KEY_BYTES, "an entry serves only the key bytes it was made for")                             \
    X(LATER_PROTOCOL, "with a tag or a term of a later protocol, reads go around the cache")       \
    X(EVENTUAL_ALONE, "what an EVENTUAL read got is neither stored nor shared")                    \
    X(BARRIER_OF_TERM, "a barrier of another term counts as P")                                    \
    X(UNKNOWN_POSITION_IS_P, "rows changed and no position known: the tags are bumped with P")     \
    X(SAMPLE_VETTED, "a node's sample counts only after a later sample of the primary")            \
    X(GAP_SET_AFTER_STEP2, "permanent gaps are told by a set taken after the tags were read")

typedef enum tt_rule {
#define TT_RULE_ENUM_(name, text) TT_RULE_##name,
    TT_RULES_TABLE(TT_RULE_ENUM_)
#undef TT_RULE_ENUM_
        TT_RULE_COUNT
} tt_rule;

typedef uint64_t tt_rules;

#define TT_RULE_BIT(rule) (UINT64_C(1) << (rule))

#endif
