#include "cli/cli.h"

#include <string.h>

typedef struct help_option {
    unsigned bit;
    const char *text;
} help_option;

static const help_option options[] = {
    {CLI_OPT_CONFIG,
     "  -c, --config FILE        the configuration; without it TWOTIER_CONFIG of the "
     "environment\n"},
    {CLI_OPT_JSON, "  -j, --json               JSON in place of tables, errors included\n"},
    {CLI_OPT_PARAM,
     "  -p, --param VALUE        bind the next `?`, as often as there are; VALUE is one of\n"
     "                             42, -1, 2.50    integer or decimal, as in SQL\n"
     "                             null            NULL\n"
     "                             s:TEXT          text, whatever it looks like\n"
     "                             i:N u:N d:N f:N integer, unsigned, decimal, double\n"
     "                             x:HEX           bytes\n"
     "                             date:2025-01-31, time:-12:30:00, "
     "datetime:2025-01-31T08:00:00.5\n"},
    {CLI_OPT_TAG,
     "  -t, --tag TAG            what the rows depend on, or the write changes; {1} is "
     "the first\n"
     "                           value; without it those of the tables in the statement\n"},
    {CLI_OPT_CLASS, "      --cached             use the cache, with the default time to live\n"
                    "      --class NAME         use it, with that of a class in cache.classes\n"},
    {CLI_OPT_CONSISTENCY, "      --consistency HOW    coherent (default), strong, eventual or "
                          "bounded:500ms\n"},
    {CLI_OPT_WRITE, "      --only-these-tags    without the tags of the statement's tables\n"
                    "      --no-tags            invalidate nothing\n"},
    {CLI_OPT_SESSION,
     "      --session-token T    see all that T stands for, and print the new token; '' begins\n"
     "      --session-file FILE  the same with the token in FILE, which gets the new one\n"},
    {CLI_OPT_TIMEOUT, "      --timeout TIME       such as 250ms or 5s, for all that the call waits "
                      "for\n"},
};

static const char exits[] =
    "Exit status, by what a script may do\n"
    "  0  done                         6  timeout: nothing changed, run it again\n"
    "  1  a file or the output failed  7  unavailable: no node or no cache; nothing changed\n"
    "  2  usage: mend the command      8  unknown: it may have happened; read before going on\n"
    "  3  the data refused it          9  out of memory\n"
    "  4  conflict: run it again       10 a defect of twotier\n"
    "  5  retry: nothing changed, run it again\n"
    "A write that is committed while Redis is away is done (0), with a warning.\n";

static const char *const more[][2] = {
    {"read",
     "SQL is one statement that only reads, or - for standard input.\n"
     "JSON: {\"columns\":[{\"name\",\"type\"}...], \"rows\":[[...]...], \"source\", \"node\", "
     "\"why\", "
     "\"stale\",\n"
     "\"shared\", \"age_ms\", \"time_us\"}, and \"session_token\" with a session. Types: int, "
     "uint, "
     "double,\n"
     "decimal, text, blob, date, datetime, time, null. int, uint and double are numbers (of up to\n"
     "64 bits: mind parsers that keep 53), blob is base64, the others are strings.\n"},
    {"write",
     "SQL is one statement that changes rows or the schema, or - for standard input. A statement\n"
     "whose tables cannot be told from its text, as CREATE TABLE, needs --tag or --no-tags.\n"
     "JSON: {\"affected_rows\", \"insert_id\", \"invalidated\", \"position\", \"time_us\"}, and "
     "\"session_token\" with\n"
     "a session. \"invalidated\" is none, done, outstanding or deferred.\n"},
    {"status",
     "JSON: that of tt_client_status. A client that has just been opened is what is shown: a\n"
     "node is \"recovering\" in its first two seconds.\n"},
    {"explain", "JSON: that of tt_explain. No statement is run; the cache is looked at once.\n"},
    {"metrics",
     "Those of the client that this command opens: its nodes and its cache. The counters of\n"
     "a service are to be had from the service itself (tt_metrics_render).\n"},
    {"invalidate", "JSON: {\"invalidated\": number of tags}. Safe to repeat.\n"},
    {"clear", "JSON: {\"cleared\": true}. Safe to repeat.\n"},
};

static void put_options(FILE *f, unsigned mask)
{
    (void)fputs("Options\n", f);
    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
        if (options[i].bit & mask)
            (void)fputs(options[i].text, f);
    (void)fputs("  -v, --verbose            the log of the library, on standard error\n", f);
}

static void help_command(FILE *f, const cli_command *command)
{
    fprintf(f, "twotier %s %s: %s\n\n", command->name, command->usage, command->does);
    for (size_t i = 0; i < sizeof(more) / sizeof(more[0]); i++)
        if (strcmp(more[i][0], command->name) == 0)
            fprintf(f, "%s\n", more[i][1]);
    put_options(f, command->options);
}

void cli_help(FILE *f, const cli_command *command)
{
    if (command) {
        help_command(f, command);
        return;
    }
    (void)fputs(
        "twotier: reads and writes through a coherent Redis cache and MySQL or MariaDB with "
        "replicas\n\nusage: twotier COMMAND [OPTIONS] [ARGUMENTS]\n\nCommands\n",
        f);
    for (const cli_command *c = cli_commands; c->name; c++)
        fprintf(f, "  %-11s %-17s %s\n", c->name, c->usage, c->does);
    (void)fputs("\n", f);
    put_options(f, ~0u);
    fprintf(f, "\n%s", exits);
    (void)fputs(
        "\nExamples\n"
        "  twotier read --cached -p 42 -t 'subject:{1}' 'SELECT * FROM subjects WHERE id = ?'\n"
        "  twotier write -p s:Algebra -p 42 -t 'subject:{2}' \\\n"
        "      'UPDATE subjects SET title = ? WHERE id = ?'\n"
        "  twotier explain --cached 'SELECT COUNT(*) FROM subjects'\n",
        f);
}

int cli_run_help(cli *c)
{
    const cli_command *command = c->n_args ? cli_find(c->args[0]) : NULL;

    if (c->n_args && !command)
        return cli_usage(c, "help: expected a command, got '%s'", c->args[0]);
    cli_help(stdout, command);
    return 0;
}
