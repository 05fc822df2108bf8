#include "core/store_table.h"

#include "base/hash.h"

enum {
    BUCKETS_MIN = 64,
    SWEEP_BUCKETS = 2, /* a command */
    SLACK_MAX = 64,    /* bytes of a block left unused rather than allocated anew */
    MALLOC_BYTES = 16  /* what a general allocator spends on a block, about */
};

/* As Redis: proto-max-bulk-len. Lengths are kept in 32 bits. */
#define TEXT_MAX ((size_t)512 * 1024 * 1024)

static size_t block_size(size_t key_bytes, size_t value_max)
{
    return offsetof(tt_store_node, bytes) + key_bytes + value_max;
}

static size_t cost_of(size_t key_bytes, size_t value_max)
{
    return block_size(key_bytes, value_max) + MALLOC_BYTES;
}

static size_t cost(const tt_store_node *node)
{
    return cost_of(node->key_bytes, node->value_max);
}

static bool expired(const tt_store *s, const tt_store_node *node)
{
    return node->expires_ms && s->now_ms > node->expires_ms;
}

/* The lower half chooses among several stores (svc/local.c). */
static uint32_t hash_of(tt_str key)
{
    return (uint32_t)(tt_hash64(key) >> 32);
}

static tt_store_node **bucket(const tt_store *s, uint32_t hash)
{
    return &s->buckets[hash & (s->n_buckets - 1)];
}

/* ---- queues ------------------------------------------------------------------------------------
 */

static tt_store_queue *queue_of(tt_store *s, const tt_store_node *node)
{
    return node->is_tag ? &s->tags : &s->entries;
}

static void leave_queue(tt_store *s, tt_store_node *node)
{
    tt_store_queue *q = queue_of(s, node);

    if (tt_list_empty(&node->link))
        return;
    if (q->hand == &node->link)
        q->hand = node->link.next;
    tt_list_remove(&node->link);
    q->bytes -= cost(node);
}

/* At the young end; not at all when it has no expiry. */
static void enter_queue(tt_store *s, tt_store_node *node)
{
    tt_store_queue *q = queue_of(s, node);

    TT_ASSERT(tt_list_empty(&node->link));
    if (!node->expires_ms)
        return;
    tt_list_append(&q->list, &node->link);
    q->bytes += cost(node);
}

static tt_store_node *sieve(const tt_store *s, tt_store_queue *q)
{
    tt_link *at = q->hand;

    for (;; at = at->next) {
        tt_store_node *node;

        if (at == &q->list)
            continue;
        node = TT_CONTAINER(at, tt_store_node, link);
        if (!node->visited || expired(s, node)) {
            q->hand = at;
            return node;
        }
        node->visited = false;
    }
}

/* Entries first: an entry without its tags is of no use. But tags that nobody reads any more shall
 * not take the place of all entries: beyond half of the memory they go first. */
static bool evict(tt_store *s)
{
    bool any_entry = !tt_list_empty(&s->entries.list), any_tag = !tt_list_empty(&s->tags.list);

    if (!any_entry && !any_tag)
        return false;
    if (any_tag && (!any_entry || s->tags.bytes > s->max_bytes / 2))
        tt_store_drop(s, sieve(s, &s->tags));
    else
        tt_store_drop(s, sieve(s, &s->entries));
    s->count.evictions++;
    return true;
}

static bool make_room(tt_store *s, size_t bytes)
{
    if (bytes > s->max_bytes)
        return false;
    while (s->count.bytes > s->max_bytes - bytes)
        if (!evict(s))
            return false;
    return true;
}

/* ---- the table ---------------------------------------------------------------------------------
 */

static void move_all(tt_store *s, tt_store_node **buckets, size_t n_buckets)
{
    tt_store_node **old = s->buckets;
    size_t n_old = s->n_buckets;

    s->buckets = buckets;
    s->n_buckets = n_buckets;
    s->swept = 0;
    for (size_t i = 0; i < n_old; i++) {
        for (tt_store_node *node = old[i], *next; node; node = next) {
            tt_store_node **to = bucket(s, node->hash);

            next = node->next;
            node->next = *to;
            *to = node;
        }
    }
    tt_del(s->a, old);
}

/* Room for one more. A table that cannot grow serves on with longer chains. */
static tt_store_outcome grow(tt_store *s)
{
    size_t n = s->n_buckets ? s->n_buckets * 2 : BUCKETS_MIN;
    size_t more = (n - s->n_buckets) * sizeof(*s->buckets);
    tt_store_node **buckets;

    if (s->count.entries < s->n_buckets)
        return TT_STORE_DONE;
    if (!make_room(s, more))
        return s->n_buckets ? TT_STORE_DONE : TT_STORE_REFUSED;
    buckets = tt_new_array(s->a, n, sizeof(*buckets));
    if (!buckets)
        return s->n_buckets ? TT_STORE_DONE : TT_STORE_NOMEM;
    move_all(s, buckets, n);
    s->count.bytes += more;
    return TT_STORE_DONE;
}

tt_store_node *tt_store_find(tt_store *s, tt_str key)
{
    uint32_t hash = hash_of(key);
    tt_store_node *node = s->n_buckets ? *bucket(s, hash) : NULL;

    while (node && (node->hash != hash || !tt_str_eq(tt_str_n(node->bytes, node->key_bytes), key)))
        node = node->next;
    if (!node || !expired(s, node))
        return node;
    s->count.expirations++;
    tt_store_drop(s, node);
    return NULL;
}

void tt_store_drop(tt_store *s, tt_store_node *node)
{
    tt_store_node **at = bucket(s, node->hash);

    while (*at != node)
        at = &(*at)->next;
    *at = node->next;
    leave_queue(s, node);
    TT_ASSERT(s->count.entries > 0 && s->count.bytes >= cost(node));
    s->count.entries--;
    s->count.bytes -= cost(node);
    tt_del(s->a, node);
}

void tt_store_sweep(tt_store *s)
{
    for (size_t i = 0; i < SWEEP_BUCKETS && s->n_buckets; i++) {
        tt_store_node *node = s->buckets[s->swept++ & (s->n_buckets - 1)], *next;

        for (; node; node = next) {
            next = node->next;
            if (expired(s, node)) {
                s->count.expirations++;
                tt_store_drop(s, node);
            }
        }
    }
}

void tt_store_clear(tt_store *s)
{
    for (size_t i = 0; i < s->n_buckets; i++)
        while (s->buckets[i])
            tt_store_drop(s, s->buckets[i]);
    tt_del(s->a, s->buckets);
    s->count.bytes -= s->n_buckets * sizeof(*s->buckets);
    TT_ASSERT(s->count.bytes == 0 && s->count.entries == 0);
    s->buckets = NULL;
    s->n_buckets = 0;
}

/* ---- writing -----------------------------------------------------------------------------------
 */

/* The value is in its block, which is in no queue. */
static void write_value(tt_store *s, tt_store_node *node, tt_str value, uint64_t expires_ms)
{
    bool is_tag = value.n && value.p[0] == 'T';

    if (value.n)
        memcpy(node->bytes + node->key_bytes, value.p, value.n);
    node->value_bytes = (uint32_t)value.n;
    node->expires_ms = expires_ms;
    node->visited = node->visited && is_tag && node->is_tag; /* a filled lease is a new entry */
    node->is_tag = is_tag;
    enter_queue(s, node);
}

static tt_store_node *new_node(tt_store *s, tt_str key, uint32_t hash, size_t value_max)
{
    tt_store_node *node = tt_renew(s->a, NULL, block_size(key.n, value_max)), **at;

    if (!node)
        return NULL;
    memset(node, 0, offsetof(tt_store_node, bytes));
    if (key.n)
        memcpy(node->bytes, key.p, key.n);
    tt_list_init(&node->link);
    node->hash = hash;
    node->key_bytes = (uint32_t)key.n;
    node->value_max = (uint32_t)value_max;
    at = bucket(s, hash);
    node->next = *at;
    *at = node;
    s->count.entries++;
    s->count.bytes += cost(node);
    return node;
}

static tt_store_outcome add(tt_store *s, tt_str key, tt_str value, uint64_t expires_ms)
{
    tt_store_outcome rc = grow(s);
    tt_store_node *node;

    if (rc != TT_STORE_DONE)
        return rc;
    if (!make_room(s, cost_of(key.n, value.n)))
        return TT_STORE_REFUSED;
    node = new_node(s, key, hash_of(key), value.n);
    if (!node)
        return TT_STORE_NOMEM;
    write_value(s, node, value, expires_ms);
    return TT_STORE_DONE;
}

/* A block of another size; `old`, in no queue, is as it was unless TT_STORE_DONE. */
static tt_store_outcome replace(tt_store *s, tt_store_node *old, tt_str value, uint64_t expires_ms)
{
    tt_str key = tt_str_n(old->bytes, old->key_bytes);
    tt_store_node *node;

    if (value.n > old->value_max && !make_room(s, value.n - old->value_max))
        return TT_STORE_REFUSED;
    node = new_node(s, key, old->hash, value.n);
    if (!node)
        return TT_STORE_NOMEM;
    node->visited = old->visited;
    node->is_tag = old->is_tag;
    tt_store_drop(s, old);
    write_value(s, node, value, expires_ms);
    return TT_STORE_DONE;
}

tt_store_outcome tt_store_put(tt_store *s, tt_store_node *old, tt_str key, tt_str value,
                              uint64_t expires_ms)
{
    tt_store_outcome rc;

    if (key.n > TEXT_MAX || value.n > TEXT_MAX)
        return TT_STORE_REFUSED;
    if (!old)
        return add(s, key, value, expires_ms);
    leave_queue(s, old);
    if (value.n > old->value_max || old->value_max - value.n > SLACK_MAX) {
        rc = replace(s, old, value, expires_ms);
        if (rc == TT_STORE_DONE)
            return rc;
        if (value.n > old->value_max) {
            enter_queue(s, old);
            return rc;
        }
    }
    write_value(s, old, value, expires_ms);
    return TT_STORE_DONE;
}
