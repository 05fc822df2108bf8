#include "svc/plan.h"

#include "base/abi.h"
#include "base/err.h"
#include "core/key.h"

/* A name of an identifier's 64 characters, and more than the servers take. */
enum { NAME_MAX_BYTES = 1024 };

/* ---- plans -------------------------------------------------------------------------------------
 */

static int begin(tt_client *c, const char *sql, tt_plan *out, tt_error *err)
{
    memset(out, 0, sizeof(*out));
    out->a = &c->a;
    out->sql = out->normal = out->patterns = tt_buf_init(&c->a);
    if (!sql)
        return tt_fail(err, TT_E_ARGUMENT, "the statement is NULL");
    if (strnlen(sql, TT_SQL_MAX + 1) > TT_SQL_MAX)
        return tt_fail(err, TT_E_LIMIT, "the statement is longer than %u bytes", TT_SQL_MAX);
    tt_buf_puts(&out->sql, sql);
    if (!tt_buf_cstr(&out->sql))
        return tt_fail_nomem(err);
    tt_sql_inspect(tt_buf_str(&out->sql), c->family, &out->info);
    return 0;
}

void tt_plan_free(tt_plan *p)
{
    tt_buf_free(&p->sql);
    tt_buf_free(&p->normal);
    tt_buf_free(&p->patterns);
}

/* `text` ends what was put before. */
static int add_pattern(tt_plan *p, tt_str text, tt_error *err)
{
    if (p->n_patterns >= TT_TAGS_MAX)
        return tt_fail(err, TT_E_LIMIT, "more than %d tags", TT_TAGS_MAX);
    tt_buf_put_str(&p->patterns, text);
    tt_buf_put_char(&p->patterns, '\0');
    p->n_patterns++;
    return p->patterns.failed ? tt_fail_nomem(err) : 0;
}

/* Braces doubled: what is put there becomes a pattern. */
static void put_name(tt_buf *out, tt_str name)
{
    char text[NAME_MAX_BYTES];
    size_t n = tt_tag_name(name, text, sizeof(text));

    for (size_t i = 0; i < n; i++) {
        tt_buf_put_char(out, text[i]);
        if (text[i] == '{')
            tt_buf_put_char(out, '{');
    }
}

/* "table:name" or "table:schema.name", in lower case. */
static int add_table(tt_plan *p, const tt_client *c, const tt_sql_table *t, tt_error *err)
{
    bool other = t->schema.n && !tt_str_eq_nocase(t->schema, tt_str_c(c->settings.database.schema));

    tt_buf_puts(&p->patterns, "table:");
    if (other) {
        put_name(&p->patterns, t->schema);
        tt_buf_put_char(&p->patterns, '.');
    }
    put_name(&p->patterns, t->name);
    return add_pattern(p, TT_STR(""), err);
}

static int add_tables(tt_plan *p, const tt_client *c, bool written, tt_error *err)
{
    int rc = 0;

    for (size_t i = 0; i < p->info.n_tables && rc == 0; i++)
        if (!written || p->info.tables[i].written)
            rc = add_table(p, c, &p->info.tables[i], err);
    return rc;
}

static int add_given(tt_plan *p, const char *const *tags, size_t n, tt_error *err)
{
    int rc = 0;

    if (n && !tags)
        return tt_fail(err, TT_E_ARGUMENT, "%zu tags, but `tags` is NULL", n);
    for (size_t i = 0; i < n && rc == 0; i++)
        rc = tags[i] ? add_pattern(p, tt_str_c(tags[i]), err)
                     : tt_fail(err, TT_E_ARGUMENT, "tag %zu is NULL", i);
    return rc;
}

int tt_timeout_check(int timeout_ms, int32_t reserved, tt_error *err)
{
    if (reserved != 0)
        return tt_fail(err, TT_E_ARGUMENT, "reserved is %d; expected 0", reserved);
    if (timeout_ms < 0 || timeout_ms > TT_TIMEOUT_MS_MAX)
        return tt_fail(err, TT_E_ARGUMENT, "timeout_ms is %d; expected 0 (the default) to %d",
                       timeout_ms, TT_TIMEOUT_MS_MAX);
    return 0;
}

static int check_bound(int32_t consistency, int32_t bound_ms, tt_error *err)
{
    if (consistency == TT_BOUNDED)
        return tt_fail(err, TT_E_UNSUPPORTED, "TT_BOUNDED comes with a later version");
    if (bound_ms != 0)
        return tt_fail(err, TT_E_ARGUMENT, "bound_ms is %d, but the consistency is not TT_BOUNDED",
                       bound_ms);
    return 0;
}

int tt_call_take(tt_call_options *into, const tt_call_options *call, tt_error *err)
{
    int rc = tt_abi_take(into, sizeof(*into), call, err);

    if (rc == 0)
        rc = tt_timeout_check(into->timeout_ms, into->reserved, err);
    return rc != 0 ? rc : check_bound(into->consistency, into->bound_ms, err);
}

static int check_read_class(tt_client *c, tt_plan *p, tt_error *err)
{
    const tt_sql_info *info = &p->info;

    if (info->class <= TT_SQL_READ_VOLATILE)
        return 0;
    if (info->class == TT_SQL_READ_PRIMARY) {
        pthread_rwlock_rdlock(&c->settings_lock);
        p->only_inside = c->settings.read.unproven == TT_CONF_UNPROVEN_REFUSE;
        pthread_rwlock_unlock(&c->settings_lock);
        return 0;
    }
    return tt_fail(err, TT_E_STATEMENT,
                   "expected one statement that only reads, came one of class \"%s\": %s%s",
                   tt_sql_class_name(info->class), info->why,
                   info->class == TT_SQL_WRITE || info->class == TT_SQL_DDL
                       ? "; use tt_query_write for it"
                       : "");
}

int tt_plan_check_outside(const tt_plan *p, tt_error *err)
{
    if (!p->only_inside)
        return 0;
    return tt_fail(err, TT_E_STATEMENT,
                   "expected one statement that only reads, came one of class \"%s\": %s; set "
                   "read.unproven to \"primary\" to run such reads on the primary, or run it in a "
                   "transaction",
                   tt_sql_class_name(p->info.class), p->info.why);
}

int tt_plan_mode(const tt_plan *p, int32_t consistency, tt_read_mode *out, tt_error *err)
{
    switch (consistency) {
    case TT_COHERENT:
        *out = TT_READ_COHERENT;
        break;
    case TT_STRONG:
        *out = TT_READ_STRONG;
        break;
    case TT_EVENTUAL:
        *out = TT_READ_EVENTUAL;
        break;
    case TT_BOUNDED:
        return tt_fail(err, TT_E_UNSUPPORTED, "TT_BOUNDED comes with a later version");
    default:
        return tt_fail(err, TT_E_ARGUMENT, "consistency is %d; expected a tt_consistency",
                       consistency);
    }
    if (p->info.class == TT_SQL_READ_PRIMARY)
        *out = TT_READ_STRONG;
    return 0;
}

/* The class in the configuration, and the tags, of a read that is to be cached. */
static int set_caching(tt_client *c, tt_plan *p, const tt_read_options *o, tt_error *err)
{
    int rc;

    if (!o->cache_class) {
        if (o->n_tags)
            return tt_fail(err, TT_E_ARGUMENT,
                           "a read with tags, but without `cache_class`, would "
                           "not be cached: give a class, \"\" for the default");
        return 0;
    }
    pthread_rwlock_rdlock(&c->settings_lock);
    p->ttl_ms = tt_settings_ttl_ms(&c->settings, tt_str_c(o->cache_class));
    pthread_rwlock_unlock(&c->settings_lock);
    if (p->ttl_ms < 0)
        return tt_fail(err, TT_E_ARGUMENT,
                       "no class \"%.64s\" in cache.classes; \"\" is the default", o->cache_class);
    p->cached = c->cached && p->mode != TT_READ_STRONG;
    p->no_entry = p->info.class != TT_SQL_READ;
    rc = add_given(p, o->tags, o->n_tags, err);
    if (rc == 0 && o->n_tags == 0) {
        if (!p->info.tables_complete)
            return tt_fail(err, TT_E_STATEMENT,
                           "the tables of the statement cannot all be told: "
                           "name the tags of a cached read");
        rc = add_tables(p, c, false, err);
    }
    if (rc != 0)
        return rc;
    if (p->n_patterns == 0)
        p->cached = false; /* no table, no tag: nothing could ever invalidate it */
    if (p->cached && tt_sql_normalize(tt_buf_str(&p->sql), &p->normal) != 0)
        return p->normal.failed
                   ? tt_fail_nomem(err)
                   : tt_fail(err, TT_E_STATEMENT, "the statement cannot be read to its end");
    return 0;
}

int tt_plan_read(tt_client *c, const char *sql, const tt_read_options *options, tt_plan *out,
                 tt_error *err)
{
    tt_read_options o = TT_READ_OPTIONS_INIT;
    int rc = begin(c, sql, out, err);

    if (rc == 0)
        rc = tt_abi_take(&o, sizeof(o), options, err);
    if (rc == 0)
        rc = tt_timeout_check(o.timeout_ms, o.reserved, err);
    if (rc == 0)
        rc = check_bound(o.consistency, o.bound_ms, err);
    if (rc == 0)
        rc = check_read_class(c, out, err);
    if (rc == 0)
        rc = tt_plan_mode(out, o.consistency, &out->mode, err);
    if (rc == 0)
        rc = set_caching(c, out, &o, err);
    out->timeout_ms = o.timeout_ms;
    return rc;
}

int tt_plan_write(tt_client *c, const char *sql, const tt_write_options *options, tt_plan *out,
                  tt_error *err)
{
    tt_write_options o = TT_WRITE_OPTIONS_INIT;
    int rc = begin(c, sql, out, err);

    out->writes = true;
    if (rc == 0)
        rc = tt_abi_take(&o, sizeof(o), options, err);
    if (rc == 0)
        rc = tt_timeout_check(o.timeout_ms, 0, err);
    if (rc != 0)
        return rc;
    out->timeout_ms = o.timeout_ms;
    if (o.flags & ~(TT_WRITE_ONLY_THESE_TAGS | TT_WRITE_NO_TAGS))
        return tt_fail(err, TT_E_ARGUMENT, "unknown bits in flags: %#x", o.flags);
    if ((o.flags & TT_WRITE_NO_TAGS) && o.n_tags)
        return tt_fail(err, TT_E_ARGUMENT, "TT_WRITE_NO_TAGS, but %zu tags", o.n_tags);
    if (out->info.class != TT_SQL_WRITE && out->info.class != TT_SQL_DDL)
        return tt_fail(err, TT_E_STATEMENT,
                       "expected one statement that changes rows or the schema, came one of class "
                       "\"%s\": %s%s",
                       tt_sql_class_name(out->info.class), out->info.why,
                       out->info.class <= TT_SQL_READ_PRIMARY ? "; use tt_query_read for it" : "");
    out->no_tags = (o.flags & TT_WRITE_NO_TAGS) != 0;
    if (out->no_tags || !c->cached)
        return 0;
    rc = add_given(out, o.tags, o.n_tags, err);
    if (rc != 0 || (o.flags & TT_WRITE_ONLY_THESE_TAGS))
        return rc;
    if (!out->info.tables_complete && o.n_tags == 0)
        return tt_fail(err, TT_E_STATEMENT,
                       "the tables that the statement changes cannot all be "
                       "told: name its tags, or TT_WRITE_NO_TAGS");
    return add_tables(out, c, out->info.class == TT_SQL_WRITE, err);
}

int tt_plan_check_patterns(const tt_plan *p, tt_error *err)
{
    const char *pattern = p->patterns.p;
    int rc = 0;

    for (int i = 0; i < p->n_patterns && rc == 0; i++) {
        rc = tt_tag_check(tt_str_c(pattern), p->info.n_params, err);
        pattern += strlen(pattern) + 1;
    }
    return rc;
}
