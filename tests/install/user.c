/* user.c: what a program does first: set a key, read it back, and be told what it did wrong. Needs
 * no server. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <twotier/twotier.h>

static void check(int ok, const char *what)
{
    if (ok)
        return;
    (void)fprintf(stderr, "user: expected %s\n", what);
    exit(EXIT_FAILURE);
}

/* No primary is configured, and then none is there: both are told at once. */
static void open_nothing(tt_config *config)
{
    tt_client *client = NULL;
    tt_error error = TT_ERROR_INIT;

    check(tt_client_open(config, &client, &error) == TT_E_CONFIG, "a primary to be required");
    check(tt_config_set(config, "database.primary.host", "127.0.0.1", &error) == 0, "a host");
    check(tt_config_set(config, "database.primary.port", "1", &error) == 0, "a port");
    check(tt_config_set(config, "database.schema", "test", &error) == 0, "a schema");
    check(tt_config_set(config, "database.user", "nobody", &error) == 0, "a user");
    check(tt_config_set_password(config, "", &error) == 0, "an empty password");
    check(tt_client_open(config, &client, &error) == TT_E_UNAVAILABLE, "nobody at port 1");
    check(strstr(error.node, "127.0.0.1") != NULL, "the node to be named");
}

int main(void)
{
    tt_config *config = NULL;
    tt_error error = TT_ERROR_INIT;
    char text[16];

    check(strcmp(tt_version(), TT_VERSION) == 0, "header and library of one version");
    check(tt_config_new(NULL, &config, &error) == 0, "a configuration");
    check(tt_config_set(config, "database.pool.max", "7", &error) == 0, "a key to be set");
    check(tt_config_get(config, "database.pool.max", text, sizeof(text), &error) == 0, "its value");
    check(strcmp(text, "7") == 0, "7");
    check(tt_config_set(config, "no.such.key", "7", &error) == TT_E_CONFIG, "an unknown key");
    check(tt_error_class(error.code) == TT_CLASS_USAGE, "its class");
    open_nothing(config);
    tt_config_free(config);
    return EXIT_SUCCESS;
}
