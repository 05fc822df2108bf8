/* columns.h: the encoding of a result: what the driver writes, what Redis and the local cache keep,
 * and what tt_result reads in place.
 *
 * One flat buffer, little-endian, columnar in the manner of Apache Arrow ("Physical memory
 * layout"). Places are byte offsets from the start of the buffer; every section starts at a
 * multiple of 8 and is padded with zeros to one, so that a buffer at an aligned address can be read
 * in place.
 *
 *   at   size  header
 *    0      4  "TTC" and the version of this layout, '1'
 *    4      4  number of columns, 1 to TT_COLUMNS_MAX
 *    8      8  number of rows, below 2^32
 *   16      8  size of the whole buffer, below 2^32
 *   24   24*c  one descriptor for each column:
 *      at size
 *       0    4   type (tt_type)
 *       4    4   name: place of its bytes, which a zero follows
 *       8    4   name: size without that zero
 *      12    4   validity: place of a bitmap, one bit a row, least significant first, 1 = not NULL;
 *                0 when no value is NULL. A column of TT_TYPE_NULL has one, all zeros
 *      16    4   values: place of
 *                  INT, UINT, DOUBLE            rows * 8 bytes
 *                  DATE, DATETIME, TIME         rows * 16 bytes, a tt_time
 *                  DECIMAL, TEXT, BLOB          the values one after the other, a zero byte after
 *                                               each; NULL is stored as an empty value
 *                  NULL                         nothing, the place is 0
 *      20    4   offsets: place of (rows + 1) * 4 bytes for DECIMAL, TEXT, BLOB, otherwise 0: value
 * r starts at offset[r] of the values and ends, with its zero, before offset[r + 1]
 *    ..          sections
 *
 * The bytes of a reader come from Redis and are not trusted: tt_columns_open checks whatever the
 * getters rely on, and so they are in bounds whatever the bytes are. Bits beyond the last row,
 * padding, and the fields of dates are not checked. Sections may overlap: they are only read.
 */
#ifndef TT_CORE_COLUMNS_H
#define TT_CORE_COLUMNS_H

#include <twotier/error.h>
#include <twotier/value.h>

#include "base/buf.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the encoding is read in place: only little-endian machines are supported"
#endif

/* As many as the servers allow. */
#define TT_COLUMNS_MAX 4096
/* Below 4 GiB, so that a place is 4 bytes. */
#define TT_COLUMNS_BYTES_MAX ((size_t)UINT32_MAX - 7)
#define TT_COLUMNS_ALIGN 8

/* ---- reading ---- */

typedef struct tt_columns_header {
    char magic[4];
    uint32_t columns;
    uint64_t rows;
    uint64_t size;
} tt_columns_header;

typedef struct tt_columns_column {
    uint32_t type, name, name_size, validity, values, offsets;
} tt_columns_column;

/* A checked buffer, borrowed. */
typedef struct tt_columns {
    const char *bytes;
    const tt_columns_column *column;
    size_t columns, rows;
} tt_columns;

/* Check all of `bytes` and give a view of it. `bytes` must start at a multiple of TT_COLUMNS_ALIGN,
 * and outlive the view. 0, TT_E_ARGUMENT (not such a buffer, or not aligned). Cost: linear in
 * columns, and in the rows of columns with offsets. */
TT_MUST int tt_columns_open(tt_str bytes, tt_columns *view);

/* The getters are constant time and ask for a row and a column that exist. */
static inline tt_type tt_columns_type(const tt_columns *v, size_t column)
{
    TT_ASSERT(column < v->columns);
    return (tt_type)v->column[column].type;
}

static inline const char *tt_columns_name(const tt_columns *v, size_t column)
{
    TT_ASSERT(column < v->columns);
    return v->bytes + v->column[column].name;
}

/* The bitmap, or NULL when no value is NULL. */
static inline const uint8_t *tt_columns_validity(const tt_columns *v, size_t column)
{
    uint32_t at = v->column[column].validity;

    return at ? (const uint8_t *)v->bytes + at : NULL;
}

static inline bool tt_columns_is_null(const tt_columns *v, size_t row, size_t column)
{
    const uint8_t *bits;

    TT_ASSERT(column < v->columns && row < v->rows);
    bits = tt_columns_validity(v, column);
    return bits && !(bits[row / 8] >> (row % 8) & 1);
}

/* The values and offsets of a column as they lie; NULL where its type has none. */
static inline const void *tt_columns_values(const tt_columns *v, size_t column)
{
    uint32_t at = v->column[column].values;

    return at ? v->bytes + at : NULL;
}

static inline const uint32_t *tt_columns_offsets(const tt_columns *v, size_t column)
{
    uint32_t at = v->column[column].offsets;

    return at ? (const uint32_t *)(const void *)(v->bytes + at) : NULL;
}

/* One value, whatever its type: TT_TYPE_NULL when it is NULL; bytes point into the buffer and are
 * followed by a zero. */
tt_value tt_columns_value(const tt_columns *v, size_t row, size_t column);

/* ---- building ---- */

/* A column that grows. */
typedef struct tt_columns_grow {
    tt_type type;
    tt_buf name, values, offsets;
    tt_buf validity; /* empty until the first NULL */
} tt_columns_grow;

/* Takes rows one at a time and writes them out at once. Memory is kept from one result to the next.
 * Errors are remembered, like those of a tt_buf: put everything, then ask. */
typedef struct tt_columns_builder {
    const tt_allocator *a;
    tt_columns_grow *column;
    size_t columns;
    size_t rows;      /* complete ones */
    size_t used;      /* bytes of names and values so far: a lower bound of the size */
    size_t max_bytes; /* of the encoding */
    int failed;       /* 0, TT_E_NOMEM, TT_E_LIMIT */
} tt_columns_builder;

/* `max_bytes` 0: TT_COLUMNS_BYTES_MAX. Free with tt_columns_builder_free, which any builder that is
 * all zeros survives as well. */
void tt_columns_builder_init(tt_columns_builder *b, const tt_allocator *a, size_t max_bytes);
void tt_columns_builder_free(tt_columns_builder *b);
/* Make `n` columns, which tt_columns_describe then fills. 0, TT_E_LIMIT, TT_E_NOMEM. Drops the
 * columns there were. */
TT_MUST int tt_columns_builder_shape(tt_columns_builder *b, size_t n);
/* The name is copied. Not after the first row. */
void tt_columns_describe(tt_columns_builder *b, size_t column, tt_type type, tt_str name);
/* Drop the rows, keep the columns; buffers that one large result left behind are freed. */
void tt_columns_builder_clear(tt_columns_builder *b, size_t max_bytes);

/* The next value of a column. Each column takes one value, of its type or NULL, in every row. */
void tt_columns_put_null(tt_columns_builder *b, size_t column);
void tt_columns_put_fixed(tt_columns_builder *b, size_t column, const void *eight_bytes);
void tt_columns_put_time(tt_columns_builder *b, size_t column, const tt_time *t);
void tt_columns_put_bytes(tt_columns_builder *b, size_t column, tt_str bytes);
/* Room for a value of `n` bytes that the caller fills in before the next put; NULL when there is
 * none. */
char *tt_columns_put_room(tt_columns_builder *b, size_t column, size_t n);
/* The row is complete. 0, or the error that was remembered. */
TT_MUST int tt_columns_end_row(tt_columns_builder *b);

/* Append the encoding to `out`: in one step, so that an empty `out` owns no byte too many. (Read it
 * in place only where it starts at an aligned address.) The rows stay. 0, TT_E_LIMIT, TT_E_NOMEM.
 */
TT_MUST int tt_columns_finish(tt_columns_builder *b, tt_buf *out);

#endif
