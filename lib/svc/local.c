#include "svc/local.h"

#include <pthread.h>
#include <stdalign.h>

#include "base/hash.h"

enum { SHARDS = TT_LOCAL_SHARDS, CACHE_LINE = 64 };

typedef struct shard {
    alignas(CACHE_LINE) pthread_mutex_t mu;
    tt_store store; /* guarded by mu */
} shard;

/* Immutable but for the shards. */
struct tt_local {
    const tt_allocator *a;
    const tt_clock *clock;
    void *block; /* of which this is the aligned part */
    tt_epoch epoch;
    shard shards[SHARDS];
};

/* ---- making and freeing ------------------------------------------------------------------------
 */

static tt_local *new_aligned(const tt_allocator *a)
{
    void *block = tt_new(a, sizeof(tt_local) + CACHE_LINE);
    tt_local *l;

    if (!block)
        return NULL;
    l = (void *)(((uintptr_t)block + CACHE_LINE - 1) & ~(uintptr_t)(CACHE_LINE - 1));
    l->block = block;
    return l;
}

int tt_local_new(const tt_allocator *a, const tt_clock *clock, const tt_rng *rng, size_t max_bytes,
                 tt_local **out)
{
    tt_local *l = new_aligned(a);
    tt_nonce epoch = tt_nonce_new(rng);
    int n = 0;

    if (!l)
        return TT_E_NOMEM;
    l->a = a;
    l->clock = clock;
    _Static_assert(sizeof(l->epoch.c) == sizeof(epoch.c), "an epoch is as long as a nonce");
    memcpy(l->epoch.c, epoch.c, sizeof(epoch.c));
    while (n < SHARDS && pthread_mutex_init(&l->shards[n].mu, NULL) == 0)
        tt_store_init(&l->shards[n++].store, a, l->epoch, max_bytes / SHARDS);
    if (n < SHARDS) {
        while (n > 0)
            (void)pthread_mutex_destroy(&l->shards[--n].mu);
        tt_del(a, l->block);
        return TT_E_NOMEM;
    }
    *out = l;
    return 0;
}

void tt_local_free(tt_local *l, bool forked)
{
    if (!l)
        return;
    for (int i = 0; i < SHARDS; i++) {
        if (forked && pthread_mutex_trylock(&l->shards[i].mu) != 0)
            continue;
        tt_store_free(&l->shards[i].store);
        if (!forked)
            (void)pthread_mutex_destroy(&l->shards[i].mu);
    }
    tt_del(l->a, l->block);
}

/* ---- asking ------------------------------------------------------------------------------------
 */

static tt_store *enter(void *ctx, tt_str key)
{
    tt_local *l = ctx;
    shard *s = &l->shards[tt_hash64(key) % SHARDS];

    (void)pthread_mutex_lock(&s->mu);
    return &s->store;
}

static void leave(void *ctx, tt_store *store)
{
    (void)ctx;
    (void)pthread_mutex_unlock(&TT_CONTAINER(store, shard, store)->mu);
}

int tt_local_call(tt_local *l, const tt_batch *batch, tt_answers *out)
{
    tt_store_door door = {enter, leave, l, l->epoch};

    out->ok = out->unsent = false;
    out->n = 0;
    if (batch->n < 1 || batch->n > TT_BATCH_MAX)
        return TT_E_ARGUMENT;
    tt_store_run(&door, batch, (uint64_t)(tt_now_ns(l->clock) / TT_NS_PER_MS), out);
    return out->ok ? 0 : TT_E_NOMEM;
}

int tt_local_post(tt_local *l, const tt_batch *batch, tt_cache_done *done, void *done_ctx)
{
    tt_answers answers = tt_answers_init(l->a);
    int rc = tt_local_call(l, batch, &answers);

    if (rc != TT_E_ARGUMENT && done)
        done(done_ctx, &answers);
    tt_buf_free(&answers.bytes);
    return rc == TT_E_ARGUMENT ? rc : 0;
}

tt_store_counters tt_local_count(tt_local *l)
{
    tt_store_counters sum = {0};

    for (int i = 0; i < SHARDS; i++) {
        shard *s = &l->shards[i];
        tt_store_counters one;

        (void)pthread_mutex_lock(&s->mu);
        one = s->store.count;
        (void)pthread_mutex_unlock(&s->mu);
        sum.entries += one.entries;
        sum.bytes += one.bytes;
        sum.evictions += one.evictions;
        sum.expirations += one.expirations;
    }
    return sum;
}

static int cache_call(void *ctx, const tt_batch *batch, int64_t deadline_ns, tt_answers *out)
{
    (void)deadline_ns;
    return tt_local_call(ctx, batch, out);
}

static int cache_post(void *ctx, const tt_batch *batch, tt_cache_done *done, void *done_ctx)
{
    return tt_local_post(ctx, batch, done, done_ctx);
}

tt_cache tt_local_cache(tt_local *l)
{
    return (tt_cache){cache_call, cache_post, l, NULL, NULL};
}
