/* What no single key can show, and what may change while running. */
#include <stdio.h>

#include "base/err.h"
#include "core/config_value.h"
#include "core/key.h"

enum tt_conf_scope tt_settings_scope(const struct tt_settings *s)
{
    if (s->cache.scope != TT_CONF_SCOPE_AUTO)
        return (enum tt_conf_scope)s->cache.scope;
    return s->cache.redis[0] ? TT_CONF_SCOPE_SHARED : TT_CONF_SCOPE_NONE;
}

const char *tt_settings_tls_mode(const struct tt_settings *s)
{
    switch ((enum tt_conf_tls)s->database.tls.mode) {
    case TT_CONF_TLS_OFF:
        return "off";
    case TT_CONF_TLS_REQUIRE:
        return "require";
    case TT_CONF_TLS_VERIFY_CA:
        return "verify_ca";
    case TT_CONF_TLS_VERIFY:
        return "verify";
    case TT_CONF_TLS_AUTO:
        break;
    }
    return NULL;
}

int64_t tt_settings_ttl_ms(const struct tt_settings *s, tt_str class_name)
{
    int at;

    if (class_name.n == 0)
        return s->cache.default_ttl_ms;
    at = tt_classes_find(&s->cache.classes, class_name);
    return at < 0 ? -1 : s->cache.classes.v[at].ttl_ms;
}

int tt_conf_node_check(const struct tt_conf_node *node, const char *what, tt_error *err)
{
    if (!node->host[0] && !node->socket[0])
        return tt_fail(err, TT_E_CONFIG, "%s needs a host or a socket", what);
    if (node->host[0] && node->socket[0])
        return tt_fail(err, TT_E_CONFIG, "%s has a host and a socket; expected one of them", what);
    return 0;
}

static bool same_server(const struct tt_conf_node *a, const struct tt_conf_node *b)
{
    if (a->socket[0] || b->socket[0])
        return strcmp(a->socket, b->socket) == 0;
    return a->port == b->port && tt_str_eq_nocase(tt_str_c(a->host), tt_str_c(b->host));
}

static int check_nodes(const struct tt_settings *s, tt_error *err)
{
    const struct tt_conf_nodes *replicas = &s->database.replicas;
    int rc = tt_conf_node_check(&s->database.primary, "database.primary", err);

    for (int i = 0; rc == 0 && i < replicas->n; i++) {
        const struct tt_conf_node *node = &replicas->v[i];
        char what[32];

        (void)snprintf(what, sizeof(what), "database.replicas[%d]", i);
        rc = tt_conf_node_check(node, what, err);
        if (rc == 0 && same_server(node, &s->database.primary))
            rc = tt_fail(err, TT_E_CONFIG, "%s is the primary too", what);
        for (int j = 0; rc == 0 && j < i; j++)
            if (same_server(node, &replicas->v[j]))
                rc = tt_fail(err, TT_E_CONFIG, "%s is the same server as database.replicas[%d]",
                             what, j);
    }
    return rc;
}

static int check_secret(const struct tt_conf_secret *secret, const char *section, tt_error *err)
{
    if (secret->env[0] && secret->file[0])
        return tt_fail(err, TT_E_CONFIG,
                       "%s.password_env and %s.password_file are both set; expected one of them",
                       section, section);
    return 0;
}

static int check_redis(const struct tt_settings *s, tt_error *err)
{
    struct tt_redis_url url;
    tt_error why = TT_ERROR_INIT;

    if (!s->cache.redis[0] && s->cache.scope == TT_CONF_SCOPE_SHARED)
        return tt_fail(err, TT_E_CONFIG, "cache.scope is shared; cache.redis is required for it");
    if (!s->cache.redis[0])
        return 0;
    if (s->cache.scope == TT_CONF_SCOPE_PROCESS)
        return tt_fail(err, TT_E_CONFIG,
                       "cache.scope is process, which has no Redis; expected no cache.redis");
    if (tt_redis_url_parse(tt_str_c(s->cache.redis), &url, &why) != 0)
        return tt_fail(err, TT_E_CONFIG, "cache.redis: %s", why.message);
    if (url.scheme != TT_REDIS_PLAIN)
        return tt_fail(err, TT_E_UNSUPPORTED,
                       "cache.redis: rediss://, sentinel:// and cluster:// are not supported by "
                       "this version; expected redis://");
    return 0;
}

/* The cache inside the process, in front of Redis, is of a later version. */
static int check_local(const struct tt_settings *s, tt_error *err)
{
    if (s->cache.local.mode == TT_CONF_LOCAL_OFF)
        return 0;
    return tt_fail(err, TT_E_UNSUPPORTED,
                   "cache.local.mode: validate and bounded are not supported by this version; "
                   "expected off");
}

/* The first duration or number has to be no more than the second (or less, when strict). */
struct order {
    const char *low, *high;
    int64_t a, b;
    bool strict;
    bool size;
};

static int check_orders(const struct tt_settings *s, tt_error *err)
{
    bool local = s->cache.scope == TT_CONF_SCOPE_PROCESS;
    const struct order orders[] = {
        {"database.health.interval", "database.health.stale_after", s->database.health.interval_ms,
         s->database.health.stale_after_ms, true, false},
        {"database.query_timeout", "cache.mark_timeout", s->database.query_timeout_ms,
         s->cache.mark_timeout_ms, true, false},
        {"cache.breaker.open_min", "cache.breaker.open_max", s->cache.breaker.open_min_ms,
         s->cache.breaker.open_max_ms, false, false},
        {"cache.default_ttl", "cache.tag_ttl", s->cache.default_ttl_ms, s->cache.tag_ttl_ms, false,
         false},
        {"cache.entry_max_bytes", "cache.local.max_bytes", local ? s->cache.entry_max_bytes : 0,
         s->cache.local.max_bytes, false, true}};

    for (size_t i = 0; i < TT_COUNT(orders); i++) {
        const struct order *o = &orders[i];

        if (o->a < o->b || (o->a == o->b && !o->strict))
            continue;
        return tt_fail(err, TT_E_CONFIG, "%s is %s; expected %s than %s, which is %s", o->high,
                       o->size ? tt_size_text(o->b).c : tt_duration_text(o->b).c,
                       o->strict ? "more" : "no less", o->low,
                       o->size ? tt_size_text(o->a).c : tt_duration_text(o->a).c);
    }
    return 0;
}

static int check_classes(const struct tt_settings *s, tt_error *err)
{
    for (int i = 0; i < s->cache.classes.n; i++) {
        const struct tt_conf_class *class = &s->cache.classes.v[i];

        if (class->ttl_ms > s->cache.tag_ttl_ms)
            return tt_fail(err, TT_E_CONFIG,
                           "cache.tag_ttl is %s; expected no less than cache.classes.%s, which is "
                           "%s",
                           tt_duration_text(s->cache.tag_ttl_ms).c, class->name,
                           tt_duration_text(class->ttl_ms).c);
    }
    return 0;
}

/* Statements are told apart byte by byte: not in character sets where the second byte of a
 * character may be an ASCII one, nor where ASCII has more than one byte. */
static int check_charset(const struct tt_settings *s, tt_error *err)
{
    static const char *const names[] = {"big5", "cp932", "gb18030", "gbk",  "sjis",
                                        "ucs2", "utf16", "utf16le", "utf32"};

    for (size_t i = 0; i < TT_COUNT(names); i++)
        if (tt_str_eq_nocase(tt_str_c(s->database.charset), tt_str_c(names[i])))
            return tt_fail(err, TT_E_CONFIG,
                           "database.charset is %s, in which a quote or a backslash may be half of "
                           "a character; expected another, as utf8mb4",
                           s->database.charset);
    return 0;
}

static int check_namespace(const struct tt_settings *s, tt_error *err)
{
    if (tt_namespace_valid(tt_str_c(s->cache.name_space)))
        return 0;
    return tt_fail(err, TT_E_CONFIG,
                   "cache.namespace is %s; expected letters, digits, '_', '-' and '.': a ':' ends "
                   "it in keys",
                   s->cache.name_space);
}

int tt_settings_check(const struct tt_settings *s, tt_error *err)
{
    int rc = check_nodes(s, err);

    if (rc == 0)
        rc = check_secret(&s->database.password, "database", err);
    if (rc == 0)
        rc = check_secret(&s->cache.password, "cache", err);
    if (rc == 0 && s->database.pool.min > s->database.pool.max)
        rc = tt_fail(err, TT_E_CONFIG,
                     "database.pool.min is %d; expected no more than database.pool.max, which is "
                     "%d",
                     s->database.pool.min, s->database.pool.max);
    if (rc == 0 && s->database.tls.mode >= TT_CONF_TLS_VERIFY_CA && !s->database.tls.ca[0])
        rc =
            tt_fail(err, TT_E_CONFIG, "database.tls.mode is %s; database.tls.ca is required for it",
                    tt_settings_tls_mode(s));
    if (rc == 0)
        rc = check_charset(s, err);
    if (rc == 0)
        rc = check_namespace(s, err);
    if (rc == 0)
        rc = check_redis(s, err);
    if (rc == 0)
        rc = check_local(s, err);
    if (rc == 0)
        rc = check_orders(s, err);
    return rc ? rc : check_classes(s, err);
}

/* --- reload --------------------------------------------------------------------------------- */

static bool same_nodes(const struct tt_conf_nodes *a, const struct tt_conf_nodes *b)
{
    bool same = a->n == b->n;

    for (int i = 0; same && i < a->n; i++)
        same = strcmp(a->v[i].host, b->v[i].host) == 0 &&
               strcmp(a->v[i].socket, b->v[i].socket) == 0 && a->v[i].port == b->v[i].port &&
               a->v[i].weight == b->v[i].weight;
    return same;
}

/* Order does not matter. */
static bool same_classes(const struct tt_conf_classes *a, const struct tt_conf_classes *b)
{
    bool same = a->n == b->n;

    for (int i = 0; same && i < a->n; i++) {
        int at = tt_classes_find(b, tt_str_c(a->v[i].name));

        same = at >= 0 && a->v[i].ttl_ms == b->v[at].ttl_ms;
    }
    return same;
}

bool tt_settings_differ(const struct tt_settings *a, const struct tt_settings *b,
                        const struct tt_key *key)
{
    const void *left = tt_setting_value(key, a), *right = tt_setting_value(key, b);

    if (!left)
        return false;
    switch (key->type) {
    case TT_SETTING_INTEGER:
    case TT_SETTING_ENUM:
        return *(const int *)left != *(const int *)right;
    case TT_SETTING_DURATION:
    case TT_SETTING_SIZE:
        return *(const int64_t *)left != *(const int64_t *)right;
    case TT_SETTING_TEXT:
    case TT_SETTING_SECRET:
    case TT_SETTING_URL:
        return strcmp(left, right) != 0;
    case TT_SETTING_NODES:
        return !same_nodes(left, right);
    case TT_SETTING_CLASSES:
        return !same_classes(left, right);
    }
    return true;
}

void tt_settings_take(struct tt_settings *into, const struct tt_settings *from,
                      const struct tt_key *key)
{
    static const size_t sizes[] = {[TT_SETTING_INTEGER] = sizeof(int),
                                   [TT_SETTING_ENUM] = sizeof(int),
                                   [TT_SETTING_DURATION] = sizeof(int64_t),
                                   [TT_SETTING_SIZE] = sizeof(int64_t),
                                   [TT_SETTING_NODES] = sizeof(struct tt_conf_nodes),
                                   [TT_SETTING_CLASSES] = sizeof(struct tt_conf_classes)};
    const void *value = tt_setting_value(key, from);
    bool text = key->type == TT_SETTING_TEXT || key->type == TT_SETTING_SECRET ||
                key->type == TT_SETTING_URL;

    if (value)
        memcpy((char *)into + key->offset, value, text ? strlen(value) + 1 : sizes[key->type]);
}

int tt_settings_diff(const struct tt_settings *running, const struct tt_settings *next,
                     tt_error *err)
{
    char names[TT_ERROR_MESSAGE_MAX - 64] = "";
    size_t n, used = 0, more = 0;
    const struct tt_key *keys = tt_settings_keys(&n);

    for (size_t i = 0; i < n; i++) {
        size_t length = strlen(keys[i].path);

        if (keys[i].running || !tt_settings_differ(running, next, &keys[i]))
            continue;
        if (used + length + 3 > sizeof(names)) {
            more++;
            continue;
        }
        used += (size_t)snprintf(names + used, sizeof(names) - used, "%s%s", used ? ", " : "",
                                 keys[i].path);
    }
    if (used == 0)
        return 0;
    if (more)
        return tt_fail(err, TT_E_CONFIG, "cannot change while running: %s and %zu more", names,
                       more);
    return tt_fail(err, TT_E_CONFIG, "cannot change while running: %s", names);
}
