#include "base/rng.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

static void kernel_fill(void *ctx, void *out, size_t n)
{
    char *p = out;

    (void)ctx;
    while (n > 0) {
        ssize_t got = getrandom(p, n, 0);

        if (got < 0 && errno != EINTR)
            abort(); /* no kernel this library runs on refuses: a nonce that repeats breaks G */
        if (got > 0) {
            p += got;
            n -= (size_t)got;
        }
    }
}

const tt_rng tt_rng_kernel = {kernel_fill, NULL};

uint64_t tt_splitmix64(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

tt_nonce tt_nonce_new(const tt_rng *rng)
{
    unsigned char bits[12];

    rng->fill(rng->ctx, bits, sizeof(bits));
    return tt_nonce_of(bits);
}

tt_nonce tt_nonce_of(const unsigned char bits[12])
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
    tt_nonce out;

    for (int i = 0; i < 4; i++) {
        uint32_t v = (uint32_t)bits[3 * i] << 16 | (uint32_t)bits[3 * i + 1] << 8 | bits[3 * i + 2];

        for (int j = 0; j < 4; j++)
            out.c[4 * i + j] = alphabet[v >> (18 - 6 * j) & 63];
    }
    return out;
}
