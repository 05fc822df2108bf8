/* twotier/result.h: the rows of a read.
 *
 * A tt_result is immutable and reference-counted: it may be read from any thread, and lives until
 * its last reference is freed. Everything a getter points to belongs to the result. No function
 * here blocks or allocates. Rows and columns count from 0.
 */
#ifndef TWOTIER_RESULT_H
#define TWOTIER_RESULT_H

#include <twotier/error.h>
#include <twotier/value.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tt_result tt_result;

/** One more reference; returns `r`. Any thread. Since 0.1. */
TT_API tt_result *tt_result_ref(tt_result *r);
/** Give a reference back; NULL does nothing. Any thread, also after a fork and after the client was
 * closed. Since 0.1. */
TT_API void tt_result_free(tt_result *r);

/** Numbers of rows and columns. Since 0.1. */
TT_API size_t tt_result_rows(const tt_result *r);
TT_API size_t tt_result_columns(const tt_result *r);
/** Name of a column (NULL when there is no such column), and its type (TT_TYPE_NULL likewise).
 * Since 0.1. */
TT_API const char *tt_result_name(const tt_result *r, size_t column);
TT_API tt_type tt_result_type(const tt_result *r, size_t column);
/** Index of the first column of this name, compared without regard to ASCII case, or -1. Cost: one
 * comparison a column. Since 0.1. */
TT_API int tt_result_find(const tt_result *r, const char *name);

/** Is the value NULL? Also true when there is no such row or column. Since 0.1. */
TT_API int tt_result_is_null(const tt_result *r, size_t row, size_t column);

/** One value. Outputs are written on success only.
 * tt_result_int takes TT_TYPE_INT, and TT_TYPE_UINT up to INT64_MAX; tt_result_uint TT_TYPE_UINT,
 * and TT_TYPE_INT from 0; tt_result_double also both integers; tt_result_bytes TT_TYPE_TEXT,
 * TT_TYPE_BLOB, TT_TYPE_DECIMAL: bytes without a closing zero that counts, but one follows;
 * tt_result_time the three types of dates and times.
 * @return 0, TT_E_RANGE (no such row or column, or the value does not fit), TT_E_TYPE, TT_E_NULL.
 * Any thread. Constant time. Since 0.1. */
TT_API int tt_result_int(const tt_result *r, size_t row, size_t column, int64_t *out);
TT_API int tt_result_uint(const tt_result *r, size_t row, size_t column, uint64_t *out);
TT_API int tt_result_double(const tt_result *r, size_t row, size_t column, double *out);
TT_API int tt_result_bytes(const tt_result *r, size_t row, size_t column, const char **out,
                           size_t *size_bytes);
TT_API int tt_result_time(const tt_result *r, size_t row, size_t column, tt_time *out);

/** A whole column, as it lies in memory. Numbers, validity and offsets are laid out as Apache Arrow
 * does (columnar format, "Physical memory layout"); bytes are not quite: value r is the bytes from
 * offsets[r] up to offsets[r + 1] - 1, where a zero byte follows it. The pointers live as long as
 * the caller's reference to the result. `validity`: one bit a row, least significant first, 1 = not
 * NULL; NULL when no value is NULL. `values`: rows of 8 bytes little-endian (INT, UINT, DOUBLE), of
 * sizeof(tt_time) (dates and times), bytes (TEXT, BLOB, DECIMAL); NULL for TT_TYPE_NULL. `offsets`:
 * rows + 1, for bytes; else NULL. */
typedef struct tt_column {
    size_t size; /**< set by TT_COLUMN_INIT */
    tt_type type;
    const char *name;
    size_t rows;
    const uint8_t *validity;
    const void *values;
    const uint32_t *offsets;
} tt_column;

#define TT_COLUMN_INIT                                                                             \
    {                                                                                              \
        sizeof(tt_column), TT_TYPE_NULL, NULL, 0, NULL, NULL, NULL                                 \
    }

/** @return 0, TT_E_RANGE. Any thread. Constant time. Since 0.1. */
TT_API int tt_result_column(const tt_result *r, size_t column, tt_column *out);

#ifdef __cplusplus
}
#endif
#endif
