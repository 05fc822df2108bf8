/* The library's status, and what it explains, as tables. Its JSON is read in place: objects and
 * arrays are walked, not built. */
#include "cli/cli.h"

#include <stdlib.h>
#include <string.h>

#include "common/table.h"

enum { TEXT_MAX = 1024 };

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
    for (end = s + n, n = 0; s < end; s++) {
        s += *s == '\\' && s + 1 < end && (s[1] == '"' || s[1] == '\\');
        out[n++] = *s;
    }
    out[n] = 0;
    return out;
}

/* ---- tables ------------------------------------------------------------------------------------
 */

typedef struct column {
    const char *title, *key;
    enum { TEXT, MS, US, COUNT } kind;
} column;

static const column node_columns[] = {{"node", "node", TEXT},
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
                                      {"trouble", "trouble", TEXT},
                                      {NULL, NULL, TEXT}};
static const column tag_columns[] = {{"tag", "tag", TEXT},
                                     {"state", "state", TEXT},
                                     {"barrier", "barrier", TEXT},
                                     {NULL, NULL, TEXT}};
static const column candidate_columns[] = {
    {"node", "node", TEXT}, {"verdict", "verdict", TEXT}, {NULL, NULL, TEXT}};

static void add_field(ex_table *t, const char *object, const column *c)
{
    char text[TEXT_MAX], shown[TEXT_MAX];

    text_of(object, c->key, text);
    if (c->kind == MS && text[0] != '-')
        (void)snprintf(shown, sizeof(shown), "%.200s ms", text);
    else if (c->kind == US && text[0] != '-')
        (void)snprintf(shown, sizeof(shown), "%.2f ms", strtod(text, NULL) / 1000.0);
    else
        (void)snprintf(shown, sizeof(shown), "%s", text);
    ex_table_add_text(t, c->kind == TEXT ? EX_LEFT : EX_RIGHT, shown);
}

/* An array of objects; `columns` end with one without a title. */
static void put_array(const cli *c, const char *s, const column *columns)
{
    ex_table t;
    size_t n = 0;

    while (columns[n].title)
        n++;
    ex_table_init(&t, n);
    for (size_t i = 0; i < n; i++)
        ex_table_add_text(&t, columns[i].kind == TEXT ? EX_LEFT : EX_RIGHT, columns[i].title);
    for (s = skip_blank(s + 1); *s == '{'; s = skip_blank(s + (*s == ','))) {
        for (size_t i = 0; i < n; i++)
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
    put_array(c, nodes, node_columns);
    return true;
}

/* ---- explain -----------------------------------------------------------------------------------
 */

/* An array of texts, on one line. */
static void put_texts(const char *title, const char *s)
{
    printf("%-12s", title);
    for (s = skip_blank(s + 1); *s == '"'; s = skip_blank(s + (*s == ','))) {
        const char *end = skip_string(s);

        printf(" %.*s", (int)(end - s - 2), s + 1);
        s = skip_blank(end);
    }
    (void)putchar('\n');
}

void cli_put_explain(const cli *c, const char *json)
{
    static const char *const keys[] = {"class",  "because", "refused", "message", "goes_to",
                                       "cached", "key",     "ttl_ms",  "cache",   "waits_for"};
    static const char *const titles[] = {"class",  "because", "refused", "message", "goes to",
                                         "cached", "key",     "ttl, ms", "cache",   "waits for"};
    const char *invalidates = find(json, "invalidates"), *tags = find(json, "tags");
    const char *candidates = find(json, "candidates");
    char text[TEXT_MAX];

    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
        if (find(json, keys[i]))
            printf("%-12s %s\n", titles[i], text_of(json, keys[i], text));
    if (invalidates)
        put_texts("invalidates", invalidates);
    if (tags) {
        (void)putchar('\n');
        put_array(c, tags, tag_columns);
    }
    if (candidates) {
        (void)putchar('\n');
        put_array(c, candidates, candidate_columns);
    }
}
