#include "base/abi.h"

#include <stdint.h>
#include <string.h>

#include "base/err.h"

/* A struct of options will not get there; a size that was never set is likely to be above. */
#define SIZE_BYTES_MAX 4096

static size_t size_of(const void *p)
{
    size_t n;

    memcpy(&n, p, sizeof(n));
    return n;
}

int tt_abi_check(const void *out, tt_error *err)
{
    if (out && (size_of(out) < sizeof(size_t) || size_of(out) > SIZE_BYTES_MAX))
        return tt_fail(err, TT_E_ARGUMENT,
                       "a struct with `size` %zu: start it with its _INIT macro", size_of(out));
    return 0;
}

int tt_abi_take(void *into, size_t known, const void *from, tt_error *err)
{
    const unsigned char *bytes = from;
    size_t given;

    if (!from)
        return 0;
    if (tt_abi_check(from, err) != 0)
        return TT_E_ARGUMENT;
    given = size_of(from);
    for (size_t i = known; i < given; i++)
        if (bytes[i])
            return tt_fail(
                err, TT_E_UNSUPPORTED,
                "the program uses an option that this version of the library (which knows "
                "%zu bytes of options, %zu were given) does not have",
                known, given);
    memcpy((char *)into + sizeof(size_t), bytes + sizeof(size_t),
           TT_MIN(given, known) - sizeof(size_t));
    return 0;
}

void tt_abi_give(void *out, const void *from, size_t known)
{
    if (!out)
        return;
    memcpy((char *)out + sizeof(size_t), (const char *)from + sizeof(size_t),
           TT_MIN(size_of(out), known) - sizeof(size_t));
}
