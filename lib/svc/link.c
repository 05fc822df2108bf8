/* link.c: a set of shared connections to one cache node: which one, when to open, when not to try.
 */
#include "svc/link.h"

#include <time.h>

#include "base/err.h"
#include "base/rng.h"
#include "svc/line.h"

#define CONNECTIONS_DEFAULT 2
#define LARGE_BYTES_DEFAULT (64 * 1024)
#define POST_BYTES_DEFAULT (32 * 1024 * 1024)
#define QUEUE_DEFAULT 2048
#define CONNECT_MS_DEFAULT 1000
#define STALL_MS_DEFAULT 5000

/* ---- the circuit breaker -------------------------------------------------------------------- */

#define BREAKER_FAILURES 5
#define BREAKER_MIN_NS (100 * TT_NS_PER_MS)
#define BREAKER_MAX_NS (2 * TT_NS_PER_S)
/* Timeouts closer together than this count as one: many callers may share one hiccup. */
#define HICCUP_NS (50 * TT_NS_PER_MS)

static void gate_init(tt_gate *g, const tt_breaker_config *config)
{
    uint64_t seed;

    tt_rng_kernel.fill(tt_rng_kernel.ctx, &seed, sizeof(seed));
    tt_breaker_init(&g->breaker, config, seed);
    atomic_init(&g->quiet, true);
    (void)pthread_mutex_init(&g->mu, NULL);
}

static bool gate_allow(tt_gate *g, int64_t now)
{
    bool allowed;

    if (atomic_load_explicit(&g->quiet, memory_order_relaxed))
        return true;
    pthread_mutex_lock(&g->mu);
    allowed = tt_breaker_allow(&g->breaker, now);
    pthread_mutex_unlock(&g->mu);
    return allowed;
}

/* What became of a call, or of a connect, that was allowed. Of a lost connection nothing is said:
 * the connect that follows tells more. */
static void gate_report(tt_gate *g, int64_t now, int rc, bool refused)
{
    if (rc != TT_E_TIMEOUT && !refused && atomic_load_explicit(&g->quiet, memory_order_relaxed))
        return;
    pthread_mutex_lock(&g->mu);
    if (rc == 0) {
        tt_breaker_ok(&g->breaker, now);
    } else if (refused || g->breaker.state != TT_BREAKER_CLOSED) {
        if (refused || rc == TT_E_TIMEOUT)
            tt_breaker_fail(&g->breaker, now, refused);
        else
            tt_breaker_unused(&g->breaker, now);
    } else if (rc == TT_E_TIMEOUT && now - g->timeout_ns >= HICCUP_NS) {
        g->timeout_ns = now;
        tt_breaker_fail(&g->breaker, now, false);
    }
    atomic_store_explicit(&g->quiet, tt_breaker_quiet(&g->breaker), memory_order_relaxed);
    pthread_mutex_unlock(&g->mu);
}

/* ---- which line ----------------------------------------------------------------------------- */

static size_t batch_bytes(const tt_batch *batch)
{
    size_t n = 0;

    for (int i = 0; i < batch->n && i < TT_BATCH_MAX; i++)
        for (int j = 0; j < batch->cmds[i].n_args && j < TT_BATCH_ARGS_MAX; j++)
            n += batch->cmds[i].args[j].n;
    return n;
}

static bool is_up(tt_line *l)
{
    return atomic_load_explicit(&l->up, memory_order_relaxed);
}

/* The last line is for large values. Of the others that are up: an idle one, else the one with the
 * fewest callers; if none is: one to open. */
static tt_line *choose(tt_link_set *s, const tt_batch *batch)
{
    int n = s->options.connections;
    tt_line *best = NULL, *last = &s->lines[n - 1];
    int fewest = 0;

    if (batch_bytes(batch) >= s->options.large_bytes && is_up(last))
        return last;
    for (int i = 0; i < n - 1; i++) {
        tt_line *l = &s->lines[i];
        int callers = atomic_load_explicit(&l->callers, memory_order_relaxed);

        if (!is_up(l) || (best && callers >= fewest))
            continue;
        best = l;
        fewest = callers;
        if (!callers)
            break;
    }
    if (!best)
        best = is_up(last) ? last : &s->lines[0];
    return best;
}

/* ---- calls ---------------------------------------------------------------------------------- */

/* Open a line, and report how it went. */
static int open_line(tt_link_set *s, tt_line *l, int64_t now, int64_t deadline_ns, tt_error *err)
{
    int64_t limit = now + s->options.connect_timeout_ms * TT_NS_PER_MS;
    tt_error own = TT_ERROR_INIT;
    int rc = tt_line_open(l, TT_MIN(deadline_ns, limit), &own);

    gate_report(&s->gate, tt_now_ns(s->clock), rc, rc && rc != TT_E_BUSY && rc != TT_E_NOMEM);
    if (!rc)
        return 0;
    if (rc != TT_E_BUSY)
        tt_log(s->log, TT_LOG_WARN, "%s", own.message);
    if (err)
        *err = own;
    return rc == TT_E_BUSY ? TT_E_CACHE_UNAVAILABLE : rc;
}

static int call_on(tt_link_set *s, tt_line *l, const tt_batch *batch, int64_t deadline_ns,
                   tt_answers *out)
{
    bool noscript = false;
    int rc;

    atomic_fetch_add_explicit(&l->callers, 1, memory_order_relaxed);
    rc = tt_line_call(l, batch, TT_STR(""), deadline_ns, out, &noscript);
    if (rc == 0 && noscript && s->target.script.n)
        rc = tt_line_call(l, batch, s->target.script, deadline_ns, out, &noscript);
    atomic_fetch_sub_explicit(&l->callers, 1, memory_order_relaxed);
    return rc;
}

int tt_link_call(tt_link_set *s, const tt_batch *batch, int64_t deadline_ns, tt_answers *out)
{
    int64_t now = tt_now_ns(s->clock);
    int rc = TT_LINE_DOWN;

    out->ok = false;
    out->unsent = true;
    out->n = 0;
    if (deadline_ns <= now)
        return TT_E_TIMEOUT;
    if (!gate_allow(&s->gate, now))
        return TT_E_CACHE_UNAVAILABLE;
    for (int tries = 0; tries < 2 && rc == TT_LINE_DOWN; tries++) {
        tt_line *l = choose(s, batch);

        if (!is_up(l)) {
            rc = open_line(s, l, now, deadline_ns, NULL);
            if (rc)
                return rc;
        }
        rc = call_on(s, l, batch, deadline_ns, out);
    }
    if (rc == TT_LINE_DOWN)
        rc = TT_E_CACHE_UNAVAILABLE;
    gate_report(&s->gate, rc ? tt_now_ns(s->clock) : now, rc, false);
    return rc;
}

typedef struct pending {
    tt_line *line;
    const tt_batch *batch;
    tt_answers *out;
    tt_ticket ticket;
} pending;

_Static_assert(sizeof(pending) <= sizeof(tt_cache_pending), "a pending call has its room");

int tt_link_start(tt_link_set *s, const tt_batch *batch, tt_answers *out, tt_cache_pending *p)
{
    pending *mine = (pending *)(void *)p->room;
    int rc = TT_LINE_DOWN;

    if (gate_allow(&s->gate, tt_now_ns(s->clock))) {
        tt_line *l = choose(s, batch);

        mine->line = l;
        mine->batch = batch;
        mine->out = out;
        atomic_fetch_add_explicit(&l->callers, 1, memory_order_relaxed);
        rc = tt_line_start(l, batch, out, &mine->ticket);
        if (rc) {
            atomic_fetch_sub_explicit(&l->callers, 1, memory_order_relaxed);
            gate_report(&s->gate, tt_now_ns(s->clock), rc, false);
        }
    }
    if (rc)
        out->ok = false;
    return rc == TT_LINE_DOWN ? TT_E_CACHE_UNAVAILABLE : rc;
}

int tt_link_finish(tt_link_set *s, tt_cache_pending *p, int64_t deadline_ns)
{
    pending *mine = (pending *)(void *)p->room;
    bool noscript = false;
    int rc = tt_line_finish(mine->line, &mine->ticket, deadline_ns, &noscript);

    if (rc == 0 && noscript && s->target.script.n)
        rc = tt_line_call(mine->line, mine->batch, s->target.script, deadline_ns, mine->out,
                          &noscript);
    atomic_fetch_sub_explicit(&mine->line->callers, 1, memory_order_relaxed);
    if (rc == TT_LINE_DOWN)
        rc = TT_E_CACHE_UNAVAILABLE;
    gate_report(&s->gate, tt_now_ns(s->clock), rc, false);
    return rc;
}

int tt_link_post(tt_link_set *s, const tt_batch *batch, tt_cache_done *done, void *done_ctx)
{
    tt_line *l = choose(s, batch);

    return is_up(l) ? tt_line_post(l, batch, done, done_ctx) : TT_E_CACHE_UNAVAILABLE;
}

/* ---- upkeep --------------------------------------------------------------------------------- */

void tt_link_tend(tt_link_set *s)
{
    for (int i = 0; i < s->options.connections; i++) {
        tt_line *l = &s->lines[i];
        int64_t now = tt_now_ns(s->clock);

        (void)tt_line_tend(l, 0);
        if (!is_up(l) && gate_allow(&s->gate, now))
            (void)open_line(s, l, now, INT64_MAX, NULL);
    }
}

bool tt_link_drain(tt_link_set *s, int64_t deadline_ns)
{
    for (;;) {
        bool rest = true;

        for (int i = 0; i < s->options.connections; i++)
            if (!tt_line_tend(&s->lines[i], TT_NS_PER_MS))
                rest = false;
        if (rest || tt_now_ns(s->clock) >= deadline_ns)
            return rest;
        (void)nanosleep(&(struct timespec){0, TT_NS_PER_MS / 5}, NULL);
    }
}

int tt_link_open(tt_link_set *s, int64_t deadline_ns, tt_error *err)
{
    int result = 0;

    for (int i = 0; i < s->options.connections; i++) {
        int rc = open_line(s, &s->lines[i], tt_now_ns(s->clock), deadline_ns, err);

        if (rc)
            result = rc;
    }
    return result;
}

bool tt_link_peer(tt_link_set *s, tt_cache_peer *out)
{
    for (int i = 0; i < s->options.connections; i++)
        if (tt_line_peer(&s->lines[i], out))
            return true;
    return false;
}

void tt_link_limit(tt_link_set *s, size_t reply_bytes_max)
{
    for (int i = 0; i < s->options.connections; i++)
        atomic_store_explicit(&s->lines[i].reply_bytes_max, tt_cache_reply_bytes(reply_bytes_max),
                              memory_order_relaxed);
}

static int cache_call(void *ctx, const tt_batch *batch, int64_t deadline_ns, tt_answers *out)
{
    return tt_link_call(ctx, batch, deadline_ns, out);
}

static int cache_post(void *ctx, const tt_batch *batch, tt_cache_done *done, void *done_ctx)
{
    return tt_link_post(ctx, batch, done, done_ctx);
}

static int cache_start(void *ctx, const tt_batch *batch, tt_answers *out, tt_cache_pending *p)
{
    return tt_link_start(ctx, batch, out, p);
}

static int cache_finish(void *ctx, tt_cache_pending *p, int64_t deadline_ns)
{
    return tt_link_finish(ctx, p, deadline_ns);
}

tt_cache tt_link_cache(tt_link_set *s)
{
    return (tt_cache){cache_call, cache_post, s, cache_start, cache_finish};
}

/* ---- making and freeing --------------------------------------------------------------------- */

static tt_link_options with_defaults(const tt_link_options *given)
{
    tt_link_options o = *given;

    if (!o.connections)
        o.connections = CONNECTIONS_DEFAULT;
    if (!o.large_bytes)
        o.large_bytes = LARGE_BYTES_DEFAULT;
    if (!o.post_bytes_max)
        o.post_bytes_max = POST_BYTES_DEFAULT;
    if (!o.queue_max)
        o.queue_max = QUEUE_DEFAULT;
    if (!o.connect_timeout_ms)
        o.connect_timeout_ms = CONNECT_MS_DEFAULT;
    if (!o.stall_ms)
        o.stall_ms = STALL_MS_DEFAULT;
    if (!o.breaker.failures)
        o.breaker = (tt_breaker_config){BREAKER_FAILURES, BREAKER_MIN_NS, BREAKER_MAX_NS};
    return o;
}

static bool copy_text(const tt_allocator *a, const char *from, const char **to)
{
    *to = from ? tt_strdup(a, from) : NULL;
    return !from || *to;
}

static bool copy_target(tt_link_set *s, const tt_cache_target *t)
{
    s->target =
        (tt_cache_target){.port = t->port, .db = t->db, .reply_bytes_max = t->reply_bytes_max};
    if (t->script.n) {
        s->target.script.p = tt_strndup(s->a, t->script.p, t->script.n);
        if (!s->target.script.p)
            return false;
        s->target.script.n = t->script.n;
    }
    return copy_text(s->a, t->host, &s->target.host) &&
           copy_text(s->a, t->socket, &s->target.socket) &&
           copy_text(s->a, t->user, &s->target.user) &&
           copy_text(s->a, t->password, &s->target.password);
}

static void free_text(const tt_allocator *a, const char *text)
{
    tt_del(a, (void *)(uintptr_t)text); /* ours, though the target says const */
}

static int init_lines(tt_link_set *s)
{
    int rc = 0;

    s->lines = tt_new_array(s->a, (size_t)s->options.connections, sizeof(*s->lines));
    if (!s->lines)
        return TT_E_NOMEM;
    for (int i = 0; i < s->options.connections && !rc; i++)
        rc = tt_line_init(&s->lines[i], s);
    return rc;
}

int tt_link_set_new(const tt_allocator *a, const tt_clock *clock, const tt_log_sink *log,
                    const tt_cache_target *target, const tt_link_options *options,
                    tt_link_set **out, tt_error *err)
{
    tt_link_set *s;

    if ((!target->host && !target->socket) || options->connections < 0 ||
        options->connections == 1 || options->connections > TT_LINK_CONNECTIONS_MAX ||
        options->queue_max > UINT32_C(1) << 20)
        return tt_fail(err, TT_E_ARGUMENT, "cache: options out of range");
    s = tt_new(a, sizeof(*s));
    if (!s)
        return tt_fail_nomem(err);
    s->a = a;
    s->clock = clock;
    s->log = log;
    s->options = with_defaults(options);
    gate_init(&s->gate, &s->options.breaker);
    if (!copy_target(s, target) || init_lines(s) != 0) {
        tt_link_set_free(s, false);
        return tt_fail_nomem(err);
    }
    *out = s;
    return 0;
}

void tt_link_set_free(tt_link_set *s, bool forked)
{
    if (!s)
        return;
    for (int i = 0; s->lines && i < s->options.connections; i++)
        tt_line_free(&s->lines[i], forked);
    tt_del(s->a, s->lines);
    free_text(s->a, s->target.host);
    free_text(s->a, s->target.socket);
    free_text(s->a, s->target.user);
    if (s->target.password)
        explicit_bzero((void *)(uintptr_t)s->target.password, strlen(s->target.password));
    free_text(s->a, s->target.password);
    free_text(s->a, s->target.script.p);
    if (!forked)
        (void)pthread_mutex_destroy(&s->gate.mu);
    tt_del(s->a, s);
}
