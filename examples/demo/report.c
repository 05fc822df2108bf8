#include "demo/demo.h"

#include <stdarg.h>
#include <string.h>

enum { ASKED = 46, SERVED = 11, TIME = 9 };

static const char *const server_names[DEMO_SERVERS] = {"primary", "replica 1", "replica 2",
                                                       "Redis"};

static void put_cell(const char *text, size_t width)
{
    ex_put_left(stdout, text, strlen(text), width);
    (void)fputs("  ", stdout);
}

static void format_time(char *out, size_t size, int64_t ns)
{
    if (ns < 0)
        (void)snprintf(out, size, "-");
    else if (ns < 10000000)
        (void)snprintf(out, size, "%.2f ms", (double)ns / 1e6);
    else
        (void)snprintf(out, size, "%.0f ms", (double)ns / 1e6);
}

void demo_legend(demo *d)
{
    printf("\n%sHow to read it%s\n", d->style.bold, d->style.plain);
    printf("   query      a call of the library, or many of them; the time of many is the median\n"
           "   served by  who answered it, as the library says; why: its reason, in its own words\n"
           "   barrier    what a replica must have applied of the primary's writes to answer here\n"
           "   proven     asked just now, the primary said that it is still the primary\n"
           "   %s%s%s         what this program claims, and has checked in this run\n",
           d->style.green, d->utf8 ? "✓ " : "ok", d->style.plain);
}

void demo_title(demo *d, const char *title)
{
    printf("\n%s%d  %s%s\n", d->style.bold, ++d->section, title, d->style.plain);
    printf("   %s", d->style.dim);
    put_cell("query", ASKED);
    put_cell("served by", SERVED);
    ex_put_right(stdout, "time", 4, TIME);
    printf("  why%s\n", d->style.plain);
}

void demo_row(demo *d, const char *asked, const char *served, int64_t took_ns, const char *why)
{
    char time[32];

    (void)d;
    format_time(time, sizeof(time), took_ns);
    (void)fputs("   ", stdout);
    put_cell(asked, ASKED);
    put_cell(served, SERVED);
    ex_put_right(stdout, time, strlen(time), TIME);
    printf("  %s\n", why);
    (void)fflush(stdout);
}

const char *demo_served_by(const demo *d, const demo_answer *a)
{
    return a->rc != 0 ? "nobody" : server_names[demo_server_of(d, a)];
}

static const char *what_became(const demo_answer *a)
{
    switch (a->write.invalidated) {
    case TT_INVALIDATED_DONE:
        return "committed; the cache knows it";
    case TT_INVALIDATED_DEFERRED:
        return "committed; the cache is told when it is back";
    case TT_INVALIDATED_OUTSTANDING:
        return "committed; the cache is told as soon as it answers";
    case TT_INVALIDATED_AT_COMMIT:
        return "in the transaction";
    default:
        return "committed";
    }
}

void demo_show(demo *d, const demo_answer *a, const char *asked, ...)
{
    char text[DEMO_CELL_MAX], why[TT_ERROR_MESSAGE_MAX + 64];
    va_list ap;

    va_start(ap, asked);
    (void)vsnprintf(text, sizeof(text), asked, ap);
    va_end(ap);
    if (a->rc != 0)
        (void)snprintf(why, sizeof(why), "%s: %s", tt_error_name(a->rc),
                       a->err.message[0] ? a->err.message : tt_error_text(a->rc));
    else
        (void)snprintf(why, sizeof(why), "%s", a->read.why ? a->read.why : what_became(a));
    demo_row(d, text, demo_served_by(d, a), a->took_ns, why);
}

void demo_row_tally(demo *d, demo_tally *t, const char *asked)
{
    char why[DEMO_CELL_MAX];
    const char *who = "nobody";
    size_t n = 0, servers = 0;

    for (int i = 0; i < DEMO_SERVERS && n < sizeof(why); i++) {
        if (t->n[i] == 0)
            continue;
        who = servers++ ? "several" : server_names[i];
        n += (size_t)snprintf(why + n, sizeof(why) - n, "%s%s: %u", n ? ", " : "", server_names[i],
                              t->n[i]);
    }
    if (t->failed && n < sizeof(why))
        (void)snprintf(why + n, sizeof(why) - n, "%sfailed: %u", n ? ", " : "", t->failed);
    demo_row(d, asked, who, demo_median_ns(&t->times), why);
}

void demo_check(demo *d, bool held, const char *claim, ...)
{
    const char *mark = d->utf8 ? (held ? "✓" : "✗") : (held ? "ok" : "NOT HELD:");
    va_list ap;

    d->checks++;
    d->failed_checks += !held;
    printf("   %s%s%s ", held ? d->style.green : d->style.red, mark, d->style.plain);
    va_start(ap, claim);
    (void)vprintf(claim, ap);
    va_end(ap);
    (void)puts("");
    (void)fflush(stdout);
}

/* ---- summary -----------------------------------------------------------------------------------
 */

static void summary_row(demo *d, const char *who, uint64_t n, uint64_t total, int64_t median_ns)
{
    char count[32], share[32], time[32];

    (void)d;
    (void)snprintf(count, sizeof(count), "%llu", (unsigned long long)n);
    (void)snprintf(share, sizeof(share), "%.1f %%", total ? 100.0 * (double)n / (double)total : 0);
    format_time(time, sizeof(time), median_ns);
    (void)fputs("   ", stdout);
    put_cell(who, 12);
    ex_put_right(stdout, count, strlen(count), 8);
    ex_put_right(stdout, share, strlen(share), 11);
    ex_put_right(stdout, time, strlen(time), 14);
    (void)puts("");
}

void demo_summary(demo *d)
{
    uint64_t answered = d->reads - d->failed_reads;

    printf("\n%sSummary%s\n", d->style.bold, d->style.plain);
    printf("   %sserved by       reads      share   median time%s\n", d->style.dim, d->style.plain);
    for (int i = 0; i < DEMO_SERVERS; i++)
        summary_row(d, server_names[i], d->times[i].n, answered, demo_median_ns(&d->times[i]));
    printf("   database queries saved: %u of %llu\n", d->times[DEMO_CACHE].n,
           (unsigned long long)answered);
    printf("   reads that failed, with a replica killed and Redis killed: %llu\n",
           (unsigned long long)d->failed_reads);
    printf("   answers compared with what was written last: %llu, stale: %llu\n",
           (unsigned long long)d->compared, (unsigned long long)d->stale);
    demo_check(d, d->failed_reads == 0 && d->stale == 0, "no read failed, and none was stale");
    printf("   %s%d of %d expectations held%s, in %.0f s\n",
           d->failed_checks ? d->style.red : d->style.green, d->checks - d->failed_checks,
           d->checks, d->style.plain, (double)(demo_now_ns() - d->start_ns) / 1e9);
}
