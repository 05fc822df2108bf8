#include "core/topology.h"

#include <twotier/error.h>

#include "core/barrier.h"

void tt_topology_init(tt_topology *t, const tt_allocator *a, const tt_health_config *health)
{
    memset(t, 0, sizeof(*t));
    t->a = a;
    t->health = *health;
    t->primary = -1;
}

static void forget(tt_node *n)
{
    tt_applied_free(n->fresh);
    tt_applied_free(n->applied);
    n->fresh = n->applied = NULL;
    n->vetted = n->diverged = false;
    tt_buf_clear(&n->points);
}

void tt_topology_free(tt_topology *t)
{
    for (int i = 0; i < t->n; i++) {
        forget(&t->nodes[i]);
        tt_buf_free(&t->nodes[i].points);
    }
    t->n = 0;
}

int tt_topology_add(tt_topology *t, const char *name, unsigned weight)
{
    tt_node *n = &t->nodes[t->n];

    TT_ASSERT(t->n < TT_NODES_MAX);
    n->name = name;
    n->weight = weight;
    n->points = tt_buf_init(t->a);
    return t->n++;
}

int tt_topology_find(const tt_topology *t, tt_str identity)
{
    for (int i = 0; i < t->n; i++)
        if (identity.n && tt_str_eq(tt_str_c(t->nodes[i].identity), identity))
            return i;
    return -1;
}

bool tt_topology_agrees(const tt_topology *t, tt_str term, tt_str identity)
{
    return t->primary >= 0 && tt_str_eq(tt_str_n(t->term.c, TT_NONCE_BYTES), term) &&
           tt_str_eq(tt_str_c(t->nodes[t->primary].identity), identity);
}

bool tt_topology_adopt(tt_topology *t, tt_nonce term, tt_str identity)
{
    int primary = tt_topology_find(t, identity);

    if (primary < 0)
        return false;
    if (tt_topology_agrees(t, tt_str_n(term.c, TT_NONCE_BYTES), identity))
        return true;
    t->primary = primary;
    t->term = term;
    t->changes++;
    if (t->rules_off & TT_RULE_BIT(TT_RULE_TERM_CLEARS_APPLIED))
        return true;
    for (int i = 0; i < t->n; i++)
        forget(&t->nodes[i]);
    return true;
}

/* ---- health ------------------------------------------------------------------------------------
 */

/* Allowed moves: a node that was down or behind comes back through RECOVERING. */
static const bool moves[4][4] = {
    /* to:            DOWN   RECOV  UP     LAGGING */
    /* DOWN */ {true, true, false, true},
    /* RECOVERING */ {true, true, true, true},
    /* UP */ {true, false, true, true},
    /* LAGGING */ {true, true, false, true},
};

static void move(tt_topology *t, tt_node *n, tt_node_state to, int64_t now_ns)
{
    TT_ASSERT(moves[n->state][to]);
    if (n->state == to)
        return;
    if (to == TT_NODE_RECOVERING)
        n->recovering_ns = now_ns;
    n->state = to;
    t->changes++;
}

static void judge(tt_topology *t, tt_node *n, const tt_sample *s, int64_t now_ns)
{
    bool behind = s->inspected && !n->writable &&
                  (!s->threads_running || !s->lag_known || s->lag_ms > t->health.max_lag_ms);

    if (behind)
        move(t, n, TT_NODE_LAGGING, now_ns);
    else if (n->state == TT_NODE_DOWN || (s->inspected && n->state == TT_NODE_LAGGING))
        move(t, n, TT_NODE_RECOVERING, now_ns);
    else if (n->state == TT_NODE_RECOVERING &&
             now_ns - n->recovering_ns >= t->health.recover_ms * TT_NS_PER_MS)
        move(t, n, TT_NODE_UP, now_ns);
}

static void count_fresh(tt_node *n)
{
    tt_applied_free(n->applied);
    n->applied = n->fresh;
    n->fresh = NULL;
    tt_buf_clear(&n->points);
    tt_applied_points(n->applied, &n->points);
    if (n->points.failed)
        tt_buf_clear(&n->points);
}

/* The primary was sampled after the nodes: their samples count now, unless they diverged. */
static void vet(tt_topology *t, const tt_applied *primary, int64_t sent_ns)
{
    for (int i = 0; i < t->n; i++) {
        tt_node *n = &t->nodes[i];

        if (i == t->primary || !n->fresh || n->fresh_sent_ns >= sent_ns)
            continue;
        n->diverged = !(t->rules_off & TT_RULE_BIT(TT_RULE_DIVERGED_NEVER_SOURCE)) &&
                      !tt_applied_subset(n->fresh, primary);
        n->vetted = !n->diverged;
        count_fresh(n);
    }
}

/* A node that looks slow gets no reads, and could never show that it is fast again. */
static void fade_latency(tt_node *n)
{
    if (!n->measured)
        n->latency_ns -= n->latency_ns / 8;
    n->measured = false;
}

int tt_topology_sampled(tt_topology *t, int node, const tt_sample *s, int64_t now_ns)
{
    tt_node *n = &t->nodes[node];
    tt_applied *applied = NULL;
    int rc = tt_applied_parse(t->a, s->family, s->applied, &applied);

    if (rc != 0)
        return rc;
    if (s->identity.n > TT_SOURCE_MAX) {
        tt_applied_free(applied);
        return TT_E_ARGUMENT;
    }
    if (!tt_str_eq(tt_str_c(n->identity), s->identity)) {
        forget(n); /* another server answers at this address */
        memset(n->identity, 0, sizeof(n->identity));
        memcpy(n->identity, s->identity.p, s->identity.n);
        if (node == t->primary)
            t->primary = -1;
        t->changes++;
    }
    n->answers = true;
    n->writable = !s->read_only;
    n->sampled_ns = now_ns;
    if (s->inspected) {
        n->lag_known = s->lag_known;
        n->lag_ms = s->lag_ms;
        fade_latency(n);
        memset(n->source, 0, sizeof(n->source));
        if (s->source.n <= TT_SOURCE_MAX && s->source.n)
            memcpy(n->source, s->source.p, s->source.n);
    }
    judge(t, n, s, now_ns);
    if (node == t->primary && n->writable) {
        vet(t, applied, s->sent_ns);
        tt_applied_free(applied);
    } else {
        tt_applied_free(n->fresh);
        n->fresh = applied;
        n->fresh_sent_ns = s->sent_ns;
        if (t->rules_off & TT_RULE_BIT(TT_RULE_SAMPLE_VETTED)) {
            n->vetted = true;
            count_fresh(n);
        }
    }
    return 0;
}

void tt_topology_failed(tt_topology *t, int node, int64_t now_ns)
{
    tt_node *n = &t->nodes[node];

    n->answers = false;
    move(t, n, TT_NODE_DOWN, now_ns);
}

/* ---- choice ------------------------------------------------------------------------------------
 */

static bool is_live(const tt_node *n)
{
    return n->state == TT_NODE_UP || n->state == TT_NODE_RECOVERING;
}

static bool has_applied(const tt_topology *t, const tt_node *n, const tt_barrier *need,
                        const tt_applied *primary)
{
    if (need->term.n == 0)
        return true;
    if (!n->applied)
        return false;
    if (!tt_str_eq(need->term, tt_str_n(t->term.c, TT_NONCE_BYTES)) &&
        !(t->rules_off & TT_RULE_BIT(TT_RULE_TERM_CLEARS_APPLIED)))
        return false;
    return tt_applied_has_all(n->applied, need->points) ||
           (primary && tt_applied_has_all_of(n->applied, primary, need->points));
}

/* What a node still has to apply from another source may be lost history: it is vetted for what it
 * has applied, not for what waits in its relay log, which goes when it is pointed at the primary.
 */
static bool follows_primary(const tt_topology *t, const tt_node *n)
{
    return (t->rules_off & TT_RULE_BIT(TT_RULE_SOURCE_IS_PRIMARY)) ||
           (t->primary >= 0 && strcmp(n->source, t->nodes[t->primary].identity) == 0);
}

static const char *refusal(const tt_topology *t, int node, int64_t now_ns)
{
    const tt_node *n = &t->nodes[node];

    if (node == t->primary)
        return "it is the primary";
    if (n->state == TT_NODE_DOWN)
        return "it is down";
    if (n->state == TT_NODE_LAGGING)
        return n->lag_known ? "it lags too far behind" : "its lag is unknown";
    if (n->writable)
        return "it is writable, but not the primary";
    if (n->diverged)
        return "it holds transactions that the primary lacks";
    if (!follows_primary(t, n))
        return "it does not replicate from the primary";
    if (!n->vetted)
        return "it has not been compared with the primary yet";
    if (now_ns - n->sampled_ns > t->health.stale_after_ms * TT_NS_PER_MS)
        return "its last health check is too old";
    return NULL;
}

const char *tt_topology_refusal(const tt_topology *t, int node, tt_str need, int64_t now_ns)
{
    tt_barrier b = tt_barrier_parse(need);
    const char *why = refusal(t, node, now_ns);

    if (why)
        return why;
    if (b.p)
        return "only a proven primary may serve this read";
    return has_applied(t, &t->nodes[node], &b, NULL) ? NULL : "it has not applied the barrier yet";
}

/* Lower is better. A recovering node looks slower than it is, less so as time goes. */
static double cost(const tt_topology *t, const tt_node *n, int64_t now_ns)
{
    double latency = n->latency_ns > 0 ? (double)n->latency_ns : 1e5;
    double weight = n->weight ? (double)n->weight : 0.001;
    double slow = 1.0;

    if (n->state == TT_NODE_RECOVERING && t->health.recover_ms > 0)
        slow += 9.0 * (1.0 - (double)(now_ns - n->recovering_ns) /
                                 ((double)t->health.recover_ms * (double)TT_NS_PER_MS));
    return ((double)n->in_flight + 1.0) * latency / weight * TT_MAX(slow, 1.0);
}

/* Two at random, the better of them. */
static int better_of_two(const tt_topology *t, const int *nodes, int n, uint64_t *random,
                         int64_t now_ns)
{
    int a, b;

    if (n == 0)
        return -1;
    if (n == 1)
        return nodes[0];
    a = (int)(tt_splitmix64(random) % (uint64_t)n);
    b = (int)(tt_splitmix64(random) % (uint64_t)(n - 1));
    b += b >= a;
    return cost(t, &t->nodes[nodes[a]], now_ns) <= cost(t, &t->nodes[nodes[b]], now_ns) ? nodes[a]
                                                                                        : nodes[b];
}

tt_choice tt_topology_choose(const tt_topology *t, tt_str need, uint64_t tried, bool may_wait,
                             const tt_applied *primary, uint64_t *random, int64_t now_ns)
{
    int ready[TT_NODES_MAX], behind[TT_NODES_MAX], n_ready = 0, n_behind = 0;
    tt_barrier b = tt_barrier_parse(need);

    if (b.p)
        return (tt_choice){-1, false}; /* also a position of more sources than a barrier holds */
    for (int i = 0; i < t->n; i++) {
        if ((tried >> i & 1) || refusal(t, i, now_ns))
            continue;
        if (has_applied(t, &t->nodes[i], &b, primary))
            ready[n_ready++] = i;
        else
            behind[n_behind++] = i;
    }
    if (n_ready > 0)
        return (tt_choice){better_of_two(t, ready, n_ready, random, now_ns), false};
    /* A position of another term cannot be waited for: the numbers may have been issued twice. */
    if (may_wait && tt_str_eq(b.term, tt_str_n(t->term.c, TT_NONCE_BYTES)))
        return (tt_choice){better_of_two(t, behind, n_behind, random, now_ns), true};
    return (tt_choice){-1, false};
}

int tt_topology_choose_any(const tt_topology *t, uint64_t tried, uint64_t *random, int64_t now_ns)
{
    int live[TT_NODES_MAX], n = 0;

    for (int i = 0; i < t->n; i++)
        if (!(tried >> i & 1) && i != t->primary &&
            (is_live(&t->nodes[i]) || t->nodes[i].state == TT_NODE_LAGGING))
            live[n++] = i;
    return better_of_two(t, live, n, random, now_ns);
}

void tt_node_begin(tt_node *n)
{
    n->in_flight++;
}

void tt_node_end(tt_node *n, int64_t took_ns)
{
    TT_ASSERT(n->in_flight > 0);
    n->in_flight--;
    if (took_ns <= 0)
        return;
    n->latency_ns = n->latency_ns ? n->latency_ns + (took_ns - n->latency_ns) / 16 : took_ns;
    n->measured = true;
}

const char *tt_node_state_name(tt_node_state s)
{
    static const char *const names[] = {"down", "recovering", "up", "lagging"};

    return names[s];
}
