#include "core/columns.h"

/* Reading. The builder is in columns_build.c. */

static const char magic[4] = {'T', 'T', 'C', '1'};

_Static_assert(sizeof(tt_columns_header) == 24, "layout of the header");
_Static_assert(sizeof(tt_columns_column) == 24, "layout of a descriptor");
_Static_assert(sizeof(tt_time) == 16, "layout of dates and times");

/* Does a section of `n` items of `size` bytes lie within the buffer, aligned and after the header?
 * Nothing can overflow: n is below 2^32 + 1, size at most 16, at below 2^32. */
static bool fits(tt_str bytes, uint32_t at, uint64_t n, uint64_t size)
{
    return at >= sizeof(tt_columns_header) && at % TT_COLUMNS_ALIGN == 0 &&
           at + n * size <= bytes.n;
}

static bool name_ok(tt_str bytes, const tt_columns_column *c)
{
    uint64_t end = (uint64_t)c->name + c->name_size;

    return c->name >= sizeof(tt_columns_header) && end < bytes.n && bytes.p[end] == '\0';
}

static bool all_zero(const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (p[i])
            return false;
    return true;
}

/* Offsets ascend from 0 and every value has its zero. */
static bool variable_ok(tt_str bytes, const tt_columns_column *c, uint64_t rows)
{
    const char *values = bytes.p + c->values;
    const uint32_t *offset;
    uint64_t room;

    if (!fits(bytes, c->offsets, rows + 1, 4) || !fits(bytes, c->values, 0, 1))
        return false;
    offset = (const uint32_t *)(const void *)(bytes.p + c->offsets);
    room = bytes.n - c->values;
    if (offset[0] != 0)
        return false;
    for (uint64_t r = 0; r < rows; r++)
        if (offset[r + 1] <= offset[r] || offset[r + 1] > room || values[offset[r + 1] - 1] != '\0')
            return false;
    return true;
}

static bool column_ok(tt_str bytes, const tt_columns_column *c, uint64_t rows)
{
    uint64_t bitmap = (rows + 7) / 8;

    if (!name_ok(bytes, c) || (c->validity && !fits(bytes, c->validity, bitmap, 1)))
        return false;
    switch ((tt_type)c->type) {
    case TT_TYPE_NULL:
        return c->validity && c->values == 0 && c->offsets == 0 &&
               all_zero(bytes.p + c->validity, bitmap);
    case TT_TYPE_INT:
    case TT_TYPE_UINT:
    case TT_TYPE_DOUBLE:
        return c->offsets == 0 && fits(bytes, c->values, rows, 8);
    case TT_TYPE_DATE:
    case TT_TYPE_DATETIME:
    case TT_TYPE_TIME:
        return c->offsets == 0 && fits(bytes, c->values, rows, sizeof(tt_time));
    case TT_TYPE_DECIMAL:
    case TT_TYPE_TEXT:
    case TT_TYPE_BLOB:
        return variable_ok(bytes, c, rows);
    }
    return false;
}

int tt_columns_open(tt_str bytes, tt_columns *view)
{
    const tt_columns_header *h = (const void *)bytes.p;
    const tt_columns_column *column;

    if (bytes.n < sizeof(*h) || bytes.n > TT_COLUMNS_BYTES_MAX ||
        (uintptr_t)bytes.p % TT_COLUMNS_ALIGN != 0 || memcmp(h->magic, magic, sizeof(magic)) != 0)
        return TT_E_ARGUMENT;
    if (h->size != bytes.n || h->rows > UINT32_MAX || h->columns == 0 ||
        h->columns > TT_COLUMNS_MAX ||
        sizeof(*h) + h->columns * sizeof(tt_columns_column) > bytes.n)
        return TT_E_ARGUMENT;
    column = (const void *)(bytes.p + sizeof(*h));
    for (uint32_t i = 0; i < h->columns; i++)
        if (!column_ok(bytes, &column[i], h->rows))
            return TT_E_ARGUMENT;
    *view = (tt_columns){bytes.p, column, h->columns, (size_t)h->rows};
    return 0;
}

tt_value tt_columns_value(const tt_columns *v, size_t row, size_t column)
{
    tt_value out = tt_null();
    const uint64_t *fixed = tt_columns_values(v, column);
    const uint32_t *offset = tt_columns_offsets(v, column);

    if (tt_columns_is_null(v, row, column))
        return out;
    out.type = tt_columns_type(v, column);
    switch (out.type) {
    case TT_TYPE_NULL:
        break;
    case TT_TYPE_INT:
    case TT_TYPE_UINT:
    case TT_TYPE_DOUBLE:
        out.as.u = fixed[row]; /* the bits of whichever it is */
        break;
    case TT_TYPE_DATE:
    case TT_TYPE_DATETIME:
    case TT_TYPE_TIME:
        memcpy(&out.as.t, (const tt_time *)(const void *)fixed + row, sizeof(out.as.t));
        break;
    case TT_TYPE_DECIMAL:
    case TT_TYPE_TEXT:
    case TT_TYPE_BLOB:
        out.as.bytes.p = (const char *)fixed + offset[row];
        out.as.bytes.n = offset[row + 1] - offset[row] - 1;
        break;
    }
    return out;
}
