/* mutants.c: with a rule switched off the checker must find a violation: else it checks nothing.
 * Here are the rules whose absence shows on servers that are close to each other and healthy but
 * for one fault; the simulation breaks every rule, with the interleaving that it takes. */
#include "live/live.h"

#include <stdlib.h>
#include <string.h>

enum { ROUNDS = 8 };

typedef struct mutant {
    const char *name;
    tt_rules rules_off;
    const char *phase;
    int only_step;
    int write_share;
    bool defer, outstanding_counts;
} mutant;

#define RULE(rule) #rule, TT_RULE_BIT(TT_RULE_##rule)

static const mutant table[] = {
    {RULE(BARRIER), "both lag", -1, 30, false, false},
    {RULE(INTENT), "writers killed quickly", STEP_AFTER_STATEMENT, 5, false, false},
    {RULE(KILL_BEFORE_BUMP), "writers killed quickly", STEP_BLOCKED, 5, false, false},
    {RULE(ANY_P), "tags lost under lag", -1, 30, false, false},
    {RULE(UNREADABLE_IS_P), "Redis stutters", -1, 30, false, false},
    {RULE(RESOLVE_AFTER_STEP2), "flushes under lag", -1, 60, false, false},
    {RULE(FLIGHT_KEYED), "no fault", -1, 250, false, false},
    {RULE(EPOCH), "old dump", -1, 30, false, false},
    {RULE(AS_OF_HIT), "Redis full", -1, 60, true, false},
    {"ACKNOWLEDGED", 0, "Redis full", -1, 60, true, true},
};

void mutants_list(void)
{
    for (size_t i = 0; i < TT_COUNT(table); i++)
        (void)printf("mutant %s\n", table[i].name);
}

static bool run(live *l, const mutant *m)
{
    int64_t start = live_now_ns();
    bool found = false;
    int rounds = 0;

    l->setup = (live_setup){.rules_off = m->rules_off,
                            .outstanding_counts = m->outstanding_counts,
                            .defer = m->defer,
                            .only_step = m->only_step,
                            .plain = true,
                            .latest_share = m->write_share >= 200 ? 80 : 25};
    atomic_store(&l->write_share, m->write_share);
    (void)faults_redis("FLUSHALL");
    lag_none();
    faults_tables();
    history_reset(l);
    for (int i = 0; i < PHASES_MAX; i++)
        atomic_store(&l->counts[i].violations, 0);
    atomic_store(&l->shown, SHOWN_MAX - 1); /* one is enough to see */
    start_processes(l);
    while (!found && rounds++ < ROUNDS) {
        run_phase(l, phase_named(m->phase), 0, true);
        found = history_violations(l) > 0;
    }
    stop_processes(l);
    (void)printf("%-24s %s after %.1f s\n", m->name, found ? "caught" : "MISSED",
                 (double)(live_now_ns() - start) / 1e9);
    (void)fflush(stdout);
    return found;
}

int mutants_run(live *l, const char *name)
{
    int caught = 0, missed = 0;

    for (size_t i = 0; i < TT_COUNT(table); i++)
        if (!name || strcmp(name, table[i].name) == 0) {
            bool found = run(l, &table[i]);

            caught += found;
            missed += !found;
        }
    if (caught + missed == 0)
        (void)fprintf(stderr, "live: no mutant '%s'\n", name);
    (void)printf("%d passed, %d failed\n", caught, missed);
    return missed + (caught + missed == 0);
}
