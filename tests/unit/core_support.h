/* core_support.h: what tests of single steps of the core set up alike. */
#ifndef TT_TEST_CORE_SUPPORT_H
#define TT_TEST_CORE_SUPPORT_H

#include "unit/suite.h"

#include <string.h>

#include "base/mem.h"
#include "core/core.h"

static const tt_health_config steady_health = {
    .max_lag_ms = 1000, .stale_after_ms = 2000, .recover_ms = 0};

/* Of exactly sixteen characters. */
static inline tt_nonce nonce_of(const char *text)
{
    tt_nonce n;

    ck_assert_uint_eq(strlen(text), sizeof(n.c));
    memcpy(n.c, text, sizeof(n.c));
    return n;
}

static inline tt_epoch epoch_of(const char *text)
{
    tt_epoch e;

    ck_assert_uint_eq(strlen(text), sizeof(e.c));
    memcpy(e.c, text, sizeof(e.c));
    return e;
}

/* Always the same bytes. */
static inline void fill_alike(void *ctx, void *out, size_t n)
{
    (void)ctx;
    memset(out, 7, n);
}

/* Results that nobody counts. */
static inline void *retain_uncounted(void *result)
{
    return result;
}

static inline void release_uncounted(void *result)
{
    (void)result;
}

/* What a primary says, or a read-only node without a source. */
static inline tt_sample sample_of(const char *identity, bool read_only, int64_t sent_ns)
{
    return (tt_sample){.identity = tt_str_c(identity),
                       .applied = TT_STR("0-1-5"),
                       .family = TT_FAMILY_MARIADB,
                       .read_only = read_only,
                       .sent_ns = sent_ns};
}

/* Of the node in the first place, which is the primary of the term from now on. */
static inline void core_with_primary(tt_core *core, const tt_allocator *a, const tt_rng *rng,
                                     const tt_core_config *cfg, const char *term, int64_t now_ns)
{
    tt_sample s = sample_of("id-1", false, now_ns);

    tt_core_init(core, a, rng, cfg, &steady_health, retain_uncounted, release_uncounted);
    ck_assert_int_eq(tt_topology_add(&core->topology, "a", 1), 0);
    ck_assert_int_eq(tt_topology_sampled(&core->topology, 0, &s, now_ns), 0);
    ck_assert(tt_topology_adopt(&core->topology, nonce_of(term), TT_STR("id-1")));
}

#endif
