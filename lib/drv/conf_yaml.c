#include "drv/conf_yaml.h"

#include <stdio.h>
#include <yaml.h>

#include "base/err.h"
#include "drv/file.h"

/* Sections nest three deep, an element of a list adds one; unknown keys end the reading before any
 * text gets deeper, and libyaml hands out one event at a time. */
#define DEPTH_MAX 8

/* An open mapping or sequence. */
struct frame {
    bool list;
    bool has_key;       /* of a mapping: its key was read, the value comes next */
    int items;          /* of a list: elements begun */
    size_t path_length; /* of the path of this frame */
    yaml_mark_t start;
};

struct seen {
    char path[TT_CONF_PATH_MAX];
    size_t line;
};

struct loader {
    const tt_allocator *a;
    const char *name;
    tt_error *err;
    struct tt_settings *s;
    char path[TT_CONF_PATH_MAX]; /* of the key or element being read */
    struct frame frames[DEPTH_MAX];
    int depth;
    int documents;
    struct seen *seen; /* every key so far; known keys only, so that there are few */
    size_t seen_n, seen_cap;
};

/* --- errors --------------------------------------------------------------------------------- */

static int fail_at(struct loader *l, yaml_mark_t mark, const char *message)
{
    return tt_fail(l->err, TT_E_CONFIG, "%.250s:%zu:%zu: %s", l->name, mark.line + 1,
                   mark.column + 1, message);
}

/* The reader of bytes knows only an offset. */
static yaml_mark_t mark_of_offset(tt_str text, size_t offset)
{
    yaml_mark_t mark = {offset, 0, 0};

    for (size_t i = 0; i < offset && i < text.n; i++) {
        if (text.p[i] == '\n') {
            mark.line++;
            mark.column = 0;
        } else if (((unsigned char)text.p[i] & 0xc0) != 0x80) {
            mark.column++;
        }
    }
    return mark;
}

static int fail_yaml(struct loader *l, const yaml_parser_t *parser, tt_str text)
{
    const char *problem = parser->problem ? parser->problem : "not valid";
    yaml_mark_t mark = parser->problem_mark;
    char message[160];

    if (parser->error == YAML_MEMORY_ERROR)
        return tt_fail_nomem(l->err);
    if (parser->error == YAML_READER_ERROR)
        mark = mark_of_offset(text, parser->problem_offset);
    (void)snprintf(message, sizeof(message), "not valid YAML: %s%s%s", problem,
                   parser->context ? " " : "", parser->context ? parser->context : "");
    return fail_at(l, mark, message);
}

/* --- the path ------------------------------------------------------------------------------- */

static struct frame *top(struct loader *l)
{
    return l->depth ? &l->frames[l->depth - 1] : NULL;
}

/* Append ".key", or "key" at the top; false when it is too long to be any known one, or has what
 * paths are made with (or a zero byte) in it. */
static bool path_push(struct loader *l, tt_str key)
{
    size_t at = top(l)->path_length;
    size_t dot = at > 0;

    for (size_t i = 0; i < key.n; i++)
        if (memchr(".[]", key.p[i], sizeof(".[]")))
            return false;
    if (key.n == 0 || at + dot + key.n >= sizeof(l->path))
        return false;
    if (dot)
        l->path[at] = '.';
    memcpy(l->path + at + dot, key.p, key.n);
    l->path[at + dot + key.n] = '\0';
    return true;
}

/* Each key once: the line of the first is part of the message. */
static int remember(struct loader *l, yaml_mark_t mark)
{
    struct seen *grown;
    size_t cap = l->seen_cap ? l->seen_cap * 2 : 32;

    for (size_t i = 0; i < l->seen_n; i++) {
        char message[TT_CONF_PATH_MAX + 64];

        if (strcmp(l->seen[i].path, l->path) != 0)
            continue;
        (void)snprintf(message, sizeof(message), "%s: given twice; first on line %zu", l->path,
                       l->seen[i].line);
        return fail_at(l, mark, message);
    }
    if (l->seen_n == l->seen_cap) {
        grown = tt_renew(l->a, l->seen, cap * sizeof(*grown));
        if (!grown)
            return tt_fail_nomem(l->err);
        l->seen = grown;
        l->seen_cap = cap;
    }
    memcpy(l->seen[l->seen_n].path, l->path, sizeof(l->path));
    l->seen[l->seen_n++].line = mark.line + 1;
    return 0;
}

/* --- events --------------------------------------------------------------------------------- */

static int set(struct loader *l, tt_str text, yaml_mark_t mark)
{
    tt_error why = TT_ERROR_INIT;

    if (tt_settings_set(l->s, l->path, text, &why) != 0)
        return fail_at(l, mark, why.message);
    return 0;
}

static int on_key(struct loader *l, const yaml_event_t *event)
{
    tt_str key = tt_str_n(event->data.scalar.value, event->data.scalar.length);
    tt_error why = TT_ERROR_INIT;

    if (!path_push(l, key))
        return fail_at(l, event->start_mark,
                       "expected a key, without '.' and '['; sections are nested");
    if (tt_settings_kind(l->path) == TT_PATH_UNKNOWN) {
        (void)tt_settings_unknown(l->path, &why);
        return fail_at(l, event->start_mark, why.message);
    }
    top(l)->has_key = true;
    return remember(l, event->start_mark);
}

/* What YAML reads as null. */
static bool is_absent(const yaml_event_t *event)
{
    tt_str text = tt_str_n(event->data.scalar.value, event->data.scalar.length);

    return event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
           (text.n == 0 || tt_str_eq(text, TT_STR("~")) || tt_str_eq_nocase(text, TT_STR("null")));
}

static int expected(struct loader *l, yaml_mark_t mark, const char *what)
{
    char message[TT_CONF_PATH_MAX + 64];

    (void)snprintf(message, sizeof(message), "%s%sexpected %s", l->path, l->path[0] ? ": " : "",
                   what);
    return fail_at(l, mark, message);
}

static const char *expected_of(tt_path_kind kind)
{
    switch (kind) {
    case TT_PATH_LIST:
        return "a list: [ { host: ... }, ... ]";
    case TT_PATH_MAP:
        return "a mapping of names to values";
    case TT_PATH_VALUE:
        return "a single value";
    case TT_PATH_SECTION:
    case TT_PATH_UNKNOWN:
        break;
    }
    return "a mapping of keys to values";
}

/* A section may be empty, as when all its keys are commented out. */
static int on_value(struct loader *l, const yaml_event_t *event)
{
    tt_path_kind kind = tt_settings_kind(l->path);
    int rc = 0;

    if (kind == TT_PATH_VALUE && is_absent(event))
        return expected(l, event->start_mark, "a value; leave the key out for its default");
    if (kind == TT_PATH_VALUE)
        rc = set(l, tt_str_n(event->data.scalar.value, event->data.scalar.length),
                 event->start_mark);
    else if (kind != TT_PATH_SECTION || !is_absent(event))
        rc = expected(l, event->start_mark, expected_of(kind));
    top(l)->has_key = false;
    return rc;
}

static int on_scalar(struct loader *l, const yaml_event_t *event)
{
    struct frame *f = top(l);

    if (!f)
        return is_absent(event) ? 0 : expected(l, event->start_mark, expected_of(TT_PATH_SECTION));
    if (f->list)
        return expected(l, event->start_mark, "an element such as { host: 10.0.0.2 }");
    return f->has_key ? on_value(l, event) : on_key(l, event);
}

static int open_frame(struct loader *l, bool list, yaml_mark_t start)
{
    if (l->depth == DEPTH_MAX)
        return fail_at(l, start, "nested too deep");
    l->frames[l->depth++] =
        (struct frame){.list = list, .path_length = strlen(l->path), .start = start};
    return 0;
}

static int on_element(struct loader *l, yaml_mark_t mark)
{
    struct frame *f = top(l);
    size_t room = sizeof(l->path) - f->path_length;

    (void)snprintf(l->path + f->path_length, room, "[%d]", f->items++);
    return open_frame(l, false, mark);
}

/* A list or a map of the file takes the place of the one before. */
static int on_open(struct loader *l, bool list, yaml_mark_t mark)
{
    struct frame *f = top(l);
    tt_path_kind kind = f ? tt_settings_kind(l->path) : TT_PATH_SECTION;
    int rc = 0;

    if (f && f->list)
        return list ? expected(l, mark, "an element such as { host: 10.0.0.2 }")
                    : on_element(l, mark);
    if (f && !f->has_key)
        return expected(l, mark, "a key");
    if (list != (kind == TT_PATH_LIST) || kind == TT_PATH_VALUE)
        return expected(l, mark, expected_of(kind));
    if (kind == TT_PATH_LIST || kind == TT_PATH_MAP)
        rc = set(l, TT_STR(""), mark);
    return rc ? rc : open_frame(l, list, mark);
}

/* An element has to be a server by itself; only here is the line known. */
static int check_element(struct loader *l, const struct frame *element)
{
    static const struct tt_conf_node none;
    const struct tt_conf_nodes *nodes = &l->s->database.replicas;
    const struct frame *list = element - 1;
    const struct tt_conf_node *node = &none;
    tt_error why = TT_ERROR_INIT;

    if (list->items <= nodes->n)
        node = &nodes->v[list->items - 1];
    l->path[element->path_length] = '\0';
    if (tt_conf_node_check(node, l->path, &why) != 0)
        return fail_at(l, element->start, why.message);
    return 0;
}

static int on_close(struct loader *l)
{
    struct frame *closed = top(l), *f;
    int rc = 0;

    l->depth--;
    f = top(l);
    if (f && f->list)
        rc = check_element(l, closed);
    if (f) {
        f->has_key = false;
        l->path[f->path_length] = '\0';
    }
    return rc;
}

static int refuse_extras(struct loader *l, const yaml_event_t *event)
{
    const yaml_char_t *anchor = NULL, *tag = NULL;

    switch (event->type) {
    case YAML_SCALAR_EVENT:
        anchor = event->data.scalar.anchor;
        tag = event->data.scalar.tag;
        break;
    case YAML_MAPPING_START_EVENT:
        anchor = event->data.mapping_start.anchor;
        tag = event->data.mapping_start.tag;
        break;
    case YAML_SEQUENCE_START_EVENT:
        anchor = event->data.sequence_start.anchor;
        tag = event->data.sequence_start.tag;
        break;
    case YAML_ALIAS_EVENT:
        anchor = event->data.alias.anchor;
        break;
    default:
        break;
    }
    if (anchor)
        return fail_at(l, event->start_mark, "anchors and aliases are not supported");
    return tag ? fail_at(l, event->start_mark, "tags are not supported") : 0;
}

static int on_event(struct loader *l, const yaml_event_t *event)
{
    int rc = refuse_extras(l, event);

    if (rc != 0)
        return rc;
    switch (event->type) {
    case YAML_DOCUMENT_START_EVENT:
        return l->documents++ ? fail_at(l, event->start_mark, "expected one document only") : 0;
    case YAML_SCALAR_EVENT:
        return on_scalar(l, event);
    case YAML_MAPPING_START_EVENT:
        return on_open(l, false, event->start_mark);
    case YAML_SEQUENCE_START_EVENT:
        return on_open(l, true, event->start_mark);
    case YAML_MAPPING_END_EVENT:
    case YAML_SEQUENCE_END_EVENT:
        return on_close(l);
    default:
        return 0;
    }
}

/* --- the whole text ------------------------------------------------------------------------- */

static int run(struct loader *l, yaml_parser_t *parser, tt_str text)
{
    bool end = false;
    int rc = 0;

    while (rc == 0 && !end) {
        yaml_event_t event;

        if (!yaml_parser_parse(parser, &event))
            return fail_yaml(l, parser, text);
        end = event.type == YAML_STREAM_END_EVENT;
        rc = on_event(l, &event);
        yaml_event_delete(&event);
    }
    return rc;
}

static int parse_into(struct loader *l, tt_str text)
{
    yaml_parser_t parser;
    int rc;

    if (!yaml_parser_initialize(&parser))
        return tt_fail_nomem(l->err);
    yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&parser, (const unsigned char *)(text.n ? text.p : ""), text.n);
    rc = run(l, &parser, text);
    yaml_parser_delete(&parser);
    return rc;
}

int tt_conf_yaml_parse(const tt_allocator *a, const char *name, tt_str text, struct tt_settings *s,
                       tt_error *err)
{
    struct loader l = {.a = a, .name = name, .err = err};
    int rc;

    if (text.n > TT_CONF_YAML_MAX)
        return tt_fail(err, TT_E_CONFIG, "%.250s: expected at most %d bytes", name,
                       TT_CONF_YAML_MAX);
    l.s = tt_new(a, sizeof(*l.s));
    if (!l.s)
        return tt_fail_nomem(err);
    *l.s = *s;
    rc = parse_into(&l, text);
    if (rc == 0)
        *s = *l.s;
    tt_del(a, l.seen);
    tt_del(a, l.s);
    return rc;
}

int tt_conf_yaml_load(const tt_allocator *a, const char *path, struct tt_settings *s, tt_error *err)
{
    tt_buf text = tt_buf_init(a);
    int rc = tt_file_read(path, TT_CONF_YAML_MAX, &text, err);

    if (rc == 0)
        rc = tt_conf_yaml_parse(a, path, tt_buf_str(&text), s, err);
    tt_buf_free(&text);
    return rc;
}
