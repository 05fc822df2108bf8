#include "drv/drv_mysql.h"

#include <sys/socket.h>

/* Rows in the binary protocol, from the library's hands into the columns of the encoding.
 *
 * Numbers and times are fetched into their place in tt_mysql_column. Text and bytes are fetched
 * into a small room; when a value turns out longer, room for all of it is made in the result and it
 * is fetched once more, straight to there: short values cost one copy of a few bytes, long ones no
 * copy too many, and nothing is ever cut. */

/* Types that only one of the libraries has a name for. */
enum { FIELD_JSON = 245, FIELD_VECTOR = 242 };
/* The number of the character set `binary`. */
#define CHARSET_BINARY 63
/* Bytes of a result beyond its limit that are read for the sake of the link: a new connection costs
 * about as much. */
#define LEFT_BYTES_MAX (1024 * 1024)

/* ---- columns ---- */

/* False for a type that this library cannot fetch. */
static bool type_of(const MYSQL_FIELD *f, tt_type *out)
{
    switch ((int)f->type) {
    case MYSQL_TYPE_TINY:
    case MYSQL_TYPE_SHORT:
    case MYSQL_TYPE_INT24:
    case MYSQL_TYPE_LONG:
    case MYSQL_TYPE_LONGLONG:
        *out = f->flags & UNSIGNED_FLAG ? TT_TYPE_UINT : TT_TYPE_INT;
        return true;
    case MYSQL_TYPE_YEAR:
        *out = TT_TYPE_INT;
        return true;
    case MYSQL_TYPE_BIT:
        *out = TT_TYPE_UINT;
        return true;
    case MYSQL_TYPE_FLOAT:
    case MYSQL_TYPE_DOUBLE:
        *out = TT_TYPE_DOUBLE;
        return true;
    case MYSQL_TYPE_DECIMAL:
    case MYSQL_TYPE_NEWDECIMAL:
        *out = TT_TYPE_DECIMAL;
        return true;
    case MYSQL_TYPE_DATE:
    case MYSQL_TYPE_NEWDATE:
        *out = TT_TYPE_DATE;
        return true;
    case MYSQL_TYPE_DATETIME:
    case MYSQL_TYPE_TIMESTAMP:
        *out = TT_TYPE_DATETIME;
        return true;
    case MYSQL_TYPE_TIME:
        *out = TT_TYPE_TIME;
        return true;
    case MYSQL_TYPE_NULL:
        *out = TT_TYPE_NULL;
        return true;
    case FIELD_JSON:
        *out = TT_TYPE_TEXT; /* although its character set is binary */
        return true;
    case MYSQL_TYPE_GEOMETRY:
        *out = TT_TYPE_BLOB;
        return true;
    case MYSQL_TYPE_ENUM:
    case MYSQL_TYPE_SET:
    case MYSQL_TYPE_VARCHAR:
    case MYSQL_TYPE_VAR_STRING:
    case MYSQL_TYPE_STRING:
    case MYSQL_TYPE_TINY_BLOB:
    case MYSQL_TYPE_BLOB:
    case MYSQL_TYPE_MEDIUM_BLOB:
    case MYSQL_TYPE_LONG_BLOB:
        *out = f->charsetnr == CHARSET_BINARY ? TT_TYPE_BLOB : TT_TYPE_TEXT;
        return true;
    case FIELD_VECTOR:
        *out = TT_TYPE_BLOB;
        return !TT_LINKS_MARIADB;
    default:
        return false;
    }
}

static bool in_bytes(const tt_mysql_column *k)
{
    return k->type == TT_TYPE_TEXT || k->type == TT_TYPE_BLOB || k->type == TT_TYPE_DECIMAL ||
           k->field_type == MYSQL_TYPE_BIT;
}

static unsigned long room_of(const tt_mysql_column *k, const MYSQL_FIELD *f)
{
    unsigned long room = k->field_type == MYSQL_TYPE_BIT ? 8
                         : k->type == TT_TYPE_DECIMAL    ? 80
                                                         : f->length;

    return TT_MIN(TT_MAX(room, 8ul), (unsigned long)TT_MYSQL_COLUMN_BYTES);
}

/* Where the library puts a value. Text is fetched as bytes: no conversion, no closing zero. */
static void fill_bind(MYSQL_BIND *b, tt_mysql_column *k)
{
    memset(b, 0, sizeof(*b));
    b->is_null = &k->is_null;
    b->error = &k->error;
    b->length = &k->size_bytes;
    b->buffer = &k->fixed;
    if (in_bytes(k)) {
        b->buffer_type = MYSQL_TYPE_BLOB;
        b->buffer = k->bytes;
        b->buffer_length = k->room;
        return;
    }
    switch (k->type) {
    case TT_TYPE_DOUBLE:
        b->buffer_type = MYSQL_TYPE_DOUBLE;
        break;
    case TT_TYPE_DATE:
        b->buffer_type = MYSQL_TYPE_DATE;
        break;
    case TT_TYPE_DATETIME:
        b->buffer_type = MYSQL_TYPE_DATETIME;
        break;
    case TT_TYPE_TIME:
        b->buffer_type = MYSQL_TYPE_TIME;
        break;
    case TT_TYPE_NULL:
        b->buffer_type = MYSQL_TYPE_NULL;
        break;
    default:
        b->buffer_type = MYSQL_TYPE_LONGLONG;
        b->is_unsigned = k->type == TT_TYPE_UINT;
        break;
    }
    b->buffer_length = sizeof(k->fixed);
}

void tt_mysql_rows_free(tt_db_conn *c, tt_mysql_statement *s)
{
    tt_columns_builder_free(&s->rows);
    tt_del(c->a, s->column);
    tt_del(c->a, s->column_bind);
    tt_del(c->a, s->bytes);
    s->column = NULL;
    s->column_bind = NULL;
    s->bytes = NULL;
    s->columns = 0;
}

static int describe_columns(tt_mysql_statement *s, const MYSQL_FIELD *field, size_t n,
                            tt_error *err)
{
    int rc = tt_columns_builder_shape(&s->rows, n);

    if (rc == TT_E_LIMIT)
        return tt_fail(err, rc, "%zu columns; the limit is %d", n, TT_COLUMNS_MAX);
    for (size_t i = 0; rc == 0 && i < n; i++) {
        tt_mysql_column *k = &s->column[i];

        if (!type_of(&field[i], &k->type))
            return tt_fail(err, TT_E_UNSUPPORTED, "column %s has type %d, which is not supported",
                           field[i].name, (int)field[i].type);
        k->field_type = field[i].type;
        k->room = in_bytes(k) ? room_of(k, &field[i]) : 0;
        tt_columns_describe(&s->rows, i, k->type, tt_str_n(field[i].name, field[i].name_length));
        rc = s->rows.failed;
    }
    return rc;
}

static bool place_bytes(tt_db_conn *c, tt_mysql_statement *s)
{
    size_t total = 0;

    for (size_t i = 0; i < s->columns; i++)
        total += s->column[i].room;
    s->bytes = tt_new(c->a, total);
    if (!s->bytes)
        return false;
    total = 0;
    for (size_t i = 0; i < s->columns; i++) {
        s->column[i].bytes = s->bytes + total;
        total += s->column[i].room;
        fill_bind(&s->column_bind[i], &s->column[i]);
    }
    return true;
}

/* Make the columns of the statement for these fields. */
static tt_db_status shape(tt_db_conn *c, tt_mysql_statement *s, const MYSQL_FIELD *field, size_t n,
                          tt_error *err)
{
    tt_db_status status;
    int rc;

    tt_mysql_rows_free(c, s);
    s->column = tt_new_array(c->a, n, sizeof(*s->column));
    s->column_bind = tt_new_array(c->a, n, sizeof(*s->column_bind));
    if (!s->column || !s->column_bind)
        return tt_mysql_local(c, TT_E_NOMEM, err);
    s->columns = n;
    rc = describe_columns(s, field, n, err);
    if (rc == 0 && !place_bytes(c, s))
        rc = TT_E_NOMEM;
    if (rc == 0 && mysql_stmt_bind_result(s->handle, s->column_bind) == 0)
        return TT_DB_OK;
    status = rc == 0 ? tt_mysql_failed(c, s->handle, PHASE_READ, err) : tt_mysql_local(c, rc, err);
    tt_mysql_rows_free(c, s); /* half of a shape must not be taken for one */
    return status;
}

/* Are the columns still those that were prepared for? Types may change with the parameters. */
static bool same_shape(const tt_mysql_statement *s, const MYSQL_FIELD *field, size_t n)
{
    if (n != s->columns || s->rows.columns != n)
        return false;
    for (size_t i = 0; i < n; i++) {
        tt_type type = TT_TYPE_NULL;

        if (!type_of(&field[i], &type) || type != s->column[i].type ||
            field[i].type != s->column[i].field_type)
            return false;
    }
    return true;
}

/* Names change with the table. Connector/C gets the new ones once, and at the next execution shows
 * those of the preparation again, with the new types: such a statement must be prepared anew. */
bool tt_mysql_renamed(tt_db_conn *c, const tt_mysql_statement *s)
{
    const MYSQL_FIELD *field = c->mysql.fields;

    if (s->columns == 0)
        return false;
    if (s->columns != c->mysql.field_count)
        return true;
    for (size_t i = 0; i < s->columns; i++)
        if (!tt_str_eq(tt_buf_str(&s->rows.column[i].name),
                       tt_str_n(field[i].name, field[i].name_length)))
            return true;
    return false;
}

/* ---- values ---- */

static void put_time(tt_mysql_statement *s, size_t i)
{
    const MYSQL_TIME *t = &s->column[i].fixed.time;
    tt_time out = {0};

    out.year = (uint16_t)t->year;
    out.month = (uint8_t)t->month;
    out.day = (uint8_t)t->day;
    out.hours = t->hour;
    out.minutes = (uint8_t)t->minute;
    out.seconds = (uint8_t)t->second;
    out.micros = (uint32_t)t->second_part;
    out.negative = t->neg != 0;
    tt_columns_put_time(&s->rows, i, &out);
}

static void put_bit(tt_mysql_statement *s, size_t i)
{
    const tt_mysql_column *k = &s->column[i];
    uint64_t v = 0;

    for (size_t at = 0; at < TT_MIN(k->size_bytes, 8ul); at++)
        v = v << 8 | (unsigned char)k->bytes[at];
    tt_columns_put_fixed(&s->rows, i, &v);
}

/* A value that is longer than its room: all of it, straight into the result. */
static bool put_long(tt_mysql_statement *s, size_t i)
{
    unsigned long size_bytes = 0;
    tt_flag is_null = 0, error = 0;
    MYSQL_BIND b;

    memset(&b, 0, sizeof(b));
    b.buffer_type = MYSQL_TYPE_BLOB;
    b.buffer_length = s->column[i].size_bytes;
    b.buffer = tt_columns_put_room(&s->rows, i, s->column[i].size_bytes);
    b.length = &size_bytes;
    b.is_null = &is_null;
    b.error = &error;
    if (!b.buffer)
        return true; /* the builder remembers why */
    return mysql_stmt_fetch_column(s->handle, &b, (unsigned)i, 0) == 0 &&
           size_bytes == b.buffer_length;
}

static bool put_value(tt_mysql_statement *s, size_t i)
{
    const tt_mysql_column *k = &s->column[i];

    if (k->is_null) {
        tt_columns_put_null(&s->rows, i);
        return true;
    }
    switch (k->type) {
    case TT_TYPE_NULL:
        tt_columns_put_null(&s->rows, i);
        return true;
    case TT_TYPE_INT:
    case TT_TYPE_UINT:
    case TT_TYPE_DOUBLE:
        if (k->field_type == MYSQL_TYPE_BIT)
            put_bit(s, i);
        else
            tt_columns_put_fixed(&s->rows, i, &k->fixed);
        return true;
    case TT_TYPE_DATE:
    case TT_TYPE_DATETIME:
    case TT_TYPE_TIME:
        put_time(s, i);
        return true;
    default:
        if (k->size_bytes > k->room)
            return put_long(s, i);
        tt_columns_put_bytes(&s->rows, i, (tt_str){k->bytes, k->size_bytes});
        return true;
    }
}

/* ---- rows ---- */

static int too_large(const tt_mysql_statement *s, const tt_db_limits *limits, int code,
                     tt_error *err)
{
    if (code != TT_E_LIMIT)
        return code;
    return tt_fail(err, code, "the result is larger than %llu rows or %zu bytes",
                   (unsigned long long)limits->max_rows, s->rows.max_bytes);
}

static tt_db_status fetch(tt_db_conn *c, tt_mysql_statement *s, const tt_db_limits *limits,
                          tt_error *err)
{
    for (;;) {
        int rc = mysql_stmt_fetch(s->handle);

        if (rc == MYSQL_NO_DATA)
            return TT_DB_OK;
        if (rc != 0 && rc != MYSQL_DATA_TRUNCATED)
            return tt_mysql_failed(c, s->handle, PHASE_READ, err);
        rc = s->rows.rows >= limits->max_rows ? TT_E_LIMIT : 0;
        for (size_t i = 0; rc == 0 && i < s->columns; i++)
            if (!put_value(s, i))
                return tt_mysql_failed(c, s->handle, PHASE_READ, err);
        if (rc == 0)
            rc = tt_columns_end_row(&s->rows);
        if (rc != 0)
            return tt_mysql_local(c, too_large(s, limits, rc, err), err);
    }
}

/* What is left of a result that is too large: read, to keep the link, if that is soon done. Else
 * the link is ended, for the rest may be any amount, and closing a statement reads it. */
static void end_large(tt_db_conn *c, tt_mysql_statement *s)
{
    for (uint64_t bytes = 0; bytes < LEFT_BYTES_MAX; bytes += s->columns * 8) {
        int rc = mysql_stmt_fetch(s->handle);

        if (rc == MYSQL_NO_DATA)
            return;
        if (rc != 0 && rc != MYSQL_DATA_TRUNCATED)
            break;
        for (size_t i = 0; i < s->columns; i++)
            bytes += s->column[i].is_null ? 0 : s->column[i].size_bytes;
    }
    c->broken = true;
    (void)shutdown(c->fd, SHUT_RDWR);
}

/* Rows that nobody took, and further results: what is left on the link must be read. */
tt_db_status tt_mysql_drain(tt_db_conn *c, tt_mysql_statement *s, tt_db_status status,
                            tt_error *err)
{
    if (c->broken)
        return status;
    (void)mysql_stmt_free_result(s->handle);
    while (mysql_more_results(&c->mysql)) {
        int rc = mysql_stmt_next_result(s->handle);

        if (rc > 0)
            return status == TT_DB_OK ? tt_mysql_failed(c, s->handle, PHASE_READ, err) : status;
        (void)mysql_stmt_free_result(s->handle);
    }
    return status;
}

tt_db_status tt_mysql_rows(tt_db_conn *c, tt_mysql_statement *s, const tt_db_limits *limits,
                           tt_buf *out, tt_error *err)
{
    static const tt_db_limits none = {0, UINT32_MAX};
    const MYSQL_FIELD *field = c->mysql.fields;
    size_t n = mysql_stmt_field_count(s->handle);
    tt_db_status status = TT_DB_OK;
    int rc;

    if (!field || n == 0 || c->mysql.field_count != n)
        return tt_mysql_nonsense(c, "with other columns than it had announced", err);
    if (!limits)
        limits = &none;
    if (!same_shape(s, field, n))
        status = shape(c, s, field, n, err);
    tt_columns_builder_clear(&s->rows, limits->max_bytes);
    if (status == TT_DB_OK) {
        status = fetch(c, s, limits, err);
        if (status == TT_DB_LOCAL && !c->broken)
            end_large(c, s);
    }
    status = tt_mysql_drain(c, s, status, err);
    if (status != TT_DB_OK)
        return status;
    rc = tt_columns_finish(&s->rows, out);
    return rc == 0 ? TT_DB_OK : tt_mysql_local(c, too_large(s, limits, rc, err), err);
}
