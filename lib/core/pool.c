#include "core/pool.h"

#include "base/rng.h"

/* From, to. */
static const bool allowed[4][4] = {
    [TT_SLOT_NONE] = {[TT_SLOT_BUSY] = true},
    [TT_SLOT_BUSY] = {[TT_SLOT_IDLE] = true, [TT_SLOT_CLOSING] = true, [TT_SLOT_NONE] = true},
    [TT_SLOT_IDLE] = {[TT_SLOT_BUSY] = true, [TT_SLOT_CLOSING] = true},
    [TT_SLOT_CLOSING] = {[TT_SLOT_NONE] = true},
};

static int *count_of(tt_pool *p, tt_slot_state state)
{
    switch (state) {
    case TT_SLOT_BUSY:
        return &p->counts.busy;
    case TT_SLOT_IDLE:
        return &p->counts.idle;
    case TT_SLOT_CLOSING:
        return &p->counts.closing;
    case TT_SLOT_NONE:
        break;
    }
    return NULL;
}

static int total(const tt_pool *p)
{
    return p->counts.opening + p->counts.busy + p->counts.idle + p->counts.closing;
}

/* The only place where a slot changes its state, its list and the counts. */
static void move(tt_pool *p, tt_pool_slot *slot, tt_slot_state to)
{
    int *from_count = count_of(p, slot->state), *to_count = count_of(p, to);

    TT_ASSERT(allowed[slot->state][to]);
    tt_list_remove(&slot->link);
    if (from_count)
        --*from_count;
    if (to_count)
        ++*to_count;
    if (to == TT_SLOT_IDLE)
        tt_list_append(&p->idle, &slot->link);
    else if (to == TT_SLOT_CLOSING)
        tt_list_append(&p->closing, &slot->link);
    slot->state = to;
    TT_ASSERT(total(p) <= p->ceiling);
}

static tt_pool_slot *slot_of(tt_link *link)
{
    return TT_CONTAINER(link, tt_pool_slot, link);
}

/* After the maximum was lowered: those beyond it go as they come back, and do not come again. */
static bool is_surplus(const tt_pool *p)
{
    return total(p) - p->counts.closing > p->config.max;
}

static void lower_ceiling(tt_pool *p)
{
    p->ceiling = TT_MAX(p->config.max, total(p));
}

static bool is_old(const tt_pool *p, const tt_pool_slot *slot, int64_t now_ns)
{
    return slot->generation != p->generation || now_ns >= slot->expires_ns;
}

static void grant(tt_pool_request *r, tt_pool_verdict verdict, tt_pool_slot *slot)
{
    r->verdict = verdict;
    r->slot = slot;
}

static void grant_open(tt_pool *p, tt_pool_request *r, tt_pool_slot *close_first)
{
    grant(r, TT_POOL_OPEN, close_first);
    r->generation = p->generation;
    p->counts.opening++;
    TT_ASSERT(total(p) <= p->ceiling);
}

/* The connection used last, or in its place a new one when it is too old. */
static void grant_idle(tt_pool *p, tt_pool_request *r, int64_t now_ns)
{
    tt_pool_slot *slot = slot_of(p->idle.prev);
    bool stale = now_ns - slot->idle_since_ns >= p->config.idle_check_ns;

    move(p, slot, TT_SLOT_BUSY);
    if (is_old(p, slot, now_ns)) {
        move(p, slot, TT_SLOT_NONE);
        p->counts.n_closed++;
        grant_open(p, r, slot);
        return;
    }
    grant(r, stale ? TT_POOL_CHECK : TT_POOL_USE, slot);
}

static bool try_grant(tt_pool *p, tt_pool_request *r, int64_t now_ns)
{
    if (!tt_list_empty(&p->idle))
        grant_idle(p, r, now_ns);
    else if (total(p) < p->config.max)
        grant_open(p, r, NULL);
    else
        return false;
    return true;
}

/* Something became free: to the head of the line, as long as there is anything. */
static void serve(tt_pool *p, int64_t now_ns)
{
    while (!tt_list_empty(&p->line)) {
        tt_pool_request *r = TT_CONTAINER(p->line.next, tt_pool_request, link);

        if (!try_grant(p, r, now_ns))
            return;
        tt_list_remove(&r->link);
        tt_list_append(&p->granted, &r->link);
        p->counts.waiting--;
    }
}

void tt_pool_init(tt_pool *p, const tt_pool_config *config, uint64_t seed)
{
    TT_ASSERT(config->max >= 1 && config->min >= 0 && config->min <= config->max);
    *p = (tt_pool){.config = *config, .ceiling = config->max, .generation = 1, .jitter = seed};
    tt_list_init(&p->idle);
    tt_list_init(&p->line);
    tt_list_init(&p->granted);
    tt_list_init(&p->closing);
}

void tt_pool_change(tt_pool *p, const tt_pool_config *config, int64_t now_ns)
{
    TT_ASSERT(config->max >= 1 && config->min >= 0 && config->min <= config->max);
    p->config = *config;
    while (is_surplus(p) && !tt_list_empty(&p->idle))
        move(p, slot_of(p->idle.next), TT_SLOT_CLOSING);
    lower_ceiling(p);
    serve(p, now_ns);
}

/* ---- callers ---- */

tt_pool_verdict tt_pool_acquire(tt_pool *p, tt_pool_request *r, int64_t now_ns)
{
    *r = (tt_pool_request){.verdict = TT_POOL_NONE};
    tt_list_init(&r->link);
    if (tt_list_empty(&p->line) && try_grant(p, r, now_ns))
        return r->verdict;
    if (p->counts.waiting >= p->config.max_waiters) {
        p->counts.n_refused++;
        r->verdict = TT_POOL_FULL;
        return r->verdict;
    }
    tt_list_append(&p->line, &r->link);
    p->counts.waiting++;
    p->counts.n_waited++;
    r->verdict = TT_POOL_WAIT;
    return r->verdict;
}

bool tt_pool_cancel(tt_pool *p, tt_pool_request *r)
{
    bool waited = r->verdict == TT_POOL_WAIT;

    tt_list_remove(&r->link);
    if (!waited)
        return false;
    p->counts.waiting--;
    p->counts.n_cancelled++;
    r->verdict = TT_POOL_NONE;
    return true;
}

/* ---- connections ---- */

static int64_t expiry(tt_pool *p, int64_t now_ns)
{
    int64_t life_ns = p->config.max_lifetime_ns;

    if (life_ns <= 0)
        return INT64_MAX;
    life_ns -= (int64_t)(tt_splitmix64(&p->jitter) % (uint64_t)(life_ns / 8 + 1));
    return now_ns > INT64_MAX - life_ns ? INT64_MAX : now_ns + life_ns;
}

static void opening_ends(tt_pool *p, const tt_pool_request *r)
{
    TT_ASSERT(r->verdict == TT_POOL_OPEN && p->counts.opening > 0);
    (void)r;
    p->counts.opening--;
}

void tt_pool_connected(tt_pool *p, const tt_pool_request *r, tt_pool_slot *slot, int64_t now_ns)
{
    TT_ASSERT(slot->state == TT_SLOT_NONE);
    opening_ends(p, r);
    tt_list_init(&slot->link);
    slot->dirty = false;
    slot->generation = r->generation;
    slot->expires_ns = expiry(p, now_ns);
    p->counts.n_opened++;
    move(p, slot, TT_SLOT_BUSY);
}

void tt_pool_failed(tt_pool *p, tt_pool_request *r, int64_t now_ns)
{
    opening_ends(p, r);
    grant(r, TT_POOL_NONE, NULL);
    p->counts.n_failed++;
    lower_ceiling(p);
    serve(p, now_ns);
}

void tt_pool_lost(tt_pool *p, tt_pool_request *r)
{
    TT_ASSERT(r->verdict == TT_POOL_USE || r->verdict == TT_POOL_CHECK);
    move(p, r->slot, TT_SLOT_NONE);
    p->counts.n_closed++;
    grant_open(p, r, r->slot);
}

void tt_pool_release(tt_pool *p, tt_pool_slot *slot, bool dirty, bool broken, int64_t now_ns)
{
    TT_ASSERT(slot->state == TT_SLOT_BUSY);
    slot->dirty = slot->dirty || dirty;
    slot->idle_since_ns = now_ns;
    if (broken || is_old(p, slot, now_ns) || is_surplus(p))
        move(p, slot, TT_SLOT_CLOSING);
    else
        move(p, slot, TT_SLOT_IDLE);
    serve(p, now_ns);
}

void tt_pool_evict(tt_pool *p)
{
    p->generation++;
    while (!tt_list_empty(&p->idle))
        move(p, slot_of(p->idle.next), TT_SLOT_CLOSING);
}

bool tt_pool_tend(tt_pool *p, tt_pool_request *r, int64_t now_ns)
{
    tt_link *next;

    for (tt_link *at = p->idle.next; at != &p->idle; at = next) {
        next = at->next;
        if (is_old(p, slot_of(at), now_ns))
            move(p, slot_of(at), TT_SLOT_CLOSING);
    }
    *r = (tt_pool_request){.verdict = TT_POOL_NONE};
    tt_list_init(&r->link);
    if (total(p) >= p->config.min || !tt_list_empty(&p->line))
        return false;
    grant_open(p, r, NULL);
    return true;
}

/* ---- what is to be done ---- */

tt_pool_request *tt_pool_next_granted(tt_pool *p)
{
    tt_link *link = tt_list_pop(&p->granted);

    return link ? TT_CONTAINER(link, tt_pool_request, link) : NULL;
}

tt_pool_slot *tt_pool_next_closing(tt_pool *p)
{
    tt_link *link = tt_list_pop(&p->closing);

    return link ? slot_of(link) : NULL;
}

void tt_pool_closed(tt_pool *p, tt_pool_slot *slot, int64_t now_ns)
{
    TT_ASSERT(slot->state == TT_SLOT_CLOSING);
    move(p, slot, TT_SLOT_NONE);
    p->counts.n_closed++;
    lower_ceiling(p);
    serve(p, now_ns);
}
