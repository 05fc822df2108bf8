/* twotier/client.h: the client, and the sessions of those it serves.
 *
 * A process opens one tt_client and shares it between all its threads. A tt_session stands for one
 * logical user or request: it carries what that user has written, so that later reads see it, and
 * the open transaction. Calls may go without a session: they keep the promise G of the README all
 * the same; what they cannot have is a transaction, and uncached reads that wait for one's own
 * writes.
 *
 * Fork: a handle made before a fork cannot be used in the child. Every call there returns
 * TT_E_FORKED, but the frees, which touch no socket of the parent.
 * Exceptions: functions of results and documents go on working there, tt_queue_next gives 0.
 * Options: every struct of options or output that may grow begins with its `size`, set by its _INIT
 * macro. 0 gives TT_E_ARGUMENT. A smaller one than this library knows is from an older program:
 * missing members take their defaults, or are not written. A larger one is from a newer program:
 * the bytes beyond must be zero, else TT_E_UNSUPPORTED; of outputs they are not touched. A size
 * above 4096 is TT_E_ARGUMENT, and so are members named `reserved` that are not 0. Structs
 * without a `size` are frozen.
 * Codes: the comment of a function names those that a caller can do something about. Besides them
 * any may return TT_E_ARGUMENT (a NULL, a number out of range), TT_E_LIMIT, TT_E_NOMEM,
 * TT_E_UNSUPPORTED (what this version does not do yet) and TT_E_FORKED; what takes values
 * TT_E_PARAMETERS (too few, too many); what takes a session TT_E_BUSY while that belongs to a queue
 * and TT_E_STATE when its transaction must be rolled back; what asks the database TT_E_DENIED,
 * TT_E_SCHEMA, TT_E_BUSY (the pool or the primary has no room), TT_E_UNAVAILABLE, TT_E_LOST,
 * TT_E_TIMEOUT and TT_E_INTERNAL (an answer that no server gives). Callbacks must not throw, nor
 * jump out. Signals: the library installs no handler, changes no disposition, raises no SIGPIPE.
 */
#ifndef TWOTIER_CLIENT_H
#define TWOTIER_CLIENT_H

#include <twotier/config.h>
#include <twotier/error.h>
#include <twotier/result.h>
#include <twotier/value.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Longest timeout of a call, in milliseconds. */
#define TT_TIMEOUT_MS_MAX 3600000

typedef struct tt_client tt_client;
typedef struct tt_session tt_session;

/** Open a client: find the primary, look at every replica, connect to Redis if one is configured.
 * @param config  copied with its allocator, clock, log sink and secrets; may be freed at once.
 * @param out     on success owned by the caller; close with tt_client_close().
 * @return 0, TT_E_CONFIG, TT_E_UNAVAILABLE (no primary can be found), TT_E_DENIED, TT_E_SCHEMA (of
 *         an account with grants on other schemas alone the servers say TT_E_DENIED).
 *         A Redis that cannot be reached is no error: it is tried again in the background.
 * Any thread. Blocks up to database.connect_timeout for each node, in parallel. Starts a few
 * threads with all signals blocked. Since 0.1. */
TT_API int tt_client_open(const tt_config *config, tt_client **out, tt_error *err);

/** Close: ends the background work, closes every connection, frees the client. NULL does nothing.
 * No other call on the client may be running; its sessions, statements and queues must be freed
 * before. Results live on. Invalidations that are still outstanding are tried for up to one second
 * (one that is under way when it begins may take another two); what remains is left to the marks,
 * as after a crash. Blocks accordingly. In the child of a fork it only frees. Since 0.1. */
TT_API void tt_client_close(tt_client *client);

/** Take over what may change while running; the rest must be equal, or nothing is changed.
 * @return 0, TT_E_CONFIG (names the keys that cannot change while running).
 * Any thread. Never blocks for I/O. Since 0.1. */
TT_API int tt_client_reload(tt_client *client, const tt_config *config, tt_error *err);

/** Can the client serve reads and writes now? 0, or TT_E_UNAVAILABLE: no primary is known. For
 * probes of an orchestrator. Any thread. Never blocks for I/O. Since 0.1. */
TT_API int tt_client_ready(tt_client *client, tt_error *err);

/** A session. One thread at a time. Costs an allocation; holds a connection only in a transaction.
 * @return 0, TT_E_NOMEM.
 * Since 0.1. */
TT_API int tt_session_new(tt_client *client, tt_session **out, tt_error *err);
/** Free; an open transaction is rolled back. NULL does nothing. May block for the rollback, up to
 * database.query_timeout; never for a queue: a session that belongs to one is freed with its
 * operation. Since 0.1. */
TT_API void tt_session_free(tt_session *session);

/** Longest token, with the closing zero. */
#define TT_TOKEN_MAX 1024

/** What this session has written, as text of [A-Za-z0-9._~-], for a cookie, header or message, to
 * be taken up by tt_session_adopt() in any process of the same namespace. "" when it has written
 * nothing. Inside a transaction it is that from before. A token that would be too long becomes one
 * that sends reads to the primary. Take up only tokens that you signed or stored yourself: it holds
 * no secret but names of servers and counts of transactions, and a forged one makes reads bypass
 * the cache and load the primary.
 * @param out   written on success only.
 * @param size  room in bytes; TT_TOKEN_MAX always suffices.
 * @return 0, TT_E_RANGE (no room), TT_E_NOMEM.
 * The session's thread. Never blocks. Since 0.1. */
TT_API int tt_session_token(const tt_session *session, char *out, size_t size, tt_error *err);

/** Make later reads of this session see all that `token` stands for, besides its own. "" adds
 * nothing.
 * @return 0, TT_E_TOKEN (the session is as it was, and usable), TT_E_NOMEM.
 * The session's thread. Never blocks. Since 0.1. */
TT_API int tt_session_adopt(tt_session *session, const char *token, tt_error *err);

/** Options of a transaction. */
typedef struct tt_begin_options {
    size_t size;        /**< set by TT_BEGIN_OPTIONS_INIT */
    int32_t timeout_ms; /**< for the begin itself; 0: database.query_timeout; at most 3600000 */
    int32_t reserved;   /**< 0 */
} tt_begin_options;

#define TT_BEGIN_OPTIONS_INIT                                                                      \
    {                                                                                              \
        sizeof(tt_begin_options), 0, 0                                                             \
    }

/** Begin a transaction on the primary. Statements of the session run in it from then on: reads go
 * to its connection, past the cache; the tags of writes gather until the commit.
 *
 * A statement that fails with an error of class RETRY, TIMEOUT, UNAVAILABLE or CONFLICT dooms the
 * transaction: it is rolled back, nothing of it remains, and every later statement is refused with
 * TT_E_STATE until tt_rollback() or tt_commit(), which then rolls back and fails likewise. Errors
 * of class USAGE and DATA leave it open; those of class MEMORY may do either. No statement of a
 * session ever runs outside the transaction that the program believes it is in. Statements that end
 * a transaction by themselves (DDL, COMMIT, ...) are refused with TT_E_STATEMENT. A procedure that
 * commits inside gives TT_E_COMMIT_UNKNOWN and dooms the transaction: what came before is permanent
 * (after a lost reply: may be), and is invalidated in the background.
 * @param options  may be NULL.
 * @return 0, TT_E_STATE (one is open), TT_E_UNAVAILABLE, TT_E_TIMEOUT, TT_E_BUSY.
 * The session's thread. Blocks up to the timeout. Since 0.1. */
TT_API int tt_begin(tt_session *session, const tt_begin_options *options, tt_error *err);

/** 0: no transaction, 1: one is open, 2: it is doomed; TT_E_BUSY while the session belongs to a
 * queue; TT_E_FORKED in the child of a fork. The session's thread. Since 0.1. */
TT_API int tt_session_in_transaction(const tt_session *session);

/** What became of the invalidation of a write. */
typedef enum tt_invalidated {
    TT_INVALIDATED_NONE = 0,    /**< there was nothing to invalidate, or no cache */
    TT_INVALIDATED_DONE,        /**< acknowledged: the promise G holds from now on */
    TT_INVALIDATED_OUTSTANDING, /**< committed; Redis failed after the commit; being retried */
    TT_INVALIDATED_DEFERRED, /**< committed, with the tags in the primary's table; being retried */
    TT_INVALIDATED_AT_COMMIT /**< the write is part of a transaction: at its commit */
} tt_invalidated;

/** What a write did. `size` is set by TT_WRITE_INFO_INIT; the rest is written on success only. */
typedef struct tt_write_info {
    size_t size;
    uint64_t affected_rows;
    uint64_t insert_id;  /**< 0 when there is none */
    int32_t invalidated; /**< tt_invalidated: without looking, OUTSTANDING and DEFERRED go unseen */
    int32_t reserved;
    char position[96]; /**< of the commit, for people and logs: a GTID, or "" when unknown */
} tt_write_info;

/** An empty tt_write_info. */
#define TT_WRITE_INFO_INIT                                                                         \
    {                                                                                              \
        sizeof(tt_write_info), 0, 0, TT_INVALIDATED_NONE, 0, ""                                    \
    }

/** Options of a commit. */
typedef struct tt_commit_options {
    size_t size;        /**< set by TT_COMMIT_OPTIONS_INIT */
    int32_t timeout_ms; /**< 0: database.query_timeout; at most 3600000 */
    int32_t reserved;   /**< 0 */
} tt_commit_options;

#define TT_COMMIT_OPTIONS_INIT                                                                     \
    {                                                                                              \
        sizeof(tt_commit_options), 0, 0                                                            \
    }

/** Commit: marks the gathered tags, commits, invalidates. After success no cached read that starts
 * later, anywhere, whose tags meet those of the transaction, returns data older than it.
 * @param options  may be NULL.
 * @param info     may be NULL.
 * @return 0, TT_E_STATE (none is open, or it was doomed), TT_E_CACHE_UNAVAILABLE, TT_E_CONFLICT,
 *         TT_E_LOST, TT_E_TIMEOUT (all: certainly not committed), TT_E_COMMIT_UNKNOWN.
 * The transaction is over, but after an error of class usage other than TT_E_STATE. The session's
 * thread. Blocks up to the timeout. Since 0.1. */
TT_API int tt_commit(tt_session *session, const tt_commit_options *options, tt_write_info *info,
                     tt_error *err);

/** Roll back. Nothing is invalidated. 0 also when none is open. When the connection is lost the
 * server rolls back by itself: that is a success too.
 * The session's thread. Blocks up to database.query_timeout. Since 0.1. */
TT_API int tt_rollback(tt_session *session, tt_error *err);

/** Savepoints: set one, go back to it, forget it. Tags gathered since are kept: they invalidate too
 * much rather than too little. In this version TT_E_UNSUPPORTED.
 * @param name  1 to 64 letters, digits or `_`.
 * The session's thread. Since 0.1. */
TT_API int tt_savepoint(tt_session *session, const char *name, tt_error *err);
TT_API int tt_savepoint_rollback(tt_session *session, const char *name, tt_error *err);
TT_API int tt_savepoint_release(tt_session *session, const char *name, tt_error *err);

/** Run a function in a transaction, and again after a conflict. In this version TT_E_UNSUPPORTED.
 * @param body  returns 0 to commit; anything else rolls back, and is returned. May be called
 * several times: what it does outside the database must bear that.
 * @param options  may be NULL; the timeout covers all attempts.
 * The session's thread. Since 0.1. */
TT_API int tt_transaction(tt_session *session, int (*body)(tt_session *session, void *ctx),
                          void *ctx, const tt_begin_options *options, tt_write_info *info,
                          tt_error *err);

#ifdef __cplusplus
}
#endif
#endif
