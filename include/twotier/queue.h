/* twotier/queue.h: the same calls for event loops: submit, wait for a descriptor, complete.
 *
 * Submitting never blocks. The work runs on threads of the queue: database client libraries have no
 * non-blocking prepared statements worth the name on both sides.
 */
#ifndef TWOTIER_QUEUE_H
#define TWOTIER_QUEUE_H

#include <twotier/query.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tt_queue tt_queue;

/** Most worker threads of a queue, and most operations submitted and not yet taken. */
#define TT_QUEUE_WORKERS_MAX 256
#define TT_QUEUE_DEPTH_MAX 65536

/** Options of a queue. */
typedef struct tt_queue_options {
    size_t size; /**< set by TT_QUEUE_OPTIONS_INIT */
    int workers; /**< threads; 0: 8 */
    int depth;   /**< operations submitted and not yet taken; 0: 1024 */
} tt_queue_options;

#define TT_QUEUE_OPTIONS_INIT                                                                      \
    {                                                                                              \
        sizeof(tt_queue_options), 0, 0                                                             \
    }

/** What became of an operation. Filled by tt_queue_next(). */
typedef struct tt_completion {
    size_t size;        /**< set by TT_COMPLETION_INIT */
    void *user;         /**< as submitted */
    int code;           /**< 0 or TT_E_... */
    tt_result *result;  /**< of a read that succeeded: one reference, the caller's; else NULL */
    tt_write_info info; /**< of a write that succeeded */
    tt_error error;     /**< of an operation that failed */
} tt_completion;

#define TT_COMPLETION_INIT                                                                         \
    {                                                                                              \
        sizeof(tt_completion), NULL, 0, NULL, TT_WRITE_INFO_INIT, TT_ERROR_INIT                    \
    }

/** A queue. @param options may be NULL. @return 0, TT_E_ARGUMENT, TT_E_NOMEM, TT_E_LIMIT (no thread
 * or descriptor can be had). Any thread. Starts its threads, with all signals blocked. Since 0.1.
 */
TT_API int tt_queue_new(tt_client *client, const tt_queue_options *options, tt_queue **out,
                        tt_error *err);
/** Free; operations not begun are dropped, those under way are waited for. NULL does nothing.
 * Results not taken are freed. Blocks for those under way. Since 0.1. */
TT_API void tt_queue_free(tt_queue *queue);

/** An eventfd(2), readable while completions wait to be taken: for poll, epoll, a foreign event
 * loop. Owned by the queue; not to be read or closed. Since 0.1. */
TT_API int tt_queue_fd(const tt_queue *queue);

/** Submit a read or a write: as tt_query_read and tt_query_write, with all arguments copied. A
 * session may have one operation under way at a time.
 * @return 0 (accepted: exactly one completion will come), TT_E_BUSY (depth reached, or the session
 * is in use), TT_E_ARGUMENT, TT_E_NOMEM. What is wrong with the statement comes as a completion.
 * Any thread. Never blocks. Since 0.1. */
TT_API int tt_queue_read(tt_queue *queue, tt_session *session, const char *sql,
                         const tt_value *params, size_t n, const tt_read_options *options,
                         void *user, tt_error *err);
TT_API int tt_queue_write(tt_queue *queue, tt_session *session, const char *sql,
                          const tt_value *params, size_t n, const tt_write_options *options,
                          void *user, tt_error *err);

/** Take one completion. @return 1 and *out, or 0 when there is none now. Any thread. Never blocks.
 * Since 0.1. */
TT_API int tt_queue_next(tt_queue *queue, tt_completion *out);

#ifdef __cplusplus
}
#endif
#endif
