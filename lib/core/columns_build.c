#include "core/columns.h"

/* A column's buffer that grew beyond this is given back when the builder is cleared. */
#define KEEP_BYTES ((size_t)64 * 1024)

static bool is_variable(tt_type t)
{
    return t == TT_TYPE_DECIMAL || t == TT_TYPE_TEXT || t == TT_TYPE_BLOB;
}

static size_t width(tt_type t)
{
    switch (t) {
    case TT_TYPE_INT:
    case TT_TYPE_UINT:
    case TT_TYPE_DOUBLE:
        return 8;
    case TT_TYPE_DATE:
    case TT_TYPE_DATETIME:
    case TT_TYPE_TIME:
        return sizeof(tt_time);
    default:
        return 0;
    }
}

static size_t padded(size_t n)
{
    return (n + TT_COLUMNS_ALIGN - 1) / TT_COLUMNS_ALIGN * TT_COLUMNS_ALIGN;
}

static void fail(tt_columns_builder *b, int code)
{
    if (!b->failed)
        b->failed = code;
}

/* ---- columns ---- */

void tt_columns_builder_init(tt_columns_builder *b, const tt_allocator *a, size_t max_bytes)
{
    *b = (tt_columns_builder){0};
    b->a = a;
    tt_columns_builder_clear(b, max_bytes);
}

static void drop_columns(tt_columns_builder *b)
{
    for (size_t i = 0; i < b->columns; i++) {
        tt_buf_free(&b->column[i].name);
        tt_buf_free(&b->column[i].values);
        tt_buf_free(&b->column[i].offsets);
        tt_buf_free(&b->column[i].validity);
    }
    if (b->a)
        tt_del(b->a, b->column);
    b->column = NULL;
    b->columns = 0;
}

void tt_columns_builder_free(tt_columns_builder *b)
{
    drop_columns(b);
    b->rows = b->used = 0;
}

int tt_columns_builder_shape(tt_columns_builder *b, size_t n)
{
    drop_columns(b);
    tt_columns_builder_clear(b, b->max_bytes);
    if (n == 0 || n > TT_COLUMNS_MAX)
        return b->failed = TT_E_LIMIT;
    b->column = tt_new_array(b->a, n, sizeof(*b->column));
    if (!b->column)
        return b->failed = TT_E_NOMEM;
    b->columns = n;
    for (size_t i = 0; i < n; i++) {
        tt_columns_grow *c = &b->column[i];

        c->name = c->values = c->offsets = c->validity = tt_buf_init(b->a);
    }
    return 0;
}

void tt_columns_describe(tt_columns_builder *b, size_t column, tt_type type, tt_str name)
{
    tt_columns_grow *c = &b->column[column];

    TT_ASSERT(column < b->columns && b->rows == 0);
    c->type = type;
    tt_buf_clear(&c->name);
    tt_buf_put_str(&c->name, name);
    if (!tt_buf_cstr(&c->name))
        fail(b, TT_E_NOMEM);
}

static void clear_buf(tt_buf *b)
{
    if (b->cap > KEEP_BYTES)
        tt_buf_free(b);
    tt_buf_clear(b);
}

void tt_columns_builder_clear(tt_columns_builder *b, size_t max_bytes)
{
    b->max_bytes =
        max_bytes == 0 || max_bytes > TT_COLUMNS_BYTES_MAX ? TT_COLUMNS_BYTES_MAX : max_bytes;
    b->rows = 0;
    b->failed = 0;
    b->used = sizeof(tt_columns_header) + b->columns * sizeof(tt_columns_column);
    for (size_t i = 0; i < b->columns; i++) {
        tt_columns_grow *c = &b->column[i];

        if (c->name.failed)
            b->failed = TT_E_NOMEM; /* a column without its name stays unusable */
        b->used += c->name.n;
        clear_buf(&c->values);
        clear_buf(&c->offsets);
        clear_buf(&c->validity);
    }
}

/* ---- values ---- */

static void set_bit(tt_buf *bits, size_t row)
{
    bits->p[row / 8] = (char)((unsigned char)bits->p[row / 8] | 1u << (row % 8));
}

/* The first NULL: all rows before it are not. */
static void begin_bitmap(tt_columns_builder *b, tt_columns_grow *c)
{
    size_t whole = b->rows / 8;

    if (!tt_buf_reserve(&c->validity, whole + 1))
        return;
    memset(c->validity.p, 0xff, whole);
    c->validity.n = whole;
    if (b->rows % 8)
        tt_buf_put_char(&c->validity, (char)((1u << (b->rows % 8)) - 1));
}

/* Note whether the value of this row is there. Bitmaps that nobody asked for are not made. */
static void note(tt_columns_builder *b, tt_columns_grow *c, bool valid)
{
    if (c->validity.n == 0) {
        if (valid)
            return;
        begin_bitmap(b, c);
    }
    if (c->validity.n == b->rows / 8)
        tt_buf_put_char(&c->validity, 0);
    if (valid && !c->validity.failed)
        set_bit(&c->validity, b->rows);
    if (c->validity.failed)
        fail(b, TT_E_NOMEM);
}

/* Room for `n` bytes at the end of the column's values, or NULL. The caller notes them. */
static char *room(tt_columns_builder *b, tt_columns_grow *c, size_t n)
{
    char *p;

    if (b->failed)
        return NULL;
    if (n > b->max_bytes - TT_MIN(b->used, b->max_bytes)) {
        fail(b, TT_E_LIMIT);
        return NULL;
    }
    if (!tt_buf_reserve(&c->values, n)) {
        fail(b, TT_E_NOMEM);
        return NULL;
    }
    p = c->values.p + c->values.n;
    c->values.n += n;
    b->used += n;
    return p;
}

/* Where this value starts; the offsets carry a last one when the result is laid out. */
static bool start_variable(tt_columns_builder *b, tt_columns_grow *c)
{
    tt_buf_put_le32(&c->offsets, (uint32_t)c->values.n);
    b->used += sizeof(uint32_t);
    if (c->offsets.failed)
        fail(b, TT_E_NOMEM);
    return !b->failed;
}

static char *put_room(tt_columns_builder *b, tt_columns_grow *c, size_t n, bool valid)
{
    char *p;

    TT_ASSERT(is_variable(c->type));
    if (b->failed || !start_variable(b, c))
        return NULL;
    if (n >= TT_COLUMNS_BYTES_MAX) {
        fail(b, TT_E_LIMIT);
        return NULL;
    }
    p = room(b, c, n + 1);
    if (!p)
        return NULL;
    p[n] = '\0';
    note(b, c, valid);
    return p;
}

static void put_fixed(tt_columns_builder *b, tt_columns_grow *c, const void *value, size_t n)
{
    char *p = room(b, c, n);

    TT_ASSERT(width(c->type) == n);
    if (!p)
        return;
    memcpy(p, value, n);
    note(b, c, true);
}

void tt_columns_put_null(tt_columns_builder *b, size_t column)
{
    tt_columns_grow *c = &b->column[column];
    char *p;

    TT_ASSERT(column < b->columns);
    if (is_variable(c->type)) {
        (void)put_room(b, c, 0, false);
        return;
    }
    if (c->type != TT_TYPE_NULL) {
        p = room(b, c, width(c->type));
        if (p)
            memset(p, 0, width(c->type));
    }
    if (!b->failed)
        note(b, c, false);
}

void tt_columns_put_fixed(tt_columns_builder *b, size_t column, const void *eight_bytes)
{
    TT_ASSERT(column < b->columns);
    put_fixed(b, &b->column[column], eight_bytes, 8);
}

void tt_columns_put_time(tt_columns_builder *b, size_t column, const tt_time *t)
{
    TT_ASSERT(column < b->columns);
    put_fixed(b, &b->column[column], t, sizeof(*t));
}

char *tt_columns_put_room(tt_columns_builder *b, size_t column, size_t n)
{
    TT_ASSERT(column < b->columns);
    return put_room(b, &b->column[column], n, true);
}

void tt_columns_put_bytes(tt_columns_builder *b, size_t column, tt_str bytes)
{
    char *p = tt_columns_put_room(b, column, bytes.n);

    if (p && bytes.n)
        memcpy(p, bytes.p, bytes.n);
}

int tt_columns_end_row(tt_columns_builder *b)
{
    if (!b->failed && b->rows == UINT32_MAX)
        fail(b, TT_E_LIMIT);
    if (b->failed)
        return b->failed;
    b->rows++;
    for (size_t i = 0; i < b->columns; i++) {
        const tt_columns_grow *c = &b->column[i];

        TT_ASSERT(is_variable(c->type) ? c->offsets.n == b->rows * sizeof(uint32_t)
                                       : c->values.n == b->rows * width(c->type));
        (void)c;
    }
    return 0;
}

/* ---- layout ---- */

/* Places are handed out by one function, in 64 bits, so that sizing and writing cannot differ. */
static uint32_t place(uint64_t *end, size_t n)
{
    uint64_t at = *end;

    *end += padded(n);
    return (uint32_t)at;
}

static tt_columns_column place_column(const tt_columns_builder *b, const tt_columns_grow *c,
                                      uint64_t *end)
{
    tt_columns_column d = {(uint32_t)c->type, 0, (uint32_t)c->name.n, 0, 0, 0};

    d.name = place(end, c->name.n + 1);
    if (c->validity.n || c->type == TT_TYPE_NULL)
        d.validity = place(end, (b->rows + 7) / 8);
    if (is_variable(c->type))
        d.offsets = place(end, (b->rows + 1) * sizeof(uint32_t));
    if (c->type != TT_TYPE_NULL)
        d.values = place(end, c->values.n);
    return d;
}

static void copy(char *to, const tt_buf *from)
{
    if (from->n)
        memcpy(to, from->p, from->n);
}

/* `base` is zeroed. */
static void write_column(const tt_columns_builder *b, const tt_columns_grow *c, char *base,
                         size_t column, uint64_t *end)
{
    tt_columns_column d = place_column(b, c, end);
    uint32_t last = (uint32_t)c->values.n;

    memcpy(base + sizeof(tt_columns_header) + column * sizeof(d), &d, sizeof(d));
    copy(base + d.name, &c->name);
    copy(base + d.validity, &c->validity);
    if (c->type != TT_TYPE_NULL)
        copy(base + d.values, &c->values);
    if (!is_variable(c->type))
        return;
    copy(base + d.offsets, &c->offsets);
    memcpy(base + d.offsets + c->offsets.n, &last, sizeof(last));
}

/* Exactly as much as is needed: results live long, spare room would live as long. */
static char *append_room(tt_buf *out, size_t n)
{
    char *p;

    if (out->failed || n > SIZE_MAX / 2 - out->n)
        return NULL;
    if (out->cap - out->n < n) {
        p = tt_renew(out->a, out->p, out->n + n);
        if (!p)
            return NULL;
        out->p = p;
        out->cap = out->n + n;
    }
    p = out->p + out->n;
    out->n += n;
    return p;
}

int tt_columns_finish(tt_columns_builder *b, tt_buf *out)
{
    tt_columns_header h = {{'T', 'T', 'C', '1'}, (uint32_t)b->columns, b->rows, 0};
    uint64_t first = sizeof(h) + b->columns * sizeof(tt_columns_column), end = first;
    char *base;

    TT_ASSERT(b->columns > 0);
    if (b->failed)
        return b->failed;
    for (size_t i = 0; i < b->columns; i++)
        (void)place_column(b, &b->column[i], &end);
    if (end > b->max_bytes)
        return TT_E_LIMIT;
    h.size = end;
    base = append_room(out, (size_t)end);
    if (!base) {
        out->failed = true;
        return TT_E_NOMEM;
    }
    memset(base, 0, (size_t)end);
    memcpy(base, &h, sizeof(h));
    end = first;
    for (size_t i = 0; i < b->columns; i++)
        write_column(b, &b->column[i], base, i, &end);
    TT_ASSERT(end == h.size);
    return 0;
}
