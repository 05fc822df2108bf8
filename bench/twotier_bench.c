/* twotier_bench.c: the library beside bare clients: every line of the table of speeds to reach.
 *
 *   twotier-bench --config FILE --servers TOOL DIR [--json FILE] [--pin] [--rounds N]
 *                 [--round-ms N] [--only PATH] [--markdown FILE] [--peer NAME WRITE READ]...
 *
 * `./dev bench` starts the servers and runs it. The two sides run in turn, in short rounds, within
 * one run, on the same keys (Zipf 0.99 of 10,000), the same servers, with as many connections to
 * the database. What must meet the limit is the far end of the 95 % interval of the ratio. */
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "twotier_bench.h"

static const bench_path paths[] = {
    {.name = "hit in Redis",
     .threads = 1,
     .unit = "us",
     .limit = 1.15,
     .burst = 1,
     .ours = bench_hit,
     .bare = bare_hit},
    {.name = "hit in Redis",
     .threads = 32,
     .unit = "calls/s",
     .limit = 2,
     .at_least = true,
     .burst = 1,
     .ours = bench_hit,
     .bare = bare_hit},
    {.name = "read without cache",
     .threads = 1,
     .unit = "us",
     .limit = 1.05,
     .burst = 1,
     .ours = bench_plain,
     .bare = bare_plain},
    {.name = "read without cache",
     .threads = 32,
     .unit = "us",
     .limit = 1.05,
     .burst = 1,
     .ours = bench_plain,
     .bare = bare_plain},
    {.name = "miss and fill",
     .threads = 1,
     .unit = "us",
     .limit = 1.10,
     .burst = 1,
     .ours = bench_miss,
     .bare = bare_miss,
     .settle = bench_settle_posts},
    {.name = "memory of the store, scope process",
     .threads = 1,
     .unit = "bytes",
     .limit = 1.2,
     .local = true},
    {.name = "hit, scope process, by tt_statement",
     .threads = 1,
     .unit = "ns",
     .later = true,
     .burst = 64,
     .ours = bench_local_hit,
     .bare = bare_lookup,
     .local = true},
    {.name = "hit, scope process, by SQL text",
     .threads = 1,
     .unit = "ns",
     .later = true,
     .burst = 64,
     .ours = bench_local_text,
     .bare = bare_lookup,
     .local = true},
    {.name = "local hit, bounded, by tt_statement", .threads = 1, .unit = "ns", .later = true},
    {.name = "local hit, bounded, by SQL text", .threads = 1, .unit = "ns", .later = true},
    {.name = "local hit, validate", .threads = 32, .unit = "calls/s", .later = true},
    /* Last: it makes the entries of the others invalid. */
    {.name = "write, intent",
     .threads = 1,
     .unit = "us",
     .limit = 1.10,
     .burst = 1,
     .ours = bench_write,
     .bare = bare_write},
};

/* ---- for all -------------------------------------------------------------------------------- */

void bench_die(const char *fmt, ...)
{
    va_list args;

    bench_progress(NULL);
    (void)fputs("twotier-bench: ", stderr);
    va_start(args, fmt);
    (void)vfprintf(stderr, fmt, args);
    va_end(args);
    (void)fputc('\n', stderr);
    exit(1);
}

void bench_progress(const char *text)
{
    if (isatty(STDERR_FILENO))
        (void)fprintf(stderr, "\r\033[K%s", text ? text : "");
}

bool bench_wanted(const bench *b, const char *path)
{
    return !b->opt.only || strncmp(path, b->opt.only, strlen(b->opt.only)) == 0;
}

/* ---- options -------------------------------------------------------------------------------- */

static int number(const char *option, const char *text, int max)
{
    char *end = NULL;
    long v = text ? strtol(text, &end, 10) : 0;

    if (!text || *end || v < 1 || v > max)
        bench_die("%s: expected a number from 1 to %d", option, max);
    return (int)v;
}

static const char *value(const char *option, const char *text)
{
    if (!text)
        bench_die("%s: expected a value", option);
    return text;
}

static bench_options parse_options(char **argv)
{
    bench_options o = {.rounds = 60, .round_ms = 100};

    for (char **at = argv + 1; *at; at++) {
        const char *name = *at;

        if (strcmp(name, "--pin") == 0) {
            o.pin = true;
            continue;
        }
        at++;
        if (strcmp(name, "--config") == 0) {
            o.config = value(name, *at);
        } else if (strcmp(name, "--json") == 0) {
            o.json = value(name, *at);
        } else if (strcmp(name, "--servers") == 0) {
            o.servers[0] = value(name, *at);
            o.servers[1] = value(name, *++at);
        } else if (strcmp(name, "--markdown") == 0) {
            o.markdown = value(name, *at);
        } else if (strcmp(name, "--peer") == 0) {
            bench_peer *p = &o.peers[o.n_peers];

            if (o.n_peers++ >= BENCH_PEERS_MAX)
                bench_die("--peer: at most %d", BENCH_PEERS_MAX);
            p->name = value(name, *at);
            p->write = value(name, *++at);
            p->read = value(name, *++at);
        } else if (strcmp(name, "--rounds") == 0) {
            o.rounds = number(name, *at, BENCH_ROUNDS_MAX);
        } else if (strcmp(name, "--round-ms") == 0) {
            o.round_ms = number(name, *at, 60000);
        } else if (strcmp(name, "--only") == 0) {
            o.only = value(name, *at);
        } else if (strcmp(name, "--instructions") == 0) {
            o.only = value(name, *at);
            o.instructions_only = true;
        } else {
            bench_die("%s: no such option; see the head of bench/twotier_bench.c", name);
        }
    }
    if (!o.config || !o.servers[1])
        bench_die("expected --config FILE and --servers TOOL DIR");
    return o;
}

static void pin(void)
{
    cpu_set_t one;

    CPU_ZERO(&one);
    CPU_SET(0, &one);
    if (sched_setaffinity(0, sizeof(one), &one) != 0)
        bench_die("cannot be pinned to the first core");
}

/* ---- rows ----------------------------------------------------------------------------------- */

static bool have_valgrind(void)
{
    return system("command -v valgrind >/dev/null 2>&1") == 0;
}

static void measure(bench *b, const bench_path *path, bool valgrind, bench_row *row)
{
    (void)snprintf(row->path, sizeof(row->path), "%s", path->name);
    row->threads = path->threads;
    row->unit = path->unit;
    row->limit = path->limit;
    row->later = path->later;
    row->at_least = path->at_least;
    (void)snprintf(row->cpu, sizeof(row->cpu), "-");
    (void)snprintf(row->instructions, sizeof(row->instructions), "-");
    if (strcmp(path->unit, "bytes") == 0) {
        bench_memory(b, row);
    } else if (path->ours) {
        if (path->local)
            bench_open_process(b, true);
        bench_measure(b, path, row);
        if (path->threads == 1 && valgrind)
            bench_count_instructions(b, path, row);
    }
}

/* What one connection reaches with 32 commands under way: nothing can be faster than that. */
static void print_ceiling(const bench *b)
{
    char command[1024], line[256];
    const bench_keys *k = &b->keys[0];
    FILE *p;

    (void)snprintf(command, sizeof(command),
                   "redis-benchmark -h %s -p %u -c 32 -P 32 -n 200000 -q "
                   "MGET '%s' '%s' '%s' '%s' '%s' 2>/dev/null | tr '\\r' '\\n' | tail -n 2",
                   b->redis_host.p, b->redis_port, k->text[0], k->text[1], k->text[2], k->text[3],
                   k->text[4]);
    p = popen(command, "r");
    while (p && fgets(line, sizeof(line), p)) {
        const char *at = strstr(line, "requests per second");

        if (!at)
            continue;
        while (at > line && at[-1] != ':')
            at--;
        printf("\nceiling of the hits in Redis: redis-benchmark -P 32, 32 clients, MGET of 5 such "
               "keys:%.40s\n",
               at);
    }
    if (p)
        (void)pclose(p);
}

static void run_all(bench *b, bench_row *rows, int *n)
{
    bool valgrind = have_valgrind();

    for (size_t i = 0; i < TT_COUNT(paths); i++) {
        if (!bench_wanted(b, paths[i].name))
            continue;
        measure(b, &paths[i], valgrind, &rows[*n]);
        ++*n;
    }
}

static void count_one(bench *b)
{
    for (size_t i = 0; i < TT_COUNT(paths); i++) {
        if (paths[i].threads != 1 || strcmp(paths[i].name, b->opt.only) != 0)
            continue;
        if (paths[i].local)
            bench_open_process(b, true);
        bench_be_counted(b, &paths[i]);
        return;
    }
    bench_die("%s: no such row", b->opt.only);
}

static FILE *open_markdown(const bench *b)
{
    FILE *f = fopen(b->opt.markdown, "a");

    if (!f)
        bench_die("%s: cannot be written", b->opt.markdown);
    return f;
}

/* Before the rows, of which the last makes the entries invalid. */
static bool with_peers(bench *b)
{
    FILE *f = b->opt.markdown ? open_markdown(b) : stdout;
    int stale = bench_peers(b, f);

    if (f != stdout && fclose(f) != 0)
        bench_die("%s: could not be written", b->opt.markdown);
    bench_warm(b, b->hit);
    return stale == 0;
}

static void append_markdown(const bench *b, const bench_row *rows, int n)
{
    FILE *f = open_markdown(b);

    (void)fprintf(f, "\n");
    bench_put_markdown(f, rows, n);
    (void)fprintf(f, "\nMachine: %s. %d rounds of %d ms of each side in turn.\n", bench_machine(b),
                  b->opt.rounds, b->opt.round_ms);
    if (fclose(f) != 0)
        bench_die("%s: could not be written", b->opt.markdown);
}

int main(int argc, char **argv)
{
    static bench_row rows[BENCH_ROWS_MAX];
    bench b = {.opt = parse_options(argv)};
    bool ok = true;
    int n = 0;

    (void)argc;
    if (b.opt.pin)
        pin();
    bench_zipf_init();
    bench_open(&b);
    (void)bench_machine(&b); /* with its load before we add to it */
    if (b.opt.instructions_only) {
        count_one(&b);
        bench_close(&b);
        return 0;
    }
    bench_load(&b);
    b.map = bare_map_new();
    if (b.opt.n_peers)
        ok = with_peers(&b);
    run_all(&b, rows, &n);
    bench_print(&b, rows, n);
    if (b.opt.markdown)
        append_markdown(&b, rows, n);
    if (bench_wanted(&b, "hit in Redis"))
        print_ceiling(&b);
    if (atomic_load(&b.misses_elsewhere))
        printf("%llu reads were not served as the row says (replica, Redis)\n",
               (unsigned long long)atomic_load(&b.misses_elsewhere));
    if (b.opt.json)
        bench_write_json(&b, rows, n);
    for (int i = 0; i < n; i++)
        ok = ok && bench_row_ok(&rows[i]);
    bench_close(&b);
    return ok ? 0 : 1;
}
