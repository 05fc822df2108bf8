#include "core/config.h"

#include <stdio.h>

#include "base/err.h"
#include "core/config_value.h"

#define REPLICAS "database.replicas"
#define CLASSES "cache.classes"

/* A path, resolved. For an element `index` counts nodes, `name` is the class. */
struct place {
    const struct tt_key *key;
    int index;
    tt_str name;
};

static const struct tt_key *find(const char *path)
{
    size_t n;
    const struct tt_key *keys = tt_settings_keys(&n);

    for (size_t i = 0; i < n; i++)
        if (strcmp(keys[i].path, path) == 0)
            return &keys[i];
    return NULL;
}

/* "database.replicas[12].host" gives 12 and "database.replicas[].host". */
static bool without_index(const char *path, char *out, size_t size, int *index)
{
    const char *open = strchr(path, '['), *close = strchr(path, ']');
    int64_t v;
    int n;

    if (!open || !close || close < open)
        return false;
    if (!tt_integer_parse(tt_str_n(open + 1, (size_t)(close - open) - 1), &v) || v > INT16_MAX)
        return false;
    *index = (int)v;
    n = snprintf(out, size, "%.*s[]%s", (int)(open - path), path, close + 1);
    return n > 0 && (size_t)n < size;
}

static bool resolve(const char *path, struct place *out)
{
    char pattern[TT_CONF_PATH_MAX];

    *out = (struct place){0};
    if (strlen(path) >= TT_CONF_PATH_MAX)
        return false;
    if (strncmp(path, CLASSES ".", sizeof(CLASSES)) == 0) {
        out->name = tt_str_c(path + sizeof(CLASSES));
        out->key = find(CLASSES ".*");
        return tt_class_name_fits(out->name);
    }
    if (strchr(path, '[')) {
        if (!without_index(path, pattern, sizeof(pattern), &out->index))
            return false;
        path = pattern;
    }
    out->key = find(path);
    return out->key != NULL;
}

/* --- one value ------------------------------------------------------------------------------ */

/* What came, fit for a message: cut, and without control characters. */
static struct tt_phrase shown(tt_str text)
{
    struct tt_phrase out = {""};
    size_t n = TT_MIN(text.n, 60);

    for (size_t i = 0; i < n; i++)
        out.c[i] = (unsigned char)text.p[i] < ' ' || text.p[i] == '\x7f' ? '?' : text.p[i];
    if (text.n > n)
        memcpy(out.c + n, "...", 4);
    return out;
}

static int refuse(const struct tt_key *key, const char *path, tt_str text, tt_error *err)
{
    const char *like = "";

    if (key->type == TT_SETTING_DURATION)
        like = ", such as 250ms, 1s, 30m, 24h or 7d";
    else if (key->type == TT_SETTING_SIZE)
        like = ", such as 4096, 512KiB, 64MiB or 1GiB";
    else if (key->type == TT_SETTING_NODES)
        like = ", such as 10.0.0.2, 10.0.0.3:3307*2";
    else if (key->type == TT_SETTING_CLASSES)
        like = ", such as static=24h, user=1h";
    if (key->type == TT_SETTING_SECRET)
        return tt_fail(err, TT_E_CONFIG, "%s: expected %s; the value is not shown", path,
                       tt_key_expects(key).c);
    return tt_fail(err, TT_E_CONFIG, "%s: expected %s%s; got \"%s\"", path, tt_key_expects(key).c,
                   like, shown(text).c);
}

static bool in_range(const struct tt_key *key, int64_t v)
{
    return v >= key->min && v <= key->max;
}

static bool store_int(const struct tt_key *key, tt_str text, int *out)
{
    int64_t v;

    if (!tt_integer_parse(text, &v) || !in_range(key, v))
        return false;
    *out = (int)v;
    return true;
}

static bool store_int64(const struct tt_key *key, tt_str text, int64_t *out)
{
    int64_t v;
    bool ok =
        key->type == TT_SETTING_DURATION ? tt_duration_parse(text, &v) : tt_size_parse(text, &v);

    if (!ok || !in_range(key, v))
        return false;
    *out = v;
    return true;
}

static bool store_word(const struct tt_key *key, tt_str text, int *out)
{
    int v = tt_word_index(key->words, text);

    if (v < 0)
        return false;
    *out = v;
    return true;
}

static bool store_text(const struct tt_key *key, tt_str text, char *out)
{
    if (!in_range(key, (int64_t)text.n) || !tt_text_fits(key->form, text))
        return false;
    tt_text_store(out, (size_t)key->max + 1, text);
    return true;
}

static bool store(const struct tt_key *key, tt_str text, void *at)
{
    switch (key->type) {
    case TT_SETTING_INTEGER:
        return store_int(key, text, at);
    case TT_SETTING_DURATION:
    case TT_SETTING_SIZE:
        return store_int64(key, text, at);
    case TT_SETTING_ENUM:
        return store_word(key, text, at);
    case TT_SETTING_TEXT:
    case TT_SETTING_SECRET:
    case TT_SETTING_URL:
        return store_text(key, text, at);
    case TT_SETTING_NODES:
        return tt_nodes_parse(text, at);
    case TT_SETTING_CLASSES:
        return tt_classes_parse(text, find(CLASSES ".*"), at);
    }
    return false;
}

static void put(const struct tt_key *key, const void *at, tt_buf *out)
{
    switch (key->type) {
    case TT_SETTING_INTEGER:
        tt_buf_printf(out, "%d", *(const int *)at);
        break;
    case TT_SETTING_DURATION:
        tt_buf_puts(out, tt_duration_text(*(const int64_t *)at).c);
        break;
    case TT_SETTING_SIZE:
        tt_buf_puts(out, tt_size_text(*(const int64_t *)at).c);
        break;
    case TT_SETTING_ENUM:
        tt_buf_put_str(out, tt_word_at(key->words, *(const int *)at));
        break;
    case TT_SETTING_TEXT:
    case TT_SETTING_SECRET:
    case TT_SETTING_URL:
        tt_buf_puts(out, at);
        break;
    case TT_SETTING_NODES:
        tt_nodes_put(at, out);
        break;
    case TT_SETTING_CLASSES:
        tt_classes_put(at, out);
        break;
    }
}

/* --- elements of the list and the map ------------------------------------------------------- */

static bool is_node_field(const struct place *place)
{
    return strchr(place->key->path, '[') != NULL;
}

static void node_default(struct tt_conf_node *node)
{
    *node = (struct tt_conf_node){.port = TT_CONF_DB_PORT, .weight = 1};
}

/* One past the last appends: the new node counts only when its first field was good. */
static int set_node(struct tt_settings *s, const struct place *place, const char *path, tt_str text,
                    tt_error *err)
{
    struct tt_conf_nodes *nodes = &s->database.replicas;
    struct tt_conf_node *node;

    if (place->index >= TT_CONF_REPLICAS_MAX)
        return tt_fail(err, TT_E_CONFIG, "%s: at most %d replicas", path, TT_CONF_REPLICAS_MAX);
    if (place->index > nodes->n)
        return tt_fail(err, TT_E_CONFIG, "%s: expected no gap; the next replica is number %d", path,
                       nodes->n);
    node = &nodes->v[place->index];
    if (place->index == nodes->n)
        node_default(node);
    if (!store(place->key, text, (char *)node + place->key->offset))
        return refuse(place->key, path, text, err);
    if (place->index == nodes->n)
        nodes->n++;
    return 0;
}

static int set_class(struct tt_settings *s, const struct place *place, const char *path,
                     tt_str text, tt_error *err)
{
    struct tt_conf_classes *classes = &s->cache.classes;
    int at = tt_classes_find(classes, place->name);
    struct tt_conf_class *class;

    if (at < 0 && classes->n == TT_CONF_CLASSES_MAX)
        return tt_fail(err, TT_E_CONFIG, "%s: at most %d classes", path, TT_CONF_CLASSES_MAX);
    class = &classes->v[at < 0 ? classes->n : at];
    if (!store(place->key, text, &class->ttl_ms))
        return refuse(place->key, path, text, err);
    if (at < 0) {
        tt_text_store(class->name, sizeof(class->name), place->name);
        classes->n++;
    }
    return 0;
}

/* --- the public face ------------------------------------------------------------------------ */

void tt_settings_default(struct tt_settings *s)
{
    size_t n;
    const struct tt_key *keys = tt_settings_keys(&n);

    memset(s, 0, sizeof(*s));
    node_default(&s->database.primary);
    for (size_t i = 0; i < n; i++) {
        struct tt_phrase preset = tt_key_preset(&keys[i]);
        bool ok = true;

        if (tt_setting_value(&keys[i], s) && preset.c[0])
            ok = store(&keys[i], tt_str_c(preset.c), (char *)s + keys[i].offset);
        TT_ASSERT(ok);
        (void)ok;
    }
}

int tt_settings_set(struct tt_settings *s, const char *path, tt_str text, tt_error *err)
{
    struct place place;
    struct tt_redis_url url;
    tt_error why = TT_ERROR_INIT;

    if (!resolve(path, &place))
        return tt_settings_unknown(path, err);
    if (place.name.n)
        return set_class(s, &place, path, text, err);
    if (is_node_field(&place))
        return set_node(s, &place, path, text, err);
    if (place.key->type == TT_SETTING_URL && text.n && tt_redis_url_parse(text, &url, &why) != 0)
        return tt_fail(err, TT_E_CONFIG, "%s: %s; the value is not shown", path, why.message);
    if (!store(place.key, text, (char *)s + place.key->offset))
        return refuse(place.key, path, text, err);
    return 0;
}

int tt_settings_get(const struct tt_settings *s, const char *path, tt_buf *out, tt_error *err)
{
    struct place place;
    const char *at;
    int class_index;

    if (!resolve(path, &place))
        return tt_settings_unknown(path, err);
    if (place.name.n) {
        class_index = tt_classes_find(&s->cache.classes, place.name);
        if (class_index < 0)
            return tt_fail(err, TT_E_CONFIG, "%s: there is no such class", path);
        at = (const char *)&s->cache.classes.v[class_index].ttl_ms;
    } else if (is_node_field(&place)) {
        if (place.index >= s->database.replicas.n)
            return tt_fail(err, TT_E_CONFIG, "%s: there are %d replicas, counted from 0", path,
                           s->database.replicas.n);
        at = (const char *)&s->database.replicas.v[place.index] + place.key->offset;
    } else {
        at = (const char *)s + place.key->offset;
    }
    put(place.key, at, out);
    return out->failed ? tt_fail_nomem(err) : 0;
}

tt_path_kind tt_settings_kind(const char *path)
{
    struct place place;
    char pattern[TT_CONF_PATH_MAX];
    int index;
    size_t n, length;
    const struct tt_key *keys = tt_settings_keys(&n);

    if (resolve(path, &place)) {
        if (place.key->type == TT_SETTING_NODES)
            return TT_PATH_LIST;
        return place.key->type == TT_SETTING_CLASSES ? TT_PATH_MAP : TT_PATH_VALUE;
    }
    if (strchr(path, '[')) {
        if (!without_index(path, pattern, sizeof(pattern), &index))
            return TT_PATH_UNKNOWN;
        path = pattern;
    }
    length = strlen(path);
    for (size_t i = 0; length && i < n; i++)
        if (strncmp(keys[i].path, path, length) == 0 && keys[i].path[length] == '.')
            return TT_PATH_SECTION;
    return TT_PATH_UNKNOWN;
}
