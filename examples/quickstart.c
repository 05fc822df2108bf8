/* Usage: quickstart twotier.yaml, with a TABLE quickstart (id INT PRIMARY KEY, seats INT) */
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
/* From its success on get_seats() shows it, in every process, on every host. */
static int set_seats(tt_client *client, int64_t id, int64_t seats)
{
    const char *sql = "REPLACE INTO quickstart (id, seats) VALUES (?, ?)";
    tt_value values[] = {tt_int(id), tt_int(seats)};

    return tt_query_write(client, NULL, sql, values, 2, NULL, NULL, &err);
}

/* From the cache or, when it is not there, from a replica. The caller frees the rows. */
static int get_seats(tt_client *client, int64_t id, tt_result **rows, tt_read_info *info)
{
    const char *sql = "SELECT seats FROM quickstart WHERE id = ?";
    tt_read_options cached = {.size = sizeof(cached), .cache_class = ""};
    tt_value key = tt_int(id);

    return tt_query_read(client, NULL, sql, &key, 1, &cached, rows, info, &err);
}
/* readme */

int main(int argc, char **argv)
{
    tt_read_info info = TT_READ_INFO_INIT;
    tt_config *config = NULL;
    tt_client *client = NULL;
    tt_result *rows = NULL;
    int64_t seats = 0;

    must(tt_config_new(NULL, &config, &err));
    must(tt_config_load_file(config, argc > 1 ? argv[1] : "twotier.yaml", &err));
    must(tt_client_open(config, &client, &err));
    for (int i = 0; i < 4; i++) {
        if (i % 2 == 0) /* so each write is read twice: from a server, then from the cache */
            must(set_seats(client, 42, 30 - i / 2));
        must(get_seats(client, 42, &rows, &info));
        must(tt_result_int(rows, 0, 0, &seats));
        printf("%d seats: %s %s\n", (int)seats, info.why, info.node);
        tt_result_free(rows);
    }
    tt_client_close(client);
    tt_config_free(config);
    return 0;
}
