#include "cli/cli.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

enum {
    KEY_CONFIG = 'c',
    KEY_JSON = 'j',
    KEY_PARAM = 'p',
    KEY_TAG = 't',
    KEY_VERBOSE = 'v',
    KEY_HELP = 'h',
    KEY_CLASS = 256,
    KEY_CACHED,
    KEY_TOKEN,
    KEY_TOKEN_FILE,
    KEY_TIMEOUT,
    KEY_CONSISTENCY,
    KEY_ONLY_TAGS,
    KEY_NO_TAGS,
    KEY_VERSION
};

static const struct option options[] = {{"config", required_argument, NULL, KEY_CONFIG},
                                        {"json", no_argument, NULL, KEY_JSON},
                                        {"param", required_argument, NULL, KEY_PARAM},
                                        {"tag", required_argument, NULL, KEY_TAG},
                                        {"class", required_argument, NULL, KEY_CLASS},
                                        {"cached", no_argument, NULL, KEY_CACHED},
                                        {"session-token", required_argument, NULL, KEY_TOKEN},
                                        {"session-file", required_argument, NULL, KEY_TOKEN_FILE},
                                        {"timeout", required_argument, NULL, KEY_TIMEOUT},
                                        {"consistency", required_argument, NULL, KEY_CONSISTENCY},
                                        {"only-these-tags", no_argument, NULL, KEY_ONLY_TAGS},
                                        {"no-tags", no_argument, NULL, KEY_NO_TAGS},
                                        {"verbose", no_argument, NULL, KEY_VERBOSE},
                                        {"help", no_argument, NULL, KEY_HELP},
                                        {"version", no_argument, NULL, KEY_VERSION},
                                        {NULL, 0, NULL, 0}};

/* Which bit stands for an option, and its name in messages. */
static const struct {
    unsigned bit;
    const char *name;
} bits[] = {{CLI_OPT_CONFIG, "--config"},
            {CLI_OPT_JSON, "--json"},
            {CLI_OPT_PARAM, "--param"},
            {CLI_OPT_TAG, "--tag"},
            {CLI_OPT_CLASS, "--class, --cached"},
            {CLI_OPT_SESSION, "--session-token, --session-file"},
            {CLI_OPT_TIMEOUT, "--timeout"},
            {CLI_OPT_CONSISTENCY, "--consistency"},
            {CLI_OPT_WRITE, "--only-these-tags, --no-tags"}};

static int take_param(cli *c, const char *text)
{
    if (c->n_params == TT_PARAMETERS_MAX)
        return cli_usage(c, "--param: expected at most %d", TT_PARAMETERS_MAX);
    if (!c->params) {
        c->params = calloc(TT_PARAMETERS_MAX, sizeof(*c->params));
        c->owned = calloc(TT_PARAMETERS_MAX, sizeof(*c->owned));
    }
    if (!c->params || !c->owned)
        return cli_fail(c, TT_E_NOMEM, NULL);
    c->n_params++;
    return cli_param(c, text, &c->params[c->n_params - 1], &c->owned[c->n_params - 1]);
}

static int take_tag(cli *c, const char *text)
{
    if (c->n_tags == TT_TAGS_PER_CALL_MAX)
        return cli_usage(c, "--tag: expected at most %d", TT_TAGS_PER_CALL_MAX);
    c->tags[c->n_tags++] = text;
    return 0;
}

static int take_timeout(cli *c, const char *text)
{
    c->timeout_ms = cli_duration_ms(text);
    if (c->timeout_ms > 0)
        return 0;
    return cli_usage(c,
                     "--timeout: expected a whole number and ms, s, m or h, up to 1h, such as "
                     "250ms; got '%s'",
                     text);
}

static int take_consistency(cli *c, const char *text)
{
    static const char bounded[] = "bounded:";

    if (strcmp(text, "coherent") == 0) {
        c->consistency = TT_COHERENT;
    } else if (strcmp(text, "strong") == 0) {
        c->consistency = TT_STRONG;
    } else if (strcmp(text, "eventual") == 0) {
        c->consistency = TT_EVENTUAL;
    } else {
        c->consistency = TT_BOUNDED;
        c->bound_ms = strncmp(text, bounded, sizeof(bounded) - 1) == 0
                          ? cli_duration_ms(text + sizeof(bounded) - 1)
                          : -1;
        if (c->bound_ms <= 0)
            return cli_usage(c,
                             "--consistency: expected coherent, strong, eventual or bounded:TIME "
                             "such as bounded:500ms; got '%s'",
                             text);
    }
    return 0;
}

/* Options that say how a statement is run. */
static int take_call_option(cli *c, int key, const char *value)
{
    switch (key) {
    case KEY_CLASS:
    case KEY_CACHED:
        c->given |= CLI_OPT_CLASS;
        c->cache_class = key == KEY_CLASS ? value : "";
        return 0;
    case KEY_TOKEN:
        c->given |= CLI_OPT_SESSION;
        c->token = value;
        return 0;
    case KEY_TOKEN_FILE:
        c->given |= CLI_OPT_SESSION;
        c->token_file = value;
        return 0;
    case KEY_TIMEOUT:
        c->given |= CLI_OPT_TIMEOUT;
        return take_timeout(c, value);
    case KEY_CONSISTENCY:
        c->given |= CLI_OPT_CONSISTENCY;
        return take_consistency(c, value);
    case KEY_ONLY_TAGS:
        c->given |= CLI_OPT_WRITE;
        c->write_flags |= TT_WRITE_ONLY_THESE_TAGS;
        return 0;
    default:
        c->given |= CLI_OPT_WRITE;
        c->write_flags |= TT_WRITE_NO_TAGS;
        return 0;
    }
}

static int take_option(cli *c, int key, const char *value)
{
    switch (key) {
    case KEY_CONFIG:
        c->given |= CLI_OPT_CONFIG;
        c->config = value;
        return 0;
    case KEY_JSON:
        c->given |= CLI_OPT_JSON;
        c->json = true;
        return 0;
    case KEY_PARAM:
        c->given |= CLI_OPT_PARAM;
        return take_param(c, value);
    case KEY_TAG:
        c->given |= CLI_OPT_TAG;
        return take_tag(c, value);
    case KEY_VERBOSE:
        c->verbose = true;
        return 0;
    default:
        return take_call_option(c, key, value);
    }
}

static int check(const cli *c)
{
    const cli_command *command = c->command;

    for (size_t i = 0; i < sizeof(bits) / sizeof(bits[0]); i++)
        if (c->given & ~command->options & bits[i].bit)
            return cli_usage(c, "%s takes no %s\n         usage: twotier %s %s", command->name,
                             bits[i].name, command->name, command->usage);
    if (c->n_args < command->args_min || (command->args_max >= 0 && c->n_args > command->args_max))
        return cli_usage(c, "%s: %s\n         usage: twotier %s %s", command->name,
                         c->n_args < command->args_min ? "an argument is missing"
                                                       : "too many arguments",
                         command->name, command->usage);
    if ((c->write_flags & TT_WRITE_NO_TAGS) && c->n_tags)
        return cli_usage(c, "--no-tags and --tag exclude each other");
    return 0;
}

static int bad_option(const cli *c, char **argv, int key)
{
    if (key == ':')
        return cli_usage(c, "%s: expected a value", argv[optind - 1]);
    if (optopt > 0 && optopt < 256)
        return cli_usage(c, "-%c: expected a known option", optopt);
    return cli_usage(c, "%s: expected a known option", argv[optind - 1]);
}

int cli_parse(cli *c, int argc, char **argv)
{
    const char *name = NULL;
    int key, status;

    opterr = 0;
    while ((key = getopt_long(argc, argv, ":c:jp:t:vh", options, NULL)) != -1) {
        if (key == '?' || key == ':')
            return bad_option(c, argv, key);
        if (key == KEY_HELP || key == KEY_VERSION) {
            name = key == KEY_HELP ? "help" : "version";
            continue;
        }
        status = take_option(c, key, optarg);
        if (status != 0)
            return status;
    }
    c->args = (const char *const *)argv + optind;
    c->n_args = argc - optind;
    if (name) {
        c->command = cli_find(name); /* `twotier read --help` helps with read */
        c->n_args = strcmp(name, "help") == 0 && c->n_args > 0 ? 1 : 0;
        return 0;
    }
    if (c->n_args == 0)
        return cli_usage(c, "expected a command");
    c->command = cli_find(c->args[0]);
    if (!c->command)
        return cli_usage(c, "expected a command, got '%s'", c->args[0]);
    c->args++;
    c->n_args--;
    return check(c);
}
