/* columns_table.h: random tables, for the tests of the encoding. */
#ifndef TT_TEST_COLUMNS_TABLE_H
#define TT_TEST_COLUMNS_TABLE_H

#include "base/rng.h"
#include "core/columns.h"
#include "support/columns_put.h"

#define TABLE_COLUMNS_MAX 12
#define TABLE_ROWS_MAX 70
#define TABLE_BYTES_MAX 40

/* A table whose values are made anew from the seed whenever they are asked for. */
typedef struct table {
    uint64_t seed;
    size_t columns, rows;
    unsigned nulls_percent;
} table;

static inline table table_of(uint64_t seed)
{
    uint64_t s = seed;
    table t = {seed, 0, 0, 0};

    t.columns = 1 + (size_t)(tt_splitmix64(&s) % TABLE_COLUMNS_MAX);
    t.rows = (size_t)(tt_splitmix64(&s) % TABLE_ROWS_MAX);
    t.nulls_percent = (unsigned)(tt_splitmix64(&s) % 3) * 40;
    return t;
}

static inline tt_type table_type(const table *t, size_t column)
{
    uint64_t s = t->seed ^ (column + 1) << 32;

    return (tt_type)(tt_splitmix64(&s) % (TT_TYPE_TIME + 1));
}

/* `scratch` holds the bytes of the value. */
static inline tt_value table_value(const table *t, size_t row, size_t column,
                                   char scratch[TABLE_BYTES_MAX])
{
    uint64_t s = t->seed ^ (column + 1) << 32 ^ (row + 1) << 16, bits;
    tt_type type = table_type(t, column);
    tt_time time;
    size_t n;

    if (tt_splitmix64(&s) % 100 < t->nulls_percent || type == TT_TYPE_NULL)
        return tt_null();
    bits = tt_splitmix64(&s);
    switch (type) {
    case TT_TYPE_INT:
        return tt_int((int64_t)bits);
    case TT_TYPE_UINT:
        return tt_uint(bits);
    case TT_TYPE_DOUBLE:
        return tt_double((double)bits);
    case TT_TYPE_DECIMAL:
    case TT_TYPE_TEXT:
    case TT_TYPE_BLOB:
        n = (size_t)(bits % TABLE_BYTES_MAX);
        for (size_t i = 0; i < n; i++)
            scratch[i] = (char)tt_splitmix64(&s);
        return tt_bytes_of(type, scratch, n);
    default:
        memset(&time, 0, sizeof(time));
        time.hours = (uint32_t)(bits % 839);
        time.micros = (uint32_t)(bits >> 16) % 1000000;
        time.year = (uint16_t)(bits >> 48);
        time.negative = bits >> 40 & 1;
        return tt_time_of(type, time);
    }
}

static inline bool value_eq(const tt_value *x, const tt_value *y)
{
    if (x->type != y->type)
        return false;
    switch (x->type) {
    case TT_TYPE_NULL:
        return true;
    case TT_TYPE_INT:
    case TT_TYPE_UINT:
    case TT_TYPE_DOUBLE:
        return x->as.u == y->as.u;
    case TT_TYPE_DECIMAL:
    case TT_TYPE_TEXT:
    case TT_TYPE_BLOB:
        return tt_str_eq(tt_str_n(x->as.bytes.p, x->as.bytes.n),
                         tt_str_n(y->as.bytes.p, y->as.bytes.n));
    default:
        return memcmp(&x->as.t, &y->as.t, sizeof(x->as.t)) == 0;
    }
}

/* Put the whole table into a builder that is initialised. 0 or what the builder says. */
TT_MUST static inline int table_build(const table *t, tt_columns_builder *b)
{
    char scratch[TABLE_BYTES_MAX];
    int rc = tt_columns_builder_shape(b, t->columns);

    if (rc != 0)
        return rc;
    for (size_t c = 0; c < t->columns; c++)
        tt_columns_describe(b, c, table_type(t, c), tt_str_n("column-name", c));
    for (size_t r = 0; r < t->rows; r++) {
        for (size_t c = 0; c < t->columns; c++) {
            tt_value v = table_value(t, r, c, scratch);

            columns_put(b, c, &v);
        }
        rc = tt_columns_end_row(b);
        if (rc != 0)
            return rc;
    }
    return b->failed;
}

/* The encoding of the table, appended to `out`. */
TT_MUST static inline int table_encode(const table *t, const tt_allocator *a, size_t max_bytes,
                                       tt_buf *out)
{
    tt_columns_builder b;
    int rc;

    tt_columns_builder_init(&b, a, max_bytes);
    rc = table_build(t, &b);
    if (rc == 0)
        rc = tt_columns_finish(&b, out);
    tt_columns_builder_free(&b);
    return rc;
}

/* An allocator that counts what is outstanding, and fails when `left` reaches 0. */
typedef struct counting {
    size_t left, calls, live;
} counting;

static inline void *counting_alloc(void *ctx, size_t n)
{
    counting *k = ctx;

    k->calls++;
    if (k->left == 0)
        return NULL;
    k->left--;
    k->live++;
    return malloc(n);
}

static inline void *counting_resize(void *ctx, void *p, size_t n)
{
    counting *k = ctx;

    k->calls++;
    if (k->left == 0)
        return NULL;
    k->left--;
    return realloc(p, n);
}

static inline void counting_release(void *ctx, void *p)
{
    counting *k = ctx;

    k->live--;
    free(p);
}

static inline tt_allocator counting_allocator(counting *k)
{
    return (tt_allocator){counting_alloc, counting_resize, counting_release, k};
}

#endif
