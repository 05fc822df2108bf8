/* rng.h: nonces. From the kernel in production, seeded in the simulation. */
#ifndef TT_BASE_RNG_H
#define TT_BASE_RNG_H

#include <stddef.h>
#include <stdint.h>

#include "base/must.h"

/* A source of random bytes; `fill` cannot fail (the kernel's generator does not, once started). */
typedef struct tt_rng {
    void (*fill)(void *ctx, void *out, size_t n);
    void *ctx;
} tt_rng;

/* getrandom(2): safe after fork, in any thread. */
extern const tt_rng tt_rng_kernel;

/* splitmix64: a small deterministic generator, for choices that need no secrecy and for tests.
 * Source: Steele, Lea, Flood, "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014. */
uint64_t tt_splitmix64(uint64_t *state);

/* A nonce: 96 random bits as 16 characters of [A-Za-z0-9_-], without a closing zero. */
#define TT_NONCE_BYTES 16
typedef struct tt_nonce {
    char c[TT_NONCE_BYTES];
} tt_nonce;

tt_nonce tt_nonce_new(const tt_rng *rng);

/* 96 given bits (12 bytes) in the same alphabet. */
tt_nonce tt_nonce_of(const unsigned char bits[12]);

#endif
