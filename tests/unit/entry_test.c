#include "unit/suite.h"

#include "base/mem.h"
#include "core/entry.h"

static tt_buf written(tt_stamp *stamp)
{
    tt_buf out = tt_buf_init(&tt_allocator_libc);
    tt_entry e = {.key = TT_STR("key"),
                  .as_of = TT_STR("aaaaaaaaaaaaaaaa@s:1"),
                  .payload = TT_STR("rows"),
                  .created_ms = 1,
                  .soft_ms = 2,
                  .hard_ms = 3,
                  .load_us = 4};

    tt_stamp_init(stamp, 3);
    for (int i = 0; i < 3; i++)
        tt_stamp_set(stamp, i, tt_str_n("0123456789abcdefgh" + i, TT_NONCE_BYTES));
    e.stamp = tt_stamp_str(stamp);
    tt_entry_write(&e, &out);
    ck_assert(!out.failed);
    return out;
}

START_TEST(comes_back_as_it_went)
{
    tt_stamp stamp;
    tt_buf text = written(&stamp);
    tt_entry e;

    ck_assert(tt_entry_parse(tt_buf_str(&text), &e));
    ck_assert(tt_str_eq(e.stamp, tt_stamp_str(&stamp)));
    ck_assert(tt_str_eq(tt_stamp_version(&stamp, 2), TT_STR("23456789abcdefgh")));
    ck_assert(tt_str_eq(e.key, TT_STR("key")));
    ck_assert(tt_str_eq(e.as_of, TT_STR("aaaaaaaaaaaaaaaa@s:1")));
    ck_assert(tt_str_eq(e.payload, TT_STR("rows")));
    ck_assert(e.created_ms == 1 && e.soft_ms == 2 && e.hard_ms == 3 && e.load_us == 4);
    tt_buf_free(&text);
}
END_TEST

START_TEST(damage_is_seen)
{
    tt_stamp stamp;
    tt_buf text = written(&stamp);
    tt_entry e;

    for (size_t i = 0; i < text.n; i++) {
        text.p[i] = (char)(text.p[i] ^ 1);
        ck_assert_msg(!tt_entry_parse(tt_buf_str(&text), &e), "byte %zu", i);
        text.p[i] = (char)(text.p[i] ^ 1);
        ck_assert_msg(!tt_entry_parse(tt_str_n(text.p, i), &e), "cut at %zu", i);
    }
    ck_assert(tt_entry_parse(tt_buf_str(&text), &e));
    tt_buf_free(&text);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("entry");

    tcase_add_test(t, comes_back_as_it_went);
    tcase_add_test(t, damage_is_seen);
    return suite_run("entry", t);
}
