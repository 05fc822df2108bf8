#include "cli/cli.h"

#include <stdlib.h>
#include <string.h>

enum {
    CALL = CLI_OPT_CONFIG | CLI_OPT_JSON | CLI_OPT_TIMEOUT,
    STATEMENT = CALL | CLI_OPT_PARAM | CLI_OPT_TAG | CLI_OPT_SESSION,
    READ = STATEMENT | CLI_OPT_CLASS | CLI_OPT_CONSISTENCY
};

const cli_command cli_commands[] = {
    {"read", "[OPTIONS] SQL", "run a statement that reads", READ, 1, 1, cli_run_read},
    {"write", "[OPTIONS] SQL", "run a statement that changes rows or the schema",
     STATEMENT | CLI_OPT_WRITE, 1, 1, cli_run_write},
    {"invalidate", "[OPTIONS] TAG...", "invalidate tags, after a change by other means", CALL, 1,
     TT_TAGS_PER_CALL_MAX, cli_run_invalidate},
    {"clear", "[OPTIONS]", "invalidate every entry of the namespace", CALL, 0, 0, cli_run_clear},
    {"status", "[OPTIONS]", "show nodes, pools and cache", CLI_OPT_CONFIG | CLI_OPT_JSON, 0, 0,
     cli_run_status},
    {"explain", "[OPTIONS] SQL", "say what would be done with a statement, and why",
     READ & ~(unsigned)CLI_OPT_TIMEOUT, 1, 1, cli_run_explain},
    {"metrics", "[OPTIONS]", "print the metrics of one client, for Prometheus", CLI_OPT_CONFIG, 0,
     0, cli_run_metrics},
    {"version", "", "print the version", CLI_OPT_JSON | CLI_OPT_CONFIG, 0, 0, cli_run_version},
    {"help", "[COMMAND]", "print this, or more about a command", CLI_OPT_CONFIG, 0, 1,
     cli_run_help},
    {NULL, NULL, NULL, 0, 0, 0, NULL}};

const cli_command *cli_find(const char *name)
{
    for (const cli_command *c = cli_commands; c->name; c++)
        if (strcmp(c->name, name) == 0)
            return c;
    return NULL;
}

static void free_params(cli *c)
{
    for (size_t i = 0; c->owned && i < c->n_params; i++)
        free(c->owned[i]);
    free(c->owned);
    free(c->params);
}

int main(int argc, char **argv)
{
    static cli c;
    int status;

    ex_style_init(&c.out, stdout);
    ex_style_init(&c.err, stderr);
    status = cli_parse(&c, argc, argv);
    if (status == 0)
        status = c.command->run(&c);
    cli_close(&c);
    free_params(&c);
    if ((fflush(stdout) != 0 || ferror(stdout)) && status == 0) {
        perror("twotier: standard output");
        status = CLI_IO;
    }
    return status;
}
