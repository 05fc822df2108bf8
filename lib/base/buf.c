#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>

void tt_buf_free(tt_buf *b)
{
    tt_del(b->a, b->p);
    *b = tt_buf_init(b->a);
}

void tt_buf_clear(tt_buf *b)
{
    b->n = 0;
    b->failed = false;
}

bool tt_buf_reserve(tt_buf *b, size_t n)
{
    size_t cap = b->cap ? b->cap : 64;
    char *p;

    if (b->failed || n > SIZE_MAX / 2 - b->n)
        goto fail;
    if (b->n + n <= b->cap)
        return true;
    while (cap < b->n + n)
        cap *= 2;
    p = tt_renew(b->a, b->p, cap);
    if (!p)
        goto fail;
    b->p = p;
    b->cap = cap;
    return true;
fail:
    b->failed = true;
    return false;
}

void tt_buf_put_growing(tt_buf *b, const void *p, size_t n)
{
    if (n == 0 || !tt_buf_reserve(b, n))
        return;
    memcpy(b->p + b->n, p, n);
    b->n += n;
}

void tt_buf_puts(tt_buf *b, const char *s)
{
    tt_buf_put(b, s, strlen(s));
}

void tt_buf_put_u64(tt_buf *b, uint64_t v)
{
    char digits[20];
    size_t at = sizeof(digits);

    do
        digits[--at] = (char)('0' + v % 10);
    while ((v /= 10) != 0);
    tt_buf_put(b, digits + at, sizeof(digits) - at);
}

void tt_buf_printf(tt_buf *b, const char *fmt, ...)
{
    va_list args;
    int n;

    va_start(args, fmt);
    n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    if (n < 0 || !tt_buf_reserve(b, (size_t)n + 1))
        return;
    va_start(args, fmt);
    (void)vsnprintf(b->p + b->n, (size_t)n + 1, fmt, args);
    va_end(args);
    b->n += (size_t)n;
}

void tt_buf_put_le32(tt_buf *b, uint32_t v)
{
    unsigned char bytes[4];

    for (int i = 0; i < 4; i++)
        bytes[i] = (unsigned char)(v >> (8 * i));
    tt_buf_put(b, bytes, sizeof(bytes));
}

void tt_buf_put_le64(tt_buf *b, uint64_t v)
{
    tt_buf_put_le32(b, (uint32_t)v);
    tt_buf_put_le32(b, (uint32_t)(v >> 32));
}

const char *tt_buf_cstr(tt_buf *b)
{
    if (!tt_buf_reserve(b, 1))
        return NULL;
    b->p[b->n] = '\0';
    return b->p;
}

char *tt_buf_take(tt_buf *b, size_t *n)
{
    char *p = b->p;

    *n = b->n;
    b->p = NULL;
    b->n = b->cap = 0;
    return p;
}
