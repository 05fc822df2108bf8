/* layout.h: what programs were compiled with stays as it is: the frozen structs on x86-64, the
 * numbers of the errors, and that every _INIT macro is an initializer in C and C++. */
#ifndef TT_TEST_LAYOUT_H
#define TT_TEST_LAYOUT_H

#include <stddef.h>
#include <twotier/twotier.h>

#ifdef __cplusplus
#define TT_HOLDS(condition) static_assert(condition, #condition)
#else
#define TT_HOLDS(condition) _Static_assert(condition, #condition)
#endif
#define TT_AT(type, member, offset) TT_HOLDS(offsetof(type, member) == (offset))

#if defined(__x86_64__) && defined(__LP64__)
TT_HOLDS(sizeof(tt_error) == 656);
TT_AT(tt_error, code, 0);
TT_AT(tt_error, server_errno, 4);
TT_AT(tt_error, sqlstate, 8);
TT_AT(tt_error, node, 14);
TT_AT(tt_error, message, 142);

TT_HOLDS(sizeof(tt_time) == 16);
TT_AT(tt_time, hours, 0);
TT_AT(tt_time, micros, 4);
TT_AT(tt_time, year, 8);
TT_AT(tt_time, month, 10);
TT_AT(tt_time, day, 11);
TT_AT(tt_time, minutes, 12);
TT_AT(tt_time, seconds, 13);
TT_AT(tt_time, negative, 14);
TT_AT(tt_time, reserved, 15);

TT_HOLDS(sizeof(tt_value) == 24);
TT_AT(tt_value, type, 0);
TT_AT(tt_value, as, 8);
TT_AT(tt_value, as.bytes.p, 8);
TT_AT(tt_value, as.bytes.n, 16);

TT_HOLDS(sizeof(tt_completion) == 24);
TT_AT(tt_completion, user, 0);
TT_AT(tt_completion, result, 8);
TT_AT(tt_completion, code, 16);
TT_AT(tt_completion, reserved, 20);

TT_HOLDS(sizeof(tt_allocator) == 32);
TT_AT(tt_allocator, alloc, 0);
TT_AT(tt_allocator, resize, 8);
TT_AT(tt_allocator, release, 16);
TT_AT(tt_allocator, ctx, 24);

TT_HOLDS(sizeof(tt_clock) == 24);
TT_AT(tt_clock, monotonic_ns, 0);
TT_AT(tt_clock, realtime_ms, 8);
TT_AT(tt_clock, ctx, 16);

TT_HOLDS(sizeof(tt_log_sink) == 24);
TT_AT(tt_log_sink, write, 0);
TT_AT(tt_log_sink, ctx, 8);
TT_AT(tt_log_sink, level, 16);
#endif

/* Structs that may grow: `size` first, and what 0.1 had stays where it is. */
#define TT_GROWS(type, last, offset)                                                               \
    TT_AT(type, size, 0);                                                                          \
    TT_AT(type, last, offset)

#if defined(__x86_64__) && defined(__LP64__)
TT_GROWS(tt_begin_options, reserved, 12);
TT_GROWS(tt_commit_options, reserved, 12);
TT_GROWS(tt_invalidate_options, reserved, 12);
TT_GROWS(tt_write_info, position, 32);
TT_GROWS(tt_read_info, node, 40);
TT_GROWS(tt_read_options, reserved, 44);
TT_GROWS(tt_write_options, timeout_ms, 28);
TT_GROWS(tt_call_options, reserved, 20);
TT_GROWS(tt_queue_options, depth, 12);
TT_GROWS(tt_column, offsets, 48);
#endif

TT_HOLDS(TT_OK == 0 && TT_E_ARGUMENT == -1 && TT_E_CANCELLED == -26);
TT_HOLDS(TT_CLASS_NONE == 0 && TT_CLASS_DATA == 9);
TT_HOLDS(TT_TYPE_NULL == 0 && TT_TYPE_TIME == 9);
TT_HOLDS(TT_SOURCE_NONE == 0 && TT_SOURCE_PRIMARY == 4);
TT_HOLDS(TT_COHERENT == 0 && TT_EVENTUAL == 3);
TT_HOLDS(TT_INVALIDATED_NONE == 0 && TT_INVALIDATED_AT_COMMIT == 4);
TT_HOLDS(TT_WRITE_ONLY_THESE_TAGS == 1 && TT_WRITE_NO_TAGS == 2);

static inline size_t initializers(void)
{
    tt_error error = TT_ERROR_INIT;
    tt_begin_options begin = TT_BEGIN_OPTIONS_INIT;
    tt_commit_options commit = TT_COMMIT_OPTIONS_INIT;
    tt_invalidate_options invalidate = TT_INVALIDATE_OPTIONS_INIT;
    tt_write_info write_info = TT_WRITE_INFO_INIT;
    tt_read_info read_info = TT_READ_INFO_INIT;
    tt_read_options read = TT_READ_OPTIONS_INIT;
    tt_write_options write = TT_WRITE_OPTIONS_INIT;
    tt_call_options call = TT_CALL_OPTIONS_INIT;
    tt_queue_options queue = TT_QUEUE_OPTIONS_INIT;
    tt_column column = TT_COLUMN_INIT;

    return (size_t)error.code + begin.size + write_info.size + read_info.size + read.size +
           write.size + call.size + queue.size + column.size + commit.size + invalidate.size;
}

static inline tt_type values(void)
{
    tt_time t = {0, 0, 2026, 1, 1, 0, 0, 0, 0};
    tt_value all[] = {tt_null(),
                      tt_int(-1),
                      tt_uint(1),
                      tt_double(1),
                      tt_decimal("1"),
                      tt_text("x"),
                      tt_text_n("x", 1),
                      tt_blob("x", 1),
                      tt_bytes_of(TT_TYPE_TEXT, "x", 1),
                      tt_time_of(TT_TYPE_DATE, t)};

    return all[sizeof(all) / sizeof(all[0]) - 1].type;
}

#endif
