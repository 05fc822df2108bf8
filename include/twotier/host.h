/* twotier/host.h: what the host program may hand to a client: memory, time, and a place for logs.
 */
#ifndef TWOTIER_HOST_H
#define TWOTIER_HOST_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Where a client gets its memory. All three are called from any thread, at the same time.
 * `alloc` returns NULL when there is none; `resize` follows realloc for a non-NULL `p`;
 * `release` is never called with NULL. The struct is copied and frozen. Libraries that this one
 * uses (hiredis, libyaml, the MySQL client) keep their own allocators. */
typedef struct tt_allocator {
    void *(*alloc)(void *ctx, size_t size_bytes);
    void *(*resize)(void *ctx, void *p, size_t size_bytes);
    void (*release)(void *ctx, void *p);
    void *ctx;
} tt_allocator;

/** The clocks of a client: `monotonic_ns` never goes back (durations, deadlines), `realtime_ms` is
 * the time of day since 1970 (ages shown to people). Called from any thread. The struct is copied
 * and frozen.
 */
typedef struct tt_clock {
    int64_t (*monotonic_ns)(void *ctx);
    int64_t (*realtime_ms)(void *ctx);
    void *ctx;
} tt_clock;

/** How much a log line matters. */
typedef enum tt_log_level {
    TT_LOG_ERROR = 1, /**< something is wrong and a person should look */
    TT_LOG_WARN = 2,  /**< something is degraded, and handled */
    TT_LOG_INFO = 3,  /**< a change of state worth a line: a node up, a primary found */
    TT_LOG_DEBUG = 4  /**< decisions, one line each */
} tt_log_level;

/** Where log lines go. `write` gets one line without a newline, never a secret and never a bound
 * value; it is called from any thread, never under a lock of the library, and may not call back
 * into the client. NULL `write`: no log (the default). The struct is copied and frozen. */
typedef struct tt_log_sink {
    void (*write)(void *ctx, tt_log_level level, const char *line);
    void *ctx;
    tt_log_level level; /**< lines above this level are not made at all */
} tt_log_sink;

#ifdef __cplusplus
}
#endif
#endif
