#include "core/result.h"

#include <stdatomic.h>

#include "base/abi.h"
#include "base/mem.h"
#include "core/columns.h"

struct tt_result {
    atomic_size_t refs;
    /* immutable once published */
    tt_allocator a; /* a copy: results outlive the client */
    char *bytes;    /* the encoding */
    size_t n;
    bool bytes_apart; /* in an allocation of their own, else behind this struct */
    tt_columns view;
};

/* Where the bytes start that share the allocation of the struct. */
#define BYTES_AT ((sizeof(tt_result) + TT_COLUMNS_ALIGN - 1) / TT_COLUMNS_ALIGN * TT_COLUMNS_ALIGN)

/* ---- making ---- */

static void fill(tt_result *r, const tt_allocator *a, char *bytes, size_t n)
{
    atomic_init(&r->refs, 1);
    r->a = *a;
    r->bytes = bytes;
    r->n = n;
    r->bytes_apart = false;
}

int tt_result_new(const tt_allocator *a, char *bytes, size_t n, tt_result **out)
{
    tt_columns view;
    tt_result *r;
    int rc = tt_columns_open((tt_str){bytes, n}, &view);

    if (rc != 0)
        return rc;
    r = a->alloc(a->ctx, sizeof(*r));
    if (!r)
        return TT_E_NOMEM;
    fill(r, a, bytes, n);
    r->bytes_apart = true;
    r->view = view;
    *out = r;
    return 0;
}

int tt_result_copy(const tt_allocator *a, tt_str encoded, tt_result **out)
{
    tt_result *r;
    char *bytes;
    int rc;

    if (encoded.n < sizeof(tt_columns_header) || encoded.n > TT_COLUMNS_BYTES_MAX)
        return TT_E_ARGUMENT;
    r = a->alloc(a->ctx, BYTES_AT + encoded.n);
    if (!r)
        return TT_E_NOMEM;
    bytes = (char *)r + BYTES_AT;
    memcpy(bytes, encoded.p, encoded.n);
    fill(r, a, bytes, encoded.n);
    rc = tt_columns_open((tt_str){bytes, encoded.n}, &r->view);
    if (rc != 0) {
        tt_del(a, r);
        return rc;
    }
    *out = r;
    return 0;
}

tt_str tt_result_encoded(const tt_result *r)
{
    return (tt_str){r->bytes, r->n};
}

tt_result *tt_result_ref(tt_result *r)
{
    if (r) {
        size_t before = atomic_fetch_add_explicit(&r->refs, 1, memory_order_relaxed);

        TT_ASSERT(before > 0 && before < SIZE_MAX);
        (void)before;
    }
    return r;
}

void tt_result_free(tt_result *r)
{
    tt_allocator a;
    size_t before;

    if (!r)
        return;
    /* What other threads read through their references happens before the memory is given back. */
    before = atomic_fetch_sub_explicit(&r->refs, 1, memory_order_acq_rel);
    TT_ASSERT(before > 0);
    if (before != 1)
        return;
    a = r->a;
    if (r->bytes_apart)
        tt_del(&a, r->bytes);
    tt_del(&a, r);
}

/* ---- shape ---- */

static bool has_column(const tt_result *r, size_t column)
{
    return r && column < r->view.columns;
}

static bool has_cell(const tt_result *r, size_t row, size_t column)
{
    return has_column(r, column) && row < r->view.rows;
}

size_t tt_result_rows(const tt_result *r)
{
    return r ? r->view.rows : 0;
}

size_t tt_result_columns(const tt_result *r)
{
    return r ? r->view.columns : 0;
}

const char *tt_result_name(const tt_result *r, size_t column)
{
    return has_column(r, column) ? tt_columns_name(&r->view, column) : NULL;
}

tt_type tt_result_type(const tt_result *r, size_t column)
{
    return has_column(r, column) ? tt_columns_type(&r->view, column) : TT_TYPE_NULL;
}

int tt_result_find(const tt_result *r, const char *name)
{
    tt_str wanted = tt_str_c(name);

    if (!r || !name)
        return -1;
    for (size_t i = 0; i < r->view.columns; i++)
        if (tt_str_eq_nocase(wanted,
                             tt_str_n(tt_columns_name(&r->view, i), r->view.column[i].name_size)))
            return (int)i;
    return -1;
}

/* ---- values ---- */

int tt_result_is_null(const tt_result *r, size_t row, size_t column)
{
    return !has_cell(r, row, column) || tt_columns_is_null(&r->view, row, column);
}

/* The value to read, or why there is none. */
static int cell(const tt_result *r, size_t row, size_t column, const void *out, tt_value *value)
{
    if (!out)
        return TT_E_ARGUMENT;
    if (!has_cell(r, row, column))
        return TT_E_RANGE;
    if (tt_columns_is_null(&r->view, row, column))
        return TT_E_NULL;
    *value = tt_columns_value(&r->view, row, column);
    return 0;
}

int tt_result_int(const tt_result *r, size_t row, size_t column, int64_t *out)
{
    tt_value v;
    int rc = cell(r, row, column, out, &v);

    if (rc != 0)
        return rc;
    if (v.type != TT_TYPE_INT && v.type != TT_TYPE_UINT)
        return TT_E_TYPE;
    if (v.type == TT_TYPE_UINT && v.as.u > INT64_MAX)
        return TT_E_RANGE;
    *out = v.as.i;
    return 0;
}

int tt_result_uint(const tt_result *r, size_t row, size_t column, uint64_t *out)
{
    tt_value v;
    int rc = cell(r, row, column, out, &v);

    if (rc != 0)
        return rc;
    if (v.type != TT_TYPE_INT && v.type != TT_TYPE_UINT)
        return TT_E_TYPE;
    if (v.type == TT_TYPE_INT && v.as.i < 0)
        return TT_E_RANGE;
    *out = v.as.u;
    return 0;
}

int tt_result_double(const tt_result *r, size_t row, size_t column, double *out)
{
    tt_value v;
    int rc = cell(r, row, column, out, &v);

    if (rc != 0)
        return rc;
    if (v.type == TT_TYPE_DOUBLE)
        *out = v.as.d;
    else if (v.type == TT_TYPE_INT)
        *out = (double)v.as.i;
    else if (v.type == TT_TYPE_UINT)
        *out = (double)v.as.u;
    else
        return TT_E_TYPE;
    return 0;
}

int tt_result_bytes(const tt_result *r, size_t row, size_t column, const char **out,
                    size_t *size_bytes)
{
    tt_value v;
    int rc = cell(r, row, column, out, &v);

    if (rc != 0)
        return rc;
    if (v.type != TT_TYPE_TEXT && v.type != TT_TYPE_BLOB && v.type != TT_TYPE_DECIMAL)
        return TT_E_TYPE;
    *out = v.as.bytes.p;
    if (size_bytes)
        *size_bytes = v.as.bytes.n;
    return 0;
}

int tt_result_time(const tt_result *r, size_t row, size_t column, tt_time *out)
{
    tt_value v;
    int rc = cell(r, row, column, out, &v);

    if (rc != 0)
        return rc;
    if (v.type != TT_TYPE_DATE && v.type != TT_TYPE_DATETIME && v.type != TT_TYPE_TIME)
        return TT_E_TYPE;
    *out = v.as.t;
    return 0;
}

/* A caller of a later version has a longer struct: what it has more stays as it is. */
int tt_result_column(const tt_result *r, size_t column, tt_column *out)
{
    tt_column all = TT_COLUMN_INIT;

    if (!out || tt_abi_check(out, NULL) != 0)
        return TT_E_ARGUMENT;
    if (!has_column(r, column))
        return TT_E_RANGE;
    all.type = tt_columns_type(&r->view, column);
    all.name = tt_columns_name(&r->view, column);
    all.rows = r->view.rows;
    all.validity = tt_columns_validity(&r->view, column);
    all.values = tt_columns_values(&r->view, column);
    all.offsets = tt_columns_offsets(&r->view, column);
    tt_abi_give(out, &all, sizeof(all));
    return 0;
}
