#include "drv/drv_mysql.h"

#include "base/hash.h"

/* Prepared statements of one connection: found by their text, the least recently used closed when
 * there are too many. A statement keeps its parameters bound, and the room for its rows. */

/* ---- the cache ---- */

static tt_mysql_statement **bucket_of(tt_db_conn *c, uint64_t hash)
{
    return &c->bucket[hash & (c->buckets - 1)];
}

static tt_mysql_statement *find(tt_db_conn *c, tt_str sql, uint64_t hash)
{
    tt_mysql_statement *s = *bucket_of(c, hash);

    while (s && (s->hash != hash || !tt_str_eq(s->sql, sql)))
        s = s->chain;
    return s;
}

static void insert(tt_db_conn *c, tt_mysql_statement *s)
{
    tt_mysql_statement **bucket = bucket_of(c, s->hash);

    s->chain = *bucket;
    *bucket = s;
    tt_list_append(&c->by_use, &s->by_use);
    c->statements++;
}

static void free_statement(tt_db_conn *c, tt_mysql_statement *s)
{
    if (s->handle)
        (void)mysql_stmt_close(s->handle);
    tt_mysql_rows_free(c, s);
    tt_del(c->a, s->param);
    tt_del(c->a, s->param_bind);
    tt_del(c->a, s);
}

static void drop(tt_db_conn *c, tt_mysql_statement *s)
{
    tt_mysql_statement **at = bucket_of(c, s->hash);

    while (*at != s)
        at = &(*at)->chain;
    *at = s->chain;
    tt_list_remove(&s->by_use);
    TT_ASSERT(c->statements > 0);
    c->statements--;
    free_statement(c, s);
}

static tt_mysql_statement *least_used(tt_db_conn *c)
{
    return TT_CONTAINER(c->by_use.next, tt_mysql_statement, by_use);
}

void tt_mysql_drop_all(tt_db_conn *c)
{
    while (!tt_list_empty(&c->by_use))
        drop(c, least_used(c));
}

void tt_mysql_release(tt_db_conn *c, tt_mysql_statement *s)
{
    if (s->stale)
        drop(c, s);
}

/* ---- preparing ---- */

static tt_mysql_statement *new_statement(tt_db_conn *c, tt_str sql, uint64_t hash)
{
    tt_mysql_statement *s = tt_new(c->a, sizeof(*s) + sql.n);

    if (!s)
        return NULL;
    tt_list_init(&s->by_use);
    s->hash = hash;
    s->sql = (tt_str){(char *)(s + 1), sql.n};
    if (sql.n)
        memcpy(s + 1, sql.p, sql.n);
    tt_columns_builder_init(&s->rows, c->a, 0);
    return s;
}

static bool make_params(tt_db_conn *c, tt_mysql_statement *s)
{
    s->params = mysql_stmt_param_count(s->handle);
    if (s->params == 0)
        return true;
    s->param = tt_new_array(c->a, s->params, sizeof(*s->param));
    s->param_bind = tt_new_array(c->a, s->params, sizeof(*s->param_bind));
    return s->param && s->param_bind;
}

static tt_db_status prepare(tt_db_conn *c, tt_str sql, uint64_t hash, tt_mysql_statement **out,
                            tt_error *err)
{
    tt_mysql_statement *s = new_statement(c, sql, hash);
    tt_db_status status = TT_DB_OK;

    if (!s)
        return tt_mysql_local(c, TT_E_NOMEM, err);
    s->handle = mysql_stmt_init(&c->mysql);
    if (!s->handle)
        status = tt_mysql_local(c, TT_E_NOMEM, err);
    else if (mysql_stmt_prepare(s->handle, sql.p ? sql.p : "", sql.n) != 0)
        status = tt_mysql_failed(c, s->handle, PHASE_PREPARE, err);
    else if (!make_params(c, s))
        status = tt_mysql_local(c, TT_E_NOMEM, err);
    if (status != TT_DB_OK) {
        free_statement(c, s);
        return status;
    }
    while (c->statements >= c->max_statements)
        drop(c, least_used(c));
    insert(c, s);
    *out = s;
    return TT_DB_OK;
}

/* ---- parameters ---- */

/* Take the value over into `p`. Small ones get a fixed address; a NULL keeps the type of the value
 * before it. */
static void take_time(tt_mysql_param *p, const tt_value *v)
{
    MYSQL_TIME *t = &p->fixed.time;

    memset(t, 0, sizeof(*t));
    t->year = v->as.t.year;
    t->month = v->as.t.month;
    t->day = v->as.t.day;
    t->day += v->as.t.hours / 24; /* on the wire the hour is a byte */
    t->hour = v->as.t.hours % 24;
    t->minute = v->as.t.minutes;
    t->second = v->as.t.seconds;
    t->second_part = v->as.t.micros;
    t->neg = v->as.t.negative != 0;
    t->time_type = v->type == TT_TYPE_DATE   ? MYSQL_TIMESTAMP_DATE
                   : v->type == TT_TYPE_TIME ? MYSQL_TIMESTAMP_TIME
                                             : MYSQL_TIMESTAMP_DATETIME;
    p->size_bytes = sizeof(*t);
}

static const void *take_bytes(tt_mysql_param *p, const tt_value *v)
{
    p->size_bytes = v->as.bytes.n;
    if (v->as.bytes.n > sizeof(p->fixed.bytes))
        return v->as.bytes.p;
    if (v->as.bytes.n)
        memcpy(p->fixed.bytes, v->as.bytes.p, v->as.bytes.n);
    return &p->fixed;
}

static enum enum_field_types field_type_of(tt_type type)
{
    switch (type) {
    case TT_TYPE_INT:
    case TT_TYPE_UINT:
        return MYSQL_TYPE_LONGLONG;
    case TT_TYPE_DOUBLE:
        return MYSQL_TYPE_DOUBLE;
    case TT_TYPE_DECIMAL:
        return MYSQL_TYPE_NEWDECIMAL;
    case TT_TYPE_TEXT:
        return MYSQL_TYPE_STRING;
    case TT_TYPE_BLOB:
        return MYSQL_TYPE_BLOB;
    case TT_TYPE_DATE:
        return MYSQL_TYPE_DATE;
    case TT_TYPE_DATETIME:
        return MYSQL_TYPE_DATETIME;
    case TT_TYPE_TIME:
        return MYSQL_TYPE_TIME;
    case TT_TYPE_NULL:
        break;
    }
    return MYSQL_TYPE_NULL;
}

/* True when what the library was told no longer holds. */
static bool take(tt_mysql_param *p, const tt_value *v)
{
    enum enum_field_types type = field_type_of(v->type);
    tt_flag is_unsigned = v->type == TT_TYPE_UINT;
    const void *where = &p->fixed;
    bool changed;

    p->is_null = v->type == TT_TYPE_NULL;
    if (p->is_null && p->where)
        return false;
    if (type == MYSQL_TYPE_LONGLONG || type == MYSQL_TYPE_DOUBLE) {
        p->fixed.u = v->as.u;
        p->size_bytes = sizeof(p->fixed.u);
    } else if (type == MYSQL_TYPE_DATE || type == MYSQL_TYPE_DATETIME || type == MYSQL_TYPE_TIME) {
        take_time(p, v);
    } else if (!p->is_null) {
        where = take_bytes(p, v);
    }
    changed = !p->where || p->type != type || p->is_unsigned != is_unsigned || p->where != where;
    p->type = type;
    p->is_unsigned = is_unsigned;
    p->where = where;
    return changed;
}

static void fill_bind(MYSQL_BIND *b, tt_mysql_param *p)
{
    memset(b, 0, sizeof(*b));
    b->buffer_type = p->type;
    b->buffer = (void *)(uintptr_t)p->where; /* only read */
    b->buffer_length = p->size_bytes;
    b->length = &p->size_bytes;
    b->is_null = &p->is_null;
    b->is_unsigned = p->is_unsigned;
}

static tt_db_status bind(tt_db_conn *c, tt_mysql_statement *s, const tt_value *params, size_t n,
                         tt_error *err)
{
    bool changed = !s->bound;

    if (n != s->params)
        return tt_mysql_local(c,
                              tt_fail(err, TT_E_PARAMETERS,
                                      "the statement has %zu parameters, but %zu were given",
                                      s->params, n),
                              err);
    for (size_t i = 0; i < n; i++)
        changed |= take(&s->param[i], &params[i]);
    if (!changed || n == 0)
        return TT_DB_OK;
    for (size_t i = 0; i < n; i++)
        fill_bind(&s->param_bind[i], &s->param[i]);
    if (mysql_stmt_bind_param(s->handle, s->param_bind))
        return tt_mysql_failed(c, s->handle, PHASE_PREPARE, err);
    s->bound = true;
    return TT_DB_OK;
}

/* An address of the caller's must not outlive the call: the next value in its place would be taken
 * for bound already. */
static void forget_addresses(tt_mysql_statement *s)
{
    for (size_t i = 0; i < s->params; i++)
        if (s->param[i].where != &s->param[i].fixed)
            s->bound = false;
}

/* A server refuses what is larger unread, and hangs up: for a write it would look as if its outcome
 * were unknown. An upper bound of both packets, that of the text and that of the values. */
static bool fits_packet(const tt_db_conn *c, tt_str sql, const tt_value *params, size_t n)
{
    uint64_t bytes = 16 + 12 * (uint64_t)n;

    for (size_t i = 0; i < n; i++)
        if (params[i].type == TT_TYPE_TEXT || params[i].type == TT_TYPE_BLOB ||
            params[i].type == TT_TYPE_DECIMAL)
            bytes += params[i].as.bytes.n;
        else
            bytes += 16;
    return c->max_packet == 0 || (bytes <= c->max_packet && sql.n < c->max_packet);
}

tt_db_status tt_mysql_prepare(tt_db_conn *c, tt_str sql, const tt_value *params, size_t n,
                              tt_mysql_statement **out, tt_error *err)
{
    uint64_t hash = tt_hash64(sql);
    tt_mysql_statement *s = find(c, sql, hash);
    tt_db_status status;

    if (n > TT_PARAMETERS_MAX)
        return tt_mysql_local(
            c, tt_fail(err, TT_E_LIMIT, "%zu parameters; the limit is %d", n, TT_PARAMETERS_MAX),
            err);
    if (!fits_packet(c, sql, params, n))
        return tt_mysql_local(c,
                              tt_fail(err, TT_E_LIMIT,
                                      "the statement and its values are larger than the server's "
                                      "max_allowed_packet, which is %llu bytes",
                                      (unsigned long long)c->max_packet),
                              err);
    if (s) {
        tt_list_remove(&s->by_use);
        tt_list_append(&c->by_use, &s->by_use);
    } else {
        status = prepare(c, sql, hash, &s, err);
        if (status != TT_DB_OK)
            return status;
    }
    status = bind(c, s, params, n, err);
    if (status == TT_DB_OK)
        *out = s;
    return status;
}

/* ---- executing ---- */

/* The server did nothing, for it does not know the statement (any more). */
static bool was_lost(unsigned number)
{
    return number == ER_UNKNOWN_STMT_HANDLER || number == ER_NEED_REPREPARE ||
           number == CR_STMT_CLOSED;
}

/* The table has other columns than when the statement was prepared: it was executed, its rows
 * cannot be read. */
static bool is_outdated(unsigned number)
{
    return number == CR_NEW_STMT_METADATA;
}

tt_db_status tt_mysql_execute(tt_db_conn *c, tt_str sql, const tt_value *params, size_t n,
                              tt_mysql_phase phase, tt_mysql_statement **out, tt_error *err)
{
    for (int attempt = 0;; attempt++) {
        tt_mysql_statement *s = NULL;
        tt_db_status status = tt_mysql_prepare(c, sql, params, n, &s, err);
        unsigned number;

        if (status != TT_DB_OK)
            return status;
        if (phase == PHASE_READ && mysql_stmt_field_count(s->handle) == 0)
            return tt_mysql_local(
                c, tt_fail(err, TT_E_STATEMENT, "a statement without rows was given for reading"),
                err);
        if (mysql_stmt_execute(s->handle) == 0) {
            forget_addresses(s);
            *out = s;
            return TT_DB_OK;
        }
        forget_addresses(s);
        number = mysql_stmt_errno(s->handle);
        s->stale = was_lost(number) || is_outdated(number);
        if (attempt > 0 || !s->stale || (is_outdated(number) && phase != PHASE_READ)) {
            status = tt_mysql_failed(c, s->handle, phase, err);
            tt_mysql_release(c, s);
            return status;
        }
        tt_mysql_release(c, s);
    }
}
