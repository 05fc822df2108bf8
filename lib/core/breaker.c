#include "core/breaker.h"

#include "base/rng.h"

/* From, to. */
static const bool allowed[3][3] = {
    [TT_BREAKER_CLOSED] = {[TT_BREAKER_OPEN] = true},
    [TT_BREAKER_OPEN] = {[TT_BREAKER_HALF_OPEN] = true},
    [TT_BREAKER_HALF_OPEN] = {[TT_BREAKER_CLOSED] = true, [TT_BREAKER_OPEN] = true},
};

/* Three quarters of `ns`, and up to a quarter more. */
static int64_t with_jitter(tt_breaker *b, int64_t ns)
{
    return ns - (int64_t)(tt_splitmix64(&b->jitter) % (uint64_t)(ns / 4 + 1));
}

static int64_t later(int64_t now_ns, int64_t ns)
{
    return now_ns > INT64_MAX - ns ? INT64_MAX : now_ns + ns;
}

static int64_t back_off(const tt_breaker *b)
{
    if (b->open_ns == 0)
        return b->config.open_min_ns;
    if (b->open_ns > b->config.open_max_ns / 2)
        return b->config.open_max_ns;
    return b->open_ns * 2;
}

/* The only place where the state changes. */
static void move(tt_breaker *b, tt_breaker_state to, int64_t until_ns)
{
    TT_ASSERT(allowed[b->state][to]);
    b->n_opened += b->state == TT_BREAKER_CLOSED;
    b->state = to;
    b->failures = 0;
    b->until_ns = until_ns;
    if (to == TT_BREAKER_CLOSED)
        b->open_ns = 0;
}

static void open_up(tt_breaker *b, int64_t now_ns)
{
    b->open_ns = back_off(b);
    move(b, TT_BREAKER_OPEN, later(now_ns, with_jitter(b, b->open_ns)));
}

void tt_breaker_init(tt_breaker *b, const tt_breaker_config *config, uint64_t seed)
{
    TT_ASSERT(config->failures >= 1 && config->open_min_ns > 0 &&
              config->open_min_ns <= config->open_max_ns);
    *b = (tt_breaker){.config = *config, .state = TT_BREAKER_CLOSED, .jitter = seed};
}

bool tt_breaker_allow(tt_breaker *b, int64_t now_ns)
{
    if (b->state == TT_BREAKER_CLOSED)
        return true;
    if (now_ns < b->until_ns) {
        b->n_refused++;
        return false;
    }
    if (b->state == TT_BREAKER_OPEN)
        move(b, TT_BREAKER_HALF_OPEN, later(now_ns, b->open_ns));
    else
        b->until_ns = later(now_ns, b->open_ns);
    return true;
}

void tt_breaker_ok(tt_breaker *b, int64_t now_ns)
{
    if (b->state == TT_BREAKER_CLOSED)
        b->failures = 0;
    else if (b->state == TT_BREAKER_HALF_OPEN)
        move(b, TT_BREAKER_CLOSED, now_ns);
}

void tt_breaker_fail(tt_breaker *b, int64_t now_ns, bool refused)
{
    if (b->state == TT_BREAKER_OPEN)
        return;
    if (b->state == TT_BREAKER_CLOSED && !refused && b->failures + 1 < b->config.failures) {
        b->failures++;
        return;
    }
    open_up(b, now_ns);
}

void tt_breaker_unused(tt_breaker *b, int64_t now_ns)
{
    if (b->state == TT_BREAKER_HALF_OPEN)
        move(b, TT_BREAKER_OPEN, now_ns); /* the next call is the probe */
}
