#include "cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *level_name(tt_log_level level)
{
    switch (level) {
    case TT_LOG_ERROR:
        return "error";
    case TT_LOG_WARN:
        return "warning";
    case TT_LOG_INFO:
        return "info";
    default:
        return "debug";
    }
}

static void write_log(void *ctx, tt_log_level level, const char *line)
{
    (void)ctx;
    fprintf(stderr, "twotier: %s: %s\n", level_name(level), line);
}

static int open_client(cli *c, tt_config *config, tt_error *err)
{
    tt_log_sink sink = {write_log, NULL, c->verbose ? TT_LOG_DEBUG : TT_LOG_ERROR};
    int rc = tt_config_load_file(config, c->config, err);

    if (rc != 0)
        return rc;
    tt_config_set_log(config, &sink);
    return tt_client_open(config, &c->client, err);
}

static int file_error(const char *path)
{
    fprintf(stderr, "twotier: %s: %s\n", path, strerror(errno));
    return CLI_IO;
}

/* An absent file is a session that has written nothing yet. */
static int read_token(const char *path, char *out)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n;

    out[0] = 0;
    if (fd < 0)
        return errno == ENOENT ? 0 : file_error(path);
    n = read(fd, out, TT_TOKEN_MAX - 1);
    (void)close(fd);
    if (n < 0)
        return file_error(path);
    out[n] = 0;
    out[strcspn(out, "\r\n")] = 0;
    return 0;
}

static int open_session(cli *c)
{
    char token[TT_TOKEN_MAX];
    tt_error err = TT_ERROR_INIT;
    int rc;

    if (!c->token && !c->token_file)
        return 0;
    rc = tt_session_new(c->client, &c->session, &err);
    if (rc == 0 && c->token)
        rc = tt_session_adopt(c->session, c->token, &err);
    if (rc == 0 && c->token_file) {
        int status = read_token(c->token_file, token);

        if (status != 0)
            return status;
        rc = tt_session_adopt(c->session, token, &err);
    }
    return rc == 0 ? 0 : cli_fail(c, rc, &err);
}

int cli_open(cli *c)
{
    tt_error err = TT_ERROR_INIT;
    tt_config *config = NULL;
    int rc;

    if (!c->config)
        c->config = getenv("TWOTIER_CONFIG");
    if (!c->config || !c->config[0])
        return cli_usage(c, "%s: expected --config FILE, or TWOTIER_CONFIG in the environment",
                         c->command->name);
    rc = tt_config_new(NULL, &config, &err);
    if (rc == 0)
        rc = open_client(c, config, &err);
    tt_config_free(config);
    return rc == 0 ? open_session(c) : cli_fail(c, rc, &err);
}

void cli_close(cli *c)
{
    tt_session_free(c->session);
    tt_client_close(c->client);
    c->session = NULL;
    c->client = NULL;
    free(c->sql);
    c->sql = NULL;
}

/* In place of the old file at once, readable by its owner alone. */
static int write_token(const char *path, const char *token)
{
    char name[4096];
    int fd, n = snprintf(name, sizeof(name), "%s.new", path);
    bool ok;

    if (n < 0 || (size_t)n >= sizeof(name)) {
        errno = ENAMETOOLONG;
        return file_error(path);
    }
    fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return file_error(name);
    ok = dprintf(fd, "%s\n", token) > 0;
    ok = close(fd) == 0 && ok;
    return ok && rename(name, path) == 0 ? 0 : file_error(path);
}

int cli_keep_token(cli *c)
{
    tt_error err = TT_ERROR_INIT;
    int rc;

    if (!c->session)
        return 0;
    rc = tt_session_token(c->session, c->new_token, sizeof(c->new_token), &err);
    if (rc != 0)
        return cli_fail(c, rc, &err);
    return c->token_file ? write_token(c->token_file, c->new_token) : 0;
}

const char *cli_sql(cli *c)
{
    size_t n;

    if (strcmp(c->args[0], "-") != 0)
        return c->args[0];
    c->sql = calloc(1, TT_SQL_MAX + 2);
    if (!c->sql) {
        (void)cli_fail(c, TT_E_NOMEM, NULL);
        return NULL;
    }
    n = fread(c->sql, 1, TT_SQL_MAX + 1, stdin); /* one too many is for the library to refuse */
    if (ferror(stdin) || strlen(c->sql) != n) {
        (void)cli_usage(c, "standard input: expected one statement of text, without zero bytes");
        return NULL;
    }
    return c->sql;
}
