/* Any bytes as what the cache may hold: a tag with its marks, a barrier, an entry. Slices stay
 * within the text, and what is written is read back. */
#include "fuzz/fuzz.h"

#include "base/mem.h"
#include "core/barrier.h"
#include "core/entry.h"
#include "core/tag.h"

static void within(tt_str all, tt_str part)
{
    FUZZ_CHECK(part.n == 0 || (part.p >= all.p && part.p + part.n <= all.p + all.n));
}

static void check_tag(tt_str text)
{
    uint64_t now_ms;
    tt_mark mark;
    tt_tag tag;

    switch (tt_tag_parse_reply(text, &tag, &now_ms)) {
    case TT_TAG_NEWER:
        return;
    case TT_TAG_VALID:
        within(text, tag.version);
        within(text, tag.epoch);
        within(text, tag.barrier);
        break;
    case TT_TAG_ABSENT:
        break;
    }
    within(text, tag.marks);
    while (tt_mark_next(&tag.marks, &mark))
        within(text, mark.server);
}

static void check_barrier(tt_str text)
{
    tt_barrier b = tt_barrier_parse(text);
    tt_buf twice = tt_buf_init(&tt_allocator_libc);

    tt_barrier_merge(text, text, &twice);
    if (b.p)
        FUZZ_CHECK(tt_str_eq(tt_buf_str(&twice), TT_STR("P")));
    else
        FUZZ_CHECK(tt_str_eq(tt_buf_str(&twice), text) && tt_barrier_met(text, text));
    tt_buf_free(&twice);
}

static void check_entry(tt_str text)
{
    tt_buf again = tt_buf_init(&tt_allocator_libc);
    tt_entry e;

    if (tt_entry_parse(text, &e)) {
        tt_entry_write(&e, &again);
        FUZZ_CHECK(tt_str_eq(tt_buf_str(&again), text));
    }
    tt_buf_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    tt_str text = tt_str_n(data, size);

    check_tag(text);
    check_barrier(text);
    check_entry(text);
    return 0;
}
