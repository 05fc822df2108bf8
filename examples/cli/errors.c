#include "cli/cli.h"

#include <stdarg.h>
#include <string.h>

typedef struct class_row {
    tt_error_kind kind;
    const char *name;
    int status;
    const char *advice;
} class_row;

static const class_row classes[] = {
    {TT_CLASS_NONE, "none", CLI_OK, ""},
    {TT_CLASS_USAGE, "usage", CLI_USAGE, "mend the command or the configuration"},
    {TT_CLASS_MEMORY, "memory", CLI_MEMORY, "nothing was changed; free memory"},
    {TT_CLASS_RETRY, "retry", CLI_RETRY, "nothing was changed; run the command again"},
    {TT_CLASS_TIMEOUT, "timeout", CLI_TIMEOUT,
     "nothing was changed; run it again, or with a longer --timeout"},
    {TT_CLASS_UNAVAILABLE, "unavailable", CLI_UNAVAILABLE,
     "nothing was changed; see 'twotier status'"},
    {TT_CLASS_CONFLICT, "conflict", CLI_CONFLICT,
     "another transaction was in the way; run the command again"},
    {TT_CLASS_UNKNOWN, "unknown", CLI_UNKNOWN,
     "it may or may not have happened: read before running it again"},
    {TT_CLASS_INTERNAL, "internal", CLI_INTERNAL, "a defect of twotier: please report it"},
    {TT_CLASS_DATA, "data", CLI_DATA, "the data refused it"},
};

static const class_row *row_of(int code)
{
    tt_error_kind kind = tt_error_class(code);

    for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++)
        if (classes[i].kind == kind)
            return &classes[i];
    return &classes[TT_CLASS_INTERNAL];
}

const char *cli_class_name(int code)
{
    return row_of(code)->name;
}

int cli_exit_of(int code)
{
    return row_of(code)->status;
}

static void fail_json(int code, const tt_error *err, const char *message)
{
    fprintf(stderr, "{\"error\":{\"code\":\"%s\",\"class\":\"%s\",\"exit\":%d,\"message\":",
            tt_error_name(code), cli_class_name(code), cli_exit_of(code));
    cli_put_json_string(stderr, message, strlen(message));
    (void)fputs(",\"node\":", stderr);
    cli_put_json_string(stderr, err->node, strlen(err->node));
    fprintf(stderr, ",\"server_errno\":%u,\"sqlstate\":", err->server_errno);
    cli_put_json_string(stderr, err->sqlstate, strlen(err->sqlstate));
    (void)fputs(",\"advice\":", stderr);
    cli_put_json_string(stderr, row_of(code)->advice, strlen(row_of(code)->advice));
    (void)fputs("}}\n", stderr);
}

static void fail_text(const cli *c, int code, const tt_error *err, const char *message)
{
    fprintf(stderr, "%stwotier: %s%s%s\n", c->err.red, message, c->err.plain,
            code == TT_E_STATEMENT && strstr(message, "TT_WRITE_NO_TAGS")
                ? " (here: --tag or --no-tags)"
                : "");
    fprintf(stderr, "  what    %s, class %s\n", tt_error_name(code), cli_class_name(code));
    if (err->node[0])
        fprintf(stderr, "  where   %s\n", err->node);
    if (err->server_errno)
        fprintf(stderr, "  server  error %u, SQLSTATE %s\n", err->server_errno, err->sqlstate);
    fprintf(stderr, "  advice  %s\n", row_of(code)->advice);
}

int cli_fail(const cli *c, int code, const tt_error *err)
{
    static const tt_error none = TT_ERROR_INIT;
    const tt_error *e = err && err->code == code ? err : &none;
    const char *message = e->message[0] ? e->message : tt_error_text(code);

    (void)fflush(stdout);
    if (c->json)
        fail_json(code, e, message);
    else
        fail_text(c, code, e, message);
    return cli_exit_of(code);
}

int cli_usage(const cli *c, const char *format, ...)
{
    tt_error err = TT_ERROR_INIT;
    va_list ap;

    va_start(ap, format);
    (void)vsnprintf(err.message, sizeof(err.message), format, ap);
    va_end(ap);
    if (c->json)
        fail_json(TT_E_ARGUMENT, &err, err.message);
    else
        fprintf(stderr, "twotier: %s\n         'twotier help' shows commands and options\n",
                err.message);
    return CLI_USAGE;
}
