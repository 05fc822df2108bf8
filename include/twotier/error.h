/* twotier/error.h: what can go wrong, and what the caller can do about it.
 *
 * Every function that can fail returns 0 or one of the negative codes below. The code says what
 * happened; its class says what to do. Details (the server's own number and text, the node) go to
 * an optional tt_error that the caller owns. Nothing is kept per thread.
 */
#ifndef TWOTIER_ERROR_H
#define TWOTIER_ERROR_H

#include <twotier/export.h>

#ifdef __cplusplus
extern "C" {
#endif

/** What a caller can act on. New values may be added: have a default case. In a transaction RETRY,
 * TIMEOUT, UNAVAILABLE and CONFLICT mean: the transaction is lost, run it again from its start. */
typedef enum tt_error_kind {
    TT_CLASS_NONE = 0,    /**< no error */
    TT_CLASS_USAGE,       /**< the call or its configuration is wrong: mend the program */
    TT_CLASS_MEMORY,      /**< out of memory: nothing was changed */
    TT_CLASS_RETRY,       /**< nothing was changed: the same call may succeed soon */
    TT_CLASS_TIMEOUT,     /**< the deadline passed; for a write: nothing was changed */
    TT_CLASS_UNAVAILABLE, /**< no node can serve the call now; nothing was changed */
    TT_CLASS_CONFLICT,    /**< another transaction was in the way: run the transaction again */
    TT_CLASS_UNKNOWN,     /**< a write may or may not have happened: read before trying again */
    TT_CLASS_INTERNAL,    /**< a defect of this library: please report it */
    TT_CLASS_DATA         /**< the data refused it: tell the user */
} tt_error_kind;

/* code, value, class, text. One row for each error, the order is the ABI. */
#define TT_ERROR_TABLE(X)                                                                          \
    X(TT_E_ARGUMENT, -1, TT_CLASS_USAGE, "an argument is not valid")                               \
    X(TT_E_NOMEM, -2, TT_CLASS_MEMORY, "out of memory")                                            \
    X(TT_E_CONFIG, -3, TT_CLASS_USAGE, "the configuration is not valid")                           \
    X(TT_E_UNSUPPORTED, -4, TT_CLASS_USAGE, "not supported by this version or build")              \
    X(TT_E_FORKED, -5, TT_CLASS_USAGE, "the handle was made before a fork: open one in the child") \
    X(TT_E_STATE, -6, TT_CLASS_USAGE, "the call does not fit the state of the handle")             \
    X(TT_E_STATEMENT, -7, TT_CLASS_USAGE, "the statement is of the wrong class for this call")     \
    X(TT_E_PARAMETERS, -8, TT_CLASS_USAGE, "the parameters do not fit the statement")              \
    X(TT_E_LIMIT, -9, TT_CLASS_USAGE, "a documented maximum was exceeded")                         \
    X(TT_E_SQL, -10, TT_CLASS_USAGE, "the server refused the statement")                           \
    X(TT_E_CONSTRAINT, -11, TT_CLASS_DATA, "a constraint of the table refused the row")            \
    X(TT_E_DENIED, -12, TT_CLASS_USAGE, "the server denied access")                                \
    X(TT_E_SCHEMA, -13, TT_CLASS_USAGE, "no such schema")                                          \
    X(TT_E_RANGE, -14, TT_CLASS_USAGE, "no such row or column, or the value does not fit")         \
    X(TT_E_TYPE, -15, TT_CLASS_USAGE, "the column has another type")                               \
    X(TT_E_NULL, -16, TT_CLASS_DATA, "the value is NULL")                                          \
    X(TT_E_TOKEN, -17, TT_CLASS_DATA, "the session token is not valid")                            \
    X(TT_E_BUSY, -18, TT_CLASS_RETRY, "too many callers are waiting")                              \
    X(TT_E_TIMEOUT, -19, TT_CLASS_TIMEOUT, "the deadline passed")                                  \
    X(TT_E_UNAVAILABLE, -20, TT_CLASS_UNAVAILABLE, "no database node can serve the call")          \
    X(TT_E_CACHE_UNAVAILABLE, -21, TT_CLASS_UNAVAILABLE,                                           \
      "the cache cannot be reached, and the write's policy is to fail")                            \
    X(TT_E_CONFLICT, -22, TT_CLASS_CONFLICT, "deadlock or lock wait timeout")                      \
    X(TT_E_COMMIT_UNKNOWN, -23, TT_CLASS_UNKNOWN, "the outcome of the write is unknown")           \
    X(TT_E_LOST, -24, TT_CLASS_RETRY, "the connection was lost before anything was changed")       \
    X(TT_E_INTERNAL, -25, TT_CLASS_INTERNAL, "internal error")                                     \
    X(TT_E_CANCELLED, -26, TT_CLASS_RETRY, "the queue was stopped before the call began")

#define TT_ERROR_ENUM_(code, value, kind, text) code = value,
/** The error codes; see TT_ERROR_TABLE for class and text of each. */
enum tt_error_code { TT_OK = 0, TT_ERROR_TABLE(TT_ERROR_ENUM_) };
#undef TT_ERROR_ENUM_

/** Longest message and node name, with the closing zero. Longer ones are cut. */
#define TT_ERROR_MESSAGE_MAX 512
#define TT_ERROR_NODE_MAX 128

/** Details of one failure. Owned by the caller, written only when a call fails; plain memory, no
 * free. May be NULL wherever it is taken. Frozen: it does not grow. */
typedef struct tt_error {
    int code;                           /**< TT_E_... */
    unsigned server_errno;              /**< the server's or client library's number, or 0 */
    char sqlstate[6];                   /**< SQLSTATE, or "" */
    char node[TT_ERROR_NODE_MAX];       /**< host:port of the node concerned, or "" */
    char message[TT_ERROR_MESSAGE_MAX]; /**< what was expected, what came, what to do */
} tt_error;

/** An empty tt_error. */
#define TT_ERROR_INIT                                                                              \
    {                                                                                              \
        0, 0, "", "", ""                                                                           \
    }

/** The class of a code; TT_CLASS_NONE for 0, TT_CLASS_INTERNAL for an unknown code.
 * Any thread. Never blocks, never fails. Since 0.1. */
TT_API tt_error_kind tt_error_class(int code);

/** The name ("TT_E_TIMEOUT") and the text of a code; never NULL, static memory.
 * Any thread. Never blocks, never fails. Since 0.1. */
TT_API const char *tt_error_name(int code);
TT_API const char *tt_error_text(int code);

#ifdef __cplusplus
}
#endif
#endif
