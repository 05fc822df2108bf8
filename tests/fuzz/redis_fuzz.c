/* Any bytes from a server: batches of one shape are read until the bytes end or the reader refuses
 * them. However the bytes are cut into pieces, the outcome is the same; and so it is, but for the
 * texts, for callers that have left. The first three bytes: GETs and marks; scripts, and whether a
 * script is loaded before and the time asked after; size of a piece. */
#include "fuzz/fuzz.h"

#include "drv/cache.h"

#define MAX_BYTES 4096

static void render(const tt_answers *a, tt_buf *text)
{
    size_t n = 0;

    FUZZ_CHECK(a->ok);
    for (int i = 0; i < a->n; i++) {
        const tt_reply *r = &a->replies[i];

        FUZZ_CHECK(r->kind == TT_REPLY_NIL || r->kind == TT_REPLY_TEXT ||
                   r->kind == TT_REPLY_ERROR || (r->kind == TT_REPLY_NONE && r->text.n == 0));
        n += r->text.n;
        tt_buf_put_u64(text, (uint64_t)r->kind);
        tt_buf_put_u64(text, r->text.n);
        tt_buf_put_str(text, r->text);
    }
    FUZZ_CHECK(n <= MAX_BYTES && n == a->bytes.n);
}

/* Batches completed; the last outcome goes to *got. */
static int read_all(const tt_cache_shape *shape, const uint8_t *data, size_t size, size_t piece,
                    bool wanted, tt_buf *text, int *got)
{
    tt_cache_reader *r = tt_cache_reader_new(&tt_allocator_libc, MAX_BYTES);
    tt_answers a = tt_answers_init(&tt_allocator_libc);
    int complete = 0;

    *got = 0;
    for (size_t at = 0; at < size && *got >= 0; at += piece) {
        tt_cache_feed(r, data + at, TT_MIN(piece, size - at));
        while ((*got = tt_cache_next(r, shape, wanted ? &a : NULL)) > 0) {
            complete++;
            tt_buf_put_u64(text, tt_cache_time_ms(r));
            if (wanted)
                render(&a, text);
        }
    }
    FUZZ_CHECK((*got < 0) == (*tt_cache_reason(r) != '\0'));
    tt_buf_free(&a.bytes);
    tt_cache_reader_free(r);
    return complete;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    tt_buf whole = tt_buf_init(&tt_allocator_libc), cut = whole;
    tt_cache_shape shape = {0};
    int got_whole, got_cut, got_dropped, n;
    size_t piece;

    if (size < 3)
        return 0;
    shape.n_gets = data[0] & 7;
    shape.n_marks = data[0] >> 3 & 7;
    shape.n = (unsigned char)(shape.n_gets + shape.n_marks + (data[1] & 7));
    shape.load = data[1] >> 7;
    shape.time = data[1] >> 6 & 1;
    for (int i = 0; i < shape.n; i++)
        shape.place[i] = (unsigned char)(shape.n - 1 - i);
    if (!shape.n)
        return 0;
    piece = data[2] % 64 + 1u;
    n = read_all(&shape, data + 3, size - 3, size, true, &whole, &got_whole);
    FUZZ_CHECK(n == read_all(&shape, data + 3, size - 3, piece, true, &cut, &got_cut));
    FUZZ_CHECK(got_whole == got_cut && tt_str_eq(tt_buf_str(&whole), tt_buf_str(&cut)));
    FUZZ_CHECK(n == read_all(&shape, data + 3, size - 3, piece, false, &cut, &got_dropped));
    FUZZ_CHECK(got_dropped == got_whole);
    tt_buf_free(&whole);
    tt_buf_free(&cut);
    return 0;
}
