/* twotier/query.h: reads, writes and invalidations.
 *
 * Tags say what a cached read depends on and what a write changes. They are names of 1 to
 * TT_TAG_MAX bytes without blanks and control characters ("subject:42", "subjects"), in the
 * configured namespace. A read is correct only if its tags cover what it depends on.
 *
 * A tag may be a pattern: `{1}` stands for the first bound value as text ("subject:{1}"), `{{` for
 * a brace. Use patterns on integers and keys: what is equal to the server need not be equal as text
 * ("Bob" and "bob", 1 and 01). Bytes that a tag cannot hold are written as %XX; a tag that would be
 * too long ends in a hash.
 *
 * Tags of tables: "table:<name>", for a table of another schema "table:<schema>.<name>", in lower
 * case; bytes of a name that a tag cannot hold, and "." and "%", are written as %XX. Without a
 * schema it is a table of database.schema, and the same tag as with that: clients of other schemas
 * that share the namespace meet it. A cached read without tags takes those of the tables in its
 * text; a write always adds those of the tables it changes, unless told otherwise. So a write to a
 * table invalidates every read that named no tags. Views count as tables of their own name, and
 * what triggers, cascades and stored routines touch is not in the text: name tags for these. Where
 * the tables cannot all be told (CALL, more than 16), a cached read or a write without tags of its
 * own is TT_E_STATEMENT.
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

/** Who served a read. */
typedef enum tt_source {
    TT_SOURCE_NONE = 0,
    TT_SOURCE_LOCAL,   /**< the cache in this process */
    TT_SOURCE_REDIS,   /**< the shared cache */
    TT_SOURCE_REPLICA, /**< a replica */
    TT_SOURCE_PRIMARY  /**< the primary */
} tt_source;

/** Where the rows of one read came from. `size` is set by TT_READ_INFO_INIT; the rest is written on
 * success only. */
typedef struct tt_read_info {
    size_t size;
    int32_t source; /**< tt_source */
    int32_t stale;  /**< 1: by the caller's leave, may be older than an acknowledged write */
    int32_t shared; /**< 1: a load that another read had begun was shared */
    int32_t reserved;
    int64_t age_ms;  /**< between the read at the database and the return of the call */
    const char *why; /**< in a few words; static memory */
    char node[TT_ERROR_NODE_MAX]; /**< host:port of the node, "" for the cache */
} tt_read_info;

#define TT_READ_INFO_INIT                                                                          \
    {                                                                                              \
        sizeof(tt_read_info), TT_SOURCE_NONE, 0, 0, 0, 0, NULL, ""                                 \
    }

/** What a read may return. */
typedef enum tt_consistency {
    TT_COHERENT = 0, /**< the promise G, and the session's own writes. Without cache and session: as
                        old as a replica may be (health.max_lag), and `stale` does not tell */
    TT_STRONG,       /**< from the primary, proven to be it, past the cache */
    TT_BOUNDED,      /**< at most `bound_ms` old. In this version TT_E_UNSUPPORTED */
    TT_EVENTUAL      /**< any replica, any entry: may be stale, and then says so */
} tt_consistency;

/** Options of a read; copied or used up before the call returns. */
typedef struct tt_read_options {
    size_t size;             /**< set by TT_READ_OPTIONS_INIT */
    const char *cache_class; /**< name of a class in cache.classes, or "" for cache.default_ttl:
                                  cache the result for that long. NULL: do not use the cache;
                                     tags are then TT_E_ARGUMENT. A result that depends on time,
                                     chance or who asks (NOW(), RAND()) is not kept, but its tags
                                     count: it is no older than their writes */
    const char *const *tags; /**< NULL: taken from the tables of the statement */
    size_t n_tags;           /**< 0: likewise */
    int32_t consistency;     /**< tt_consistency; TT_STRONG does not use the cache */
    int32_t bound_ms;        /**< of TT_BOUNDED; else 0 */
    int32_t timeout_ms;      /**< 0: database.query_timeout; at most 3600000. Covers everything */
    int32_t reserved;        /**< 0 */
} tt_read_options;

#define TT_READ_OPTIONS_INIT                                                                       \
    {                                                                                              \
        sizeof(tt_read_options), NULL, NULL, 0, TT_COHERENT, 0, 0, 0                               \
    }

/** Options of a write. */
typedef struct tt_write_options {
    size_t size;             /**< set by TT_WRITE_OPTIONS_INIT */
    const char *const *tags; /**< besides those of the tables that the statement changes */
    size_t n_tags;
    uint32_t flags;     /**< TT_WRITE_...; unknown bits: TT_E_ARGUMENT */
    int32_t timeout_ms; /**< as for reads */
} tt_write_options;

/** The tables' tags are not added: reads that named no tags may stay stale. */
#define TT_WRITE_ONLY_THESE_TAGS 1u
/** Invalidate nothing; with tags of its own TT_E_ARGUMENT. */
#define TT_WRITE_NO_TAGS 2u

#define TT_WRITE_OPTIONS_INIT                                                                      \
    {                                                                                              \
        sizeof(tt_write_options), NULL, 0, 0, 0                                                    \
    }

/** Read.
 * Served from the cache when the entry is proved current, else by a replica that has applied what
 * the tags and the session ask for, else by the primary. Tried on another node after a lost
 * connection.
 * @param session  may be NULL; an uncached read then waits for nobody's writes. In a
 *                 transaction the read runs inside it, uncached.
 * @param sql      one statement that only reads, zero-terminated, with `?` for parameters. In a
 *                 transaction also one that is not proved to (FOR UPDATE, functions of a session
 *                 or not known): outside it is for read.unproven to say.
 * @param params   n values, borrowed for the call; may be NULL when n is 0.
 * @param options  may be NULL: uncached and coherent.
 * @param out      on success one reference owned by the caller; give back with tt_result_free().
 * @param info     may be NULL.
 * @return 0, TT_E_STATEMENT (not proved to be a read), TT_E_SQL, TT_E_CONFLICT (a locking read in a
 *         transaction), TT_E_TIMEOUT, and of class unavailable when no node can serve it.
 * Any thread; of a session its own. Blocks up to the timeout. Cost: a hit is one round trip to
 * Redis; a routed read one to the database. Since 0.1. */
TT_API int tt_query_read(tt_client *client, tt_session *session, const char *sql,
                         const tt_value *params, size_t n, const tt_read_options *options,
                         tt_result **out, tt_read_info *info, tt_error *err);

/** Write: on the primary, and then invalidate. It is sent at most once.
 * @param session  may be NULL. In a transaction the write runs inside it, and its tags gather.
 * @param options  may be NULL: the tags of the statement's tables.
 * @param info     may be NULL; without it a success outside G (outstanding, deferred) goes unseen.
 * @return 0: see info->invalidated. TT_E_STATEMENT (not one statement that changes rows or the
 *         schema), TT_E_SQL, TT_E_CONSTRAINT, TT_E_CONFLICT, TT_E_CACHE_UNAVAILABLE (nothing was
 *         sent), TT_E_COMMIT_UNKNOWN.
 * Any thread; of a session its own. Blocks up to the timeout; settling an unknown outcome may take
 * up to another second. Cost: two round trips to Redis around the statement. Since 0.1. */
TT_API int tt_query_write(tt_client *client, tt_session *session, const char *sql,
                          const tt_value *params, size_t n, const tt_write_options *options,
                          tt_write_info *info, tt_error *err);

/** Options of an invalidation. */
typedef struct tt_invalidate_options {
    size_t size;        /**< set by TT_INVALIDATE_OPTIONS_INIT */
    int32_t timeout_ms; /**< 0: cache.timeout; at most 3600000 */
    int32_t reserved;   /**< 0 */
} tt_invalidate_options;

#define TT_INVALIDATE_OPTIONS_INIT                                                                 \
    {                                                                                              \
        sizeof(tt_invalidate_options), 0, 0                                                        \
    }

/** Invalidate tags after a change that did not go through this library. From then on reads of them
 * are filled from the primary until their history is known again.
 * @param options  may be NULL.
 * @return 0 (acknowledged, or there is no cache), TT_E_CACHE_UNAVAILABLE (it cannot be
 *         reached, or refuses), TT_E_TIMEOUT (it did not answer: unknown; safe to repeat).
 * Any thread. Blocks up to the timeout, in which it is tried again. One round trip. Since 0.1. */
TT_API int tt_invalidate_tags(tt_client *client, const char *const *tags, size_t n_tags,
                              const tt_invalidate_options *options, tt_error *err);

/** Invalidate every entry of the namespace: after a restore, or changes nobody can name tags for.
 * @return as tt_invalidate_tags, and TT_E_UNAVAILABLE (no primary is known).
 * Any thread. Blocks likewise. Constant time. Since 0.1. */
TT_API int tt_cache_clear(tt_client *client, const tt_invalidate_options *options, tt_error *err);

/** Make sure that the result is in the cache, as tt_query_read with options->cache_class would, and
 * drop it. What is not kept (see tt_read_options), or has no cache, is read all the same.
 * @return as tt_query_read. Any thread. Blocks. Since 0.1. */
TT_API int tt_warm(tt_client *client, const char *sql, const tt_value *params, size_t n,
                   const tt_read_options *options, tt_error *err);

/** Rows as they come, never cached: `rows` gets the next ones, at least one, borrowed for the call,
 * and returns 0 to go on; anything else ends the call, and is returned. It may not use the session.
 * `info` may be NULL. In this version TT_E_UNSUPPORTED. Since 0.1. */
TT_API int tt_query_stream(tt_client *client, tt_session *session, const char *sql,
                           const tt_value *params, size_t n, const tt_read_options *options,
                           int (*rows)(const tt_result *rows, void *ctx), void *ctx,
                           tt_read_info *info, tt_error *err);

/** A statement made ready: its text inspected, its options resolved once. Shared by threads. */
typedef struct tt_statement tt_statement;

/** Make a read or a write ready.
 * @param sql      copied.
 * @param options  copied; NULL for the defaults.
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

/** Options of one call of a statement. */
typedef struct tt_call_options {
    size_t size;         /**< set by TT_CALL_OPTIONS_INIT */
    int32_t timeout_ms;  /**< 0: the statement's */
    int32_t consistency; /**< -1: the statement's */
    int32_t bound_ms;    /**< of TT_BOUNDED; else 0 */
    int32_t reserved;    /**< 0 */
} tt_call_options;

#define TT_CALL_OPTIONS_INIT                                                                       \
    {                                                                                              \
        sizeof(tt_call_options), 0, -1, 0, 0                                                       \
    }

/** As tt_query_read and tt_query_write, without the inspection. TT_E_STATE when the statement was
 * made for the other. `call` and `info` may be NULL. Any thread. Blocks. Since 0.1. */
TT_API int tt_statement_read(const tt_statement *statement, tt_session *session,
                             const tt_value *params, size_t n, const tt_call_options *call,
                             tt_result **out, tt_read_info *info, tt_error *err);
TT_API int tt_statement_write(const tt_statement *statement, tt_session *session,
                              const tt_value *params, size_t n, const tt_call_options *call,
                              tt_write_info *info, tt_error *err);

/** Read with many sets of parameters at once: one round trip to the cache for all of them. `params`
 * holds n_sets * n values; out[i] is the result of set i and info[i] says where it came from (may
 * be NULL; all of one `size`), and on failure none is written. In this version TT_E_UNSUPPORTED.
 * Since 0.1. */
TT_API int tt_query_read_many(const tt_statement *statement, tt_session *session,
                              const tt_value *params, size_t n, size_t n_sets,
                              const tt_call_options *call, tt_result **out, tt_read_info *info,
                              tt_error *err);

#ifdef __cplusplus
}
#endif
#endif
