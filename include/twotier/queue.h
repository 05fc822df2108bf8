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

/** What became of an operation. Frozen: it does not grow. */
typedef struct tt_completion {
    void *user;        /**< as submitted */
    tt_result *result; /**< of a read that succeeded: one reference, the caller's; else NULL */
    int32_t code;      /**< 0 or TT_E_... */
    int32_t reserved;
} tt_completion;

/** A queue. @param options may be NULL. @return 0, TT_E_ARGUMENT, TT_E_NOMEM, TT_E_LIMIT (no thread
 * or descriptor can be had). Any thread. Starts its threads, with all signals blocked. Since 0.1.
 */
TT_API int tt_queue_new(tt_client *client, const tt_queue_options *options, tt_queue **out,
                        tt_error *err);
/** Take no more: later submissions get TT_E_STATE, operations not begun complete with
 * TT_E_CANCELLED; those under way go on. An open transaction whose next operation is cancelled is
 * doomed: roll it back. Any thread. Never blocks. Since 0.1. */
TT_API void tt_queue_stop(tt_queue *queue);
/** Stop, wait for what is under way, free. Completions not taken are lost, their results freed: to
 * have each, stop the queue and take until tt_queue_pending() is 0. NULL does nothing. Since 0.1.
 */
TT_API void tt_queue_free(tt_queue *queue);
/** Operations submitted and not yet taken. Any thread. Since 0.1. */
TT_API size_t tt_queue_pending(const tt_queue *queue);

/** An eventfd(2), readable while completions wait to be taken, level-triggered, made unreadable
 * when tt_queue_next() returns 0: for poll, epoll, a foreign event loop. Owned by the queue; not to
 * be read or closed. TT_E_ARGUMENT for NULL, TT_E_FORKED in the child of a fork. Since 0.1. */
TT_API int tt_queue_fd(const tt_queue *queue);

/** Submit: as the blocking calls of the same names, with statements, values and options copied; a
 * tt_statement must live until the completion. From the submission until its completion has been
 * taken a session belongs to the queue: other calls on it give TT_E_BUSY, and tt_session_free()
 * leaves it to the queue, which frees it after the operation. Timeouts count from the submission:
 * what is late before it begins is not sent.
 * @return 0 (accepted: exactly one completion will come), TT_E_BUSY (depth reached, or the session
 * is in use), TT_E_STATE (stopped), TT_E_ARGUMENT, TT_E_NOMEM. What is wrong with the statement
 *         comes as a completion.
 * Any thread. Never blocks. Since 0.1. */
TT_API int tt_queue_read(tt_queue *queue, tt_session *session, const char *sql,
                         const tt_value *params, size_t n, const tt_read_options *options,
                         void *user, tt_error *err);
TT_API int tt_queue_write(tt_queue *queue, tt_session *session, const char *sql,
                          const tt_value *params, size_t n, const tt_write_options *options,
                          void *user, tt_error *err);
TT_API int tt_queue_statement(tt_queue *queue, const tt_statement *statement, tt_session *session,
                              const tt_value *params, size_t n, const tt_call_options *call,
                              void *user, tt_error *err);
TT_API int tt_queue_begin(tt_queue *queue, tt_session *session, const tt_begin_options *options,
                          void *user, tt_error *err);
TT_API int tt_queue_commit(tt_queue *queue, tt_session *session, const tt_commit_options *options,
                           void *user, tt_error *err);
TT_API int tt_queue_rollback(tt_queue *queue, tt_session *session, void *user, tt_error *err);

/** Take one completion. @return 1 and *out, or 0 when there is none now; never negative.
 * @param read, write, err  may be NULL; filled as by the blocking call: `read` after a read that
 *        succeeded, `write` after a write or commit that did, `err` after a failure.
 * Any thread. Never blocks. Since 0.1. */
TT_API int tt_queue_next(tt_queue *queue, tt_completion *out, tt_read_info *read,
                         tt_write_info *write, tt_error *err);

#ifdef __cplusplus
}
#endif
#endif
