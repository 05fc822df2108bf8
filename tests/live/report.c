/* report.c: what was done and seen, and whether it was enough to mean anything. */
#include "live/live.h"

#include <inttypes.h>
#include <string.h>

enum { CHECKED_MIN = 200000 };

static uint64_t seen[PHASES_MAX + 1][METRIC_COUNT]; /* totals before each phase */

static uint64_t total(const live *l, int metric)
{
    uint64_t n = atomic_load(&l->audits[metric]);

    for (int i = 0; i < PROCESSES; i++)
        n += atomic_load(&l->metrics[i][metric]);
    return n;
}

void report_mark(live *l, int phase)
{
    for (int i = 0; i < METRIC_COUNT; i++)
        seen[phase + 1][i] = total(l, i);
}

static uint64_t in_phase(int phase, int metric)
{
    return seen[phase + 1][metric] - seen[phase][metric];
}

static void print_phases(const live *l, int n, const live_phase *table)
{
    static const live_metric shown[] = {
        METRIC_HIT,        METRIC_FILL,    METRIC_FILL_REPLICA, METRIC_BARRIER_WAIT,
        METRIC_READ_P,     METRIC_MARKED,  METRIC_UNREADABLE,   METRIC_UPGRADE,
        METRIC_LEASE_LOST, METRIC_REAPED,  METRIC_KILLED,       METRIC_OUTSTANDING,
        METRIC_DEFERRED,   METRIC_DRAINED, METRIC_UNKNOWN,      METRIC_DISCOVERED};

    (void)printf("%-21s %7s %6s %6s %6s %5s %6s %6s %6s %6s %6s %6s %6s %6s %5s %5s %5s %5s %5s "
                 "%5s %5s %5s\n",
                 "phase", "checked", "writes", "r.err", "w.err", "viol", "fresh", "hits", "fills",
                 "replic", "waits", "P", "marked", "unread", "upgr", "lost", "reap", "kill",
                 "outst", "defer", "drain", "unkn");
    for (int p = 0; p < n; p++) {
        const live_counts *c = &l->counts[p];

        (void)printf("%-21s %7" PRIu64 " %6" PRIu64 " %6" PRIu64 " %6" PRIu64 " %5" PRIu64
                     " %6" PRIu64,
                     table[p].name, atomic_load(&c->checked), atomic_load(&c->writes),
                     atomic_load(&c->read_errors), atomic_load(&c->write_errors),
                     atomic_load(&c->violations), atomic_load(&c->fresh));
        for (size_t i = 0; i + 1 < TT_COUNT(shown); i++)
            (void)printf(i < 7 ? " %6" PRIu64 : " %5" PRIu64, in_phase(p, shown[i]));
        (void)printf("\n");
    }
}

static void print_deaths(const live *l)
{
    static const char *const texts[] = {
#define TEXT(name, text) text,
        LIVE_STEPS(TEXT)
#undef TEXT
    };

    (void)printf("\n%-50s %9s %9s\n", "writers killed", "statement", "COMMIT");
    for (int i = 0; i < STEP_COUNT; i++) {
        (void)printf("  %-48s %9" PRIu64, texts[i], atomic_load(&l->deaths[i][0]));
        if (i < STEP_BLOCKED)
            (void)printf(" %9" PRIu64, atomic_load(&l->deaths[i][1]));
        (void)printf("\n");
    }
}

static void print_kinds(const live *l)
{
    (void)printf("\noperations by kind\n ");
    for (int i = 0; i < KIND_COUNT; i++)
        (void)printf(" %s %" PRIu64, kind_name(i), atomic_load(&l->by_kind[i]));
    (void)printf("\n  audits: %" PRIu64 " keys compared with the primary, %" PRIu64
                 " of them hits; %" PRIu64 " marks waited for\n",
                 atomic_load(&l->keys_compared), atomic_load(&l->keys_hit),
                 atomic_load(&l->marks_seen));
}

static void print_errors(const live *l)
{
    static const char *const what[] = {"reads", "writes"};

    for (int i = 0; i < 2; i++) {
        (void)printf("  errors of %s:", what[i]);
        for (int code = 1; code < ERRORS_MAX; code++)
            if (atomic_load(&l->errors[i][code]))
                (void)printf(" %s %" PRIu64, tt_error_name(-code),
                             atomic_load(&l->errors[i][code]));
        (void)printf("\n");
    }
}

typedef struct row {
    const char *text;
    uint64_t got, wanted;
} row;

static uint64_t sum(const live *l, int n_phases, const char *what)
{
    uint64_t n = 0;

    for (int p = 0; p < n_phases; p++)
        n += strcmp(what, "checked") == 0  ? atomic_load(&l->counts[p].checked)
             : strcmp(what, "writes") == 0 ? atomic_load(&l->counts[p].writes)
                                           : atomic_load(&l->counts[p].fresh);
    return n;
}

/* Fills from replicas in the phases in which they are late. */
static uint64_t late_fills(int n_phases, const live_phase *table)
{
    uint64_t n = 0;

    for (int p = 0; p < n_phases; p++)
        if (strstr(table[p].name, "lag") || strstr(table[p].name, "applying"))
            n += in_phase(p, METRIC_FILL_REPLICA);
    return n;
}

/* Errors of a thousand operations while a primary and Redis were there. */
static uint64_t needless_errors(const live *l, int n_phases, const live_phase *table)
{
    uint64_t errors = 0, all = 1;

    for (int p = 0; p < n_phases; p++) {
        const live_counts *c = &l->counts[p];

        if (!table[p].calm)
            continue;
        errors += atomic_load(&c->read_errors) + atomic_load(&c->write_errors);
        all += atomic_load(&c->checked) + atomic_load(&c->writes);
    }
    return errors * 1000 / all;
}

bool report(live *l, int n_phases)
{
    int count, passed = 0, failed = 0;
    const live_phase *table = phases(&count);
    uint64_t killed = UINT64_MAX, violations = history_violations(l);
    uint64_t errors = needless_errors(l, n_phases, table);

    for (int i = 0; i < STEP_COUNT; i++)
        for (int commit = 0; commit <= (i < STEP_BLOCKED); commit++)
            if (atomic_load(&l->deaths[i][commit]) < killed)
                killed = atomic_load(&l->deaths[i][commit]);
    row rows[] = {
        {"operations checked", sum(l, n_phases, "checked"), CHECKED_MIN},
        {"writes", sum(l, n_phases, "writes"), 2000},
        {"fills from replicas while they lag", late_fills(n_phases, table), 200},
        {"waits on a barrier", total(l, METRIC_BARRIER_WAIT), 200},
        {"marks of dead writers reaped", total(l, METRIC_REAPED), 20},
        {"upgrades from P", total(l, METRIC_UPGRADE), 200},
        {"leases lost", total(l, METRIC_LEASE_LOST), 10},
        {"reads with unknown tag state", total(l, METRIC_UNREADABLE), 100},
        {"reads that met a pending write", total(l, METRIC_MARKED), 200},
        {"hits within 10 ms of a foreign acknowledged write", sum(l, n_phases, "fresh"), 500},
        {"invalidations outstanding", total(l, METRIC_OUTSTANDING), 1},
        {"invalidations deferred", total(l, METRIC_DEFERRED), 10},
        {"writers killed, at the rarest step", killed, 1},
        {"cached keys compared with the primary", atomic_load(&l->keys_compared), 2000},
    };

    print_phases(l, n_phases, table);
    print_deaths(l);
    print_kinds(l);
    print_errors(l);
    (void)printf("\n%-52s %9s %9s\n", "", "seen", "required");
    for (size_t i = 0; i < TT_COUNT(rows); i++) {
        bool ok = rows[i].got >= rows[i].wanted;

        (void)printf("%-52s %9" PRIu64 " %9" PRIu64 "  %s\n", rows[i].text, rows[i].got,
                     rows[i].wanted, ok ? "ok" : "NOT REACHED");
        passed += ok;
        failed += !ok;
    }
    (void)printf("%-52s %9" PRIu64 " %9d  %s\n", "violations", violations, 0,
                 violations ? "FAILED" : "ok");
    (void)printf("%-52s %9" PRIu64 " %9s  %s\n",
                 "errors in a thousand, with primary and Redis there", errors, "below 5",
                 errors < 5 ? "ok" : "FAILED");
    passed += (violations == 0) + (errors < 5);
    failed += (violations != 0) + (errors >= 5);
    (void)printf("\n%d passed, %d failed\n", passed, failed);
    return failed == 0;
}
