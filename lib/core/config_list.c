/* The values that are not single: addresses, lists of nodes, the map of classes, the Redis URL. */
#include "base/err.h"
#include "core/config_value.h"

#define REDIS_PORT 6379
#define REDIS_DB_MAX 65535
#define PORT_MAX 65535

/* An integer within bounds, into an int. */
static bool bounded(tt_str text, int64_t min, int64_t max, int *out)
{
    int64_t v;

    if (!tt_integer_parse(text, &v) || v < min || v > max)
        return false;
    *out = (int)v;
    return true;
}

bool tt_address_parse(tt_str text, char *host, size_t host_size, int *port)
{
    tt_str name, rest = text;

    if (text.n && text.p[0] == '[') {
        rest = tt_str_n(text.p + 1, text.n - 1);
        name = tt_str_cut(&rest, ']');
        if (!rest.p || (rest.n && rest.p[0] != ':'))
            return false;
        rest = rest.n ? tt_str_n(rest.p + 1, rest.n - 1) : (tt_str){NULL, 0};
    } else {
        name = tt_str_cut(&rest, ':');
        if (memchr(name.p ? name.p : "", ']', name.n))
            return false;
    }
    if (name.n == 0 || name.n >= host_size || !tt_text_fits(TT_FORM_HOST, name))
        return false;
    if (rest.p && !bounded(rest, 1, PORT_MAX, port))
        return false;
    tt_text_store(host, host_size, name);
    return true;
}

/* host[:port][*weight] or /socket[*weight]; `out` holds the defaults. */
static bool node_parse(tt_str text, struct tt_conf_node *out)
{
    tt_str where = tt_str_cut(&text, '*');

    if (text.p && !bounded(text, 1, TT_CONF_WEIGHT_MAX, &out->weight))
        return false;
    if (where.n == 0 || where.p[0] != '/')
        return tt_address_parse(where, out->host, sizeof(out->host), &out->port);
    if (where.n >= sizeof(out->socket) || !tt_text_fits(TT_FORM_SOCKET, where))
        return false;
    tt_text_store(out->socket, sizeof(out->socket), where);
    return true;
}

bool tt_nodes_parse(tt_str text, struct tt_conf_nodes *out)
{
    struct tt_conf_nodes nodes = {0};

    text = tt_str_trim(text);
    if (text.n == 0)
        text.p = NULL;
    while (text.p) {
        tt_str item = tt_str_trim(tt_str_cut(&text, ','));
        struct tt_conf_node *node = &nodes.v[nodes.n];

        if (nodes.n == TT_CONF_REPLICAS_MAX)
            return false;
        *node = (struct tt_conf_node){.port = TT_CONF_DB_PORT, .weight = 1};
        if (!node_parse(item, node))
            return false;
        nodes.n++;
    }
    *out = nodes;
    return true;
}

void tt_nodes_put(const struct tt_conf_nodes *nodes, tt_buf *out)
{
    for (int i = 0; i < nodes->n; i++) {
        const struct tt_conf_node *node = &nodes->v[i];

        if (i > 0)
            tt_buf_puts(out, ", ");
        if (node->socket[0])
            tt_buf_puts(out, node->socket);
        else if (strchr(node->host, ':'))
            tt_buf_printf(out, "[%s]:%d", node->host, node->port);
        else
            tt_buf_printf(out, "%s:%d", node->host, node->port);
        if (node->weight != 1)
            tt_buf_printf(out, "*%d", node->weight);
    }
}

int tt_classes_find(const struct tt_conf_classes *classes, tt_str name)
{
    for (int i = 0; i < classes->n; i++)
        if (tt_str_eq(tt_str_c(classes->v[i].name), name))
            return i;
    return -1;
}

bool tt_classes_parse(tt_str text, const struct tt_key *ttl, struct tt_conf_classes *out)
{
    struct tt_conf_classes classes = {0};

    text = tt_str_trim(text);
    if (text.n == 0)
        text.p = NULL;
    while (text.p) {
        tt_str item = tt_str_cut(&text, ',');
        tt_str name = tt_str_trim(tt_str_cut(&item, '='));
        struct tt_conf_class *class = &classes.v[classes.n];

        if (classes.n == TT_CONF_CLASSES_MAX || !tt_class_name_fits(name) ||
            tt_classes_find(&classes, name) >= 0)
            return false;
        if (!tt_duration_parse(tt_str_trim(item), &class->ttl_ms) || class->ttl_ms < ttl->min ||
            class->ttl_ms > ttl->max)
            return false;
        tt_text_store(class->name, sizeof(class->name), name);
        classes.n++;
    }
    *out = classes;
    return true;
}

void tt_classes_put(const struct tt_conf_classes *classes, tt_buf *out)
{
    for (int i = 0; i < classes->n; i++)
        tt_buf_printf(out, "%s%s=%s", i ? ", " : "", classes->v[i].name,
                      tt_duration_text(classes->v[i].ttl_ms).c);
}

static bool scheme_parse(tt_str *text, tt_redis_scheme *out)
{
    static const struct {
        tt_str prefix;
        tt_redis_scheme scheme;
    } rows[] = {{{"redis://", 8}, TT_REDIS_PLAIN},
                {{"rediss://", 9}, TT_REDIS_TLS},
                {{"sentinel://", 11}, TT_REDIS_SENTINEL},
                {{"cluster://", 10}, TT_REDIS_CLUSTER}};

    for (size_t i = 0; i < TT_COUNT(rows); i++) {
        if (!tt_str_has_prefix(*text, rows[i].prefix))
            continue;
        *out = rows[i].scheme;
        *text = tt_str_n(text->p + rows[i].prefix.n, text->n - rows[i].prefix.n);
        return true;
    }
    return false;
}

/* Take "user@" off the authority. An '@' in a password does not hide it: the last one counts. */
static int user_parse(tt_str *authority, struct tt_redis_url *url, tt_error *err)
{
    const char *at = authority->n ? memrchr(authority->p, '@', authority->n) : NULL;
    tt_str user;

    if (!at)
        return 0;
    user = tt_str_n(authority->p, (size_t)(at - authority->p));
    if (user.n && memchr(user.p, ':', user.n))
        return tt_fail(err, TT_E_CONFIG,
                       "a password does not belong in the URL; name where it is in "
                       "cache.password_env or cache.password_file");
    if (user.n == 0 || user.n >= sizeof(url->user) || !tt_text_fits(TT_FORM_NAME, user))
        return tt_fail(err, TT_E_CONFIG,
                       "expected a user of letters, digits, '_', '-', '.' before the '@'");
    tt_text_store(url->user, sizeof(url->user), user);
    *authority = tt_str_n(at + 1, authority->n - user.n - 1);
    return 0;
}

int tt_redis_url_parse(tt_str text, struct tt_redis_url *out, tt_error *err)
{
    struct tt_redis_url url = {.port = REDIS_PORT};
    tt_str authority;
    int rc;

    if (!scheme_parse(&text, &url.scheme) || text.n == 0 || !tt_text_fits(TT_FORM_ANY, text))
        goto bad;
    /* A password may have a '/' in it: look for it before the path is cut off. */
    authority = text;
    rc = user_parse(&authority, &url, err);
    if (rc != 0)
        return rc;
    text = authority;
    authority = tt_str_cut(&text, '/');
    if (authority.n == 0)
        goto bad;
    if (url.scheme == TT_REDIS_PLAIN) {
        if (!tt_address_parse(authority, url.host, sizeof(url.host), &url.port) ||
            (text.n && !bounded(text, 0, REDIS_DB_MAX, &url.db)))
            goto bad;
    }
    *out = url;
    return 0;
bad:
    return tt_fail(err, TT_E_CONFIG, "expected a URL such as redis://10.0.0.9:6379/0");
}
