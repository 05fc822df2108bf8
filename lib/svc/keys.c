#include "svc/keys.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/err.h"
#include "core/key.h"

/* Values that need no memory of their own; bytes of keys beyond those of the patterns and the text.
 */
enum { FEW_VALUES = 8, KEYS_GUESS = 512 };

void tt_keys_init(tt_client *c, tt_keys *k)
{
    k->text = tt_buf_init(&c->a);
    k->n_tags = 0;
    k->entry = k->bytes = tt_str_n(NULL, 0);
}

void tt_keys_free(tt_keys *k)
{
    tt_buf_free(&k->text);
}

/* Bytes of a key before the tag itself. */
static size_t prefix_bytes(const tt_client *c)
{
    return strlen(c->settings.cache.name_space) + 3;
}

static tt_str span_key(const tt_keys *k, const tt_tag_span *s)
{
    return tt_str_n(k->text.p + s->at, s->n);
}

static tt_str span_full(const tt_client *c, const tt_keys *k, const tt_tag_span *s)
{
    size_t prefix = prefix_bytes(c);

    return tt_str_n(k->text.p + s->at + prefix, s->n - prefix);
}

void tt_keys_done(const tt_client *c, tt_keys *k)
{
    for (int i = 0; i < k->n_tags; i++) {
        const tt_tag_span *s = &k->spans[i];

        k->tags[i] = span_key(k, s);
        k->names[i] = tt_str_n(k->text.p + s->name_at, s->name_n);
        k->full[i] = span_full(c, k, s);
    }
}

/* "table:t" means a table of the client's own schema, and clients of other schemas share the
 * namespace: its key names the schema. */
static void resolve(const tt_client *c, tt_keys *k, tt_tag_span *span)
{
    char schema[3 * TT_CONF_IDENT_MAX];
    size_t n = tt_tag_name(tt_str_c(c->settings.database.schema), schema, sizeof(schema));
    size_t at = k->text.n;

    if (n == 0 || !tt_tag_is_relative(span_full(c, k, span)) ||
        !tt_buf_reserve(&k->text, span->n + n + TT_KEY_TAG_MAX))
        return; /* the name stays where it is while its key is written behind it */
    tt_key_put_tag(tt_str_c(c->settings.cache.name_space), TT_STR(""), &k->text);
    tt_tag_resolve(span_full(c, k, span), tt_str_n(schema, n), &k->text);
    span->at = at;
    span->n = k->text.n - at;
}

/* A tag's key as the client names it was appended at `at`: make it the one that all clients know,
 * put it into its place, or take it off again when it is there. */
static int place(const tt_client *c, tt_keys *k, size_t at, tt_error *err)
{
    tt_tag_span span = {at, k->text.n - at, at + prefix_bytes(c), 0};
    int i = k->n_tags;

    span.name_n = span.n - prefix_bytes(c);
    resolve(c, k, &span);
    if (k->text.failed)
        return tt_fail_nomem(err);
    while (i > 0) {
        int order = tt_str_cmp(span_key(k, &k->spans[i - 1]), span_key(k, &span));

        if (order == 0) {
            k->text.n = at;
            return 0;
        }
        if (order < 0)
            break;
        i--;
    }
    if (k->n_tags >= TT_TAGS_MAX)
        return tt_fail(err, TT_E_LIMIT, "more than %d tags", TT_TAGS_MAX);
    memmove(&k->spans[i + 1], &k->spans[i], (size_t)(k->n_tags - i) * sizeof(span));
    k->spans[i] = span;
    k->n_tags++;
    return 0;
}

/* "NAMESPACE:t:" and the tag that a pattern stands for. */
static int add_pattern(tt_client *c, tt_keys *k, tt_str pattern, const tt_key_value *values,
                       size_t n, tt_error *err)
{
    size_t at = k->text.n;
    int rc;

    tt_key_put_tag(tt_str_c(c->settings.cache.name_space), TT_STR(""), &k->text);
    rc = tt_tag_expand(pattern, values, n, &k->text, err);
    if (rc != 0)
        return rc == TT_E_NOMEM ? tt_fail_nomem(err) : rc;
    return place(c, k, at, err);
}

int tt_keys_add(tt_client *c, tt_keys *k, tt_str tag, tt_error *err)
{
    size_t at = k->text.n;

    if (!tt_tag_valid(tag))
        return tt_fail(err, TT_E_ARGUMENT,
                       "\"%.*s\" is not a tag: expected 1 to %d bytes without blanks and control "
                       "characters",
                       (int)TT_MIN(tag.n, 64), tag.n ? tag.p : "", TT_KEY_TAG_MAX);
    tt_key_put_tag(tt_str_c(c->settings.cache.name_space), tag, &k->text);
    if (k->text.failed)
        return tt_fail_nomem(err);
    return place(c, k, at, err);
}

/* ---- values ------------------------------------------------------------------------------------
 */

/* A bound value, and room for the text of a number or a time. */
typedef struct shown {
    char text[TT_DOUBLE_CHARS];
} shown;

/* Decimal digits, at the end of the room. */
static tt_str show_integer(uint64_t magnitude, bool negative, shown *out)
{
    size_t at = sizeof(out->text);

    do
        out->text[--at] = (char)('0' + magnitude % 10);
    while ((magnitude /= 10) != 0);
    if (negative)
        out->text[--at] = '-';
    return tt_str_n(out->text + at, sizeof(out->text) - at);
}

static int show_time(const tt_value *v, shown *out)
{
    const tt_time *t = &v->as.t;

    if (v->type == TT_TYPE_DATE)
        return snprintf(out->text, sizeof(out->text), "%04u-%02u-%02u", t->year, t->month, t->day);
    if (v->type == TT_TYPE_TIME)
        return snprintf(out->text, sizeof(out->text), "%s%02" PRIu32 ":%02u:%02u.%06" PRIu32,
                        t->negative ? "-" : "", t->hours, t->minutes, t->seconds, t->micros);
    return snprintf(out->text, sizeof(out->text),
                    "%04u-%02u-%02uT%02" PRIu32 ":%02u:%02u.%06" PRIu32, t->year, t->month, t->day,
                    t->hours, t->minutes, t->seconds, t->micros);
}

static tt_key_value key_value(const tt_value *v, shown *room)
{
    static const tt_key_kind kinds[] = {
        [TT_TYPE_NULL] = TT_KEY_NULL,         [TT_TYPE_INT] = TT_KEY_INT,
        [TT_TYPE_UINT] = TT_KEY_UINT,         [TT_TYPE_DOUBLE] = TT_KEY_DOUBLE,
        [TT_TYPE_DECIMAL] = TT_KEY_DECIMAL,   [TT_TYPE_TEXT] = TT_KEY_TEXT,
        [TT_TYPE_BLOB] = TT_KEY_BLOB,         [TT_TYPE_DATE] = TT_KEY_DATE,
        [TT_TYPE_DATETIME] = TT_KEY_DATETIME, [TT_TYPE_TIME] = TT_KEY_TIME,
    };
    tt_key_value k = {kinds[v->type], {NULL, 0}};
    int n = 0;

    switch (v->type) {
    case TT_TYPE_NULL:
        return k;
    case TT_TYPE_DECIMAL:
    case TT_TYPE_TEXT:
    case TT_TYPE_BLOB:
        k.bytes = tt_str_n(v->as.bytes.p, v->as.bytes.n);
        return k;
    case TT_TYPE_INT:
        k.bytes = show_integer(v->as.i < 0 ? 0 - v->as.u : v->as.u, v->as.i < 0, room);
        return k;
    case TT_TYPE_UINT:
        k.bytes = show_integer(v->as.u, false, room);
        return k;
    case TT_TYPE_DOUBLE:
        n = tt_str_double(room->text, 17, v->as.d);
        break;
    case TT_TYPE_DATE:
    case TT_TYPE_DATETIME:
    case TT_TYPE_TIME:
        n = show_time(v, room);
        break;
    }
    TT_ASSERT(n > 0 && (size_t)n < sizeof(room->text));
    k.bytes = tt_str_n(room->text, (size_t)n);
    return k;
}

/* What the rows depend on besides statement and values: the tags too, since two programs that tag
 * the same read differently must have entries of their own. */
static void put_settings(const tt_client *c, const tt_keys *k, tt_buf *out)
{
    tt_buf_puts(out, c->settings.database.charset);
    tt_buf_put_char(out, '\n');
    tt_buf_puts(out, c->settings.database.time_zone);
    for (int i = 0; i < k->n_tags; i++) {
        tt_buf_put_char(out, '\n');
        tt_buf_put_str(out, span_full(c, k, &k->spans[i]));
    }
}

static int make_entry(tt_client *c, const tt_plan *p, const tt_key_value *values, size_t n,
                      tt_keys *k, tt_error *err)
{
    tt_buf settings = tt_buf_init(&c->a);
    size_t bytes_at = k->text.n, entry_at;
    tt_key_parts parts;
    int rc;

    put_settings(c, k, &settings);
    parts = (tt_key_parts){.name_space = tt_str_c(c->settings.cache.name_space),
                           .schema = tt_str_c(c->settings.database.schema),
                           .settings = tt_buf_str(&settings),
                           .normal = tt_buf_str(&p->normal),
                           .values = values,
                           .n_values = n};
    rc = settings.failed ? TT_E_NOMEM : tt_key_write(&parts, &k->text);
    tt_buf_free(&settings);
    if (rc == TT_E_NOMEM)
        return tt_fail_nomem(err);
    if (rc != 0)
        return tt_fail(err, rc, "the bound values are too large for a key of the cache");
    k->hash = tt_hash(tt_str_n(k->text.p + bytes_at, k->text.n - bytes_at));
    entry_at = k->text.n;
    tt_key_put_entry(tt_str_c(c->settings.cache.name_space), k->hash, &k->text);
    if (k->text.failed)
        return tt_fail_nomem(err);
    k->bytes = tt_str_n(k->text.p + bytes_at, entry_at - bytes_at);
    k->entry = tt_str_n(k->text.p + entry_at, k->text.n - entry_at);
    return 0;
}

/* In range, and nothing in fields that the type does not have: the key is made of the same fields
 * as the value that is bound. */
static bool is_time(tt_type type, const tt_time *t)
{
    bool date = t->month <= 12 && t->day <= 31 && t->year <= 9999;
    bool no_date = t->year == 0 && t->month == 0 && t->day == 0;
    bool clock = t->minutes <= 59 && t->seconds <= 59 && t->micros <= 999999;
    bool no_clock = t->hours == 0 && t->minutes == 0 && t->seconds == 0 && t->micros == 0;

    switch (type) {
    case TT_TYPE_DATE:
        return date && no_clock && t->negative == 0;
    case TT_TYPE_DATETIME:
        return date && clock && t->hours <= 23 && t->negative == 0;
    case TT_TYPE_TIME:
        return no_date && clock && t->hours <= 838 && t->negative <= 1;
    default:
        return true;
    }
}

static int check_values(const tt_plan *p, const tt_value *params, size_t n, tt_error *err)
{
    if (n != p->info.n_params)
        return tt_fail(err, TT_E_PARAMETERS, "the statement has %u parameters, but %zu were given",
                       p->info.n_params, n);
    if (n > TT_PARAMETERS_MAX)
        return tt_fail(err, TT_E_LIMIT, "more than %d parameters", TT_PARAMETERS_MAX);
    if (n && !params)
        return tt_fail(err, TT_E_ARGUMENT, "%zu parameters, but `params` is NULL", n);
    for (size_t i = 0; i < n; i++) {
        bool has_bytes = params[i].type == TT_TYPE_DECIMAL || params[i].type == TT_TYPE_TEXT ||
                         params[i].type == TT_TYPE_BLOB;

        if (params[i].type < TT_TYPE_NULL || params[i].type > TT_TYPE_TIME)
            return tt_fail(err, TT_E_ARGUMENT, "parameter %zu has no type of tt_type: %d", i + 1,
                           (int)params[i].type);
        if (!is_time(params[i].type, &params[i].as.t))
            return tt_fail(err, TT_E_ARGUMENT,
                           "parameter %zu is no date or time: a field is out of range, or is not 0 "
                           "though its type does not have it",
                           i + 1);
        if (has_bytes && params[i].as.bytes.n > TT_VALUE_BYTES_MAX)
            return tt_fail(err, TT_E_LIMIT, "parameter %zu is longer than %u bytes", i + 1,
                           TT_VALUE_BYTES_MAX);
        if (has_bytes && params[i].as.bytes.n && !params[i].as.bytes.p)
            return tt_fail(err, TT_E_ARGUMENT, "parameter %zu has %zu bytes at NULL", i + 1,
                           params[i].as.bytes.n);
        if (params[i].type >= TT_TYPE_DATE && params[i].as.t.reserved)
            return tt_fail(err, TT_E_ARGUMENT, "reserved of parameter %zu is not 0", i + 1);
    }
    return 0;
}

static int fill(tt_client *c, const tt_plan *p, const tt_key_value *values, size_t n, tt_keys *k,
                tt_error *err)
{
    const char *pattern = p->patterns.p;
    int rc = 0;

    (void)tt_buf_reserve(&k->text, KEYS_GUESS + 2 * p->patterns.n + p->normal.n);
    for (int i = 0; i < p->n_patterns && rc == 0; i++) {
        rc = add_pattern(c, k, tt_str_c(pattern), values, n, err);
        pattern += strlen(pattern) + 1;
    }
    if (rc == 0 && p->cached)
        rc = make_entry(c, p, values, n, k, err);
    if (rc == 0)
        tt_keys_done(c, k);
    return rc;
}

int tt_keys_make(tt_client *c, const tt_plan *p, const tt_value *params, size_t n, tt_keys *out,
                 tt_error *err)
{
    tt_key_value few[FEW_VALUES] = {{0}}, *values = few;
    shown few_texts[FEW_VALUES], *texts = few_texts;
    int rc = check_values(p, params, n, err);

    tt_keys_init(c, out);
    if (rc != 0 || p->n_patterns == 0)
        return rc;
    if (n > FEW_VALUES) {
        values = tt_new_array(&c->a, n, sizeof(*values) + sizeof(*texts));
        if (!values)
            return tt_fail_nomem(err);
        texts = (shown *)(values + n);
    }
    for (size_t i = 0; i < n; i++)
        values[i] = key_value(&params[i], &texts[i]);
    rc = fill(c, p, values, n, out, err);
    if (values != few)
        tt_del(&c->a, values);
    return rc;
}
