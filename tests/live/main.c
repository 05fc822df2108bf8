/* live: processes and threads read and write counters on real servers while these fail, and every
 * answer is checked against what was acknowledged before it was asked for.
 *
 *   live                    the ordinary run
 *   live --quick            a few phases; no minimums
 *   live --phase NAME...    only these phases; no minimums
 *   live --mutant RULE      with one rule off, in a scenario made for it: a violation is expected
 *   live --mutants          all of them
 *   live --list             the names
 */
#include "live/live.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

enum { LONGER_MAX = 60, AGAIN_MAX = 3, CHECKED_MIN = 200000 };

static const char *const quick_phases[] = {"both lag", "Redis killed"};

static void interrupted(int signal)
{
    (void)signal;
    exit(EXIT_FAILURE); /* the servers go with the process */
}

static uint64_t checked(const live *l)
{
    uint64_t n = 0;

    for (int i = 0; i < PHASES_MAX; i++)
        n += atomic_load(&l->counts[i].checked);
    return n;
}

static live *begin(void)
{
    live *l = history_new();

    faults_up();
    faults_tables();
    l->setup = (live_setup){.only_step = -1, .latest_share = 25};
    atomic_store(&l->write_share, 30);
    return l;
}

static int run_named(int n, const char *const *names)
{
    live *l = begin();

    start_processes(l);
    for (int i = 0; i < n; i++)
        run_phase(l, phase_named(names[i]), i, false);
    stop_processes(l);
    faults_down();
    (void)printf("%llu operations checked, %llu violations\n", (unsigned long long)checked(l),
                 (unsigned long long)history_violations(l));
    return history_violations(l) ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int run_all(void)
{
    live *l = begin();
    int n;
    const live_phase *table = phases(&n);
    bool ok;

    start_processes(l);
    for (int i = 0; i < n; i++) {
        /* A slow machine may not get to what the phase is about at the first attempt. */
        for (int k = 0; k == 0 || (k < AGAIN_MAX && !report_has_needs(l, i, &table[i])); k++) {
            run_phase(l, &table[i], i, false);
            report_mark(l, i);
        }
        (void)fprintf(stderr, "live: %s: %llu operations checked so far, %llu violations\n",
                      table[i].name, (unsigned long long)checked(l),
                      (unsigned long long)history_violations(l));
    }
    /* A slow machine takes longer for the same number of operations. */
    for (int i = 0; i < LONGER_MAX && checked(l) < CHECKED_MIN; i++) {
        run_phase(l, &table[n - 1], n - 1, false);
        report_mark(l, n - 1);
    }
    stop_processes(l);
    faults_down();
    ok = report(l, n);
    return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    (void)signal(SIGINT, interrupted);
    (void)signal(SIGTERM, interrupted);
    if (argc == 1)
        return run_all();
    if (argc > 2 && strcmp(argv[1], "--phase") == 0)
        return run_named(argc - 2, (const char *const *)argv + 2);
    if (argc == 2 && strcmp(argv[1], "--quick") == 0)
        return run_named(TT_COUNT(quick_phases), quick_phases);
    if (argc == 2 && strcmp(argv[1], "--list") == 0) {
        int n;
        const live_phase *table = phases(&n);

        for (int i = 0; i < n; i++)
            (void)printf("phase  %s\n", table[i].name);
        mutants_list();
        return EXIT_SUCCESS;
    }
    if ((argc == 3 && strcmp(argv[1], "--mutant") == 0) ||
        (argc == 2 && strcmp(argv[1], "--mutants") == 0)) {
        live *l = begin();
        int missed = mutants_run(l, argc == 3 ? argv[2] : NULL);

        faults_down();
        return missed ? EXIT_FAILURE : EXIT_SUCCESS;
    }
    (void)fprintf(stderr,
                  "usage: live [--quick | --phase NAME... | --mutant RULE | --mutants | --list]\n");
    return 2;
}
