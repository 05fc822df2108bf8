/* Read through the cache, write, and read the write back. Usage: quickstart twotier.yaml */
#include <stdio.h>
#include <stdlib.h>
#include <twotier/twotier.h>

static tt_error err = TT_ERROR_INIT;

static void must(int rc)
{
    if (rc == 0)
        return;
    fprintf(stderr, "quickstart: %s: %s\n", tt_error_name(rc), err.message);
    exit(1);
}

/* readme: README.md shows the code from here to the next such line */
static void show(tt_client *client, int64_t id)
{
    tt_read_options cached = {.size = sizeof(cached), .cache_class = ""};
    tt_read_info info = TT_READ_INFO_INIT;
    tt_value value = tt_int(id);
    tt_result *result = NULL;
    int64_t seats = 0;

    must(tt_query_read(client, NULL, "SELECT seats FROM quickstart WHERE id = ?", &value, 1,
                       &cached, &result, &info, &err));
    must(tt_result_int(result, 0, 0, &seats));
    printf("%d seats: %s %s\n", (int)seats, info.why, info.node);
    tt_result_free(result);
}

static void set(tt_client *client, int64_t id, int64_t seats)
{
    tt_value values[] = {tt_int(id), tt_int(seats)};
    const char *sql = "REPLACE INTO quickstart VALUES (?, ?)";

    must(tt_query_write(client, NULL, sql, values, 2, NULL, NULL, &err));
}
/* readme */

int main(int argc, char **argv)
{
    const char *sql = "CREATE TABLE IF NOT EXISTS quickstart (id INT PRIMARY KEY, seats INT)";
    tt_write_options ddl = {.size = sizeof(ddl), .flags = TT_WRITE_NO_TAGS};
    tt_client *client = NULL;
    tt_config *config = NULL;

    must(tt_config_new(NULL, &config, &err));
    must(tt_config_load_file(config, argc > 1 ? argv[1] : "twotier.yaml", &err));
    must(tt_client_open(config, &client, &err));
    must(tt_query_write(client, NULL, sql, NULL, 0, &ddl, NULL, &err));
    set(client, 42, 30);
    show(client, 42); /* from a server, and into the cache */
    show(client, 42); /* from the cache */
    set(client, 42, 29);
    show(client, 42); /* 29, wherever it comes from, in every process */
    tt_config_free(config);
    tt_client_close(client);
}
