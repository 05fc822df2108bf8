/* buf.h: bytes that grow. A failed append is remembered: write everything, then ask once. */
#ifndef TT_BASE_BUF_H
#define TT_BASE_BUF_H

#include "base/mem.h"
#include "base/str.h"

/* Owns `p`; free with tt_buf_free. After a failure `failed` is set, and appends do nothing. */
typedef struct tt_buf {
    const tt_allocator *a;
    char *p;
    size_t n;
    size_t cap;
    bool failed;
} tt_buf;

static inline tt_buf tt_buf_init(const tt_allocator *a)
{
    return (tt_buf){a, NULL, 0, 0, false};
}

void tt_buf_free(tt_buf *b);
/* Empty, keeping the memory; clears `failed`. */
void tt_buf_clear(tt_buf *b);
/* Room for `n` more bytes; false when there is none. */
bool tt_buf_reserve(tt_buf *b, size_t n);
/* tt_buf_put where there may be no room yet. */
void tt_buf_put_growing(tt_buf *b, const void *p, size_t n);

static inline void tt_buf_put(tt_buf *b, const void *p, size_t n)
{
    if (n == 0 || n > b->cap - b->n || b->failed) {
        tt_buf_put_growing(b, p, n);
        return;
    }
    memcpy(b->p + b->n, p, n);
    b->n += n;
}

static inline void tt_buf_put_str(tt_buf *b, tt_str s)
{
    tt_buf_put(b, s.p, s.n);
}

static inline void tt_buf_put_char(tt_buf *b, char c)
{
    tt_buf_put(b, &c, 1);
}

void tt_buf_puts(tt_buf *b, const char *s);
void tt_buf_put_u64(tt_buf *b, uint64_t v);
void tt_buf_printf(tt_buf *b, const char *fmt, ...) TT_PRINTF(2, 3);
/* Little-endian integers. */
void tt_buf_put_le32(tt_buf *b, uint32_t v);
void tt_buf_put_le64(tt_buf *b, uint64_t v);

static inline tt_str tt_buf_str(const tt_buf *b)
{
    return (tt_str){b->p, b->n};
}

/* With a closing zero that does not count; "" when empty; NULL after a failure. */
const char *tt_buf_cstr(tt_buf *b);
/* Hand the bytes over (may be NULL when empty); the buffer is empty afterwards. */
TT_MUST char *tt_buf_take(tt_buf *b, size_t *n);

#endif
