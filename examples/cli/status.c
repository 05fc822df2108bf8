/* The library's status as tables. Its JSON is read in place: objects and arrays are walked, not
 * built. */
#include "cli/cli.h"

#include <stdlib.h>
#include <string.h>

#include "common/table.h"

enum { TEXT_MAX = 256 };

static const char *skip_blank(const char *s)
{
    return s + strspn(s, " \t\r\n");
}

static const char *skip_string(const char *s)
{
    for (s++; *s && *s != '"'; s++)
        s += *s == '\\' && s[1];
    return *s ? s + 1 : s;
}

/* The end of a value. */
static const char *skip_value(const char *s)
{
    int depth = 0;

    do {
        s = skip_blank(s);
        if (*s == '"') {
            s = skip_string(s);
            continue;
        }
        if (*s == '{' || *s == '[') {
            depth++;
            s++;
        } else if (*s == '}' || *s == ']') {
            depth--;
            s++;
        } else if (*s == ',' || *s == ':') {
            s++;
        } else {
            s += strcspn(s, ",:{}[]\" \t\r\n");
        }
    } while (depth > 0 && *s);
    return s;
}

/* The value of a key of the object at `s`; NULL when there is none. */
static const char *find(const char *s, const char *key)
{
    size_t n = strlen(key);

    s = skip_blank(s);
    if (*s != '{')
        return NULL;
    for (s = skip_blank(s + 1); *s == '"'; s = skip_blank(s + (*s == ','))) {
        const char *name = s + 1;
        bool is_it = strncmp(name, key, n) == 0 && name[n] == '"';

        s = skip_blank(skip_string(s));
        s = skip_blank(s + (*s == ':'));
        if (is_it)
            return s;
        s = skip_blank(skip_value(s));
    }
    return NULL;
}

/* A string without its quotes, anything else as it is; "-" for null and what is absent. */
static const char *text_of(const char *object, const char *key, char *out)
{
    const char *s = find(object, key), *end = s ? skip_value(s) : NULL;
    size_t n;

    if (s && *s == '"') {
        s++;
        end--;
    }
    n = s ? (size_t)(end - s) : 0;
    if (n == 0 || n >= TEXT_MAX || strncmp(s, "null", n) == 0) {
        s = "-";
        n = 1;
    }
    memcpy(out, s, n);
    out[n] = 0;
    return out;
}

/* ---- nodes -------------------------------------------------------------------------------------
 */

typedef struct column {
    const char *title, *key;
    enum { TEXT, MS, US, COUNT } kind;
} column;

static const column columns[] = {{"node", "node", TEXT},
                                 {"role", "role", TEXT},
                                 {"state", "state", TEXT},
                                 {"lag", "lag_ms", MS},
                                 {"latency", "latency_us", US},
                                 {"in flight", "in_flight", COUNT},
                                 {"connections", "connections", COUNT},
                                 {"idle", "idle", COUNT},
                                 {"waiting", "waiting", COUNT},
                                 {"checked", "checked_ms_ago", MS},
                                 {"server", "version", TEXT},
                                 {"trouble", "trouble", TEXT}};
enum { COLUMNS = sizeof(columns) / sizeof(columns[0]) };

static void add_field(ex_table *t, const char *node, const column *c)
{
    char text[TEXT_MAX], shown[TEXT_MAX];

    text_of(node, c->key, text);
    if (c->kind == MS && text[0] != '-')
        (void)snprintf(shown, sizeof(shown), "%.200s ms", text);
    else if (c->kind == US && text[0] != '-')
        (void)snprintf(shown, sizeof(shown), "%.2f ms", strtod(text, NULL) / 1000.0);
    else
        (void)snprintf(shown, sizeof(shown), "%s", text);
    ex_table_add_text(t, c->kind == TEXT ? EX_LEFT : EX_RIGHT, shown);
}

static void put_nodes(const cli *c, const char *s)
{
    ex_table t;

    ex_table_init(&t, COLUMNS);
    for (size_t i = 0; i < COLUMNS; i++)
        ex_table_add_text(&t, columns[i].kind == TEXT ? EX_LEFT : EX_RIGHT, columns[i].title);
    for (s = skip_blank(s + 1); *s == '{'; s = skip_blank(s + (*s == ','))) {
        for (size_t i = 0; i < COLUMNS; i++)
            add_field(&t, s, &columns[i]);
        s = skip_blank(skip_value(s));
    }
    ex_table_print(&t, stdout, &c->out);
    ex_table_free(&t);
}

static void put_cache(const char *cache)
{
    char text[TEXT_MAX];

    printf("cache      %s", text_of(cache, "scope", text));
    if (find(cache, "up"))
        printf(", %s",
               strcmp(text_of(cache, "up", text), "true") == 0 ? "up" : "cannot be reached");
    if (find(cache, "version"))
        printf(", Redis %s", text_of(cache, "version", text));
    if (find(cache, "policy"))
        printf(", %s", text_of(cache, "policy", text));
    printf(", %s invalidations outstanding\n", text_of(cache, "outstanding", text));
}

bool cli_put_status(const cli *c, const char *json)
{
    const char *cache = find(json, "cache"), *nodes = find(json, "nodes");
    char text[TEXT_MAX];

    if (!cache || !nodes || *nodes != '[')
        return false;
    printf("library    %s\n", text_of(json, "version", text));
    printf("driver     %s\n", text_of(json, "driver", text));
    printf("namespace  %s\n", text_of(json, "namespace", text));
    printf("primary    %s\n", text_of(json, "primary", text));
    put_cache(cache);
    (void)putchar('\n');
    put_nodes(c, nodes);
    return true;
}
