#include "core/entry.h"

#include "base/hash.h"

enum { FIXED_BYTES = 2 * 4 + 5 * 8, CHECKSUM_BYTES = 8, MAGIC_BYTES = 3, COUNT_BYTES = 3 };

void tt_stamp_init(tt_stamp *s, int count)
{
    TT_ASSERT(count >= 1 && count <= TT_TAGS_MAX + 1);
    s->c[0] = (char)('0' + count / 10);
    s->c[1] = (char)('0' + count % 10);
    s->c[2] = ' ';
    s->n = COUNT_BYTES + (size_t)count * TT_NONCE_BYTES;
    memset(s->c + COUNT_BYTES, 0, s->n - COUNT_BYTES);
}

void tt_stamp_set(tt_stamp *s, int index, tt_str version)
{
    TT_ASSERT(version.n == TT_NONCE_BYTES);
    memcpy(s->c + COUNT_BYTES + (size_t)index * TT_NONCE_BYTES, version.p, TT_NONCE_BYTES);
}

tt_str tt_stamp_version(const tt_stamp *s, int index)
{
    return tt_str_n(s->c + COUNT_BYTES + (size_t)index * TT_NONCE_BYTES, TT_NONCE_BYTES);
}

static uint64_t le64(const char *p)
{
    uint64_t v = 0;

    for (int i = 7; i >= 0; i--)
        v = v << 8 | (unsigned char)p[i];
    return v;
}

static uint32_t le32(const char *p)
{
    uint32_t v = 0;

    for (int i = 3; i >= 0; i--)
        v = v << 8 | (unsigned char)p[i];
    return v;
}

/* Length of the stamp at `s`, or 0 when there is none. */
static size_t stamp_length(tt_str s)
{
    size_t count;

    if (s.n < COUNT_BYTES || s.p[2] != ' ' || s.p[0] < '0' || s.p[0] > '9' || s.p[1] < '0' ||
        s.p[1] > '9')
        return 0;
    count = (size_t)(s.p[0] - '0') * 10 + (size_t)(s.p[1] - '0');
    return count ? COUNT_BYTES + count * TT_NONCE_BYTES : 0;
}

bool tt_entry_parse(tt_str value, tt_entry *out)
{
    const char *at, *end;
    size_t stamp, key, as_of;
    uint64_t payload;

    if (value.n < MAGIC_BYTES || memcmp(value.p, "E1 ", MAGIC_BYTES) != 0)
        return false;
    stamp = stamp_length(tt_str_n(value.p + MAGIC_BYTES, value.n - MAGIC_BYTES));
    if (stamp == 0 || value.n < MAGIC_BYTES + stamp + FIXED_BYTES + CHECKSUM_BYTES)
        return false;
    end = value.p + value.n - CHECKSUM_BYTES;
    if (le64(end) != tt_hash64(tt_str_n(value.p, value.n - CHECKSUM_BYTES)))
        return false;
    out->stamp = tt_str_n(value.p + MAGIC_BYTES, stamp);
    at = value.p + MAGIC_BYTES + stamp;
    key = le32(at);
    as_of = le32(at + 4);
    payload = le64(at + 8);
    out->created_ms = (int64_t)le64(at + 16);
    out->soft_ms = (int64_t)le64(at + 24);
    out->hard_ms = (int64_t)le64(at + 32);
    out->load_us = le64(at + 40);
    at += FIXED_BYTES;
    if ((uint64_t)key + as_of > (uint64_t)(end - at) ||
        payload != (uint64_t)(end - at) - key - as_of)
        return false;
    out->key = tt_str_n(at, key);
    out->as_of = tt_str_n(at + key, as_of);
    out->payload = tt_str_n(at + key + as_of, (size_t)payload);
    return true;
}

void tt_entry_write(const tt_entry *e, tt_buf *out)
{
    size_t start = out->n;

    (void)tt_buf_reserve(out, MAGIC_BYTES + e->stamp.n + FIXED_BYTES + e->key.n + e->as_of.n +
                                  e->payload.n + CHECKSUM_BYTES);
    tt_buf_put(out, "E1 ", MAGIC_BYTES);
    tt_buf_put_str(out, e->stamp);
    tt_buf_put_le32(out, (uint32_t)e->key.n);
    tt_buf_put_le32(out, (uint32_t)e->as_of.n);
    tt_buf_put_le64(out, e->payload.n);
    tt_buf_put_le64(out, (uint64_t)e->created_ms);
    tt_buf_put_le64(out, (uint64_t)e->soft_ms);
    tt_buf_put_le64(out, (uint64_t)e->hard_ms);
    tt_buf_put_le64(out, e->load_us);
    tt_buf_put_str(out, e->key);
    tt_buf_put_str(out, e->as_of);
    tt_buf_put_str(out, e->payload);
    if (!out->failed)
        tt_buf_put_le64(out, tt_hash64(tt_str_n(out->p + start, out->n - start)));
}
