/* columns_put.h: a value of any type into a table. */
#ifndef TT_TEST_COLUMNS_PUT_H
#define TT_TEST_COLUMNS_PUT_H

#include "core/columns.h"

static inline void columns_put(tt_columns_builder *b, size_t column, const tt_value *value)
{
    switch (value->type) {
    case TT_TYPE_NULL:
        tt_columns_put_null(b, column);
        break;
    case TT_TYPE_INT:
    case TT_TYPE_UINT:
    case TT_TYPE_DOUBLE:
        tt_columns_put_fixed(b, column, &value->as);
        break;
    case TT_TYPE_DATE:
    case TT_TYPE_DATETIME:
    case TT_TYPE_TIME:
        tt_columns_put_time(b, column, &value->as.t);
        break;
    default:
        tt_columns_put_bytes(b, column, tt_str_n(value->as.bytes.p, value->as.bytes.n));
        break;
    }
}

#endif
