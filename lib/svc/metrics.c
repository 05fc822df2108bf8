#include "svc/metrics.h"

#include <inttypes.h>

/* Bucket b holds what took less than 16 us << b. */
static int bucket_of(int64_t took_ns)
{
    int64_t us = took_ns / 1000;
    int b = 0;

    while (b < TT_LATENCY_BUCKETS - 1 && us >= INT64_C(16) << b)
        b++;
    return b;
}

void tt_metrics_served(tt_client *c, tt_source source, int64_t took_ns)
{
    int kind = (int)source;

    TT_ASSERT(kind >= 0 && kind < TT_SERVED_KINDS);
    atomic_fetch_add_explicit(&c->latency[kind][bucket_of(took_ns)], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&c->latency_sum_us[kind], (uint64_t)took_ns / 1000,
                              memory_order_relaxed);
}

/* Millionths, with a point whatever the locale of the host. */
static void put_millionths(tt_buf *out, uint64_t n)
{
    tt_buf_printf(out, "%" PRIu64 ".%06" PRIu64, n / 1000000, n % 1000000);
}

static void put_counter(tt_buf *out, const char *name, const char *help, uint64_t value)
{
    tt_buf_printf(out,
                  "# HELP twotier_%s_total %s\n# TYPE twotier_%s_total counter\n"
                  "twotier_%s_total %" PRIu64 "\n",
                  name, help, name, name, value);
}

static void put_counters(tt_client *c, tt_buf *out)
{
#define NOTE(name, metric, help)                                                                   \
    put_counter(out, metric, help,                                                                 \
                atomic_load_explicit(&c->notes[TT_NOTE_##name], memory_order_relaxed));
    TT_NOTES_TABLE(NOTE)
#undef NOTE
#define COUNTER(name, metric, help)                                                                \
    put_counter(out, metric, help,                                                                 \
                atomic_load_explicit(&c->counters[TT_COUNTER_##name], memory_order_relaxed));
    TT_COUNTERS_TABLE(COUNTER)
#undef COUNTER
}

static void put_latencies(tt_client *c, tt_buf *out)
{
    static const char *const served[] = {NULL, "local", "redis", "replica", "primary"};

    tt_buf_puts(out, "# HELP twotier_read_seconds time of reads, by who served them\n"
                     "# TYPE twotier_read_seconds histogram\n");
    for (int kind = TT_SOURCE_LOCAL; kind < TT_SERVED_KINDS; kind++) {
        uint64_t sum = 0;

        for (int b = 0; b < TT_LATENCY_BUCKETS; b++) {
            sum += atomic_load_explicit(&c->latency[kind][b], memory_order_relaxed);
            if (b == TT_LATENCY_BUCKETS - 1)
                break;
            tt_buf_printf(out, "twotier_read_seconds_bucket{source=\"%s\",le=\"", served[kind]);
            put_millionths(out, UINT64_C(16) << b);
            tt_buf_printf(out, "\"} %" PRIu64 "\n", sum);
        }
        tt_buf_printf(out,
                      "twotier_read_seconds_bucket{source=\"%s\",le=\"+Inf\"} %" PRIu64 "\n"
                      "twotier_read_seconds_sum{source=\"%s\"} ",
                      served[kind], sum, served[kind]);
        put_millionths(out, atomic_load(&c->latency_sum_us[kind]));
        tt_buf_printf(out, "\ntwotier_read_seconds_count{source=\"%s\"} %" PRIu64 "\n",
                      served[kind], sum);
    }
}

/* Text of a label value: the format escapes backslash, quote and newline. */
static void put_label(tt_buf *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '\\' || *text == '"')
            tt_buf_put_char(out, '\\');
        if (*text == '\n')
            tt_buf_puts(out, "\\n");
        else
            tt_buf_put_char(out, *text);
    }
}

static void put_gauge(tt_buf *out, const char *name, const char *node, uint64_t thousandths)
{
    tt_buf_printf(out, "twotier_%s{node=\"", name);
    put_label(out, node);
    tt_buf_printf(out, "\"} %" PRIu64 ".%03" PRIu64 "\n", thousandths / 1000, thousandths % 1000);
}

typedef struct node_state {
    bool primary, up, lag_known;
    int64_t lag_ms;
    unsigned in_flight;
    tt_nodepool_counts pool;
} node_state;

static void put_nodes(tt_client *c, tt_buf *out)
{
    static const char *const gauges[][2] = {
        {"node_up", "1 when the node may serve"},
        {"node_primary", "1 for the primary"},
        {"node_lag_seconds", "seconds behind the primary; absent when unknown"},
        {"node_in_flight", "reads under way"},
        {"pool_open", "open connections"},
        {"pool_idle", "idle connections"},
        {"pool_waiting", "callers waiting for a connection"},
    };
    node_state state[TT_NODES_MAX];

    for (int i = 0; i < c->n_nodes; i++)
        state[i].pool = tt_nodepool_count(c->nodes[i].pool);
    pthread_mutex_lock(&c->mu);
    for (int i = 0; i < c->n_nodes; i++) {
        const tt_node *n = &c->core.topology.nodes[i];

        state[i].primary = i == c->core.topology.primary;
        state[i].up = n->state == TT_NODE_UP || n->state == TT_NODE_RECOVERING;
        state[i].lag_known = n->lag_known;
        state[i].lag_ms = n->lag_ms;
        state[i].in_flight = n->in_flight;
    }
    pthread_mutex_unlock(&c->mu);
    for (size_t g = 0; g < TT_COUNT(gauges); g++) {
        tt_buf_printf(out, "# HELP twotier_%s %s\n# TYPE twotier_%s gauge\n", gauges[g][0],
                      gauges[g][1], gauges[g][0]);
        for (int i = 0; i < c->n_nodes; i++) {
            const node_state *s = &state[i];
            uint64_t ones[] = {s->up,
                               s->primary,
                               0,
                               s->in_flight,
                               (uint64_t)s->pool.open,
                               (uint64_t)s->pool.idle,
                               (uint64_t)s->pool.waiting};
            uint64_t lag_ms = (uint64_t)TT_MAX(s->lag_ms, 0);

            if (g != 2 || (s->lag_known && !s->primary))
                put_gauge(out, gauges[g][0], c->nodes[i].name, g == 2 ? lag_ms : ones[g] * 1000);
        }
    }
}

void tt_metrics_put(tt_client *c, tt_buf *out)
{
    tt_cache_peer peer;

    put_counters(c, out);
    put_latencies(c, out);
    put_nodes(c, out);
    tt_buf_printf(
        out,
        "# HELP twotier_cache_up 1 when the cache answers\n# TYPE twotier_cache_up gauge\n"
        "twotier_cache_up %d\n",
        c->local || (c->links && tt_link_peer(c->links, &peer)));
}
