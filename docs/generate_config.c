/* Prints docs/configuration.md from the table of keys; a test compares the two. */
#include <stdio.h>

#include "core/config.h"

static const char head[] =
    "# Configuration\n"
    "\n"
    "This page is made from the table of keys in `lib/core/config_table.c` by\n"
    "`docs/generate_config.c`: change it there.\n"
    "\n"
    "A configuration is one YAML file ([an example](twotier.example.yaml)), or the same keys set\n"
    "one by one with `tt_config_set`, or both: what is set later goes over what was set before. A\n"
    "key with a dot is a key inside a section: `database.pool.max` is `max` in `pool` in\n"
    "`database`. Of one replica it is `database.replicas[0].host`.\n"
    "\n"
    "What is wrong is an error, with line and column and what was expected: an unknown key, a "
    "value\n"
    "of the wrong type or out of range, a key given twice, a key without a value. Anchors, "
    "aliases\n"
    "and tags are not supported. A file has at most 1 MiB.\n"
    "\n"
    "| type | written as |\n"
    "| --- | --- |\n"
    "| integer | decimal digits |\n"
    "| duration | a whole number and `ms`, `s`, `m`, `h` or `d`: `250ms`, `1s`, `30m`, `24h`, "
    "`7d`; or `0` |\n"
    "| size | a whole number of bytes, or one with `KiB`, `MiB` or `GiB`: `64MiB` |\n"
    "| word | one of those listed |\n"
    "| text | at most as many bytes as listed, no control characters |\n"
    "\n"
    "No password is ever in the file: a key names the environment variable or the file where it\n"
    "is, or the program sets it with `tt_config_set_password` and `tt_config_set_redis_password`.\n"
    "\n"
    "\"Running\" says whether a change takes effect when the configuration is read again while a\n"
    "client runs. If any other key has changed, the new configuration is refused as a whole, and\n"
    "the error names those keys.\n";

static const char *type_name(const struct tt_key *key)
{
    switch (key->type) {
    case TT_SETTING_INTEGER:
        return "integer";
    case TT_SETTING_DURATION:
        return "duration";
    case TT_SETTING_SIZE:
        return "size";
    case TT_SETTING_ENUM:
        return "word";
    case TT_SETTING_SECRET:
        return "text: where a secret is";
    case TT_SETTING_TEXT:
    case TT_SETTING_URL:
        return "text";
    case TT_SETTING_NODES:
        return "list";
    case TT_SETTING_CLASSES:
        return "map";
    }
    return "";
}

/* A bar would end the cell of the table. */
static void print_cell(const char *text)
{
    for (; *text; text++) {
        if (*text == '|')
            (void)fputs(", ", stdout);
        else
            (void)putchar(*text);
    }
}

/* The same phrase as in error messages, without its article and type. */
static void print_range(const struct tt_key *key)
{
    static const char *const openings[] = {
        "an integer from ", "a duration from ", "a size from ", "one of ",
        "a list of ",       "a map of ",        "a text, ",     "a "};
    struct tt_phrase phrase = tt_key_expects(key);
    const char *range = phrase.c;

    for (size_t i = 0; range == phrase.c && i < TT_COUNT(openings); i++)
        if (strncmp(range, openings[i], strlen(openings[i])) == 0)
            range += strlen(openings[i]);
    print_cell(range);
}

/* Lists and their elements are a section of their own; classes stay where their map is. */
static size_t section_length(const struct tt_key *key)
{
    const char *path = key->path, *end = strchr(path, '[');

    if (key->type == TT_SETTING_NODES)
        return strlen(path);
    if (!end)
        end = strrchr(path, '.');
    if (strchr(path, '*'))
        while (end[-1] != '.')
            end--;
    return (size_t)(end - path) - (strchr(path, '*') != NULL);
}

static void print_key(const struct tt_key *key)
{
    struct tt_phrase preset = tt_key_preset(key);

    (void)printf("| `%s` | %s | ", key->path, type_name(key));
    if (preset.c[0])
        (void)printf("`%s`", preset.c);
    (void)printf(" | ");
    print_range(key);
    (void)printf(" | %s | %s |\n", key->running ? "yes" : "no", key->help);
}

int main(void)
{
    size_t n, length = 0;
    const struct tt_key *keys = tt_settings_keys(&n);
    const char *section = "";

    (void)fputs(head, stdout);
    for (size_t i = 0; i < n; i++) {
        const char *path = keys[i].path;

        if (section_length(&keys[i]) != length || strncmp(section, path, length) != 0) {
            section = path;
            length = section_length(&keys[i]);
            (void)printf("\n## %.*s\n\n| key | type | default | expected | running | meaning |\n"
                         "| --- | --- | --- | --- | --- | --- |\n",
                         (int)length, section);
        }
        print_key(&keys[i]);
    }
    return fflush(stdout) == 0 && !ferror(stdout) ? 0 : 1;
}
