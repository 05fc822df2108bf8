/* twotier/query.h: reads, writes and invalidations.
 *
 * Tags say what a cached read depends on and what a write changes. They are names of 1 to
 * TT_TAG_MAX bytes without blanks and control characters ("subject:42", "subjects"), in the
 * configured namespace. A read is correct only if its tags cover what it depends on. Where a call
 * gives none they are taken from the tables of the statement ("table:subjects"), for reads and
 * writes alike: then every write to a table invalidates every such read of it.
 */
#ifndef TWOTIER_QUERY_H
#define TWOTIER_QUERY_H

#include <twotier/client.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Longest tag in bytes, most tags of one call or transaction, longest statement in bytes. */
#define TT_TAG_MAX 200
#define TT_TAGS_PER_CALL_MAX 64
#define TT_SQL_MAX (1024u * 1024u)

/** What a read may return. */
typedef enum tt_consistency {
    TT_COHERENT = 0, /**< the promise G, and the session's own writes */
    TT_STRONG,       /**< from the primary, proven to be it, past the cache */
    TT_BOUNDED,      /**< at most `bound_ms` old. In this version TT_E_UNSUPPORTED */
    TT_EVENTUAL      /**< any replica, any entry: may be stale, and then says so */
} tt_consistency;

/** Options of a read; copied or used up before the call returns. */
typedef struct tt_read_options {
    size_t size;             /**< set by TT_READ_OPTIONS_INIT */
    const char *cache_class; /**< name of a class in cache.classes, or "" for cache.default_ttl:
                                  cache the result for that long. NULL: do not use the cache */
    const char *const *tags; /**< NULL: taken from the tables of the statement */
    size_t n_tags;           /**< 0: likewise */
    tt_consistency consistency;
    int bound_ms;   /**< of TT_BOUNDED */
    int timeout_ms; /**< 0: database.query_timeout; at most 3600000. Covers everything */
} tt_read_options;

#define TT_READ_OPTIONS_INIT                                                                       \
    {                                                                                              \
        sizeof(tt_read_options), NULL, NULL, 0, TT_COHERENT, 0, 0                                  \
    }

/** Options of a write. */
typedef struct tt_write_options {
    size_t size;             /**< set by TT_WRITE_OPTIONS_INIT */
    const char *const *tags; /**< what the write changes; the tables' own tags are not added */
    size_t n_tags;           /**< 0: taken from the tables of the statement, unless `no_tags` */
    int no_tags;             /**< 1: invalidate nothing */
    int timeout_ms;          /**< as for reads */
} tt_write_options;

#define TT_WRITE_OPTIONS_INIT                                                                      \
    {                                                                                              \
        sizeof(tt_write_options), NULL, 0, 0, 0                                                    \
    }

/** Read.
 * Served from the cache when the entry is proved current, else by a replica that has applied what
 * the tags and the session ask for, else by the primary. Tried on another node after a lost
 * connection.
 * @param session  may be NULL. In a transaction the read runs inside it, uncached.
 * @param sql      one statement that only reads, zero-terminated, with `?` for parameters.
 * @param params   n values, borrowed for the call; may be NULL when n is 0.
 * @param options  may be NULL: uncached and coherent.
 * @param out      on success one reference owned by the caller; give back with tt_result_free().
 * @return 0, TT_E_STATEMENT (not proved to be a read), TT_E_SQL, TT_E_TIMEOUT, and of class
 *         unavailable when no node can serve it.
 * Any thread; of a session its own. Blocks up to the timeout. Cost: a hit is one round trip to
 * Redis; a routed read one to the database. Since 0.1. */
TT_API int tt_query_read(tt_client *client, tt_session *session, const char *sql,
                         const tt_value *params, size_t n, const tt_read_options *options,
                         tt_result **out, tt_error *err);

/** Write: on the primary, and then invalidate. It is sent at most once.
 * @param session  may be NULL. In a transaction the write runs inside it, and its tags gather.
 * @param options  may be NULL: the tags of the statement's tables.
 * @param info     may be NULL.
 * @return 0: see info->invalidated. TT_E_STATEMENT (not one statement that changes rows or the
 *         schema), TT_E_SQL, TT_E_CONSTRAINT, TT_E_CONFLICT, TT_E_CACHE_UNAVAILABLE (nothing was
 *         sent), TT_E_COMMIT_UNKNOWN.
 * Any thread; of a session its own. Blocks up to the timeout; settling an unknown outcome may take
 * up to another second. Cost: two round trips to Redis around the statement. Since 0.1. */
TT_API int tt_query_write(tt_client *client, tt_session *session, const char *sql,
                          const tt_value *params, size_t n, const tt_write_options *options,
                          tt_write_info *info, tt_error *err);

/** Invalidate tags after a change that did not go through this library. From then on reads of them
 * are filled from the primary until their history is known again.
 * @return 0 (acknowledged), TT_E_CACHE_UNAVAILABLE, TT_E_TIMEOUT.
 * Any thread. Blocks up to timeout_ms (0: cache.timeout). One round trip. Since 0.1. */
TT_API int tt_invalidate_tags(tt_client *client, const char *const *tags, size_t n_tags,
                              int timeout_ms, tt_error *err);

/** Make sure that the result is in the cache, as tt_query_read with options->cache_class would, and
 * drop it. @return as tt_query_read. Any thread. Blocks. Since 0.1. */
TT_API int tt_warm(tt_client *client, const char *sql, const tt_value *params, size_t n,
                   const tt_read_options *options, tt_error *err);

/** Read the same statement with many sets of parameters: one round trip to Redis for all of them.
 * `params` holds n_sets * n values. In this version TT_E_UNSUPPORTED. Since 0.1. */
TT_API int tt_query_read_many(tt_client *client, tt_session *session, const char *sql,
                              const tt_value *params, size_t n, size_t n_sets,
                              const tt_read_options *options, tt_result **out, tt_error *err);

/** Rows as they come, never cached: `row` gets a one-row result, borrowed for the call, and returns
 * 0 to go on. In this version TT_E_UNSUPPORTED. Since 0.1. */
TT_API int tt_query_stream(tt_client *client, tt_session *session, const char *sql,
                           const tt_value *params, size_t n, const tt_read_options *options,
                           int (*row)(const tt_result *row, void *ctx), void *ctx, tt_error *err);

/** A statement made ready: its text inspected, its options resolved once. Shared by threads. */
typedef struct tt_statement tt_statement;

/** Prepare a read or a write. Tags may be patterns: `{1}` stands for the first bound value as text
 * ("subject:{1}"), `{{` for a brace.
 * @param sql, options  copied. Exactly one of the two options may be given; NULL for its defaults.
 * @param out  on success owned by the caller; free before the client is closed.
 * @return 0, TT_E_STATEMENT, TT_E_ARGUMENT (a pattern), TT_E_NOMEM.
 * Any thread. Never blocks: nothing is sent. Since 0.1. */
TT_API int tt_statement_new_read(tt_client *client, const char *sql, const tt_read_options *options,
                                 tt_statement **out, tt_error *err);
TT_API int tt_statement_new_write(tt_client *client, const char *sql,
                                  const tt_write_options *options, tt_statement **out,
                                  tt_error *err);
/** Free; NULL does nothing. Nobody may be using it. Since 0.1. */
TT_API void tt_statement_free(tt_statement *statement);

/** As tt_query_read and tt_query_write, without the inspection. TT_E_STATE when the statement was
 * made for the other. Any thread. Blocks. Since 0.1. */
TT_API int tt_statement_read(const tt_statement *statement, tt_session *session,
                             const tt_value *params, size_t n, tt_result **out, tt_error *err);
TT_API int tt_statement_write(const tt_statement *statement, tt_session *session,
                              const tt_value *params, size_t n, tt_write_info *info, tt_error *err);

#ifdef __cplusplus
}
#endif
#endif
