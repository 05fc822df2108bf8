/* twotier/observe.h: what the library does, and why. */
#ifndef TWOTIER_OBSERVE_H
#define TWOTIER_OBSERVE_H

#include <twotier/query.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Text for people (an indented list) or programs (JSON). */
typedef enum tt_format { TT_FORMAT_TEXT = 0, TT_FORMAT_JSON } tt_format;

/** A text made by the library. Owned by the caller; zero-terminated. */
typedef struct tt_document tt_document;
/** The text, and its length in bytes without the closing zero. Any thread. Since 0.1. */
TT_API const char *tt_document_text(const tt_document *document);
TT_API size_t tt_document_size(const tt_document *document);
/** Free; NULL does nothing. May outlive the client. Since 0.1. */
TT_API void tt_document_free(tt_document *document);

/** The state of nodes, pools and cache.
 * @return 0, TT_E_NOMEM.
 * Any thread. Never blocks for I/O. Since 0.1. */
TT_API int tt_client_status(tt_client *client, tt_format format, tt_document **out, tt_error *err);

/** All metrics in the text format of Prometheus (exposition format 0.0.4).
 * @return 0, TT_E_NOMEM.
 * Any thread. Never blocks for I/O. Since 0.1. */
TT_API int tt_metrics_render(tt_client *client, tt_document **out, tt_error *err);

/** What tt_query_read would do now, and why: the class of the statement, its key and tags and what
 * the cache holds for them, the nodes and why each would be refused, what would be waited for. For
 * a statement that writes: where it would go and what it would invalidate. Runs no statement; looks
 * at the cache once.
 * @return 0, TT_E_ARGUMENT, TT_E_NOMEM. What is wrong with the statement is part of the answer.
 * Any thread. Blocks up to cache.timeout. Since 0.1. */
TT_API int tt_explain(tt_client *client, tt_session *session, const char *sql,
                      const tt_value *params, size_t n, const tt_read_options *options,
                      tt_format format, tt_document **out, tt_error *err);

#ifdef __cplusplus
}
#endif
#endif
