#include "unit/suite.h"

#include "core/tag.h"

#define V "0123456789abcdef"
#define E "EEEEEEEEEEEEEEEE"
#define N "nnnnnnnnnnnnnnnn"

START_TEST(kinds_of_text)
{
    static const struct {
        const char *text;
        tt_tag_kind kind;
    } rows[] = {
        {"", TT_TAG_ABSENT},
        {"T1", TT_TAG_ABSENT},
        {"T1 " V " " E " P", TT_TAG_VALID},
        {"T1 " V " " E " ?", TT_TAG_VALID},
        {"T1 " V " " E " ", TT_TAG_ABSENT},
        {"T1 " V " " E, TT_TAG_ABSENT},
        {"T1 " V "x" E " P", TT_TAG_ABSENT},
        {"T2 anything", TT_TAG_NEWER},
        {"T12 anything", TT_TAG_NEWER},
        {"T anything", TT_TAG_ABSENT},
        {"L1 " V " 01 " E, TT_TAG_ABSENT},
        {"T2 anything " N ",1,s,1", TT_TAG_NEWER},
    };
    tt_tag tag;

    ck_assert_int_eq(tt_tag_parse(tt_str_c(rows[_i].text), &tag), rows[_i].kind);
    ck_assert_int_eq(TT_COUNT(rows), 12);
}
END_TEST

START_TEST(parts_of_a_tag)
{
    tt_str text =
        TT_STR("T1 " V " " E " P " N ",17,id-1,42 bad " N ",x,id-1,1 " N ",18,id-2,7\n99");
    uint64_t now_ms = 0;
    tt_epoch epoch;
    tt_mark mark;
    tt_tag tag;

    memset(epoch.c, 'E', sizeof(epoch.c));
    ck_assert_int_eq(tt_tag_parse_reply(text, &tag, &now_ms), TT_TAG_VALID);
    ck_assert_uint_eq(now_ms, 99);
    ck_assert(tt_str_eq(tag.version, TT_STR(V)));
    ck_assert(tt_str_eq(tag.barrier, TT_STR("P")));
    ck_assert(tt_tag_of_epoch(&tag, epoch));
    epoch.c[3] = 'x';
    ck_assert(!tt_tag_of_epoch(&tag, epoch));
    ck_assert(tt_mark_next(&tag.marks, &mark));
    ck_assert_uint_eq(mark.deadline_ms, 17);
    ck_assert(tt_str_eq(mark.server, TT_STR("id-1")));
    ck_assert_uint_eq(mark.connection, 42);
    ck_assert(tt_mark_next(&tag.marks, &mark)); /* what is not valid is skipped */
    ck_assert_uint_eq(mark.connection, 7);
    ck_assert(!tt_mark_next(&tag.marks, &mark));
}
END_TEST

START_TEST(marks_without_a_tag)
{
    static const struct {
        const char *text;
        int marks;
    } rows[] = {
        {" " N ",1,s,1", 1},
        {" " N ",1,s,1 " N ",2,t,2", 2},
        {"", 0},
        {" ", 0},
        {N ",1,s,1", 0},
        {"  " N ",1,s,1", 0},
        {" " N ",1,s,1 ", 0},
        {" " N ",1,s,1 x", 0},
        {" " N ",1,s,1  " N ",1,s,1", 0},
        {" " N ",1,s,", 0},
        {" " N ",1,,1", 0},
        {" " N "n,1,s,1", 0},
        {" " N ",99999999999999999999,s,1", 0},
        {"x " N ",1,s,1", 0},
    };

    for (size_t i = 0; i < TT_COUNT(rows); i++) {
        tt_mark mark;
        tt_tag tag;
        int n = 0;

        ck_assert_int_eq(tt_tag_parse(tt_str_c(rows[i].text), &tag), TT_TAG_ABSENT);
        ck_assert_int_eq(tt_tag_has_mark(&tag, TT_STR(N)), rows[i].marks > 0);
        ck_assert(!tt_tag_has_mark(&tag, TT_STR("nnnn")));
        while (tt_mark_next(&tag.marks, &mark))
            n++;
        ck_assert_msg(n == rows[i].marks, "'%s': %d", rows[i].text, n);
    }
}
END_TEST

START_TEST(written_marks_are_read)
{
    tt_buf text = tt_buf_init(&tt_allocator_libc);
    tt_mark mark;
    tt_tag tag;

    tt_buf_puts(&text, "T1 " V " " E " P");
    tt_mark_write(TT_STR(N), UINT64_MAX, TT_STR("server"), TT_STR("7"), &text);
    tt_mark_write(TT_STR(V), 0, TT_STR("s"), TT_STR("8"), &text);
    ck_assert_int_eq(tt_tag_parse(tt_buf_str(&text), &tag), TT_TAG_VALID);
    ck_assert(tt_tag_has_mark(&tag, TT_STR(N)) && tt_tag_has_mark(&tag, TT_STR(V)));
    ck_assert(tt_mark_next(&tag.marks, &mark));
    ck_assert(mark.deadline_ms == UINT64_MAX && mark.connection == 7);
    ck_assert(tt_str_eq(mark.server, TT_STR("server")));
    ck_assert(tt_mark_next(&tag.marks, &mark) && mark.deadline_ms == 0 && mark.connection == 8);
    tt_buf_free(&text);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("tag");

    tcase_add_loop_test(t, kinds_of_text, 0, 12);
    tcase_add_test(t, marks_without_a_tag);
    tcase_add_test(t, written_marks_are_read);
    tcase_add_test(t, parts_of_a_tag);
    return suite_run("tag", t);
}
