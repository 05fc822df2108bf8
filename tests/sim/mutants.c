/* What is broken without a rule (docs/protocol.md): each as a mutant, with a profile of worlds that
 * makes its violation likely. */
#include "sim.h"

#include <stdlib.h>

#include "core/script.h"

#define R(name) TT_RULE_BIT(TT_RULE_##name)
#define W(name) (UINT64_C(1) << MUT_##name)

#define RULE(rule, profile, text)                                                                  \
    {                                                                                              \
#rule, profile, R(rule), 0, NULL, NULL, text                                               \
    }
#define WORLD(what, profile, text)                                                                 \
    {                                                                                              \
#what, profile, 0, W(what), NULL, NULL, text                                               \
    }
#define SCRIPT(what, profile, from, to, text)                                                      \
    {                                                                                              \
#what, profile, 0, 0, from, to, text                                                       \
    }

static const mutant table[] = {
    /* order */
    WORLD(BLIND_FILL, "hot", "delete and fill without versions"),
    WORLD(VERSIONS_BEFORE_READ, "hot", "versions sampled when saving"),
    WORLD(READ_AFTER_ALL_SCRIPTS, "hot", "rows read before the tags were answered"),
    WORLD(OPEN_TRANSACTION_FILL, "hot", "rows of a view opened before the tags were read"),
    WORLD(LEASE_PER_CLIENT, "hot", "per-client lease token"),
    SCRIPT(LEASE_OWN, "hot", "if not mine then -- rule LEASE_OWN", "if false then",
           "a fill is stored whoever has the lease"),
    /* lag */
    RULE(BARRIER, "hot+replicas+lagging", "no barrier"),
    WORLD(ABSENT_OPENS_FREE, "hot+replicas+lagging+evictions", "an absent tag has no barrier"),
    SCRIPT(ABSENT_IS_P, "hot+one_row+replicas+lagging+evictions+after_commit+many_writes",
           "of, barrier = epoch, 'P' -- rule ABSENT_IS_P", "of, barrier = epoch, position",
           "a bump on an absent tag writes its own position"),
    SCRIPT(STICKY_P, "hot+replicas+lagging+evictions+no_spare",
           "elseif barrier == 'P' or position == 'P' then -- rule STICKY_P\n    barrier = 'P'",
           "elseif barrier == 'P' then\n    barrier = position\n  elseif position == 'P' then",
           "P gives way to a position"),
    RULE(UNKNOWN_POSITION_IS_P, "hot+one_row+replicas+lagging+unknown+evictions+no_spare",
         "a bump at a position that is not the write's"),
    RULE(GAP_SET_AFTER_STEP2,
         "hot+one_row+replicas+lagging+gaps+mysql+evictions+no_wait+many_writes",
         "a gap that closes taken for a permanent one"),
    RULE(EVENTUAL_ALONE, "hot+calm+one_row+replicas+lagging+eventual",
         "what may be stale is stored and shared"),
    /* writer dies, reply lost */
    RULE(INTENT, "hot+intent+crashes+lost", "no mark before the commit"),
    RULE(KILL_BEFORE_BUMP, "hot+intent+crashes+lost+locks", "bump and reap without KILL"),
    RULE(MARK_NONCE_PER_ATTEMPT, "hot+intent+crashes+lost+locks", "mark id shared by attempts"),
    RULE(MARK_SEEN, "hot+calm+one_row+evictions+crashes+intent+busy",
         "a mark that is not seen counts as made"),
    /* bump fails after COMMIT */
    RULE(HIT_UNMARKED, "hot+replicas+lost+intent", "a hit although a write is pending"),
    RULE(MARKED_IS_P, "hot+replicas+lagging+lost+partitions+intent",
         "marked tag read by its barrier"),
    RULE(MARKED_NO_STORE, "hot+calm+one_row+one_process+busy+lost+intent+heavy",
         "joining and storing while marked"),
    WORLD(ACK_AFTER_BUMP, "hot+partitions+lost+after_commit", "success reported before the bump"),
    SCRIPT(KEEP_FOREIGN_MARKS, "hot+calm+one_row+sentinel+switches+crashes+locks+intent",
           "marks = marks or '' -- rule KEEP_FOREIGN_MARKS", "marks = ours and marks or ''",
           "marks of another epoch are dropped"),
    WORLD(DRAIN_ACKNOWLEDGED, "hot+calm+partitions+defer+after_commit+always_cached",
          "deferred rows deleted before their bumps were acknowledged"),
    WORLD(MARK_EVICTED, "hot+one_row+evictions+crashes+intent", "a marked tag is evicted"),
    /* change of primary */
    RULE(PROVEN_PRIMARY, "hot+failovers+planned", "unproven primary for P"),
    RULE(PROVEN_FALLBACK,
         "hot+calm+one_row+some_failovers+planned+lagging+no_wait+busy+soon_follow",
         "unproven primary as fallback"),
    RULE(TERM_IN_ENTRY, "hot+failovers+crashed+lossy+lagging", "entries without term"),
    RULE(SOURCE_IS_PRIMARY,
         "hot+calm+one_row+replicas+failovers+crashed+lossy+lagging+late_follow+mysql",
         "a replica of the old primary as source"),
    RULE(DIVERGED_NEVER_SOURCE, "hot+one_row+replicas+failovers+crashed+lossy+lagging",
         "diverged nodes as source"),
    RULE(SAMPLE_VETTED, "hot+one_row+replicas+failovers+crashed+lossy+lagging",
         "a sample counts before the primary was seen after it"),
    RULE(TERM_BEFORE_WRITES,
         "hot+one_row+failovers+planned+old_looks_open+always_cached+partitions+one_redis+intent",
         "writes before the term's bump"),
    RULE(NAMELESS_BYPASS,
         "hot+one_row+failovers+planned+old_looks_open+always_cached+flushes+one_redis",
         "a nameless term is used"),
    RULE(BARRIER_OF_TERM, "hot+failovers+crashed+lossy+lagging+pendulum",
         "barriers compared across terms"),
    RULE(TERM_IN_TOKEN, "hot+failovers+crashed+lossy+lagging+pendulum+uncached",
         "tokens compared across terms"),
    RULE(TERM_CLEARS_APPLIED,
         "hot+calm+one_row+replicas+failovers+crashed+lossy+lagging+pendulum+slow_probes+long_"
         "stale+many_writes",
         "applied compared across terms"),
    SCRIPT(TERM_BARRIERS_UNITED, "hot+failovers+crashed+lossy+lagging+pendulum",
           "elseif string.match(position, '^[^@]*') ~= string.match(barrier, '^[^@]*') then",
           "elseif false then", "the numbers of two terms in one barrier"),
    SCRIPT(TERM_BARRIERS_NOT_MERGED,
           "hot+calm+one_row+replicas+failovers+planned+lagging+mysql+soon_follow+parallel+many_"
           "writes",
           "barrier = 'P' -- rule TERM_BARRIERS_NOT_MERGED", "barrier = position",
           "a barrier gives way to that of a later term"),
    WORLD(PROBE_DISCOVERS, "hot+one_row+failovers+crashed+lossy+lagging",
          "nobody looks for the primary but who misses"),
    WORLD(READ_ONLY_FIRST, "hot+failovers+planned",
          "the new primary opened before the old is closed"),
    /* several tags */
    RULE(UNREADABLE_IS_P, "hot+replicas+lagging+partitions+lost", "unreadable ignored"),
    RULE(ANY_P, "hot+two_rows+replicas+lagging+evictions+no_spare", "P only if all are"),
    RULE(JOIN_ALL_TAGS, "hot+two_rows+one_process+busy", "join by the first tag"),
    /* Redis failover */
    RULE(EPOCH, "hot+sentinel+switches", "no epoch (client)"),
    SCRIPT(EPOCH_SCRIPT, "hot+sentinel+switches", "local ours = of == epoch -- rule EPOCH",
           "local ours = version ~= nil", "no epoch (script)"),
    WORLD(EPOCH_RUNID, "hot+one_row+sentinel+switches", "run_id only"),
    WORLD(EPOCH_REPLID, "hot+restarts", "replid only"),
    WORLD(GRACE, "hot+calm+one_row+sentinel+switches+slow_polls+busy+partitions", "no grace"),
    WORLD(GRACE_FIRST, "hot+calm+one_row+sentinel+switches+slow_polls+busy+crashes",
          "no wait on the first epoch"),
    WORLD(GRACE_READERS, "hot+one_row+sentinel+switches+slow_polls+busy+partitions",
          "readers exempt"),
    WORLD(GRACE_WRITERS, "hot+calm+one_row+sentinel+switches+slow_polls+busy+partitions",
          "writers exempt"),
    WORLD(DEMOTION_KEEPS_CLIENTS, "hot+one_row+sentinel+switches+slow_polls+busy",
          "demoted in place within g"),
    /* session */
    RULE(AS_OF_HIT, "hot+replicas+partitions+defer", "no as_of on hits"),
    RULE(AS_OF_JOIN, "hot+replicas+partitions+defer+one_process+busy", "no as_of on joins"),
    RULE(AS_OF_UNORDERED, "hot+one_row+partitions+defer+mariadb+slow_engine+many_writes",
         "as_of ahead of what is visible"),
    WORLD(AS_OF_BEFORE_VIEW, "hot+calm+one_row+one_process+partitions+defer+busy",
          "as_of taken after the read"),
    /* P to position */
    RULE(RESOLVE_AFTER_STEP2, "hot+replicas+lagging+evictions", "position from before step 2"),
    SCRIPT(RESOLVE_CAS, "hot+replicas+lagging+evictions",
           "if not ours or version ~= ARGV[3] then -- rule RESOLVE_CAS", "if not ours then",
           "blind replacement"),
    /* single flight */
    RULE(FLIGHT_KEYED, "hot+one_process+busy", "naive join"),
};

const mutant *mutants(int *n)
{
    *n = (int)TT_COUNT(table);
    return table;
}

tt_str mutant_script(const mutant *m)
{
    tt_str text = tt_cache_script();
    size_t n = m && m->pattern ? strlen(m->pattern) : 0;
    const char *at = n ? memmem(text.p, text.n, m->pattern, n) : NULL;
    char *mine;
    size_t before, after;

    if (n == 0)
        return text;
    if (!at) {
        fprintf(stderr, "%s: cache.lua has no '%s'\n", m->name, m->pattern);
        exit(2);
    }
    before = (size_t)(at - text.p);
    after = text.n - before - n;
    mine = malloc(before + strlen(m->replacement) + after + 1);
    if (!mine)
        abort();
    memcpy(mine, text.p, before);
    memcpy(mine + before, m->replacement, strlen(m->replacement));
    memcpy(mine + before + strlen(m->replacement), at + n, after);
    return tt_str_n(mine, before + strlen(m->replacement) + after); /* until the program ends */
}
