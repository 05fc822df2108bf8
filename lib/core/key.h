/* key.h: what a read and a tag are called in the cache.
 *
 * The key of a read is a canonical byte string: two reads share it only if they ask the same of the
 * server. Its hash names the entry; the bytes are kept in the entry and compared.
 *
 *   u8 TT_KEY_FORMAT
 *   namespace, schema, settings, normal form: u32 length, bytes each
 *   u32 number of values, then for each: u8 kind, u32 length, bytes       (all little-endian)
 *
 * Keys of the shared cache, as text:
 *   NAMESPACE:e:<32 hex digits of the hash>    entry
 *   NAMESPACE:t:<tag>                          tag
 *   NAMESPACE:term                             term
 */
#ifndef TT_CORE_KEY_H
#define TT_CORE_KEY_H

#include <twotier/error.h>

#include "base/buf.h"
#include "base/hash.h"

/* Raised with the format of entries and results: releases that differ in it never meet. */
#define TT_KEY_FORMAT 1

#define TT_KEY_NAMESPACE_MAX 64
#define TT_KEY_TERM_MAX (TT_KEY_NAMESPACE_MAX + sizeof(":term"))
#define TT_KEY_TAG_MAX 200

/* The kinds of a bound value: the same bytes of another kind are another value to the server. The
 * numbers are part of the format. */
typedef enum tt_key_kind {
    TT_KEY_NULL = 0,
    TT_KEY_INT = 1, /* decimal text, as are the other numbers */
    TT_KEY_UINT = 2,
    TT_KEY_DOUBLE = 3,
    TT_KEY_DECIMAL = 4,
    TT_KEY_TEXT = 5, /* the bytes themselves */
    TT_KEY_BLOB = 6,
    TT_KEY_DATE = 7, /* ISO text */
    TT_KEY_DATETIME = 8,
    TT_KEY_TIME = 9
} tt_key_kind;

typedef struct tt_key_value {
    tt_key_kind kind;
    tt_str bytes; /* borrowed; of TT_KEY_NULL empty */
} tt_key_value;

/* All of it borrowed. */
typedef struct tt_key_parts {
    tt_str name_space;
    tt_str schema;   /* the default schema of the connection */
    tt_str settings; /* what else can be seen in a result: character set, time zone, tags */
    tt_str normal;   /* tt_sql_normalize of the statement */
    const tt_key_value *values;
    size_t n_values;
} tt_key_parts;

/* Append the canonical bytes. 0; TT_E_LIMIT: a part of 4 GiB or more, nothing is appended;
 * TT_E_NOMEM (through out->failed). */
TT_MUST int tt_key_write(const tt_key_parts *parts, tt_buf *out);

/* Append the key text of an entry, a tag, the term; failure through out->failed. */
void tt_key_put_entry(tt_str name_space, tt_hash128 hash, tt_buf *out);
void tt_key_put_tag(tt_str name_space, tt_str tag, tt_buf *out);
void tt_key_term(const char *name_space, char out[TT_KEY_TERM_MAX]);

/* 1 to TT_KEY_NAMESPACE_MAX of [A-Za-z0-9_.-]. */
TT_MUST bool tt_namespace_valid(tt_str name_space);
/* 1 to TT_KEY_TAG_MAX bytes, no blank, no control character. */
TT_MUST bool tt_tag_valid(tt_str tag);

/* The name of a schema or a table as tags have it: ASCII letters in lower case; bytes that a tag
 * cannot hold, and those that mean something in one (".", "%"), as %XX. Into `out`, cut at `room`
 * (three times the name is enough); the bytes written. */
size_t tt_tag_name(tt_str name, char *out, size_t room);
/* Is it "table:<name>", without a schema? */
TT_MUST bool tt_tag_is_relative(tt_str tag);
/* Append such a tag with its schema (a tt_tag_name): what all clients of the namespace call it. */
void tt_tag_resolve(tt_str tag, tt_str schema, tt_buf *out);

/* A tag pattern: text in which {k} is the k-th bound value and {{ is a brace. Checks one for a
 * statement of `n_values` placeholders. 0; TT_E_ARGUMENT with what is wrong and where in `err`
 * (which may be NULL). */
TT_MUST int tt_tag_check(tt_str pattern, size_t n_values, tt_error *err);

/* Append the tag that a pattern stands for. Bytes of values that a tag cannot hold become %XX, NULL
 * is written so; a tag that would be too long is cut and ends in '~' and the hash of all of it. So
 * different values may share a tag, but never has one value two.
 * 0; TT_E_ARGUMENT as above, or the tag is empty; TT_E_NOMEM (through out->failed). */
TT_MUST int tt_tag_expand(tt_str pattern, const tt_key_value *values, size_t n_values, tt_buf *out,
                          tt_error *err);

#endif
