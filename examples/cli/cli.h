/* The command twotier: one call of the library, its answer as a table for people or as JSON. */
#ifndef CLI_H
#define CLI_H

#include <twotier/twotier.h>

#include "common/text.h"

/* Exit statuses: by the class of the error, so that a script knows what it may do. */
enum cli_exit {
    CLI_OK = 0,
    CLI_IO = 1, /* a file or the output failed */
    CLI_USAGE = 2,
    CLI_DATA = 3,
    CLI_CONFLICT = 4,
    CLI_RETRY = 5,
    CLI_TIMEOUT = 6,
    CLI_UNAVAILABLE = 7,
    CLI_UNKNOWN = 8,
    CLI_MEMORY = 9,
    CLI_INTERNAL = 10
};

typedef struct cli cli;

/* A command, and the options that it takes. */
typedef struct cli_command {
    const char *name;
    const char *usage; /* what follows the name */
    const char *does;
    unsigned options; /* CLI_OPT_... */
    int args_min, args_max;
    int (*run)(cli *c);
} cli_command;

enum {
    CLI_OPT_CONFIG = 1,
    CLI_OPT_JSON = 2,
    CLI_OPT_PARAM = 4,
    CLI_OPT_TAG = 8,
    CLI_OPT_CLASS = 16,
    CLI_OPT_SESSION = 32,
    CLI_OPT_TIMEOUT = 64,
    CLI_OPT_CONSISTENCY = 128,
    CLI_OPT_WRITE = 256
};

struct cli {
    const cli_command *command;
    const char *config;
    bool json, verbose;
    unsigned given; /* CLI_OPT_... */
    tt_value *params;
    char **owned; /* bytes that params point to, by index; NULL where none */
    size_t n_params;
    const char *tags[TT_TAGS_PER_CALL_MAX];
    size_t n_tags;
    const char *cache_class; /* NULL: uncached */
    const char *token, *token_file;
    int timeout_ms, bound_ms;
    int consistency;
    uint32_t write_flags;
    const char *const *args;
    int n_args;

    ex_style out, err;
    tt_client *client;
    tt_session *session; /* NULL without a token */
    char new_token[TT_TOKEN_MAX];
    char *sql; /* of standard input */
};

/* ---- commands.c, options.c, help.c
 * --------------------------------------------------------------- */

extern const cli_command cli_commands[]; /* up to one with a NULL name */
const cli_command *cli_find(const char *name);
/* 0, or an exit status after a message. */
int cli_parse(cli *c, int argc, char **argv);
void cli_help(FILE *f, const cli_command *command);
int cli_run_help(cli *c);

/* ---- params.c
 * ------------------------------------------------------------------------------------ */

/* "42", "s:text", "null", ...: the value, and in *owned bytes to free with it, or NULL.
 * 0, or an exit status after a message. */
int cli_param(const cli *c, const char *text, tt_value *out, char **owned);
/* "250ms", "5s", "2m", "1h" in milliseconds; -1 when it is none. */
int cli_duration_ms(const char *text);

/* ---- session.c
 * ----------------------------------------------------------------------------------- */

/* Opens the client, and the session when there is a token; 0 or an exit status after a message. */
int cli_open(cli *c);
/* The token after the call: kept in new_token, and in the file. 0 or an exit status. */
int cli_keep_token(cli *c);
void cli_close(cli *c);
/* The statement: of the command line, or of standard input for "-". NULL after a message. */
const char *cli_sql(cli *c);

/* ---- errors.c
 * ------------------------------------------------------------------------------------ */

/* Says on standard error what failed and what to do; the exit status. */
int cli_fail(const cli *c, int code, const tt_error *err);
int cli_usage(const cli *c, const char *format, ...) __attribute__((format(printf, 2, 3)));
const char *cli_class_name(int code);
int cli_exit_of(int code);

/* ---- rows.c, json.c
 * ------------------------------------------------------------------------------ */

void cli_put_rows_table(const cli *c, const tt_result *r);
void cli_put_rows_json(const tt_result *r); /* "columns":[...],"rows":[...] */
void cli_put_json_string(FILE *f, const char *s, size_t n);
/* A date, a time or both as text; its length. */
size_t cli_format_time(char *out, size_t size, tt_type type, const tt_time *t);
/* The shortest text that reads back as the same number. */
size_t cli_format_double(char *out, size_t size, double d);

/* ---- read_write.c, admin.c
 * ----------------------------------------------------------------------- */

int cli_run_read(cli *c);
int cli_run_write(cli *c);
int cli_run_invalidate(cli *c);
int cli_run_clear(cli *c);
int cli_run_status(cli *c);
int cli_run_explain(cli *c);
int cli_run_metrics(cli *c);
int cli_run_version(cli *c);
/* Waits, up to a second, until the client has compared every replica with the primary. */
void cli_settle(const cli *c);
void cli_put_document(const tt_document *d);
/* The state of the client's nodes as tables, from the library's JSON; false when it is not
 * understood. */
bool cli_put_status(const cli *c, const char *json);
/* What tt_explain says, from its JSON. */
void cli_put_explain(const cli *c, const char *json);

#endif
