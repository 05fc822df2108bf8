/* Any bytes: refused, or read within bounds and, built again from what was read, the same table. */
#include <stdlib.h>

#include "core/columns.h"
#include "support/columns_put.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void same(const tt_columns *x, const tt_columns *y)
{
    if (x->rows != y->rows || x->columns != y->columns)
        abort();
    for (size_t c = 0; c < x->columns; c++)
        for (size_t r = 0; r < x->rows; r++) {
            tt_value p = tt_columns_value(x, r, c), q = tt_columns_value(y, r, c);

            if (p.type != q.type)
                abort();
            if (p.type == TT_TYPE_TEXT || p.type == TT_TYPE_BLOB || p.type == TT_TYPE_DECIMAL) {
                if (!tt_str_eq(tt_str_n(p.as.bytes.p, p.as.bytes.n),
                               tt_str_n(q.as.bytes.p, q.as.bytes.n)))
                    abort();
            } else if (memcmp(&p.as, &q.as, sizeof(p.as)) != 0) {
                abort();
            }
        }
}

static int rebuild(const tt_columns *v, tt_columns_builder *b, tt_buf *out)
{
    int rc = tt_columns_builder_shape(b, v->columns);

    if (rc != 0)
        return rc;
    for (size_t c = 0; c < v->columns; c++)
        tt_columns_describe(b, c, tt_columns_type(v, c),
                            tt_str_n(tt_columns_name(v, c), v->column[c].name_size));
    for (size_t r = 0; r < v->rows; r++) {
        for (size_t c = 0; c < v->columns; c++) {
            tt_value x = tt_columns_value(v, r, c);

            columns_put(b, c, &x);
        }
        rc = tt_columns_end_row(b);
        if (rc != 0)
            return rc;
    }
    return tt_columns_finish(b, out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    tt_buf copy = tt_buf_init(&tt_allocator_libc), out = copy;
    tt_columns_builder b;
    tt_columns v, again;

    tt_buf_put(&copy, data, size); /* aligned */
    if (tt_columns_open(tt_buf_str(&copy), &v) == 0) {
        tt_columns_builder_init(&b, &tt_allocator_libc, (size_t)64 << 20);
        /* Sections that overlap make a table far larger than its bytes. */
        if (v.rows * v.columns < 100000 && rebuild(&v, &b, &out) == 0) {
            if (tt_columns_open(tt_buf_str(&out), &again) != 0)
                abort();
            same(&v, &again);
        }
        tt_columns_builder_free(&b);
    }
    tt_buf_free(&copy);
    tt_buf_free(&out);
    return 0;
}
