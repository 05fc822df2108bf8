#include <stdio.h>
#include <stdlib.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "twotier_bench.h"

static void cpu_model(char *out, size_t size)
{
    FILE *f = fopen("/proc/cpuinfo", "r");
    char line[256];

    (void)snprintf(out, size, "unknown processor");
    while (f && fgets(line, sizeof(line), f)) {
        char *at = strchr(line, ':');

        if (strncmp(line, "model name", 10) != 0 || !at)
            continue;
        at[strcspn(at, "\n\"\\")] = '\0';
        (void)snprintf(out, size, "%s", at + 2);
        break;
    }
    if (f)
        (void)fclose(f);
}

/* "6.18": the rest names a build, and says nothing to others. */
static int release_size(const char *release)
{
    size_t n = strspn(release, "0123456789");

    if (release[n] == '.')
        n += 1 + strspn(release + n + 1, "0123456789");
    return (int)n;
}

const char *bench_machine(const bench *b)
{
    static char text[512];
    tt_cache_peer peer = {.version = "?"};
    const tt_svc_node *n = &b->client->nodes[0];
    struct utsname u;
    char cpu[128];
    double load;

    if (text[0])
        return text;
    cpu_model(cpu, sizeof(cpu));
    if (getloadavg(&load, 1) != 1)
        load = -1;
    (void)uname(&u);
    (void)tt_link_peer(b->client->links, &peer);
    (void)snprintf(text, sizeof(text),
                   "%ld x %s, %s %.*s, %.40s, Redis %.20s, client library %.40s, loopback, load "
                   "of the machine before %.1f%s",
                   sysconf(_SC_NPROCESSORS_ONLN), cpu, u.sysname, release_size(u.release),
                   u.release, n->version, peer.version, mysql_get_client_info(), load,
                   b->opt.pin ? ", client and servers on one core" : "");
    return text;
}

void bench_print(const bench *b, const bench_row *rows, int n)
{
    bool color = isatty(STDOUT_FILENO) != 0;

    printf("\n%s\n%d rounds of %d ms of each side in turn\n\n", bench_machine(b), b->opt.rounds,
           b->opt.round_ms);
    printf("%-46s %3s %11s %11s %-7s %6s %15s %7s %-5s %13s %s\n", "path", "thr", "ours", "bare",
           "unit", "ratio", "95 % interval", "limit", "", "client cpu us",
           "instructions: own + libraries");
    for (int i = 0; i < n; i++) {
        const bench_row *r = &rows[i];
        bool ok = bench_row_ok(r);
        char limit[16] = "-";

        if (!r->measured) {
            printf("%-46s %3d %11s %11s %-7s %6s %15s %7s later\n", r->path, r->threads, "-", "-",
                   r->unit, "-", "-", "-");
            continue;
        }
        if (r->limit > 0)
            (void)snprintf(limit, sizeof(limit), "%s%.2f", r->at_least ? ">=" : "<=", r->limit);
        printf("%-46s %3d %11.1f %11.1f %-7s %6.3f [%6.3f,%6.3f] %7s %s%-5s%s %13s %s\n", r->path,
               r->threads, r->ours, r->bare, r->unit, r->ratio, r->low, r->high, limit,
               color ? (ok ? "\033[32m" : "\033[31m") : "",
               r->later       ? "later"
               : r->limit > 0 ? ok ? "ok" : "NOT"
                              : "",
               color ? "\033[0m" : "", r->cpu, r->instructions);
    }
}

static void put_number(FILE *f, const char *name, bool known, double v)
{
    if (known)
        (void)fprintf(f, "\"%s\": %.4f, ", name, v);
    else
        (void)fprintf(f, "\"%s\": null, ", name);
}

void bench_write_json(const bench *b, const bench_row *rows, int n)
{
    FILE *f = fopen(b->opt.json, "w");

    if (!f)
        bench_die("%s: cannot be written", b->opt.json);
    (void)fprintf(f, "{\"machine\": \"%s\", \"rows\": [", bench_machine(b));
    for (int i = 0; i < n; i++) {
        const bench_row *r = &rows[i];
        bool limited = r->measured && r->limit > 0;

        (void)fprintf(f, "%s\n  {\"path\": \"%s\", \"threads\": %d, ", i ? "," : "", r->path,
                      r->threads);
        put_number(f, "ours", r->measured, r->ours);
        put_number(f, "bare", r->measured, r->bare);
        (void)fprintf(f, "\"unit\": \"%s\", ", r->unit);
        put_number(f, "ratio", r->measured, r->ratio);
        if (r->measured)
            (void)fprintf(f, "\"spread\": [%.4f, %.4f], ", r->low, r->high);
        else
            (void)fprintf(f, "\"spread\": null, ");
        put_number(f, "limit", limited, r->limit);
        (void)fprintf(f, "\"ok\": %s, ", limited ? bench_row_ok(r) ? "true" : "false" : "null");
        (void)fprintf(f, "\"later\": %s}", r->later ? "true" : "false");
    }
    (void)fprintf(f, "\n]}\n");
    if (fclose(f) != 0)
        bench_die("%s: could not be written", b->opt.json);
}

void bench_put_markdown(FILE *f, const bench_row *rows, int n)
{
    (void)fprintf(f, "| path | threads | twotier | hand-written | unit | ratio (95 %% interval) | "
                     "to reach | instructions: own + libraries |\n"
                     "| --- | --- | --- | --- | --- | --- | --- | --- |\n");
    for (int i = 0; i < n; i++) {
        const bench_row *r = &rows[i];
        char limit[32] = "-";

        if (!r->measured)
            continue;
        if (r->limit > 0)
            (void)snprintf(limit, sizeof(limit), "%s %.2f%s", r->at_least ? "at least" : "at most",
                           r->limit, bench_row_ok(r) ? "" : ": missed");
        (void)fprintf(f, "| %s | %d | %.1f | %.1f | %s | %.2f (%.2f to %.2f) | %s | %s |\n",
                      r->path, r->threads, r->ours, r->bare, r->unit, r->ratio, r->low, r->high,
                      limit, r->instructions);
    }
}
