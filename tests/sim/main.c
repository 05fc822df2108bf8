/* sim: seeds in, violations out.
 *
 *   sim [--seeds N] [--from N]             every seed of the range, all rules on
 *   sim --quick                            1,000 of them; the tables; some seeds run twice
 *   sim --seed N [--trace]                 one seed
 *   sim --mutant NAME [--seed N | ...]     the same with a rule switched off
 *   sim --mutants                          each mutant until it is caught
 */
#include "sim.h"

#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    WORKERS = 2,
    MUTANT_SEEDS_MAX = 20000,
    SPARED_SEEDS = 1000,
    CONTROL_SEEDS = 20,
    REPLAYED_SEEDS = 25
};

static const mutant *find_mutant(const char *name)
{
    int n;
    const mutant *m = mutants(&n);

    for (int i = 0; i < n; i++)
        if (strcmp(m[i].name, name) == 0)
            return &m[i];
    fprintf(stderr, "no mutant %s\n", name);
    exit(2);
}

/* The world's profile is the mutant's unless another is asked for. */
static breakage use_mutant(const mutant *m, const char *profile)
{
    const char *why = NULL;

    if (!redis_script(mutant_script(m), &why)) {
        fprintf(stderr, "%s: %s\n", m ? m->name : "cache.lua", why);
        exit(2);
    }
    if (!profile && m)
        profile = m->profile;
    return m ? (breakage){m->rules, m->world, profile} : (breakage){0, 0, profile};
}

/* The first violation of a range, with what was seen on the way. */
typedef struct found {
    bool violated;
    uint64_t seed, seeds;
    char text[400];
    bool hashing;
    uint64_t hash; /* of the last run */
    tally tally;
} found;

static void run_seed(sim *s, uint64_t seed, const breakage *b, bool trace, found *out)
{
    sim_begin(s, seed, b, &out->tally, trace);
    s->hashing = out->hashing;
    scenario_run(s);
    sim_end(s);
    out->seeds++;
    out->hash = s->hash;
    if (s->violation[0] && !out->violated) {
        out->violated = true;
        out->seed = seed;
        memcpy(out->text, s->violation, sizeof(out->text));
    }
}

static void add(found *total, const found *part)
{
    const uint64_t *from = (const uint64_t *)(const void *)&part->tally;
    uint64_t *to = (uint64_t *)(void *)&total->tally;

    for (size_t i = 0; i < sizeof(tally) / sizeof(uint64_t); i++)
        to[i] += from[i];
    total->seeds += part->seeds;
    if (part->violated && (!total->violated || part->seed < total->seed)) {
        total->violated = true;
        total->seed = part->seed;
        memcpy(total->text, part->text, sizeof(total->text));
    }
}

static int write_all(int fd, const void *p, size_t n)
{
    for (const char *at = p; n > 0;) {
        ssize_t did = write(fd, at, n);

        if (did <= 0)
            return -1;
        at += did;
        n -= (size_t)did;
    }
    return 0;
}

static int read_all_bytes(int fd, void *p, size_t n)
{
    for (char *at = p; n > 0;) {
        ssize_t got = read(fd, at, n);

        if (got <= 0)
            return -1;
        at += got;
        n -= (size_t)got;
    }
    return 0;
}

static void work(uint64_t first, uint64_t n, int worker, const breakage *b, int out)
{
    static sim s;
    static found mine;

    for (uint64_t i = (uint64_t)worker; i < n && !mine.violated; i += WORKERS)
        run_seed(&s, first + i, b, false, &mine);
    if (write_all(out, &mine, sizeof(mine)) != 0)
        _exit(2);
    _exit(0);
}

static found run_range(uint64_t first, uint64_t n, const breakage *b)
{
    found total = {0};
    int ends[WORKERS];
    pid_t pids[WORKERS];

    for (int i = 0; i < WORKERS; i++) {
        int pipe_ends[2];

        if (pipe(pipe_ends) != 0)
            abort();
        fflush(NULL);
        pids[i] = fork();
        if (pids[i] < 0)
            abort();
        if (pids[i] == 0)
            work(first, n, i, b, pipe_ends[1]);
        close(pipe_ends[1]);
        ends[i] = pipe_ends[0];
    }
    for (int i = 0; i < WORKERS; i++) {
        found part;
        int status = 0;

        if (read_all_bytes(ends[i], &part, sizeof(part)) != 0) {
            fprintf(stderr, "a worker died: run its seeds one by one with --seed\n");
            total.violated = true;
            snprintf(total.text, sizeof(total.text), "a worker died");
        } else {
            add(&total, &part);
        }
        close(ends[i]);
        waitpid(pids[i], &status, 0);
    }
    return total;
}

/* ---- words -------------------------------------------------------------------------------------
 */

static const char *const note_names[] = {
#define NOTE_NAME_(name, metric, help) #name,
    TT_NOTES_TABLE(NOTE_NAME_)
#undef NOTE_NAME_
};

static const char *const event_names[] = {
#define EVENT_NAME_(name) #name,
    WORLD_EVENTS(EVENT_NAME_)
#undef EVENT_NAME_
};

/* Prints how often everything happened; the number of things that never did. */
static int print_tally(const tally *t)
{
    int never = 0, column = 0;

    for (int i = 0; i < TT_NOTE_COUNT + EV_COUNT; i++) {
        bool note = i < TT_NOTE_COUNT;
        const char *name = note ? note_names[i] : event_names[i - TT_NOTE_COUNT];
        uint64_t n = note ? t->notes[i] : t->events[i - TT_NOTE_COUNT];

        printf("  %-24s %9llu%s", name, (unsigned long long)n, ++column % 3 ? "" : "\n");
        /* that nothing had to be excluded is no gap */
        if (n == 0 && (note || i - TT_NOTE_COUNT != EV_EXCLUDED_DEAD_WRITER)) {
            never++;
            fprintf(stderr, "never happened: %s\n", name);
        }
    }
    printf("%s", column % 3 ? "\n" : "");
    printf("  %llu events, %llu scripts\n", (unsigned long long)t->steps,
           (unsigned long long)t->scripts);
    return never;
}

static double seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int run_seeds(uint64_t first, uint64_t n, const mutant *m, const char *profile)
{
    breakage b = use_mutant(m, profile);
    double start = seconds();
    int never;
    found f = run_range(first, n, &b);

    printf("%llu seeds from %llu in %.1f s\n", (unsigned long long)f.seeds,
           (unsigned long long)first, seconds() - start);
    if (f.violated) {
        printf("seed %llu: %s\n", (unsigned long long)f.seed, f.text);
        return 1;
    }
    never = print_tally(&f.tally);
    return never && n >= 5000 && !m && !profile ? 1 : 0;
}

/* The same seeds twice, in another order: what a run does must follow from its seed alone. */
static bool replays(void)
{
    static sim s;
    static found f = {.hashing = true};
    breakage b = use_mutant(NULL, NULL);
    uint64_t hashes[REPLAYED_SEEDS];
    bool same = true, all_alike = true;

    for (uint64_t i = 0; i < REPLAYED_SEEDS; i++) {
        run_seed(&s, i + 1, &b, false, &f);
        hashes[i] = f.hash;
        all_alike = all_alike && f.hash == hashes[0];
    }
    for (uint64_t i = REPLAYED_SEEDS; i-- > 0;) {
        run_seed(&s, i + 1, &b, false, &f);
        if (f.hash == hashes[i])
            continue;
        printf("seed %llu is not the same run again\n", (unsigned long long)i + 1);
        same = false;
    }
    printf("%d seeds run twice, %s\n", REPLAYED_SEEDS, same && !all_alike ? "alike" : "NOT ALIKE");
    return same && !all_alike;
}

static int run_one(uint64_t seed, const mutant *m, const char *profile, bool trace)
{
    static sim s;
    static found f;
    breakage b = use_mutant(m, profile);

    run_seed(&s, seed, &b, trace, &f);
    printf("seed %llu: %s\n", (unsigned long long)seed, f.violated ? f.text : "nothing violated");
    return f.violated;
}

/* Growing ranges until one seed is caught. That seed and those before it must be clean with all
 * rules on: what is caught is the mutant, and not its world. */
static found hunt(const mutant *m, uint64_t seeds_max)
{
    breakage b = use_mutant(m, NULL);
    found f = {0};

    for (uint64_t first = 1, range = 50; !f.violated && first <= seeds_max; range *= 2) {
        f = run_range(first, TT_MIN(range, seeds_max - first + 1), &b);
        first += range;
    }
    return f;
}

static bool is_clean(const mutant *m, uint64_t seed, found *f)
{
    breakage b = use_mutant(NULL, m->profile);

    *f = run_range(seed >= CONTROL_SEEDS ? seed - CONTROL_SEEDS + 1 : 1, CONTROL_SEEDS, &b);
    return !f->violated;
}

static void print_survivor(const char *name, const elsewhere *e)
{
    if (e && e->file)
        printf("%-24s %7s  not here: %s; tests/%s shows it\n", name, "-", e->why, e->file);
    else
        printf("%-24s %7s  %s%s\n", name, "-", e ? e->why : "SURVIVED", e ? " (README.md)" : "");
}

static void print_without_mutant(void)
{
    int n_all, n;
    const elsewhere *all = elsewhere_all(&n_all);
    const mutant *m = mutants(&n);

    for (int i = 0; i < n_all; i++) {
        bool here = false;

        for (int k = 0; k < n; k++)
            here = here || strcmp(m[k].name, all[i].rule) == 0;
        if (!here)
            print_survivor(all[i].rule, &all[i]);
    }
}

static int run_mutants(void)
{
    int n, wrong = 0;
    const mutant *m = mutants(&n);

    if (!tables_complete())
        return 1;
    printf("%-24s %7s  %s\n", "mutant", "seeds", "violation");
    for (int i = 0; i < n; i++) {
        const elsewhere *e = elsewhere_find(m[i].name);
        found f = hunt(&m[i], e ? SPARED_SEEDS : MUTANT_SEEDS_MAX), control;
        bool ok = f.violated == (e == NULL);

        if (!f.violated)
            print_survivor(m[i].name, e);
        else
            printf("%-24s %7llu  %s: %s\n", m[i].name, (unsigned long long)f.seed, m[i].text,
                   f.text);
        if (f.violated && !is_clean(&m[i], f.seed, &control)) {
            printf("  with all rules on, seed %llu: %s\n", (unsigned long long)control.seed,
                   control.text);
            ok = false;
        }
        fflush(stdout);
        wrong += !ok;
    }
    print_without_mutant();
    printf("%d mutants, %d not as expected\n", n, wrong);
    return wrong ? 1 : 0;
}

int main(int argc, char **argv)
{
    uint64_t seeds = 10000, first = 1, seed = 0;
    const mutant *m = NULL;
    const char *profile = NULL;
    bool trace = false, all = false, quick = false;

    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";

        if (strcmp(argv[i], "--trace") == 0)
            trace = true;
        else if (strcmp(argv[i], "--quick") == 0)
            quick = true;
        else if (strcmp(argv[i], "--mutants") == 0)
            all = true;
        else if (strcmp(argv[i], "--seeds") == 0 && ++i)
            seeds = strtoull(value, NULL, 10);
        else if (strcmp(argv[i], "--from") == 0 && ++i)
            first = strtoull(value, NULL, 10);
        else if (strcmp(argv[i], "--seed") == 0 && ++i)
            seed = strtoull(value, NULL, 10);
        else if (strcmp(argv[i], "--mutant") == 0 && ++i)
            m = find_mutant(value);
        else if (strcmp(argv[i], "--profile") == 0 && ++i)
            profile = value;
        else {
            fprintf(stderr, "usage: sim [--seeds N] [--from N] [--quick] [--seed N] [--trace] "
                            "[--mutant NAME] [--profile WORDS] [--mutants]\n");
            return 2;
        }
    }
    if (all)
        return run_mutants();
    if (quick) {
        if (!tables_complete() || !replays())
            return 1;
        seeds = 1000;
    }
    return seed ? run_one(seed, m, profile, trace) : run_seeds(first, seeds, m, profile);
}
