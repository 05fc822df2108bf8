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
    (void)printf("\n  audits: %" PRIu64 " marks waited for\n", atomic_load(&l->marks_seen));
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

/* ---- what a phase needs ------------------------------------------------------------------------
 */

static const char *const fault_texts[] = {
#define TEXT(name, text) text,
    LIVE_FAULTS(TEXT)
#undef TEXT
};

static const char *const metric_names[] = {
#define NAME(name, metric) metric,
    LIVE_METRICS(NAME)
#undef NAME
};

static uint64_t need_seen(const live *l, int phase, const live_need *n)
{
    return n->what < NEED_FAULT ? in_phase(phase, n->what)
                                : atomic_load(&l->faults[phase][n->what - NEED_FAULT]);
}

bool report_has_needs(const live *l, int phase, const live_phase *p)
{
    for (int i = 0; i < NEEDS_MAX; i++)
        if (need_seen(l, phase, &p->needs[i]) < p->needs[i].wanted)
            return false;
    return true;
}

typedef struct score {
    int passed, failed;
} score;

static void judge(score *s, const char *text, uint64_t got, uint64_t wanted)
{
    bool ok = got >= wanted;

    (void)printf("%-62s %9" PRIu64 " %9" PRIu64 "  %s\n", text, got, wanted,
                 ok ? "ok" : "NOT REACHED");
    s->passed += ok;
    s->failed += !ok;
}

static void judge_phases(const live *l, int n_phases, const live_phase *table, score *s)
{
    char text[100];

    for (int p = 0; p < n_phases; p++)
        for (int i = 0; i < NEEDS_MAX; i++) {
            const live_need *n = &table[p].needs[i];

            if (!n->wanted)
                continue;
            (void)snprintf(text, sizeof(text), "%s: %s", table[p].name,
                           n->what < NEED_FAULT ? metric_names[n->what]
                                                : fault_texts[n->what - NEED_FAULT]);
            judge(s, text, need_seen(l, p, n), n->wanted);
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

/* Fills from replicas in the phases in which every replica is late. */
static uint64_t late_fills(int n_phases, const live_phase *table)
{
    uint64_t n = 0;

    for (int p = 0; p < n_phases; p++)
        n += table[p].late ? in_phase(p, METRIC_FILL_REPLICA) : 0;
    return n;
}

/* Of the audit that compared least. */
static uint64_t least_audited(const live *l, int n_phases, bool hits)
{
    uint64_t least = UINT64_MAX;

    for (int p = 0; p < n_phases; p++)
        least = TT_MIN(least, atomic_load(&l->audited[p][hits]));
    return least;
}

static int rarest_kind(const live *l)
{
    int rarest = 0;

    for (int i = 1; i < KIND_COUNT; i++)
        if (atomic_load(&l->by_kind[i]) < atomic_load(&l->by_kind[rarest]))
            rarest = i;
    return rarest;
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
    int count;
    score s = {0, 0};
    char rarest[80];
    const live_phase *table = phases(&count);
    uint64_t killed = UINT64_MAX, violations = history_violations(l);
    uint64_t errors = needless_errors(l, n_phases, table);

    for (int i = 0; i < STEP_COUNT; i++)
        for (int commit = 0; commit <= (i < STEP_BLOCKED); commit++)
            if (atomic_load(&l->deaths[i][commit]) < killed)
                killed = atomic_load(&l->deaths[i][commit]);
    (void)snprintf(rarest, sizeof(rarest), "operations of the rarest kind (%s)",
                   kind_name(rarest_kind(l)));
    row rows[] = {
        {"operations checked", sum(l, n_phases, "checked"), CHECKED_MIN},
        {"writes", sum(l, n_phases, "writes"), 2000},
        {rarest, atomic_load(&l->by_kind[rarest_kind(l)]), 500},
        {"calls through a queue", atomic_load(&l->queued), 5000},
        {"results warmed", atomic_load(&l->warmed), 200},
        {"loads shared in a process", total(l, METRIC_JOINED), 100},
        {"fills from replicas while all of them lag", late_fills(n_phases, table), 200},
        {"waits on a barrier", total(l, METRIC_BARRIER_WAIT), 200},
        {"marks of dead writers reaped", total(l, METRIC_REAPED), 20},
        {"upgrades from P", total(l, METRIC_UPGRADE), 200},
        {"leases lost", total(l, METRIC_LEASE_LOST), 10},
        {"reads with unknown tag state", total(l, METRIC_UNREADABLE), 100},
        {"reads that met a pending write", total(l, METRIC_MARKED), 200},
        {"hits within 10 ms of a foreign acknowledged write", sum(l, n_phases, "fresh"), 500},
        {"invalidations outstanding", total(l, METRIC_OUTSTANDING), 2},
        {"invalidations deferred", total(l, METRIC_DEFERRED), 10},
        {"writers killed, at the rarest step", killed, 1},
        {"cached keys compared with the primary, by every audit", least_audited(l, n_phases, false),
         read_all_ids()},
        {"... of them from the cache", least_audited(l, n_phases, true), read_all_ids() * 9 / 10},
    };

    print_phases(l, n_phases, table);
    print_deaths(l);
    print_kinds(l);
    print_errors(l);
    (void)printf("\n%-62s %9s %9s\n", "", "seen", "required");
    judge_phases(l, n_phases, table, &s);
    for (size_t i = 0; i < TT_COUNT(rows); i++)
        judge(&s, rows[i].text, rows[i].got, rows[i].wanted);
    (void)printf("%-62s %9" PRIu64 " %9d  %s\n", "violations", violations, 0,
                 violations ? "FAILED" : "ok");
    (void)printf("%-62s %9" PRIu64 " %9s  %s\n",
                 "errors in a thousand, with primary and Redis there", errors, "below 5",
                 errors < 5 ? "ok" : "FAILED");
    s.passed += (violations == 0) + (errors < 5);
    s.failed += (violations != 0) + (errors >= 5);
    (void)printf("\n%d passed, %d failed\n", s.passed, s.failed);
    return s.failed == 0;
}
