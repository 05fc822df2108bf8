/* layout.c: prints "struct member offset size" of the structs that the Python package declares, for
 * its test to compare. */
#include <stddef.h>
#include <stdio.h>
#include <twotier/twotier.h>

#define ALL(type) (void)printf("%s - 0 %zu\n", #type, sizeof(type))
#define MEMBER(type, member)                                                                       \
    (void)printf("%s %s %zu %zu\n", #type, #member, offsetof(type, member),                        \
                 sizeof(((type *)NULL)->member))
#define SHOW1(t, a) MEMBER(t, a)
#define SHOW3(t, a, b, c) SHOW1(t, a), SHOW1(t, b), SHOW1(t, c)
#define SHOW5(t, a, b, c, d, e) SHOW3(t, a, b, c), SHOW1(t, d), SHOW1(t, e)

int main(void)
{
    ALL(tt_error), SHOW5(tt_error, code, server_errno, sqlstate, node, message);
    ALL(tt_time), SHOW5(tt_time, hours, micros, year, month, day);
    SHOW3(tt_time, minutes, seconds, negative);
    ALL(tt_value), SHOW1(tt_value, type);
    (void)printf("tt_value value %zu %zu\n", offsetof(tt_value, as),
                 sizeof(((tt_value *)NULL)->as));
    ALL(tt_read_info), SHOW5(tt_read_info, size, source, stale, shared, age_ms);
    SHOW1(tt_read_info, why), SHOW1(tt_read_info, node);
    ALL(tt_read_options), SHOW3(tt_read_options, size, cache_class, tags);
    SHOW5(tt_read_options, n_tags, consistency, bound_ms, timeout_ms, reserved);
    ALL(tt_write_options), SHOW5(tt_write_options, size, tags, n_tags, flags, timeout_ms);
    ALL(tt_write_info), SHOW5(tt_write_info, size, affected_rows, insert_id, invalidated, position);
    ALL(tt_begin_options), SHOW1(tt_begin_options, size), SHOW1(tt_begin_options, timeout_ms);
    ALL(tt_commit_options), SHOW1(tt_commit_options, size), SHOW1(tt_commit_options, timeout_ms);
    ALL(tt_invalidate_options), SHOW1(tt_invalidate_options, size);
    SHOW1(tt_invalidate_options, timeout_ms);
    ALL(tt_column), SHOW5(tt_column, size, type, name, rows, validity);
    SHOW1(tt_column, values), SHOW1(tt_column, offsets);
    return 0;
}
