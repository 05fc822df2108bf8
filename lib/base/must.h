/* must.h: fallible functions whose result must be used, and assertions. */
#ifndef TT_BASE_MUST_H
#define TT_BASE_MUST_H

#define TT_MUST __attribute__((warn_unused_result))
#define TT_PRINTF(fmt_index, first_arg) __attribute__((format(printf, fmt_index, first_arg)))

/* Invariants of this library; on in every build but release (NDEBUG). */
#include <assert.h>
#ifdef NDEBUG
#define TT_ASSERT(cond) ((void)sizeof(!(cond))) /* read, never run */
#else
#define TT_ASSERT(cond) assert(cond)
#endif

#define TT_COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define TT_MIN(a, b) ((a) < (b) ? (a) : (b))
#define TT_MAX(a, b) ((a) > (b) ? (a) : (b))

#define TT_NS_PER_MS INT64_C(1000000)
#define TT_NS_PER_S INT64_C(1000000000)

#endif
